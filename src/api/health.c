/*
 * health: see the header.
 */
#include "api/health.h"

#include <stdatomic.h>

#include "base/clock.h"

/* A check on a 5 s schedule with a 3 s limit has certainly missed its turn by now. */
#define OVERDUE_US      (60 * CLOCK_US_PER_S)
#define SOURCE_LIMIT_US (15 * CLOCK_US_PER_S)

const char *health_component_name(enum health_component c)
{
    static const char *const names[HEALTH_COMPONENTS] = {
        [HEALTH_API] = "api",     [HEALTH_MCP_SERVER] = "mcp_server", [HEALTH_DATABASE] = "database",
        [HEALTH_CACHE] = "cache", [HEALTH_SOURCE] = "source",         [HEALTH_AI] = "ai",
        [HEALTH_SYNC] = "sync",
    };

    return names[c];
}

const char *health_reason_name(enum health_reason r)
{
    static const char *const names[] = {
        [HEALTH_FINE] = NULL,
        [HEALTH_NO_DATA] = "no_data",
        [HEALTH_STARTING] = "starting",
        [HEALTH_DRAINING] = "draining",
        [HEALTH_DEPENDENCY_DOWN] = "dependency_down",
        [HEALTH_STALE_DATA] = "stale_data",
    };

    return names[r];
}

static bool is_configured(enum sb_component which, const struct conf *conf)
{
    switch (which) {
    case SB_CACHE:
        return conf->enable_cache && conf->redis_url[0] != '\0';
    case SB_SOURCE:
        return conf_source_configured(conf);
    case SB_AI:
        return conf->anthropic_api_key[0] != '\0';
    default:
        return true;
    }
}

/* How old a check's outcome may be; 0: any age. */
static int64_t max_age_us(enum sb_component which, const struct conf *conf)
{
    switch (which) {
    case SB_AI: /* from the last calls, never probed */
        return 0;
    case SB_SOURCE:
        if (conf->source_check_interval == 0) /* judged by the syncs only */
            return 0;
        return conf->source_check_interval * CLOCK_US_PER_S + SOURCE_LIMIT_US + OVERDUE_US;
    default:
        return OVERDUE_US;
    }
}

/* Before the first outcome. Claude counts as fine until a call fails; so does a server that can answer this. */
static void judge_unknown(struct health_check *c, enum sb_component which)
{
    if (which == SB_AI || which == SB_SELF) {
        c->state = SB_HEALTH_UP;
        return;
    }
    c->state = SB_HEALTH_DEGRADED;
    c->error = SB_ERROR_NEVER_SUCCEEDED;
}

void health_check_read(struct health_check *c, enum sb_component which, const struct conf *conf,
                       const struct scoreboard *sb, int64_t now_us)
{
    const struct sb_check *board = &sb->checks[which];
    uint32_t state = atomic_load_explicit(&board->health, memory_order_acquire);
    uint32_t error = atomic_load_explicit(&board->error, memory_order_relaxed);
    int64_t age_limit_us = max_age_us(which, conf);

    c->state = state <= SB_HEALTH_NOT_CONFIGURED ? (enum sb_health)state : SB_HEALTH_UNKNOWN;
    c->error = error < SB_ERROR_COUNT ? (enum sb_error)error : SB_ERROR_NONE;
    c->latency_us = atomic_load_explicit(&board->latency_us, memory_order_relaxed);
    c->checked_us = atomic_load_explicit(&board->checked_us, memory_order_relaxed);
    c->since_us = atomic_load_explicit(&board->since_us, memory_order_relaxed);
    if (!is_configured(which, conf)) {
        c->state = SB_HEALTH_NOT_CONFIGURED;
        c->error = SB_ERROR_NONE;
    } else if (c->state == SB_HEALTH_UNKNOWN || c->checked_us == 0) {
        judge_unknown(c, which);
    } else if (c->state == SB_HEALTH_UP && age_limit_us > 0 && now_us - c->checked_us > age_limit_us) {
        c->state = SB_HEALTH_DEGRADED;
        c->error = SB_ERROR_OVERDUE;
    }
    if (c->state == SB_HEALTH_NOT_CONFIGURED || c->checked_us == 0)
        c->latency_us = -1;
}

/* Degraded after a failed last run; a run that an operator aborted says nothing about the next one. */
static enum sb_health judge_sync(const struct scoreboard *sb, bool stale)
{
    struct sb_sync sync;

    if (stale)
        return SB_HEALTH_DEGRADED;
    if (!scoreboard_sync_read(sb, &sync))
        return SB_HEALTH_UP;
    for (uint32_t i = 0; i < sync.run_count && i < SB_RUNS; i++) {
        uint32_t status = sync.runs[i].status;

        if (status == SB_RUN_RUNNING || status == SB_RUN_ABORTED || sync.runs[i].mode == SB_MODE_DRY_RUN)
            continue;
        return status == SB_RUN_SUCCESS ? SB_HEALTH_UP : SB_HEALTH_DEGRADED;
    }
    return SB_HEALTH_UP;
}

static bool is_impaired(enum sb_health state)
{
    return state == SB_HEALTH_DOWN || state == SB_HEALTH_DEGRADED;
}

/* Does a dependency ail? Staleness shows in the sync component, but is told by its own reason. */
static bool dependency_ails(const struct health *h)
{
    for (unsigned i = 0; i < HEALTH_COMPONENTS; i++) {
        if (is_impaired(h->components[i]) && !(i == HEALTH_SYNC && h->stale))
            return true;
    }
    return false;
}

static enum health_reason judge(const struct health *h, const struct dataset *d, const struct scoreboard *sb)
{
    if (atomic_load_explicit(&sb->stopping, memory_order_relaxed))
        return HEALTH_DRAINING;
    if (d == NULL)
        return atomic_load_explicit(&sb->data_version, memory_order_relaxed) != 0 ? HEALTH_STARTING : HEALTH_NO_DATA;
    if (dependency_ails(h))
        return HEALTH_DEPENDENCY_DOWN;
    return h->stale ? HEALTH_STALE_DATA : HEALTH_FINE;
}

void health_read(struct health *h, const struct dataset *d, const struct conf *conf, const struct scoreboard *sb)
{
    static const enum sb_component source_of[HEALTH_COMPONENTS] = {
        [HEALTH_API] = SB_SELF,    [HEALTH_MCP_SERVER] = SB_SELF, [HEALTH_DATABASE] = SB_DATABASE,
        [HEALTH_CACHE] = SB_CACHE, [HEALTH_SOURCE] = SB_SOURCE,   [HEALTH_AI] = SB_AI,
    };

    h->now_us = clock_wall_us();
    h->stale = dataset_stale(d, conf, h->now_us);
    for (unsigned i = 0; i < SB_COMPONENT_COUNT; i++)
        health_check_read(&h->checks[i], (enum sb_component)i, conf, sb, h->now_us);
    for (unsigned i = 0; i < HEALTH_SYNC; i++)
        h->components[i] = h->checks[source_of[i]].state;
    if (d == NULL) /* its tools answer from the data */
        h->components[HEALTH_MCP_SERVER] = SB_HEALTH_DOWN;
    h->components[HEALTH_SYNC] = judge_sync(sb, h->stale);
    h->reason = judge(h, d, sb);
    h->serving = h->reason == HEALTH_FINE || h->reason == HEALTH_DEPENDENCY_DOWN || h->reason == HEALTH_STALE_DATA;
}
