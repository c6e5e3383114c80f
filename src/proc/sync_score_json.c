/*
 * sync_score_json: see the header. Parameters are written so that they read back as they were (17 digits).
 */
#include "proc/sync_score_json.h"

#include <math.h>
#include <stdio.h>

#include "base/clock.h"
#include "core/json.h"
#include "model/backtest.h"

static void put_number(struct json_writer *w, const char *key, double v)
{
    char text[40];

    json_key(w, key);
    if (!isfinite(v)) {
        json_null(w);
        return;
    }
    int n = snprintf(text, sizeof(text), "%.17g", v);
    json_raw(w, (struct str){ text, (size_t)n });
}

static void put_mbg(struct json_writer *w, const char *key, const struct mbg_params *p, double log_likelihood)
{
    json_key(w, key);
    json_object_begin(w);
    put_number(w, "r", p->r);
    put_number(w, "alpha", p->alpha);
    put_number(w, "a", p->a);
    put_number(w, "b", p->b);
    put_number(w, "log_likelihood", log_likelihood);
    json_object_end(w);
}

static void put_spend(struct json_writer *w, const struct model_params *m)
{
    json_key(w, "gamma_gamma");
    json_object_begin(w);
    put_number(w, "p", m->spend.p);
    put_number(w, "q", m->spend.q);
    put_number(w, "v", m->spend.v);
    put_number(w, "log_likelihood", m->spend_log_likelihood);
    put_number(w, "customers", m->spend_customers);
    put_number(w, "correlation", m->spend_correlation);
    json_kv_bool(w, "converged", m->spend_converged != 0);
    put_number(w, "net_factor", m->net_factor);
    put_number(w, "first_value", m->first_value);
    json_object_end(w);
}

static void put_data(struct json_writer *w, const struct model_params *m)
{
    json_key(w, "data");
    json_object_begin(w);
    json_kv_int(w, "customers", m->customers);
    json_kv_int(w, "repeat_buyers", m->repeaters);
    json_kv_int(w, "history_days", m->history_days);
    json_object_end(w);
    json_key(w, "gates");
    json_object_begin(w);
    json_kv_int(w, "customers", MODEL_GATE_CUSTOMERS);
    json_kv_int(w, "repeat_buyers", MODEL_GATE_REPEATERS);
    json_kv_int(w, "history_days", MODEL_GATE_DAYS);
    json_object_end(w);
}

static void put_numbers(struct json_writer *w, const char *key, const double *v, unsigned n)
{
    json_key(w, key);
    json_array_begin(w);
    for (unsigned i = 0; i < n; i++) {
        char text[40];
        int len = snprintf(text, sizeof(text), "%.17g", v[i]);
        json_raw(w, (struct str){ text, (size_t)len });
    }
    json_array_end(w);
}

static void put_calibrator(struct json_writer *w, const struct calibrator *c)
{
    json_key(w, "calibrator");
    json_object_begin(w);
    json_kv_bool(w, "in_use", c->in_use != 0);
    put_number(w, "horizon_days", c->horizon_days);
    put_number(w, "customers", c->customers);
    put_number(w, "events", c->events);
    put_numbers(w, "coefficients", c->coefficient, CALIBRATOR_FEATURES);
    put_numbers(w, "means", c->mean, CALIBRATOR_FEATURES);
    put_numbers(w, "scales", c->scale, CALIBRATOR_FEATURES);
    json_object_end(w);
}

/* By word; gate words have none. */
static void put_anchors(struct json_writer *w, const struct model_params *m)
{
    json_kv_day(w, "anchors_day", (int32_t)m->anchors_day);
    json_key(w, "anchors");
    json_object_begin(w);
    for (unsigned axis = 0; axis < AXIS_COUNT; axis++) {
        json_key(w, axes_vocab[axis].name);
        json_object_begin(w);
        for (unsigned word = 0; word < axes_vocab[axis].word_count; word++)
            if (!axes_vocab[axis].words[word].gate)
                put_number(w, axes_vocab[axis].words[word].name, m->anchors[axis][word]);
        json_object_end(w);
    }
    json_object_end(w);
}

static void put_forecast(struct json_writer *w, const struct model_params *m)
{
    json_kv_int(w, "season_years", m->season_years);
    put_numbers(w, "season", m->season, 12);
    json_key(w, "acquisition");
    json_object_begin(w);
    put_number(w, "level", m->acquisition.level);
    put_number(w, "trend", m->acquisition.trend);
    put_number(w, "damping", m->acquisition.damping);
    put_number(w, "monthly_mean", m->acquisition.monthly_mean);
    json_object_end(w);
}

void sync_score_json_params(struct buf *out, const struct model_params *m)
{
    struct json_writer w;

    json_writer_init(&w, out);
    json_object_begin(&w);
    json_kv_bool(&w, "prior", m->prior != 0);
    put_number(&w, "horizon_days", m->horizon_days);
    put_data(&w, m);
    put_mbg(&w, "mbg", &m->mbg, m->mbg_log_likelihood);
    json_kv_bool(&w, "mbg_converged", m->mbg_converged != 0);
    json_kv_bool(&w, "dropout_identified", m->dropout_identified != 0);
    put_mbg(&w, "bg", &m->bg, m->bg_log_likelihood);
    put_spend(&w, m);
    put_number(&w, "second_gap_days", m->second_gap_days);
    put_calibrator(&w, &m->calibrator);
    put_forecast(&w, m);
    put_anchors(&w, m);
    json_object_end(&w);
}

static void put_quality(struct json_writer *w, const struct model_quality *q)
{
    put_number(w, "auc", q->auc);
    put_number(w, "brier", q->brier);
    put_number(w, "ece", q->ece);
}

void sync_score_json_metrics(struct buf *out, const struct model_params *m)
{
    const struct model_backtest *b = &m->backtest;
    const struct model_quality none = { NAN, NAN, NAN };
    const struct model_quality *used = params_quality(m);
    double nothing = b->available ? 0 : NAN; /* turns a number into null */
    struct json_writer w;

    json_writer_init(&w, out);
    json_object_begin(&w);
    put_quality(&w, used != NULL ? used : &none);
    put_number(&w, "bias_pct",
               b->forecast_available ? backtest_bias_pct(b->revenue_actual, b->revenue_predicted) : NAN);
    put_number(&w, "base_rate", b->base_rate + nothing);
    put_number(&w, "brier_base", b->brier_base + nothing);
    put_number(&w, "customers", b->customers + nothing);
    put_number(&w, "events", b->events + nothing);
    put_number(&w, "returners", b->returners + nothing);
    put_number(&w, "coverage", b->coverage + nothing);
    json_kv_day(&w, "window_end", b->available ? (int32_t)b->window_day : CLOCK_NO_DAY);
    json_key(&w, "plain");
    json_object_begin(&w);
    put_quality(&w, b->available ? &b->plain : &none);
    json_object_end(&w);
    json_key(&w, "blend");
    json_object_begin(&w);
    put_quality(&w, b->available ? &b->blend : &none);
    json_object_end(&w);
    put_number(&w, "revenue_actual", b->forecast_available ? b->revenue_actual : NAN);
    put_number(&w, "revenue_predicted", b->forecast_available ? b->revenue_predicted : NAN);
    put_number(&w, "revenue_factor", b->revenue_factor);
    json_object_end(&w);
}

void sync_score_json_fits(struct buf *out, const struct train_report *report)
{
    struct json_writer w;

    json_writer_init(&w, out);
    json_array_begin(&w);
    for (unsigned i = 0; i < report->steps; i++) {
        json_object_begin(&w);
        json_kv_cstr(&w, "step", report->step[i].name);
        json_kv_int(&w, "evaluations", report->step[i].evaluations);
        json_kv_fixed(&w, "ms", report->step[i].ms, 3);
        json_object_end(&w);
    }
    json_array_end(&w);
}
