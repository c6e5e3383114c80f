"""The master and its children: deaths, hangs, reloads, stops, and what the operator is told of them."""
import concurrent.futures
import contextlib
import http.client
import json
import os
import re
import resource
import signal
import socket
import subprocess
import threading
import time

import pytest

from lib.patrond import Load
from lib.processes import alive
from lib.wait import FACTOR, wait_until

LIVE = "/health/live"


def field(line, key):
    """The value of key=value in an event's line."""
    found = re.search(rf'\b{key}=("(?:[^"\\]|\\.)*"|\S+)', line)
    assert found, f"no {key} in: {line}"
    return found.group(1).strip('"')


def gone(pids, timeout, what):
    wait_until(lambda: not any(alive(p) for p in pids), timeout, what)


def least_descriptors(master):
    """A limit of open files that suffices for the master and not for a child of it: the least of many looks, as a file of
    /proc may just be open."""
    return min(max(int(fd) for fd in os.listdir(f"/proc/{master}/fd")) for _ in range(200)) + 1


def starve(p):
    """From now on children of that master fail while they start."""
    hard = resource.prlimit(p.process.pid, resource.RLIMIT_NOFILE)[1]
    resource.prlimit(p.process.pid, resource.RLIMIT_NOFILE, (least_descriptors(p.process.pid), hard))


def feed(p):
    hard = resource.prlimit(p.process.pid, resource.RLIMIT_NOFILE)[1]
    resource.prlimit(p.process.pid, resource.RLIMIT_NOFILE, (hard, hard))


def load(patrond, clients=4):
    return Load(patrond.port, [LIVE], {}, clients=clients)


@contextlib.contextmanager
def held_request(patrond):
    """A request that stays in flight: its body does not come."""
    with patrond.connect(60) as s:
        s.sendall(f"POST /api/mcp/search HTTP/1.1\r\nHost: x\r\nX-API-Key: {patrond.admin_key}\r\n"
                  "Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{".encode())
        wait_until(lambda: any(w["in_flight"] > 0 for w in workers(patrond)), 5, "the request under way")
        yield s


def status(patrond):
    answer = patrond.ctl("status", "--json")
    assert answer.returncode == 0, answer.stderr
    import json
    return json.loads(answer.stdout)


def workers(patrond):
    return status(patrond)["workers"]


@pytest.fixture
def server(patrond_factory):
    """make(**settings) -> a running server that needs no database: it must serve without one."""
    def make(**settings):
        return patrond_factory(**{"DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none", **settings}).start()
    return make


# The command line.

def test_settings_test_reports_every_problem_at_once(patrond_factory):
    p = patrond_factory(ADMIN_KEY="short", WORKERS="many", DRAIN_TIMEOUT=0, NO_SUCH_SETTING=1, DATABASE_URL=None)
    answer = p.run("-t")
    assert answer.returncode == 78
    for word in ["ADMIN_KEY too short", "WORKERS", "DRAIN_TIMEOUT", "NO_SUCH_SETTING", "DATABASE_URL is required"]:
        assert word in answer.stderr, word


def test_start_with_bad_settings_says_all_and_exits_78(patrond_factory):
    p = patrond_factory(ADMIN_KEY="short", DATABASE_URL=None, WORKERS="many")
    p.spawn()
    assert p.process.wait(10 * FACTOR) == 78
    p.stop()
    assert "ADMIN_KEY too short" in p.wait_event("security_validation_failed")
    assert p.wait_event("configuration_invalid", matching="DATABASE_URL is required")
    assert p.wait_event("configuration_invalid", matching="WORKERS")


def test_printed_settings_hide_secrets(patrond_factory):
    p = patrond_factory(DATABASE_URL="postgresql://user:geheim@db.example/sales")
    answer = p.run("-T")
    assert answer.returncode == 0
    assert "geheim" not in answer.stdout and p.admin_key not in answer.stdout
    assert re.search(r"^DATABASE_URL = postgresql://user:\*+@db.example/sales$", answer.stdout, re.M)


def test_rehearsal_beside_a_running_server(server):
    p = server()
    before, files = p.pids(), sorted((p.directory / "run").iterdir())
    good = p.run("-r")
    assert good.returncode == 0, good.stderr
    assert good.stdout.startswith("patrond ") and "is ready to serve with these settings" in good.stdout
    assert p.pids() == before and sorted((p.directory / "run").iterdir()) == files
    p.write_settings(ADMIN_KEY="")
    bad = p.run("-r")
    assert bad.returncode == 78 and "ADMIN_KEY" in bad.stderr


def test_usage(patrond_factory):
    p = patrond_factory(DATABASE_URL="postgresql://x@y/z")
    assert p.run("-Z").returncode == 2
    wrong = p.run("rubbish")
    assert wrong.returncode == 2 and wrong.stderr.startswith("patrond: rubbish is not expected here\nusage: patrond")
    for option in ("-V", "--version"):
        assert re.match(r"patrond \d+\.\d+\.\d+\n", p.run(option).stdout)
        assert re.fullmatch(r"patronctl \d+\.\d+\.\d+\n", p.ctl(option).stdout)
    assert p.run("--help").returncode == 0 and p.run("--help").stdout == p.run("-h").stdout
    assert p.ctl("frobnicate").returncode == 2
    assert p.ctl().returncode == 2
    assert p.ctl("status", "--xml").returncode == 2
    assert p.ctl("status").returncode == 3
    assert p.ctl("stop").returncode == 3
    overview = p.ctl("--help").stdout
    commands = re.findall(r"^  ([a-z]\S*) ", overview, re.M)
    assert len(commands) > 10
    for command in commands:
        told = p.ctl(command, "--help")
        assert told.returncode == 0 and told.stdout.startswith(f"usage: patronctl {command}"), told
        wrong = p.ctl(command, "--xml")
        assert wrong.returncode == 2 and wrong.stdout == "", wrong
        assert re.match(rf"patronctl: --xml is not expected here.*\nusage: patronctl {command}", wrong.stderr), wrong
        overview += told.stdout
    assert max(map(len, overview.splitlines())) <= 80
    with open("/dev/full", "w", encoding="ascii") as full:
        lost = subprocess.run([os.environ.get("PATRONCTL_BIN", "./patronctl"), "-h"], stdout=full, stderr=subprocess.PIPE, text=True)
    assert lost.returncode == 1 and "cannot write the answer: No space left" in lost.stderr
    assert p.ctl("keys", "create", "--help").stdout == p.ctl("keys", "--help").stdout
    for arguments, why in [(["sync", "--start", "2025-13-01"], "--start cannot be 2025-13-01"), (["sync", "--limit"], "--limit needs a value"),
                           (["keys", "rotate"], "rotate needs an ID"), (["incident", "--since", "soon"], "--since cannot be soon"),
                           (["incident", "--since", "1h", "--until", "2h"], "the window ends before it begins"),
                           (["-i", "x", "status"], "-c and -i exclude each other")]:
        wrong = p.ctl(*arguments)
        assert wrong.returncode == 2 and wrong.stderr.startswith(f"patronctl: {why}\n"), wrong


# Starting.

def test_second_instance_is_refused(server):
    p = server()
    answer = p.run()
    assert answer.returncode == 1
    assert f"another patrond (pid {p.process.pid}) runs" in answer.stderr
    assert p.get(LIVE).status == 200


def test_taken_port_is_named(patrond_factory):
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen()
        p = patrond_factory(DATABASE_URL="postgresql://x@127.0.0.1:1/z", port=s.getsockname()[1])
        answer = p.run()
    assert answer.returncode == 1
    assert f"127.0.0.1:{p.port}" in answer.stderr and "in use" in answer.stderr


def test_start_fails_when_no_worker_can_live(server):
    p = server()
    limit = least_descriptors(p.process.pid)
    assert p.stop() == 0
    answer = subprocess.run(["prlimit", f"--nofile={limit}:{limit}", os.environ.get("PATROND_BIN", "./patrond"), "-c", str(p.file)],
                            capture_output=True, text=True, timeout=20 * FACTOR, env=p.environment())
    assert answer.returncode == 1, answer.stderr
    assert "no worker became ready" in answer.stderr
    assert answer.stderr.count("worker_crashed: worker") == 2, answer.stderr


def niceness(children):
    """By role, as the kernel has it."""
    return {title.split(": ")[1].split("_")[0].split(" ")[0]: os.getpriority(os.PRIO_PROCESS, pid) for pid, title in children.items()}


def test_titles_and_master_lock(server):
    p = server()
    titles = sorted(p.children().values())
    assert titles == ["patrond: probe", "patrond: sync_combined_sales", "patrond: worker 0", "patrond: worker 1"]
    found = subprocess.run(["pgrep", "-P", str(p.process.pid), "-f", "sync_combined_sales"], capture_output=True, text=True)
    assert found.stdout.split() == [str(pid) for pid, title in p.children().items() if "sync" in title]
    own = os.getpriority(os.PRIO_PROCESS, 0)
    wait_until(lambda: niceness(p.children()) == {"sync": min(own + 10, 19), "worker": own, "probe": own}, 5, "the sync nicer")


# Deaths.

def test_killed_worker_is_replaced_within_a_second_and_explained(server):
    p = server()
    with load(p, clients=8) as l:
        l.wait_requests(200)
        victim = p.pids("worker 0")[0]
        began = time.monotonic()
        os.kill(victim, signal.SIGKILL)
        wait_until(lambda: [w for w in p.pids("worker 0") if w != victim], 5, "a new worker 0")
        wait_until(lambda: all(w["state"] == "ready" for w in workers(p)), 5, "the new worker ready")
        assert time.monotonic() - began < 1.0 * FACTOR
        l.wait_requests(200)
    assert not l.failures, l.failures[:5]
    line = p.wait_event("worker_crashed")
    assert field(line, "signal") == "SIGKILL" and field(line, "index") == "0" and field(line, "child_pid") == str(victim)
    assert "not by the OOM killer" in line or "no cgroup to tell" in line
    assert field(line, "doing").startswith("serving") and int(field(line, "rss_bytes")) > 0
    assert len(p.events("worker_crashed")) == 1
    assert re.search(r'^worker_restarts_total\{reason="crash"\} 1$', p.get("/metrics").body.decode(), re.M)
    assert [w["restarts"] for w in sorted(workers(p), key=lambda w: w["index"])] == [1, 0]


def test_crash_is_named_by_its_signal(server):
    p = server()
    os.kill(p.pids("worker 1")[0], signal.SIGSEGV)
    line = p.wait_event("worker_crashed")
    assert "crashed with SIGSEGV" in line and field(line, "index") == "1"


def test_helper_deaths_are_explained_and_repaired(server):
    p = server()
    for role in ["probe", "sync_combined_sales"]:
        victim = p.pids(role)[0]
        os.kill(victim, signal.SIGKILL)
        wait_until(lambda: [c for c in p.pids(role) if c != victim], 5, f"a new {role}")
        assert p.wait_event("worker_crashed", matching=f"child_pid={victim} ")


def test_worker_told_to_stop_from_outside_comes_back(server):
    p = server()
    victim = p.pids("worker 0")[0]
    os.kill(victim, signal.SIGTERM)
    wait_until(lambda: [w for w in p.pids("worker 0") if w != victim], 10, "a new worker 0")
    assert field(p.wait_event("worker_recycled"), "reason") == "terminated"


def test_signals_for_the_master_do_no_harm_to_its_children(server):
    """pkill -USR2 and systemctl kill reach all processes."""
    p = server()
    before = p.children()
    masters = [signal.SIGUSR2, signal.SIGTTIN, signal.SIGTTOU]
    with load(p, clients=4) as l:
        l.wait_requests(50)
        for pid in before:
            ignored = re.search(r"^SigIgn:\s*(\w+)", open(f"/proc/{pid}/status", encoding="ascii").read(), re.M).group(1)
            assert all(int(ignored, 16) & 1 << s - 1 for s in masters), (before[pid], ignored)
            for number in masters:
                os.kill(pid, number)
        l.wait_requests(100)
    assert not l.failures, l.failures[:5]
    assert p.children() == before and not p.events("worker_crashed")


def test_worker_that_dies_at_start_backs_off_while_others_serve(server):
    p = server()
    starve(p)
    began = time.monotonic()
    os.kill(p.pids("worker 0")[0], signal.SIGKILL)
    p.wait_event("worker_crashed", timeout=20, count=6)
    elapsed = time.monotonic() - began
    delays = [int(field(line, "restart_in_ms")) for line in p.events("worker_crashed")[:6]]
    for k, delay in enumerate(delays):
        assert 0.75 * 100 * 2 ** k - 1 <= delay <= 100 * 2 ** k, delays
    assert elapsed >= sum(delays[:5]) / 1000
    assert p.get(LIVE).status == 200
    feed(p)
    wait_until(lambda: len(p.pids("worker")) == 2 and all(w["state"] == "ready" for w in workers(p)), 20, "both workers again")


# Hangs.

HANG = {"WORKER_HANG_SUSPECT": 2, "WORKER_HANG_ABORT": 4, "WORKER_HANG_KILL": 6, "DRAIN_TIMEOUT": 5}


def test_stopped_worker_gets_a_stand_in_and_is_killed(server):
    p = server(**HANG)
    victim = p.pids("worker 0")[0]
    os.kill(victim, signal.SIGSTOP)
    began = time.monotonic()
    for _ in range(20):
        assert p.get(LIVE, timeout=2).status == 200
    line = p.wait_event("worker_hung", timeout=5)
    assert field(line, "child_pid") == str(victim) and "state T" in line and field(line, "doing") == "serving"
    wait_until(lambda: len(p.pids("worker 0")) == 2, 2, "a stand-in beside the stopped one")
    gone([victim], 10, "the stopped worker killed")
    assert 5.5 <= time.monotonic() - began <= 8 * FACTOR
    assert "its stand-in has its place" in p.wait_event("worker_hung", count=2)
    assert len(p.pids("worker 0")) == 1
    assert p.get(LIVE).status == 200


def test_worker_that_wakes_up_shares_its_place_with_nobody(server):
    p = server(**{**HANG, "WORKER_HANG_ABORT": 30, "WORKER_HANG_KILL": 40})
    victim = p.pids("worker 0")[0]
    os.kill(victim, signal.SIGSTOP)
    p.wait_event("worker_hung", timeout=5)
    wait_until(lambda: len(p.pids("worker 0")) == 2, 3, "the stand-in")
    os.kill(victim, signal.SIGCONT)
    # If the stand-in was ready before, the other one drains; if not, it is called off.
    wait_until(lambda: len(p.pids("worker 0")) == 1, 5, "one of the two gone")
    assert all(w["last_beat_ms"] < 1500 * FACTOR for w in workers(p)) and p.get(LIVE).status == 200
    assert not p.events("worker_crashed") and not p.events("worker_recycled")


def test_stopped_helper_is_replaced(server):
    p = server(**HANG)
    victim = p.pids("probe")[0]
    os.kill(victim, signal.SIGSTOP)
    gone([victim], 12, "the stopped probe killed")
    wait_until(lambda: len(p.pids("probe")) == 1, 3, "a new probe")


def test_stopped_master_blames_nobody(server):
    p = server(**HANG)
    before = p.workers()
    os.kill(p.process.pid, signal.SIGSTOP)
    for pid in before:
        os.kill(pid, signal.SIGSTOP)
    time.sleep(3)  # the whole machine stands still
    os.kill(p.process.pid, signal.SIGCONT)
    for pid in before:
        os.kill(pid, signal.SIGCONT)
    wait_until(lambda: all(w["last_beat_ms"] < 1000 for w in workers(p)), 5, "everybody beats again")
    assert p.workers() == before and not p.events("worker_hung")


# Recycling.

def test_worker_is_replaced_after_its_requests(server):
    p = server(WORKER_MAX_REQUESTS=300)
    before = p.workers()
    with load(p) as l:
        wait_until(lambda: not set(p.workers()) & set(before), 30, "both workers replaced")
        l.wait_requests(100)
    assert not l.failures, l.failures[:5]
    assert field(p.events("worker_recycled")[0], "reason") == "requests"
    wait_until(lambda: len(p.workers()) == 2, 10, "two workers, no more")
    assert not p.events("worker_crashed")


# Reloading.

def test_good_reload_under_load_fails_no_request(server):
    p = server()
    before = p.pids()[1:]
    with load(p, clients=8) as l:
        l.wait_requests(200)
        for generation in [2, 3]:
            p.write_settings(SLOW_REQUEST_MS=500 + generation, DB_POOL_SIZE=10 + generation)
            answer = p.ctl("reload")
            assert answer.returncode == 0, answer.stderr
            l.wait_requests(200)
        gone(before, 10, "the first generation gone")
        l.wait_requests(200)
    assert not l.failures, l.failures[:5]
    line = p.wait_event("reloaded", count=2)
    assert set(field(line, "changed").replace(" ", "").split(",")) == {"SLOW_REQUEST_MS", "DB_POOL_SIZE"}
    seen = status(p)
    assert seen["master"]["generation"] == 3 and seen["master"]["last_reload"]["ok"] is True
    wait_until(lambda: {w["generation"] for w in workers(p)} == {3}, 10, "only the third generation left")


def test_reload_is_over_when_no_worker_of_before_takes_connections(server):
    """They hear of it late: patronctl waits for them, so that what is asked after it is answered by the new settings."""
    p = server()
    before = p.workers()
    for pid in before:
        os.kill(pid, signal.SIGSTOP)
    with concurrent.futures.ThreadPoolExecutor(1) as one:
        reload = one.submit(p.ctl, "reload")
        p.wait_event("reloaded")
        with pytest.raises(concurrent.futures.TimeoutError):
            reload.result(0.5)
        for pid in before:
            os.kill(pid, signal.SIGCONT)
        assert reload.result().returncode == 0
    gone(before, 5, "the first generation gone")


def test_bad_reload_keeps_the_old_configuration(server):
    p = server()
    before = p.pids()
    with load(p) as l:
        p.write_settings(NO_SUCH_SETTING=1, LOG_LEVEL="LOUD", JSON_LOGS="perhaps", HTTP_MAX_AGE=-1)
        answer = p.ctl("reload")
        l.wait_requests(100)
    number = p.file.read_text().splitlines().index("NO_SUCH_SETTING = 1") + 1
    assert answer.returncode == 1 and f" {p.file.name}:{number}: unknown setting NO_SUCH_SETTING; see patrond.conf(5); " in answer.stderr
    assert answer.stderr.endswith("...\n")  # there is no room for all
    line = p.wait_event("reload_failed")
    assert all(name in line for name in ("NO_SUCH_SETTING", "LOG_LEVEL", "JSON_LOGS", "HTTP_MAX_AGE")) and not l.failures
    assert p.pids() == before
    assert status(p)["master"]["last_reload"]["ok"] is False
    assert "NO_SUCH_SETTING" in p.get("/admin/workers").json()["master"]["last_reload"]["error"]


def test_reload_refuses_what_only_a_restart_can_change(server):
    p = server()
    p.write_settings(WORKERS=3, SLOW_REQUEST_MS=400)
    answer = p.ctl("reload")
    assert answer.returncode == 1 and "only a restart can change: WORKERS" in answer.stderr
    assert status(p)["master"]["generation"] == 1


def kill_newborn(master, known, victims, stop):
    """Kills each new child of the master on sight."""
    path = f"/proc/{master}/task/{master}/children"
    while not stop.is_set():
        for pid in map(int, open(path).read().split()):
            if pid not in known and pid not in victims:
                victims.append(pid)
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


def test_generation_that_cannot_start_is_rolled_back(server):
    p = server()
    before = p.pids()
    with load(p) as l:
        victims, stop = [], threading.Event()
        killer = threading.Thread(target=kill_newborn, args=(p.process.pid, before, victims, stop))
        killer.start()
        answer = p.ctl("reload")
        stop.set()
        killer.join()
        l.wait_requests(100)
    assert answer.returncode == 1 and "of the new generation was killed by SIGKILL" in answer.stderr
    wait_until(lambda: p.pids() == before, 10, "only the old generation left")
    assert not l.failures, l.failures[:5]
    assert p.ctl("reload").returncode == 0
    wait_until(lambda: {w["generation"] for w in workers(p) if w["state"] == "ready"} == {3}, 2, "the third generation")


def test_second_reload_ends_the_first_ones_drain(server):
    p = server(DRAIN_TIMEOUT=60)
    first = p.workers()
    with held_request(p) as s:
        assert p.ctl("reload").returncode == 0
        wait_until(lambda: any(w["state"] == "draining" for w in workers(p)), 5, "a draining worker")
        assert any(alive(pid) for pid in first)
        assert p.ctl("reload").returncode == 0
        gone(first, 6, "the first generation gone")
        s.settimeout(5 * FACTOR)
        with contextlib.suppress(ConnectionResetError):
            assert s.recv(1) == b""


# More workers and fewer.

def test_workers_on_demand(server):
    p = server()
    with load(p, clients=8) as l:
        l.wait_requests(100)
        answer = p.ctl("workers", "+1")
        assert answer.returncode == 0 and answer.stdout.startswith("3 workers serve"), answer.stderr
        assert len(p.workers()) == 3
        assert " workers=3 " in p.wait_event("reloaded")
        p.write_settings(SLOW_REQUEST_MS=321)
        assert p.ctl("reload").returncode == 0
        wait_until(lambda: len(p.workers()) == 3 and {w["generation"] for w in workers(p)} == {2}, 10, "three new workers")
        for expected in [2, 1]:
            assert p.ctl("workers", "-1").returncode == 0
            wait_until(lambda: len(p.workers()) == expected, 10, f"{expected} workers")
            l.wait_requests(100)
    assert not l.failures, l.failures[:5]
    answer = p.ctl("workers", "-1")
    assert answer.returncode == 1 and "from 1 to 64" in answer.stderr
    assert not p.events("worker_crashed") and not p.events("worker_recycled")


def test_top_shows_rates(server):
    p = server()
    with load(p) as l:
        l.wait_requests(50)
        answer = p.ctl("top", "-n", "2")
    assert answer.returncode == 0, answer.stderr
    pictures = re.findall(r"^requests +([0-9.]+)/s +5xx 0.00 %", answer.stdout, re.M)
    assert len(pictures) == 2 and all(float(r) > 10 for r in pictures)
    assert len(re.findall(r"^worker [01] ", answer.stdout, re.M)) == 4
    status = p.ctl("status").stdout
    assert re.search(r"^worker 0 +\d+ ready ", status, re.M) and re.search(r"^sync ", status, re.M)
    rows = re.findall(r"^(?:PROCESS|worker|probe) .*", answer.stdout + status, re.M)
    assert len(rows) == 3 * 4 and max(map(len, rows)) <= 80, rows
    assert p.ctl("top", "-d", "soon").returncode == 2


# Stopping.

def test_term_lets_requests_end(server):
    p = server(DRAIN_TIMEOUT=20)
    with held_request(p) as s:
        p.signal(signal.SIGTERM)
        wait_until(lambda: any(w["state"] == "draining" for w in workers(p)), 5, "draining")
        s.sendall(b" " * 97 + b"}\n")
        s.settimeout(5 * FACTOR)
        answer = http.client.HTTPResponse(s)
        answer.begin()
        answer.read()
        assert answer.status in (200, 503) and answer.getheader("Connection", "").lower() == "close"
    assert p.process.wait(5 * FACTOR) == 0
    assert not p.events("worker_crashed")


def test_drain_has_a_deadline(server):
    p = server(DRAIN_TIMEOUT=1)
    with held_request(p):
        began = time.monotonic()
        p.signal(signal.SIGTERM)
        assert p.process.wait(8 * FACTOR) == 0
        assert 0.9 <= time.monotonic() - began <= 3 * FACTOR


@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT])
def test_second_signal_stops_at_once(server, second):
    p = server(DRAIN_TIMEOUT=60)
    with held_request(p):
        p.signal(signal.SIGTERM)
        wait_until(lambda: any(w["state"] == "draining" for w in workers(p)), 5, "draining")
        p.signal(second)
        assert p.process.wait(4 * FACTOR) == 0


def test_quit_stops_at_once(server):
    p = server(DRAIN_TIMEOUT=60)
    with held_request(p):
        p.signal(signal.SIGQUIT)
        assert p.process.wait(4 * FACTOR) == 0


def test_stop_command_waits_for_the_end(server):
    p = server()
    pids = p.pids()
    answer = p.ctl("stop")
    assert answer.returncode == 0, answer.stderr
    assert p.process.wait(2 * FACTOR) == 0 and not any(alive(pid) for pid in pids)
    assert p.ctl("status").returncode == 3
    assert not (p.directory / "run" / "scoreboard").exists()


def test_killed_master_leaves_no_orphans(server):
    p = server()
    children = p.pids()[1:]
    with held_request(p):
        os.kill(p.process.pid, signal.SIGKILL)
        gone(children, 2, "all children ended by themselves")
    p.process.wait(5)
    p.lines.clear()  # start() waits for the event of this start
    p.start()
    assert p.get(LIVE).status == 200


# Sharing the load.

@pytest.mark.parametrize("count", [2, 4])
def test_kept_connections_are_shared_evenly(server, count):
    p = server(WORKERS=count)
    request = b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n"
    with contextlib.ExitStack() as stack:
        held = [stack.enter_context(p.connect(20)) for _ in range(256)]
        for s in held:
            s.sendall(request)
        for s in held:
            assert s.recv(4096).startswith(b"HTTP/1.1 200")
        # but for a moment, in which the probe has one, too
        shares = wait_until(lambda: sum(s := [w["connections"] for w in workers(p)]) == 256 and s, 5, "these connections alone")
    assert len(shares) == count
    assert max(shares) <= 1.3 * min(shares), shares


# Dependencies.

def test_health_board_follows_the_database(patrond_factory, own_postgres):
    p = patrond_factory(DATABASE_URL=own_postgres.create_database()).start()

    def state():
        return status(p)["checks"]["database"]
    wait_until(lambda: state()["state"] == "up", 10, "database up")
    own_postgres.kill()
    line = p.wait_event("db_connection_failed", timeout=10)
    assert "Database connection failed" in line
    wait_until(lambda: state()["state"] == "down", 10, "database down")
    wait_until(lambda: state()["error"] == "refused", 10, "nobody there")  # a connection that was under way was cut
    assert p.ctl("check", "postgres").returncode == 1
    own_postgres.start()
    p.wait_event("db_recovered", timeout=10)
    wait_until(lambda: state()["state"] == "up", 10, "database up again")
    assert p.ctl("check", "postgres").returncode == 0
    assert len(p.events("db_connection_failed")) == 1, "whoever noticed it first has told"


def test_frozen_database_does_not_hold_the_probe(patrond_factory, own_postgres):
    p = patrond_factory(DATABASE_URL=own_postgres.create_database()).start()
    wait_until(lambda: status(p)["checks"]["database"]["state"] == "up", 10, "database up")
    for pid in [own_postgres.pid()]:
        os.kill(pid, signal.SIGSTOP)
    try:
        assert "timeout" in p.wait_event("component_state_changed", timeout=15, matching="component=database .*to=down")
        p.wait_event("db_timeout")
        probe = next(h for h in status(p)["helpers"] if h["role"] == "probe")
        assert probe["last_beat_ms"] < 1000 * FACTOR and probe["restarts"] == 0
    finally:
        os.kill(own_postgres.pid(), signal.SIGCONT)
    p.wait_event("db_recovered", timeout=10)


@pytest.mark.parametrize("place", ["geh%eim@127.0.0.1:1", "geheim/x@127.0.0.1:1", "x@geheim@127.0.0.1:1"])
def test_password_with_a_sign_of_the_url_is_not_quoted(patrond_factory, place):
    """What can't be read of DATABASE_URL may be a part of its password: nobody's error quotes it."""
    p = patrond_factory(DATABASE_URL=f"postgresql://user:{place}/z", WORKERS=1).start()
    p.wait_event("component_state_changed", timeout=15, matching="DATABASE_URL cannot be understood.*component=database .*to=down")
    said = p.ctl("check", "postgres")
    assert said.returncode == 1
    assert p.stop() == 0
    told = "\n".join([*p.lines, said.stdout, said.stderr])
    assert "geh" not in told.replace("GEH", ""), told


def test_health_board_follows_redis(patrond_factory, own_redis):
    p = patrond_factory(DATABASE_URL="postgresql://x@127.0.0.1:1/z", REDIS_URL=own_redis.url()).start()
    wait_until(lambda: status(p)["checks"]["cache"]["state"] == "up", 10, "cache up")
    own_redis.kill()
    p.wait_event("cache_down", timeout=10)
    assert p.ctl("check", "redis").returncode == 1
    every = p.ctl("check", "--json")
    found = {c["name"]: c for c in map(json.loads, every.stdout.splitlines())}
    assert every.returncode == 1 and set(found) >= {"postgres", "redis", "source", "self", "claude"}
    assert found["redis"]["state"] == "down" and found["redis"]["error"] == "refused" and found["redis"]["text"]
    assert found["self"]["state"] == "up" and found["self"]["latency_ms"] >= 0 and found["self"]["error"] is None
    assert found["source"] == {**dict.fromkeys(found["source"]), "name": "source", "state": "not_configured"}
    own_redis.start()
    p.wait_event("cache_up", timeout=10)
    assert p.ctl("check", "redis").returncode == 0


def test_own_socket_is_checked(server):
    p = server()
    wait_until(lambda: status(p)["checks"]["api"]["state"] == "up", 10, "own check good")
    answer = p.ctl("check", "self")
    assert answer.returncode == 0 and "a worker answers" in answer.stdout


# systemd.

class Notified:
    """What a service manager would hear."""

    def __init__(self, path):
        self.path, self.messages = str(path), []
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self):
        while True:
            self.messages.append(self.socket.recv(4096).decode())

    def count(self, text):
        return sum(text in m.split("\n") for m in list(self.messages))


def test_service_manager_is_told(patrond_factory, tmp_path, monkeypatch):
    heard = Notified(tmp_path / "notify")
    p = patrond_factory(DATABASE_URL="postgresql://x@127.0.0.1:1/z")
    inherited = p.environment()
    monkeypatch.setattr(p, "environment", lambda: {**inherited, "NOTIFY_SOCKET": heard.path, "WATCHDOG_USEC": "1000000"})
    p.start()
    wait_until(lambda: heard.count("READY=1") == 1, 5, "READY=1")
    wait_until(lambda: heard.count("WATCHDOG=1") >= 3, 10, "the watchdog fed")
    assert any(re.search(r"^STATUS=.*2 of 2 workers", m, re.M) for m in heard.messages)
    monkeypatch.setattr(p, "environment", lambda: inherited)
    assert p.ctl("reload").returncode == 0
    wait_until(lambda: heard.count("RELOADING=1") == 1 and heard.count("READY=1") == 2, 5, "RELOADING=1, READY=1")
    p.signal(signal.SIGTERM)
    wait_until(lambda: heard.count("STOPPING=1") == 1, 5, "STOPPING=1")


def test_watchdog_is_not_fed_while_no_worker_beats(patrond_factory, tmp_path, monkeypatch):
    heard = Notified(tmp_path / "notify")
    p = patrond_factory(DATABASE_URL="postgresql://x@127.0.0.1:1/z", WORKERS=1, WORKER_HANG_ABORT=30, WORKER_HANG_KILL=40)
    inherited = p.environment()
    monkeypatch.setattr(p, "environment", lambda: {**inherited, "NOTIFY_SOCKET": heard.path, "WATCHDOG_USEC": "400000"})
    p.start()
    wait_until(lambda: heard.count("WATCHDOG=1") >= 2, 10, "the watchdog fed")
    starve(p)  # no stand-in can live either
    os.kill(p.pids("worker 0")[0], signal.SIGSTOP)
    p.wait_event("worker_hung", timeout=6)
    before = heard.count("WATCHDOG=1")
    p.wait_event("worker_crashed", timeout=10, count=3)
    assert heard.count("WATCHDOG=1") <= before + 1
    feed(p)
    wait_until(lambda: heard.count("WATCHDOG=1") > before + 1, 10, "fed again once a worker serves")


# The sync process.

CSV = "order_id,order_date,quantity,line_item_sales,customer_id\n" + "".join(
    f"{1000 + i},2025-0{1 + i % 9}-1{i % 10},1,{10 + i % 7}.50,{500 + i % 40}\n" for i in range(400))


@pytest.fixture
def syncing(patrond_factory, database, tmp_path):
    """make(**settings) -> a running server with a CSV source, ready to sync."""
    source = tmp_path / "sales.csv"
    source.write_text(CSV)

    def make(**settings):
        p = patrond_factory(DATABASE_URL=database, SYNC_SOURCE=f"csv:{source}", **settings).start()
        wait_until(lambda: next(h for h in status(p)["helpers"] if h["role"] == "sync")["doing"] == "waiting", 20, "sync ready")
        return p
    return make


@contextlib.contextmanager
def blocked_run(p, url):
    """A run that does not get on: another session lets nobody write the table. Ends the block at exit."""
    import psycopg2
    connection = psycopg2.connect(url)
    with connection.cursor() as cursor:
        cursor.execute("LOCK TABLE combined_sales IN EXCLUSIVE MODE")
    assert p.ctl("sync").returncode == 0
    wait_until(lambda: status(p)["sync"]["running"], 5, "a run under way")
    try:
        yield
    finally:
        connection.close()


def test_sync_command(syncing):
    p = syncing()
    answer = p.ctl("sync", "--wait")
    assert answer.returncode == 0, answer.stderr
    assert re.search(r"^run \d+ succeeded in .*: 400 rows read, 400 inserted", answer.stdout, re.M)
    answer = p.ctl("sync", "--dry-run", "--wait")
    assert answer.returncode == 0 and re.search(r"[1-9]\d* rows read, 0 inserted", answer.stdout)
    assert p.ctl("sync", "--dry-run", "--full").returncode == 2
    assert status(p)["sync"]["row_count"] == 400


def test_usr1_syncs_now(syncing):
    p = syncing()
    assert p.ctl("sync", "--wait").returncode == 0  # which has a signal of its own
    p.signal(signal.SIGUSR1)
    p.wait_event("sync_started", matching="trigger=signal")
    p.wait_event("sync_completed", timeout=20, matching="trigger=signal")


def test_sync_refuses_in_words(server):
    answer = server().ctl("sync")
    assert answer.returncode == 1 and ("PostgreSQL is down" in answer.stderr or "no source" in answer.stderr)


def test_run_under_way_survives_a_reload(syncing, database):
    p = syncing()
    old = p.pids("sync_combined_sales")
    with blocked_run(p, database):
        answer = p.ctl("sync")
        assert answer.returncode == 1 and "already running" in answer.stderr
        assert p.ctl("reload").returncode == 0
        wait_until(lambda: len(p.pids("sync_combined_sales")) == 2 and len(p.workers()) == 2, 10, "old workers gone, old sync left")
        assert status(p)["sync"]["running"] and alive(old[0])
    line = p.wait_event("sync_completed", timeout=20)
    assert f"pid={old[0]} " in line
    gone(old, 5, "the old sync gone once its run had ended")
    assert p.ctl("sync", "--wait").returncode == 0
    assert not p.events("worker_crashed")


def test_stop_aborts_the_run(syncing, database):
    p = syncing(DRAIN_TIMEOUT=20)
    with blocked_run(p, database):
        assert p.ctl("stop").returncode == 0
    assert field(p.wait_event("sync_failed"), "reason") == "aborted"
    assert not p.events("worker_crashed")


def test_frozen_run_is_ended_and_the_next_one_works(syncing, database):
    p = syncing(SYNC_STALL_TIMEOUT=2)
    victim = p.pids("sync_combined_sales")[0]
    with blocked_run(p, database):
        os.kill(victim, signal.SIGSTOP)
        gone([victim], 12, "the frozen sync killed")
        line = p.wait_event("worker_hung", matching=f"child_pid={victim} ")
        assert "made no progress for SYNC_STALL_TIMEOUT" in line
        assert field(p.wait_event("sync_failed"), "reason") == "timeout"
    wait_until(lambda: not status(p)["sync"]["running"], 10, "the books closed")
    ended = p.get("/admin/sync-status").json()["last_runs"][0]
    assert ended["status"] == "timeout" and "no progress" in ended["error"] and len(p.events("sync_failed")) == 1
    answer = p.ctl("sync", "--wait")
    assert answer.returncode == 0, answer.stderr
