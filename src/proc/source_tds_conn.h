/*
 * source_tds_conn: one encrypted connection to SQL Server through db-lib, and statements on it.
 *
 * db-lib's handlers and time limits belong to the process, so a process has one connection at a time. An answer is
 * complete only if no message above severity 10 came, the server counted as many rows as were read, and the
 * connection is alive: db-lib itself ends a result that failed half way as if nothing had happened. After a failed
 * statement the connection is closed; the next one opens a fresh one.
 */
#ifndef PROC_SOURCE_TDS_CONN_H
#define PROC_SOURCE_TDS_CONN_H

#include <sybdb.h>

#include "proc/source.h"
#include "proc/source_tds_error.h"

enum tds_outcome {
    TDS_DONE,
    TDS_STOPPED, /* the beat said so */
    TDS_FAILED   /* tds_conn_problem tells */
};

struct tds_conn;

/* What is done with a result. Each function may refuse with tds_conn_refuse and false. */
struct tds_reader {
    bool (*columns)(void *arg, DBPROCESS *db); /* once, before the first row, also when there is none */
    bool (*row)(void *arg, DBPROCESS *db);     /* NULL: no rows are expected */
    void *arg;
};

/* Checks the settings, opens nothing yet. `env` must outlive it. NULL: *err tells. */
struct tds_conn *tds_conn_new(const struct source_env *env, struct source_error *err);
void tds_conn_free(struct tds_conn *c);

/* Runs one statement, opening the connection first where there is none. */
enum tds_outcome tds_conn_query(struct tds_conn *c, const char *sql, const struct tds_reader *reader);
/* Leaves the server; a session that stays open keeps a serverless database awake. */
void tds_conn_close(struct tds_conn *c);

const struct tds_problem *tds_conn_problem(const struct tds_conn *c);
const struct tds_subject *tds_conn_subject(const struct tds_conn *c);
/* For readers: the answer can't be used, for this reason; answers false. */
bool tds_conn_refuse(struct tds_conn *c, int32_t number, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

#endif
