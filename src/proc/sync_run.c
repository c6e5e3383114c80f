/*
 * sync_run: the order of a run's steps, its clock, and its books.
 */
#include "proc/sync_run.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "core/events.h"
#include "core/metrics.h"
#include "proc/sync_facts.h"
#include "proc/sync_load.h"
#include "proc/sync_population.h"
#include "proc/sync_publish.h"

#define REPORT_NS (10 * CLOCK_NS_PER_S)
#define PING_NS   (5 * CLOCK_NS_PER_S)

bool sync_run_fail(struct sync_run *run, enum sb_reason reason, const char *fmt, ...)
{
    va_list ap;

    if (run->error.reason != SB_REASON_NONE)
        return false;
    run->error.reason = reason;
    va_start(ap, fmt);
    vsnprintf(run->error.text, sizeof(run->error.text), fmt, ap);
    va_end(ap);
    return false;
}

bool sync_run_fail_db(struct sync_run *run, const struct sync_db *db)
{
    return sync_run_fail(run, db->reason, "%s", db->error);
}

void sync_run_progress(struct sync_run *run)
{
    atomic_store(&run->state->proc->slot->progress_ns, clock_mono_ns());
}

/*
 * While one statement runs long (an index of a large table), the server is asked whether it is really at
 * it: then that counts as progress. A server that hangs does not answer, and the watchdog's clock runs on.
 */
static void ask_server(struct sync_run *run, uint64_t now)
{
    char pid[16];
    const char *values[] = { pid };
    int64_t active = 0;
    struct sb_slot *slot = run->state->proc->slot;

    if (run->work.connection == NULL || now - atomic_load(&slot->progress_ns) < PING_NS ||
        now - run->pinged_ns < PING_NS || run->state->shown.phase < SB_PHASE_MERGING)
        return;
    run->pinged_ns = now;
    snprintf(pid, sizeof(pid), "%d", PQbackendPID(run->work.connection));
    if (sync_db_query_i64(&run->books, "asking for the run's statement",
                          "SELECT 1 FROM pg_stat_activity WHERE pid = $1 AND state = 'active' AND wait_event_type IS "
                          "DISTINCT FROM 'Lock'",
                          values, 1, 0, &active) == SYNC_DB_OK &&
        active == 1)
        sync_run_progress(run);
}

static bool quiet_beat(void *arg)
{
    struct sync_run *run = arg;
    uint64_t now = clock_mono_ns(), progress = atomic_load(&run->state->proc->slot->progress_ns);

    if (!sync_state_beat(run->state))
        return sync_run_fail(run, SB_REASON_ABORTED, "stopped by the operator");
    if (now > run->deadline_ns)
        return sync_run_fail(run, SB_REASON_TIMEOUT, "Sync operation timed out after %lld %s",
                             (long long)(run->limit_s >= 60 ? run->limit_s / 60 : run->limit_s),
                             run->limit_s >= 60 ? "minutes" : "seconds");
    if (now - progress > (uint64_t)run->conf->sync_stall_timeout * CLOCK_NS_PER_S)
        return sync_run_fail(run, SB_REASON_TIMEOUT, "no progress for %lld s while %s",
                             (long long)run->conf->sync_stall_timeout, sb_phase_name(run->state->shown.phase));
    return true;
}

bool sync_run_beat(void *arg)
{
    struct sync_run *run = arg;

    if (!quiet_beat(arg))
        return false;
    ask_server(run, clock_mono_ns());
    return true;
}

void sync_run_phase(struct sync_run *run, enum sb_phase phase)
{
    char id[24];
    const char *values[] = { id, sb_phase_name(phase) };

    run->state->shown.phase = phase;
    sb_text_set(&run->state->proc->slot->doing, "sync run %lld, %s", (long long)run->shown->run_id,
                sb_phase_name(phase));
    sync_run_progress(run);
    sync_state_show(run->state);
    snprintf(id, sizeof(id), "%lld", (long long)run->shown->run_id);
    sync_db_query(&run->books, "keeping the books",
                  "UPDATE sync_runs SET phase = $2, heartbeat_at = now() WHERE run_id = $1", values, 2, NULL);
}

void sync_run_report(struct sync_run *run, bool now)
{
    uint64_t at = clock_mono_ns();
    const struct sb_sync *s = &run->state->shown;
    double percent = s->rows_estimated > 0 ? 100.0 * (double)run->shown->rows_read / (double)s->rows_estimated : 0;

    if (!now && at - run->event_ns < REPORT_NS)
        return;
    run->event_ns = at;
    struct event_field f[] = { event_i64("run_id", run->shown->run_id), event_i64("batch", run->batches),
                               event_i64("rows_read", run->shown->rows_read),
                               event_i64("rows_written", s->rows_written),
                               s->rows_estimated > 0 ? event_f64("percent", percent > 100 ? 100 : percent)
                                                     : event_cstr("percent", NULL) };
    event_log(EVENT_SYNC_PROGRESS, f, 5, "Processing batch...");
}

/* The books of a run that begins: its row gives the run id. */
static bool open_books(struct sync_run *run)
{
    char deadline[32];
    const char *values[] = { sb_mode_name(run->request.mode), sb_trigger_name(run->request.trigger), deadline };
    int64_t id = 0;
    uint64_t left = (run->deadline_ns - clock_mono_ns()) / CLOCK_NS_PER_S;

    snprintf(deadline, sizeof(deadline), "%llu seconds", (unsigned long long)left);
    if (sync_db_query_i64(&run->books, "writing sync_runs",
                          "INSERT INTO sync_runs (mode, status, trigger, phase, heartbeat_at, deadline_at)"
                          " VALUES ($1, 'running', $2, 'connecting', now(), now() + $3::interval) RETURNING run_id",
                          values, 3, 0, &id) != SYNC_DB_OK)
        return sync_run_fail_db(run, &run->books);
    run->shown->run_id = id;
    return true;
}

static void finish_row(struct sync_run *run, struct sync_db *books)
{
    const struct sb_run *r = run->shown;
    char n[8][24];
    const int64_t counts[8] = { r->run_id,       r->rows_read,    r->rows_inserted,    r->rows_updated,
                                r->rows_deleted, r->rows_skipped, r->customers_scored, r->data_version };
    const char *values[11];

    for (int i = 0; i < 8; i++) {
        snprintf(n[i], sizeof(n[i]), "%lld", (long long)counts[i]);
        values[i] = n[i];
    }
    if (r->data_version == 0)
        values[7] = NULL;
    values[8] = sb_run_status_name(r->status);
    values[9] = r->error[0] != '\0' ? r->error : NULL;
    values[10] = sb_reason_name(r->reason);
    sync_db_query(
        books, "closing sync_runs",
        "UPDATE sync_runs SET rows_read = $2, rows_inserted = $3, rows_updated = $4, rows_deleted = $5,"
        " rows_skipped = $6, customers_scored = $7, data_version = $8, status = $9, error = $10, error_code = $11,"
        " finished_at = now(), duration_seconds = extract(epoch FROM now() - started_at), heartbeat_at = now(),"
        " watermark = (SELECT watermark FROM sync_state) WHERE run_id = $1",
        values, 11, NULL);
}

/* Beats on whatever was asked, but not for ever. */
static bool graceful_beat(void *arg)
{
    struct sync_run *run = arg;

    sync_state_beat(run->state);
    return clock_mono_ns() < run->grace_ns;
}

/* Also after a stop or a lost connection the books are closed, on a fresh connection if need be, within five seconds.
 */
static void close_books(struct sync_run *run)
{
    run->grace_ns = clock_mono_ns() + 5 * CLOCK_NS_PER_S;
    if (run->shown->run_id == 0)
        return;
    run->books.beat = graceful_beat;
    if (run->books.connection == NULL || PQstatus(run->books.connection) != CONNECTION_OK ||
        PQtransactionStatus(run->books.connection) != PQTRANS_IDLE) {
        sync_db_close(&run->books);
        sync_db_open(&run->books, run->conf->database_url, 3, graceful_beat, run);
    }
    if (run->books.connection != NULL)
        finish_row(run, &run->books);
}

static bool table_is_empty(struct sync_run *run)
{
    int64_t any = 0;

    return sync_db_query_i64(&run->work, "looking at combined_sales", "SELECT 1 FROM combined_sales LIMIT 1", NULL, 0,
                             0, &any) == SYNC_DB_OK &&
           any == 0;
}

/* What of the source to read: all of it, the days asked for, or the overlap before the watermark and later. */
static bool choose_range(struct sync_run *run)
{
    const struct sb_mail_request *q = &run->request;
    int64_t watermark = 0;

    run->start_day = q->start_day;
    run->end_day = q->end_day;
    bool ranged = q->start_day != CLOCK_NO_DAY || q->end_day != CLOCK_NO_DAY;
    run->everything = q->mode == SB_MODE_FULL || (!ranged && table_is_empty(run));
    run->full_stage = run->everything && q->mode != SB_MODE_DRY_RUN;
    if (run->everything || ranged || q->mode == SB_MODE_DRY_RUN)
        return true;
    if (sync_db_query_i64(&run->work, "reading the watermark",
                          "SELECT watermark::date - date '1970-01-01' FROM sync_state", NULL, 0, CLOCK_NO_DAY,
                          &watermark) != SYNC_DB_OK)
        return sync_run_fail_db(run, &run->work);
    run->start_day = watermark == CLOCK_NO_DAY ? CLOCK_NO_DAY : (int32_t)(watermark - run->conf->sync_overlap_days);
    return true;
}

static void set_deadline(struct sync_run *run)
{
    int64_t seconds = run->everything ? run->conf->sync_full_timeout : run->conf->sync_timeout;

    run->limit_s = seconds;
    run->deadline_ns = clock_mono_ns() + (uint64_t)seconds * CLOCK_NS_PER_S;
    run->state->shown.deadline_us = clock_wall_us() + seconds * CLOCK_US_PER_S;
    atomic_store(&run->state->proc->slot->deadline_ns, run->deadline_ns);
}

/* Facts, then the population; both also repair what an earlier run left undone. */
static bool score(struct sync_run *run)
{
    struct sync_facts_result facts;
    int64_t version = 0, newest = 0;
    bool on_disk = false;

    sync_run_phase(run, SB_PHASE_SCORING);
    if (sync_facts_refresh(&run->work, run->conf, conf_as_of_day(run->conf), run->shown->run_id, &facts) !=
        SYNC_DB_OK)
        return sync_run_fail_db(run, &run->work);
    run->shown->customers_scored = facts.customers;
    sync_run_phase(run, SB_PHASE_PUBLISHING);
    if (sync_population_current(&run->work, run->conf, &newest, &on_disk) != SYNC_DB_OK)
        return sync_run_fail_db(run, &run->work);
    if (!on_disk &&
        sync_population_publish(&run->work, run->conf, run->state->proc->sb, clock_wall_us(), &version) != SYNC_DB_OK)
        return sync_run_fail_db(run, &run->work);
    run->shown->data_version = newest;
    return true;
}

static bool clean_up(struct sync_run *run)
{
    char days[24];
    const char *values[] = { days };
    static const char *const statements[] = {
        "DELETE FROM sync_quarantine WHERE created_at < now() - make_interval(days => $1::int)",
        "DELETE FROM sync_runs WHERE started_at < now() - make_interval(days => $1::int)",
        "DELETE FROM model_runs WHERE trained_at < now() - make_interval(days => $1::int)",
        ("DELETE FROM data_versions WHERE published_at < now() - make_interval(days => $1::int)"
         " AND data_version < (SELECT max(data_version) FROM data_versions)"),
        "DELETE FROM segment_history WHERE day < current_date - $1::int",
    };

    snprintf(days, sizeof(days), "%lld", (long long)run->conf->retention_days);
    for (size_t i = 0; i < sizeof(statements) / sizeof(statements[0]); i++)
        if (sync_db_query(&run->books, "removing old rows", statements[i], values, 1, NULL) != SYNC_DB_OK)
            return sync_run_fail_db(run, &run->books);
    return true;
}

static bool steps(struct sync_run *run)
{
    if (!sync_load(run))
        return false;
    if (run->request.mode == SB_MODE_DRY_RUN)
        return true;
    return sync_publish(run) && score(run) &&
           (sync_state_load_table(run->state, &run->work) == SYNC_DB_OK || sync_run_fail_db(run, &run->work)) &&
           clean_up(run);
}

static void log_started(const struct sync_run *run)
{
    struct event_field f[] = { event_i64("run_id", run->shown->run_id),
                               event_cstr("mode", sb_mode_name(run->shown->mode)),
                               event_cstr("trigger", sb_trigger_name(run->shown->trigger)) };

    event_log(EVENT_SYNC_STARTED, f, 3, "Sync started...");
}

static void log_ended(const struct sync_run *run)
{
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
        event_i64("customers_scored", r->customers_scored),
        event_i64("data_version", r->data_version),
        event_cstr("error", good ? NULL : r->error),
    };
    const char *cause = r->reason == SB_REASON_SOURCE_CONNECT ? " Error connecting to Azure SQL:" : "";

    if (good)
        event_log(EVENT_SYNC_COMPLETED, f, 16, "✅ Sync completed");
    else
        event_log(EVENT_SYNC_FAILED, f, 16, "❌ Sync failed:%s %s", cause, r->error);
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

static void conclude(struct sync_run *run, bool good)
{
    struct sb_run *r = run->shown;

    if (!good)
        sync_run_fail(run, SB_REASON_DATABASE, "the run ended without an error of its own");
    r->reason = good ? SB_REASON_NONE : run->error.reason;
    r->status = good                             ? SB_RUN_SUCCESS
                : r->reason == SB_REASON_TIMEOUT ? SB_RUN_TIMEOUT
                : r->reason == SB_REASON_ABORTED ? SB_RUN_ABORTED
                                                 : SB_RUN_FAILED;
    if (!good && !run->changed)
        r->rows_inserted = r->rows_updated = r->rows_deleted = 0;
    str_copy(r->error, sizeof(r->error), str_from(good ? "" : run->error.text));
    r->finished_us = clock_wall_us();
    sync_db_close(&run->work); /* rolls back what is open and gives the lock back */
    close_books(run);
    sync_db_close(&run->books);
    log_ended(run);
    count_run(run);
}

/* Both connections, and the lock. */
static enum sb_mail_answer prepare(struct sync_run *run)
{
    const char *url = run->conf->database_url;
    int timeout_s = (int)run->conf->db_connect_timeout;
    int64_t locked = 0;

    if (sync_db_open(&run->work, url, timeout_s, sync_run_beat, run) != SYNC_DB_OK ||
        sync_db_open(&run->books, url, timeout_s, quiet_beat, run) != SYNC_DB_OK ||
        sync_db_query_i64(&run->work, "asking for the sync lock", "SELECT pg_try_advisory_lock(" SYNC_LOCK ")::int",
                          NULL, 0, 0, &locked) != SYNC_DB_OK)
        return SB_ANSWER_DATABASE_DOWN;
    if (!locked) {
        event_log(EVENT_SYNC_SKIPPED, (struct event_field[]){ event_cstr("mode", sb_mode_name(run->request.mode)) },
                  1, "another sync is already running");
        return SB_ANSWER_ALREADY_RUNNING;
    }
    if (!choose_range(run))
        return SB_ANSWER_DATABASE_DOWN;
    set_deadline(run);
    return open_books(run) ? SB_ANSWER_STARTED : SB_ANSWER_DATABASE_DOWN;
}

static void begin_showing(struct sync_run *run)
{
    struct sb_sync *shown = &run->state->shown;

    shown->run = (struct sb_run){ .mode = run->request.mode,
                                  .status = SB_RUN_RUNNING,
                                  .trigger = run->request.trigger,
                                  .started_us = clock_wall_us() };
    shown->rows_written = 0;
    shown->rows_estimated = -1;
    shown->phase = SB_PHASE_CONNECTING;
    run->shown = &shown->run;
}

static int64_t running_elsewhere(struct sync_run *run)
{
    int64_t id = 0;

    if (run->books.connection != NULL)
        sync_db_query_i64(&run->books, "reading sync_runs",
                          "SELECT max(run_id) FROM sync_runs WHERE status = 'running'", NULL, 0, 0, &id);
    return id;
}

static void end_watch(struct sync_state *state)
{
    struct sb_slot *slot = state->proc->slot;

    atomic_store(&slot->progress_ns, 0);
    atomic_store(&slot->deadline_ns, 0);
    sb_text_set(&slot->doing, "waiting");
}

enum sb_mail_answer sync_run_execute(struct sync_state *state, const struct sb_mail_request *request, bool by_mail)
{
    struct sync_run run = { .state = state, .conf = state->proc->conf, .request = *request };
    struct sb_run before = state->shown.run;

    begin_showing(&run);
    run.event_ns = clock_mono_ns();
    run.deadline_ns = run.event_ns + 60 * CLOCK_NS_PER_S; /* until the real one is known */
    sync_run_progress(&run);
    enum sb_mail_answer answer = prepare(&run);
    if (by_mail)
        scoreboard_mail_answer(state->proc->sb, answer,
                               answer == SB_ANSWER_ALREADY_RUNNING ? running_elsewhere(&run) : run.shown->run_id);
    if (answer == SB_ANSWER_STARTED) {
        state->shown.running = 1;
        log_started(&run);
        conclude(&run, steps(&run));
        state->shown.running = 0;
        sync_state_record(state, run.shown);
    } else {
        sync_db_close(&run.work);
        sync_db_close(&run.books);
        state->shown.run = before;
    }
    end_watch(state);
    sync_state_show(state);
    return answer;
}
