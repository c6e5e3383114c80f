"""What drills share: load of which nothing may fail, the health board, times to recovery, and a record of what was seen.

A drill is named after its row of the runbook, breaks the real thing under load, and checks the row's columns: what users
see, what the operator is told, and how soon the server is well again without a person. Its opening comment is the row.
seen() writes down what there was to see and how long it took, so that `pytest --junitxml` gives the table of all rows.

    def test_something_breaks(served, record_property):
        with reads(served) as load:
            server.kill()
            wait_component(served, "database", "down")
            load.wait_requests(100)
            server.start()
            took = seconds_until(lambda: healthy(served), 5, "healthy again")
        seen(record_property, f"{load.good} reads, none failed", took)
"""
import contextlib
import json
import re
import statistics
import time

from lib.patrond import Load
from lib.wait import wait_until


def seen(record_property, text, seconds=None):
    """For the table of rows: what was seen; the longest of the times given is the row's."""
    record_property("seen", text)
    if seconds is not None:
        record_property("recovery_s", f"{seconds:.2f}")


# load

def customers(p, count=20):
    """Ids of some customers."""
    return [c["customer_id"] for c in p.post("/api/mcp/search", {"limit": count}).json()["customers"]]


def orders(p, count=20, query=""):
    """Paths of order histories: they need PostgreSQL, or Redis."""
    return [f"/api/mcp/customer/{c}/orders{query}" for c in customers(p, count)]


@contextlib.contextmanager
def asking(p, paths, clients=4, headers=None, pause_s=0):
    """Clients that ask these paths, as the operator unless headers say otherwise; at the end, not one may have failed. Yields
    the Load."""
    with Load(p.port, paths, headers or {"X-API-Key": p.admin_key}, clients, pause_s) as load:
        load.wait_requests(2 * clients)
        yield load
    assert load.good > 0 and load.failures == [], load.failures[:5]


def reads(p, clients=4):
    """The same of what the population answers: these need neither PostgreSQL nor Redis."""
    return asking(p, ["/api/mcp/customer/random", f"/api/mcp/customer/{customers(p, 1)[0]}", "/api/mcp/archetypes/top",
                      "/api/mcp/churn/aggregate"], clients)


def all_answered(p, paths, clients=8):
    """Are these answered with 200, by every worker? So many connections at once are shared by all of them."""
    with Load(p.port, paths, {"X-API-Key": p.admin_key}, clients) as load:
        load.wait_requests(3 * clients)
    return load.failures == []


def median_s(load, count=200, timeout=30):
    """Median latency of the next so many answers."""
    since = len(load.latencies)
    load.wait_requests(count, timeout)
    return statistics.median(load.latencies[since:])


# time

def seconds_until(condition, limit, what, every=0.02):
    """Waits until it is true, at most the row's limit; the seconds that took."""
    began = time.monotonic()
    wait_until(condition, limit, what, every)
    return time.monotonic() - began


def elapsed(function, *arguments, **options):
    """(its value, the seconds it took)"""
    began = time.monotonic()
    value = function(*arguments, **options)
    return value, time.monotonic() - began


# what the server says of itself

def health(p):
    answer = p.get("/health", key=None)
    assert answer.status == 200, answer.body
    return answer.json()


def component(p, name):
    return health(p)["components"][name]


def healthy(p):
    return health(p)["status"] == "healthy"


def wait_component(p, name, state, timeout=10):
    """The seconds until /health says so."""
    return seconds_until(lambda: component(p, name) == state, timeout, f"component {name} {state}")


def pool(p):
    return p.get("/admin/db/pool").json()


def cache(p):
    return p.get("/admin/cache/stats").json()


def field(line, name):
    """Value of a field of an event."""
    found = re.search(rf' {name}=("(?:[^"\\]|\\.)*"|\S+)', line)
    assert found, f"no {name} in: {line}"
    return json.loads(found[1]) if found[1].startswith('"') else found[1]


def durations(lines, words):
    """Seconds that the server says its answers took, of those lines of the access log that contain the words."""
    return [float(field(l, "duration_seconds")) for l in lines if l.startswith(("request_completed", "request_failed")) and words in l]


def wait_cached(p, path, timeout=20):
    """Until each worker has that answer from Redis; nobody else may ask for such answers meanwhile."""
    def all_hit():
        before = cache(p)["hits"]
        return all(p.get(path).status == 200 for _ in range(8)) and cache(p)["hits"] == before + 8
    wait_until(all_hit, timeout, "an answer from the cache", every=0.1)


def wait_hits(p, timeout=20):
    """The seconds until load is answered from Redis."""
    before = cache(p)["hits"]
    return seconds_until(lambda: cache(p)["hits"] > before + 20, timeout, "answers from Redis")


def cache_heals(p):
    """The seconds until Redis, which is there again, is used again; each transition was told once."""
    back = wait_hits(p, 2)
    wait_component(p, "cache", "healthy", 2)
    p.wait_event("cache_up", 5)
    assert (len(p.events("cache_down")), len(p.events("cache_up"))) == (1, 1)
    return back
