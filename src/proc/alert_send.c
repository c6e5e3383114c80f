/*
 * alert_send: see the header.
 */
#include "proc/alert_send.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "core/events.h"
#include "core/metrics.h"
#include "net/fetch_wait.h"
#include "proc/spawn.h"

#define POST_MS        5000
#define LIMIT_NS       (7 * CLOCK_NS_PER_S) /* of the helper */
#define DEATH_QUIET_S  30                   /* after which dying processes are over */
#define MESSAGE_BYTES  16384
#define WHERE_BYTES    160
#define STATUS_SUCCESS 2 /* class of an HTTP status */

static int64_t now_s(void)
{
    return clock_wall_us() / CLOCK_US_PER_S;
}

static void describe_place(const struct conf *conf, char where[WHERE_BYTES])
{
    char host[65] = "";

    if (gethostname(host, sizeof(host) - 1) != 0)
        (void)snprintf(host, sizeof(host), "this machine");
    (void)snprintf(where, WHERE_BYTES, "%s (%s)", host, conf->environment);
}

/* A failed last run, unless somebody aborted it. */
static struct alert_state judge_sync(const struct scoreboard *sb)
{
    struct sb_sync sync;

    if (!scoreboard_sync_read(sb, &sync))
        return (struct alert_state){ .firing = false };
    for (uint32_t i = 0; i < sync.run_count && i < SB_RUNS; i++) {
        const struct sb_run *r = &sync.runs[i];

        if (r->status == SB_RUN_RUNNING || r->status == SB_RUN_ABORTED || r->mode == SB_MODE_DRY_RUN)
            continue;
        return (struct alert_state){ r->status != SB_RUN_SUCCESS, r->finished_us / CLOCK_US_PER_S };
    }
    return (struct alert_state){ .firing = false };
}

static struct alert_state judge_stale(const struct proc_context *ctx, int64_t now)
{
    int64_t synced_us = 0, limit_s = ctx->conf->stale_after_hours * 3600;

    for (unsigned i = 0; i < SB_SLOTS; i++) {
        int64_t us = atomic_load(&ctx->sb->slots[i].synced_us);

        synced_us = us > synced_us ? us : synced_us;
    }
    return (struct alert_state){ synced_us > 0 && now - synced_us / CLOCK_US_PER_S > limit_s,
                                 synced_us / CLOCK_US_PER_S + limit_s };
}

/* Only the memory of this machine since the server's start: what died before is not news. */
static struct alert_state judge_deaths(struct scoreboard *sb, int64_t now)
{
    struct alert_board *b = &sb->alerts;
    uint64_t deaths = metrics_total(sb, METRIC_WORKER_RESTARTS, METRIC_RESTART_CRASH, 0, 0) +
                      metrics_total(sb, METRIC_WORKER_RESTARTS, METRIC_RESTART_OOM, 0, 0) +
                      metrics_total(sb, METRIC_WORKER_RESTARTS, METRIC_RESTART_HUNG, 0, 0);

    if (deaths > b->deaths)
        b->death_s = now;
    b->deaths = deaths;
    return (struct alert_state){ b->death_s != 0 && now - b->death_s < DEATH_QUIET_S, b->death_s };
}

static void read_states(const struct proc_context *ctx, int64_t now, struct alert_state states[ALERT_COUNT])
{
    static const struct {
        enum alert_id alert;
        enum sb_component component;
    } components[] = { { ALERT_API, SB_SELF },
                       { ALERT_DATABASE, SB_DATABASE },
                       { ALERT_CACHE, SB_CACHE },
                       { ALERT_AI, SB_AI },
                       { ALERT_SOURCE, SB_SOURCE } };

    for (size_t i = 0; i < sizeof(components) / sizeof(components[0]); i++) {
        const struct sb_check *c = &ctx->sb->checks[components[i].component];

        states[components[i].alert] = (struct alert_state){ atomic_load(&c->health) == SB_HEALTH_DOWN,
                                                            atomic_load(&c->since_us) / CLOCK_US_PER_S };
    }
    states[ALERT_SYNC] = judge_sync(ctx->sb);
    states[ALERT_STALE] = judge_stale(ctx, now);
    states[ALERT_WORKERS] = judge_deaths(ctx->sb, now);
}

struct letter {
    const char *url;
    struct str json;
};

/* In the helper. */
static int run_post(const void *arg, int out)
{
    const struct letter *l = arg;
    struct fetch_result r;

    fetch_wait_post_json(l->url, l->json, POST_MS, &r);
    return write(out, &r, sizeof(r)) == (ssize_t)sizeof(r) ? 0 : PROC_EXIT_FAILURE;
}

static bool taken(const struct fetch_result *r)
{
    return r->error == FETCH_OK && r->status / 100 == STATUS_SUCCESS;
}

static void say(const struct fetch_result *r, char *why, size_t size)
{
    if (r->error == FETCH_OK)
        (void)snprintf(why, size, "the webhook answered %d", r->status);
    else
        (void)snprintf(why, size, "%s", r->why);
}

static void count(const struct alert_sender *s, const struct fetch_result *r)
{
    static const enum metric_integration_error kinds[] = {
        [FETCH_OK] = METRIC_INTEGRATION_QUERY,        [FETCH_CONNECT] = METRIC_INTEGRATION_CONNECT,
        [FETCH_TLS] = METRIC_INTEGRATION_TLS,         [FETCH_TIMEOUT] = METRIC_INTEGRATION_TIMEOUT,
        [FETCH_TOO_LARGE] = METRIC_INTEGRATION_QUERY, [FETCH_BROKEN] = METRIC_INTEGRATION_QUERY
    };

    metrics_observe(METRIC_INTEGRATION_DURATION, METRIC_ALERT_WEBHOOK, METRIC_OPERATION_POST,
                    clock_mono_ns() - s->start_ns);
    if (!taken(r))
        metrics_add(METRIC_INTEGRATION_ERRORS, METRIC_ALERT_WEBHOOK, kinds[r->error], 0, 1);
}

static void conclude(struct alert_sender *s, struct scoreboard *sb, const struct fetch_result *r)
{
    char why[160];

    count(s, r);
    if (taken(r)) {
        alert_sent(&sb->alerts, s->due, s->told, now_s());
        event_log(EVENT_ALERT_SENT, NULL, 0, "people were told of %d changes", __builtin_popcount(s->due));
        s->failing = false;
        return;
    }
    alert_failed(&sb->alerts, now_s());
    if (s->failing)
        return;
    s->failing = true;
    say(r, why, sizeof(why));
    event_log(EVENT_ALERT_FAILED, (struct event_field[]){ event_cstr("error", why) }, 1,
              "an alert could not be posted, it is tried again: %s", why);
}

/* True once the helper is gone; *r is what it said. */
static bool collect(struct alert_sender *s, struct fetch_result *r)
{
    ssize_t n = read(s->fd, r, sizeof(*r));
    bool late = clock_mono_ns() - s->start_ns > LIMIT_NS;

    if (n < 0 && (errno == EAGAIN || errno == EINTR) && !late)
        return false;
    if (n != (ssize_t)sizeof(*r) || r->error > FETCH_BROKEN)
        *r =
            (struct fetch_result){ .error = late ? FETCH_TIMEOUT : FETCH_BROKEN, .why = "the helper gave no answer" };
    r->why[sizeof(r->why) - 1] = '\0';
    alert_cancel(s);
    return true;
}

static void send_due(struct alert_sender *s, const struct proc_context *ctx, uint32_t due, int64_t now)
{
    char where[WHERE_BYTES];
    struct letter l = { .url = ctx->conf->alert_webhook_url };
    struct buf json;

    describe_place(ctx->conf, where);
    buf_init(&json, MESSAGE_BYTES);
    alert_write(&json, due, &ctx->sb->alerts, s->told, where, now);
    l.json = buf_str(&json);
    s->start_ns = clock_mono_ns();
    s->due = due;
    s->pid = json.failed ? -1 : spawn_task(run_post, &l, "patrond: alert", &s->fd);
    buf_free(&json);
    if (s->pid > 0)
        return;
    s->pid = 0;
    alert_failed(&ctx->sb->alerts, now);
}

void alert_step(struct alert_sender *s, const struct proc_context *ctx)
{
    struct alert_state states[ALERT_COUNT];
    struct fetch_result r;
    int64_t now = now_s();
    uint32_t due;

    if (ctx->conf->alert_webhook_url[0] == '\0')
        return;
    if (s->pid > 0) {
        if (collect(s, &r))
            conclude(s, ctx->sb, &r);
        return;
    }
    read_states(ctx, now, states);
    due = alert_due(&ctx->sb->alerts, states, now);
    if (due == 0)
        return;
    memcpy(s->told, states, sizeof(states));
    send_due(s, ctx, due, now);
}

void alert_cancel(struct alert_sender *s)
{
    if (s->pid <= 0)
        return;
    (void)kill(s->pid, SIGKILL);
    while (waitpid(s->pid, NULL, 0) < 0 && errno == EINTR)
        ;
    close(s->fd);
    s->pid = 0;
}

bool alert_post_test(const struct conf *conf, char *why, size_t why_size)
{
    struct fetch_result r;
    char where[WHERE_BYTES];
    struct buf json;

    describe_place(conf, where);
    buf_init(&json, MESSAGE_BYTES);
    alert_write_test(&json, where);
    fetch_wait_post_json(conf->alert_webhook_url, buf_str(&json), POST_MS, &r);
    buf_free(&json);
    say(&r, why, why_size);
    return taken(&r);
}
