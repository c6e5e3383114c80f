"""bench latency: how long a profile takes at half of what two workers can answer, while nothing else goes on, during a
sync with the swap of its population, a reload and an upgrade in place.

The requests come at a steady rate (open_loop.c), and their time is counted from when they were due. Server, PostgreSQL and the
asker share the machine's cores as the kernel sees fit.
"""
import re
import subprocess
import threading
import time

from lib.wait import wait_until
from sync import CHANGED_LINES, Csv

LINES_PER_CUSTOMER = 6
LEAD_S = 1  # of quiet before what is to be measured begins


def build(directory, top):
    program = directory / "open_loop"
    subprocess.run(["cc", "-std=gnu11", "-O2", "-o", program, top / "scripts/benchmarks/open_loop.c"], check=True)
    return program


def saturation(server, script, ids_file, seconds):
    """Profiles a second when 64 connections ask as fast as they are answered."""
    done = subprocess.run(["wrk", "-t1", "-c64", f"-d{seconds}s", "-s", script, f"http://127.0.0.1:{server.port}", "--",
                           ids_file, server.key], capture_output=True, text=True, check=True)
    count, duration_us = re.search(r"^RESULT (\d+) (\d+)", done.stdout, re.M).groups()
    return int(count) / (int(duration_us) / 1e6)


def wait_run(server, run_id):
    def ended():
        runs = server.ask("/admin/sync-status")["last_runs"]
        return next((r for r in runs if r["run_id"] == run_id and r["status"] != "running"), None)
    run = wait_until(ended, 600, "the sync run")
    assert run["status"] == "success", run


def sync(server, source, mode):
    if mode == "incremental":
        source.change(CHANGED_LINES)
    wait_run(server, server.post(f"/admin/sync-sales?mode={mode}")["run_id"])


def control(server, verb):
    """patronctl, which waits for the outcome."""
    subprocess.run([server.ctl, "-c", server.directory / "patrond.conf", verb], check=True, capture_output=True)


def measure(name, server, command, action):
    failure, took = [], 0.0

    def act():
        nonlocal took
        time.sleep(LEAD_S)
        began = time.monotonic()
        try:
            action()
        except Exception as e:  # told below, in the thread that can end the run
            failure.append(e)
        took = time.monotonic() - began
    thread = threading.Thread(target=act)
    thread.start()
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    thread.join()
    if failure:
        raise failure[0]
    answered, failed, p50, p99, p999, most = map(int, done.stdout.split())
    print(f"{name:34} P50 {p50 / 1000:6.2f} ms  P99 {p99 / 1000:6.2f} ms  P99.9 {p999 / 1000:7.2f} ms  longest {most / 1000:7.2f} ms"
          f"  {answered} answers, {failed} failed  (took {took:.1f} s)", flush=True)


def bench_latency(args, directory, postgres, server_class, script, known_ids, top):
    source = Csv(directory, args.customers * LINES_PER_CUSTOMER)
    url = postgres.create_database()
    script_file, ids_file = directory / "profile.lua", directory / "ids"
    script_file.write_text(script)
    program = build(directory, top)
    server = server_class(args.program, directory / "patrond", cores=None, WORKERS=2, DATABASE_URL=url, **source.settings())
    try:
        ids, _ = known_ids(server, postgres.connect(url.rsplit("/", 1)[1]))
        ids_file.write_text("".join(f"{one}\n" for one in ids))
        most = saturation(server, script_file, ids_file, args.seconds)
        rate = int(most / 2)
        print(f"{len(ids):,} ids; two workers answer {most:,.0f} profiles a second at most; asked for {rate:,} a second")

        def go(name, seconds, action):
            measure(name, server, [program, str(server.port), server.key, ids_file, str(rate), str(seconds)], action)
        go("nothing else", 2 * args.seconds, lambda: None)
        go("reload", 2 * args.seconds, lambda: control(server, "reload"))
        go("upgrade in place", 2 * args.seconds, lambda: control(server, "upgrade"))
        go("incremental sync, with its swap", 4 * args.seconds, lambda: sync(server, source, "incremental"))
        go("full sync", 4 * args.seconds, lambda: sync(server, source, "full"))
    finally:
        server.stop()
        source.stop()
