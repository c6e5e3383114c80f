"""B1, B5, B6, C1, C3, D1, D2 under a real systemd, with journal and memory limit.

Needs      scripts/testbed, so root and systemd; skipped, loudly, where it can't be.
Users      a killed worker costs its own requests, a deploy none; a killed master a gap, which a socket unit bridges.
Detection  the journal's fields; the unit's state; `systemctl reload` fails when the settings are refused.
Recovery   by systemd within 2 s where the master is gone; not at all where the settings cannot be used.
"""
import re
import time

import pytest

from lib.testbed import KEY, configure, installed_bed
from lib.wait import FACTOR, wait_until

pytestmark = pytest.mark.drill

UNIT = "patrond.service"


@pytest.fixture(scope="module")
def bed(tmp_path_factory):
    with installed_bed(tmp_path_factory.mktemp("bed") / "state") as bed:
        bed.sbin = bed.path("sbindir")
        yield bed


@pytest.fixture
def service(bed):
    """The running service, freshly started; a stopped one afterwards."""
    configure(bed)
    bed.out("systemctl", "restart", UNIT)
    yield bed
    bed.run("systemctl", "stop", "patrond.socket", UNIT)
    bed.run("systemctl", "reset-failed", UNIT)
    bed.run("rm", "-rf", f"/run/systemd/system/{UNIT}.d")
    bed.run("systemctl", "daemon-reload")


def drop_in(bed, text):
    bed.write(f"/run/systemd/system/{UNIT}.d/drill.conf", f"[Service]\n{text}\n")
    bed.out("systemctl", "daemon-reload")


def master(bed):
    return int(bed.show(UNIT, "MainPID"))


def workers(bed):
    return [int(p) for p in bed.run("pgrep", "-f", "^patrond: worker").stdout.split()]


def restarts(bed):
    return int(bed.show(UNIT, "NRestarts"))


def ready(bed):
    return bed.get("/health/live")[0] == 200


# The unit.

def test_service_starts_ready_with_its_secrets_from_credentials(service):
    assert service.show(UNIT, "ActiveState") == "active"
    assert ready(service)
    assert service.get("/admin/workers")[0] == 200  # the key from the credential store
    assert service.show(UNIT, "StatusText") == "serving generation 1: 2 of 2 workers ready"
    assert service.out("ps", "-o", "user=", "-p", str(master(service))) == "patrond"

    def nice():
        """By role; a process that has just begun has no name of its own yet."""
        lines = service.out("ps", "-o", "nice=,args=", "--ppid", str(master(service))).splitlines()
        return {line.split()[2]: int(line.split()[0]) for line in lines}
    wait_until(lambda: nice().get("sync_combined_sales", 0) >= 10, 5, "the sync nicer")
    assert not service.run("grep", "-r", KEY, "/run/patrond", "/var/lib/patrond").stdout


def test_exposure_and_words_of_the_installed_units(bed):
    done = bed.run("systemd-analyze", "verify", UNIT, "patrond@shop.service", "patrond.socket")
    assert done.returncode == 0 and done.stderr == ""
    for unit in [UNIT, "patrond@shop.service"]:
        bed.out("systemd-analyze", "security", "--no-pager", "--threshold=15", unit)


def test_instances_beside_one_another(service):
    for number, name in [(1, "one"), (2, "two")]:
        service.write(f"{service.path('sysconfdir')}/patrond/{name}.conf",
                      f"LISTEN = 127.0.0.1:810{number}\nWORKERS = 1\nENVIRONMENT = test\nENABLE_SALES_SYNC = false\n")
        service.write(f"/etc/credstore/patrond.{name}.ADMIN_KEY", KEY + name, 0o600)
        service.write(f"/etc/credstore/patrond.{name}.DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none", 0o600)
        service.out("systemctl", "start", f"patrond@{name}.service")
    try:
        for number, name in [(1, "one"), (2, "two")]:
            assert service.get("/health/live", port=8100 + number)[0] == 200
            status = service.out("patronctl", "-i", name, "status")
            assert f"127.0.0.1:810{number}" in status
        service.out("systemctl", "reload", "patrond@two.service")
        assert "generation 2" in service.out("patronctl", "-i", "two", "status")
        assert "generation 1 " in service.out("patronctl", "-i", "one", "status")
    finally:
        service.run("systemctl", "stop", "patrond@one.service", "patrond@two.service")


# C1, C3.

def test_unusable_settings_are_not_tried_again(service):
    configure(service, WORKERS="many", NO_SUCH="1")
    done = service.run("systemctl", "restart", UNIT)
    assert done.returncode != 0
    assert service.show(UNIT, "ActiveState") == "failed" and service.show(UNIT, "ExecMainStatus") == "78"
    assert restarts(service) == 0
    said = {e["MESSAGE"] for e in service.events("configuration_invalid")}
    assert any("WORKERS" in m for m in said) and any("NO_SUCH" in m for m in said)


def test_settings_tested_by_hand_are_those_of_the_service(service):
    test = [f"{service.sbin}/patrond", "-t"]
    service.out(*test)  # with the secrets of the running server
    assert "ADMIN_KEY = ***" in service.out(f"{service.sbin}/patrond", "-T")
    service.out("systemctl", "stop", UNIT)
    service.out(*test)  # with those it will get
    other = service.run("setpriv", "--reuid=patrond", "--regid=patrond", "--clear-groups", *test)
    assert other.returncode == 78 and "ADMIN_KEY not set" in other.stderr and "only root sees the secrets" in other.stderr
    own = f"{service.path('sysconfdir')}/patrond/byhand.conf"
    service.write(own, "ENVIRONMENT = test\n")
    assert "ADMIN_KEY not set" in service.run(*test, "-c", own).stderr  # the other unit's are not its own
    service.write("/etc/credstore/patrond.byhand.ADMIN_KEY", "short", 0o600)
    assert "ADMIN_KEY too short" in service.run(*test, "-c", own).stderr
    configure(service)
    service.out("chmod", "600", service.conf)
    refused = service.run(*test)
    assert refused.returncode == 78 and "the server's user cannot read it: Permission denied" in refused.stderr
    service.out("chmod", "644", service.conf)


def test_refused_reload_fails_and_changes_nothing(service):
    before = workers(service)
    configure(service, NO_SUCH="1")
    done = service.run("systemctl", "reload", UNIT)
    assert done.returncode != 0
    assert workers(service) == before and service.show(UNIT, "ActiveState") == "active" and ready(service)
    assert "NO_SUCH" in service.wait_event("reload_failed")["ERROR"]
    configure(service, SLOW_REQUEST_MS=777)
    service.out("systemctl", "reload", UNIT)
    assert service.wait_event("reloaded")["CHANGED"] == "SLOW_REQUEST_MS"
    assert service.show(UNIT, "StatusText").startswith("serving generation 2")


def test_journal_explains_every_event(service):
    service.run("patronctl", "reload")
    entry = service.wait_event("reloaded")
    assert len(entry["MESSAGE_ID"]) == 32 and entry["PRIORITY"] == "6" and entry["ROLE"] == "master"
    assert entry["MESSAGE"].startswith("reloaded: generation 2 serves") and entry["GENERATION"] == "2"
    explained = service.out("journalctl", "--no-pager", "-x", "-n", "1", "EVENT=reloaded")
    assert "Subject: patrond: reloaded" in explained and "Meaning:" in explained and "Fix:" in explained
    names = set(service.out("journalctl", "--no-pager", "-o", "cat", "-F", "EVENT").split())
    catalog = service.out("journalctl", "--dump-catalog")
    assert {"application_ready", "reloaded"} <= names
    assert all(f"Subject: patrond: {name}\n" in catalog for name in names)


# B1.

def test_worker_killed_for_memory_leaves_the_unit_up(service):
    configure(service, MAX_BODY_BYTES=6 << 20, WORKER_MAX_RSS_MB=0)
    drop_in(service, "MemoryMax=96M\nMemorySwapMax=0")
    service.out("systemctl", "restart", UNIT)
    pid = master(service)
    # bodies that never end fill the workers
    feeder = ("import socket,time,sys\n"
              f"head=b'POST /api/mcp/search HTTP/1.1\\r\\nHost: x\\r\\nX-API-Key: {KEY}\\r\\n"
              f"Content-Type: application/json\\r\\nContent-Length: {6 << 20}\\r\\n\\r\\n'\n"
              "held=[]\n"
              "for i in range(40):\n"
              "    s=socket.create_connection(('127.0.0.1',8000),5); s.settimeout(2); held.append(s)\n"
              "    try: s.sendall(head+b' '*((6<<20)-1))\n"
              "    except OSError: pass\n")
    service.run("timeout", "60", "/usr/bin/python3", "-c", feeder, timeout=90)
    line = wait_until(lambda: next((e for e in service.events("worker_oom_killed") if e["PROCESS"] == "worker"), None), 15,
                      "a worker killed", every=0.1)
    assert line["SIGNAL"] == "SIGKILL" and int(line["PEAK_RSS_BYTES"]) > 16 << 20
    assert line["DOING"] and "cgroup count" in line["MESSAGE"]
    assert master(service) == pid and restarts(service) == 0 and service.show(UNIT, "ActiveState") == "active"
    wait_until(lambda: len(workers(service)) == 2 and ready(service), 10, "both workers again")


# B5, B6.

def test_silent_master_is_ended_by_the_watchdog(service):
    drop_in(service, "WatchdogSec=2")
    service.out("systemctl", "restart", UNIT)
    pid = master(service)
    service.out("kill", "-STOP", str(pid))
    wait_until(lambda: restarts(service) == 1 and service.show(UNIT, "SubState") == "running", 20, "a restart")
    assert master(service) != pid and ready(service)


def test_killed_master_is_back_in_two_seconds(service):
    pid, children = master(service), workers(service)
    service.out("kill", "-KILL", str(pid))
    began = time.monotonic()
    wait_until(lambda: ready(service) and master(service) != pid, 10, "it serves again", every=0.05)
    took = time.monotonic() - began
    assert took < 2 * FACTOR, f"{took:.1f} s"
    assert not set(children) & set(workers(service))


def test_socket_unit_bridges_a_killed_master(service):
    service.out("systemctl", "stop", UNIT)
    service.out("systemctl", "start", "patrond.socket")
    assert ready(service)  # the first connection starts it
    service.out("kill", "-KILL", str(master(service)))
    began = time.monotonic()
    answers = [service.get("/health/live")[0] for _ in range(3)]
    assert answers == [200, 200, 200], answers
    assert time.monotonic() - began < 4 * FACTOR


# D1, D2.

def test_deploys_keep_the_process_of_the_unit(service):
    pid, program = master(service), service.root / service.sbin.lstrip("/") / "patrond"
    good = program.read_bytes()
    load = ["wrk", "-t1", "-c64", "-d3", "http://127.0.0.1:8000/health/live"]
    service.out("systemd-run", "--unit=load", "--collect", "--property=StandardOutput=file:/run/load.out", *load)

    def install(content):
        fresh = program.with_suffix(".new")
        fresh.write_bytes(content)
        fresh.chmod(0o755)
        fresh.rename(program)
    install(good.replace(b"1.0.0\0", b"1.0.1\0"))
    service.out("patronctl", "upgrade")
    install(b"#!/bin/sh\nexit 1\n")
    assert service.run("patronctl", "upgrade").returncode == 1
    install(good)
    service.out("patronctl", "upgrade")
    line = service.events("upgrade_completed")[0]
    assert line["FROM"] == "1.0.0" and line["TO"] == "1.0.1"
    assert service.wait_event("upgrade_failed")["FROM"] == "1.0.1"
    assert master(service) == pid and restarts(service) == 0
    assert service.show(UNIT, "StatusText").startswith("serving generation 3")
    wait_until(lambda: service.run("systemctl", "is-active", "load").stdout.strip() != "active", 15, "the load over")
    said = (service.root / "run/load.out").read_text()
    assert "Socket errors" not in said and "Non-2xx" not in said and int(re.search(r"(\d+) requests in", said).group(1)) > 1000
