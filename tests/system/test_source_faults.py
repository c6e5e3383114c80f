"""A source that fails anywhere: a run ends with exactly its rows, or with words and the old data whole. Never a silent loss.

The faults are those of the stand-in (standins/tds/faults.py). Several servers, each with a source and a database of its own, run
side by side: most of the time is spent waiting for the next attempt. PATROND_FAULT_RUNS and PATROND_FAULT_SEED set how many
random runs there are and which.
"""
import collections
import concurrent.futures
import datetime
import os
import random
import re

import pytest

from lib.patrond import Patrond
from lib.sales import Table, assert_facts_agree, line
from lib.tds import ORDERS, PAGE, SCHEMA, TOTALS, UNKEYED, SqlServer
from lib.wait import FACTOR, wait_until

RUNS = int(os.environ.get("PATROND_FAULT_RUNS", "20"))
SEED = int(os.environ.get("PATROND_FAULT_SEED", "1"))
LANES = 8
STALL = 2
BATCH = 100
LINES = 700
FIRST_ORDER = 5_000_000_001
AS_OF = "2024-12-31"


class Lane:
    """A patrond, what it reads, and what it writes."""

    def __init__(self, directory, url):
        self.source = SqlServer(directory / "tds")
        self.table = Table(url)
        self.directory = directory

    def begin(self):
        self.source.start()
        self.source.generate(LINES, start="2023-01-01", days=600)
        self.patrond = Patrond(self.directory / "patrond", {
            "DATABASE_URL": self.table.url, "WORKERS": 1, "AS_OF_DATE": AS_OF, **self.source.settings(
                SYNC_BATCH_ROWS=BATCH, SYNC_STALL_TIMEOUT=int(STALL * FACTOR), SOURCE_CHECK_INTERVAL=0, SYNC_OVERLAP_DAYS=30)})
        self.patrond.start()
        self.succeed("full")

    def end(self):
        problems = self.patrond.finish()
        self.source.stop()
        assert not problems, "\n".join(problems)

    def succeed(self, mode):
        run = self.patrond.sync(mode)
        assert run["status"] == "success", (run, self.patrond.log_tail())
        self.assert_whole()
        return run

    def repair(self):
        """Takes back what a `do` has done to the columns."""
        self.source.retype_column("order_total", "decimal(18,2)")
        if "item" in self.source.columns():
            self.source.rename_column("item", "sku")

    def state(self):
        return self.table.lines(), self.table.facts(), self.table.version()

    def assert_whole(self):
        """The table holds the source's lines, each as often: the day as a time, the time cut to microseconds."""
        expected = self.source.dump()
        names = self.source.columns()
        for row in expected:
            row["order_date"] += " 00:00:00"
            row["created_at"] = row["created_at"] and row["created_at"][:26].ljust(26, "0")
        expected = collections.Counter(tuple(r.values()) for r in expected)
        found = collections.Counter(tuple(map(text_of, names, r)) for r in self.table.rows(
            f"SELECT {', '.join(names)} FROM combined_sales"))
        assert expected == found, (f"{expected.total()} lines in the source, {found.total()} in the table; lacking"
                                   f" {list((expected - found).items())[:3]}; too much {list((found - expected).items())[:3]}")


def text_of(name, v):
    if v is None:
        return None
    if isinstance(v, datetime.datetime):
        return v.isoformat(" ", "microseconds" if name == "created_at" else "seconds")
    return repr(v) if isinstance(v, float) else str(v)


@pytest.fixture(scope="module")
def all_lanes(tmp_path_factory, postgres_server):
    """Their first sync is done."""
    made = []
    for i in range(LANES):
        made.append(Lane(tmp_path_factory.mktemp(f"lane{i}"), postgres_server.create_database()))
    each(made, Lane.begin)
    yield made
    each(made, Lane.end)


@pytest.fixture
def lanes(all_lanes):
    """Without what another test may have left."""
    for lane in all_lanes:
        lane.source.clear()
        lane.repair()
    return all_lanes


def each(lanes, work, *arguments):
    """Answers of work(lane, argument), done in every lane at once; the first failure is raised."""
    with concurrent.futures.ThreadPoolExecutor(len(lanes)) as pool:
        return list(pool.map(work, lanes, *arguments))


# Every fault that passes by itself, at every kind of statement.

PASSING = [("error", {"number": 1205}), ("error", {"number": 40501}), ("drop", {}), ("fin", {}), ("rst", {}), ("truncate", {}),
           ("garbage", {}), ("count", {"by": 1}), ("hang", {"seconds": 0.3}), ("drip", {"bytes": 700, "every": 0.01})]
# Statement, rows it has at least (all of a day may be gone), how many of them pass first, mode of the run.
POINTS = [(SCHEMA, 0, 0, "full"), (PAGE, 100, 0, "full"), (PAGE, 100, 3, "full"), (PAGE, 1, 5, "full"), (UNKEYED, 0, 0, "full"),
          (PAGE, 0, 0, "incremental"), (TOTALS, 200, 0, "incremental"), (ORDERS, 0, 0, "incremental")]


def place(dice, kind, rows):
    """Somewhere in an answer of so many rows."""
    if kind in ("count", "drop"):
        return {}
    if kind != "error" and dice.random() < 0.3:
        return {"byte": dice.randrange(900)}
    return {"row": dice.choice([0, rows, dice.randrange(rows + 1)])}


def through_all_points(lane, tasks):
    """Each kind at each point: the points of a mode in one run, so that every statement fails once and is sent again."""
    dice = random.Random(str(tasks))
    for kind, options, mode in tasks:
        age(lane, dice)
        faults = [(lane.source.fault(kind, sql=sql, skip=skip, **options, **place(dice, kind, rows)), sql)
                  for sql, rows, skip, m in POINTS if m == mode and not (kind == "count" and sql == SCHEMA)]
        lane.source.forget()
        lane.succeed(mode)
        assert all(f.hits() == 1 for f, _ in faults), (kind, [(f.hits(), sql) for f, sql in faults])
        if kind not in ("hang", "drip") and options.get("number") != 40501:  # which is asked for less
            asked = lane.source.statements("SELECT")
            assert len(asked) - len(set(asked)) == len(faults), (kind, mode, asked)
        lane.source.clear()


def age(lane, dice):
    """What happens to a shop between two runs: late orders, refunds, cancellations, other customers, at any age."""
    orders = sorted({int(r["order_id"]) for r in lane.source.dump()})
    for order in dice.sample(orders, 3):
        lane.source.update({"order_id": order}, dice.choice([
            {"line_item_refunds": f"{dice.randrange(1, 900) / 100:.2f}"}, {"financial_status": dice.choice(["refunded", "void"])},
            {"quantity": dice.randrange(1, 90)}, {"line_item_sales": f"{dice.randrange(1, 9000) / 100:.2f}"}]))
    lane.source.delete({"order_id": dice.choice(orders)})
    day = datetime.date(2023, 1, 1) + datetime.timedelta(days=dice.randrange(600))
    lane.source.add([dict(line(dice.randrange(1, 10**9), dice.randrange(1, 99), day.isoformat()), category="Late")
                     for _ in range(2)])


def test_every_fault_at_every_statement(lanes):
    tasks = [(kind, options, mode) for mode in ("full", "incremental") for kind, options in PASSING]
    each(lanes, through_all_points, [tasks[i::LANES] for i in range(LANES)])


# Every fault that does not.

FATAL = [  # mode, the fault, the words of the run
    ("full", {"kind": "error", "number": 8134, "sql": PAGE, "skip": 2, "row": 50}, "Divide by zero"),
    ("full", {"kind": "error", "number": 229, "sql": UNKEYED}, "GRANT SELECT ON"),
    ("incremental", {"kind": "error", "number": 207, "sql": TOTALS, "row": 10}, "schema: .* has changed"),
    ("incremental", {"kind": "error", "number": 8115, "sql": ORDERS, "row": 1}, "can't be converted"),
    ("incremental", {"kind": "error", "number": 40615, "at": "login"}, "firewall: .* does not let 203.0.113.7 in"),
    ("full", {"kind": "error", "number": 18456, "at": "login"}, "Login failed for user 'reader': check AZURE_SQL_USERNAME"),
    ("incremental", {"kind": "error", "number": 4060, "at": "login", "times": None}, "no database sales .*AZURE_SQL_DATABASE"),
    ("full", {"kind": "error", "number": 40532, "at": "login"}, "check AZURE_SQL_SERVER"),
    ("full", {"kind": "previous", "sql": PAGE, "skip": 2, "times": None}, "rows that were not asked for"),
    ("full", {"kind": "null", "column": "order_id", "row": 7, "sql": PAGE, "skip": 1, "times": None}, "a line without a key"),
    ("full", {"kind": "do", "sql": PAGE, "skip": 1, "commands": [
        {"do": "retype_column", "name": "order_total", "declared": "nvarchar(30)"}]}, "schema: .*order_total is nvarchar"),
    ("incremental", {"kind": "do", "sql": ORDERS, "commands": [{"do": "rename_column", "name": "sku", "new": "item"}]},
     "schema: .*sku"),
    ("incremental", {"kind": "hang", "sql": TOTALS, "row": 3}, "no progress"),
    ("incremental", {"kind": "hang", "sql": ORDERS, "deaf": True}, "no progress"),
    ("full", {"kind": "hang", "sql": PAGE, "skip": 3, "byte": 5000, "deaf": True}, "no progress"),
    ("full", {"kind": "drip", "sql": PAGE, "skip": 3, "row": 20, "bytes": 1, "every": 0.1}, "no progress")]


def fail_in_turn(lane, cases):
    dice = random.Random(len(cases))
    for mode, fault, words in cases:
        age(lane, dice)
        before = lane.state()
        lane.source.fault(**fault)
        run = lane.patrond.sync(mode)
        assert run["status"] in ("failed", "timeout") and re.search(words, run["error"], re.I), (run, lane.patrond.log_tail())
        assert lane.state() == before
        lane.source.clear()
        lane.repair()
        wait_until(lambda: lane.source.sessions() == 0, 10, "the session left")
    lane.succeed("incremental")


def test_what_does_not_pass_leaves_the_old_data(lanes):
    """The words name the cause, and the lock is free for the next one; in the end comes what had changed all the time."""
    each(lanes, fail_in_turn, [FATAL[i::LANES] for i in range(LANES)])


# Anything, anywhere.


def some_fault(dice, mode):
    """(fault, the words a run may end with by it, or None: it passes)"""
    statement = dice.choice([SCHEMA, PAGE, PAGE, PAGE, UNKEYED] if mode == "full" else [SCHEMA, PAGE, UNKEYED, TOTALS, ORDERS])
    chance = dice.random()
    if chance < 0.12:
        fault, words = dice.choice([(f, w) for m, f, w in FATAL if m == mode and f["kind"] != "do"])
        return fault, words
    if chance < 0.30:
        at = dice.choice(["accept", "prelogin", "tls", "login"])
        kind, options = dice.choice([("drop", {}), ("rst", {}), ("fin", {}), ("hang", {"seconds": 0.2}), ("hang", {})])
        if at == "login" and dice.random() < 0.5:
            kind, options = "error", {"number": dice.choice([40613, 40501, 49918, 10928, 4060, 4221, 18401])}
        elif at == "login" and kind != "drop":
            options["byte"] = dice.randrange(200)
        return {"kind": kind, "at": at, **options}, None
    if chance < 0.40:
        return {"kind": dice.choice(["previous", "null"]) if mode == "full" else "null", "column": dice.choice(["order_id", "order_date"]), "sql": PAGE,
                "skip": dice.randrange(4), "row": dice.randrange(60)}, None
    kind, options = dice.choice(PASSING + [("error", {"number": n}) for n in (40197, 10929, 1222, 3960, 40549)])
    where = {} if kind in ("count", "drop") else {"row": dice.randrange(101)}
    if where and kind != "error" and dice.random() < 0.5:
        where = {"byte": dice.randrange(30_000)}
    if kind == "count" and statement == SCHEMA:
        statement = PAGE
    return {"kind": kind, "sql": statement, "skip": dice.randrange(7), "times": dice.choice([1, 1, 2]), **options, **where}, None


def change_under_way(dice):
    """Lines that come, change and go while the source is being read."""
    order = FIRST_ORDER + dice.randrange(280)
    return {"kind": "do", "sql": PAGE, "skip": dice.randrange(5), "commands": [
        {"do": "add", "rows": [line(dice.randrange(10**9), 5, "2023-05-05")]}, {"do": "delete", "where": {"order_id": order}},
        {"do": "update", "where": {"order_id": order + 1}, "set": {"line_item_refunds": "1.23"}}]}


def one_random_run(lane, dice, story):
    mode = dice.choice(["full", "incremental", "incremental"])
    age(lane, dice)
    chosen = [some_fault(dice, mode) for _ in range(dice.randint(1, 3))]
    moving = dice.random() < 0.15
    if moving:
        chosen.append((change_under_way(dice), None))
    story.append((mode, chosen))
    faults = [(lane.source.fault(**fault), words) for fault, words in chosen]
    before = lane.state()
    run = lane.patrond.sync(mode)
    hits = [fault.hits() for fault, _ in faults]
    possible = [words for n, (_, words) in zip(hits, faults) if words and n]
    lane.source.clear()
    if run["status"] == "success":
        if not moving:
            lane.assert_whole()
        return sum(hits)
    assert any(re.search(words, run["error"], re.I) for words in possible), (run["status"], run["error"], possible)
    assert lane.state() == before
    return sum(hits)


def random_runs(lane, number):
    dice, story, hits = random.Random(f"{SEED}/{number}"), [], 0
    try:
        for _ in range(-(-RUNS // LANES)):
            hits += one_random_run(lane, dice, story)
        lane.succeed("incremental")
        assert_facts_agree(lane.table, AS_OF)
        return hits
    except AssertionError as e:
        raise AssertionError(f"PATROND_FAULT_SEED={SEED}, lane {number}, run {len(story)}: {story[-1]}\n{e}\n"
                             f"{lane.patrond.log_tail(30)}") from None


def test_random_faults(lanes):
    assert sum(each(lanes, random_runs, range(LANES))) > RUNS / 2
