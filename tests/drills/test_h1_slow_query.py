"""H1: a slow query.

Users      those who wait for it wait; nobody else notices.
Detection  `slow_query` with query_duration_ms and the statement's name, for what took longer than SLOW_QUERY_MS and nothing else.
Recovery   none is needed.
"""
import pytest

from lib.drill import asking, field, median_s, orders, reads, seconds_until, seen
from lib.sales import Table
from lib.wait import wait_until
from lib.walk import shop

pytestmark = pytest.mark.drill

LIMIT_MS, SLOW_MS, CLIENTS = 1000, 1300, 4


@pytest.fixture
def served(postgres_server, tmp_path):
    with shop(postgres_server, tmp_path / "shop", customers=150, SLOW_QUERY_MS=LIMIT_MS) as instance:
        yield instance


def test_slow_statement_under_load(served, record_property):
    table = Table(served.settings["DATABASE_URL"])
    waited = ("SELECT max(now() - query_start) > interval '%d ms' FROM pg_stat_activity WHERE datname = current_database()"
              " AND wait_event_type = 'Lock'" % SLOW_MS)
    with reads(served) as load, asking(served, orders(served, 20), CLIENTS) as histories:
        before = median_s(load)
        histories.wait_requests(200)
        assert not served.events("slow_query")
        holder = table.holder("LOCK TABLE combined_sales")
        during = median_s(load)
        wait_until(lambda: table.value(waited), 10, "a statement that takes long", every=0.1)
        told = seconds_until(lambda: holder.close() or served.events("slow_query"), 5, "slow_query")
        histories.wait_requests(200)
    lines = served.events("slow_query")
    assert {field(line, "query_type") for line in lines} == {"customer_orders"}
    longest = max(float(field(line, "query_duration_ms")) for line in lines)
    assert all(float(field(line, "query_duration_ms")) > LIMIT_MS for line in lines) and longest > SLOW_MS
    assert len(lines) <= CLIENTS and "level=warning" in lines[0]
    assert during < 3 * before + 0.002 and max(load.latencies) < 1
    seen(record_property, f"{len(lines)} slow_query of customer_orders, up to {longest:.0f} ms; {histories.good} order histories and"
         f" {load.good} population reads, 0 failed, the slowest of these {max(load.latencies) * 1e3:.0f} ms", told)
