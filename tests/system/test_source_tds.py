"""SQL Server as the source, through the real binary and the stand-in: whole pages or nothing, and errors in words."""
import contextlib
import ctypes
import datetime
import os
import signal
import struct
import time
from decimal import Decimal

import pytest

from lib.sales import line, shop
from lib.servers import NO_HOST
from lib.tds import PAGE, SqlServer
from lib.wait import FACTOR, wait_until


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with SqlServer(tmp_path_factory.mktemp("tds")) as server:
        yield server


@pytest.fixture
def source(server):
    """The module's server, as it was made."""
    yield server
    server.clear()
    server.set(encryption="required", certificate="good", route=None)
    server.forget()


@pytest.fixture
def own_source(tmp_path):
    """One to take apart."""
    with SqlServer(tmp_path / "tds") as server:
        yield server


@pytest.fixture
def reading(patrond_factory, database):
    """A patrond that reads a source; nothing is synced yet."""
    def make(source, **settings):
        settings = {"SYNC_BATCH_ROWS": 100, "SYNC_FULL_TIMEOUT": 60, "SOURCE_CHECK_INTERVAL": 0, **settings}
        return patrond_factory(DATABASE_URL=database, **source.settings(**settings)).start()
    return make


@pytest.fixture
def unstarted(patrond_factory):
    """Settings for patronctl; no server runs, and there is no runtime directory."""
    return lambda source, **settings: patrond_factory(DATABASE_URL="postgresql://nobody@127.0.0.1:1/x",
                                                      **source.settings(**settings))


def check(patrond, **changes):
    """`patronctl check source`: exit status and what it says."""
    patrond.write_settings(**changes)
    done = patrond.ctl("check", "source")
    return done.returncode, done.stdout


@contextlib.contextmanager
def names_in(directory):
    """The set of names that appear in a directory meanwhile, however shortly; complete at the end."""
    libc, create, moved_to, header = ctypes.CDLL(None), 0x100, 0x80, struct.Struct("iIII")
    fd, names = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC), set()
    assert libc.inotify_add_watch(fd, os.fsencode(directory), create | moved_to) > 0
    try:
        yield names
        with contextlib.suppress(BlockingIOError):
            while events := os.read(fd, 65536):
                while events:
                    *_, size = header.unpack_from(events)
                    names.add(events[header.size:header.size + size].rstrip(b"\0").decode())
                    events = events[header.size + size:]
    finally:
        os.close(fd)


def retries(patrond):
    return [l for l in patrond.lines if "trying again in" in l]


# what goes in comes out

FULL_ROW = {
    "order_id": 9223372036854775807, "order_number": -1, "customer_id": 7, "order_date": "2024-02-29",
    "created_at": "2024-02-29 23:59:59.9999999", "year": 2024, "quarter": 1, "month": 2, "month_name": "Février", "week": 9,
    "day": 29, "week_day": "Thursday", "sku": "a\tb\\N\nc", "product_id": 5, "product_name": "🧵 刺繍 \u0000end", "variant_name": " x ",
    "product_type": "\\.", "category": "it's;--", "quantity": -2147483648, "line_item_sales": "-9999999999999999.99",
    "line_item_discount": "0.10", "line_item_refunds": "0.01", "currency": "EUR", "sales_channel": "é" * 255,
    "latitude": -0.1, "longitude": 179.99999999999997, "fulfillment_status": "x" * 100, "financial_status": "paid",
    "order_total": "12345678901234.50", "order_total_items": 3}


def test_every_value_arrives_as_it_is(source, reading, table):
    source.rows = [FULL_ROW, {"order_id": -5, "order_date": "0001-01-01", "quantity": 1, "line_item_sales": "1.00"}]
    run = reading(source).sync("full")
    assert (run["status"], run["rows_read"], run["rows_skipped"]) == ("success", 2, 0), run
    got, least = table.dicts("SELECT * FROM combined_sales ORDER BY order_id DESC")
    expected = dict(FULL_ROW, product_name="🧵 刺繍 end", order_date=datetime.datetime(2024, 2, 29),
                    created_at=datetime.datetime(2024, 2, 29, 23, 59, 59, 999999))  # cut to microseconds, never into tomorrow
    for name in [n for n in expected if "line_item" in n or n == "order_total"]:
        expected[name] = Decimal(expected[name])
    assert {name: got[name] for name in expected} == expected
    null = [n for n in FULL_ROW if n not in ("order_id", "order_date", "quantity", "line_item_sales")]
    assert [least[n] for n in null] == [None] * len(null)
    assert (least["order_id"], least["order_date"]) == (-5, datetime.datetime(1, 1, 1))


def test_what_is_no_text_is_told(source, reading, table):
    """A lone half of a surrogate pair has no UTF-8."""
    source.rows = [line(1, 7, "2024-01-01", product_name="a\ud800b", category="x\udc00")]
    patrond = reading(source)
    assert patrond.sync("full")["rows_skipped"] == 0
    assert table.rows("SELECT product_name, category FROM combined_sales") == [("a?b", "x?")]
    assert any("no valid text" in l for l in patrond.events("sync_progress"))


def test_other_types_of_the_same_values(own_source, reading, table):
    own_source.rows = [line(1000 + i, 7, f"2024-01-{1 + i // 40:02}", f"{i}.25", created_at="2024-01-01 10:20:30.997",
                            latitude=48.85) for i in range(400)]
    patrond = reading(own_source)
    patrond.sync("full")
    before = table.lines()
    for name, declared in (("line_item_sales", "money"), ("line_item_refunds", "smallmoney"), ("line_item_discount", "decimal(38,6)"),
                           ("order_date", "datetime"), ("created_at", "datetime"), ("order_id", "decimal(20,0)"),
                           ("customer_id", "int"), ("quantity", "smallint"), ("sku", "varchar(99)"), ("latitude", "decimal(9,6)"),
                           ("category", "nvarchar(max)")):
        own_source.retype_column(name, declared)
    assert patrond.sync("full")["status"] == "success"
    assert table.lines() == before
    own_source.retype_column("order_date", "smalldatetime")
    own_source.retype_column("created_at", "datetime2(3)")
    assert patrond.sync("full")["status"] == "success"
    assert table.lines() == before


# pages


def test_pages_end_between_orders(source, reading, table):
    """Orders that end with a page, fill one, and are larger than several."""
    sizes = [50, 49, 1, 1, 99, 100, 101, 350, 2, 100]
    source.rows = [line(10 + n, 7, "2024-01-01", f"{i}.00") for n, size in enumerate(sizes) for i in range(size)]
    patrond = reading(source)
    assert patrond.sync("full")["rows_read"] == sum(sizes)
    assert table.rows("SELECT count(*) FROM combined_sales GROUP BY order_id ORDER BY order_id") == [(s,) for s in sizes]
    pages = source.statements(PAGE)
    larger = next(i for i, p in enumerate(pages) if "TOP (400)" in p)
    assert any("TOP (100)" in p for p in pages[larger:])  # only for the order that needs it


def test_times_of_day_are_part_of_the_key(own_source, reading, table):
    own_source.retype_column("order_date", "datetime2(7)")
    own_source.rows = [line(i % 7, 7, f"2024-01-01 00:00:00.{i // 3:07}", f"{i}.00") for i in range(700)]
    run = reading(own_source).sync("full")
    assert run["rows_read"] == 700
    assert table.rows("SELECT count(*), count(DISTINCT line_item_sales) FROM combined_sales") == [(700, 700)]


def test_days_and_the_orders_on_them(own_source, reading, table):
    """A range of days takes whole orders, also their lines of other days; lines without a day are told, not lost."""
    rows = shop(200)
    rows += [line(1000, 7, "2024-12-31", "9.00"), dict(line(5, 7, "2024-01-01"), order_date=None)]
    own_source.retype_column("order_date", "date", nullable=True)
    own_source.rows = rows
    patrond = reading(own_source)
    answer = patrond.post("/admin/sync-sales?mode=incremental&start_date=2024-01-01&end_date=2024-01-31")
    run = patrond.wait_run(answer.json()["run_id"])
    assert (run["status"], run["rows_skipped"]) == ("success", 1)
    january = {r["order_id"] for r in rows if r["order_date"] and r["order_date"] < "2024-02-01"}
    expected = [(r["order_id"], Decimal(r["line_item_sales"])) for r in rows if r["order_id"] in january]
    assert sorted(table.rows("SELECT order_id, line_item_sales FROM combined_sales")) == sorted(expected)
    assert table.rows("SELECT order_id, reason FROM sync_quarantine") == [("5", "order_date is empty")]
    own_source.update({"order_id": [1000, 1001, 1002]}, {"quantity": None})
    patrond.write_settings(SYNC_MAX_BAD_ROWS=0)
    patrond.signal(signal.SIGHUP)
    patrond.wait_event("reloaded")
    run = patrond.sync("full")
    assert run["status"] == "failed" and "bad rows, the last one in order 100" in run["error"], run


def test_dry_run_reads_no_more_than_asked(source, reading):
    source.generate(500)
    patrond = reading(source)
    answer = patrond.post("/admin/sync-sales?mode=dry-run&limit=150&wait=true").json()
    assert (answer["status"], answer["run"]["status"]) == ("success", "success"), answer
    assert len(answer["sample_rows"]) == 3
    assert "150 rows" in answer["summary"]
    assert len(source.statements(PAGE)) == 2


# faults within answers


def test_a_failed_page_is_read_again(source, reading, table):
    """Each in a page of its own, all in one run; db-lib reports some as a normal end. More of them: test_source_faults."""
    source.generate(2000)
    patrond = reading(source)
    assert patrond.sync("full")["status"] == "success"
    before, faults = table.lines(), []
    for page, (kind, options) in enumerate([
            ("error", {"number": 1205, "row": 99}), ("error", {"number": 40613, "row": 50}), ("rst", {"row": 50}),
            ("count", {"by": -1}), ("duplicate", {"row": 3}), ("previous", {}), ("null", {"row": 3, "column": "order_id"})]):
        # Behind the pages before it: each of those is asked for twice, and only what does not fail counts as skipped.
        faults.append(source.fault(kind, sql=PAGE, skip=page + 1, **options))
    run = patrond.sync("full")
    assert (run["status"], run["rows_read"], run["error"]) == ("success", 2000, None)
    assert [f.hits() for f in faults] == [1] * len(faults)
    assert table.lines() == before
    assert len(retries(patrond)) >= len(faults) - 1  # 40613 is nothing to report at first


def test_what_does_not_pass_by_itself_ends_the_run(source, reading, table):
    source.generate(500)
    patrond = reading(source)
    patrond.sync("full")
    before = table.lines(), table.version()
    for number, reason, words in ((8134, "source_query", "Divide by zero"), (207, "validation", "schema: "),
                                  (229, "source_query", "GRANT SELECT")):
        source.fault("error", sql=PAGE, skip=2, row=50, number=number)
        run = patrond.sync("full")
        assert run["status"] == "failed" and words in run["error"], run
        event = patrond.wait_event("sync_failed", matching=words)
        assert f"reason={reason}" in event and f"SQL Server error {number}" in event
        assert (table.lines(), table.version()) == before and not retries(patrond)


def test_a_busy_server_is_asked_for_less(source, reading):
    source.generate(4000)
    patrond = reading(source, SYNC_BATCH_ROWS=400)
    source.fault("error", sql=PAGE, number=10928, times=1)
    assert patrond.sync("full")["rows_read"] == 4000
    assert "throttled: " in retries(patrond)[0]
    tops = [s.split(")")[0].split("(")[1] for s in source.statements(PAGE)]
    assert tops[:2] == ["400", "200"] and tops[-1] == "400", tops
    metrics = patrond.get("/metrics").body.decode()
    assert 'integration_errors_total{integration="azure_sql",error_type="throttled"} 1\n' in metrics
    assert 'integration_call_duration_seconds_count{integration="azure_sql",operation="login"} 2\n' in metrics
    assert "percent=100" in patrond.events("sync_progress")[-1]


def test_a_source_that_stops_sending(source, reading, table):
    """The run ends in time, the lock is free, readers notice nothing, the next run is a normal one."""
    source.generate(500)
    patrond = reading(source, SYNC_STALL_TIMEOUT=2)
    patrond.sync("full")
    patrond.wait_data(1)
    before = table.lines()
    for deaf in (False, True):
        hang = source.fault("hang", sql=PAGE, skip=2, row=50, deaf=deaf)
        began = time.monotonic()
        run_id = patrond.post("/admin/sync-sales?mode=full").json()["run_id"]
        hang.wait_waiting()
        assert patrond.get("/api/mcp/customer/random").status == 200
        run = patrond.wait_run(run_id)
        assert run["status"] == "timeout" and "no progress for 2 s while loading" in run["error"]
        assert time.monotonic() - began < 5 * FACTOR
        event = patrond.wait_event("sync_failed")
        assert 0 < run["rows_read"] <= 200 and f"rows_read={run['rows_read']} " in event and "reason=timeout" in event
        assert table.lines() == before
        source.clear()
    assert patrond.sync("full")["status"] == "success"


def test_a_stop_ends_the_wait_for_the_source(source, reading, table):
    source.generate(500)
    patrond = reading(source)
    patrond.sync("full")
    before = table.lines()
    hang = source.fault("hang", sql=PAGE, skip=2, row=50, deaf=True)
    run_id = patrond.post("/admin/sync-sales?mode=full").json()["run_id"]
    hang.wait_waiting()
    began = time.monotonic()
    os.kill(patrond.pids("sync_combined_sales")[0], signal.SIGTERM)
    assert patrond.wait_run(run_id)["status"] == "aborted"
    assert time.monotonic() - began < 3 * FACTOR and table.lines() == before
    wait_until(lambda: source.sessions() == 0, 5, "the session left")


# logins


def test_login_faults_that_pass(source, reading, table):
    source.generate(200)
    patrond = reading(source)
    source.fault("rst", at="login")
    source.fault("error", at="login", number=40613)
    assert patrond.sync("full")["rows_read"] == 200
    assert len(source.logins()) == 3
    assert table.value("SELECT count(*) FROM combined_sales") == 200


def test_a_source_that_is_down_ends_the_run_in_its_words(source, reading):
    """Tried again until there is no time left, and then it is the cause that is told, not the clock."""
    patrond = reading(source, AZURE_SQL_PORT=1, SYNC_FULL_TIMEOUT=3)
    run = patrond.sync("full")
    assert run["status"] == "failed" and "localhost:1 is not reachable" in run["error"], run
    event = patrond.wait_event("sync_failed")
    assert "Error connecting to Azure SQL" in event and "reason=source_connect" in event
    assert retries(patrond)


def test_a_refused_login_is_not_repeated(source, reading):
    patrond = reading(source, AZURE_SQL_PASSWORD="not the one")
    run = patrond.sync("full")
    assert run["status"] == "failed" and "AZURE_SQL_PASSWORD" in run["error"], run
    event = patrond.wait_event("sync_failed")
    assert "Error connecting to Azure SQL" in event and "Login failed for user 'reader'" in event
    assert "reason=source_auth" in event and not retries(patrond)
    assert len(source.logins()) == 1
    everything = "\n".join(patrond.lines)
    assert "not the one" not in everything


LOGIN_ERRORS = [
    (18456, "Login failed for user 'reader': check AZURE_SQL_USERNAME", "auth_failed"),
    (40615, "firewall: localhost:{port} does not let 203.0.113.7 in", "refused"),
    (4060, "no database sales on localhost:{port}", "refused"),
    (40532, "check AZURE_SQL_SERVER", "refused"),
    (40613, "database sales on localhost:{port} is not available", "refused"),
    (40501, "throttled: ", "refused"),
    (18487, "password has expired", "auth_failed"),
]


def test_what_the_check_says(source, unstarted):
    patrond = unstarted(source)
    status, text = check(patrond)
    assert status == 0 and "sqlserver: localhost" in text and "can be read" in text, text
    for number, words, kind in LOGIN_ERRORS:
        source.fault("error", at="login", number=number)
        status, text = check(patrond)
        assert status == 1 and words.format(port=source.port) in text and f"({kind})" in text, text
        source.clear()
    for changes, words in (({"AZURE_SQL_SERVER": NO_HOST}, f"name of {NO_HOST}:"),
                           ({"AZURE_SQL_SERVER": "tcp:localhost,1"}, "localhost:1 is not reachable"),
                           ({"AZURE_SQL_SERVER": "a]b"}, "AZURE_SQL_SERVER"),
                           ({"AZURE_SQL_SERVER": "localhost", "AZURE_SQL_DATABASE": "other"}, "no database other"),
                           ({"AZURE_SQL_DATABASE": "sales", "AZURE_SQL_VIEW": "dbo.nothing"}, "schema: there is no dbo.nothing"),
                           ({"AZURE_SQL_VIEW": "x; DROP TABLE y"}, "AZURE_SQL_VIEW"),
                           ({"AZURE_SQL_VIEW": "[dbo].[vw_combined_sales]", "AZURE_SQL_CA_FILE": "/no/such/file"}, "can't be read")):
        status, text = check(patrond, **changes)
        assert status == 1 and words in text, text
    status, text = check(patrond, AZURE_SQL_CA_FILE=source.ca_file, AZURE_SQL_SERVER=f"tcp:127.0.0.1,{source.port}", AZURE_SQL_PORT=1)
    assert status == 0, text


def test_the_health_board_says_so_too(source, reading):
    source.fault("error", at="login", number=18456, times=None)
    patrond = reading(source, SOURCE_CHECK_INTERVAL=300)
    event = patrond.wait_event("component_state_changed", matching="component=source")
    assert "Login failed for user 'reader'" in event and "error=auth_failed" in event


# encryption


def test_nothing_is_sent_without_encryption(source, unstarted):
    patrond = unstarted(source)
    for settings, good in (({"certificate": "untrusted"}, False), ({"certificate": "wronghost"}, False),
                           ({"certificate": "good", "encryption": "unsupported"}, False),
                           ({"encryption": "downgrade"}, False), ({"encryption": "off"}, True)):
        source.set(**settings)
        source.forget()
        status, text = check(patrond)
        assert (status == 0) == good, (settings, text)
        assert good or ("TLS refused: " in text and "(tls)" in text), text
        seen = [l for l in source.logins() if "user" in l]  # a login that was sent
        assert bool(seen) == (good or settings.get("encryption") == "downgrade"), seen
        assert all(l["encryption"] != "none" for l in seen)
    source.set(encryption="required")
    status, text = check(patrond, AZURE_SQL_CA_FILE="system")
    assert status == 1 and "TLS refused: " in text


def test_the_session_is_what_it_should_be(source, reading):
    source.generate(10)
    patrond = reading(source)
    with names_in(patrond.directory / "run") as names:
        assert patrond.sync("full")["status"] == "success"
    login, = source.logins()
    assert (login["encryption"], login["version"], login["server"], login["app"]) == ("session", "7.4", "localhost", "patrond")
    file = patrond.directory / "run" / "freetds.conf"
    assert file.stat().st_mode & 0o777 == 0o600
    assert f"[localhost]\n\thost = localhost\n\tport = {source.port}\n" in file.read_text()
    assert {n for n in names if "freetds" in n} == {"freetds.conf"}  # no other that a kill could leave behind
    assert source.sessions() == 0  # an open session would keep a serverless database awake


def test_the_environment_can_not_change_the_target(source, unstarted, tmp_path):
    patrond, dump = unstarted(source), tmp_path / "dump"
    clean = patrond.environment()
    patrond.environment = lambda: {**clean, "TDSPORT": "1", "TDSHOST": "127.0.0.2", "TDSVER": "5.0", "TDSDUMP": str(dump),
                                   "TDSDUMPCONFIG": str(dump), "FREETDSCONF": "/dev/null", "DSQUERY": "x", "TDSQUERY": "x"}
    status, text = check(patrond)
    assert status == 0, text
    assert not dump.exists()


def test_a_redirect_is_followed(own_source, reading, table):
    own_source.expect_problems()  # the library sends the bytes of its lost TLS session to the new place first
    own_source.generate(300)
    elsewhere = own_source.listen()
    own_source.set(route=("localhost", elsewhere.port))
    own_source.fault("fin", sql=PAGE, skip=1)
    patrond = reading(own_source, SYNC_STALL_TIMEOUT=9)
    assert patrond.sync("full")["status"] == "success"
    assert table.value("SELECT count(*) FROM combined_sales") == 300
    assert any(f"sends us to localhost:{elsewhere.port}" in l for l in patrond.events("sync_progress"))
    assert f"port = {elsewhere.port}" in (patrond.directory / "run" / "freetds.conf").read_text()
    elsewhere.set(certificate="untrusted")
    run = patrond.sync("full")
    assert run["status"] == "failed" and "TLS refused" in run["error"], run


# the view


def test_the_view_changes(own_source, reading, table):
    own_source.generate(300)
    patrond = reading(own_source)
    patrond.sync("full")
    before = table.lines()
    own_source.add_column("colour", "nvarchar(20)", "red", at=0)
    own_source.add_column("size", "int")
    own_source.rename_column("sku", "SKU")
    assert patrond.sync("full")["status"] == "success"
    assert any("not known and not read: colour, size" in l for l in patrond.events("sync_progress"))
    assert table.lines() == before
    for change, words in (
            (lambda: own_source.retype_column("quantity", "nvarchar(9)"), "column quantity is nvarchar(9), expected an integer"),
            (lambda: own_source.retype_column("order_total", "float"), "column order_total is float, expected a decimal or money"),
            (lambda: own_source.drop_column("SKU"), "it has no column sku"),
            (lambda: own_source.retype_column("created_at", "datetimeoffset(7)"), "column created_at is ")):
        change()
        run = patrond.sync("incremental")
        assert run["status"] == "failed" and words in run["error"].lower(), run
        assert "reason=validation" in patrond.wait_event("sync_failed", matching="schema: vw_Combined_Sales")
        assert table.lines() == before
        own_source.retype_column("quantity", "int")
        own_source.retype_column("order_total", "decimal(18,2)")
        if "sku" in words:
            own_source.add_column("sku", "nvarchar(255)")


def test_a_view_that_changes_while_it_is_read(own_source, reading, table):
    own_source.generate(300)
    patrond = reading(own_source)
    own_source.fault("do", sql=PAGE, skip=1, commands=[{"do": "retype_column", "name": "order_total", "declared": "nvarchar(30)"}])
    run = patrond.sync("full")
    assert run["status"] == "failed" and "order_total" in run["error"], run
    assert table.value("SELECT count(*) FROM combined_sales") == 0


# what changed later


def test_an_audit_finds_what_changed_at_any_age(source, reading, table):
    source.generate(1500, start="2023-01-01", days=700)
    patrond = reading(source)
    patrond.sync("full")
    first = 5_000_000_001
    source.update({"order_id": first + 3}, {"line_item_refunds": "3.07"})
    source.update({"order_id": first + 9}, {"financial_status": "Überwiesen"})
    source.update({"order_id": first + 20}, {"customer_id": None})
    source.delete({"order_id": [first + 30, first + 31]})
    source.add([line(first + 40, 7, "2023-03-01", "5.00")])
    run = patrond.sync("incremental")
    assert run["status"] == "success" and run["rows_deleted"] > 0 and run["rows_updated"] > 0, run
    found = table.lines()
    assert table.rows("SELECT count(*) FROM combined_sales WHERE order_id IN (%s, %s)", first + 30, first + 31) == [(0,)]
    assert patrond.sync("full")["status"] == "success"
    assert table.lines() == found
