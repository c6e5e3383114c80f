"""G1: all connections to PostgreSQL are in use.

Users      what the population answers as ever; order histories wait in a bounded queue, DB_POOL_TIMEOUT at the most, then get
           503 with Retry-After.
Detection  `db_pool_exhausted` ("QueuePool limit exceeded"); /admin/db/pool: checked_out = pool_size + overflow.
Recovery   as soon as connections come free.
"""
import concurrent.futures

import pytest

from lib.drill import durations, healthy, orders, pool, reads, seconds_until, seen
from lib.sales import Table
from lib.wait import FACTOR, wait_until
from lib.walk import shop

pytestmark = pytest.mark.drill

SIZE, OVERFLOW, WAIT_S, STATEMENT_S = 2, 2, 1, 3


@pytest.fixture
def served(postgres_server, tmp_path):
    with shop(postgres_server, tmp_path / "shop", customers=150, DB_POOL_SIZE=SIZE, DB_MAX_OVERFLOW=OVERFLOW,
              DB_POOL_TIMEOUT=WAIT_S, DB_STATEMENT_TIMEOUT=STATEMENT_S, ACCESS_LOG="all") as instance:
        yield instance


def test_exhausted_under_load(served, record_property):
    asked = orders(served, 60)
    assert served.get(asked[0]).status == 200
    with reads(served, clients=3) as load:
        # whoever reads the table holds its connection
        holder = Table(served.settings["DATABASE_URL"]).holder("LOCK TABLE combined_sales")
        with concurrent.futures.ThreadPoolExecutor(60) as many:
            answers = [many.submit(served.get, path, timeout=30) for path in asked * 3]
            wait_until(lambda: pool(served)["waiting"] > 0, 10, "requests waiting for a connection")
            full = wait_until(lambda: (q := pool(served))["checked_out"] == SIZE + OVERFLOW and q, 10, "every connection in use")
            line = served.wait_event("db_pool_exhausted", 10)
            load.wait_requests(100)
            answers = [f.result() for f in answers]
        refused = pool(served)["timeouts_total"]
        holder.close()
        back = seconds_until(lambda: served.get(asked[0]).status == 200, 5, "order histories again")
        wait_until(lambda: pool(served)["waiting"] == 0, 5, "nobody waiting")
    assert (full["overflow"], full["queue_size"], full["utilization_percent"]) == (OVERFLOW, 0, 100.0), full
    assert "QueuePool limit exceeded" in line and "checked_out=" in line and "waiting=" in line
    assert {a.status for a in answers} == {503} and refused > 0
    assert all(int(a.headers["retry-after"]) >= 1 for a in answers)

    def refusals():
        return sorted(durations([l for l in served.lines if "/orders" in l], "status_code=503"))
    took = wait_until(lambda: len(found := refusals()) == len(answers) and found, 5, "a line for each refusal")
    assert took[len(took) // 2] < WAIT_S + 0.5 * FACTOR, took  # most had no connection
    assert took[-1] < WAIT_S + STATEMENT_S + 1.5 * FACTOR, took  # the others no answer
    assert all(served.get(path).status == 200 for path in asked[:10])
    assert healthy(served)
    seen(record_property, f"{len(answers)} order histories 503 with Retry-After, half of them within {took[len(took) // 2]:.1f} s;"
         f" checked_out {full['checked_out']} of {SIZE} + {OVERFLOW}; {load.good} population reads, 0 failed", back)
