/*
 * Predictions about one customer: calibrated churn, the date of the next order, value, and the reasons given.
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
#include "model/calibrate.h"
#include "model/clv.h"
#include "model/nextorder.h"
#include "model/reasons.h"
#include "model/score.h"
#include "model/special.h"
#include "model_fixture.h"

static void near(double got, double want, double tolerance)
{
    if (!(fabs(got - want) <= tolerance))
        fail_msg("got %.10g, want %.10g within %g", got, want, tolerance);
}

/* x, days of last purchase and of age: ordinary and odd ones. */
static const struct {
    uint32_t x;
    int32_t last, age;
} people[] = { { 0, 0, 0 },      { 0, 0, 1 },          { 0, 0, 90 },         { 0, 0, 3650 },
               { 1, 1, 1 },      { 1, 106, 245 },      { 3, 200, 210 },      { 9, 30, 900 },
               { 50, 360, 365 }, { 2500, 1050, 1050 }, { 2500, 1049, 3640 }, { 400, 400, 400 } };
#define PEOPLE (sizeof(people) / sizeof(people[0]))

static struct mbg_history history_of(size_t i)
{
    return mbg_history_of(people[i].x + 1, 1000, 1000 + people[i].last, 1000 + people[i].age);
}

/* A calibrator as the fits make them. */
static struct model_params calibrated_params(void)
{
    struct model_params m;

    params_priors(&m, 20000, 90, 60, 40);
    m.mbg = (struct mbg_params){ .r = .5, .alpha = 7, .a = .8, .b = 2.3 };
    m.calibrator = (struct calibrator){ .in_use = 1,
                                        .horizon_days = 90,
                                        .coefficient = { 1.2, 0.9, 0.35, -0.2, -0.1, -0.3, 0.2, 0.25 },
                                        .mean = { 0, 1.5, 2.8, 3.7, 0.4, 0.5, 1, 0.1 },
                                        .scale = { 1, 1.3, 1, 0.8, 0.5, 0.7, 1.3, 0.9 } };
    return m;
}

static void histories_are_made_sound(void **state)
{
    (void)state;
    struct mbg_history h = mbg_history_of(0, 100, 50, 90);

    assert_true(h.x == 0 && h.tx == 0 && h.t == 0 && h.count == 1);
    h = mbg_history_of(3, 100, 200, 150); /* a last day after the as-of day */
    assert_true(h.x == 2 && h.tx == h.t && h.t == 50.0F / 7);
    h = mbg_history_of(1, 100, 100, 170);
    assert_true(h.x == 0 && h.tx == 0 && h.t == 10);
}

/* P(order within d) never falls with d, starts from 0, and everything shown agrees with it. */
static void one_distribution(void **state)
{
    (void)state;
    struct model_params m = calibrated_params();

    for (int in_use = 0; in_use < 2; in_use++)
        for (size_t i = 0; i < PEOPLE; i++) {
            struct mbg_history h = history_of(i);
            struct nextorder o;
            double before = 0;
            m.calibrator.in_use = in_use;
            near(nextorder_churn(&m, &h, 0), 1, 0);
            for (double d = 1; d < 4000; d *= 1.7) {
                double p = 1 - nextorder_churn(&m, &h, d);
                assert_true(p >= before - 1e-15 && p <= 1);
                before = p;
            }
            nextorder_predict(&m, &h, &o);
            near(o.p90, 1 - nextorder_churn(&m, &h, 90), 1e-15);
            assert_true(o.p30 <= o.p60 && o.p60 <= o.p90 && o.p90 <= o.p365);
            assert_true(nextorder_p_alive(&m, &h) >= o.p365 && nextorder_p_alive(&m, &h) <= 1);
            if (!o.dated) {
                assert_true(o.p365 < 0.001 && o.median_days == 0);
                continue;
            }
            assert_true(o.low_days >= 1 && o.low_days <= o.median_days && o.median_days <= o.high_days);
            assert_true(o.high_days <= 365);
            /* the median is the first day by which half of those have ordered who do within the year */
            assert_true(1 - nextorder_churn(&m, &h, o.median_days) >= o.p365 / 2 - 1e-9);
            assert_true(o.median_days == 1 || 1 - nextorder_churn(&m, &h, o.median_days - 1) < o.p365 / 2 + 1e-9);
        }
}

static void plain_is_the_model_itself(void **state)
{
    (void)state;
    struct model_params m = calibrated_params();

    m.calibrator.in_use = 0;
    for (size_t i = 0; i < PEOPLE; i++) {
        struct mbg_history h = history_of(i);
        near(nextorder_churn(&m, &h, 90), 1 - mbg_p_order(&m.mbg, h.x, (double)h.tx, (double)h.t, 90.0 / 7), 1e-15);
    }
}

/* Outcomes drawn from a known blend: the fit finds it again, and beats the plain model by as much as it must. */
static void blend_is_recovered(void **state)
{
    (void)state;
    enum {
        CUSTOMERS = 60000
    };
    const struct model_shop shop = { .mbg = { .5, 7, .8, 2.3, 0 }, .most_weeks = 120 };
    struct model_params m = calibrated_params();
    struct calibrate_example *e = calloc(CUSTOMERS, sizeof(*e));
    struct backtest_case *cases = calloc(CUSTOMERS, sizeof(*cases));
    struct calibrator fitted;
    struct model_quality blend, truth;

    model_fixture_seed(5);
    for (int i = 0; i < CUSTOMERS; i++) {
        e[i].history = model_fixture_history(&shop);
        double churn = nextorder_churn(&m, &e[i].history, 90);
        e[i].next_days = model_fixture_uniform() < churn ? 0 : 1 + (uint32_t)(90 * model_fixture_uniform());
    }
    assert_true(calibrate_fit(e, CUSTOMERS, &m.mbg, 90, &fitted));
    assert_int_equal(fitted.in_use, 0); /* only the back-test may decide that */
    near(fitted.customers, CUSTOMERS, 0);
    fitted.in_use = 1;
    double worst = 0;
    for (int i = 0; i < CUSTOMERS; i++) {
        double shift = calibrate_shift(&fitted, &m.mbg, &e[i].history);
        double got = calibrate_churn(&m.mbg, &e[i].history, shift, 90);
        worst = fmax(worst, fabs(got - nextorder_churn(&m, &e[i].history, 90)));
        cases[i] = (struct backtest_case){ (float)got, 1, e[i].next_days == 0 };
    }
    assert_true(backtest_quality(cases, CUSTOMERS, &blend));
    for (int i = 0; i < CUSTOMERS; i++)
        cases[i] = (struct backtest_case){ (float)nextorder_churn(&m, &e[i].history, 90), 1, e[i].next_days == 0 };
    assert_true(backtest_quality(cases, CUSTOMERS, &truth));
    assert_true(worst < 0.1);
    near(blend.brier, truth.brier, 1e-3);
    near(blend.auc, truth.auc, 2e-3);
    assert_true(blend.ece < 0.01);
    free(e);
    free(cases);
}

static void calibrator_needs_both_outcomes(void **state)
{
    (void)state;
    struct calibrate_example e[] = { { { 0, 0, 30, 199 }, 0 }, { { 4, 20, 30, 5000 }, 12 }, { { 2, 9, 30, 1 }, 0 } };
    const struct mbg_params p = { .5, 7, .8, 2.3, 0 };
    struct calibrator c;

    assert_true(calibrate_fit(e, 3, &p, 90, &c)); /* 200 who left */
    e[0].history.count = 198;
    assert_false(calibrate_fit(e, 3, &p, 90, &c));
    near(calibrate_shift(&c, &p, &e[0].history), 0, 0);
    e[0].history.count = 100000;
    e[1].history.count = 199;
    assert_false(calibrate_fit(e, 3, &p, 90, &c));
    assert_false(calibrate_fit(e, 0, &p, 90, &c));
    e[1].history.count = 5000; /* all alike but for the outcome: features without spread */
    e[1].history = (struct mbg_history){ 0, 0, 30, 5000 };
    assert_true(calibrate_fit(e, 2, &p, 90, &c));
    c.in_use = 1;
    near(calibrate_churn(&p, &e[0].history, calibrate_shift(&c, &p, &e[0].history), 90), 100000.0 / 105000, 1e-6);
}

static void quality_by_hand(void **state)
{
    (void)state;
    struct backtest_case c[] = {
        { 0.95F, 2, 2 }, { 0.85F, 1, 0 }, { 0.35F, 1, 1 }, { 0.35F, 1, 0 }, { 0.15F, 3, 0 }
    };
    struct model_quality q;
    double auc = 0, squares = 2 * 0.0025 + 0.7225 + 0.4225 + 0.1225 + 3 * 0.0225;

    /* churned: .95 .95 .35, others: .85 .35 .15 .15 .15; pairs won: 5 + 5 + 3 + ½ of 15 */
    auc = (5 + 5 + 3 + 0.5) / 15;
    assert_true(backtest_quality(c, 5, &q));
    near(q.auc, auc, 1e-12);
    near(q.brier, squares / 8, 1e-6);
    near(q.ece, (fabs(1.9 - 2) + 0.85 + fabs(0.7 - 1) + 0.45) / 8, 1e-6);
    struct backtest_case one[] = { { 0.5F, 4, 4 }, { 1, 1, 1 } };
    assert_false(backtest_quality(one, 2, &q));
    assert_true(q.auc == 0 && q.brier == 0);
    assert_false(backtest_quality(one, 0, &q));
    near(backtest_factor(121, 100), 1.1, 1e-12);
    near(backtest_factor(400, 100), 1.3, 1e-12);
    near(backtest_factor(1, 100), 0.7, 1e-12);
    near(backtest_factor(0, 100), 1, 0);
    near(backtest_bias_pct(50, 60), 20, 1e-12);
    near(backtest_bias_pct(0, 60), 0, 0);
}

static void value_month_by_month(void **state)
{
    (void)state;
    struct model_params m = calibrated_params();
    double orders[CLV_MAX_MONTHS];

    m.spend = (struct gammagamma_params){ 6.25, 3.74, 15.44 };
    near(clv_order_value(&m, 0, 0), 35.17, 0.1);
    near(clv_order_value(&m, 2, 22.35), 24.65, 0.1);
    near(clv_order_value(&m, 3, 0), 35.17, 0.1); /* nothing known of the value */
    m.net_factor = 0.5;
    near(clv_order_value(&m, 0, 0), 35.17 / 2, 0.1);
    for (size_t i = 0; i < PEOPLE; i++) {
        struct mbg_history h = history_of(i);
        double sum = 0, rate = clv_order_rate(&m, &h), alive = mbg_p_alive(&m.mbg, h.x, (double)h.tx, (double)h.t);
        clv_orders(&m, &h, 24, orders);
        for (int k = 0; k < 24; k++) {
            sum += orders[k];
            assert_true(orders[k] >= 0 && (k == 0 || orders[k] <= orders[k - 1] + 1e-12));
            assert_true(clv_retention(orders[k], rate) <= alive + 1e-9);
        }
        near(sum, mbg_expected_orders(&m.mbg, h.x, (double)h.tx, (double)h.t, 24 * MODEL_WEEKS_PER_MONTH),
             1e-9 * sum + 1e-12);
        near(clv_discounted(orders, 24, 10, 0.5, 0), sum * 5, 1e-9 * sum);
        double later = clv_discounted(orders + 23, 1, 10, 1, 0.1); /* as if it were the first month */
        near(later, orders[23] * 10 / pow(1.1, 1.0 / 12), 1e-12);
        double kept = clv_monthly_retention(orders, 24, rate, alive);
        assert_true(kept >= 0 && kept <= 1);
        assert_true(clv_monthly_retention(orders, 1, rate, alive) <= 1);
    }
    orders[0] = 0.0813;
    orders[1] = 0.0774; /* the example of the contract */
    near(clv_retention(orders[0], 0.161), 0.505, 1e-3);
    near(clv_monthly_retention(orders, 2, 0.161, 0.5181), 0.9521, 1e-4);
    near(clv_monthly_retention(orders, 2, 0, 0), 0, 0);
}

static void one_pass_scores_as_the_parts_do(void **state)
{
    (void)state;
    struct model_params m = calibrated_params();
    double orders[CLV_MAX_MONTHS];

    for (int months = 1; months <= CLV_MAX_MONTHS; months += 11)
        for (size_t i = 0; i < PEOPLE; i++) {
            const struct score_terms terms = { 60, months, 0.4, 0.1 };
            struct score_input in = { history_of(i), people[i].x + 1, 30, people[i].age - people[i].last };
            struct score s;
            double sum = 0;
            score_customer(&m, &terms, &in, &s);
            clv_orders(&m, &in.history, months, orders);
            for (int k = 0; k < months; k++)
                sum += orders[k];
            near(s.expected_orders, sum, 1e-9 * sum + 1e-12);
            near(s.churn, nextorder_churn(&m, &in.history, 60), 1e-15);
            assert_true(s.p_alive >= 1 - s.churn && s.p_alive <= 1);
            near(s.clv, s.expected_orders * clv_order_value(&m, people[i].x + 1, 30), 1e-9 * s.clv + 1e-12);
            assert_true(s.clv_discounted <= 0.4 * s.clv + 1e-12 && isfinite(s.clv_discounted));
            assert_true(s.expected_orders_90d >= 0 && isfinite(s.expected_orders_90d));
        }
}

static double churn_log_odds(const struct model_params *m, const struct mbg_history *h)
{
    return special_logit(nextorder_churn(m, h, m->horizon_days));
}

static void reasons_add_up(void **state)
{
    (void)state;
    struct model_params m = calibrated_params();
    struct reason r[REASONS_MAX];

    m.reference_x = 2;
    m.reference_recency = 10;
    m.reference_t = 40;
    const struct mbg_history average = { 2, 30, 40, 1 };
    for (size_t i = 0; i < PEOPLE; i++) {
        struct mbg_history h = history_of(i);
        struct reason_facts f = { people[i].x + 1, people[i].age - people[i].last, people[i].age,
                                  people[i].x > 0 ? (double)people[i].last / people[i].x : NAN };
        unsigned n = reasons_churn(&m, &h, &f, r);
        double sum = 0;
        assert_true(n >= 1 && n <= REASONS_MAX);
        for (unsigned k = 0; k < n; k++) {
            sum += r[k].contribution;
            assert_true(r[k].contributes && r[k].raises == (r[k].contribution > 0));
            assert_true(k == 0 || fabs(r[k].contribution) <= fabs(r[k - 1].contribution));
            assert_true(r[k].text[0] != '\0' && reason_code_name(r[k].code) != NULL);
        }
        near(sum, churn_log_odds(&m, &h) - churn_log_odds(&m, &average), 0.1 + 1e-9); /* small ones are left out */
        n = reasons_next_order(&m, &h, &f, r);
        assert_true(n >= 1 && n <= REASONS_MAX && !r[0].contributes && r[0].text[0] != '\0');
        n = reasons_clv(&m, &h, &f, r);
        assert_true(n >= 1 && n <= REASONS_MAX && !r[0].contributes && r[0].text[0] != '\0');
    }
}

static bool told(const struct reason *r, unsigned n, enum reason_code code, const char *text)
{
    for (unsigned i = 0; i < n; i++)
        if (r[i].code == code)
            return strcmp(r[i].text, text) == 0;
    return false;
}

static void reasons_in_words(void **state)
{
    (void)state;
    struct model_params m = calibrated_params();
    struct reason r[REASONS_MAX];
    struct mbg_history h = mbg_history_of(2, 1000, 1106, 1245);
    struct reason_facts f = { 2, 139, 245, 106 };

    m.reference_x = 5;
    m.reference_recency = 4;
    m.reference_t = 90;
    unsigned n = reasons_churn(&m, &h, &f, r);
    assert_true(
        told(r, n, REASON_RECENCY_VS_GAP, "139 days since last purchase, 1.3 times the usual gap of 106 days"));
    assert_true(told(r, n, REASON_FEW_ORDERS, "Only 2 orders"));
    assert_true(told(r, n, REASON_TENURE, "Customer for 245 days"));
    struct mbg_history often = mbg_history_of(25, 1000, 1240, 1440);
    struct reason_facts silent = { 25, 200, 440, 10 };
    n = reasons_churn(&m, &often, &silent, r);
    assert_true(told(r, n, REASON_ORDER_COUNT, "After 25 orders, a pause of 200 days is unusual"));
    n = reasons_next_order(&m, &h, &f, r);
    assert_true(told(r, n, REASON_USUAL_GAP, "Usual gap of 106 days passed 33 days ago"));
    assert_false(r[0].raises);
    f.days_since_last = 105;
    n = reasons_next_order(&m, &h, &f, r);
    assert_true(told(r, n, REASON_USUAL_GAP, "Usual gap of 106 days passes in 1 day"));
    m.mbg = (struct mbg_params){ .r = 0.25, .alpha = 34, .a = 1, .b = 1 };
    n = reasons_clv(&m, &(struct mbg_history){ 0, 0, 0, 1 }, &f, r);
    assert_true(told(r, n, REASON_ORDER_RATE, "0.03 orders a month expected while still buying"));
    h = mbg_history_of(1, 1000, 1000, 1001);
    f = (struct reason_facts){ 1, 1, 1, NAN };
    n = reasons_churn(&m, &h, &f, r);
    for (unsigned i = 0; i < n; i++)
        assert_true(r[i].code != REASON_RECENCY || strcmp(r[i].text, "1 day since the only purchase") == 0);
    assert_string_equal(reason_code_name(REASON_RECENCY_VS_GAP), "recency_vs_gap");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(histories_are_made_sound),
        cmocka_unit_test(one_distribution),
        cmocka_unit_test(plain_is_the_model_itself),
        cmocka_unit_test(blend_is_recovered),
        cmocka_unit_test(calibrator_needs_both_outcomes),
        cmocka_unit_test(quality_by_hand),
        cmocka_unit_test(value_month_by_month),
        cmocka_unit_test(one_pass_scores_as_the_parts_do),
        cmocka_unit_test(reasons_add_up),
        cmocka_unit_test(reasons_in_words),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
