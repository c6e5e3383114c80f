/*
 * present_prediction: see the header.
 *
 * Churn is the stored score wherever it is shown, so that all answers agree to the last digit; for the same reason
 * the forecast over as many months as the stored value of the customer has ends at that value.
 */
#include "api/present_prediction.h"

#include <math.h>
#include <stdio.h>

#include "api/answer.h"
#include "api/present.h"
#include "base/clock.h"
#include "base/fmt.h"
#include "model/axes_vocab.h"
#include "model/clv.h"

#define ABOVE_ARCHETYPE 1.1
#define BELOW_ARCHETYPE 0.9

static struct mbg_history history_of(const struct population *p, const struct population_row *row)
{
    return mbg_history_of(row->purchase_days, row->purchase_first_day, row->purchase_last_day, p->header->as_of_day);
}

static struct reason_facts facts_of(const struct population *p, const struct population_row *row)
{
    return (struct reason_facts){ .orders = row->orders,
                                  .days_since_last = population_days_since(p, row),
                                  .tenure_days = population_tenure_days(p, row),
                                  .gap_days = population_gap_days(row) };
}

static bool is_insufficient(const struct population *p)
{
    return p->model->status != MODEL_OK;
}

unsigned prediction_churn_reasons(const struct population *p, const struct population_row *row,
                                  struct reason out[REASONS_MAX])
{
    struct mbg_history h = history_of(p, row);
    struct reason_facts f = facts_of(p, row);
    double share[REASONS_SHARES];

    for (unsigned i = 0; i < REASONS_SHARES; i++)
        share[i] = row->reason_shares[i] / 100.0;
    return reasons_tell(p->model, &h, share, &f, out);
}

int32_t prediction_next_order_day(const struct population *p, const struct population_row *row)
{
    return row->next_order_days > 0 ? p->header->as_of_day + row->next_order_days : CLOCK_NO_DAY;
}

static void write_customer(struct json_writer *w, const struct population_row *row)
{
    char id[FMT_MAX];

    json_kv_str(w, "customer_id", (struct str){ id, fmt_i64(id, row->customer_id) });
}

static const char *word_of(const struct population *p, const struct population_row *row, unsigned axis)
{
    return axes_vocab_word(axis, (unsigned)(p->words[population_row_index(p, row)] >> 4 * axis) & 15);
}

void present_risk_factors(struct json_writer *w, const struct reason *reasons, unsigned count)
{
    json_key(w, "risk_factors");
    json_array_begin(w);
    for (unsigned i = 0; i < count; i++)
        if (reasons[i].raises)
            json_cstr(w, reasons[i].text);
    json_array_end(w);
}

void present_churn_risk(struct json_writer *w, const struct dataset *d, const struct population_row *row)
{
    const struct population *p = d->population;
    struct reason reasons[REASONS_MAX];
    unsigned count = prediction_churn_reasons(p, row, reasons);

    json_object_begin(w);
    write_customer(w, row);
    json_kv_cstr(w, "risk_level", present_risk_level((double)row->churn));
    json_kv_fixed(w, "churn_risk_score", (double)row->churn, 4);
    json_kv_fixed(w, "churn_probability", (double)row->churn, 4);
    json_kv_int(w, "horizon_days", p->header->settings.churn_horizon_days);
    json_kv_fixed(w, "p_alive", (double)row->p_alive, 4);
    present_risk_factors(w, reasons, count);
    json_key(w, "factors");
    json_object_begin(w);
    json_kv_int(w, "recency_days", population_days_since(p, row));
    json_kv_cstr(w, "order_frequency", word_of(p, row, AXIS_PURCHASE_FREQUENCY));
    json_kv_cstr(w, "value_tier", word_of(p, row, AXIS_PURCHASE_VALUE));
    json_kv_cstr(w, "engagement_trend", present_engagement_trend(row));
    json_object_end(w);
    answer_reasons(w, reasons, count);
    json_kv_cstr(w, "recommendation", present_recommendation((double)row->churn));
    json_kv_bool(w, "calibrated", p->model->calibrator.in_use != 0);
    answer_provenance(w, d);
    json_object_end(w);
}

/* Own average gap in whole days, else the population's from first to second order, else the churn horizon. */
static int64_t expected_gap(const struct population *p, const struct population_row *row)
{
    double gap = population_gap_days(row);

    if (isnan(gap))
        gap = p->model->second_gap_days > 0 ? p->model->second_gap_days : p->header->settings.churn_horizon_days;
    return gap > 1 ? llrint(gap) : 1;
}

static void write_prediction(struct json_writer *w, const struct population *p, const struct nextorder *next)
{
    if (is_insufficient(p)) {
        json_kv_bool(w, "prediction_available", false);
        json_kv_null(w, "next_purchase_prediction");
        json_kv_cstr(w, "prediction", "insufficient_data");
        json_kv_cstr(w, "message", "Too little history for a dated prediction; the probabilities come from priors");
        return;
    }
    json_kv_bool(w, "prediction_available", true);
    json_key(w, "next_purchase_prediction");
    json_object_begin(w);
    json_kv_day(w, "predicted_date", next->dated ? p->header->as_of_day + next->median_days : CLOCK_NO_DAY);
    if (next->dated)
        json_kv_int(w, "days_from_now", next->median_days);
    else
        json_kv_null(w, "days_from_now");
    json_kv_fixed(w, "confidence", next->p365, 4);
    json_object_end(w);
}

static void write_pattern(struct json_writer *w, const struct population *p, const struct population_row *row)
{
    json_key(w, "purchase_pattern");
    json_object_begin(w);
    json_kv_fixed(w, "avg_days_between_purchases", population_gap_days(row), 1);
    json_kv_int(w, "days_since_last_purchase", population_days_since(p, row));
    json_kv_int(w, "total_orders", row->orders);
    json_kv_cstr(w, "shopping_cadence", word_of(p, row, AXIS_SHOPPING_CADENCE));
    json_kv_cstr(w, "purchase_frequency", word_of(p, row, AXIS_PURCHASE_FREQUENCY));
    json_object_end(w);
}

static void format_advice(const struct nextorder *next, char text[PREDICTION_ADVICE_SIZE])
{
    if (!next->dated)
        snprintf(text, PREDICTION_ADVICE_SIZE, "No order is to be expected within a year; try a win-back campaign");
    else if (next->low_days <= 1)
        snprintf(text, PREDICTION_ADVICE_SIZE, "Reach out now, at the start of the likely window");
    else
        snprintf(text, PREDICTION_ADVICE_SIZE, "Reach out in %d days, at the start of the likely window",
                 next->low_days);
}

void prediction_advice(const struct population *p, const struct population_row *row,
                       char text[PREDICTION_ADVICE_SIZE])
{
    struct mbg_history h = history_of(p, row);
    struct nextorder next;

    nextorder_predict(p->model, &h, &next);
    format_advice(&next, text);
}

static void write_advice(struct json_writer *w, const struct nextorder *next)
{
    char text[PREDICTION_ADVICE_SIZE];

    format_advice(next, text);
    json_kv_cstr(w, "recommendation", text);
}

static void write_distribution(struct json_writer *w, const struct population *p, const struct population_row *row,
                               const struct nextorder *next)
{
    int32_t as_of = p->header->as_of_day;
    bool same_horizon = p->header->settings.churn_horizon_days == 90;

    json_key(w, "distribution");
    json_object_begin(w);
    json_kv_fixed(w, "p30", next->p30, 4);
    json_kv_fixed(w, "p60", next->p60, 4);
    json_kv_fixed(w, "p90", same_horizon ? 1 - fmt_round((double)row->churn, 4) : next->p90, 4);
    json_kv_fixed(w, "p365", next->p365, 4);
    json_kv_day(w, "median_date", next->dated ? as_of + next->median_days : CLOCK_NO_DAY);
    if (next->dated)
        answer_days(w, "interval_80", as_of + next->low_days, as_of + next->high_days);
    else
        json_kv_null(w, "interval_80");
    json_object_end(w);
}

/* Days since the last order against the expected gap. */
static void write_timeliness(struct json_writer *w, int64_t days_since, int64_t gap)
{
    bool late = 2 * days_since >= 3 * gap, due = days_since >= gap;

    json_kv_cstr(w, "probability", late ? "low" : due ? "medium" : "high");
    json_kv_cstr(w, "risk_level", late ? "at_risk" : due ? "due" : "on_track");
}

void present_next_purchase(struct json_writer *w, const struct dataset *d, const struct population_row *row)
{
    const struct population *p = d->population;
    struct mbg_history h = history_of(p, row);
    struct reason_facts f = facts_of(p, row);
    struct reason reasons[REASONS_MAX];
    struct nextorder next;
    int64_t gap = expected_gap(p, row);

    nextorder_predict(p->model, &h, &next);
    json_object_begin(w);
    write_customer(w, row);
    write_prediction(w, p, &next);
    write_pattern(w, p, row);
    write_advice(w, &next);
    json_kv_int(w, "days_since_last_order", f.days_since_last);
    if (next.dated && !is_insufficient(p))
        json_kv_int(w, "predicted_days_until_next", next.median_days);
    else
        json_kv_null(w, "predicted_days_until_next");
    write_timeliness(w, f.days_since_last, gap);
    json_kv_cstr(w, "purchase_frequency_archetype", word_of(p, row, AXIS_PURCHASE_FREQUENCY));
    json_kv_int(w, "expected_frequency_days", gap);
    write_distribution(w, p, row, &next);
    json_kv_int(w, "horizon_days", p->header->settings.churn_horizon_days);
    answer_reasons(w, reasons, reasons_next_order(p->model, &h, &f, reasons));
    answer_provenance(w, d);
    json_object_end(w);
}

/* The customer's future, month by month. */
struct ltv {
    int months;
    double orders[CLV_MAX_MONTHS], value, rate; /* rate: orders a month while still buying */
    double increase, discounted;                /* over all months */
};

static void compute_ltv(const struct population *p, const struct population_row *row, int months, struct ltv *l)
{
    const struct population_settings *s = &p->header->settings;
    struct mbg_history h = history_of(p, row);
    double sum = 0;

    l->months = months;
    l->value = clv_order_value(p->model, row->spend_days, (double)row->spend_mean);
    l->rate = clv_order_rate(p->model, &h);
    clv_orders(p->model, &h, months, l->orders);
    for (int m = 0; m < months; m++)
        sum += l->orders[m];
    l->increase = sum * l->value;
    l->discounted = clv_discounted(l->orders, months, l->value, s->clv_margin, s->clv_discount_annual);
    if (months == s->clv_months) {
        l->increase = (double)row->predicted_clv;
        l->discounted = (double)row->predicted_clv_discounted;
    }
}

/* LTV after month m (1, 2, …); the last one is the projected LTV. */
static int64_t cumulative_cents(const struct ltv *l, const struct population_row *row, int m)
{
    double sum = 0;

    for (int i = 0; i < m; i++)
        sum += l->orders[i];
    return population_net_cents(row) + answer_cents(m == l->months ? l->increase : sum * l->value);
}

void prediction_ltv(const struct population *p, const struct population_row *row, int months, int64_t *now_cents,
                    int64_t *then_cents)
{
    struct ltv l;

    compute_ltv(p, row, months, &l);
    *now_cents = population_net_cents(row);
    *then_cents = cumulative_cents(&l, row, months);
}

static double retention(const struct ltv *l, int m)
{
    return fmt_round(clv_retention(l->orders[m], l->rate), 4);
}

static void write_projections(struct json_writer *w, const struct population *p, const struct population_row *row,
                              const struct ltv *l)
{
    json_key(w, "monthly_projections");
    json_array_begin(w);
    for (int m = 0; m < l->months; m++) {
        json_object_begin(w);
        answer_month(w, p, m + 1);
        json_kv_fixed(w, "expected_orders", l->orders[m], 4);
        json_kv_fixed(w, "month_value", l->orders[m] * l->value, 2);
        json_kv_cents(w, "cumulative_ltv", cumulative_cents(l, row, m + 1));
        json_kv_fixed(w, "retention_probability", retention(l, m), 4);
        json_object_end(w);
    }
    json_array_end(w);
}

static void write_forecast(struct json_writer *w, const struct population_row *row, const struct ltv *l)
{
    json_key(w, "monthly_forecast");
    json_array_begin(w);
    for (int m = 0; m < l->months; m++) {
        json_object_begin(w);
        json_kv_int(w, "month", m + 1);
        json_kv_fixed(w, "expected_orders", l->orders[m], 4);
        json_kv_fixed(w, "expected_revenue", l->orders[m] * l->value, 2);
        json_kv_cents(w, "cumulative_ltv", cumulative_cents(l, row, m + 1));
        json_kv_fixed(w, "retention_probability", 100 * retention(l, m), 2);
        json_object_end(w);
    }
    json_array_end(w);
}

static void write_ltv_assumptions(struct json_writer *w, const struct population *p, const struct population_row *row,
                                  const struct ltv *l)
{
    const struct population_settings *s = &p->header->settings;

    json_key(w, "assumptions");
    json_object_begin(w);
    json_kv_fixed(w, "monthly_order_rate", l->rate, 4);
    json_kv_fixed(w, "avg_order_value", population_aov(row), 2);
    json_kv_fixed(w, "expected_order_value", l->value, 2);
    json_kv_fixed(w, "churn_risk_score", (double)row->churn, 4);
    json_kv_fixed(w, "monthly_retention_rate",
                  clv_monthly_retention(l->orders, l->months, l->rate, (double)row->p_alive), 4);
    json_kv_fixed(w, "annual_discount_rate", s->clv_discount_annual, 4);
    json_kv_fixed(w, "margin", s->clv_margin, 4);
    json_kv_bool(w, "dropout_identified", p->model->dropout_identified != 0);
    json_object_end(w);
}

static void write_comparison(struct json_writer *w, const struct population *p, const struct population_row *row)
{
    const struct population_archetype *a = population_archetype_of(p, row);
    double own = (double)population_net_cents(row),
           mean = a ? answer_ratio((double)a->net_cents, (double)a->members) : 0;
    bool known = a != NULL;

    json_key(w, "comparison");
    json_object_begin(w);
    json_kv_fixed(w, "archetype_avg_ltv", known ? mean / 100 : NAN, 2);
    json_kv_cstr(w, "performance_vs_archetype",
                 known && own > ABOVE_ARCHETYPE * mean   ? "above"
                 : known && own < BELOW_ARCHETYPE * mean ? "below"
                                                         : "average");
    json_object_end(w);
}

void present_ltv_forecast(struct json_writer *w, const struct dataset *d, const struct population_row *row,
                          int months)
{
    const struct population *p = d->population;
    struct mbg_history h = history_of(p, row);
    struct reason_facts f = facts_of(p, row);
    struct reason reasons[REASONS_MAX];
    int64_t now = population_net_cents(row);
    struct ltv l;

    compute_ltv(p, row, months, &l);
    int64_t then = cumulative_cents(&l, row, months);
    json_object_begin(w);
    write_customer(w, row);
    json_kv_bool(w, "forecast_available", !is_insufficient(p));
    json_kv_int(w, "timeframe_months", months);
    json_kv_cents(w, "current_ltv", now);
    json_kv_cents(w, "projected_ltv", then);
    json_kv_cents(w, "ltv_increase", then - now);
    json_kv_fixed(w, "growth_rate_pct", answer_growth_pct((double)now, (double)then), 2);
    write_projections(w, p, row, &l);
    write_ltv_assumptions(w, p, row, &l);
    write_comparison(w, p, row);
    json_kv_int(w, "current_order_count", row->orders);
    json_kv_fixed(w, "avg_order_value", population_aov(row), 2);
    json_kv_fixed(w, "churn_risk", (double)row->churn, 4);
    json_kv_int(w, "forecast_months", months);
    json_kv_cents(w, "predicted_ltv", then);
    write_forecast(w, row, &l);
    json_kv_fixed(w, "predicted_clv_discounted", l.discounted, 2);
    json_kv_int(w, "horizon_days", llrint(months * MODEL_DAYS_PER_MONTH));
    answer_reasons(w, reasons, reasons_clv(p->model, &h, &f, reasons));
    answer_provenance(w, d);
    json_object_end(w);
}
