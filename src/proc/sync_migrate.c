/*
 * sync_migrate: see the header. The table schema_migrations says what was applied.
 */
#include "proc/sync_migrate.h"

#include <stdio.h>

#include "core/events.h"

/* hashtext-free constant: any two programs that migrate this schema must agree on it. */
#define MIGRATE_LOCK "7305146"

static enum sync_db_status apply(struct sync_db *db, const struct migration *m)
{
    char version[16];
    const char *values[] = { version, m->name };
    enum sync_db_status s = sync_db_exec(db, "starting a migration", "BEGIN");

    snprintf(version, sizeof(version), "%d", m->version);
    if (s == SYNC_DB_OK)
        s = sync_db_exec(db, m->name, m->sql);
    if (s == SYNC_DB_OK)
        s = sync_db_query(db, m->name, "INSERT INTO schema_migrations (version, name) VALUES ($1, $2)", values, 2,
                          NULL);
    if (s == SYNC_DB_OK)
        return sync_db_exec(db, m->name, "COMMIT");
    return s;
}

static enum sync_db_status apply_missing(struct sync_db *db)
{
    int64_t current, last = 0;
    enum sync_db_status s = sync_db_exec(db, "creating schema_migrations",
                                         "SET client_min_messages = warning;"
                                         "CREATE TABLE IF NOT EXISTS schema_migrations (version int PRIMARY KEY,"
                                         " name text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())");
    if (s == SYNC_DB_OK)
        s = sync_db_query_i64(db, "reading schema_migrations", "SELECT max(version) FROM schema_migrations", NULL, 0,
                              0, &current);
    if (s != SYNC_DB_OK)
        return s;
    for (const struct migration *m = migrations; m->version != 0; m++) {
        last = m->version;
        if (m->version > current && (s = apply(db, m)) != SYNC_DB_OK)
            return s;
    }
    if (current > last)
        event_log_at(LOG_LEVEL_WARNING, EVENT_COMPONENT_STATE_CHANGED,
                     (struct event_field[]){ event_cstr("component", "database"),
                                             event_i64("schema_version", current), event_i64("known_version", last) },
                     3, "the schema is newer than this program; going on");
    return SYNC_DB_OK;
}

enum sync_db_status sync_migrate(struct sync_db *db)
{
    enum sync_db_status s =
        sync_db_exec(db, "waiting for the migration lock", "SELECT pg_advisory_lock(" MIGRATE_LOCK ")");

    if (s != SYNC_DB_OK)
        return s;
    s = apply_missing(db);
    if (s != SYNC_DB_OK) {
        sync_db_close(db); /* gives the lock back and rolls back; the error stays in the handle */
        return s;
    }
    return sync_db_exec(db, "leaving the migration lock", "SELECT pg_advisory_unlock(" MIGRATE_LOCK ")");
}
