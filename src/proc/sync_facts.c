/*
 * sync_facts: lines are read through a cursor in order of customer, computed by model/facts, and
 * written back by COPY in batches.
 *
 * Which customers: those in customer_dirty (filled by the publish that changed their
 * lines), plus, when the as-of day has moved forward, those whose 90- and 180-day windows
 * moved or whose lines came into view.
 */
#include "proc/sync_facts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/str.h"
#include "model/facts.h"

#define FETCH_ROWS  "2000" /* what the socket's buffer holds, about: the server is ahead by as much */
#define BATCH_BYTES 262144
#define LINES_MAX   4000000 /* of one customer: 300 MB would be no customer but an error in the source */

struct refresh {
    struct sync_db *db;
    int32_t as_of_day;
    bool all;
    int64_t customer; /* the one being gathered */
    int64_t amounts;  /* in cents, all of its lines, signs aside: no sum of them is larger */
    struct facts_line *lines;
    struct facts_day *days; /* of the customer, as much room as lines */
    size_t count, capacity;
    struct buf batch;
};

static enum sync_db_status no_memory(struct refresh *r, const char *what)
{
    r->db->reason = SB_REASON_MEMORY;
    snprintf(r->db->error, sizeof(r->db->error), "out of memory while %s", what);
    return SYNC_DB_ERROR;
}

/* A window's edge has passed over the orders of these days; what came after the old as-of day is in view now. */
static enum sync_db_status mark_moved_windows(struct refresh *r)
{
    char day[CLOCK_DAY_SIZE];
    const char *values[] = { clock_format_day(day, r->as_of_day) };
    int64_t moved = 0;
    enum sync_db_status st =
        sync_db_query_i64(r->db, "looking whether the day has moved",
                          "SELECT (facts_as_of <> $1::date)::int FROM sync_state", values, 1, 0, &moved);

    if (st != SYNC_DB_OK || !moved)
        return st; /* most runs: all lines need not be asked */
    return sync_db_query(
        r->db, "finding customers whose windows moved",
        "INSERT INTO customer_dirty SELECT DISTINCT l.customer_id FROM combined_sales l, sync_state s,"
        " unnest(ARRAY[0, 90, 180]) AS back WHERE l.customer_id IS NOT NULL"
        " AND l.order_date >= s.facts_as_of + 1 - back AND l.order_date < $1::date + 1 - back"
        " ON CONFLICT DO NOTHING",
        values, 1, NULL);
}

/* All lines are sorted, which takes less than to follow the index of customers all over the table: hence the + 0. */
static enum sync_db_status open_cursor(struct refresh *r)
{
    char day[CLOCK_DAY_SIZE], sql[1024];

    snprintf(
        sql, sizeof(sql),
        "DECLARE facts_lines NO SCROLL CURSOR FOR SELECT l.customer_id, l.order_id, l.order_date::date - date "
        "'1970-01-01',"
        " coalesce(l.product_id, hashtextextended(l.sku, 0), 0), coalesce(hashtextextended(nullif(l.category, ''), "
        "0), 0),"
        " l.line_item_sales, l.line_item_discount, l.line_item_refunds"
        " FROM combined_sales l WHERE l.customer_id IS NOT NULL AND l.order_date < date '%s' + 1%s",
        clock_format_day(day, r->as_of_day),
        r->all ? " ORDER BY l.customer_id + 0"
               : " AND l.customer_id IN (SELECT customer_id FROM customer_dirty) ORDER BY 1");
    return sync_db_exec(r->db, "opening the cursor over the lines", sql);
}

/* In the order of put_facts; named, because a newer program may have added columns. */
#define COLUMNS                                                                                                      \
    "customer_id, gross_cents, refunds_cents, first_day, last_day, orders, lines, products, orders_90,"              \
    " orders_prev_90, purchase_days, purchase_first_day, purchase_last_day, spend_days, spend_cents, list_cents,"    \
    " discount_cents, discounted_cents, category_lines, category_entropy, weekend_orders, holiday_orders,"           \
    " quarter_orders, order_years, repeat_products, later_products, day_list, order_list, net_list"

static void put_numbers(struct buf *out, const int64_t *v, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        buf_add_i64(out, v[i]);
        buf_add_char(out, '\t');
    }
}

static void put_element(struct buf *out, uint32_t i, int64_t v)
{
    if (i > 0)
        buf_add_char(out, ',');
    buf_add_i64(out, v);
}

/* One row of customer_facts in COPY's text format; numbers by hand: there are forty times as many as customers. */
static void put_facts(struct buf *out, int64_t customer, const struct facts *f, const struct facts_day *days)
{
    const int64_t before[] = { customer,
                               f->gross_cents,
                               f->refunds_cents,
                               f->first_day,
                               f->last_day,
                               f->orders,
                               f->lines,
                               f->products,
                               f->orders_90,
                               f->orders_prev_90,
                               f->purchase_days,
                               f->purchase_first_day,
                               f->purchase_last_day,
                               f->spend_days,
                               f->spend_cents,
                               f->list_cents,
                               f->discount_cents,
                               f->discounted_cents,
                               f->category_lines };
    const int64_t between[] = { f->weekend_orders, f->holiday_orders };
    const int64_t after[] = { f->order_years, f->repeat_products, f->later_products };

    put_numbers(out, before, sizeof(before) / sizeof(before[0]));
    buf_printf(out, "%.17g\t", f->category_entropy);
    put_numbers(out, between, 2);
    buf_add_char(out, '{');
    for (uint32_t i = 0; i < 4; i++)
        put_element(out, i, f->quarter_orders[i]);
    buf_add_cstr(out, "}\t");
    put_numbers(out, after, 3);
    buf_add_char(out, '{');
    for (uint32_t i = 0; i < f->order_days; i++)
        put_element(out, i, 2 * (int64_t)days[i].day + days[i].purchase);
    buf_add_cstr(out, "}\t{");
    for (uint32_t i = 0; i < f->order_days; i++)
        put_element(out, i, days[i].orders);
    buf_add_cstr(out, "}\t{");
    for (uint32_t i = 0; i < f->order_days; i++)
        put_element(out, i, days[i].net_cents);
    buf_add_cstr(out, "}\n");
}

static enum sync_db_status flush_batch(struct refresh *r)
{
    static const char what[] = "writing customer_facts";

    if (r->batch.failed)
        return no_memory(r, what);
    if (r->batch.len == 0)
        return SYNC_DB_OK;
    enum sync_db_status s = sync_db_copy_begin(r->db, what, "COPY customer_facts (" COLUMNS ") FROM STDIN");
    if (s == SYNC_DB_OK)
        s = sync_db_copy_put(r->db, what, r->batch.data, r->batch.len);
    if (s == SYNC_DB_OK)
        s = sync_db_copy_end(r->db, what, NULL);
    buf_reset(&r->batch);
    return s;
}

static enum sync_db_status end_customer(struct refresh *r)
{
    struct facts f;

    if (r->count == 0)
        return SYNC_DB_OK;
    facts_compute(r->lines, r->count, r->as_of_day, r->days, &f);
    put_facts(&r->batch, r->customer, &f, r->days);
    r->count = 0;
    return r->batch.failed ? no_memory(r, "writing customer_facts") : SYNC_DB_OK;
}

static bool grow(struct refresh *r)
{
    if (r->count < r->capacity)
        return true;
    size_t capacity = r->capacity ? r->capacity * 2 : 1024;
    struct facts_line *lines = capacity <= LINES_MAX ? realloc(r->lines, capacity * sizeof(*lines)) : NULL;
    if (lines == NULL)
        return false;
    r->lines = lines;
    struct facts_day *days = realloc(r->days, capacity * sizeof(*days));
    if (days == NULL)
        return false;
    r->days = days;
    r->capacity = capacity;
    return true;
}

/* An amount that is null counts 0. */
static bool parse_amount(struct str s, int64_t *cents)
{
    *cents = 0;
    return s.len == 0 || str_to_cents(s, cents);
}

static bool parse_line(const PGresult *rows, int i, int64_t *customer, struct facts_line *l)
{
    int64_t day, discount, refunds;
    struct str v[8];

    for (int c = 0; c < 8; c++)
        v[c] = (struct str){ PQgetvalue(rows, i, c), (size_t)PQgetlength(rows, i, c) };
    if (!str_to_i64(v[0], customer) || !str_to_i64(v[1], &l->order_id) || !str_to_i64(v[2], &day) ||
        !str_to_i64(v[3], &l->product) || !str_to_i64(v[4], &l->category) || !parse_amount(v[5], &l->sales_cents) ||
        !parse_amount(v[6], &discount) || !parse_amount(v[7], &refunds))
        return false;
    l->day = (int32_t)day;
    l->discount_cents = llabs(discount);
    l->refunds_cents = llabs(refunds);
    return true;
}

static enum sync_db_status bad_amount(struct refresh *r, const PGresult *rows, int i, const char *wrong)
{
    r->db->reason = SB_REASON_DATABASE;
    r->db->sqlstate[0] = '\0';
    snprintf(r->db->error, sizeof(r->db->error), "combined_sales: customer %.20s: %s", PQgetvalue(rows, i, 0), wrong);
    return SYNC_DB_ERROR;
}

static bool add_amounts(struct refresh *r, const struct facts_line *l)
{
    const int64_t amounts[] = { llabs(l->sales_cents), l->discount_cents, l->refunds_cents };
    bool fit = true;

    for (size_t i = 0; i < sizeof(amounts) / sizeof(amounts[0]); i++)
        fit = fit && !__builtin_add_overflow(r->amounts, amounts[i], &r->amounts);
    return fit;
}

static enum sync_db_status take_rows(struct refresh *r, const PGresult *rows)
{
    enum sync_db_status s;

    for (int i = 0; i < PQntuples(rows); i++) {
        int64_t customer;
        struct facts_line line;
        if (!parse_line(rows, i, &customer, &line))
            return bad_amount(r, rows, i, "an amount is out of range");
        if (customer != r->customer && (s = end_customer(r)) != SYNC_DB_OK)
            return s;
        r->amounts = customer == r->customer ? r->amounts : 0;
        r->customer = customer;
        if (!add_amounts(r, &line))
            return bad_amount(r, rows, i, "the amounts do not fit in 64 bits of cents");
        if (!grow(r))
            return no_memory(r, "gathering one customer's lines");
        r->lines[r->count++] = line;
    }
    return SYNC_DB_OK;
}

/* Writes what has gathered, then asks for the next lines: they come while those at hand are worked on. */
static enum sync_db_status fetch(struct refresh *r)
{
    enum sync_db_status s = r->batch.len > BATCH_BYTES ? flush_batch(r) : SYNC_DB_OK;

    return s == SYNC_DB_OK ? sync_db_send(r->db, "reading lines", "FETCH " FETCH_ROWS " FROM facts_lines") : s;
}

static enum sync_db_status compute(struct refresh *r)
{
    enum sync_db_status s = sync_db_exec(r->db, "clearing customer_facts",
                                         r->all ? "DELETE FROM customer_facts"
                                                : "DELETE FROM customer_facts f USING customer_dirty d"
                                                  " WHERE f.customer_id = d.customer_id");
    bool more = true;

    if (s == SYNC_DB_OK)
        s = open_cursor(r);
    if (s == SYNC_DB_OK)
        s = fetch(r);
    while (s == SYNC_DB_OK && more) {
        PGresult *rows;
        s = sync_db_receive(r->db, "reading lines", &rows);
        more = s == SYNC_DB_OK && PQntuples(rows) > 0;
        if (more)
            s = fetch(r);
        if (s == SYNC_DB_OK)
            s = take_rows(r, rows);
        PQclear(rows);
    }
    if (s == SYNC_DB_OK)
        s = end_customer(r);
    if (s == SYNC_DB_OK)
        s = flush_batch(r);
    return s == SYNC_DB_OK ? sync_db_exec(r->db, "closing the cursor", "CLOSE facts_lines") : s;
}

enum sync_db_status sync_facts_compute(struct sync_db *db, int32_t as_of_day, bool all)
{
    struct refresh r = { .db = db, .as_of_day = as_of_day, .all = all };

    buf_init(&r.batch, 8 * BATCH_BYTES);
    enum sync_db_status s = all ? SYNC_DB_OK : mark_moved_windows(&r);
    if (s == SYNC_DB_OK)
        s = compute(&r);
    /* All are in the order of their key: once the planner knows, reading them needs no sorting. */
    if (s == SYNC_DB_OK && all)
        s = sync_db_exec(db, "analyzing customer_facts", "ANALYZE (SKIP_LOCKED) customer_facts (customer_id)");
    free(r.lines);
    free(r.days);
    buf_free(&r.batch);
    return s;
}
