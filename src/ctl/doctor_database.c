/*
 * doctor_database: the schema as the migrations make it, its indexes, and room for our connections.
 *
 * The migrations are the one place that says which indexes there must be; what is missing or was left invalid is made
 * again with the same words, CONCURRENTLY, so that nobody waits for it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "ctl/doctor.h"
#include "proc/sync_db.h"
#include "proc/sync_migrate.h"

#define STATEMENT_BYTES 1024
#define CREATE_INDEX    "CREATE INDEX "
#define FIX_SECONDS     3600 /* an index of a large table takes its time */
#define ASK_SECONDS     10

/* A CREATE INDEX of the migrations. */
struct index {
    char name[64];
    char rest[STATEMENT_BYTES]; /* "ON table (…)" */
};

static bool in_time(void *arg)
{
    const uint64_t *end_ns = arg;

    return clock_mono_ns() < *end_ns;
}

/* Takes the next CREATE INDEX out of *sql; false when there is none. */
static bool next_index(const char **sql, struct index *i)
{
    const char *at = strstr(*sql, CREATE_INDEX), *end, *blank;

    if (at == NULL)
        return false;
    at += sizeof(CREATE_INDEX) - 1;
    end = strchr(at, ';');
    blank = strchr(at, ' ');
    if (end == NULL || blank == NULL || blank > end)
        return false;
    *sql = end;
    return str_copy(i->name, sizeof(i->name), (struct str){ at, (size_t)(blank - at) }) &&
           str_copy(i->rest, sizeof(i->rest), (struct str){ blank + 1, (size_t)(end - blank - 1) });
}

/* 0: not there, 1: there but invalid, 2: good; -1: cannot be asked. */
static int index_state(struct sync_db *db, const char *name)
{
    int64_t state;
    const char *values[] = { name };

    if (sync_db_query_i64(
            db, "looking for an index",
            "SELECT CASE WHEN i.indisvalid AND i.indisready THEN 2 ELSE 1 END FROM pg_index i JOIN pg_class c "
            "ON c.oid = i.indexrelid WHERE c.oid = to_regclass($1)",
            values, 1, 0, &state) != SYNC_DB_OK)
        return -1;
    return (int)state;
}

/* Only names of our own migrations come here. */
static bool make_index(struct sync_db *db, const struct index *i, bool invalid)
{
    char sql[STATEMENT_BYTES + 128];

    (void)snprintf(sql, sizeof(sql), "DROP INDEX CONCURRENTLY IF EXISTS %s", i->name);
    if (invalid && sync_db_exec(db, "dropping an invalid index", sql) != SYNC_DB_OK)
        return false;
    (void)snprintf(sql, sizeof(sql), "CREATE INDEX CONCURRENTLY %s %s", i->name, i->rest);
    return sync_db_exec(db, "creating an index", sql) == SYNC_DB_OK;
}

static void say_index(struct doctor *d, struct sync_db *db, const struct index *i, int state)
{
    const char *what = state == 1 ? "is invalid" : "is missing";

    if (!d->fix)
        doctor_say(d, DOCTOR_FAILED, "index", "patronctl doctor --fix creates it, without holding anybody up.",
                   "%s %s; %s", i->name, what, i->rest);
    else if (make_index(db, i, state == 1))
        doctor_say(d, DOCTOR_WARNING, "index", "It is there now.", "%s %s", i->name,
                   state == 1 ? "was invalid" : "was missing");
    else
        doctor_say(d, DOCTOR_FAILED, "index", "Remove the cause, then again patronctl doctor --fix.",
                   "%s %s and cannot be created: %s", i->name, what, db->error);
}

static void examine_indexes(struct doctor *d, struct sync_db *db)
{
    unsigned good = 0, bad = 0;
    struct index i;

    for (const struct migration *m = migrations; m->version != 0; m++) {
        const char *sql = m->sql;

        while (next_index(&sql, &i)) {
            int state = index_state(db, i.name);

            if (state == 2) {
                good++;
                continue;
            }
            if (state < 0)
                return;
            bad++;
            say_index(d, db, &i, state);
        }
    }
    if (bad == 0)
        doctor_ok(d, "indexes", "all %u are there and valid", good);
}

static bool examine_schema(struct doctor *d, struct sync_db *db)
{
    int64_t applied, known = 0;

    for (const struct migration *m = migrations; m->version != 0; m++)
        known = m->version;
    if (sync_db_query_i64(db, "looking for the schema",
                          "SELECT count(*) FROM pg_class WHERE oid = to_regclass('schema_migrations')", NULL, 0, 0,
                          &applied) != SYNC_DB_OK ||
        applied == 0 ||
        sync_db_query_i64(db, "reading schema_migrations", "SELECT max(version) FROM schema_migrations", NULL, 0, 0,
                          &applied) != SYNC_DB_OK)
        applied = 0;
    if (applied < known)
        doctor_say(d, DOCTOR_FAILED, "schema",
                   "The sync process of the server brings it up to date: start the server.",
                   "version %lld, this program needs %lld", (long long)applied, (long long)known);
    else
        doctor_ok(d, "schema", "version %lld", (long long)applied);
    return applied > 0;
}

static void examine_connections(struct doctor *d, struct sync_db *db)
{
    int64_t most, wanted = d->ctl->conf->db_pool_size + d->ctl->conf->db_max_overflow + 2; /* sync, probe */

    if (sync_db_query_i64(db, "reading max_connections",
                          "SELECT current_setting('max_connections')::int - "
                          "current_setting('superuser_reserved_connections')::int",
                          NULL, 0, 0, &most) != SYNC_DB_OK)
        return;
    if (wanted > most)
        doctor_say(d, DOCTOR_WARNING, "connections",
                   "Raise max_connections of PostgreSQL, or lower DB_POOL_SIZE and DB_MAX_OVERFLOW.",
                   "we may open %lld, PostgreSQL gives at most %lld to all", (long long)wanted, (long long)most);
    else
        doctor_ok(d, "connections", "we may open %lld of %lld", (long long)wanted, (long long)most);
}

void doctor_database(struct doctor *d)
{
    const struct conf *conf = d->ctl->conf;
    uint64_t end_ns = clock_mono_ns() + (d->fix ? FIX_SECONDS : ASK_SECONDS) * CLOCK_NS_PER_S;
    struct sync_db db;

    if (!d->database_answers)
        return;
    if (sync_db_open(&db, conf->database_url, (int)conf->db_connect_timeout, in_time, &end_ns) != SYNC_DB_OK) {
        doctor_say(d, DOCTOR_FAILED, "schema", "patronctl check postgres.", "%s", db.error);
        sync_db_close(&db);
        return;
    }
    (void)sync_db_exec(&db, "setting up", "SET application_name = 'patronctl'");
    if (examine_schema(d, &db))
        examine_indexes(d, &db);
    examine_connections(d, &db);
    sync_db_close(&db);
}
