/*
 * sync: the process that copies the source into PostgreSQL and compiles the population.
 *
 * READY means that it beats: not that a database answers. Until PostgreSQL does,
 * it tries again with growing pauses and refuses requests in words. Only the sync process of the serving
 * generation starts runs; one run at a time on all machines, by the advisory lock.
 */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "core/events.h"
#include "proc/roles.h"
#include "proc/source.h"
#include "proc/sync_migrate.h"
#include "proc/sync_population.h"
#include "proc/sync_run.h"
#include "proc/sync_schedule.h"

#define PAUSE_LEAST_MS 250
#define PAUSE_MOST_MS  5000
#define STALE_EVERY_US (3600LL * 1000000)

static bool serving(const struct sync_state *s)
{
    return atomic_load(&s->proc->sb->generation) == s->proc->generation;
}

static bool beat(void *arg)
{
    return sync_state_beat(arg);
}

/* Runs that were under way when their process died: nobody holds the lock, so nobody is at them. */
static enum sync_db_status bury_dead_runs(struct sync_db *db)
{
    PGresult *r;
    int64_t locked = 0;
    enum sync_db_status s = sync_db_query_i64(db, "asking for the sync lock",
                                              "SELECT pg_try_advisory_lock(" SYNC_LOCK ")::int", NULL, 0, 0, &locked);

    if (s != SYNC_DB_OK || !locked)
        return s;
    s = sync_db_query(db, "closing runs that died",
                      "UPDATE sync_runs SET status = 'failed', error_code = 'died', finished_at = now(),"
                      " duration_seconds = extract(epoch FROM coalesce(heartbeat_at, now()) - started_at),"
                      " error = 'the sync process died while ' || coalesce(phase, 'starting')"
                      " WHERE status = 'running' RETURNING run_id, mode, coalesce(phase, ''), rows_read",
                      NULL, 0, &r);
    if (s != SYNC_DB_OK)
        return s;
    for (int i = 0; i < PQntuples(r); i++) {
        struct event_field f[] = { event_cstr("run_id", PQgetvalue(r, i, 0)), event_cstr("mode", PQgetvalue(r, i, 1)),
                                   event_cstr("reason", "died"), event_cstr("phase", PQgetvalue(r, i, 2)),
                                   event_cstr("rows_read", PQgetvalue(r, i, 3)) };
        event_log(EVENT_SYNC_FAILED, f, 5, "❌ Sync failed: its process died; the next run repeats it");
    }
    PQclear(r);
    return sync_db_exec(db, "giving the sync lock back", "SELECT pg_advisory_unlock(" SYNC_LOCK ")");
}

/* The file of the newest data version is compiled again if this machine lacks it. */
static enum sync_db_status repair_population(struct sync_state *state, struct sync_db *db)
{
    int64_t version;
    bool on_disk;
    enum sync_db_status s = sync_population_current(db, state->proc->conf, &version, &on_disk);

    if (s != SYNC_DB_OK || version == 0)
        return s;
    if (on_disk) {
        atomic_store(&state->proc->sb->data_version, (uint64_t)version);
        return s;
    }
    int64_t synced_us = state->shown.last_success_us;
    return sync_population_publish(db, state->proc->conf, state->proc->sb, synced_us, &version);
}

static enum sync_db_status prepare(struct sync_state *state, bool quiet)
{
    struct sync_db db;
    enum sync_db_status s =
        sync_db_open(&db, state->proc->conf->database_url, (int)state->proc->conf->db_connect_timeout, beat, state);

    if (s == SYNC_DB_OK)
        s = sync_migrate(&db);
    if (s == SYNC_DB_OK)
        s = bury_dead_runs(&db);
    if (s == SYNC_DB_OK)
        s = sync_state_load(state, &db);
    if (s == SYNC_DB_OK)
        s = repair_population(state, &db);
    if (s == SYNC_DB_ERROR && !quiet) {
        struct event_field f[] = { event_cstr("sqlstate", db.sqlstate[0] ? db.sqlstate : NULL),
                                   event_cstr("error", db.error) };
        event_log(EVENT_DB_CONNECTION_FAILED, f, 2,
                  "Database connection failed: the sync process can't prepare; trying again");
    }
    sync_db_close(&db);
    return s;
}

static void refuse(struct sync_state *state, enum sb_mail_answer answer)
{
    struct sb_mail_request request;

    if (scoreboard_mail_take(state->proc->sb, &request))
        scoreboard_mail_answer(state->proc->sb, answer, 0);
}

/* Until PostgreSQL answers and the schema is there; one event at the first failure. */
static void prepare_until_done(struct sync_state *state)
{
    unsigned pause_ms = PAUSE_LEAST_MS;
    bool told = false;

    while (!sync_state_ending(state)) {
        if (prepare(state, told) == SYNC_DB_OK)
            return;
        told = true;
        sync_state_show(state);
        refuse(state, SB_ANSWER_DATABASE_DOWN);
        sync_state_sleep(state, pause_ms);
        state->wake = false;
        pause_ms = pause_ms * 2 < PAUSE_MOST_MS ? pause_ms * 2 : PAUSE_MOST_MS;
    }
}

static int64_t last_failure(const struct sync_state *state)
{
    const struct sb_sync *s = &state->shown;

    return s->run_count > 0 && s->runs[0].status != SB_RUN_SUCCESS ? s->runs[0].finished_us : 0;
}

static void plan(struct sync_state *state)
{
    const struct conf *c = state->proc->conf;
    bool scheduled = c->enable_sales_sync && conf_source_configured(c);

    state->shown.next_run_us = scheduled ? sync_schedule_next(clock_wall_us(), (int)c->sales_sync_hour,
                                                              state->shown.last_success_us, last_failure(state))
                                         : 0;
}

static void run(struct sync_state *state, struct sb_mail_request request, bool by_mail)
{
    if (!conf_source_configured(state->proc->conf)) {
        if (by_mail)
            scoreboard_mail_answer(state->proc->sb, SB_ANSWER_NOT_CONFIGURED, 0);
        return;
    }
    sync_run_execute(state, &request, by_mail);
    plan(state);
    sync_state_show(state);
}

static struct sb_mail_request incremental(enum sb_trigger trigger)
{
    return (struct sb_mail_request){
        .mode = SB_MODE_INCREMENTAL, .trigger = trigger, .start_day = CLOCK_NO_DAY, .end_day = CLOCK_NO_DAY
    };
}

static void report_stale(const struct sync_state *state, int64_t *told_us)
{
    int64_t now = clock_wall_us(), age = now - state->shown.last_success_us;

    if (state->shown.last_success_us == 0 || age < state->proc->conf->stale_after_hours * 3600 * CLOCK_US_PER_S ||
        now - *told_us < STALE_EVERY_US)
        return;
    *told_us = now;
    event_log(EVENT_DATA_STALE, (struct event_field[]){ event_i64("age_seconds", age / CLOCK_US_PER_S) }, 1,
              "no sync has succeeded for too long; see patronctl status");
}

/* What is to be done now: a request, a signal without one, or the daily run. */
static void serve(struct sync_state *state)
{
    struct sb_mail_request request;
    bool woken = state->wake;

    state->wake = false;
    if (scoreboard_mail_take(state->proc->sb, &request)) {
        run(state, request, true);
        return;
    }
    if (woken)
        run(state, incremental(SB_BY_SIGNAL), false);
    else if (state->shown.next_run_us != 0 && clock_wall_us() >= state->shown.next_run_us)
        run(state, incremental(state->shown.last_success_us == 0 ? SB_BY_STARTUP : SB_BY_SCHEDULE), false);
}

/* A generation that does not serve yet waits; it takes over with a fresh look at the books. */
static void wait_to_serve(struct sync_state *state)
{
    bool waited = false;

    while (!sync_state_ending(state) && (!serving(state) || sync_state_other_running(state))) {
        waited = true;
        sync_state_sleep(state, 200);
    }
    if (waited && !sync_state_ending(state))
        prepare_until_done(state);
}

int sync_main(const struct proc_context *ctx)
{
    struct sync_state state;
    int64_t told_us = 0;

    sync_state_init(&state, ctx);
    sync_state_beat(&state);
    sb_text_set(&ctx->slot->doing, "preparing");
    atomic_store(&ctx->slot->ready_ns, clock_mono_ns());
    atomic_store(&ctx->slot->state, SB_READY);
    prepare_until_done(&state);
    wait_to_serve(&state);
    sb_text_set(&ctx->slot->doing, "waiting");
    plan(&state);
    sync_state_show(&state);
    if (ctx->conf->sync_on_startup && ctx->generation == 1 && !sync_state_ending(&state))
        run(&state, incremental(SB_BY_STARTUP), false);
    while (!sync_state_ending(&state)) {
        sync_state_sleep(&state, 1000);
        if (!sync_state_ending(&state) && serving(&state))
            serve(&state);
        report_stale(&state, &told_us);
    }
    if (serving(&state)) /* else the next generation answers */
        refuse(&state, SB_ANSWER_REFUSED);
    atomic_store(&ctx->slot->state, SB_EXITED);
    return PROC_EXIT_DRAINED;
}
