"""The HTTP contract on the real binary: every served route's keys and types, the order of checks, headers, searches.

The tables of keys are those of CONTRACT 7 to 10: a type word, `?` behind it where null is allowed.
"""
import contextlib
import http.client
import json
import re
import socket

import psycopg2
import pytest

from lib.patrond import serving
from lib.shape import TIME, check
from lib.wait import FACTOR, wait_until


@pytest.fixture(scope="module")
def server(postgres_server, sample_sales, tmp_path_factory):
    """Two workers with 400 customers of a made-up shop."""
    postgres_server.ensure()
    with serving(tmp_path_factory.mktemp("api") / "i", {
            "DATABASE_URL": postgres_server.create_database(), "AS_OF_DATE": "2025-11-03",
            "SYNC_SOURCE": f"csv:{sample_sales(400, 7, '2024-01-01', '2025-11-03')}",
            "TRUSTED_PROXIES": "127.0.0.1", "MAX_BODY_BYTES": "4096", "ACCESS_LOG": "all"}) as instance:
        yield instance


@pytest.fixture(scope="module")
def customers(server):
    """Ids, by lifetime value descending."""
    return [c["customer_id"] for c in server.post("/api/mcp/search", {"limit": 1000}).json()["customers"]]


CHECK = {"state": "string", "latency_ms": "number?", "checked_at": "time?", "since": "time?", "error": "string?"}
HEALTH = {
    "status": "string", "timestamp": "moment", "version": "string", "reason": "string?",
    "components": {k: "string" for k in ("api", "mcp_server", "database", "cache", "source", "ai", "sync")},
    "checks": {k: CHECK for k in ("database", "cache", "source", "ai")},
    "data_status": {"customers_loaded": "integer", "archetypes_available": "integer", "archetypes_loaded": "integer",
                    "data_source": "string", "last_sync_at": "time?", "as_of": "date?", "data_version": "integer",
                    "age_seconds": "integer?", "stale": "boolean", "orders_loaded": "integer", "rows_loaded": "integer"}}
ROOT = {"service": "string", "server": "string", "version": "string", "status": "string", "use_cases": ["string"],
        "endpoints": {k: "string" for k in ("health", "mcp_tools", "mcp_query", "mcp", "metrics", "docs", "status_page")}}
POOL = {**{k: "integer" for k in ("pool_size", "checked_out", "overflow", "queue_size", "total_connections", "waiting",
                                  "timeouts_total")},
        "configuration": {**{k: "integer" for k in ("pool_size", "max_overflow", "max_total", "timeout", "recycle")},
                          "pre_ping": "boolean"},
        "health": "string", "health_error": "string?", "utilization_percent": "number"}
CACHE = {"enabled": "boolean", "connected": "boolean", "reason": "string?", "error": "string?", "total_keys": "integer",
         "hits": "integer", "misses": "integer", "hit_rate": "number", "hit_rate_percent": "number",
         "memory_used_mb": "number", "evictions": "integer", "data_version": "integer"}
RUN = {"run_id": "integer", "mode": "string", "status": "string", "trigger": "string", "started_at": "time",
       "finished_at": "time?", "duration_seconds": "number?", "rows_read": "integer", "rows_inserted": "integer",
       "rows_updated": "integer", "rows_deleted": "integer", "rows_skipped": "integer", "customers_scored": "integer",
       "data_version": "integer?", "error": "string?"}
SYNC_STATUS = {
    "scheduler_enabled": "boolean", "sync_hour_utc": "integer", "sync_on_startup": "boolean",
    "azure_sql_configured": "boolean", "postgres_configured": "boolean", "note": "string",
    "sync_info": {"database_url": "string", "table_exists": "boolean", "table_name": "string"}, "row_count": "integer",
    "latest_record": ({"order_date": "time", "order_id": "digits"},),
    "date_range": ({"earliest": "time", "latest": "time"},), "status": "string",
    "running": ({"run_id": "integer", "mode": "string", "started_at": "time", "phase": "string", "rows_read": "integer",
                 "rows_written": "integer", "rows_estimated": "integer?", "percent": "number?", "heartbeat_at": "time?",
                 "deadline_at": "time?"},),
    "next_run_at": "time?", "last_success_at": "time?",
    "last_error": ({"run_id": "integer", "at": "time", "reason": "string", "message": "string"},), "stale": "boolean",
    "last_runs": [RUN]}
PROCESS = {"index": "integer", "role": "string", "pid": "integer", "state": "string", "generation": "integer",
           "started_at": "time", "uptime_seconds": "integer", "requests_total": "integer", "in_flight": "integer",
           "connections": "integer", "rss_bytes": "integer", "last_beat_ms": "integer", "restarts": "integer"}
WORKERS = {"master": {"pid": "integer", "version": "string", "generation": "integer", "started_at": "time",
                      "uptime_seconds": "integer", "last_reload": ({"at": "time", "ok": "boolean", "error": "string?"},)},
           "workers": [PROCESS], "helpers": [PROCESS],
           "totals": {k: "integer" for k in ("workers", "ready", "requests_total", "in_flight", "connections",
                                             "rss_bytes", "restarts")}}
ARCHETYPE = {"archetype_id": "archetype", "segment_name": "string", "dominant_segments": "object",
             "behavioral_traits": ["string"], "member_count": "integer", "population_percentage": "number",
             "avg_lifetime_value": "number", "avg_order_frequency": "number", "avg_churn_risk": "number"}
REASON = {"code": "string", "effect": "string", "contribution": "number", "text": "string"}
PROFILE = {
    "customer_id": "digits", "archetype": ARCHETYPE, "dominant_segments": "object", "membership_strengths": "object",
    "fuzzy_memberships": "object",
    "business_metrics": {"lifetime_value": "number", "gross_sales": "number", "refunds": "number",
                         "total_orders": "integer", "avg_order_value": "number", "days_since_last_purchase": "integer",
                         "customer_tenure_days": "integer", "avg_days_between_purchases": "number?",
                         "first_purchase_date": "date", "last_purchase_date": "date"},
    "churn_risk": {"risk_level": "string", "churn_risk_score": "number", "recommendation": "string",
                   "factors": {"recency_days": "integer", "order_frequency": "string", "value_tier": "string",
                               "engagement_trend": "string"}},
    "rfm": {"recency": "integer", "frequency": "integer", "monetary": "integer", "total": "integer", "group": "string"},
    "predictions": {"historic_clv": "number", "predicted_clv": "number", "predicted_clv_discounted": "number",
                    "total_clv": "number", "historic_number_of_orders": "integer", "predicted_number_of_orders": "number",
                    "average_days_between_orders": "number?", "average_order_value": "number",
                    "churn_probability": "number", "p_alive": "number", "expected_date_of_next_order": "date?",
                    "clv_horizon_months": "integer", "horizon_days": "integer", "model_status": "string",
                    "reasons": [REASON], "model_version": "string"},
    "b2b": {"is_b2b": "boolean", "b2b_score": "number", "b2b_indicators": ["string"]},
    "as_of": "date", "data_version": "integer"}
ITEM = {"customer_id": "digits", "archetype_id": "archetype", "dominant_segments": "object", "lifetime_value": "number",
        "total_orders": "integer", "avg_order_value": "number", "days_since_last_purchase": "integer",
        "customer_tenure_days": "integer", "churn_risk_score": "number", "risk_level": "string", "rfm_group": "string",
        "is_b2b": "boolean", "impact": "number"}
SEARCH = {"customers": [ITEM], "count": "integer", "total_matches": "integer", "limit": "integer", "sort_by": "string",
          "next_cursor": "string?", "as_of": "date", "data_version": "integer"}
ERROR = {"error": {"code": "string", "message": "string", "details": "object", "correlation_id": "string"},
         "detail": "string", "timestamp": "moment"}


def check_error(answer, status, code, message=None):
    assert answer.status == status, answer.body
    body = answer.json()
    check(body, ERROR)
    assert body["error"]["code"] == code
    assert body["detail"] == body["error"]["message"]
    assert body["error"]["correlation_id"] == answer.headers["x-correlation-id"]
    if message is not None:
        assert body["detail"] == message
    return body["error"]["details"]


@pytest.mark.parametrize("path, shape", [
    ("/", ROOT), ("/health", HEALTH), ("/admin/db/pool", POOL), ("/admin/cache/stats", CACHE),
    ("/admin/sync-status", SYNC_STATUS), ("/admin/workers", WORKERS), ("/api/mcp/customer/random", PROFILE)])
def test_keys_of_answers(server, path, shape):
    answer = server.get(path)
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    assert answer.headers["cache-control"] == "no-store"
    check(answer.json(), shape)


def test_ready_and_live(server):
    ready = server.get("/health/ready", key=None).json()
    check(ready, {"status": "string", "database": "string", "data_loaded": "boolean", "customers": "integer",
                  "timestamp": "moment"})
    assert ready["status"] == "ready" and ready["data_loaded"]
    assert server.get("/health/live", key=None).json() == {"status": "alive"}


def test_the_board_knows_all_is_well(server):
    health = wait_until(lambda: (answer := server.get("/health", key=None).json())["status"] == "healthy" and answer,
                        what="the probe's first look at everything")
    assert health["components"]["database"] == "healthy"
    assert health["components"]["cache"] == "not_configured"
    assert health["data_status"]["data_source"] == "postgresql"
    assert health["data_status"]["as_of"] == "2025-11-03"
    assert not health["data_status"]["stale"]


def test_sync_status_tells_the_run(server):
    status = server.get("/admin/sync-status").json()
    assert status["status"] == "idle" and status["running"] is None
    assert status["row_count"] == status["last_runs"][0]["rows_inserted"]
    assert status["last_runs"][0]["mode"] == "full" and status["last_runs"][0]["trigger"] == "api"
    assert status == {**server.post("/admin/sync-status").json(), "stale": status["stale"]}


def test_two_addresses_of_a_profile(server, customers):
    one = server.get(f"/api/mcp/customer/{customers[0]}")
    two = server.get(f"/api/customers/{customers[0]}")
    assert one.status == 200 and one.json() == two.json()
    check(one.json(), PROFILE)
    assert one.headers["cache-control"] == "private, max-age=0, must-revalidate"
    assert one.headers["x-data-version"] == str(one.json()["data_version"])
    assert re.fullmatch(TIME, one.headers["x-data-as-of"])


def test_facts_agree_with_the_lines(server, customers):
    with contextlib.closing(psycopg2.connect(server.settings["DATABASE_URL"])) as connection:
        cursor = connection.cursor()
        cursor.execute("""
            SELECT customer_id, sum(line_item_sales) - sum(abs(coalesce(line_item_refunds, 0))), count(DISTINCT order_id),
                   min(order_date)::date, max(order_date)::date FROM combined_sales GROUP BY 1""")
        lines = {str(row[0]): row[1:] for row in cursor.fetchall()}
    for customer in (customers[0], customers[len(customers) // 2], customers[-1]):
        net, orders, first, last = lines[customer]
        facts = server.get(f"/api/customers/{customer}").json()["business_metrics"]
        assert facts["lifetime_value"] == pytest.approx(float(net), abs=0.001)
        assert facts["total_orders"] == orders
        assert (facts["first_purchase_date"], facts["last_purchase_date"]) == (str(first), str(last))


def test_random_answers_differ(server):
    assert len({server.get("/api/mcp/customer/random").json()["customer_id"] for _ in range(40)}) > 20


# Order of checks, framing, methods.

def test_each_check_comes_before_the_next(server):
    big = "x" * 5000
    bad = {"X-API-Key": "wrong"}
    check_error(server.post("/nowhere", big, key=None), 404, "NOT_FOUND", "Not Found")
    check_error(server.request("DELETE", "/api/mcp/search", big, key=None), 405, "HTTP_ERROR")
    check_error(server.post("/api/mcp/search", big, key=None), 413, "HTTP_ERROR")
    check_error(server.post("/api/mcp/search?limit=%zz", "{", key=None), 401, "AUTHENTICATION_ERROR",
                "Missing API key. Provide X-API-Key header.")
    check_error(server.post("/api/mcp/search?limit=%zz", "{", key=None, headers=bad), 401, "AUTHENTICATION_ERROR",
                "Invalid or inactive API key")
    check_error(server.post("/api/mcp/search?limit=%zz", "{"), 400, "BAD_REQUEST")
    check_error(server.post("/api/mcp/search?limit=%zz", '{"limit":0}'), 400, "BAD_REQUEST", "Invalid percent-encoding")
    check_error(server.post("/api/mcp/search?limit=1", '{"limit":0}'), 422, "VALIDATION_ERROR")
    details = check_error(server.get("/api/customers/1"), 404, "NOT_FOUND", "Customer 1 not found")
    assert details == {"resource": "customer", "identifier": "1"}


def test_a_chunked_body_is_bounded_too(server):
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10 * FACTOR)
    connection.request("POST", "/api/mcp/search", body=iter([b" " * 3000, b" " * 3000]), encode_chunked=True,
                       headers={"X-API-Key": server.admin_key, "Transfer-Encoding": "chunked"})
    assert connection.getresponse().status == 413
    connection.close()


@pytest.mark.parametrize("head, status", [
    (b"GET / HTTP/1.1\r\n\r\n", 400), (b"GET / HTTP/1.1\nHost: x\n\n", 400), (b"GET / HTTP/2.0\r\nHost: x\r\n\r\n", 505),
    (b"BREW / HTTP/1.1\r\nHost: x\r\n\r\n", 501), (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414),
    (b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 20000 + b"\r\n\r\n", 431),
    (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
    (b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n", 501),
    (b"GET / HTTP/1.1\r\nHost: x\r\nExpect: miracles\r\n\r\n", 417)])
def test_refusals_of_the_engine_wear_the_envelope(server, head, status):
    answer = server.raw(head)
    top, _, body = answer.partition(b"\r\n\r\n")
    assert int(top.split()[1]) == status, answer
    check(json.loads(body), ERROR)
    assert b"X-Content-Type-Options: nosniff" in top
    assert b"X-Correlation-ID: " in top


@pytest.mark.parametrize("method, path, allow", [
    ("POST", "/health", "GET, HEAD, OPTIONS"), ("GET", "/api/mcp/search", "POST, OPTIONS"),
    ("DELETE", "/admin/sync-status", "GET, HEAD, POST, OPTIONS"), ("PATCH", "/", "GET, HEAD, OPTIONS")])
def test_405_names_what_is_allowed(server, method, path, allow):
    answer = server.request(method, path, key=None)
    check_error(answer, 405, "HTTP_ERROR")
    assert answer.headers["allow"] == allow


@pytest.mark.parametrize("path", ["/", "/health", "/metrics", "/admin/workers", "/api/mcp/customer/random"])
def test_head_has_the_headers_of_get(server, path):
    head, get = server.request("HEAD", path), server.get(path)
    assert head.status == get.status == 200
    assert head.body == b""
    assert head.headers["content-type"] == get.headers["content-type"]
    assert int(head.headers["content-length"]) > 0


def test_options_and_preflight(server):
    plain = server.request("OPTIONS", "/api/customers/1", key=None)
    assert plain.status == 204 and plain.headers["allow"] == "GET, HEAD, OPTIONS"
    asked = server.request("OPTIONS", "/api/customers/1", key=None, headers={
        "Origin": "http://localhost:5173", "Access-Control-Request-Method": "GET"})
    assert asked.status == 204
    assert asked.headers["access-control-allow-origin"] == "http://localhost:5173"
    assert asked.headers["access-control-allow-credentials"] == "true"
    assert asked.headers["access-control-max-age"] == "600"
    refused = server.request("OPTIONS", "/api/customers/1", key=None, headers={"Origin": "http://evil.example"})
    check_error(refused, 400, "BAD_REQUEST", "Disallowed CORS origin")
    assert "access-control-allow-origin" not in refused.headers


def test_origin_is_echoed_on_errors_too(server):
    answer = server.get("/nowhere", key=None, headers={"Origin": "http://localhost:3000"})
    assert answer.headers["access-control-allow-origin"] == "http://localhost:3000"
    assert "ETag" in answer.headers["access-control-expose-headers"]


def test_etag_saves_the_body(server, customers):
    path = f"/api/customers/{customers[0]}"
    first = server.get(path)
    tag = first.headers["etag"]
    assert re.fullmatch(r'W/"\d+-[0-9a-f]{16}"', tag)
    assert server.get(path).headers["etag"] == tag
    again = server.get(path, headers={"If-None-Match": tag})
    assert again.status == 304 and again.body == b""
    assert again.headers["etag"] == tag and again.headers["x-data-version"] == first.headers["x-data-version"]
    assert server.get(path, headers={"If-None-Match": 'W/"0-0"'}).status == 200
    assert "etag" not in server.get("/api/mcp/customer/random").headers


def test_correlation_ids(server):
    assert server.get("/", headers={"X-Correlation-ID": "a:b.c-9"}).headers["x-correlation-id"] == "a:b.c-9"
    assert server.get("/", headers={"X-Request-ID": "r"}).headers["x-correlation-id"] == "r"
    made = server.get("/", headers={"X-Correlation-ID": "no blanks"}).headers["x-correlation-id"]
    assert re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", made)


def test_tls_and_address_come_from_a_trusted_proxy(server):
    answer = server.get("/admin/workers", headers={
        "X-Forwarded-Proto": "https", "X-Forwarded-For": "203.0.113.7", "X-Correlation-ID": "via-proxy"})
    assert answer.headers["strict-transport-security"] == "max-age=31536000"
    line = server.wait_event("request_completed", matching="correlation_id=via-proxy")
    assert "client_ip=203.0.113.7" in line and "endpoint=/admin/workers" in line and "status_code=200" in line
    assert "strict-transport-security" not in server.get("/").headers


def test_credentials_on_admin_paths(server):
    check_error(server.get("/admin/workers", key=None), 401, "AUTHENTICATION_ERROR",
                "Missing admin key. Provide X-Admin-Key header.")
    for headers in ({"X-Admin-Key": server.admin_key}, {"Authorization": f"Bearer {server.admin_key}"}):
        assert server.get("/admin/workers", key=None, headers=headers).status == 200
    refused = server.get("/admin/workers", key=None, headers={"X-Admin-Key": "x", "X-API-Key": server.admin_key})
    assert refused.status == 401 and refused.headers["www-authenticate"] == "ApiKey"


def test_a_bad_key_is_told_by_its_prefix_only(server):
    key = "pk_live_" + "s3cr3t" * 8
    server.get("/api/customers/1", key=key, headers={"X-Correlation-ID": "bad-key"})
    line = server.wait_event("invalid_api_key_attempted", matching="bad-key")
    assert "key_prefix=pk_live_s3 " in line and "reason=malformed" in line
    assert not any(key in l or server.admin_key in l for l in server.lines)


# Searching.

def test_search_answers(server, customers):
    body = server.post("/api/mcp/search", {"limit": 5}).json()
    check(body, SEARCH)
    assert body["count"] == 5 and body["total_matches"] == len(customers)
    values = [c["lifetime_value"] for c in body["customers"]]
    assert values == sorted(values, reverse=True)
    bare = server.post("/api/mcp/search?limit=5").json()
    assert bare == body["customers"]


@pytest.mark.parametrize("sort", ["ltv", "recency", "frequency", "aov", "orders", "churn_risk", "impact"])
@pytest.mark.parametrize("direction", ["asc", "desc"])
def test_pages_make_the_whole(server, customers, sort, direction):
    seen, cursor = [], None
    while True:
        body = {"sort_by": f"{sort}_{direction}", "limit": 37}
        if cursor:
            body["cursor"] = cursor
        page = server.post("/api/mcp/search", body).json()
        seen += [c["customer_id"] for c in page["customers"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
        assert len(cursor) <= 512
    assert len(seen) == len(customers) and set(seen) == set(customers)


def test_filters_agree_with_the_items(server):
    every = server.post("/api/mcp/search", {"limit": 1000}).json()["customers"]
    found = server.post("/api/mcp/search", {"limit": 1000, "filters": {
        "ltv_min": 100, "total_orders_min": 2, "last_purchase_days_max": 200, "aov_max": 90.5,
        "tenure_days_min": 30}}).json()
    wanted = [c for c in every if c["lifetime_value"] >= 100 and c["total_orders"] >= 2 and c["avg_order_value"] <= 90.5
              and c["days_since_last_purchase"] <= 200 and c["customer_tenure_days"] >= 30]
    assert 0 < len(wanted) < len(every)
    assert found["customers"] == wanted and found["total_matches"] == len(wanted)
    group = every[0]["rfm_group"]
    found = server.post("/api/mcp/search", {"limit": 1000, "filters": {"rfm_group": [group]}}).json()
    assert found["customers"] == [c for c in every if c["rfm_group"] == group]


@pytest.mark.parametrize("body, field, kind", [
    ({"limit": 1001}, "body.limit", "out_of_range"), ({"limit": True}, "body.limit", "wrong_type"),
    ({"colour": "red"}, "body.colour", "unknown_field"),
    ({"filters": {"churn_risk_min": 2}}, "body.filters.churn_risk_min", "out_of_range"),
    ({"filters": {"ltv_min": 2, "ltv_max": 1}}, "body.filters.ltv_min", "out_of_range"),
    ({"segment_filter": {"mood": "good"}}, "body.segment_filter.mood", "unknown_field"),
    ({"cursor": "abc"}, "body.cursor", "invalid_value")])
def test_faults_are_named(server, body, field, kind):
    details = check_error(server.post("/api/mcp/search", body), 422, "VALIDATION_ERROR", "Request validation failed")
    first = details["validation_errors"][0]
    assert first["field"] == field and first["type"] == kind and first["message"]


def test_body_rules(server):
    assert server.post("/api/mcp/search", '{"limit":1}', headers={"Content-Type": "application/x-www-form-urlencoded"}
                       ).json()["count"] == 1
    for bad in (b"[]", b'{"limit":1,}', b'{"a":"\xff"}', b"{}{}", b'{"filters":' + b"[" * 40 + b"]" * 40 + b"}"):
        check_error(server.post("/api/mcp/search", bad), 400, "BAD_REQUEST")
    check_error(server.post("/api/mcp/search", "{}", headers={"Content-Encoding": "gzip"}), 415, "HTTP_ERROR")
    assert server.request("GET", "/health/live", body="not json", key=None).status == 200


# Syncing.

def test_sync_parameters(server):
    details = check_error(server.post("/admin/sync-sales?mode=all"), 400, "VALIDATION_ERROR",
                          "Mode must be: dry-run, incremental, or full")
    assert details == {"field": "mode", "allowed": ["dry-run", "incremental", "full"]}
    check_error(server.post("/admin/sync-sales?mode=full&start_date=2025-01-01"), 422, "VALIDATION_ERROR")
    check_error(server.post("/admin/sync-sales?limit=5"), 422, "VALIDATION_ERROR")


def test_sync_and_wait(server):
    answer = server.post("/admin/sync-sales?wait=true", timeout=120)
    assert answer.status == 200, answer.body
    body = answer.json()
    check(body, {"status": "string", "message": "string", "success": "boolean", "mode": "string", "limit": "integer?",
                 "start_date": "date?", "end_date": "date?", "run_id": "integer", "summary": "string",
                 "stdout": "string", "full_output": "string", "run": RUN, "sample_rows": "array?"})
    assert body["run"]["status"] == "success" and body["sample_rows"] is None
    assert body["summary"] == body["stdout"]


def test_key_in_the_query_is_deprecated(server):
    answer = server.post(f"/admin/sync-sales?mode=x&admin_key={server.admin_key}", key=None)
    assert answer.status == 400
    assert re.fullmatch(r"@\d+", answer.headers["deprecation"])
    server.wait_event("admin_key_in_query")
    assert not any(server.admin_key in line for line in server.lines)


# Counting.

def test_metrics_count_over_all_workers(server):
    def count():
        text = server.get("/metrics", key=None).body.decode()
        found = re.search(r'^http_requests_total\{method="GET",endpoint="/segments/axes",status_code="2xx"\} (\d+)$', text, re.M)
        return int(found.group(1)) if found else 0
    before = count()
    for _ in range(20):  # what the probe does not ask
        server.get("/segments/axes")
    wait_until(lambda: count() >= before + 20, 5, "the last one counted, too")  # which is after its answer
    assert count() == before + 20
    assert sum(w["requests_total"] for w in server.get("/admin/workers").json()["workers"]) >= before + 20


def test_metrics_text_is_well_formed(server):
    answer = server.get("/metrics", key=None)
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    seen, family = set(), None
    for line in answer.body.decode().splitlines():
        if line.startswith("# HELP "):
            family = line.split()[2]
            assert family not in seen, f"{family} twice"
            seen.add(family)
        elif not line.startswith("# TYPE "):
            assert re.fullmatch(r'[a-z_0-9]+(\{[a-z_]+="[^"\n]*"(,[a-z_]+="[^"\n]*")*\})? [-+0-9.eE]+(Inf)?', line), line
            assert line.startswith(family), f"{line} under {family}"
    for name in ("customers_loaded_total", "data_version", "component_up", "process_resident_memory_bytes",
                 "process_cpu_seconds_total", "sync_runs_total", "patrond_build_info", "workers_ready"):
        assert name in seen


def test_requests_of_a_connection_are_answered_in_order(server, customers):
    lines = b"".join(f"GET /api/customers/{c} HTTP/1.1\r\nHost: x\r\nX-API-Key: {server.admin_key}\r\n\r\n".encode()
                     for c in customers[:20])
    with socket.create_connection(("127.0.0.1", server.port), 10 * FACTOR) as s:
        s.sendall(lines)
        stream = s.makefile("rb")
        for customer in customers[:20]:
            assert stream.readline().split()[1] == b"200"
            length = 0
            while (line := stream.readline()) != b"\r\n":
                if line.lower().startswith(b"content-length:"):
                    length = int(line.split(b":")[1])
            assert json.loads(stream.read(length))["customer_id"] == customer


# Settings.

def test_metrics_can_be_closed(patrond_factory, database):
    p = patrond_factory(DATABASE_URL=database, METRICS_PUBLIC="false")
    p.start()
    check_error(p.get("/metrics", key=None), 401, "AUTHENTICATION_ERROR", "Missing API key. Provide X-API-Key header.")
    assert p.get("/metrics").status == 200


def test_metrics_can_be_off(patrond_factory, database):
    p = patrond_factory(DATABASE_URL=database, ENABLE_PROMETHEUS_METRICS="false")
    p.start()
    check_error(p.get("/metrics", key=None), 404, "NOT_FOUND",
                "Metrics disabled. Set ENABLE_PROMETHEUS_METRICS=true to enable.")


def test_before_the_first_sync(patrond):
    health = patrond.get("/health", key=None)
    assert health.status == 503 and b"healthy" not in health.body
    check(health.json(), HEALTH)
    assert health.json()["reason"] == "no_data"
    ready = patrond.get("/health/ready", key=None)
    assert ready.status == 503 and ready.json()["reason"] == "no_data"
    check(ready.json(), {**ERROR, "status": "string", "database": "string", "data_loaded": "boolean",
                         "customers": "integer"})
    answer = patrond.get("/api/customers/1")
    details = check_error(answer, 503, "SERVICE_UNAVAILABLE", "No customers loaded")
    assert int(answer.headers["retry-after"]) == details["retry_after_seconds"] >= 1
    assert patrond.post("/admin/sync-sales").status == 503  # no source
    assert patrond.get("/admin/sync-status").json()["status"] == "disabled"
