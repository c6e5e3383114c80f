"""A worker killed by the kernel's OOM killer (runbook B1), in a memory cgroup of our own below the present one."""
import os
import pathlib
import re

import pytest

from lib.wait import wait_until

LIMIT = 96 << 20
BODY = 6 << 20


def make_group():
    """A memory cgroup below ours with a hard limit; the reason as a text where that cannot be."""
    lines = pathlib.Path("/proc/self/cgroup").read_text().splitlines()
    v1 = next((l.split(":", 2)[2] for l in lines if l.split(":")[1] == "memory"), None)
    if v1 is not None:
        group, limit = pathlib.Path("/sys/fs/cgroup/memory" + v1), "memory.limit_in_bytes"
    else:
        own = next((l.split(":", 2)[2] for l in lines if l.startswith("0::")), "")
        group, limit = pathlib.Path("/sys/fs/cgroup" + own), "memory.max"
    group = group / f"patrond-test-{os.getpid()}"
    try:
        group.mkdir()
        (group / limit).write_text(str(LIMIT))
    except OSError as e:
        if group.exists():
            group.rmdir()
        return str(e)
    return group


@pytest.fixture
def memory_group():
    group = make_group()
    if isinstance(group, str):
        pytest.skip(f"needs a writable memory cgroup: {group}")
    yield group
    wait_until(lambda: not (group / "cgroup.procs").read_text().split(), 10, "the cgroup empty")
    group.rmdir()


@pytest.fixture
def limited(memory_group, patrond_factory, monkeypatch):
    """A running server whose processes were all born in the cgroup."""
    p = patrond_factory(DATABASE_URL="postgresql://x@127.0.0.1:1/z", MAX_BODY_BYTES=BODY, WORKER_MAX_RSS_MB=0)
    here = pathlib.Path("/proc/self/cgroup").read_text()
    (memory_group / "cgroup.procs").write_text("0")
    try:
        p.start()
    finally:
        for line in here.splitlines():
            number, name, path = line.split(":", 2)
            if name == "memory" or (number == "0" and not any(":memory:" in l for l in here.splitlines())):
                base = "/sys/fs/cgroup/memory" if name == "memory" else "/sys/fs/cgroup"
                (pathlib.Path(base + path) / "cgroup.procs").write_text("0")
    yield p
    p.stop()


def test_worker_killed_by_the_oom_killer_is_named_and_replaced(limited):
    p = limited
    head = (f"POST /api/mcp/search HTTP/1.1\r\nHost: x\r\nX-API-Key: {p.admin_key}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {BODY}\r\n\r\n").encode()
    held = []
    try:
        for _ in range(40):
            s = p.connect()
            s.settimeout(2)
            held.append(s)
            try:
                s.sendall(head + b" " * (BODY - 1))
            except OSError:
                pass
            if p.events("worker_oom_killed"):
                break
        line = p.wait_event("worker_oom_killed", timeout=15, matching="process=worker ")
    finally:
        for s in held:
            s.close()
    assert "was killed by the kernel's OOM killer" in line
    assert re.search(r" oom=true\b", line) and re.search(r" signal=SIGKILL\b", line)
    assert int(re.search(r"peak_rss_bytes=(\d+)", line).group(1)) > 32 << 20
    wait_until(lambda: len(p.workers()) == 2, 5, "both workers again")
    assert p.process.poll() is None and p.get("/health/live").status == 200
    assert not p.events("worker_crashed")
