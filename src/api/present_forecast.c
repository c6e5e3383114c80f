/*
 * present_forecast: see the header.
 */
#include "api/present_forecast.h"

#include <math.h>
#include <stdio.h>

#include "api/answer.h"
#include "api/growth.h"
#include "api/revenue.h"

static void write_growth_months(struct json_writer *w, const struct population *p, const struct growth *g)
{
    int64_t before = (int64_t)p->totals->active;

    json_key(w, "monthly_projections");
    json_array_begin(w);
    for (int m = 1; m <= g->months; m++) {
        const struct growth_month *month = &g->month[m - 1];
        int64_t net = month->acquired - month->churned;

        json_object_begin(w);
        answer_month(w, p, m);
        json_kv_int(w, "customers", month->active);
        json_kv_int(w, "acquired", month->acquired);
        json_kv_int(w, "churned", month->churned);
        json_kv_int(w, "net_change", net);
        json_kv_int(w, "total_customers", month->active);
        json_kv_int(w, "net_growth", net);
        json_kv_fixed(w, "growth_rate_pct", answer_growth_pct((double)before, (double)month->active), 2);
        json_object_end(w);
        before = month->active;
    }
    json_array_end(w);
}

static void write_growth_assumptions(struct json_writer *w, const struct population *p, const struct growth *g)
{
    const struct population_aggregates *t = p->totals;

    json_key(w, "assumptions");
    json_object_begin(w);
    json_kv_int(w, "monthly_acquisition_rate", growth_monthly_acquisition(g));
    json_kv_fixed(w, "monthly_churn_rate_pct", 100 * g->monthly_churn_rate, 2);
    json_kv_int(w, "avg_customer_tenure_days", llrint(answer_ratio((double)t->tenure_days, (double)p->count)));
    json_kv_fixed(w, "data_span_years", answer_span_years(p), 1);
    json_kv_int(w, "active_window_days", p->header->settings.active_window_days);
    json_kv_bool(w, "dropout_identified", p->model->dropout_identified != 0);
    json_object_end(w);
}

void present_growth_projection(struct json_writer *w, const struct dataset *d, int months)
{
    const struct population *p = d->population;
    int64_t now = (int64_t)p->totals->active;
    char key[40], note[80];
    struct growth g;

    growth_of_all(p, months, &g);
    int64_t end = g.month[months - 1].active, net = end - now;
    json_object_begin(w);
    json_kv_int(w, "current_customers", now);
    json_kv_int(w, "projected_customers", end);
    json_kv_int(w, "timeframe_months", months);
    json_kv_int(w, "total_acquired", g.acquired);
    json_kv_int(w, "total_churned", g.churned);
    json_kv_int(w, "net_change", net);
    json_kv_fixed(w, "growth_rate_pct", answer_growth_pct((double)now, (double)end), 2);
    write_growth_months(w, p, &g);
    write_growth_assumptions(w, p, &g);
    snprintf(note, sizeof(note), "Active customers: at least one order in the trailing %d days",
             p->header->settings.active_window_days);
    json_kv_cstr(w, "note", note);
    json_kv_int(w, "starting_customers", now);
    snprintf(key, sizeof(key), "projected_customers_month_%d", months);
    json_kv_int(w, key, end);
    json_kv_int(w, "total_projected_growth", net);
    json_kv_fixed(w, "avg_monthly_churn_rate", 100 * g.monthly_churn_rate, 2);
    json_kv_fixed(w, "assumed_acquisition_rate", answer_percent((double)g.month[0].acquired, (double)now), 2);
    json_kv_int(w, "total_customers", (int64_t)p->count);
    answer_counts(w, "interval_80", g.low, g.high);
    answer_growth_backtest(w, p->model);
    answer_provenance(w, d);
    json_object_end(w);
}

static void write_breakdown(struct json_writer *w, const struct population *p, const struct revenue *r)
{
    int64_t cumulative = p->totals->net_cents;

    json_key(w, "monthly_breakdown");
    json_array_begin(w);
    for (int m = 0; m < r->months; m++) {
        const struct forecast_revenue_month *month = &r->forecast.month[m];

        cumulative += revenue_month_cents(r, m);
        json_object_begin(w);
        answer_month(w, p, m + 1);
        json_kv_cents(w, "monthly_revenue", revenue_month_cents(r, m));
        json_kv_cents(w, "cumulative_revenue", cumulative);
        json_kv_cents(w, "existing_customers_revenue", r->existing_cents[m]);
        json_kv_cents(w, "new_customers_revenue", r->new_cents[m]);
        json_kv_fixed(w, "seasonal_factor", month->season, 2);
        answer_amounts(w, "interval_80", month->interval.low, month->interval.high);
        json_object_end(w);
    }
    json_array_end(w);
}

static void write_forecasts(struct json_writer *w, const struct revenue *r, const struct growth *g)
{
    int64_t cumulative = 0;

    json_key(w, "monthly_forecasts");
    json_array_begin(w);
    for (int m = 0; m < r->months; m++) {
        cumulative += revenue_month_cents(r, m);
        json_object_begin(w);
        json_kv_int(w, "month", m + 1);
        json_kv_int(w, "active_customers", g->month[m].active);
        json_kv_fixed(w, "estimated_orders", r->forecast.month[m].orders, 1);
        json_kv_cents(w, "monthly_revenue", revenue_month_cents(r, m));
        json_kv_cents(w, "cumulative_revenue", cumulative);
        json_object_end(w);
    }
    json_array_end(w);
}

static void write_revenue_assumptions(struct json_writer *w, const struct population *p)
{
    json_key(w, "assumptions");
    json_object_begin(w);
    json_kv_int(w, "sample_size", (int64_t)p->count);
    json_kv_int(w, "total_customers", (int64_t)p->count);
    json_kv_fixed(w, "extrapolation_factor", 1, 1);
    json_kv_bool(w, "dropout_identified", p->model->dropout_identified != 0);
    json_object_end(w);
}

void present_revenue_forecast(struct json_writer *w, const struct dataset *d, int months)
{
    const struct population *p = d->population;
    int64_t now = p->totals->net_cents;
    struct revenue r;
    struct growth g;

    revenue_of_all(p, months, &r);
    growth_of_all(p, months, &g);
    json_object_begin(w);
    json_kv_int(w, "timeframe_months", months);
    json_kv_cents(w, "current_total_ltv", now);
    json_kv_cents(w, "projected_total_ltv", now + r.total_cents);
    json_kv_cents(w, "revenue_increase", r.total_cents);
    json_kv_fixed(w, "growth_rate_pct", answer_growth_pct((double)now, (double)(now + r.total_cents)), 2);
    write_breakdown(w, p, &r);
    write_revenue_assumptions(w, p);
    json_kv_cstr(w, "note", "Net sales of existing and expected new customers");
    answer_amounts(w, "interval_80", r.forecast.interval.low, r.forecast.interval.high);
    answer_revenue_backtest(w, p->model);
    json_kv_int(w, "forecast_months", months);
    json_kv_int(w, "starting_customers", (int64_t)p->totals->active);
    json_kv_cents(w, "projected_total_revenue", r.total_cents);
    json_kv_fixed(w, "avg_monthly_revenue", (double)r.total_cents / 100 / months, 2);
    write_forecasts(w, &r, &g);
    answer_provenance(w, d);
    json_object_end(w);
}
