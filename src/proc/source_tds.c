/*
 * source_tds: order lines out of SQL Server (AZURE_SQL_*).
 *
 * The view is read in keyset pages over (order_date, order_id). A page is handed out only when its answer is complete
 * and in order, and never with a part of an order's lines of a day: when a page is full, the lines of its last order
 * are left to the next one. What passes by itself is tried again with growing pauses; a server that is too busy is
 * asked for less at once. Memory is one page.
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/rng.h"
#include "proc/source.h"
#include "proc/source_tds_conn.h"
#include "proc/source_tds_error.h"
#include "proc/source_tds_rows.h"
#include "proc/source_tds_schema.h"
#include "proc/source_tds_sql.h"
#include "proc/source_tds_value.h"

#define PAGE_LEAST     100
#define PAGE_MOST      1000000
#define GROW_AFTER     8   /* good pages until a smaller page grows again */
#define ORDERS_AT_ONCE 500 /* in one IN list */
#define UNKEYED_MOST   10000
#define SQL_BYTES      65536
#define WAIT_STEP_MS   100
#define WAIT_MOST_MS   60000U
#define LAST_CALL_NS   CLOCK_NS_PER_S /* so long before the deadline nothing new is begun */

enum part {
    PART_KEYED,   /* the days or orders, page by page */
    PART_UNKEYED, /* lines without order_date or order_id */
    PART_END
};

struct tds_source {
    struct source base;
    struct source_env env;
    struct tds_conn *conn;
    struct tds_sql_view view;
    struct tds_schema schema;
    bool schema_known;
    struct buf sql;
    struct source_range range;
    enum part part;
    size_t stretch, orders_done; /* how far in the range's days, and in its orders */
    struct tds_sql_page page;
    size_t page_rows, wanted_rows; /* of a page now, and when all is well */
    size_t too_large;              /* rows of a page that did not fit into memory; 0: all did */
    unsigned good_pages;
    int64_t rows_given;
    struct tds_rows rows;
    struct tds_sql_key last_key;     /* of the page under way */
    struct source_day_total *totals; /* the caller's */
    size_t totals_max, totals_count;
};

static enum source_status failed(struct source_error *err, enum sb_reason reason, const char *text)
{
    err->reason = reason;
    snprintf(err->text, sizeof(err->text), "%s", text);
    return SOURCE_ERROR;
}

static bool beat(const struct tds_source *s)
{
    return s->env.beat(s->env.arg);
}

static void progress(const struct tds_source *s)
{
    if (s->env.progress != NULL)
        s->env.progress(s->env.arg);
}

static void note(const struct tds_source *s, const char *text)
{
    if (s->env.note != NULL)
        s->env.note(s->env.arg, text);
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
        failed(err, SB_REASON_MEMORY, "out of memory to read SQL Server");
        return NULL;
    }
    s->base.ops = &source_tds_ops;
    s->env = *env;
    s->part = PART_END;
    tds_rows_init(&s->rows);
    buf_init(&s->sql, SQL_BYTES);
    if (!tds_sql_quote_view(s->view.name, str_from(env->conf->azure_sql_view)))
        failed(err, SB_REASON_VALIDATION,
               "AZURE_SQL_VIEW: expected [database.][schema.]view, with brackets around unusual names");
    else
        s->conn = tds_conn_new(&s->env, err);
    if (s->conn == NULL) {
        close_source(&s->base);
        return NULL;
    }
    return &s->base;
}

/* Attempts: each sends one statement and may be repeated. */

static enum tds_outcome query(struct tds_source *s, const struct tds_reader *reader)
{
    const char *sql = buf_cstr(&s->sql);

    if (sql == NULL) {
        tds_conn_refuse(s->conn, TDS_ERROR_CLIENT, "a statement is too long");
        return TDS_FAILED;
    }
    return tds_conn_query(s->conn, sql, reader);
}

static bool read_schema(void *arg, DBPROCESS *db)
{
    struct tds_source *s = arg;

    tds_schema_read(&s->schema, &s->view, db);
    return true;
}

static void note_unknown(const struct tds_source *s)
{
    char text[400];

    if (s->schema.unknown[0] == '\0')
        return;
    snprintf(text, sizeof(text), "%.100s has columns that are not known and not read: %s", s->view.name,
             s->schema.unknown);
    note(s, text);
}

/* The first statement of every run. */
static enum tds_outcome try_schema(struct tds_source *s)
{
    const struct tds_reader reader = { .columns = read_schema, .arg = s };

    if (s->schema_known)
        return TDS_DONE;
    buf_reset(&s->sql);
    tds_sql_columns(&s->sql, s->view.name);
    enum tds_outcome outcome = query(s, &reader);
    if (outcome != TDS_DONE)
        return outcome;
    if (s->schema.wrong[0] != '\0') {
        tds_conn_refuse(s->conn, TDS_ERROR_SCHEMA, "%s", s->schema.wrong);
        return TDS_FAILED;
    }
    s->schema_known = true;
    note_unknown(s);
    return TDS_DONE;
}

static bool page_columns(void *arg, DBPROCESS *db)
{
    struct tds_source *s = arg;

    tds_rows_clear(&s->rows);
    s->last_key = s->page.after;
    return tds_schema_page_fits(&s->schema, db) || tds_conn_refuse(s->conn, TDS_ERROR_SCHEMA, "%s", s->schema.wrong);
}

static bool take_row(struct tds_source *s, DBPROCESS *db, size_t most)
{
    if (s->rows.count == most)
        return tds_conn_refuse(s->conn, TDS_ERROR_DISORDER, "more than %zu", most);
    return tds_rows_take(&s->rows, db) ||
           tds_conn_refuse(s->conn, TDS_ERROR_TOO_LARGE, "%zu lines take more than %u MB", s->rows.count,
                           TDS_ROWS_TEXT_BYTES >> 20);
}

static int compare_keys(const struct tds_sql_key *a, const struct tds_sql_key *b)
{
    int dates = strcmp(a->order_date, b->order_date);

    return dates != 0 ? dates : (a->order_id > b->order_id) - (a->order_id < b->order_id);
}

static bool keyed_row(void *arg, DBPROCESS *db)
{
    struct tds_source *s = arg;
    struct tds_sql_key key;

    if (!take_row(s, db, s->page.rows))
        return false;
    if (!tds_rows_key(&s->rows, s->rows.count - 1, &key))
        return tds_conn_refuse(s->conn, TDS_ERROR_DISORDER, "a line without a key");
    int compared = s->last_key.set ? compare_keys(&key, &s->last_key) : 1;
    if (compared < 0 || (compared == 0 && s->rows.count == 1))
        return tds_conn_refuse(s->conn, TDS_ERROR_DISORDER, "order %lld of %s out of its turn",
                               (long long)key.order_id, key.order_date);
    s->last_key = key;
    return true;
}

static enum tds_outcome try_page(struct tds_source *s)
{
    const struct tds_reader reader = { page_columns, keyed_row, s };
    enum tds_outcome outcome = try_schema(s);

    if (outcome != TDS_DONE)
        return outcome;
    s->page.rows = s->page_rows;
    buf_reset(&s->sql);
    tds_sql_page(&s->sql, &s->view, &s->page);
    return query(s, &reader);
}

static bool unkeyed_row(void *arg, DBPROCESS *db)
{
    return take_row(arg, db, UNKEYED_MOST + 1);
}

static enum tds_outcome try_unkeyed(struct tds_source *s)
{
    const struct tds_reader reader = { page_columns, unkeyed_row, s };
    enum tds_outcome outcome = try_schema(s);

    if (outcome != TDS_DONE)
        return outcome;
    buf_reset(&s->sql);
    tds_sql_unkeyed(&s->sql, &s->view, UNKEYED_MOST + 1);
    return query(s, &reader);
}

/* Trying again. */

struct patience {
    unsigned failures; /* in a row */
    uint64_t begun_ns;
};

/* Waits before the next attempt; false when the deadline or a stop comes first. */
static bool wait_for_retry(const struct tds_source *s, unsigned ms)
{
    uint64_t end = clock_mono_ns() + (uint64_t)ms * 1000000;

    while (clock_mono_ns() < end) {
        if (!beat(s))
            return false;
        poll(NULL, 0, WAIT_STEP_MS);
    }
    return beat(s);
}

static bool time_left(const struct tds_source *s, unsigned wait_ms)
{
    return s->env.deadline_ns == 0 ||
           clock_mono_ns() + (uint64_t)wait_ms * 1000000 + LAST_CALL_NS < s->env.deadline_ns;
}

static void ask_for_less(struct tds_source *s)
{
    s->good_pages = 0;
    s->page_rows = s->page_rows / 2 > PAGE_LEAST ? s->page_rows / 2 : PAGE_LEAST;
}

static void tell_retry(const struct tds_source *s, const struct tds_rule *rule, const struct patience *p,
                       const char *what, unsigned wait_ms)
{
    char text[400];

    if (clock_mono_ns() < p->begun_ns + rule->quiet_s * CLOCK_NS_PER_S)
        return;
    snprintf(text, sizeof(text), "SQL Server: %s; trying again in %.1f s (failed %u times)", what, wait_ms / 1000.0,
             p->failures);
    note(s, text);
}

/* What a failed attempt leads to: SOURCE_OK after a pause means another attempt. */
static enum source_status after_failure(struct tds_source *s, struct patience *p, struct source_error *err)
{
    const struct tds_problem *problem = tds_conn_problem(s->conn);
    const struct tds_rule *rule = tds_rule_of(problem);
    unsigned stall_ms = (unsigned)s->env.conf->sync_stall_timeout * 1000U;
    unsigned most_ms = stall_ms / 2 < WAIT_MOST_MS ? stall_ms / 2 : WAIT_MOST_MS;

    p->failures++;
    progress(s);
    tds_error_describe(err, problem, tds_conn_subject(s->conn));
    if (problem->number == TDS_ERROR_TOO_LARGE && s->page_rows > PAGE_LEAST) {
        s->too_large = s->page_rows;
        ask_for_less(s);
        return SOURCE_OK;
    }
    unsigned wait_ms = tds_wait_ms(rule, p->failures, rng_unit(), most_ms);
    if (rule->class == TDS_FIX || (rule->tries > 0 && p->failures >= rule->tries) || !time_left(s, wait_ms))
        return SOURCE_ERROR;
    if (rule->class == TDS_THROTTLED)
        ask_for_less(s);
    tell_retry(s, rule, p, err->text, wait_ms);
    return wait_for_retry(s, wait_ms) ? SOURCE_OK : SOURCE_STOPPED;
}

static enum source_status persist(struct tds_source *s, enum tds_outcome (*attempt)(struct tds_source *s),
                                  struct source_error *err)
{
    struct patience p = { .begun_ns = clock_mono_ns() };

    for (;;) {
        progress(s);
        enum tds_outcome outcome = attempt(s);
        if (outcome == TDS_DONE) {
            progress(s);
            return SOURCE_OK;
        }
        if (outcome == TDS_STOPPED)
            return SOURCE_STOPPED;
        enum source_status status = after_failure(s, &p, err);
        if (status != SOURCE_OK)
            return status;
    }
}

/* Pages. */

static void begin_page(struct tds_source *s, struct tds_sql_page page)
{
    s->page = page;
    s->part = PART_KEYED;
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
        s->part = by_days && s->part == PART_KEYED ? PART_UNKEYED : PART_END;
    }
}

static enum source_status begin(struct source *base, const struct source_range *range, struct source_error *err)
{
    struct tds_source *s = (struct tds_source *)base;

    (void)err;
    s->range = *range;
    s->stretch = s->orders_done = 0;
    s->rows_given = 0;
    s->part = PART_KEYED;
    tds_rows_clear(&s->rows);
    next_part(s);
    return SOURCE_OK;
}

/* Rows in front of the last order of a full page. */
static size_t whole_orders(const struct tds_source *s)
{
    struct tds_sql_key key;
    size_t n = s->rows.count;

    while (n > 0 && tds_rows_key(&s->rows, n - 1, &key) && compare_keys(&key, &s->last_key) == 0)
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

/* Brings the next page into s->rows, maybe an empty one. */
static enum source_status read_page(struct tds_source *s, struct source_error *err)
{
    enum source_status status = persist(s, try_page, err);

    if (status != SOURCE_OK)
        return status;
    if (s->rows.count < s->page.rows) {
        next_part(s);
        return SOURCE_OK;
    }
    size_t whole = whole_orders(s);
    if (whole == 0) { /* one order fills the page: a larger one must hold it */
        if (s->page_rows >= PAGE_MOST || (s->too_large > 0 && s->page_rows * 2 >= s->too_large))
            return failed(err, SB_REASON_MEMORY, "SQL Server: an order has too many lines to be read");
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
    enum source_status status = persist(s, try_unkeyed, err);

    if (status != SOURCE_OK)
        return status;
    s->part = PART_END;
    if (s->rows.count > UNKEYED_MOST)
        return failed(err, SB_REASON_VALIDATION,
                      "schema: the view has more than 10000 lines without order_date or order_id");
    return SOURCE_OK;
}

static void apply_limit(struct tds_source *s, size_t *count)
{
    int64_t left = s->range.row_limit - s->rows_given;

    if (s->range.row_limit == 0 || left > (int64_t)*count)
        return;
    *count = (size_t)left;
    s->part = PART_END;
    tds_rows_clear(&s->rows); /* keeps the memory the rows point to */
}

static enum source_status next(struct source *base, struct source_row *rows, size_t max, size_t *count,
                               struct source_error *err)
{
    struct tds_source *s = (struct tds_source *)base;
    enum source_status status = SOURCE_OK;

    *count = 0;
    if (s->wanted_rows < max)
        s->page_rows = s->wanted_rows = max < PAGE_LEAST ? PAGE_LEAST : max;
    while (status == SOURCE_OK && s->rows.given == s->rows.count && s->part != PART_END) {
        tds_rows_clear(&s->rows);
        status = s->part == PART_KEYED ? read_page(s, err) : read_unkeyed(s, err);
    }
    if (status != SOURCE_OK)
        return status;
    *count = tds_rows_give(&s->rows, rows, max);
    apply_limit(s, count);
    s->rows_given += (int64_t)*count;
    return s->rows.given == s->rows.count && s->part == PART_END ? SOURCE_END : SOURCE_OK;
}

/* Counting a view means reading all of it. */
static int64_t estimate(struct source *base)
{
    (void)base;
    return -1;
}

/* Day totals. */

static bool totals_columns(void *arg, DBPROCESS *db)
{
    struct tds_source *s = arg;

    s->totals_count = 0;
    return dbnumcols(db) == 7 || tds_conn_refuse(s->conn, TDS_ERROR_DISORDER, "%d columns", dbnumcols(db));
}

static bool put_column(struct buf *text, DBPROCESS *db, int column, struct str *value)
{
    size_t at = text->len;

    if (!tds_value_put(text, db, column) || text->failed)
        return false;
    *value = (struct str){ text->data + at, text->len - at };
    return true;
}

static bool read_total(struct source_day_total *t, DBPROCESS *db)
{
    char memory[512];
    struct buf text = { .data = memory, .cap = sizeof(memory) - 1, .max_bytes = sizeof(memory) - 1 };
    struct str v[7];

    for (int i = 0; i < 7; i++)
        if (!put_column(&text, db, i + 1, &v[i]))
            return false;
    return source_day(v[0], &t->day) && str_to_i64(v[1], &t->lines) && str_to_i64(v[2], &t->orders) &&
           source_parse_money(v[3], &t->sales_cents) == NULL && source_parse_money(v[4], &t->refunds_cents) == NULL &&
           str_to_i64(v[5], &t->quantity) && str_to_i64(v[6], &t->checks);
}

static bool totals_row(void *arg, DBPROCESS *db)
{
    struct tds_source *s = arg;

    if (s->totals_count == s->totals_max)
        return tds_conn_refuse(s->conn, TDS_ERROR_DISORDER, "more than %zu days", s->totals_max);
    struct source_day_total *t = &s->totals[s->totals_count];
    if (!read_total(t, db) || (s->totals_count > 0 && t->day <= t[-1].day))
        return tds_conn_refuse(s->conn, TDS_ERROR_DISORDER, "totals of a day that are no numbers, or out of turn");
    s->totals_count++;
    return true;
}

static enum tds_outcome try_totals(struct tds_source *s)
{
    const struct tds_reader reader = { totals_columns, totals_row, s };
    enum tds_outcome outcome = try_schema(s);

    if (outcome != TDS_DONE)
        return outcome;
    buf_reset(&s->sql);
    tds_sql_day_totals(&s->sql, &s->view, s->range.start_day, s->range.end_day, s->totals_max);
    return query(s, &reader);
}

static enum source_status day_totals(struct source *base, const struct source_range *range,
                                     struct source_day_total *totals, size_t max, size_t *count,
                                     struct source_error *err)
{
    struct tds_source *s = (struct tds_source *)base;

    s->range = (struct source_range){ .start_day = range->start_day, .end_day = range->end_day };
    s->part = PART_END;
    s->totals = totals;
    s->totals_max = max;
    s->totals_count = 0;
    tds_rows_clear(&s->rows);
    enum source_status status = persist(s, try_totals, err);
    *count = status == SOURCE_OK ? s->totals_count : 0;
    return status == SOURCE_OK && *count < max ? SOURCE_END : status;
}

/* The health check: logs in once, sees that the view is what it should be. */
static bool check(const struct source_env *env, struct source_error *err)
{
    struct source *base = open_source(env, err);

    if (base == NULL)
        return false;
    const struct tds_conn *conn = ((struct tds_source *)base)->conn;
    enum tds_outcome outcome = try_schema((struct tds_source *)base);
    if (outcome == TDS_STOPPED)
        failed(err, SB_REASON_TIMEOUT, "SQL Server: no answer in time");
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
    .day_totals = day_totals,
    .check = check,
    .close = close_source,
};
