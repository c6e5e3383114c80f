"""A1, A4, F1: PostgreSQL and Redis stopped, while serving and at boot.

Users      profile, search and random go on with 200 and the same latency.
Detection  `db_connection_failed` once, /health 200 "degraded", component database "down".
Recovery   by itself, at most 5 s after PostgreSQL returns; a boot without it serves the last population in 2 s.

The convention of every drill here: the module is named after its row of the runbook, breaks the real thing under
load, and checks what users see, what the operator is told, and how soon the server is well again without a person.
"""
import statistics
import subprocess
import time

import pytest

from lib.patrond import TOP, Load
from lib.wait import FACTOR, wait_until

pytestmark = pytest.mark.drill


@pytest.fixture(scope="module")
def sales(tmp_path_factory):
    path = tmp_path_factory.mktemp("sales") / "sales.csv"
    with open(path, "wb") as f:
        subprocess.run([TOP / "scripts/make-sample-sales", "--customers", "300"], stdout=f, check=True)
    return path


@pytest.fixture
def served(own_postgres, own_redis, sales, patrond_factory):
    """A server with 300 customers, on a PostgreSQL and a Redis of its own."""
    instance = patrond_factory(DATABASE_URL=own_postgres.create_database(), REDIS_URL=own_redis.url(),
                               SYNC_SOURCE=f"csv:{sales}", RATE_LIMIT_DEFAULT=0, RATE_LIMIT_ANONYMOUS=0)
    instance.start()
    instance.sync("full")
    instance.wait_data()
    component(instance, "database", "healthy")
    component(instance, "cache", "healthy")
    return instance


def health(instance):
    answer = instance.get("/health", key=None)
    assert answer.status == 200, answer.body
    return answer.json()


def component(instance, name, state, timeout=10):
    wait_until(lambda: health(instance)["components"][name] == state, timeout, f"component {name} {state}")


def some_customer(instance):
    return instance.get("/api/mcp/customer/random").json()["customer_id"]


def load(instance, seconds):
    """Profile and random under load for a while: the median latency; nothing may fail."""
    paths = ["/api/mcp/customer/random", f"/api/mcp/customer/{some_customer(instance)}"]
    with Load(instance.port, paths, {"X-API-Key": instance.admin_key}, clients=4) as clients:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            assert search(instance)["count"] == 5
    assert clients.failures == []
    assert len(clients.latencies) > 50
    return statistics.median(clients.latencies)


def search(instance):
    answer = instance.post("/api/mcp/search", {"sort_by": "ltv_desc", "limit": 5})
    assert answer.status == 200, answer.body
    return answer.json()


def test_reads_go_on_while_both_are_down_and_all_heals_by_itself(served, own_postgres, own_redis):
    before, answers = load(served, 1.5), search(served)["customers"]
    own_postgres.kill()
    own_redis.kill()
    component(served, "database", "down")
    component(served, "cache", "down")
    during = load(served, 1.5)
    assert during < 3 * before + 0.002, f"median latency {during * 1e3:.2f} ms, before {before * 1e3:.2f} ms"
    assert search(served)["customers"] == answers
    body = health(served)
    assert body["status"] == "degraded" and body["reason"] == "dependency_down"
    assert body["data_status"]["data_source"] == "snapshot"
    assert served.get("/health/ready", key=None).json()["database"] == "down"
    # once per transition, for all processes together: the word of whoever noticed first
    served.wait_event("db_connection_failed", matching="Database connection failed")
    assert len(served.events("db_connection_failed")) == 1
    own_postgres.start()
    own_redis.start()
    component(served, "database", "healthy", timeout=5)
    component(served, "cache", "healthy", timeout=5)
    served.wait_event("db_recovered")
    assert health(served)["status"] == "healthy"


def test_boot_without_postgres_serves_the_last_population(served, own_postgres, own_redis):
    customer = some_customer(served)
    profile = served.get(f"/api/mcp/customer/{customer}").json()
    served.kill_everything()
    own_postgres.stop()
    own_redis.stop()
    began = time.monotonic()
    served.spawn()

    def answered():
        try:
            return served.get(f"/api/mcp/customer/{customer}", timeout=2)
        except OSError:
            return None
    answer = wait_until(answered, 2, "a profile")
    elapsed = time.monotonic() - began
    assert answer.status == 200 and answer.json() == profile
    assert elapsed < 2 * FACTOR, f"served after {elapsed:.2f} s"
    assert search(served)["total_matches"] > 0
    wait_until(lambda: health(served)["components"]["database"] == "down", 10, "database down")
    assert health(served)["status"] == "degraded"
    assert health(served)["data_status"]["customers_loaded"] > 0
    own_postgres.start()
    component(served, "database", "healthy", timeout=5)
