/*
 * The published values of MBG/NBD, BG/NBD and Gamma-Gamma, and parameters recovered from simulated customers.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "model/gammagamma.h"
#include "model/mbg.h"
#include "model/special.h"
#include "model_fixture.h"
#include "pareto_nbd.h"

static void near(double got, double want, double tolerance)
{
    if (!(fabs(got - want) <= tolerance))
        fail_msg("got %.10g, want %.10g within %g", got, want, tolerance);
}

static double hyp2f1(double a, double b, double c, double z)
{
    double value, log_scale;

    special_hyp2f1(a, b, c, &z, 1, &value, &log_scale);
    return value * exp(log_scale);
}

static void series_does_not_overflow(void **state)
{
    (void)state;
    const double z[3] = { 0, 0.5, 0.9 };
    double value[3], log_scale[3];

    special_hyp2f1(3000, 1, 1, z, 3, value, log_scale); /* (1 - z)^-3000 */
    for (int i = 0; i < 3; i++)
        near(log(value[i]) + log_scale[i], -3000 * log(1 - z[i]), 1e-8);
}

static void special_functions(void **state)
{
    (void)state;
    near(special_digamma(1), -0.57721566490153286, 1e-13);
    near(special_digamma(0.01), -100.56088545786867, 1e-9);
    assert_true(isnan(special_digamma(-1)));
    near(hyp2f1(1, 1, 2, 0.5), 2 * log(2), 1e-14);
    near(hyp2f1(2.5, 1, 1, 0.9), pow(0.1, -2.5), 1e-9);
    near(hyp2f1(-3, 2, 4, 0.25), 1 - 0.375 + 0.05625 - 0.003125, 1e-15); /* a polynomial */
    near(special_log1pexp(800), 800, 1e-12);
    near(special_logistic(special_logit(0.3)), 0.3, 1e-14);
}

static void published_values(void **state)
{
    (void)state;
    const struct mbg_params p = { .2425945, 4.4136019, .7929199, 2.4258881, true };
    static const double when[] = { 0.1429, 1, 3, 31.8571, 32, 78 };
    static const double expected[] = { 0.0078, 0.0532, 0.1506, 1.0405, 1.0437, 1.8576 };

    near(mbg_expected_orders(&p, 2, 30.43, 38.86, 39), 1.226, 0.001);
    for (int i = 0; i < 6; i++)
        near(mbg_expected_new(&p, when[i]), expected[i], 0.001);

    struct mbg_params q = { .25, 4, .8, 2.5, true };
    near(mbg_log_likelihood(&q, 0, 0, 40), -0.59947382, 1e-4);
    near(mbg_log_likelihood(&q, 200, 38, 40), 100.7957, 1e-4);
    q.bg = false;
    near(mbg_log_likelihood(&q, 0, 0, 40), -0.41792826, 1e-4);
    near(mbg_log_likelihood(&q, 200, 38, 40), 100.7869, 1e-4);
    const struct mbg_params heavy = { .53, 6.18, .89, 1.614, false };
    near(mbg_log_likelihood(&heavy, 200, 38, 40), 91.808242, 1e-4);
}

static void stays_finite_and_consistent(void **state)
{
    (void)state;
    const struct mbg_params p = { .53, 6.18, .89, 1.614, false };
    static const double cases[][3] = {
        { 0, 0, 0 }, { 0, 0, 150 }, { 2500, 149, 150 }, { 2500, 150, 150 }, { 1000, 100, 520 }
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        double x = cases[i][0], tx = cases[i][1], t = cases[i][2], alive = mbg_p_alive(&p, x, tx, t);
        assert_true(alive >= 0 && alive <= 1);
        double before = 0;
        for (double h = 1; h < 1000; h *= 2) {
            double e = mbg_expected_orders(&p, x, tx, t, h), o = mbg_p_order(&p, x, tx, t, h);
            assert_true(isfinite(e) && e >= before);
            assert_true(o >= 0 && o <= alive + 1e-12 && o <= e + 1e-9); /* P(N > 0) <= E N */
            before = e;
        }
        if (alive > 0.1) /* the quantile inverts the distribution */
            near(mbg_p_order(&p, x, tx, t, mbg_order_quantile(&p, x, tx, t, alive / 2)), alive / 2, 1e-9);
        assert_true(isinf(mbg_order_quantile(&p, x, tx, t, alive)));
    }
}

/* E[(1 - (1 + p h / (alpha + T))^-(r+x)) / p] over p ~ Beta(a, y): the definition, by midpoints in p = v^k. */
static double expected_by_quadrature(const struct mbg_params *m, double x, double tx, double t, double h)
{
    enum {
        POINTS = 40000
    };
    double y = m->b + x + (m->bg ? 0 : 1), k = fmax(1, 3 / m->a), sum = 0;
    double log_beta = special_lgamma(m->a) + special_lgamma(y) - special_lgamma(m->a + y);

    for (int i = 0; i < POINTS; i++) {
        double v = (i + 0.5) / POINTS, p = pow(v, k);
        double orders =
            p < 1e-12 ? (m->r + x) * h / (m->alpha + t) : -expm1(-(m->r + x) * log1p(p * h / (m->alpha + t))) / p;
        sum += exp((k * m->a - 1) * log(v) + log(k) + (y - 1) * log1p(-p) - log_beta) * orders / POINTS;
    }
    return mbg_p_alive(m, x, tx, t) * sum;
}

static void expected_orders_are_the_integral(void **state)
{
    (void)state;
    static const struct mbg_params fits[] = {
        { .53, 6.18, .89, 1.614, 0 }, { .53, 6.18, 1, 1.614, 0 },      { .53, 6.18, 1 + 1e-6, 1.614, 0 },
        { 3, 2, .4, .3, 0 },          { .2, 40, 2.5, 6, 0 },           { 60, 30, 1.7, 2.2, 0 },
        { .6, .2, .9, 2.2, 0 },       { 5000, 9000, .9, 2.2, 0 },      { .7, 9, 40, 160, 0 },
        { .7, 9, 400, 1600, 0 },      { .243, 4.414, .793, 2.426, 1 },
    };
    static const double cases[][3] = { { 0, 0, 0 }, { 0, 0, 40 }, { 3, 20, 40 }, { 40, 39, 40 }, { 2500, 149, 150 } };
    static const double horizons[] = { 0, 1, 13, 52, 261 };

    for (size_t i = 0; i < sizeof(fits) / sizeof(fits[0]); i++)
        for (size_t c = 0; c < sizeof(cases) / sizeof(cases[0]); c++) {
            double x = cases[c][0], tx = cases[c][1], t = cases[c][2], grid[5];
            if (fits[i].bg && x <= 0)
                continue;
            mbg_expected_grid(&fits[i], x, tx, t, horizons, 5, grid);
            for (int k = 0; k < 5; k++) {
                double want = expected_by_quadrature(&fits[i], x, tx, t, horizons[k]);
                near(grid[k], want, 2e-5 * want + 1e-9);
                near(mbg_expected_orders(&fits[i], x, tx, t, horizons[k]), grid[k], 1e-9 * grid[k]);
            }
        }
}

/* P(X(t) = n) of BG/NBD for a new customer (Fader, Hardie & Lee 2005, eq. 8). */
static double bg_pmf(const struct mbg_params *m, double n, double t)
{
    double log_stay = special_lgamma(m->a + m->b) - special_lgamma(m->b) + special_lgamma(m->b + n) -
                      special_lgamma(m->a + m->b + n);
    double log_rate = special_lgamma(m->r + n) - special_lgamma(m->r) - special_lgamma(n + 1) +
                      m->r * log(m->alpha / (m->alpha + t)) + n * log(t / (m->alpha + t));
    double p = exp(log_stay + log_rate), below = 0;

    if (n < 1)
        return p;
    for (double j = 0; j < n; j++)
        below += exp(special_lgamma(m->r + j) - special_lgamma(m->r) - special_lgamma(j + 1) +
                     m->r * log(m->alpha / (m->alpha + t)) + j * log(t / (m->alpha + t)));
    double log_leave = special_lgamma(m->a + 1) + special_lgamma(m->b + n - 1) - special_lgamma(m->a + m->b + n) +
                       special_lgamma(m->a + m->b) - special_lgamma(m->a) - special_lgamma(m->b);
    return p + exp(log_leave) * (1 - below);
}

static void published_distribution_and_its_mean(void **state)
{
    (void)state;
    const struct mbg_params p = { .243, 4.414, .793, 2.426, 1 };
    static const double cases[4][3] = {
        { 10, 2, 1.07869e-07 }, { 0, 39, 0.5737864 }, { 11, 30, 0.0019995214 }, { 20, 30, 0.000222226 }
    };
    double mean = 0;

    for (int i = 0; i < 4; i++)
        near(bg_pmf(&p, cases[i][0], cases[i][1]), cases[i][2], 1e-5 * cases[i][2]);
    for (double n = 1; n < 400; n++)
        mean += n * bg_pmf(&p, n, 39);
    near(mbg_expected_new(&p, 39), mean, 1e-6 * mean);
}

/* The model MBG/NBD is compared with, against its published values. */
static void published_pareto_nbd(void **state)
{
    (void)state;
    const struct pareto_nbd p = { 0.5534, 10.5802, 0.6061, 11.6562 }, q = { 0.55, 10.58, 0.61, 11.67 };

    near(pareto_nbd_p_alive(&p, 26, 30.86, 31), 0.9979, 0.001);
    near(pareto_nbd_expected_orders(&p, 26, 30.86, 31, 52), 25.46, 0.02);
    near(pareto_nbd_expected_orders(&q, 132, 200, 200, 10), 6.206051788963242, 1e-9 * 6.2);
    near(pareto_nbd_expected_orders(&q, 133, 200, 200, 10), 6.252872247574811, 1e-9 * 6.2);
    double order = pareto_nbd_p_order(&p, 3, 20, 40, 1e7); /* those who are alive order before long, or leave */
    assert_true(order < pareto_nbd_p_alive(&p, 3, 20, 40) && order > pareto_nbd_p_order(&p, 3, 20, 40, 10));
    near(pareto_nbd_p_order(&p, 3, 20, 40, 1e-3), pareto_nbd_expected_orders(&p, 3, 20, 40, 1e-3), 1e-7);
}

static void gradients_are_the_slopes(void **state)
{
    (void)state;
    const struct mbg_history h[] = { { 0, 0, 40, 3 }, { 1, 12, 50, 2 }, { 7, 30, 31, 1 }, { 200, 38, 40, 1 } };

    for (int bg = 0; bg < 2; bg++) {
        double at[4] = { .53, 6.18, .89, 1.614 }, got[4], ignored[4];
        struct mbg_params p = { at[0], at[1], at[2], at[3], bg };
        mbg_log_likelihood_sum(&p, h, 4, 1, got);
        for (int k = 0; k < 4; k++) {
            double value[2], step = 1e-5 * at[k];
            for (int side = 0; side < 2; side++) {
                double v[4] = { at[0], at[1], at[2], at[3] };
                v[k] += side ? step : -step;
                struct mbg_params q = { v[0], v[1], v[2], v[3], bg };
                value[side] = mbg_log_likelihood_sum(&q, h, 4, 1, ignored);
            }
            double slope = (value[1] - value[0]) / (2 * step);
            near(got[k], slope, 1e-6 * fabs(slope) + 1e-7);
        }
    }
}

static int by_x(const void *a, const void *b)
{
    const struct mbg_history *l = a, *r = b;

    return l->x < r->x ? -1 : l->x > r->x;
}

static void simulate_all(const struct mbg_params *p, struct mbg_history *h, size_t n, uint64_t from)
{
    const struct model_shop shop = { .mbg = *p, .least_weeks = 52, .most_weeks = 156 };

    model_fixture_seed(from);
    for (size_t i = 0; i < n; i++)
        h[i] = model_fixture_history(&shop);
    qsort(h, n, sizeof(*h), by_x);
}

/* The mean estimate over 40 seeds lies within its standard error of the truth, on the log scale. */
static void recovers_parameters(void **state)
{
    (void)state;
    enum {
        SEEDS = 40,
        CUSTOMERS = 3000
    };
    const struct mbg_params truth = { .6, 6, .9, 2.2, false };
    const double want[3] = { log(truth.r), log(truth.alpha), log(truth.a / (truth.a + truth.b)) };
    double sum[3] = { 0 }, square[3] = { 0 };
    struct mbg_history *h = calloc(CUSTOMERS, sizeof(*h));

    for (uint64_t s = 0; s < SEEDS; s++) {
        struct mbg_fit fit;
        simulate_all(&truth, h, CUSTOMERS, (s + 1) << 40);
        assert_true(mbg_fit(h, CUSTOMERS, false, false, &fit));
        assert_true(fit.converged && fit.dropout_identified);
        const double got[3] = { log(fit.params.r), log(fit.params.alpha),
                                log(fit.params.a / (fit.params.a + fit.params.b)) };
        for (int k = 0; k < 3; k++) {
            sum[k] += got[k];
            square[k] += got[k] * got[k];
        }
    }
    for (int k = 0; k < 3; k++) {
        double mean = sum[k] / SEEDS, error = sqrt((square[k] / SEEDS - mean * mean) / SEEDS);
        near(mean, want[k], 3 * error + 0.01);
    }
    free(h);
}

static void small_samples_never_fail(void **state)
{
    (void)state;
    const struct mbg_params truth = { .2, 8, 1.2, 1.5, false }; /* most buy once */
    struct mbg_history h[300];
    struct mbg_fit fit, again;

    for (uint64_t s = 1; s <= 40; s++) {
        simulate_all(&truth, h, 300, s << 32);
        assert_true(mbg_fit(h, 300, false, true, &fit));
        assert_true(fit.converged && isfinite(fit.log_likelihood));
        assert_true(isfinite(mbg_expected_orders(&fit.params, 3, 20, 100, 52)));
        assert_true(mbg_fit(h, 300, false, true, &again));
        assert_memory_equal(&fit.params.r, &again.params.r, sizeof(double)); /* byte identical */
    }
    assert_false(mbg_fit(h, 0, false, true, &fit));
}

static void spend_values_and_recovery(void **state)
{
    (void)state;
    enum {
        CUSTOMERS = 4000
    };
    const struct gammagamma_params published = { 6.25, 3.74, 15.44 }, truth = { 3, 4, 30 };
    static struct gammagamma_spend s[CUSTOMERS];
    struct gammagamma_fit fit;

    near(gammagamma_expected(&published, 0, 0), 35.17, 0.1);
    near(gammagamma_expected(&published, 2, 22.35), 24.65, 0.1);
    near(gammagamma_expected(&published, 1, 11.77), 18.91, 0.1);
    model_fixture_seed(77);
    for (int i = 0; i < CUSTOMERS; i++) {
        double nu = model_fixture_gamma(truth.q) / truth.v, total = 0;
        s[i].x = 1 + (uint32_t)(model_fixture_uniform() * 8);
        for (uint32_t k = 0; k < s[i].x; k++)
            total += model_fixture_gamma(truth.p) / nu;
        s[i].z = (float)(total / s[i].x);
    }
    assert_true(gammagamma_fit(s, CUSTOMERS, false, &fit));
    assert_true(fit.converged);
    near(gammagamma_expected(&fit.params, 0, 0), truth.p * truth.v / (truth.q - 1), 1.5);
    near(log(fit.params.p), log(truth.p), 0.15);
    near(log(fit.params.q), log(truth.q), 0.15);
    assert_true(fabs(fit.correlation) < 0.05);
    for (int k = 0; k < 3; k++) { /* the optimum is one of the likelihood as published */
        double value[2];
        for (int side = 0; side < 2; side++) {
            struct gammagamma_params p = fit.params;
            *(k == 0 ? &p.p : k == 1 ? &p.q : &p.v) *= side ? 1.001 : 0.999;
            value[side] = 0;
            for (int i = 0; i < CUSTOMERS; i++)
                value[side] += gammagamma_log_likelihood(&p, s[i].x, (double)s[i].z);
        }
        near((value[1] - value[0]) / 0.002, 0, 0.05);
    }
    assert_false(gammagamma_fit(s, 0, true, &fit));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(series_does_not_overflow),
        cmocka_unit_test(expected_orders_are_the_integral),
        cmocka_unit_test(published_pareto_nbd),
        cmocka_unit_test(gradients_are_the_slopes),
        cmocka_unit_test(published_distribution_and_its_mean),
        cmocka_unit_test(special_functions),
        cmocka_unit_test(published_values),
        cmocka_unit_test(stays_finite_and_consistent),
        cmocka_unit_test(recovers_parameters),
        cmocka_unit_test(small_samples_never_fail),
        cmocka_unit_test(spend_values_and_recovery),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
