/*
 * pgpool_tick: what time brings about in the pool. Deadlines of queries, the
 * verdict on a connection that stands still, trials while the database is down, renewal, and
 * giving back what is not used. The timer runs as often as the present state
 * asks for; its scans are bounded by the caps of queue and flights.
 */
#include "core/events.h"
#include "core/metrics.h"
#include "net/pgpool_internal.h"

#define TICK_WAITING_MS 10
#define TICK_BUSY_MS    50
#define TICK_IDLE_MS    1000

static uint64_t statement_ms(const struct pgpool *p)
{
    return (uint64_t)p->conf->db_statement_timeout * 1000;
}

/* ---- deadlines of queries ---- */

void pool_tell_exhausted(struct pgpool *p)
{
    struct event_field fields[] = { event_i64("checked_out", atomic_load(&p->slot->pg_busy)),
                                    event_i64("waiting", p->waiting_count),
                                    event_i64("timeout", p->conf->db_pool_timeout) };
    uint64_t last_ns = p->exhausted_ns;

    p->exhausted_ns = pool_now(p);
    if (last_ns != 0 && !pool_past(p->exhausted_ns, last_ns, POOL_QUIET_MS))
        return;
    event_log(
        EVENT_DB_POOL_EXHAUSTED, fields, sizeof fields / sizeof fields[0],
        "QueuePool limit exceeded: DB_POOL_SIZE + DB_MAX_OVERFLOW connections are in use or none answers in time");
}

static bool expired(const struct pgpool_query *q, uint64_t now_ns)
{
    return q->deadline_ns != 0 && now_ns >= q->deadline_ns;
}

bool pool_waited_out(const struct pgpool *p, const struct pgpool_query *q, uint64_t now_ns)
{
    return expired(q, now_ns) || pool_past(now_ns, q->queued_ns, (uint64_t)p->conf->db_pool_timeout * 1000);
}

static void end_waits(struct pgpool *p, enum pool_queue which, uint64_t now_ns)
{
    struct pool_query_list late = TAILQ_HEAD_INITIALIZER(late);
    struct pgpool_query *q = TAILQ_FIRST(&p->waiting[which]), *next;

    for (; q != NULL; q = next) {
        next = TAILQ_NEXT(q, link);
        if (!pool_waited_out(p, q, now_ns))
            continue;
        pool_unqueue(p, q);
        TAILQ_INSERT_TAIL(&late, q, link);
        metrics_add(METRIC_DB_POOL_TIMEOUTS, 0, 0, 0, 1);
    }
    if (!TAILQ_EMPTY(&late))
        pool_tell_exhausted(p);
    pool_fail_list(p, &late, PG_TIMEOUT);
}

/* The callers learn now; the memory waits for the server's answer or the connection's end. */
static void end_runs(struct pool_conn *c, uint64_t now_ns)
{
    struct pgpool_query *q;

    TAILQ_FOREACH(q, &c->flight, link)
    {
        if (q->abandoned ||
            (!expired(q, now_ns) && !pool_past(now_ns, q->sent_ns, statement_ms(c->pool) + POOL_GRACE_MS)))
            continue;
        c->wanted--;
        pool_answer(c->pool, q, PG_TIMEOUT, NULL);
    }
}

/* ---- verdicts on connections ---- */

static bool stands_still(const struct pool_conn *c, uint64_t now_ns)
{
    uint64_t limit_ms = statement_ms(c->pool) + POOL_GRACE_MS;

    if (c->ping_ns != 0)
        return pool_past(now_ns, c->ping_ns, POOL_DEAD_MS);
    return c->in_flight > 0 && pool_past(now_ns, pg_conn_progress_ns(c->pg), limit_ms);
}

/* Nobody waits for what it does, and it has gone on doing it for a while. */
static bool works_for_nobody(const struct pool_conn *c, uint64_t now_ns)
{
    return c->in_flight > 0 && c->wanted == 0 && pool_past(now_ns, pg_conn_progress_ns(c->pg), POOL_GRACE_MS);
}

static bool is_old(const struct pool_conn *c, uint64_t now_ns)
{
    return c->ready && pool_past(now_ns, c->opened_ns, (uint64_t)c->pool->conf->db_pool_recycle * 1000);
}

static bool is_spare(const struct pool_conn *c, uint64_t now_ns)
{
    return c != c->pool->conns[0] && c->ready && c->in_flight == 0 && pool_past(now_ns, c->idle_ns, POOL_SPARE_MS);
}

static void examine(struct pool_conn *c, uint64_t now_ns)
{
    static const struct pg_error silent = { .timeout = true, .text = "no answer to a statement in time" };

    end_runs(c, now_ns);
    c->retiring |= is_old(c, now_ns);
    if (stands_still(c, now_ns))
        pool_lose(c, &silent);
    else if (works_for_nobody(c, now_ns) || is_spare(c, now_ns))
        pool_close(c);
    else if (c->retiring && c->in_flight == 0 && pg_conn_batches(c->pg) == 0)
        pool_close(c);
}

/* A worker waits for its first connection. */
static bool others_starve(const struct pgpool *p)
{
    for (unsigned i = 0; i < SB_SLOTS; i++) {
        const struct sb_slot *s = &p->sb->slots[i];

        if (atomic_load_explicit(&s->pg_waiting, memory_order_relaxed) > 0 &&
            atomic_load_explicit(&s->pg_open, memory_order_relaxed) == 0)
            return true;
    }
    return false;
}

/* Gives back one connection at a time while another worker has none. */
static void give_way(struct pgpool *p)
{
    if (p->conn_count < 2 || pool_connecting(p) || !others_starve(p))
        return;
    for (unsigned i = 0; i < p->conn_count; i++) {
        if (p->conns[i]->retiring)
            return;
    }
    p->conns[p->conn_count - 1]->retiring = true;
}

void pool_on_timer(void *arg)
{
    struct pgpool *p = arg;
    uint64_t now_ns = pool_now(p);

    p->timer_ms = 0;
    end_waits(p, POOL_SHARED, now_ns);
    end_waits(p, POOL_ALONE, now_ns);
    give_way(p);
    pool_shrink(p);
    for (unsigned i = p->conn_count; i-- > 0;) {
        if (i < p->conn_count) /* losing one may close others */
            examine(p->conns[i], now_ns);
    }
    pool_schedule(p);
}

void pool_arm(struct pgpool *p)
{
    uint64_t ms = TICK_IDLE_MS;

    if (p->waiting_count > 0)
        ms = TICK_WAITING_MS;
    else if (p->trial)
        ms = TICK_BUSY_MS;
    for (unsigned i = 0; i < p->conn_count && ms > TICK_BUSY_MS; i++) {
        if (p->conns[i]->in_flight > 0 || p->conns[i]->ping_ns != 0)
            ms = TICK_BUSY_MS;
    }
    if (p->conn_count == 0 && p->waiting_count == 0 && !p->trial)
        return;
    if (p->timer_ms != 0 && p->timer_ms <= ms)
        return;
    p->timer_ms = ms;
    loop_timer_set(p->timer, ms);
}
