"""Order lines for the sync: CSV files with just the columns a test is about, and what PostgreSQL holds of them."""
import collections
import csv
import datetime
import pathlib
import random

import psycopg2
import psycopg2.extras

from lib.wait import wait_until

BASIC = ["order_id", "customer_id", "order_date", "sku", "category", "quantity", "line_item_sales", "line_item_discount",
         "line_item_refunds"]


def line(order_id, customer_id, order_date, sales="10.00", **more):
    """One line as a dict; what is not said is plausible."""
    row = {"order_id": order_id, "customer_id": "" if customer_id is None else customer_id, "order_date": order_date,
           "sku": f"S{order_id}", "category": "Wool", "quantity": 1, "line_item_sales": sales, "line_item_discount": "0.00",
           "line_item_refunds": "0.00"}
    row.update(more)
    return row


def write(path, rows, columns=None):
    """Replaces the file in one step, as a careful exporter does."""
    path = pathlib.Path(path)
    columns = columns or BASIC + sorted({k for r in rows for k in r} - set(BASIC))
    part = path.with_name(path.name + ".part")
    with open(part, "w", newline="") as f:
        out = csv.DictWriter(f, columns, restval="", lineterminator="\n")
        out.writeheader()
        out.writerows(rows)
    part.rename(path)
    return path


def shop(orders, customers=None, start=datetime.date(2024, 1, 1), days=365, seed=1, first_order=1000):
    """So many orders of one to four lines over some days, deterministic by the seed; a tenth are guests'."""
    dice, rows = random.Random(seed), []
    customers = customers or max(orders // 4, 1)
    for n in range(orders):
        day = start + datetime.timedelta(days=n * days // orders)
        customer = None if dice.random() < 0.1 else 5000 + dice.randrange(customers)
        for item in range(dice.randint(1, 4)):
            refund = "0.00" if dice.random() < 0.9 else f"{dice.randrange(1, 900) / 100:.2f}"
            rows.append(line(first_order + n, customer, day.isoformat(), f"{dice.randrange(0, 9000) / 100:.2f}",
                             sku=f"S{dice.randrange(200)}", category=dice.choice(["Wool", "Kits", "Books", ""]),
                             quantity=dice.randint(1, 5), line_item_refunds=refund,
                             line_item_discount=dice.choice(["0.00", "0.00", "1.50"])))
    return rows


def run(patrond, mode="incremental", **parameters):
    """Runs a sync to its end; answers its object."""
    query = "&".join(f"{k}={v}" for k, v in {"mode": mode, **parameters}.items())
    answer = patrond.post(f"/admin/sync-sales?{query}")
    assert answer.status == 202, answer.body
    return patrond.wait_run(answer.json()["run_id"])


def succeed(patrond, mode="incremental", **parameters):
    result = run(patrond, mode, **parameters)
    assert result["status"] == "success", (result, patrond.log_tail())
    return result


def counts(result):
    return tuple(result[f"rows_{k}"] for k in ("read", "inserted", "updated", "deleted", "skipped"))


class Table:
    """Queries on one database, each in its own connection so that nothing is held."""

    def __init__(self, url):
        self.url = url

    def connect(self):
        connection = psycopg2.connect(self.url, connect_timeout=5)
        connection.autocommit = True
        return connection

    def rows(self, sql, *values):
        connection = self.connect()
        try:
            with connection.cursor() as cursor:
                cursor.execute(sql, values or None)
                return cursor.fetchall() if cursor.description else []
        finally:
            connection.close()

    def value(self, sql, *values):
        return self.rows(sql, *values)[0][0]

    def dicts(self, sql, *values):
        connection = self.connect()
        try:
            with connection.cursor(cursor_factory=psycopg2.extras.RealDictCursor) as cursor:
                cursor.execute(sql, values or None)
                return [dict(r) for r in cursor.fetchall()]
        finally:
            connection.close()

    def holder(self, sql):
        """A connection that has run the statement in a transaction it does not end."""
        connection = psycopg2.connect(self.url)
        with connection.cursor() as cursor:
            cursor.execute(sql)
        return connection

    def waits_for_lock(self):
        return self.value("SELECT count(*) FROM pg_locks WHERE NOT granted AND database ="
                          " (SELECT oid FROM pg_database WHERE datname = current_database())") > 0

    def wait_blocked(self, timeout=30):
        wait_until(self.waits_for_lock, timeout, "a statement waiting for our lock")

    def lines(self):
        """What combined_sales holds, as a digest that does not depend on ids, order or times of syncing."""
        return self._digest("SELECT to_jsonb(c) - 'id' - 'sync_timestamp' FROM combined_sales c")

    def facts(self):
        """The same of everything computed from it."""
        return (self._digest("SELECT to_jsonb(c) FROM customer_facts c"),
                self._digest("SELECT to_jsonb(f) - 'last_updated' - 'created_at' - 'data_version'"
                             " FROM fact_customer_current f"))

    def _digest(self, sql):
        return self.rows(f"SELECT count(*), sum(hashtextextended(x.t::text, 0)::numeric),"
                         f" sum(hashtextextended(x.t::text, 1)::numeric) FROM ({sql}) x(t)")[0]

    def assert_holds(self, rows):
        """Exactly these lines (dicts, as write() takes them), each as often."""
        columns = "order_id::text, coalesce(customer_id::text, ''), order_date::date::text, sku, coalesce(category, ''), quantity::text"
        money = ", ".join(f"{c}::text" for c in BASIC[6:])
        found = collections.Counter(self.rows(f"SELECT {columns}, {money} FROM combined_sales"))
        expected = collections.Counter(tuple(str(r[c]) for c in BASIC) for r in rows)
        assert found == expected, (f"lacking {list((expected - found).items())[:3]}; too much"
                                   f" {list((found - expected).items())[:3]}")

    def lock_is_free(self):
        """The one that a sync run holds; looking does not take it away from the next."""
        return self.value("SELECT CASE WHEN pg_try_advisory_lock(7305147) THEN pg_advisory_unlock(7305147) ELSE false END")

    def version(self):
        return self.value("SELECT coalesce(max(data_version), 0) FROM data_versions")


# Facts of every customer straight from the lines, by the contract's definitions (CONTRACT 1.2).
FACTS_SQL = """
SELECT customer_id, round(sum(line_item_sales) * 100)::bigint AS gross, round(sum(abs(line_item_refunds)) * 100)::bigint
         AS refunds,
       count(DISTINCT order_id) AS orders, count(*) AS lines, min(order_date)::date - date '1970-01-01' AS first,
       max(order_date)::date - date '1970-01-01' AS last,
       count(DISTINCT order_id) FILTER (WHERE order_date::date > d.day - 90) AS orders_90,
       count(DISTINCT order_id) FILTER (WHERE order_date::date > d.day - 180 AND order_date::date <= d.day - 90)
         AS orders_prev_90
FROM (SELECT customer_id, order_id, order_date, coalesce(line_item_sales, 0) AS line_item_sales,
             coalesce(line_item_refunds, 0) AS line_item_refunds FROM combined_sales) l, (SELECT %s::date AS day) d
WHERE customer_id IS NOT NULL AND order_date < d.day + 1 GROUP BY customer_id, d.day
"""


def assert_facts_agree(table, as_of):
    """customer_facts and fact_customer_current say what SQL over combined_sales says, for every customer."""
    differing = table.rows(f"""
        WITH expected AS ({FACTS_SQL})
        SELECT coalesce(e.customer_id, f.customer_id), e, f FROM expected e FULL JOIN customer_facts f USING (customer_id)
        WHERE (e.gross, e.refunds, e.orders, e.lines, e.first, e.last, e.orders_90, e.orders_prev_90) IS DISTINCT FROM
              (f.gross_cents, f.refunds_cents, f.orders, f.lines, f.first_day, f.last_day, f.orders_90, f.orders_prev_90)
        LIMIT 5""", as_of)
    assert not differing, differing
    differing = table.rows(f"""
        WITH expected AS ({FACTS_SQL})
        SELECT coalesce(e.customer_id::text, f.customer_id), e, f
        FROM expected e FULL JOIN fact_customer_current f ON f.customer_id = e.customer_id::text
        WHERE (round(f.lifetime_value * 100)::bigint, f.total_orders, f.days_since_last_purchase, f.customer_tenure_days,
               round(f.gross_sales * 100)::bigint, round(f.refunds * 100)::bigint) IS DISTINCT FROM
              (e.gross - e.refunds, e.orders::int, %s::date - date '1970-01-01' - e.last,
               %s::date - date '1970-01-01' - e.first, e.gross, e.refunds)
           OR abs(f.avg_order_value - (e.gross - e.refunds) / 100.0 / e.orders) > 0.000001
           OR f.rfm_group IS NULL
        LIMIT 5""", as_of, as_of, as_of)
    assert not differing, differing
