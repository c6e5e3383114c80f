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

static void near(double got, double want, double tolerance)
{
    if (!(fabs(got - want) <= tolerance))
        fail_msg("got %.10g, want %.10g within %g", got, want, tolerance);
}

static void special_functions(void **state)
{
    (void)state;
    near(special_digamma(1), -0.57721566490153286, 1e-13);
    near(special_digamma(0.01), -100.56088545786867, 1e-9);
    assert_true(isnan(special_digamma(-1)));
    near(special_hyp2f1(1, 1, 2, 0.5), 2 * log(2), 1e-14);
    near(special_hyp2f1(2.5, 1, 1, 0.9), pow(0.1, -2.5), 1e-9);
    assert_true(isnan(special_hyp2f1(1, 1, 2, 1)));
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

static uint64_t seed;

static double uniform(void)
{
    seed += 0x9e3779b97f4a7c15ULL;
    uint64_t z = (seed ^ (seed >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return ((double)((z ^ (z >> 31)) >> 11) + 0.5) / 9007199254740992.0;
}

static double gamma_draw(double shape) /* Marsaglia & Tsang 2000 */
{
    if (shape < 1) {
        double boost = pow(uniform(), 1 / shape);
        return gamma_draw(shape + 1) * boost;
    }
    for (double d = shape - 1.0 / 3, c = 1 / sqrt(9 * d);;) {
        double radius = sqrt(-2 * log(uniform())), n = radius * cos(6.283185307179586 * uniform()),
               v = pow(1 + c * n, 3);
        if (v > 0 && log(uniform()) < 0.5 * n * n + d - d * v + d * log(v))
            return d * v;
    }
}

static struct mbg_history simulate(const struct mbg_params *p)
{
    double lambda = gamma_draw(p->r) / p->alpha, g = gamma_draw(p->a), leave = g / (g + gamma_draw(p->b));
    struct mbg_history h = { .t = (float)(52 + 104 * uniform()), .count = 1 };
    double now = 0;

    if (!p->bg && uniform() < leave)
        return h;
    for (;;) {
        now -= log(uniform()) / lambda;
        if (!(now < (double)h.t))
            return h;
        h.x++;
        h.tx = (float)now;
        if (uniform() < leave)
            return h;
    }
}

static int by_x(const void *a, const void *b)
{
    const struct mbg_history *l = a, *r = b;

    return l->x < r->x ? -1 : l->x > r->x;
}

static void simulate_all(const struct mbg_params *p, struct mbg_history *h, size_t n, uint64_t from)
{
    seed = from;
    for (size_t i = 0; i < n; i++)
        h[i] = simulate(p);
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
    seed = 77;
    for (int i = 0; i < CUSTOMERS; i++) {
        double nu = gamma_draw(truth.q) / truth.v, total = 0;
        s[i].x = 1 + (uint32_t)(uniform() * 8);
        for (uint32_t k = 0; k < s[i].x; k++)
            total += gamma_draw(truth.p) / nu;
        s[i].z = (float)(total / s[i].x);
    }
    assert_true(gammagamma_fit(s, CUSTOMERS, false, &fit));
    assert_true(fit.converged);
    near(gammagamma_expected(&fit.params, 0, 0), truth.p * truth.v / (truth.q - 1), 1.5);
    near(log(fit.params.p), log(truth.p), 0.15);
    near(log(fit.params.q), log(truth.q), 0.15);
    assert_true(fabs(fit.correlation) < 0.05);
    assert_false(gammagamma_fit(s, 0, true, &fit));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(special_functions),           cmocka_unit_test(published_values),
        cmocka_unit_test(stays_finite_and_consistent), cmocka_unit_test(recovers_parameters),
        cmocka_unit_test(small_samples_never_fail),    cmocka_unit_test(spend_values_and_recovery),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
