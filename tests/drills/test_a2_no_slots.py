"""A2: PostgreSQL has no connection slot left ("remaining connection slots are reserved", 53300).

Users      what the population answers goes on; order histories get 503 and Retry-After in less than a second.
Detection  `db_connection_failed` once, sqlstate 53300, its cause naming max_connections against DB_POOL_SIZE + DB_MAX_OVERFLOW;
           component database "down".
Recovery   the pool shrinks and backs off: a few attempts, not a flood; it grows again at most 30 s after slots are free.
"""
import concurrent.futures
import contextlib
import os
import signal
import time

import psycopg2
import pytest

from lib.drill import all_answered, elapsed, field, health, orders, pool, reads, seconds_until, seen, wait_component
from lib.processes import alive
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


@contextlib.contextmanager
def standing_still(served):
    """For a moment the server takes no part in what others do."""
    pids = served.pids()[1:]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


def take_slots(served, stack, count):
    """Other clients take so many, of what is free and of what the pool had; the processes that serve them."""
    admin = stack.enter_context(contextlib.closing(served.table.connect()))
    cursor, held = admin.cursor(), [admin.get_backend_pid()]

    def taken():
        cursor.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'patrond%'")
        with contextlib.suppress(psycopg2.OperationalError):
            while len(held) < count:
                other = stack.enter_context(contextlib.closing(psycopg2.connect(served.settings["DATABASE_URL"])))
                held.append(other.get_backend_pid())
        return len(held) == count
    with standing_still(served):
        wait_until(taken, 10, f"{count} slots taken")
    return held


def give_back(server, stack, held):
    """All at once: nobody is let in before the last of them is free."""
    os.kill(server.pid(), signal.SIGSTOP)
    stack.close()
    wait_until(lambda: not any(map(alive, held)), 10, "the other clients gone")
    os.kill(server.pid(), signal.SIGCONT)


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
        held = take_slots(served, others, SLOTS - RESERVED)
        began, before = time.monotonic(), refusals(small_postgres)
        noticed = wait_component(served, "database", "down")
        refused = [elapsed(served.get, path) for path in asked]
        assert all(a.status == 503 and int(a.headers["retry-after"]) >= 1 for a, _ in refused)
        slowest = max(took for _, took in refused)
        assert slowest < 1 * FACTOR
        wait_until(lambda: pool(served)["total_connections"] == 0, 5, "a pool that has shrunk")
        assert health(served)["status"] == "degraded"
        wait_until(lambda: refusals(small_postgres) > before, 10, "another attempt")
        attempts, watched = refusals(small_postgres) - before, time.monotonic() - began
        assert attempts < 10 + 4 * watched, f"{attempts} attempts in {watched:.1f} s"
        give_back(small_postgres, others, held)
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
        take_slots(served, others, SLOTS - RESERVED - SIZE + 1)
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
