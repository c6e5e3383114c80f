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
    double y = p->b + x + (p->bg ? 0 : 1);

    if (p->bg && x <= 0)
        return -INFINITY;
    return log(p->a) - log(y - 1) + (p->r + x) * log((p->alpha + t) / (p->alpha + tx));
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
 * The bracket of the conditional expectation,
 * 1 - u^(a-1) 2F1(a + y - x - 1 - r, a - 1; a + y - 1; 1 - u) over (a - 1), times (a + y - 1).
 */
static double expectation(const struct mbg_params *p, double x, double y, double t, double h)
{
    double a = fabs(p->a - 1) < 1e-7 ? 1 + 1e-7 : p->a;
    double u = (p->alpha + t) / (p->alpha + t + h);
    double f = special_hyp2f1(a + y - x - 1 - p->r, a - 1, a + y - 1, 1 - u);

    return (a + y - 1) / (a - 1) * (1 - exp((a - 1) * log(u)) * f);
}

double mbg_expected_orders(const struct mbg_params *p, double x, double tx, double t, double h)
{
    double y = p->b + x + (p->bg ? 0 : 1);

    return h > 0 ? mbg_p_alive(p, x, tx, t) * fmax(0, expectation(p, x, y, t, h)) : 0;
}

double mbg_expected_new(const struct mbg_params *p, double h)
{
    if (!(h > 0))
        return 0;
    double stays = p->bg ? 1 : p->b / (p->a + p->b);
    return stays * fmax(0, expectation(p, 0, p->b + (p->bg ? 0 : 1), 0, h));
}
