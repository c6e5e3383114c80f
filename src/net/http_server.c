/*
 * http_server: life and deadlines of all connections of a worker.
 *
 * There is no timer a connection: each state has one time-out, each list is
 * in order of time, so a janitor looks at the heads of the lists only. Requests at the
 * application have deadlines of their own and are looked at one by one.
 */
#include "net/http_server.h"

#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "net/http_conn.h"

#define NS_PER_MS 1000000ULL

/* How long a connection may stay in a state; 0: for ever. */
static uint64_t timeout_ns(const struct http_server *s, enum http_conn_state state)
{
    switch (state) {
    case HTTP_CONN_IDLE:
        return s->draining ? HTTP_DRAIN_IDLE_MS * NS_PER_MS : s->limits.idle_timeout_s * CLOCK_NS_PER_S;
    case HTTP_CONN_HEAD:
        return s->limits.header_timeout_s * CLOCK_NS_PER_S;
    case HTTP_CONN_BODY:
    case HTTP_CONN_SKIP:
        return s->limits.body_timeout_s * CLOCK_NS_PER_S;
    case HTTP_CONN_WRITE:
        return s->limits.idle_timeout_s * CLOCK_NS_PER_S;
    case HTTP_CONN_LINGER:
        return HTTP_LINGER_MS * NS_PER_MS;
    case HTTP_CONN_HANDLER:
    case HTTP_CONN_STATES:
        break;
    }
    return 0;
}

/* Each one expired leaves the head of its list: closed, or moved on. */
static void sweep_list(struct http_server *s, enum http_conn_state state, uint64_t now)
{
    uint64_t timeout = timeout_ns(s, state);
    struct http_conn *c;

    if (timeout == 0)
        return;
    while ((c = TAILQ_FIRST(&s->lists[state])) != NULL && now >= c->since_ns + timeout)
        http_conn_expire(c);
}

/* A probe goes out a tick after the FIN: an answer due at once comes without an interim one before it. */
static void sweep_requests(struct http_server *s, uint64_t now)
{
    struct http_conn *c, *next;

    for (c = TAILQ_FIRST(&s->lists[HTTP_CONN_HANDLER]); c != NULL; c = next) {
        uint64_t deadline = c->exchange->request.deadline_ns;

        next = TAILQ_NEXT(c, link);
        if (deadline != 0 && now >= deadline)
            http_conn_expire_request(c);
        else if (c->fin && !c->probed)
            http_conn_probe(c);
    }
}

static void tell_drained(struct http_server *s)
{
    if (!s->draining || s->drain_told || s->connections > 0)
        return;
    s->drain_told = true;
    if (s->drained != NULL)
        s->drained(s->drained_arg);
}

static void on_janitor(void *arg)
{
    struct http_server *s = arg;
    uint64_t now = loop_now_ns(s->loop);

    loop_timer_set(s->janitor, HTTP_TICK_MS);
    http_conn_run_resumed(s);
    for (int state = 0; state < HTTP_CONN_STATES; state++)
        sweep_list(s, (enum http_conn_state)state, now);
    sweep_requests(s, now);
    tell_drained(s);
}

static bool start(struct http_server *s)
{
    int on = 1;

    s->batch = malloc(HTTP_BATCH_BYTES);
    s->janitor = loop_timer_new(s->loop, on_janitor, s);
    if (s->batch == NULL || s->janitor == NULL)
        return false;
    setsockopt(s->listen_fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on); /* accepted sockets take it over */
    loop_timer_set(s->janitor, HTTP_TICK_MS);
    return http_accept_start(s);
}

struct http_server *http_server_new(struct loop *l, int listen_fd, const struct http_limits *limits,
                                    const struct http_app *app, const struct http_server_hooks *hooks)
{
    struct http_server *s = calloc(1, sizeof *s);

    if (s == NULL)
        return NULL;
    s->loop = l;
    s->listen_fd = listen_fd;
    s->limits = *limits;
    s->app = *app;
    if (hooks != NULL)
        s->hooks = *hooks;
    for (int state = 0; state < HTTP_CONN_STATES; state++)
        TAILQ_INIT(&s->lists[state]);
    TAILQ_INIT(&s->resume);
    TAILQ_INIT(&s->exchanges);
    TAILQ_INIT(&s->spare_exchanges);
    if (start(s))
        return s;
    http_server_free(s);
    return NULL;
}

void http_server_stats(const struct http_server *s, struct http_stats *out)
{
    const struct http_exchange *oldest = TAILQ_FIRST(&s->exchanges);

    out->connections = s->connections;
    out->idle = s->counts[HTTP_CONN_IDLE];
    if (s->running != NULL && s->running->listed == HTTP_CONN_IDLE)
        out->idle--;
    out->active = s->connections - out->idle;
    out->in_flight = s->in_flight;
    out->accepted = s->accepted;
    out->oldest_request_ns = oldest != NULL ? oldest->request.start_ns : 0;
}

/* Connections silent for longer go at once, the others a little later unless their next request comes first: a
 * client in full flow then reads "Connection: close" instead of meeting a closed door. */
void http_server_drain(struct http_server *s, loop_fn drained, void *arg)
{
    s->draining = true;
    s->drained = drained;
    s->drained_arg = arg;
    http_accept_stop(s);
    loop_timer_set(s->janitor, 0);
}

void http_server_free(struct http_server *s)
{
    struct http_conn *c;

    if (s == NULL)
        return;
    s->freed = true;
    http_accept_stop(s);
    for (int state = 0; state < HTTP_CONN_STATES; state++)
        while ((c = TAILQ_FIRST(&s->lists[state])) != NULL)
            http_conn_close(c, HTTP_END_ABORTED);
    http_pool_free(s);
    loop_timer_free(s->accept_timer);
    loop_timer_free(s->janitor);
    free(s->batch);
    loop_free_later(s->loop, s);
}
