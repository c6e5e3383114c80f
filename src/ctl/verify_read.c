/*
 * verify_read: one customer out of the source, PostgreSQL and the population file, through their own interfaces.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "ctl/verify.h"
#include "data/population.h"
#include "proc/source.h"
#include "proc/sync_db.h"
#include "proc/sync_row.h"

#define BATCH_ROWS 1000
#define LINES_MAX  100000 /* of one customer */
#define LIMIT_NS   (120 * CLOCK_NS_PER_S)

const char *const verify_place_names[VERIFY_PLACES] = { "source", "combined_sales", "facts", "population" };

struct lines {
    struct verify_line *at;
    size_t count, room;
};

static struct verify_line *add_line(struct lines *l)
{
    if (l->count == l->room) {
        size_t room = l->room > 0 ? l->room * 2 : 256;
        struct verify_line *grown = room <= 2 * LINES_MAX ? realloc(l->at, room * sizeof(*grown)) : NULL;
        if (grown == NULL)
            return NULL;
        l->at = grown;
        l->room = room;
    }
    l->at[l->count] = (struct verify_line){ .order_id = 0 };
    return &l->at[l->count++];
}

static void fail(struct verify_view *view, const char *text)
{
    str_copy(view->error, sizeof(view->error), str_from(text));
}

static bool in_time(void *arg)
{
    const uint64_t *end_ns = arg;

    return clock_mono_ns() < *end_ns;
}

static void print_note(void *arg, const char *text)
{
    (void)arg;
    fprintf(stderr, "patronctl: %s\n", text);
}

/* The source */

static int64_t cents_of(struct str s)
{
    int64_t cents = 0;

    return s.p != NULL && source_parse_money(s, &cents) == NULL ? cents : 0;
}

static bool take_row(struct verify_view *view, struct lines *l, const struct source_row *row, struct buf *scratch)
{
    const char *reason = row->bad != NULL ? row->bad : source_validate(row);

    if (reason != NULL) {
        if (view->unusable++ == 0)
            str_copy(view->unusable_why, sizeof(view->unusable_why), str_from(reason));
        return true;
    }
    struct verify_line *line = add_line(l);
    if (line == NULL)
        return false;
    line->in_source = true;
    line->hash = sync_row_hash(scratch, row);
    str_to_i64(row->values[SOURCE_ORDER_ID], &line->order_id);
    str_to_i64(row->values[SOURCE_QUANTITY], &line->quantity);
    line->sales_cents = cents_of(row->values[SOURCE_LINE_ITEM_SALES]);
    line->refunds_cents = llabs(cents_of(row->values[SOURCE_LINE_ITEM_REFUNDS]));
    source_day(row->values[SOURCE_ORDER_DATE], &line->day);
    str_copy(line->sku, sizeof(line->sku), row->values[SOURCE_SKU]);
    return true;
}

static enum source_status read_rows(struct verify *v, struct source *s, struct source_row *rows, struct lines *l,
                                    struct source_error *err)
{
    const struct source_range range = { .start_day = CLOCK_NO_DAY,
                                        .end_day = CLOCK_NO_DAY,
                                        .customer_id = &v->customer_id };
    enum source_status status = s->ops->begin(s, &range, err);
    struct buf scratch;

    buf_init(&scratch, 1U << 20);
    while (status == SOURCE_OK) {
        size_t count = 0;
        status = s->ops->next(s, rows, BATCH_ROWS, &count, err);
        for (size_t i = 0; i < count && (status == SOURCE_OK || status == SOURCE_END); i++)
            if (!take_row(&v->views[VERIFY_SOURCE], l, &rows[i], &scratch)) {
                *err = (struct source_error){ .reason = SB_REASON_MEMORY, .text = "too many lines for one customer" };
                status = SOURCE_ERROR;
            }
    }
    buf_free(&scratch);
    return status;
}

static void read_source(struct verify *v, const struct conf *conf, struct lines *l)
{
    struct verify_view *view = &v->views[VERIFY_SOURCE];
    const struct source_ops *ops = source_for(conf);
    uint64_t end_ns = clock_mono_ns() + LIMIT_NS;
    const struct source_env env = {
        .conf = conf, .beat = in_time, .note = print_note, .arg = &end_ns, .deadline_ns = end_ns
    };
    struct source_error err = { .text = "out of memory" };
    struct source_row *rows;

    view->configured = ops != NULL;
    if (ops == NULL)
        return;
    rows = calloc(BATCH_ROWS, sizeof(*rows));
    struct source *s = rows != NULL ? ops->open(&env, &err) : NULL;
    enum source_status status = s != NULL ? read_rows(v, s, rows, l, &err) : SOURCE_ERROR;
    if (s != NULL)
        ops->close(s);
    free(rows);
    if (status == SOURCE_STOPPED)
        fail(view, "the source did not answer in time");
    else if (status != SOURCE_END)
        fail(view, err.text);
}

/* PostgreSQL */

static int64_t column(const PGresult *r, int row, int c)
{
    int64_t v = 0;

    str_to_i64(str_from(PQgetvalue(r, row, c)), &v);
    return v;
}

static int32_t day_column(const PGresult *r, int row, int c)
{
    return PQgetisnull(r, row, c) ? CLOCK_NO_DAY : (int32_t)column(r, row, c);
}

static bool query(struct verify *v, struct sync_db *db, const char *what, const char *sql, PGresult **r)
{
    char id[24];
    const char *values[] = { id };

    snprintf(id, sizeof(id), "%lld", (long long)v->customer_id);
    return sync_db_query(db, what, sql, values, 1, r) == SYNC_DB_OK;
}

static bool read_table(struct verify *v, struct sync_db *db, struct lines *l)
{
    PGresult *r;

    if (!query(v, db, "reading combined_sales",
               "SELECT order_id, line_hash, coalesce(quantity, 0), (coalesce(line_item_sales, 0) * 100)::bigint,"
               " (abs(coalesce(line_item_refunds, 0)) * 100)::bigint, order_date::date - date '1970-01-01',"
               " coalesce(sku, '') FROM combined_sales WHERE customer_id = $1::bigint",
               &r))
        return false;
    for (int i = 0; i < PQntuples(r); i++) {
        struct verify_line *line = add_line(l);
        if (line == NULL) {
            PQclear(r);
            snprintf(db->error, sizeof(db->error), "too many lines for one customer");
            return false;
        }
        *line = (struct verify_line){ .order_id = column(r, i, 0),
                                      .hash = column(r, i, 1),
                                      .quantity = column(r, i, 2),
                                      .sales_cents = column(r, i, 3),
                                      .refunds_cents = column(r, i, 4),
                                      .day = (int32_t)column(r, i, 5),
                                      .in_table = true };
        str_copy(line->sku, sizeof(line->sku), str_from(PQgetvalue(r, i, 6)));
    }
    PQclear(r);
    return true;
}

static bool read_facts(struct verify *v, struct sync_db *db)
{
    struct verify_view *view = &v->views[VERIFY_FACTS];
    PGresult *r;

    if (!query(v, db, "reading customer_facts",
               "SELECT lines, orders, gross_cents, refunds_cents, first_day, last_day,"
               " s.facts_as_of - date '1970-01-01', (SELECT max(data_version) FROM data_versions),"
               " (s.facts_all OR EXISTS (SELECT FROM customer_dirty WHERE customer_id = $1::bigint))::int"
               " FROM sync_state s LEFT JOIN customer_facts ON customer_id = $1::bigint",
               &r))
        return false;
    if (PQntuples(r) == 1) {
        view->sums = (struct verify_sums){ column(r, 0, 0), column(r, 0, 1),     column(r, 0, 2),
                                           column(r, 0, 3), day_column(r, 0, 4), day_column(r, 0, 5) };
        v->as_of_day = day_column(r, 0, 6);
        view->data_version = column(r, 0, 7);
        v->facts_due = column(r, 0, 8) != 0;
    }
    PQclear(r);
    return true;
}

static void read_database(struct verify *v, const struct conf *conf, struct lines *l)
{
    struct verify_view *table = &v->views[VERIFY_TABLE], *facts = &v->views[VERIFY_FACTS];
    uint64_t end_ns = clock_mono_ns() + LIMIT_NS;
    struct sync_db db;

    table->configured = facts->configured = true;
    /* One snapshot: a run that publishes meanwhile is seen whole or not at all. */
    bool good =
        sync_db_open(&db, conf->database_url, (int)conf->db_connect_timeout, in_time, &end_ns) == SYNC_DB_OK &&
        sync_db_exec(&db, "taking a snapshot", "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY") == SYNC_DB_OK &&
        read_table(v, &db, l) && read_facts(v, &db);
    if (!good) {
        fail(table, db.error);
        fail(facts, db.error);
    }
    sync_db_close(&db);
}

/* The population */

static void read_population(struct verify *v, const struct conf *conf)
{
    struct verify_view *view = &v->views[VERIFY_POPULATION];
    char why[200] = "";
    struct population *p = population_open_latest(conf->state_dir, why, sizeof(why));

    view->configured = true;
    if (p == NULL) {
        fail(view, why[0] != '\0' ? why : "no population file in STATE_DIR");
        return;
    }
    view->data_version = (int64_t)p->header->data_version;
    const struct population_row *row = population_find(p, v->customer_id);
    if (row != NULL)
        view->sums = (struct verify_sums){ row->lines,         row->orders,    row->gross_cents,
                                           row->refunds_cents, row->first_day, row->last_day };
    population_release(p);
}

/* Both sides' lines as one list, and their sums */

/* The hash of the thirty columns, and the amounts: a line that was changed in the table itself has its old hash. */
static int by_content(const void *a, const void *b)
{
    const struct verify_line *x = a, *y = b;
    const int64_t keys[][2] = { { x->day, y->day },
                                { x->order_id, y->order_id },
                                { x->hash, y->hash },
                                { x->sales_cents, y->sales_cents },
                                { x->refunds_cents, y->refunds_cents },
                                { x->quantity, y->quantity } };

    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
        if (keys[i][0] != keys[i][1])
            return keys[i][0] < keys[i][1] ? -1 : 1;
    return 0;
}

static void add_to_sums(struct verify *v, enum verify_place place, const struct lines *l)
{
    struct verify_view *view = &v->views[place];
    struct verify_sums *s = &view->sums;
    const struct verify_line *last = NULL;

    for (size_t i = 0; i < l->count; i++) {
        const struct verify_line *line = &l->at[i];
        if (v->as_of_day != CLOCK_NO_DAY && line->day > v->as_of_day) {
            view->later_lines++;
            continue;
        }
        s->lines++;
        s->gross_cents += line->sales_cents;
        s->refunds_cents += line->refunds_cents;
        s->first_day = last == NULL ? line->day : s->first_day;
        s->last_day = line->day;
        last = line;
    }
}

static int by_order(const void *a, const void *b)
{
    const struct verify_line *x = a, *y = b;

    return x->order_id != y->order_id ? (x->order_id < y->order_id ? -1 : 1) : 0;
}

/* Different orders up to the as-of day; leaves the lines sorted by order. */
static int64_t count_orders(const struct verify *v, struct lines *l)
{
    const struct verify_line *last = NULL;
    int64_t n = 0;

    if (l->count > 0)
        qsort(l->at, l->count, sizeof(*l->at), by_order);
    for (size_t i = 0; i < l->count; i++) {
        if (v->as_of_day != CLOCK_NO_DAY && l->at[i].day > v->as_of_day)
            continue;
        n += last == NULL || last->order_id != l->at[i].order_id;
        last = &l->at[i];
    }
    return n;
}

static void sum_up(struct verify *v, enum verify_place place, struct lines *l)
{
    v->views[place].sums.orders = count_orders(v, l);
    if (l->count > 0)
        qsort(l->at, l->count, sizeof(*l->at), by_content);
    add_to_sums(v, place, l);
}

/* Both are sorted by content. */
static void merge(struct verify *v, const struct lines *theirs, const struct lines *ours)
{
    size_t i = 0, k = 0;

    v->lines = calloc(theirs->count + ours->count + 1, sizeof(*v->lines));
    if (v->lines == NULL) {
        fail(&v->views[VERIFY_TABLE], "out of memory");
        return;
    }
    while (i < theirs->count || k < ours->count) {
        int order = i == theirs->count ? 1 : k == ours->count ? -1 : by_content(&theirs->at[i], &ours->at[k]);
        struct verify_line *line = &v->lines[v->line_count++];
        *line = order <= 0 ? theirs->at[i] : ours->at[k];
        line->in_source = order <= 0;
        line->in_table = order >= 0;
        i += order <= 0;
        k += order >= 0;
    }
}

void verify_read(struct verify *v, const struct conf *conf, int64_t customer_id)
{
    struct lines theirs = { .count = 0 }, ours = { .count = 0 };

    *v = (struct verify){ .customer_id = customer_id, .as_of_day = CLOCK_NO_DAY };
    for (int i = 0; i < VERIFY_PLACES; i++)
        v->views[i].sums.first_day = v->views[i].sums.last_day = CLOCK_NO_DAY;
    read_database(v, conf, &ours);
    read_source(v, conf, &theirs);
    read_population(v, conf);
    sum_up(v, VERIFY_SOURCE, &theirs);
    sum_up(v, VERIFY_TABLE, &ours);
    merge(v, &theirs, &ours);
    free(theirs.at);
    free(ours.at);
}

void verify_free(struct verify *v)
{
    free(v->lines);
    v->lines = NULL;
}
