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

double special_hyp2f1(double a, double b, double c, double z)
{
    double term = 1, sum = 1;

    if (!(c > 0) || !(z >= 0) || !(z < 1))
        return NAN;
    for (int n = 0; n < SPECIAL_SERIES_MAX; n++) {
        term *= (a + n) * (b + n) / ((c + n) * (n + 1)) * z;
        sum += term;
        if (fabs(term) <= 1e-16 * fabs(sum))
            break;
    }
    return sum;
}
