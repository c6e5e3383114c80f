#include "proc/sync_books.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/str.h"
#include "core/events.h"
#include "core/json.h"
#include "core/sys.h"

#define CLOSE_NS       (5 * CLOCK_NS_PER_S)
#define NUMBER_SIZE    24
#define ROW_JSON_BYTES (1U << 20) /* 64 KiB of a line, escaped */
#define ORDER_ID_BYTES 100
#define SILENT_S       "30" /* a run under way beats every ten seconds */

static const char *number(char dst[NUMBER_SIZE], int64_t v)
{
    snprintf(dst, NUMBER_SIZE, "%lld", (long long)v);
    return dst;
}

bool sync_books_open(struct sync_run *run)
{
    char seconds[NUMBER_SIZE], kills[NUMBER_SIZE];
    int64_t oom_kills = sys_oom_kill_count();
    const char *values[] = { sb_mode_name(run->request.mode), sb_trigger_name(run->request.trigger),
                             number(seconds, run->limit_s), oom_kills >= 0 ? number(kills, oom_kills) : NULL };
    int64_t id = 0;

    if (sync_db_query_i64(&run->books, "writing sync_runs",
                          "INSERT INTO sync_runs (mode, status, trigger, phase, heartbeat_at, deadline_at, oom_kills)"
                          " VALUES ($1, 'running', $2, 'connecting', now(), now() + make_interval(secs => $3::int),"
                          " $4::bigint) RETURNING run_id",
                          values, 4, 0, &id) != SYNC_DB_OK)
        return sync_run_fail_db(run, &run->books);
    run->shown->run_id = id;
    return true;
}

void sync_books_beat(struct sync_run *run)
{
    char n[6][NUMBER_SIZE];
    const char *values[] = { number(n[0], run->shown->run_id),    sb_phase_name(run->state->shown.phase),
                             number(n[1], run->shown->rows_read), number(n[2], run->shown->rows_skipped),
                             number(n[3], run->audit.compared),   number(n[4], (int64_t)run->audit.count),
                             number(n[5], run->audit.unsettled) };

    sync_db_query(&run->books, "keeping the books",
                  "UPDATE sync_runs SET phase = $2, rows_read = $3::bigint, rows_skipped = $4::bigint,"
                  " days_compared = $5::bigint, days_differing = $6::bigint, days_unsettled = $7::bigint,"
                  " heartbeat_at = now() WHERE run_id = $1::bigint",
                  values, 7, NULL);
}

static enum sync_db_status write_outcome(struct sync_db *books, const struct sb_run *r)
{
    char n[9][NUMBER_SIZE];
    const int64_t counts[9] = { r->run_id,           r->rows_read,    r->rows_inserted,
                                r->rows_updated,     r->rows_deleted, r->rows_skipped,
                                r->customers_scored, r->data_version, r->finished_us };
    const char *values[12];

    for (int i = 0; i < 9; i++)
        values[i] = number(n[i], counts[i]);
    if (r->data_version == 0)
        values[7] = NULL;
    values[9] = sb_run_status_name(r->status);
    values[10] = r->error[0] != '\0' ? r->error : NULL;
    values[11] = sb_reason_name(r->reason);
    return sync_db_query(
        books, "closing sync_runs",
        "UPDATE sync_runs SET rows_read = $2::bigint, rows_inserted = $3::bigint, rows_updated = $4::bigint,"
        " rows_deleted = $5::bigint, rows_skipped = $6::bigint, customers_scored = $7::bigint,"
        " data_version = $8::bigint, finished_at = to_timestamp($9::bigint / 1000000.0), status = $10, error = $11,"
        " error_code = $12, duration_seconds = extract(epoch FROM to_timestamp($9::bigint / 1000000.0) - started_at),"
        " heartbeat_at = now(), watermark = (SELECT watermark FROM sync_state) WHERE run_id = $1::bigint"
        " RETURNING pg_notify('patrond_data', '')",
        values, 12, NULL);
}

/* Beats on whatever was asked, but not for ever. */
static bool closing_beat(void *arg)
{
    struct sync_run *run = arg;

    sync_state_beat(run->state);
    return clock_mono_ns() < run->grace_ns;
}

void sync_books_close(struct sync_run *run)
{
    struct sync_db *books = &run->books;

    run->grace_ns = clock_mono_ns() + CLOSE_NS;
    books->beat = closing_beat;
    if (books->connection != NULL && write_outcome(books, run->shown) == SYNC_DB_OK)
        return;
    sync_db_close(books);
    if (sync_db_open(books, run->conf->database_url, (int)run->conf->db_connect_timeout, closing_beat, run) !=
            SYNC_DB_OK ||
        write_outcome(books, run->shown) != SYNC_DB_OK)
        run->state->unbooked = *run->shown;
}

/* The row as a JSON object: its columns as far as they could be read, and the line as it was found. PostgreSQL's
 * jsonb can't hold NUL: it is shown as U+FFFD. */
static void put_text(struct json_writer *w, const char *key, struct str s, struct buf *clean)
{
    if (memchr(s.p, '\0', s.len) == NULL) {
        json_kv_str(w, key, s);
        return;
    }
    buf_reset(clean);
    for (size_t i = 0; i < s.len; i++)
        if (s.p[i] != '\0')
            buf_add_char(clean, s.p[i]);
        else
            buf_add_cstr(clean, "\xef\xbf\xbd");
    json_kv_str(w, key, buf_str(clean));
}

static void describe_row(struct buf *out, const struct source_row *row)
{
    struct buf clean;
    struct json_writer w;

    buf_init(&clean, ROW_JSON_BYTES);
    json_writer_init(&w, out);
    json_object_begin(&w);
    for (int i = 0; i < SOURCE_COLUMNS; i++)
        if (row->values[i].p != NULL)
            put_text(&w, source_columns[i].name, row->values[i], &clean);
    if (row->raw.p != NULL)
        put_text(&w, "raw", row->raw, &clean);
    json_object_end(&w);
    buf_free(&clean);
}

bool sync_books_quarantine(struct sync_run *run, const struct source_row *row, const char *reason)
{
    struct str order = row->values[SOURCE_ORDER_ID];
    struct buf json, id, why;
    char run_id[NUMBER_SIZE], line[NUMBER_SIZE];

    buf_init(&json, ROW_JSON_BYTES);
    buf_init(&id, 1024);
    buf_init(&why, 4096);
    describe_row(&json, row);
    if (order.p != NULL)
        json_escape(&id, (struct str){ order.p, order.len < ORDER_ID_BYTES ? order.len : ORDER_ID_BYTES });
    if (row->file.len > 0) {
        json_escape(&why, row->file);
        buf_add_cstr(&why, ": ");
    }
    buf_add_cstr(&why, reason);
    const char *values[] = { number(run_id, run->shown->run_id),
                             row->line_number > 0 ? number(line, row->line_number) : NULL,
                             order.p != NULL ? buf_cstr(&id) : NULL, buf_cstr(&why), buf_cstr(&json) };
    enum sync_db_status s =
        sync_db_query(&run->books, "writing sync_quarantine",
                      "INSERT INTO sync_quarantine (run_id, line_number, order_id, reason, \"row\")"
                      " VALUES ($1, $2, $3, $4, $5)",
                      values, 5, NULL);
    buf_free(&json);
    buf_free(&id);
    buf_free(&why);
    return s == SYNC_DB_OK || sync_run_fail_db(run, &run->books);
}

bool sync_books_clean(struct sync_run *run)
{
    char days[NUMBER_SIZE];
    const char *values[] = { number(days, run->conf->retention_days) };
    static const char *const statements[] = {
        "DELETE FROM sync_quarantine WHERE created_at < now() - make_interval(days => $1::int)",
        "DELETE FROM sync_runs WHERE started_at < now() - make_interval(days => $1::int) AND status <> 'running'",
        ("DELETE FROM model_runs WHERE trained_at < now() - make_interval(days => $1::int) AND model_version"
         " IS DISTINCT FROM (SELECT model_version FROM data_versions ORDER BY data_version DESC LIMIT 1)"),
        ("DELETE FROM data_versions WHERE published_at < now() - make_interval(days => $1::int)"
         " AND data_version < (SELECT max(data_version) FROM data_versions)"),
        /* the days are as-of days */
        ("DELETE FROM segment_history WHERE day < (SELECT coalesce(facts_as_of, current_date) FROM sync_state)"
         " - $1::int"),
    };

    for (size_t i = 0; i < sizeof(statements) / sizeof(statements[0]); i++)
        if (sync_db_query(&run->books, "removing old rows", statements[i], values, 1, NULL) != SYNC_DB_OK)
            return sync_run_fail_db(run, &run->books);
    return true;
}

enum sync_db_status sync_books_settle(struct sync_state *state, struct sync_db *db)
{
    if (state->unbooked.run_id == 0)
        return SYNC_DB_OK;
    enum sync_db_status s = write_outcome(db, &state->unbooked);
    if (s == SYNC_DB_OK)
        state->unbooked.run_id = 0;
    return s;
}

/* How a run came to its end that could not say so itself. */
struct death {
    enum sb_run_status status;
    enum sb_reason reason;
    const char *words; /* before the phase */
    bool told;         /* in the journal already */
};

static struct death death_of(const struct sync_state *state, int64_t run_id, bool oom)
{
    if (run_id == atomic_load(&state->proc->sb->timed_out_run))
        return (struct death){ SB_RUN_TIMEOUT, SB_REASON_TIMEOUT,
                               "no progress, or past its deadline; the sync process was ended while ", true };
    if (oom)
        return (struct death){ SB_RUN_FAILED, SB_REASON_MEMORY,
                               "out of memory: the kernel ended the sync process while ", false };
    return (struct death){ SB_RUN_FAILED, SB_REASON_DIED, "the sync process died while ", false };
}

/* One entry: run_id, mode, phase, rows_read, and whether the kernel has killed for memory since. */
static enum sync_db_status bury(const struct sync_state *state, struct sync_db *db, char *const entry[5])
{
    int64_t run_id = 0, rows = 0;

    str_to_i64(str_from(entry[0]), &run_id);
    str_to_i64(str_from(entry[3]), &rows);
    struct death d = death_of(state, run_id, entry[4][0] == 't');
    const char *values[] = { entry[0], sb_reason_name(d.reason), d.words, sb_run_status_name(d.status) };
    enum sync_db_status s = sync_db_query(
        db, "closing a run that died",
        "UPDATE sync_runs SET status = $4, error_code = $2, finished_at = now(), error = $3 || phase,"
        " duration_seconds = extract(epoch FROM coalesce(heartbeat_at, now()) - started_at) WHERE run_id = "
        "$1::bigint",
        values, 4, NULL);
    if (s != SYNC_DB_OK || d.told)
        return s;
    struct event_field f[] = { event_i64("run_id", run_id), event_cstr("mode", entry[1]),
                               event_cstr("reason", values[1]), event_cstr("phase", entry[2]),
                               event_i64("rows_read", rows) };
    event_log(EVENT_SYNC_FAILED, f, 5, "❌ Sync failed: %s%s; the next run repeats it", d.words, entry[2]);
    return s;
}

/* `all`: nobody runs for sure. Else those that this machine's process left, and those that beat no more. */
static enum sync_db_status bury_runs(struct sync_state *state, struct sync_db *db, bool all)
{
    char kills[NUMBER_SIZE], orphan[NUMBER_SIZE];
    const char *values[] = { number(kills, sys_oom_kill_count()), all ? "t" : "f",
                             number(orphan, state->orphan_run_id) };
    PGresult *r;
    enum sync_db_status s = sync_books_settle(state, db);

    if (s != SYNC_DB_OK)
        return s;
    s = sync_db_query(db, "looking for runs that died",
                      "SELECT run_id, mode, coalesce(phase, 'connecting'), rows_read,"
                      " coalesce($1::bigint > oom_kills, false) FROM sync_runs WHERE status = 'running' AND"
                      " ($2::boolean OR run_id = $3::bigint OR heartbeat_at < now() - interval '" SILENT_S
                      " seconds') ORDER BY run_id",
                      values, 3, &r);
    if (s != SYNC_DB_OK)
        return s;
    for (int i = 0; i < PQntuples(r) && s == SYNC_DB_OK; i++) {
        char *entry[5];
        for (int c = 0; c < 5; c++)
            entry[c] = PQgetvalue(r, i, c);
        s = bury(state, db, entry);
    }
    PQclear(r);
    return s;
}

enum sync_db_status sync_books_bury(struct sync_state *state, struct sync_db *db)
{
    return bury_runs(state, db, true);
}

enum sync_db_status sync_books_bury_if_free(struct sync_state *state, struct sync_db *db, bool all)
{
    int64_t locked = 0;
    enum sync_db_status s = sync_db_query_i64(db, "asking for the sync lock",
                                              "SELECT pg_try_advisory_lock(" SYNC_LOCK ")::int", NULL, 0, 0, &locked);

    if (s != SYNC_DB_OK || !locked)
        return s;
    s = bury_runs(state, db, all);
    if (s != SYNC_DB_OK)
        return s;
    return sync_db_exec(db, "giving the sync lock back", "SELECT pg_advisory_unlock(" SYNC_LOCK ")");
}
