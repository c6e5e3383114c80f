"""K2: a sync by hand: POST /admin/sync-sales, kill -USR1, patronctl sync.

Users      nothing.
Detection  `sync_started`, `sync_progress` ("Processing batch..."), `sync_completed` ("✅ Sync completed") or `sync_failed`
           ("❌ Sync failed"), with counts and duration.
Recovery   none is needed; what failed is repeated by the next run.
"""
import signal
import time

import pytest

from lib.drill import elapsed, field, health, reads, seen
from lib.patrond import serving
from lib.sales import Table, line, shop, write
from lib.wait import wait_until

pytestmark = pytest.mark.drill

COUNTS = ("rows_read", "rows_inserted", "rows_updated", "rows_deleted", "rows_skipped")


@pytest.fixture(scope="module")
def served(postgres_server, tmp_path_factory):
    postgres_server.ensure()
    directory = tmp_path_factory.mktemp("k2")
    source = write(directory / "sales.csv", shop(200))
    with serving(directory / "i", {"DATABASE_URL": postgres_server.create_database(), "SYNC_SOURCE": f"csv:{source}",
                                   "AS_OF_DATE": "2025-01-01"}) as instance:
        instance.source = source
        yield instance


def by_http(p):
    answer = p.post("/admin/sync-sales")
    assert answer.status == 202 and answer.json()["status"] == "sync_started"


def by_http_waiting(p):
    answer = p.post("/admin/sync-sales?wait=true", timeout=60)
    assert answer.status == 200 and answer.json()["summary"].startswith("Processed "), answer.body


def by_signal(p):
    p.signal(signal.SIGUSR1)


def by_patronctl(p):
    done = p.ctl("sync", "--wait")
    assert done.returncode == 0 and "succeeded in" in done.stdout, done.stderr


WAYS = {"api": by_http, "api, waiting": by_http_waiting, "signal": by_signal, "cli": by_patronctl}


def ended(p, event, since):
    return wait_until(lambda: len(p.events(event)) > since and p.events(event)[-1], 30, event)


@pytest.mark.parametrize("way", WAYS)
def test_a_run_by_hand(served, way, record_property):
    p, table = served, Table(served.settings["DATABASE_URL"])
    number = list(WAYS).index(way)
    write(p.source, shop(200) + [line(9000 + number, 77, "2024-12-01", "5.00")] + ([line(1, 1, "2024-12-01", "bad")] if number == 1 else []))
    since = len(p.events("sync_completed"))
    with reads(p, clients=2) as load:
        began = time.monotonic()
        WAYS[way](p)
        done = ended(p, "sync_completed", since)
        took = time.monotonic() - began
        load.wait_requests(50)
    number_of_run = f" run_id={field(done, 'run_id')} "
    run = p.wait_run(int(field(done, "run_id")))  # which is shown after it was told
    started = next(l for l in p.events("sync_started") if number_of_run in l)
    progress = next(l for l in p.events("sync_progress") if number_of_run in l)
    assert "Sync started..." in started and field(started, "trigger") == way.split(",")[0] and field(started, "mode") == "incremental"
    assert "Processing batch..." in progress and int(field(progress, "rows_read")) > 0
    assert "✅ Sync completed" in done and field(done, "status") == "success" and float(field(done, "duration_seconds")) > 0
    assert [int(field(done, n)) for n in COUNTS] == [run[n] for n in COUNTS]
    assert run["rows_inserted"] == 1 and run["rows_skipped"] == (number == 1)
    assert table.value("SELECT count(*) FROM combined_sales WHERE order_id = %s", 9000 + number) == 1
    seen(record_property, f"by {way}: {run['rows_read']} rows read, 1 inserted; {load.good} requests, none failed", took)


def test_a_run_that_fails(served, record_property):
    p, table = served, Table(served.settings["DATABASE_URL"])
    before = table.lines()
    away = p.source.rename(p.source.with_suffix(".away"))
    with reads(p, clients=2) as load:
        done, took = elapsed(p.ctl, "sync", "--wait")
        load.wait_requests(50)
    line_of = p.wait_event("sync_failed")
    away.rename(p.source)
    assert done.returncode == 1 and "No such file" in done.stderr
    assert "❌ Sync failed" in line_of and "No such file" in field(line_of, "error") and "level=error" in line_of
    assert field(line_of, "reason") == "source_connect" and all(field(line_of, n) == "0" for n in COUNTS)
    assert health(p)["components"]["sync"] == "degraded" and table.lines() == before
    assert p.sync()["status"] == "success" and health(p)["components"]["sync"] == "healthy"
    seen(record_property, f"exit 1 and the cause in words; {load.good} requests, none failed", took)
