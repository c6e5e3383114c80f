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
#include "proc/sync_books.h"
#include "proc/sync_follow.h"
#include "proc/sync_migrate.h"
#include "proc/sync_population.h"
#include "proc/sync_rescore.h"
#include "proc/sync_run.h"
#include "proc/sync_schedule.h"

#define PAUSE_LEAST_MS 250
#define PAUSE_MOST_MS  5000
#define STALE_EVERY_NS (3600 * CLOCK_NS_PER_S)
#define BUSY_PAUSE_NS  (60 * CLOCK_NS_PER_S) /* another machine is at the run that is due here */

static bool serving(const struct sync_state *s)
{
    return atomic_load(&s->proc->sb->generation) == s->proc->generation;
}

/* A server that hangs, or a table that somebody holds, costs no more than `seconds`. */
static enum sync_db_status open_db(struct sync_state *state, struct sync_db *db, int64_t seconds)
{
    const struct conf *c = state->proc->conf;

    sync_state_allow(state, seconds);
    return sync_db_open(db, c->database_url, (int)c->db_connect_timeout, sync_state_beat_in_time, state);
}

static void report_database_down(struct sync_state *state, const struct sync_db *db)
{
    struct event_field f[] = { event_cstr("sqlstate", db->sqlstate[0] ? db->sqlstate : NULL),
                               event_cstr("error", db->error) };

    if (!state->database_down && scoreboard_tell_db_trouble(state->proc->sb))
        event_log(EVENT_DB_CONNECTION_FAILED, f, 2,
                  "Database connection failed: the sync process can't prepare; trying again");
    state->database_down = true;
}

/* A migration may have to rewrite the largest table. */
static enum sync_db_status prepare(struct sync_state *state)
{
    struct sync_db db;
    enum sync_db_status s = open_db(state, &db, state->proc->conf->sync_full_timeout);

    if (s == SYNC_DB_OK)
        s = sync_migrate(&db);
    if (s == SYNC_DB_OK)
        s = sync_books_bury_if_free(state, &db, true);
    if (s == SYNC_DB_OK)
        s = sync_state_load(state, &db);
    if (s == SYNC_DB_OK)
        s = sync_population_serve(&db, state->proc->conf, state->proc->sb, state->shown.last_success_us);
    if (s == SYNC_DB_OK)
        state->database_down = false;
    else if (!sync_state_ending(state))
        report_database_down(state, &db);
    sync_db_close(&db);
    return s;
}

static void refuse(struct sync_state *state, enum sb_mail_answer answer)
{
    struct sb_mail_request request;

    if (sync_state_take_mail(state, &request))
        scoreboard_mail_answer(state->proc->sb, answer, 0);
}

/* Until PostgreSQL answers and the schema is there; one event at the first failure. */
static void prepare_until_done(struct sync_state *state)
{
    unsigned pause_ms = PAUSE_LEAST_MS;

    while (!sync_state_ending(state)) {
        if (prepare(state) == SYNC_DB_OK)
            return;
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

static enum sb_mail_answer run(struct sync_state *state, struct sb_mail_request request, bool by_mail)
{
    if (!conf_source_configured(state->proc->conf)) {
        if (by_mail)
            scoreboard_mail_answer(state->proc->sb, SB_ANSWER_NOT_CONFIGURED, 0);
        return SB_ANSWER_NOT_CONFIGURED;
    }
    enum sb_mail_answer answer = sync_run_execute(state, &request, by_mail);
    plan(state);
    sync_state_show(state);
    return answer;
}

static struct sb_mail_request incremental(enum sb_trigger trigger)
{
    return (struct sb_mail_request){
        .mode = SB_MODE_INCREMENTAL, .trigger = trigger, .start_day = CLOCK_NO_DAY, .end_day = CLOCK_NO_DAY
    };
}

static void report_stale(const struct sync_state *state, uint64_t *quiet_until_ns)
{
    int64_t age = clock_wall_us() - state->shown.last_success_us;

    if (state->shown.last_success_us == 0 || age < state->proc->conf->stale_after_hours * 3600 * CLOCK_US_PER_S ||
        clock_mono_ns() < *quiet_until_ns)
        return;
    *quiet_until_ns = clock_mono_ns() + STALE_EVERY_NS;
    event_log(EVENT_DATA_STALE, (struct event_field[]){ event_i64("age_seconds", age / CLOCK_US_PER_S) }, 1,
              "no sync has succeeded for too long; see patronctl status");
}

/* Another machine may have done the run that is due here: the books say so. */
static void look_into_books(struct sync_state *state)
{
    struct sync_db db;

    if (open_db(state, &db, state->proc->conf->sync_stall_timeout) == SYNC_DB_OK)
        sync_state_load_runs(state, &db);
    sync_db_close(&db);
    plan(state);
}

static void run_when_due(struct sync_state *state, uint64_t *not_before_ns)
{
    int64_t now = clock_wall_us(), due = state->shown.next_run_us;

    if (due == 0 || clock_mono_ns() < *not_before_ns || (now < due && sync_schedule_plan_holds(now, due)))
        return;
    look_into_books(state);
    if (state->shown.next_run_us > clock_wall_us()) /* read again: a plan of "now" is later than `now` */
        return;
    enum sb_trigger trigger = state->shown.last_success_us == 0 ? SB_BY_STARTUP : SB_BY_SCHEDULE;
    enum sb_mail_answer answer = run(state, incremental(trigger), false);
    *not_before_ns =
        clock_mono_ns() + (answer == SB_ANSWER_ALREADY_RUNNING ? BUSY_PAUSE_NS : PAUSE_MOST_MS * 1000000ULL);
}

/* What is to be done now: a request, a signal without one, or the daily run. */
static void serve(struct sync_state *state, uint64_t *not_before_ns)
{
    struct sb_mail_request request;

    if (sync_state_take_mail(state, &request)) {
        run(state, request, true);
    } else if (state->wake) {
        state->wake = false;
        run(state, incremental(SB_BY_SIGNAL), false);
    } else {
        run_when_due(state, not_before_ns);
    }
}

/* Between runs: what other machines publish comes here, and what could not be written to disk before. */
static void follow(struct sync_state *state, struct sync_follow *f)
{
    if (!sync_follow_step(f))
        return;
    plan(state);
    sync_state_show(state);
}

/* The run of the generation before us goes on; whoever asks meanwhile hears so. */
static void refuse_for_other(struct sync_state *state)
{
    struct sb_mail_request request;
    struct sb_sync other;

    bool taken = serving(state) && sync_state_other_running(state) && sync_state_take_mail(state, &request);
    state->wake = false;
    if (!taken)
        return;
    bool known = scoreboard_sync_read(state->proc->sb, &other) && other.running;
    scoreboard_mail_answer(state->proc->sb, SB_ANSWER_ALREADY_RUNNING, known ? other.run.run_id : 0);
}

/* A generation that does not serve yet touches nothing: it may never serve. */
static void wait_to_serve(struct sync_state *state)
{
    while (!sync_state_ending(state) && (!serving(state) || sync_state_other_running(state))) {
        sync_state_sleep(state, 200);
        refuse_for_other(state);
    }
}

/* SYNC_ON_STARTUP means the start of the server, not that of this process after a fault or an abort. */
static bool wants_startup_run(const struct sync_state *state)
{
    const struct sb_sync *s = &state->shown;
    int64_t last_us = s->run_count > 0 ? s->runs[0].started_us : 0;

    return state->proc->conf->sync_on_startup && state->proc->generation == 1 &&
           last_us < atomic_load(&state->proc->sb->started_us);
}

int sync_main(const struct proc_context *ctx)
{
    struct sync_state state;
    struct sync_follow news;
    struct sync_rescore rescore;
    uint64_t not_before_ns = 0, quiet_until_ns = 0; /* the next run by schedule; the next word about old data */

    sync_state_init(&state, ctx);
    sync_follow_init(&news, &state);
    sync_state_beat(&state);
    sb_text_set(&ctx->slot->doing, "preparing");
    atomic_store(&ctx->slot->ready_ns, clock_mono_ns());
    atomic_store(&ctx->slot->state, SB_READY);
    wait_to_serve(&state);
    prepare_until_done(&state);
    sb_text_set(&ctx->slot->doing, "waiting");
    plan(&state);
    sync_state_show(&state);
    sync_rescore_init(&rescore);
    if (wants_startup_run(&state) && !sync_state_ending(&state))
        run(&state, incremental(SB_BY_STARTUP), false);
    while (!sync_state_ending(&state)) {
        sync_state_wait_mail(&state, 1000);
        if (!sync_state_ending(&state) && serving(&state)) {
            serve(&state, &not_before_ns);
            follow(&state, &news);
            sync_rescore_when_due(&state, &rescore);
        } else {
            sync_follow_close(&news);
        }
        report_stale(&state, &quiet_until_ns);
    }
    sync_follow_close(&news);
    if (serving(&state)) /* else the next generation answers */
        refuse(&state, SB_ANSWER_REFUSED);
    atomic_store(&ctx->slot->state, SB_EXITED);
    return PROC_EXIT_DRAINED;
}
