"""D1: a bad deploy: the new binary cannot start or never becomes ready.

Users      nothing: no request fails.
Detection  `upgrade_failed` with the reason; `patronctl upgrade` exits 1.
Recovery   the running version stays or comes back by itself, at most 30 s; the next good deploy works.
"""
import os
import pathlib
import signal
import threading

import pytest

from lib.deploy import SCRIPT, good_deploy, install, load, patrond_bytes, program
from lib.drill import elapsed, field, seen
from lib.wait import FACTOR, wait_until

pytestmark = pytest.mark.drill


# What can be wrong with an executable. Each: its bytes, and a word of the reason.

BAD = {
    "garbage": (lambda: b"\x7fnothing at all", "cannot execute"),
    "truncated": (lambda: patrond_bytes()[:5000], "it ended with"),
    "failing": (lambda: SCRIPT + b"echo no such library; exit 127\n", "no such library"),
    "another program": (lambda: SCRIPT + b"exit 0\n", "it ended with exit status 0"),
    "never ready": (lambda: SCRIPT + b"echo patrond 2.0.0 rehearses; exec sleep 1000\n", "not ready in time"),
}


@pytest.mark.parametrize("kind", BAD)
def test_bad_executable_is_never_let_in(deployed, kind, record_property):
    content, reason = BAD[kind]
    p = deployed(GENERATION_TIMEOUT=4)
    before = p.pids()
    install(p.installed, content())
    with load(p) as l:
        l.wait_requests(50)
        answer, took = elapsed(p.ctl, "upgrade")
        l.wait_requests(50)
    assert answer.returncode == 1 and "patrond 1.0.0 goes on serving" in answer.stderr
    assert reason in field(p.wait_event("upgrade_failed"), "error"), p.log_tail()
    assert took < 4 * FACTOR
    wait_until(lambda: p.pids() == before, 5, "the same processes as before")
    seen(record_property, f"{kind}: not let in, {l.good} requests meanwhile, none failed", took)


def test_missing_executable(deployed):
    p = deployed()
    p.installed.unlink()
    answer = p.ctl("upgrade")
    assert answer.returncode == 1 and "No such file" in answer.stderr


def test_settings_the_new_version_refuses(deployed):
    p = deployed()
    before = p.pids()
    p.write_settings(NO_SUCH_SETTING=1)
    answer = p.ctl("upgrade")
    assert answer.returncode == 1 and "NO_SUCH_SETTING" in p.wait_event("upgrade_failed")
    wait_until(lambda: p.pids() == before, 5, "the same processes as before")
    p.write_settings(NO_SUCH_SETTING=None, RUN_DIR=p.directory / "elsewhere")
    assert p.ctl("upgrade").returncode != 0


# Good at its rehearsal, bad in the master's place.

@pytest.mark.parametrize("fault, reason", [("segv", "crashed with signal 11"), ("abort", "crashed with signal 06"),
                                           ("exit", "it ended"), ("hang", "it hung")])
def test_heir_that_breaks_gives_way(deployed, fault, reason, record_property):
    p = deployed(fault=None if fault == "abort" else fault, GENERATION_TIMEOUT=4)
    before = p.pids()
    install(p.installed, program("patrond_faulty"), "6.6.6")
    with load(p) as l:
        l.wait_requests(50)
        answer, took = elapsed(p.ctl, "upgrade")
        l.wait_requests(50)
    assert took < 30 * FACTOR
    assert answer.returncode == 1 and "patrond 1.0.0 goes on serving" in answer.stderr
    line = p.wait_event("upgrade_failed")
    assert reason in field(line, "error") and field(line, "to") == "6.6.6"
    wait_until(lambda: p.pids() == before, 5, "the same processes as before")
    seen(record_property, f"new master: {reason}; rolled back, {l.good} requests meanwhile, none failed", took)
    install(p.installed, patrond_bytes(), "1.0.1")
    good_deploy(p, "1.0.1", 2)


def kill_new_workers(master, known, stop):
    """Kills each new worker of the master on sight."""
    path = f"/proc/{master}/task/{master}/children"
    while not stop.is_set():
        for pid in map(int, open(path).read().split()):
            try:
                if pid not in known and b"worker" in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes():
                    os.kill(pid, signal.SIGKILL)
            except (FileNotFoundError, ProcessLookupError):
                pass


@pytest.mark.parametrize("layout", ["same", "another"])
def test_generation_that_dies_takes_the_new_version_back(deployed, layout, record_property):
    p = deployed()
    before = p.pids()
    content = patrond_bytes() if layout == "same" else program("patrond_other_layout")
    install(p.installed, content, "1.0.1")
    p.write_settings(SLOW_REQUEST_MS=300)
    with load(p) as l:
        stop = threading.Event()
        killer = threading.Thread(target=kill_new_workers, args=(p.process.pid, set(before), stop))
        killer.start()
        answer, took = elapsed(p.ctl, "upgrade")
        stop.set()
        killer.join()
        l.wait_requests(100)
    assert answer.returncode == 1 and took < 30 * FACTOR
    line = p.wait_event("upgrade_failed", matching="was killed by SIGKILL")
    assert (field(line, "from"), field(line, "to")) == ("1.0.0", "1.0.1")
    wait_until(lambda: p.pids() == before, 10, "only the old generation")
    assert p.ctl("reload").returncode == 0
    assert "SLOW_REQUEST_MS" in p.wait_event("reloaded")  # the old settings had come back with the old image
    assert not list((p.directory / "run").glob("scoreboard.*"))
    seen(record_property, f"workers of the new version die: rolled back, {l.good} requests meanwhile, none failed", took)


def test_stop_during_a_rehearsal(deployed):
    p = deployed()
    install(p.installed, SCRIPT + b"exec sleep 1000\n")
    p.signal(signal.SIGUSR2)
    wait_until(lambda: any("sleep" in t for t in p.children().values()), 5, "a rehearsal")
    assert p.stop() == 0
