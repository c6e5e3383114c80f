"""L1: SQL Server: its name is not resolved, firewall, login failed, database missing, TLS refused, throttled, deadlock.

Users      nothing: the data of the last good run stay in service.
Detection  `sync_failed` with the cause in words ("Error connecting to Azure SQL", "Login failed for user"), component source
           "down", sync "degraded"; patronctl check source says the same.
Recovery   what passes by itself is tried again with backoff inside the run, which ends well; what does not is reported at once
           (4060 and TLS after a few tries in seconds), and the next run is a normal one.
"""
import re

import pytest

from lib.drill import component, elapsed, field, health, reads, seen, wait_component
from lib.patrond import serving
from lib.sales import Table
from lib.servers import NO_HOST
from lib.tds import PAGE, SqlServer
from lib.wait import FACTOR

pytestmark = pytest.mark.drill

LINES = 1000
STALL_S = 2  # and half of it is the longest pause between attempts


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    with SqlServer(tmp_path_factory.mktemp("tds")) as server:
        server.generate(LINES)
        yield server


@pytest.fixture(scope="module")
def synced(postgres_server, source, tmp_path_factory):
    postgres_server.ensure()
    settings = source.settings(SYNC_BATCH_ROWS=200, SYNC_STALL_TIMEOUT=int(STALL_S * FACTOR), SOURCE_CHECK_INTERVAL=0)
    with serving(tmp_path_factory.mktemp("l1") / "i", {"DATABASE_URL": postgres_server.create_database(), **settings}) as instance:
        instance.table = Table(instance.settings["DATABASE_URL"])
        yield instance


@pytest.fixture
def served(synced, source):
    """With what a test has changed taken back."""
    given = {name: synced.settings[name] for name in ("AZURE_SQL_SERVER", "AZURE_SQL_PASSWORD")}
    yield synced
    source.clear()
    source.set(certificate="good")
    reconfigure(synced, **given)


def reconfigure(p, **settings):
    if any(p.settings[name] != value for name, value in settings.items()):
        p.write_settings(**settings)
        assert p.ctl("reload").returncode == 0


def retries(p, since=0):
    return [l for l in p.lines[since:] if "trying again in" in l]


def test_what_passes_is_tried_again_inside_the_run(served, source, record_property):
    """One bad night: the database wakes up, the server throttles in four ways, and a statement loses a deadlock."""
    p, since = served, len(served.lines)
    logins = [source.fault("error", at="login", number=n) for n in (40613, 40501, 49918, 10928, 10929)]
    pages = [source.fault("error", sql=PAGE, skip=1, row=50, number=n) for n in (1205, 40501)]
    with reads(p, clients=2) as load:
        run, took = elapsed(p.sync, "full")
        assert run["status"] == "success" and (run["rows_read"], run["rows_skipped"], run["error"]) == (LINES, 0, None), run
    assert [f.hits() for f in logins + pages] == [1] * len(logins + pages)
    told = "\n".join(retries(p, since))
    assert "throttled: " in told and "deadlock: " in told
    assert re.search(r"trying again in \d+\.\d s \(failed 4 times\)", told)
    assert p.table.value("SELECT count(*) FROM combined_sales") == LINES
    metrics = p.get("/metrics", key=None).body.decode()
    assert 'integration_errors_total{integration="azure_sql",error_type="throttled"}' in metrics
    seen(record_property, f"7 errors in one run, all rows read once; {load.good} reads, none failed", took)


FATAL = {  # number or name: what is done, reason and words of sync_failed, seconds at most
    "18456": ("source_auth", "Login failed for user 'reader': check AZURE_SQL_USERNAME and AZURE_SQL_PASSWORD", 2),
    "40615": ("source_connect", "firewall: .* does not let 203.0.113.7 in", 2),
    "4060": ("source_connect", "there is no database sales .* check AZURE_SQL_DATABASE", 5 * STALL_S),
    "name not resolved": ("source_connect", f"the name of {NO_HOST}:\\d+ is not known; check AZURE_SQL_SERVER", 5),
    "TLS refused": ("source_connect", "TLS refused: .*AZURE_SQL_CA_FILE", 3 * STALL_S),
}


def break_by(p, source, kind):
    if kind == "name not resolved":
        reconfigure(p, AZURE_SQL_SERVER=NO_HOST)
    elif kind == "TLS refused":
        source.set(certificate="untrusted")
    elif kind == "18456":
        reconfigure(p, AZURE_SQL_PASSWORD="not the one")
    else:
        source.fault("error", at="login", number=int(kind), times=None)


@pytest.mark.parametrize("kind", FATAL)
def test_what_does_not_pass_is_reported_at_once(served, source, kind, record_property):
    reason, words, limit = FATAL[kind]
    p, before, since = served, (served.table.lines(), served.table.version()), len(served.events("sync_failed"))
    break_by(p, source, kind)
    with reads(p, clients=2) as load:
        done, took = elapsed(p.ctl, "sync", "--wait")
        down = wait_component(p, "source", "down", 10)  # which looks every 5 s
        checked = p.ctl("check", "source")
    assert done.returncode == 1 and re.search(words, done.stderr), done.stderr
    assert took < limit * FACTOR, f"{took:.1f} s"
    line = p.events("sync_failed")[since]
    assert "❌ Sync failed" in line and "Error connecting to Azure SQL" in line
    assert field(line, "reason") == reason and re.search(words, field(line, "error")), line
    assert component(p, "sync") == "degraded" and health(p)["reason"] == "dependency_down"
    assert checked.returncode == 1 and re.search(words, checked.stdout), checked.stdout
    assert (p.table.lines(), p.table.version()) == before and "not the one" not in "\n".join(p.lines)
    seen(record_property, f"{kind}: '{re.sub('[(].*', '', field(line, 'error')).strip()}'; {load.good} reads, none failed", took + down)


def test_the_next_run_is_a_normal_one(served, record_property):
    run, took = elapsed(served.sync)
    assert run["status"] == "success"
    wait_component(served, "source", "healthy", 10)
    assert component(served, "sync") == "healthy"
    seen(record_property, "source and sync healthy with the next run", took)
