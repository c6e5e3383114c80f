/*
 * sync_report: see the header. The words that operators grep for are the contract's.
 */
#include "proc/sync_report.h"

#include <stdio.h>

#include "base/clock.h"
#include "core/events.h"
#include "core/metrics.h"

#define REPORT_NS (10 * CLOCK_NS_PER_S)
#define FIELDS(f) (sizeof(f) / sizeof((f)[0]))

void sync_report_started(const struct sync_run *run)
{
    struct event_field f[] = { event_i64("run_id", run->shown->run_id),
                               event_cstr("mode", sb_mode_name(run->shown->mode)),
                               event_cstr("trigger", sb_trigger_name(run->shown->trigger)) };

    event_log(EVENT_SYNC_STARTED, f, 3, "Sync started...");
}

void sync_report_progress(struct sync_run *run, bool now)
{
    uint64_t at = clock_mono_ns();
    const struct sb_sync *s = &run->state->shown;
    double percent = s->rows_estimated > 0 ? 100.0 * (double)run->shown->rows_read / (double)s->rows_estimated : 0;

    if (!now && at < run->reported_ns + REPORT_NS)
        return;
    run->reported_ns = at;
    struct event_field f[] = { event_i64("run_id", run->shown->run_id), event_i64("batch", run->batches),
                               event_i64("rows_read", run->shown->rows_read),
                               event_i64("rows_written", s->rows_written),
                               s->rows_estimated > 0 ? event_f64("percent", percent > 100 ? 100 : percent)
                                                     : event_cstr("percent", NULL) };
    event_log(EVENT_SYNC_PROGRESS, f, 5, "Processing batch...");
}

static double seconds(uint64_t ns)
{
    return (double)ns / 1e9;
}

static void log_ended(const struct sync_run *run)
{
    const uint64_t *spent = run->phase_ns;
    const struct sb_run *r = run->shown;
    bool good = r->status == SB_RUN_SUCCESS;
    struct event_field f[] = {
        event_i64("run_id", r->run_id),
        event_cstr("mode", sb_mode_name(r->mode)),
        event_cstr("status", sb_run_status_name(r->status)),
        event_cstr("trigger", sb_trigger_name(r->trigger)),
        event_cstr("reason", sb_reason_name(r->reason)),
        event_cstr("phase", sb_phase_name(run->state->shown.phase)),
        event_f64("duration_seconds", (double)(r->finished_us - r->started_us) / 1e6),
        event_i64("rows_read", r->rows_read),
        event_i64("rows_inserted", r->rows_inserted),
        event_i64("rows_updated", r->rows_updated),
        event_i64("rows_deleted", r->rows_deleted),
        event_i64("rows_skipped", r->rows_skipped),
        event_i64("guest_rows", run->state->shown.guest_rows),
        event_i64("days_compared", run->audit.compared),
        event_i64("days_differing", (int64_t)run->audit.count),
        event_i64("days_unsettled", run->audit.unsettled),
        event_f64("audit_seconds", seconds(spent[SB_PHASE_READING])),
        event_f64("fetch_seconds", seconds(run->fetch_ns)),
        event_f64("copy_seconds", seconds(spent[SB_PHASE_LOADING] - run->fetch_ns)),
        event_f64("merge_seconds", seconds(spent[SB_PHASE_MERGING])),
        event_f64("score_seconds", seconds(spent[SB_PHASE_SCORING])),
        event_f64("publish_seconds", seconds(spent[SB_PHASE_PUBLISHING])),
        event_i64("customers_scored", r->customers_scored),
        event_i64("data_version", r->data_version),
        event_cstr("error", good ? NULL : r->error),
    };
    bool no_source = r->reason == SB_REASON_SOURCE_CONNECT || r->reason == SB_REASON_SOURCE_AUTH;
    const char *cause = no_source ? " Error connecting to Azure SQL:" : "";

    if (good)
        event_log(EVENT_SYNC_COMPLETED, f, FIELDS(f), "✅ Sync completed");
    else
        event_log(EVENT_SYNC_FAILED, f, FIELDS(f), "❌ Sync failed:%s %s", cause, r->error);
}

static void count_run(const struct sync_run *run)
{
    const struct sb_run *r = run->shown;

    metrics_add(METRIC_SYNC_RUNS, r->mode, r->status, 0, 1);
    metrics_add(METRIC_SYNC_ROWS, METRIC_SYNC_READ, 0, 0, (uint64_t)r->rows_read);
    metrics_add(METRIC_SYNC_ROWS, METRIC_SYNC_INSERTED, 0, 0, (uint64_t)r->rows_inserted);
    metrics_add(METRIC_SYNC_ROWS, METRIC_SYNC_UPDATED, 0, 0, (uint64_t)r->rows_updated);
    metrics_add(METRIC_SYNC_ROWS, METRIC_SYNC_DELETED, 0, 0, (uint64_t)r->rows_deleted);
    metrics_add(METRIC_SYNC_ROWS, METRIC_SYNC_SKIPPED, 0, 0, (uint64_t)r->rows_skipped);
}

void sync_report_ended(const struct sync_run *run)
{
    log_ended(run);
    count_run(run);
}

/* "run 12 (full), started 2025-11-03T08:14:02Z by 10.0.0.5" */
static void describe_rival(struct sync_run *run, char *dst, size_t size)
{
    char started[CLOCK_TIME_SIZE];
    const struct sb_run *r = run->shown;
    PGresult *holder = NULL;

    if (run->books.connection == NULL ||
        sync_db_query(&run->books, "asking for the holder of the sync lock",
                      "SELECT coalesce(host(a.client_addr), 'a process on the database''s host') FROM pg_locks l"
                      " JOIN pg_stat_activity a USING (pid) WHERE l.locktype = 'advisory' AND l.granted"
                      " AND l.objid = " SYNC_LOCK " AND a.datname = current_database()",
                      NULL, 0, &holder) != SYNC_DB_OK)
        holder = NULL;
    const char *who = holder != NULL && PQntuples(holder) > 0 ? PQgetvalue(holder, 0, 0) : "somebody";
    if (r->run_id != 0)
        snprintf(dst, size, "run %lld (%s), started %s by %s", (long long)r->run_id, sb_mode_name(r->mode),
                 clock_format_seconds(started, r->started_us), who);
    else
        snprintf(dst, size, "%s holds the sync lock", who);
    PQclear(holder);
}

void sync_report_not_started(struct sync_run *run, enum sb_mail_answer answer)
{
    struct event_field f[] = { event_cstr("mode", sb_mode_name(run->request.mode)),
                               event_cstr("trigger", sb_trigger_name(run->request.trigger)),
                               event_cstr("error", run->error.text) };
    bool told = run->state->database_down;
    char rival[128];

    run->state->database_down = answer == SB_ANSWER_DATABASE_DOWN;
    if (answer == SB_ANSWER_ALREADY_RUNNING) {
        describe_rival(run, rival, sizeof(rival));
        event_log(EVENT_SYNC_SKIPPED, f, 2, "another sync is already running: %s", rival);
    } else if (answer == SB_ANSWER_REFUSED) {
        event_log(EVENT_SYNC_SKIPPED, f, 2, "no run: %s", run->error.text);
    } else if (answer == SB_ANSWER_DATABASE_DOWN && !told) {
        event_log(EVENT_DB_CONNECTION_FAILED, f, 3, "Database connection failed: the sync can't start");
    }
}
