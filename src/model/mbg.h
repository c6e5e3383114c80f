/*
 * mbg: the MBG/NBD and BG/NBD models of repeat buying with dropout.
 *
 * BG/NBD: Fader, Hardie & Lee 2005. MBG/NBD (a customer may also drop out at
 * once, after the first purchase): Batislam, Denizel & Filiztekin 2007; Hoppe & Wagner 2007.
 * Purchases while alive are Poisson with rate lambda ~ Gamma(r, alpha); after
 * each purchase the customer leaves with probability p ~ Beta(a, b). Time is in weeks.
 *
 * x repeat purchases, tx time of the last one, T time since the first.
 * The common quantity psi = P(dead) / P(alive) given the history:
 *   y = b + x + delta, psi = [x > 0 or delta] * a / (y - 1) * ((alpha + T) / (alpha + tx))^(r + x),
 * delta = 1 for MBG and 0 for BG.
 */
#ifndef MODEL_MBG_H
#define MODEL_MBG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mbg_params {
    double r, alpha, a, b;
    int64_t
        bg; /* 1: the BG/NBD variant, no dropout before the first repeat purchase; so wide that there is no padding */
};

/* One distinct history and the number of customers who share it. */
struct mbg_history {
    uint32_t x;
    float tx, t; /* weeks, 0 <= tx <= t */
    uint32_t count;
};

struct mbg_fit {
    struct mbg_params params;
    double log_likelihood; /* of the data, without the prior */
    int evaluations;
    bool converged;
    bool dropout_identified; /* false: the data are as likely when nobody ever leaves */
};

/* The history of a customer who bought on `purchase_days` distinct days, the first and the last as given, day
 * numbers. Days out of order are taken as the nearest sound history; 0 purchase days count as one. */
struct mbg_history mbg_history_of(uint32_t purchase_days, int32_t first_day, int32_t last_day, int32_t as_of_day);

/* ln likelihood of one history. */
double mbg_log_likelihood(const struct mbg_params *p, double x, double tx, double t);
/* Of every stride-th of n histories; its gradient by r, alpha, a, b in d. */
double mbg_log_likelihood_sum(const struct mbg_params *p, const struct mbg_history *histories, size_t n,
                              size_t stride, double d[4]);
double mbg_p_alive(const struct mbg_params *p, double x, double tx, double t);
/* P(an order in (T, T + h]), h in weeks: P(alive) [1 - ((alpha+T)/(alpha+T+h))^(r+x)]. */
double mbg_p_order(const struct mbg_params *p, double x, double tx, double t, double h);
/* Time after T by which a share q of all such customers has ordered again; INFINITY when that never happens. */
double mbg_order_quantile(const struct mbg_params *p, double x, double tx, double t, double q);
/* Expected orders in (T, T + h] of a customer with this history (Euler-transformed 2F1, MODELS 1). */
double mbg_expected_orders(const struct mbg_params *p, double x, double tx, double t, double h);
/* The same at horizons h[0..n), ascending, at a fraction of the cost; 1 <= n <= MBG_GRID_MAX. */
#define MBG_GRID_MAX 64
void mbg_expected_grid(const struct mbg_params *p, double x, double tx, double t, const double *h, int n,
                       double *out);
/* Expected repeat orders of a new customer in (0, h]. */
double mbg_expected_new(const struct mbg_params *p, double h);

/*
 * Maximum a posteriori fit (`prior` off: maximum likelihood) from three fixed starts; of very many histories the best
 * start is found on every k-th of them. Histories sorted by x are fitted fastest.
 * n distinct histories; false when there is none or no start gave a finite optimum.
 * Prior on (ln r, ln alpha, logit phi, ln kappa), a = phi kappa, b = (1 - phi) kappa: normal with
 * means ln .5, ln(mean T / 4), 0, ln 3 and deviations 1.5, 1.5, 1.5, 1 (MODELS 1).
 */
bool mbg_fit(const struct mbg_history *histories, size_t n, bool bg, bool prior, struct mbg_fit *fit);

#endif
