"""Scoring through the real binary: predictions against what then happened, and the promises every scoring keeps."""
import datetime
import hashlib
import json
import math

import pytest

from lib.sales import Table, line, write
from lib.wait import wait_until

RETAIL_AS_OF = "2011-09-09"
AS_OF = "2024-12-31"
L1 = ("lifecycle", "price_sensitivity", "purchase_frequency", "purchase_value")
AXES = 9


@pytest.fixture
def shop(patrond_factory, database, sample_sales):
    """make(**settings) -> a server on a made-up shop of 800 customers, synced, and its tables."""
    def make(source=None, **settings):
        source = source or sample_sales(800)
        patrond = patrond_factory(DATABASE_URL=database, SYNC_SOURCE=f"csv:{source}", **{"AS_OF_DATE": AS_OF, **settings})
        patrond.start()
        assert patrond.sync("full")["status"] == "success", patrond.log_tail()
        patrond.wait_data(1)
        return patrond, Table(database)
    return make


def auc(pairs):
    """Of (prediction, outcome): ties count half."""
    rank, positives, total = 0, 0, 0.0
    pairs = sorted(pairs)
    for i, (value, _) in enumerate(pairs):
        if i and pairs[i - 1][0] == value:
            continue
        tied = [outcome for v, outcome in pairs[i:] if v == value]
        total += sum(tied) * (rank + (len(tied) + 1) / 2)
        rank += len(tied)
        positives += sum(tied)
    return (total - positives * (positives + 1) / 2) / (positives * (len(pairs) - positives))


def brier(pairs):
    return sum((p - y) ** 2 for p, y in pairs) / len(pairs)


def as_day(text):
    return datetime.date.fromisoformat(text)


# against what then happened


def test_predictions_of_the_gift_retailer(patrond_factory, database, retail_sales):
    patrond = patrond_factory(DATABASE_URL=database, SYNC_SOURCE=f"csv:{retail_sales}", AS_OF_DATE=RETAIL_AS_OF).start()
    assert patrond.sync("full")["status"] == "success", patrond.log_tail()
    patrond.wait_data(1)
    table = Table(database)
    next_orders = dict(table.rows(
        "SELECT customer_id, min(order_date)::date FROM combined_sales WHERE line_item_sales > 0"
        " AND order_date >= %s::date + 1 AND order_date < %s::date + 91 GROUP BY 1", RETAIL_AS_OF, RETAIL_AS_OF))
    scores = table.rows("SELECT customer_id::bigint, churn_risk_score FROM fact_customer_current")
    assert len(scores) > 3000
    outcomes = [(churn, int(customer not in next_orders)) for customer, churn in scores]
    base_rate = sum(y for _, y in outcomes) / len(outcomes)
    assert auc(outcomes) >= 0.72
    assert brier(outcomes) < base_rate * (1 - base_rate)

    # the dates: of those who came back in the 90 days that can be seen
    inside = returners = 0
    for customer in sorted(c for c, _ in scores if c in next_orders):
        interval = patrond.get(f"/api/mcp/customer/{customer}/next-purchase").json()["distribution"]["interval_80"]
        returners += 1
        inside += as_day(interval["low"]) <= next_orders[customer] <= as_day(interval["high"])
    print(f"n {len(outcomes)} base {base_rate:.4f} AUC {auc(outcomes):.4f} Brier {brier(outcomes):.4f}"
          f" constant {base_rate * (1 - base_rate):.4f} coverage {inside / returners:.4f} of {returners}")
    assert 0.75 <= inside / returners <= 0.88

    # the forecast of all is the sum of the forecasts of each (a year of data: no season)
    forecast = patrond.get("/api/mcp/revenue/forecast?months=12").json()
    existing = sum(m["existing_customers_revenue"] for m in forecast["monthly_breakdown"])
    each = table.value("SELECT sum(predicted_clv) FROM fact_customer_current")
    assert {m["seasonal_factor"] for m in forecast["monthly_breakdown"]} == {1.0}
    print(f"existing {existing} each {each} factor {forecast['backtest']['correction_factor']}")
    assert math.isclose(existing, each * forecast["backtest"]["correction_factor"], rel_tol=0.001)

    # and what the back-test of the fit promised beforehand
    metrics = table.value("SELECT metrics FROM model_runs")
    assert metrics["auc"] >= 0.72 and metrics["brier"] < metrics["brier_base"] and metrics["ece"] <= 0.06
    assert 0.75 <= metrics["coverage"] <= 0.88
    assert "model_trained" in "\n".join(patrond.lines)


# what every scoring promises


@pytest.mark.parametrize("read_meanwhile", [False, True])
def test_first_scoring_leaves_the_indexes_as_they_were(patrond_factory, database, sample_sales, read_meanwhile):
    """They are built over the rows; where somebody holds the empty table, they stay and the rows come all the same."""
    indexes = "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 'fact_customer_current' ORDER BY 1"
    made = "SELECT oid::bigint FROM pg_class WHERE relname = 'idx_customer_ltv'"
    patrond = patrond_factory(DATABASE_URL=database, SYNC_SOURCE=f"csv:{sample_sales(300)}", AS_OF_DATE=AS_OF).start()
    table = Table(database)
    wait_until(lambda: table.value("SELECT to_regclass('data_versions') IS NOT NULL"), 20, "the schema")
    wait_until(lambda: len(table.rows(indexes)) == 8, 20, "the indexes")
    before, oid = table.rows(indexes), table.value(made)
    reader = table.holder("SELECT count(*) FROM fact_customer_current") if read_meanwhile else None
    try:
        assert patrond.sync("full")["status"] == "success", patrond.log_tail()
    finally:
        if reader:
            reader.close()
    assert table.rows(indexes) == before
    assert (table.value(made) == oid) == read_meanwhile
    assert table.value("SELECT count(*) FROM fact_customer_current") == table.value("SELECT count(*) FROM customer_facts") > 0


def test_everything_is_finite_and_adds_up(shop):
    patrond, table = shop()
    customers = table.value("SELECT count(*) FROM customer_facts")
    bad = table.value("""SELECT count(*) FROM fact_customer_current WHERE NOT (churn_risk_score BETWEEN 0 AND 1
        AND p_alive BETWEEN 0 AND 1 AND predicted_clv >= 0 AND predicted_clv < 1e12 AND lifetime_value < 1e12)
        OR churn_risk_score IS NULL OR archetype_l1_id IS NULL OR archetype_l2_id IS NULL OR archetype_l3_id IS NOT NULL
        OR risk_level <> CASE WHEN churn_risk_score > 0.7 THEN 'critical' WHEN churn_risk_score > 0.5 THEN 'high'
                              WHEN churn_risk_score > 0.3 THEN 'medium' ELSE 'low' END""")
    assert bad == 0
    assert table.value("SELECT count(*) FROM fact_customer_current") == customers

    # memberships of every axis sum to 1, and the dominant word is the largest
    assert table.value("SELECT count(*) FROM customer_axis") == AXES * customers
    for memberships, dominant, strength in table.rows("SELECT memberships, dominant, strength FROM customer_axis"):
        assert math.isclose(sum(memberships.values()), 1, abs_tol=1e-9) and all(0 < m <= 1 for m in memberships.values())
        assert memberships[dominant] == max(memberships.values())
        assert strength == ("weak" if dominant == "insufficient" else "strong" if memberships[dominant] > 0.7 else "balanced")

    # groups are sums of their members
    for level in "12":
        groups = table.rows(f"""SELECT d.archetype_id, d.member_count, d.avg_lifetime_value, count(*), avg(f.lifetime_value),
            d.population_percentage FROM dim_archetype_l{level} d LEFT JOIN fact_customer_current f
            ON f.archetype_l{level}_id = d.archetype_id GROUP BY 1""")
        assert sum(g[1] for g in groups) == customers
        for _, members, average, counted, computed, percentage in groups:
            assert members == counted and math.isclose(average, computed, rel_tol=1e-9, abs_tol=1e-6)
            assert math.isclose(percentage, 100 * members / customers)
    history = dict(table.rows("SELECT axis, sum(members) FROM segment_history GROUP BY 1"))
    assert len(history) == AXES and set(history.values()) == {customers}

    # and so is what the server says of all
    churn = table.rows("SELECT sum(churn_risk_score), count(*) FILTER (WHERE risk_level = 'critical') FROM fact_customer_current")
    aggregate = patrond.get("/api/mcp/churn/aggregate").json()
    assert aggregate["total_customers"] == customers
    assert abs(aggregate["expected_inactive_customers"] - churn[0][0]) <= 0.5 + 1e-6
    assert aggregate["churn_risk_distribution"]["critical"]["count"] == churn[0][1]
    top = patrond.get("/api/mcp/archetypes/top?limit=1000").json()
    assert top["total_archetypes"] == table.value("SELECT count(*) FROM dim_archetype_l1")
    assert sum(a["member_count"] for a in top["top_archetypes"]) == customers
    total = table.value("SELECT round(sum(lifetime_value)::numeric, 2) FROM fact_customer_current")
    assert math.isclose(sum(a["total_ltv"] for a in top["top_archetypes"]), total, abs_tol=0.01 * len(top["top_archetypes"]))
    metrics = patrond.get("/metrics").body.decode()
    fitted = table.value("SELECT metrics FROM model_runs")
    for name, value in (("model_auc", fitted["auc"]), ("model_brier", fitted["brier"]), ("model_ece", fitted["ece"]),
                        ("model_forecast_bias_pct", fitted["bias_pct"])):
        shown = next(l for l in metrics.splitlines() if l.startswith(name + " "))
        assert math.isclose(float(shown.split()[1]), value, rel_tol=1e-6), shown
    assert "\nmodel_trained_timestamp_seconds 1" in metrics
    for path in ("/api/mcp/revenue/forecast", "/api/mcp/growth/projection", "/api/mcp/cohorts"):
        answer = patrond.get(path)
        assert answer.status == 200
        for nothing in (b"NaN", b"Infinity", b"nan", b"inf,", b"null,null"):
            assert nothing not in answer.body


def test_archetype_ids_are_those_of_the_contract(shop):
    _, table = shop()
    words = {}
    for customer, axis, word in table.rows("SELECT customer_id, axis, dominant FROM customer_axis"):
        words.setdefault(customer, {})[axis] = word

    def archetype(chosen):
        text = "v1|" + "|".join(f"{axis}={word}" for axis, word in sorted(chosen.items()))
        return f"arch_{int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], 'big') % 10**12:012d}"

    rows = table.rows("SELECT customer_id, archetype_l1_id, archetype_l2_id FROM fact_customer_current")
    assert len(rows) == len(words)
    for customer, l1, l2 in rows:
        assert l1 == archetype({axis: words[customer][axis] for axis in L1})
        assert l2 == archetype(words[customer])
    # what the population serves is the same
    assert archetype({"lifecycle": "cooling", "price_sensitivity": "deal_hunter", "purchase_frequency": "occasional",
                      "purchase_value": "mid_tier"}) == "arch_015766796028"


def everything(table):
    """All that a scoring writes, without the times at which it did."""
    queries = ("SELECT to_jsonb(t) - 'digest' FROM customer_scores t",
               "SELECT to_jsonb(t) - 'last_updated' - 'created_at' FROM fact_customer_current t",
               "SELECT to_jsonb(t) FROM customer_axis t",
               "SELECT to_jsonb(t) - 'last_calculated' - 'created_at' - 'updated_at' FROM dim_archetype t",
               "SELECT to_jsonb(t) FROM segment_history t",
               "SELECT to_jsonb(t) - 'trained_at' - 'fits' FROM model_runs t",
               "SELECT to_jsonb(t) FROM population_sections t")
    return [hashlib.sha256("\n".join(sorted(json.dumps(r[0], sort_keys=True) for r in table.rows(q))).encode()).hexdigest()
            for q in queries]


def population(patrond):
    """The file's bytes but for checksum and times of the header."""
    data = bytearray((patrond.directory / "state" / "population-1.bin").read_bytes())
    data[24:32] = bytes(8)
    data[40:64] = bytes(24)
    return hashlib.sha256(data).hexdigest()


def test_equal_data_give_equal_bytes(shop, patrond_factory, postgres, sample_sales):
    one, first = shop()
    url = postgres.create_database()
    other = patrond_factory(DATABASE_URL=url, SYNC_SOURCE=f"csv:{sample_sales(800)}", AS_OF_DATE=AS_OF).start()
    assert other.sync("full")["status"] == "success"
    other.wait_data(1)
    assert everything(first) == everything(Table(url))
    assert population(one) == population(other)


# when models are fitted, and when customers are scored


def versions(table):
    return table.rows("SELECT data_version, as_of::text, run_id, model_version FROM data_versions ORDER BY 1")


def fits(table):
    return [r[0] for r in table.rows("SELECT model_version FROM model_runs ORDER BY trained_at")]


def test_models_are_fitted_once_a_day_and_after_a_full_load(shop, sample_sales, tmp_path):
    source = tmp_path / "sales.csv"
    source.write_bytes(sample_sales(800).read_bytes())
    patrond, table = shop(source, AS_OF_DATE="2024-11-30")
    assert fits(table) == ["mbg1-20241130"]
    before = table.dicts("SELECT params, state FROM model_runs")

    def add(order, customer, day):
        header = source.open().readline().strip().split(",")
        row = {"order_id": order, "customer_id": customer, "order_date": day, "quantity": 1, "line_item_sales": "25.00"}
        with source.open("a") as f:
            f.write(",".join(str(row.get(c, "")) for c in header) + "\n")

    add(990001, 7827249000011, "2024-11-29")
    old = table.rows("SELECT churn_risk_score FROM fact_customer_current WHERE customer_id = '7827249000011'")
    assert patrond.sync()["data_version"] == 2
    assert fits(table) == ["mbg1-20241130"] and versions(table)[1][3] == "mbg1-20241130"
    assert table.dicts("SELECT params, state FROM model_runs") == before
    assert table.rows("SELECT churn_risk_score FROM fact_customer_current WHERE customer_id = '7827249000011'") != old

    add(990002, 7827249000022, "2024-11-28")
    assert patrond.sync("full")["data_version"] == 3
    assert fits(table) == ["mbg1-20241130", "mbg1-20241130.2"] and versions(table)[2][3] == "mbg1-20241130.2"
    assert patrond.sync("full")["data_version"] is None  # nothing has changed
    assert len(fits(table)) == 2
    # the anchors stay
    anchors = table.rows("SELECT params->'anchors', params->>'anchors_day' FROM model_runs ORDER BY fit_number")
    assert anchors[0] == anchors[1]

    patrond.write_settings(CHURN_HORIZON_DAYS=30)
    assert patrond.ctl("reload").returncode == 0
    assert patrond.sync()["data_version"] == 4
    assert fits(table)[-1] == "mbg1-20241130.3"
    assert table.value("SELECT params->>'horizon_days' FROM model_runs WHERE fit_number = 3") == "30"


def test_a_new_day_is_scored_without_a_run(shop):
    patrond, table = shop(AS_OF_DATE="2024-11-30")
    runs = table.value("SELECT count(*) FROM sync_runs")
    before = dict(table.rows("SELECT customer_id, churn_risk_score FROM fact_customer_current"))
    ids = table.rows("SELECT ctid FROM customer_facts WHERE last_day < 20000 ORDER BY 1 LIMIT 5")
    patrond.write_settings(AS_OF_DATE="2024-12-02")
    assert patrond.ctl("reload").returncode == 0
    wait_until(lambda: table.version() == 2, 30, "the new day scored")
    assert versions(table)[1] == (2, "2024-12-02", None, "mbg1-20241202")
    assert table.value("SELECT count(*) FROM sync_runs") == runs
    patrond.wait_data(2)
    assert patrond.get("/api/mcp/churn/aggregate").json()["as_of"] == "2024-12-02"
    after = dict(table.rows("SELECT customer_id, churn_risk_score FROM fact_customer_current"))
    assert sum(after[c] != before[c] for c in before) > len(before) / 2
    assert table.value("SELECT count(*) FROM fact_customer_current WHERE days_since_last_purchase"
                       " <> date '2024-12-02' - last_order_date") == 0
    assert sorted(r[0].isoformat() for r in table.rows("SELECT DISTINCT day FROM segment_history")) == [
        "2024-11-30", "2024-12-02"]
    assert table.rows("SELECT ctid FROM customer_facts WHERE last_day < 20000 ORDER BY 1 LIMIT 5") == ids


def test_what_a_run_left_undone_is_scored_after_a_start(shop):
    patrond, table = shop()
    before = table.facts()
    patrond.stop()
    table.rows("UPDATE sync_state SET facts_all = true")
    table.rows("DELETE FROM customer_facts")
    patrond.start()
    wait_until(lambda: table.version() == 2, 30, "everyone scored again")
    assert table.facts() == before
    assert fits(table) == ["mbg1-20241231"] and versions(table)[1][2] is None


def test_too_few_customers_are_answered_from_priors(shop, tmp_path):
    source = write(tmp_path / "few.csv", [line(n, 100 + n % 20, f"2024-{1 + n % 11:02}-{1 + n % 28:02}") for n in range(1, 60)])
    patrond, table = shop(source)
    assert table.rows("SELECT status, calibrated FROM model_runs") == [("insufficient_data", False)]
    assert table.value("SELECT metrics->'auc' FROM model_runs") is None
    assert table.value("SELECT count(*) FROM fact_customer_current WHERE churn_risk_score > 0 AND churn_risk_score < 1") == 20
    profile = patrond.get("/api/mcp/customer/101").json()
    assert profile["predictions"]["model_status"] == "insufficient_data"
    assert profile["predictions"]["model_version"] == "mbg1-20241231"


def test_level_of_the_archetypes(shop):
    patrond, table = shop(ARCHETYPE_LEVEL="l2")
    top = patrond.get("/api/mcp/archetypes/top").json()
    assert top["total_archetypes"] == table.value("SELECT count(*) FROM dim_archetype_l2")
    assert table.value("SELECT archetypes FROM data_versions") == top["total_archetypes"]
    customer = table.value("SELECT customer_id FROM fact_customer_current ORDER BY 1 LIMIT 1")
    assert patrond.get(f"/api/mcp/customer/{customer}").json()["archetype"]["archetype_id"] == table.value(
        "SELECT archetype_l2_id FROM fact_customer_current WHERE customer_id = %s", customer)


def test_patronctl_models(shop):
    patrond, table = shop()
    patrond.stop()
    out = patrond.ctl("models", "--json")
    assert out.returncode == 0, out.stderr
    shown = json.loads(out.stdout)
    assert shown["model_version"] == "mbg1-20241231" and shown["status"] == "ok"
    assert shown["params"]["data"]["customers"] <= table.value("SELECT count(*) FROM customer_facts")
    for name in ("r", "alpha", "a", "b", "log_likelihood"):
        assert math.isfinite(shown["params"]["mbg"][name])
    for name in ("auc", "brier", "ece", "bias_pct"):
        assert math.isfinite(shown["metrics"][name])
    assert any(f["step"].startswith("mbg") and f["evaluations"] > 0 and f["ms"] >= 0 for f in shown["fits"])
    text = patrond.ctl("models")
    assert text.returncode == 0
    for words in ("mbg1-20241231", "repeat buyers", "prior        on", "log-likelihood", "AUC", "Brier", "calibration error",
                  "bias", "evaluations"):
        assert words in text.stdout, text.stdout
    assert "nan" not in text.stdout
    assert patrond.ctl("models", "--xml").returncode == 2
