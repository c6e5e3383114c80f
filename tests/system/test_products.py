"""The nine product analyses against sums over the same lines in Python."""
import collections
import datetime
import random

import pytest

from lib.patrond import serving
from lib.sales import line, write

AS_OF = datetime.date(2025, 7, 1)
FROM, PREVIOUS = datetime.date(2024, 7, 1), datetime.date(2023, 7, 1)
ANALYSES = ["revenue_by_category", "category_popularity", "category_by_customer_segment", "category_trends",
            "category_repurchase_rate", "category_value_metrics", "product_bundles", "seasonal_product_performance",
            "individual_product_performance"]
MONTHS = ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
          "December"]


def make_lines():
    dice, rows = random.Random(7), []
    for order in range(900):
        day = datetime.date(2023, 1, 1) + datetime.timedelta(days=dice.randrange(1000))
        customer = None if dice.random() < 0.1 else 100 + dice.randrange(120)
        for _ in range(dice.randint(1, 4)):
            product = dice.randrange(30)
            rows.append(line(1000 + order, customer, day.isoformat(), f"{dice.randrange(0, 9000) / 100:.2f}",
                             product_id=product, product_name=f"Product {product}",
                             category=["Wool", "Kits", "Books", " ", ""][product % 5], quantity=dice.randint(1, 5),
                             line_item_refunds=dice.choice(["0.00", "0.00", "-3.25"])))
    return rows


LINES = make_lines()


@pytest.fixture(scope="module")
def market(postgres_server, tmp_path_factory):
    directory = tmp_path_factory.mktemp("products")
    write(directory / "sales.csv", LINES)
    postgres_server.ensure()
    with serving(directory / "i", {"DATABASE_URL": postgres_server.create_database(), "AS_OF_DATE": AS_OF.isoformat(),
                                   "SYNC_SOURCE": f"csv:{directory / 'sales.csv'}"}) as instance:
        yield instance


def ask(instance, analysis, query=""):
    answer = instance.get(f"/api/mcp/products/{analysis}{query}")
    assert answer.status == 200, answer.body
    return answer.json()


class Line:
    def __init__(self, row):
        self.order, self.customer = row["order_id"], row["customer_id"]
        self.day = datetime.date.fromisoformat(row["order_date"][:10])
        self.category = str(row["category"] or "").strip() or None
        self.product, self.units = str(row["product_id"]), int(row["quantity"])
        self.gross, self.refunds = float(row["line_item_sales"]), abs(float(row["line_item_refunds"]))
        self.net = self.gross - self.refunds


def lines(first=FROM, last=AS_OF):
    return [x for x in map(Line, LINES) if first <= x.day <= last]


def by_category(chosen):
    found = collections.defaultdict(list)
    for x in chosen:
        if x.category:
            found[x.category].append(x)
    return found


def customers(chosen):
    return {x.customer for x in chosen if x.customer}


def orders(chosen):
    return {x.order for x in chosen}


def net(chosen):
    return sum(x.net for x in chosen)


def cents(v):
    return pytest.approx(v, abs=0.0051)


@pytest.mark.parametrize("analysis", ANALYSES)
def test_frame(market, analysis):
    answer = ask(market, analysis)
    assert answer["analysis_type"] == analysis and answer["timeframe_months"] == 12 and answer["segment"] == "all"
    assert answer["period"] == {"from": "2024-07-01", "to": "2025-07-01"} and answer["as_of"] == "2025-07-01"
    [items] = [v for k, v in answer.items() if k in ("categories", "bundles", "products")]
    assert answer["count"] == len(items) > 0 and answer["data_version"] == 1
    assert None not in answer.values() and all(None not in i.values() for i in items)
    assert len(ask(market, analysis, "?limit=1")[next(k for k in answer if answer[k] is items)]) == 1


def test_revenue(market):
    answer, groups = ask(market, "revenue_by_category"), by_category(lines())
    total = sum(map(net, groups.values()))
    assert answer["total_revenue"] == cents(total)
    assert answer["uncategorised_revenue"] == cents(net(x for x in lines() if not x.category))
    assert [i["category"] for i in answer["categories"]] == sorted(groups, key=lambda c: -net(groups[c]))
    assert answer["top_category"] == answer["categories"][0]["category"]
    assert len(answer["insights"]) == 1 and answer["insights"][0].startswith(answer["top_category"] + " leads with ")
    for item in answer["categories"]:
        chosen = groups[item["category"]]
        assert item["total_revenue"] == cents(net(chosen)) and item["gross_revenue"] == cents(sum(x.gross for x in chosen))
        assert item["refunds"] == cents(sum(x.refunds for x in chosen)) and item["total_orders"] == len(orders(chosen))
        assert item["unique_customers"] == item["customer_count"] == len(customers(chosen))
        assert item["units_sold"] == sum(x.units for x in chosen)
        assert item["avg_order_value"] == cents(net(chosen) / len(orders(chosen)))
        assert item["revenue_per_customer"] == cents(net(chosen) / len(customers(chosen)))
        assert item["share_pct"] == cents(100 * net(chosen) / total)


@pytest.mark.parametrize("sort, key", [("customer_count", "customer_count"), ("aov", "avg_order_value"),
                                       ("total_orders", "total_orders"), ("units_sold", "units_sold")])
def test_sorts(market, sort, key):
    items = ask(market, "revenue_by_category", f"?sort_by={sort}")["categories"]
    assert [i[key] for i in items] == sorted((i[key] for i in items), reverse=True)


def test_popularity_and_segment(market):
    groups, buyers = by_category(lines()), customers(lines())
    answer = ask(market, "category_popularity")
    assert answer["total_customers"] == len(buyers) and answer["most_popular"] == answer["categories"][0]["category"]
    for item in answer["categories"]:
        assert item["customer_count"] == len(customers(groups[item["category"]]))
        assert item["percentage"] == cents(100 * item["customer_count"] / len(buyers))
    answer = ask(market, "category_by_customer_segment")
    assert answer["customers_analyzed"] == len(buyers)
    assert {i["category"]: i["total_revenue"] for i in answer["categories"]} == {
        c: cents(net(g)) for c, g in groups.items()}


def test_trends(market):
    now, before = by_category(lines()), by_category(lines(PREVIOUS, FROM - datetime.timedelta(days=1)))
    answer = ask(market, "category_trends")
    for item in answer["categories"]:
        growth = 100 * (net(now[item["category"]]) / net(before[item["category"]]) - 1)
        assert item["revenue_growth_pct"] == cents(growth)
        assert item["trend"] == ("growing" if growth > 10 else "declining" if growth < -10 else "stable")
        assert item["previous_revenue"] == cents(net(before[item["category"]]))
    assert [i["revenue_growth_pct"] for i in answer["categories"]] == sorted(
        (i["revenue_growth_pct"] for i in answer["categories"]), reverse=True)


def test_repurchase_and_value(market):
    groups = by_category(lines())
    for item in ask(market, "category_repurchase_rate")["categories"]:
        chosen = [x for x in groups[item["category"]] if x.customer]
        placed = collections.Counter(c for c, _ in {(x.customer, x.order) for x in chosen})
        assert item["total_customers"] == len(placed)
        assert item["repeat_customers"] == sum(n > 1 for n in placed.values())
        assert item["repeat_rate_pct"] == item["repurchase_rate_pct"] == cents(100 * item["repeat_customers"] / len(placed))
        assert item["avg_orders_per_customer"] == item["avg_purchases_per_customer"] == cents(
            sum(placed.values()) / len(placed))
    for item in ask(market, "category_value_metrics", "?sort_by=aov")["categories"]:
        chosen = groups[item["category"]]
        assert item["avg_customer_spend"] == cents(net(chosen) / len(customers(chosen)))
        assert item["avg_order_value"] == cents(net(chosen) / len(orders(chosen)))


def test_bundles(market):
    groups = {c: orders(g) for c, g in by_category(lines()).items()}
    every = len(orders(lines()))
    found = ask(market, "product_bundles")["bundles"]
    assert len(found) == 3
    for item in found:
        one, two = groups[item["category_1"]], groups[item["category_2"]]
        together = len(one & two)
        assert item["category_1"] < item["category_2"] and item["orders_together"] == together
        assert item["bundle_frequency_pct"] == cents(100 * together / every)
        assert item["confidence_1_to_2"] == pytest.approx(together / len(one), abs=5.1e-5)
        assert item["confidence_2_to_1"] == pytest.approx(together / len(two), abs=5.1e-5)
        assert item["lift"] == pytest.approx(together * every / len(one) / len(two), abs=5.1e-5)


def test_seasons_and_products(market):
    for item in ask(market, "seasonal_product_performance")["categories"]:
        months = collections.defaultdict(float)
        for x in by_category(lines())[item["category"]]:
            months[x.day.month] += x.net
        peak = max(months, key=months.get)
        assert (item["peak_month_number"], item["peak_month"]) == (peak, MONTHS[peak - 1])
        assert item["peak_revenue"] == cents(months[peak]) and item["total_revenue"] == cents(sum(months.values()))
    products = collections.defaultdict(list)
    for x in lines():
        products[x.product].append(x)
    answer = ask(market, "individual_product_performance", "?limit=5&sort_by=units_sold")
    best = sorted(products, key=lambda p: (-sum(x.units for x in products[p]), int(p)))[:5]
    assert [i["product_id"] for i in answer["products"]] == best
    for item in answer["products"]:
        chosen = products[item["product_id"]]
        assert item["product_name"] == f"Product {item['product_id']}" and item["total_revenue"] == cents(net(chosen))
        assert item["customer_count"] == len(customers(chosen)) and item["category"] == (chosen[0].category or "N/A")


def test_segment_restricts(market):
    found = market.post("/api/mcp/search", {"limit": 1000, "filters": {"segment": {"lifecycle": "active"}}}).json()["customers"]
    members = {int(c["customer_id"]) for c in found}
    answer = ask(market, "category_by_customer_segment", "?segment=lifecycle:active")
    assert answer["segment"] == "lifecycle:active"
    assert answer["customers_analyzed"] == len(customers(x for x in lines() if x.customer and int(x.customer) in members))
    archetype = market.get("/api/mcp/archetypes/top?limit=1").json()
    identifier = (archetype.get("archetypes") or archetype.get("top_archetypes"))[0]["archetype_id"]
    assert ask(market, "category_popularity", f"?segment={identifier}")["total_customers"] < len(customers(lines()))


@pytest.mark.parametrize("path, status, words", [
    ("nonsense", 404, "revenue_by_category"),
    ("product_bundles?sort_by=revenue", 400, "Invalid sort_by: revenue"),
    ("revenue_by_category?months=0", 422, "query.months"),
    ("revenue_by_category?limit=1001", 422, "query.limit"),
    ("revenue_by_category?segment=lifecycle:unheard", 422, "query.segment"),
    ("revenue_by_category?segment=arch_000000000000", 404, "arch_000000000000"),
])
def test_refusals(market, path, status, words):
    answer = market.get(f"/api/mcp/products/{path}")
    assert answer.status == status and words in answer.body.decode()


def test_nothing_in_the_period(market):
    answer = ask(market, "revenue_by_category", "?segment=purchase_frequency:power_buyer&months=1")
    if answer["count"] == 0:
        assert answer["categories"] == [] and answer["top_category"] == "N/A" and answer["insights"] == []


def call(instance, tool, **arguments):
    answer = instance.post("/api/mcp/query", {"tool_name": tool, "parameters": arguments})
    assert answer.status == 200, answer.body
    return answer.json()["result"]


@pytest.mark.parametrize("analysis", ANALYSES)
def test_the_tool_answers_the_same(market, analysis):
    result = call(market, "analyze_products", analysis_type=analysis, timeframe_months=12, limit=7)
    told, route = result["answer"], ask(market, analysis, "?months=12&limit=7")
    assert result["query_type"] == analysis and told["summary"] == told["message"] and told["insights"]
    assert {k: v for k, v in route.items() if k not in ("data_version", "insights")}.items() <= told.items()


def test_the_tool_is_cached_and_refuses(market):
    arguments = {"analysis_type": "revenue_by_category", "segment": "lifecycle:active"}
    assert call(market, "analyze_products", **arguments) == call(market, "analyze_products", **arguments)
    for wrong, status in (({"segment": "lifecycle:x"}, 422), ({"segment": "arch_000000000000"}, 404),
                          ({"sort_by": "growth_rate"}, 422), ({"timeframe_months": 61}, 422), ({"analysis_type": "x"}, 422)):
        assert market.post("/api/mcp/query", {"tool_name": "analyze_products", "parameters": wrong}).status == status, wrong


def test_what_archetypes_buy(market):
    found = collections.defaultdict(set)
    for c in market.post("/api/mcp/search", {"filters": {}, "limit": 1000}).json()["customers"]:
        found[c["archetype_id"]].add(c["customer_id"])
    told = call(market, "query_segments", analysis="product_affinity", limit=50)
    assert told["query_type"] == "product_affinity"
    archetypes = told["answer"]["archetypes"]
    assert {a["archetype_id"] for a in archetypes} == set(found)
    for a in archetypes:
        bought = by_category(x for x in lines() if x.customer and str(x.customer) in found[a["archetype_id"]])
        best = min(bought, key=lambda c: (-round(net(bought[c]), 2), c), default="N/A")
        assert (a["current_members"], a["top_category"]) == (len(found[a["archetype_id"]]), best)
