/*
 * pgpool: queries, from the call to the callback, and which connection takes which.
 *
 * A query is in one list at a time: waiting (shared or alone), a connection's
 * flight, or a list being worked off, from which only its worker takes it. The
 * dispatch runs once after a turn, so what the turn asked for goes out in one batch.
 */
#include <stdlib.h>
#include <string.h>

#include "core/metrics.h"
#include "net/pgpool_internal.h"

/* ---- the end of a query ---- */

static void count_outcome(struct pgpool *p, const struct pgpool_query *q, enum pg_status status)
{
    static const enum metric_db_error kinds[] = { [PG_ERROR] = METRIC_DB_ERROR_STATEMENT,
                                                  [PG_UNAVAILABLE] = METRIC_DB_ERROR_UNAVAILABLE,
                                                  [PG_TIMEOUT] = METRIC_DB_ERROR_TIMEOUT };

    if (status == PG_CANCELLED)
        return;
    if (status != PG_UNAVAILABLE)
        metrics_observe(METRIC_DB_QUERY_DURATION, q->statement->metric, 0, pool_now(p) - q->queued_ns);
    if (status != PG_OK)
        metrics_add(METRIC_DB_QUERY_ERRORS, q->statement->metric, kinds[status], 0, 1);
}

void pool_answer(struct pgpool *p, struct pgpool_query *q, enum pg_status status, const PGresult *result)
{
    if (q->abandoned)
        return;
    q->abandoned = true;
    count_outcome(p, q, status);
    q->fn(status, result, q->arg);
}

void pool_finish(struct pgpool *p, struct pgpool_query *q, enum pg_status status, const PGresult *result)
{
    q->place = POOL_LIMBO;
    pool_answer(p, q, status, result);
    loop_free_later(p->loop, q);
}

void pool_fail_list(struct pgpool *p, struct pool_query_list *list, enum pg_status status)
{
    struct pgpool_query *q;

    while ((q = TAILQ_FIRST(list)) != NULL) {
        TAILQ_REMOVE(list, q, link);
        pool_finish(p, q, status, NULL);
    }
}

/* What the callbacks ask for anew waits for the next dispatch. */
void pool_fail_waiting(struct pgpool *p, enum pg_status status)
{
    struct pool_query_list list = TAILQ_HEAD_INITIALIZER(list);
    struct pgpool_query *q;

    for (int i = 0; i < POOL_QUEUES; i++) {
        while ((q = TAILQ_FIRST(&p->waiting[i])) != NULL) {
            pool_unqueue(p, q);
            TAILQ_INSERT_TAIL(&list, q, link);
        }
    }
    pool_fail_list(p, &list, status);
}

/* ---- waiting ---- */

static struct pool_query_list *queue_of(struct pgpool *p, const struct pgpool_query *q)
{
    return &p->waiting[q->statement->alone ? POOL_ALONE : POOL_SHARED];
}

void pool_unqueue(struct pgpool *p, struct pgpool_query *q)
{
    TAILQ_REMOVE(queue_of(p, q), q, link);
    p->waiting_count--;
    q->place = POOL_LIMBO;
}

void pool_requeue(struct pgpool *p, struct pgpool_query *q)
{
    TAILQ_INSERT_HEAD(queue_of(p, q), q, link);
    p->waiting_count++;
    q->place = POOL_WAITING;
    q->conn = NULL;
    pool_schedule(p);
}

static struct pgpool_query *query_new(const struct pg_statement *s, const char *const *values)
{
    size_t bytes = 0, lengths[PG_MAX_PARAMS];
    struct pgpool_query *q;
    char *to;

    if (s->params < 0 || s->params > PG_MAX_PARAMS)
        return NULL;
    for (int i = 0; i < s->params; i++) {
        lengths[i] = values[i] != NULL ? strlen(values[i]) + 1 : 0;
        bytes += lengths[i];
    }
    q = calloc(1, sizeof *q + bytes);
    if (q == NULL)
        return NULL;
    to = q->text;
    for (int i = 0; i < s->params; i++) {
        if (values[i] == NULL)
            continue;
        memcpy(to, values[i], lengths[i]);
        q->values[i] = to;
        to += lengths[i];
    }
    q->statement = s;
    return q;
}

struct pgpool_query *pgpool_send(struct pgpool *p, const struct pg_statement *s, const char *const *values,
                                 uint64_t deadline_ns, pg_result_fn fn, void *arg)
{
    struct pgpool_query *q;

    if (p->closing)
        return NULL;
    if (p->waiting_count >= POOL_MAX_WAITING) {
        pool_tell_exhausted(p);
        return NULL;
    }
    q = query_new(s, values);
    if (q == NULL)
        return NULL;
    q->fn = fn;
    q->arg = arg;
    q->deadline_ns = deadline_ns;
    q->queued_ns = pool_now(p);
    q->place = POOL_WAITING;
    TAILQ_INSERT_TAIL(queue_of(p, q), q, link);
    p->waiting_count++;
    pool_schedule(p);
    return q;
}

void pgpool_cancel(struct pgpool *p, struct pgpool_query *q)
{
    if (q->abandoned)
        return;
    q->abandoned = true;
    if (q->place == POOL_IN_FLIGHT)
        q->conn->wanted--;
    if (q->place != POOL_WAITING)
        return;
    pool_unqueue(p, q);
    loop_free_later(p->loop, q);
}

/* ---- dispatch ---- */

static void take(struct pool_conn *c, struct pgpool_query *q, uint64_t now_ns)
{
    pool_unqueue(c->pool, q);
    TAILQ_INSERT_TAIL(&c->flight, q, link);
    q->place = POOL_IN_FLIGHT;
    q->conn = c;
    q->sent_ns = now_ns;
    if (c->in_flight++ == 0)
        c->batch_ns = now_ns;
    c->wanted++;
}

/* False when the connection is still preparing that statement. */
static bool offer(struct pool_conn *c, struct pgpool_query *q, uint64_t now_ns)
{
    switch (pg_conn_prepared(c->pg, q->statement)) {
    case PG_PREPARED:
        take(c, q, now_ns);
        pg_conn_send(c->pg, q->statement, q->values, q);
        return true;
    case PG_PREPARED_NOT:
        take(c, q, now_ns);
        pg_conn_prepare(c->pg, q->statement, q);
        return true;
    case PG_PREPARED_UNDER_WAY:
        break;
    }
    return false;
}

/* Usable but for what is in flight; one that stood idle is pinged first. */
static bool usable(struct pool_conn *c, uint64_t now_ns)
{
    if (!c->ready || c->retiring || c->alone || c->ping_ns != 0)
        return false;
    if (!c->pool->conf->db_pool_pre_ping || c->in_flight > 0 || !pool_past(now_ns, c->idle_ns, POOL_PING_IDLE_MS))
        return true;
    c->ping_ns = now_ns;
    pg_conn_ping(c->pg);
    return false;
}

/* A connection silent for a while may be held up by one slow statement. */
static bool lags(const struct pool_conn *c, uint64_t now_ns)
{
    return c->in_flight > 0 && pool_past(now_ns, pg_conn_progress_ns(c->pg), POOL_SLOW_MS);
}

static bool has_room(const struct pool_conn *c, uint64_t now_ns)
{
    return c->in_flight < PG_MAX_FLIGHT && pg_conn_batches(c->pg) < POOL_MAX_BATCHES && !lags(c, now_ns);
}

static void fill_shared(struct pool_conn *c, uint64_t now_ns)
{
    struct pool_query_list *queue = &c->pool->waiting[POOL_SHARED];
    struct pgpool_query *q = TAILQ_FIRST(queue), *next;

    for (; q != NULL && c->in_flight < PG_MAX_FLIGHT; q = next) {
        next = TAILQ_NEXT(q, link);
        offer(c, q, now_ns);
    }
    pg_conn_sync(c->pg);
}

/* The last idle connection: the first ones carry the shared statements. */
static struct pool_conn *find_idle(struct pgpool *p, uint64_t now_ns)
{
    for (unsigned i = p->conn_count; i-- > 0;) {
        struct pool_conn *c = p->conns[i];

        if (c->in_flight == 0 && c->ready && pg_conn_batches(c->pg) == 0 && usable(c, now_ns))
            return c;
    }
    return NULL;
}

static void fill_alone(struct pgpool *p, uint64_t now_ns)
{
    struct pgpool_query *q;
    struct pool_conn *c;

    while ((q = TAILQ_FIRST(&p->waiting[POOL_ALONE])) != NULL) {
        c = find_idle(p, now_ns);
        if (c == NULL || !offer(c, q, now_ns))
            return;
        c->alone = true;
        pg_conn_sync(c->pg);
    }
}

/* Is there a connection that takes shared statements, now or soon? */
static bool any_serves(const struct pgpool *p, uint64_t now_ns)
{
    for (unsigned i = 0; i < p->conn_count; i++) {
        const struct pool_conn *c = p->conns[i];

        if (c->ready && !c->retiring && !c->alone && !lags(c, now_ns))
            return true;
    }
    return false;
}

static bool wants_more(struct pgpool *p, uint64_t now_ns)
{
    const struct pgpool_query *q = TAILQ_FIRST(&p->waiting[POOL_SHARED]);

    return p->trial || !TAILQ_EMPTY(&p->waiting[POOL_ALONE]) ||
           (q != NULL && (!any_serves(p, now_ns) || pool_past(now_ns, q->queued_ns, POOL_SLOW_MS)));
}

/* Statements that need a connection alone would never find one idle, were the last one fed on. */
static unsigned count_fed(const struct pgpool *p)
{
    bool hold_back = !TAILQ_EMPTY(&p->waiting[POOL_ALONE]) && !pool_connecting(p);

    return p->conn_count - (hold_back && p->conn_count > 0);
}

static void dispatch(void *arg)
{
    struct pgpool *p = arg;
    uint64_t now_ns = pool_now(p);

    p->dispatching = false;
    if (p->down)
        pool_fail_waiting(p, PG_UNAVAILABLE);
    fill_alone(p, now_ns);
    if (!TAILQ_EMPTY(&p->waiting[POOL_ALONE]))
        pool_grow(p);
    for (unsigned i = 0; i < count_fed(p) && !TAILQ_EMPTY(&p->waiting[POOL_SHARED]); i++) {
        if (usable(p->conns[i], now_ns) && has_room(p->conns[i], now_ns))
            fill_shared(p->conns[i], now_ns);
    }
    if (wants_more(p, now_ns))
        pool_grow(p);
    pool_show(p);
    pool_arm(p);
}

void pool_schedule(struct pgpool *p)
{
    if (!p->dispatching)
        p->dispatching = loop_defer(p->loop, dispatch, p);
}

void pool_show(struct pgpool *p)
{
    unsigned busy = 0;

    for (unsigned i = 0; i < p->conn_count; i++)
        busy += p->conns[i]->in_flight > 0;
    atomic_store_explicit(&p->slot->pg_busy, busy, memory_order_relaxed);
    atomic_store_explicit(&p->slot->pg_waiting, p->waiting_count, memory_order_relaxed);
}

/* ---- life ---- */

struct pgpool *pgpool_new(struct loop *l, const struct conf *conf, struct scoreboard *sb, struct sb_slot *slot)
{
    struct pgpool *p = calloc(1, sizeof *p);

    if (p == NULL)
        return NULL;
    p->loop = l;
    p->conf = conf;
    p->sb = sb;
    p->slot = slot;
    for (int i = 0; i < POOL_QUEUES; i++)
        TAILQ_INIT(&p->waiting[i]);
    p->target = pg_target_new(conf->database_url);
    p->timer = loop_timer_new(l, pool_on_timer, p);
    if (p->target == NULL || p->timer == NULL) {
        pgpool_free(p);
        return NULL;
    }
    return p;
}

void pgpool_free(struct pgpool *p)
{
    if (p == NULL)
        return;
    p->closing = true;
    pool_fail_waiting(p, PG_CANCELLED);
    while (p->conn_count > 0) {
        struct pool_conn *c = p->conns[p->conn_count - 1];

        pool_fail_list(p, &c->flight, PG_CANCELLED);
        pool_close(c);
    }
    pool_show(p);
    loop_defer_cancel(p->loop, dispatch, p);
    loop_timer_free(p->timer);
    pg_target_free(p->target);
    free(p);
}

bool pgpool_up(const struct pgpool *p)
{
    return !p->down;
}
