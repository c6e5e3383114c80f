"""B4: a worker crashes again and again.

Users      the survivors serve; only requests in flight in the dying worker fail.
Detection  `worker_crashed` with signal and doing.
Recovery   backoff of 100 ms doubling to 30 s, never a hot loop; at once again when it lives.
"""
import contextlib
import os
import re
import signal
import threading
import time

import pytest

from lib.drill import seen
from lib.patrond import Load
from lib.wait import wait_until
from lib.wrk import Wrk

pytestmark = pytest.mark.drill

SECONDS = 6


def kill_worker_zero(p, stop):
    """SIGSEGV to each worker 0 on sight."""
    path = f"/proc/{p.process.pid}/task/{p.process.pid}/children"
    while not stop.is_set():
        for pid in map(int, open(path).read().split()):
            with contextlib.suppress(OSError):
                if b"worker 0" in open(f"/proc/{pid}/cmdline", "rb").read():
                    os.kill(pid, signal.SIGSEGV)
        time.sleep(0.005)


def test_killed_workers_cost_only_what_they_were_doing(patrond_factory, record_property):
    p = patrond_factory(DATABASE_URL="postgresql://x@127.0.0.1:1/z").start()
    lost = 0
    with Wrk(p) as w:
        for _ in range(3):
            wait_until(lambda: p.get("/admin/workers").json()["totals"]["connections"] > 64, 5, "all of them connected")
            victim = p.workers()[0]
            held = next(x["connections"] for x in p.get("/admin/workers").json()["workers"] if x["pid"] == victim)
            lost += held + 8  # and those that came meanwhile
            os.kill(victim, signal.SIGKILL)
            wait_until(lambda: victim not in p.pids() and len(p.workers()) == 2, 5, "another one")
    assert w.failed == 0 and w.lost <= lost and w.requests > 1000, w.said
    seen(record_property, f"three workers killed: {w.requests} answers to 64 connections, {w.lost} connections lost, of at most {lost}"
         f" that they held")


def test_crash_loop_backs_off_while_the_others_serve(patrond_factory, record_property):
    p = patrond_factory(DATABASE_URL="postgresql://x@127.0.0.1:1/z").start()
    survivor = p.pids("worker 1")
    stop = threading.Event()
    killer = threading.Thread(target=kill_worker_zero, args=(p, stop))
    with Load(p.port, ["/health/live"], {}, clients=6) as l:
        l.wait_requests(100)
        killer.start()
        time.sleep(SECONDS)
        stop.set()
        killer.join()
        lines = p.events("worker_crashed")
        wait_until(lambda: len(p.workers()) == 2, 40, "worker 0 again")
        l.wait_requests(100)
    assert all(" signal=SIGSEGV " in l for l in lines) and " doing=" in lines[-1]
    delays = [int(re.search(r"restart_in_ms=(\d+)", l).group(1)) for l in lines]
    assert 3 <= len(delays) <= 8, delays  # 0.1 + 0.2 + 0.4 + 0.8 + 1.6 + 3.2 s: no hot loop
    for doubled, delay in enumerate(delays):
        assert 70 << doubled <= delay <= 100 << doubled, delays
    assert p.pids("worker 1") == survivor
    assert len(l.failures) <= 6 * len(delays), l.failures  # those in flight in the dying one at most
    seen(record_property, f"{len(delays)} crashes in {SECONDS} s, started again after {', '.join(map(str, delays))} ms;"
         f" {l.good} requests, {len(l.failures)} of dying workers failed")
