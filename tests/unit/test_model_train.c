/*
 * From purchase days to parameters: fits, back-tests, gates, and data no shop should have.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "model/backtest.h"
#include "model/compress.h"
#include "model/nextorder.h"
#include "model/score.h"
#include "model/train.h"
#include "model_fixture.h"

#define AS_OF MODEL_FIXTURE_AS_OF

static void near(double got, double want, double tolerance)
{
    if (!(fabs(got - want) <= tolerance))
        fail_msg("got %.10g, want %.10g within %g", got, want, tolerance);
}

static const struct model_shop ordinary = {
    .mbg = { .r = .6, .alpha = 6, .a = .9, .b = 2.2 },
    .spend = { .p = 3, .q = 4, .v = 40 },
    .most_weeks = 130,
};

/* A whole training. customer() fills the days of customer i and returns how many. */
static struct train training;

static void run(size_t customers, int32_t horizon, bool prior, size_t (*customer)(size_t i, struct facts_day *days),
                struct model_params *m)
{
    static struct facts_day days[MODEL_FIXTURE_DAYS];
    void *memory = malloc(train_memory(customers));
    struct train_report report;

    assert_non_null(memory);
    train_init(&training, memory, customers, AS_OF, horizon, 365, prior);
    for (size_t i = 0; i < customers; i++) {
        int64_t net = 0;
        size_t n = customer(i, days), known = 0;
        while (known < n && days[known].day <= AS_OF)
            net += days[known++].net_cents;
        assert_true(train_add(&training, days, known, net));
    }
    train_fit(&training, m, NULL, &report);
    free(memory);
}

/* Whatever the data: parameters that scoring can use. */
static void assert_sound(const struct model_params *m)
{
    static const uint32_t xs[] = { 0, 1, 7, 2500 };
    static const int32_t ages[] = { 0, 1, 400, 3640 };
    struct model_params copy;
    const struct score_terms terms = { 90, 12, 1, 0.1 };

    assert_true(params_load(&copy, m, sizeof(*m)));
    for (size_t i = 0; i < 4; i++)
        for (size_t k = 0; k < 4; k++)
            for (int recent = 0; recent < 2; recent++) {
                struct score_input in = { mbg_history_of(xs[i] + 1, 0, recent ? ages[k] : ages[k] / 3, ages[k]),
                                          xs[i], 12.5, recent ? 0 : ages[k] / 2 };
                struct score s;
                score_customer(m, &terms, &in, &s);
                assert_true(s.churn >= 0 && s.churn <= 1 && s.p_alive >= 0 && s.p_alive <= 1);
                assert_true(s.expected_orders >= 0 && isfinite(s.expected_orders));
                assert_true(s.clv >= 0 && isfinite(s.clv) && isfinite(s.clv_discounted));
                assert_true(isfinite(s.order_value) && s.order_value >= 0);
            }
    struct forecast_sums sums = { 0 };
    struct forecast_month outlook[FORECAST_MONTHS];
    struct forecast_revenue r;
    forecast_outlook(m, &sums, outlook);
    forecast_revenue(m, outlook, AS_OF, FORECAST_MONTHS, &r);
    assert_true(isfinite(r.revenue) && isfinite(r.interval.high) && r.interval.low >= 0);
}

static size_t from_shop(size_t i, struct facts_day *days)
{
    if (i == 0)
        model_fixture_seed(42);
    return model_fixture_days(&ordinary, days);
}

static void equal_histories_are_merged(void **state)
{
    (void)state;
    struct mbg_history h[] = { { 2, 3, 9, 1 }, { 0, 0, 7, 2 }, { 2, 3, 9, 4 }, { 0, 0, 5, 1 }, { 2, 2, 9, 1 } };
    struct mbg_history again[5];

    memcpy(again, h, sizeof(h));
    struct mbg_history swap = again[0];
    again[0] = again[4];
    again[4] = swap;
    assert_int_equal(compress_histories(h, 5), 4);
    assert_int_equal(compress_histories(again, 5), 4);
    assert_memory_equal(h, again, 4 * sizeof(h[0]));
    assert_true(h[0].x == 0 && h[0].t == 5 && h[3].x == 2 && h[3].tx == 3 && h[3].count == 5);
    assert_int_equal(compress_histories(h, 0), 0);
}

static void a_shop_is_understood(void **state)
{
    (void)state;
    static struct model_params m, again;

    run(20000, 90, true, from_shop, &m);
    run(20000, 90, true, from_shop, &again);
    assert_memory_equal(&m, &again, sizeof(m)); /* byte identical */
    assert_sound(&m);
    assert_int_equal(m.status, MODEL_OK);
    assert_int_equal(m.customers, 20000);
    assert_true(m.repeaters > 8000 && m.repeaters < 16000);
    assert_int_equal(m.history_days, 909);
    near(log(m.mbg.r), log(ordinary.mbg.r), 0.15); /* same-day orders are one purchase */
    near(log(m.mbg.alpha), log(ordinary.mbg.alpha), 0.15);
    near(m.mbg.a / (m.mbg.a + m.mbg.b), .9 / 3.1, 0.04);
    assert_true(m.mbg_converged && m.dropout_identified && m.spend_converged);
    near(m.spend.p * m.spend.v / (m.spend.q - 1), 40, 1.5);
    near(m.net_factor, 1, 1e-3);
    near(m.first_value, 40, 2);
    near(m.acquisition.monthly_mean, 20000 / 130.0 * MODEL_WEEKS_PER_MONTH, 40);
    assert_true(m.second_gap_days > 5 && m.second_gap_days < 60);
    const struct model_backtest *b = &m.backtest;
    assert_true(b->available && b->window_day == AS_OF - 90 && b->customers > 15000);
    assert_true(b->plain.brier < b->brier_base && b->plain.auc > 0.75 && b->plain.ece < 0.03);
    assert_true(b->coverage > 0.7 && b->coverage < 0.9);
    assert_true(b->forecast_available && b->forecast_days == 91);
    near(b->revenue_predicted / b->revenue_actual, 1, 0.05);
    near(b->active_predicted / b->active_actual, 1, 0.03);
    assert_true(b->revenue_factor > 0.95 && b->revenue_factor < 1.05);
    assert_int_equal(m.season_years, 2);
    for (int i = 0; i < 12; i++)
        near(m.season[i], 1, 0.25);
}

/* Customers who order every `gap` days, give or take little, and leave for good at some time: far more regular than
 * the model thinks, so that the blend must learn what the gap means. */
static size_t regular(size_t i, struct facts_day *days)
{
    if (i == 0)
        model_fixture_seed(7);
    double gap = 15 + 60 * model_fixture_uniform(), start = 1000 * model_fixture_uniform();
    double stay = -500 * log(model_fixture_uniform()), at = start;
    size_t n = 0;

    while (n < 200 && at < start + stay + 1 && at < 1200) {
        days[n++] = (struct facts_day){ AS_OF - 1000 + (int32_t)at, 2500, 1, true };
        at += fmax(1, gap * (0.85 + 0.3 * model_fixture_uniform()));
    }
    return n;
}

static void the_blend_earns_its_place(void **state)
{
    (void)state;
    enum {
        CUSTOMERS = 6000
    };
    static struct model_params m;
    static struct facts_day days[MODEL_FIXTURE_DAYS];
    static struct backtest_case blend[CUSTOMERS], plain[CUSTOMERS];
    struct model_quality with, without;
    size_t count = 0;

    run(CUSTOMERS, 90, true, regular, &m);
    assert_sound(&m);
    assert_true(m.backtest.available && m.calibrator.in_use);
    assert_true(m.backtest.blend.brier < m.backtest.plain.brier);
    for (size_t i = 0; i < CUSTOMERS; i++) {
        size_t n = regular(i, days), known = 0;
        while (known < n && days[known].day <= AS_OF)
            known++;
        if (known == 0)
            continue;
        struct mbg_history h = mbg_history_of((uint32_t)known, days[0].day, days[known - 1].day, AS_OF);
        uint32_t left = known == n || days[known].day > AS_OF + 90;
        blend[count] = (struct backtest_case){ (float)nextorder_churn(&m, &h, 90), 1, left };
        plain[count++] =
            (struct backtest_case){ (float)(1 - mbg_p_order(&m.mbg, h.x, (double)h.tx, (double)h.t, 90.0 / 7)), 1,
                                    left };
    }
    assert_true(backtest_quality(blend, count, &with) && backtest_quality(plain, count, &without));
    assert_true(with.brier < 0.95 * without.brier); /* in the future too */
    assert_true(with.ece < 0.6 * without.ece && with.auc >= without.auc);
}

static size_t small_shop(size_t i, struct facts_day *days)
{
    static const struct model_shop shop = { .mbg = { .r = .2, .alpha = 8, .a = 1.2, .b = 1.5 },
                                            .spend = { 3, 4, 40 },
                                            .most_weeks = 80 };

    (void)i;
    return model_fixture_days(&shop, days);
}

static void small_shops_never_fail(void **state)
{
    (void)state;
    static struct model_params m;

    for (uint64_t seed = 1; seed <= 40; seed++) {
        model_fixture_seed(seed << 32);
        run(300, 90, true, small_shop, &m);
        assert_sound(&m);
        assert_int_equal(m.status, MODEL_OK);
        assert_true(m.mbg.r > 0.01 && m.mbg.r < 20 && m.mbg.alpha > 0.05 && m.mbg.alpha < 1000);
    }
}

static void too_little_data_is_said(void **state)
{
    (void)state;
    static struct model_params m;

    run(99, 90, true, from_shop, &m);
    assert_int_equal(m.status, MODEL_INSUFFICIENT_DATA);
    assert_sound(&m);
    assert_false(m.backtest.available || m.backtest.forecast_available || m.calibrator.in_use);
    assert_string_equal(params_status_name(m.status), "insufficient_data");
    near(m.mbg.r, 0.5, 0);
    run(0, 90, true, from_shop, &m);
    assert_int_equal(m.status, MODEL_INSUFFICIENT_DATA);
    assert_sound(&m);
    run(1, 90, true, from_shop, &m);
    assert_sound(&m);
}

static void capacity_is_a_bound(void **state)
{
    (void)state;
    void *memory = malloc(train_memory(1));
    const struct facts_day d = { AS_OF - 3, 100, 1, true }, returned = { AS_OF - 3, -100, 1, false };

    train_init(&training, memory, 1, AS_OF, 90, 365, true);
    assert_true(train_add(&training, &returned, 1, -100)); /* no purchase: not counted */
    assert_true(train_add(&training, &d, 1, 100));
    assert_false(train_add(&training, &d, 1, 100));
    assert_int_equal(training.now_n, 1);
    free(memory);
}

static size_t put(struct facts_day *days, size_t n, int32_t age, int64_t cents)
{
    days[n] = (struct facts_day){ AS_OF - age, cents, 1, true };
    return n + 1;
}

static size_t once_each(size_t i, struct facts_day *days)
{
    return put(days, 0, (int32_t)(i % 500), 1000);
}

static size_t all_alike(size_t i, struct facts_day *days)
{
    size_t n = 0;

    (void)i;
    for (int32_t age = 360; age > 0; age -= 36)
        n = put(days, n, age, 1000);
    return n;
}

static size_t all_today(size_t i, struct facts_day *days)
{
    (void)i;
    return put(days, 0, 0, 1);
}

static size_t every_day(size_t i, struct facts_day *days)
{
    size_t n = 0;

    (void)i;
    for (int32_t age = 900; age >= 0; age--)
        n = put(days, n, age, 1 + age);
    return n;
}

static size_t one_time_but_thirty(size_t i, struct facts_day *days)
{
    size_t n = put(days, 0, (int32_t)(200 + i % 300), 500000000000);

    return i < 30 ? put(days, n, 1, 1) : n;
}

static size_t given_away(size_t i, struct facts_day *days)
{
    size_t n = put(days, 0, (int32_t)(150 + i % 200), 0); /* bought, and nothing paid in the end */

    return i % 2 ? put(days, n, 20, -500) : n;
}

static size_t one_giant(size_t i, struct facts_day *days)
{
    return i == 0 ? every_day(i, days) : once_each(i, days);
}

static void hostile_data_stay_finite(void **state)
{
    (void)state;
    static struct model_params m;
    static size_t (*const shops[])(size_t, struct facts_day *) = { once_each, all_alike,           all_today,
                                                                   every_day, one_time_but_thirty, given_away,
                                                                   one_giant };

    for (size_t i = 0; i < sizeof(shops) / sizeof(shops[0]); i++)
        for (int prior = 0; prior < 2; prior++) {
            run(400, 90, prior, shops[i], &m);
            assert_sound(&m);
        }
    run(20000, 90, true, all_alike, &m);
    assert_sound(&m);
    run(2000, 1, true, from_shop, &m);
    assert_sound(&m);
    run(2000, 3650, true, from_shop, &m);
    assert_sound(&m);
    assert_false(m.backtest.available); /* no history before the window */
}

static void stored_bytes_are_checked(void **state)
{
    (void)state;
    static struct model_params m, copy, bad;

    run(500, 90, true, from_shop, &m);
    params_version(m.version, AS_OF, 1);
    assert_string_equal(m.version, "mbg1-20251108");
    assert_true(params_load(&copy, &m, sizeof(m)));
    assert_memory_equal(&copy, &m, sizeof(m));
    assert_false(params_load(&copy, &m, sizeof(m) - 1));
    double *const numbers[] = { &bad.mbg.r,
                                &bad.bg.b,
                                &bad.spend.v,
                                &bad.calibrator.scale[3],
                                &bad.season[11],
                                &bad.anchors[8][5],
                                &bad.backtest.revenue_factor,
                                &bad.acquisition.level,
                                &bad.reference_t,
                                &bad.horizon_days };
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        bad = m;
        *numbers[i] = NAN;
        assert_false(params_load(&copy, &bad, sizeof(bad)));
    }
    bad = m;
    bad.spend.q = 0.9;
    assert_false(params_load(&copy, &bad, sizeof(bad)));
    bad = m;
    memset(bad.version, 'x', sizeof(bad.version));
    assert_false(params_load(&copy, &bad, sizeof(bad)));
    bad = m;
    bad.format++;
    assert_false(params_load(&copy, &bad, sizeof(bad)));
    params_version(m.version, AS_OF, 12);
    assert_string_equal(m.version, "mbg1-20251108.12");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_histories_are_merged), cmocka_unit_test(a_shop_is_understood),
        cmocka_unit_test(the_blend_earns_its_place),  cmocka_unit_test(small_shops_never_fail),
        cmocka_unit_test(too_little_data_is_said),    cmocka_unit_test(capacity_is_a_bound),
        cmocka_unit_test(hostile_data_stay_finite),   cmocka_unit_test(stored_bytes_are_checked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
