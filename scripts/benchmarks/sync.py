"""bench sync: how long a sync takes, what on, and beside a plain COPY of the same rows into the same table.

The source is the stand-in of SQL Server (its Python and its encryption cost what they cost: it shares the machine), or CSV files.
Everything behind the fetch is compared with the least that PostgreSQL needs for the same rows:
    COPY            into the table with all its indexes
    rebuild         indexes dropped, COPY FREEZE into the truncated table, indexes built again (readers locked out)
"""
import pathlib
import re
import subprocess
import sys
import threading
import time

import psycopg2

from lib.patrond import Patrond
from lib.tds import SqlServer
from lib.wait import wait_until

TOP = pathlib.Path(__file__).resolve().parents[2]
PHASES = ["audit", "fetch", "copy", "merge", "score", "publish"]
CHANGED_LINES = 15_000
TABLE_SQL = "SELECT string_agg(quote_ident(attname), ',' ORDER BY attnum) FROM pg_attribute WHERE attrelid =" \
            " 'combined_sales'::regclass AND attnum > 0 AND NOT attisdropped AND attname NOT IN ('id', 'sync_timestamp')"


class Csv:
    """Sample sales in a file."""

    def __init__(self, directory, lines):
        self.path = directory / "sales.csv"
        with open(self.path, "wb") as out:
            subprocess.run([sys.executable, str(TOP / "scripts/make-sample-sales"), "--lines", str(lines)], stdout=out, check=True)

    def settings(self):
        return {"SYNC_SOURCE": f"csv:{self.path}"}

    def change(self, count):
        """Refunds on about so many lines: most of them new, a fifth of them the oldest."""
        lines = self.path.read_text().split("\n")
        column = lines[0].split(",").index("line_item_refunds")
        for i in [*range(1, count // 5), *range(len(lines) - 1 - count * 4 // 5, len(lines) - 1)]:
            if '"' not in lines[i]:
                fields = lines[i].split(",")
                fields[column] = "0.11"
                lines[i] = ",".join(fields)
        self.path.write_text("\n".join(lines))

    def stop(self):
        pass


class Stand:
    """The same out of the stand-in."""

    def __init__(self, directory, lines):
        self.server = SqlServer(directory / "tds").start()
        self.server.generate(lines)
        self.server.warm()

    def settings(self):
        return self.server.settings(SOURCE_CHECK_INTERVAL=0)

    def change(self, count):
        """The newest orders are refunded: they have about so many lines."""
        newest = [5_000_000_001 + i for i in range(count * 2 // 5)]
        self.server.update({"order_id": newest}, {"line_item_refunds": "0.11"})

    def stop(self):
        self.server.stop()


def sync(patrond, mode):
    """One run: seconds by phase, rows read, and the whole."""
    said = len(patrond.events("sync_completed"))
    answer = patrond.post(f"/admin/sync-sales?mode={mode}")
    run = patrond.wait_run(answer.json()["run_id"], 3600)
    if run["status"] != "success":
        sys.exit(f"bench: the run failed: {run['error']}")
    wait_until(lambda: len(patrond.events("sync_completed")) > said, 10, "the run's event")
    line = patrond.events("sync_completed")[-1]
    spent = {p: float(re.search(rf" {p}_seconds=([0-9.e-]+)", line).group(1)) for p in PHASES}
    return spent, run


def show(name, spent, run):
    total = run["duration_seconds"]
    parts = "  ".join(f"{p} {spent[p]:.2f} s ({100 * spent[p] / total:.0f} %)" for p in PHASES if spent[p] >= 0.005)
    print(f"{name:<12} {total:7.2f} s  {run['rows_read'] / total:9.0f} rows/s  {parts}", flush=True)


def copy_rows(url, file):
    """Unloads what was synced; answers the columns."""
    with psycopg2.connect(url) as connection, connection.cursor() as cursor, open(file, "wb") as out:
        cursor.execute(TABLE_SQL)
        columns = cursor.fetchone()[0]
        cursor.copy_expert(f"COPY combined_sales ({columns}) TO STDOUT", out)
    return columns


def plain_copy(url, file, columns, rebuild):
    """Seconds for the rows into a table like combined_sales."""
    connection = psycopg2.connect(url)
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS plain; CREATE TABLE plain (LIKE combined_sales INCLUDING ALL);"
                       "SELECT indexdef FROM pg_indexes WHERE tablename = 'plain' AND indexname NOT LIKE '%pkey'")
        indexes = [r[0] for r in cursor.fetchall()]
        cursor.execute("SELECT indexname FROM pg_indexes WHERE tablename = 'plain' AND indexname NOT LIKE '%pkey'")
        names = [r[0] for r in cursor.fetchall()]
        connection.commit()
        began = time.monotonic()
        if rebuild:
            cursor.execute("".join(f"DROP INDEX {n};" for n in names) + "ALTER TABLE plain DROP CONSTRAINT plain_pkey; TRUNCATE plain")
        with open(file, "rb") as rows:
            cursor.copy_expert(f"COPY plain ({columns}) FROM STDIN{' (FREEZE)' if rebuild else ''}", rows)
        if rebuild:
            cursor.execute("ALTER TABLE plain ADD PRIMARY KEY (id);" + ";".join(indexes))
        connection.commit()
        seconds = time.monotonic() - began
    connection.close()
    return seconds


class Peak:
    """The most private memory that the sync process had; pages of files that it maps or writes are the kernel's cache."""

    def __init__(self, pid):
        self.status, self.most = pathlib.Path(f"/proc/{pid}/status"), 0
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self):
        try:
            while True:
                self.most = max(self.most, int(re.search(r"RssAnon:\s+(\d+)", self.status.read_text()).group(1)))
                time.sleep(0.05)
        except OSError:
            return

    def mb(self):
        return self.most / 1024


def bench_sync(args, directory, postgres):
    source = (Stand if args.standin else Csv)(directory, args.lines)
    url = postgres.create_database()
    patrond = Patrond(directory / "patrond", {"DATABASE_URL": url, "WORKERS": 1, "SYNC_FULL_TIMEOUT": 3600, "SYNC_TIMEOUT": 3600,
                                              "ADMIN_KEY": "bench-bench-bench-bench", **source.settings()})
    patrond.start()
    try:
        measure(args, directory, url, patrond, source)
    finally:
        patrond.finish()
        source.stop()


def measure(args, directory, url, patrond, source):
    peak = Peak(patrond.pids("sync_combined_sales")[0])
    full, fullest = sync(patrond, "full")
    print(f"{fullest['rows_read']} lines of 30 columns from {'the stand-in of SQL Server' if args.standin else 'CSV'},"
          f" {fullest['customers_scored']} customers")
    show("full", full, fullest)
    columns = copy_rows(url, directory / "rows")
    plain, rebuild = [], []
    for _ in range(args.rounds):  # one after the other, alternately
        plain.append(plain_copy(url, directory / "rows", columns, False))
        rebuild.append(plain_copy(url, directory / "rows", columns, True))
    with psycopg2.connect(url) as connection, connection.cursor() as cursor:
        cursor.execute("DROP TABLE plain")
    connection.close()
    plain, rebuild = sorted(plain)[len(plain) // 2], sorted(rebuild)[len(rebuild) // 2]
    behind = sum(full[p] for p in PHASES) - full["fetch"] - full["audit"]
    print(f"{'COPY':<12} {plain:7.2f} s  {fullest['rows_read'] / plain:9.0f} rows/s  into the table with its indexes")
    print(f"{'rebuild':<12} {rebuild:7.2f} s  {fullest['rows_read'] / rebuild:9.0f} rows/s  drop, COPY FREEZE, build the indexes")
    print(f"full / rebuild: {fullest['duration_seconds'] / rebuild:.2f} (at most 2.5); behind the fetch: {behind / rebuild:.2f} (goal 2);"
          f" without the scores: {(behind - full['score']) / rebuild:.2f}")
    again, run = sync(patrond, "full")
    show("full, again", again, run)
    source.change(CHANGED_LINES)
    some, run = sync(patrond, "incremental")
    show("incremental", some, run)
    changed = run["rows_inserted"] + run["rows_updated"] + run["rows_deleted"]
    print(f"incremental of {changed} changed lines: {run['duration_seconds']:.2f} s (below 10),"
          f" {100 * run['duration_seconds'] / fullest['duration_seconds']:.0f} % of full; the sync process at most {peak.mb():.0f} MB of its own (below 64)")
