"""E2: a sync run is killed in the middle: its process alone (SIGKILL), or everything at once, as without power.

Users      the old data, whole.
Detection  `sync_failed` reason=died, found at the next start of the sync process; component sync "degraded".
Recovery   the next run repeats it: nothing is lost and nothing doubled.
"""
import os
import signal

import pytest

from lib.drill import customers, elapsed, field, reads, seconds_until, seen, wait_component
from lib.sales import Table, assert_facts_agree, shop, succeed, write

pytestmark = pytest.mark.drill

AS_OF = "2025-01-01"
OLD, NEW = shop(300), shop(300) + shop(30, seed=2, first_order=5000)


@pytest.fixture
def served(patrond_factory, own_postgres, source):
    """Its first sync is done, and the source has something new."""
    write(source, OLD)
    instance = patrond_factory(DATABASE_URL=own_postgres.create_database(), SYNC_SOURCE=f"csv:{source}", AS_OF_DATE=AS_OF).start()
    succeed(instance)
    instance.wait_data()
    write(source, NEW)
    instance.table = Table(instance.settings["DATABASE_URL"])
    return instance


def state(served):
    return served.table.lines(), served.table.facts(), served.table.version()


def run_in_the_middle(served, mode):
    """A run that has written its orders and can't commit them; (its number, what holds it up)."""
    holder = served.table.holder("LOCK TABLE sync_state IN EXCLUSIVE MODE")
    run_id = served.post(f"/admin/sync-sales?mode={mode}").json()["run_id"]
    served.table.wait_blocked()
    return run_id, holder


def assert_told(served, run_id):
    line = served.wait_event("sync_failed", 20, matching=f"run_id={run_id} ")
    assert field(line, "reason") == "died" and field(line, "phase") == "merging" and "the next run repeats it" in line


def repeat(served):
    """The next run; the seconds it took until its data are served."""
    run, took = elapsed(succeed, served)
    took += elapsed(served.wait_data, run["data_version"])[1]
    served.table.assert_holds(NEW)
    assert_facts_agree(served.table, AS_OF)
    assert served.table.value("SELECT count(*) FROM pg_class WHERE relname LIKE 'combined_sales_next%%'") == 0
    return took + wait_component(served, "sync", "healthy", 5)


@pytest.mark.parametrize("mode", ["incremental", "full"])
def test_sync_killed_under_load(served, record_property, mode):
    before = state(served)
    with reads(served) as load:
        run_id, holder = run_in_the_middle(served, mode)
        os.kill(served.pids("sync_combined_sales")[0], signal.SIGKILL)
        noticed = seconds_until(lambda: served.events("sync_failed"), 20, "the dead run found")
        holder.close()
        assert_told(served, run_id)
        wait_component(served, "sync", "degraded", 5)
        assert state(served) == before
        took = repeat(served)
    seen(record_property, f"{mode} run killed in merging: died, found after {noticed:.1f} s; the old data whole, {load.good} reads,"
         f" 0 failed; the next run equals the source", took)


def test_everything_killed(served, own_postgres, record_property):
    """The server and PostgreSQL in the same moment; both are started again."""
    profile = f"/api/mcp/customer/{customers(served, 1)[0]}"
    before, answer = state(served), served.get(profile).json()
    run_id, holder = run_in_the_middle(served, "full")
    own_postgres.freeze()
    served.kill_everything()
    own_postgres.kill()
    holder.close()
    own_postgres.start()
    _, booted = elapsed(served.start)
    assert served.get(profile).json() == answer
    assert_told(served, run_id)
    assert state(served) == before
    took = repeat(served)
    seen(record_property, f"server and PostgreSQL killed in merging: ready {booted:.1f} s after the start with the old data, whole;"
         f" died; the next run equals the source", took)
