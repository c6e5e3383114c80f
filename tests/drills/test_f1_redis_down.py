"""F1: Redis is killed while serving, or is not there at the start.

Users      slower, and the same answers.
Detection  `cache_down` and `cache_up` once per transition, component cache "down", hit_rate falls.
Recovery   the circuit opens after 3 failures, probes each second and closes by itself: 2 s.
"""
import pytest

from lib.drill import asking, cache, cache_heals, healthy, median_s, orders, seen, wait_component, wait_hits
from lib.patrond import running
from lib.walk import shop

pytestmark = pytest.mark.drill


@pytest.fixture
def served(postgres_server, own_redis, tmp_path):
    with shop(postgres_server, tmp_path / "shop", customers=150, REDIS_URL=own_redis.url()) as instance:
        yield instance


def test_killed_under_load_and_back(served, own_redis, record_property):
    asked = orders(served, 12, "?limit=5")
    answers = {path: served.get(path).body for path in asked}
    with asking(served, asked, clients=6) as load:
        wait_hits(served)
        before, rate = median_s(load), cache(served)["hit_rate"]
        own_redis.kill()
        noticed = wait_component(served, "cache", "down")
        during = median_s(load)
        assert {path: served.get(path).body for path in asked} == answers
        gone = cache(served)
        assert gone["hit_rate"] < rate and not gone["connected"] and gone["error"] == "refused", gone
        own_redis.start()
        back = cache_heals(served)
    assert healthy(served)
    seen(record_property, f"{load.good} order histories, the same, 0 failed, median {before * 1e3:.1f} ms with Redis and"
         f" {during * 1e3:.1f} ms without; hit rate {rate:.2f} -> {gone['hit_rate']:.2f}; cache down after {noticed:.1f} s", back)


def test_boot_without_redis(served, own_redis, tmp_path, record_property):
    """It is missed once, and found when it comes."""
    own_redis.kill()
    settings = {**served.settings, "STATE_DIR": tmp_path / "state", "RUN_DIR": tmp_path / "run"}
    del settings["LISTEN"], settings["SYNC_SOURCE"]
    with running(tmp_path / "second", settings) as second:
        second.wait_data()
        with asking(second, orders(second, 12)) as load:
            second.wait_event("cache_down", 10)
            wait_component(second, "cache", "down")
            load.wait_requests(60)
            own_redis.start()
            back = wait_hits(second, 2)
            second.wait_event("cache_up", 5)
        assert len(second.events("cache_down")) == 1
    seen(record_property, f"started without Redis, {load.good} order histories, 0 failed", back)
