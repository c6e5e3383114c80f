/*
 * Seasons, new customers, and the forecasts of net sales and active customers.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "model/clv.h"
#include "model/forecast.h"
#include "model/nextorder.h"
#include "model/season.h"
#include "model_fixture.h"

static void near(double got, double want, double tolerance)
{
    if (!(fabs(got - want) <= tolerance))
        fail_msg("got %.10g, want %.10g within %g", got, want, tolerance);
}

static struct model_params params(void)
{
    struct model_params m;

    params_priors(&m, MODEL_FIXTURE_AS_OF, 90, 60, 40);
    m.mbg = (struct mbg_params){ .r = .5, .alpha = 7, .a = .8, .b = 2.3 };
    m.first_value = 35;
    m.acquisition = (struct model_acquisition){ .level = 23, .damping = 0.9, .monthly_mean = 100 };
    m.forecast_error = 0.1;
    m.growth_error = 0.03;
    return m;
}

static void season_is_found(void **state)
{
    (void)state;
    static const double truth[12] = { 0.7, 0.8, 0.9, 1, 1, 1, 0.9, 0.8, 1, 1.1, 1.2, 1.6 };
    double monthly[37], season[12];

    for (int i = 0; i < 37; i++)
        monthly[i] = 1000 * pow(1.01, i) * truth[(i + 4) % 12];
    assert_int_equal(season_fit(monthly, 37, 4, season), 3);
    double mean = 0;
    for (int i = 0; i < 12; i++) {
        near(season[i], truth[i], 0.02);
        mean += season[i] / 12;
    }
    near(mean, 1, 1e-12);
    assert_int_equal(season_fit(monthly, 24, 4, season), 2);
    near(season[11], 1.6, 0.05);
    assert_int_equal(season_fit(monthly, 23, 4, season), 0);
    near(season[11], 1, 0);
    memset(monthly, 0, sizeof(monthly));
    season_fit(monthly, 37, 0, season);
    near(season[3], 1, 0);
    monthly[20] = -500; /* a month of returns only */
    season_fit(monthly, 37, 0, season);
    for (int i = 0; i < 12; i++)
        assert_true(isfinite(season[i]) && season[i] > 0);
    int32_t day = clock_day_of(2025, 11, 16);
    near(season_mean(truth, day, day + 30), (15 * 1.2 + 15 * 1.6) / 30, 1e-12);
    near(season_mean(truth, day, day), 1, 0);
}

static void new_customers_follow_a_damped_trend(void **state)
{
    (void)state;
    double flat[12], weekly[SEASON_MAX_WEEKS];
    struct model_acquisition a;

    for (int i = 0; i < 12; i++)
        flat[i] = 1;
    for (int i = 0; i < 120; i++)
        weekly[i] = i < 13 ? 500 : 40; /* at first all old customers are new */
    season_acquisition_fit(weekly, 120, MODEL_FIXTURE_AS_OF, flat, &a);
    near(a.level, 40, 0.1);
    near(season_acquired(&a, 1), 40 * MODEL_WEEKS_PER_MONTH, 1);
    near(season_acquired(&a, 60), 40 * MODEL_WEEKS_PER_MONTH, 1);
    near(a.monthly_mean, 40 * MODEL_WEEKS_PER_MONTH, 1e-6);
    for (int i = 0; i < 120; i++)
        weekly[i] = 20 + i;
    season_acquisition_fit(weekly, 120, MODEL_FIXTURE_AS_OF, flat, &a);
    double first = season_acquired(&a, 1), second = season_acquired(&a, 2), last = season_acquired(&a, 60);
    assert_true(second > first && last > second); /* it goes on, less and less */
    assert_true(last - season_acquired(&a, 59) < second - first);
    near(first / MODEL_WEEKS_PER_MONTH, 141, 8);
    assert_true(last < 3 * a.level * MODEL_WEEKS_PER_MONTH + 1e-9);
    for (int i = 0; i < 120; i++)
        weekly[i] = 120 - i;
    season_acquisition_fit(weekly, 120, MODEL_FIXTURE_AS_OF, flat, &a);
    assert_true(season_acquired(&a, 60) >= 0 && season_acquired(&a, 60) < season_acquired(&a, 1));
    season_acquisition_fit(weekly, 0, MODEL_FIXTURE_AS_OF, flat, &a);
    near(season_acquired(&a, 12), 0, 0);
    season_acquisition_fit(weekly, 1, MODEL_FIXTURE_AS_OF, flat, &a);
    near(season_acquired(&a, 12), 120 * MODEL_WEEKS_PER_MONTH, 1e-6);
}

static void spreading_keeps_nodes_and_order(void **state)
{
    (void)state;
    double nodes[FORECAST_NODES], months[FORECAST_MONTHS];

    for (int k = 0; k < FORECAST_NODES; k++)
        nodes[k] = 100 * (1 - exp(-forecast_node_months[k] / 20.0));
    forecast_spread(nodes, 0, months);
    for (int k = 0; k < FORECAST_NODES; k++)
        near(months[forecast_node_months[k] - 1], nodes[k], 0);
    for (int i = 1; i < FORECAST_MONTHS; i++) {
        assert_true(months[i] > months[i - 1]);
        near(months[i], 100 * (1 - exp(-(i + 1) / 20.0)), 0.2);
    }
    assert_int_equal(forecast_node_months[FORECAST_MONTHLY_NODES - 1], FORECAST_MONTHLY_NODES);
    assert_int_equal(forecast_node_months[FORECAST_NODES - 1], FORECAST_MONTHS);
}

/* A small shop: some active, some long gone. */
#define SHOP 500
static struct shop {
    struct mbg_history history[SHOP];
    int32_t days_since[SHOP];
    double value[SHOP];
    struct forecast_path path[SHOP];
    struct forecast_sums sums;
    struct forecast_month outlook[FORECAST_MONTHS];
} shop;

static void build_shop(const struct model_params *m)
{
    const struct model_shop source = { .mbg = m->mbg, .most_weeks = 150 };

    memset(&shop, 0, sizeof(shop));
    model_fixture_seed(9);
    for (int i = 0; i < SHOP; i++) {
        shop.history[i] = model_fixture_history(&source);
        shop.days_since[i] = (int32_t)(7 * ((double)shop.history[i].t - (double)shop.history[i].tx));
        shop.value[i] = 10 + 50 * model_fixture_uniform();
        forecast_path_of(m, &shop.history[i], shop.days_since[i], &shop.path[i]);
        forecast_add(&shop.sums, &shop.path[i], shop.value[i], shop.days_since[i] <= 365);
    }
    forecast_outlook(m, &shop.sums, shop.outlook);
}

static void sums_are_those_of_the_customers(void **state)
{
    (void)state;
    struct model_params m = params();
    double orders[12], total[12] = { 0 }, revenue[12] = { 0 }, active[12] = { 0 };

    build_shop(&m);
    for (int i = 0; i < SHOP; i++) {
        clv_orders(&m, &shop.history[i], 12, orders);
        for (int k = 0; k < 12; k++) {
            double days = (k + 1) * MODEL_DAYS_PER_MONTH;
            total[k] += orders[k];
            revenue[k] += orders[k] * shop.value[i];
            if (shop.days_since[i] + days <= 365)
                active[k] += 1;
            else if (days <= 365)
                active[k] += 1 - nextorder_churn(&m, &shop.history[i], days);
        }
    }
    for (int k = 0; k < 12; k++) {
        near(shop.outlook[k].orders, total[k], 1e-9 * total[k]);
        near(shop.outlook[k].revenue, revenue[k], 1e-9 * revenue[k]);
    }
    for (int k = 0; k < 11; k++) /* month 12 is a quarter of a day beyond the window */
        near(shop.outlook[k].active, active[k], 1e-9 * active[k]);
}

static void paths_stay_probabilities(void **state)
{
    (void)state;
    struct model_params m = params();

    for (double window = 30; window < 4000; window *= 3) {
        m.active_window_days = window;
        build_shop(&m);
        for (int i = 0; i < SHOP; i++)
            for (int k = 0; k < FORECAST_NODES; k++) {
                const struct forecast_path *p = &shop.path[i];
                assert_true(p->active[k] >= 0 && p->active[k] <= 1);
                assert_true(p->orders[k] >= 0 && (k == 0 || p->orders[k] >= p->orders[k - 1]));
            }
        for (int k = 0; k < FORECAST_MONTHS; k++) {
            const double *v = (const double *)&shop.outlook[k];
            for (size_t j = 0; j < sizeof(shop.outlook[k]) / sizeof(double); j++)
                assert_true(isfinite(v[j]) && v[j] >= 0);
        }
    }
}

static void revenue_adds_up(void **state)
{
    (void)state;
    struct model_params m = params();
    struct forecast_revenue r;
    double sum = 0;

    m.backtest.revenue_factor = 1.1;
    for (int i = 0; i < 12; i++)
        m.season[i] = i == 11 ? 2.1 : 0.9;
    build_shop(&m);
    int32_t as_of = clock_day_of(2025, 11, 3);
    forecast_revenue(&m, shop.outlook, as_of, FORECAST_MONTHS, &r);
    for (int k = 0; k < FORECAST_MONTHS; k++) {
        const struct forecast_revenue_month *o = &r.month[k];
        near(o->revenue, o->existing + o->new_customers, 1e-9 * o->revenue);
        near(o->existing, o->season * 1.1 * shop.outlook[k].revenue, 1e-9 * o->existing);
        near(o->orders, o->season * 1.1 * (shop.outlook[k].orders + shop.outlook[k].new_orders), 1e-9 * o->orders);
        assert_true(o->interval.low >= 0 && o->interval.low < o->revenue && o->revenue < o->interval.high);
        sum += o->revenue;
    }
    near(r.revenue, sum, 1e-9 * sum);
    near(r.month[0].season, (27 * 0.9 + 3 * 2.1) / 30, 1e-9); /* November 4 to December 3 */
    assert_true(r.interval.low < r.revenue && r.revenue < r.interval.high);
    double relative = (r.month[0].interval.high - r.month[0].revenue) / r.month[0].revenue;
    assert_true(relative > 1.28 * m.forecast_error); /* the model's error, and chance */
    near(m.first_value, 35, 0);
    struct forecast_sums nobody = { 0 };
    struct forecast_month outlook[FORECAST_MONTHS];
    forecast_outlook(&m, &nobody, outlook);
    near(outlook[0].new_customers, 23 * MODEL_WEEKS_PER_MONTH, 1e-9);
    double first = outlook[0].new_customers * 35;
    assert_true(outlook[0].new_revenue > first && outlook[0].new_revenue < 1.3 * first);
    assert_true(outlook[11].new_revenue > outlook[0].new_revenue); /* those of earlier months come back */
    near(outlook[0].revenue, 0, 0);
}

static void growth_adds_up(void **state)
{
    (void)state;
    struct model_params m = params();
    struct forecast_growth g;
    double staying[FORECAST_MONTHS];

    build_shop(&m);
    for (int k = 0; k < FORECAST_MONTHS; k++)
        staying[k] = shop.outlook[k].active;
    for (int months = 1; months <= FORECAST_MONTHS; months += 59 / 2)
        for (int share = 0; share <= 10; share += 5) {
            forecast_growth(&m, shop.outlook, shop.sums.active_now, staying, share / 10.0, months, &g);
            double now = shop.sums.active_now;
            for (int k = 0; k < months; k++) {
                assert_true(g.month[k].churned >= 0 && g.month[k].acquired >= 0);
                now += g.month[k].acquired - g.month[k].churned;
                near(g.month[k].active, now, 1e-6);
            }
            near(shop.sums.active_now + g.acquired - g.churned, g.month[months - 1].active, 1e-6);
            assert_true(g.interval.low <= now && now <= g.interval.high);
            assert_true(g.monthly_churn_rate >= 0 && g.monthly_churn_rate < 1);
        }
    memset(staying, 0, sizeof(staying));
    forecast_growth(&m, shop.outlook, 0, staying, 0, 12, &g); /* an archetype of inactive customers */
    near(g.monthly_churn_rate, 0, 0);
    near(g.interval.high, 0, 0);
}

static void periods_are_calendar_months(void **state)
{
    (void)state;
    int year, month;

    forecast_period(clock_day_of(2025, 11, 3), 1, &year, &month);
    assert_true(year == 2025 && month == 12);
    forecast_period(clock_day_of(2025, 12, 31), 1, &year, &month);
    assert_true(year == 2026 && month == 1);
    forecast_period(clock_day_of(2025, 11, 3), 60, &year, &month);
    assert_true(year == 2030 && month == 11);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(season_is_found),
        cmocka_unit_test(new_customers_follow_a_damped_trend),
        cmocka_unit_test(spreading_keeps_nodes_and_order),
        cmocka_unit_test(sums_are_those_of_the_customers),
        cmocka_unit_test(paths_stay_probabilities),
        cmocka_unit_test(revenue_adds_up),
        cmocka_unit_test(growth_adds_up),
        cmocka_unit_test(periods_are_calendar_months),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
