"""A year of real sales from file to answer: every line accounted for, answers equal to SQL, kills without a trace."""
import datetime
import json
import os
import pathlib
import random
import signal
import subprocess
import sys

import pytest

from lib.sales import Table, assert_facts_agree
from lib.wait import FACTOR, wait_until

TOP = pathlib.Path(__file__).resolve().parents[2]
AS_OF = "2011-12-10"
LINES, CUSTOMERS, GUEST_LINES = 541_909, 4_372, 135_080
WHOLE_RUN = 120 * FACTOR
KILLS = 6 if FACTOR == 1 else 2


@pytest.fixture
def retailer(patrond_factory, database, retail_sales):
    patrond = patrond_factory(DATABASE_URL=database, SYNC_SOURCE=f"csv:{retail_sales}", AS_OF_DATE=AS_OF)
    return patrond.start(), Table(database)


def run(patrond, mode):
    answer = patrond.post(f"/admin/sync-sales?mode={mode}")
    assert answer.status == 202, answer.body
    result = patrond.wait_run(answer.json()["run_id"], WHOLE_RUN)
    assert result["status"] == "success", (result, patrond.log_tail())
    return result


def changes(result):
    return tuple(result[f"rows_{k}"] for k in ("inserted", "updated", "deleted"))


def net_sales(table):
    """customer_id -> (net sales in cents, orders), straight from the lines."""
    return {c: (int(net * 100), orders) for c, net, orders in table.rows(
        "SELECT customer_id, sum(line_item_sales) - sum(abs(coalesce(line_item_refunds, 0))), count(DISTINCT order_id)"
        " FROM combined_sales WHERE customer_id IS NOT NULL GROUP BY 1")}


def assert_profiles_agree(patrond, customers):
    for customer in random.Random(4).sample(sorted(customers), 300):
        metrics = patrond.get(f"/api/mcp/customer/{customer}").json()["business_metrics"]
        assert (round(metrics["lifetime_value"] * 100), metrics["total_orders"]) == customers[customer], customer


def assert_search_agrees(patrond, customers):
    best = sorted(customers, key=lambda c: (-customers[c][0], c))[:100]
    answer = patrond.post("/api/mcp/search", {"sort_by": "ltv", "limit": 100})
    assert answer.status == 200, answer.body
    assert [int(c["customer_id"]) for c in answer.json()["customers"]] == best


def assert_random_agrees(patrond, customers):
    seen = set()
    for _ in range(50):
        profile = patrond.get("/api/mcp/customer/random").json()
        customer = int(profile["customer_id"])
        assert round(profile["business_metrics"]["lifetime_value"] * 100) == customers[customer][0]
        seen.add(customer)
    assert len(seen) > 40


def test_a_year_of_sales(retailer):
    patrond, table = retailer
    result = run(patrond, "incremental")
    assert (result["rows_read"], *changes(result), result["rows_skipped"]) == (LINES, LINES, 0, 0, 0)
    assert result["customers_scored"] == CUSTOMERS
    assert table.value("SELECT count(*) FROM combined_sales WHERE customer_id IS NULL") == GUEST_LINES
    assert_facts_agree(table, AS_OF)

    patrond.wait_data(1)
    customers = net_sales(table)
    assert len(customers) == CUSTOMERS
    assert_profiles_agree(patrond, customers)
    assert_search_agrees(patrond, customers)
    assert_random_agrees(patrond, customers)

    before = table.lines(), table.facts()
    for mode in ("full", "incremental", "incremental"):
        assert changes(run(patrond, mode)) == (0, 0, 0), mode
    assert (table.lines(), table.facts()) == before


def test_killed_runs_leave_no_trace(retailer):
    """kill -9 of the sync process at moments spread over the run; the run after it ends as if nothing had been."""
    patrond, table = retailer
    began = datetime.datetime.now()
    run(patrond, "full")
    seconds = (datetime.datetime.now() - began).total_seconds()
    expected = table.lines(), table.facts()

    for i in range(KILLS):
        table.rows("DELETE FROM combined_sales WHERE order_id %% 3 = %s", i % 3)
        patrond.post("/admin/sync-sales?mode=full")
        moment = datetime.datetime.now() + datetime.timedelta(seconds=seconds * (i + 1) / (KILLS + 1))
        wait_until(lambda: datetime.datetime.now() >= moment, WHOLE_RUN, "the moment of the kill")
        [process] = patrond.pids("sync")
        os.kill(process, signal.SIGKILL)
        wait_until(lambda: patrond.pids("sync") not in ([], [process]), 10 * FACTOR, "a new sync process")
    run(patrond, "full")
    assert (table.lines(), table.facts()) == expected
    assert_facts_agree(table, AS_OF)
    assert patrond.events("sync_failed"), "no kill hit a run"


def test_predictions_hold_against_what_then_happened(retail_sales):
    """Everything fitted on the sales up to September 9; three more months are in the file."""
    done = subprocess.run([sys.executable, TOP / "scripts" / "backtest-models", "--as-of", "2011-09-09", "--json",
                           retail_sales], stdout=subprocess.PIPE, check=True)
    f = json.loads(done.stdout)
    assert (f["customers"], f["repeaters"], f["returners"]) == (3370, 1956, 1921)
    assert f["churn.auc"] >= 0.72
    assert f["churn.brier"] < 0.92 * f["brier_base"]
    assert 0.75 <= f["coverage"] <= 0.88
    assert f["churn.brier"] < f["dead.brier"]  # 1 - P(alive) is no churn
