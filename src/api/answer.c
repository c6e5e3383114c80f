/*
 * answer: see the header.
 */
#include "api/answer.h"

#include <math.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/fmt.h"
#include "model/backtest.h"

#define DAYS_PER_YEAR 365.25

void answer_stamp(struct json_writer *w, const struct dataset *d)
{
    json_raw(w, (struct str){ d->stamp, d->stamp_bytes });
}

static void header_text(struct json_writer *w, const char *key, const char *text, size_t size)
{
    if (text[0] == '\0')
        json_kv_null(w, key);
    else
        json_kv_str(w, key, (struct str){ text, strnlen(text, size) });
}

void answer_provenance(struct json_writer *w, const struct dataset *d)
{
    const struct population_header *h = d->population->header;

    header_text(w, "model_status", h->model_status, sizeof(h->model_status));
    header_text(w, "model_version", h->model_version, sizeof(h->model_version));
    answer_stamp(w, d);
}

void answer_month(struct json_writer *w, const struct population *p, int month)
{
    char period[16];
    int year, calendar_month;

    forecast_period(p->header->as_of_day, month, &year, &calendar_month);
    int n = snprintf(period, sizeof(period), "%04d-%02d", year, calendar_month);
    json_kv_int(w, "month", month);
    json_kv_str(w, "period", (struct str){ period, n > 0 ? (size_t)n : 0 });
}

void answer_days(struct json_writer *w, const char *key, int32_t low, int32_t high)
{
    json_key(w, key);
    json_object_begin(w);
    json_kv_day(w, "low", low);
    json_kv_day(w, "high", high);
    json_object_end(w);
}

void answer_amounts(struct json_writer *w, const char *key, double low, double high)
{
    json_key(w, key);
    json_object_begin(w);
    json_kv_fixed(w, "low", low, 2);
    json_kv_fixed(w, "high", high, 2);
    json_object_end(w);
}

void answer_counts(struct json_writer *w, const char *key, double low, double high)
{
    json_key(w, key);
    json_object_begin(w);
    json_kv_int(w, "low", llrint(low));
    json_kv_int(w, "high", llrint(high));
    json_object_end(w);
}

void answer_reasons(struct json_writer *w, const struct reason *reasons, unsigned count)
{
    json_key(w, "reasons");
    json_array_begin(w);
    for (unsigned i = 0; i < count; i++) {
        const struct reason *r = &reasons[i];

        json_object_begin(w);
        json_kv_cstr(w, "code", reason_code_name(r->code));
        json_kv_cstr(w, "effect", r->raises ? "raises" : "lowers");
        json_kv_fixed(w, "contribution", r->contributes ? r->contribution : NAN, 2);
        json_kv_cstr(w, "text", r->text);
        json_object_end(w);
    }
    json_array_end(w);
}

static void write_backtest(struct json_writer *w, const struct model_backtest *b, double actual, double predicted,
                           double correction)
{
    if (!b->forecast_available) {
        json_kv_null(w, "backtest");
        return;
    }
    json_key(w, "backtest");
    json_object_begin(w);
    json_kv_int(w, "window_days", b->forecast_days);
    json_kv_fixed(w, "bias_pct", backtest_bias_pct(actual, predicted), 2);
    json_kv_fixed(w, "correction_factor", correction, 4);
    json_object_end(w);
}

void answer_growth_backtest(struct json_writer *w, const struct model_params *m)
{
    const struct model_backtest *b = &m->backtest;

    write_backtest(w, b, b->active_actual, b->active_predicted, 1);
}

void answer_revenue_backtest(struct json_writer *w, const struct model_params *m)
{
    const struct model_backtest *b = &m->backtest;

    write_backtest(w, b, b->revenue_actual, b->revenue_predicted, b->revenue_factor);
}

double answer_growth_pct(double before, double after)
{
    if (before == 0)
        return after > 0 ? 100 : 0;
    return 100 * (after - before) / fabs(before);
}

double answer_percent(double part, double whole)
{
    return 100 * answer_ratio(part, whole);
}

double answer_ratio(double a, double b)
{
    return b != 0 ? a / b : 0;
}

int64_t answer_cents(double money)
{
    return llrint(fmt_round(money, 2) * 100);
}

double answer_span_years(const struct population *p)
{
    return p->count > 0 ? ((double)p->totals->last_day - p->totals->first_day) / DAYS_PER_YEAR : 0;
}
