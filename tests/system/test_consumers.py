"""What the consumers of the earlier service rely on (CONTRACT 1.1, 7, 9, 17): a chat bot that formats numbers without
a test, a demo page that dereferences keys, operators with jq and grep, BI tools on the tables."""
import json
import re

import pytest

from lib.sales import Table, line, write
from lib.patrond import running
from lib.walk import AS_OF, Walk, operations, shop

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
QUESTIONS = [
    "which customers are at risk of churning", "who are my best customers", "revenue forecast for the next 12 months",
    "which customer types grow", "who should get a win-back campaign", "which categories earn the most", "rfm",
    "which customers bought only once", "compare these", "what is the weather", "b2b", "christmas", "customer 1",
    "discount-dependent customers", "upsell", "how many new customers will we get", "churn forecast", "popular products",
    "purchase cadence", "who has momentum", "declining customers", "retention plan", "customers over 100",
]


@pytest.fixture(scope="module")
def server(postgres_server, tmp_path_factory):
    with shop(postgres_server, tmp_path_factory.mktemp("consumers") / "shop") as instance:
        yield instance


@pytest.fixture(scope="module")
def walk(server):
    return Walk(server)


@pytest.fixture(scope="module")
def answers(walk):
    """{"METHOD template": the JSON of a good answer} of every route."""
    found = {}
    for method, template, operation in operations():
        answer = walk.request(method, template)
        if answer.headers["content-type"].startswith("application/json") and template != "/openapi.json":
            found[f"{method} {template}"] = answer.json()
    return found


@pytest.fixture(scope="module")
def asked(walk):
    """Answers of natural language, the customers' kinds among them."""
    who = walk.customers[0]
    questions = QUESTIONS + [f"{q} {who}" for q in ("customer", "churn of", "worth of", "orders of", "recommend for", "segment of")]
    return {q: walk.request("POST", "/api/mcp/query/natural-language", {"query": q}).json() for q in questions}


def leaves(value, path=""):
    """(path, value) of everything in an answer; list indexes are not told."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from leaves(inner, f"{path}.{key}")
    elif isinstance(value, list):
        for inner in value:
            yield from leaves(inner, path + "[]")
    yield path, value


# ---- jq, grep, a keyword monitor ----

def test_times_suit_fromdate(answers):
    """Whole seconds everywhere but in `timestamp`, the moment of the answer."""
    for route, answer in answers.items():
        for path, value in leaves(answer):
            time = TIME.fullmatch(value) if isinstance(value, str) else None
            if time and path.endswith(".timestamp") and route != "GET /api/mcp/churn/aggregate":
                assert time.group(1) and len(time.group(1)) == 7, (route, path, value)
            elif time:
                assert time.group(1) is None, (route, path, value)


def test_ids_are_text_and_numbers_are_numbers(answers):
    for route, answer in answers.items():
        for path, value in leaves(answer):
            if re.search(r"\.(customer_id|order_id|product_id|order_number)$", path):
                assert not isinstance(value, (int, float)), (route, path, value)


def test_the_word_a_monitor_looks_for(server, tmp_path):
    assert b"healthy" in server.get("/health", key=None).body
    with running(tmp_path / "i", {"DATABASE_URL": "postgresql://nobody@127.0.0.1:9/none", "DB_CONNECT_TIMEOUT": 1}) as empty:
        for path in ("/health", "/health/ready"):
            answer = empty.get(path, key=None)
            assert answer.status == 503 and b"healthy" not in answer.body.lower()
        health = empty.get("/health", key=None).json()
        assert health["status"] == "unavailable" and health["data_status"]["data_source"] == "none"
        assert health["data_status"]["customers_loaded"] == 0 and health["data_status"]["stale"] is True
        ready = empty.get("/health/ready", key=None).json()
        assert isinstance(ready["error"]["message"], str) and ready["detail"] == ready["error"]["message"]


def test_hit_rate_is_a_fraction(answers):
    stats = answers["GET /admin/cache/stats"]
    assert 0 <= stats["hit_rate"] <= 1 and stats["hit_rate_percent"] == pytest.approx(100 * stats["hit_rate"], abs=0.01)


# ---- names for one value ----

# route: (places of one value), by dots; [] is each item of a list
ALIASES = {
    "GET /health": [("data_status.archetypes_available", "data_status.archetypes_loaded")],
    "GET /api/mcp/customer/{id}": [
        ("business_metrics.lifetime_value", "predictions.historic_clv"), ("business_metrics.total_orders", "predictions.historic_number_of_orders"),
        ("business_metrics.avg_order_value", "predictions.average_order_value"),
        ("business_metrics.avg_days_between_purchases", "predictions.average_days_between_orders"),
        ("churn_risk.churn_risk_score", "predictions.churn_probability")],
    "GET /api/mcp/customer/{id}/churn-risk": [("churn_risk_score", "churn_probability")],
    "GET /api/mcp/customer/{id}/next-purchase": [
        ("days_since_last_order", "purchase_pattern.days_since_last_purchase"), ("predicted_days_until_next", "next_purchase_prediction.days_from_now"),
        ("purchase_frequency_archetype", "purchase_pattern.purchase_frequency"), ("next_purchase_prediction.predicted_date", "distribution.median_date"),
        ("next_purchase_prediction.confidence", "distribution.p365")],
    "GET /api/mcp/customer/{id}/ltv-forecast": [("timeframe_months", "forecast_months"), ("projected_ltv", "predicted_ltv")],
    "GET /api/mcp/customer/{id}/orders": [("total_orders_returned", "orders_returned")],
    "GET /api/mcp/archetype/{id}": [("avg_lifetime_value", "average_ltv"), ("total_lifetime_value", "total_revenue")],
    "GET /api/mcp/archetypes/top": [
        ("total_archetypes", "total_archetypes_analyzed"), ("top_archetypes.[].total_ltv", "top_archetypes.[].total_lifetime_value"),
        ("top_archetypes.[].avg_ltv", "top_archetypes.[].avg_lifetime_value")],
    "GET /api/mcp/archetypes/growth-projection": [
        ("timeframe_months", "months"), ("archetype_projections.[].current_members", "archetype_projections.[].member_count"),
        ("archetype_projections.[].current_members", "archetype_projections.[].starting_members"),
        ("archetype_projections.[].projected_members", "archetype_projections.[].projected_members_month_12")],
    "GET /api/mcp/churn/aggregate": [
        ("total_customers", "sample_size"), ("churn_risk_distribution.high_risk", "churn_risk_distribution.critical"),
        ("churn_risk_distribution.low_risk", "churn_risk_distribution.low"), ("estimated_churn_30_days", "churn_risk_distribution.high_risk.count")],
    "GET /api/mcp/growth/projection": [
        ("current_customers", "starting_customers"), ("projected_customers", "projected_customers_month_12"), ("net_change", "total_projected_growth"),
        ("assumptions.monthly_churn_rate_pct", "avg_monthly_churn_rate"), ("monthly_projections.[].customers", "monthly_projections.[].total_customers"),
        ("monthly_projections.[].net_change", "monthly_projections.[].net_growth")],
    "GET /api/mcp/revenue/forecast": [("timeframe_months", "forecast_months"), ("revenue_increase", "projected_total_revenue"),
                                      ("assumptions.sample_size", "assumptions.total_customers")],
    "POST /api/mcp/campaigns/recommend": [
        ("target_size_requested", "target_size"), ("aggregate_metrics.total_ltv", "total_potential_ltv"),
        ("aggregate_metrics.avg_churn_risk", "avg_churn_risk"), ("aggregate_metrics.min_ltv_filter", "min_ltv_filter")],
    "GET /api/mcp/products/{analysis}": [("categories.[].unique_customers", "categories.[].customer_count")],
}


def at(value, place):
    for name in place.split("."):
        if name == "[]":
            return [at(item, place.split("[].", 1)[1]) for item in value]
        value = value[name]
    return value


@pytest.mark.parametrize("route, pairs", ALIASES.items(), ids=list(ALIASES))
def test_aliases(answers, route, pairs):
    for one, other in pairs:
        assert at(answers[route], one) == at(answers[route], other), (one, other)
        assert at(answers[route], one) not in ([], None), one


def test_fraction_and_percent_of_one_thing(answers):
    forecast = answers["GET /api/mcp/customer/{id}/ltv-forecast"]
    for one, other in zip(forecast["monthly_projections"], forecast["monthly_forecast"], strict=True):
        assert other["retention_probability"] == pytest.approx(100 * one["retention_probability"], abs=0.011)
        assert (one["month"], one["month_value"], one["cumulative_ltv"]) == (other["month"], other["expected_revenue"], other["cumulative_ltv"])


def test_two_arrays_of_one_forecast_start_differently(answers):
    forecast = answers["GET /api/mcp/revenue/forecast"]
    base, running_sum = forecast["current_total_ltv"], 0
    for one, other in zip(forecast["monthly_breakdown"], forecast["monthly_forecasts"], strict=True):
        running_sum += one["monthly_revenue"]
        assert one["cumulative_revenue"] == pytest.approx(base + running_sum, abs=0.01)
        assert other["cumulative_revenue"] == pytest.approx(running_sum, abs=0.01)


def test_two_addresses_say_the_same(answers, walk):
    assert answers["GET /api/mcp/customer/{id}"] == answers["GET /api/customers/{id}"]
    assert answers["GET /api/mcp/archetype/{id}"] == answers["GET /api/mcp/archetypes/{id}"]
    page = walk.server.post("/api/mcp/search", {"limit": 100}).json()["customers"]
    assert walk.server.post("/api/mcp/search").json() == page == walk.server.post("/api/mcp/search", {}).json()
    assert walk.server.post("/api/mcp/search", {"lifecycle": page[0]["dominant_segments"]["lifecycle"]}).json()[0] == page[0]


def test_equal_data_give_equal_bytes(walk):
    """Whichever worker answers."""
    for method, template, operation in operations():
        if method == "GET" and "304" in operation["responses"]:
            assert len({walk.request(method, template).body for _ in range(4)}) == 1, template


# ---- the chat bot and the help desk ----

def test_growth_on_nothing_is_a_number(postgres_server, tmp_path):
    """A shop of one customer who ordered once, long ago: every base is 0 and no percentage is null."""
    csv = write(tmp_path / "sales.csv", [line(1, 4711, "2023-01-02", "0.00"), line(2, 4712, "2023-01-02", "0.00")])
    with running(tmp_path / "i", {"DATABASE_URL": postgres_server.create_database(), "SYNC_SOURCE": f"csv:{csv}",
                                  "AS_OF_DATE": AS_OF}) as server:
        server.sync("full")
        server.wait_data()
        for path in ("/api/mcp/growth/projection", "/api/mcp/revenue/forecast", "/api/mcp/archetypes/growth-projection",
                     "/api/mcp/customer/4711/ltv-forecast", "/api/mcp/products/category_trends?months=60",
                     "/api/mcp/churn/aggregate"):
            for place, value in leaves(server.get(path).json()):
                if re.search(r"pct|percent|growth_rate|avg_|rate$", place):
                    assert isinstance(value, (int, float, str)), (path, place, value)


def test_orders_always_name_what_the_source_lacks(answers):
    orders = answers["GET /api/mcp/customer/{id}/orders"]
    assert orders["email"] is None and orders["name"] is None
    spent = sum(round(float(o["total"]) * 100) for o in orders["orders"])
    assert round(float(orders["estimated_lifetime_spent"]) * 100) == spent
    assert all(line_["title"] == line_["product_title"] for o in orders["orders"] for line_ in o["products"])


def test_behavioral_traits_are_an_array(answers):
    for place, value in (leaf for a in answers.values() for leaf in leaves(a)):
        if place.endswith(".behavioral_traits"):
            assert isinstance(value, list)


# ---- the demo page ----

def test_keys_the_demo_page_tells_answers_by(answers):
    """It looks for these in this order; each answer has its own and none of those before it."""
    order = ["customer_id", "risk_level", "projected_customers", "churn_risk_distribution", "archetype_projections", "top_archetypes"]
    own = {"GET /api/mcp/customer/{id}": "customer_id", "GET /api/mcp/growth/projection": "projected_customers",
           "GET /api/mcp/churn/aggregate": "churn_risk_distribution",
           "GET /api/mcp/archetypes/growth-projection": "archetype_projections", "GET /api/mcp/archetypes/top": "top_archetypes"}
    for route, key in own.items():
        assert [k for k in order if k in answers[route]][0] == key, route
    health = answers["GET /health"]
    assert {"customers_loaded", "archetypes_available", "data_source"} <= set(health["data_status"])


def test_questions_have_no_key_of_another_answer(asked):
    others = {"customer_id", "risk_level", "projected_customers", "churn_risk_distribution", "archetype_projections", "top_archetypes"}
    for question, answer in asked.items():
        assert not others & set(answer), question
        assert isinstance(answer["query_type"], str) and isinstance(answer["answer"], dict), question


def test_bot_can_print_any_answer(asked):
    """`message` is always there; of lists and sums no number is null; every customer's answer has its profile."""
    for question, body in asked.items():
        kind, answer = body["query_type"], body["answer"]
        assert answer["message"], question
        if kind not in ("general_response", "error", "unsupported"):
            assert answer["summary"] == answer["message"], question
        if kind.startswith("customer_") and kind not in ("customer_lookup_error", "customer_count_forecast"):
            assert {"lifetime_value", "order_count", "churn_risk", "archetype_id"} <= set(answer["profile"]), question
        for place, value in leaves(answer):
            if re.match(r"\.(customers|top_at_risk_customers|projections|aggregate_metrics|recommended_customers)", place) \
                    and re.search(r"ltv|churn_risk|count|members|score|revenue|orders", place.rsplit(".", 1)[-1]):
                assert value is not None, (question, place)
            if re.fullmatch(r"\.(customers|projections|segments|archetypes|categories|recommendations|key_insights)", place):
                assert isinstance(value, list), (question, place)
        if "campaign_strategy" in answer:
            assert all(isinstance(v, str) for v in answer["campaign_strategy"].values()), question


def test_direct_forms_of_questions(asked):
    for question, body in asked.items():
        answer = body["answer"]
        if body["query_type"] == "archetype_growth_projection":
            assert body["archetypes"] == answer["projections"] and isinstance(body["total_archetypes"], int), question
        if "categories" in answer:
            assert body["categories"] == answer["categories"] and body["analysis_type"] == body["query_type"], question


# ---- BI tools ----

TABLES = {
    "combined_sales": """id sync_timestamp order_id order_number customer_id order_date created_at year quarter month month_name week day
        week_day sku product_id product_name variant_name product_type category quantity line_item_sales line_item_discount
        line_item_refunds currency sales_channel latitude longitude fulfillment_status financial_status order_total order_total_items""",
    "fact_customer_current": """customer_id store_id archetype_l1_id archetype_l2_id archetype_l3_id lifetime_value total_orders
        avg_order_value days_since_last_purchase customer_tenure_days churn_risk_score last_updated created_at tenant_id gross_sales
        refunds first_order_date last_order_date avg_days_between_orders risk_level rfm_group predicted_clv p_alive data_version""",
    "dim_archetype_l1": """archetype_id store_id dominant_segments description behavioral_traits member_count population_percentage
        avg_lifetime_value avg_order_frequency last_calculated created_at updated_at tenant_id""",
    "dim_archetype_l2": "archetype_id store_id dominant_segments membership_strengths description behavioral_traits member_count",
    "dim_archetype": "archetype_id archetype_level member_count",
    "customer_axis": "customer_id axis dominant strength memberships data_version",
    "segment_history": "day axis segment members",
    "api_keys": """id key_hash key_prefix name scopes rate_limit_per_hour created_at created_by expires_at last_used_at usage_count
        is_active revoked_at revocation_reason rotated_to notes""",
    "sync_runs": "run_id mode status trigger started_at finished_at phase heartbeat_at deadline_at watermark error_code",
    "model_runs": "model_version as_of trained_at status calibrated params metrics",
    "data_versions": "data_version published_at as_of run_id model_version customers orders rows archetypes",
    "sync_quarantine": "id run_id line_number order_id reason row created_at",
    "schema_migrations": "version name applied_at",
}
TYPES = {("combined_sales", "customer_id"): "bigint", ("combined_sales", "order_date"): "timestamp without time zone",
         ("combined_sales", "line_item_sales"): "numeric", ("fact_customer_current", "customer_id"): "character varying",
         ("fact_customer_current", "lifetime_value"): "double precision", ("fact_customer_current", "total_orders"): "integer",
         ("dim_archetype_l1", "behavioral_traits"): "ARRAY", ("dim_archetype_l1", "dominant_segments"): "jsonb"}


def test_tables_of_other_tools(server):
    table = Table(server.settings["DATABASE_URL"])
    rows = table.rows("SELECT table_name, column_name, data_type FROM information_schema.columns WHERE table_schema = 'public'")
    there = {(t, c): kind for t, c, kind in rows}
    lacking = {(t, c) for t, columns in TABLES.items() for c in columns.split()} - set(there)
    assert lacking == set()
    assert {k: there[k] for k in TYPES} == TYPES
    assert table.value("SELECT indexdef FROM pg_indexes WHERE indexname = 'idx_customer_ltv'").endswith("(lifetime_value DESC)")


def test_tables_and_answers_agree(server, answers):
    profile = answers["GET /api/mcp/customer/{id}"]
    row = Table(server.settings["DATABASE_URL"]).dicts(
        "SELECT * FROM fact_customer_current JOIN dim_archetype_l1 ON archetype_l1_id = archetype_id WHERE customer_id = %s",
        profile["customer_id"])[0]
    assert row["lifetime_value"] == pytest.approx(profile["business_metrics"]["lifetime_value"])
    assert row["archetype_l1_id"] == profile["archetype"]["archetype_id"]
    assert (row["risk_level"], row["rfm_group"]) == (profile["churn_risk"]["risk_level"], profile["rfm"]["group"])
    assert json.loads(json.dumps(row["behavioral_traits"])) == profile["archetype"]["behavioral_traits"]
    assert row["member_count"] == profile["archetype"]["member_count"]
