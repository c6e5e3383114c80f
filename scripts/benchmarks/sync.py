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


def columns_and_rows(url, file):
    """Unloads what was synced into the file, if it is not there; answers the columns."""
    connection = psycopg2.connect(url)
    with connection, connection.cursor() as cursor:
        cursor.execute(TABLE_SQL)
        columns = cursor.fetchone()[0]
        if not file.exists():
            with open(file, "wb") as out:
                cursor.copy_expert(f"COPY combined_sales ({columns}) TO STDOUT", out)
    connection.close()
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
        while (kilobytes := self._now()) is not None:
            self.most = max(self.most, kilobytes)
            time.sleep(0.05)

    def _now(self):
        """None: the process has ended."""
        try:
            found = re.search(r"RssAnon:\s+(\d+)", self.status.read_text())
        except OSError:
            return None
        return int(found.group(1)) if found else None

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


def middle(values, key=lambda v: v):
    return sorted(values, key=key)[len(values) // 2]


def execute(url, sql):
    connection = psycopg2.connect(url)
    with connection, connection.cursor() as cursor:
        cursor.execute(sql)
    connection.close()


def measure(args, directory, url, patrond, source):
    peak = Peak(patrond.pids("sync_combined_sales")[0])
    fulls, plain, rebuild = [], [], []
    for _ in range(args.rounds):  # one after the other, alternately: the machine is not equally quiet all the time
        if fulls:
            execute(url, "TRUNCATE combined_sales")
        fulls.append(sync(patrond, "full"))
        columns = columns_and_rows(url, directory / "rows")
        plain.append(plain_copy(url, directory / "rows", columns, False))
        rebuild.append(plain_copy(url, directory / "rows", columns, True))
        execute(url, "DROP TABLE plain")
    (spent, run), plain, rebuild = middle(fulls, lambda f: f[1]["duration_seconds"]), middle(plain), middle(rebuild)
    print(f"{run['rows_read']} lines of 30 columns from {'the stand-in of SQL Server' if args.standin else 'CSV'},"
          f" {run['customers_scored']} customers; medians of {args.rounds}")
    show("full", spent, run)
    print(f"{'COPY':<12} {plain:7.2f} s  {run['rows_read'] / plain:9.0f} rows/s  into the table with its indexes")
    print(f"{'rebuild':<12} {rebuild:7.2f} s  {run['rows_read'] / rebuild:9.0f} rows/s  drop, COPY FREEZE, build the indexes")
    behind = spent["copy"] + spent["merge"] + spent["score"] + spent["publish"]
    print(f"full / rebuild: {run['duration_seconds'] / rebuild:.2f} (at most 2.5); behind the fetch: {behind / rebuild:.2f} (goal 2);"
          f" without the scores: {(behind - spent['score']) / rebuild:.2f}")
    show("full, again", *sync(patrond, "full"))
    source.change(CHANGED_LINES)
    spent, some = sync(patrond, "incremental")
    show("incremental", spent, some)
    changed = some["rows_inserted"] + some["rows_updated"] + some["rows_deleted"]
    print(f"incremental of {changed} changed lines: {some['duration_seconds']:.2f} s (below 10),"
          f" {100 * some['duration_seconds'] / run['duration_seconds']:.0f} % of full; the sync process at most {peak.mb():.0f} MB of its"
          f" own (below 64)")
