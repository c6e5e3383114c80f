"""bench orders: the order history of random customers, beside pgbench and from Redis.

    pgbench     the server's own statement, prepared, over as many connections as the server's pool has
    uncached    GET /api/mcp/customer/{id}/orders, one worker, without Redis
    cached      the same with every answer in Redis

PostgreSQL and Redis have one core; the worker, wrk and pgbench share the other: what asks PostgreSQL stands where pgbench
stands. Whatever the ratio, CPU tells where the time goes: microseconds an answer, of PostgreSQL and of the asker.
"""
import json
import os
import pathlib
import re
import statistics
import subprocess
import sys
import time

from lib.servers import Redis
from lib.wait import wait_until

TICK = os.sysconf("SC_CLK_TCK")
DATA_CORE, ASKING_CORE = 0, (os.cpu_count() or 1) - 1
CLIENTS = 64
FIRST_ID, STEP = 7827249000000, 11  # ids of scripts/make-sample-sales
CACHED = 2000  # customers whose answers are asked for again and again
# Parameters of the statement as the route without filters gives them; the first one is the customer.
VALUES = [":id", "'2100-01-01'", "'-infinity'", "'infinity'", "NULL", "'infinity'", str(2**63 - 1), "50", "10001"]
WRK_SCRIPT = """
local first, step, count, key
local n = 0
function init(args)
    first, step, count, key = tonumber(args[1]), tonumber(args[2]), tonumber(args[3]), args[4]
    math.randomseed(os.time())
end
function request()
    local id = string.format("%.0f", first + step * math.random(0, count - 1))
    return wrk.format("GET", "/api/mcp/customer/" .. id .. "/orders", {["X-API-Key"] = key})
end
function done(summary, latency, requests)
    local e = summary.errors
    print(string.format("RESULT %d %d %d %.1f", summary.requests, summary.duration,
        e.connect + e.read + e.write + e.status + e.timeout, latency:percentile(99)))
end
"""


def ticks(pid):
    """CPU of a process, with that of its children that have ended."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return sum(int(f) for f in fields[11:15])


def family_ticks(pid):
    out = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True).stdout
    return ticks(pid) + sum(ticks(int(p)) for p in out.split() if pathlib.Path(f"/proc/{p}").exists())


class Run:
    """One measurement: answers a second, their 99th percentile, and CPU in microseconds an answer."""

    def __init__(self, command, pattern, data, asker, seconds):
        before, asked, children = family_ticks(data), ticks(asker) if asker else 0, os.times()
        done = subprocess.run(["taskset", "-c", str(ASKING_CORE), *command], capture_output=True, text=True)
        found = re.search(pattern, done.stdout, re.M)
        if done.returncode != 0 or found is None:
            sys.exit(f"bench: {command[0]} failed:\n{done.stdout}{done.stderr}")
        after = os.times()
        own = (after.children_user + after.children_system - children.children_user - children.children_system) * TICK
        spent = ticks(asker) - asked if asker else own
        self.take(found, seconds)
        self.data_us = (family_ticks(data) - before) / TICK * 1e6 / self.count
        self.asker_us = spent / TICK * 1e6 / self.count

    def cpu_us(self):
        return self.data_us + self.asker_us

    def line(self, name):
        return (f"  {name:9s} {self.per_second:8,.0f} /s  P99 {self.p99_ms:6.1f} ms  CPU {self.data_us:6.0f} us data"
                f"  {self.asker_us:6.0f} us asker")


class Wrk(Run):
    def __init__(self, server, worker, data, script, count, seconds):
        super().__init__(["wrk", "-t1", f"-c{CLIENTS}", f"-d{seconds}s", "-s", script, f"http://127.0.0.1:{server.port}", "--",
                          str(FIRST_ID), str(STEP), str(count), server.key], r"^RESULT (\d+) (\d+) (\d+) ([\d.]+)", data,
                         worker, seconds)

    def take(self, found, seconds):
        self.count, self.per_second = int(found[1]), int(found[1]) / (int(found[2]) / 1e6)
        self.p99_ms = float(found[4]) / 1000
        if int(found[3]):
            sys.exit(f"bench: {found[3]} requests failed: these figures mean nothing")


class Pgbench(Run):
    def __init__(self, program, postgres, database, script, connections, seconds):
        super().__init__([program, "-n", "-M", "prepared", "-c", str(connections), "-j1", "-T", str(seconds), "-f", script,
                          "-h", "127.0.0.1", "-p", str(postgres.port), "-U", "patrond", database],
                         r"actually processed: (\d+)(?:.*\n)*?latency average = ([\d.]+) ms(?:.*\n)*?tps = ([\d.]+)",
                         postgres.pid(), None, seconds)

    def take(self, found, seconds):
        self.count, self.per_second, self.p99_ms = int(found[1]), float(found[3]), float(found[2])

    def line(self, name):
        return super().line(name).replace("P99", "avg")


def statement(program):
    """The server's own text, with a value in the place of each parameter."""
    tool = pathlib.Path(program).parent / "tests/unit/sql_statements"
    if not tool.exists():
        sys.exit(f"bench: {tool} is missing: make check builds it")
    found = json.loads(subprocess.run([str(tool)], check=True, capture_output=True, text=True).stdout)
    sql = next(s["sql"] for s in found if s["name"] == "customer_orders")
    return re.sub(r"\$(\d)", lambda m: VALUES[int(m[1]) - 1], sql)


def known(postgres, database):
    """How many customers there are from the first id on, without a gap: the last ones may not have ordered yet."""
    with postgres.connect(database) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT customer_id::bigint FROM fact_customer_current ORDER BY 1")
        ids = [row[0] for row in cursor]
    count = next((n for n, one in enumerate(ids) if one != FIRST_ID + STEP * n), len(ids))
    if count < CACHED:
        sys.exit("bench: too few customers")
    return count


def warm(server, script):
    """Until nearly every answer comes from Redis."""
    def hits():
        before = server.ask("/admin/cache/stats")
        subprocess.run(["wrk", "-t1", f"-c{CLIENTS}", "-d1s", "-s", script, f"http://127.0.0.1:{server.port}", "--", str(FIRST_ID),
                        str(STEP), str(CACHED), server.key], check=True, stdout=subprocess.DEVNULL)
        after = server.ask("/admin/cache/stats")
        asked = after["hits"] + after["misses"] - before["hits"] - before["misses"]
        return after["hits"] - before["hits"] > 0.99 * asked
    wait_until(hits, 60, "answers in Redis")


def bench_orders(args, directory, postgres, server_class):
    pgbench = next(iter(sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin/pgbench"))), None)
    if pgbench is None:
        sys.exit("bench: pgbench is missing: apt-get install postgresql")
    csv, script, sql = directory / "sales.csv", directory / "orders.lua", directory / "orders.sql"
    with open(csv, "wb") as out:
        subprocess.run([str(pathlib.Path(__file__).parents[1] / "make-sample-sales"), "--customers", str(args.customers)],
                       stdout=out, check=True)
    script.write_text(WRK_SCRIPT)
    url = postgres.create_database()
    database = url.rsplit("/", 1)[1]
    redis = Redis(directory / "redis")
    redis.start()
    os.sched_setaffinity(postgres.pid(), {DATA_CORE})
    os.sched_setaffinity(redis.pid(), {DATA_CORE})
    pool = {"WORKERS": 1, "DB_POOL_SIZE": args.connections, "DB_MAX_OVERFLOW": 0, "DATABASE_URL": url}
    plain = server_class(args.program, directory / "plain", SYNC_SOURCE=f"csv:{csv}", **pool)
    try:
        customers = known(postgres, database)
        sql.write_text(f"\\set n random(0, {customers - 1})\n\\set id {FIRST_ID} + {STEP} * :n\n{statement(args.program)};\n")
        cached = server_class(args.program, directory / "cached", REDIS_URL=redis.url(), ENABLE_SALES_SYNC="false", **pool)
        try:
            for _, pid in [*plain.processes(), *cached.processes()]:
                os.sched_setaffinity(pid, {ASKING_CORE})
            warm(cached, script)
            workers = [s.workers()[0]["pid"] for s in (plain, cached)]
            candidates = {
                "pgbench": lambda: Pgbench(str(pgbench), postgres, database, sql, args.connections, args.seconds),
                "uncached": lambda: Wrk(plain, workers[0], postgres.pid(), script, customers, args.seconds),
                "cached": lambda: Wrk(cached, workers[1], redis.pid(), script, CACHED, args.seconds)}
            report(candidates, args)
        finally:
            cached.stop()
    finally:
        plain.stop()
        redis.stop()


def report(candidates, args):
    rounds = []
    print(f"{args.customers:,} customers, {args.connections} connections to PostgreSQL, {CLIENTS} HTTP clients", flush=True)
    for _ in range(args.rounds):
        rounds.append({})
        for name, measure in candidates.items():
            rounds[-1][name] = measure()
            print(rounds[-1][name].line(name), flush=True)
            time.sleep(0.2)

    def ratio(one, other, goal):
        speed = statistics.median(r[one].per_second / r[other].per_second for r in rounds)
        cpu = statistics.median(r[other].cpu_us() / r[one].cpu_us() for r in rounds)
        print(f"{one} / {other}: {speed:.2f} answers a second ({goal}), {cpu:.2f} answers a CPU-second")
    ratio("uncached", "pgbench", "goal 1.0, at least 0.9")
    ratio("cached", "uncached", "at least 2")
    print(f"  medians of {len(rounds)} rounds")
