"""B1: one worker killed by the kernel's OOM killer. (The unit staying up: test_s_systemd.)

Users      its own requests in flight fail, nothing else.
Detection  `worker_oom_killed`: pid, rss, what it was doing, the cgroup's count.
Recovery   respawned at once; both workers serve again within a second.
"""
import re
import time

import pytest

from lib.drill import field, seen
from lib.memory import inside, memory_group
from lib.patrond import Load
from lib.wait import FACTOR, wait_until

pytestmark = pytest.mark.drill

LIMIT = 96 << 20
BODY = 6 << 20


@pytest.fixture
def limited(patrond_factory):
    """A running server whose processes were all born in a small memory cgroup."""
    with memory_group(LIMIT) as group:
        p = patrond_factory(DATABASE_URL="postgresql://x@127.0.0.1:1/z", MAX_BODY_BYTES=BODY, WORKER_MAX_RSS_MB=0)
        with inside(group):
            p.start()
        yield p
        p.stop()


def fill(p):
    """Bodies that never end, until a worker has died of them."""
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
        return p.wait_event("worker_oom_killed", timeout=15, matching="process=worker ")
    finally:
        for s in held:
            s.close()


def test_killed_worker_is_named_and_replaced(limited, record_property):
    p = limited
    with Load(p.port, ["/health/live"], {}, clients=4) as l:
        l.wait_requests(50)
        line = fill(p)
        began = time.monotonic()
        wait_until(lambda: len(p.workers()) == 2, 5, "both workers again")
        took = time.monotonic() - began
        l.wait_requests(100)
    assert "was killed by the kernel's OOM killer" in line
    assert re.search(r" oom=true\b", line) and re.search(r" signal=SIGKILL\b", line) and " doing=" in line
    assert int(re.search(r"peak_rss_bytes=(\d+)", line).group(1)) > 32 << 20
    assert took < 1 * FACTOR, f"{took:.2f} s"
    deaths = len(p.events("worker_oom_killed"))
    assert len(l.failures) <= 4 * deaths, l.failures  # at most one of each client for each death
    assert p.process.poll() is None and p.get("/health/live").status == 200
    assert not p.events("worker_crashed")
    seen(record_property, f"worker_oom_killed with peak_rss_bytes={field(line, 'peak_rss_bytes')}, doing=\"{field(line, 'doing')}\","
         f" killed {deaths} time(s); {l.good} requests, {len(l.failures)} of a killed worker failed", took)
