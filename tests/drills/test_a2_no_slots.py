"""A2: PostgreSQL has no connection slot left ("remaining connection slots are reserved", 53300).

Users      what the population answers goes on; order histories get 503 and Retry-After in less than a second.
Detection  `db_connection_failed` once, sqlstate 53300, its cause naming max_connections against DB_POOL_SIZE + DB_MAX_OVERFLOW;
           component database "down".
Recovery   the pool shrinks and backs off: a few attempts, not a flood; it grows again at most 30 s after slots are free.
"""
import concurrent.futures
import contextlib
import time

import psycopg2
import pytest

from lib.drill import all_answered, elapsed, field, health, orders, pool, reads, seconds_until, seen, wait_component
from lib.sales import Table
from lib.servers import Postgres, private
from lib.wait import FACTOR, wait_until
from lib.walk import shop

pytestmark = pytest.mark.drill

SLOTS, RESERVED, SIZE, OVERFLOW = 24, 3, 6, 4


@pytest.fixture
def small_postgres():
    with private(Postgres, max_connections=SLOTS, superuser_reserved_connections=RESERVED) as server:
        yield server


@pytest.fixture
def served(small_postgres, tmp_path):
    """A shop that is an ordinary user of its database: what is reserved for superusers is not for it."""
    url = small_postgres.create_database()
    Table(url).rows(f"CREATE ROLE shop LOGIN; ALTER DATABASE {url.rsplit('/', 1)[1]} OWNER TO shop")
    with shop(small_postgres, tmp_path / "shop", customers=150, DATABASE_URL=url.replace("//patrond@", "//shop@"),
              DB_POOL_SIZE=SIZE, DB_MAX_OVERFLOW=OVERFLOW, DB_POOL_TIMEOUT=10, DB_STATEMENT_TIMEOUT=10) as instance:
        instance.table = Table(url)
        yield instance


def ask_while_slow(served, stack, done):
    """Statements stand still, and more of them are asked for, until it is done; (its value, the statuses)."""
    holder = served.table.holder("LOCK TABLE combined_sales")  # whoever reads it keeps his connection
    stack.callback(holder.close)
    path, answers, value, end = orders(served, 1)[0], [], None, time.monotonic() + 4 * FACTOR
    with concurrent.futures.ThreadPoolExecutor(100) as many:
        while not value and time.monotonic() < end:
            answers.append(many.submit(served.get, f"{path}?limit={len(answers) + 1}"))
            time.sleep(0.02)  # a connection that is silent for so long takes no more
            value = done()
        holder.rollback()
        return value, {a.result().status for a in answers}


def grows(served):
    """Does the pool open all its connections, and is everything answered?"""
    with contextlib.ExitStack() as stack:
        return ask_while_slow(served, stack, lambda: pool(served)["total_connections"] == SIZE + OVERFLOW) == (True, {200})


def take_all_slots(served, stack):
    """Other clients take what is free, and what the pool had: none of it is left."""
    cursor = stack.enter_context(contextlib.closing(served.table.connect())).cursor()
    held = []

    def all_taken():
        cursor.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'patrond%'")
        with contextlib.suppress(psycopg2.OperationalError):
            while True:
                held.append(stack.enter_context(contextlib.closing(psycopg2.connect(served.settings["DATABASE_URL"]))))
        return len(held) == SLOTS - RESERVED - 1  # and the cursor's
    wait_until(all_taken, 10, "every slot taken")


def slot_is_free(served):
    try:
        psycopg2.connect(served.settings["DATABASE_URL"], connect_timeout=5).close()
        return True
    except psycopg2.OperationalError:
        return False


def refusals(server):
    return (server.directory / "log").read_text(errors="replace").count("remaining connection slots are reserved")


def test_slots_taken_under_load_and_free_again(served, small_postgres, record_property):
    asked = orders(served, 20)
    assert grows(served)
    with reads(served, clients=3) as load, contextlib.ExitStack() as others:
        take_all_slots(served, others)
        began, before = time.monotonic(), refusals(small_postgres)
        noticed = wait_component(served, "database", "down")
        refused = [elapsed(served.get, path) for path in asked]
        assert all(a.status == 503 and int(a.headers["retry-after"]) >= 1 for a, _ in refused)
        slowest = max(took for _, took in refused)
        assert slowest < 1 * FACTOR
        wait_until(lambda: pool(served)["total_connections"] == 0, 5, "a pool that has shrunk")
        assert health(served)["status"] == "degraded"
        attempts, watched = refusals(small_postgres) - before, time.monotonic() - began
        assert 0 < attempts < 10 + 4 * watched, f"{attempts} attempts in {watched:.1f} s"
        others.close()
        back = seconds_until(lambda: all_answered(served, asked), 30, "order histories again")
        back += wait_component(served, "database", "healthy", 30 - back)
        back += seconds_until(lambda: grows(served), 30 - back, "all connections open again")
    (line,) = served.events("db_connection_failed")
    assert field(line, "sqlstate") == "53300" and "max_connections" in line
    assert "DB_POOL_SIZE + DB_MAX_OVERFLOW" in line and str(SIZE + OVERFLOW) in line
    assert len(served.events("db_recovered")) == 1
    seen(record_property, f"{load.good} population reads, 0 failed; {len(refused)} order histories 503 in {slowest * 1e3:.0f} ms at"
         f" most; database down after {noticed:.1f} s, the cause named; {attempts} attempts in {watched:.1f} s; all"
         f" {SIZE + OVERFLOW} connections open again", back)


def test_pool_that_is_larger_than_the_server_allows(served, small_postgres, record_property):
    """The pool itself is too large: it gives back what it does not need, and nothing fails."""
    asked = orders(served, 20)
    assert all_answered(served, asked)  # each worker has a connection
    with reads(served, clients=2) as load, contextlib.ExitStack() as others:
        for _ in range(SLOTS - RESERVED - SIZE):
            others.callback(psycopg2.connect(served.settings["DATABASE_URL"]).close)
        told, statuses = ask_while_slow(served, others, lambda: served.events("db_connection_failed"))
        assert told and statuses == {200}
        (line,) = told
        assert field(line, "sqlstate") == "53300" and "max_connections" in line
        back = seconds_until(lambda: served.events("db_recovered"), 15, "a slot for one more")
        back += seconds_until(lambda: slot_is_free(served), 10, "a slot for somebody else")
        back += wait_component(served, "database", "healthy", 10)
        assert all_answered(served, asked)
    seen(record_property, f"{SIZE + OVERFLOW} wanted of {SIZE - 1} slots: order histories wait, and none of them nor of {load.good}"
         f" population reads failed; it shrank, and the database healthy", back)
