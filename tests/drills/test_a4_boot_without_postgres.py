"""A4: PostgreSQL is down when the server starts.

Users      the population of the last run is served, as before.
Detection  `db_connection_failed`; /health 200 "degraded"; data_status tells what is served, its age, and that it is a snapshot;
           data older than STALE_AFTER_HOURS are marked stale.
Recovery   served in less than 2 s; PostgreSQL is found within 5 s of its start.
"""
import pytest

from lib.drill import customers, elapsed, health, healthy, orders, reads, seconds_until, seen, wait_component
from lib.sales import Table
from lib.walk import shop

pytestmark = pytest.mark.drill


@pytest.fixture
def served(own_postgres, tmp_path):
    with shop(own_postgres, tmp_path / "shop") as instance:
        yield instance


def make_old(served):
    """The only successful run ended two days ago; the population is made again with that."""
    served.kill_everything()
    Table(served.settings["DATABASE_URL"]).rows("UPDATE sync_runs SET started_at = started_at - interval '2 days', finished_at ="
                                                " finished_at - interval '2 days'")
    for path in (served.directory / "state").glob("population-*"):
        path.unlink()
    served.start()
    served.wait_data()


def test_boot_without_postgres(served, own_postgres, record_property):
    profile = f"/api/mcp/customer/{customers(served, 1)[0]}"
    before = served.get(profile).json()
    make_old(served)
    loaded = health(served)["data_status"]
    served.kill_everything()
    own_postgres.stop()

    def answered():
        try:
            return served.get(profile, timeout=2).status == 200
        except OSError:
            return False
    served.spawn()
    booted = seconds_until(answered, 2, "a profile")
    assert served.get(profile).json() == before
    wait_component(served, "database", "down")
    with reads(served) as load:
        load.wait_requests(200)
        body = health(served)
        refused, took = elapsed(served.get, orders(served, 1)[0])
        assert refused.status == 503 and took < 1
        own_postgres.start()
        back = wait_component(served, "database", "healthy", 5)
    served.wait_event("db_connection_failed")
    data = body["data_status"]
    assert body["status"] == "degraded" and data["data_source"] == "snapshot"
    assert {k: data[k] for k in data if k not in ("data_source", "age_seconds")} == {
        k: loaded[k] for k in loaded if k not in ("data_source", "age_seconds")}
    assert data["stale"] and data["age_seconds"] > 24 * 3600
    assert not healthy(served)  # the data are still old
    seen(record_property, f"the last population served {booted:.2f} s after the start, {load.good} reads, 0 failed; degraded,"
         f" data_source snapshot, stale; PostgreSQL found {back:.1f} s after its start", booted)
