"""A3: PostgreSQL accepts and then hangs: its processes are stopped, or something accepts in its place and says nothing.

Users      what the population answers goes on, no worker blocks; order histories get 503 and Retry-After, once it is known in
           less than a second.
Detection  `db_timeout` once; component database "down".
Recovery   deadlines for connecting and for statements; the query is cancelled and the connection discarded. 5 s.
"""
import concurrent.futures
import contextlib
import socket
import time

import pytest

from lib.drill import (all_answered, elapsed, field, health, healthy, median_s, orders, pool, reads, seconds_until, seen,
                       wait_component)
from lib.sales import Table
from lib.wait import FACTOR, wait_until
from lib.walk import shop

pytestmark = pytest.mark.drill

DEADLINE_S = 4.5 + 1.0 * FACTOR  # DB_STATEMENT_TIMEOUT and what is granted beyond it; connecting has less


@pytest.fixture
def served(own_postgres, tmp_path):
    with shop(own_postgres, tmp_path / "shop") as instance:
        yield instance


@contextlib.contextmanager
def silent(port):
    """Takes every connection and never says a word."""
    with socket.create_server(("127.0.0.1", port), backlog=1000):
        yield


def ask_all(served, paths):
    """Asks them at once; the longest time an answer took. All are refused."""
    with concurrent.futures.ThreadPoolExecutor(len(paths)) as many:
        answers = list(many.map(lambda path: elapsed(served.get, path), paths))
    assert all(a.status == 503 and int(a.headers["retry-after"]) >= 1 for a, _ in answers)
    return max(took for _, took in answers)


def wait_back(served, asked):
    """The seconds until everything is as before."""
    back = seconds_until(lambda: all_answered(served, asked), 5, "order histories again")
    return back + wait_component(served, "database", "healthy", 5 - back)


def hang_and_return(served, asked, hang, release):
    """Under load; (longest refusal at first, longest once it is known, seconds until database down, until all is back)."""
    with reads(served) as load:
        before = median_s(load)
        began = time.monotonic()
        hang()
        first = ask_all(served, asked)
        assert first < DEADLINE_S
        wait_component(served, "database", "down")
        noticed = time.monotonic() - began
        known = ask_all(served, asked)
        assert known < 1 * FACTOR
        assert median_s(load) < 3 * before + 0.002
        assert health(served)["status"] == "degraded"
        release()
        back = wait_back(served, asked)
    assert max(load.latencies) < 1 * FACTOR, "a worker was blocked"
    assert healthy(served)
    return load, first, known, noticed, back


def test_stopped_under_load_and_going_on(served, own_postgres, record_property):
    asked = orders(served, 20)
    assert all_answered(served, asked)  # connections are open
    load, first, known, noticed, back = hang_and_return(served, asked, own_postgres.freeze, own_postgres.resume)
    (line,) = served.events("db_timeout")
    assert field(line, "host") == "127.0.0.1" and not served.events("db_connection_failed")
    assert len(served.events("db_recovered")) == 1
    table = Table(served.settings["DATABASE_URL"])
    ours = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'patrond' AND datname = current_database()"
    wait_until(lambda: table.value(ours) == pool(served)["total_connections"], 5, "the connections given up, gone")
    assert table.value(ours + " AND state = 'active'") == 0
    seen(record_property, f"{load.good} population reads, 0 failed, the slowest {max(load.latencies) * 1e3:.0f} ms; order histories"
         f" 503 in {first:.1f} s, {known * 1e3:.0f} ms once it was known; database down after {noticed:.1f} s", back)


def test_accepts_and_says_nothing(served, own_postgres, record_property):
    """From the start on."""
    asked = orders(served, 20)
    served.kill_everything()
    own_postgres.stop()
    with contextlib.ExitStack() as port:
        port.enter_context(silent(own_postgres.port))
        served.start()

        def release():
            port.close()
            own_postgres.start()
        load, first, known, noticed, back = hang_and_return(served, asked, lambda: None, release)
    (line,) = served.events("db_timeout")
    assert field(line, "host") == "127.0.0.1" and field(line, "error")
    seen(record_property, f"{load.good} population reads, 0 failed, the slowest {max(load.latencies) * 1e3:.0f} ms; order histories"
         f" 503 in {first:.1f} s, {known * 1e3:.0f} ms once it was known; database down after {noticed:.1f} s", back)
