/*
 * bfgs: quasi-Newton minimisation of a smooth function of a few variables (Nocedal & Wright, chapter 6).
 *
 * Inverse Hessian updated from exact gradients, backtracking line search with
 * a curvature check. No allocation; deterministic.
 */
#ifndef MODEL_BFGS_H
#define MODEL_BFGS_H

#define BFGS_MAX_DIM 8

/* Value at x[0..n) and its gradient; may answer a non-finite value for a point outside the domain. */
typedef double (*bfgs_fn)(const double *x, double *gradient, void *arg);

struct bfgs_result {
    double value;        /* at the end point */
    double gradient_max; /* largest absolute component there */
    int evaluations;
    int converged; /* 0: stopped at the bound on evaluations or without a downhill step */
};

/* Minimises from x[0..n) (in: start, out: end), n <= BFGS_MAX_DIM. Stops when the largest gradient component is below
 * `tolerance` * max(1, |value|), or when the value moves by less than 1e-10 of itself. */
struct bfgs_result bfgs_minimise(bfgs_fn fn, void *arg, double *x, int n, double tolerance, int max_evaluations);

/* The best end of several starts, origin[0..n) + offsets[k * n .. k * n + n) for k < starts, in x; its value is not
 * finite when none ended at a finite one. Evaluations are of all starts. */
struct bfgs_result bfgs_minimise_starts(bfgs_fn fn, void *arg, const double *origin, const double *offsets,
                                        int starts, double *x, int n, double tolerance, int max_evaluations);

#endif
