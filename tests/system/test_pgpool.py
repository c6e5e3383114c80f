"""The PostgreSQL pool against real servers: correct, bounded, never blocking, and back by itself."""
import contextlib
import pathlib
import tempfile
import time

import psycopg2
import pytest

from lib.pgclient import PgClient
from lib.servers import NO_HOST, Postgres, private
from lib.wait import FACTOR, wait_until

PAUSE_MS = 300 * FACTOR  # a turn of the loop never takes longer, also on a busy machine
AT_ONCE_MS = 300 * FACTOR
SLOTS = 8  # of the small server


@pytest.fixture
def client():
    """client(url, **settings) -> PgClient; clients of one test share a scoreboard."""
    made = []
    with tempfile.TemporaryDirectory(prefix="patrond-pool-") as name:
        def make(url, **settings):
            made.append(PgClient(url, pathlib.Path(name), **settings))
            made[-1].stat()  # it is there, and so is the scoreboard
            return made[-1]
        yield make
        problems = [p for c in made for p in c.finish()]
        assert not problems, "\n".join(problems)


def backends(server, database):
    connection = server.connect()
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'patrond' AND datname = %s",
                       (database.rsplit("/", 1)[1],))
        count = cursor.fetchone()[0]
    connection.close()
    return count


def execute(url, sql):
    connection = psycopg2.connect(url, connect_timeout=5)
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute(sql)
        rows = cursor.fetchall() if cursor.description else None
    connection.close()
    return rows


def ask_until(client, order, key, timeout, every=0.05):
    """Repeats an order until it is answered with a count of `key`; the seconds that took."""
    start = time.monotonic()
    wait_until(lambda: client.ask(order)[key] > 0, timeout, f"{order}: {key}", every)
    return time.monotonic() - start


# ---- right answers ----

def test_ten_thousand_statements_over_one_connection(client, postgres, database):
    c = client(database)
    done = c.ask("run echo 10000 200", 60)
    assert (done["ok"], done["wrong"]) == (10000, 0), done
    assert backends(postgres, database) <= 2
    assert c.stat()["pause_ms"] < PAUSE_MS


def test_failures_stay_alone_in_their_batch(client, database):
    """Statements that share a batch with a failing one are answered all the same."""
    done = client(database).ask("run divide 1000 50", 60)
    assert (done["ok"], done["error"], done["wrong"]) == (900, 100, 0), done
    assert done["sqlstate"] == "22012"


def test_missing_table_is_an_error_until_it_exists(client, database):
    c = client(database)
    assert c.ask("run later 20 5")["sqlstate"] == "42P01"
    execute(database, "CREATE TABLE made_later (id bigint); INSERT INTO made_later SELECT generate_series(0, 19)")
    done = c.ask("run later 20 5")
    assert (done["ok"], done["rows"]) == (20, 20), done


def test_changed_columns_are_met_with_a_fresh_plan(client, database):
    c = client(database)
    execute(database, "CREATE TABLE made_later (id int); INSERT INTO made_later VALUES (0), (1)")
    assert c.ask("run later 2 1")["rows"] == 2
    execute(database, "ALTER TABLE made_later ALTER id TYPE bigint")
    done = c.ask("run later 2 1")
    assert (done["ok"], done["rows"]) == (2, 2), done


def test_large_results_arrive_and_absurd_ones_are_refused(client, database):
    c = client(database)
    assert c.ask("one wide 5000000")["ok"] == 1
    done = c.ask("one wide 50000000")
    assert (done["error"], done["sqlstate"]) == (1, ""), done
    assert c.ask("one echo 1")["ok"] == 1


def test_writes_are_whole_beside_failing_reads(client, database):
    """A write has its own transaction: no neighbour's failure takes it back."""
    execute(database, "CREATE TABLE written (id bigint)")
    c = client(database)
    orders = [c.send("run divide 200 20"), c.send("run write 100 10")]
    counts = [c.answer(o) for o in orders]
    assert sum(x["ok"] for x in counts) == 180 + 100, counts
    assert execute(database, "SELECT count(*), count(DISTINCT id) FROM written") == [(100, 100)]


# ---- slow ones ----

def test_slow_statement_holds_up_nobody(client, database):
    c = client(database)
    assert c.ask("one echo 1")["ok"] == 1
    slow = c.send("one nap 2")
    time.sleep(0.1)
    done = c.ask("run echo 500 10")
    assert done["ok"] == 500 and done["longest_ms"] < 500 * FACTOR, done
    assert c.stat()["open"] >= 2
    assert c.answer(slow)["ok"] == 1
    slow = c.events("slow_query")
    assert len(slow) == 1 and slow[0]["query_type"] == "nap" and slow[0]["row_count"] == 1
    assert 1900 < slow[0]["query_duration_ms"] < 2500 * FACTOR


def test_statement_timeout(client, database):
    c = client(database, DB_STATEMENT_TIMEOUT=1)
    done = c.ask("one nap 5")
    assert done["timeout"] == 1 and 900 < done["elapsed_ms"] < 1700 * FACTOR, done
    assert c.ask("one echo 1")["ok"] == 1
    assert c.stat()["open"] == 1, "the server ended the statement itself, so the connection stays"


def test_statements_behind_a_slow_one_are_not_run_for_ever(client, database):
    """Those skipped when the one in front was ended, again and again: past their time to wait they fail."""
    c = client(database, DB_POOL_SIZE=1, DB_MAX_OVERFLOW=0, DB_POOL_TIMEOUT=1, DB_STATEMENT_TIMEOUT=2)
    assert c.ask("one nap 0.01")["ok"] == 1
    done = c.ask("run nap 12 12 30")
    assert done["timeout"] == 12 and done["longest_ms"] < 3500 + 1000 * FACTOR, done
    assert c.ask("one echo 1")["ok"] == 1


def test_deadline_of_one_statement_and_cancel(client, postgres, database):
    c = client(database)
    assert c.ask("one echo 1")["ok"] == 1
    done = c.ask("one nap 3 300")
    assert done["timeout"] == 1 and done["elapsed_ms"] < 300 + 700 * FACTOR, done
    running = ("SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep($1%' AND state = 'active' "
               "AND pid <> pg_backend_pid()")
    wait_until(lambda: execute(database, running)[0][0] == 0, 3, "the server giving the late statement up")
    order = c.send("one nap 3.5")
    wait_until(lambda: execute(database, running)[0][0] > 0, 5, "the statement running")
    c.send("cancel")
    assert c.answer(order)["cancelled"] == 1
    start = time.monotonic()
    wait_until(lambda: execute(database, running)[0][0] == 0, 3, "the server giving the statement up")
    assert time.monotonic() - start < 2.5 * FACTOR
    assert c.ask("one echo 1")["ok"] == 1


# ---- bounds ----

def test_pool_exhausted(client, postgres, database):
    c = client(database, DB_POOL_SIZE=2, DB_MAX_OVERFLOW=1, DB_POOL_TIMEOUT=1, DB_STATEMENT_TIMEOUT=10)
    long = [c.send("one sleep 4") for _ in range(3)]
    wait_until(lambda: c.stat()["busy"] == 3, 5, "three busy connections")
    done = c.ask("one sleep 4")
    assert done["timeout"] == 1 and 900 < done["elapsed_ms"] < 1500 * FACTOR, done
    done = c.ask("one echo 1")
    assert done["timeout"] == 1, done
    assert backends(postgres, database) == 3
    (event,) = c.events("db_pool_exhausted")
    assert "QueuePool limit exceeded" in event["message"]
    assert (event["checked_out"], event["timeout"]) == (3, 1)
    assert all(c.answer(o)["ok"] == 1 for o in long)


def test_queue_is_bounded(client, database):
    c = client(database, DB_POOL_SIZE=1, DB_MAX_OVERFLOW=0, DB_POOL_TIMEOUT=1)
    done = c.ask("run sleep 1100 1100 0.01")
    assert done["refused"] == 100, done


def test_four_workers_share_the_bound_fairly(client, postgres, database):
    clients = [client(database, DB_POOL_SIZE=5, DB_MAX_OVERFLOW=1, DB_POOL_TIMEOUT=60) for _ in range(4)]
    first = clients[0].send("run sleep 40 20 0.5")
    wait_until(lambda: clients[0].stat()["open"] == 3, 5, "as many as leave one for each other worker")
    orders = [(c, c.send("run sleep 10 10 0.5")) for c in clients[1:]] + [(clients[0], first)]
    for c in clients[1:]:
        wait_until(lambda: c.stat()["open"] >= 1, 5, "a first connection for everybody")
    most = 0
    while clients[0].stat()["busy"] > 0:
        most = max(most, backends(postgres, database))
    assert most == 6, "the bound is used, and never passed"
    for c, order in orders:
        done = c.answer(order)
        assert done["timeout"] == done["unavailable"] == 0, done


def test_worker_with_many_gives_way(client, database):
    """A new generation gets its first connections although the old one had taken them all."""
    settings = {"DB_POOL_SIZE": 3, "DB_MAX_OVERFLOW": 0}
    old = client(database, **settings)
    busy = old.send("run sleep 60 10 0.2")
    wait_until(lambda: old.stat()["open"] == 3, 5, "all connections at one worker")
    new = client(database, **settings)
    done = new.ask("one echo 1")
    assert done["ok"] == 1 and done["elapsed_ms"] < 1500 * FACTOR, done
    assert old.answer(busy)["ok"] == 60


# ---- faults ----

def test_frozen_server_blocks_nothing(client, own_postgres):
    """The loop keeps its pace, every statement ends in time, and once that is known, at once."""
    c = client(own_postgres.url())
    assert c.ask("run echo 100 10")["ok"] == 100
    c.stat()
    own_postgres.freeze()
    try:
        orders = []
        end = time.monotonic() + 6 * FACTOR
        while time.monotonic() < end:
            orders.append(c.send("one echo 1"))
            time.sleep(0.1)
        stat = c.stat()
        assert stat["pause_ms"] < PAUSE_MS and not stat["up"], stat
        ended = [c.answer(o) for o in orders]
        assert all(x["timeout"] + x["unavailable"] == 1 for x in ended), ended
        assert max(x["longest_ms"] for x in ended) < 5000 * FACTOR
        done = c.ask("one echo 1")
        assert done["unavailable"] == 1 and done["elapsed_ms"] < AT_ONCE_MS, done
        assert [e["event"] for e in c.events()] == ["db_timeout"]
    finally:
        own_postgres.resume()
    assert ask_until(c, "one echo 1", "ok", 10) < 5.2 * FACTOR
    assert [e["event"] for e in c.events()] == ["db_timeout", "db_recovered"]


def test_killed_server_and_its_return(client, own_postgres):
    c = client(own_postgres.url())
    assert c.ask("run echo 100 10")["ok"] == 100
    order = c.send("run echo 1000000 50")
    wait_until(lambda: c.stat()["busy"] > 0, 5, "statements in flight")
    own_postgres.kill()
    done = c.answer(order)
    assert done["wrong"] == 0 and done["ok"] > 0 and done["unavailable"] > 0, done
    assert c.stat()["pause_ms"] < PAUSE_MS
    wait_until(lambda: not c.stat()["up"], 5, "the pool knowing that the server is gone")
    done = c.ask("one echo 1")
    assert done["unavailable"] == 1 and done["elapsed_ms"] < AT_ONCE_MS, done
    own_postgres.start()
    start = time.monotonic()
    ask_until(c, "one echo 1", "ok", 10)
    assert time.monotonic() - start < 5.2 * FACTOR
    assert [e["event"] for e in c.events()] == ["db_connection_failed", "db_recovered"]
    failed = c.events("db_connection_failed")[0]
    assert failed["level"] == "error" and "Database connection failed" in failed["message"]
    assert failed["host"] == "127.0.0.1" and failed["error"]


def test_terminated_backend_in_mid_flight(client, postgres, database):
    """Reads are run again over a new connection; nobody notices."""
    c = client(database)
    assert c.ask("one echo 1")["ok"] == 1
    order = c.send("run echo 40000 40")
    wait_until(lambda: c.stat()["busy"] > 0, 5, "statements in flight")
    assert execute(database, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'patrond' "
                             "AND datname = current_database()")
    done = c.answer(order, 60)
    assert (done["ok"], done["wrong"]) == (40000, 0), done
    assert c.events() == []


def test_terminated_write_is_not_repeated(client, database):
    c = client(database)
    order = c.send("one sleep 3")
    kill = ("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%pg_sleep($1%' "
            "AND datname = current_database() AND state = 'active' AND pid <> pg_backend_pid()")
    wait_until(lambda: execute(database, kill), 5, "the statement to kill")
    assert c.answer(order)["unavailable"] == 1


@pytest.fixture
def small_server():
    with private(Postgres, max_connections=SLOTS, superuser_reserved_connections=0) as server:
        yield server


@contextlib.contextmanager
def all_slots_taken(server):
    """Others have what is free, also of what somebody who has just gone is about to give back."""
    with contextlib.ExitStack() as stack:
        held = []

        def all_taken():
            with contextlib.suppress(psycopg2.OperationalError):
                while True:
                    held.append(stack.enter_context(contextlib.closing(psycopg2.connect(server.url(), connect_timeout=5))))
                    held[-1].autocommit = True
            with held[0].cursor() as cursor:
                cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'patrond'")
                return len(held) + cursor.fetchone()[0] == SLOTS
        wait_until(all_taken, 5, "every slot taken")
        yield


def test_too_many_connections(client, small_server):
    c = client(small_server.url())
    with all_slots_taken(small_server):
        done = c.ask("one echo 1")
        assert done["unavailable"] == 1 and done["elapsed_ms"] < 1000 * FACTOR, done
        (event,) = c.events("db_connection_failed")
        assert event["sqlstate"] == "53300"
        assert "max_connections" in event["message"] and "DB_POOL_SIZE + DB_MAX_OVERFLOW (50)" in event["message"]
    ask_until(c, "one echo 1", "ok", 10)
    assert len(c.events("db_connection_failed")) == 1 and len(c.events("db_recovered")) == 1


def open_connections(client, count):
    """So many statements at a time, and as many connections that wait for the next ones."""
    orders = [client.send("one sleep 0.5") for _ in range(count)]
    assert all(client.answer(o)["ok"] == 1 for o in orders)
    assert client.stat()["open"] == count


def test_slots_are_left_to_others(client, small_server):
    """With no slot left the pool gives back what it does not need, and keeps none of it for having tried."""
    c = client(small_server.url(), DB_STATEMENT_TIMEOUT=10)
    open_connections(c, 2)
    with all_slots_taken(small_server):
        orders = [c.send(f"one sleep {s}") for s in (2, 0.5, 0.1)]
        wait_until(lambda: c.events("db_connection_failed"), 5, "no slot for a third")
        assert all(c.answer(o)["ok"] == 1 for o in orders)
        wait_until(lambda: c.events("db_recovered"), 10, "a slot found free")
        wait_until(lambda: c.stat()["open"] == 1, 5, "a single connection")


def test_other_workers_give_back_too(client, small_server):
    """The one that meets the full server has nothing to spare."""
    c, other = client(small_server.url()), client(small_server.url())
    open_connections(other, 3)
    open_connections(c, 1)
    with all_slots_taken(small_server):
        long = [c.send("one sleep 1"), c.send("one sleep 0.1")]
        wait_until(lambda: c.events("db_connection_failed"), 5, "no slot for a second")
        wait_until(lambda: other.stat()["open"] == 1, 5, "a single connection")
        assert all(c.answer(o)["ok"] == 1 for o in long)
        wait_until(lambda: c.events("db_recovered"), 10, "a slot found free")


def test_wrong_user(client, own_postgres):
    c = client("postgresql://nobody:secret-9f@127.0.0.1:%d/postgres" % own_postgres.port)
    assert c.ask("one echo 1")["unavailable"] == 1
    (event,) = c.events("db_connection_failed")
    assert event["sqlstate"] == "28000" and "secret-9f" not in c.log_path.read_text()


def test_unknown_host(client):
    c = client(f"postgresql://patrond@{NO_HOST}:5432/postgres")
    assert c.ask("one echo 1")["unavailable"] == 1
    assert c.stat()["pause_ms"] < PAUSE_MS
    (event,) = c.events("db_connection_failed")
    assert event["host"] == NO_HOST and "no address" in event["error"]


def test_host_names_and_sockets(client, postgres, database):
    name = database.rsplit("/", 1)[1]
    assert client(postgres.url(name, "localhost")).ask("run echo 100 10")["ok"] == 100
    socket = "postgresql://patrond@/%s?host=%s&port=%d" % (name, postgres.directory, postgres.port)
    assert client(socket).ask("run echo 100 10")["ok"] == 100
    both = "postgresql://patrond@127.0.0.1:1,localhost:%d/%s" % (postgres.port, name)
    assert client(both).ask("run echo 100 10")["ok"] == 100
