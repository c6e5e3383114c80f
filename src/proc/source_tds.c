/*
 * source_tds: order lines out of SQL Server (AZURE_SQL_*).
 *
 * The view is read in keyset pages over (order_date, order_id). A page is handed out only when its answer is complete
 * and in order, and never with a part of an order's lines of a day: when a page is full, the lines of its last order
 * are left to the next one. What passes by itself is tried again with growing pauses; a server that is too busy is
 * asked for less at once. Memory is one page.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "proc/source_tds_internal.h"

#define PAGE_MOST      1000000
#define GROW_AFTER     8   /* good pages until a smaller page grows again */
#define ORDERS_AT_ONCE 500 /* in one IN list */
#define SQL_BYTES      65536

enum source_status tds_failed(struct source_error *err, enum sb_reason reason, const char *text)
{
    err->reason = reason;
    snprintf(err->text, sizeof(err->text), "%s", text);
    return SOURCE_ERROR;
}

static void close_source(struct source *base)
{
    struct tds_source *s = (struct tds_source *)base;

    tds_conn_free(s->conn);
    tds_rows_free(&s->rows);
    buf_free(&s->sql);
    free(s);
}

static struct source *open_source(const struct source_env *env, struct source_error *err)
{
    struct tds_source *s = calloc(1, sizeof(*s));

    if (s == NULL) {
        tds_failed(err, SB_REASON_MEMORY, "out of memory to read SQL Server");
        return NULL;
    }
    s->base.ops = &source_tds_ops;
    s->env = *env;
    s->part = TDS_END;
    tds_rows_init(&s->rows);
    buf_init(&s->sql, SQL_BYTES);
    if (!tds_sql_quote_view(s->view.name, str_from(env->conf->azure_sql_view)))
        tds_failed(err, SB_REASON_VALIDATION,
                   "AZURE_SQL_VIEW: expected [database.][schema.]view, with brackets around unusual names");
    else
        s->conn = tds_conn_new(&s->env, err);
    if (s->conn == NULL) {
        close_source(&s->base);
        return NULL;
    }
    return &s->base;
}

/* Pages. */

static void begin_page(struct tds_source *s, struct tds_sql_page page)
{
    s->page = page;
    s->part = TDS_KEYED;
}

/* The next stretch of days, the next of the orders, or the end of the keyed part. */
static void next_part(struct tds_source *s)
{
    const struct source_range *r = &s->range;
    struct tds_sql_page page = { .start_day = CLOCK_NO_DAY, .end_day = CLOCK_NO_DAY, .customer_id = r->customer_id };
    bool by_days = r->orders == NULL && r->customer_id == NULL;

    if (r->orders != NULL && s->orders_done < r->order_count) {
        size_t left = r->order_count - s->orders_done;
        page.orders = r->orders + s->orders_done;
        page.order_count = left < ORDERS_AT_ONCE ? left : ORDERS_AT_ONCE;
        s->orders_done += page.order_count;
        begin_page(s, page);
    } else if (by_days && source_range_next_stretch(r, &s->stretch, &page.start_day, &page.end_day)) {
        begin_page(s, page);
    } else if (r->customer_id != NULL && s->stretch++ == 0) {
        begin_page(s, page);
    } else {
        s->part = by_days && s->part == TDS_KEYED ? TDS_UNKEYED : TDS_END;
    }
}

static enum source_status begin(struct source *base, const struct source_range *range, struct source_error *err)
{
    struct tds_source *s = (struct tds_source *)base;

    (void)err;
    s->range = *range;
    s->stretch = s->orders_done = 0;
    s->rows_given = 0;
    s->rows_counted = -1;
    s->part = TDS_KEYED;
    tds_rows_clear(&s->rows);
    next_part(s);
    return SOURCE_OK;
}

/* Rows in front of the last order of a full page. */
static size_t whole_orders(const struct tds_source *s)
{
    struct tds_sql_key key;
    size_t n = s->rows.count;

    while (n > 0 && tds_rows_key(&s->rows, n - 1, &key) && tds_compare_keys(&key, &s->last_key) == 0)
        n--;
    return n;
}

static void count_good_page(struct tds_source *s)
{
    s->too_large = 0;
    if (s->page_rows > s->wanted_rows)
        s->page_rows = s->wanted_rows;
    if (s->page_rows == s->wanted_rows || ++s->good_pages < GROW_AFTER)
        return;
    s->good_pages = 0;
    s->page_rows = s->page_rows * 2 < s->wanted_rows ? s->page_rows * 2 : s->wanted_rows;
}

/* Once, where it is one statement: the server counts in a fraction of the time it takes to send. */
static enum source_status count_lines(struct tds_source *s, struct source_error *err)
{
    const struct source_range *r = &s->range;

    if (s->rows_counted >= 0 || s->page.after.set || r->orders != NULL || r->customer_id != NULL ||
        r->day_count > 0 || r->row_limit > 0)
        return SOURCE_OK;
    return tds_persist(s, tds_try_count, err);
}

/* Brings the next page into s->rows, maybe an empty one. */
static enum source_status read_page(struct tds_source *s, struct source_error *err)
{
    enum source_status status = count_lines(s, err);

    if (status == SOURCE_OK)
        status = tds_persist(s, tds_try_page, err);

    if (status != SOURCE_OK)
        return status;
    if (s->rows.count < s->page.rows) {
        next_part(s);
        return SOURCE_OK;
    }
    size_t whole = whole_orders(s);
    if (whole == 0) { /* one order fills the page: a larger one must hold it */
        if (s->page_rows >= PAGE_MOST || (s->too_large > 0 && s->page_rows * 2 >= s->too_large))
            return tds_failed(err, SB_REASON_MEMORY, "SQL Server: an order has too many lines to be read");
        s->page_rows *= 2;
        s->rows.count = 0;
        return SOURCE_OK;
    }
    s->rows.count = whole;
    tds_rows_key(&s->rows, whole - 1, &s->page.after);
    count_good_page(s);
    return SOURCE_OK;
}

static enum source_status read_unkeyed(struct tds_source *s, struct source_error *err)
{
    enum source_status status = tds_persist(s, tds_try_unkeyed, err);

    if (status != SOURCE_OK)
        return status;
    s->part = TDS_END;
    if (s->rows.count > TDS_UNKEYED_MOST)
        return tds_failed(err, SB_REASON_VALIDATION,
                          "schema: the view has more than 10000 lines without order_date or order_id");
    return SOURCE_OK;
}

static void apply_limit(struct tds_source *s, size_t *count)
{
    int64_t left = s->range.row_limit - s->rows_given;

    if (s->range.row_limit == 0 || left > (int64_t)*count)
        return;
    *count = (size_t)left;
    s->part = TDS_END;
    tds_rows_clear(&s->rows); /* keeps the memory the rows point to */
}

static enum source_status next(struct source *base, struct source_row *rows, size_t max, size_t *count,
                               struct source_error *err)
{
    struct tds_source *s = (struct tds_source *)base;
    enum source_status status = SOURCE_OK;

    *count = 0;
    if (s->wanted_rows < max)
        s->page_rows = s->wanted_rows = max < TDS_PAGE_LEAST ? TDS_PAGE_LEAST : max;
    while (status == SOURCE_OK && s->rows.given == s->rows.count && s->part != TDS_END) {
        tds_rows_clear(&s->rows);
        status = s->part == TDS_KEYED ? read_page(s, err) : read_unkeyed(s, err);
    }
    if (status != SOURCE_OK)
        return status;
    *count = tds_rows_give(&s->rows, rows, max);
    apply_limit(s, count);
    s->rows_given += (int64_t)*count;
    return s->rows.given == s->rows.count && s->part == TDS_END ? SOURCE_END : SOURCE_OK;
}

static int64_t estimate(struct source *base)
{
    return ((struct tds_source *)base)->rows_counted;
}

/* The health check: logs in once, sees that the view is what it should be. */
static bool check(const struct source_env *env, struct source_error *err)
{
    struct source *base = open_source(env, err);

    if (base == NULL)
        return false;
    const struct tds_conn *conn = ((struct tds_source *)base)->conn;
    enum tds_outcome outcome = tds_try_schema((struct tds_source *)base);
    if (outcome == TDS_STOPPED)
        tds_failed(err, SB_REASON_TIMEOUT, "SQL Server: no answer in time");
    else if (outcome == TDS_FAILED)
        tds_error_describe(err, tds_conn_problem(conn), tds_conn_subject(conn));
    close_source(base);
    return outcome == TDS_DONE;
}

const struct source_ops source_tds_ops = {
    .name = "sqlserver",
    .open = open_source,
    .begin = begin,
    .next = next,
    .estimate = estimate,
    .day_totals = tds_day_totals,
    .check = check,
    .close = close_source,
};
