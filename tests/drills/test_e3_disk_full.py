"""E3: the disk fills up during a sync run: that of STATE_DIR, or PostgreSQL's (53100).

Users      the old data, whole.
Detection  `sync_failed` reason=disk with the cause in words; component sync "degraded".
Recovery   half-written files are removed; with room the next run is a normal one.

Both are real: file systems of a few megabytes.
"""
import os
import pwd

import pytest

from lib.disk import small_disk
from lib.drill import customers, elapsed, field, reads, seen, wait_component
from lib.sales import Table, assert_facts_agree, run, shop, succeed, write
from lib.wait import wait_until

pytestmark = pytest.mark.drill

AS_OF = "2025-01-01"
OLD, NEW = shop(200), shop(200) + shop(2000, seed=2, first_order=5000)


@pytest.fixture
def disk():
    with small_disk(64) as small:
        yield small


@pytest.fixture
def synced(patrond_factory, source):
    """make(url, **settings) -> a server whose first sync is done; the source has much that is new."""
    def make(url, **settings):
        write(source, OLD)
        instance = patrond_factory(DATABASE_URL=url, SYNC_SOURCE=f"csv:{source}", AS_OF_DATE=AS_OF, **settings).start()
        succeed(instance)
        instance.wait_data()
        write(source, NEW)
        return instance
    return make


def fail_and_recover(served, disk, leave_bytes, record_property, look=lambda: None):
    """Under load: a run on the full disk, a look at what it has left, and a run with room again."""
    table = Table(served.settings["DATABASE_URL"])
    profile = f"/api/mcp/customer/{customers(served, 1)[0]}"
    with reads(served) as load:
        answer = served.get(profile).json()
        disk.fill(leave_bytes)
        failed = run(served)
        (line,) = served.events("sync_failed")
        assert failed["status"] == "failed" and field(line, "reason") == "disk", (failed, line)
        wait_component(served, "sync", "degraded", 5)
        assert served.get(profile).json() == answer
        look()
        disk.make_room()
        _, took = elapsed(succeed, served)
        took += elapsed(served.wait_data, table.version())[1]
        wait_component(served, "sync", "healthy", 5)
    table.assert_holds(NEW)
    assert_facts_agree(table, AS_OF)
    seen(record_property, f"failed in {field(line, 'phase')}: {field(line, 'error')}; the old data whole, {load.good} reads, 0"
         f" failed; the next run equals the source", took)


def test_state_directory(disk, synced, database, record_property):
    served = synced(database, STATE_DIR=disk.path)
    wait_until(lambda: disk.holds("slo_history"), 20, "the history of service levels to have its room")

    def nothing_half_is_left():
        assert sorted(p.name for p in disk.path.glob("population*")) == ["population-1.bin"]
        assert disk.free_bytes() > 0
    fail_and_recover(served, disk, 8192, record_property, nothing_half_is_left)


def test_database(disk, own_postgres, synced, record_property):
    """The database lives on the small disk, PostgreSQL's log of writes does not."""
    if os.geteuid() == 0:
        user = pwd.getpwnam("postgres")
        os.chown(disk.path, user.pw_uid, user.pw_gid)
    url = own_postgres.create_database()
    place = Table(own_postgres.url())
    place.rows(f"CREATE TABLESPACE small LOCATION '{disk.path}'")
    place.rows(f"ALTER DATABASE {url.rsplit('/', 1)[1]} SET TABLESPACE small")
    served, table = synced(url), Table(url)
    before = table.lines(), table.facts(), table.version()

    def nothing_half_is_left():
        assert (table.lines(), table.facts(), table.version()) == before
        assert table.value("SELECT count(*) FROM pg_class WHERE relname LIKE 'combined_sales_next%%'") == 0
    fail_and_recover(served, disk, 256 << 10, record_property, nothing_half_is_left)
