/*
 * pareto_nbd: see the header.
 */
#include "pareto_nbd.h"

#include <math.h>

#include "model/bfgs.h"
#include "model/special.h"

#define POINTS     32
#define NEGLIGIBLE 45 /* e^-45 of the integrand's largest value */

static double node[POINTS], weight[POINTS];

/* Roots of the Legendre polynomial by Newton's method. */
static void set_nodes(void)
{
    if (weight[0] > 0)
        return;
    for (int i = 0; i < POINTS; i++) {
        double z = cos(3.141592653589793 * (i + 0.75) / (POINTS + 0.5)), slope = 0;
        for (int step = 0; step < 100; step++) {
            double p0 = 1, p1 = z;
            for (int k = 2; k <= POINTS; k++) {
                double p2 = ((2 * k - 1) * z * p1 - (k - 1) * p0) / k;
                p0 = p1;
                p1 = p2;
            }
            slope = POINTS * (z * p1 - p0) / (z * z - 1);
            z -= p1 / slope;
        }
        node[i] = z;
        weight[i] = 2 / ((1 - z * z) * slope * slope);
    }
}

/* Integral from..to of ((alpha+from)/(alpha+u))^n (beta+u)^-(s+1) du. */
static double leaving(const struct pareto_nbd *p, double n, double from, double to)
{
    double low = log(p->alpha + from), high = log(p->alpha + to), sum = 0;

    set_nodes();
    high = fmin(high, low + NEGLIGIBLE / n);
    for (int i = 0; i < POINTS; i++) {
        double v = (low + high) / 2 + (high - low) / 2 * node[i];
        sum += weight[i] * exp(-n * (v - low) + v - (p->s + 1) * log(p->beta - p->alpha + exp(v)));
    }
    return sum * (high - low) / 2;
}

/* ln (P(left) / P(alive)). */
static double log_odds_left(const struct pareto_nbd *p, double x, double tx, double t)
{
    double n = p->r + x;

    return log(p->s * leaving(p, n, tx, t)) + n * log((p->alpha + t) / (p->alpha + tx)) + p->s * log(p->beta + t);
}

double pareto_nbd_log_likelihood(const struct pareto_nbd *p, double x, double tx, double t)
{
    return special_lgamma(p->r + x) - special_lgamma(p->r) + p->r * log(p->alpha) + p->s * log(p->beta) -
           (p->r + x) * log(p->alpha + t) - p->s * log(p->beta + t) + special_log1pexp(log_odds_left(p, x, tx, t));
}

double pareto_nbd_p_alive(const struct pareto_nbd *p, double x, double tx, double t)
{
    return special_logistic(-log_odds_left(p, x, tx, t));
}

double pareto_nbd_p_order(const struct pareto_nbd *p, double x, double tx, double t, double h)
{
    double n = p->r + x, stays = pow((p->beta + t) / (p->beta + t + h), p->s);
    double none = stays * pow((p->alpha + t) / (p->alpha + t + h), n) +
                  p->s * pow(p->beta + t, p->s) * leaving(p, n, t, t + h); /* left before he ordered */

    return pareto_nbd_p_alive(p, x, tx, t) * (1 - none);
}

double pareto_nbd_expected_orders(const struct pareto_nbd *p, double x, double tx, double t, double h)
{
    double s1 = fabs(p->s - 1) < 1e-9 ? 1e-9 : p->s - 1;
    double kept = -expm1(-s1 * log1p(h / (p->beta + t)));

    return pareto_nbd_p_alive(p, x, tx, t) * (p->r + x) * (p->beta + t) / ((p->alpha + t) * s1) * kept;
}

struct problem {
    const struct mbg_history *histories;
    size_t n;
};

static double value_at(const struct problem *pb, const double *v)
{
    struct pareto_nbd p = { exp(v[0]), exp(v[1]), exp(v[2]), exp(v[3]) };
    double sum = 0, customers = 0;

    for (size_t i = 0; i < pb->n; i++) {
        const struct mbg_history *h = &pb->histories[i];
        sum += h->count * pareto_nbd_log_likelihood(&p, h->x, (double)h->tx, (double)h->t);
        customers += h->count;
    }
    return -sum / customers;
}

static double objective(const double *v, double *gradient, void *arg)
{
    const struct problem *pb = arg;

    for (int k = 0; k < 4; k++) {
        double side[2], at[4] = { v[0], v[1], v[2], v[3] };
        for (int i = 0; i < 2; i++) {
            at[k] = v[k] + (i ? 1e-4 : -1e-4);
            side[i] = value_at(pb, at);
        }
        gradient[k] = (side[1] - side[0]) / 2e-4;
    }
    return value_at(pb, v);
}

bool pareto_nbd_fit(const struct mbg_history *histories, size_t n, struct pareto_nbd *p, double *log_likelihood)
{
    struct problem pb = { histories, n };
    double v[4] = { log(0.5), log(10), log(0.5), log(10) }, customers = 0;
    struct bfgs_result r = bfgs_minimise(objective, &pb, v, 4, 1e-6, 200);

    if (n == 0 || !isfinite(r.value))
        return false;
    for (size_t i = 0; i < n; i++)
        customers += histories[i].count;
    *p = (struct pareto_nbd){ exp(v[0]), exp(v[1]), exp(v[2]), exp(v[3]) };
    *log_likelihood = -r.value * customers;
    return true;
}
