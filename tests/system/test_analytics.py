"""The analytics over HTTP: every key and type of CONTRACT 9, 11 to 13, 14.2 and 15, and numbers against PostgreSQL."""
import json

import pytest

from lib.patrond import serving
from lib.sales import Table
from lib.shape import check

AXES = ["purchase_frequency", "purchase_value", "lifecycle", "price_sensitivity", "category_affinity", "shopping_cadence",
        "repurchase_behavior", "return_behavior", "shopping_maturity"]


@pytest.fixture(scope="module")
def server(postgres_server, sample_sales, tmp_path_factory):
    """1,500 customers of a made-up shop over three years."""
    postgres_server.ensure()
    with serving(tmp_path_factory.mktemp("analytics") / "i", {
            "DATABASE_URL": postgres_server.create_database(), "AS_OF_DATE": "2025-11-03",
            "SYNC_SOURCE": f"csv:{sample_sales(1500, 11, '2022-09-01', '2025-11-03')}"}) as instance:
        yield instance


@pytest.fixture(scope="module")
def table(server):
    return Table(server.settings["DATABASE_URL"])


@pytest.fixture(scope="module")
def everybody(server):
    """All customers as a search shows them."""
    found, cursor = [], None
    while True:
        page = server.post("/api/mcp/search", {"limit": 1000, **({"cursor": cursor} if cursor else {})}).json()
        found += page["customers"]
        cursor = page["next_cursor"]
        if cursor is None:
            assert len(found) == page["total_matches"]
            return found


@pytest.fixture(scope="module")
def sample(everybody):
    """Ids of customers of all kinds: by value, every twentieth."""
    return [c["customer_id"] for c in everybody[::20]]


def get(server, path):
    answer = server.get(path)
    assert answer.status == 200, (path, answer.body)
    return answer.json()


SEGMENTS = {axis: "string" for axis in AXES}
INTERVAL = {"low": "number", "high": "number"}
COUNTS = {"low": "integer", "high": "integer"}
DATES = {"low": "date", "high": "date"}
REASON = {"code": "string", "effect": "string", "contribution": "number?", "text": "string"}
STAMP = {"as_of": "date"}
PROVENANCE = {"model_status": "string", "model_version": "string", **STAMP}
BACKTEST = ({"window_days": "integer", "bias_pct": "number", "correction_factor": "number"},)
BIN = {"count": "integer", "percentage": "number", "estimated_total": "integer"}
ARCHETYPE = {"archetype_id": "archetype", "segment_name": "string", "dominant_segments": SEGMENTS,
             "behavioral_traits": ["string"], "member_count": "integer", "population_percentage": "number",
             "avg_lifetime_value": "number", "avg_order_frequency": "number", "avg_churn_risk": "number"}
SHAPES = {
    "/api/mcp/customer/{}/churn-risk": {
        "customer_id": "digits", "risk_level": "string", "churn_risk_score": "number", "churn_probability": "number",
        "horizon_days": "integer", "p_alive": "number", "risk_factors": ["string"],
        "factors": {"recency_days": "integer", "order_frequency": "string", "value_tier": "string",
                    "engagement_trend": "string"},
        "reasons": [REASON], "recommendation": "string", "calibrated": "boolean", **PROVENANCE},
    "/api/mcp/customer/{}/next-purchase": {
        "customer_id": "digits", "prediction_available": "boolean",
        "next_purchase_prediction": {"predicted_date": "date?", "days_from_now": "integer?", "confidence": "number"},
        "purchase_pattern": {"avg_days_between_purchases": "number?", "days_since_last_purchase": "integer",
                             "total_orders": "integer", "shopping_cadence": "string", "purchase_frequency": "string"},
        "recommendation": "string", "days_since_last_order": "integer", "predicted_days_until_next": "integer?",
        "probability": "string", "risk_level": "string", "purchase_frequency_archetype": "string",
        "expected_frequency_days": "integer",
        "distribution": {"p30": "number", "p60": "number", "p90": "number", "p365": "number", "median_date": "date?",
                         "interval_80": (DATES,)},
        "horizon_days": "integer", "reasons": [REASON], **PROVENANCE},
    "/api/mcp/customer/{}/ltv-forecast?months=7": {
        "customer_id": "digits", "forecast_available": "boolean", "timeframe_months": "integer", "current_ltv": "number",
        "projected_ltv": "number", "ltv_increase": "number", "growth_rate_pct": "number",
        "monthly_projections": [{"month": "integer", "period": "month", "expected_orders": "number",
                                 "month_value": "number", "cumulative_ltv": "number", "retention_probability": "number"}],
        "assumptions": {"monthly_order_rate": "number", "avg_order_value": "number", "expected_order_value": "number",
                        "churn_risk_score": "number", "monthly_retention_rate": "number", "annual_discount_rate": "number",
                        "margin": "number", "dropout_identified": "boolean"},
        "comparison": {"archetype_avg_ltv": "number?", "performance_vs_archetype": "string"},
        "current_order_count": "integer", "avg_order_value": "number", "churn_risk": "number", "forecast_months": "integer",
        "predicted_ltv": "number",
        "monthly_forecast": [{"month": "integer", "expected_orders": "number", "expected_revenue": "number",
                              "cumulative_ltv": "number", "retention_probability": "number"}],
        "predicted_clv_discounted": "number", "horizon_days": "integer", "reasons": [REASON], **PROVENANCE},
    "/segments/customer/{}": {
        "customer_id": "digits", "segment_memberships": {axis: "object" for axis in AXES}, "dominant_segments": SEGMENTS,
        "membership_strengths": SEGMENTS, "confidence": "number", "archetype_id": "archetype", **STAMP},
    "/api/mcp/archetypes/top?limit=1000": {
        "metric": "string", "total_archetypes": "integer", "total_archetypes_analyzed": "integer",
        "top_archetypes": [{"archetype_id": "archetype", "segment_name": "string", "dominant_segments": SEGMENTS,
                            "member_count": "integer", "total_lifetime_value": "number", "avg_lifetime_value": "number",
                            "population_percentage": "number", "total_ltv": "number", "avg_ltv": "number",
                            "avg_churn_risk": "number"}],
        "summary": {"top_archetype_total_ltv": "number", "top_archetype_member_count": "integer",
                    "top_archetype_population_pct": "number"}, **STAMP},
    "/api/mcp/archetypes/growth-projection?months=7": {
        "timeframe_months": "integer", "months": "integer", "archetypes_analyzed": "integer",
        "archetype_projections": [{
            "archetype_id": "archetype", "segment_name": "string", "dominant_segments": SEGMENTS,
            "projected_members_month_7": "integer", "total_ltv": "number", "growth_rate_pct": "number",
            "monthly_churn_rate_pct": "number", "avg_churn_risk": "number",
            **{k: "integer" for k in ("current_members", "projected_members", "member_count", "active_members",
                                      "net_change", "total_acquired", "total_churned", "starting_members")},
            "monthly_projection": [{"month": "integer", "period": "month", "members": "integer", "churned": "integer",
                                    "acquired": "integer"}]}],
        "global_assumptions": {"total_monthly_acquisition": "integer", "data_span_years": "number"},
        "backtest": BACKTEST, **PROVENANCE},
    "/api/mcp/churn/aggregate": {
        "total_customers": "integer", "sample_size": "integer",
        "churn_risk_distribution": {k: BIN for k in ("high_risk", "medium_risk", "low_risk", "critical", "high", "medium",
                                                     "low")},
        "estimated_churn_30_days": "integer", "estimated_churn_90_days": "integer",
        "expected_inactive_customers": "integer", "note": "string", "average_churn_risk": "number",
        "median_churn_risk": "number", "risk_distribution": {k: "number" for k in ("low", "medium", "high", "critical")},
        "at_risk_customers_pct": "number", "timestamp": "time", "horizon_days": "integer",
        "calibration": ({"auc": "number", "brier": "number", "ece": "number", "base_rate": "number",
                         "window_end": "date"},), **PROVENANCE},
    "/api/mcp/growth/projection?months=7": {
        **{k: "integer" for k in ("current_customers", "projected_customers", "timeframe_months", "total_acquired",
                                  "total_churned", "net_change", "starting_customers", "projected_customers_month_7",
                                  "total_projected_growth", "total_customers")},
        "growth_rate_pct": "number",
        "monthly_projections": [{"month": "integer", "period": "month", "customers": "integer", "acquired": "integer",
                                 "churned": "integer", "net_change": "integer", "total_customers": "integer",
                                 "net_growth": "integer", "growth_rate_pct": "number"}],
        "assumptions": {"monthly_acquisition_rate": "integer", "monthly_churn_rate_pct": "number",
                        "avg_customer_tenure_days": "integer", "data_span_years": "number", "active_window_days": "integer",
                        "dropout_identified": "boolean"},
        "note": "string", "avg_monthly_churn_rate": "number", "assumed_acquisition_rate": "number", "interval_80": COUNTS,
        "backtest": BACKTEST, **PROVENANCE},
    "/api/mcp/revenue/forecast?months=7": {
        "timeframe_months": "integer", "current_total_ltv": "number", "projected_total_ltv": "number",
        "revenue_increase": "number", "growth_rate_pct": "number",
        "monthly_breakdown": [{"month": "integer", "period": "month", "monthly_revenue": "number",
                               "cumulative_revenue": "number", "existing_customers_revenue": "number",
                               "new_customers_revenue": "number", "seasonal_factor": "number", "interval_80": INTERVAL}],
        "assumptions": {"sample_size": "integer", "total_customers": "integer", "extrapolation_factor": "number",
                        "dropout_identified": "boolean"},
        "note": "string", "interval_80": INTERVAL, "backtest": BACKTEST, "forecast_months": "integer",
        "starting_customers": "integer", "projected_total_revenue": "number", "avg_monthly_revenue": "number",
        "monthly_forecasts": [{"month": "integer", "active_customers": "integer", "estimated_orders": "number",
                               "monthly_revenue": "number", "cumulative_revenue": "number"}], **PROVENANCE},
    "/api/mcp/campaign/retention": [{"archetype_id": "archetype", "member_count": "integer", "reason": "string",
                                     "segments": SEGMENTS}],
    "/api/mcp/cohorts?months=40": {
        "cohort_by": "string", "months": "integer",
        "cohorts": [{"cohort": "month", "size": "integer", "customers": ["integer"], "retention": ["number"],
                     "orders": ["integer"], "revenue": ["number"], "cumulative_revenue_per_customer": ["number"],
                     "last_month_incomplete": "boolean"}],
        "average_retention": ["number"], "data_version": "integer", **STAMP},
    "/segments/axes": {
        "axes": {axis: {"name": "string", "display_name": "string", "description": "string", "category": "string",
                        "segments": ["string"], "aliases": ["string"], "defines_archetype": "boolean"} for axis in AXES},
        "total": "integer"},
    "/segments/stats": {
        "total_customers": "integer", "customers_with_segments": "integer", "axes_count": "integer",
        "segments_per_axis": {axis: "integer" for axis in AXES}, "segment_distribution": {axis: "object" for axis in AXES},
        "data_version": "integer", **STAMP},
    "/api/system/configuration": {
        "version": "string", "axis_count": "integer",
        "axes": [{"name": "string", "display_name": "string", "description": "string", "category": "string",
                  "aliases": ["string"], "defines_archetype": "boolean",
                  "segments": [{"name": "string", "display_name": "string", "description": "string", "order": "integer",
                                "anchor": "number?"}]}],
        "archetype_level": "string",
        "churn": {"horizon_days": "integer", "levels": {k: "number" for k in ("critical", "high", "medium")}},
        "clv": {"months": "integer", "annual_discount_rate": "number", "margin": "number"}, "currency": "string",
        "active_window_days": "integer", "model_version": "string?"},
}
ARCHETYPE_DETAIL = {**ARCHETYPE, "description": "string", "archetype_level": "string", "active_members": "integer",
                    "strength_signature": [{"axis": "string", "segment": "string", "strength": "string",
                                            "share": "number"}],
                    "average_ltv": "number", "total_lifetime_value": "number", "total_revenue": "number",
                    "average_orders": "number", "avg_order_value": "number", "expected_orders_90d": "number", **STAMP}
CAMPAIGN = {"campaign_type": "string", "target_size_requested": "integer", "recommendations_count": "integer",
            "recommended_customers": [{"customer_id": "digits", "score": "number", "ltv": "number", "churn_risk": "number",
                                       "risk_level": "string", "archetype": "archetype", "dominant_segments": SEGMENTS}],
            "aggregate_metrics": {k: "number" for k in ("total_ltv", "avg_ltv", "avg_churn_risk", "min_ltv_filter")},
            "archetype_distribution": "object", "campaign_recommendations": "string", "target_size": "integer",
            "min_ltv_filter": "number", "total_potential_ltv": "number", "avg_churn_risk": "number",
            "candidates_found": "integer", "model_version": "string", **STAMP}


@pytest.mark.parametrize("path", SHAPES)
def test_keys_and_types(server, sample, path):
    for customer in sample if "{}" in path else [""]:
        answer = server.get(path.format(customer))
        assert answer.status == 200, answer.body
        check(answer.json(), SHAPES[path], path)
        for word in (b"NaN", b"nan", b"inf", b"Infinity"):
            assert b":" + word not in answer.body and b"," + word not in answer.body
        assert answer.headers["etag"].startswith('W/"1-') and answer.headers["x-data-version"] == "1"
    again = server.get(path.format(customer), headers={"If-None-Match": answer.headers["etag"]})
    assert again.status == 304


def test_archetypes_are_those_of_the_database(server, table, everybody):
    top = get(server, "/api/mcp/archetypes/top?limit=1000")
    known = {r["archetype_id"]: r for r in table.dicts("SELECT * FROM dim_archetype_l1")}
    assert top["total_archetypes"] == top["total_archetypes_analyzed"] == len(top["top_archetypes"]) == len(known)
    assert sum(a["member_count"] for a in top["top_archetypes"]) == len(everybody) == 1500
    assert sum(round(a["total_ltv"] * 100) for a in top["top_archetypes"]) == sum(
        round(c["lifetime_value"] * 100) for c in everybody)
    assert [a["total_ltv"] for a in top["top_archetypes"]] == sorted((a["total_ltv"] for a in top["top_archetypes"]), reverse=True)
    for shown in top["top_archetypes"]:
        row = known[shown["archetype_id"]]
        members = [c for c in everybody if c["archetype_id"] == shown["archetype_id"]]
        assert shown["member_count"] == row["member_count"] == len(members)
        assert shown["dominant_segments"] == row["dominant_segments"]
        assert shown["avg_ltv"] == shown["avg_lifetime_value"] == pytest.approx(row["avg_lifetime_value"], abs=0.0051)
        for axis in AXES[:4]:  # the defining ones are those of every member
            assert {c["dominant_segments"][axis] for c in members} == {shown["dominant_segments"][axis]}
        assert shown["avg_churn_risk"] == pytest.approx(sum(c["churn_risk_score"] for c in members) / len(members), abs=1e-4)
    for shown in top["top_archetypes"][::40]:
        one = get(server, f"/api/mcp/archetype/{shown['archetype_id']}")
        check(one, ARCHETYPE_DETAIL)
        assert one == get(server, f"/api/mcp/archetypes/{shown['archetype_id']}")
        row = known[shown["archetype_id"]]
        assert one["description"] == row["description"] and one["behavioral_traits"] == row["behavioral_traits"]
        assert one["avg_order_frequency"] == pytest.approx(row["avg_order_frequency"], abs=1e-4)
        found = server.post("/api/mcp/search", {"archetype_id": shown["archetype_id"], "limit": 1}).json()
        assert found["total_matches"] == one["member_count"]


def test_churn_is_the_sum_of_scores(server, table, everybody):
    a = get(server, "/api/mcp/churn/aggregate")
    mean, total = table.rows("SELECT avg(churn_risk_score), sum(churn_risk_score) FROM fact_customer_current")[0]
    assert a["average_churn_risk"] == pytest.approx(mean, abs=1e-4)
    assert a["expected_inactive_customers"] == pytest.approx(total, abs=0.51)
    levels = [c["risk_level"] for c in everybody]
    for level in ("critical", "high", "medium", "low"):
        assert a["churn_risk_distribution"][level]["count"] == levels.count(level)
    assert a["churn_risk_distribution"]["medium_risk"]["count"] == levels.count("high") + levels.count("medium")
    scores = sorted(c["churn_risk_score"] for c in everybody)
    assert a["median_churn_risk"] == pytest.approx((scores[749] + scores[750]) / 2, abs=1e-4)


def test_forecasts_start_from_the_facts(server, table):
    active, net = table.rows("SELECT count(*) FILTER (WHERE days_since_last_purchase <= 365), sum(lifetime_value)"
                             " FROM fact_customer_current")[0]
    growth = get(server, "/api/mcp/growth/projection?months=60")
    assert growth["current_customers"] == active and growth["total_customers"] == 1500
    revenue = get(server, "/api/mcp/revenue/forecast?months=60")
    assert revenue["current_total_ltv"] == pytest.approx(float(net), abs=0.01)
    assert revenue["starting_customers"] == active
    assert [m["active_customers"] for m in revenue["monthly_forecasts"]] == [m["customers"] for m in growth["monthly_projections"]]
    assert growth["monthly_projections"][-1]["period"] == "2030-11"
    shorter = get(server, "/api/mcp/revenue/forecast?months=5")
    assert shorter["monthly_breakdown"] == revenue["monthly_breakdown"][:5]


COHORTS = """
WITH orders AS (SELECT customer_id, order_id, min(order_date)::date AS day,
                       sum(coalesce(line_item_sales, 0) - abs(coalesce(line_item_refunds, 0))) AS net
                FROM combined_sales WHERE customer_id IS NOT NULL AND order_date < date '2025-11-04' GROUP BY 1, 2),
     firsts AS (SELECT customer_id, date_trunc('month', min(day)) AS cohort FROM orders GROUP BY 1)
SELECT to_char(cohort, 'YYYY-MM'),
       (extract(year FROM day) * 12 + extract(month FROM day) - extract(year FROM cohort) * 12 - extract(month FROM cohort))::int,
       count(DISTINCT customer_id), count(*), sum(net)
FROM orders JOIN firsts USING (customer_id) GROUP BY 1, 2
"""


def test_cohorts_are_those_of_the_lines(server, table):
    cells = {(cohort, k): values for cohort, k, *values in table.rows(COHORTS)}
    answer = get(server, "/api/mcp/cohorts?months=60")
    assert {c["cohort"] for c in answer["cohorts"]} == {cohort for cohort, _ in cells}
    for c in answer["cohorts"]:
        for k, (customers, orders, revenue) in enumerate(zip(c["customers"], c["orders"], c["revenue"])):
            want = cells.pop((c["cohort"], k), (0, 0, 0))
            assert (customers, orders) == tuple(want[:2]), (c["cohort"], k)
            assert revenue == pytest.approx(float(want[2]), abs=0.001)
        assert c["size"] == c["customers"][0] and c["retention"][0] == 1.0
    assert not cells
    for k, average in enumerate(answer["average_retention"]):
        reached = [c for c in answer["cohorts"] if len(c["customers"]) > k]
        assert average == pytest.approx(sum(c["customers"][k] for c in reached) / sum(c["size"] for c in reached), abs=1e-4)
    assert len(get(server, "/api/mcp/cohorts")["cohorts"]) == 12


def test_segments_are_those_of_the_database(server, table, sample):
    stats = get(server, "/segments/stats")
    for axis, word, members in table.rows("SELECT axis, dominant, count(*) FROM customer_axis GROUP BY 1, 2"):
        assert stats["segment_distribution"][axis][word] == members
    assert all(sum(words.values()) == 1500 for words in stats["segment_distribution"].values())
    for customer in sample[::5]:
        shown = get(server, f"/segments/customer/{customer}")
        for row in table.dicts("SELECT * FROM customer_axis WHERE customer_id = %s", customer):
            assert shown["dominant_segments"][row["axis"]] == row["dominant"]
            assert shown["membership_strengths"][row["axis"]] == row["strength"]
            assert shown["segment_memberships"][row["axis"]] == row["memberships"]
            assert sum(shown["segment_memberships"][row["axis"]].values()) == pytest.approx(1, abs=1e-9)


def test_a_customer_is_one_in_all_answers(server, table, sample):
    for customer in sample:
        profile = get(server, f"/api/mcp/customer/{customer}")
        churn = get(server, f"/api/mcp/customer/{customer}/churn-risk")
        following = get(server, f"/api/mcp/customer/{customer}/next-purchase")
        ltv = get(server, f"/api/mcp/customer/{customer}/ltv-forecast")
        row = table.dicts("SELECT * FROM fact_customer_current WHERE customer_id = %s", customer)[0]
        assert churn["churn_probability"] == profile["churn_risk"]["churn_risk_score"] == ltv["churn_risk"]
        assert churn["churn_probability"] == pytest.approx(row["churn_risk_score"], abs=0.00006)
        assert following["distribution"]["p90"] == pytest.approx(1 - churn["churn_probability"], abs=1e-9)
        assert following["distribution"]["median_date"] == profile["predictions"]["expected_date_of_next_order"]
        assert ltv["projected_ltv"] == profile["predictions"]["total_clv"]
        assert ltv["predicted_clv_discounted"] == profile["predictions"]["predicted_clv_discounted"]
        assert profile["archetype"]["archetype_id"] == row["archetype_l1_id"]
        assert profile["predictions"]["reasons"] == churn["reasons"]
        assert churn["risk_factors"] == [r["text"] for r in churn["reasons"] if r["effect"] == "raises"]
        assert ltv["comparison"]["archetype_avg_ltv"] == profile["archetype"]["avg_lifetime_value"]


@pytest.mark.parametrize("kind", ["retention", "growth", "winback", "loyalty", "cross_sell", "seasonal", "acquisition"])
def test_campaigns(server, everybody, kind):
    answer = server.post(f"/api/mcp/campaigns/recommend?campaign_type={kind}&target_size=40&min_ltv=25")
    assert answer.status == 200 and "etag" not in answer.headers
    body = answer.json()
    check(body, CAMPAIGN)
    listed = body["recommended_customers"]
    assert [c["score"] for c in listed] == sorted((c["score"] for c in listed), reverse=True)
    assert body["recommendations_count"] == len(listed) == min(40, body["candidates_found"])
    by_id = {c["customer_id"]: c for c in everybody}
    for c in listed:
        assert c["ltv"] == by_id[c["customer_id"]]["lifetime_value"] >= 25
        if kind in ("retention", "winback"):
            assert (c["dominant_segments"]["lifecycle"] == "dormant") == (kind == "winback")
            assert c["score"] == by_id[c["customer_id"]]["impact"]
    assert sum(body["archetype_distribution"].values()) == len(listed)
    if kind == "retention":
        rest = [c["impact"] for c in everybody if c["lifetime_value"] >= 25 and c["dominant_segments"]["lifecycle"] != "dormant"]
        assert body["candidates_found"] == len(rest)
        assert [c["score"] for c in listed] == sorted(rest, reverse=True)[:40]


@pytest.mark.parametrize("method, path, status, message, details", [
    ("GET", "/api/mcp/archetypes/top?metric=size", 400, "Invalid metric: size", {"field": "metric"}),
    ("GET", "/api/mcp/archetypes/top?limit=0", 422, None, {}),
    ("GET", "/api/mcp/archetypes/growth-projection?top_n=101", 422, None, {}),
    ("GET", "/api/mcp/archetype/arch_1", 404, "Archetype arch_1 not found", {"resource": "archetype", "identifier": "arch_1"}),
    ("GET", "/api/mcp/growth/projection?months=61", 422, None, {}),
    ("GET", "/api/mcp/revenue/forecast?months=x", 422, None, {}),
    ("GET", "/api/mcp/cohorts?months=0", 422, None, {}),
    ("GET", "/api/mcp/campaign/profit", 404, None, {"allowed": ["subscription", "retention", "cross_sell"]}),
    ("GET", "/api/mcp/campaign/retention?max_segments=101", 422, None, {}),
    ("POST", "/api/mcp/campaigns/recommend?campaign_type=spam", 400, "Invalid campaign type: spam", {"field": "campaign_type"}),
    ("POST", "/api/mcp/campaigns/recommend?target_size=10001", 422, None, {}),
    ("POST", "/api/mcp/campaigns/recommend?min_ltv=-1", 422, None, {}),
    ("GET", "/api/mcp/customer/1/churn-risk", 404, "Customer 1 not found", {"resource": "customer"}),
    ("GET", "/api/mcp/customer/x/next-purchase", 404, "Customer x not found", {}),
    ("GET", "/api/mcp/customer/1/ltv-forecast?months=61", 422, None, {}),
    ("GET", "/segments/customer/1", 404, "Customer 1 not found", {}),
])
def test_refusals(server, method, path, status, message, details):
    answer = server.get(path) if method == "GET" else server.post(path)
    assert answer.status == status, answer.body
    error = answer.json()["error"]
    assert error["code"] == ("NOT_FOUND" if status == 404 else "VALIDATION_ERROR")
    if message:
        assert error["message"] == message
    assert {k: error["details"].get(k) for k in details} == details
    if status == 422:
        assert error["details"]["validation_errors"][0]["field"].startswith("query.")


def test_answers_need_a_key(server):
    for path in SHAPES:
        assert server.get(path.format(1), headers={"X-API-Key": "wrong"}).status == 401, path


def test_equal_data_give_equal_bytes(server):
    for path in SHAPES:
        if "{}" not in path:
            assert server.get(path).body == server.get(path).body
    json.loads(server.get("/segments/axes").body)
