"""F2: Redis hangs: it takes requests and does not answer.

Users      a request waits at most 50 ms (REDIS_TIMEOUT_MS) for it, and not at all once the circuit is open; the same answers.
Detection  `cache_down` and `cache_up` once per transition, component cache "down", hit_rate falls.
Recovery   the circuit closes by itself when Redis answers again: 2 s.
"""
import pytest

from lib.drill import asking, cache, cache_heals, durations, healthy, orders, seen, wait_component, wait_hits
from lib.wait import FACTOR
from lib.walk import shop

pytestmark = pytest.mark.drill

CLIENTS, WORKERS = 6, 2
WAIT_S = 0.05  # REDIS_TIMEOUT_MS
SLACK_S = 0.45 * FACTOR  # a statement, and a busy machine


@pytest.fixture
def served(postgres_server, own_redis, tmp_path):
    with shop(postgres_server, tmp_path / "shop", customers=150, REDIS_URL=own_redis.url(), ACCESS_LOG="all") as instance:
        yield instance


def test_frozen_under_load_and_back(served, own_redis, record_property):
    asked = orders(served, 12, "?limit=5")
    answers = {path: served.get(path).body for path in asked}
    with asking(served, asked, CLIENTS) as load:
        wait_hits(served)
        rate, since = cache(served)["hit_rate"], len(served.lines)
        own_redis.freeze()
        noticed = wait_component(served, "cache", "down")
        load.wait_requests(150)
        assert {path: served.get(path).body for path in asked} == answers
        gone = cache(served)
        assert gone["hit_rate"] < rate and not gone["connected"], gone
        took = durations(served.lines[since:], "/orders")
        own_redis.resume()
        back = cache_heals(served)
    assert healthy(served)
    assert max(took) < WAIT_S + SLACK_S, sorted(took)[-10:]
    late = [t for t in took if t > WAIT_S * 0.8]  # in flight when it hung, and in each worker the three that open the circuit
    assert len(late) <= CLIENTS * 2 + WORKERS * 3 + len(took) * 0.05, (len(late), len(took))
    seen(record_property, f"{load.good} order histories, the same, 0 failed; of {len(took)} while it hung {len(late)} waited for"
         f" it, the slowest took {max(took) * 1e3:.0f} ms; cache down after {noticed:.1f} s", back)
