/*
 * sync_books: what a run leaves in sync_runs and sync_quarantine.
 *
 * Kept through a connection of their own, so the books tell of runs that failed as well. An entry says `running` only
 * as long as somebody holds the sync lock: who takes the lock next closes the entries of runs that died.
 */
#ifndef PROC_SYNC_BOOKS_H
#define PROC_SYNC_BOOKS_H

#include "proc/sync_run.h"

/* The row of a run that begins; sets its run id. */
bool sync_books_open(struct sync_run *run);
/* Phase, counts and time of a run under way. A failure is left to the run's next step. */
void sync_books_beat(struct sync_run *run);
/* The outcome of run->shown, on a fresh connection if need be, within five seconds also after a stop. */
void sync_books_close(struct sync_run *run);
/* A bad row with its reason. */
bool sync_books_quarantine(struct sync_run *run, const struct source_row *row, const char *reason);
/* Deletes what is older than RETENTION_DAYS. */
bool sync_books_clean(struct sync_run *run);

/* Writes the outcome that could not be written when the run ended (state->unbooked), if there is one. */
enum sync_db_status sync_books_settle(struct sync_state *state, struct sync_db *db);
/* Closes the entries of runs that are not under way any more: settled, timed out, or died. The caller holds the sync
 * lock. */
enum sync_db_status sync_books_bury(struct sync_state *state, struct sync_db *db);
/*
 * The same if nobody holds the lock. Not `all`: only runs that this machine's process left behind when it died, and
 * runs that have been silent for half a minute, so that none is taken for dead between its lock and its last words.
 */
enum sync_db_status sync_books_bury_if_free(struct sync_state *state, struct sync_db *db, bool all);

#endif
