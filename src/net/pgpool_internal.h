/*
 * pgpool_internal: the pool as its three files see it. pgpool.c: queries, and
 * which connection takes which; pgpool_conn.c: connections, from the decision to
 * open one to its end; pgpool_tick.c: what time brings about.
 */
#ifndef NET_PGPOOL_INTERNAL_H
#define NET_PGPOOL_INTERNAL_H

#include <sys/queue.h>

#include "net/pgpool.h"

#define POOL_MAX_CONNS        64   /* of one worker; each carries many statements */
#define POOL_MAX_WAITING      1000 /* of one worker */
#define POOL_MAX_BATCHES      2    /* in flight on one connection: the server always has the next one at hand */
#define POOL_MAX_RESULT_BYTES (16 * 1024 * 1024)
#define POOL_SLOW_MS          20 /* a connection silent for so long takes no more; a wait so long asks for another one */
#define POOL_DEAD_MS          1000  /* silent for so long with work in hand: does not count as a working connection */
#define POOL_GRACE_MS         500   /* beyond statement_timeout, which the server should have kept itself */
#define POOL_PING_IDLE_MS     30000 /* pinged before use after so long */
#define POOL_SPARE_MS         30000 /* a second connection unused for so long is closed */
#define POOL_QUIET_MS         10000 /* exhausted again after so long is a new incident */
#define POOL_BACKOFF_MS       100
#define POOL_BACKOFF_MAX_MS   5000
#define POOL_NS_PER_MS        1000000ULL

enum pool_query_place {
    POOL_WAITING,
    POOL_IN_FLIGHT,
    POOL_LIMBO /* in a list being worked off */
};

struct pool_conn;

struct pgpool_query {
    TAILQ_ENTRY(pgpool_query) link;
    enum pool_query_place place;
    bool abandoned; /* its callback was called or is not wanted; the memory waits for the server */
    bool repeated;
    const struct pg_statement *statement;
    pg_result_fn fn;
    void *arg;
    uint64_t queued_ns, sent_ns, deadline_ns;
    struct pool_conn *conn;
    const char *values[PG_MAX_PARAMS];
    char text[]; /* the values' bytes */
};

TAILQ_HEAD(pool_query_list, pgpool_query);

struct pool_conn {
    struct pgpool *pool;
    struct pg_conn *pg;
    struct pool_query_list flight;
    unsigned in_flight, wanted;      /* wanted: not abandoned */
    bool ready, alone, retiring;     /* alone: a statement has it for itself */
    uint64_t ping_ns;                /* sent then and not answered; 0: none */
    uint64_t idle_ns, opened_ns;     /* idle_ns: since when nothing is in flight */
    uint64_t batch_ns;               /* the batch in front runs since */
    const struct pg_statement *slow; /* told of in this batch */
};

enum pool_queue {
    POOL_SHARED,
    POOL_ALONE,
    POOL_QUEUES
};

struct pgpool {
    struct loop *loop;
    const struct conf *conf;
    struct scoreboard *sb;
    struct sb_slot *slot;
    struct pg_target *target;
    struct loop_timer *timer;
    uint64_t timer_ms; /* armed for; 0: not */
    struct pool_query_list waiting[POOL_QUEUES];
    unsigned waiting_count;
    struct pool_conn *conns[POOL_MAX_CONNS]; /* in order of preference */
    unsigned conn_count;
    bool dispatching; /* a dispatch is deferred */
    bool closing;
    bool down;             /* see pgpool_up */
    bool trial;            /* open one connection even without demand */
    bool announced;        /* the operator knows of the trouble */
    unsigned failures;     /* to connect, in a row */
    uint64_t retry_ns;     /* no attempt before */
    uint64_t shrunk_ns;    /* the db_full_ns that was heeded last */
    uint64_t exhausted_ns; /* when a wait ended in vain last; 0: never */
};

/* pgpool.c */
void pool_schedule(struct pgpool *p); /* a dispatch after this turn */
/* Calls back, unless that was done or is not wanted. */
void pool_answer(struct pgpool *p, struct pgpool_query *q, enum pg_status status, const PGresult *result);
/* Answers a query that is in no list any more, and frees it. */
void pool_finish(struct pgpool *p, struct pgpool_query *q, enum pg_status status, const PGresult *result);
void pool_unqueue(struct pgpool *p, struct pgpool_query *q);
void pool_requeue(struct pgpool *p, struct pgpool_query *q); /* at the head */
void pool_fail_list(struct pgpool *p, struct pool_query_list *list, enum pg_status status);
void pool_fail_waiting(struct pgpool *p, enum pg_status status);
void pool_show(struct pgpool *p); /* the gauges */

/* pgpool_conn.c */
void pool_grow(struct pgpool *p);                                /* opens one connection, if it may */
void pool_close(struct pool_conn *c);                            /* nothing wanted in flight */
void pool_lose(struct pool_conn *c, const struct pg_error *why); /* what is in flight fails or is repeated */
void pool_shrink(struct pgpool *p);                              /* if a worker has met a full server since */
bool pool_healthy(const struct pool_conn *c, uint64_t now_ns);
bool pool_connecting(const struct pgpool *p);

/* pgpool_tick.c */
void pool_tell_exhausted(struct pgpool *p);
bool pool_waited_out(const struct pgpool *p, const struct pgpool_query *q, uint64_t now_ns); /* its DB_POOL_TIMEOUT */
void pool_arm(struct pgpool *p); /* the timer, as often as the present state asks for */
void pool_on_timer(void *arg);

static inline uint64_t pool_now(struct pgpool *p)
{
    return loop_now_ns(p->loop);
}

static inline bool pool_past(uint64_t now_ns, uint64_t since_ns, uint64_t ms)
{
    return now_ns > since_ns && now_ns - since_ns >= ms * POOL_NS_PER_MS;
}

#endif
