/*
 * pg: one asynchronous PostgreSQL connection in pipeline mode, on the loop.
 *
 * Statements are prepared once a connection under their name. Those sent in one
 * loop turn share a sync; each is its own implicit transaction and fails alone.
 * Nothing here blocks: connecting, flushing and reading all happen from events.
 */
#ifndef NET_PG_H
#define NET_PG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <libpq-fe.h>

#include "net/loop.h"

#define PG_MAX_PARAMS 16

struct pg_statement {
    const char *name; /* of the prepared statement and the query_type label */
    const char *sql;  /* $1 … $n */
    int params;
    unsigned metric; /* value of METRICS_DIM_QUERY */
};

enum pg_status {
    PG_OK,
    PG_ERROR,       /* the statement failed: sqlstate and message in the result */
    PG_UNAVAILABLE, /* no connection to be had: server down or refusing */
    PG_TIMEOUT,     /* waited or ran past the deadline */
    PG_CANCELLED    /* by pgpool_cancel or the pool's end; the callback is not called after a cancel */
};

/* `result` is borrowed for the call (NULL unless PG_OK or PG_ERROR). */
typedef void (*pg_result_fn)(enum pg_status status, const PGresult *result, void *arg);

#endif
