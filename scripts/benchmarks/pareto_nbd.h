/*
 * pareto_nbd: the Pareto/NBD model (Schmittlein, Morrison & Colombo 1987), to compare MBG/NBD with. Not in the
 * product.
 *
 * Purchases as in MBG/NBD; customers leave at any time, not only after a purchase, with a rate ~ Gamma(s, beta). The
 * integral over the time of leaving,
 *   A0 = integral from tx to T of (alpha+u)^-(r+x) (beta+u)^-(s+1) du,
 * is taken by 32 points of Gauss-Legendre in ln(alpha+u), so no hypergeometric function is needed.
 */
#ifndef BENCH_PARETO_NBD_H
#define BENCH_PARETO_NBD_H

#include <stdbool.h>
#include <stddef.h>

#include "model/mbg.h"

struct pareto_nbd {
    double r, alpha, s, beta;
};

double pareto_nbd_log_likelihood(const struct pareto_nbd *p, double x, double tx, double t);
double pareto_nbd_p_alive(const struct pareto_nbd *p, double x, double tx, double t);
/* P(an order in (T, T + h]). */
double pareto_nbd_p_order(const struct pareto_nbd *p, double x, double tx, double t, double h);
double pareto_nbd_expected_orders(const struct pareto_nbd *p, double x, double tx, double t, double h);
/* Maximum likelihood from one start; gradient by differences. False when it finds none. */
bool pareto_nbd_fit(const struct mbg_history *histories, size_t n, struct pareto_nbd *p, double *log_likelihood);

#endif
