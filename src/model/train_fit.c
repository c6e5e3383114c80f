/*
 * train_fit: the fits, the back-tests, and what they decide. See train.h for the windows.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "model/backtest.h"
#include "model/clv.h"
#include "model/compress.h"
#include "model/forecast.h"
#include "model/nextorder.h"
#include "model/train.h"

#define WINDOW_GATE_DAYS 60 /* history an earlier window needs to be worth fitting */

struct training {
    struct train *t;
    struct model_params *m;
    uint64_t (*now_ns)(void);
    uint64_t started_ns;
    struct train_report *report;
};

static void start(struct training *g)
{
    g->started_ns = g->now_ns != NULL ? g->now_ns() : 0;
}

static void stop(struct training *g, const char *name, int evaluations)
{
    struct train_report *r = g->report;

    if (r == NULL || r->steps == sizeof(r->step) / sizeof(r->step[0]))
        return;
    double ms = g->now_ns != NULL ? (double)(g->now_ns() - g->started_ns) / 1e6 : 0;
    r->step[r->steps++] = (struct train_step){ name, evaluations, ms };
}

/* Fits the histories in scratch[0..n), which are compressed. */
static bool fit_scratch(struct training *g, size_t n, bool bg, const char *name, struct mbg_fit *fit)
{
    start(g);
    size_t distinct = compress_histories(g->t->scratch, n);
    bool ok = mbg_fit(g->t->scratch, distinct, bg, g->t->prior, fit);
    stop(g, name, fit->evaluations);
    return ok;
}

static bool fit_examples(struct training *g, const struct calibrate_example *e, size_t n, const char *name,
                         struct mbg_fit *fit)
{
    for (size_t i = 0; i < n; i++)
        g->t->scratch[i] = e[i].history;
    return fit_scratch(g, n, false, name, fit);
}

static int by_example(const void *a, const void *b)
{
    const struct calibrate_example *l = a, *r = b;

    if (l->history.x != r->history.x)
        return l->history.x < r->history.x ? -1 : 1;
    if (l->history.tx != r->history.tx)
        return l->history.tx < r->history.tx ? -1 : 1;
    if (l->history.t != r->history.t)
        return l->history.t < r->history.t ? -1 : 1;
    return l->next_days < r->next_days ? -1 : l->next_days > r->next_days;
}

static size_t compress_examples(struct calibrate_example *e, size_t n)
{
    size_t kept = 0;

    if (n == 0)
        return 0;
    qsort(e, n, sizeof(*e), by_example);
    for (size_t i = 1; i < n; i++) {
        if (by_example(&e[i], &e[kept]) == 0)
            e[kept].history.count += e[i].history.count;
        else
            e[++kept] = e[i];
    }
    return kept + 1;
}

static bool worth_fitting(const struct train *t, const struct calibrate_example *e, size_t n, int32_t day)
{
    size_t repeaters = 0;

    for (size_t i = 0; i < n; i++)
        repeaters += e[i].history.x > 0;
    return n >= MODEL_GATE_CUSTOMERS && repeaters >= MODEL_GATE_REPEATERS && day - t->first_day >= WINDOW_GATE_DAYS;
}

/* Predictions of `c` (in use or not, as it says) against the outcomes. The cases take the place of the scratch. */
static void measure(struct training *g, const struct calibrate_example *e, size_t n, const struct mbg_params *p,
                    const struct calibrator *c, double horizon_days, struct model_quality *q)
{
    struct backtest_case *cases = (void *)g->t->scratch;

    _Static_assert(sizeof(*cases) <= sizeof(*g->t->scratch), "a case has the place of a history");
    for (size_t i = 0; i < n; i++) {
        const struct mbg_history *h = &e[i].history;
        double shift = calibrate_shift(c, p, h);
        cases[i] = (struct backtest_case){ .churn = (float)calibrate_churn(p, h, shift, horizon_days),
                                           .count = h->count,
                                           .events = e[i].next_days == 0 ? h->count : 0 };
    }
    backtest_quality(cases, n, q);
}

static int by_spend(const void *a, const void *b)
{
    const struct gammagamma_spend *l = a, *r = b;

    if (l->x != r->x)
        return l->x < r->x ? -1 : 1;
    return l->z < r->z ? -1 : l->z > r->z;
}

static bool fit_spends(struct training *g, struct gammagamma_spend *spends, size_t n, const char *name,
                       struct gammagamma_fit *fit)
{
    start(g);
    qsort(spends, n, sizeof(*spends), by_spend);
    bool ok = gammagamma_fit(spends, n, g->t->prior, fit);
    stop(g, name, fit->evaluations);
    return ok;
}

/* The share of those who came back within their 80 % interval. */
static void measure_dates(const struct calibrate_example *e, size_t n, const struct model_params *past,
                          struct model_backtest *b)
{
    double inside = 0;
    struct nextorder o;

    for (size_t i = 0; i < n; i++) {
        int32_t days = (int32_t)e[i].next_days;
        if (days == 0)
            continue;
        nextorder_predict(past, &e[i].history, &o);
        b->returners += e[i].history.count;
        inside += o.dated && days >= o.low_days && days <= o.high_days ? e[i].history.count : 0;
    }
    b->coverage = b->returners > 0 ? inside / b->returners : 0;
}

/* The calibrator of T - 2H; not in use when there is too little of it. */
static void earlier_calibrator(struct training *g, struct calibrator *c)
{
    struct train *t = g->t;
    struct mbg_fit fit;
    double horizon = t->horizon_days;

    *c = (struct calibrator){ .horizon_days = horizon };
    if (!worth_fitting(t, t->earlier, t->earlier_n, t->as_of_day - 2 * t->horizon_days) ||
        !fit_examples(g, t->earlier, t->earlier_n, "mbg T-2H", &fit))
        return;
    start(g);
    t->earlier_n = compress_examples(t->earlier, t->earlier_n);
    c->in_use = calibrate_fit(t->earlier, t->earlier_n, &fit.params, horizon, c);
    stop(g, "calibrator T-2H", 0);
}

/* Back-test at T - H, and the calibrator that will be in use if the earlier one has proved that it pays. */
static void backtest_churn(struct training *g)
{
    struct train *t = g->t;
    struct model_params past = *g->m;
    struct model_backtest *b = &g->m->backtest;
    const struct calibrator none = { .in_use = 0 };
    struct mbg_fit fit;
    double horizon = t->horizon_days;

    earlier_calibrator(g, &past.calibrator);
    if (!worth_fitting(t, t->recent, t->recent_n, t->as_of_day - t->horizon_days) ||
        !fit_examples(g, t->recent, t->recent_n, "mbg T-H", &fit))
        return;
    start(g);
    t->recent_n = compress_examples(t->recent, t->recent_n);
    past.mbg = fit.params;
    for (size_t i = 0; i < t->recent_n; i++) {
        b->customers += t->recent[i].history.count;
        b->events += t->recent[i].next_days == 0 ? t->recent[i].history.count : 0;
    }
    b->available = 1;
    b->window_day = t->as_of_day - t->horizon_days;
    b->base_rate = b->events / b->customers;
    b->brier_base = b->base_rate * (1 - b->base_rate);
    measure(g, t->recent, t->recent_n, &past.mbg, &none, horizon, &b->plain);
    measure(g, t->recent, t->recent_n, &past.mbg, &past.calibrator, horizon, &b->blend);
    if (past.calibrator.in_use && b->blend.brier >= b->plain.brier)
        past.calibrator.in_use = 0;
    measure_dates(t->recent, t->recent_n, &past, b);
    stop(g, "back-test", 0);
    start(g);
    bool fitted = calibrate_fit(t->recent, t->recent_n, &past.mbg, horizon, &g->m->calibrator);
    g->m->calibrator.in_use = fitted && past.calibrator.in_use;
    stop(g, "calibrator T-H", 0);
}

/* The first `weeks` back from the end are left out. Returns how many weeks were filled, oldest first. */
static size_t weeks_of(const struct train *t, size_t left_out, double weekly[SEASON_MAX_WEEKS])
{
    size_t n = (size_t)(t->as_of_day - t->first_day) / 7, count = 0;

    n = n < SEASON_MAX_WEEKS ? n : SEASON_MAX_WEEKS;
    for (size_t i = n; i > left_out; i--)
        weekly[count++] = t->weekly[i - 1];
    return count;
}

/* Net sales and active customers of the last 13 weeks, as they would have been forecast before them. */
static void backtest_forecast(struct training *g)
{
    struct train *t = g->t;
    struct model_params past = *g->m;
    struct model_backtest *b = &g->m->backtest;
    int32_t day = t->as_of_day - TRAIN_FORECAST_DAYS;
    struct gammagamma_spend *spends = (void *)t->earlier; /* no longer needed */
    struct mbg_fit fit;
    struct gammagamma_fit spend;
    double weekly[SEASON_MAX_WEEKS], active = 0, revenue = 0;
    size_t n = 0;

    _Static_assert(sizeof(*spends) <= sizeof(*t->earlier), "a spend has the place of an example");
    for (size_t i = 0; i < t->revenue_n; i++) {
        const struct train_revenue_row *r = &t->revenue[i];
        t->scratch[i] = r->history;
        if (r->spend_days > 0)
            spends[n++] = (struct gammagamma_spend){ .x = r->spend_days, .z = r->spend_mean };
    }
    if (t->revenue_n < MODEL_GATE_CUSTOMERS || day - t->first_day < WINDOW_GATE_DAYS ||
        !fit_scratch(g, t->revenue_n, false, "mbg T-91", &fit) ||
        !fit_spends(g, spends, n, "gamma-gamma T-91", &spend))
        return;
    start(g);
    past.mbg = fit.params;
    past.spend = spend.params;
    past.net_factor = fmin(1, fmax(0.1, t->day_net / t->purchase_value));
    for (size_t i = 0; i < t->revenue_n; i++) {
        const struct train_revenue_row *r = &t->revenue[i];
        const struct mbg_history *h = &r->history;
        double weeks = TRAIN_FORECAST_DAYS / 7.0;
        double orders = mbg_expected_orders(&past.mbg, h->x, (double)h->tx, (double)h->t, weeks);
        double age = ((double)h->t - (double)h->tx) * 7 + TRAIN_FORECAST_DAYS;
        revenue += orders * clv_order_value(&past, r->spend_days, (double)r->spend_mean);
        active +=
            age <= past.active_window_days ? 1 : mbg_p_order(&past.mbg, h->x, (double)h->tx, (double)h->t, weeks);
    }
    struct forecast_sums nobody = { 0 };
    struct forecast_month outlook[FORECAST_MONTHS];
    size_t weeks = weeks_of(t, TRAIN_FORECAST_DAYS / 7, weekly);
    season_acquisition_fit(weekly, weeks, day, past.season, &past.acquisition);
    forecast_outlook(&past, &nobody, outlook);
    for (int i = 0; i < 3; i++)
        revenue += outlook[i].new_revenue;
    b->forecast_available = 1;
    b->forecast_days = TRAIN_FORECAST_DAYS;
    b->revenue_predicted = revenue * season_mean(past.season, day + 1, t->as_of_day + 1);
    b->revenue_actual = t->revenue_actual;
    b->revenue_factor = backtest_factor(b->revenue_actual, b->revenue_predicted);
    b->active_predicted = active + outlook[2].new_active;
    b->active_actual = t->active_actual;
    stop(g, "back-test of the forecast", 0);
}

static double median_gap(const struct train *t)
{
    uint64_t total = 0, sum = 0;
    size_t n = sizeof(t->gaps) / sizeof(t->gaps[0]);

    for (size_t i = 0; i < n; i++)
        total += t->gaps[i];
    for (size_t i = 0; i < n; i++) {
        sum += t->gaps[i];
        if (2 * sum >= total && total > 0)
            return (double)i;
    }
    return 0;
}

/* Everything that needs no fit. */
static void describe(struct train *t, struct model_params *m)
{
    double x = 0, recency = 0, weeks = 0;

    for (size_t i = 0; i < t->now_n; i++) {
        const struct mbg_history *h = &t->now[i];
        m->repeaters += h->x > 0;
        x += log1p((double)h->x);
        recency += log1p((double)h->t - (double)h->tx);
        weeks += log1p((double)h->t);
    }
    m->customers = (int64_t)t->now_n;
    m->history_days = (int64_t)t->as_of_day - t->first_day;
    if (t->now_n > 0) {
        m->reference_x = expm1(x / (double)t->now_n);
        m->reference_recency = expm1(recency / (double)t->now_n);
        m->reference_t = expm1(weeks / (double)t->now_n);
    }
    m->net_factor = t->purchase_value > 0 ? fmin(1, fmax(0.1, t->net / t->purchase_value)) : 1;
    m->first_value = t->first_customers > 0 ? t->first_value / t->first_customers : 0;
    m->second_gap_days = median_gap(t);
}

static void fit_past(struct train *t, struct model_params *m)
{
    int year, month, day;
    double weekly[SEASON_MAX_WEEKS], months[SEASON_MAX_MONTHS];
    size_t n = 0, most = SEASON_MAX_MONTHS;

    clock_civil_of(t->first_day, &year, &month, &day);
    int first = year * 12 + month - 1;
    clock_civil_of(t->as_of_day, &year, &month, &day);
    int as_of_month = year * 12 + month - 1, complete = as_of_month - first - 1; /* without the first and this one */
    complete = complete < 0 ? 0 : complete < (int)most ? complete : (int)most - 1;
    for (int back = complete; back > 0; back--)
        months[n++] = t->monthly[back];
    m->season_years = season_fit(months, n, (as_of_month - complete) % 12, m->season);
    size_t weeks = weeks_of(t, 0, weekly);
    season_acquisition_fit(weekly, weeks, t->as_of_day, m->season, &m->acquisition);
}

/* Standard error of the step from one month's net sales to the next in the last year, season removed, for one month.
 */
static double unrest(const struct train *t, const struct model_params *m)
{
    int year, month, day;
    double square = 0, n = 0, mean = 0;

    clock_civil_of(t->as_of_day, &year, &month, &day);
    for (int back = 1; back < 12 && t->monthly[back] > 0 && t->monthly[back + 1] > 0; back++) {
        double now = t->monthly[back] / m->season[(month + 23 - back) % 12];
        double before = t->monthly[back + 1] / m->season[(month + 22 - back) % 12];
        double step = log(now / before), delta = step - mean;
        n += 1;
        mean += delta / n;
        square += delta * (step - mean);
    }
    return n > 2 ? sqrt(square / n / 2) : 0.2; /* a step has the variance of two months */
}

/* ln(actual / predicted), `unknown` when there is none. */
static double miss(double actual, double predicted, double unknown)
{
    return actual > 0 && predicted > 0 ? log(actual / predicted) : unknown;
}

/* How far a month's forecast is off, in parts: what the back-test's factor left over, and the months' own unrest. */
static void estimate_errors(const struct train *t, struct model_params *m)
{
    const struct model_backtest *b = &m->backtest;
    double left = miss(b->revenue_actual, b->revenue_predicted, 0.6) / 2;
    double least = m->history_days < 365 ? 0.25 : m->season_years == 0 ? 0.15 : 0.05; /* a season not seen yet */

    m->forecast_error = fmin(0.6, fmax(least, hypot(left, unrest(t, m))));
    m->growth_error = fmin(0.5, fmax(0.02, fabs(miss(b->active_actual, b->active_predicted, 0.1))));
}

static void fit_now(struct training *g)
{
    struct train *t = g->t;
    struct model_params *m = g->m;
    struct mbg_fit fit;
    struct gammagamma_fit spend;

    memcpy(t->scratch, t->now, t->now_n * sizeof(*t->now));
    if (fit_scratch(g, t->now_n, true, "bg", &fit)) {
        m->bg = fit.params;
        m->bg_log_likelihood = fit.log_likelihood;
    }
    memcpy(t->scratch, t->now, t->now_n * sizeof(*t->now));
    if (!fit_scratch(g, t->now_n, false, "mbg", &fit))
        return;
    m->mbg = fit.params;
    m->mbg_log_likelihood = fit.log_likelihood;
    m->mbg_converged = fit.converged;
    m->dropout_identified = fit.dropout_identified;
    m->status = MODEL_OK;
    if (fit_spends(g, t->spends, t->spends_n, "gamma-gamma", &spend)) {
        m->spend = spend.params;
        m->spend_log_likelihood = spend.log_likelihood;
        m->spend_customers = (double)t->spends_n;
        m->spend_converged = spend.converged;
        m->spend_correlation = spend.correlation;
    }
}

void train_fit(struct train *t, struct model_params *m, uint64_t (*now_ns)(void), struct train_report *report)
{
    struct training g = { .t = t, .m = m, .now_ns = now_ns, .report = report };
    double weeks = 0, value = 0;

    if (report != NULL)
        report->steps = 0;
    for (size_t i = 0; i < t->now_n; i++)
        weeks += (double)t->now[i].t / (double)t->now_n;
    for (size_t i = 0; i < t->spends_n; i++)
        value += (double)t->spends[i].z / (double)t->spends_n;
    params_priors(m, t->as_of_day, t->horizon_days, weeks, value);
    m->prior = t->prior;
    m->active_window_days = t->active_window_days;
    describe(t, m);
    fit_past(t, m);
    if (m->customers < MODEL_GATE_CUSTOMERS || m->repeaters < MODEL_GATE_REPEATERS ||
        m->history_days < MODEL_GATE_DAYS)
        return;
    backtest_churn(&g);
    backtest_forecast(&g);
    estimate_errors(t, m);
    fit_now(&g);
}
