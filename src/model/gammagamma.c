/*
 * gammagamma: see the header. Free variables of the fit are ln p, ln(q - 1), ln v.
 */
#include "model/gammagamma.h"

#include <math.h>

#include "model/bfgs.h"
#include "model/special.h"

#define DIM      3
#define FARTHEST 40 /* of each free variable from 0: what lies beyond can't be told apart */

#define EXPLORE 5000 /* customers that are enough to find the best of the starts */

struct problem {
    const struct gammagamma_spend *spends;
    size_t n, stride; /* every stride-th customer counts */
    double customers;
    bool prior;
    double mean[DIM];
    double log_z, x_log_z; /* sums over the customers */
};

static const double deviation = 1.5;

double gammagamma_log_likelihood(const struct gammagamma_params *g, double x, double z)
{
    double px = g->p * x;

    return special_lgamma(px + g->q) - special_lgamma(px) - special_lgamma(g->q) + g->q * log(g->v) +
           (px - 1) * log(z) + px * log(x) - (px + g->q) * log(g->v + x * z);
}

double gammagamma_expected(const struct gammagamma_params *g, double x, double z)
{
    if (x <= 0)
        return g->p * g->v / (g->q - 1);
    return g->p * (g->v + x * z) / (g->p * x + g->q - 1);
}

static struct gammagamma_params params_of(const double *v)
{
    return (struct gammagamma_params){ .p = exp(v[0]), .q = 1 + exp(v[1]), .v = exp(v[2]) };
}

/* Terms of x alone are computed once a run of equal x. */
static double log_likelihood(const struct problem *pb, const struct gammagamma_params *g, double d[DIM])
{
    double total = g->p * pb->x_log_z - pb->log_z, by_p = pb->x_log_z, psi_q = special_digamma(g->q),
           log_v = log(g->v), lgamma_q = special_lgamma(g->q);
    double x = 0, px = 0, log_x = 0, ll = 0, psi = 0, psi_px = 0;

    d[1] = d[2] = 0;
    for (size_t i = 0; i < pb->n; i += pb->stride) {
        if (i == 0 || pb->spends[i].x != pb->spends[i - pb->stride].x) {
            x = pb->spends[i].x;
            px = g->p * x;
            log_x = log(x);
            psi = special_digamma(px + g->q);
            psi_px = special_digamma(px);
            ll = special_lgamma(px + g->q) - special_lgamma(px) - lgamma_q + g->q * log_v + px * log_x;
        }
        double sum = g->v + x * (double)pb->spends[i].z, log_sum = log(sum);
        total += ll - (px + g->q) * log_sum;
        by_p += x * (psi - psi_px + log_x - log_sum);
        d[1] += psi - psi_q + log_v - log_sum;
        d[2] += g->q / g->v - (px + g->q) / sum;
    }
    d[0] = by_p;
    return total;
}

static double objective(const double *v, double *gradient, void *arg)
{
    const struct problem *pb = arg;
    for (int i = 0; i < DIM; i++)
        if (!(fabs(v[i]) < FARTHEST))
            return INFINITY;
    struct gammagamma_params g = params_of(v);
    double d[DIM], value = log_likelihood(pb, &g, d);

    gradient[0] = g.p * d[0];
    gradient[1] = (g.q - 1) * d[1];
    gradient[2] = g.v * d[2];
    for (int i = 0; i < DIM; i++) {
        double z = (v[i] - pb->mean[i]) / deviation;
        if (pb->prior) {
            value -= 0.5 * z * z;
            gradient[i] -= z / deviation;
        }
        gradient[i] = -gradient[i] / pb->customers;
    }
    return -value / pb->customers;
}

/* Mean of z, and the correlation of x and z. */
static double describe(const struct gammagamma_spend *s, size_t n, double *correlation)
{
    double mx = 0, mz = 0, xx = 0, zz = 0, xz = 0;

    for (size_t i = 0; i < n; i++) {
        mx += s[i].x / (double)n;
        mz += (double)s[i].z / (double)n;
    }
    for (size_t i = 0; i < n; i++) {
        double dx = s[i].x - mx, dz = (double)s[i].z - mz;
        xx += dx * dx;
        zz += dz * dz;
        xz += dx * dz;
    }
    *correlation = xx > 0 && zz > 0 ? xz / sqrt(xx * zz) : 0;
    return mz;
}

static void set_stride(struct problem *pb, size_t stride)
{
    pb->stride = stride;
    pb->customers = pb->log_z = pb->x_log_z = 0;
    for (size_t i = 0; i < pb->n; i += stride) {
        double log_z = log((double)pb->spends[i].z);
        pb->customers += 1;
        pb->log_z += log_z;
        pb->x_log_z += pb->spends[i].x * log_z;
    }
}

bool gammagamma_fit(const struct gammagamma_spend *spends, size_t n, bool prior, struct gammagamma_fit *fit)
{
    static const double starts[3][DIM] = { { 0, 0, 0 }, { 1, 1, 1 }, { -0.7, -0.7, -1 } }; /* from the prior's mean */
    struct problem pb = { .spends = spends, .n = n, .prior = prior };
    double v[DIM], d[DIM];

    *fit = (struct gammagamma_fit){ 0 };
    if (n == 0)
        return false;
    double mean = describe(spends, n, &fit->correlation);
    pb.mean[0] = pb.mean[1] = log(2);
    pb.mean[2] = log(fmax(mean, 1e-6)); /* p v / (q - 1) is the mean when p = q - 1 */
    set_stride(&pb, 1 + n / EXPLORE);
    struct bfgs_result r = bfgs_minimise_starts(objective, &pb, pb.mean, starts[0], 3, v, DIM, 1e-7, 500);
    fit->evaluations = r.evaluations;
    if (pb.stride > 1 && isfinite(r.value)) {
        set_stride(&pb, 1);
        r = bfgs_minimise(objective, &pb, v, DIM, 1e-7, 500);
        fit->evaluations += r.evaluations;
    }
    if (!isfinite(r.value))
        return false;
    fit->converged = r.converged != 0;
    fit->params = params_of(v);
    fit->log_likelihood = log_likelihood(&pb, &fit->params, d);
    return true;
}
