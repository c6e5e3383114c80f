/*
 * special: see the header. Series are summed until a term no longer changes the sum.
 */
#include "model/special.h"

#include <math.h>

double special_digamma(double x)
{
    double shift = 0;

    if (!(x > 0))
        return NAN;
    for (; x < 10; x += 1)
        shift -= 1 / x;
    double f = 1 / (x * x);
    double tail =
        f * (1.0 / 12 -
             f * (1.0 / 120 - f * (1.0 / 252 - f * (1.0 / 240 - f * (1.0 / 132 - f * (691.0 / 32760 - f / 12))))));
    return shift + log(x) - 0.5 / x - tail;
}

double special_lgamma(double x)
{
    int sign;

    return x > 0 ? lgamma_r(x, &sign) : NAN;
}

double special_log1pexp(double d)
{
    return d > 0 ? d + log1p(exp(-d)) : log1p(exp(d));
}

double special_logit(double p)
{
    const double edge = 1e-12;

    if (p < edge)
        p = edge;
    if (p > 1 - edge)
        p = 1 - edge;
    return log(p / (1 - p));
}

double special_logistic(double z)
{
    return z >= 0 ? 1 / (1 + exp(-z)) : exp(z) / (1 + exp(z));
}

#define LARGE     1e200
#define LOG_LARGE 460.51701859880914 /* ln LARGE */

/* Takes LARGE out of what has grown beyond its root. */
static void scale_down(int first, int n, double *term, double *value, double *log_scale)
{
    for (int k = first; k < n; k++) {
        if (fabs(term[k]) < 1e100 && fabs(value[k]) < 1e100)
            continue;
        term[k] /= LARGE;
        value[k] /= LARGE;
        log_scale[k] += LOG_LARGE;
    }
}

void special_hyp2f1(double a, double b, double c, const double *z, int n, double *value, double *log_scale)
{
    double term[SPECIAL_SERIES_MANY];

    for (int k = 0; k < n; k++) {
        term[k] = value[k] = 1;
        log_scale[k] = 0;
    }
    for (int i = 0, first = 0; i < SPECIAL_SERIES_MAX && first < n; i++) {
        double ratio = (a + i) * (b + i) / ((c + i) * (i + 1));
        for (int k = first; k < n; k++) {
            term[k] *= ratio * z[k];
            value[k] += term[k];
        }
        if (fabs(term[n - 1]) > LARGE || fabs(value[n - 1]) > LARGE) /* the largest z has the largest terms */
            scale_down(first, n, term, value, log_scale);
        while (first < n && fabs(term[first]) <= 1e-16 * fabs(value[first]))
            first++;
    }
}
