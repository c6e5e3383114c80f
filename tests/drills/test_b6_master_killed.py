"""B6: the master is killed. (Restart by systemd, and the socket it holds: test_s_systemd.)

Users      a short gap.
Detection  systemd's own.
Recovery   the children end by themselves, no orphan is left, the next start serves within 2 s on the same port.
"""
import os
import signal
import time

import pytest

from lib.drill import seen
from lib.patrond import Load
from lib.processes import alive
from lib.wait import FACTOR, wait_until

pytestmark = pytest.mark.drill


def test_children_go_with_the_master_and_the_next_start_is_not_held_up(patrond_factory, record_property):
    p = patrond_factory(DATABASE_URL="postgresql://x@127.0.0.1:1/z").start()
    children = p.pids()[1:]
    with Load(p.port, ["/health/live"], {}, clients=4) as l:
        l.wait_requests(50)
        os.kill(p.process.pid, signal.SIGKILL)
        p.process.wait(5)
        began = time.monotonic()
        p.start()  # at once: the address may still be held by the children
        took = time.monotonic() - began
        wait_until(lambda: not any(map(alive, children)), 3, "no orphan")
        l.wait_requests(50)
    assert took < 2 * FACTOR, f"{took:.2f} s"
    assert p.events("application_ready")[-1]
    seen(record_property, f"no orphan; {len(l.failures)} requests failed in the gap, {l.good} were answered before and after", took)
