"""All rows at once: random faults without a pause, and nothing of them is left afterwards.

A minute here; PATROND_FAULT_SECONDS=600 for the thousand faults of ten minutes, PATROND_FAULT_SEED to see one again.

Users      requests in flight in a killed worker fail, nothing else is asked of them here.
Detection  each death is explained, and none is of the server's own making.
Recovery   all components healthy within 10 s of the end (a process in backoff: 30 s), a failed sync with the next run;
           no crash loop; no leak of memory, descriptors, connections, slots or files; counters never went back.
"""
import contextlib
import http.client
import os
import pathlib
import random
import re
import signal
import subprocess
import threading
import time

import pytest

from lib.patrond import TOP, Load
from lib.wait import wait_until

pytestmark = pytest.mark.drill

SECONDS = float(os.environ.get("PATROND_FAULT_SECONDS", "60"))
SEED = int(os.environ.get("PATROND_FAULT_SEED") or random.randrange(1 << 31))
OUR_SIGNALS = "SIGKILL|SIGSEGV|SIGABRT|SIGTERM"


class Faults:
    """Each method is a fault, taken back where it does not heal by itself; `done` counts them."""

    def __init__(self, p, postgres, redis, sales, rng):
        self.p, self.postgres, self.redis, self.sales, self.rng = p, postgres, redis, sales, rng
        self.done, self.kills = {}, 0

    def victim(self, role):
        pids = self.p.pids(role)
        return self.rng.choice(pids) if pids else None

    def _kill(self, role, number):
        pid = self.victim(role)
        if pid is not None:
            self.kills += 1
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def kill_worker(self):
        self._kill("worker", self.rng.choice([signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT, signal.SIGTERM]))

    def kill_sync(self):
        self._kill("sync", self.rng.choice([signal.SIGKILL, signal.SIGTERM]))

    def kill_probe(self):
        self._kill("probe", signal.SIGKILL)

    def stop_worker(self):
        self._freeze(self.victim("worker"))

    def stop_sync(self):
        self._freeze(self.victim("sync"))

    def _freeze(self, pid):
        if pid is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGSTOP)
            time.sleep(self.rng.uniform(0.1, 2.5))
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)

    def freeze_postgres(self):
        self.postgres.freeze()
        time.sleep(self.rng.uniform(0.1, 1.5))
        self.postgres.resume()

    def kill_postgres(self):
        self.postgres.kill()
        time.sleep(self.rng.uniform(0, 0.5))
        self.postgres.start()

    def freeze_redis(self):
        self.redis.freeze()
        time.sleep(self.rng.uniform(0.1, 1))
        self.redis.resume()

    def kill_redis(self):
        self.redis.kill()
        time.sleep(self.rng.uniform(0, 0.5))
        self.redis.start()

    def hide_source(self):
        away = self.sales.with_suffix(".away")
        self.sales.rename(away)
        time.sleep(self.rng.uniform(0, 0.5))
        away.rename(self.sales)

    def bad_reload(self):
        self.p.write_settings(NO_SUCH_SETTING=1)
        assert self.p.ctl("reload").returncode != 0
        self.p.write_settings(NO_SUCH_SETTING=None)

    def good_reload(self):
        self.p.write_settings(SLOW_REQUEST_MS=self.rng.randrange(300, 900))
        self.p.ctl("reload")  # may be refused: a process of the new generation may be killed as well

    def upgrade(self):
        self.p.ctl("upgrade")

    def resize(self):
        for change in ["+1", "-1"]:
            self.p.ctl("workers", change)

    def ask_for_a_sync(self):
        with contextlib.suppress(OSError, http.client.HTTPException):
            self.p.post("/admin/sync-sales?mode=" + self.rng.choice(["incremental", "full", "dry-run"]), timeout=5)

    def vanishing_clients(self):
        for _ in range(20):
            with contextlib.suppress(OSError):
                s = self.p.connect()
                s.sendall(b"GET /api/mcp/customer/random HTTP/1.1\r\nHost: x\r\n"[:self.rng.randrange(60)])
                s.close()

    def one(self):
        names = [n for n in dir(self) if n[0] != "_" and n not in ("one", "victim") and callable(getattr(self, n))]
        name = self.rng.choice(names)
        getattr(self, name)()
        self.done[name] = self.done.get(name, 0) + 1


class Counters(threading.Thread):
    """Reads the counters all the time; `fallen` tells which went back."""

    def __init__(self, p):
        super().__init__(daemon=True)
        self.p, self.last, self.fallen, self.looks, self.stop = p, {}, [], 0, threading.Event()

    def run(self):
        while not self.stop.wait(0.2):
            try:
                text = self.p.get("/metrics", key=None, timeout=5).body.decode()
            except (OSError, http.client.HTTPException):
                continue
            kinds = dict(re.findall(r"^# TYPE (\w+) (counter|histogram)$", text, re.M))
            now = {k: float(v) for k, v in re.findall(r"^(\w+(?:{[^}]*})?) (\S+)$", text, re.M)
                   if re.sub(r"(_count|_bucket|_sum)?({.*)?$", "", k) in kinds and not k.startswith("process_")}
            self.fallen += [f"{k}: {v} to {now[k]}" for k, v in self.last.items() if k in now and now[k] < v]
            self.last, self.looks = {**self.last, **now}, self.looks + 1


def own_bytes(pid):
    """Without what it shares: the pages of the scoreboard come in as slots are used."""
    return int(re.search(r"RssAnon:\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text()).group(1)) << 10


def descriptors(pid):
    """The least of many looks: a file of /proc may just be open."""
    return min(len(os.listdir(f"/proc/{pid}/fd")) for _ in range(50))


def sessions(postgres):
    connection = postgres.connect()
    with connection.cursor() as c:
        c.execute("SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()")
        (count,) = c.fetchone()
    connection.close()
    return count


def all_healthy(p):
    try:
        body = p.get("/health", key=None, timeout=5).json()
    except (OSError, ValueError, http.client.HTTPException):
        return False
    return body["status"] == "healthy" and len(p.workers()) == 2 and len(p.pids()) == 5


def sync_works(p):
    with contextlib.suppress(OSError, AssertionError, http.client.HTTPException):
        return p.sync(timeout=20)["status"] == "success"


@pytest.fixture
def served(own_postgres, own_redis, patrond_factory, tmp_path):
    sales = tmp_path / "sales.csv"
    with open(sales, "wb") as f:
        subprocess.run([TOP / "scripts/make-sample-sales", "--customers", "300"], stdout=f, check=True)
    p = patrond_factory(DATABASE_URL=own_postgres.create_database(), REDIS_URL=own_redis.url(), SYNC_SOURCE=f"csv:{sales}",
                        SOURCE_CHECK_INTERVAL=5, RATE_LIMIT_DEFAULT=0, RATE_LIMIT_ANONYMOUS=0, RATE_LIMIT_SYNC=0,
                        DB_POOL_SIZE=6, DB_MAX_OVERFLOW=2, DRAIN_TIMEOUT=5, GENERATION_TIMEOUT=10).start()
    p.sync("full")
    p.wait_data()
    wait_until(lambda: all_healthy(p), 15, "all healthy", every=0.2)
    return p, sales


def test_nothing_is_left_of_random_faults(served, own_postgres, own_redis):
    p, sales = served
    print(f"seed {SEED}")
    master, before_bytes, before_fds = p.process.pid, own_bytes(p.process.pid), descriptors(p.process.pid)
    faults, counters = Faults(p, own_postgres, own_redis, sales, random.Random(SEED)), Counters(p)
    counters.start()
    with Load(p.port, ["/api/mcp/customer/random", "/health/live"], {"X-API-Key": p.admin_key}, clients=2) as load:
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            faults.one()
            assert p.process.poll() is None, "the master is gone"
        over = time.monotonic()
        wait_until(lambda: sync_works(p), 30, "a run, which is what a failed one waits for", every=0.2)
        try:
            wait_until(lambda: all_healthy(p), 35, "all healthy again", every=0.1)
        except AssertionError:
            print(p.ctl("status").stdout, p.get("/health", key=None).body.decode())
            raise
        took = time.monotonic() - over
        load.wait_requests(100)
    counters.stop.set()
    counters.join()
    total = sum(faults.done.values())
    print(f"{total} faults, {faults.kills} of them kills, healthy after {took:.1f} s: {faults.done}")
    print(f"{load.good} requests answered, {len(load.failures)} failed; {counters.looks} looks at the counters")
    assert total >= SECONDS  # at least one a second

    backoffs = [l for l in p.lines if "next start in" in l]
    assert took < 30 and (took < 10 or backoffs), took
    assert counters.fallen == [] and counters.looks > SECONDS
    crashes = p.events("worker_crashed")
    assert len(crashes) <= faults.kills, crashes
    assert all(re.search(rf"signal=({OUR_SIGNALS}) ", l) for l in crashes), [l for l in crashes if not re.search(OUR_SIGNALS, l)]
    assert not p.events("unexpected_error") and not p.events("worker_oom_killed")

    assert p.process.pid == master and descriptors(master) == before_fds
    assert own_bytes(master) < before_bytes + (2 << 20), (own_bytes(master), before_bytes)
    assert all(own_bytes(pid) < 64 << 20 and descriptors(pid) < 100 for pid in p.pids()[1:])
    assert p.get("/admin/workers").json()["totals"]["workers"] == 2
    wait_until(lambda: sessions(own_postgres) <= 6 + 2 + 2, 10, "no more sessions than allowed")
    left = {f.name for f in (p.directory / "run").iterdir()}
    assert left <= {"scoreboard", "patrond.lock", "freetds.conf", "dry-run-sample"}, left
    assert len(list((p.directory / "state").glob("population-*"))) <= 2
