"""Runs that do not get on: ended in time, said so, the lock gone with them, the next one normal, readers untouched."""
import os
import signal

import pytest

from lib.disk import small_disk
from lib.patrond import Load
from lib.sales import Table, assert_facts_agree, run, shop, succeed, write
from lib.wait import FACTOR, wait_until

AS_OF = "2025-01-01"


@pytest.fixture
def synced(patrond_factory, source):
    """A server with two hundred orders loaded, and a change waiting in the source."""
    def make(url, **settings):
        write(source, shop(200))
        settings = {"DATABASE_URL": url, "SYNC_SOURCE": f"csv:{source}", "AS_OF_DATE": AS_OF, **settings}
        patrond = patrond_factory(**settings).start()
        succeed(patrond)
        patrond.wait_data(1)
        write(source, shop(200) + shop(20, seed=2, first_order=5000))
        return patrond
    return make


def last_error(patrond):
    return patrond.get("/admin/sync-status").json()["last_error"]


def test_run_without_progress_is_ended(synced, database, table):
    """The table is locked by somebody: that is no progress, and SYNC_STALL_TIMEOUT is the time for it."""
    patrond = synced(database, SYNC_STALL_TIMEOUT=max(2, int(FACTOR)))
    before = table.lines()
    holder = table.holder("LOCK TABLE combined_sales IN EXCLUSIVE MODE")
    try:
        with Load(patrond.port, ["/api/mcp/customer/random"], {"X-API-Key": patrond.admin_key}, clients=2) as load:
            result = run(patrond)
            load.wait_requests(50)
        assert not load.failures, load.failures[:3]
        assert result["status"] == "timeout" and "no progress for" in result["error"] and "merging" in result["error"]
        assert last_error(patrond)["reason"] == "timeout" and result["rows_read"] > 0
        patrond.wait_event("sync_failed", matching="reason=timeout phase=merging .*rows_read=[1-9]")
        wait_until(table.lock_is_free, 10, "the lock given back")
    finally:
        holder.close()
    assert table.lines() == before
    succeed(patrond)
    assert_facts_agree(table, AS_OF)


def test_long_statement_is_progress_until_the_deadline(synced, database, table):
    """PostgreSQL is at work all the time: the run goes on past SYNC_STALL_TIMEOUT, but not past SYNC_TIMEOUT."""
    patrond = synced(database, SYNC_STALL_TIMEOUT=1, SYNC_TIMEOUT=4)
    table.rows("CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(60); RETURN new; END'")
    table.rows("CREATE TRIGGER slow BEFORE INSERT ON combined_sales FOR EACH STATEMENT EXECUTE FUNCTION slow()")
    result = run(patrond)
    assert result["status"] == "timeout" and result["error"] == "Sync operation timed out after 4 seconds"
    assert result["duration_seconds"] >= 3.9
    wait_until(table.lock_is_free, 10, "the lock given back")
    table.rows("DROP TRIGGER slow ON combined_sales")
    succeed(patrond)
    assert_facts_agree(table, AS_OF)


@pytest.mark.parametrize("mode", ["incremental", "full"])
def test_killed_in_the_middle(synced, database, table, mode):
    """SIGKILL while the orders are being written: the old data stay whole, the next start says so, the next run repeats it."""
    patrond = synced(database)
    before = table.lines(), table.facts(), table.version()
    holder = table.holder("LOCK TABLE sync_state IN EXCLUSIVE MODE")  # behind the orders, before their commit
    try:
        run_id = patrond.post(f"/admin/sync-sales?mode={mode}").json()["run_id"]
        table.wait_blocked()
        os.kill(patrond.pids("sync_combined_sales")[0], signal.SIGKILL)
        line = patrond.wait_event("sync_failed", timeout=20, matching=f"run_id={run_id} ")
    finally:
        holder.close()
    assert "reason=died" in line and "phase=merging" in line and "the next run repeats it" in line
    assert table.rows("SELECT status, error_code FROM sync_runs WHERE run_id = %s", run_id) == [("failed", "died")]
    assert (table.lines(), table.facts(), table.version()) == before
    assert table.value("SELECT count(*) FROM pg_class WHERE relname LIKE 'combined_sales_next%%'") == 0
    succeed(patrond)
    assert table.value("SELECT count(DISTINCT order_id) FROM combined_sales") == 220
    assert_facts_agree(table, AS_OF)


def test_full_disk_of_the_database(synced, database, table):
    """PostgreSQL's 53100 is told as what it is; nothing is changed, and with room the next run works."""
    patrond = synced(database)
    before = table.lines(), table.facts()
    table.rows("CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE EXCEPTION"
               " 'could not extend file: No space left on device' USING ERRCODE = '53100'; END$$")
    table.rows("CREATE TRIGGER full_disk AFTER INSERT ON combined_sales FOR EACH STATEMENT EXECUTE FUNCTION full_disk()")
    result = run(patrond)
    assert result["status"] == "failed" and "No space left" in result["error"] and last_error(patrond)["reason"] == "disk"
    assert (table.lines(), table.facts()) == before
    table.rows("DROP TRIGGER full_disk ON combined_sales")
    succeed(patrond)
    assert_facts_agree(table, AS_OF)


def test_held_table_does_not_hold_up_the_start_for_ever(synced, database, table):
    """A sync process that starts while somebody holds its books says so after SYNC_FULL_TIMEOUT, and tries again."""
    patrond = synced(database, SYNC_FULL_TIMEOUT=max(2, int(FACTOR)))
    holder = table.holder("LOCK TABLE sync_runs IN ACCESS EXCLUSIVE MODE")
    try:
        os.kill(patrond.pids("sync_combined_sales")[0], signal.SIGKILL)
        patrond.wait_event("db_connection_failed", timeout=30, matching="the sync process can't prepare.*stopped while")
    finally:
        holder.close()
    wait_until(lambda: patrond.post("/admin/sync-sales?mode=dry-run").status == 202, 20, "a run taken")


def test_held_table_does_not_hold_up_the_next_day_for_ever(synced, database, table):
    """Scoring a new day between runs has SYNC_FULL_TIMEOUT; then it is told, and runs go on."""
    patrond = synced(database, SYNC_FULL_TIMEOUT=max(2, int(FACTOR)))
    holder = table.holder("LOCK TABLE customer_scores IN ACCESS EXCLUSIVE MODE")
    try:
        patrond.write_settings(AS_OF_DATE="2025-01-02")
        assert patrond.ctl("reload").returncode == 0
        patrond.wait_event("data_loading_failed", timeout=30, matching="could not be scored.*stopped while")
    finally:
        holder.close()
    succeed(patrond)
    assert table.rows("SELECT max(as_of)::text FROM data_versions") == [("2025-01-02",)]


def test_error_cut_within_a_character(synced, database, table):
    """What the run failed of is longer than its place in the books and is cut amid an umlaut: it is entered all the same."""
    patrond = synced(database)
    table.rows("CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE EXCEPTION"
               " '%', repeat(chr(252), 300); END$$")
    table.rows("CREATE TRIGGER refuse AFTER INSERT ON combined_sales FOR EACH STATEMENT EXECUTE FUNCTION refuse()")
    result = run(patrond)
    assert result["status"] == "failed" and "writing changed orders" in result["error"]
    assert table.rows("SELECT status, right(error, 2) FROM sync_runs WHERE run_id = %s", result["run_id"]) \
        == [("failed", "\u00fc?")]
    table.rows("DROP TRIGGER refuse ON combined_sales")
    succeed(patrond)


def test_full_disk_of_the_state_directory(synced, database):
    """The population can't be written: the one before stays in service, nothing half is left, and with room the next run ends it."""
    with small_disk(4) as disk:
        patrond = synced(database, STATE_DIR=disk.path)
        wait_until(lambda: disk.holds("slo_history"), 20, "the history of service levels to have its room")
        disk.fill(4096)
        result = run(patrond)
        assert result["status"] == "failed" and last_error(patrond)["reason"] == "disk", result
        assert patrond.get("/health", key=None).json()["data_status"]["data_version"] == 1
        assert sorted(p.name for p in disk.path.glob("population*")) == ["population-1.bin"]
        disk.make_room()
        succeed(patrond)
        patrond.wait_data(2)
        patrond.stop()


def test_database_that_hangs_in_a_run(synced, own_postgres):
    """A frozen PostgreSQL: the run ends, reads go on, and when it thaws the books are closed and the next run works."""
    table = Table(own_postgres.create_database())
    patrond = synced(table.url, SYNC_STALL_TIMEOUT=max(2, int(FACTOR)))
    holder = table.holder("LOCK TABLE combined_sales IN EXCLUSIVE MODE")
    run_id = patrond.post("/admin/sync-sales").json()["run_id"]
    table.wait_blocked()
    own_postgres.freeze()
    try:
        line = patrond.wait_event("sync_failed", timeout=20)
        assert "reason=timeout" in line and f"run_id={run_id} " in line
        assert patrond.get("/api/mcp/customer/random").status == 200
    finally:
        own_postgres.resume()
        holder.close()
    wait_until(lambda: table.value("SELECT status FROM sync_runs WHERE run_id = %s", run_id) == "timeout", 20, "the books closed")
    wait_until(lambda: patrond.ctl("sync", "--wait").returncode == 0, 30, "a run that succeeds")
    assert_facts_agree(table, AS_OF)


def test_ranges_and_limits_of_the_command(synced, database, table):
    patrond = synced(database)
    said = patrond.ctl("sync", "--dry-run", "--limit", "7", "--wait")
    assert said.returncode == 0 and " 7 rows read" in said.stdout, said
    said = patrond.ctl("sync", "--start", "2024-02-01", "--end", "2024-02-29", "--wait")
    days = table.rows("SELECT count(*) FROM combined_sales WHERE order_date >= '2024-02-01' AND order_date < '2024-03-01'")
    assert said.returncode == 0 and f" {days[0][0]} rows read" in said.stdout, (said, days)
    for wrong in (["--full", "--start", "2024-01-01"], ["--limit", "5"], ["--dry-run", "--limit", "0"], ["--start", "2024-13-01"],
                  ["--start", "2024-02-02", "--end", "2024-02-01"], ["--end"], ["--full", "--dry-run"]):
        assert patrond.ctl("sync", *wrong).returncode == 2, wrong
