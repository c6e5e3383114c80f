"""Answers kept in Redis: the same bytes, asked for once, gone with the data version, and never worse than none."""
import concurrent.futures
import re
import socket
import subprocess
import time

import pytest

from lib.sales import shop, write
from lib.wait import FACTOR, wait_until


def has_ipv6():
    with socket.socket(socket.AF_INET6) as s:
        try:
            s.bind(("::1", 0))
        except OSError:
            return False
    return True


class Shop:
    """A server on a Redis of its own; `orders` is a route that may be cached."""

    def __init__(self, patrond, redis, source):
        self.patrond, self.redis, self.source = patrond, redis, source

    def customers(self, n):
        found = self.patrond.post("/api/mcp/search", {"limit": n}).json()["customers"]
        return [c["customer_id"] for c in found]

    def orders(self, customer, query=""):
        return self.patrond.get(f"/api/mcp/customer/{customer}/orders{query}")

    def stats(self):
        return self.patrond.get("/admin/cache/stats").json()

    def statements(self):
        text = self.patrond.get("/metrics", key=None).body.decode()
        return sum(float(v) for v in re.findall(r'^db_query_duration_seconds_count\{[^}]*customer_orders[^}]*\} (\S+)', text, re.M))

    def command(self, *words):
        """One command over a socket; answers the raw reply."""
        with socket.create_connection(("127.0.0.1", self.redis.port), 5) as s:
            s.sendall(b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in words))
            s.settimeout(5)
            return s.recv(1 << 20)

    def keys(self):
        return re.findall(rb"patrond:[^\r]+", self.command(b"KEYS", b"patrond:*"))

    def wait_cached(self, customer, query="?limit=7"):
        """Until that answer comes from Redis: the workers are connected and the value has arrived."""
        def cached():
            self.orders(customer, query)
            before = self.statements()
            return all(self.orders(customer, query).status == 200 for _ in range(8)) and self.statements() == before
        wait_until(cached, 20, "an answer from the cache", every=0.1)


@pytest.fixture
def cached_shop(patrond_factory, database, own_redis, tmp_path):
    source = tmp_path / "sales.csv"
    write(source, shop(300))
    patrond = patrond_factory(DATABASE_URL=database, SYNC_SOURCE=f"csv:{source}", AS_OF_DATE="2025-01-01",
                              REDIS_URL=own_redis.url()).start()
    assert patrond.sync("full")["status"] == "success"
    patrond.wait_data()
    return Shop(patrond, own_redis, source)


def test_same_bytes_without_a_statement(cached_shop):
    customer = cached_shop.customers(1)[0]
    first = cached_shop.orders(customer, "?limit=7")
    cached_shop.wait_cached(customer)
    again = cached_shop.orders(customer, "?limit=7")
    assert again.body == first.body and again.headers["etag"] == first.headers["etag"]
    stats = cached_shop.stats()
    assert stats["connected"] and stats["hits"] >= 8 and stats["misses"] >= 1 and 0 < stats["hit_rate"] < 1
    assert cached_shop.orders(customer, "?limit=6").json()["filters_applied"]["limit"] == 6


def test_new_data_is_not_hidden(cached_shop):
    customer = cached_shop.customers(1)[0]
    cached_shop.wait_cached(customer)
    write(cached_shop.source, shop(310))
    version = cached_shop.patrond.sync("full")["data_version"]
    cached_shop.patrond.wait_data(version)
    assert cached_shop.orders(customer, "?limit=7").headers["x-data-version"] == str(version)
    prefixes = {k.rsplit(b":", 1)[0] for k in cached_shop.keys()}
    cached_shop.wait_cached(customer)
    assert {k.rsplit(b":", 1)[0] for k in cached_shop.keys()} > prefixes or len(prefixes) == 2


@pytest.mark.parametrize("damage", [b"", b"garbage", b"x" * 100_000])
def test_damaged_values_count_as_none(cached_shop, damage):
    customer = cached_shop.customers(1)[0]
    good = cached_shop.orders(customer, "?limit=7").body
    cached_shop.wait_cached(customer)
    for key in cached_shop.keys():
        assert cached_shop.command(b"SET", key, damage).startswith(b"+OK")
    answer = cached_shop.orders(customer, "?limit=7")
    assert answer.status == 200 and answer.body == good


def test_asked_for_once_at_a_time(cached_shop):
    """Many at once for the same answer: a statement a worker at the most, and all get it."""
    customer = cached_shop.customers(1)[0]
    before = cached_shop.statements()
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: cached_shop.orders(customer, "?limit=9"), range(64)))
    assert {a.status for a in answers} == {200} and len({a.body for a in answers}) == 1
    assert cached_shop.statements() - before < 32


def test_database_down_cached_answers_go_on(patrond_factory, own_postgres, own_redis, tmp_path):
    source = tmp_path / "sales.csv"
    write(source, shop(300))
    patrond = patrond_factory(DATABASE_URL=own_postgres.create_database(), SYNC_SOURCE=f"csv:{source}",
                              AS_OF_DATE="2025-01-01", REDIS_URL=own_redis.url()).start()
    assert patrond.sync("full")["status"] == "success"
    patrond.wait_data()
    here = Shop(patrond, own_redis, source)
    known, unknown = here.customers(2)
    here.wait_cached(known)
    own_postgres.kill()
    assert all(here.orders(known, "?limit=7").status == 200 for _ in range(20))
    wait_until(lambda: here.orders(unknown).status == 503, 10, "an answer that is not cached is refused")
    began = time.monotonic()
    answer = here.orders(unknown)
    assert answer.status == 503 and int(answer.headers["retry-after"]) >= 1
    assert time.monotonic() - began < 1 * FACTOR


@pytest.mark.parametrize("fault", ["freeze", "kill"])
def test_redis_gone_costs_next_to_nothing(cached_shop, fault):
    """F1, F2: every answer stays right; once the circuit is open nothing waits; it closes by itself."""
    customer = cached_shop.customers(1)[0]
    cached_shop.wait_cached(customer)
    good = cached_shop.orders(customer, "?limit=7").body
    getattr(cached_shop.redis, fault)()
    times = []
    for _ in range(30):
        began = time.monotonic()
        answer = cached_shop.orders(customer, "?limit=7")
        times.append(time.monotonic() - began)
        assert answer.status == 200 and answer.body == good
    cached_shop.patrond.wait_event("cache_down", 20)
    assert sorted(times)[len(times) // 2] < 0.05 * FACTOR, times
    assert max(times) < 1 * FACTOR, times
    assert cached_shop.patrond.get("/health", key=None).json()["components"]["cache"] == "down"
    if fault == "kill":
        cached_shop.redis.start()
    else:
        cached_shop.redis.resume()
    cached_shop.patrond.wait_event("cache_up", 20)
    cached_shop.wait_cached(customer)
    assert len(cached_shop.patrond.events("cache_down")) == 1


@pytest.mark.parametrize("place", ["redis://:{password}@[::1]:{port}/3", "unix://default:{password}@{socket}?db=3"])
def test_every_part_of_the_url(patrond_factory, database, own_redis, tmp_path, place):
    if "[::1]" in place and not has_ipv6():
        pytest.skip("no ::1 on this machine")
    source = tmp_path / "sales.csv"
    write(source, shop(50))
    here = Shop(None, own_redis, source)
    assert here.command(b"CONFIG", b"SET", b"requirepass", b"a@b:c/d%e").startswith(b"+OK")
    url = place.format(password="a%40b%3Ac%2Fd%25e", port=own_redis.port, socket=own_redis.socket)
    here.patrond = patrond_factory(DATABASE_URL=database, SYNC_SOURCE=f"csv:{source}", AS_OF_DATE="2025-01-01",
                                   REDIS_URL=url).start()
    assert here.patrond.sync("full")["status"] == "success"
    here.patrond.wait_data()
    here.wait_cached(here.customers(1)[0])
    assert here.stats()["connected"]
    checked = here.patrond.ctl("check", "redis")
    assert checked.returncode == 0, checked.stdout
    keyspace = subprocess.run(["redis-cli", "-s", own_redis.socket, "--no-auth-warning", "-a", "a@b:c/d%e", "info", "keyspace"],
                              capture_output=True, text=True, check=True).stdout
    assert re.findall(r"^db(\d+):", keyspace, re.M) == ["3"], keyspace
