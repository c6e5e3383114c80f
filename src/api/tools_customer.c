/*
 * tools_customer: query_customers about one customer (CONTRACT 17.3, customer_…).
 */
#include <string.h>

#include "api/answer.h"
#include "api/present.h"
#include "api/present_archetype.h"
#include "api/present_prediction.h"
#include "api/put_axes.h"
#include "api/request.h"
#include "api/tools.h"
#include "base/fmt.h"
#include "data/orders.h"
#include "model/archetype.h"
#include "model/axes_vocab.h"
#include "model/rfm.h"

#define LAST_ORDERS                 10
#define FORECAST_MONTHS_OF_CUSTOMER 12

static double churn_of(const struct population_row *row)
{
    return (double)row->churn;
}

static const char *archetype_id_of(const struct population_archetype *a, char id[ARCHETYPE_ID_SIZE])
{
    return a != NULL ? archetype_format_id(id, a->id) : "N/A";
}

static void write_profile(struct json_writer *w, const struct population *p, const struct population_row *row)
{
    char id[ARCHETYPE_ID_SIZE];

    json_key(w, "profile");
    json_object_begin(w);
    json_kv_cents(w, "lifetime_value", population_net_cents(row));
    json_kv_int(w, "order_count", row->orders);
    json_kv_fixed(w, "churn_risk", churn_of(row), 4);
    json_kv_cstr(w, "archetype_id", archetype_id_of(population_archetype_of(p, row), id));
    json_kv_cstr(w, "risk_level", present_risk_level(churn_of(row)));
    json_kv_int(w, "days_since_last_purchase", population_days_since(p, row));
    json_kv_cstr(w, "rfm_group", rfm_group_name(row->rfm_group));
    json_object_end(w);
}

/* All but what is asked for in particular. */
static void begin(struct tool_call *c, enum metric_nl type, const struct population_row *row)
{
    char id[FMT_MAX];

    tool_answer_begin(c, type);
    json_kv_str(&c->w, "customer_id", (struct str){ id, fmt_i64(id, row->customer_id) });
    write_profile(&c->w, c->q->data->population, row);
}

static double ltv_of(const struct population_row *row)
{
    return (double)population_net_cents(row) / 100;
}

static void lookup(struct tool_call *c, const struct population_row *row)
{
    begin(c, METRIC_NL_CUSTOMER_LOOKUP, row);
    tool_answer_end(c, "Customer %lld: %u %s worth %.2f, churn risk %.4f (%s)", (long long)row->customer_id,
                    row->orders, row->orders == 1 ? "order" : "orders", ltv_of(row), churn_of(row),
                    present_risk_level(churn_of(row)));
}

static void churn_risk(struct tool_call *c, const struct population_row *row)
{
    struct reason reasons[REASONS_MAX];
    unsigned count = prediction_churn_reasons(c->q->data->population, row, reasons);

    begin(c, METRIC_NL_CUSTOMER_CHURN_RISK, row);
    json_kv_fixed(&c->w, "churn_risk", churn_of(row), 4);
    json_kv_cents(&c->w, "lifetime_value", population_net_cents(row));
    json_kv_int(&c->w, "order_count", row->orders);
    json_kv_cstr(&c->w, "churn_category", present_risk_level(churn_of(row)));
    present_risk_factors(&c->w, reasons, count);
    tool_answer_end(c, "Customer %lld has a %s churn risk of %.4f", (long long)row->customer_id,
                    present_risk_level(churn_of(row)), churn_of(row));
}

static void ltv_forecast(struct tool_call *c, const struct population_row *row)
{
    int64_t now, then;

    prediction_ltv(c->q->data->population, row, FORECAST_MONTHS_OF_CUSTOMER, &now, &then);
    begin(c, METRIC_NL_CUSTOMER_LTV_FORECAST, row);
    json_kv_cents(&c->w, "current_ltv", now);
    json_kv_cents(&c->w, "projected_ltv", then);
    json_kv_int(&c->w, "timeframe_months", FORECAST_MONTHS_OF_CUSTOMER);
    json_kv_fixed(&c->w, "growth_rate_pct", answer_growth_pct((double)now, (double)then), 2);
    tool_answer_end(c, "Customer %lld is worth %.2f now and %.2f expected in %d months", (long long)row->customer_id,
                    (double)now / 100, (double)then / 100, FORECAST_MONTHS_OF_CUSTOMER);
}

static void segment(struct tool_call *c, const struct population_row *row)
{
    const struct population *p = c->q->data->population;
    const struct population_archetype *a = population_archetype_of(p, row);
    char id[ARCHETYPE_ID_SIZE], name[ARCHETYPE_NAME_SIZE] = "N/A", words[PUT_AXES_MAX];

    if (a != NULL)
        archetype_name(name, a->words);
    begin(c, METRIC_NL_CUSTOMER_SEGMENT, row);
    json_kv_cstr(&c->w, "archetype_id", archetype_id_of(a, id));
    json_kv_cstr(&c->w, "segment_name", name);
    json_key(&c->w, "dominant_segments");
    json_raw(&c->w, (struct str){
                        words, (size_t)(put_axes_dominant(words, p->words[population_row_index(p, row)]) - words) });
    tool_answer_end(c, "Customer %lld belongs to the archetype %s", (long long)row->customer_id, name);
}

static void recommendations(struct tool_call *c, const struct population_row *row)
{
    static const char *const priorities[] = { "low", "medium", "high", "high", "low" };
    const char *first = present_recommendation(churn_of(row));
    char advice[PREDICTION_ADVICE_SIZE];

    prediction_advice(c->q->data->population, row, advice);
    begin(c, METRIC_NL_CUSTOMER_RECOMMENDATIONS, row);
    json_key(&c->w, "recommendations");
    json_array_begin(&c->w);
    json_cstr(&c->w, first);
    json_cstr(&c->w, advice);
    json_array_end(&c->w);
    json_kv_fixed(&c->w, "churn_risk", churn_of(row), 4);
    json_kv_cents(&c->w, "lifetime_value", population_net_cents(row));
    json_kv_cstr(&c->w, "priority", priorities[population_risk_of(row->churn)]);
    tool_answer_end(c, "Customer %lld: %s", (long long)row->customer_id, first);
}

/* ---- the last orders, from PostgreSQL ---- */

struct history {
    const struct population_row *row;
    struct orders_query query;
};

static void write_order(struct json_writer *w, const struct orders_order *o)
{
    char name[FMT_MAX + 1] = "#", total[FMT_MAX];

    json_object_begin(w);
    json_kv_str(w, "order_name", (struct str){ name, 1 + fmt_i64(name + 1, o->number) });
    json_kv_day(w, "order_date", clock_day_of_us(o->at_us));
    json_kv_str(w, "total", (struct str){ total, fmt_cents_text(total, o->total_cents) });
    json_kv_int(w, "product_count", (int64_t)o->line_count);
    json_object_end(w);
}

static void on_orders(struct tool_call *c, const PGresult *result)
{
    const struct history *h = c->state;
    const struct population_row *row = h->row;
    struct orders_page page;

    switch (orders_read(result, &h->query, &c->q->http->arena, &page)) {
    case ORDERS_READ_NO_MEMORY:
        tool_fail_memory(c);
        return;
    case ORDERS_READ_MALFORMED:
        tool_fail_bug(c, "orders_malformed");
        return;
    case ORDERS_READ_OK:
        break;
    }
    begin(c, METRIC_NL_CUSTOMER_PURCHASE_HISTORY, row);
    json_kv_int(&c->w, "total_orders", row->orders);
    json_kv_cents(&c->w, "lifetime_value", population_net_cents(row));
    json_kv_day(&c->w, "last_purchase_date", row->last_day);
    json_key(&c->w, "orders");
    json_array_begin(&c->w);
    for (size_t i = 0; i < page.count; i++)
        write_order(&c->w, &page.orders[i]);
    json_array_end(&c->w);
    tool_answer_end(c, "Customer %lld has ordered %u %s", (long long)row->customer_id, row->orders,
                    row->orders == 1 ? "time" : "times");
}

static void ask_orders(struct tool_call *c)
{
    const struct history *h = c->state;
    const char *values[SQL_CO_PARAMS];

    if (orders_params(&h->query, &c->q->http->arena, values))
        tool_query(c, SQL_CUSTOMER_ORDERS, values, "Order history", on_orders);
    else
        tool_fail_memory(c);
}

static void purchase_history(struct tool_call *c, const struct population_row *row)
{
    struct history *h = arena_zalloc(&c->q->http->arena, sizeof(*h));
    const char *question = arena_printf(&c->q->http->arena, "last orders of %lld", (long long)row->customer_id);

    if (h == NULL || question == NULL) {
        tool_fail_memory(c);
        return;
    }
    h->row = row;
    h->query = (struct orders_query){ .customer_id = row->customer_id,
                                      .as_of_day = c->q->data->population->header->as_of_day,
                                      .limit = LAST_ORDERS,
                                      .start_day = CLOCK_NO_DAY,
                                      .end_day = CLOCK_NO_DAY };
    c->state = h;
    tool_cached(c, question, METRIC_CACHE_CUSTOMER, ask_orders);
}

/* ---- in order of tools_info_words ---- */

const char *const tools_info_words[] = {
    "profile", "churn_risk", "purchase_history", "ltv_forecast", "recommendations", "segment", NULL
};
static void (*const answers[])(struct tool_call *c, const struct population_row *row) = {
    lookup, churn_risk, purchase_history, ltv_forecast, recommendations, segment,
};

void tools_customer_individual(struct tool_call *c)
{
    int info = tool_word(c, "info");
    const struct population_row *row;

    if (tool_text(c, "customer_id").len == 0) {
        tool_fail_incomplete(c, "customer_id", "Please name the customer id.");
        return;
    }
    row = tool_customer(c);
    if (row != NULL && tool_has_score(c, row))
        answers[info >= 0 ? info : 0](c, row);
}
