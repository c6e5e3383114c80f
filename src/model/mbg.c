/*
 * mbg: scoring in closed form. See the header for the notation.
 */
#include "model/mbg.h"

#include <math.h>

#include "model/special.h"

struct mbg_history mbg_history_of(uint32_t purchase_days, int32_t first_day, int32_t last_day, int32_t as_of_day)
{
    int64_t t = (int64_t)as_of_day - first_day, tx = (int64_t)last_day - first_day;

    t = t < 0 ? 0 : t;
    tx = purchase_days < 2 || tx < 0 ? 0 : tx > t ? t : tx;
    return (struct mbg_history){
        .x = purchase_days < 2 ? 0 : purchase_days - 1, .tx = (float)tx / 7, .t = (float)t / 7, .count = 1
    };
}

/* ln psi; -INFINITY when the customer can't have left. */
static double log_psi(const struct mbg_params *p, double x, double tx, double t)
{
    if (p->bg && x <= 0)
        return -INFINITY;
    return log(p->a) - log(p->b + x - (p->bg ? 1 : 0)) + /* not y - 1, in which a tiny b is lost */
           (p->r + x) * log((p->alpha + t) / (p->alpha + tx));
}

double mbg_log_likelihood(const struct mbg_params *p, double x, double tx, double t)
{
    double y = p->b + x + (p->bg ? 0 : 1);
    double ll = special_lgamma(p->r + x) - special_lgamma(p->r) + p->r * log(p->alpha) + special_lgamma(p->a + p->b) +
                special_lgamma(y) - special_lgamma(p->b) - special_lgamma(p->a + y) - (p->r + x) * log(p->alpha + t);

    return ll + special_log1pexp(log_psi(p, x, tx, t));
}

double mbg_p_alive(const struct mbg_params *p, double x, double tx, double t)
{
    return special_logistic(-log_psi(p, x, tx, t));
}

/* 1 - ((alpha+T)/(alpha+T+h))^(r+x): P(an order within h | alive). */
static double p_order_alive(const struct mbg_params *p, double x, double t, double h)
{
    return -expm1(-(p->r + x) * log1p(h / (p->alpha + t)));
}

double mbg_p_order(const struct mbg_params *p, double x, double tx, double t, double h)
{
    return h > 0 ? mbg_p_alive(p, x, tx, t) * p_order_alive(p, x, t, h) : 0;
}

double mbg_order_quantile(const struct mbg_params *p, double x, double tx, double t, double q)
{
    double alive = mbg_p_alive(p, x, tx, t);

    if (q >= alive)
        return INFINITY;
    return (p->alpha + t) * expm1(-log1p(-q / alive) / (p->r + x));
}

/*
 * Expected orders within h[0..n), ascending, of a customer who is alive:
 *   (a + y - 1) / (a - 1) [1 - G],  G = u^(a-1) 2F1(a + y - x - 1 - r, a - 1; a + y - 1; 1 - u),
 * the Euler-transformed form, whose first two parameters do not depend on x. Where r is so large that its terms
 * would cancel each other, the form of the textbooks, whose terms are all positive:
 *   G = u^(r+x) 2F1(r + x, y; a + y - 1; 1 - u).
 */
static void expectation(const struct mbg_params *p, double x, double t, const double *h, int n, double *out)
{
    double a = fabs(p->a - 1) < 1e-7 ? 1 + 1e-7 : p->a, y = p->b + x + (p->bg ? 0 : 1);
    double c = a + p->b + x - (p->bg ? 1 : 0), first = c - x - p->r;
    double z[MBG_GRID_MAX], scale[MBG_GRID_MAX], largest = 0;

    for (int k = 0; k < n; k++)
        z[k] = largest = h[k] > 0 ? h[k] / (p->alpha + t + h[k]) : 0; /* 1 - u */
    bool cancels = first * largest < -5;
    double power = cancels ? p->r + x : a - 1;
    if (cancels)
        special_hyp2f1(p->r + x, y, c, z, n, out, scale);
    else
        special_hyp2f1(first, a - 1, c, z, n, out, scale);
    for (int k = 0; k < n; k++)
        out[k] = fmax(0, c / (a - 1) * (1 - exp(power * log1p(-z[k]) + scale[k]) * out[k]));
}

void mbg_expected_grid(const struct mbg_params *p, double x, double tx, double t, const double *h, int n, double *out)
{
    double alive = mbg_p_alive(p, x, tx, t);

    expectation(p, x, t, h, n, out);
    for (int k = 0; k < n; k++)
        out[k] *= alive;
}

double mbg_expected_orders(const struct mbg_params *p, double x, double tx, double t, double h)
{
    double expected;

    mbg_expected_grid(p, x, tx, t, &h, 1, &expected);
    return expected;
}

double mbg_expected_new(const struct mbg_params *p, double h)
{
    double stays = p->bg ? 1 : p->b / (p->a + p->b), expected;

    expectation(p, 0, 0, &h, 1, &expected);
    return stays * expected;
}
