"""G1, G2: all connections to PostgreSQL are in use; the operator gives the pool more of them.

Users      reads of the population as ever; order histories wait in a bounded queue, then 503 with Retry-After. G2: nothing.
Detection  `db_pool_exhausted` ("QueuePool limit exceeded"), /admin/db/pool with checked_out = pool_size + overflow.
Recovery   as soon as connections come free; G2: a new generation within 5 s.
"""
import concurrent.futures
import time

import pytest

from lib.patrond import Load
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


def customers(instance, count=60):
    return [c["customer_id"] for c in instance.post("/api/mcp/search", {"limit": count}).json()["customers"]]


def pool(instance):
    return instance.get("/admin/db/pool").json()


def orders(instance, customer):
    """(status, Retry-After)"""
    answer = instance.get(f"/api/mcp/customer/{customer}/orders", timeout=30)
    return answer.status, answer.headers.get("retry-after")


def test_g1_exhausted_pool_under_load(served):
    ids = customers(served)
    assert orders(served, ids[0])[0] == 200
    table = Table(served.settings["DATABASE_URL"])
    with Load(served.port, [f"/api/mcp/customer/{ids[0]}"], {"X-API-Key": served.admin_key}, clients=3) as load:
        load.wait_requests(100)
        holder = table.holder("LOCK TABLE combined_sales")  # whoever reads it holds its connection
        with concurrent.futures.ThreadPoolExecutor(60) as many:
            asked = [many.submit(orders, served, i) for i in ids * 3]
            wait_until(lambda: pool(served)["waiting"] > 0, 10, "requests waiting for a connection")
            wait_until(lambda: pool(served)["checked_out"] == SIZE + OVERFLOW, 10, "every connection in use")
            full = pool(served)
            line = served.wait_event("db_pool_exhausted", 10)
            load.wait_requests(100)
            results = [f.result() for f in asked]
        assert (full["overflow"], full["queue_size"], full["utilization_percent"]) == (OVERFLOW, 0, 100.0), full
        assert "QueuePool limit exceeded" in line and "checked_out=" in line and "waiting=" in line
        assert {status for status, _ in results} == {503}
        assert all(int(retry) >= 1 for _, retry in results)
        took = sorted(float(l.split("duration_seconds=")[1].split()[0]) for l in served.lines if "status_code=503" in l)
        assert len(took) == len(results)
        assert took[len(took) // 2] < WAIT_S + 0.5 * FACTOR, took  # most had no connection
        assert took[-1] < WAIT_S + STATEMENT_S + 1.5 * FACTOR, took  # the others no answer
        assert pool(served)["timeouts_total"] > 0
        holder.close()
        wait_until(lambda: orders(served, ids[0])[0] == 200, 5, "order histories again")
        wait_until(lambda: pool(served)["waiting"] == 0, 5, "nobody waiting")
    assert load.failures == []
    assert all(orders(served, i)[0] == 200 for i in ids[:10])
    assert served.get("/health", key=None).json()["status"] == "healthy"


def test_g2_pool_raised_while_statements_run(served):
    ids = customers(served, 20)
    asked = [f"/api/mcp/customer/{i}/orders" for i in ids]
    with Load(served.port, asked, {"X-API-Key": served.admin_key}, clients=8) as load:
        load.wait_requests(100)
        served.write_settings(DB_POOL_SIZE=10, DB_MAX_OVERFLOW=6)
        began = time.monotonic()
        assert served.ctl("reload").returncode == 0
        assert time.monotonic() - began < 5 * FACTOR
        load.wait_requests(100)
    assert load.failures == []
    raised = pool(served)
    assert (raised["pool_size"], raised["configuration"]["max_total"]) == (10, 16)
    line = served.wait_event("reloaded")
    assert "DB_POOL_SIZE" in line and "DB_MAX_OVERFLOW" in line
