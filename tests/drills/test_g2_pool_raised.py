"""G2: the operator raises DB_POOL_SIZE and DB_MAX_OVERFLOW and reloads.

Users      nothing: no request fails.
Detection  `reloaded` with the settings that changed; /admin/db/pool shows them.
Recovery   a new generation within 5 s.
"""
import pytest

from lib.drill import asking, elapsed, orders, pool, seen
from lib.wait import FACTOR
from lib.walk import shop
from lib.wrk import Wrk

pytestmark = pytest.mark.drill


@pytest.fixture
def served(postgres_server, tmp_path):
    with shop(postgres_server, tmp_path / "shop", customers=150, DB_POOL_SIZE=2, DB_MAX_OVERFLOW=2) as instance:
        yield instance


def test_raised_while_statements_run(served, record_property):
    with asking(served, orders(served, 20), clients=8) as load, Wrk(served) as wrk:
        served.write_settings(DB_POOL_SIZE=10, DB_MAX_OVERFLOW=6)
        done, took = elapsed(served.ctl, "reload")
        assert done.returncode == 0 and took < 5 * FACTOR
        raised = pool(served)
        load.wait_requests(100)
        for _ in range(3):
            assert served.ctl("reload").returncode == 0
    assert wrk.failed == 0 and wrk.lost == 0 and wrk.requests > 100, wrk.said
    assert (raised["pool_size"], raised["configuration"]["max_total"]) == (10, 16), raised
    line = served.events("reloaded")[0]
    assert "DB_POOL_SIZE" in line and "DB_MAX_OVERFLOW" in line
    seen(record_property, f"{load.good} order histories and {wrk.requests} answers to 64 connections over four reloads, 0 failed;"
         f" pool_size 2 -> 10", took)
