"""N2: people must know. Every alert of the table fires, and clears when its cause is gone.

Users      nothing: a webhook that fails or hangs holds nobody up.
Detection  a message in Slack's format for each transition of P0 to P2, and for each recovery, once.
Recovery   a webhook that was away gets what is true then. What people know is not told again after a restart, kill -9,
           reload or upgrade, and what ended meanwhile is.
"""
import contextlib
import itertools
import os
import pathlib
import signal
import subprocess
import tempfile
import time

import pytest

from lib.drill import seen
from lib.patrond import BUILD, Load, Patrond
from lib.sales import Table, shop, write
from lib.servers import Postgres, Redis
from lib.wait import FACTOR, wait_until
from lib.webhook import Webhook
from standins.claude import Claude, status

pytestmark = pytest.mark.drill

CLAUDE_KEY = "sk-ant-api03-not-a-real-key"


class Shop:
    """A server that everything is configured for, with each of its parts in the test's hands."""

    def __init__(self, directory, postgres, redis, claude, webhook):
        self.postgres, self.redis, self.claude, self.webhook = postgres, redis, claude, webhook
        self.sales = write(directory / "sales.csv", shop(100))
        self.database = postgres.create_database()
        self.binary = directory / "patrond"
        self.install(os.environ.get("PATROND_BIN") or BUILD / "patrond")
        self.server = Patrond(directory / "i", {
            "binary": self.binary, "DATABASE_URL": self.database, "REDIS_URL": redis.url(), "SYNC_SOURCE": f"csv:{self.sales}",
            "SOURCE_CHECK_INTERVAL": 1, "ANTHROPIC_API_KEY": CLAUDE_KEY, "ANTHROPIC_BASE_URL": claude.url, "NL_TIMEOUT_MS": 2500,
            "ALERT_WEBHOOK_URL": webhook.url, "WORKER_HANG_SUSPECT": 60, "WORKER_HANG_ABORT": 70, "WORKER_HANG_KILL": 80})
        self._questions = itertools.count()

    def install(self, program):
        fresh = self.binary.with_suffix(".new")
        fresh.write_bytes(pathlib.Path(program).read_bytes())
        fresh.chmod(0o755)
        fresh.rename(self.binary)

    def ask(self):
        answer = self.server.post("/api/mcp/query/natural-language", {"query": f"the best customers {next(self._questions)}"})
        assert answer.status == 200
        return answer.json()["interpreter"]


@pytest.fixture(scope="module")
def everything():
    with contextlib.ExitStack() as stack:
        directory = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="patrond-n2-")))
        directory.chmod(0o755)
        postgres, redis, webhook = Postgres(directory / "pg"), Redis(directory), Webhook()
        stack.callback(webhook.close)
        for server in (postgres, redis):
            server.start()
            stack.callback(server.stop)
        claude = stack.enter_context(Claude(CLAUDE_KEY, lambda question: ("query_customers", {
            "scope": "list", "analysis": "behavioral", "limit": 5, "filters": []})))
        made = Shop(directory, postgres, redis, claude, webhook)
        made.server.start()
        made.server.sync("full")
        made.server.wait_data()
        yield made
        problems = made.server.finish()
        assert not any("s3cret" in line for line in made.server.lines), "the webhook's URL is in the log"
        assert not problems, "\n".join(problems)


@pytest.fixture
def shop_of(everything):
    """Everything healthy, nothing told."""
    server, hook = everything.server, everything.webhook
    hook.status, hook.hang = 200, 0
    wait_until(lambda: server.get("/health", key=None).json()["status"] == "healthy", 15, "healthy")
    hook.clear()
    return everything


# How each alert of the table is brought about; after the yield its cause goes. In the table's order.

def breaks_api(s):
    workers = s.server.workers()
    for pid in workers:
        os.kill(pid, signal.SIGSTOP)
    yield
    for pid in workers:
        os.kill(pid, signal.SIGCONT)


def breaks_database(s):
    s.postgres.stop()
    yield
    s.postgres.start()


def breaks_workers(s):
    victim = s.server.workers()[0]
    os.kill(victim, signal.SIGSEGV)
    wait_until(lambda: victim not in s.server.workers() and len(s.server.workers()) == 2, 10, "a worker in its place")
    yield  # it is over by itself, after half a minute without another


def ask_often(s, n):
    """So many answers that are good and quick."""
    with Load(s.server.port, ["/health/live"], {}) as load:
        load.wait_requests(n)


def breaks_errors(s):
    for _ in range(60 + ask_count(s) // 12):
        assert b" 501 " in s.server.raw(b"BREW / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    yield
    ask_often(s, 60 * ask_count(s, 'status_code="5xx"'))


def breaks_slow(s):
    """Clients whose bodies come late: by the server's clock these answers take 2.6 s."""
    request = f"POST /api/mcp/query HTTP/1.1\r\nHost: a\r\nX-API-Key: {s.server.admin_key}\r\nContent-Length: 2\r\n\r\n".encode()
    clients = [s.server.connect() for _ in range(60 + ask_count(s) // 8)]
    for client in clients:
        client.sendall(request)
    time.sleep(2.6)
    for client in clients:
        client.sendall(b"{}")
        assert client.recv(100).startswith(b"HTTP/1.1 4")
        client.close()
    yield
    ask_often(s, 40 * len(clients))


def ask_count(s, label=""):
    """Answers so far."""
    lines = s.server.get("/metrics", key=None).body.decode().splitlines()
    return int(sum(float(l.rsplit(" ", 1)[1]) for l in lines if l.startswith("http_requests_total{") and label in l))


def breaks_cache(s):
    s.redis.stop()
    yield
    s.redis.start()


def breaks_ai(s):
    s.claude.fail_always(status(529))
    for _ in range(3):
        assert s.ask() == "rules"
    yield
    s.claude.always = None
    wait_until(lambda: s.ask() == "claude", 10, "a question answered by Claude", every=0.3)


def breaks_source(s):
    s.sales.rename(s.sales.with_suffix(".away"))
    yield
    s.sales.with_suffix(".away").rename(s.sales)


def breaks_sync(s):
    good = s.sales.read_bytes()
    s.sales.write_text("no,such,columns\n1,2,3\n")
    assert s.server.sync()["status"] == "failed"
    yield
    s.sales.write_bytes(good)
    assert s.server.sync()["status"] == "success"


def breaks_stale(s):
    """Two days without a sync: all that is recorded is as if it had happened two days earlier."""
    table = Table(s.database)
    table.rows("UPDATE sync_runs SET started_at = started_at - interval '2 days', finished_at = finished_at - interval '2 days'")
    table.rows("UPDATE data_versions SET published_at = published_at - interval '2 days'")
    assert s.server.ctl("reload").returncode == 0  # what was recorded is read again
    yield
    assert s.server.sync()["status"] == "success"


def table_of_alerts():
    rows = subprocess.run([BUILD / "tests/unit/print_tables", "alerts"], capture_output=True, text=True, check=True).stdout
    return [line.split("|") for line in rows.splitlines()]


def test_every_alert_fires_and_clears(shop_of, descriptors, record_property):
    hook, causes, took = shop_of.webhook, {}, []
    table = table_of_alerts()
    for name, severity, fires, ends in [next(r for r in table if r[0] == "workers"), *[r for r in table if r[0] != "workers"]]:
        assert f"breaks_{name}" in globals(), f"the alert {name} has no drill"
        causes[name] = globals()[f"breaks_{name}"](shop_of)
        began = time.monotonic()
        next(causes[name])
        hook.wait(f"{severity}: {fires}.", 20)
        fired = time.monotonic() - began
        next(causes[name], None)
        if name != "workers":
            hook.wait(f"Recovered: {ends}.", 20)
        took += [fired, time.monotonic() - began - fired]
        print(f"{name}: told after {took[-2]:.1f} s, its end after {took[-1]:.1f} s")
    for name, severity, fires, ends in table:
        hook.wait(f"Recovered: {ends}.", 45)
        assert (hook.count(fires), hook.count(ends)) == (1, 1), hook.messages
    seen(record_property, f"{len(table)} alerts told once each, and their ends", max(took))


def test_what_was_told_is_remembered(shop_of):
    s, hook = shop_of, shop_of.webhook
    down, back = "P1: Redis is down", "Recovered: Redis answers again"

    def nothing_new(what, other):
        """Another alert comes and goes: the one that is known was not told again before it."""
        _, severity, fires, ends = next(r for r in table_of_alerts() if r[0] == other)
        for _ in globals()[f"breaks_{other}"](s):
            hook.wait(f"{severity}: {fires}.")
        hook.wait(f"Recovered: {ends}.")
        assert (hook.count(down), hook.count(back)) == (0, 0), (what, hook.messages)
        hook.messages.clear()

    s.redis.stop()
    hook.wait(down)
    hook.messages.clear()
    assert s.server.ctl("reload").returncode == 0
    nothing_new("reload", "source")
    s.server.kill_everything()
    s.server.start()
    nothing_new("kill -9", "ai")
    s.install(BUILD / "tests/unit/patrond_other_layout")
    done = s.server.ctl("upgrade")
    assert done.returncode == 0, done.stdout + done.stderr
    nothing_new("upgrade to another layout", "database")
    s.server.stop()
    s.redis.start()
    s.install(os.environ.get("PATROND_BIN") or BUILD / "patrond")
    s.server.start()
    hook.wait(back)
    assert (hook.count(down), hook.count(back)) == (0, 1), hook.messages


def test_another_webhook_hears_what_fires(shop_of):
    s, hook, other = shop_of, shop_of.webhook, Webhook()
    try:
        s.sales.rename(s.sales.with_suffix(".away"))
        hook.wait("P2: The source of the sales cannot be read")
        s.server.write_settings(ALERT_WEBHOOK_URL=other.url)
        assert s.server.ctl("reload").returncode == 0
        other.wait("P2: The source of the sales cannot be read")
        s.sales.with_suffix(".away").rename(s.sales)
        other.wait("Recovered: The source can be read again")
        assert len(hook.messages) == 1, hook.messages
        assert b"s3cret" not in (s.server.directory / "state/alerts_told").read_bytes()
    finally:
        s.server.write_settings(ALERT_WEBHOOK_URL=hook.url)
        assert s.server.ctl("reload").returncode == 0
        other.close()


def test_a_message_under_way_is_not_sent_twice(shop_of):
    """A reload while the webhook takes its time: the old probe hears the answer, the new one waits for it."""
    s, hook = shop_of, shop_of.webhook
    hook.hang = 1
    s.redis.stop()
    wait_until(lambda: hook.begun, 12, "a message under way")
    assert s.server.ctl("reload").returncode == 0
    hook.wait("P1: Redis is down")
    hook.hang = 0
    s.redis.start()
    hook.wait("Recovered: Redis answers again")
    assert hook.count("Redis is down") == 1 and hook.begun == len(hook.messages), hook.messages


def test_a_webhook_that_fails_or_hangs_holds_nobody_up(shop_of):
    """Of the database: a cache that had gone and come so often by now would be told more slowly."""
    s, hook = shop_of, shop_of.webhook
    failures = len(s.server.events("alert_failed"))
    hook.status = 500
    s.postgres.stop()
    s.server.wait_event("alert_failed", 15, matching="answered 500", count=failures + 1)
    wait_until(lambda: hook.refused >= 2, 15, "a second try")
    assert len(s.server.events("alert_failed")) == failures + 1
    done = s.server.ctl("alert-test")
    assert done.returncode == 1 and "500" in done.stderr
    hook.status, hook.hang = 200, 2
    began = time.monotonic()
    assert s.server.get("/health", key=None).status == 200
    assert s.server.ctl("reload").returncode == 0
    assert time.monotonic() - began < 10 * FACTOR
    hook.hang = 0
    hook.wait("P0: PostgreSQL is down", 30)
    s.postgres.start()
    hook.wait("Recovered: PostgreSQL answers again")
    metrics = s.server.get("/metrics", key=None).body.decode()
    assert 'integration_errors_total{integration="alert_webhook",error_type="query"}' in metrics
    assert 'integration_call_duration_seconds_count{integration="alert_webhook",operation="post"}' in metrics


def test_the_test_command_tells_how_it_went(shop_of, patrond_factory, database):
    done = shop_of.server.ctl("alert-test")
    assert done.returncode == 0 and "200" in done.stdout, done.stderr
    assert "Test: alerts of patrond on " in shop_of.webhook.messages.pop()
    instance = patrond_factory(DATABASE_URL=database)
    done = instance.ctl("alert-test")
    assert done.returncode == 78 and "ALERT_WEBHOOK_URL is not set" in done.stderr
    instance.write_settings(ALERT_WEBHOOK_URL="http://127.0.0.1:1/s3cret")
    done = instance.ctl("alert-test")
    assert done.returncode == 1 and "127.0.0.1:1" not in done.stdout + done.stderr and "s3cret" not in done.stdout + done.stderr
