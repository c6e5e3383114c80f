/*
 * gammagamma: the Gamma-Gamma model of spend per purchase (Fader & Hardie 2013).
 *
 * A customer's purchases have values ~ Gamma(p, nu) with nu ~ Gamma(q, v); x
 * purchases of mean value z give
 *   ln L = lnG(px+q) - lnG(px) - lnG(q) + q ln v + (px-1) ln z + px ln x - (px+q) ln(v + xz),
 *   E[M | x, z] = p (v + x z) / (p x + q - 1), and p v / (q - 1) for a new customer (q > 1).
 */
#ifndef MODEL_GAMMAGAMMA_H
#define MODEL_GAMMAGAMMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct gammagamma_params {
    double p, q, v;
};

/* Spend of one customer: x purchases (> 0) of mean value z (> 0). */
struct gammagamma_spend {
    uint32_t x;
    float z;
};

struct gammagamma_fit {
    struct gammagamma_params params;
    double log_likelihood;
    double correlation; /* of x and z; the model assumes none, |.| > 0.2 deserves a warning */
    int evaluations;
    bool converged;
};

double gammagamma_log_likelihood(const struct gammagamma_params *g, double x, double z);
/* Expected value of a future purchase; x = 0: of a new customer. */
double gammagamma_expected(const struct gammagamma_params *g, double x, double z);
/* Maximum a posteriori fit; a weak prior N(ln 2, 1.5) on ln p and ln(q-1) and on ln v around the data's mean keeps q
 * > 1 and small data sets finite. Spends sorted by x are fitted fastest. False when there are no customers or no
 * finite optimum. */
bool gammagamma_fit(const struct gammagamma_spend *spends, size_t n, bool prior, struct gammagamma_fit *fit);

#endif
