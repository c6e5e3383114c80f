/*
 * sync_score_fit: which fit a scoring uses, and making a new one.
 *
 * The models are fitted at the first scoring of an as-of day, after a full load that changed lines, when a setting
 * of the fit has changed, and when data that were too few are enough now; other scorings use the stored fit. Anchors
 * of the axes stay as they are until they are a quarter old or an axis' words have moved (MODELS 5, 6).
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "core/events.h"
#include "model/backtest.h"
#include "proc/sync_score_json.h"
#include "proc/sync_score_parts.h"

/* Reads a stored fit; false when it is none of this program. */
static bool take_state(const PGresult *r, int row, int column, struct model_params *m)
{
    size_t n = 0;
    unsigned char *bytes =
        PQgetisnull(r, row, column) ? NULL : PQunescapeBytea((const unsigned char *)PQgetvalue(r, row, column), &n);
    bool good = bytes != NULL && params_load(m, bytes, n);

    PQfreemem(bytes);
    return good;
}

static bool same_settings(const struct conf *c, const struct model_params *m)
{
    return (m->prior != 0) == c->model_prior && m->horizon_days == (double)c->churn_horizon_days &&
           m->active_window_days == (double)c->active_window_days;
}

/* Do the facts pass the gates by now? */
static enum sync_db_status enough_data(struct scoring *s, bool *enough)
{
    char day[24], sql[400];
    const char *values[] = { day };
    int64_t passed = 0;

    snprintf(day, sizeof(day), "%d", s->as_of_day);
    snprintf(sql, sizeof(sql),
             "SELECT (count(*) >= %d AND count(*) FILTER (WHERE purchase_days > 1) >= %d"
             " AND $1::int - min(purchase_first_day) >= %d)::int FROM customer_facts WHERE purchase_days > 0",
             MODEL_GATE_CUSTOMERS, MODEL_GATE_REPEATERS, MODEL_GATE_DAYS);
    enum sync_db_status st = sync_db_query_i64(s->db, "counting repeat buyers", sql, values, 1, 0, &passed);
    *enough = passed != 0;
    return st;
}

static enum sync_db_status read_before(struct scoring *s)
{
    PGresult *r;
    enum sync_db_status st =
        sync_db_query(s->db, "reading the fit of before",
                      "SELECT state FROM model_runs ORDER BY trained_at DESC, fit_number DESC LIMIT 1", NULL, 0, &r);

    if (st != SYNC_DB_OK)
        return st;
    s->has_before = PQntuples(r) == 1 && take_state(r, 0, 0, &s->before);
    PQclear(r);
    return SYNC_DB_OK;
}

enum sync_db_status sync_score_choose_model(struct scoring *s)
{
    char day[CLOCK_DAY_SIZE];
    const char *values[] = { clock_format_day(day, s->as_of_day) };
    PGresult *r;
    enum sync_db_status st =
        sync_db_query(s->db, "reading model_runs",
                      "SELECT m.fit_number, m.state, t.refit FROM sync_state t, model_runs m WHERE m.as_of = $1::date"
                      " ORDER BY m.fit_number DESC LIMIT 1",
                      values, 1, &r);
    int64_t number = 0;
    bool enough = false;

    if (st != SYNC_DB_OK)
        return st;
    if (PQntuples(r) == 1)
        str_to_i64(str_from(PQgetvalue(r, 0, 0)), &number);
    s->fit = PQntuples(r) == 0 || PQgetvalue(r, 0, 2)[0] == 't' || !take_state(r, 0, 1, &s->params) ||
             !same_settings(s->conf, &s->params);
    s->fit_number = (unsigned)number + 1;
    PQclear(r);
    if (!s->fit && s->params.status == MODEL_INSUFFICIENT_DATA) {
        st = enough_data(s, &enough);
        s->fit = enough;
    }
    return st == SYNC_DB_OK && s->fit ? read_before(s) : st;
}

/* Shares of the dominant words on an axis, gates included. */
static void count_words(const struct scoring *s, enum axis_id axis, double share[AXES_MAX_WORDS])
{
    memset(share, 0, AXES_MAX_WORDS * sizeof(*share));
    for (size_t i = 0; i < s->count; i++)
        share[axes_dominant(axes_place(&s->params, axis, &s->customers[i].facts, s->as_of_day))]++;
    for (unsigned w = 0; w < AXES_MAX_WORDS && s->count > 0; w++)
        share[w] /= (double)s->count;
}

static void estimate_anchors(struct scoring *s, enum axis_id axis, float *scalars)
{
    size_t n = 0;
    double scalar;
    uint8_t gate;

    for (size_t i = 0; i < s->count; i++)
        if (axes_scalar(axis, &s->customers[i].facts, s->as_of_day, &scalar, &gate))
            scalars[n++] = (float)scalar;
    memset(s->params.anchors[axis], 0, sizeof(s->params.anchors[axis]));
    axes_fit_anchors(axis, scalars, n, s->params.anchors[axis]);
    count_words(s, axis, s->params.anchor_share[axis]);
}

/* Are the anchors of before too old, or from data that were too few? */
static bool anchors_due(const struct scoring *s)
{
    const struct model_params *b = &s->before;

    return !s->has_before || llabs(s->as_of_day - b->anchors_day) >= AXES_REFIT_DAYS ||
           (b->status == MODEL_INSUFFICIENT_DATA && s->params.status == MODEL_OK);
}

/* All anew when that is due, else only where the words have moved. */
static enum sync_db_status set_anchors(struct scoring *s)
{
    float *scalars = malloc((s->count + 1) * sizeof(*scalars));
    bool due = anchors_due(s);
    enum sync_db_status st = SYNC_DB_OK;

    if (scalars == NULL)
        return sync_score_no_memory(s, "estimating the anchors of the axes");
    s->params.anchors_day = due ? s->as_of_day : s->before.anchors_day;
    for (unsigned a = 0; a < AXIS_COUNT && st == SYNC_DB_OK; a++) {
        enum axis_id axis = (enum axis_id)a;
        double share[AXES_MAX_WORDS];
        if (!due) {
            memcpy(s->params.anchors[a], s->before.anchors[a], sizeof(s->params.anchors[a]));
            memcpy(s->params.anchor_share[a], s->before.anchor_share[a], sizeof(s->params.anchor_share[a]));
            count_words(s, axis, share);
        }
        if (due || axes_psi(s->params.anchor_share[a], share) > AXES_REFIT_PSI)
            estimate_anchors(s, axis, scalars);
        st = sync_db_pulse(s->db, "estimating the anchors of the axes");
    }
    free(scalars);
    return st;
}

enum sync_db_status sync_score_write_fit(struct scoring *s)
{
    const struct model_params *m = &s->params;
    char day[CLOCK_DAY_SIZE], number[24];
    struct buf params, metrics, fits, state;

    if (!s->fit)
        return SYNC_DB_OK;
    buf_init(&state, 4 * sizeof(*m));
    sync_score_hex(&state, m, sizeof(*m));
    buf_init(&params, 65536);
    buf_init(&metrics, 65536);
    buf_init(&fits, 65536);
    sync_score_json_params(&params, m);
    sync_score_json_metrics(&metrics, m);
    sync_score_json_fits(&fits, &s->report);
    snprintf(number, sizeof(number), "%u", s->fit_number);
    const char *values[] = { m->version,
                             clock_format_day(day, s->as_of_day),
                             number,
                             params_status_name(m->status),
                             m->calibrator.in_use ? "true" : "false",
                             buf_cstr(&params),
                             buf_cstr(&metrics),
                             buf_cstr(&fits),
                             buf_cstr(&state) };
    enum sync_db_status st =
        state.failed || params.failed || metrics.failed || fits.failed
            ? sync_score_no_memory(s, "writing model_runs")
            : sync_db_query(
                  s->db, "writing model_runs",
                  "INSERT INTO model_runs (model_version, as_of, fit_number, trained_at, status, calibrated,"
                  " params, metrics, fits, state)"
                  " VALUES ($1, $2, $3::int, clock_timestamp(), $4, $5::boolean, $6::jsonb, $7::jsonb,"
                  " $8::jsonb, $9::bytea)",
                  values, 9, NULL);
    buf_free(&state);
    buf_free(&params);
    buf_free(&metrics);
    buf_free(&fits);
    return st;
}

enum sync_db_status sync_score_fit(struct scoring *s)
{
    if (!s->fit)
        return SYNC_DB_OK;
    enum sync_db_status st = sync_db_pulse(s->db, "fitting the models");
    if (st != SYNC_DB_OK)
        return st;
    train_fit(&s->train, &s->params, clock_mono_ns, &s->report);
    free(s->train_memory);
    s->train_memory = NULL;
    params_version(s->params.version, s->as_of_day, s->fit_number);
    return set_anchors(s);
}

void sync_score_log_fit(const struct scoring *s)
{
    const struct model_params *m = &s->params;
    const struct model_backtest *b = &m->backtest;
    const struct model_quality *q = params_quality(m);
    struct event_field f[] = {
        event_cstr("model_version", m->version),
        event_cstr("model_status", params_status_name(m->status)),
        q != NULL ? event_f64("auc", q->auc) : event_cstr("auc", NULL),
        q != NULL ? event_f64("brier", q->brier) : event_cstr("brier", NULL),
        q != NULL ? event_f64("ece", q->ece) : event_cstr("ece", NULL),
        b->forecast_available ? event_f64("bias_pct", backtest_bias_pct(b->revenue_actual, b->revenue_predicted))
                              : event_cstr("bias_pct", NULL),
        event_bool("calibrated", m->calibrator.in_use != 0),
    };

    if (s->fit)
        event_log(EVENT_MODEL_TRAINED, f, 7, "the models were fitted to %lld customers", (long long)m->customers);
}
