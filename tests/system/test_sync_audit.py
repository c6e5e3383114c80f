"""The audit of an incremental run: what changed before its window is found by the day's totals, whatever its age."""
import random

import pytest

from lib.sales import assert_facts_agree, counts, line, run, shop, succeed, write

AS_OF = "2025-01-01"


@pytest.fixture
def synced(patrond_factory, database, source):
    def make(rows, **settings):
        write(source, rows)
        settings = {"DATABASE_URL": database, "SYNC_SOURCE": f"csv:{source}", "AS_OF_DATE": AS_OF, **settings}
        patrond = patrond_factory(**settings).start()
        succeed(patrond)
        return patrond
    return make


def audit(table, result):
    """Days compared, differing, unsettled of that run."""
    return table.rows("SELECT days_compared, days_differing, days_unsettled FROM sync_runs WHERE run_id = %s",
                      result["run_id"])[0]


def old_shop():
    """Forty old days of three orders with two lines each, and an order a year later."""
    rows = [line(100 + 3 * d + k, 500 + d, old_day(d), sku=f"S{k}{item}", product_id=7, financial_status="paid",
                 fulfillment_status="fulfilled")
            for d in range(40) for k in range(3) for item in range(2)]
    return rows + [line(1, 1, "2024-06-01")]


def old_day(d):
    return f"2023-{2 + d // 20:02}-{1 + d % 20:02} 10:00:00"


def edit(**changes):
    """The first line of the order is another one."""
    def apply(rows, order, _):
        at = next(i for i, r in enumerate(rows) if r["order_id"] == order)
        return rows[:at] + [{**rows[at], **changes}] + rows[at + 1:]
    return apply


def move(**changes):
    """All lines of the order are others."""
    return lambda rows, order, _: [{**r, **changes} if r["order_id"] == order else r for r in rows]


# Name: what happens to the first order of a day, further days that differ, lines inserted, updated, deleted.
CHANGES = {
    "late refund": (edit(line_item_refunds="3.00"), 0, (0, 2, 0)),
    "edited amount": (edit(line_item_sales="11.00"), 0, (0, 2, 0)),
    "edited quantity": (edit(quantity=4), 0, (0, 2, 0)),
    "edited discount": (edit(line_item_discount="0.01"), 0, (0, 2, 0)),
    "other payment status": (edit(financial_status="refunded"), 0, (0, 2, 0)),
    "other fulfilment": (edit(fulfillment_status="restocked"), 0, (0, 2, 0)),
    "no status any more": (edit(fulfillment_status=""), 0, (0, 2, 0)),
    "other customer": (edit(customer_id=777), 0, (0, 2, 0)),
    "a guest's now": (edit(customer_id=""), 0, (0, 2, 0)),
    "other product": (edit(product_id=8), 0, (0, 2, 0)),
    "late line": (lambda rows, order, day: rows + [line(order, 510, day, product_id=7)], 0, (0, 3, 0)),
    "late order": (lambda rows, order, day: rows + [line(order + 5000, 510, day)], 0, (1, 0, 0)),
    "order on a new day": (lambda rows, order, day: rows + [line(order + 5000, 510, "2021-02-11")], 0, (1, 0, 0)),
    "line gone": (lambda rows, order, day: [r for r in rows if (r["order_id"], r["sku"]) != (order, "S01")], 0, (0, 1, 0)),
    "order gone": (lambda rows, order, day: [r for r in rows if r["order_id"] != order], 0, (0, 0, 2)),
    "day gone": (lambda rows, order, day: [r for r in rows if not order <= r["order_id"] <= order + 2], 0, (0, 0, 6)),
    "order under another number": (lambda rows, order, day: move(order_id=order + 5000)(rows, order, day), 0, (2, 0, 2)),
    "order moved to a new day": (move(order_date="2022-02-02"), 1, (0, 2, 0)),
    "order moved into the window": (move(order_date="2024-06-01"), 0, (0, 2, 0)),
}


def test_every_change_of_an_old_order_is_found(synced, source, table):
    """Each change on an old day of its own; the run reads just the days that differ and reports them."""
    rows = before = old_shop()
    patrond = synced(rows)
    for d, (change, _, _) in enumerate(CHANGES.values()):
        rows = change(rows, 100 + 3 * d, old_day(d))
    write(source, rows)
    result = succeed(patrond)
    days = len(CHANGES) + sum(more for _, more, _ in CHANGES.values())
    assert audit(table, result)[1:] == (days, 0)
    assert counts(result)[1:4] == tuple(sum(c[2][k] for c in CHANGES.values()) for k in range(3))
    assert counts(result)[0] <= 7 * days + 3
    patrond.wait_event("sync_completed", matching=rf"run_id={result['run_id']} .*days_differing={days} days_unsettled=0")
    assert_facts_agree(table, AS_OF)
    assert counts(succeed(patrond, "full"))[1:4] == (0, 0, 0)
    write(source, before)  # and back again
    result = succeed(patrond)
    assert audit(table, result)[1:] == (days, 0)
    assert counts(succeed(patrond, "full"))[1:4] == (0, 0, 0)


def test_random_changes_at_any_age(synced, source, table):
    """However the source changes, an incremental run ends with exactly its orders."""
    dice, rows = random.Random(5), shop(400, days=700)
    patrond = synced(rows, SYNC_OVERLAP_DAYS=20)
    for _ in range(3):
        gone = set(dice.sample(sorted({r["order_id"] for r in rows}), 12))
        rows = [r for r in rows if r["order_id"] not in gone]
        for i in dice.sample(range(len(rows)), 40):
            rows[i] = {**rows[i], dice.choice(["line_item_sales", "line_item_refunds"]): f"{dice.randrange(9999) / 100:.2f}"}
        rows += shop(5, days=700, seed=dice.random(), first_order=dice.randrange(10 ** 6))
        dice.shuffle(rows)
        write(source, rows)
        succeed(patrond)
        assert counts(succeed(patrond, "full"))[1:4] == (0, 0, 0)
    assert_facts_agree(table, AS_OF)


def test_old_order_keeps_its_lines_on_other_days(synced, source, table):
    """An order on two old days is replaced as a whole although one of them is as it was."""
    rows = [line(1, 1, "2023-03-01", sku="a"), line(1, 1, "2023-03-09", sku="b"), line(2, 2, "2024-06-01")]
    patrond = synced(rows)
    rows[0]["line_item_sales"] = "12.00"
    write(source, rows)
    assert counts(succeed(patrond))[1:4] == (0, 2, 0)
    assert table.rows("SELECT sku, line_item_sales FROM combined_sales WHERE order_id = 1 ORDER BY 1") == [("a", 12), ("b", 10)]


def test_bad_lines_of_old_days_are_no_difference(synced, source, table):
    """A line that can't be used counts on neither side; when it becomes good, it is found."""
    rows = [line(1, 1, "2023-03-01"), line(2, 2, "2023-03-01", "bad"), line(3, 3, "2024-06-01")]
    patrond = synced(rows)
    result = succeed(patrond)
    assert audit(table, result)[1:] == (0, 0)
    rows[1]["line_item_sales"] = "1.00"
    write(source, rows)
    assert counts(succeed(patrond))[1:4] == (1, 0, 0)


def test_what_somebody_changed_here_is_put_right(synced, source, table):
    patrond = synced(old_shop())
    before = table.lines()
    table.rows("DELETE FROM combined_sales WHERE order_id = 133")
    table.rows("UPDATE combined_sales SET line_item_sales = 0, line_hash = 0 WHERE order_id = 139")
    table.rows("INSERT INTO combined_sales (order_id, customer_id, order_date, quantity, line_item_sales, line_hash)"
               " VALUES (9, 9, '2023-02-05', 1, 1, 1)")
    result = succeed(patrond)
    assert audit(table, result)[1:] == (3, 0)
    assert table.lines() == before


def test_days_that_stay_different_are_told(synced, source, table):
    """An edit by hand that left the line's hash and amounts alone is not seen by the comparison of orders, but by the audit."""
    patrond = synced(old_shop())
    table.rows("UPDATE combined_sales SET customer_id = 1 WHERE order_id = 139")
    result = succeed(patrond)
    assert audit(table, result)[1:] == (1, 1)
    patrond.wait_event("sync_progress", matching="1 days differ .* even when read again")


def test_ranged_runs_do_not_audit(synced, source, table):
    rows = old_shop()
    patrond = synced(rows)
    write(source, edit(line_item_sales="11.00")(rows, 130, None))
    result = succeed(patrond, start_date="2024-06-01")
    assert audit(table, result) == (0, 0, 0) and counts(result)[1:4] == (0, 0, 0)


# a source that lost its rows must not empty the table


@pytest.mark.parametrize("left", [0, 60])
def test_source_that_lost_its_rows_is_refused(synced, source, table, left):
    """Nothing is deleted, the run says why, and a full run is the way to say that the source is right."""
    rows = shop(300)
    patrond = synced(rows)
    before = table.lines()
    kept = [r for r in rows if r["order_id"] < 1000 + left]
    write(source, kept)
    for parameters in ({}, {"start_date": "2020-01-01"}):
        result = run(patrond, **parameters)
        assert result["status"] == "failed", result
        assert ("TRUNCATE" if left == 0 else "looks incomplete") in result["error"]
        assert patrond.get("/admin/sync-status").json()["last_error"]["reason"] == "validation"
        assert table.lines() == before
    result = run(patrond, "full")
    assert result["status"] == ("failed" if left == 0 else "success")
    assert table.lines()[0] == (before[0] if left == 0 else len(kept))
    if left > 0:
        assert_facts_agree(table, AS_OF)


def test_window_that_lost_its_rows_is_refused(synced, source, table):
    """The same when all of the loss is inside the window."""
    rows = shop(300, days=30)
    patrond = synced(rows)
    before = table.lines()
    write(source, [r for r in rows if r["order_id"] < 1050])
    assert "looks incomplete" in run(patrond)["error"]
    assert table.lines() == before
