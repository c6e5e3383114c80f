/*
 * sync_state: see the header. Everything a waiting sync process must not forget happens in the beat.
 */
#include "proc/sync_state.h"

#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/str.h"
#include "core/events.h"
#include "core/sys.h"

#define SHOW_NS        (CLOCK_NS_PER_S / 2)
#define MAIL_POLL_MS   100
#define MAIL_SIGNAL_NS (2 * CLOCK_NS_PER_S) /* a request's signal comes so soon after it */

void sync_state_init(struct sync_state *s, const struct proc_context *proc)
{
    struct sb_sync left;

    *s = (struct sync_state){ .proc = proc, .watch_fd = -1 };
    if (scoreboard_sync_read(proc->sb, &left) && left.running && !sync_state_other_running(s))
        s->orphan_run_id = left.run.run_id;
    s->shown.rows_estimated = -1;
}

static void read_signals(struct sync_state *s)
{
    struct signalfd_siginfo info;

    while (read(s->proc->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
        if (info.ssi_signo == SIGUSR1)
            s->wake = true;
        else if (info.ssi_signo == SIGHUP)
            s->leave = true;
        else
            s->stop = true;
    }
}

static void read_lifeline(struct sync_state *s)
{
    struct pollfd p = { .fd = s->proc->lifeline_fd, .events = POLLIN };

    if (poll(&p, 1, 0) > 0)
        s->stop = true;
}

void sync_state_wait_mail(struct sync_state *s, unsigned ms)
{
    for (unsigned waited = 0; waited < ms && !s->wake && !s->leave; waited += MAIL_POLL_MS) {
        sync_state_sleep(s, MAIL_POLL_MS); /* first: a request that is not for us must not make us spin */
        if (scoreboard_mail_state(s->proc->sb) == SB_MAIL_POSTED)
            return;
    }
}

bool sync_state_take_mail(struct sync_state *s, struct sb_mail_request *request)
{
    if (!scoreboard_mail_take(s->proc->sb, request))
        return false;
    s->mail_ns = s->wake ? 0 : clock_mono_ns(); /* its signal has come, or comes yet */
    s->wake = false;
    return true;
}

/* The one signal that comes with a request means nothing more once the request was taken. */
static bool drop_signal_of_mail(struct sync_state *s, uint64_t now)
{
    if (s->wake && s->mail_ns != 0 && now - s->mail_ns < MAIL_SIGNAL_NS) {
        s->wake = false;
        s->mail_ns = 0;
    }
    return !s->wake;
}

/* One run at a time: whoever asks meanwhile hears so. */
static void refuse_while_running(struct sync_state *s, uint64_t now)
{
    struct sb_mail_request request;

    if (sync_state_take_mail(s, &request))
        scoreboard_mail_answer(s->proc->sb, SB_ANSWER_ALREADY_RUNNING, s->shown.run.run_id);
    if (drop_signal_of_mail(s, now))
        return;
    s->wake = false;
    event_log(EVENT_SYNC_SKIPPED, (struct event_field[]){ event_i64("run_id", s->shown.run.run_id) }, 1,
              "another sync is already running");
}

bool sync_state_beat(struct sync_state *s)
{
    uint64_t now = clock_mono_ns();

    atomic_store(&s->proc->slot->beat_ns, now);
    read_signals(s);
    read_lifeline(s);
    if (s->shown.running)
        refuse_while_running(s, now);
    else
        drop_signal_of_mail(s, now);
    if (now - s->shown_ns >= SHOW_NS) {
        atomic_store(&s->proc->slot->rss_bytes, sys_rss_bytes(0));
        atomic_store(&s->proc->slot->private_bytes, sys_private_rss_bytes());
        if (s->shown.running)
            sync_state_show(s);
        s->shown_ns = now;
    }
    return !s->stop;
}

void sync_state_allow(struct sync_state *s, int64_t seconds)
{
    s->limit_ns = clock_mono_ns() + (uint64_t)seconds * CLOCK_NS_PER_S;
}

bool sync_state_beat_in_time(void *arg)
{
    struct sync_state *s = arg;

    return sync_state_beat(s) && clock_mono_ns() < s->limit_ns;
}

bool sync_state_ending(const struct sync_state *s)
{
    return s->stop || s->leave;
}

void sync_state_sleep(struct sync_state *s, unsigned ms)
{
    uint64_t end = clock_mono_ns() + (uint64_t)ms * 1000000;

    while (sync_state_beat(s) && !s->wake && !s->leave) {
        uint64_t now = clock_mono_ns();
        if (now >= end)
            return;
        uint64_t left_ms = (end - now) / 1000000 + 1;
        struct pollfd p[] = { { .fd = s->proc->signal_fd, .events = POLLIN },
                              { .fd = s->proc->lifeline_fd, .events = POLLIN },
                              { .fd = s->watch_fd, .events = POLLIN } };
        poll(p, 3, left_ms < 200 ? (int)left_ms : 200);
        if (p[2].revents != 0)
            return;
    }
}

bool sync_state_other_running(const struct sync_state *s)
{
    const struct scoreboard *sb = s->proc->sb;

    for (unsigned i = 0; i < SB_SLOTS; i++) {
        const struct sb_slot *slot = &sb->slots[i];
        if (slot != s->proc->slot && atomic_load(&slot->state) != SB_FREE &&
            atomic_load(&slot->role) == SB_ROLE_SYNC && atomic_load(&slot->progress_ns) != 0)
            return true;
    }
    return false;
}

void sync_state_show(struct sync_state *s)
{
    bool mine = s->shown.running ||
                (atomic_load(&s->proc->sb->generation) == s->proc->generation && !sync_state_other_running(s));

    if (!mine)
        return;
    if (s->shown.running)
        s->shown.heartbeat_us = clock_wall_us();
    scoreboard_sync_write(s->proc->sb, &s->shown);
    s->shown_ns = clock_mono_ns();
}

void sync_state_record(struct sync_state *s, const struct sb_run *run)
{
    struct sb_sync *shown = &s->shown;

    memmove(&shown->runs[1], &shown->runs[0], sizeof(shown->runs[0]) * (SB_RUNS - 1));
    shown->runs[0] = *run;
    if (shown->run_count < SB_RUNS)
        shown->run_count++;
    shown->run = *run;
    if (run->status == SB_RUN_SUCCESS && run->mode != SB_MODE_DRY_RUN)
        shown->last_success_us = run->finished_us;
    if (run->status != SB_RUN_SUCCESS)
        shown->last_error = *run;
}

static int64_t column_i64(const PGresult *r, int row, int column)
{
    int64_t v = 0;

    if (!PQgetisnull(r, row, column))
        str_to_i64(str_from(PQgetvalue(r, row, column)), &v);
    return v;
}

typedef const char *(*name_fn)(uint32_t v);

/* Index of a word among the names of an enum; `missing` when it is none of them. */
static uint32_t word_index(const char *word, name_fn name, uint32_t first, uint32_t count, uint32_t missing)
{
    for (uint32_t i = first; i < count; i++)
        if (strcmp(name(i), word) == 0)
            return i;
    return missing;
}

static void read_run(const PGresult *r, int i, struct sb_run *run)
{
    *run = (struct sb_run){
        .run_id = column_i64(r, i, 0),
        .mode = word_index(PQgetvalue(r, i, 1), sb_mode_name, 0, SB_MODE_COUNT, SB_MODE_INCREMENTAL),
        .status = word_index(PQgetvalue(r, i, 2), sb_run_status_name, 0, SB_RUN_STATUS_COUNT, SB_RUN_FAILED),
        .trigger = word_index(PQgetvalue(r, i, 3), sb_trigger_name, 0, SB_TRIGGER_COUNT, SB_BY_API),
        .started_us = column_i64(r, i, 4),
        .finished_us = column_i64(r, i, 5),
        .rows_read = column_i64(r, i, 6),
        .rows_inserted = column_i64(r, i, 7),
        .rows_updated = column_i64(r, i, 8),
        .rows_deleted = column_i64(r, i, 9),
        .rows_skipped = column_i64(r, i, 10),
        .customers_scored = column_i64(r, i, 11),
        .data_version = column_i64(r, i, 12),
        .reason = word_index(PQgetvalue(r, i, 14), sb_reason_name, 1, SB_REASON_COUNT, SB_REASON_NONE),
    };
    str_copy(run->error, sizeof(run->error), str_from(PQgetvalue(r, i, 13)));
}

#define RUN_COLUMNS                                                                                                  \
    "run_id, mode, status, trigger, (extract(epoch FROM started_at) * 1000000)::bigint,"                             \
    " (extract(epoch FROM finished_at) * 1000000)::bigint, rows_read, rows_inserted, rows_updated, rows_deleted,"    \
    " rows_skipped, customers_scored, data_version, coalesce(error, ''), coalesce(error_code, '')"

enum sync_db_status sync_state_load_runs(struct sync_state *s, struct sync_db *db)
{
    PGresult *r;
    enum sync_db_status st =
        sync_db_query(db, "reading sync_runs",
                      "SELECT " RUN_COLUMNS " FROM sync_runs WHERE status <> 'running' ORDER BY run_id DESC"
                      " LIMIT 20",
                      NULL, 0, &r);

    if (st != SYNC_DB_OK)
        return st;
    s->shown.run_count = 0;
    for (int i = 0; i < PQntuples(r) && i < SB_RUNS; i++)
        read_run(r, i, &s->shown.runs[s->shown.run_count++]);
    PQclear(r);
    st = sync_db_query(db, "reading the last failed run",
                       "SELECT " RUN_COLUMNS
                       " FROM sync_runs WHERE status NOT IN ('running', 'success') ORDER BY run_id DESC LIMIT 1",
                       NULL, 0, &r);
    if (st != SYNC_DB_OK)
        return st;
    if (PQntuples(r) == 1)
        read_run(r, 0, &s->shown.last_error);
    PQclear(r);
    return sync_db_query_i64(db, "reading the last successful run",
                             "SELECT (extract(epoch FROM finished_at) * 1000000)::bigint FROM sync_runs"
                             " WHERE status = 'success' AND mode <> 'dry-run' ORDER BY run_id DESC LIMIT 1",
                             NULL, 0, 0, &s->shown.last_success_us);
}

enum sync_db_status sync_state_load_running(struct sync_db *db, struct sb_run *run, bool *found)
{
    PGresult *r;
    enum sync_db_status st = sync_db_query(
        db, "looking for the run under way",
        "SELECT " RUN_COLUMNS " FROM sync_runs WHERE status = 'running' ORDER BY run_id DESC LIMIT 1", NULL, 0, &r);

    *found = st == SYNC_DB_OK && PQntuples(r) == 1;
    if (*found)
        read_run(r, 0, run);
    PQclear(r);
    return st;
}

enum sync_db_status sync_state_load_table(struct sync_state *s, struct sync_db *db)
{
    PGresult *r;
    enum sync_db_status st = sync_db_query(
        db, "counting combined_sales",
        "SELECT t.*, (SELECT order_id FROM combined_sales ORDER BY order_date DESC, order_id DESC LIMIT 1),"
        " (SELECT count(*) FROM customer_facts), (SELECT orders FROM data_versions ORDER BY data_version DESC LIMIT "
        "1)"
        " FROM (SELECT count(*), count(*) FILTER (WHERE customer_id IS NULL),"
        " (extract(epoch FROM min(order_date)) * 1000000)::bigint, (extract(epoch FROM max(order_date)) * "
        "1000000)::bigint"
        " FROM combined_sales) t",
        NULL, 0, &r);

    if (st != SYNC_DB_OK)
        return st;
    s->shown.row_count = column_i64(r, 0, 0);
    s->shown.guest_rows = column_i64(r, 0, 1);
    s->shown.earliest_order_us = column_i64(r, 0, 2);
    s->shown.latest_order_us = column_i64(r, 0, 3);
    s->shown.latest_order_id = column_i64(r, 0, 4);
    s->shown.customer_count = column_i64(r, 0, 5);
    s->shown.order_count = column_i64(r, 0, 6);
    PQclear(r);
    return SYNC_DB_OK;
}

enum sync_db_status sync_state_load(struct sync_state *s, struct sync_db *db)
{
    enum sync_db_status st = sync_state_load_runs(s, db);

    return st == SYNC_DB_OK ? sync_state_load_table(s, db) : st;
}
