"""B2: a worker grows past its limit.

Users      nothing: a replacement is ready before the old one drains, one worker at a time.
Detection  `worker_recycled` reason=rss.
Recovery   by itself; the old one's requests end first.
"""
import pytest

from lib.drill import field, seen
from lib.wait import wait_until
from lib.wrk import Wrk

pytestmark = pytest.mark.drill

BODY = 12 << 20


def test_grown_worker_is_replaced_first(patrond_factory, record_property):
    p = patrond_factory(DATABASE_URL="postgresql://x@127.0.0.1:1/z", MAX_BODY_BYTES=BODY, MAX_REQUEST_MEMORY_BYTES=2 * BODY,
                        WORKER_MAX_RSS_MB=24, BODY_TIMEOUT=60, DRAIN_TIMEOUT=60).start()
    before, most = set(p.workers()), 0
    head = (f"POST /api/mcp/search HTTP/1.1\r\nHost: x\r\nX-API-Key: {p.admin_key}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {BODY}\r\n\r\n").encode()
    with Wrk(p) as w:
        held = [p.connect(60) for _ in range(4)]
        for s in held:
            s.sendall(head + b"{" + b" " * (BODY - 100))

        def recycled():
            nonlocal most
            most = max(most, len(p.workers()))
            return p.events("worker_recycled")
        lines = wait_until(recycled, 15, "a worker recycled")
        assert " reason=rss " in lines[0]
        assert len(p.workers()) >= 3  # the old one still holds its requests
        for s in held:  # which end as they should
            s.sendall(b" " * 98 + b"}")
            s.settimeout(20)
            assert s.recv(12)[:9] == b"HTTP/1.1 "
            s.close()
        wait_until(lambda: len(p.workers()) == 2, 20, "two workers")
    assert w.failed == 0 and w.lost == 0 and w.requests > 100, w.said
    assert most <= 4 and set(p.workers()) != before
    assert not p.events("worker_crashed") and not p.events("worker_oom_killed")
    seen(record_property, f"{len(p.events('worker_recycled'))} worker_recycled reason={field(lines[0], 'reason')}, {most} workers at"
         f" most; {w.requests} answers to 64 connections, 0 failed, and the {len(held)} requests held by the old ones answered")
