/*
 * worker: one event loop that serves HTTP.
 *
 * Everything is made before the slot says READY and freed after the loop has
 * ended. The beat comes from the loop's own timer, so it stops when the loop
 * does. The worker keeps no deadline for its drain: the master does (except when the master is gone).
 */
#include <signal.h>
#include <stdio.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "api/api.h"
#include "base/clock.h"
#include "base/rng.h"
#include "core/events.h"
#include "core/metrics.h"
#include "core/sys.h"
#include "net/http_server.h"
#include "net/listen.h"
#include "net/loop.h"
#include "net/pgpool.h"
#include "proc/balance.h"
#include "proc/roles.h"

#define TICK_MS   250
#define BEAT_MS   500
#define SAMPLE_NS CLOCK_NS_PER_S /* of the memory gauges */
#define ORPHAN_MS 800            /* to drain in when the master has died */
#define MEGABYTE  (1024 * 1024)

struct worker {
    const struct proc_context *ctx;
    struct loop *loop;
    struct pgpool *pool;
    struct cache *cache;
    struct api *api;
    struct http_server *server;
    struct loop_timer *beat, *orphan_end;
    struct loop_watch *signals, *lifeline;
    struct balance balance;
    uint64_t sampled_ns;
    uint64_t private_limit_bytes; /* 0: none */
    uint64_t request_limit;       /* 0: none */
    bool draining;
};

/* WORKER_MAX_* vary by a tenth from worker to worker, so that not all are replaced at the same time. */
static uint64_t spread(int64_t limit)
{
    return (uint64_t)((double)limit * (0.9 + 0.2 * rng_unit()));
}

static void publish_gauges(struct worker *w)
{
    struct sb_slot *slot = w->ctx->slot;
    struct http_stats stats;

    http_server_stats(w->server, &stats);
    atomic_store_explicit(&slot->connections, stats.connections, memory_order_relaxed);
    atomic_store_explicit(&slot->active_connections, stats.active, memory_order_relaxed);
    atomic_store_explicit(&slot->in_flight, stats.in_flight, memory_order_relaxed);
    atomic_store_explicit(&slot->oldest_request_ns, stats.oldest_request_ns, memory_order_relaxed);
}

static void sample_memory(struct worker *w)
{
    struct sb_slot *slot = w->ctx->slot;
    uint64_t private_bytes = sys_private_rss_bytes();

    atomic_store(&slot->rss_bytes, sys_rss_bytes(0));
    atomic_store(&slot->private_bytes, private_bytes);
    if (w->private_limit_bytes > 0 && private_bytes > w->private_limit_bytes)
        atomic_store(&slot->draining_wanted, SB_RECYCLE_MEMORY);
    else if (w->request_limit > 0 && metrics_slot_total(slot, METRIC_HTTP_REQUESTS) > w->request_limit)
        atomic_store(&slot->draining_wanted, SB_RECYCLE_REQUESTS);
}

static void on_beat(void *arg)
{
    struct worker *w = arg;
    uint64_t now = loop_now_ns(w->loop);

    atomic_store(&w->ctx->slot->beat_ns, now);
    if (now - w->sampled_ns >= SAMPLE_NS) {
        w->sampled_ns = now;
        sample_memory(w);
    }
    loop_timer_set(w->beat, BEAT_MS);
}

static void on_tick(void *arg)
{
    struct worker *w = arg;

    api_tick(w->api);
    publish_gauges(w);
}

static void on_end(void *arg)
{
    struct worker *w = arg;

    loop_stop(w->loop);
}

static void drain(struct worker *w)
{
    if (w->draining)
        return;
    w->draining = true;
    atomic_store(&w->ctx->slot->state, SB_DRAINING);
    sb_text_set(&w->ctx->slot->doing, "draining");
    api_drain(w->api);
    http_server_drain(w->server, on_end, w);
}

static void on_signal(void *arg)
{
    struct worker *w = arg;
    struct signalfd_siginfo info;

    while (read(w->ctx->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
        if (info.ssi_signo == SIGQUIT)
            loop_stop(w->loop);
        else if (info.ssi_signo == SIGTERM || info.ssi_signo == SIGINT || info.ssi_signo == SIGHUP)
            drain(w);
    }
}

static void on_lifeline(void *arg)
{
    struct worker *w = arg;

    loop_watch_free(w->lifeline);
    w->lifeline = NULL;
    drain(w);
    loop_timer_set(w->orphan_end, ORPHAN_MS);
}

static bool may_accept(unsigned connections, void *arg)
{
    struct worker *w = arg;

    return balance_may_accept(&w->balance, connections, loop_now_ns(w->loop));
}

static void on_pause(enum http_pause reason, void *arg)
{
    struct event_field f[] = { event_cstr("reason", reason == HTTP_PAUSE_FDS ? "fds" : "connections") };
    enum metric_shed shed = reason == HTTP_PAUSE_FDS ? METRIC_SHED_FDS : METRIC_SHED_CONNECTIONS;

    (void)arg;
    metrics_add(METRIC_LOAD_SHED, shed, 0, 0, 1);
    event_log(EVENT_LISTENER_PAUSED, f, 1, "accepting pauses: no more %s",
              reason == HTTP_PAUSE_FDS ? "file descriptors" : "connections allowed (MAX_CONNECTIONS)");
}

static void limits_of(const struct conf *c, struct http_limits *limits)
{
    unsigned workers = conf_worker_count(c);

    *limits = (struct http_limits){
        .max_connections = ((unsigned)c->max_connections + workers - 1) / workers,
        .max_head_bytes = (size_t)c->max_header_bytes,
        .max_request_memory_bytes = (size_t)c->max_request_memory_bytes,
        .header_timeout_s = (unsigned)c->header_timeout,
        .body_timeout_s = (unsigned)c->body_timeout,
        .idle_timeout_s = (unsigned)c->idle_timeout,
        .request_timeout_s = (unsigned)c->request_timeout,
    };
}

static bool serve(struct worker *w)
{
    struct http_server_hooks hooks = { .arg = w, .on_pause = on_pause, .may_accept = may_accept };
    struct http_limits limits;

    limits_of(w->ctx->conf, &limits);
    balance_init(&w->balance, w->ctx->sb, w->ctx->slot);
    w->server =
        http_server_new(w->loop, listen_fd(w->ctx->listen, w->ctx->index), &limits, api_http_app(w->api), &hooks);
    return w->server != NULL;
}

/* What is missing, or NULL when the worker is whole. */
static const char *make(struct worker *w)
{
    const struct proc_context *ctx = w->ctx;

    w->loop = loop_new();
    if (w->loop == NULL)
        return "event loop";
    w->pool = pgpool_new(w->loop, ctx->conf, ctx->sb, ctx->slot);
    if (w->pool == NULL)
        return "database pool";
    w->cache = cache_new(w->loop, ctx->conf);
    if (w->cache == NULL)
        return "cache";
    w->api = api_new(&(struct api_env){
        .conf = ctx->conf, .sb = ctx->sb, .slot = ctx->slot, .loop = w->loop, .pool = w->pool, .cache = w->cache });
    if (w->api == NULL)
        return "application";
    w->beat = loop_timer_new(w->loop, on_beat, w);
    w->orphan_end = loop_timer_new(w->loop, on_end, w);
    if (w->beat == NULL || w->orphan_end == NULL)
        return "timers";
    w->signals = loop_watch_new(w->loop, ctx->signal_fd, on_signal, w);
    w->lifeline = loop_watch_new(w->loop, ctx->lifeline_fd, on_lifeline, w);
    if (w->signals == NULL || w->lifeline == NULL)
        return "signal and lifeline watch";
    return serve(w) ? NULL : "HTTP server";
}

static void unmake(struct worker *w)
{
    if (w->server != NULL)
        http_server_free(w->server);
    if (w->api != NULL)
        api_free(w->api);
    cache_free(w->cache);
    if (w->pool != NULL)
        pgpool_free(w->pool);
    loop_watch_free(w->signals);
    loop_watch_free(w->lifeline);
    loop_timer_free(w->beat);
    loop_timer_free(w->orphan_end);
    loop_free(w->loop);
}

int worker_main(const struct proc_context *ctx)
{
    struct worker w = { .ctx = ctx };
    const char *missing;

    sb_text_set(&ctx->slot->doing, "starting");
    w.private_limit_bytes = spread(ctx->conf->worker_max_rss_mb) * MEGABYTE;
    w.request_limit = spread(ctx->conf->worker_max_requests);
    missing = make(&w);
    if (missing != NULL) {
        event_log(EVENT_UNEXPECTED_ERROR, NULL, 0, "the worker cannot start: no memory or descriptors for its %s",
                  missing);
        unmake(&w);
        return PROC_EXIT_SOFTWARE;
    }
    on_beat(&w);
    sb_text_set(&ctx->slot->doing, "serving");
    atomic_store(&ctx->slot->ready_ns, clock_mono_ns());
    atomic_store(&ctx->slot->state, SB_READY);
    loop_run(w.loop, TICK_MS, on_tick, &w);
    atomic_store(&ctx->slot->state, SB_DRAINING);
    unmake(&w);
    atomic_store(&ctx->slot->state, SB_EXITED);
    return PROC_EXIT_DRAINED;
}
