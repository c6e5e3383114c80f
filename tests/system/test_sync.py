"""The sync through the real binary: what goes in comes out, exactly once, and what is bad is told."""
import datetime
import gzip
import threading

import pytest

from lib.sales import Table, assert_facts_agree, counts, line, run, shop, succeed, write
from lib.wait import wait_until

AS_OF = "2025-01-01"


@pytest.fixture
def synced(patrond_factory, database, source):
    """A server that reads the CSV file `source`; nothing is synced yet."""
    def make(**settings):
        settings = {"DATABASE_URL": database, "SYNC_SOURCE": f"csv:{source}", "AS_OF_DATE": AS_OF, **settings}
        return patrond_factory(**settings).start()
    return make


def order_ids(table):
    return [r[0] for r in table.rows("SELECT DISTINCT order_id FROM combined_sales ORDER BY 1")]


# what goes in comes out


def test_missed_run_is_caught_up_by_itself(synced, source, table):
    """Nobody asks: a server without data reads the source because a run is due, and then waits for its hour."""
    write(source, shop(50))
    patrond = synced(ENABLE_SALES_SYNC="true")
    patrond.wait_event("sync_completed", 20)
    status = patrond.get("/admin/sync-status").json()
    assert [r["trigger"] for r in status["last_runs"]] == ["startup"]
    assert status["next_run_at"] > status["last_success_at"]


def test_daily_run_comes_in_its_hour(synced, source, table):
    """The last success is of yesterday: the run is due and comes by schedule, once."""
    write(source, shop(50))
    patrond = synced(ENABLE_SALES_SYNC="true")
    patrond.wait_event("sync_completed", 20)
    assert patrond.stop() == 0
    table.rows("UPDATE sync_runs SET started_at = started_at - interval '25 hours',"
               " finished_at = finished_at - interval '25 hours'")
    patrond.start()
    patrond.wait_event("sync_completed", 20, count=2)
    wait_until(lambda: len(patrond.get("/admin/sync-status").json()["last_runs"]) == 2, 10, "both runs shown")
    runs = patrond.get("/admin/sync-status").json()["last_runs"]
    assert [(r["trigger"], r["status"]) for r in runs] == [("schedule", "success"), ("startup", "success")]


def test_daily_run_comes_after_one_of_a_clock_that_was_ahead(synced, source, table):
    """The books say that a run succeeded next month: that does not keep the daily one from running, once."""
    write(source, shop(50))
    patrond = synced(ENABLE_SALES_SYNC="true")
    patrond.wait_event("sync_completed", 20)
    assert patrond.stop() == 0
    table.rows("UPDATE sync_runs SET started_at = started_at + interval '30 days',"
               " finished_at = finished_at + interval '30 days'")
    patrond.start()
    patrond.wait_event("sync_completed", 20, count=2)
    tomorrow = (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=1, minutes=1)).isoformat()
    status = wait_until(lambda: (s := patrond.get("/admin/sync-status").json()) and len(s["last_runs"]) == 2 and s,
                        10, "both runs shown")
    assert [(r["trigger"], r["status"]) for r in status["last_runs"]] == [("schedule", "success"), ("startup", "success")]
    assert status["last_success_at"] < status["next_run_at"] < tomorrow


def test_first_run_reads_everything(synced, source, table):
    rows = shop(400)
    write(source, rows)
    patrond = synced()
    result = succeed(patrond)
    assert counts(result) == (len(rows), len(rows), 0, 0, 0)
    assert table.value("SELECT count(*) FROM combined_sales") == len(rows)
    assert_facts_agree(table, AS_OF)
    assert result["customers_scored"] == table.value("SELECT count(*) FROM customer_facts")
    assert result["data_version"] == table.version() == 1
    patrond.wait_data(1)


@pytest.mark.parametrize("mode", ["full", "incremental"])
def test_again_changes_nothing(synced, source, table, mode):
    write(source, shop(400))
    patrond = synced()
    succeed(patrond, "full")
    before = table.lines(), table.facts(), table.rows("SELECT id, sync_timestamp FROM combined_sales ORDER BY id")
    result = succeed(patrond, mode)
    assert counts(result)[1:] == (0, 0, 0, 0)
    assert result["data_version"] is None and table.version() == 1
    after = table.lines(), table.facts(), table.rows("SELECT id, sync_timestamp FROM combined_sales ORDER BY id")
    assert before == after


def test_values_arrive_as_written(synced, source, table):
    """All thirty columns, awkward texts included; a day's calendar is computed where the file has none."""
    write(source, [line(1, 77, "2024-02-29 23:59:58.25", "1234567890123456.78", sku='quo"te', category="tab\there",
                        product_name="two\nlines, \\N and \\.", variant_name="naïve 刺繍 \U0001f9f5", product_type="\\",
                        order_number=9, created_at="2024-02-29T10:00:00Z", product_id=-5, quantity=-3,
                        line_item_discount="0.10", line_item_refunds="-7.5", currency="EUR", sales_channel="web",
                        latitude="52.52", longitude="-1e-3", fulfillment_status="", financial_status="paid",
                        order_total="5.", order_total_items=3)])
    patrond = synced()
    succeed(patrond)
    row = table.dicts("SELECT * FROM combined_sales")[0]
    expected = {"order_id": 1, "order_number": 9, "customer_id": 77, "sku": 'quo"te', "category": "tab\there",
                "product_name": "two\nlines, \\N and \\.", "variant_name": "naïve 刺繍 \U0001f9f5", "product_type": "\\",
                "product_id": -5, "quantity": -3, "currency": "EUR", "sales_channel": "web", "latitude": 52.52,
                "longitude": -0.001, "fulfillment_status": None, "financial_status": "paid", "order_total_items": 3,
                "order_date": datetime.datetime(2024, 2, 29, 23, 59, 58, 250000),
                "created_at": datetime.datetime(2024, 2, 29, 10, 0), "year": 2024, "quarter": 1, "month": 2,
                "month_name": "February", "week": 9, "day": 29, "week_day": "Thursday"}
    assert {k: row[k] for k in expected} == expected
    assert [str(row[k]) for k in ("line_item_sales", "line_item_discount", "line_item_refunds", "order_total")] == [
        "1234567890123456.78", "0.10", "-7.50", "5.00"]


def test_another_spelling_is_no_change(synced, source, table):
    """The same values written in another way are the same lines."""
    write(source, [line(1, 7, "2024-05-01", "5.00", latitude="1.50"), line(2, 8, "2024-05-02 10:00:00", "0.50")])
    patrond = synced()
    succeed(patrond)
    write(source, [line("+1", "07", "2024-05-01 00:00:00", "5", sku="S1", latitude="1.5"),
                   line("2", 8, "2024-05-02T10:00:00.000Z", "+.5000")])
    assert counts(succeed(patrond, "full"))[1:] == (0, 0, 0, 0)


def test_guests_are_kept_and_are_no_customers(synced, source, table):
    write(source, [line(1, None, "2024-05-01", "5.00"), line(2, 8, "2024-05-02", "7.00")])
    patrond = synced()
    result = succeed(patrond)
    assert counts(result)[:2] == (2, 2) and result["customers_scored"] == 1
    assert table.rows("SELECT order_id, customer_id FROM combined_sales ORDER BY 1") == [(1, None), (2, 8)]
    assert table.rows("SELECT customer_id FROM customer_facts") == [(8,)]


def test_directory_of_files(patrond_factory, database, table, tmp_path):
    """Plain and compressed files together; an order may be spread over them."""
    write(tmp_path / "b.csv", [line(2, 8, "2024-05-02"), line(3, 9, "2024-05-03", "x")])
    write(tmp_path / "a.csv", [line(1, 7, "2024-05-01"), line(2, 8, "2024-05-02", "4.00")])
    (tmp_path / "c.csv.gz").write_bytes(gzip.compress(b"order_date,order_id,quantity,line_item_sales\n2024-05-04,4,1,2\n"))
    (tmp_path / "readme.txt").write_text("not sales")
    patrond = patrond_factory(DATABASE_URL=database, SYNC_SOURCE=f"csv:{tmp_path}", AS_OF_DATE=AS_OF).start()
    assert counts(succeed(patrond)) == (5, 4, 0, 0, 1)
    assert table.rows("SELECT order_id, count(*) FROM combined_sales GROUP BY 1 ORDER BY 1") == [(1, 1), (2, 2), (4, 1)]
    assert table.rows("SELECT line_number, order_id, reason FROM sync_quarantine") == [
        (3, "3", "b.csv: line_item_sales is not a decimal number")]


# what is bad is told


BAD = [
    (line("", 1, "2024-05-01"), "order_id is empty"),
    (line("C12", 1, "2024-05-01"), "order_id is not a whole number"),
    (line(101, "1.5", "2024-05-01"), "customer_id is not a whole number"),
    (line(102, 1, ""), "order_date is empty"),
    (line(103, 1, "2024-02-30"), "order_date is not a date"),
    (line(104, 1, "2024-05-01", quantity="two"), "quantity is not a whole number"),
    (line(105, 1, "2024-05-01", "1.005"), "line_item_sales has more than two decimals"),
    (line(106, 1, "2024-05-01", "1,5"), "line_item_sales is not a decimal"),
    (line(107, 1, "2024-05-01", "12345678901234567"), "line_item_sales is too large"),
    (line(108, 1, "2024-05-01", sku="x" * 256), "sku is too long"),
    (line(109, 1, "2024-05-01", sku="a\0b"), "sku holds a NUL"),
    (line(110, 1, "2024-05-01", latitude="1e999"), "latitude is not a finite"),
    (line(111, 1, "2024-05-01", year="99999999999"), "year is out of range"),
]


def test_bad_rows_are_kept_aside_with_reasons(synced, source, table):
    good = [line(1, 7, "2024-05-01"), line(110, 7, "2024-05-01", latitude="1"), line(9, 7, "2024-05-02")]
    write(source, [good[0]] + [r for r, _ in BAD] + good[1:])
    with open(source, "ab") as f:
        f.write(b"55,1,2024-05-01,\xff\xfe,x,1,1,0,0,,\n")  # not UTF-8
        f.write(b"56,1,2024-05-01\n")  # fields missing
        f.write(b'57,1,2024-05-01,"stray,x,1,1,0,0,,\n')  # a quote never closed
        f.write(b"58,7,2024-05-03,s,x,1,1,0,0,,\n")
    patrond = synced()
    result = succeed(patrond)
    bad = len(BAD) + 3
    assert counts(result) == (bad + 4, 4, 0, 0, bad)
    assert order_ids(table) == [1, 9, 58, 110]
    kept = table.dicts('SELECT run_id, line_number, order_id, reason, "row" FROM sync_quarantine ORDER BY line_number')
    assert [k["line_number"] for k in kept] == [*range(3, 3 + len(BAD)), 5 + len(BAD), 6 + len(BAD), 7 + len(BAD)]
    for k, (row, reason) in zip(kept, BAD):
        assert reason in k["reason"], k
        assert (k["order_id"] or "") == str(row["order_id"]) and k["run_id"] == result["run_id"]
    assert kept[0]["row"]["order_date"] == "2024-05-01"
    assert [k["reason"] for k in kept[-3:]] == ["sku is not valid UTF-8", "wrong number of fields",
                                                "a quote that is never closed"]
    assert kept[-2]["row"]["raw"] == "56,1,2024-05-01"


def test_bad_line_does_not_take_its_order_along(synced, source, table):
    write(source, [line(1, 7, "2024-05-01", "2.00"), line(1, 7, "2024-05-01", "rubbish"), line(1, 7, "2024-05-01", "3.00")])
    patrond = synced()
    assert counts(succeed(patrond)) == (3, 2, 0, 0, 1)
    assert table.value("SELECT sum(line_item_sales) FROM combined_sales WHERE order_id = 1") == 5


def test_too_many_bad_rows_fail_the_run(synced, source, table):
    write(source, [line(1, 7, "2024-05-01")])
    patrond = synced(SYNC_MAX_BAD_ROWS=3)
    succeed(patrond)
    before = table.lines(), table.facts()
    write(source, [line(2, 7, "2024-05-02")] + [line(10 + i, 7, "2024-05-03", "bad") for i in range(4)])
    result = run(patrond, "full")
    assert result["status"] == "failed" and "SYNC_MAX_BAD_ROWS" in result["error"]
    assert patrond.get("/admin/sync-status").json()["last_error"]["reason"] == "validation"
    assert (table.lines(), table.facts()) == before
    assert table.value("SELECT count(*) FROM sync_quarantine WHERE run_id = %s", result["run_id"]) >= 3


@pytest.mark.parametrize("text, words, reason", [
    ("order_id,order_date,quantity\n1,2024-01-01,1\n", "no column line_item_sales", "validation"),
    ("order_id,order_date,quantity,line_item_sales,ORDER_ID\n", "twice the column order_id", "validation"),
    (None, "No such file", "source_connect"),
])
def test_unusable_sources_are_named(synced, source, table, text, words, reason):
    write(source, [line(1, 7, "2024-05-01")])
    patrond = synced()
    succeed(patrond)
    source.unlink()
    if text is not None:
        source.write_text(text)
    result = run(patrond, "full")
    assert result["status"] == "failed" and words in result["error"]
    assert patrond.get("/admin/sync-status").json()["last_error"]["reason"] == reason
    assert order_ids(table) == [1]
    patrond.wait_event("sync_failed", matching=f"reason={reason}")


def test_truncated_gzip_is_no_short_source(patrond_factory, database, table, tmp_path):
    rows = shop(2000)
    plain = write(tmp_path / "all.csv", rows).read_bytes()
    packed = tmp_path / "sales.csv.gz"
    packed.write_bytes(gzip.compress(plain))
    patrond = patrond_factory(DATABASE_URL=database, SYNC_SOURCE=f"csv:{packed}", AS_OF_DATE=AS_OF).start()
    succeed(patrond)
    before = table.lines()
    packed.write_bytes(gzip.compress(plain)[:-2000])
    result = run(patrond, "full")
    assert result["status"] == "failed" and "ends too early" in result["error"]
    assert table.lines() == before


def test_empty_source_does_not_empty_the_table(synced, source, table):
    write(source, shop(50))
    patrond = synced()
    succeed(patrond)
    before = table.lines()
    write(source, [])
    result = run(patrond, "full")
    assert result["status"] == "failed" and patrond.get("/admin/sync-status").json()["last_error"]["reason"] == "validation"
    assert table.lines() == before


# what changes in the source changes here


def test_changes_arrive_by_whole_orders(synced, source, table):
    rows = [line(i, i % 3 + 1, f"2024-06-{i:02}", sku=f"S{k}") for i in range(1, 21) for k in range(2)]
    write(source, rows)
    patrond = synced()
    succeed(patrond)
    rows = [r for r in rows if r["order_id"] != 20]  # an order is gone
    rows = [r for r in rows if not (r["order_id"] == 19 and r["sku"] == "S1")]  # one lost a line
    rows = [{**r, "line_item_refunds": "3.00"} if r["order_id"] == 5 else r for r in rows]  # one was refunded
    rows += [line(21, 9, "2024-06-30")]  # one is new
    rows += [line(7, 2, "2024-06-07", "1.00", sku="late")]  # one got a late line
    write(source, rows)
    result = succeed(patrond)
    assert counts(result)[1:] == (1, 1 + 2 + 3, 2, 0)
    got = table.rows("SELECT order_id, sku, line_item_refunds FROM combined_sales ORDER BY 1, 2")
    assert got == sorted((r["order_id"], r["sku"], float(r["line_item_refunds"])) for r in rows)
    assert_facts_agree(table, AS_OF)
    assert result["data_version"] == 2


def test_incremental_reads_its_window_and_days_that_differ(synced, source, table):
    """The window is SYNC_OVERLAP_DAYS before the newest order; before it only days whose totals differ are read."""
    rows = [line(1, 1, "2024-01-01"), line(2, 2, "2024-05-01"), line(3, 3, "2024-06-01"), line(5, 5, "2024-01-02")]
    write(source, rows)
    patrond = synced(SYNC_OVERLAP_DAYS=35)
    succeed(patrond)
    write(source, [line(1, 1, "2024-01-01", sku="other"), line(2, 2, "2024-05-01", "88.00"), rows[2], rows[3],
                   line(4, 4, "2024-06-02")])
    result = succeed(patrond)
    assert counts(result)[:4] == (3, 1, 1, 0)
    assert table.rows("SELECT order_id, line_item_sales FROM combined_sales ORDER BY 1") == [
        (1, 10), (2, 88), (3, 10), (4, 10), (5, 10)]
    assert counts(succeed(patrond, "full"))[1:4] == (0, 1, 0)  # another sku changes no total
    assert_facts_agree(table, AS_OF)


def test_far_future_order_does_not_blind_the_window(synced, source, table):
    """One order dated 2099 must not move the window to where nothing is."""
    write(source, [line(1, 1, "2024-06-01"), line(2, 2, "2099-12-31")])
    patrond = synced(AS_OF_DATE="")
    succeed(patrond)
    def today():
        return datetime.datetime.now(datetime.timezone.utc).date().isoformat()
    began = today()
    write(source, [line(1, 1, "2024-06-01"), line(2, 2, "2099-12-31"), line(3, 3, began)])
    succeed(patrond)
    assert order_ids(table) == [1, 2, 3]
    as_of = table.value("SELECT max(as_of)::text FROM data_versions")
    assert as_of in (began, today())
    assert_facts_agree(table, as_of)


def test_orders_across_the_edge_of_the_window(synced, source, table):
    """An order keeps its lines outside the window, and one that moved out of it is not lost."""
    rows = [line(1, 1, "2024-04-01"), line(2, 2, "2024-04-26", sku="old"), line(2, 2, "2024-04-28", sku="new"),
            line(3, 3, "2024-05-10"), line(4, 4, "2024-06-01")]
    write(source, rows)
    patrond = synced(SYNC_OVERLAP_DAYS=35)  # the window begins on 2024-04-27
    succeed(patrond)
    rows[2]["line_item_sales"] = "11.00"
    rows[3]["order_date"] = "2024-03-01"
    write(source, rows)
    result = succeed(patrond)
    assert counts(result)[3] == 0
    assert table.rows("SELECT order_id, order_date::date::text, line_item_sales FROM combined_sales ORDER BY 1, 2") == [
        (1, "2024-04-01", 10), (2, "2024-04-26", 10), (2, "2024-04-28", 11), (3, "2024-03-01", 10), (4, "2024-06-01", 10)]
    assert counts(succeed(patrond, "full"))[1:] == (0, 0, 0, 0)


def test_customer_of_an_order_changes(synced, source, table):
    """Both the old and the new customer are computed anew; who has no order left is gone."""
    write(source, [line(1, 1, "2024-06-01"), line(2, 2, "2024-06-01"), line(3, 2, "2024-06-02")])
    patrond = synced()
    succeed(patrond)
    write(source, [line(1, 2, "2024-06-01"), line(2, None, "2024-06-01"), line(3, 2, "2024-06-02")])
    succeed(patrond)
    assert table.rows("SELECT customer_id FROM customer_facts ORDER BY 1") == [(2,)]
    assert_facts_agree(table, AS_OF)


@pytest.mark.parametrize("mode", ["incremental", "full"])
def test_what_was_changed_in_the_table_is_put_right(synced, source, table, mode):
    """A line that somebody updated keeps the hash it came with: its amounts tell."""
    write(source, shop(100))
    patrond = synced()
    succeed(patrond, "full")
    before = table.lines()
    for change in ("line_item_sales = line_item_sales + 1", "line_item_refunds = 7", "quantity = NULL"):
        table.rows(f"UPDATE combined_sales SET {change} WHERE order_id = (SELECT min(order_id) FROM combined_sales)")
        assert table.lines() != before
        assert counts(succeed(patrond, mode))[2] > 0
        assert table.lines() == before


def test_ranges(synced, source, table):
    rows = [line(i, i, f"2024-{i:02}-15") for i in range(1, 13)]
    write(source, rows)
    patrond = synced()
    succeed(patrond)
    changed = [{**r, "line_item_sales": "77.00"} for r in rows if r["order_id"] != 3]
    write(source, changed)
    result = succeed(patrond, start_date="2024-02-01", end_date="2024-04-30")
    assert counts(result)[:4] == (2, 0, 2, 1)
    assert table.rows("SELECT order_id FROM combined_sales WHERE line_item_sales = 77 ORDER BY 1") == [(2,), (4,)]
    assert 3 not in order_ids(table)
    result = succeed(patrond)  # the range has not moved the window
    assert table.value("SELECT line_item_sales FROM combined_sales WHERE order_id = 12") == 77


def test_range_into_an_empty_table_does_not_hide_the_rest(synced, source, table):
    write(source, [line(i, i, f"2024-{i:02}-15") for i in range(1, 13)])
    patrond = synced()
    assert counts(succeed(patrond, start_date="2024-12-01"))[:2] == (1, 1)
    succeed(patrond)
    assert order_ids(table) == list(range(1, 13))


def test_dry_run_writes_nothing(synced, source, table):
    rows = shop(100)
    write(source, rows + [line(1, 1, "2024-05-01", "bad")])
    patrond = synced()
    result = succeed(patrond, "dry-run")
    assert counts(result) == (len(rows) + 1, 0, 0, 0, 1)
    assert result["data_version"] is None
    assert table.value("SELECT count(*) FROM combined_sales") == 0 and table.version() == 0
    assert counts(succeed(patrond, "dry-run", limit=7))[0] == 7
    assert table.value("SELECT count(*) FROM sync_quarantine") == 0


# as of a day


def test_as_of_day_moves(synced, source, table):
    write(source, shop(600, days=360))
    patrond = synced(AS_OF_DATE="2024-06-30")
    succeed(patrond)
    assert_facts_agree(table, "2024-06-30")
    everyone = table.value("SELECT count(DISTINCT customer_id) FROM combined_sales")
    assert table.value("SELECT count(*) FROM customer_facts") < everyone
    for version, day in enumerate(["2024-07-01", "2024-09-15", "2024-03-01", "2025-06-30"], 2):
        patrond.write_settings(AS_OF_DATE=day)
        assert patrond.ctl("reload").returncode == 0
        result = succeed(patrond)
        assert counts(result)[1:4] == (0, 0, 0) and result["data_version"] == version
        assert_facts_agree(table, day)
    assert table.value("SELECT count(*) FROM customer_facts") == everyone


def test_absurd_amounts_are_refused_not_wrapped(synced, source, table):
    """Each amount fits, a customer's sum does not: the run says whose, and the data served stay as they were."""
    write(source, shop(50))
    patrond = synced()
    succeed(patrond)
    write(source, shop(50) + [line(9000 + n, 77, "2024-12-01", "9999999999999999.99") for n in range(10)])
    result = run(patrond)
    assert result["status"] == "failed" and table.version() == 1
    assert result["error"] == "combined_sales: customer 77: the amounts do not fit in 64 bits of cents"
    write(source, shop(50))
    succeed(patrond)
    assert_facts_agree(table, AS_OF)


# readers and neighbours


def test_full_swap_keeps_what_others_made(synced, source, table):
    rows = shop(300)
    write(source, rows)
    patrond = synced()
    succeed(patrond)
    indexes = table.rows("SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 'combined_sales' ORDER BY 1")
    role = "reader_" + table.url.rsplit("/", 1)[1]
    table.rows(f"CREATE ROLE {role}")
    table.rows(f"GRANT SELECT ON combined_sales TO {role} WITH GRANT OPTION")
    try:
        oid = table.value("SELECT 'combined_sales'::regclass::oid")
        write(source, [{**r, "line_item_sales": "1.00"} for r in rows])
        succeed(patrond, "full")
        assert table.value("SELECT 'combined_sales'::regclass::oid") != oid
        assert table.value(f"SELECT has_table_privilege('{role}', 'combined_sales', 'SELECT WITH GRANT OPTION')")
        assert table.rows("SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 'combined_sales' ORDER BY 1") == indexes
        assert table.value("SELECT pg_get_serial_sequence('combined_sales', 'id')") == "public.combined_sales_id_seq"
        assert table.value("SELECT obj_description('combined_sales'::regclass)") is not None
        assert_facts_agree(table, AS_OF)
        write(source, [{**r, "line_item_sales": "2.00"} for r in rows])  # and once more
        assert counts(succeed(patrond, "full"))[1:4] == (0, len(rows), 0)
    finally:
        table.rows(f"DROP OWNED BY {role}")
        table.rows(f"DROP ROLE {role}")


@pytest.mark.parametrize("made", [
    "CREATE VIEW v AS SELECT order_id FROM combined_sales",
    "CREATE MATERIALIZED VIEW v AS SELECT order_id FROM combined_sales",
    "CREATE INDEX mine ON combined_sales (currency, year)",
    "CREATE PUBLICATION p FOR TABLE combined_sales",
    "CREATE FUNCTION f(combined_sales) RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "ALTER TABLE combined_sales ADD COLUMN theirs int DEFAULT 7",
    "ALTER TABLE combined_sales ENABLE ROW LEVEL SECURITY; CREATE POLICY mine ON combined_sales USING (true)",
    "GRANT SELECT (order_id) ON combined_sales TO pg_monitor",
    "ALTER TABLE combined_sales ALTER sku SET (n_distinct = 500)",
])
def test_full_run_beside_what_hangs_on_the_table(synced, source, table, made):
    """What a swap would lose or could not do is published in place, by orders."""
    def described():
        return table.rows("""SELECT 'i', indexdef FROM pg_indexes WHERE tablename = 'combined_sales'
            UNION SELECT 'v', definition FROM pg_views WHERE viewname = 'v'
            UNION SELECT 'm', definition FROM pg_matviews WHERE matviewname = 'v'
            UNION SELECT 'p', pubname || tablename FROM pg_publication_tables
            UNION SELECT 'f', proname FROM pg_proc WHERE proname = 'f'
            UNION SELECT 'y', policyname FROM pg_policies
            UNION SELECT 'g', attname || attacl::text FROM pg_attribute WHERE attrelid = 'combined_sales'::regclass AND attacl IS NOT NULL
            UNION SELECT 'o', attname FROM pg_attribute WHERE attrelid = 'combined_sales'::regclass
                AND array_to_string(attoptions, ',') LIKE '%n_distinct%'
            UNION SELECT 'c', attname FROM pg_attribute WHERE attrelid = 'combined_sales'::regclass AND attnum > 0""")
    rows = shop(200)
    write(source, rows)
    patrond = synced()
    succeed(patrond)
    table.rows(made)
    before = sorted(described())
    write(source, [{**r, "line_item_sales": "1.00"} for r in rows])
    assert counts(succeed(patrond, "full"))[1:4] == (0, len(rows), 0)
    assert sorted(described()) == before
    assert table.value("SELECT sum(line_item_sales) FROM combined_sales") == len(rows)
    assert_facts_agree(table, AS_OF)


@pytest.mark.parametrize("hangs_on_it", [False, True])
def test_full_run_into_an_emptied_table(synced, source, table, hangs_on_it):
    """Nothing is there to compare with; where a view keeps the table from being swapped, the lines come in place."""
    rows = shop(200)
    write(source, rows)
    patrond = synced()
    succeed(patrond)
    before = table.lines(), table.facts()
    if hangs_on_it:
        table.rows("CREATE VIEW v AS SELECT order_id FROM combined_sales")
    table.rows("TRUNCATE combined_sales")
    assert counts(succeed(patrond, "full"))[1:] == (len(rows), 0, 0, 0)
    assert (table.lines(), table.facts()) == before


def test_readers_see_old_or_new_never_between(synced, source, table):
    rows = shop(3000)
    write(source, [{**r, "line_item_sales": "1.00"} for r in rows])
    patrond = synced()
    succeed(patrond)
    seen, stop, problems = set(), threading.Event(), []

    def read():
        connection = table.connect()
        with connection.cursor() as cursor:
            while not stop.is_set():
                try:
                    cursor.execute("SELECT count(*), min(line_item_sales), max(line_item_sales) FROM combined_sales")
                    seen.add(cursor.fetchone())
                except Exception as e:  # pylint: disable=broad-except
                    problems.append(repr(e))
        connection.close()

    threads = [threading.Thread(target=read) for _ in range(2)]
    for t in threads:
        t.start()
    try:
        for sales in ("2.00", "3.00"):
            write(source, [{**r, "line_item_sales": sales} for r in rows])
            succeed(patrond, "full")
        write(source, [{**r, "line_item_sales": "4.00"} for r in rows])
        succeed(patrond, start_date="2023-01-01", end_date="2025-12-31")
    finally:
        stop.set()
        for t in threads:
            t.join()
    assert not problems
    assert seen <= {(len(rows), v, v) for v in (1, 2, 3, 4)}, seen


def test_reader_that_holds_the_table_does_not_stop_the_run(synced, source, table):
    """The swap waits for a short time only, then the run publishes in place."""
    rows = shop(200)
    write(source, rows)
    patrond = synced()
    succeed(patrond)
    write(source, [{**r, "line_item_sales": "1.00"} for r in rows])
    holder = table.holder("SELECT count(*) FROM combined_sales")
    try:
        assert counts(succeed(patrond, "full"))[2] == len(rows)
    finally:
        holder.close()
    assert table.value("SELECT sum(line_item_sales) FROM combined_sales") == len(rows)


def test_population_is_made_again_when_it_is_missing(synced, source, table):
    write(source, shop(100))
    patrond = synced()
    succeed(patrond)
    state = patrond.directory / "state"
    patrond.stop()
    for f in state.glob("population-*"):
        f.unlink()
    patrond.start()
    patrond.wait_data(1)
    assert list(state.glob("population-*.bin"))
    assert table.value("SELECT count(*) FROM sync_runs") == 1


def test_version_number_of_a_history_given_up(synced, source, table, postgres, database):
    """After a restore a number comes again: the file that a later, lost version left under it is not taken for the new one."""
    write(source, shop(100))
    patrond = synced()
    succeed(patrond)
    patrond.stop()
    restored = postgres.create_database(template=database.rsplit("/", 1)[1])
    patrond.start()
    write(source, shop(200))
    assert succeed(patrond, "full")["data_version"] == 2
    patrond.wait_data(2)
    patrond.stop()
    lost = patrond.directory / "state" / "population-2.bin"
    kept = lost.read_bytes()
    patrond.write_settings(DATABASE_URL=restored)
    patrond.start()
    wait_until(lambda: not lost.exists(), 20, "the lost version put away")
    lost.write_bytes(kept)
    write(source, shop(40))
    assert succeed(patrond, "full")["data_version"] == 2
    patrond.wait_data(2)
    customers = Table(restored).value("SELECT count(*) FROM fact_customer_current")
    assert patrond.get("/health", key=None).json()["data_status"]["customers_loaded"] == customers


def test_status_tells_of_the_table(synced, source, table):
    rows = shop(100) + [line(99999, None, "2024-12-31 10:00:00")]
    write(source, rows)
    patrond = synced()
    succeed(patrond)
    status = patrond.get("/admin/sync-status").json()
    assert status["row_count"] == len(rows) and status["status"] == "idle"
    assert status["latest_record"] == {"order_date": "2024-12-31T10:00:00Z", "order_id": "99999"}
    assert status["date_range"]["earliest"] == "2024-01-01T00:00:00Z"
    assert status["last_success_at"] is not None and len(status["last_runs"]) == 1
    patrond.stop()
    patrond.start()  # and remembers it
    wait_until(lambda: patrond.get("/admin/sync-status").json()["last_runs"], 10, "the runs of before shown")
    assert patrond.get("/admin/sync-status").json()["row_count"] == len(rows)
