"""I3: slow clients, half-open connections, 10,000 idle connections; file descriptors exhausted.

Users      others are unaffected; a client that dawdles gets 408 and is gone.
Detection  `listener_paused` reason=fds, once a pause; no CPU is spent on waiting.
Recovery   accepting resumes by itself: 1 s after descriptors come free.
"""
import contextlib
import os
import resource
import socket
import time

import pytest

from lib.drill import asking, field, median_s, seen, seconds_until
from lib.processes import cpu_seconds
from lib.wait import FACTOR, wait_until

pytestmark = pytest.mark.drill

LIVE = b"GET /health/live HTTP/1.1\r\nHost: a\r\n"  # one line short of a request
SPARE = 500  # descriptors for the test itself, and for each worker
TCP_REPAIR = 19
HEADER_TIMEOUT_S = 3
LIMIT, RESERVE = 120, 8  # descriptors of a worker in want of them, and how many of these connections never get


def connections(p):
    return p.get("/admin/workers").json()["totals"]["connections"]


def highest_descriptor(p):
    """The least of many looks: one may just be open for a moment."""
    pids = p.workers()
    return min(max(int(fd) for pid in pids for fd in os.listdir(f"/proc/{pid}/fd")) for _ in range(50))


def vanish(s):
    """The other side is not told that the connection is gone; without the right to that, it merely falls silent."""
    with contextlib.suppress(PermissionError):
        s.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, 1)
        s.close()


def dawdle(clients, seconds):
    """Each sends a byte of a head now and then; the answers of those that were ended, by their first line."""
    ended, end = [], time.monotonic() + seconds
    while clients and time.monotonic() < end:
        for s in list(clients):
            try:
                s.sendall(b"a")
                answer = s.recv(4096)
            except BlockingIOError:
                continue
            except ConnectionError:
                answer = b"reset"
            ended.append(answer.split(b"\r\n")[0])
            clients.remove(s)
            s.close()
        time.sleep(0.1)
    return ended


def fill(stack, p, count):
    return [stack.enter_context(p.connect()) for _ in range(count)]


def test_ten_thousand_idle_ones_slow_ones_and_half_open_ones(patrond_factory, descriptors, record_property):
    count = min(10_000, descriptors - SPARE)
    p = patrond_factory(DATABASE_URL="postgresql://x@127.0.0.1:1/z", MAX_CONNECTIONS=12_000, IDLE_TIMEOUT=300,
                        HEADER_TIMEOUT=HEADER_TIMEOUT_S).start()
    with contextlib.ExitStack() as stack, asking(p, ["/health/live"], clients=2, pause_s=0.005) as load:
        before = median_s(load, 100)
        idle = fill(stack, p, count)
        wait_until(lambda: connections(p) >= count, 30, f"{count} connections")
        half_open, slow = fill(stack, p, 50), fill(stack, p, 50)
        for s in half_open + slow:
            s.sendall(LIVE)
        for s in half_open:
            vanish(s)
        for s in slow:
            s.setblocking(False)
        spent, during = cpu_seconds(p.workers()), median_s(load, 100)
        ended = dawdle(slow, 4 * HEADER_TIMEOUT_S * FACTOR)
        assert ended == [b"HTTP/1.1 408 Request Timeout"] * 50, (len(ended), ended[:3])
        gone = seconds_until(lambda: connections(p) <= count + 10, HEADER_TIMEOUT_S, "the half-open ones given up")
        spent = cpu_seconds(p.workers()) - spent
        for s in idle[:: count // 20]:
            s.sendall(LIVE + b"\r\n")
            assert s.recv(4096).startswith(b"HTTP/1.1 200 ")
    assert during < 3 * before + 0.005 * FACTOR, f"median {before * 1e3:.2f} ms, meanwhile {during * 1e3:.2f} ms"
    assert spent < (HEADER_TIMEOUT_S + 2) * 0.3 * FACTOR, f"{spent:.2f} s of CPU"
    seen(record_property, f"{count} idle, 50 slow (408 after {HEADER_TIMEOUT_S} s), 50 half-open; {load.good} other requests, none failed,"
         f" median {during * 1e3:.2f} ms (alone {before * 1e3:.2f} ms)", gone)


def test_descriptors_exhausted(patrond_factory, record_property):
    p = patrond_factory(DATABASE_URL="postgresql://x@127.0.0.1:1/z", HEADER_TIMEOUT=60).start()
    hard = resource.prlimit(p.process.pid, resource.RLIMIT_NOFILE)[1]
    resource.prlimit(p.process.pid, resource.RLIMIT_NOFILE, (LIMIT, hard))
    assert p.ctl("reload").returncode == 0  # its workers are born with that limit
    wait_until(lambda: len(p.workers()) == 2, 10, "the new workers alone")
    with contextlib.ExitStack() as stack:
        held = []
        for _ in range(300):  # the kernel takes those for which there is no room
            held += fill(stack, p, 1)
            held[-1].sendall(LIVE)  # at once, or it could have to make room for another
        lines = wait_until(lambda: len(p.events("listener_paused")) >= 2 and p.events("listener_paused"), 10, "both workers paused")
        spent, highest, began = cpu_seconds(p.workers()), highest_descriptor(p), time.monotonic()
        wait_until(lambda: time.monotonic() > began + 1, 5, "a second")
        spent = cpu_seconds(p.workers()) - spent
        grown = highest_descriptor(p) - highest
        waiting = stack.enter_context(p.connect())
        waiting.sendall(LIVE + b"\r\n")
        for s in held:
            s.close()
        took = seconds_until(lambda: waiting.recv(12) == b"HTTP/1.1 200", 5, "the one that waited answered")
        with asking(p, ["/health/live"]) as load:
            load.wait_requests(200)
    assert {field(l, "reason") for l in lines} == {"fds"} and len(lines) == 2, lines
    assert grown <= 0 and highest < LIMIT - RESERVE, f"descriptor {highest}, and {grown} more in a second of waiting"
    assert spent < 0.1 * FACTOR, f"{spent:.2f} s of CPU in a second of waiting"
    assert took < 1 * FACTOR, f"{took:.2f} s"
    assert 'load_shed_total{reason="fds"}' in p.get("/metrics", key=None).body.decode() and not p.events("worker_crashed")
    seen(record_property, f"300 unfinished requests on 2 workers of {LIMIT} descriptors: paused once each, {spent:.2f} s of CPU a second", took)
