/*
 * probe_slo: see the header. A history that cannot be written is told once.
 */
#include "proc/probe_slo.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "core/events.h"
#include "core/metrics.h"
#include "core/slo_file.h"

#define CLOCK_STEP_S 10
#define NL_ROUTE     "/api/mcp/query/natural-language"

_Static_assert(SLO_BOUNDS + 1 <= METRICS_MAX_BUCKETS + 1, "every bound of the latencies needs its bucket");

static int64_t now_s(void)
{
    return clock_wall_us() / CLOCK_US_PER_S;
}

static void log_failure(const char *verb, const char *dir)
{
    struct event_field f[] = { event_cstr("error", strerror(errno)) };

    event_log(EVENT_SLO_HISTORY_FAILED, f, 1, "cannot %s %s/" SLO_FILE_NAME, verb, dir);
}

/* A step of the wall clock that is not the passing of time. */
static void watch_clock(struct slo_ring *r)
{
    static int64_t ahead_s; /* of the wall clock, when this process looked last; 0: it has not */
    int64_t now = now_s(), ahead_now_s = now - (int64_t)(clock_boot_ns() / CLOCK_NS_PER_S);

    if (ahead_s != 0 && (ahead_now_s > ahead_s + CLOCK_STEP_S || ahead_now_s < ahead_s - CLOCK_STEP_S))
        slo_clock_set(r, now);
    ahead_s = ahead_now_s;
}

static struct slo_ring *ring(const struct proc_context *ctx)
{
    struct slo_ring *r = &ctx->sb->slo;

    if (atomic_load(&r->loaded) == SLO_NOT_LOADED && !slo_file_load(r, ctx->conf->state_dir, now_s()))
        log_failure("read", ctx->conf->state_dir);
    /* A probe that died while it loaded: what it took counts, and is not taken again. */
    if (atomic_load(&r->loaded) == SLO_LOADING)
        atomic_store(&r->loaded, SLO_LOADED);
    watch_clock(r);
    return r;
}

static unsigned nl_route(void)
{
    unsigned i = 0;

    while (i < metrics_dim_size(METRICS_DIM_ROUTE) && strcmp(metrics_dim_value(METRICS_DIM_ROUTE, i), NL_ROUTE) != 0)
        i++;
    return i;
}

static void read_counts(const struct scoreboard *sb, struct slo_counts *c)
{
    uint64_t all[METRICS_MAX_BUCKETS + 1], nl[METRICS_MAX_BUCKETS + 1];

    c->requests = metrics_total_all(sb, METRIC_HTTP_REQUESTS);
    c->errors = metrics_total_where(sb, METRIC_HTTP_REQUESTS, 2, METRIC_STATUS_5XX);
    metrics_distribution(sb, METRIC_HTTP_DURATION, all);
    metrics_distribution_where(sb, METRIC_HTTP_DURATION, 1, nl_route(), nl);
    for (unsigned i = 0; i <= SLO_BOUNDS; i++) {
        c->nl[i] = nl[i];
        c->latency[i] = all[i] > nl[i] ? all[i] - nl[i] : 0;
    }
}

/* Of the data in service: the newest of the workers'. -1: there are none, or nobody knows their age. */
static int64_t data_age_s(const struct scoreboard *sb, int64_t now)
{
    int64_t synced_us = 0;

    for (unsigned i = 0; i < SB_SLOTS; i++) {
        int64_t us = atomic_load_explicit(&sb->slots[i].synced_us, memory_order_relaxed);

        if (us > synced_us)
            synced_us = us;
    }
    if (synced_us == 0)
        return -1;
    return now > synced_us / CLOCK_US_PER_S ? now - synced_us / CLOCK_US_PER_S : 0;
}

static bool workers_have_data(const struct scoreboard *sb)
{
    unsigned ready = 0;

    for (unsigned i = 0; i < SB_SLOTS; i++) {
        const struct sb_slot *slot = &sb->slots[i];

        if (atomic_load(&slot->state) != SB_READY || atomic_load(&slot->role) != SB_ROLE_WORKER)
            continue;
        if (atomic_load(&slot->data_version) == 0)
            return false;
        ready++;
    }
    return ready > 0;
}

void probe_slo_ask(const struct proc_context *ctx, bool answered)
{
    slo_ask(ring(ctx), answered && workers_have_data(ctx->sb) && !atomic_load(&ctx->sb->stopping), now_s());
}

void probe_slo_count(const struct proc_context *ctx)
{
    static bool failing;
    struct slo_ring *r = ring(ctx);
    struct slo_counts counts;
    int64_t now = now_s();
    bool saved;

    read_counts(ctx->sb, &counts);
    slo_count(r, &counts, data_age_s(ctx->sb, now), now);
    saved = slo_file_save(r, ctx->conf->state_dir);
    if (!saved && !failing)
        log_failure("save", ctx->conf->state_dir);
    failing = !saved;
}
