/*
 * h_orders: a customer's order history (CONTRACT 9.5), asked from PostgreSQL.
 *
 * Whether the customer exists, and the totals over the whole history, come from
 * the population: so they agree with the profile, and a wrong id costs no statement.
 */
#include <string.h>

#include "api/cached.h"
#include "api/cursor.h"
#include "api/customer.h"
#include "api/errors.h"
#include "api/handler.h"
#include "api/params.h"
#include "api/request.h"
#include "base/fmt.h"
#include "base/utf8.h"
#include "data/orders.h"

#define DEFAULT_LIMIT  50
#define MAX_TEXT_CHARS 1000
#define MAX_MONTHS     60

struct history {
    struct orders_query query;
    uint64_t binding; /* of the cursor: customer and filters */
    const struct population_row *row;
    struct pgpool_query *statement;
};

/* ---- the request ---- */

static void read_terms(struct history *h, struct params *p)
{
    struct str text = params_query_text(p, "search_terms");

    if (text.len == 0)
        return;
    if (utf8_length(text) > MAX_TEXT_CHARS)
        params_fault(p, PARAMS_OUT_OF_RANGE, "query", STR_LIT("search_terms"), "must have at most %d characters",
                     MAX_TEXT_CHARS);
    else if (!orders_split_terms(&h->query, text))
        params_fault(p, PARAMS_OUT_OF_RANGE, "query", STR_LIT("search_terms"), "must have at most %d terms",
                     ORDERS_MAX_TERMS);
}

static void bind_number(struct history *h, int64_t v)
{
    h->binding = hash_u64(h->binding ^ (uint64_t)v) + 0x9e3779b97f4a7c15ULL;
}

static void bind_text(struct history *h, struct str text)
{
    bind_number(h, (int64_t)text.len);
    h->binding = hash_fast(h->binding, text.p, text.len);
}

static void bind_filters(struct history *h, struct str customer)
{
    bind_text(h, customer);
    bind_number(h, h->query.months_ago);
    bind_number(h, h->query.start_day);
    bind_number(h, h->query.end_day);
    for (size_t i = 0; i < h->query.term_count; i++)
        bind_text(h, h->query.terms[i]);
}

static void read_cursor(struct history *h, struct params *p, const uint8_t key[HASH_SHA256_BYTES])
{
    struct str text = params_query_text(p, "cursor");
    struct select_cursor c;

    if (text.len == 0)
        return;
    if (!cursor_decode(&c, key, h->binding, text)) {
        params_fault(p, PARAMS_INVALID_VALUE, "query", STR_LIT("cursor"),
                     "is not a cursor of this customer and these filters");
        return;
    }
    h->query.cursor = (struct orders_cursor){ .present = true, .at_us = (int64_t)c.key, .order_id = c.id };
}

static void read_filters(struct history *h, struct params *p)
{
    struct orders_query *o = &h->query;

    o->limit = (unsigned)params_query_int(p, "limit", 1, ORDERS_MAX_LIMIT, DEFAULT_LIMIT);
    o->months_ago = (unsigned)params_query_int(p, "months_ago", 1, MAX_MONTHS, 0);
    o->start_day = params_query_day(p, "start_date");
    o->end_day = params_query_day(p, "end_date");
    read_terms(h, p);
    if (o->start_day != CLOCK_NO_DAY && o->end_day != CLOCK_NO_DAY && o->end_day < o->start_day)
        params_fault(p, PARAMS_INVALID_VALUE, "query", STR_LIT("end_date"), "must not be before start_date");
}

/* ---- the answer ---- */

static void put_text_cents(struct json_writer *w, const char *key, int64_t cents)
{
    char text[FMT_MAX];

    json_kv_str(w, key, (struct str){ text, fmt_cents_text(text, cents) });
}

static void put_id(struct json_writer *w, const char *key, const char *prefix, int64_t id)
{
    char text[FMT_MAX + 1];
    size_t n = strlen(prefix);

    memcpy(text, prefix, n);
    n += fmt_i64(text + n, id);
    json_kv_str(w, key, (struct str){ text, n });
}

static void write_line(struct json_writer *w, const struct orders_line *l)
{
    json_object_begin(w);
    json_kv_cstr(w, "title", l->title);
    json_kv_cstr(w, "product_title", l->title);
    json_kv_cstr(w, "variant_title", l->variant);
    json_kv_cstr(w, "sku", l->sku);
    json_kv_cstr(w, "category", l->category);
    json_kv_cstr(w, "product_type", l->product_type);
    json_kv_null(w, "vendor");
    json_kv_int(w, "quantity", l->quantity);
    json_kv_cents(w, "sales", l->sales_cents);
    json_kv_cents(w, "discount", l->discount_cents);
    json_kv_cents(w, "refunds", l->refunds_cents);
    json_object_end(w);
}

static void write_order(struct json_writer *w, const struct orders_order *o)
{
    json_object_begin(w);
    put_id(w, "order_id", "", o->order_id);
    put_id(w, "order_number", "", o->number);
    put_id(w, "order_name", "#", o->number);
    json_kv_day(w, "order_date", clock_day_of_us(o->at_us));
    json_kv_seconds(w, "created_at", o->created_us);
    put_text_cents(w, "total", o->total_cents);
    json_kv_cents(w, "net_sales", o->net_cents);
    json_kv_cents(w, "refunds", o->refunds_cents);
    json_kv_cstr(w, "currency", o->currency);
    json_kv_cstr(w, "sales_channel", o->sales_channel);
    json_kv_cstr(w, "fulfillment_status", o->fulfillment_status);
    json_kv_cstr(w, "financial_status", o->financial_status);
    json_key(w, "products");
    json_array_begin(w);
    for (size_t i = 0; i < o->line_count; i++)
        write_line(w, &o->lines[i]);
    json_array_end(w);
    json_kv_int(w, "product_count", (int64_t)o->line_count);
    json_object_end(w);
}

static void write_terms(struct json_writer *w, const struct orders_query *o)
{
    json_key(w, "search_terms");
    if (o->term_count == 0) {
        json_null(w);
        return;
    }
    json_array_begin(w);
    for (size_t i = 0; i < o->term_count; i++)
        json_str(w, o->terms[i]);
    json_array_end(w);
}

static void write_filters(struct json_writer *w, const struct orders_query *o)
{
    json_key(w, "filters_applied");
    json_object_begin(w);
    json_kv_int(w, "limit", o->limit);
    write_terms(w, o);
    if (o->months_ago > 0)
        json_kv_int(w, "months_ago", o->months_ago);
    else
        json_kv_null(w, "months_ago");
    json_kv_day(w, "start_date", o->start_day);
    json_kv_day(w, "end_date", o->end_day);
    json_object_end(w);
}

static void write_totals(struct json_writer *w, const struct history *h, const struct orders_page *page)
{
    int64_t spent_cents = 0;

    for (size_t i = 0; i < page->count; i++)
        spent_cents += page->orders[i].total_cents;
    put_id(w, "customer_id", "", h->query.customer_id);
    json_kv_null(w, "email");
    json_kv_null(w, "name");
    json_kv_int(w, "total_orders_returned", (int64_t)page->count);
    json_kv_int(w, "orders_returned", (int64_t)page->count);
    put_text_cents(w, "estimated_lifetime_spent", spent_cents);
    json_kv_int(w, "total_orders", h->row->orders);
    put_text_cents(w, "total_spent", population_net_cents(h->row));
}

static void write_cursor(struct json_writer *w, struct api_request *q, const struct history *h,
                         const struct orders_page *page)
{
    struct select_cursor c = { .present = true, .key = (double)page->next.at_us, .id = page->next.order_id };
    char text[CURSOR_SIZE];

    if (page->next.present)
        json_kv_str(w, "next_cursor", (struct str){ text, cursor_encode(text, q->api->cursor_key, h->binding, &c) });
    else
        json_kv_null(w, "next_cursor");
}

static void answer(struct api_request *q, const struct history *h, const struct orders_page *page)
{
    struct json_writer w;

    request_json_begin(q, &w);
    json_object_begin(&w);
    write_totals(&w, h, page);
    json_key(&w, "orders");
    json_array_begin(&w);
    for (size_t i = 0; i < page->count; i++)
        write_order(&w, &page->orders[i]);
    json_array_end(&w);
    write_filters(&w, &h->query);
    write_cursor(&w, q, h, page);
    json_kv_cstr(&w, "note", "Served from combined_sales as of the last sync");
    json_kv_day(&w, "as_of", h->query.as_of_day);
    json_object_end(&w);
    request_json_end(q, 200);
}

/* ---- in between ---- */

static void answer_rows(struct api_request *q, const struct history *h, const PGresult *result)
{
    struct orders_page page;

    switch (orders_read(result, &h->query, &q->http->arena, &page)) {
    case ORDERS_READ_OK:
        answer(q, h, &page);
        break;
    case ORDERS_READ_NO_MEMORY:
        error_no_memory(q);
        break;
    case ORDERS_READ_MALFORMED:
        error_internal(q, "orders_malformed");
        break;
    }
}

static void on_result(enum pg_status status, const PGresult *result, void *arg)
{
    struct api_request *q = arg;
    const struct history *h = q->pending;

    q->cancel = NULL;
    if (status == PG_OK)
        answer_rows(q, h, result);
    else
        handler_query_failed(q, status, result, "Order history");
}

static void cancel(struct api_request *q)
{
    const struct history *h = q->pending;

    pgpool_cancel(q->api->env.pool, h->statement);
}

static void ask(struct api_request *q)
{
    struct history *h = q->pending;
    const char *values[SQL_CO_PARAMS];

    if (!orders_params(&h->query, &q->http->arena, values)) {
        error_no_memory(q);
        return;
    }
    h->statement =
        pgpool_send(q->api->env.pool, sql_get(SQL_CUSTOMER_ORDERS), values, q->http->deadline_ns, on_result, q);
    if (h->statement == NULL)
        handler_query_failed(q, PG_TIMEOUT, NULL, "Order history");
    else
        q->cancel = cancel;
}

void h_orders(struct api_request *q)
{
    struct history *h = arena_zalloc(&q->http->arena, sizeof(*h));
    struct params p;

    if (h == NULL) {
        error_no_memory(q);
        return;
    }
    if (q->data == NULL) {
        error_unavailable(q, "No customers loaded", ERROR_RETRY_NO_DATA_S);
        return;
    }
    params_init(&p, &q->http->arena, q->http->head->query);
    read_filters(h, &p);
    bind_filters(h, q->params[0]);
    read_cursor(h, &p, q->api->cursor_key);
    if (p.count > 0) {
        error_validation(q, &p);
        return;
    }
    h->row = customer_of(q);
    if (h->row == NULL || request_unchanged(q))
        return;
    h->query.customer_id = h->row->customer_id;
    h->query.as_of_day = q->data->population->header->as_of_day;
    q->pending = h;
    cached_answer(q, METRIC_CACHE_CUSTOMER, ask);
}
