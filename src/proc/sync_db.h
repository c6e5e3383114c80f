/*
 * sync_db: the sync process's own PostgreSQL connection: blocking to its caller, never deaf.
 *
 * Every wait is a poll of at most 200 ms that calls `beat`; a beat that answers false
 * (stop, deadline) ends the connection and with it the statement, and the call fails with SYNC_DB_STOPPED. Errors
 * are kept in words in the handle.
 */
#ifndef PROC_SYNC_DB_H
#define PROC_SYNC_DB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <libpq-fe.h>

#include "core/scoreboard.h"

enum sync_db_status {
    SYNC_DB_OK,
    SYNC_DB_ERROR,
    SYNC_DB_STOPPED
};

struct sync_db {
    PGconn *connection;
    bool (*beat)(void *arg); /* called while waiting; false: stop */
    void *arg;
    enum sb_reason reason; /* of the last failure: database, disk, memory, timeout, aborted */
    char sqlstate[6];      /* "" when the server gave none */
    char error[256];       /* what failed and why, without secrets */
};

/* Connects within timeout_s. The handle is usable (closed) also after a failure. */
enum sync_db_status sync_db_open(struct sync_db *db, const char *url, int timeout_s, bool (*beat)(void *arg),
                                 void *arg);
void sync_db_close(struct sync_db *db);

/* Runs one or more statements without parameters; results are dropped. `what` names it in errors ("creating the
 * stage"). */
enum sync_db_status sync_db_exec(struct sync_db *db, const char *what, const char *sql);
/* The same with $1 … in text form (NULL: null); `*result` (may be NULL to drop it) is the caller's to PQclear, NULL
 * on failure. */
enum sync_db_status sync_db_query(struct sync_db *db, const char *what, const char *sql, const char *const *values,
                                  int count, PGresult **result);
/* The two halves of a query without parameters: the server works on the next rows while the caller computes on those
 * it has. One at a time; nothing else is asked between them but sync_db_rollback, when the caller gives up. */
enum sync_db_status sync_db_send(struct sync_db *db, const char *what, const char *sql);
enum sync_db_status sync_db_receive(struct sync_db *db, const char *what, PGresult **result);
/* Beats while the caller computes; SYNC_DB_STOPPED: told to stop while `what`. */
enum sync_db_status sync_db_pulse(struct sync_db *db, const char *what);
/* Rolls back what is open; the error of before stays in the handle. */
void sync_db_rollback(struct sync_db *db);
/* First column of the first row as an integer; `missing` when there is no row or it is null. */
enum sync_db_status sync_db_query_i64(struct sync_db *db, const char *what, const char *sql,
                                      const char *const *values, int count, int64_t missing, int64_t *out);

/* COPY … FROM STDIN: begin, any number of puts, end (rows: what the server counted). Any failure ends the COPY. */
enum sync_db_status sync_db_copy_begin(struct sync_db *db, const char *what, const char *sql);
enum sync_db_status sync_db_copy_put(struct sync_db *db, const char *what, const char *data, size_t n);
enum sync_db_status sync_db_copy_end(struct sync_db *db, const char *what, int64_t *rows);

/* COPY … TO STDOUT: each row to `fn` (false: stop early, reported as SYNC_DB_STOPPED). */
typedef bool (*sync_db_row_fn)(const char *row, size_t n, void *arg);
enum sync_db_status sync_db_copy_out(struct sync_db *db, const char *what, const char *sql, sync_db_row_fn fn,
                                     void *arg);
/* Its second half, after sync_db_send: what the caller does between them, the server does not wait for. */
enum sync_db_status sync_db_copy_rows(struct sync_db *db, const char *what, sync_db_row_fn fn, void *arg);

/* Appends `text` escaped for COPY's text format (\\N is the caller's business). */
struct buf;
struct str;
void sync_db_copy_escape(struct buf *out, struct str text);

#endif
