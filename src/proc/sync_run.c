/*
 * sync_run: the order of a run's steps, its clock, and its books.
 */
#include "proc/sync_run.h"

#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "base/utf8.h"
#include "proc/sync_audit.h"
#include "proc/sync_books.h"
#include "proc/sync_load.h"
#include "proc/sync_population.h"
#include "proc/sync_publish.h"
#include "proc/sync_report.h"
#include "proc/sync_score.h"

#define BOOK_NS      (10 * CLOCK_NS_PER_S)
#define ASK_NS       (5 * CLOCK_NS_PER_S)
#define MASTER_NS    (2 * CLOCK_NS_PER_S) /* the master ends us so much later than we end the run ourselves */
#define LOCK_NS      (3 * CLOCK_NS_PER_S) /* a run that was killed gives its lock back within a second or so */
#define MOST_ROWS    10000                /* of a batch: 6 MB of row descriptions */
#define LEAST_ROWS   500
#define CONNECTING_S 60

bool sync_run_fail(struct sync_run *run, enum sb_reason reason, const char *fmt, ...)
{
    va_list ap;

    if (run->error.reason != SB_REASON_NONE)
        return false;
    run->error.reason = reason;
    va_start(ap, fmt);
    vsnprintf(run->error.text, sizeof(run->error.text), fmt, ap);
    va_end(ap);
    utf8_mend(run->error.text); /* maybe cut within a character; PostgreSQL takes nothing else into the books */
    return false;
}

bool sync_run_fail_source(struct sync_run *run, enum source_status s, const struct source_error *err)
{
    return s == SOURCE_STOPPED ? sync_run_fail(run, SB_REASON_ABORTED, "stopped while reading the source")
                               : sync_run_fail(run, err->reason, "%s", err->text);
}

bool sync_run_fail_db(struct sync_run *run, const struct sync_db *db)
{
    return sync_run_fail(run, db->reason, "%s", db->error);
}

bool sync_run_done(struct sync_run *run, enum sync_db_status s)
{
    if (s != SYNC_DB_OK)
        return sync_run_fail_db(run, &run->work);
    sync_run_progress(run);
    return true;
}

void sync_run_progress(struct sync_run *run)
{
    atomic_store(&run->state->proc->slot->progress_ns, clock_mono_ns());
}

static uint64_t stall_ns(const struct sync_run *run)
{
    return (uint64_t)run->conf->sync_stall_timeout * CLOCK_NS_PER_S;
}

/* Too late, standing still (then the master tells it to stop as well), or told to stop? */
static bool quiet_beat(void *arg)
{
    struct sync_run *run = arg;
    bool go_on = sync_state_beat(run->state);

    uint64_t now = clock_mono_ns(), progress = atomic_load(&run->state->proc->slot->progress_ns);
    bool minutes = run->limit_s >= 60 && run->limit_s % 60 == 0;
    if (now > run->deadline_ns)
        return sync_run_fail(run, SB_REASON_TIMEOUT, "Sync operation timed out after %lld %s",
                             (long long)(minutes ? run->limit_s / 60 : run->limit_s),
                             minutes ? "minutes" : "seconds");
    if (now > progress && now - progress > stall_ns(run) - stall_ns(run) / 10)
        return sync_run_fail(run, SB_REASON_TIMEOUT, "no progress for %lld s while %s",
                             (long long)run->conf->sync_stall_timeout, sb_phase_name(run->state->shown.phase));
    if (!go_on)
        return sync_run_fail(run, SB_REASON_ABORTED, "stopped by the operator");
    return true;
}

/*
 * While one statement runs long (an index of a large table), the server is asked whether it is really at it: then
 * that counts as progress. A server that hangs does not answer, and one that waits for a lock, or for rows that the
 * source does not give, is not at it: the watchdog's clock runs on.
 */
static void ask_server(struct sync_run *run, uint64_t now)
{
    char pid[16];
    const char *values[] = { pid };
    int64_t active = 0;
    uint64_t progress = atomic_load(&run->state->proc->slot->progress_ns);
    uint64_t every = stall_ns(run) / 4 < ASK_NS ? stall_ns(run) / 4 : ASK_NS;

    if (run->work.connection == NULL || run->books.connection == NULL || now < progress + every ||
        now < run->asked_ns + every)
        return;
    run->asked_ns = now;
    snprintf(pid, sizeof(pid), "%d", PQbackendPID(run->work.connection));
    if (sync_db_query_i64(&run->books, "asking for the run's statement",
                          "SELECT 1 FROM pg_stat_activity WHERE pid = $1::int AND state = 'active'"
                          " AND coalesce(wait_event_type, '') NOT IN ('Lock', 'Client')",
                          values, 1, 0, &active) == SYNC_DB_OK &&
        active == 1)
        sync_run_progress(run);
}

bool sync_run_beat(void *arg)
{
    struct sync_run *run = arg;

    if (!quiet_beat(arg))
        return false;
    uint64_t now = clock_mono_ns();
    ask_server(run, now);
    if (now >= run->booked_ns + BOOK_NS && run->shown->run_id != 0) {
        run->booked_ns = now;
        sync_books_beat(run);
        sync_report_progress(run, false);
    }
    return true;
}

bool sync_run_sleep(struct sync_run *run)
{
    poll(NULL, 0, 100);
    return sync_run_beat(run);
}

static void count_time(struct sync_run *run)
{
    uint64_t now = clock_mono_ns();

    run->phase_ns[run->state->shown.phase] += now - run->phase_since_ns;
    run->phase_since_ns = now;
}

void sync_run_phase(struct sync_run *run, enum sb_phase phase)
{
    count_time(run);
    run->state->shown.phase = phase;
    sb_text_set(&run->state->proc->slot->doing, "sync run %lld, %s", (long long)run->shown->run_id,
                sb_phase_name(phase));
    sync_run_progress(run);
    sync_state_show(run->state);
    sync_books_beat(run);
}

size_t sync_run_batch_rows(const struct sync_run *run)
{
    const struct sb_sync *s = &run->state->shown;
    int64_t rows = run->conf->sync_batch_rows < MOST_ROWS ? run->conf->sync_batch_rows : MOST_ROWS;

    for (uint32_t i = 0; i < s->run_count && s->runs[i].reason == SB_REASON_MEMORY && rows / 2 >= LEAST_ROWS; i++)
        rows /= 2;
    return (size_t)rows;
}

/*
 * What of the source to read: all of it, the days asked for, or the overlap before the watermark and later. Without a
 * watermark (no run has read everything yet) or without lines it is all of it.
 */
static bool choose_range(struct sync_run *run)
{
    const struct sb_mail_request *q = &run->request;
    bool ranged = q->start_day != CLOCK_NO_DAY || q->end_day != CLOCK_NO_DAY;
    int64_t watermark = CLOCK_NO_DAY;

    run->start_day = q->start_day;
    run->end_day = q->end_day;
    run->everything = q->mode == SB_MODE_FULL;
    if (!run->everything && !ranged) {
        if (sync_db_query_i64(&run->work, "reading the watermark",
                              "SELECT watermark::date - date '1970-01-01' FROM sync_state"
                              " WHERE EXISTS (SELECT FROM combined_sales)",
                              NULL, 0, CLOCK_NO_DAY, &watermark) != SYNC_DB_OK)
            return sync_run_fail_db(run, &run->work);
        run->everything = watermark == CLOCK_NO_DAY;
        if (!run->everything)
            run->start_day = (int32_t)(watermark - run->conf->sync_overlap_days);
        run->audited = !run->everything && q->mode == SB_MODE_INCREMENTAL;
    }
    run->full_stage = run->everything;
    return true;
}

static void set_deadline(struct sync_run *run)
{
    run->limit_s = run->everything ? run->conf->sync_full_timeout : run->conf->sync_timeout;
    run->deadline_ns = clock_mono_ns() + (uint64_t)run->limit_s * CLOCK_NS_PER_S;
    run->state->shown.deadline_us = clock_wall_us() + run->limit_s * CLOCK_US_PER_S;
    atomic_store(&run->state->proc->slot->deadline_ns, run->deadline_ns + MASTER_NS);
}

/* Facts and scores, then the population; both also repair what an earlier run left undone. */
static bool score(struct sync_run *run)
{
    struct sync_score_result scores;

    sync_run_phase(run, SB_PHASE_SCORING);
    if (sync_score_refresh(&run->work, run->conf, conf_as_of_day(run->conf), run->shown->run_id, &scores) !=
        SYNC_DB_OK)
        return sync_run_fail_db(run, &run->work);
    run->shown->customers_scored = scores.customers;
    run->shown->data_version = scores.data_version;
    sync_run_phase(run, SB_PHASE_PUBLISHING);
    return sync_population_serve(&run->work, run->conf, run->state->proc->sb, clock_wall_us()) == SYNC_DB_OK ||
           sync_run_fail_db(run, &run->work);
}

static bool steps(struct sync_run *run)
{
    if (!sync_load(run))
        return false;
    if (run->request.mode == SB_MODE_DRY_RUN)
        return true;
    return sync_publish(run) && score(run) &&
           (sync_state_load_table(run->state, &run->work) == SYNC_DB_OK || sync_run_fail_db(run, &run->work)) &&
           sync_books_clean(run);
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
    str_copy(r->error, sizeof(r->error), str_from(good ? "" : run->error.text));
    r->finished_us = clock_wall_us();
    count_time(run);
    sync_books_close(run);
    sync_db_close(&run->work); /* rolls back what is open; the lock goes back only now that the books are closed */
    sync_report_ended(run);
}

/* The lock, waiting a moment for that of a run that was killed. */
static enum sb_mail_answer take_lock(struct sync_run *run)
{
    uint64_t end = clock_mono_ns() + LOCK_NS;
    int64_t locked = 0;

    for (;;) {
        if (sync_db_query_i64(&run->work, "asking for the sync lock",
                              "SELECT pg_try_advisory_lock(" SYNC_LOCK ")::int", NULL, 0, 0, &locked) != SYNC_DB_OK)
            return SB_ANSWER_DATABASE_DOWN;
        if (locked)
            return SB_ANSWER_STARTED;
        if (clock_mono_ns() >= end)
            return SB_ANSWER_ALREADY_RUNNING;
        if (!sync_run_sleep(run))
            return SB_ANSWER_REFUSED;
    }
}

/* A run that nobody asked for in person need not follow one that has ended since it was due. */
static bool done_elsewhere(struct sync_run *run)
{
    char seconds[24];
    const char *values[] = { seconds };
    int64_t id = 0, since_us = run->shown->started_us;

    if (run->request.trigger == SB_BY_STARTUP)
        since_us = atomic_load(&run->state->proc->sb->started_us);
    else if (run->request.trigger != SB_BY_SCHEDULE)
        return false;
    snprintf(seconds, sizeof(seconds), "%.3f", (double)(clock_wall_us() - since_us) / 1e6);
    return sync_db_query_i64(&run->books, "looking for a run that has just ended",
                             "SELECT max(run_id) FROM sync_runs WHERE status = 'success' AND mode <> 'dry-run'"
                             " AND finished_at BETWEEN now() - make_interval(secs => $1::float)"
                             " AND now() + interval '1 hour'",
                             values, 1, 0, &id) == SYNC_DB_OK &&
           id != 0 && !sync_run_fail(run, SB_REASON_ABORTED, "run %lld has just ended", (long long)id);
}

/* Both connections, the lock, and the row in the books. */
static enum sb_mail_answer prepare(struct sync_run *run)
{
    const char *url = run->conf->database_url;
    int timeout_s = (int)run->conf->db_connect_timeout;

    if (sync_db_open(&run->work, url, timeout_s, sync_run_beat, run) != SYNC_DB_OK)
        return sync_run_fail_db(run, &run->work), SB_ANSWER_DATABASE_DOWN;
    if (sync_db_open(&run->books, url, timeout_s, quiet_beat, run) != SYNC_DB_OK)
        return sync_run_fail_db(run, &run->books), SB_ANSWER_DATABASE_DOWN;
    enum sb_mail_answer answer = take_lock(run);
    if (answer != SB_ANSWER_STARTED)
        return sync_run_fail_db(run, &run->work), answer;
    if (sync_books_bury(run->state, &run->books) != SYNC_DB_OK)
        return sync_run_fail_db(run, &run->books), SB_ANSWER_DATABASE_DOWN;
    if (done_elsewhere(run))
        return SB_ANSWER_REFUSED;
    if (!choose_range(run))
        return SB_ANSWER_DATABASE_DOWN;
    set_deadline(run);
    return sync_books_open(run) ? SB_ANSWER_STARTED : SB_ANSWER_DATABASE_DOWN;
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

static void end_watch(struct sync_state *state)
{
    struct sb_slot *slot = state->proc->slot;

    atomic_store(&slot->progress_ns, 0);
    atomic_store(&slot->deadline_ns, 0);
    sb_text_set(&slot->doing, "waiting");
}

static void run_started(struct sync_run *run)
{
    struct sync_state *state = run->state;

    state->database_down = false;
    state->shown.running = 1;
    sync_report_started(run);
    conclude(run, steps(run));
    state->shown.running = 0;
    sync_state_record(state, run->shown);
}

/* The run under way elsewhere stands in the status for ours that did not start. */
static void show_rival(struct sync_run *run)
{
    bool found;

    *run->shown = (struct sb_run){ .run_id = 0 };
    if (run->books.connection != NULL)
        sync_state_load_running(&run->books, run->shown, &found);
    sync_state_show(run->state);
}

enum sb_mail_answer sync_run_execute(struct sync_state *state, const struct sb_mail_request *request, bool by_mail)
{
    struct sync_run run = { .state = state, .conf = state->proc->conf, .request = *request };
    struct sb_run before = state->shown.run;

    begin_showing(&run);
    run.reported_ns = run.booked_ns = run.phase_since_ns = clock_mono_ns();
    run.limit_s = CONNECTING_S; /* until it is known what there is to read */
    run.deadline_ns = run.reported_ns + CONNECTING_S * CLOCK_NS_PER_S;
    sync_run_progress(&run);
    enum sb_mail_answer answer = prepare(&run);
    if (answer == SB_ANSWER_ALREADY_RUNNING)
        show_rival(&run);
    if (by_mail)
        scoreboard_mail_answer(state->proc->sb, answer, run.shown->run_id);
    if (answer == SB_ANSWER_STARTED) {
        run_started(&run);
    } else {
        sync_report_not_started(&run, answer);
        if (answer != SB_ANSWER_ALREADY_RUNNING)
            state->shown.run = before;
    }
    sync_db_close(&run.work);
    sync_db_close(&run.books);
    sync_audit_free(&run.audit);
    end_watch(state);
    sync_state_show(state);
    return answer;
}
