/*
 * pgpool_conn: connections of the pool, from the decision to open one to its end.
 *
 * The bound on the whole server needs no lock: a worker raises its own gauge
 * first, then adds all gauges up, and takes it back when the sum is too high. Two that
 * do so at once may both give way, never both pass.
 */
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "core/events.h"
#include "core/metrics.h"
#include "net/pgpool_internal.h"

#define SQLSTATE_QUERY_CANCELED "57014"
#define SQLSTATE_TOO_MANY       "53300"
#define SQLSTATE_NO_STATEMENT   "26000" /* the prepared statement is gone */
#define SQLSTATE_PLAN_CHANGED   "0A000" /* its result type has changed */
#define POOL_TOO_MANY_FAILURES  5       /* a full server is left alone for longer at once */

/* ---- the bound ---- */

static unsigned max_total(const struct pgpool *p)
{
    return (unsigned)(p->conf->db_pool_size + p->conf->db_max_overflow);
}

/* Other workers that serve and have no connection yet. */
static bool lacks_connection(const struct pgpool *p, const struct sb_slot *slot)
{
    uint32_t state = atomic_load_explicit(&slot->state, memory_order_relaxed);

    return slot != p->slot && atomic_load_explicit(&slot->role, memory_order_relaxed) == SB_ROLE_WORKER &&
           (state == SB_STARTING || state == SB_READY) && atomic_load(&slot->pg_open) == 0;
}

static bool reserve(struct pgpool *p)
{
    unsigned most = max_total(p), own = atomic_fetch_add(&p->slot->pg_open, 1) + 1, sum = 0, lacking = 0;

    for (unsigned i = 0; i < SB_SLOTS; i++) {
        unsigned open = atomic_load(&p->sb->slots[i].pg_open);

        sum += open <= most ? open : most + 1; /* whatever stands there, the sum can't overflow */
        lacking += own > 1 && lacks_connection(p, &p->sb->slots[i]);
    }
    if (sum + lacking <= most)
        return true;
    atomic_fetch_sub(&p->slot->pg_open, 1);
    return false;
}

/* ---- what the operator is told ---- */

static void tell_trouble(struct pgpool *p, const struct pg_error *why)
{
    struct event_field fields[] = { event_cstr("sqlstate", why->sqlstate[0] != '\0' ? why->sqlstate : NULL),
                                    event_cstr("host", pg_target_host(p->target)), event_cstr("error", why->text) };
    size_t count = sizeof fields / sizeof fields[0];

    if (p->announced)
        return;
    p->announced = true;
    if (!scoreboard_tell_db_trouble(p->sb))
        return;
    if (strcmp(why->sqlstate, SQLSTATE_TOO_MANY) == 0)
        event_log(EVENT_DB_CONNECTION_FAILED, fields, count,
                  "Database connection failed: PostgreSQL has no free slot; its max_connections must exceed "
                  "DB_POOL_SIZE + DB_MAX_OVERFLOW (%u) by the slots it reserves and those of other clients",
                  max_total(p));
    else if (why->timeout)
        event_log(EVENT_DB_TIMEOUT, fields, count, "Database does not answer");
    else
        event_log(EVENT_DB_CONNECTION_FAILED, fields, count, "Database connection failed");
}

static void tell_recovered(struct pgpool *p)
{
    struct event_field fields[] = { event_cstr("host", pg_target_host(p->target)) };

    p->failures = 0;
    p->down = false;
    if (!p->announced)
        return;
    p->announced = false;
    if (scoreboard_tell_db_recovered(p->sb))
        event_log(EVENT_DB_RECOVERED, fields, 1, "Database connection works again");
}

/* ---- the end of a connection ---- */

bool pool_healthy(const struct pool_conn *c, uint64_t now_ns)
{
    return c->ready && (c->in_flight == 0 || !pool_past(now_ns, pg_conn_progress_ns(c->pg), POOL_DEAD_MS));
}

bool pool_connecting(const struct pgpool *p)
{
    return p->conn_count > 0 && !p->conns[p->conn_count - 1]->ready;
}

static bool any_healthy(struct pgpool *p)
{
    for (unsigned i = 0; i < p->conn_count; i++) {
        if (pool_healthy(p->conns[i], pool_now(p)))
            return true;
    }
    return false;
}

static void remove_conn(struct pool_conn *c)
{
    struct pgpool *p = c->pool;
    unsigned i = 0;

    while (p->conns[i] != c)
        i++;
    memmove(&p->conns[i], &p->conns[i + 1], (p->conn_count - i - 1) * sizeof p->conns[0]);
    p->conn_count--;
    atomic_fetch_sub(&p->slot->pg_open, 1);
    loop_free_later(p->loop, c);
}

void pool_close(struct pool_conn *c)
{
    struct pgpool *p = c->pool;
    struct pgpool_query *q;

    while ((q = TAILQ_FIRST(&c->flight)) != NULL) { /* abandoned ones */
        TAILQ_REMOVE(&c->flight, q, link);
        loop_free_later(p->loop, q);
    }
    pg_conn_close(c->pg);
    remove_conn(c);
}

static bool repeatable(const struct pgpool *p, const struct pgpool_query *q)
{
    return !q->abandoned && !q->repeated && !q->statement->alone && !p->down;
}

/* Takes the flight of a lost connection apart: back into the queue, or to its end. */
static void give_up_flight(struct pool_conn *c, bool timeout)
{
    struct pool_query_list failed = TAILQ_HEAD_INITIALIZER(failed);
    struct pgpool *p = c->pool;
    struct pgpool_query *q;

    while ((q = TAILQ_LAST(&c->flight, pool_query_list)) != NULL) {
        TAILQ_REMOVE(&c->flight, q, link);
        q->place = POOL_LIMBO;
        if (!timeout && repeatable(p, q)) {
            q->repeated = true;
            pool_requeue(p, q);
        } else {
            TAILQ_INSERT_HEAD(&failed, q, link);
        }
    }
    c->in_flight = c->wanted = 0;
    pool_fail_list(p, &failed, timeout ? PG_TIMEOUT : PG_UNAVAILABLE);
}

/* 100 ms doubling to 5 s, and less by chance, so that workers don't knock together. */
static void back_off(struct pgpool *p, const struct pg_error *why)
{
    uint64_t ms = POOL_BACKOFF_MS;

    if (strcmp(why->sqlstate, SQLSTATE_TOO_MANY) == 0 && p->failures < POOL_TOO_MANY_FAILURES)
        p->failures = POOL_TOO_MANY_FAILURES;
    for (unsigned i = 0; i < p->failures && ms < POOL_BACKOFF_MAX_MS; i++)
        ms *= 2;
    if (ms > POOL_BACKOFF_MAX_MS)
        ms = POOL_BACKOFF_MAX_MS;
    p->failures++;
    p->retry_ns = pool_now(p) + (uint64_t)((double)ms * (0.5 + 0.45 * rng_unit())) * POOL_NS_PER_MS;
}

/* Gives connections back that are not needed: the server has none left for some worker. */
void pool_shrink(struct pgpool *p)
{
    uint64_t full_ns = atomic_load_explicit(&p->sb->db_full_ns, memory_order_relaxed);

    if (full_ns == p->shrunk_ns)
        return;
    p->shrunk_ns = full_ns;
    for (unsigned i = p->conn_count; i-- > 1;) {
        if (p->conns[i]->ready && p->conns[i]->in_flight == 0)
            pool_close(p->conns[i]);
    }
}

/* With nothing that works left the database is down, and whoever waits learns so at the next dispatch. */
static void judge(struct pgpool *p, const struct pg_error *why)
{
    tell_trouble(p, why);
    if (strcmp(why->sqlstate, SQLSTATE_TOO_MANY) == 0)
        atomic_store_explicit(&p->sb->db_full_ns, pool_now(p), memory_order_relaxed);
    pool_shrink(p);
    p->trial = true;
    p->down = !any_healthy(p);
}

void pool_lose(struct pool_conn *c, const struct pg_error *why)
{
    struct pgpool *p = c->pool;
    bool was_ready = c->ready;

    pg_conn_close(c->pg);
    remove_conn(c);
    if (!was_ready || why->timeout) {
        back_off(p, why);
        judge(p, why);
    }
    give_up_flight(c, why->timeout);
    p->trial |= p->conn_count == 0;
    pool_schedule(p);
}

/* ---- what a connection tells ---- */

static void on_ready(void *arg)
{
    struct pool_conn *c = arg;
    struct pgpool *p = c->pool;

    c->retiring = p->trial && p->waiting_count == 0 && any_healthy(p); /* a mere trial: leaves the slot to others */
    c->ready = true;
    c->idle_ns = c->opened_ns = pool_now(p);
    p->trial = false;
    tell_recovered(p);
    pool_schedule(p);
}

static void on_lost(const struct pg_error *why, void *arg)
{
    pool_lose(arg, why);
}

static bool is_state(const PGresult *r, const char *sqlstate)
{
    const char *state = PQresultErrorField(r, PG_DIAG_SQLSTATE);

    return state != NULL && strcmp(state, sqlstate) == 0;
}

static void land(struct pool_conn *c, struct pgpool_query *q)
{
    TAILQ_REMOVE(&c->flight, q, link);
    q->place = POOL_LIMBO;
    c->in_flight--;
    if (!q->abandoned)
        c->wanted--;
    if (c->pool->down)
        tell_recovered(c->pool);
}

/* Once a batch: those behind the slow one have waited for it, not run long. */
static void tell_slow(struct pool_conn *c, const struct pgpool_query *q, const PGresult *r)
{
    struct pgpool *p = c->pool;
    uint64_t since_ns = c->batch_ns > q->sent_ns ? c->batch_ns : q->sent_ns, now_ns = pool_now(p);
    double ms = now_ns > since_ns ? (double)((now_ns - since_ns) / 1000) / 1000 : 0;
    struct event_field fields[] = { event_f64("query_duration_ms", ms), event_cstr("query_type", q->statement->name),
                                    event_i64("row_count", PQntuples(r)) };

    if (ms <= (double)p->conf->slow_query_ms || c->slow == q->statement)
        return;
    c->slow = q->statement;
    event_log(EVENT_SLOW_QUERY, fields, sizeof fields / sizeof fields[0], "Slow query");
}

static void finish_run(struct pool_conn *c, struct pgpool_query *q, enum pg_outcome outcome, const PGresult *r)
{
    struct pgpool *p = c->pool;

    tell_slow(c, q, r);
    if (outcome == PG_DONE && PQresultMemorySize(r) > POOL_MAX_RESULT_BYTES)
        pool_finish(p, q, PG_ERROR, NULL);
    else if (outcome == PG_DONE)
        pool_finish(p, q, PG_OK, r);
    else if (is_state(r, SQLSTATE_QUERY_CANCELED))
        pool_finish(p, q, PG_TIMEOUT, NULL);
    else
        pool_finish(p, q, PG_ERROR, r);
}

/* Run again: one skipped in its batch; once: one whose plan the server has lost, over a new connection. */
static bool run_again(struct pool_conn *c, struct pgpool_query *q, enum pg_outcome outcome, const PGresult *r)
{
    if (q->abandoned || outcome == PG_DONE)
        return false;
    if (outcome == PG_FAILED) {
        if (q->repeated || !(is_state(r, SQLSTATE_NO_STATEMENT) || is_state(r, SQLSTATE_PLAN_CHANGED)))
            return false;
        q->repeated = true;
        c->retiring = true;
    }
    pool_requeue(c->pool, q);
    return true;
}

/* Skipped when its time to wait was over: were it run again and again, the slow ones of its batches would add up. */
static bool is_too_late(const struct pool_conn *c, const struct pgpool_query *q, enum pg_outcome outcome)
{
    return outcome == PG_SKIPPED && !q->abandoned && pool_waited_out(c->pool, q, pool_now(c->pool));
}

static void on_result(void *tag, enum pg_outcome outcome, const PGresult *r, void *arg)
{
    struct pool_conn *c = arg;
    struct pgpool_query *q = tag;

    land(c, q);
    if (is_too_late(c, q, outcome)) {
        metrics_add(METRIC_DB_POOL_TIMEOUTS, 0, 0, 0, 1);
        pool_tell_exhausted(c->pool);
        pool_finish(c->pool, q, PG_TIMEOUT, NULL);
    } else if (!run_again(c, q, outcome, r)) {
        finish_run(c, q, outcome, r);
    }
}

static void on_prepared(void *tag, const PGresult *error, void *arg)
{
    struct pool_conn *c = arg;
    struct pgpool_query *q = tag;

    if (error != NULL) {
        land(c, q);
        finish_run(c, q, PG_FAILED, error);
    } else if (q->abandoned) {
        land(c, q);
        pool_finish(c->pool, q, PG_CANCELLED, NULL);
    } else {
        pg_conn_send(c->pg, q->statement, q->values, q);
        pg_conn_sync(c->pg);
    }
    pool_schedule(c->pool);
}

static void on_synced(void *arg)
{
    struct pool_conn *c = arg;

    c->ping_ns = 0;
    c->slow = NULL;
    c->batch_ns = pool_now(c->pool);
    if (c->in_flight == 0) {
        c->alone = false;
        c->idle_ns = c->batch_ns;
    }
    pool_schedule(c->pool);
    if (c->in_flight == 0 && c->retiring)
        pool_close(c);
}

/* ---- the beginning ---- */

static const struct pg_owner owner = { .on_ready = on_ready,
                                       .on_prepared = on_prepared,
                                       .on_result = on_result,
                                       .on_synced = on_synced,
                                       .on_lost = on_lost };

void pool_grow(struct pgpool *p)
{
    struct pg_limits limits = { .connect_ms = (uint64_t)p->conf->db_connect_timeout * 1000,
                                .statement_ms = (uint64_t)p->conf->db_statement_timeout * 1000 };
    struct pool_conn *c;

    if (pool_connecting(p) || p->conn_count == POOL_MAX_CONNS || pool_now(p) < p->retry_ns || !reserve(p))
        return;
    c = calloc(1, sizeof *c);
    if (c != NULL)
        c->pg = pg_conn_open(p->loop, p->target, &limits, &owner, c);
    if (c == NULL || c->pg == NULL) {
        atomic_fetch_sub(&p->slot->pg_open, 1);
        free(c);
        return;
    }
    c->pool = p;
    TAILQ_INIT(&c->flight);
    p->conns[p->conn_count++] = c;
}
