/*
 * special: the special functions the models need beyond libm.
 *
 * All are defined for finite positive arguments unless said, never set errno,
 * and answer NaN outside their domain.
 */
#ifndef MODEL_SPECIAL_H
#define MODEL_SPECIAL_H

/* psi(x) for x > 0: recurrence to x >= 10, then the asymptotic series (Abramowitz & Stegun 6.3.18); 1e-14 relative.
 */
double special_digamma(double x);
/* ln Gamma(x) for x > 0, without the global signgam. */
double special_lgamma(double x);
/* ln(1 + exp(d)) without overflow. */
double special_log1pexp(double d);
double special_logit(double p); /* p clamped to [1e-12, 1 - 1e-12] */
double special_logistic(double z);
/* 2F1(a, b; c; z) by its series for 0 <= z < 1 and c > 0; stops at 1e-15 relative or SPECIAL_SERIES_MAX terms. */
#define SPECIAL_SERIES_MAX 20000
double special_hyp2f1(double a, double b, double c, double z);

#endif
