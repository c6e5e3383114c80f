/*
 * sync_follow: see the header. A server that hangs costs one statement's time, then the connection.
 */
#include "proc/sync_follow.h"

#include "base/clock.h"
#include "base/str.h"
#include "core/events.h"
#include "proc/sync_books.h"
#include "proc/sync_population.h"

#define LOOK_NS      (30 * CLOCK_NS_PER_S)
#define WATCH_NS     (2 * CLOCK_NS_PER_S)
#define REOPEN_NS    (5 * CLOCK_NS_PER_S)
#define STATEMENT_NS (15 * CLOCK_NS_PER_S)

void sync_follow_init(struct sync_follow *f, struct sync_state *state)
{
    *f = (struct sync_follow){ .state = state };
}

void sync_follow_close(struct sync_follow *f)
{
    sync_db_close(&f->db);
    f->state->watch_fd = -1;
}

static bool beat(void *arg)
{
    struct sync_follow *f = arg;

    return sync_state_beat(f->state) && clock_mono_ns() < f->limit_ns;
}

static bool start(struct sync_follow *f)
{
    const struct conf *c = f->state->proc->conf;

    f->look_ns = 0;
    return sync_db_open(&f->db, c->database_url, (int)c->db_connect_timeout, beat, f) == SYNC_DB_OK &&
           sync_db_exec(&f->db, "listening for data versions",
                        "SET application_name = 'patrond follow'; LISTEN patrond_data") == SYNC_DB_OK;
}

/* *told: a notification has come. False: the connection is lost. */
static bool read_notifications(struct sync_follow *f, bool *told)
{
    PGnotify *n;

    *told = false;
    if (!PQconsumeInput(f->db.connection))
        return false;
    while ((n = PQnotifies(f->db.connection)) != NULL) {
        *told = true;
        PQfreemem(n);
    }
    return true;
}

static void report_failure(struct sync_follow *f, int64_t version)
{
    struct event_field fields[] = { event_i64("data_version", version), event_cstr("error", f->db.error) };

    if (version != f->bad_version)
        event_log(EVENT_DATA_LOADING_FAILED, fields, 2,
                  "data version %lld, published by another machine, can't be compiled here; trying again",
                  (long long)version);
    f->bad_version = version;
}

struct news {
    int64_t version, published_us; /* of the newest data; 0: none */
    int64_t ended_run, running;    /* newest run that has ended, runs entered as running */
};

static bool read_news(struct sync_follow *f, struct news *n)
{
    PGresult *r;

    if (sync_db_query(
            &f->db, "looking for news",
            "SELECT (SELECT coalesce(max(data_version), 0) FROM data_versions),"
            " (SELECT coalesce(max(run_id), 0) FROM sync_runs WHERE status <> 'running'),"
            " (SELECT count(*) FROM sync_runs WHERE status = 'running'),"
            " (SELECT coalesce(max((extract(epoch FROM published_at) * 1000000)::bigint), 0) FROM data_versions"
            "  WHERE data_version = (SELECT max(data_version) FROM data_versions))",
            NULL, 0, &r) != SYNC_DB_OK)
        return false;
    bool good = PQntuples(r) == 1 && str_to_i64(str_from(PQgetvalue(r, 0, 0)), &n->version) &&
                str_to_i64(str_from(PQgetvalue(r, 0, 1)), &n->ended_run) &&
                str_to_i64(str_from(PQgetvalue(r, 0, 2)), &n->running) &&
                str_to_i64(str_from(PQgetvalue(r, 0, 3)), &n->published_us);
    PQclear(r);
    return good;
}

static int64_t newest_known_run(const struct sync_state *s)
{
    return s->shown.run_count > 0 ? s->shown.runs[0].run_id : 0;
}

/* Where a run is entered as running, it is watched: the next look comes soon, and what died is closed. */
static bool watch_running(struct sync_follow *f)
{
    f->look_ns = clock_mono_ns() + WATCH_NS;
    return sync_state_other_running(f->state) || sync_books_bury_if_free(f->state, &f->db, false) == SYNC_DB_OK;
}

static bool is_served(const struct scoreboard *sb, const struct news *n)
{
    return (uint64_t)n->version == atomic_load(&sb->data_version) &&
           n->published_us == atomic_load(&sb->data_published_us);
}

static bool look(struct sync_follow *f, bool *changed)
{
    struct sync_state *state = f->state;
    struct news n = { 0 };

    f->look_ns = clock_mono_ns() + LOOK_NS;
    if (sync_books_settle(state, &f->db) != SYNC_DB_OK || !read_news(f, &n))
        return false;
    if (n.running > 0 && (!watch_running(f) || !read_news(f, &n)))
        return false;
    bool ran = n.ended_run != newest_known_run(state);
    bool published = n.version != 0 && !is_served(state->proc->sb, &n);
    f->limit_ns = clock_mono_ns() + (uint64_t)state->proc->conf->sync_timeout * CLOCK_NS_PER_S;
    if (ran && sync_state_load(state, &f->db) != SYNC_DB_OK)
        return false;
    *changed = *changed || ran;
    if (!published)
        return true;
    if (sync_population_serve(&f->db, state->proc->conf, state->proc->sb, state->shown.last_success_us) !=
        SYNC_DB_OK) {
        report_failure(f, n.version);
        return false;
    }
    f->bad_version = 0;
    *changed = true;
    return true;
}

bool sync_follow_step(struct sync_follow *f)
{
    bool changed = false, told = false;
    uint64_t now = clock_mono_ns();

    f->limit_ns = now + STATEMENT_NS;
    if (f->db.connection == NULL && now < f->look_ns)
        return false;
    bool good = f->db.connection != NULL || start(f);
    good = good && read_notifications(f, &told);
    if (good && (told || now >= f->look_ns || f->state->unbooked.run_id != 0))
        good = look(f, &changed);
    if (good) {
        f->state->watch_fd = PQsocket(f->db.connection);
        return changed;
    }
    sync_follow_close(f);
    f->look_ns = clock_mono_ns() + REOPEN_NS;
    return changed;
}
