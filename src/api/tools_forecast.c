/*
 * tools_forecast: forecast_business_metrics (CONTRACT 17.3, …_forecast).
 *
 * Present values are facts; expected ones are those of CONTRACT 12.2 and 12.3, so they agree with the routes. Where a
 * metric counts what happens in the timeframe, its present value is what happened in as many months before.
 */
#include "api/answer.h"
#include "api/growth.h"
#include "api/request.h"
#include "api/revenue.h"
#include "api/tools.h"
#include "base/clock.h"
#include "base/fmt.h"

#define MONTHS_PER_YEAR 12

/* What the metrics are made of. */
struct outlook {
    const struct population *p;
    int months;
    struct growth growth;
    struct revenue revenue;
};

struct values {
    double now, then;
    const char *insight;
};

/* Customers whose last order fell out of the active window in the last `months` months. */
static double turned_inactive(const struct population *p, unsigned months)
{
    int32_t last = p->header->as_of_day - p->header->settings.active_window_days;
    int32_t first = clock_months_before(p->header->as_of_day, months) - p->header->settings.active_window_days;
    size_t n = 0;

    for (size_t row = 0; row < p->count; row++)
        n += p->last_day[row] >= first && p->last_day[row] < last;
    return (double)n;
}

static void customer_count(const struct outlook *o, struct values *v)
{
    v->now = (double)o->p->totals->active;
    v->then = (double)o->growth.month[o->months - 1].active;
    v->insight = v->then < v->now ? "Acquisition does not cover churn" : "Acquisition covers churn";
}

static void new_customers(const struct outlook *o, struct values *v)
{
    v->now = (double)o->p->totals->acquired * o->months / MONTHS_PER_YEAR;
    v->then = (double)o->growth.acquired;
    v->insight = v->then < v->now ? "Fewer new customers than at the pace of the last year"
                                  : "At least as many new customers as at the pace of the last year";
}

static void churned_customers(const struct outlook *o, struct values *v)
{
    v->now = turned_inactive(o->p, (unsigned)o->months);
    v->then = (double)o->growth.churned;
    v->insight = v->then > v->now ? "More customers turn inactive than in as many months before"
                                  : "No more customers turn inactive than in as many months before";
}

static void average_ltv(const struct outlook *o, struct values *v)
{
    double customers = (double)o->p->count, net = (double)o->p->totals->net_cents / 100;

    v->now = answer_ratio(net, customers);
    v->then = answer_ratio(net + (double)o->revenue.total_cents / 100, customers + (double)o->growth.acquired);
    v->insight = v->then < v->now ? "New customers bring the average down" : "Further orders raise the average";
}

static void average_aov(const struct outlook *o, struct values *v)
{
    v->now = answer_ratio((double)o->p->totals->net_cents / 100, (double)o->p->totals->orders);
    v->then = answer_ratio((double)o->revenue.total_cents / 100, o->revenue.orders);
    v->insight = "Per order, refunds taken off";
}

static void churn_rate(const struct outlook *o, struct values *v)
{
    double gone = turned_inactive(o->p, MONTHS_PER_YEAR), active = (double)o->p->totals->active;

    v->now = answer_percent(gone / MONTHS_PER_YEAR, active + gone);
    v->then = 100 * o->growth.monthly_churn_rate;
    v->insight = "A month's share of the active customers who turn inactive, against the mean of the last year";
}

static void retention_rate(const struct outlook *o, struct values *v)
{
    churn_rate(o, v);
    v->now = 100 - v->now;
    v->then = 100 - v->then;
    v->insight = "A month's share of the active customers who stay active, against the mean of the last year";
}

static const struct metric_row {
    const char *word;
    enum metric_nl type;
    const char *unit, *label;
    int decimals;
    void (*compute)(const struct outlook *o, struct values *v); /* NULL: revenue, which has its own shape */
} metrics[] = {
    { "revenue", METRIC_NL_REVENUE_FORECAST, NULL, NULL, 2, NULL },
    { "customer_count", METRIC_NL_CUSTOMER_COUNT_FORECAST, "customers", "Active customers", 0, customer_count },
    { "new_customers", METRIC_NL_NEW_CUSTOMERS_FORECAST, "customers", "New customers", 0, new_customers },
    { "churned_customers", METRIC_NL_CHURNED_CUSTOMERS_FORECAST, "customers", "Churned customers", 0,
      churned_customers },
    { "average_ltv", METRIC_NL_AVERAGE_LTV_FORECAST, "currency", "Average lifetime value", 2, average_ltv },
    { "average_aov", METRIC_NL_AVERAGE_AOV_FORECAST, "currency", "Average order value", 2, average_aov },
    { "churn_rate", METRIC_NL_CHURN_RATE_FORECAST, "percent", "Monthly churn rate", 2, churn_rate },
    { "retention_rate", METRIC_NL_RETENTION_RATE_FORECAST, "percent", "Monthly retention rate", 2, retention_rate },
};
#define METRICS (sizeof(metrics) / sizeof(metrics[0]))

const char *tools_metric_words[METRICS + 1];

void tools_forecast_init(void)
{
    for (size_t i = 0; i < METRICS; i++)
        tools_metric_words[i] = metrics[i].word;
}

static void write_insight(struct json_writer *w, const char *insight)
{
    json_key(w, "key_insights");
    json_array_begin(w);
    json_cstr(w, insight);
    json_array_end(w);
}

static void tell_revenue(struct tool_call *c, const struct outlook *o)
{
    const struct revenue *r = &o->revenue;
    int64_t now = o->p->totals->net_cents;
    const char *insight = arena_printf(&c->q->http->arena, "Existing customers bring %.0f %% of it",
                                       answer_percent((double)r->existing_total_cents, (double)r->total_cents));

    json_key(&c->w, "forecast");
    json_object_begin(&c->w);
    json_kv_cents(&c->w, "current_total_ltv", now);
    json_kv_cents(&c->w, "projected_total_ltv", now + r->total_cents);
    json_kv_fixed(&c->w, "growth_rate_pct", answer_growth_pct((double)now, (double)(now + r->total_cents)), 2);
    json_kv_int(&c->w, "timeframe_months", o->months);
    json_kv_cents(&c->w, "projected_total_revenue", r->total_cents);
    answer_amounts(&c->w, "interval_80", r->forecast.interval.low, r->forecast.interval.high);
    json_object_end(&c->w);
    write_insight(&c->w, insight != NULL ? insight : "");
    tool_answer_end(c, "Net sales of %.2f in %d %s", (double)r->total_cents / 100, o->months,
                    o->months == 1 ? "month" : "months");
}

static void write_value(struct json_writer *w, const char *key, double v, int decimals)
{
    if (decimals == 0)
        json_kv_int(w, key, (int64_t)v);
    else
        json_kv_fixed(w, key, v, decimals);
}

static void tell_metric(struct tool_call *c, const struct outlook *o, const struct metric_row *m)
{
    struct values v;
    double growth;

    m->compute(o, &v);
    v.now = fmt_round(v.now, m->decimals);
    v.then = fmt_round(v.then, m->decimals);
    growth = answer_growth_pct(v.now, v.then);
    write_value(&c->w, "current_value", v.now, m->decimals);
    write_value(&c->w, "projected_value", v.then, m->decimals);
    json_kv_fixed(&c->w, "growth_rate", growth, 2);
    json_kv_int(&c->w, "timeframe_months", o->months);
    json_kv_cstr(&c->w, "unit", m->unit);
    write_insight(&c->w, v.insight);
    if (growth == 0)
        tool_answer_end(c, "%s: %.*f, as now", m->label, m->decimals, v.then);
    else
        tool_answer_end(c, "%s: %.*f in %d %s, %s %.2f %%", m->label, m->decimals, v.then, o->months,
                        o->months == 1 ? "month" : "months", growth < 0 ? "down" : "up",
                        growth < 0 ? -growth : growth);
}

void tool_forecast(struct tool_call *c)
{
    struct outlook o = { .p = c->q->data->population, .months = (int)tool_int(c, "timeframe_months") };
    int word = tool_word(c, "metric");
    const struct metric_row *m = &metrics[word >= 0 ? word : 0];

    if (!tool_has_model(c))
        return;
    growth_of_all(o.p, o.months, &o.growth);
    revenue_of_all(o.p, o.months, &o.revenue);
    tool_answer_begin(c, m->type);
    if (m->compute == NULL)
        tell_revenue(c, &o);
    else
        tell_metric(c, &o, m);
}
