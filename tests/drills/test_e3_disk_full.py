"""E3: the disk fills up during a sync run: that of STATE_DIR, or PostgreSQL's (53100).

Users      the old data, whole.
Detection  `sync_failed` reason=disk with the cause in words; component sync "degraded".
Recovery   half-written files are removed; with room the next run is a normal one.

Both are real: file systems of a few megabytes.
"""
import contextlib
import os
import pwd
import shutil
import subprocess

import pytest

from lib.drill import component, field, reads, seen, wait_component
from lib.sales import Table, assert_facts_agree, run, shop, succeed, write

pytestmark = pytest.mark.drill

AS_OF = "2025-01-01"
OLD, NEW = shop(200), shop(200) + shop(2000, seed=2, first_order=5000)


class Disk:
    """A small file system of its own."""

    def __init__(self, path, size):
        self.path = path
        path.mkdir()
        if subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(path)], capture_output=True).returncode != 0:
            pytest.skip("no file system can be mounted here")

    def fill(self, leave):
        (self.path / "ballast").write_bytes(bytes(shutil.disk_usage(self.path).free - leave))

    def make_room(self):
        (self.path / "ballast").unlink()


@contextlib.contextmanager
def disk(path, size):
    made = Disk(path, size)
    try:
        yield made
    finally:
        subprocess.run(["umount", "-l", str(path)], check=False)


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


def fail_and_recover(served, full, leave):
    """Under load: a run on the full disk, one with room again. (what the failed run said, the next run's seconds, the load)"""
    with reads(served) as load:
        full.fill(leave)
        failed = run(served)
        (line,) = served.events("sync_failed")
        assert failed["status"] == "failed" and field(line, "reason") == "disk", (failed, line)
        wait_component(served, "sync", "degraded", 5)
        load.wait_requests(100)
        yield line, load
        full.make_room()
        again = succeed(served)
        served.wait_data(again["data_version"])
        wait_component(served, "sync", "healthy", 5)
    table = Table(served.settings["DATABASE_URL"])
    table.assert_holds(NEW)
    assert_facts_agree(table, AS_OF)
