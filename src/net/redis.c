/*
 * redis: see the header. hiredis answers in the order of the calls, so the first in flight has the next deadline; one
 * timer serves the deadline, the trial's deadline and the pause between trials, by the state.
 */
#include "net/redis.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <hiredis/adapters/libevent.h>
#include <hiredis/async.h>

#include "base/clock.h"
#include "core/redis_target.h"
#include "net/lookup.h"

#define LOSSES_TO_OPEN 3
#define RETRY_SOON_MS  10
#define RETRY_OPEN_MS  1000
#define POLL_LOOKUP_MS 20

enum redis_state {
    REDIS_DOWN,   /* the timer starts the next trial */
    REDIS_TRYING, /* connecting, authenticating, PING; the timer ends it */
    REDIS_UP      /* the timer is the deadline of the first call */
};

struct redis_call {
    struct redis *owner;
    redis_value_fn fn; /* NULL: nobody waits */
    void *arg;
    uint64_t deadline_ns;
    size_t bytes;
    struct redis_call *next;
};

struct redis {
    struct loop *loop;
    struct redis_target target;
    struct lookup *lookup; /* NULL: no name */
    uint64_t timeout_ms;
    struct loop_timer *timer;
    redisAsyncContext *connection; /* NULL: none */
    enum redis_state state;
    unsigned losses; /* in a row */
    struct redis_call *first, **last;
    unsigned flight;
    size_t flight_bytes;
};

static void lose(struct redis *r);

/* ---- calls ---- */

static void watch_deadline(struct redis *r)
{
    uint64_t now = clock_mono_ns();

    if (r->state != REDIS_UP || r->first == NULL)
        return;
    loop_timer_set(r->timer, r->first->deadline_ns > now ? (r->first->deadline_ns - now) / 1000000 + 1 : 1);
}

static void take_first(struct redis *r)
{
    struct redis_call *call = r->first;

    r->first = call->next;
    if (r->first == NULL)
        r->last = &r->first;
    r->flight--;
    r->flight_bytes -= call->bytes;
}

/* Also called by hiredis, with reply NULL, for all in flight when the connection goes. */
static void on_reply(redisAsyncContext *c, void *reply_p, void *call_p)
{
    const redisReply *reply = reply_p;
    struct redis_call *call = call_p;
    struct redis *r = call->owner;
    struct str value = STR_NONE;

    (void)c;
    take_first(r);
    if (reply != NULL)
        r->losses = 0;
    if (reply != NULL && reply->type == REDIS_REPLY_STRING)
        value = (struct str){ reply->str, reply->len };
    if (call->fn != NULL)
        call->fn(value, call->arg);
    free(call);
}

/* NULL: refused. */
static struct redis_call *send_call(struct redis *r, int argc, const char **argv, const size_t *lengths, size_t bytes)
{
    struct redis_call *call;

    if (r->state != REDIS_UP || r->flight >= REDIS_MAX_FLIGHT || r->flight_bytes + bytes > REDIS_MAX_FLIGHT_BYTES)
        return NULL;
    call = calloc(1, sizeof(*call));
    if (call == NULL)
        return NULL;
    *call =
        (struct redis_call){ .owner = r, .bytes = bytes, .deadline_ns = clock_mono_ns() + r->timeout_ms * 1000000 };
    if (redisAsyncCommandArgv(r->connection, on_reply, call, argc, argv, lengths) != REDIS_OK) {
        free(call);
        return NULL;
    }
    *r->last = call;
    r->last = &call->next;
    r->flight_bytes += bytes;
    if (r->flight++ == 0)
        watch_deadline(r);
    return call;
}

struct redis_call *redis_get(struct redis *r, struct str key, redis_value_fn fn, void *arg)
{
    const char *argv[] = { "GET", key.p };
    size_t lengths[] = { 3, key.len };
    struct redis_call *call = send_call(r, 2, argv, lengths, 0);

    if (call != NULL) {
        call->fn = fn;
        call->arg = arg;
    }
    return call;
}

void redis_cancel(struct redis_call *call)
{
    call->fn = NULL;
}

void redis_set(struct redis *r, struct str key, struct str value, int64_t ttl_s)
{
    char ttl[24];
    int n = snprintf(ttl, sizeof(ttl), "%lld", (long long)ttl_s);
    const char *argv[] = { "SET", key.p, value.p, "EX", ttl };
    size_t lengths[] = { 3, key.len, value.len, 2, (size_t)n };

    (void)send_call(r, 5, argv, lengths, value.len);
}

bool redis_up(const struct redis *r)
{
    return r->state == REDIS_UP;
}

/* ---- the connection ---- */

static void pause_then_try(struct redis *r, uint64_t ms)
{
    r->state = REDIS_DOWN;
    loop_timer_set(r->timer, ms);
}

/* The connection is gone, or is to go: what is in flight fails, and another trial is made soon, or when it is time.
 */
static void lose(struct redis *r)
{
    redisAsyncContext *c = r->connection;

    r->connection = NULL;
    if (r->losses < LOSSES_TO_OPEN)
        r->losses++;
    pause_then_try(r, r->losses < LOSSES_TO_OPEN ? RETRY_SOON_MS : RETRY_OPEN_MS);
    if (c != NULL)
        redisAsyncFree(c);
}

/* Both come also from inside redisAsyncFree, which `lose` has called: the connection is another one then. */
static void on_disconnect(const redisAsyncContext *c, int status)
{
    struct redis *r = c->data;

    (void)status;
    if (r == NULL || r->connection != c)
        return;
    r->connection = NULL; /* hiredis frees it */
    lose(r);
}

static void on_connect(const redisAsyncContext *c, int status)
{
    if (status != REDIS_OK)
        on_disconnect(c, status);
}

/* Replies of a trial: any error ends it; the last one, PING's, makes the connection good. */
static void on_introduced(redisAsyncContext *c, void *reply_p, void *last)
{
    const redisReply *reply = reply_p;
    struct redis *r = c->data;

    if (reply == NULL || r == NULL || r->connection != c)
        return;
    if (reply->type == REDIS_REPLY_ERROR) {
        r->losses = LOSSES_TO_OPEN; /* a wrong password does not get right by haste */
        lose(r);
        return;
    }
    if (last == NULL)
        return;
    r->state = REDIS_UP;
    loop_timer_clear(r->timer);
}

static bool introduce(struct redis *r)
{
    const struct redis_target *t = &r->target;
    const char *auth[] = { "AUTH", t->user, t->password }, *auth_default[] = { "AUTH", t->password };
    char db[24];
    const char *select[] = { "SELECT", db }, *ping[] = { "PING" };
    int rc = REDIS_OK;

    (void)snprintf(db, sizeof(db), "%llu", (unsigned long long)t->db);
    if (t->password[0] != '\0')
        rc |= t->user[0] != '\0' ? redisAsyncCommandArgv(r->connection, on_introduced, NULL, 3, auth, NULL)
                                 : redisAsyncCommandArgv(r->connection, on_introduced, NULL, 2, auth_default, NULL);
    if (t->db != 0)
        rc |= redisAsyncCommandArgv(r->connection, on_introduced, NULL, 2, select, NULL);
    rc |= redisAsyncCommandArgv(r->connection, on_introduced, r, 1, ping, NULL);
    return rc == REDIS_OK;
}

static redisAsyncContext *connect_to(const struct redis *r)
{
    const struct redis_target *t = &r->target;

    if (t->is_unix)
        return redisAsyncConnectUnix(t->host);
    return redisAsyncConnect(r->lookup != NULL ? lookup_address(r->lookup, 0) : t->host, (int)t->port);
}

static void try_connection(struct redis *r)
{
    redisAsyncContext *c = connect_to(r);

    if (c == NULL || c->err != 0 || redisLibeventAttach(c, loop_base(r->loop)) != REDIS_OK) {
        if (c != NULL)
            redisAsyncFree(c);
        lose(r);
        return;
    }
    c->data = r;
    r->connection = c;
    r->state = REDIS_TRYING;
    (void)redisAsyncSetConnectCallback(c, on_connect);
    (void)redisAsyncSetDisconnectCallback(c, on_disconnect);
    loop_timer_set(r->timer, r->timeout_ms);
    if (!introduce(r))
        lose(r);
}

/* True when an address is known, maybe of before. */
static bool resolved(struct redis *r)
{
    if (r->lookup == NULL)
        return true;
    if (!lookup_ended(r->lookup)) {
        pause_then_try(r, POLL_LOOKUP_MS);
        return false;
    }
    if (lookup_count(r->lookup) == 0 || r->losses >= LOSSES_TO_OPEN)
        lookup_start(r->lookup); /* for the next trial: the address may have changed */
    if (lookup_count(r->lookup) > 0)
        return true;
    pause_then_try(r, RETRY_OPEN_MS);
    return false;
}

static void on_timer(void *arg)
{
    struct redis *r = arg;

    switch (r->state) {
    case REDIS_DOWN:
        if (resolved(r))
            try_connection(r);
        return;
    case REDIS_TRYING:
        lose(r);
        return;
    case REDIS_UP:
        if (r->first != NULL && r->first->deadline_ns <= clock_mono_ns())
            lose(r);
        else
            watch_deadline(r);
        return;
    }
}

/* ---- life ---- */

struct redis *redis_new(struct loop *l, const char *url, uint64_t timeout_ms)
{
    struct redis *r = calloc(1, sizeof(*r));

    if (r == NULL)
        return NULL;
    r->loop = l;
    r->timeout_ms = timeout_ms;
    r->last = &r->first;
    r->timer = loop_timer_new(l, on_timer, r);
    if (r->timer == NULL || redis_target_parse(url, &r->target) != NULL) {
        redis_free(r);
        return NULL;
    }
    if (!r->target.is_unix && lookup_is_name(r->target.host)) {
        r->lookup = lookup_new(r->target.host);
        if (r->lookup == NULL) {
            redis_free(r);
            return NULL;
        }
        lookup_start(r->lookup);
    }
    pause_then_try(r, 1);
    return r;
}

void redis_free(struct redis *r)
{
    redisAsyncContext *c;

    if (r == NULL)
        return;
    for (struct redis_call *call = r->first; call != NULL; call = call->next)
        call->fn = NULL;
    c = r->connection;
    r->connection = NULL;
    if (c != NULL)
        redisAsyncFree(c);
    loop_timer_free(r->timer);
    lookup_free(r->lookup);
    explicit_bzero(&r->target, sizeof(r->target));
    free(r);
}
