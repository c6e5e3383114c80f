"""B3: memory runs out while a sync run is under way.

Users      nothing: the kernel takes the sync process first (oom_score_adj), never a worker.
Detection  `worker_oom_killed` process=sync, and `sync_failed` reason=memory.
Recovery   the next run reads smaller batches; its data are whole.
"""
import contextlib
import re
import subprocess

import psycopg2
import pytest

from lib.drill import seen
from lib.memory import inside, memory_group
from lib.patrond import Load
from lib.wait import wait_until

pytestmark = pytest.mark.drill

LINES = 9000
ENOUGH = 1 << 30
ROOM, OTHERS = 24 << 20, [24 << 20] * 3
# takes its bytes at once, and holds them until it is told to end
HOG = "import sys; b = bytearray(b'x') * int(sys.argv[1]); print('full', flush=True); sys.stdin.read()"


@pytest.fixture
def limited(database, patrond_factory, tmp_path):
    sales = tmp_path / "sales.csv"
    with open(sales, "w") as f:
        f.write("order_id,order_date,quantity,line_item_sales,customer_id\n")
        for i in range(LINES):
            f.write(f"{1000 + i},2025-0{1 + i % 9}-1{i % 10},1,{10 + i % 7}.50,{500 + i % 400}\n")
    with memory_group(ENOUGH) as group:
        p = patrond_factory(DATABASE_URL=database, SYNC_SOURCE=f"csv:{sales}", SYNC_BATCH_ROWS=LINES)
        with inside(group):
            p.start()
        p.group, p.database = group, database
        yield p
        group.limit(ENOUGH)
        p.stop()


def hog(group, size):
    with inside(group):
        return subprocess.Popen(["/usr/bin/python3", "-c", HOG, str(size)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def is_full(process):
    return process.stdout.readline() == b"full\n"


def own_bytes(pid):
    """Memory that comes free when it dies."""
    return int(re.search(r"RssAnon:\s+(\d+)", open(f"/proc/{pid}/status").read()).group(1)) << 10


@contextlib.contextmanager
def memory_runs_out(p):
    """Other processes of the group are as large as ours, and one more needs a part of what the sync has."""
    hogs = [hog(p.group, size) for size in [*OTHERS, 0]]
    assert all(map(is_full, hogs))
    beyond = own_bytes(p.pids("sync")[0]) // 4
    p.group.limit(p.group.used() + ROOM)
    hogs.append(hog(p.group, ROOM + beyond - own_bytes(hogs[-1].pid)))
    try:
        yield hogs
    finally:
        for process in hogs:
            process.communicate(timeout=20)
        p.group.limit(ENOUGH)


@contextlib.contextmanager
def blocked_run(p):
    """A run that does not get on: another session lets nobody write the table. Answers its number."""
    connection = psycopg2.connect(p.database)
    with connection.cursor() as cursor:
        cursor.execute("LOCK TABLE combined_sales IN EXCLUSIVE MODE")
    try:
        number = p.post("/admin/sync-sales").json()["run_id"]
        # its batches are given back by then: what it has it keeps
        wait_until(lambda: (p.get("/admin/sync-status").json()["running"] or {}).get("phase") == "merging", 5, "a run that merges")
        yield number
    finally:
        connection.close()


def batches(p, number):
    return max(int(re.search(r" batch=(\d+)", l).group(1)) for l in p.events("sync_progress") if f" run_id={number} " in l)


def test_sync_dies_first_and_comes_back_smaller(limited, record_property):
    p = limited
    workers = p.workers()
    wait_until(lambda: p.post("/admin/sync-sales?mode=dry-run").status == 202, 20, "the sync ready", every=0.2)
    with Load(p.port, ["/health/live"], {}, clients=4) as l:
        l.wait_requests(50)
        with blocked_run(p) as number, memory_runs_out(p) as hogs:
            line = p.wait_event("worker_oom_killed", timeout=20)
            assert is_full(hogs[-1])  # what it needed the sync has left
            assert all(h.poll() is None for h in hogs)
        died = p.wait_run(number)
        after = p.sync()
        l.wait_requests(50)
    assert " process=sync " in line and f"sync run {number}" in line
    assert died["status"] == "failed" and "out of memory" in died["error"], died
    assert " reason=memory " in p.events("sync_failed")[0]
    assert after["status"] == "success" and after["rows_read"] == LINES
    assert batches(p, after["run_id"]) > 2  # a batch of LINES rows and the end
    assert l.failures == [] and p.workers() == workers
    assert len(p.events("worker_oom_killed")) == 1 and p.process.poll() is None
    seen(record_property, f"the kernel took the sync, no worker: sync_failed reason=memory; {l.good} requests, 0 failed; the next run"
         f" read all {LINES} rows in {batches(p, after['run_id'])} batches instead of one", after["duration_seconds"])
