"""N2: people must know. Every alert fires and clears within 10 s of what it is about (its checks included).

Users      nothing: a webhook that fails or hangs holds nobody up.
Detection  a message in Slack's format for each transition of P0 to P2, and for each recovery, once.
Recovery   a webhook that was away gets what is true then.

Not here: Claude's state is judged from calls, its drill is J1; staleness needs a day, it is held in the unit tests.
"""
import http.server
import json
import os
import signal
import subprocess
import threading
import time

import pytest

from lib.patrond import TOP
from lib.wait import FACTOR, wait_until

pytestmark = pytest.mark.drill


class Webhook:
    """Takes messages; `status` is what it answers, `hang` for how many seconds it does not."""

    def __init__(self):
        self.messages, self.refused, self.status, self.hang = [], 0, 200, 0
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                assert list(body) == ["text"] and self.headers["Content-Type"] == "application/json"
                time.sleep(outer.hang)
                if outer.status == 200:
                    outer.messages.append(body["text"])
                else:
                    outer.refused += 1
                self.send_response(outer.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *arguments):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/services/T0/B0/s3cret-token"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def count(self, words):
        return sum(words in m for m in self.messages)

    def wait(self, words, timeout=12, count=1):
        wait_until(lambda: self.count(words) >= count, timeout, f"a message with '{words}' among {self.messages}")


@pytest.fixture
def webhook():
    hook = Webhook()
    yield hook
    hook.server.shutdown()
    hook.server.server_close()


@pytest.fixture
def served(own_postgres, own_redis, patrond_factory, webhook, tmp_path):
    sales = tmp_path / "sales.csv"
    with open(sales, "wb") as f:
        subprocess.run([TOP / "scripts/make-sample-sales", "--customers", "100"], stdout=f, check=True)
    instance = patrond_factory(DATABASE_URL=own_postgres.create_database(), REDIS_URL=own_redis.url(),
                               SYNC_SOURCE=f"csv:{sales}", SOURCE_CHECK_INTERVAL=1, ALERT_WEBHOOK_URL=webhook.url,
                               WORKER_HANG_SUSPECT=60, WORKER_HANG_ABORT=70, WORKER_HANG_KILL=80)
    instance.sales = sales
    instance.start()
    instance.sync("full")
    instance.wait_data()
    wait_until(lambda: instance.get("/health", key=None).json()["status"] == "healthy", 15, "healthy")
    return instance


def test_every_alert_fires_and_clears(served, webhook, own_postgres, own_redis):
    assert webhook.messages == []
    done = served.ctl("alert-test")
    assert done.returncode == 0 and "200" in done.stdout, done.stderr
    assert "Test: alerts of patrond on " in webhook.messages.pop()

    os.kill(served.workers()[0], signal.SIGSEGV)
    webhook.wait("P1: A process crashed, hung or was killed for memory")

    own_redis.stop()
    webhook.wait("P1: Redis is down")
    own_redis.start()
    webhook.wait("Recovered: Redis answers again")

    own_postgres.stop()
    webhook.wait("P0: PostgreSQL is down")
    own_postgres.start()
    webhook.wait("Recovered: PostgreSQL answers again")

    away = served.sales.with_suffix(".away")
    served.sales.rename(away)
    webhook.wait("P2: The source of the sales cannot be read")
    assert served.sync("incremental")["status"] == "failed"
    webhook.wait("P2: The last sync failed")
    away.rename(served.sales)
    webhook.wait("Recovered: The source can be read again")
    assert served.sync("incremental")["status"] == "success"
    webhook.wait("Recovered: A sync succeeded again")

    workers = served.workers()
    for pid in workers:
        os.kill(pid, signal.SIGSTOP)
    webhook.wait("P0: No worker answers", 20)
    for pid in workers:
        os.kill(pid, signal.SIGCONT)
    webhook.wait("Recovered: Workers answer again")

    webhook.wait("Recovered: No process has died for a while", 45)
    for words in ("Redis is down", "Redis answers again", "PostgreSQL is down", "PostgreSQL answers again"):
        assert webhook.count(words) == 1, webhook.messages
    assert not any("s3cret" in line for line in served.lines)


def test_a_webhook_that_fails_or_hangs_holds_nobody_up(served, webhook, own_redis):
    webhook.status = 500
    own_redis.stop()
    served.wait_event("alert_failed", 15, matching="answered 500")
    wait_until(lambda: webhook.refused >= 2, 15, "a second try")
    assert len(served.events("alert_failed")) == 1
    done = served.ctl("alert-test")
    assert done.returncode == 1 and "500" in done.stderr
    webhook.status, webhook.hang = 200, 2
    began = time.monotonic()
    assert served.get("/health", key=None).status == 200
    assert served.ctl("reload").returncode == 0
    assert time.monotonic() - began < 10 * FACTOR
    webhook.hang = 0
    webhook.wait("P1: Redis is down", 30)
    own_redis.start()
    webhook.wait("Recovered: Redis answers again")
    metrics = served.get("/metrics", key=None).body.decode()
    assert 'integration_errors_total{integration="alert_webhook",error_type="query"}' in metrics
    assert 'integration_call_duration_seconds_count{integration="alert_webhook",operation="post"}' in metrics


def test_alert_test_says_what_is_missing(patrond_factory, database):
    instance = patrond_factory(DATABASE_URL=database)
    done = instance.ctl("alert-test")
    assert done.returncode != 0 and "ALERT_WEBHOOK_URL is not set" in done.stderr
