/*
 * pg: one asynchronous PostgreSQL connection in pipeline mode, on the loop.
 *
 * Statements are prepared once a connection under their name. Those sent
 * between two pg_conn_sync share one sync and so one implicit transaction:
 * where one fails, those behind it are skipped, not run. Nothing here blocks:
 * looking up, connecting, flushing and reading all happen from events.
 * The connection knows nothing of queues and deadlines: pgpool does.
 */
#ifndef NET_PG_H
#define NET_PG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <libpq-fe.h>

#include "net/loop.h"
#include "net/pg_target.h"

#define PG_MAX_PARAMS     16
#define PG_MAX_STATEMENTS 64 /* prepared on one connection */
#define PG_MAX_FLIGHT     64 /* statements in flight on one connection */

struct pg_statement {
    const char *name; /* of the prepared statement and the query_type label */
    const char *sql;  /* $1 … $n */
    int params;
    unsigned metric; /* value of METRICS_DIM_QUERY */
    bool alone;      /* writes, or runs long: has a connection and a transaction to itself, is never repeated */
};

enum pg_status {
    PG_OK,
    PG_ERROR,       /* the statement failed: sqlstate and message in the result */
    PG_UNAVAILABLE, /* no connection to be had: server down or refusing */
    PG_TIMEOUT,     /* waited or ran past the deadline */
    PG_CANCELLED    /* the pool's end; no callback comes after pgpool_cancel */
};

/* `result` is borrowed for the call. PG_OK: rows; PG_ERROR: what the server said, NULL when a result was refused as
 * too large; else NULL. */
typedef void (*pg_result_fn)(enum pg_status status, const PGresult *result, void *arg);

/* Why a connection was lost, or never came about. */
struct pg_error {
    char sqlstate[6]; /* "" when the server said none */
    char text[256];   /* one line */
    bool timeout;     /* no answer in time */
};

enum pg_outcome {
    PG_DONE,
    PG_FAILED, /* refused by the server: see the result */
    PG_SKIPPED /* not run, because one before it in the batch failed */
};

struct pg_conn;

/* What its owner is told; always from the loop. The connection may be closed from any of these. */
struct pg_owner {
    void (*on_ready)(void *arg);
    void (*on_prepared)(void *tag, const PGresult *error, void *arg); /* error NULL: prepared */
    void (*on_result)(void *tag, enum pg_outcome outcome, const PGresult *result, void *arg);
    void (*on_synced)(void *arg);                           /* a batch has ended */
    void (*on_lost)(const struct pg_error *why, void *arg); /* once, last; nothing in flight will be answered */
};

struct pg_limits {
    uint64_t connect_ms;   /* for lookup, connecting and setting up together */
    uint64_t statement_ms; /* statement_timeout of the session */
};

/* NULL: no memory. `target` and `owner` must outlive it. */
struct pg_conn *pg_conn_open(struct loop *l, struct pg_target *target, const struct pg_limits *limits,
                             const struct pg_owner *owner, void *arg);
/* Without callbacks, without waiting; the server ends what still runs within a second or so. */
void pg_conn_close(struct pg_conn *c);

enum pg_prepared {
    PG_PREPARED_NOT,
    PG_PREPARED_UNDER_WAY,
    PG_PREPARED
};
enum pg_prepared pg_conn_prepared(const struct pg_conn *c, const struct pg_statement *s);
/* Prepares it in a batch of its own. */
void pg_conn_prepare(struct pg_conn *c, const struct pg_statement *s, void *tag);
/* Adds a prepared statement to the batch. */
void pg_conn_send(struct pg_conn *c, const struct pg_statement *s, const char *const *values, void *tag);
/* Ends the batch and sends it, if there is one. */
void pg_conn_sync(struct pg_conn *c);
/* Asks for a sign of life: on_synced. */
void pg_conn_ping(struct pg_conn *c);

unsigned pg_conn_batches(const struct pg_conn *c);     /* sent and not yet synced */
uint64_t pg_conn_progress_ns(const struct pg_conn *c); /* last sign of life; when idle ended, at least */

#endif
