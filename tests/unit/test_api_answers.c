/*
 * The answers of CONTRACT 17.3 that need no database: shapes from a table, and what they say held against the
 * population.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "analytics_fixture.h"
#include "api_expect.h"
#include "model/advice.h"
#include "model/axes_vocab.h"
#include "model/rfm.h"

#define ROWS 900

static struct fixture f;
static struct population *p;

static int setup(void **state)
{
    (void)state;
    p = analytics_start(&f, "", &(struct analytics_shape){ .rows = ROWS, .data_version = 9 });
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    return analytics_stop(&f, p);
}

/* The `answer` of a call that must succeed. */
static const struct json *answer_to(const char *tool, const char *parameters)
{
    const struct answer *a = query(&f, tool, parameters);

    if (a->status != 200)
        fail_msg("%s %s: %d %.*s", tool, parameters, a->status, (int)a->body.len, a->body.p);
    return json_at(answer_json(a), "answer");
}

static const char *archetype_id_at(size_t i)
{
    static char ids[2][ARCHETYPE_ID_SIZE];

    return archetype_format_id(ids[i % 2], p->archetypes[i].id);
}

/* $C: a customer, $A and $B: archetypes. */
static const char *filled(const char *text)
{
    static char out[1024];
    size_t n = 0;

    for (; *text != '\0' && n < sizeof(out) - 32; text++) {
        if (*text != '$') {
            out[n++] = *text;
            continue;
        }
        text++;
        n += *text == 'C' ? (size_t)snprintf(out + n, 32, "%lld", (long long)analytics_id(5))
                          : (size_t)snprintf(out + n, 32, "%s", archetype_id_at(*text == 'A' ? 0 : 1));
    }
    out[n] = '\0';
    return out;
}

#define PROFILE                                                                                                      \
    " customer_id profile.lifetime_value profile.order_count profile.churn_risk profile.archetype_id"                \
    " profile.risk_level profile.days_since_last_purchase profile.rfm_group"
#define MATCHES                                                                                                      \
    " recommendation customers.0.customer_id customers.0.ltv customers.0.order_count customers.0.churn_risk"         \
    " aggregate_metrics.total_matches aggregate_metrics.total_ltv aggregate_metrics.avg_ltv"
#define ADVICE                                                                                                       \
    " recommendation suggested_actions.0 customers.0.customer_id customers.0.ltv customers.0.order_count"            \
    " customers.0.churn_risk customers.0.recommended_actions.0 expected_impact recommendations"
#define FORECAST " current_value projected_value growth_rate timeframe_months unit key_insights.0"
#define SEASON                                                                                                       \
    " event top_archetypes.0.archetype_id top_archetypes.0.score top_archetypes.0.total_ltv"                         \
    " top_archetypes.0.member_count top_archetypes.0.population_percentage top_archetypes.0.dominant_segments"       \
    " top_archetypes.0.behavior_description top_archetypes.0.recommendation_reasons campaign_strategy.timing"        \
    " campaign_strategy.messaging campaign_strategy.channels campaign_strategy.offers"                               \
    " campaign_strategy.expected_roi aggregate_metrics.total_ltv_targeted"                                           \
    " aggregate_metrics.total_members_targeted aggregate_metrics.avg_score"
#define PROJECTIONS                                                                                                  \
    " projections.0.archetype_id projections.0.segment_name projections.0.member_count"                              \
    " projections.0.current_members projections.0.projected_members projections.0.growth_rate_pct"                   \
    " projections.0.total_revenue projections.0.total_ltv projections.0.avg_ltv projections.0.avg_orders"            \
    " projections.0.avg_days_since_purchase projections.0.dominant_segments.lifecycle key_insights.0"                \
    " timeframe_months sort_by"

/* clang-format off */
static const struct {
    const char *tool, *parameters, *query_type, *paths;
} shapes[] = {
    { "query_customers", "{\"scope\": \"individual\", \"customer_id\": \"$C\"}", "customer_lookup", PROFILE },
    { "query_customers", "{\"scope\": \"individual\", \"customer_id\": \"$C\", \"info\": \"churn_risk\"}",
      "customer_churn_risk", PROFILE " churn_risk lifetime_value order_count churn_category risk_factors" },
    { "query_customers", "{\"scope\": \"individual\", \"customer_id\": \"$C\", \"info\": \"ltv_forecast\"}",
      "customer_ltv_forecast", PROFILE " current_ltv projected_ltv timeframe_months growth_rate_pct" },
    { "query_customers", "{\"scope\": \"individual\", \"customer_id\": \"$C\", \"info\": \"segment\"}",
      "customer_segment", PROFILE " archetype_id segment_name dominant_segments.lifecycle" },
    { "query_customers", "{\"scope\": \"individual\", \"customer_id\": \"$C\", \"info\": \"recommendations\"}",
      "customer_recommendations", PROFILE " recommendations.0 churn_risk lifetime_value priority" },
    { "query_customers", "{}", "high_value_customers",
      "customers.9.customer_id customers.9.ltv customers.9.order_count customers.9.churn_risk"
      " aggregate_metrics.total_ltv aggregate_metrics.avg_ltv aggregate_metrics.avg_orders"
      " aggregate_metrics.avg_churn_risk aggregate_metrics.total_matches" },
    { "query_customers", "{\"analysis\": \"churn_risk\", \"limit\": 3}", "churn_identification",
      "churn_distribution.high_risk.count churn_distribution.medium_risk.percentage churn_distribution.low_risk.count"
      " top_at_risk_customers.2.customer_id top_at_risk_customers.2.ltv top_at_risk_customers.2.churn_risk"
      " top_at_risk_customers.2.risk_level top_at_risk_customers.2.order_count recommended_action horizon_days" },
    { "query_customers", "{\"analysis\": \"b2b\"}", "b2b_identification",
      "customers aggregate_metrics.total_b2b_ltv aggregate_metrics.avg_b2b_ltv aggregate_metrics.total_b2b_orders" },
    { "query_customers", "{\"filters\": {\"ltv_min\": 10}}", "behavioral_analysis",
      "filters_applied.ltv_min customers.0.customer_id customers.0.ltv customers.0.order_count customers.0.churn_risk"
      " aggregate_metrics.total_ltv aggregate_metrics.avg_ltv aggregate_metrics.total_matches" },
    { "query_customers", "{\"analysis\": \"rfm\"}", "rfm_analysis",
      "customers.0.customer_id customers.0.ltv customers.0.order_count customers.0.rfm_score.recency"
      " customers.0.rfm_score.frequency customers.0.rfm_score.monetary customers.0.rfm_score.total"
      " customers.0.rfm_score.group group_distribution" },
    { "query_customers", "{\"analysis\": \"one_time_buyers\"}", "one_time_buyers", MATCHES },
    { "query_customers", "{\"analysis\": \"momentum_analysis\"}", "momentum_analysis", MATCHES },
    { "query_customers", "{\"analysis\": \"declining_engagement\"}", "declining_engagement", MATCHES },
    { "query_customers", "{\"analysis\": \"behavior_change\"}", "behavior_change", MATCHES },
    { "query_customers", "{\"analysis\": \"purchase_cadence\"}", "purchase_cadence", MATCHES },
    { "query_customers", "{\"analysis\": \"discount_dependency\"}", "discount_dependency", MATCHES },
    { "query_segments", "{}", "archetype_growth_projection", PROJECTIONS },
    { "query_segments", "{\"analysis\": \"growth\", \"timeframe_months\": 2, \"limit\": 50}",
      "archetype_growth_projection", PROJECTIONS },
    { "query_segments", "{\"analysis\": \"comparison\", \"segment_ids\": [\"$A\", \"$B\"]}", "segment_comparison",
      "segments.1.archetype_id segments.1.current_members segments.1.total_ltv segments.1.growth_rate_pct"
      " metrics_compared.2" },
    { "query_segments", "{\"analysis\": \"seasonal\", \"event\": \"easter\", \"limit\": 2}",
      "seasonal_archetype_recommendation", SEASON },
    { "plan_campaign", "{\"goal\": \"seasonal\", \"event\": \"christmas\"}", "seasonal_archetype_recommendation",
      SEASON },
    { "plan_campaign", "{\"goal\": \"retention\", \"target_size\": 4}", "campaign_targeting",
      "campaign_type recommended_customers.3.customer_id recommended_customers.3.ltv recommended_customers.3.score"
      " recommended_customers.3.churn_risk recommended_customers.3.risk_level recommended_customers.3.archetype"
      " strategy aggregate_metrics.total_ltv aggregate_metrics.avg_ltv aggregate_metrics.avg_churn_risk" },
    { "get_recommendations", "{\"type\": \"upsell\"}", "upsell_recommendations", ADVICE },
    { "get_recommendations", "{\"type\": \"cross_sell\"}", "cross_sell_recommendations", ADVICE },
    { "get_recommendations", "{\"type\": \"expansion\"}", "expansion_recommendations", ADVICE },
    { "get_recommendations", "{\"type\": \"winback\"}", "winback_recommendations", ADVICE },
    { "get_recommendations", "{\"type\": \"retention\"}", "retention_action_plan",
      ADVICE " recommendations.0.segment recommendations.0.discount recommendations.0.rationale" },
    { "get_recommendations", "{\"type\": \"discount\"}", "discount_strategy",
      ADVICE " recommendations.0.segment recommendations.0.discount recommendations.0.rationale" },
    { "forecast_business_metrics", "{}", "revenue_forecast",
      "forecast.current_total_ltv forecast.projected_total_ltv forecast.growth_rate_pct forecast.timeframe_months"
      " forecast.projected_total_revenue forecast.interval_80.low forecast.interval_80.high key_insights.0" },
    { "forecast_business_metrics", "{\"metric\": \"customer_count\"}", "customer_count_forecast", FORECAST },
    { "forecast_business_metrics", "{\"metric\": \"new_customers\"}", "new_customers_forecast", FORECAST },
    { "forecast_business_metrics", "{\"metric\": \"churned_customers\"}", "churned_customers_forecast", FORECAST },
    { "forecast_business_metrics", "{\"metric\": \"average_ltv\"}", "average_ltv_forecast", FORECAST },
    { "forecast_business_metrics", "{\"metric\": \"average_aov\"}", "average_aov_forecast", FORECAST },
    { "forecast_business_metrics", "{\"metric\": \"churn_rate\"}", "churn_rate_forecast", FORECAST },
    { "forecast_business_metrics", "{\"metric\": \"retention_rate\"}", "retention_rate_forecast", FORECAST },
};
/* clang-format on */

static void test_shapes(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
        const struct json *a = answer_to(shapes[i].tool, filled(shapes[i].parameters));
        struct str rest = str_from(shapes[i].paths), path;

        expect(answer_json(query(&f, shapes[i].tool, filled(shapes[i].parameters))), "query_type",
               shapes[i].query_type);
        a = answer_to(shapes[i].tool, filled(shapes[i].parameters));
        expect_same(a, "summary", "message");
        while (str_split(&rest, ' ', &path)) {
            char text[96];

            str_copy(text, sizeof(text), path);
            if (path.len > 0 && (json_at(a, text) == NULL || json_at(a, text)->type == JSON_NULL))
                fail_msg("%s %s: %s is %s", shapes[i].tool, shapes[i].parameters, text, json_text(a, text));
        }
    }
}

/* ---- lists, computed anew ---- */

static bool dominant(size_t i, unsigned axis, const char *word)
{
    return strcmp(axes_vocab_word(axis, population_dominant(&p->rows[i].axes[axis])), word) == 0;
}

static double ltv(size_t i)
{
    return (double)p->ltv_cents[i] / 100;
}

static int trend(size_t i)
{
    double now = p->rows[i].orders_90, before = p->rows[i].orders_prev_90;

    return now > 1.5 * before ? 1 : now < 0.5 * before ? -1 : 0;
}

static double median(void)
{
    size_t below = 0;

    for (size_t i = 0; i < p->count; i++) {
        size_t lower = 0, equal = 0;

        for (size_t k = 0; k < p->count; k++) {
            lower += ltv(k) < ltv(i);
            equal += ltv(k) == ltv(i);
        }
        if (lower <= p->count / 2 - 1 && lower + equal > p->count / 2 - 1)
            below = i;
    }
    return ltv(below); /* the lower of the two in the middle */
}

static bool belongs(const char *analysis, size_t i, double middle)
{
    unsigned orders = p->rows[i].orders;

    if (strcmp(analysis, "one_time_buyers") == 0)
        return orders == 1;
    if (orders < 2)
        return false;
    if (strcmp(analysis, "momentum_analysis") == 0)
        return trend(i) > 0;
    if (strcmp(analysis, "declining_engagement") == 0)
        return trend(i) < 0 && ltv(i) > middle;
    if (strcmp(analysis, "behavior_change") == 0)
        return trend(i) != 0;
    if (strcmp(analysis, "purchase_cadence") == 0)
        return !dominant(i, AXIS_SHOPPING_CADENCE, "insufficient");
    return dominant(i, AXIS_PRICE_SENSITIVITY, "deal_hunter");
}

static double order_value(const char *analysis, size_t i)
{
    if (strcmp(analysis, "behavior_change") == 0)
        return fabs((double)p->rows[i].orders_90 - p->rows[i].orders_prev_90);
    return strcmp(analysis, "purchase_cadence") == 0 ? p->rows[i].orders : ltv(i);
}

static size_t row_of(const struct json *customer)
{
    int64_t id;

    assert_true(str_to_i64(json_at(customer, "customer_id")->text, &id));
    return population_row_index(p, population_find(p, id));
}

static void check_list(const char *analysis, double middle)
{
    char parameters[96];
    size_t matches = 0, listed = 0, better = 0;
    double sum = 0, before = INFINITY;

    snprintf(parameters, sizeof(parameters), "{\"analysis\": \"%s\", \"limit\": 25}", analysis);
    const struct json *a = answer_to("query_customers", parameters);
    for (size_t i = 0; i < p->count; i++) {
        matches += belongs(analysis, i, middle);
        sum += belongs(analysis, i, middle) ? ltv(i) : 0;
    }
    for (const struct json *c = json_at(a, "customers")->first; c != NULL; c = c->next, listed++) {
        size_t i = row_of(c);

        assert_true(belongs(analysis, i, middle));
        assert_true(order_value(analysis, i) <= before);
        before = order_value(analysis, i);
        expect_near(num(c, "ltv"), ltv(i), 0.005);
        assert_int_equal(num(c, "order_count"), p->rows[i].orders);
    }
    for (size_t i = 0; i < p->count; i++)
        better += belongs(analysis, i, middle) && order_value(analysis, i) > before;
    assert_true(matches > 25 && listed == 25 && better < 25);
    assert_int_equal(num(a, "aggregate_metrics.total_matches"), matches);
    expect_near(num(a, "aggregate_metrics.total_ltv"), sum, 0.01);
    expect_near(num(a, "aggregate_metrics.avg_ltv"), sum / (double)matches, 0.01);
}

static void test_lists(void **state)
{
    static const char *const words[] = { "one_time_buyers", "momentum_analysis", "declining_engagement",
                                         "behavior_change", "purchase_cadence",  "discount_dependency" };
    double middle = median();

    (void)state;
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        check_list(words[i], middle);
}

static void test_filters_and_sort_hold_in_every_list(void **state)
{
    const struct json *a =
        answer_to("query_customers", "{\"analysis\": \"rfm\", \"sort_by\": \"aov_asc\", \"filters\":"
                                     " {\"total_orders_min\": 3, \"segment\": {\"lifecycle\":"
                                     " [\"active\", \"cooling\"]}}}");
    double before = -INFINITY;

    (void)state;
    for (const struct json *c = json_at(a, "customers")->first; c != NULL; c = c->next) {
        size_t i = row_of(c);

        assert_true(p->rows[i].orders >= 3);
        assert_true(dominant(i, AXIS_LIFECYCLE, "active") || dominant(i, AXIS_LIFECYCLE, "cooling"));
        assert_true(population_aov(&p->rows[i]) >= before);
        before = population_aov(&p->rows[i]);
    }
    assert_true(before > 0);
    a = answer_to("query_customers", "{\"analysis\": \"one_time_buyers\", \"filters\": {\"total_orders_min\": 2}}");
    assert_int_equal(num(a, "aggregate_metrics.total_matches"), 0);
    expect(a, "customers", "(array)");
    expect(a, "aggregate_metrics.avg_ltv", "0.0");
    a = answer_to("query_customers",
                  "{\"analysis\": \"discount_dependency\", \"filters\": {\"segment\": {\"price_sensitivity\":"
                  " \"full_price\"}}}");
    assert_int_equal(num(a, "aggregate_metrics.total_matches"), 0);
}

static void test_totals_are_of_the_list_or_of_all(void **state)
{
    const struct json *a = answer_to("query_customers", "{\"limit\": 2}");

    (void)state;
    assert_int_equal(num(a, "aggregate_metrics.total_matches"), ROWS);
    expect_near(num(a, "aggregate_metrics.total_ltv"), num(a, "customers.0.ltv") + num(a, "customers.1.ltv"), 0.01);
    expect_near(num(a, "aggregate_metrics.avg_orders"),
                (num(a, "customers.0.order_count") + num(a, "customers.1.order_count")) / 2, 0.005);
}

/* ---- archetypes ---- */

static void test_orders_and_filters_of_archetypes(void **state)
{
    static const struct {
        const char *sort, *path;
        double sign;
    } sorts[] = {
        { "total_revenue", "total_revenue", -1 }, { "ltv", "avg_ltv", -1 },
        { "size", "member_count", -1 },           { "growth_rate", "growth_rate_pct", -1 },
        { "churn_rate", "avg_churn_risk", -1 },   { "recency", "avg_days_since_purchase", 1 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(sorts) / sizeof(sorts[0]); i++) {
        char parameters[96];
        double before = -INFINITY;

        snprintf(parameters, sizeof(parameters), "{\"sort_by\": \"%s\", \"limit\": 50}", sorts[i].sort);
        const struct json *a = answer_to("query_segments", parameters);
        expect(a, "sort_by", sorts[i].sort);
        for (const struct json *e = json_at(a, "projections")->first; e != NULL; e = e->next) {
            assert_true(sorts[i].sign * num(e, sorts[i].path) >= before - 0.06); /* shown rounded */
            before = sorts[i].sign * num(e, sorts[i].path);
        }
    }
    const struct json *a =
        answer_to("query_segments", "{\"limit\": 50, \"filters\": {\"growth_trend\": \"shrinking\","
                                    " \"value_tier\": \"mid_tier\", \"size_min\": 2}}");
    for (const struct json *e = json_at(a, "projections")->first; e != NULL; e = e->next) {
        assert_true(num(e, "growth_rate_pct") <= 0);
        assert_true(num(e, "member_count") >= 2);
        expect(e, "dominant_segments.purchase_value", "mid_tier");
    }
}

static void test_growth_agrees_with_the_route(void **state)
{
    char id[ARCHETYPE_ID_SIZE], members[32];
    const struct json *a = answer_to("query_segments", "{\"timeframe_months\": 7, \"limit\": 1}");

    (void)state;
    snprintf(id, sizeof(id), "%s", json_text(a, "projections.0.archetype_id"));
    snprintf(members, sizeof(members), "%s", json_text(a, "projections.0.projected_members_month_7"));
    a = good(&f, "/api/mcp/archetypes/growth-projection?months=7&top_n=1");
    expect(a, "archetype_projections.0.archetype_id", id);
    expect(a, "archetype_projections.0.projected_members_month_7", members);
}

static void test_comparison_needs_two(void **state)
{
    const struct answer *a = query(&f, "query_segments", "{\"analysis\": \"comparison\"}");

    (void)state;
    assert_int_equal(a->status, 422);
    expect(answer_json(a), "error.details.validation_errors.0.type", "missing");
    a = query(&f, "query_segments", filled("{\"analysis\": \"comparison\", \"segment_ids\": [\"$A\"]}"));
    assert_int_equal(a->status, 422);
    a = query(&f, "query_segments", filled("{\"analysis\": \"comparison\", \"segment_ids\": [\"$A\", \"arch_1\"]}"));
    assert_int_equal(a->status, 404);
    expect(answer_json(a), "error.message", "Archetype arch_1 not found");
}

/* The formula of CONTRACT 17.3, read anew. */
static double season_score(size_t n)
{
    const struct population_archetype *a = &p->archetypes[n];
    const char *value = axes_vocab_word(AXIS_PURCHASE_VALUE, a->words[AXIS_PURCHASE_VALUE]);
    double lower = 0, seasonal = 0;

    for (size_t i = 0; i < p->archetype_count; i++)
        lower += p->archetypes[i].net_cents < a->net_cents;
    for (size_t i = 0; i < p->count; i++)
        seasonal += p->rows[i].archetype == n &&
                    (dominant(i, AXIS_SHOPPING_CADENCE, "seasonal") || dominant(i, AXIS_SHOPPING_CADENCE, "holiday"));
    return 40 * lower / (double)(p->archetype_count - 1) + 30 * seasonal / (double)a->members +
           20 * (strcmp(value, "premium") == 0 || strcmp(value, "high_tier") == 0) +
           10 * a->words[AXIS_PURCHASE_FREQUENCY] / 4.0;
}

static void test_season_scores(void **state)
{
    const struct json *a = answer_to("query_segments", "{\"analysis\": \"seasonal\", \"limit\": 50}");
    double before = 101;

    (void)state;
    expect(a, "event", "holiday_season");
    for (const struct json *e = json_at(a, "top_archetypes")->first; e != NULL; e = e->next) {
        size_t n = 0;

        while (strcmp(archetype_id_at(n), json_text(e, "archetype_id")) != 0)
            n++;
        expect_near(num(e, "score"), season_score(n), 0.051);
        assert_true(num(e, "score") <= before);
        before = num(e, "score");
    }
}

/* ---- forecasts, campaigns ---- */

static void test_forecasts_agree_with_the_routes(void **state)
{
    char revenue[32], customers[32], acquired[32], churned[32];
    const struct json *j = good(&f, "/api/mcp/revenue/forecast?months=5");

    (void)state;
    snprintf(revenue, sizeof(revenue), "%s", json_text(j, "projected_total_revenue"));
    j = good(&f, "/api/mcp/growth/projection?months=5");
    snprintf(customers, sizeof(customers), "%s", json_text(j, "projected_customers"));
    snprintf(acquired, sizeof(acquired), "%s", json_text(j, "total_acquired"));
    snprintf(churned, sizeof(churned), "%s", json_text(j, "total_churned"));
    double rate = num(j, "avg_monthly_churn_rate");
    expect(answer_to("forecast_business_metrics", "{\"timeframe_months\": 5}"), "forecast.projected_total_revenue",
           revenue);
    expect(answer_to("forecast_business_metrics", "{\"metric\": \"customer_count\", \"timeframe_months\": 5}"),
           "projected_value", customers);
    expect(answer_to("forecast_business_metrics", "{\"metric\": \"new_customers\", \"timeframe_months\": 5}"),
           "projected_value", acquired);
    expect(answer_to("forecast_business_metrics", "{\"metric\": \"churned_customers\", \"timeframe_months\": 5}"),
           "projected_value", churned);
    j = answer_to("forecast_business_metrics", "{\"metric\": \"churn_rate\", \"timeframe_months\": 5}");
    expect_near(num(j, "projected_value"), rate, 0.001);
    expect(j, "unit", "percent");
    j = answer_to("forecast_business_metrics", "{\"metric\": \"retention_rate\", \"timeframe_months\": 5}");
    expect_near(num(j, "projected_value"), 100 - rate, 0.001);
}

static void test_campaign_is_the_route_s(void **state)
{
    static char list[1 << 16];
    const struct answer *a = post(&f, "/api/mcp/campaigns/recommend?campaign_type=loyalty&target_size=5", "");
    const char *begin = memmem(a->body.p, a->body.len, "\"recommended_customers\":", 24);
    const char *end = memmem(a->body.p, a->body.len, "],\"aggregate_metrics\"", 21);
    size_t n = (size_t)(end - begin);

    (void)state;
    assert_true(begin != NULL && end != NULL && n < sizeof(list));
    memcpy(list, begin, n);
    a = query(&f, "plan_campaign", "{\"goal\": \"loyalty\", \"target_size\": 5}");
    assert_non_null(memmem(a->body.p, a->body.len, list, n));
}

static void test_campaign_bounds_and_order(void **state)
{
    const struct json *a = answer_to("plan_campaign", "{\"goal\": \"growth\", \"target_size\": 50, \"min_ltv\": 20,"
                                                      " \"min_churn_risk\": 0.2, \"max_churn_risk\": 0.8,"
                                                      " \"prioritize_by\": \"churn_risk\"}");
    double before = 1;

    (void)state;
    assert_true(json_at(a, "recommended_customers")->count > 10);
    for (const struct json *c = json_at(a, "recommended_customers")->first; c != NULL; c = c->next) {
        assert_true(num(c, "churn_risk") >= 0.2 && num(c, "churn_risk") <= before && num(c, "churn_risk") <= 0.8001);
        assert_true(num(c, "ltv") >= 20);
        expect_near(num(c, "score"), num(c, "churn_risk"), 0.0051);
        before = num(c, "churn_risk");
    }
    assert_int_equal(query(&f, "plan_campaign", "{\"min_churn_risk\": 0.5, \"max_churn_risk\": 0.4}")->status, 422);
}

static void test_words_of_the_advice(void **state)
{
    (void)state;
    for (unsigned t = 0; t < ADVICE_TYPES; t++) {
        const struct advice *a = advice_get((enum advice_type)t);

        for (unsigned i = 0; i < ADVICE_OFFERS && a->offers[i].segment != NULL; i++) {
            struct str rest = str_from(a->offers[i].segment), axis;

            assert_true(str_split(&rest, ':', &axis));
            assert_true(axes_vocab_find_word((unsigned)axes_vocab_find(axis), rest) >= 0);
        }
    }
    const struct campaign_rule *r = advice_rule(advice_get(ADVICE_UPSELL));
    assert_int_equal(r->words[AXIS_PURCHASE_VALUE],
                     1U << axes_vocab_find_word(AXIS_PURCHASE_VALUE, STR_LIT("mid_tier")) |
                         1U << axes_vocab_find_word(AXIS_PURCHASE_VALUE, STR_LIT("high_tier")));
    r = advice_rule(advice_get(ADVICE_DISCOUNT));
    assert_int_equal(r->words[AXIS_PRICE_SENSITIVITY],
                     1U << axes_vocab_find_word(AXIS_PRICE_SENSITIVITY, STR_LIT("value_seeker")) |
                         1U << axes_vocab_find_word(AXIS_PRICE_SENSITIVITY, STR_LIT("deal_hunter")));
    assert_int_equal(r->words[AXIS_LIFECYCLE], 1U << axes_vocab_find_word(AXIS_LIFECYCLE, STR_LIT("cooling")) |
                                                   1U << axes_vocab_find_word(AXIS_LIFECYCLE, STR_LIT("lapsing")));
}

static void test_one_customer(void **state)
{
    const struct answer *a = query(&f, "query_customers", "{\"scope\": \"individual\"}");
    const struct json *j;

    (void)state;
    assert_int_equal(a->status, 422);
    a = query(&f, "query_customers", "{\"customer_id\": \"1\"}");
    assert_int_equal(a->status, 404);
    a = query(&f, "query_customers", "{\"scope\": \"individual\", \"customer_id\": \"1\"}");
    assert_int_equal(a->status, 404);
    j = answer_to("query_customers",
                  filled("{\"scope\": \"individual\", \"customer_id\": \"$C\", \"info\": \"ltv_forecast\"}"));
    double then = num(j, "projected_ltv");
    expect_near(num(good(&f, target_of("/api/mcp/customer/%lld/ltv-forecast?months=12", (long long)analytics_id(5))),
                    "projected_ltv"),
                then, 0.001);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shapes),
        cmocka_unit_test(test_lists),
        cmocka_unit_test(test_filters_and_sort_hold_in_every_list),
        cmocka_unit_test(test_totals_are_of_the_list_or_of_all),
        cmocka_unit_test(test_orders_and_filters_of_archetypes),
        cmocka_unit_test(test_growth_agrees_with_the_route),
        cmocka_unit_test(test_comparison_needs_two),
        cmocka_unit_test(test_season_scores),
        cmocka_unit_test(test_forecasts_agree_with_the_routes),
        cmocka_unit_test(test_campaign_is_the_route_s),
        cmocka_unit_test(test_campaign_bounds_and_order),
        cmocka_unit_test(test_words_of_the_advice),
        cmocka_unit_test(test_one_customer),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
