/*
 * sync_score_read: customer_facts into memory, one plain record a customer.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/str.h"
#include "proc/sync_score_parts.h"

enum width {
    WIDTH_32,
    WIDTH_64
};

/* Where a column goes in struct facts. */
static const struct column {
    const char *sql;
    size_t offset;
    enum width width;
} columns[] = {
    { "gross_cents", offsetof(struct facts, gross_cents), WIDTH_64 },
    { "refunds_cents", offsetof(struct facts, refunds_cents), WIDTH_64 },
    { "first_day", offsetof(struct facts, first_day), WIDTH_32 },
    { "last_day", offsetof(struct facts, last_day), WIDTH_32 },
    { "orders", offsetof(struct facts, orders), WIDTH_32 },
    { "lines", offsetof(struct facts, lines), WIDTH_32 },
    { "products", offsetof(struct facts, products), WIDTH_32 },
    { "purchase_days", offsetof(struct facts, purchase_days), WIDTH_32 },
    { "purchase_first_day", offsetof(struct facts, purchase_first_day), WIDTH_32 },
    { "purchase_last_day", offsetof(struct facts, purchase_last_day), WIDTH_32 },
    { "spend_days", offsetof(struct facts, spend_days), WIDTH_32 },
    { "spend_cents", offsetof(struct facts, spend_cents), WIDTH_64 },
    { "list_cents", offsetof(struct facts, list_cents), WIDTH_64 },
    { "discount_cents", offsetof(struct facts, discount_cents), WIDTH_64 },
    { "discounted_cents", offsetof(struct facts, discounted_cents), WIDTH_64 },
    { "category_lines", offsetof(struct facts, category_lines), WIDTH_32 },
    { "weekend_orders", offsetof(struct facts, weekend_orders), WIDTH_32 },
    { "holiday_orders", offsetof(struct facts, holiday_orders), WIDTH_32 },
    { "quarter_orders[1]", offsetof(struct facts, quarter_orders[0]), WIDTH_32 },
    { "quarter_orders[2]", offsetof(struct facts, quarter_orders[1]), WIDTH_32 },
    { "quarter_orders[3]", offsetof(struct facts, quarter_orders[2]), WIDTH_32 },
    { "quarter_orders[4]", offsetof(struct facts, quarter_orders[3]), WIDTH_32 },
    { "order_years", offsetof(struct facts, order_years), WIDTH_32 },
    { "later_products", offsetof(struct facts, later_products), WIDTH_32 },
    { "repeat_products", offsetof(struct facts, repeat_products), WIDTH_32 },
};
#define COLUMN_COUNT (sizeof(columns) / sizeof(columns[0]))

struct reader {
    struct scoring *s;
    struct facts_day *days; /* of one customer: all, then the purchase days alone */
    size_t room;
    const char *fault; /* why a row was not taken */
};

static bool take_number(struct str *rest, char separator, int64_t *v)
{
    struct str field;

    return str_split(rest, separator, &field) && str_to_i64(field, v);
}

static bool take_column(struct str *rest, const struct column *c, struct facts *f)
{
    char *at = (char *)f + c->offset;
    int64_t v;

    if (!take_number(rest, '\t', &v))
        return false;
    if (c->width == WIDTH_64)
        *(int64_t *)(void *)at = v;
    else
        *(int32_t *)(void *)at = (int32_t)v;
    return true;
}

/* "{1,2}" without its braces. */
static bool take_array(struct str *rest, struct str *inside)
{
    struct str field;

    if (!str_split(rest, '\t', &field) || field.len < 2 || field.p[0] != '{' || field.p[field.len - 1] != '}')
        return false;
    *inside = field.len > 2 ? (struct str){ field.p + 1, field.len - 2 } : STR_NONE;
    return true;
}

static bool grow(struct reader *r)
{
    size_t room = r->room > 0 ? r->room * 2 : 256;
    struct facts_day *days = realloc(r->days, room * sizeof(*days));

    if (days == NULL)
        return false;
    r->days = days;
    r->room = room;
    return true;
}

static bool take_days(struct reader *r, struct str *rest, size_t *n)
{
    struct str days, orders, nets;
    int64_t day, count, net;

    *n = 0;
    if (!take_array(rest, &days) || !take_array(rest, &orders) || !take_array(rest, &nets))
        return false;
    while (take_number(&days, ',', &day)) {
        if (!take_number(&orders, ',', &count) || !take_number(&nets, ',', &net))
            return false;
        if (*n == r->room && !grow(r)) {
            r->fault = "out of memory for the days of a customer";
            return false;
        }
        r->days[(*n)++] = (struct facts_day){
            .day = (int32_t)(day >> 1), .net_cents = net, .orders = (uint32_t)count, .purchase = (day & 1) != 0
        };
    }
    return true;
}

static bool add_history(struct reader *r, const struct facts *f, size_t n)
{
    size_t purchases = 0;

    sync_score_past_add(&r->s->past, r->days, n);
    for (size_t i = 0; i < n; i++)
        if (r->days[i].purchase)
            r->days[purchases++] = r->days[i];
    return !r->s->fit || purchases == 0 ||
           train_add(&r->s->train, r->days, purchases, f->gross_cents - f->refunds_cents);
}

static bool take_row(const char *row, size_t n, void *arg)
{
    struct reader *r = arg;
    struct scoring *s = r->s;
    struct str rest = { row, n > 0 && row[n - 1] == '\n' ? n - 1 : n }, entropy;
    int64_t digest;
    size_t days;

    r->fault = "a row is not what this program wrote";
    if (s->count == s->capacity)
        return false;
    struct scored *c = &s->customers[s->count];
    if (!take_number(&rest, '\t', &c->customer_id) || !take_number(&rest, '\t', &digest) ||
        !str_split(&rest, '\t', &entropy) || !str_to_double(entropy, &c->facts.category_entropy))
        return false;
    c->digest = (uint64_t)digest;
    s->stored |= digest != 0;
    for (size_t i = 0; i < COLUMN_COUNT; i++)
        if (!take_column(&rest, &columns[i], &c->facts))
            return false;
    if (!take_days(r, &rest, &days) || !add_history(r, &c->facts, days))
        return false;
    s->count++;
    r->fault = NULL;
    return true;
}

static enum sync_db_status make_room(struct scoring *s)
{
    int64_t customers = 0;
    enum sync_db_status st = sync_db_query_i64(s->db, "counting customer_facts",
                                               "SELECT count(*) FROM customer_facts", NULL, 0, 0, &customers);

    if (st != SYNC_DB_OK)
        return st;
    s->capacity = (size_t)customers;
    s->customers = calloc(s->capacity + 1, sizeof(*s->customers));
    if (s->customers == NULL)
        return sync_score_no_memory(s, "gathering the customers");
    if (!s->fit)
        return SYNC_DB_OK;
    s->train_memory = malloc(train_memory(s->capacity));
    if (s->train_memory == NULL)
        return sync_score_no_memory(s, "gathering the customers' histories");
    train_init(&s->train, s->train_memory, s->capacity, s->as_of_day, (int32_t)s->conf->churn_horizon_days,
               (double)s->conf->active_window_days, s->conf->model_prior);
    return SYNC_DB_OK;
}

static enum sync_db_status read_rows(struct scoring *s, struct reader *r)
{
    static const char what[] = "reading customer_facts";
    struct buf sql;

    buf_init(&sql, 4096);
    buf_add_cstr(&sql, "COPY (SELECT f.customer_id, coalesce(s.digest, 0), f.category_entropy");
    for (size_t i = 0; i < COLUMN_COUNT; i++)
        buf_printf(&sql, ", f.%s", columns[i].sql);
    buf_add_cstr(&sql,
                 ", f.day_list, f.order_list, f.net_list"
                 " FROM customer_facts f LEFT JOIN customer_scores s USING (customer_id) ORDER BY 1) TO STDOUT");
    const char *text = buf_cstr(&sql);
    enum sync_db_status st =
        text != NULL ? sync_db_copy_out(s->db, what, text, take_row, r) : sync_score_no_memory(s, what);
    buf_free(&sql);
    return st;
}

enum sync_db_status sync_score_read(struct scoring *s)
{
    struct reader r = { .s = s };
    enum sync_db_status st = make_room(s);

    sync_score_past_init(&s->past, s->as_of_day);
    if (st == SYNC_DB_OK)
        st = read_rows(s, &r);
    if (st != SYNC_DB_OK && r.fault != NULL) {
        s->db->reason = SB_REASON_DATABASE;
        snprintf(s->db->error, sizeof(s->db->error), "customer_facts: %s", r.fault);
        st = SYNC_DB_ERROR;
    }
    free(r.days);
    return st;
}
