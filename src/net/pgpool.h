/*
 * pgpool: this worker's share of the server's PostgreSQL connections.
 *
 * DB_POOL_SIZE + DB_MAX_OVERFLOW bound the whole server, generations of a
 * reload included: a connection is opened only while the sum of all slots'
 * pg_open allows it. Queries wait in one queue with a deadline; while the
 * database is down they fail at once. Reconnects back off with jitter, 100 ms
 * doubling to 5 s; a connection is pinged after a pause and closed after DB_POOL_RECYCLE.
 */
#ifndef NET_PGPOOL_H
#define NET_PGPOOL_H

#include <stdbool.h>
#include <stdint.h>

#include "core/conf.h"
#include "core/scoreboard.h"
#include "net/pg.h"

struct pgpool;
struct pgpool_query;

/* NULL: no memory. Connects lazily. `conf` and `sb` must outlive it; `slot` receives the gauges. */
struct pgpool *pgpool_new(struct loop *l, const struct conf *conf, struct scoreboard *sb, struct sb_slot *slot);
/* Pending queries end with PG_CANCELLED. */
void pgpool_free(struct pgpool *p);

/*
 * Runs a statement with text parameters (values[i] NULL: SQL null; copied).
 * The callback always comes from the loop, never from inside this call.
 * deadline_ns (monotonic; 0: DB_STATEMENT_TIMEOUT from now) bounds waiting and
 * running together, waiting also by DB_POOL_TIMEOUT. NULL: too many waiting (fail with 503).
 */
struct pgpool_query *pgpool_send(struct pgpool *p, const struct pg_statement *s, const char *const *values,
                                 uint64_t deadline_ns, pg_result_fn fn, void *arg);
/* The callback will not be called any more; the server is asked to stop when it matters. */
void pgpool_cancel(struct pgpool *p, struct pgpool_query *q);
/* False while the last attempts to connect failed. */
bool pgpool_up(const struct pgpool *p);

#endif
