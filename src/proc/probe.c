/*
 * probe: asks every dependency, and the server itself, and writes the health board.
 *
 * The checks run in helpers (proc/checks), all at the same time; the probe's
 * own turn never takes longer than its poll, so it beats whatever they do. Only the probe of the serving generation
 * checks and writes; that of a new generation waits for its hour. Transitions are logged, not states.
 */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "core/events.h"
#include "core/sys.h"
#include "proc/alert_send.h"
#include "proc/checks.h"
#include "proc/probe_slo.h"
#include "proc/roles.h"

#define TURN_MS     250
#define PERIOD_NS   (5 * CLOCK_NS_PER_S)
#define RETRY_NS    CLOCK_NS_PER_S /* while down */
#define SAMPLE_NS   CLOCK_NS_PER_S
#define FD_SIGNALS  CHECKS_PROBED
#define FD_LIFELINE (CHECKS_PROBED + 1)
#define FD_COUNT    (CHECKS_PROBED + 2)

struct probe {
    const struct proc_context *ctx;
    struct check_job jobs[CHECKS_PROBED];
    uint64_t due_ns[CHECKS_PROBED]; /* 0: at once */
    uint64_t sampled_ns;
    struct alert_sender alerts;
    bool stop;
};

static struct sb_check *board(const struct probe *p, unsigned i)
{
    return &p->ctx->sb->checks[checks_table[i].component];
}

static bool serving(const struct probe *p)
{
    return atomic_load(&p->ctx->sb->generation) == p->ctx->generation;
}

static void log_state(const struct check *check, enum sb_health from, const struct check_result *r)
{
    const char *error = r->error != SB_ERROR_NONE ? sb_error_name(r->error) : NULL;
    struct event_field f[] = {
        event_cstr("component", sb_component_name(check->component)),
        event_cstr("from", sb_health_name(from)),
        event_cstr("to", sb_health_name(r->health)),
        event_cstr("error", error),
    };

    event_log(EVENT_COMPONENT_STATE_CHANGED, f, 4, "%s is %s, was %s: %s", sb_component_name(check->component),
              sb_health_name(r->health), sb_health_name(from), r->text);
}

static void log_database(struct scoreboard *sb, const struct check_result *r)
{
    struct event_field f[] = { event_cstr("sqlstate", r->sqlstate[0] != '\0' ? r->sqlstate : NULL),
                               event_cstr("host", r->target), event_cstr("error", r->text) };

    if (!(r->health == SB_HEALTH_UP ? scoreboard_tell_db_recovered(sb) : scoreboard_tell_db_trouble(sb)))
        return;
    if (r->health == SB_HEALTH_UP)
        event_log(EVENT_DB_RECOVERED, f + 1, 1, "the database answers again");
    else if (r->error == SB_ERROR_CONNECT_TIMEOUT || r->error == SB_ERROR_QUERY_TIMEOUT)
        event_log(EVENT_DB_TIMEOUT, f, 3, "Database connection failed: %s", r->text);
    else
        event_log(EVENT_DB_CONNECTION_FAILED, f, 3, "Database connection failed: %s", r->text);
}

static void log_cache(const struct check_result *r)
{
    struct event_field f[] = { event_cstr("error", r->health == SB_HEALTH_UP ? NULL : r->text) };

    if (r->health == SB_HEALTH_UP)
        event_log(EVENT_CACHE_UP, f, 1, "Redis answers again");
    else
        event_log(EVENT_CACHE_DOWN, f, 1, "Redis is not reachable, everything goes on without it: %s", r->text);
}

static void log_transition(struct scoreboard *sb, const struct check *check, enum sb_health from,
                           const struct check_result *r)
{
    if (from == SB_HEALTH_UNKNOWN && r->health != SB_HEALTH_DOWN)
        return; /* what is as it should be at the start is no news */
    log_state(check, from, r);
    if (check->component == SB_DATABASE)
        log_database(sb, r);
    else if (check->component == SB_CACHE)
        log_cache(r);
}

static void record(struct probe *p, unsigned i, const struct check_result *r)
{
    enum sb_health from = (enum sb_health)atomic_load(&board(p, i)->health);

    if (checks_table[i].component == SB_CACHE) {
        atomic_store(&p->ctx->sb->redis_memory_bytes, r->memory_bytes);
        atomic_store(&p->ctx->sb->redis_keys, r->keys);
        atomic_store(&p->ctx->sb->redis_evictions, r->evictions);
    }
    if (checks_table[i].component == SB_SELF)
        probe_slo_ask(p->ctx, r->health == SB_HEALTH_UP);
    if (scoreboard_check_set(board(p, i), (enum sb_health)r->health, (enum sb_error)r->error, r->latency_us,
                             clock_wall_us()))
        log_transition(p->ctx->sb, &checks_table[i], from, r);
}

/* SOURCE_CHECK_INTERVAL = 0: a check would keep a serverless database awake, so the last sync run tells. */
static void judge_source_by_sync(struct probe *p, unsigned i)
{
    struct check_result r = { .health = SB_HEALTH_UNKNOWN, .latency_us = -1 };
    struct sb_sync sync;

    if (!scoreboard_sync_read(p->ctx->sb, &sync) || sync.run.run_id == 0 || sync.running)
        return;
    r.health = SB_HEALTH_UP;
    if (sync.run.status != SB_RUN_SUCCESS && sync.run.reason == SB_REASON_SOURCE_AUTH)
        check_down(&r, SB_ERROR_AUTH_FAILED, "%s", sync.run.error);
    else if (sync.run.status != SB_RUN_SUCCESS &&
             (sync.run.reason == SB_REASON_SOURCE_CONNECT || sync.run.reason == SB_REASON_SOURCE_QUERY))
        check_down(&r, SB_ERROR_REFUSED, "%s", sync.run.error);
    record(p, i, &r);
}

static uint64_t period_ns(const struct probe *p, unsigned i)
{
    if (checks_table[i].component == SB_SOURCE && p->ctx->conf->source_check_interval > 0)
        return (uint64_t)p->ctx->conf->source_check_interval * CLOCK_NS_PER_S;
    if (checks_table[i].component == SB_SOURCE || atomic_load(&board(p, i)->health) != SB_HEALTH_DOWN)
        return PERIOD_NS;
    return RETRY_NS;
}

static void begin(struct probe *p, unsigned i, uint64_t now)
{
    const struct check *check = &checks_table[i];
    char listen[SB_TEXT];
    struct check_env env = { .conf = p->ctx->conf, .listen = listen };

    p->due_ns[i] = now + PERIOD_NS;
    if (!check->configured(p->ctx->conf)) {
        record(p, i, &(struct check_result){ .health = SB_HEALTH_NOT_CONFIGURED, .latency_us = -1 });
        return;
    }
    if (check->component == SB_SOURCE && p->ctx->conf->source_check_interval == 0) {
        judge_source_by_sync(p, i);
        return;
    }
    (void)sb_text_get(&p->ctx->sb->listen, listen);
    if (!check_start(&p->jobs[i], check, &env))
        p->due_ns[i] = now + RETRY_NS; /* no process to be had: the board keeps its age */
}

static void step(struct probe *p, unsigned i, uint64_t now)
{
    struct check_result r;

    if (p->jobs[i].check == NULL) {
        if (now >= p->due_ns[i])
            begin(p, i, now);
        return;
    }
    if (!check_poll(&p->jobs[i], &r))
        return;
    if (serving(p))
        record(p, i, &r);
    p->due_ns[i] = p->jobs[i].start_ns + period_ns(p, i);
}

/* Claude is never asked: its calls tell. */
static void judge_ai(const struct probe *p)
{
    struct sb_check *c = &p->ctx->sb->checks[SB_AI];

    if (p->ctx->conf->anthropic_api_key[0] == '\0')
        (void)scoreboard_check_set(c, SB_HEALTH_NOT_CONFIGURED, SB_ERROR_NONE, -1, clock_wall_us());
    else if (atomic_load(&c->health) == SB_HEALTH_NOT_CONFIGURED)
        (void)scoreboard_check_set(c, SB_HEALTH_UNKNOWN, SB_ERROR_NONE, -1, clock_wall_us());
}

static void read_signals(struct probe *p)
{
    struct signalfd_siginfo info;

    while (read(p->ctx->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
        if (info.ssi_signo != SIGUSR1)
            p->stop = true;
    }
}

static void turn(struct probe *p)
{
    struct pollfd fds[FD_COUNT];
    uint64_t now;

    for (unsigned i = 0; i < CHECKS_PROBED; i++)
        fds[i] = (struct pollfd){ .fd = p->jobs[i].check != NULL ? p->jobs[i].fd : -1, .events = POLLIN };
    fds[FD_SIGNALS] = (struct pollfd){ .fd = p->ctx->signal_fd, .events = POLLIN };
    fds[FD_LIFELINE] = (struct pollfd){ .fd = p->ctx->lifeline_fd, .events = POLLIN };
    (void)poll(fds, FD_COUNT, TURN_MS);
    now = clock_mono_ns();
    atomic_store(&p->ctx->slot->beat_ns, now);
    if (fds[FD_SIGNALS].revents != 0)
        read_signals(p);
    if (fds[FD_LIFELINE].revents != 0)
        p->stop = true;
    for (unsigned i = 0; i < CHECKS_PROBED && serving(p); i++)
        step(p, i, now);
    alert_step(&p->alerts, p->ctx, serving(p));
    if (now - p->sampled_ns < SAMPLE_NS)
        return;
    p->sampled_ns = now;
    atomic_store(&p->ctx->slot->rss_bytes, sys_rss_bytes(0));
    atomic_store(&p->ctx->slot->private_bytes, sys_private_rss_bytes());
    if (serving(p)) {
        judge_ai(p);
        probe_slo_count(p->ctx);
    }
}

int probe_main(const struct proc_context *ctx)
{
    struct probe p = { .ctx = ctx };

    sb_text_set(&ctx->slot->doing, "probing");
    atomic_store(&ctx->slot->beat_ns, clock_mono_ns());
    if (serving(&p))
        probe_slo_count(ctx); /* loads the history before anybody asks for it */
    atomic_store(&ctx->slot->ready_ns, clock_mono_ns());
    atomic_store(&ctx->slot->state, SB_READY);
    while (!p.stop)
        turn(&p);
    if (serving(&p))
        probe_slo_count(ctx);
    atomic_store(&ctx->slot->state, SB_DRAINING);
    for (unsigned i = 0; i < CHECKS_PROBED; i++)
        check_cancel(&p.jobs[i]);
    alert_finish(&p.alerts, ctx);
    atomic_store(&ctx->slot->state, SB_EXITED);
    return PROC_EXIT_DRAINED;
}
