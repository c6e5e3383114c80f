"""Several patronds on one database: one syncs, all serve what it published, none of the others touches the source."""
import os
import random

import pytest

from lib.patrond import Load
from lib.sales import line, shop, succeed, write
from lib.wait import wait_until

AS_OF = "2025-01-01"
ROUNDS = int(os.environ.get("PATROND_TEST_ROUNDS", "5"))


@pytest.fixture
def source(tmp_path):
    return write(tmp_path / "sales.csv", shop(200))


@pytest.fixture
def machine(patrond_factory, database):
    """make(source) -> a server of its own state on the shared database, not yet started; without source it only follows."""
    def make(source=None, **settings):
        if source is not None:
            settings["SYNC_SOURCE"] = f"csv:{source}"
        return patrond_factory(DATABASE_URL=database, AS_OF_DATE=AS_OF, WORKERS=1, **settings)
    return make


def served(patrond):
    """Data version and number of customers that the machine answers from."""
    answer = patrond.get("/health", key=None).json()["data_status"]
    return answer["data_version"], answer["customers_loaded"]


def wait_same(machines, version, timeout=20):
    wait_until(lambda: all(served(m)[0] == version for m in machines), timeout, f"version {version} served by all")
    assert len({served(m) for m in machines}) == 1


def test_followers_are_told(machine, source, table):
    """A publish reaches the others at once by the notification, with the data's age and the runs."""
    one, two, three = machines = [machine(source).start(), machine().start(), machine(source).start()]
    succeed(one)
    wait_same(machines, 1, timeout=10)
    write(source, shop(220))
    succeed(three)
    wait_same(machines, 2, timeout=10)
    for m in machines:
        wait_until(lambda m=m: len(m.get("/admin/sync-status").json()["last_runs"]) == 2, 10, "the runs of others shown")
        status = m.get("/admin/sync-status").json()
        assert status["row_count"] == table.value("SELECT count(*) FROM combined_sales")
        assert status["last_success_at"] is not None and not m.get("/health", key=None).json()["data_status"]["stale"]
    assert not two.events("sync_started") and len(one.events("sync_started")) == 1
    result = succeed(one)  # nothing new: no data version, but younger data everywhere
    assert result["data_version"] is None
    wait_until(lambda: two.get("/admin/sync-status").json()["last_success_at"] == result["finished_at"], 10, "the age of the data")


def test_lost_notification_is_made_up_for(machine, source, table):
    """A connection that died without a word: the follower connects again and looks."""
    one, two = machine(source).start(), machine().start()
    succeed(one)
    wait_same([one, two], 1)
    followers = " FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'patrond follow'"
    wait_until(lambda: table.value("SELECT count(*)" + followers) == 2, 10, "both connected")
    assert table.rows("SELECT pg_terminate_backend(pid)" + followers) == [(True,), (True,)]
    write(source, shop(220))
    succeed(one)
    wait_same([one, two], 2, timeout=45)


def test_machine_that_was_down_catches_up(machine, source):
    one, two = machine(source).start(), machine(source).start()
    succeed(one)
    wait_same([one, two], 1)
    two.stop()
    for n in (210, 220, 230):
        write(source, shop(n))
        succeed(one)
    source.rename(source.with_suffix(".away"))  # it needs the database alone
    two.start()
    wait_same([one, two], 4)
    assert len(list((two.directory / "state").glob("population-*.bin"))) <= 2


def test_started_together_one_syncs(machine, source, table):
    """Whoever comes first syncs; the other finds it done or under way, says so, and serves the same data."""
    dice = random.Random(7)
    machines = [machine(source, SYNC_ON_STARTUP="true"), machine(source, SYNC_ON_STARTUP="true")]
    for n in range(1, ROUNDS + 1):
        write(source, shop(200 + n))
        seen = [len(m.lines) for m in machines]
        order = dice.sample(machines, 2)
        for m in order:
            m.spawn()
        for m in order:
            m.wait_ready()
        wait_same(machines, n)
        assert table.rows("SELECT count(*), min(status), max(status) FROM sync_runs") == [(n, "success", "success")]
        said = [[l.split(":")[0] for l in m.lines[k:]] for m, k in zip(machines, seen)]
        assert sorted(s.count("sync_completed") for s in said) == [0, 1]
        for m in machines:
            m.stop()


def test_refused_start_says_who_runs(machine, source, table):
    """The other machine's run is named, in the answer and in the journal."""
    one, two = machine(source).start(), machine(source).start()
    succeed(one)
    write(source, shop(250))
    holder = table.holder("LOCK TABLE combined_sales IN EXCLUSIVE MODE")
    try:
        run_id = one.post("/admin/sync-sales?mode=full").json()["run_id"]
        table.wait_blocked()
        answer = two.post("/admin/sync-sales")
        assert answer.status == 409, answer.body
        error = answer.json()["error"]
        assert error["code"] == "SYNC_ALREADY_RUNNING"
        assert (error["details"]["run_id"], error["details"]["mode"]) == (run_id, "full") and error["details"]["started_at"]
        two.wait_event("sync_skipped", matching=rf"already running: run {run_id} \(full\), started 20.*Z by 127.0.0.1")
        asked = two.ctl("sync")
        assert asked.returncode == 1 and f"already running (run {run_id})" in asked.stderr
    finally:
        holder.close()
    assert one.wait_run(run_id)["status"] == "success"
    wait_same([one, two], 2)


def test_machine_that_dies_in_its_run_gives_the_lock_back(machine, source, table):
    """The other one syncs next and closes the books of the dead run."""
    one, two = machine(source).start(), machine(source).start()
    succeed(one)
    write(source, shop(250))
    holder = table.holder("LOCK TABLE combined_sales IN EXCLUSIVE MODE")
    try:
        run_id = one.post("/admin/sync-sales").json()["run_id"]
        table.wait_blocked()
        one.kill_everything()
        result = {}
        two.post("/admin/sync-sales")  # waits for the lock a moment, then for the table
        wait_until(lambda: table.value("SELECT status FROM sync_runs WHERE run_id = %s", run_id) == "failed", 20, "books closed")
    finally:
        holder.close()
    assert table.value("SELECT error_code FROM sync_runs WHERE run_id = %s", run_id) == "died"
    result = two.wait_run(run_id + 1)
    assert result["status"] == "success"
    one.start()
    wait_same([one, two], 2)


def test_reads_go_on_while_another_publishes(machine, source):
    """A follower swaps its population under load without a failed request."""
    one, two = machine(source).start(), machine().start()
    succeed(one)
    wait_same([one, two], 1)
    with Load(two.port, ["/api/mcp/customer/random"], {"X-API-Key": two.admin_key}, clients=4) as load:
        for version in (2, 3):
            write(source, shop(200 + 10 * version) + [line(1, 1, "2024-05-05", f"{version}.00")])
            succeed(one)
            wait_same([one, two], version)
            load.wait_requests(20)
    assert not load.failures, load.failures[:5]
