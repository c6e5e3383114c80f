"""B5: a worker hangs, stopped (SIGSTOP) or in an endless loop.

Users      new connections are served by the others, and by a stand-in.
Detection  `worker_hung` with doing, after 2 s.
Recovery   stand-in at 2 s, SIGABRT at 10 s, SIGKILL at 15 s; here with shorter times, in the same order.
"""
import os
import signal
import time

import pytest

from lib.drill import seen
from lib.patrond import BUILD, Load
from lib.wait import wait_until

pytestmark = pytest.mark.drill

TIMES = dict(WORKER_HANG_SUSPECT=1, WORKER_HANG_ABORT=3, WORKER_HANG_KILL=5)


def stopped(p, tmp_path):
    victim = p.workers()[0]
    os.kill(victim, signal.SIGSTOP)
    return victim


def spinning(p, tmp_path):
    """The worker that takes the next connection never comes back."""
    (tmp_path / "spin").touch()
    with p.connect():
        spun = tmp_path / "spun"
        return int(wait_until(lambda: spun.exists() and spun.read_text(), 5, "a worker in the loop"))


@pytest.mark.parametrize("hang, ended_by", [(stopped, "SIGKILL"), (spinning, "SIGABRT")])
def test_hung_worker_gets_a_stand_in_and_is_ended(patrond_factory, tmp_path, monkeypatch, record_property, hang, ended_by):
    program = BUILD / "tests/unit/patrond_faulty"
    if not program.exists():
        pytest.skip(f"{program} is not built: make check TESTS=")
    p = patrond_factory(binary=program, DATABASE_URL="postgresql://x@127.0.0.1:1/z", **TIMES)
    inherited = p.environment()
    monkeypatch.setattr(p, "environment", lambda: {**inherited, "PATROND_SPIN": str(tmp_path / "spin")})
    p.start()
    began = time.monotonic()
    victim = hang(p, tmp_path)
    line = p.wait_event("worker_hung", timeout=4, matching=rf"pid {victim}\) has given no sign of life")
    assert " doing=" in line
    wait_until(lambda: len(p.workers()) == 3, 2, "a stand-in beside it")
    stood_in = time.monotonic() - began
    with Load(p.port, ["/health/live"], {}, clients=6) as l:  # fresh connections, while it hangs
        l.wait_requests(200, timeout=5)
    assert l.failures == [], l.failures[:3]
    p.wait_event("worker_hung", timeout=15, matching=rf"pid {victim}\) gave no sign of life and was ended.* signal={ended_by} ")
    ended = time.monotonic() - began
    assert ended < 15
    wait_until(lambda: victim not in p.pids() and len(p.workers()) == 2, 5, "two workers, no more")
    seen(record_property, f"a stand-in after {stood_in:.1f} s, {l.good} requests meanwhile, 0 failed; ended by {ended_by} after"
         f" {ended:.1f} s (times set to {', '.join(map(str, TIMES.values()))} s)", ended)
