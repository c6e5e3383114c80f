"""The plans of the workers' statements on a table of real size: one customer, order or key is found by an index."""
import json
import os
import pathlib
import subprocess

import psycopg2
import pytest

from lib.wait import FACTOR

TOP = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("PATROND_BUILD", TOP))
ROWS, CUSTOMERS = 1_200_000, 120_000

# Values for the parameters of each statement; a statement that is not here fails the test.
VALUES = {
    "customer_orders": [4243, "2030-01-01", "-infinity", "infinity", None, "infinity", 2**63 - 1, 50, 10001],
    "api_keys_version": [],
    "api_keys_all": [],
    "api_keys_list": [None],
    "api_key_get": [4711],
    "api_key_create": ["f" * 64, "pk_live_ab", "name", "read,admin", None, "cli", 365, None],
    "api_key_rotate": [4711, 60, "e" * 64, "pk_live_ab", "cli"],
    "api_key_revoke": [4711, None],
    "api_keys_used": ["{5,4711}", "{1,2}", "{1762158000000000,1762158000000001}"],
}
PRODUCTS = ["revenue_by_category", "category_popularity", "category_by_customer_segment", "category_trends",
            "category_repurchase_rate", "category_value_metrics", "product_bundles", "seasonal_product_performance",
            "individual_product_performance"]
VALUES.update({name: ["2023-01-01", "2024-01-01", "2023-01-01", None, None, None, "revenue", 100] for name in PRODUCTS})
# Statements that may scan: analyses over all customers, all keys, a table of one row.
VALUES["archetype_categories"] = ["{arch_15766796030}", "2023-01-01", "2024-01-01"]
WHOLE_PERIOD = {"archetype_categories", "api_keys_version", "api_keys_all", "api_keys_list", *PRODUCTS}


def statements():
    out = subprocess.run([str(BUILD / "tests/unit/sql_statements")], check=True, capture_output=True, text=True).stdout
    return json.loads(out)


@pytest.fixture(scope="module")
def large(postgres_server):
    postgres_server.ensure()
    connection = psycopg2.connect(postgres_server.create_database())
    connection.autocommit = True
    with connection.cursor() as cursor:
        for migration in sorted((TOP / "sql").glob("*.sql")):
            cursor.execute(migration.read_text())
        cursor.execute("""
            INSERT INTO combined_sales (order_id, order_number, customer_id, order_date, created_at, sku, product_id,
              product_name, variant_name, product_type, category, quantity, line_item_sales, line_item_discount,
              line_item_refunds, currency, sales_channel, fulfillment_status, financial_status, order_total, line_hash)
            SELECT o, o, 1 + o * 7919 %% %s, timestamp '2023-01-01' + o * interval '3 minutes',
              timestamp '2023-01-01' + o * interval '3 minutes', 'SKU-' || g * 31 %% 5000, g * 31 %% 5000,
              'Product ' || g * 31 %% 5000, 'Blue', 'Thing', 'Category ' || g %% 20, 1 + g %% 3, 10 + g %% 90, g %% 5,
              CASE WHEN g %% 17 = 0 THEN 5 ELSE 0 END, 'USD', 'web', 'fulfilled', 'paid', 50, 0
            FROM (SELECT g, g / 3 AS o FROM generate_series(1::bigint, %s) g) x""", (CUSTOMERS, ROWS))
        cursor.execute("""
            INSERT INTO api_keys (key_hash, key_prefix, name, scopes, expires_at)
            SELECT md5(g::text) || md5((-g)::text), 'pk_live_xy', 'key ' || g, '{read}', now() + interval '1 year'
            FROM generate_series(1, 20000) g""")
        cursor.execute("""
            INSERT INTO fact_customer_current (customer_id, store_id, archetype_l1_id, last_updated)
            SELECT g, 'default', 'arch_' || 15766796028 + g %% 50, now() FROM generate_series(1, %s) g""" % CUSTOMERS)
        cursor.execute("ANALYZE")
        cursor.execute("SET plan_cache_mode = force_generic_plan")  # what a prepared statement ends up with
    yield connection
    connection.close()


def nodes(plan):
    yield plan
    for below in plan.get("Plans", []):
        yield from nodes(below)


@pytest.mark.parametrize("statement", statements(), ids=lambda s: s["name"])
def test_plan(large, statement):
    with large.cursor() as cursor:
        cursor.execute(f"PREPARE {statement['name']} AS {statement['sql']}")
        values = VALUES[statement["name"]]
        assert len(values) == statement["params"]
        marks = ", ".join(["%s"] * len(values))
        for _ in range(2):
            cursor.execute("BEGIN")
            arguments = f"({marks})" if values else ""
            cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) EXECUTE {statement['name']} {arguments}", values)
            ((plan,),) = cursor.fetchone()
            cursor.execute("ROLLBACK")
    found = list(nodes(plan["Plan"]))
    assert plan["Plan"]["Actual Rows"] > 0 or plan["Plan"]["Node Type"] == "ModifyTable", "the question has an answer"
    if statement["name"] in WHOLE_PERIOD:
        return
    scans = [n for n in found if "Relation Name" in n and n["Node Type"] != "ModifyTable"]
    assert all(n["Node Type"] in ("Index Scan", "Index Only Scan", "Bitmap Heap Scan") for n in scans), found
    assert plan["Plan"]["Shared Hit Blocks"] + plan["Plan"]["Shared Read Blocks"] < 200
    assert plan["Execution Time"] < 20 * FACTOR
