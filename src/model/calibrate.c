/*
 * calibrate: see the header. IRLS is Newton's method on the penalised likelihood, halving steps that do not help.
 */
#include "model/calibrate.h"

#include <math.h>
#include <string.h>

#include "model/special.h"

#define N              CALIBRATOR_FEATURES
#define MAX_ITERATIONS 50

static double churn_of(const struct mbg_params *p, const struct mbg_history *h, double days)
{
    return 1 - mbg_p_order(p, h->x, (double)h->tx, (double)h->t, days / 7);
}

static void features_of(const struct mbg_params *p, const struct mbg_history *h, double horizon_days, double f[N])
{
    double x = h->x, rec = (double)h->t - (double)h->tx, repeat = x > 0 ? 1 : 0;
    double gap = x > 0 ? (double)h->tx / x : 0;

    f[0] = 1;
    f[1] = special_logit(churn_of(p, h, horizon_days));
    f[2] = log1p(rec);
    f[3] = log1p((double)h->t);
    f[4] = repeat;
    f[5] = log1p(x);
    f[6] = repeat * f[2];
    f[7] = repeat * log((rec + 0.5) / (gap + 0.5));
}

static void standardise(const struct calibrator *c, double f[N])
{
    for (int k = 1; k < N; k++)
        f[k] = (f[k] - c->mean[k]) / c->scale[k];
}

static double dot(const double *a, const double *b)
{
    double s = 0;

    for (int k = 0; k < N; k++)
        s += a[k] * b[k];
    return s;
}

/* Means and deviations of the features over the customers; a feature that does not vary is left out by its infinite
 * scale, kept as 1 with coefficient 0. */
static void describe(const struct calibrate_example *e, size_t n, const struct mbg_params *p, struct calibrator *c)
{
    double f[N], square[N] = { 0 };

    memset(c->mean, 0, sizeof(c->mean));
    for (size_t i = 0; i < n; i++) {
        double w = (double)e[i].history.count;
        c->customers += w;
        c->events += e[i].next_days == 0 ? w : 0;
        features_of(p, &e[i].history, c->horizon_days, f);
        for (int k = 1; k < N; k++) {
            double delta = f[k] - c->mean[k];
            c->mean[k] += w > 0 ? delta * w / c->customers : 0; /* West 1979 */
            square[k] += w * delta * (f[k] - c->mean[k]);
        }
    }
    for (int k = 0; k < N; k++) {
        double deviation = c->customers > 0 ? sqrt(square[k] / c->customers) : 0;
        c->scale[k] = k > 0 && deviation > 1e-9 ? deviation : 1;
    }
}

/* Penalised log likelihood at beta, its gradient, and minus its Hessian. */
static double derivatives(const struct calibrate_example *e, size_t n, const struct mbg_params *p,
                          const struct calibrator *c, const double beta[N], double gradient[N], double hessian[N][N])
{
    double f[N], total = 0;

    memset(hessian, 0, sizeof(double[N][N]));
    memset(gradient, 0, sizeof(double[N]));
    for (size_t i = 0; i < n; i++) {
        double w = (double)e[i].history.count, y = e[i].next_days == 0 ? 1 : 0;
        features_of(p, &e[i].history, c->horizon_days, f);
        standardise(c, f);
        double z = dot(beta, f), mu = special_logistic(z);
        total -= w * special_log1pexp(y > 0 ? -z : z);
        for (int j = 0; j < N; j++) {
            gradient[j] += w * (y - mu) * f[j];
            for (int k = 0; k <= j; k++)
                hessian[j][k] += w * mu * (1 - mu) * f[j] * f[k];
        }
    }
    for (int k = 1; k < N; k++) {
        total -= 0.5 * beta[k] * beta[k];
        gradient[k] -= beta[k];
        hessian[k][k] += 1;
    }
    return total;
}

/* step = hessian^-1 gradient by Cholesky (lower triangle given, overwritten); false when not positive definite. */
static bool solve(double a[N][N], const double gradient[N], double step[N])
{
    for (int j = 0; j < N; j++) {
        for (int k = 0; k <= j; k++) {
            double s = a[j][k];
            for (int i = 0; i < k; i++)
                s -= a[j][i] * a[k][i];
            if (j > k)
                a[j][k] = s / a[k][k];
            else if (!(s > 0))
                return false;
            else
                a[j][j] = sqrt(s);
        }
    }
    for (int j = 0; j < N; j++) {
        step[j] = gradient[j];
        for (int k = 0; k < j; k++)
            step[j] -= a[j][k] * step[k];
        step[j] /= a[j][j];
    }
    for (int j = N - 1; j >= 0; j--) {
        for (int k = j + 1; k < N; k++)
            step[j] -= a[k][j] * step[k];
        step[j] /= a[j][j];
    }
    return true;
}

bool calibrate_fit(const struct calibrate_example *examples, size_t n, const struct mbg_params *p,
                   double horizon_days, struct calibrator *c)
{
    double gradient[N], hessian[N][N], step[N], largest = 0;

    *c = (struct calibrator){ .horizon_days = horizon_days };
    describe(examples, n, p, c);
    if (c->events < CALIBRATE_MIN_EVENTS || c->customers - c->events < CALIBRATE_MIN_EVENTS)
        return false;
    double beta[N] = { special_logit(c->events / c->customers), c->scale[1] }; /* near: the model as it is */
    double value = derivatives(examples, n, p, c, beta, gradient, hessian);
    for (int iteration = 0; iteration < MAX_ITERATIONS; iteration++) {
        if (!isfinite(value) || !solve(hessian, gradient, step))
            return false;
        double before = value, t = 1, next[N];
        for (;; t /= 2) {
            largest = 0;
            for (int k = 0; k < N; k++) {
                next[k] = beta[k] + t * step[k];
                largest = fmax(largest, fabs(t * step[k]));
            }
            value = derivatives(examples, n, p, c, next, gradient, hessian);
            if (value >= before - 1e-12 * fabs(before) || t < 1e-6)
                break;
        }
        memcpy(beta, next, sizeof(beta));
        if (largest < 1e-8 || fabs(value - before) < 1e-11 * fabs(value))
            break;
    }
    memcpy(c->coefficient, beta, sizeof(beta));
    return isfinite(value);
}

double calibrate_shift(const struct calibrator *c, const struct mbg_params *p, const struct mbg_history *h)
{
    double f[N];

    if (!c->in_use)
        return 0;
    features_of(p, h, c->horizon_days, f);
    double plain = f[1];
    standardise(c, f);
    return dot(c->coefficient, f) - plain;
}

double calibrate_churn(const struct mbg_params *p, const struct mbg_history *h, double shift, double days)
{
    double plain = churn_of(p, h, days);

    return shift == 0 || !(days > 0) ? plain : special_logistic(special_logit(plain) + shift);
}

double calibrate_log_odds(const struct calibrator *c, const struct mbg_params *p, const struct mbg_history *h,
                          double days)
{
    double f[N];

    if (!c->in_use || days != c->horizon_days)
        return special_logit(calibrate_churn(p, h, calibrate_shift(c, p, h), days));
    features_of(p, h, days, f);
    standardise(c, f);
    return dot(c->coefficient, f);
}

double calibrate_order_quantile(const struct mbg_params *p, const struct mbg_history *h, double shift, double q)
{
    double plain = shift == 0 ? q : special_logistic(special_logit(q) + shift);

    return 7 * mbg_order_quantile(p, h->x, (double)h->tx, (double)h->t, plain);
}
