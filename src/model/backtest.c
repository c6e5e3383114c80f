/*
 * backtest: see the header.
 */
#include "model/backtest.h"

#include <math.h>
#include <stdlib.h>

#define BINS 10

static int by_churn(const void *a, const void *b)
{
    const struct backtest_case *l = a, *r = b;

    if (l->churn != r->churn)
        return l->churn < r->churn ? -1 : 1;
    if (l->count != r->count) /* sums do not depend on the order of the input */
        return l->count < r->count ? -1 : 1;
    return l->events < r->events ? -1 : l->events > r->events;
}

/* P(a churned customer was given more than one who came back), ties half. */
static double area_under_curve(const struct backtest_case *c, size_t n, double events, double others)
{
    double area = 0, others_below = 0;

    for (size_t i = 0, j; i < n; i = j) {
        double e = 0, o = 0;
        for (j = i; j < n && c[j].churn == c[i].churn; j++) {
            e += c[j].events;
            o += c[j].count - c[j].events;
        }
        area += e * (others_below + o / 2);
        others_below += o;
    }
    return area / events / others;
}

bool backtest_quality(struct backtest_case *cases, size_t n, struct model_quality *q)
{
    double events = 0, total = 0, squares = 0, difference[BINS] = { 0 };

    *q = (struct model_quality){ 0 };
    qsort(cases, n, sizeof(*cases), by_churn);
    for (size_t i = 0; i < n; i++) {
        double p = (double)cases[i].churn, e = cases[i].events, o = cases[i].count - cases[i].events;
        int bin = p >= 1 ? BINS - 1 : p > 0 ? (int)(p * BINS) : 0;
        events += e;
        total += e + o;
        squares += e * (1 - p) * (1 - p) + o * p * p;
        difference[bin] += (e + o) * p - e;
    }
    if (!(events > 0) || !(total > events))
        return false;
    q->auc = area_under_curve(cases, n, events, total - events);
    q->brier = squares / total;
    for (int i = 0; i < BINS; i++)
        q->ece += fabs(difference[i]) / total;
    return true;
}

double backtest_factor(double actual, double predicted)
{
    if (!(actual > 0) || !(predicted > 0))
        return 1;
    return fmin(1.3, fmax(0.7, sqrt(actual / predicted)));
}

double backtest_bias_pct(double actual, double predicted)
{
    return actual > 0 ? 100 * (predicted / actual - 1) : 0;
}
