/*
 * Customers of a scored population: what is predicted of them, where they stand on the axes, and that all answers
 * agree.
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
#include "base/fmt.h"
#include "model/axes_vocab.h"
#include "model/campaign.h"

#define ROWS 1200

static struct fixture f;
static struct population *p;

static int setup(void **state)
{
    (void)state;
    /* The settings are those of the next scoring. */
    p = analytics_start(&f, "CHURN_HORIZON_DAYS = 30\nCLV_MONTHS = 3",
                        &(struct analytics_shape){ .rows = ROWS, .data_version = 9 });
    return 0;
}

static int setup_insufficient(void **state)
{
    (void)state;
    p = analytics_start(
        &f, "",
        &(struct analytics_shape){ .rows = 50, .data_version = 10, .insufficient = true, .horizon_days = 30 });
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    return analytics_stop(&f, p);
}

static void segments_hold_everybody(void **state)
{
    const struct json *stats = good(&f, "/segments/stats");

    (void)state;
    expect(stats, "axes_count", "9");
    expect_near(num(stats, "customers_with_segments"), ROWS, 0);
    for (const struct json *axis = json_at(stats, "segment_distribution")->first; axis != NULL; axis = axis->next) {
        double members = 0, n;
        for (const struct json *m = axis->first; m != NULL; m = m->next) {
            assert_true(json_double(m, &n));
            members += n;
        }
        expect_near(members, ROWS, 0);
    }
    const struct json *axes = good(&f, "/segments/axes");
    expect(axes, "total", "9");
    assert_int_equal(json_at(axes, "axes")->count, 9);
    expect(axes, "axes.shopping_cadence.aliases.0", "purchase_cadence");
    expect(axes, "axes.lifecycle.segments.0", "active");
    expect(axes, "axes.lifecycle.defines_archetype", "true");
    const struct json *c = good(&f, "/api/system/configuration");
    expect(c, "axis_count", "9");
    expect(c, "axes.0.segments.0.name", "one_time");
    expect(c, "axes.0.segments.0.anchor", "null");
    expect(c, "axes.0.segments.1.anchor", "0.5");
    expect(c, "axes.0.segments.1.order", "2");
    expect(c, "churn.horizon_days", "90"); /* as scored, whatever the settings say now */
    expect(c, "churn.levels.critical", "0.7");
    expect(c, "clv.months", "12");
    expect(c, "clv.margin", "0.8");
    expect(c, "currency", "USD");
    expect(c, "archetype_level", "l1");
    expect(c, "model_version", "mbg1-20251103");
}

static void memberships_add_up(void **state)
{
    (void)state;
    for (size_t i = 0; i < 60; i++) {
        const struct json *j = good(&f, target_of("/segments/customer/%lld", (long long)p->rows[i].customer_id));
        double best = 0;
        assert_int_equal(json_at(j, "segment_memberships")->count, 9);
        for (const struct json *axis = json_at(j, "segment_memberships")->first; axis != NULL; axis = axis->next) {
            double sum = 0, most = 0, v;
            for (const struct json *m = axis->first; m != NULL; m = m->next) {
                assert_true(json_double(m, &v));
                assert_true(v > 0);
                sum += v;
                most = v > most ? v : most;
            }
            expect_near(sum, 1, 1e-9);
            best += most;
        }
        double orders = p->rows[i].orders / 10.0, tenure = population_tenure_days(p, &p->rows[i]) / 90.0;
        expect_near(num(j, "confidence"), 0.4 * fmin(1, orders) + 0.3 * fmin(1, tenure) + 0.3 * best / 9, 0.00006);
        assert_int_equal(json_at(j, "archetype_id")->type, JSON_STRING);
    }
    expect_status(&f, "/segments/customer/1", 404, "Customer 1 not found");
}

static void predictions_agree(void **state)
{
    unsigned undated = 0;

    (void)state;
    for (size_t i = 0; i < 150; i++) {
        long long id = p->rows[i].customer_id;
        const struct json *j = good(&f, target_of("/api/mcp/customer/%lld/churn-risk", id));
        double churn = num(j, "churn_probability"), raising = 0;
        expect_same(j, "churn_probability", "churn_risk_score");
        assert_true(num(j, "p_alive") >= 1 - churn - 0.00011);
        for (const struct json *r = json_at(j, "reasons")->first; r != NULL; r = r->next)
            raising += strcmp(json_text(r, "effect"), "raises") == 0;
        assert_true(json_at(j, "reasons")->count >= 1 && json_at(j, "reasons")->count <= 5);
        assert_int_equal(json_at(j, "risk_factors")->count, (int)raising);

        j = good(&f, target_of("/api/mcp/customer/%lld/next-purchase", id));
        expect_near(num(j, "distribution.p90"), 1 - churn, 1e-9);
        assert_true(num(j, "distribution.p30") <= num(j, "distribution.p60"));
        assert_true(num(j, "distribution.p90") <= num(j, "distribution.p365"));
        expect(j, "prediction_available", "true");
        assert_string_equal(json_text(j, "next_purchase_prediction.predicted_date"),
                            json_text(j, "distribution.median_date"));
        expect_same(j, "days_since_last_order", "purchase_pattern.days_since_last_purchase");
        bool dated = json_at(j, "distribution.median_date")->type == JSON_STRING;
        assert_int_equal(dated, num(j, "distribution.p365") > 0);
        undated += !dated;
        if (dated)
            expect_same(j, "predicted_days_until_next", "next_purchase_prediction.days_from_now");
        else
            expect(j, "predicted_days_until_next", "null");
        expect_same(j, "purchase_frequency_archetype", "purchase_pattern.purchase_frequency");
        if (dated) {
            const char *median = json_text(j, "distribution.median_date");
            assert_true(strcmp(json_text(j, "distribution.interval_80.low"), median) <= 0);
            assert_true(strcmp(json_text(j, "distribution.interval_80.high"), median) >= 0);
        }
        double gap = num(j, "expected_frequency_days"), since = num(j, "days_since_last_order");
        expect(j, "risk_level", since >= 1.5 * gap ? "at_risk" : since >= gap ? "due" : "on_track");
        expect(j, "probability", since >= 1.5 * gap ? "low" : since >= gap ? "medium" : "high");
        char median[16];
        snprintf(median, sizeof(median), "%s", json_text(j, "distribution.median_date"));

        j = good(&f, target_of("/api/mcp/customer/%lld", id));
        expect_near(num(j, "churn_risk.churn_risk_score"), churn, 0);
        expect(j, "predictions.expected_date_of_next_order", median);
        assert_true(json_at(j, "predictions.reasons")->count >= 1);
        assert_int_equal(json_at(j, "archetype.behavioral_traits")->type, JSON_ARRAY);
        assert_int_equal(json_at(j, "archetype.dominant_segments")->count, 9);
        double total = num(j, "predictions.total_clv"), discounted = num(j, "predictions.predicted_clv_discounted");
        expect_near(num(good(&f, target_of("/api/mcp/customer/%lld/ltv-forecast", id)), "projected_ltv"), total,
                    0.001);
        expect_near(num(good(&f, target_of("/api/mcp/customer/%lld/ltv-forecast", id)), "predicted_clv_discounted"),
                    discounted, 0);
    }
    assert_true(undated > 0 && undated < 100);
}

static void ltv_forecasts_add_up(void **state)
{
    (void)state;
    for (size_t i = 0; i < 150; i++) {
        int months = 1 + (int)(i % 60);
        const struct json *j = good(&f, target_of("/api/mcp/customer/%lld/ltv-forecast?months=%d",
                                                  (long long)p->rows[i].customer_id, months));
        const struct json *other = json_at(j, "monthly_forecast")->first;
        double sum = 0, last = 0;
        expect_same(j, "timeframe_months", "forecast_months");
        expect_same(j, "projected_ltv", "predicted_ltv");
        expect_near(num(j, "projected_ltv"), num(j, "current_ltv") + num(j, "ltv_increase"), 0.001);
        assert_int_equal(json_at(j, "monthly_projections")->count, months);
        for (const struct json *m = json_at(j, "monthly_projections")->first; m != NULL;
             m = m->next, other = other->next) {
            sum += num(m, "month_value");
            last = num(m, "cumulative_ltv");
            expect_near(num(other, "retention_probability"), 100 * num(m, "retention_probability"), 1e-9);
            assert_string_equal(json_text(m, "month_value"), json_text(other, "expected_revenue"));
            assert_string_equal(json_text(m, "cumulative_ltv"), json_text(other, "cumulative_ltv"));
        }
        expect_near(last, num(j, "projected_ltv"), 0);
        expect_near(sum, num(j, "ltv_increase"), 0.006 * months);
        expect_near(num(j, "horizon_days"), months * 30.4375, 0.5);
        expect_near(num(j, "churn_risk"), num(j, "assumptions.churn_risk_score"), 0);
        expect(j, "forecast_available", "true");
    }
    expect_status(&f, "/api/mcp/customer/1/ltv-forecast", 404, "Customer 1 not found");
    expect_status(&f, "/api/mcp/customer/1/ltv-forecast?months=0", 422, "Request validation failed");
    expect_status(&f, "/api/mcp/customer/x/churn-risk", 404, "Customer x not found");
    expect_status(&f, "/api/mcp/customer/1/next-purchase", 404, "Customer 1 not found");
}

static void search_finds_the_members_of_an_archetype(void **state)
{
    const struct population_archetype *a = &p->archetypes[5], *b = &p->archetypes[2];
    const struct json *j;

    (void)state;
    j = answer_json(
        post(&f, "/api/mcp/search", target_of("{\"archetype_id\":\"arch_%012llu\"}", (unsigned long long)a->id)));
    expect_near(num(j, "total_matches"), (double)a->members, 0);
    expect(j, "customers.0.archetype_id", target_of("arch_%012llu", (unsigned long long)a->id));
    j = answer_json(post(&f, "/api/mcp/search",
                         target_of("{\"filters\":{\"archetype_id\":[\"arch_%012llu\",\"arch_%012llu\",\"arch_1\"]}}",
                                   (unsigned long long)a->id, (unsigned long long)b->id)));
    expect_near(num(j, "total_matches"), (double)(a->members + b->members), 0);
    j = answer_json(
        post(&f, "/api/mcp/search",
             target_of("{\"filters\":{\"archetype_id\":\"arch_%012llu\"},\"archetype_id\":\"arch_%012llu\"}",
                       (unsigned long long)a->id, (unsigned long long)b->id)));
    expect(j, "total_matches", "0"); /* both must hold */
    j = answer_json(
        post(&f, target_of("/api/mcp/search?archetype_id=arch_%012llu&limit=1000", (unsigned long long)b->id), ""));
    assert_int_equal(j->count, b->members);
}

static void too_little_data_is_said(void **state)
{
    long long id = p->rows[0].customer_id;
    const struct json *j = good(&f, target_of("/api/mcp/customer/%lld/next-purchase", id));

    (void)state;
    expect(j, "prediction_available", "false");
    expect(j, "next_purchase_prediction", "null");
    expect(j, "predicted_days_until_next", "null");
    expect(j, "prediction", "insufficient_data");
    expect(j, "model_status", "insufficient_data");
    expect(j, "horizon_days", "30");
    assert_true(num(j, "distribution.p365") > 0);
    expect(good(&f, target_of("/api/mcp/customer/%lld/ltv-forecast", id)), "forecast_available", "false");
    expect(good(&f, "/api/mcp/churn/aggregate"), "model_status", "insufficient_data");
}

int main(void)
{
    const struct CMUnitTest scored[] = {
        cmocka_unit_test(segments_hold_everybody),
        cmocka_unit_test(memberships_add_up),
        cmocka_unit_test(predictions_agree),
        cmocka_unit_test(ltv_forecasts_add_up),
        cmocka_unit_test(search_finds_the_members_of_an_archetype),
    };
    const struct CMUnitTest insufficient[] = { cmocka_unit_test(too_little_data_is_said) };

    return cmocka_run_group_tests(scored, setup, teardown) +
           cmocka_run_group_tests(insufficient, setup_insufficient, teardown);
}
