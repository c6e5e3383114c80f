/*
 * sync_rescore: see the header. Under the lock of the runs, so that one machine does it.
 */
#include "proc/sync_rescore.h"

#include "base/clock.h"
#include "core/events.h"
#include "proc/sync_population.h"
#include "proc/sync_run.h"
#include "proc/sync_schedule.h"
#include "proc/sync_score.h"

#define SOON_NS  (5 * CLOCK_NS_PER_S)
#define LATER_NS (60 * CLOCK_NS_PER_S) /* after a failure, or while another machine is at it */

void sync_rescore_init(struct sync_rescore *r)
{
    *r = (struct sync_rescore){ .day = CLOCK_NO_DAY, .look_ns = clock_mono_ns() + SOON_NS };
}

/* Not for ever: whoever asks for a run goes first, and it will score. */
static bool beat(void *arg)
{
    struct sync_state *state = arg;

    return sync_state_beat(state) && !state->wake && !sync_state_ending(state);
}

/* A day that is given, or that no daily run will score, is due at once. */
static bool is_time(const struct conf *c)
{
    bool daily = c->as_of_date[0] == '\0' && c->enable_sales_sync && conf_source_configured(c);
    int64_t now = clock_wall_us();

    return now >= sync_schedule_rescore(now, daily ? (int)c->sales_sync_hour : SYNC_NO_DAILY_RUN);
}

/* Is there something to score that was scored for another day? With the lock. */
static enum sync_db_status look(struct sync_db *db, int32_t as_of_day, bool *locked, bool *needed)
{
    char day[CLOCK_DAY_SIZE];
    const char *values[] = { clock_format_day(day, as_of_day) };
    int64_t got = 0, wanted = 0;
    enum sync_db_status s = sync_db_query_i64(db, "asking for the sync lock",
                                              "SELECT pg_try_advisory_lock(" SYNC_LOCK ")::int", NULL, 0, 0, &got);

    if (s == SYNC_DB_OK && got)
        s = sync_db_query_i64(db, "reading sync_state",
                              "SELECT (facts_as_of IS DISTINCT FROM $1::date AND EXISTS (SELECT FROM data_versions))"
                              "::int FROM sync_state",
                              values, 1, 0, &wanted);
    *locked = got != 0;
    *needed = wanted != 0;
    return s;
}

static enum sync_db_status score(struct sync_state *state, struct sync_db *db, int32_t as_of_day)
{
    struct sync_score_result scores;
    int64_t version;

    sb_text_set(&state->proc->slot->doing, "scoring");
    enum sync_db_status s = sync_score_refresh(db, state->proc->conf, as_of_day, 0, &scores);
    if (s == SYNC_DB_OK)
        s = sync_population_publish(db, state->proc->conf, state->proc->sb, state->shown.last_success_us, &version);
    if (s == SYNC_DB_OK)
        s = sync_state_load_table(state, db);
    sb_text_set(&state->proc->slot->doing, "waiting");
    return s;
}

static enum sync_db_status rescore(struct sync_state *state, struct sync_db *db, int32_t as_of_day, bool *done)
{
    const struct conf *c = state->proc->conf;
    bool locked = false, needed = false;

    *done = false;
    enum sync_db_status s = sync_db_open(db, c->database_url, (int)c->db_connect_timeout, beat, state);
    if (s == SYNC_DB_OK)
        s = look(db, as_of_day, &locked, &needed);
    if (s != SYNC_DB_OK || !locked)
        return s;
    if (needed)
        s = score(state, db, as_of_day);
    *done = s == SYNC_DB_OK;
    return s;
}

void sync_rescore_when_due(struct sync_state *state, struct sync_rescore *r)
{
    int32_t day = conf_as_of_day(state->proc->conf);
    struct sync_db db;
    bool done;

    if (r->day == day || clock_mono_ns() < r->look_ns || !is_time(state->proc->conf))
        return;
    enum sync_db_status s = rescore(state, &db, day, &done);
    sync_db_close(&db);
    r->look_ns = clock_mono_ns() + (s == SYNC_DB_STOPPED ? SOON_NS : LATER_NS);
    if (done) {
        r->day = day;
        sync_state_show(state);
    }
    if (s == SYNC_DB_ERROR && !state->database_down)
        event_log(EVENT_DATA_LOADING_FAILED, (struct event_field[]){ event_cstr("error", db.error) }, 1,
                  "the customers could not be scored for the new day: %s; trying again", db.error);
}
