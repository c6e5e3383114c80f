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
/* 2F1(a, b; c; z[k]) = value[k] exp(log_scale[k]) for c > 0 and z[0..n) ascending within [0, 1): the series of all at
 * once, each until a term is below 1e-16 of its sum or after SPECIAL_SERIES_MAX terms. No overflow. */
#define SPECIAL_SERIES_MAX  200000
#define SPECIAL_SERIES_MANY 64 /* n at most */
void special_hyp2f1(double a, double b, double c, const double *z, int n, double *value, double *log_scale);

#endif
