"""D2: a good deploy, without a restart.

Users      zero failed requests under load.
Detection  `upgrade_completed` with both versions; `patronctl upgrade` exits 0.
Recovery   none is needed: the same process, sockets and counters; what follows a deploy works as before it.
"""
import os
import pathlib
import re
import signal

import pytest

from lib.deploy import SCRIPT, descriptors, generations, good_deploy, install, load, patrond_bytes, program, settle
from lib.drill import seen
from lib.wait import wait_until
from lib.wrk import Wrk

pytestmark = pytest.mark.drill


def test_good_deploys_fail_no_request(deployed, record_property):
    p = deployed()
    master, first = p.process.pid, p.pids()[1:]
    with load(p) as l:
        l.wait_requests(200)
        install(p.installed, patrond_bytes(), "1.0.1")
        took = good_deploy(p, "1.0.1", 2)
        l.wait_requests(200)
        held = descriptors(p)
        install(p.installed, patrond_bytes(), "1.0.2")
        good_deploy(p, "1.0.2", 3)
        l.wait_requests(200)
    assert p.process.poll() is None and p.process.pid == master and not set(first) & set(p.pids())
    line = p.wait_event("upgrade_completed", count=2)
    assert " from=1.0.1 " in line and " to=1.0.2 " in line and " generation=3 " in line
    wait_until(lambda: descriptors(p) == held, 5, "no descriptor more than after the first deploy")
    assert p.get("/admin/workers").json()["master"]["version"] == "1.0.2"
    assert pathlib.Path(f"/proc/{master}/comm").read_text() == "patrond\n"
    seen(record_property, f"1.0.0 to 1.0.2 in the same process, {l.good} requests meanwhile, none failed", took)


def test_deploys_and_reloads_under_64_connections(deployed, record_property):
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
    seen(record_property, f"2 deploys, 2 reloads and a bad deploy: {w.requests} requests of 64 connections, none failed")


def counted(p):
    text = p.get("/metrics").body.decode()
    return sum(float(v) for v in re.findall(r'^http_requests_total{[^}]*health/live[^}]*} (\S+)', text, re.M))


def test_counters_go_on_through_a_deploy(deployed):
    p = deployed()
    for _ in range(20):
        p.get("/health/live")
    before = wait_until(lambda: (n := counted(p)) >= 20 and n, 5, "all counted")  # which is after the answer
    good_deploy(p, "1.0.0", 2)
    assert counted(p) >= before


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
