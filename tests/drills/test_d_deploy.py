"""D1, D2: a deploy, bad and good, without a restart.

Users      nothing: no request fails, neither in a good deploy nor in a bad one.
Detection  `upgrade_completed` with both versions, `upgrade_failed` with the reason; `patronctl upgrade` exits 0 or 1.
Recovery   a bad deploy: the running version stays or comes back by itself, at most 30 s.
"""
import os
import pathlib
import re
import signal
import threading
import time

import pytest

from lib.patrond import BUILD, Load, _program
from lib.wait import FACTOR, wait_until
from lib.wrk import Wrk

pytestmark = pytest.mark.drill

HERE = BUILD / "tests/unit"
SCRIPT = b"#!/bin/sh\n"


def install(path, content, version=None, mode=0o755):
    """As install(1) does: a new file in the place of the old one. `version` replaces the one compiled in."""
    if version is not None:
        assert len(version) == 5 and content.count(b"1.0.0\0") > 0
        content = content.replace(b"1.0.0\0", version.encode() + b"\0")
    fresh = path.with_suffix(".new")
    fresh.write_bytes(content)
    fresh.chmod(mode)
    fresh.rename(path)


def patrond_bytes():
    return pathlib.Path(_program("PATROND_BIN", "patrond")).read_bytes()


def program(name):
    path = HERE / name
    if not path.exists():
        pytest.skip(f"{path} is not built: make check TESTS=")
    return path.read_bytes()


@pytest.fixture
def deployed(patrond_factory, tmp_path, monkeypatch):
    """make(**settings) -> a server that was installed as tmp_path/patrond, version 1.0.0."""
    def make(fault=None, **settings):
        path = tmp_path / "patrond"
        install(path, patrond_bytes())
        p = patrond_factory(binary=path, DATABASE_URL="postgresql://nobody@127.0.0.1:1/none", **settings)
        if fault is not None:
            inherited = p.environment()
            monkeypatch.setattr(p, "environment", lambda: {**inherited, "PATROND_FAULT": fault})
        p.installed = path
        return p.start()
    return make


def load(p):
    return Load(p.port, ["/health/live"], {}, clients=8)


def generations(p):
    return {w["generation"] for w in p.get("/admin/workers").json()["workers"]}


def descriptors(p):
    return len(os.listdir(f"/proc/{p.process.pid}/fd"))


def settle(p, generation):
    wait_until(lambda: generations(p) == {generation} and len(p.pids()) == 5, 10, f"only generation {generation}")


def good_deploy(p, version, generation):
    answer = p.ctl("upgrade")
    assert answer.returncode == 0, answer.stderr + p.log_tail()
    assert f"patrond {version} serves, generation {generation}" in answer.stdout
    settle(p, generation)


def test_good_deploys_fail_no_request(deployed):
    p = deployed()
    master, first = p.process.pid, p.pids()[1:]
    with load(p) as l:
        l.wait_requests(200)
        install(p.installed, patrond_bytes(), "1.0.1")
        good_deploy(p, "1.0.1", 2)
        l.wait_requests(200)
        held = descriptors(p)
        install(p.installed, patrond_bytes(), "1.0.2")
        good_deploy(p, "1.0.2", 3)
        l.wait_requests(200)
    assert l.failures == []
    assert p.process.poll() is None and p.process.pid == master and not set(first) & set(p.pids())
    line = p.wait_event("upgrade_completed", count=2)
    assert " from=1.0.1 " in line and " to=1.0.2 " in line and " generation=3 " in line
    assert descriptors(p) == held
    assert p.get("/admin/workers").json()["master"]["version"] == "1.0.2"
    assert pathlib.Path(f"/proc/{master}/comm").read_text() == "patrond\n"


def test_deploys_and_reloads_under_64_connections(deployed):
    p = deployed()
    with Wrk(p) as w:
        for version in ["1.0.1", "1.0.2"]:
            install(p.installed, patrond_bytes(), version)
            for command in ["upgrade", "reload"]:
                answer = p.ctl(command)
                assert answer.returncode == 0, answer.stderr
        install(p.installed, SCRIPT + b"exit 1\n")
        assert p.ctl("upgrade").returncode == 1
    assert w.failed == 0 and w.lost == 0 and w.requests > 1000, w.said


def counted(p):
    text = p.get("/metrics").body.decode()
    return sum(float(v) for v in re.findall(r'^http_requests_total{[^}]*health/live[^}]*} (\S+)', text, re.M))


def test_counters_go_on_through_a_deploy(deployed):
    p = deployed()
    for _ in range(20):
        p.get("/health/live")
    before = counted(p)
    good_deploy(p, "1.0.0", 2)
    assert before >= 20 and counted(p) >= before


def test_version_with_another_scoreboard(deployed):
    p = deployed()
    with load(p) as l:
        l.wait_requests(200)
        install(p.installed, program("patrond_other_layout"), "1.1.0")
        good_deploy(p, "1.1.0", 2)
        l.wait_requests(200)
        install(p.installed, patrond_bytes())
        good_deploy(p, "1.0.0", 3)
        l.wait_requests(200)
    assert l.failures == []
    assert p.ctl("reload").returncode == 0
    settle(p, 4)


def test_settings_are_read_anew_and_reload_works_after_it(deployed):
    p = deployed()
    p.write_settings(WORKERS=3)
    answer = p.ctl("upgrade")
    assert answer.returncode == 0, answer.stderr
    wait_until(lambda: len(p.workers()) == 3 and generations(p) == {2}, 10, "three workers")
    p.write_settings(SLOW_REQUEST_MS=400)
    assert p.ctl("reload").returncode == 0
    assert "SLOW_REQUEST_MS" in p.wait_event("reloaded")


def test_killed_worker_is_replaced_after_a_deploy(deployed):
    p = deployed()
    good_deploy(p, "1.0.0", 2)
    os.kill(p.workers()[0], signal.SIGKILL)
    p.wait_event("worker_crashed", timeout=2, matching="SIGKILL from outside")
    wait_until(lambda: len(p.workers()) == 2, 2, "both workers again")


# What can be wrong with an executable. Each: its bytes, and a word of the reason.

BAD = {
    "garbage": (lambda: b"\x7fnothing at all", "cannot execute"),
    "truncated": (lambda: patrond_bytes()[:5000], "it ended with"),
    "failing": (lambda: SCRIPT + b"echo no such library; exit 127\n", "no such library"),
    "another program": (lambda: SCRIPT + b"exit 0\n", "it ended with exit status 0"),
    "never ready": (lambda: SCRIPT + b"echo patrond 2.0.0 rehearses; exec sleep 1000\n", "not ready in time"),
}


@pytest.mark.parametrize("kind", BAD)
def test_bad_executable_is_never_let_in(deployed, kind):
    content, reason = BAD[kind]
    p = deployed(GENERATION_TIMEOUT=4)
    before = p.pids()
    install(p.installed, content())
    with load(p) as l:
        l.wait_requests(50)
        began = time.monotonic()
        answer = p.ctl("upgrade")
        took = time.monotonic() - began
        l.wait_requests(50)
    assert l.failures == []
    assert answer.returncode == 1 and "patrond 1.0.0 goes on serving" in answer.stderr
    assert reason in p.wait_event("upgrade_failed"), p.log_tail()
    assert took < 4 * FACTOR
    wait_until(lambda: p.pids() == before, 5, "the same processes as before")


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
def test_heir_that_breaks_gives_way(deployed, fault, reason):
    p = deployed(fault=None if fault == "abort" else fault, GENERATION_TIMEOUT=4)
    before = p.pids()
    install(p.installed, program("patrond_faulty"), "6.6.6")
    with load(p) as l:
        l.wait_requests(50)
        answer = p.ctl("upgrade")
        l.wait_requests(50)
    assert l.failures == []
    assert answer.returncode == 1 and "patrond 1.0.0 goes on serving" in answer.stderr
    line = p.wait_event("upgrade_failed")
    assert reason in line and " to=6.6.6 " in line
    assert p.pids() == before
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
def test_generation_that_dies_takes_the_new_version_back(deployed, layout):
    p = deployed()
    before = p.pids()
    content = patrond_bytes() if layout == "same" else program("patrond_other_layout")
    install(p.installed, content, "1.0.1")
    p.write_settings(SLOW_REQUEST_MS=300)
    with load(p) as l:
        stop = threading.Event()
        killer = threading.Thread(target=kill_new_workers, args=(p.process.pid, set(before), stop))
        killer.start()
        answer = p.ctl("upgrade")
        stop.set()
        killer.join()
        l.wait_requests(100)
    assert l.failures == []
    assert answer.returncode == 1
    line = p.wait_event("upgrade_failed", matching="was killed by SIGKILL")
    assert " from=1.0.0 " in line and " to=1.0.1 " in line
    wait_until(lambda: p.pids() == before, 10, "only the old generation")
    assert p.ctl("reload").returncode == 0
    assert "SLOW_REQUEST_MS" in p.wait_event("reloaded")  # the old settings had come back with the old image
    assert not list((p.directory / "run").glob("scoreboard.*"))


def test_stop_during_a_rehearsal(deployed):
    p = deployed()
    install(p.installed, SCRIPT + b"exec sleep 1000\n")
    p.signal(signal.SIGUSR2)
    wait_until(lambda: any("sleep" in t for t in p.children().values()), 5, "a rehearsal")
    assert p.stop() == 0
