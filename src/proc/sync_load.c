/*
 * sync_load: batches of the source become rows of COPY, one COPY a reading.
 *
 * An order is replaced as a whole, so a partial run reads twice: first the
 * lines of the days wanted, then the lines on other days of the orders it found (and of the
 * orders that combined_sales has on those days). Memory: one batch, and the ids of the orders of a partial run.
 */
#include "proc/sync_load.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/clock.h"
#include "core/events.h"
#include "core/json.h"
#include "data/sync_sample.h"
#include "proc/sync_audit.h"
#include "proc/sync_books.h"
#include "proc/sync_report.h"
#include "proc/sync_row.h"

#define BATCH_BYTES 262144
#define ORDERS_MAX  4000000

struct load {
    struct sync_run *run;
    const struct source_ops *ops;
    struct source *source;
    struct source_row *rows;
    size_t batch_rows;
    struct buf data, scratch; /* rows not yet sent, and what making one needs */
    struct source_range range, others;
    int32_t *days; /* of the range, before its window */
    int64_t *orders;
    size_t order_count, order_room;
    bool dry, second;  /* second: reading the lines of `others` */
    struct buf sample; /* of a dry run: JSON of its first good rows */
    struct json_writer sample_json;
    uint64_t sampled;
};

const char *sync_load_stage(const struct sync_run *run)
{
    return run->full_stage ? "combined_sales_next" : "sync_stage";
}

static bool db(struct load *l, enum sync_db_status s)
{
    return s == SYNC_DB_OK || sync_run_fail_db(l->run, &l->run->work);
}

static bool make_stage(struct load *l)
{
    struct sync_run *run = l->run;
    const char *sql = run->full_stage
                          ? "DROP TABLE IF EXISTS combined_sales_next;"
                            "CREATE TABLE combined_sales_next (LIKE combined_sales INCLUDING DEFAULTS INCLUDING"
                            " COMMENTS INCLUDING STORAGE)"
                          : "CREATE TEMP TABLE sync_stage (LIKE combined_sales INCLUDING DEFAULTS) ON COMMIT DROP;"
                            "ALTER TABLE sync_stage ALTER id DROP DEFAULT, ALTER id DROP NOT NULL;"
                            "CREATE TEMP TABLE sync_day (day date PRIMARY KEY) ON COMMIT DROP";

    return db(l, sync_db_exec(&run->work, "starting the run's transaction",
                              "BEGIN; SET LOCAL maintenance_work_mem = '128MB'")) &&
           db(l, sync_db_exec(&run->work, "making the stage", sql));
}

/* The days the audit found: part of the range, and in sync_day for what combined_sales has on them. */
static bool add_days(struct load *l)
{
    const struct sync_audit *audit = &l->run->audit;
    static const char what[] = "noting the days to read again";
    char day[CLOCK_DAY_SIZE + 1];

    if (audit->count == 0)
        return true;
    l->days = calloc(audit->count, sizeof(*l->days));
    if (l->days == NULL)
        return sync_run_fail(l->run, SB_REASON_MEMORY, "out of memory for the days to read again");
    if (!db(l, sync_db_copy_begin(&l->run->work, what, "COPY sync_day FROM STDIN")))
        return false;
    for (size_t i = 0; i < audit->count; i++) {
        l->days[i] = audit->days[i].day;
        clock_format_day(day, l->days[i]);
        day[CLOCK_DAY_SIZE - 1] = '\n';
        if (!db(l, sync_db_copy_put(&l->run->work, what, day, CLOCK_DAY_SIZE)))
            return false;
    }
    l->range.days = l->days;
    l->range.day_count = audit->count;
    return db(l, sync_db_copy_end(&l->run->work, what, NULL));
}

static bool begin_copy(struct load *l)
{
    char sql[1200];

    if (l->dry)
        return true;
    snprintf(sql, sizeof(sql), "COPY %s (%s) FROM STDIN (FORMAT binary%s)", sync_load_stage(l->run),
             sync_row_columns(), l->run->full_stage ? ", FREEZE" : "");
    sync_row_begin(&l->data);
    return db(l, sync_db_copy_begin(&l->run->work, "copying into the stage", sql));
}

static bool send_data(struct load *l)
{
    static const char what[] = "copying into the stage";

    if (l->data.failed)
        return sync_run_fail(l->run, SB_REASON_MEMORY, "out of memory while %s; a smaller SYNC_BATCH_ROWS needs less",
                             what);
    if (l->data.len == 0)
        return true;
    bool sent = db(l, sync_db_copy_put(&l->run->work, what, l->data.data, l->data.len));
    buf_reset(&l->data);
    return sent;
}

static bool end_copy(struct load *l)
{
    if (l->dry)
        return true;
    sync_row_end(&l->data);
    return send_data(l) && db(l, sync_db_copy_end(&l->run->work, "copying into the stage", NULL));
}

/* Where a bad row was found: "in sales.csv, line 7", or "in order 7" of a source without lines. */
static void say_where(char *dst, size_t size, const struct source_row *row)
{
    struct str order_id = row->values[SOURCE_ORDER_ID];
    const char *join = row->file.len > 0 ? ", " : "";

    if (row->line_number > 0)
        snprintf(dst, size, "%s%.*s%sline %lld", row->file.len > 0 ? "in " : "", (int)row->file.len,
                 row->file.len > 0 ? row->file.p : "", join, (long long)row->line_number);
    else
        snprintf(dst, size, "in order %.*s", order_id.len > 0 ? (int)order_id.len : 6,
                 order_id.len > 0 ? order_id.p : "(none)");
}

static bool refuse_row(struct load *l, const struct source_row *row, const char *reason)
{
    struct sync_run *run = l->run;
    char where[160];

    run->shown->rows_skipped++;
    if (run->shown->rows_skipped > run->conf->sync_max_bad_rows) {
        say_where(where, sizeof(where), row);
        return sync_run_fail(
            run, SB_REASON_VALIDATION, "more than SYNC_MAX_BAD_ROWS (%lld) bad rows, the last one %s: %s%s",
            (long long)run->conf->sync_max_bad_rows, where, reason, l->dry ? "" : "; see sync_quarantine");
    }
    return l->dry || sync_books_quarantine(run, row, reason);
}

static void take_sample(struct load *l, const struct source_row *row)
{
    if (l->dry && l->sampled++ < SYNC_SAMPLE_ROWS)
        sync_row_put_json(&l->sample_json, row);
}

static void write_sample(struct load *l)
{
    json_array_end(&l->sample_json);
    if (!l->sample.failed)
        sync_sample_write(l->run->conf->run_dir, l->run->shown->run_id, buf_str(&l->sample));
}

/* In the second reading only the lines on other days count: the wanted days were read before. */
static bool read_before(const struct load *l, const struct source_row *row)
{
    int32_t day;

    return l->second && (!source_day(row->values[SOURCE_ORDER_DATE], &day) || source_range_has_day(&l->range, day));
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
            if (!refuse_row(l, row, reason))
                return false;
            continue;
        }
        take_sample(l, row);
        if (l->dry)
            continue;
        run->state->shown.rows_written++;
        sync_row_put(&l->data, &l->scratch, row);
        if (l->data.len > BATCH_BYTES / 2 && !send_data(l))
            return false;
    }
    run->batches++;
    sync_run_progress(run);
    sync_state_show(run->state); /* the rows so far, for whoever has to tell how we ended */
    sync_report_progress(run, false);
    return true;
}

static bool read_range(struct load *l, const struct source_range *range)
{
    struct source_error err = { 0 };
    enum source_status s = l->ops->begin(l->source, range, &err);

    while (s == SOURCE_OK) {
        size_t count = 0;
        uint64_t asked_ns = clock_mono_ns();
        s = l->ops->next(l->source, l->rows, l->batch_rows, &count, &err);
        l->run->fetch_ns += clock_mono_ns() - asked_ns;
        if (s == SOURCE_OK && !l->second)
            l->run->state->shown.rows_estimated = l->ops->estimate(l->source);
        if ((s == SOURCE_OK || s == SOURCE_END) && !take_batch(l, count))
            return false;
    }
    return s == SOURCE_END || sync_run_fail_source(l->run, s, &err);
}

static bool add_order(const char *row, size_t n, void *arg)
{
    struct load *l = arg;

    if (l->order_count == l->order_room) {
        size_t room = l->order_room > 0 ? l->order_room * 2 : 4096;
        int64_t *grown = room <= ORDERS_MAX ? realloc(l->orders, room * sizeof(*grown)) : NULL;
        if (grown == NULL)
            return sync_run_fail(l->run, SB_REASON_MEMORY,
                                 "out of memory for the ids of more than %zu orders; run a full sync instead",
                                 l->order_count);
        l->orders = grown;
        l->order_room = room;
    }
    return str_to_i64((struct str){ row, n > 0 && row[n - 1] == '\n' ? n - 1 : n }, &l->orders[l->order_count++]) ||
           sync_run_fail(l->run, SB_REASON_DATABASE, "combined_sales: an order_id is no number");
}

/* sync_scope: the orders found on the days read, and those combined_sales has there. */
static bool make_scope(struct load *l)
{
    char from[CLOCK_DAY_SIZE] = "-infinity", to[CLOCK_DAY_SIZE] = "infinity", sql[640];

    if (l->range.start_day != CLOCK_NO_DAY)
        clock_format_day(from, l->range.start_day);
    if (l->range.end_day != CLOCK_NO_DAY)
        clock_format_day(to, l->range.end_day);
    snprintf(sql, sizeof(sql),
             "ANALYZE sync_day; CREATE TEMP TABLE sync_scope ON COMMIT DROP AS"
             " SELECT order_id FROM sync_stage UNION SELECT order_id FROM combined_sales"
             " WHERE order_date >= timestamp '%s' AND order_date < timestamp '%s' + interval '1 day'"
             " UNION SELECT order_id FROM " SYNC_LOAD_DAY_LINES "; ANALYZE sync_scope",
             from, to);
    return db(l, sync_db_exec(&l->run->work, "collecting the orders read", sql));
}

/* Their ids, ascending. */
static bool list_orders(struct load *l)
{
    if (!db(l, sync_db_copy_out(&l->run->work, "listing the orders read",
                                "COPY (SELECT order_id FROM sync_scope ORDER BY 1) TO STDOUT", add_order, l)))
        return false;
    l->others = (struct source_range){
        .start_day = CLOCK_NO_DAY, .end_day = CLOCK_NO_DAY, .orders = l->orders, .order_count = l->order_count
    };
    return true;
}

/* True when no line can lie outside the days read. */
static bool reads_all_days(const struct load *l)
{
    return l->range.start_day == CLOCK_NO_DAY && l->range.end_day == CLOCK_NO_DAY;
}

static bool read_all(struct load *l)
{
    sync_run_phase(l->run, SB_PHASE_READING);
    if (l->run->audited && !sync_audit_compare(l->run, l->source))
        return false;
    sync_run_phase(l->run, SB_PHASE_LOADING);
    if (l->dry)
        return read_range(l, &l->range);
    if (!make_stage(l) || !add_days(l) || !begin_copy(l) || !read_range(l, &l->range) || !end_copy(l))
        return false;
    if (reads_all_days(l))
        return true;
    if (!make_scope(l) || !list_orders(l))
        return false;
    l->second = true;
    return l->order_count == 0 || (begin_copy(l) && read_range(l, &l->others) && end_copy(l));
}

static void note(void *arg, const char *text)
{
    struct sync_run *run = arg;

    event_log_at(LOG_LEVEL_WARNING, EVENT_SYNC_PROGRESS,
                 (struct event_field[]){ event_i64("run_id", run->shown->run_id) }, 1, "%s", text);
}

static void progress(void *arg)
{
    sync_run_progress(arg);
}

static bool open_source(struct load *l)
{
    const struct source_env env = { .conf = l->run->conf,
                                    .beat = sync_run_beat,
                                    .note = note,
                                    .progress = progress,
                                    .arg = l->run,
                                    .deadline_ns = l->run->deadline_ns };
    struct source_error err = { 0 };

    l->ops = source_for(l->run->conf);
    if (l->ops == NULL)
        return sync_run_fail(l->run, SB_REASON_SOURCE_CONNECT,
                             "no source is configured: set SYNC_SOURCE or AZURE_SQL_*");
    l->batch_rows = sync_run_batch_rows(l->run);
    l->rows = calloc(l->batch_rows, sizeof(*l->rows));
    if (l->rows == NULL)
        return sync_run_fail(l->run, SB_REASON_MEMORY, "out of memory for a batch; lower SYNC_BATCH_ROWS");
    l->source = l->ops->open(&env, &err);
    return l->source != NULL || sync_run_fail(l->run, err.reason, "%s", err.text);
}

bool sync_load(struct sync_run *run)
{
    struct load l = { .run = run, .dry = run->request.mode == SB_MODE_DRY_RUN };

    l.range = (struct source_range){ .start_day = run->start_day,
                                     .end_day = run->end_day,
                                     .row_limit = run->request.row_limit };
    buf_init(&l.data, 4 * BATCH_BYTES);
    buf_init(&l.scratch, 4 * BATCH_BYTES);
    buf_init(&l.sample, SYNC_SAMPLE_MAX_BYTES);
    json_writer_init(&l.sample_json, &l.sample);
    json_array_begin(&l.sample_json);
    bool done = open_source(&l) && read_all(&l);
    if (done && l.dry)
        write_sample(&l);
    if (l.source != NULL)
        l.ops->close(l.source);
    free(l.rows);
    free(l.days);
    free(l.orders);
    buf_free(&l.data);
    buf_free(&l.scratch);
    buf_free(&l.sample);
    return done;
}
