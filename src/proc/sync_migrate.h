/*
 * sync_migrate: the database schema, as numbered steps that are applied in order and never changed afterwards.
 */
#ifndef PROC_SYNC_MIGRATE_H
#define PROC_SYNC_MIGRATE_H

#include "proc/sync_db.h"

struct migration {
    int version;
    const char *name;
    const char *sql;
};

/* The steps in order, made from sql/NNNN_name.sql at build time; ends with version 0. */
extern const struct migration migrations[];

/*
 * Brings the schema up to date, one transaction a step, under an advisory lock, so that
 * several machines may start at once. A schema newer than the last step known here is left as it is, with a warning
 * event.
 */
enum sync_db_status sync_migrate(struct sync_db *db);

#endif
