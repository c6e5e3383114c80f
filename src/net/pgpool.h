/*
 * pgpool: this worker's share of the server's PostgreSQL connections.
 *
 * The statements of one loop turn are sent together over the first connection
 * that has room; more are opened only when statements wait, or when one runs
 * alone. DB_POOL_SIZE + DB_MAX_OVERFLOW bound the whole server, generations of
 * a reload included: a connection is opened only while the sum of all slots'
 * pg_open allows it, and a second one only while every other worker could still
 * have its first. While the database is down statements fail at once and one
 * trial connection at a time probes it, with a backoff of 100 ms doubling to 5 s.
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
/* Pending queries end with PG_CANCELLED. Not from a callback of the pool. */
void pgpool_free(struct pgpool *p);

/*
 * Runs a statement with text parameters (values[i] NULL: SQL null; copied).
 * The callback always comes from the loop, never from inside this call.
 * Waiting is bounded by DB_POOL_TIMEOUT, running by DB_STATEMENT_TIMEOUT, and both together by
 * deadline_ns (monotonic; 0: none). A statement that is not `alone` is run once more when its connection broke.
 * NULL: too many waiting (fail with 503).
 */
struct pgpool_query *pgpool_send(struct pgpool *p, const struct pg_statement *s, const char *const *values,
                                 uint64_t deadline_ns, pg_result_fn fn, void *arg);
/* The callback will not be called any more; what the server still does for it is ended when it takes long. */
void pgpool_cancel(struct pgpool *p, struct pgpool_query *q);
/* False while the last attempts to connect failed and no connection answers. */
bool pgpool_up(const struct pgpool *p);

#endif
