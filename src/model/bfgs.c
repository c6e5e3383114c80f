/*
 * bfgs: see the header. H is kept positive definite: an update with too little curvature is skipped.
 */
#include "model/bfgs.h"

#include <math.h>
#include <string.h>

struct state {
    int n;
    double x[BFGS_MAX_DIM], g[BFGS_MAX_DIM], f;
    double h[BFGS_MAX_DIM][BFGS_MAX_DIM];
};

static double dot(const double *a, const double *b, int n)
{
    double s = 0;

    for (int i = 0; i < n; i++)
        s += a[i] * b[i];
    return s;
}

static double max_abs(const double *a, int n)
{
    double m = 0;

    for (int i = 0; i < n; i++)
        m = fmax(m, fabs(a[i]));
    return m;
}

static void reset_hessian(struct state *s)
{
    double scale = 1 / fmax(1, max_abs(s->g, s->n));

    memset(s->h, 0, sizeof(s->h));
    for (int i = 0; i < s->n; i++)
        s->h[i][i] = scale;
}

/* d = -H g; false when that does not point downhill. */
static int direction(const struct state *s, double *d)
{
    for (int i = 0; i < s->n; i++)
        d[i] = -dot(s->h[i], s->g, s->n);
    return dot(d, s->g, s->n) < 0;
}

/* H := (I - rho s y') H (I - rho y s') + rho s s' */
static void update_hessian(struct state *s, const double *step, const double *dg)
{
    double hy[BFGS_MAX_DIM], sy = dot(step, dg, s->n);

    if (sy <= 1e-12 * sqrt(dot(step, step, s->n) * dot(dg, dg, s->n)))
        return;
    for (int i = 0; i < s->n; i++)
        hy[i] = dot(s->h[i], dg, s->n);
    double rho = 1 / sy, yhy = dot(dg, hy, s->n);
    for (int i = 0; i < s->n; i++)
        for (int j = 0; j < s->n; j++)
            s->h[i][j] += rho * (rho * yhy + 1) * step[i] * step[j] - rho * (hy[i] * step[j] + step[i] * hy[j]);
}

/* Backtracks along d until the Armijo condition holds; moves the state. False when no step helps. */
static int line_search(struct state *s, bfgs_fn fn, void *arg, const double *d, int *evaluations, int max_evaluations)
{
    double slope = dot(d, s->g, s->n), t = fmin(1, 5 / fmax(1e-300, max_abs(d, s->n)));

    for (; t > 1e-14 && *evaluations < max_evaluations; t *= 0.35) {
        double x[BFGS_MAX_DIM], g[BFGS_MAX_DIM];
        for (int i = 0; i < s->n; i++)
            x[i] = s->x[i] + t * d[i];
        double f = fn(x, g, arg);
        ++*evaluations;
        if (!isfinite(f) || f > s->f + 1e-4 * t * slope)
            continue;
        double step[BFGS_MAX_DIM], dg[BFGS_MAX_DIM];
        for (int i = 0; i < s->n; i++) {
            step[i] = x[i] - s->x[i];
            dg[i] = g[i] - s->g[i];
            s->x[i] = x[i];
            s->g[i] = g[i];
        }
        s->f = f;
        update_hessian(s, step, dg);
        return 1;
    }
    return 0;
}

struct bfgs_result bfgs_minimise(bfgs_fn fn, void *arg, double *x, int n, double tolerance, int max_evaluations)
{
    struct state s = { .n = n };
    struct bfgs_result r = { .evaluations = 1 };
    int restarts = 0;

    memcpy(s.x, x, (size_t)n * sizeof(*x));
    s.f = fn(s.x, s.g, arg);
    if (isfinite(s.f)) {
        reset_hessian(&s);
        while (r.evaluations < max_evaluations) {
            double d[BFGS_MAX_DIM], before = s.f;
            r.converged = max_abs(s.g, n) < tolerance * fmax(1, fabs(s.f));
            if (r.converged)
                break;
            if (!direction(&s, d) || !line_search(&s, fn, arg, d, &r.evaluations, max_evaluations)) {
                if (restarts++)
                    break;
                reset_hessian(&s); /* once: the curvature gathered so far may be wrong here */
                continue;
            }
            r.converged = before - s.f < 1e-10 * fabs(s.f) && max_abs(s.g, n) < 1e3 * tolerance * fmax(1, fabs(s.f));
            if (r.converged)
                break;
        }
    }
    memcpy(x, s.x, (size_t)n * sizeof(*x));
    r.value = s.f;
    r.gradient_max = max_abs(s.g, n);
    return r;
}

struct bfgs_result bfgs_minimise_starts(bfgs_fn fn, void *arg, const double *origin, const double *offsets,
                                        int starts, double *x, int n, double tolerance, int max_evaluations)
{
    struct bfgs_result best = { .value = INFINITY };
    int evaluations = 0;

    for (int k = 0; k < starts; k++) {
        double end[BFGS_MAX_DIM] = { 0 };
        for (int i = 0; i < n; i++)
            end[i] = origin[i] + offsets[k * n + i];
        struct bfgs_result r = bfgs_minimise(fn, arg, end, n, tolerance, max_evaluations);
        evaluations += r.evaluations;
        if (!isfinite(r.value) || r.value >= best.value - (isfinite(best.value) ? 1e-9 * fabs(best.value) : 0))
            continue; /* an equal end does not displace an earlier one */
        best = r;
        memcpy(x, end, (size_t)n * sizeof(*x));
    }
    best.evaluations = evaluations;
    return best;
}
