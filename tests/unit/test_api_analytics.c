/*
 * The analytics over a scored population: shapes, aliases, and that aggregates are the sums of what they are made of.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analytics_fixture.h"
#include "api_expect.h"

#define ROWS 1200

static struct fixture f;
static struct population *p;

static int setup(void **state)
{
    (void)state;
    p = analytics_start(&f, "", &(struct analytics_shape){ .rows = ROWS, .data_version = 9 });
    return 0;
}

static int setup_all_axes(void **state)
{
    (void)state;
    p = analytics_start(&f, "", &(struct analytics_shape){ .rows = 300, .data_version = 11, .level = ARCHETYPE_L2 });
    return 0;
}

static int setup_unscored(void **state)
{
    (void)state;
    fixture_start(&f, "", 7);
    p = NULL;
    return 0;
}

static int setup_empty(void **state)
{
    (void)state;
    p = analytics_start(&f, "", &(struct analytics_shape){ .rows = 0, .data_version = 12 });
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    return analytics_stop(&f, p);
}

static void archetypes_are_their_members(void **state)
{
    int64_t members = 0, cents = 0, before = INT64_MAX;

    (void)state;
    for (size_t i = 0; i < p->archetype_count; i++) {
        const struct population_archetype *a = &p->archetypes[i];
        const struct json *j = good(&f, target_of("/api/mcp/archetypes/arch_%012llu", (unsigned long long)a->id));
        double churn = 0, rate = 0, orders = 0;
        for (size_t row = 0; row < p->count; row++) {
            if (p->rows[row].archetype != i)
                continue;
            churn += (double)p->churn[row];
            rate += population_orders_per_year(p, &p->rows[row]) / 12;
            orders += (double)p->rows[row].expected_orders_90;
        }
        double n = (double)a->members;
        expect_near(num(j, "avg_churn_risk"), churn / n, 0.00005);
        expect_near(num(j, "avg_order_frequency"), rate / n, 0.00006);
        expect_near(num(j, "expected_orders_90d"), orders, 0.0051);
        expect_near(num(j, "avg_lifetime_value"), (double)a->net_cents / 100 / n, 0.0051);
        expect_same(j, "avg_lifetime_value", "average_ltv");
        expect_same(j, "total_lifetime_value", "total_revenue");
        expect(j, "archetype_level", "l1");
        expect(j, "strength_signature.0.share", "1.0"); /* a defining axis */
        expect(j, "strength_signature.0.strength", "strong");
        expect(j, "behavioral_traits.0",
               target_of("purchase_frequency:%s", json_text(j, "dominant_segments.purchase_frequency")));
        assert_int_equal(json_at(j, "strength_signature")->count, 9);
        assert_int_equal(json_at(j, "dominant_segments")->count, 9);
        members += (int64_t)num(j, "member_count");
        cents += llrint(num(j, "total_lifetime_value") * 100);
    }
    assert_int_equal(members, p->count);
    assert_true(cents == p->totals->net_cents);

    const struct json *j = good(&f, "/api/mcp/archetypes/top?limit=1000");
    assert_int_equal(json_at(j, "top_archetypes")->count, p->archetype_count);
    expect_same(j, "total_archetypes", "total_archetypes_analyzed");
    expect_near(num(j, "summary.top_archetype_total_ltv") * 100, (double)cents, 0.1);
    expect_near(num(j, "summary.top_archetype_member_count"), (double)members, 0);
    expect(j, "summary.top_archetype_population_pct", "100.0");
    for (const struct json *a = json_at(j, "top_archetypes")->first; a != NULL; a = a->next) {
        int64_t now = llrint(num(a, "total_ltv") * 100);
        assert_true(now <= before);
        before = now;
        expect_same(a, "total_ltv", "total_lifetime_value");
        expect_same(a, "avg_ltv", "avg_lifetime_value");
    }
}

static void archetypes_are_ranked(void **state)
{
    static const char *const metrics[] = { "total_ltv", "avg_ltv", "member_count" };

    (void)state;
    for (unsigned m = 0; m < 3; m++) {
        const struct json *j = good(&f, target_of("/api/mcp/archetypes/top?limit=7&metric=%s", metrics[m]));
        double before = INFINITY;
        expect(j, "metric", metrics[m]);
        assert_int_equal(json_at(j, "top_archetypes")->count, 7);
        for (const struct json *a = json_at(j, "top_archetypes")->first; a != NULL; a = a->next) {
            assert_true(num(a, metrics[m]) <= before);
            before = num(a, metrics[m]);
        }
    }
    assert_int_equal(json_at(good(&f, "/api/mcp/archetypes/top"), "top_archetypes")->count, 10);
    expect_status(&f, "/api/mcp/archetypes/top?metric=size", 400, "Invalid metric: size");
    expect_status(&f, "/api/mcp/archetypes/top?limit=1001", 422, "Request validation failed");
    expect_status(&f, "/api/mcp/archetypes/arch_000000000001", 404, "Archetype arch_000000000001 not found");
    expect_status(&f, "/api/mcp/archetype/arch_1", 404, "Archetype arch_1 not found");
    expect_status(&f, "/api/mcp/archetype/7", 404, "Archetype 7 not found");
    expect(answer_json(get(&f, "/api/mcp/archetype/arch_1")), "error.details.resource", "archetype");
}

static void both_paths_of_an_archetype_agree(void **state)
{
    char one[4096];

    (void)state;
    unsigned long long id = (unsigned long long)p->archetypes[3].id;
    const struct answer *a = get(&f, target_of("/api/mcp/archetype/arch_%012llu", id));
    snprintf(one, sizeof(one), "%.*s", (int)a->body.len, a->body.p);
    a = get(&f, target_of("/api/mcp/archetypes/arch_%012llu", id));
    assert_int_equal(a->body.len, strlen(one));
    assert_memory_equal(a->body.p, one, a->body.len);
    assert_string_not_equal(answer_header(a, "ETag"), "");
}

/* Months that begin with `stock` and change by what they say. */
static void check_chain(const struct json *months, int64_t stock, const char *key, int64_t *acquired,
                        int64_t *churned)
{
    *acquired = *churned = 0;
    for (const struct json *m = months->first; m != NULL; m = m->next) {
        int64_t in = (int64_t)num(m, "acquired"), out = (int64_t)num(m, "churned");
        assert_true(in >= 0 && out >= 0);
        stock += in - out;
        *acquired += in;
        *churned += out;
        assert_int_equal((int64_t)num(m, key), stock);
    }
}

static void archetypes_grow_by_their_months(void **state)
{
    const struct json *j = good(&f, "/api/mcp/archetypes/growth-projection?months=18&top_n=100");
    double before = INFINITY;

    (void)state;
    expect_same(j, "timeframe_months", "months");
    expect(j, "months", "18");
    assert_int_equal(json_at(j, "archetype_projections")->count, (int)num(j, "archetypes_analyzed"));
    for (const struct json *a = json_at(j, "archetype_projections")->first; a != NULL; a = a->next) {
        int64_t acquired, churned;
        expect_same(a, "current_members", "member_count");
        expect_same(a, "current_members", "starting_members");
        expect_same(a, "projected_members", "projected_members_month_18");
        check_chain(json_at(a, "monthly_projection"), (int64_t)num(a, "current_members"), "members", &acquired,
                    &churned);
        assert_int_equal(json_at(a, "monthly_projection")->count, 18);
        assert_int_equal(acquired, (int64_t)num(a, "total_acquired"));
        assert_int_equal(churned, (int64_t)num(a, "total_churned"));
        expect_near(num(a, "net_change"), (double)(acquired - churned), 0);
        expect_near(num(a, "projected_members"), num(a, "current_members") + num(a, "net_change"), 0);
        expect_near(num(a, "growth_rate_pct"), 100 * num(a, "net_change") / num(a, "current_members"), 0.0051);
        assert_true(num(a, "total_ltv") <= before);
        before = num(a, "total_ltv");
    }
    expect(j, "archetype_projections.0.monthly_projection.1.period", "2026-01");
    expect(j, "backtest.bias_pct", "-2.1");
    expect(j, "backtest.correction_factor", "1.0");
    expect(j, "model_version", "mbg1-20251103");
    assert_int_equal(
        json_at(good(&f, "/api/mcp/archetypes/growth-projection?top_n=2"), "archetype_projections")->count, 2);
    expect_status(&f, "/api/mcp/archetypes/growth-projection?top_n=101", 422, "Request validation failed");
}

static void churn_counts_everybody_once(void **state)
{
    const struct json *j = good(&f, "/api/mcp/churn/aggregate");
    double sum = 0, bins = 0, levels = 0, percent = 0;

    (void)state;
    static const char *const three[] = { "high_risk", "medium_risk", "low_risk" };
    static const char *const four[] = { "critical", "high", "medium", "low" };
    for (size_t i = 0; i < p->count; i++)
        sum += (double)p->churn[i];
    for (unsigned i = 0; i < 3; i++) {
        bins += num(j, target_of("churn_risk_distribution.%s.count", three[i]));
        char *alias = target_of("churn_risk_distribution.%s.estimated_total", three[i]);
        assert_int_not_equal(json_at(j, alias)->type, JSON_NULL);
    }
    for (unsigned i = 0; i < 4; i++) {
        levels += num(j, target_of("churn_risk_distribution.%s.count", four[i]));
        percent += num(j, target_of("risk_distribution.%s", four[i]));
    }
    expect_near(bins, ROWS, 0);
    expect_near(levels, ROWS, 0);
    expect_near(percent, 100, 0.02);
    expect_same(j, "total_customers", "sample_size");
    expect_near(num(j, "average_churn_risk"), sum / ROWS, 0.00005);
    expect_near(num(j, "expected_inactive_customers"), sum, 0.5);
    expect_near(num(j, "estimated_churn_30_days"), num(j, "churn_risk_distribution.critical.count"), 0);
    expect_near(num(j, "estimated_churn_90_days"),
                num(j, "churn_risk_distribution.high_risk.count") +
                    0.3 * num(j, "churn_risk_distribution.medium_risk.count"),
                0.5);
    expect(j, "timestamp", "2025-11-03T02:04:11Z");
    expect(j, "calibration.auc", "0.776");
    expect(j, "calibration.window_end", "2025-08-05");
    expect(j, "horizon_days", "90");
    expect(j, "note",
           "Exact over all customers; churn is the calibrated probability of no order in the next 90 days");
}

static void growth_adds_up(void **state)
{
    const struct json *j = good(&f, "/api/mcp/growth/projection?months=24");
    int64_t acquired, churned;

    (void)state;
    expect_near(num(j, "current_customers"), (double)p->totals->active, 0);
    expect_same(j, "current_customers", "starting_customers");
    expect_same(j, "projected_customers", "projected_customers_month_24");
    expect_same(j, "net_change", "total_projected_growth");
    check_chain(json_at(j, "monthly_projections"), (int64_t)p->totals->active, "customers", &acquired, &churned);
    assert_int_equal(acquired, (int64_t)num(j, "total_acquired"));
    assert_int_equal(churned, (int64_t)num(j, "total_churned"));
    expect_near(num(j, "projected_customers"), num(j, "current_customers") + num(j, "net_change"), 0);
    for (const struct json *m = json_at(j, "monthly_projections")->first; m != NULL; m = m->next) {
        expect_same(m, "customers", "total_customers");
        expect_same(m, "net_change", "net_growth");
    }
    assert_true(num(j, "interval_80.low") <= num(j, "projected_customers"));
    assert_true(num(j, "interval_80.high") >= num(j, "projected_customers"));
    expect_near(num(j, "assumptions.monthly_acquisition_rate"), (double)acquired / 24, 0.5);
    expect_same(j, "avg_monthly_churn_rate", "assumptions.monthly_churn_rate_pct");
    expect(j, "monthly_projections.0.period", "2025-12");
    expect(j, "monthly_projections.13.period", "2027-01");
    expect(j, "note", "Active customers: at least one order in the trailing 365 days");
    expect_near(num(j, "total_customers"), ROWS, 0);
}

static void revenue_adds_up(void **state)
{
    const struct json *j = good(&f, "/api/mcp/revenue/forecast?months=14");
    int64_t cents = 0, now = p->totals->net_cents;
    const struct json *other = json_at(j, "monthly_forecasts")->first;

    (void)state;
    expect_same(j, "timeframe_months", "forecast_months");
    expect_same(j, "revenue_increase", "projected_total_revenue");
    expect_near(num(j, "current_total_ltv") * 100, (double)now, 0.1);
    for (const struct json *m = json_at(j, "monthly_breakdown")->first; m != NULL; m = m->next, other = other->next) {
        int64_t month = llrint(num(m, "monthly_revenue") * 100);
        cents += month;
        assert_int_equal(llrint(num(m, "cumulative_revenue") * 100), now + cents);
        assert_int_equal(llrint(num(other, "cumulative_revenue") * 100), cents);
        assert_int_equal(month, llrint(num(m, "existing_customers_revenue") * 100) +
                                    llrint(num(m, "new_customers_revenue") * 100));
        expect_same(m, "monthly_revenue", "monthly_revenue");
        assert_true(num(m, "interval_80.low") <= num(m, "monthly_revenue"));
        assert_true(num(m, "interval_80.high") >= num(m, "monthly_revenue"));
        assert_string_equal(json_text(m, "monthly_revenue"), json_text(other, "monthly_revenue"));
    }
    assert_null(other);
    assert_int_equal(llrint(num(j, "projected_total_revenue") * 100), cents);
    assert_int_equal(llrint(num(j, "projected_total_ltv") * 100), now + cents);
    expect_near(num(j, "avg_monthly_revenue"), (double)cents / 1400, 0.0051);
    assert_true(num(j, "interval_80.low") <= num(j, "projected_total_revenue"));
    assert_true(num(j, "interval_80.high") >= num(j, "projected_total_revenue"));
    expect(j, "backtest.bias_pct", "-6.4");
    expect(j, "backtest.correction_factor", "1.034");
    expect(j, "backtest.window_days", "91");
    expect(j, "assumptions.extrapolation_factor", "1.0");
    expect(j, "monthly_breakdown.0.seasonal_factor", "1.0");
}

static void cohorts_keep_their_customers(void **state)
{
    const struct json *j = good(&f, "/api/mcp/cohorts?months=60");
    double customers = 0, cents = 0;

    (void)state;
    for (const struct json *c = json_at(j, "cohorts")->first; c != NULL; c = c->next) {
        double revenue = 0;
        const struct json *cumulative = json_at(c, "cumulative_revenue_per_customer")->first;
        size_t k = json_at(c, "customers")->count;
        customers += num(c, "size");
        expect(c, "retention.0", "1.0");
        expect_near(num(c, "customers.0"), num(c, "size"), 0);
        expect(c, "last_month_incomplete", "true");
        assert_true(k == json_at(c, "orders")->count && k == json_at(c, "revenue")->count);
        assert_true(k == json_at(c, "retention")->count && k == json_at(c, "cumulative_revenue_per_customer")->count);
        for (const struct json *m = json_at(c, "revenue")->first; m != NULL;
             m = m->next, cumulative = cumulative->next) {
            double v = 0, so_far = 0;
            assert_true(json_double(m, &v) && json_double(cumulative, &so_far));
            revenue += v;
            expect_near(so_far, revenue / num(c, "size"), 0.0051);
        }
        cents += revenue * 100;
    }
    expect_near(customers, ROWS, 0); /* the fixture's history is shorter than 60 months */
    expect_near(cents, (double)p->totals->net_cents, 1);
    expect(j, "average_retention.0", "1.0");
    assert_int_equal(json_at(j, "average_retention")->count, json_at(j, "cohorts.0.customers")->count);
    j = good(&f, "/api/mcp/cohorts?months=2");
    assert_int_equal(json_at(j, "cohorts")->count, 2);
    expect(j, "cohorts.0.cohort", "2025-10");
    expect(j, "cohorts.1.cohort", "2025-11");
    assert_int_equal(json_at(j, "cohorts.1.customers")->count, 1);
    assert_int_equal(json_at(j, "average_retention")->count, 2);
    expect_status(&f, "/api/mcp/cohorts?months=61", 422, "Request validation failed");
}

static uint64_t version_served(void)
{
    char *end;
    const char *text = answer_header(get(&f, "/api/mcp/customer/random"), "X-Data-Version");
    uint64_t version = strtoull(text, &end, 10);

    assert_true(end > text);
    return version;
}

static void publish(uint64_t version, int64_t published_us)
{
    atomic_store(&f.sb->data_published_us, published_us);
    atomic_store(&f.sb->data_version, version);
}

/* A turn looks at a piece of a new population; what is served is whole, the old one or the new one. */
static void large_populations_are_taken_in_pieces(void **state)
{
    char why[256];
    unsigned ticks = 0;

    (void)state;
    uint64_t before = p->header->data_version;
    int64_t published_us = p->header->published_us;
    analytics_write(f.dir, &(struct analytics_shape){ .rows = 20000, .data_version = before + 1 });
    struct population *next = population_open(f.dir, before + 1, why, sizeof(why));
    assert_non_null(next);
    publish(before + 1, next->header->published_us);
    for (; version_served() == before; ticks++) {
        assert_true(ticks < 100);
        api_tick(f.api);
    }
    assert_int_equal(version_served(), before + 1);
    assert_true(ticks > next->map_bytes / (2U << 20));

    publish(before, published_us); /* a small one: one piece */
    api_tick(f.api);
    assert_int_equal(version_served(), before);
    publish(before + 1, next->header->published_us);
    api_tick(f.api);
    publish(before, published_us); /* given up half way */
    for (ticks = 0; ticks < 100; ticks++)
        api_tick(f.api);
    assert_int_equal(version_served(), before);
    population_release(next);
}

static void an_unchanged_answer_is_304(void **state)
{
    static const char *const targets[] = {
        "/api/mcp/churn/aggregate",  "/api/mcp/growth/projection", "/api/mcp/cohorts",
        "/api/mcp/revenue/forecast", "/api/mcp/archetypes/top",    "/segments/axes",
        "/segments/stats",           "/api/system/configuration",  "/api/mcp/campaign/retention"
    };
    char request[512];

    (void)state;
    for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
        snprintf(request, sizeof(request), "GET %s HTTP/1.1\nX-API-Key: %s\nIf-None-Match: %s\n\n", targets[i],
                 FIXTURE_KEY, answer_header(get(&f, targets[i]), "ETag"));
        const struct answer *a = ask(&f, request);
        if (a->status != 304)
            fail_msg("%s: %d", targets[i], a->status);
    }
}

static void archetypes_may_be_of_all_axes(void **state)
{
    const struct json *j = good(&f, "/api/mcp/archetypes/top?limit=1");
    char id[32];

    (void)state;
    snprintf(id, sizeof(id), "%s", json_text(j, "top_archetypes.0.archetype_id"));
    j = good(&f, target_of("/api/mcp/archetype/%s", id));
    expect(j, "archetype_level", "l2");
    assert_int_equal(json_at(j, "behavioral_traits")->count, 9);
    for (unsigned axis = 0; axis < 9; axis++)
        expect(j, target_of("strength_signature.%u.share", axis), "1.0");
}

static void without_scores_there_is_no_answer(void **state)
{
    static const char *const targets[] = {
        "/api/mcp/churn/aggregate",
        "/api/mcp/growth/projection",
        "/api/mcp/revenue/forecast",
        "/api/mcp/cohorts",
        "/api/mcp/archetypes/growth-projection",
        "/api/mcp/customer/1000/churn-risk",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++)
        expect_status(&f, targets[i], 503, "Customers are not scored yet");
    expect(good(&f, "/api/mcp/archetypes/top"), "total_archetypes", "0");
    expect(good(&f, "/segments/customer/1000"), "dominant_segments", "null");
    expect(good(&f, "/segments/customer/1000"), "archetype_id", "null");
    expect(good(&f, "/segments/stats"), "customers_with_segments", "0");
    expect(good(&f, "/api/system/configuration"), "model_version", "null");
    assert_int_equal(good(&f, "/api/mcp/campaign/retention")->count, 0);
}

static void without_customers_there_is_no_answer(void **state)
{
    static const char *const targets[] = {
        "/api/mcp/churn/aggregate",         "/api/mcp/growth/projection",
        "/api/mcp/revenue/forecast",        "/api/mcp/cohorts",
        "/api/mcp/customer/1/churn-risk",   "/api/mcp/customer/1",
        "/api/mcp/customer/1/ltv-forecast", "/segments/customer/1",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++)
        expect_status(&f, targets[i], 503, "No customers loaded");
    expect(good(&f, "/api/mcp/archetypes/top"), "summary.top_archetype_population_pct", "0.0");
    expect(good(&f, "/segments/stats"), "total_customers", "0");
}

int main(void)
{
    const struct CMUnitTest scored[] = {
        cmocka_unit_test(archetypes_are_their_members),
        cmocka_unit_test(archetypes_are_ranked),
        cmocka_unit_test(both_paths_of_an_archetype_agree),
        cmocka_unit_test(archetypes_grow_by_their_months),
        cmocka_unit_test(churn_counts_everybody_once),
        cmocka_unit_test(growth_adds_up),
        cmocka_unit_test(revenue_adds_up),
        cmocka_unit_test(cohorts_keep_their_customers),
        cmocka_unit_test(large_populations_are_taken_in_pieces),
        cmocka_unit_test(an_unchanged_answer_is_304),
    };
    const struct CMUnitTest all_axes[] = { cmocka_unit_test(archetypes_may_be_of_all_axes) };
    const struct CMUnitTest empty[] = { cmocka_unit_test(without_customers_there_is_no_answer) };
    const struct CMUnitTest unscored[] = { cmocka_unit_test(without_scores_there_is_no_answer) };

    return cmocka_run_group_tests(scored, setup, teardown) +
           cmocka_run_group_tests(all_axes, setup_all_axes, teardown) +
           cmocka_run_group_tests(empty, setup_empty, teardown) +
           cmocka_run_group_tests(unscored, setup_unscored, teardown);
}
