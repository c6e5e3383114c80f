"""Order history over HTTP against what the source holds, and while PostgreSQL is away."""
import csv
import time
from decimal import Decimal

import pytest

from lib.patrond import serving
from lib.wait import FACTOR, wait_until

COLUMNS = ["order_id", "order_number", "customer_id", "order_date", "created_at", "sku", "product_id", "product_name",
           "variant_name", "product_type", "category", "quantity", "line_item_sales", "line_item_discount",
           "line_item_refunds", "currency", "sales_channel", "fulfillment_status", "financial_status", "order_total"]
ORDER = {"title", "product_title", "variant_title", "sku", "category", "product_type", "vendor", "quantity", "sales", "discount",
         "refunds"}


def line(order, customer, date, **values):
    row = {"order_id": order, "order_number": order + 80000, "customer_id": customer, "order_date": date,
           "created_at": date, "sku": "TH-001", "product_id": 7, "product_name": "Cotton thread",
           "variant_name": "White", "product_type": "Thread", "category": "Thread", "quantity": 3,
           "line_item_sales": "18.69", "line_item_discount": "2.00", "line_item_refunds": "0.00", "currency": "USD",
           "sales_channel": "web", "fulfillment_status": "fulfilled", "financial_status": "paid", "order_total": "20.00"}
    row.update(values)
    return row


LINES = [
    line(1001, 11, "2025-01-31 09:00:00"),
    line(1002, 11, "2025-03-01 10:00:00", order_total=""),
    line(1002, 11, "2025-03-01 10:00:00", product_name="Needle 100%_sharp", variant_name="", sku="ND-9", category="Tools",
         product_type="", line_item_sales="5.00", line_item_discount="", line_item_refunds="-1.50", quantity=1, order_total=""),
    line(1003, 11, "2025-06-17 10:30:00", order_number="", currency="", fulfillment_status="", created_at="",
         product_name="Ölfarbe \\ \"blau\"", category="", line_item_sales="7.00"),
    line(1004, 11, "2025-06-17 10:30:00"),
    line(1005, 11, "2025-12-24 10:30:00"),  # after the as-of day
    line(1006, 12, "2025-05-05 05:05:05"),
] + [line(2000 + i, 13, f"2025-{1 + i // 28:02d}-{1 + i % 28:02d} 12:00:00", line_item_sales=f"{i}.00") for i in range(120)]


@pytest.fixture(scope="module")
def history(postgres_server, tmp_path_factory):
    directory = tmp_path_factory.mktemp("orders")
    path = directory / "sales.csv"
    with open(path, "w", newline="") as f:
        writer = csv.DictWriter(f, COLUMNS)
        writer.writeheader()
        writer.writerows(LINES)
    postgres_server.ensure()
    with serving(directory / "i", {"DATABASE_URL": postgres_server.create_database(), "SYNC_SOURCE": f"csv:{path}",
                                   "AS_OF_DATE": "2025-07-01", "DB_POOL_TIMEOUT": 2}) as instance:
        yield instance


def orders(instance, customer, query=""):
    answer = instance.get(f"/api/mcp/customer/{customer}/orders{query}")
    assert answer.status == 200, answer.body
    return answer.json()


def ids(answer):
    return [o["order_id"] for o in answer["orders"]]


def test_whole_history(history):
    a = orders(history, 11)
    assert ids(a) == ["1004", "1003", "1002", "1001"]
    assert (a["customer_id"], a["email"], a["name"]) == ("11", None, None)
    assert a["orders_returned"] == a["total_orders_returned"] == a["total_orders"] == 4
    net = Decimal("18.69") * 3 + Decimal("5.00") - Decimal("1.50") + Decimal("7.00")
    assert a["total_spent"] == str(net)
    assert a["estimated_lifetime_spent"] == str(Decimal("20.00") * 3 + Decimal("23.69"))
    assert a["next_cursor"] is None and a["as_of"] == "2025-07-01" and a["note"]
    assert a["filters_applied"] == {"limit": 50, "search_terms": None, "months_ago": None, "start_date": None,
                                    "end_date": None}


def test_orders_and_lines(history):
    by_id = {o["order_id"]: o for o in orders(history, 11)["orders"]}
    o = by_id["1002"]
    assert (o["order_number"], o["order_name"], o["order_date"]) == ("81002", "#81002", "2025-03-01")
    assert o["created_at"] == "2025-03-01T10:00:00Z" and o["total"] == "23.69", "without a total: the sum of the sales"
    assert (o["net_sales"], o["refunds"]) == (22.19, 1.5) and o["product_count"] == 2
    assert (o["currency"], o["sales_channel"], o["fulfillment_status"], o["financial_status"]) == ("USD", "web", "fulfilled",
                                                                                                   "paid")
    thread, needle = o["products"]
    assert set(thread) == ORDER and thread["title"] == thread["product_title"] == "Cotton thread"
    assert (thread["quantity"], thread["sales"], thread["discount"], thread["refunds"]) == (3, 18.69, 2.0, 0.0)
    assert (needle["variant_title"], needle["product_type"], needle["vendor"]) == (None, None, None)
    assert (needle["discount"], needle["refunds"]) == (0.0, 1.5)
    o = by_id["1003"]
    assert (o["order_number"], o["order_name"]) == ("1003", "#1003"), "without a number: the id"
    assert (o["created_at"], o["currency"], o["fulfillment_status"]) == (None, None, None)
    assert o["products"][0]["title"] == "Ölfarbe \\ \"blau\"" and o["total"] == "20.00"


def test_search_terms(history):
    a = orders(history, 11, "?search_terms=NEEDLE")
    assert ids(a) == ["1002"] and a["filters_applied"]["search_terms"] == ["NEEDLE"]
    (o,) = a["orders"]
    assert o["product_count"] == 1 and o["net_sales"] == 22.19, "money is over all lines"
    assert ids(orders(history, 11, "?search_terms=nd-9,%20no%20such")) == ["1002"]
    assert ids(orders(history, 11, "?search_terms=tools")) == ["1002"]
    assert len(ids(orders(history, 11, "?search_terms=white"))) == 4
    assert ids(orders(history, 11, "?search_terms=%25_")) == ["1002"], "% and _ mean themselves"
    assert ids(orders(history, 11, "?search_terms=_otton")) == []
    assert ids(orders(history, 11, "?search_terms=%5C%20%22blau")) == ["1003"]
    assert ids(orders(history, 11, "?search_terms=%C3%B6lfarbe")) == ["1003"]
    assert len(ids(orders(history, 11, "?search_terms=,%20,"))) == 4, "empty terms are none"


def test_dates(history):
    assert ids(orders(history, 11, "?start_date=2025-03-01&end_date=2025-03-01")) == ["1002"]
    assert ids(orders(history, 11, "?start_date=2025-06-17")) == ["1004", "1003"]
    assert ids(orders(history, 11, "?end_date=2025-02-28")) == ["1001"]
    assert ids(orders(history, 11, "?months_ago=1")) == ["1004", "1003"]
    a = orders(history, 11, "?months_ago=4")
    assert ids(a) == ["1004", "1003", "1002"] and a["filters_applied"]["months_ago"] == 4
    assert ids(orders(history, 11, "?months_ago=5&start_date=2025-06-01")) == ["1004", "1003"]
    assert orders(history, 11, "?start_date=2030-01-01")["orders_returned"] == 0


def test_pages(history):
    whole = ids(orders(history, 13, "?limit=1000"))
    assert whole == [str(2000 + i) for i in reversed(range(120))]
    seen, query = [], "?limit=7"
    while query:
        a = orders(history, 13, query)
        seen += ids(a)
        query = a["next_cursor"] and "?limit=7&cursor=" + a["next_cursor"]
        assert a["total_orders"] == 120
    assert seen == whole
    tie = orders(history, 11, "?limit=1")
    assert ids(tie) == ["1004"]
    assert ids(orders(history, 11, "?limit=1&cursor=" + tie["next_cursor"])) == ["1003"], "a tie in time is not lost"


def test_refusals(history):
    def fault(query, customer=11):
        answer = history.get(f"/api/mcp/customer/{customer}/orders{query}")
        assert answer.status == 422, answer.body
        return {(e["field"], e["type"]) for e in answer.json()["error"]["details"]["validation_errors"]}

    assert fault("?limit=0&months_ago=61&start_date=x") == {("query.limit", "out_of_range"), ("query.months_ago", "out_of_range"),
                                                            ("query.start_date", "wrong_type")}
    assert fault("?limit=1001&end_date=2025-02-30") == {("query.limit", "out_of_range"), ("query.end_date", "wrong_type")}
    assert fault("?start_date=2025-02-01&end_date=2025-01-01") == {("query.end_date", "invalid_value")}
    assert fault("?search_terms=" + "x" * 1001) == {("query.search_terms", "out_of_range")}
    assert fault("?search_terms=" + ",".join("abcdefghijklmnopqrstuvwxyz0123456789")) == {("query.search_terms", "out_of_range")}
    for bytes_no_text_has in ("%FF", "a%00b"):
        assert history.get("/api/mcp/customer/11/orders?search_terms=" + bytes_no_text_has).status == 400
    cursor = orders(history, 13, "?limit=7")["next_cursor"]
    assert fault("?cursor=" + cursor) == {("query.cursor", "invalid_value")}, "another customer's"
    assert fault("?months_ago=3&cursor=" + cursor, 13) == {("query.cursor", "invalid_value")}, "other filters"
    assert fault("?cursor=AAAA", 13) == {("query.cursor", "invalid_value")}
    answer = history.get("/api/mcp/customer/999/orders")
    assert answer.status == 404 and answer.json()["detail"] == "Customer 999 not found"
    assert history.get("/api/mcp/customer/11/orders", key=None).status == 401


def test_last_orders_by_tool(history):
    def ask(customer):
        return history.post("/api/mcp/query", {"tool_name": "query_customers", "parameters": {
            "scope": "individual", "customer_id": customer, "info": "purchase_history"}})
    result = ask("13").json()["result"]
    told, route = result["answer"], history.get("/api/mcp/customer/13/orders?limit=10").json()
    assert result["query_type"] == "customer_purchase_history" and told["customer_id"] == "13"
    assert told["orders"] == [{k: o[k] for k in ("order_name", "order_date", "total", "product_count")} for o in route["orders"]]
    assert len(told["orders"]) == 10 and told["total_orders"] == route["total_orders"]
    assert told["last_purchase_date"] == route["orders"][0]["order_date"]
    assert {"lifetime_value", "order_count", "churn_risk", "archetype_id"} <= told["profile"].keys()
    assert ask("4711").status == 404


def test_tag_and_head(history):
    first = history.get("/api/mcp/customer/11/orders")
    tag = first.headers["etag"]
    assert first.headers["x-data-version"] and first.headers["cache-control"].startswith("private")
    again = history.get("/api/mcp/customer/11/orders", headers={"If-None-Match": tag})
    assert again.status == 304 and again.body == b"" and again.headers["etag"] == tag
    assert history.get("/api/mcp/customer/12/orders", headers={"If-None-Match": tag}).status == 200
    head = history.request("HEAD", "/api/mcp/customer/11/orders")
    assert head.status == 200 and head.body == b"" and int(head.headers["content-length"]) == len(first.body)


def test_counted(history):
    orders(history, 11)
    text = history.get("/metrics", key=None).body.decode()
    assert 'db_query_duration_seconds_count{query_type="customer_orders"}' in text
    pool = history.get("/admin/db/pool").json()
    assert pool["total_connections"] >= 1 and pool["waiting"] == 0


def test_database_away_and_back(patrond_factory, own_postgres, tmp_path):
    path = tmp_path / "sales.csv"
    with open(path, "w", newline="") as f:
        writer = csv.DictWriter(f, COLUMNS)
        writer.writeheader()
        writer.writerows(LINES)
    instance = patrond_factory(DATABASE_URL=own_postgres.url(), SYNC_SOURCE=f"csv:{path}", AS_OF_DATE="2025-07-01")
    instance.start()
    assert instance.sync("full")["status"] == "success"
    instance.wait_data()
    for _ in range(8):
        assert instance.get("/api/mcp/customer/11/orders").status == 200

    def refused(limit_s):
        began = time.monotonic()
        answer = instance.get("/api/mcp/customer/11/orders")
        assert answer.status == 503 and int(answer.headers["retry-after"]) >= 1, answer.body
        assert answer.json()["error"]["code"] == "SERVICE_UNAVAILABLE"
        return time.monotonic() - began < limit_s * FACTOR

    def refused_in_words(limit_s):
        """What needs PostgreSQL is refused by tool and in words too; the rest is answered."""
        for path, body in (("/api/mcp/query/natural-language", {"query": "What has customer 11 bought?"}),
                           ("/api/mcp/query/natural-language", {"query": "Which categories earn the most?"}),
                           ("/api/mcp/query", {"tool": "query_segments", "params": {"analysis": "product_affinity"}})):
            began = time.monotonic()
            answer = instance.post(path, body)
            assert answer.status == 503 and int(answer.headers["retry-after"]) >= 1, answer.body
            assert time.monotonic() - began < limit_s * FACTOR
        answer = instance.post("/api/mcp/query/natural-language", {"query": "Show customer 11"})
        assert answer.status == 200 and answer.json()["query_type"] == "customer_lookup"

    own_postgres.kill()
    refused(5)
    assert all(refused(1) for _ in range(20))
    refused_in_words(1)
    instance.wait_event("db_connection_failed")
    assert instance.get("/api/mcp/customer/11").status == 200
    tag = instance.get("/api/mcp/customer/11").headers["etag"]
    assert tag
    own_postgres.start()
    wait_until(lambda: all(instance.get("/api/mcp/customer/11/orders").status == 200 for _ in range(8)), 5.5,
               "orders being answered again")
    own_postgres.freeze()
    try:
        refused_in_words(3.5)
        refused(6)
        wait_until(lambda: all(refused(1) for _ in range(8)), 15, "refusing at once")
        assert instance.get("/api/mcp/customer/11").status == 200
    finally:
        own_postgres.resume()
    wait_until(lambda: all(instance.get("/api/mcp/customer/11/orders").status == 200 for _ in range(8)), 5.5,
               "orders being answered again")
