"""F1, F2: Redis is killed, or hangs; while serving and at boot.

Users      the same answers, slower: a request waits at most 50 ms for Redis, and for nothing once the circuit is open.
Detection  `cache_down` and `cache_up` once per transition, component cache "down", `hit_rate` falls.
Recovery   the circuit opens after 3 failures, probes each second and closes by itself: 2 s.
"""
import re
import time

import pytest

from lib.patrond import Load
from lib.wait import FACTOR, wait_until
from lib.walk import running, shop

pytestmark = pytest.mark.drill

WAIT_S = 0.05  # REDIS_TIMEOUT_MS
SLACK_S = 0.15 * FACTOR  # a statement, and a busy machine


@pytest.fixture
def served(postgres_server, own_redis, tmp_path):
    with shop(postgres_server, tmp_path / "shop", customers=150, REDIS_URL=own_redis.url(), ACCESS_LOG="all") as instance:
        yield instance


def paths(instance):
    page = instance.post("/api/mcp/search", {"limit": 12}).json()["customers"]
    return [f"/api/mcp/customer/{c['customer_id']}/orders?limit=5" for c in page]


def stats(instance):
    return instance.get("/admin/cache/stats").json()


def wait_hits(instance, load, timeout=20):
    """Until answers come from Redis again; the seconds that took."""
    began, before = time.monotonic(), stats(instance)["hits"]
    wait_until(lambda: stats(instance)["hits"] > before + 20, timeout, "answers from Redis")
    return time.monotonic() - began


def durations(instance, since):
    """What the server says its order histories took, from that line of its log on."""
    lines = instance.lines[since:]
    return [float(re.search(r"duration_seconds=([\d.e-]+)", l)[1]) for l in lines
            if l.startswith("request_completed") and "/orders" in l]


@pytest.mark.parametrize("fault, back", [("kill", "start"), ("freeze", "resume")])
def test_redis_gone_and_back_under_load(served, own_redis, fault, back):
    asked = paths(served)
    answers = {p: served.get(p).body for p in asked}
    with Load(served.port, asked, {"X-API-Key": served.admin_key}, clients=6) as load:
        wait_hits(served, load)
        rate, since = stats(served)["hit_rate"], len(served.lines)
        getattr(own_redis, fault)()
        served.wait_event("cache_down", 10)
        load.wait_requests(150)
        wait_until(lambda: served.get("/health", key=None).json()["components"]["cache"] == "down", 10, "component cache down")
        assert {p: served.get(p).body for p in asked} == answers
        assert stats(served)["hit_rate"] < rate and not stats(served)["connected"]
        took = durations(served, since)
        getattr(own_redis, back)()
        served.wait_event("cache_up", 2 + 3)
        assert wait_hits(served, load) < 2 * FACTOR + 1
    assert load.failures == []
    assert max(took) < WAIT_S + SLACK_S, sorted(took)[-10:]
    late = [t for t in took if t > WAIT_S * 0.8]  # in flight when it went, and the three that open the circuit
    assert len(late) <= 6 * 2 + 2 * 3 + len(took) * 0.05, (len(late), len(took))
    assert (len(served.events("cache_down")), len(served.events("cache_up"))) == (1, 1) or FACTOR > 1
    wait_until(lambda: served.get("/health", key=None).json()["components"]["cache"] == "healthy", 10, "component cache healthy")


def test_boot_without_redis(postgres_server, own_redis, served, tmp_path):
    """It is missed once, and found when it comes."""
    own_redis.kill()
    settings = {**served.settings, "STATE_DIR": tmp_path / "state", "RUN_DIR": tmp_path / "run"}
    settings.pop("LISTEN"), settings.pop("SYNC_SOURCE")
    with running(tmp_path / "second", settings) as second:
        second.wait_data()
        asked = paths(second)
        with Load(second.port, asked, {"X-API-Key": second.admin_key}, clients=4) as load:
            second.wait_event("cache_down", 10)
            load.wait_requests(60)
            own_redis.start()
            second.wait_event("cache_up", 10)
            wait_hits(second, load)
        assert load.failures == [] and len(second.events("cache_down")) == 1
