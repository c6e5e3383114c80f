/*
 * mbg_fit: maximum a posteriori estimation of (M)BG/NBD by BFGS with the analytic gradient.
 *
 * The free variables are ln r, ln alpha, logit phi, ln kappa with a = phi kappa,
 * b = (1 - phi) kappa, so every point is inside the domain. Terms that
 * depend on x alone are computed once a run of equal x: histories sorted by x are fitted fastest.
 */
#include <math.h>

#include "model/bfgs.h"
#include "model/mbg.h"
#include "model/special.h"

#define DIM           4
#define FARTHEST      40    /* of each free variable from 0: what lies beyond can't be told apart */
#define NOBODY_LEAVES -30   /* logit phi: a and psi vanish */
#define DROPOUT_GAIN  1.353 /* half the 90 % point of chi squared with one degree of freedom */

#define EXPLORE 5000 /* histories that are enough to find the best of the starts */

struct problem {
    const struct mbg_history *histories;
    size_t n, stride; /* every stride-th history counts */
    double customers;
    bool bg, prior;
    double mean[DIM], deviation[DIM];
};

static struct mbg_params params_of(const double *v, bool bg)
{
    double phi = special_logistic(v[2]), kappa = exp(v[3]);

    return (
        struct mbg_params){ .r = exp(v[0]), .alpha = exp(v[1]), .a = phi * kappa, .b = (1 - phi) * kappa, .bg = bg };
}

/* What the likelihood of a history needs of x alone. */
struct x_terms {
    double ll, dr, da, db, stay, log_odds; /* stay: y - 1, without losing a tiny b */
};

static struct x_terms terms_of(const struct mbg_params *p, double x)
{
    double stay = p->b + x - (p->bg ? 1 : 0), y = stay + 1, psi_ay = special_digamma(p->a + y),
           psi_ab = special_digamma(p->a + p->b);

    return (struct x_terms){
        .ll = special_lgamma(p->r + x) - special_lgamma(p->r) + p->r * log(p->alpha) + special_lgamma(p->a + p->b) +
              special_lgamma(y) - special_lgamma(p->b) - special_lgamma(p->a + y),
        .dr = special_digamma(p->r + x) - special_digamma(p->r) + log(p->alpha),
        .da = psi_ab - psi_ay,
        .db = psi_ab + special_digamma(y) - special_digamma(p->b) - psi_ay,
        .stay = stay,
        .log_odds = p->bg && x <= 0 ? -INFINITY : log(p->a) - log(stay),
    };
}

double mbg_log_likelihood_sum(const struct mbg_params *p, const struct mbg_history *histories, size_t n,
                              size_t stride, double d[4])
{
    struct x_terms k = terms_of(p, 0);
    uint32_t x_of_k = 0;
    double total = 0;

    d[0] = d[1] = d[2] = d[3] = 0;
    for (size_t i = 0; i < n; i += stride) {
        const struct mbg_history *h = &histories[i];
        double x = h->x, w = h->count;
        if (h->x != x_of_k) {
            k = terms_of(p, x);
            x_of_k = h->x;
        }
        double log_t = log(p->alpha + (double)h->t), log_tx = log(p->alpha + (double)h->tx);
        double log_psi = k.log_odds + (p->r + x) * (log_t - log_tx);
        double dead = special_logistic(log_psi); /* P(dead) */
        total += w * (k.ll - (p->r + x) * log_t + special_log1pexp(log_psi));
        d[0] += w * (k.dr - log_t + dead * (log_t - log_tx));
        d[1] += w * (p->r / p->alpha -
                     (p->r + x) * ((1 - dead) / (p->alpha + (double)h->t) + dead / (p->alpha + (double)h->tx)));
        d[2] += w * (k.da + dead / p->a);
        d[3] += w * (k.db - (dead > 0 ? dead / k.stay : 0));
    }
    return total;
}

static double log_likelihood(const struct problem *pb, const struct mbg_params *p, double d[DIM])
{
    return mbg_log_likelihood_sum(p, pb->histories, pb->n, pb->stride, d);
}

/* Mean negative log posterior a customer, so that tolerances do not depend on n. */
static double objective(const double *v, double *gradient, void *arg)
{
    const struct problem *pb = arg;
    for (int i = 0; i < DIM; i++)
        if (!(fabs(v[i]) < FARTHEST))
            return INFINITY;
    struct mbg_params p = params_of(v, pb->bg);
    double d[DIM], phi = special_logistic(v[2]), kappa = exp(v[3]);
    double value = log_likelihood(pb, &p, d);

    gradient[0] = p.r * d[0];
    gradient[1] = p.alpha * d[1];
    gradient[2] = phi * (1 - phi) * kappa * (d[2] - d[3]);
    gradient[3] = p.a * d[2] + p.b * d[3];
    for (int i = 0; i < DIM; i++) {
        double z = (v[i] - pb->mean[i]) / pb->deviation[i];
        if (pb->prior) {
            value -= 0.5 * z * z;
            gradient[i] -= z / pb->deviation[i];
        }
        gradient[i] = -gradient[i] / pb->customers;
    }
    return -value / pb->customers;
}

static void count_customers(struct problem *pb)
{
    pb->customers = 0;
    for (size_t i = 0; i < pb->n; i += pb->stride)
        pb->customers += pb->histories[i].count;
}

static void set_prior(struct problem *pb)
{
    double weeks = 0;

    count_customers(pb);
    for (size_t i = 0; i < pb->n; i++)
        weeks += (double)pb->histories[i].count * (double)pb->histories[i].t;
    double mean_t = pb->customers > 0 ? weeks / pb->customers : 0;
    pb->mean[0] = log(0.5);
    pb->mean[1] = log(fmax(mean_t, 0.01) / 4);
    pb->mean[2] = 0;
    pb->mean[3] = log(3);
    pb->deviation[0] = pb->deviation[1] = pb->deviation[2] = 1.5;
    pb->deviation[3] = 1;
}

/* The likelihood's best when nobody ever leaves: the NBD model. r and alpha start where the fit ended. */
static double without_dropout(struct problem *pb, const double v[DIM], struct mbg_fit *fit)
{
    double end[DIM] = { v[0], v[1], NOBODY_LEAVES, pb->mean[3] }, d[DIM];
    struct bfgs_result r = bfgs_minimise(objective, pb, end, 2, 1e-7, 200);
    struct mbg_params p = params_of(end, pb->bg);

    fit->evaluations += r.evaluations;
    return log_likelihood(pb, &p, d);
}

bool mbg_fit(const struct mbg_history *histories, size_t n, bool bg, bool prior, struct mbg_fit *fit)
{
    static const double starts[3][DIM] = { { 0, 0, 0, 0 },
                                           { 1, 1, -1, 0.5 },
                                           { -0.7, -1, 1, -0.7 } }; /* from the prior's mean */
    struct problem pb = { .histories = histories, .n = n, .stride = 1, .bg = bg, .prior = prior };
    double v[DIM], d[DIM];

    *fit = (struct mbg_fit){ .params.bg = bg };
    set_prior(&pb);
    if (!(pb.customers > 0))
        return false;
    pb.stride = 1 + n / EXPLORE;
    count_customers(&pb);
    struct bfgs_result r = bfgs_minimise_starts(objective, &pb, pb.mean, starts[0], 3, v, DIM, 1e-7, 500);
    fit->evaluations = r.evaluations;
    if (pb.stride > 1 && isfinite(r.value)) {
        pb.stride = 1;
        count_customers(&pb);
        r = bfgs_minimise(objective, &pb, v, DIM, 1e-7, 500);
        fit->evaluations += r.evaluations;
    }
    if (!isfinite(r.value))
        return false;
    fit->converged = r.converged != 0;
    fit->params = params_of(v, bg);
    fit->log_likelihood = log_likelihood(&pb, &fit->params, d);
    fit->dropout_identified = fit->log_likelihood - without_dropout(&pb, v, fit) > DROPOUT_GAIN;
    return true;
}
