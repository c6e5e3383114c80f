/*
 * sync_load: batches of the source become COPY text, one COPY a reading.
 *
 * An order is replaced as a whole, so a partial run reads twice: first the
 * lines of the days wanted, then the lines on other days of the orders it found (and of the
 * orders that combined_sales has on those days). Memory: one batch, and the ids of the orders of a partial run.
 */
#include "proc/sync_load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/hash.h"
#include "core/events.h"
#include "core/json.h"

#define BATCH_BYTES 262144
#define ORDERS_MAX  4000000

struct load {
    struct sync_run *run;
    const struct source_ops *ops;
    struct source *source;
    struct source_row *rows;
    struct buf text; /* COPY lines not yet sent */
    struct source_range range, others;
    int64_t *orders;
    size_t order_count;
    bool dry, copying;
};

const char *sync_load_columns(void)
{
    static char names[1024];
    size_t n = 0;

    if (names[0] == '\0')
        for (int i = 0; i < SOURCE_COLUMNS; i++)
            n += (size_t)snprintf(names + n, sizeof(names) - n, "%s,", source_columns[i].name);
    if (n > 0)
        snprintf(names + n, sizeof(names) - n, "line_hash");
    return names;
}

static bool db(struct load *l, enum sync_db_status s)
{
    return s == SYNC_DB_OK || sync_run_fail_db(l->run, &l->run->work);
}

static bool make_stage(struct load *l)
{
    struct sync_run *run = l->run;
    const char *sql =
        run->full_stage
            ? "DROP TABLE IF EXISTS combined_sales_next;"
              "CREATE TABLE combined_sales_next (LIKE combined_sales INCLUDING DEFAULTS INCLUDING COMMENTS)"
            : "CREATE TEMP TABLE sync_stage (LIKE combined_sales INCLUDING DEFAULTS) ON COMMIT DROP;"
              "ALTER TABLE sync_stage ALTER id DROP DEFAULT, ALTER id DROP NOT NULL";

    return db(l, sync_db_exec(&run->work, "starting the run's transaction",
                              "BEGIN; SET LOCAL work_mem = '64MB'; SET LOCAL temp_buffers = '64MB'")) &&
           db(l, sync_db_exec(&run->work, "making the stage", sql));
}

static bool begin_copy(struct load *l)
{
    char sql[1200];

    if (l->dry)
        return true;
    snprintf(sql, sizeof(sql), "COPY %s (%s) FROM STDIN%s", l->run->full_stage ? "combined_sales_next" : "sync_stage",
             sync_load_columns(), l->run->full_stage ? " (FREEZE)" : "");
    l->copying = db(l, sync_db_copy_begin(&l->run->work, "copying into the stage", sql));
    return l->copying;
}

static bool send_text(struct load *l)
{
    static const char what[] = "copying into the stage";

    if (l->text.failed)
        return sync_run_fail(l->run, SB_REASON_MEMORY, "out of memory while %s; a smaller SYNC_BATCH_ROWS needs less",
                             what);
    if (l->text.len == 0)
        return true;
    bool sent = db(l, sync_db_copy_put(&l->run->work, what, l->text.data, l->text.len));
    buf_reset(&l->text);
    return sent;
}

static bool end_copy(struct load *l)
{
    if (l->dry)
        return true;
    if (!send_text(l))
        return false;
    l->copying = false;
    return db(l, sync_db_copy_end(&l->run->work, "copying into the stage", NULL));
}

/* A row in COPY's text format; its text is also what line_hash is made of. */
static void put_row(struct load *l, const struct source_row *row)
{
    size_t start = l->text.len;
    char hash[32];

    for (int i = 0; i < SOURCE_COLUMNS; i++) {
        if (row->values[i].p == NULL)
            buf_add(&l->text, "\\N", 2);
        else
            sync_db_copy_escape(&l->text, row->values[i]);
        buf_add_char(&l->text, '\t');
    }
    if (l->text.failed)
        return;
    int n =
        snprintf(hash, sizeof(hash), "%lld\n", (long long)hash_fast(0, l->text.data + start, l->text.len - start));
    buf_add(&l->text, hash, (size_t)n);
}

/* The bad row as a JSON object of its columns, and the line as it was found. */
static void describe_row(struct buf *out, const struct source_row *row)
{
    struct json_writer w;

    json_writer_init(&w, out);
    json_object_begin(&w);
    for (int i = 0; i < SOURCE_COLUMNS; i++)
        if (row->values[i].p != NULL && memchr(row->values[i].p, '\0', row->values[i].len) == NULL)
            json_kv_str(&w, source_columns[i].name, row->values[i]);
    if (row->raw.p != NULL && memchr(row->raw.p, '\0', row->raw.len) == NULL)
        json_kv_str(&w, "raw", row->raw);
    json_object_end(&w);
}

static const char *printable(struct buf *out, struct str s)
{
    buf_reset(out);
    json_escape(out, (struct str){ s.p, s.len < 100 ? s.len : 100 });
    return buf_cstr(out);
}

static bool quarantine(struct load *l, const struct source_row *row, const char *reason)
{
    struct sync_run *run = l->run;
    struct buf json, order, why;
    char run_id[24], line[24];

    run->bad_rows++;
    run->shown->rows_skipped++;
    if (run->bad_rows > run->conf->sync_max_bad_rows)
        return sync_run_fail(
            run, SB_REASON_VALIDATION,
            "more than SYNC_MAX_BAD_ROWS (%lld) bad rows; the first ones are in sync_quarantine, run %lld",
            (long long)run->conf->sync_max_bad_rows, (long long)run->shown->run_id);
    if (l->dry)
        return true;
    buf_init(&json, 131072);
    buf_init(&order, 1024);
    buf_init(&why, 1024);
    describe_row(&json, row);
    buf_add_str(&why, row->file);
    buf_printf(&why, "%s%s", row->file.len > 0 ? ": " : "", reason);
    snprintf(run_id, sizeof(run_id), "%lld", (long long)run->shown->run_id);
    snprintf(line, sizeof(line), "%lld", (long long)row->line_number);
    const char *values[] = { run_id, row->line_number > 0 ? line : NULL,
                             row->values[SOURCE_ORDER_ID].p != NULL ? printable(&order, row->values[SOURCE_ORDER_ID])
                                                                    : NULL,
                             buf_cstr(&why), buf_cstr(&json) };
    bool kept = sync_db_query(&run->books, "writing sync_quarantine",
                              "INSERT INTO sync_quarantine (run_id, line_number, order_id, reason, \"row\")"
                              " VALUES ($1, $2, $3, $4, $5)",
                              values, 5, NULL) == SYNC_DB_OK ||
                sync_run_fail_db(run, &run->books);
    buf_free(&json);
    buf_free(&order);
    buf_free(&why);
    return kept;
}

/* In the second reading only the lines on other days count: the wanted days were read before. */
static bool read_before(const struct load *l, const struct source_row *row)
{
    int32_t day;
    struct str date = row->values[SOURCE_ORDER_DATE];

    if (l->order_count == 0)
        return false;
    if (date.p == NULL || !clock_parse_day((struct str){ date.p, date.len < 10 ? date.len : 10 }, &day))
        return true;
    return source_range_has_day(&l->range, day);
}

static bool take_batch(struct load *l, size_t count)
{
    struct sync_run *run = l->run;

    for (size_t i = 0; i < count; i++) {
        const struct source_row *row = &l->rows[i];
        if (read_before(l, row))
            continue;
        run->shown->rows_read++;
        const char *reason = row->bad != NULL ? row->bad : source_validate(row);
        if (reason != NULL) {
            if (!quarantine(l, row, reason))
                return false;
            continue;
        }
        run->state->shown.rows_written++;
        if (l->dry)
            continue;
        put_row(l, row);
        if (l->text.len > BATCH_BYTES / 2 && !send_text(l))
            return false;
    }
    run->batches++;
    sync_run_progress(run);
    sync_run_report(run, false);
    return true;
}

static bool fail_source(struct load *l, const struct source_error *err)
{
    return sync_run_fail(l->run, err->reason, "%s", err->text);
}

static bool read_range(struct load *l, const struct source_range *range)
{
    struct source_error err = { 0 };
    enum source_status s = l->ops->begin(l->source, range, &err);
    size_t max = (size_t)l->run->conf->sync_batch_rows;

    if (s == SOURCE_OK && l->order_count == 0)
        l->run->state->shown.rows_estimated = l->ops->estimate(l->source);
    while (s == SOURCE_OK) {
        size_t count = 0;
        s = l->ops->next(l->source, l->rows, max, &count, &err);
        if ((s == SOURCE_OK || s == SOURCE_END) && !take_batch(l, count))
            return false;
    }
    if (s == SOURCE_END)
        return true;
    return s == SOURCE_STOPPED ? sync_run_fail(l->run, SB_REASON_ABORTED, "stopped while reading the source")
                               : fail_source(l, &err);
}

/* The orders found on the days read, and those combined_sales has there: ascending ids. */
static bool collect_orders(struct load *l)
{
    char from[CLOCK_DAY_SIZE], to[CLOCK_DAY_SIZE];
    const char *values[] = { l->range.start_day != CLOCK_NO_DAY ? clock_format_day(from, l->range.start_day)
                                                                : "-infinity",
                             l->range.end_day != CLOCK_NO_DAY ? clock_format_day(to, l->range.end_day) : "infinity" };
    PGresult *r;

    if (!db(l, sync_db_query(
                   &l->run->work, "listing the orders read",
                   "SELECT order_id FROM sync_stage UNION SELECT order_id FROM combined_sales"
                   " WHERE order_date >= $1::timestamp AND order_date < $2::timestamp + interval '1 day' ORDER BY 1",
                   values, 2, &r)))
        return false;
    size_t n = (size_t)PQntuples(r);
    l->orders = n <= ORDERS_MAX ? malloc((n + 1) * sizeof(*l->orders)) : NULL;
    for (size_t i = 0; l->orders != NULL && i < n; i++)
        if (str_to_i64(str_from(PQgetvalue(r, (int)i, 0)), &l->orders[l->order_count]))
            l->order_count++;
    PQclear(r);
    if (l->orders == NULL)
        return sync_run_fail(l->run, SB_REASON_MEMORY,
                             "out of memory for the ids of %zu orders; run a full sync instead", n);
    l->others = (struct source_range){ CLOCK_NO_DAY, CLOCK_NO_DAY, l->orders, l->order_count, 0 };
    return true;
}

static bool read_all(struct load *l)
{
    sync_run_phase(l->run, SB_PHASE_READING);
    if ((!l->dry && !make_stage(l)) || !begin_copy(l) || !read_range(l, &l->range) || !end_copy(l))
        return false;
    if (l->dry || l->run->everything)
        return true;
    if (!collect_orders(l))
        return false;
    return l->order_count == 0 || (begin_copy(l) && read_range(l, &l->others) && end_copy(l));
}

static void note(void *arg, const char *text)
{
    struct sync_run *run = arg;

    event_log(EVENT_SYNC_PROGRESS, (struct event_field[]){ event_i64("run_id", run->shown->run_id) }, 1, "%s", text);
}

bool sync_load(struct sync_run *run)
{
    const struct source_env env = { .conf = run->conf, .beat = sync_run_beat, .note = note, .arg = run };
    struct load l = { .run = run, .ops = source_for(run->conf), .dry = run->request.mode == SB_MODE_DRY_RUN };
    struct source_error err = { 0 };

    l.range = (struct source_range){ run->start_day, run->end_day, NULL, 0, run->request.row_limit };
    if (l.ops == NULL)
        return sync_run_fail(run, SB_REASON_SOURCE_CONNECT,
                             "no source is configured: set SYNC_SOURCE or AZURE_SQL_*");
    l.rows = calloc((size_t)run->conf->sync_batch_rows, sizeof(*l.rows));
    buf_init(&l.text, 4 * BATCH_BYTES);
    l.source = l.rows != NULL ? l.ops->open(&env, &err) : NULL;
    bool done = l.source != NULL ? read_all(&l)
                : l.rows == NULL
                    ? sync_run_fail(run, SB_REASON_MEMORY, "out of memory for a batch; lower SYNC_BATCH_ROWS")
                    : fail_source(&l, &err);
    if (l.source != NULL)
        l.ops->close(l.source);
    free(l.rows);
    free(l.orders);
    buf_free(&l.text);
    return done;
}
