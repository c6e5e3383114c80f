/*
 * sync_rescore: see the header. Under the lock of the runs, so that one machine does it; the lock goes with the
 * connection.
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

    return sync_state_beat_in_time(state) && !state->wake && !sync_state_ending(state);
}

/* A day that is given, or that no daily run will score, is due at once. */
static bool is_time(const struct conf *c)
{
    bool daily = c->as_of_date[0] == '\0' && c->enable_sales_sync && conf_source_configured(c);
    int64_t now = clock_wall_us();

    return now >= sync_schedule_rescore(now, daily ? (int)c->sales_sync_hour : SYNC_NO_DAILY_RUN);
}

/* What there is to do. */
struct need {
    bool locked; /* else another machine is at it */
    bool undone; /* lines have changed since the last scoring: a run did not come to its end, or the tables are new */
    bool moved;  /* the last scoring was for another day */
};

/* Takes the lock. */
static enum sync_db_status look(struct sync_db *db, int32_t as_of_day, struct need *need)
{
    char day[CLOCK_DAY_SIZE];
    const char *values[] = { clock_format_day(day, as_of_day) };
    PGresult *r;
    enum sync_db_status s = sync_db_query(
        db, "looking for what is to be scored",
        "SELECT pg_try_advisory_lock(" SYNC_LOCK "), facts_all OR EXISTS (SELECT FROM customer_dirty),"
        " facts_as_of IS DISTINCT FROM $1::date FROM sync_state WHERE EXISTS (SELECT FROM data_versions)",
        values, 1, &r);

    *need = (struct need){ .locked = true };
    if (s != SYNC_DB_OK)
        return s;
    if (PQntuples(r) == 1)
        *need = (struct need){ .locked = PQgetvalue(r, 0, 0)[0] == 't',
                               .undone = PQgetvalue(r, 0, 1)[0] == 't',
                               .moved = PQgetvalue(r, 0, 2)[0] == 't' };
    PQclear(r);
    return s;
}

static enum sync_db_status score(struct sync_state *state, struct sync_db *db, int32_t as_of_day)
{
    struct sync_score_result scores;

    sb_text_set(&state->proc->slot->doing, "scoring");
    enum sync_db_status s = sync_score_refresh(db, state->proc->conf, as_of_day, 0, &scores);
    if (s == SYNC_DB_OK)
        s = sync_population_publish(db, state->proc->conf, state->proc->sb, state->shown.last_success_us);
    if (s == SYNC_DB_OK)
        s = sync_state_load_table(state, db);
    sb_text_set(&state->proc->slot->doing, "waiting");
    return s;
}

/* *done: nothing is left to do for the day. */
static enum sync_db_status rescore(struct sync_state *state, struct sync_db *db, int32_t as_of_day, bool *done)
{
    const struct conf *c = state->proc->conf;
    struct need need = { .locked = false };

    *done = false;
    sync_state_allow(state, c->sync_full_timeout); /* a full run may have left it everything to do */
    enum sync_db_status s = sync_db_open(db, c->database_url, (int)c->db_connect_timeout, beat, state);
    if (s == SYNC_DB_OK)
        s = look(db, as_of_day, &need);
    if (s != SYNC_DB_OK || !need.locked)
        return s;
    if (need.undone || (need.moved && is_time(c)))
        s = score(state, db, as_of_day);
    else if (need.moved)
        return s;
    *done = s == SYNC_DB_OK;
    return s;
}

void sync_rescore_when_due(struct sync_state *state, struct sync_rescore *r)
{
    int32_t day = conf_as_of_day(state->proc->conf);
    struct sync_db db;
    bool done;

    if (r->day == day || clock_mono_ns() < r->look_ns)
        return;
    enum sync_db_status s = rescore(state, &db, day, &done);
    sync_db_close(&db);
    bool late = s == SYNC_DB_STOPPED && clock_mono_ns() >= state->limit_ns;
    r->look_ns = clock_mono_ns() + (s == SYNC_DB_STOPPED && !late ? SOON_NS : LATER_NS);
    if (done) {
        r->day = day;
        sync_state_show(state);
    }
    if (late || (s == SYNC_DB_ERROR && !state->database_down))
        event_log(EVENT_DATA_LOADING_FAILED, (struct event_field[]){ event_cstr("error", db.error) }, 1,
                  "the customers could not be scored for the new day: %s; trying again", db.error);
}
