"""A memory cgroup of our own below the present one, for drills of the kernel's OOM killer."""
import contextlib
import os
import pathlib

import pytest

from lib.wait import wait_until


def _own_group():
    """Our group's directory, and the names of its limit and its counter."""
    lines = pathlib.Path("/proc/self/cgroup").read_text().splitlines()
    v1 = next((l.split(":", 2)[2] for l in lines if l.split(":")[1] == "memory"), None)
    if v1 is not None:
        return pathlib.Path("/sys/fs/cgroup/memory" + v1), "memory.limit_in_bytes"
    own = next((l.split(":", 2)[2] for l in lines if l.startswith("0::")), "")
    return pathlib.Path("/sys/fs/cgroup" + own), "memory.max"


class Group:
    def __init__(self, path, limit_name):
        self.path, self._limit = path, path / limit_name

    def limit(self, limit_bytes):
        self._limit.write_text(str(limit_bytes))

    def used(self):
        """Bytes that the kernel could not take back: what is merely cached does not count."""
        stat = dict(l.split() for l in (self.path / "memory.stat").read_text().splitlines())
        kernel = self.path / "memory.kmem.usage_in_bytes"
        own = int(kernel.read_text()) if kernel.exists() else int(stat.get("kernel", 0))
        return own + int(stat.get("total_rss") or stat["anon"]) + int(stat.get("total_shmem") or stat.get("shmem", 0))

    def processes(self):
        return (self.path / "cgroup.procs").read_text().split()


@contextlib.contextmanager
def memory_group(limit_bytes):
    """A fresh group with that limit; skips where there can be none."""
    parent, limit = _own_group()
    group = Group(parent / f"patrond-test-{os.getpid()}", limit)
    try:
        group.path.mkdir()
        group.limit(limit_bytes)
    except OSError as e:
        if group.path.exists():
            group.path.rmdir()
        pytest.skip(f"needs a writable memory cgroup: {e}")
    try:
        yield group
    finally:
        wait_until(lambda: not group.processes(), 10, "the cgroup empty")
        group.path.rmdir()


@contextlib.contextmanager
def inside(group):
    """What is started within is born in that group."""
    parent, _ = _own_group()
    (group.path / "cgroup.procs").write_text("0")
    try:
        yield
    finally:
        (parent / "cgroup.procs").write_text("0")
