"""A1: PostgreSQL is killed, and comes back.

Users      what the population answers goes on with 200 and the same latency; an order history is answered from Redis, or with
           503 and Retry-After in less than a second.
Detection  `db_connection_failed` once, with SQLSTATE, host and cause; /health 200 "degraded", component database "down".
Recovery   by itself, with backoff and jitter: at most 5 s after PostgreSQL is back.
"""
import pytest

from lib.drill import (all_answered, elapsed, field, health, healthy, median_s, orders, reads, seconds_until, seen, wait_cached,
                       wait_component)
from lib.wait import FACTOR
from lib.walk import shop

pytestmark = pytest.mark.drill


@pytest.fixture
def served(own_postgres, own_redis, tmp_path):
    with shop(own_postgres, tmp_path / "shop", REDIS_URL=own_redis.url(), REDIS_TIMEOUT_MS=1000) as instance:
        yield instance


def test_killed_under_load_and_back(served, own_postgres, record_property):
    known, *unknown = orders(served, 12)
    wait_cached(served, known)
    answer = served.get(known).body
    with reads(served) as load:
        before = median_s(load)
        own_postgres.kill()
        noticed = wait_component(served, "database", "down")
        during = median_s(load)
        assert during < 3 * before + 0.002, f"median latency {during * 1e3:.2f} ms, before {before * 1e3:.2f} ms"
        assert served.get(known).body == answer
        refused = [elapsed(served.get, path) for path in unknown]
        assert all(a.status == 503 and int(a.headers["retry-after"]) >= 1 for a, _ in refused)
        slowest = max(took for _, took in refused)
        assert slowest < 1 * FACTOR
        body = health(served)
        assert body["status"] == "degraded" and body["reason"] == "dependency_down"
        assert body["data_status"]["data_source"] == "snapshot"
        assert served.get("/health/ready", key=None).json()["database"] == "down"
        own_postgres.start()
        back = seconds_until(lambda: all_answered(served, unknown), 5, "order histories again")
        back += wait_component(served, "database", "healthy", 5 - back)
    # once per transition, for all processes together: the word of whoever noticed first
    (line,) = served.events("db_connection_failed")
    assert "Database connection failed" in line and field(line, "host") == "127.0.0.1" and field(line, "error")
    assert " sqlstate=" in line and len(served.events("db_recovered")) == 1
    assert healthy(served)
    seen(record_property, f"{load.good} population reads, 0 failed, median {before * 1e3:.1f} ms before and {during * 1e3:.1f} ms"
         f" without PostgreSQL; {len(refused)} order histories 503 in {slowest * 1e3:.0f} ms at most, the cached one answered;"
         f" database down after {noticed:.1f} s", back)
