/*
 * params: see the header.
 */
#include "model/params.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"

void params_priors(struct model_params *m, int32_t as_of_day, double horizon_days, double mean_t_weeks,
                   double mean_value)
{
    double t = mean_t_weeks > 0 ? mean_t_weeks : 52;

    memset(m, 0, sizeof(*m));
    m->format = MODEL_PARAMS_FORMAT;
    m->status = MODEL_INSUFFICIENT_DATA;
    m->as_of_day = as_of_day;
    m->prior = 1;
    m->horizon_days = m->calibrator.horizon_days = horizon_days;
    m->active_window_days = 365;
    m->mbg = (struct mbg_params){ .r = 0.5, .alpha = t / 4, .a = 1.5, .b = 1.5 }; /* the prior's means, see mbg_fit */
    m->bg = m->mbg;
    m->bg.bg = 1;
    m->spend = (struct gammagamma_params){ .p = 2, .q = 3, .v = mean_value > 0 ? mean_value : 1 };
    m->net_factor = 1;
    m->reference_x = 0.5;
    m->reference_recency = t / 2;
    m->reference_t = t;
    for (int i = 0; i < CALIBRATOR_FEATURES; i++)
        m->calibrator.scale[i] = 1;
    m->backtest.revenue_factor = 1;
    for (int i = 0; i < 12; i++)
        m->season[i] = 1;
    m->acquisition.damping = 0.9;
    m->forecast_error = 0.25;
    m->growth_error = 0.1;
}

void params_version(char version[MODEL_VERSION_SIZE], int32_t as_of_day, unsigned fit)
{
    int year, month, day;

    char text[64];

    clock_civil_of(as_of_day, &year, &month, &day);
    int n = snprintf(text, sizeof(text), "mbg1-%04d%02d%02d", year, month, day);
    if (fit > 1)
        snprintf(text + n, sizeof(text) - (size_t)n, ".%u", fit);
    memset(version, 0, MODEL_VERSION_SIZE);
    str_copy(version, MODEL_VERSION_SIZE, str_from(text));
}

const struct model_quality *params_quality(const struct model_params *m)
{
    if (!m->backtest.available)
        return NULL;
    return m->calibrator.in_use ? &m->backtest.blend : &m->backtest.plain;
}

const char *params_status_name(int64_t status)
{
    return status == MODEL_OK ? "ok" : "insufficient_data";
}

static bool positive(double v)
{
    return v >= 1e-300 && v <= 1e300;
}

static bool finite_all(const double *v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!isfinite(v[i]))
            return false;
    return true;
}

static bool sound_fit(const struct model_params *m)
{
    const struct mbg_params *fits[] = { &m->mbg, &m->bg };

    for (int i = 0; i < 2; i++)
        if (!positive(fits[i]->r) || !positive(fits[i]->alpha) || !positive(fits[i]->a) || !positive(fits[i]->b))
            return false;
    const double more[] = { m->mbg_log_likelihood, m->bg_log_likelihood, m->spend_log_likelihood, m->spend_customers,
                            m->spend_correlation,  m->first_value,       m->second_gap_days };
    return m->mbg.bg == 0 && m->bg.bg == 1 && finite_all(more, sizeof(more) / sizeof(more[0])) &&
           positive(m->spend.p) && positive(m->spend.q - 1) && positive(m->spend.v) && positive(m->net_factor) &&
           m->reference_x >= 0 && m->reference_recency >= 0 && m->reference_t >= 0 && finite_all(&m->reference_x, 3);
}

static bool sound_calibrator(const struct calibrator *c)
{
    for (int i = 0; i < CALIBRATOR_FEATURES; i++)
        if (!positive(c->scale[i]))
            return false;
    return positive(c->horizon_days) && finite_all(&c->customers, 2) &&
           finite_all(c->coefficient, CALIBRATOR_FEATURES) && finite_all(c->mean, CALIBRATOR_FEATURES);
}

static bool sound_backtest(const struct model_backtest *b)
{
    const double values[] = {
        b->customers,       b->events,    b->base_rate,      b->brier_base,        b->blend.auc,
        b->blend.brier,     b->blend.ece, b->plain.auc,      b->plain.brier,       b->plain.ece,
        b->returners,       b->coverage,  b->revenue_actual, b->revenue_predicted, b->active_actual,
        b->active_predicted
    };

    return finite_all(values, sizeof(values) / sizeof(values[0])) && positive(b->revenue_factor);
}

static bool sound_forecast(const struct model_params *m)
{
    const struct model_acquisition *a = &m->acquisition;
    const double values[] = { a->level,        a->trend,          a->weekly_deviation,
                              a->monthly_mean, m->forecast_error, m->growth_error };

    return finite_all(values, sizeof(values) / sizeof(values[0])) && a->damping > 0 && a->damping < 1 &&
           finite_all(m->season, 12) && finite_all(m->anchors[0], AXIS_COUNT * AXES_MAX_WORDS) &&
           finite_all(m->anchor_share[0], AXIS_COUNT * AXES_MAX_WORDS);
}

bool params_load(struct model_params *m, const void *bytes, size_t n)
{
    struct model_params p;

    if (n < sizeof(p))
        return false;
    memcpy(&p, bytes, sizeof(p));
    if (p.format != MODEL_PARAMS_FORMAT || (p.status != MODEL_OK && p.status != MODEL_INSUFFICIENT_DATA) ||
        memchr(p.version, 0, sizeof(p.version)) == NULL || !positive(p.horizon_days) ||
        !positive(p.active_window_days))
        return false;
    if (!sound_fit(&p) || !sound_calibrator(&p.calibrator) || !sound_backtest(&p.backtest) || !sound_forecast(&p))
        return false;
    *m = p;
    return true;
}
