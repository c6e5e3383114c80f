"""E1: a sync run hangs, because the source stops sending, or hardly gets on.

Users      nothing.
Detection  `sync_failed` reason=timeout with phase and the rows so far, after SYNC_STALL_TIMEOUT (60 s) without progress or
           SYNC_TIMEOUT (600 s; a full run: SYNC_FULL_TIMEOUT) in all, both shortened here; component sync "degraded".
Recovery   the run ends in its time, by itself or 5 s later by the master, its lock is gone with it, and the next run is a normal
           one.
"""
import pytest

from lib.drill import field, reads, seconds_until, seen, wait_component
from lib.sales import shop, succeed
from lib.tds import PAGE, SqlServer
from lib.wait import FACTOR

pytestmark = pytest.mark.drill

STALL_S, KILL_S = 2, 5
OLD, NEW = shop(200), shop(20, seed=2, first_order=5000)


@pytest.fixture
def synced(patrond_factory, table, tmp_path):
    """make(seconds a run may take) -> a server whose first sync is done; the source has something new."""
    with SqlServer(tmp_path / "tds") as source:
        def make(run_s):
            source.rows = OLD
            instance = patrond_factory(DATABASE_URL=table.url, AS_OF_DATE="2025-01-01", **source.settings(
                SYNC_BATCH_ROWS=100, SYNC_STALL_TIMEOUT=STALL_S, SYNC_FULL_TIMEOUT=run_s, SOURCE_CHECK_INTERVAL=0)).start()
            made.append(instance)
            succeed(instance)
            instance.wait_data()
            source.add(NEW)
            instance.source = source
            return instance
        made = []
        yield make
        made[0].stop()


def drip(bytes_per_second):
    """Rows come so slowly, from the second page on."""
    return "drip", {"row": 50, "bytes": bytes_per_second // 10, "every": 0.1, "times": None}


@pytest.mark.parametrize("kind, options, run_s, limit, words", [
    ("hang", {"row": 50, "deaf": True}, 60, STALL_S, "no progress for"),
    (*drip(300), 60, STALL_S + KILL_S, "no progress"),  # amid a packet, where the process has no say: the master kills it
    (*drip(4000), 3, 3, "timed out after")],  # each page is progress, but there are many
    ids=["stops", "trickles", "flows-slowly"])
def test_run_ends_in_time_under_load(synced, table, record_property, kind, options, run_s, limit, words):
    served = synced(run_s)
    before = table.lines(), table.facts(), table.version()
    fault = served.source.fault(kind, sql=PAGE, skip=1, **options)
    with reads(served) as load:
        run_id = served.post("/admin/sync-sales?mode=full").json()["run_id"]
        fault.wait_hit()
        took = seconds_until(lambda: served.events("sync_failed"), limit + 2, "the run's end")
        freed = seconds_until(table.lock_is_free, 5, "the lock given back")
        wait_component(served, "sync", "degraded", 5)
        assert (table.lines(), table.facts(), table.version()) == before
        served.source.clear()
        run = succeed(served)
        served.wait_data(run["data_version"])
        wait_component(served, "sync", "healthy", 5)
    (line,) = served.events("sync_failed")
    assert words in line and field(line, "reason") == "timeout" and field(line, "run_id") == str(run_id)
    assert field(line, "phase") == "loading" and 0 < int(field(line, "rows_read")) < len(OLD + NEW)
    table.assert_holds(OLD + NEW)
    assert took > limit - 1 - FACTOR
    seen(record_property, f"{words} {limit} s: failed in {field(line, 'phase')} after {field(line, 'rows_read')} rows; lock free"
         f" {freed:.1f} s later; {load.good} reads, 0 failed; the next run equals the source", took)
