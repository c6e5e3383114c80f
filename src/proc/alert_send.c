/*
 * alert_send: see the header.
 */
#include "proc/alert_send.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "core/events.h"
#include "core/metrics.h"
#include "net/fetch_wait.h"
#include "proc/alert_file.h"
#include "proc/spawn.h"

#define POST_MS        5000
#define LIMIT_S        7 /* of the helper */
#define FINISH_MS      1500
#define ANSWERS_MIN    50 /* of which shares are taken */
#define SLOW_S         2
#define STALE_SURE_NS  (3 * CLOCK_NS_PER_S)
#define DEATH_QUIET_NS (30 * CLOCK_NS_PER_S) /* after which dying processes are over */
#define MESSAGE_BYTES  16384
#define SUMMARY_BYTES  1024
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
static struct alert_state judge_sync(const struct proc_context *ctx)
{
    struct sb_sync sync;

    if (!conf_source_configured(ctx->conf))
        return (struct alert_state){ .verdict = ALERT_UNWATCHED };
    if (!scoreboard_sync_read(ctx->sb, &sync))
        return (struct alert_state){ .verdict = ALERT_UNKNOWN };
    for (uint32_t i = 0; i < sync.run_count && i < SB_RUNS; i++) {
        const struct sb_run *r = &sync.runs[i];

        if (r->status == SB_RUN_RUNNING || r->status == SB_RUN_ABORTED || r->mode == SB_MODE_DRY_RUN)
            continue;
        return (struct alert_state){ r->status != SB_RUN_SUCCESS ? ALERT_FIRING : ALERT_FINE,
                                     r->finished_us / CLOCK_US_PER_S };
    }
    return (struct alert_state){ .verdict = ALERT_UNKNOWN };
}

/* For STALE_SURE_NS: the data on disk are old where syncs found nothing new, until the workers have seen the runs. */
static struct alert_state judge_stale(struct alert_sender *s, const struct proc_context *ctx, int64_t now)
{
    int64_t synced_us = 0, limit_s = ctx->conf->stale_after_hours * 3600, end_s;
    struct sb_sync sync;

    for (unsigned i = 0; i < SB_SLOTS; i++) {
        int64_t us = atomic_load(&ctx->sb->slots[i].synced_us);

        synced_us = us > synced_us ? us : synced_us;
    }
    end_s = synced_us / CLOCK_US_PER_S + limit_s;
    if (synced_us != 0 && now <= end_s) {
        s->stale_ns = 0;
        return (struct alert_state){ ALERT_FINE, end_s };
    }
    if (s->stale_ns == 0 || !scoreboard_sync_read(ctx->sb, &sync) || sync.last_success_us == 0 || synced_us == 0)
        s->stale_ns = clock_mono_ns();
    return (struct alert_state){ clock_mono_ns() - s->stale_ns > STALE_SURE_NS ? ALERT_FIRING : ALERT_UNKNOWN,
                                 end_s };
}

/* Since the server's start: what died before is not news. */
static void note_deaths(struct alert_sender *s, struct scoreboard *sb)
{
    uint64_t deaths = metrics_total(sb, METRIC_WORKER_RESTARTS, METRIC_RESTART_CRASH, 0, 0) +
                      metrics_total(sb, METRIC_WORKER_RESTARTS, METRIC_RESTART_OOM, 0, 0) +
                      metrics_total(sb, METRIC_WORKER_RESTARTS, METRIC_RESTART_HUNG, 0, 0);

    if (atomic_exchange(&sb->deaths_seen, deaths) < deaths)
        s->death_ns = clock_mono_ns();
}

static struct alert_state judge_deaths(const struct alert_sender *s, int64_t now)
{
    uint64_t age_ns = clock_mono_ns() - s->death_ns;

    return (struct alert_state){ s->death_ns != 0 && age_ns < DEATH_QUIET_NS ? ALERT_FIRING : ALERT_FINE,
                                 now - (int64_t)(age_ns / CLOCK_NS_PER_S) };
}

/* Of the last five to ten minutes; few answers say nothing. */
static void judge_answers(const struct scoreboard *sb, int64_t now, struct alert_state states[ALERT_COUNT])
{
    struct slo_sum sum;
    double p95_s;
    bool known = atomic_load(&sb->slo.loaded) != 0, many;

    slo_sum(&sb->slo, 0, 2, now, &sum);
    many = sum.counts.requests >= ANSWERS_MIN;
    p95_s = slo_percentile(sum.counts.latency, 0.95);
    states[ALERT_ERRORS].verdict = !known                                                 ? ALERT_UNKNOWN
                                   : many && sum.counts.errors * 20 > sum.counts.requests ? ALERT_FIRING
                                                                                          : ALERT_FINE;
    states[ALERT_SLOW].verdict = !known ? ALERT_UNKNOWN : many && p95_s > SLOW_S ? ALERT_FIRING : ALERT_FINE;
}

static struct alert_state judge_component(const struct scoreboard *sb, enum sb_component component)
{
    static const enum alert_verdict verdicts[] = {
        [SB_HEALTH_UNKNOWN] = ALERT_UNKNOWN,
        [SB_HEALTH_UP] = ALERT_FINE,
        [SB_HEALTH_DEGRADED] = ALERT_FINE,
        [SB_HEALTH_DOWN] = ALERT_FIRING,
        [SB_HEALTH_NOT_CONFIGURED] = ALERT_UNWATCHED,
    };
    const struct sb_check *c = &sb->checks[component];
    uint32_t health = atomic_load(&c->health);

    return (struct alert_state){ health <= SB_HEALTH_NOT_CONFIGURED ? verdicts[health] : ALERT_UNKNOWN,
                                 atomic_load(&c->since_us) / CLOCK_US_PER_S };
}

static void read_states(struct alert_sender *s, const struct proc_context *ctx, int64_t now,
                        struct alert_state states[ALERT_COUNT])
{
    static const struct {
        enum alert_id alert;
        enum sb_component component;
    } components[] = { { ALERT_API, SB_SELF },
                       { ALERT_DATABASE, SB_DATABASE },
                       { ALERT_CACHE, SB_CACHE },
                       { ALERT_AI, SB_AI },
                       { ALERT_SOURCE, SB_SOURCE } };

    for (size_t i = 0; i < sizeof(components) / sizeof(components[0]); i++)
        states[components[i].alert] = judge_component(ctx->sb, components[i].component);
    judge_answers(ctx->sb, now, states);
    states[ALERT_SYNC] = judge_sync(ctx);
    states[ALERT_STALE] = judge_stale(s, ctx, now);
    states[ALERT_WORKERS] = judge_deaths(s, now);
}

/* What was told. */

static void log_board_failure(struct alert_sender *s, bool ok, const char *verb, const char *dir)
{
    struct event_field f[] = { event_cstr("error", ok ? NULL : strerror(errno)) };

    if (!ok && !s->unsaved)
        event_log(EVENT_ALERT_HISTORY_FAILED, f, 1, "cannot %s %s/" ALERT_FILE_NAME, verb, dir);
    s->unsaved = !ok;
}

static void save(struct alert_sender *s, const struct proc_context *ctx)
{
    log_board_failure(s, alert_file_save(&s->board, ctx->conf->state_dir), "save", ctx->conf->state_dir);
}

/* The death that people were told of, when it is not long ago; 0: none. */
static uint64_t told_death_ns(const struct alert_board *b, int64_t now)
{
    int64_t since_s = b->told[ALERT_WORKERS].since_s;
    uint64_t age_ns = now > since_s ? (uint64_t)(now - since_s) * CLOCK_NS_PER_S : 0, mono_ns = clock_mono_ns();

    return since_s != 0 && age_ns < DEATH_QUIET_NS && age_ns < mono_ns ? mono_ns - age_ns : 0;
}

/* True once the probe before this one has no message under way any more. */
static bool take_over(struct alert_sender *s, const struct proc_context *ctx, int64_t now)
{
    bool ok = alert_file_load(&s->board, ctx->conf->state_dir);

    log_board_failure(s, ok, "read", ctx->conf->state_dir);
    if (s->board.sending_until_s > now && s->board.sending_until_s - now <= LIMIT_S)
        return false;
    s->board.sending_until_s = 0;
    if (s->death_ns == 0)
        s->death_ns = told_death_ns(&s->board, now);
    alert_address(&s->board, ctx->conf->alert_webhook_url);
    s->loaded = true;
    return true;
}

/* The message. */

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

static void log_sent(const struct alert_sender *s)
{
    struct buf summary;
    const char *text;

    buf_init(&summary, SUMMARY_BYTES);
    alert_summarize(&summary, s->due, s->told);
    text = buf_cstr(&summary);
    event_log(EVENT_ALERT_SENT, NULL, 0, "people were told: %s", text != NULL ? text : "");
    buf_free(&summary);
}

static void conclude(struct alert_sender *s, const struct proc_context *ctx, const struct fetch_result *r)
{
    char why[160];

    count(s, r);
    s->board.sending_until_s = 0;
    if (taken(r)) {
        alert_sent(&s->board, s->due, s->told, now_s());
        save(s, ctx);
        log_sent(s);
        s->failing = false;
        return;
    }
    alert_failed(&s->board, now_s());
    save(s, ctx);
    if (s->failing)
        return;
    s->failing = true;
    say(r, why, sizeof(why));
    event_log(EVENT_ALERT_FAILED, (struct event_field[]){ event_cstr("error", why) }, 1,
              "an alert could not be posted, it is tried again: %s", why);
}

static void end_helper(struct alert_sender *s)
{
    (void)kill(s->pid, SIGKILL);
    while (waitpid(s->pid, NULL, 0) < 0 && errno == EINTR)
        ;
    close(s->fd);
    s->pid = 0;
}

/* True once the helper is gone; *r is what it said. */
static bool collect(struct alert_sender *s, struct fetch_result *r)
{
    ssize_t n = read(s->fd, r, sizeof(*r));
    bool late = clock_mono_ns() - s->start_ns > LIMIT_S * CLOCK_NS_PER_S;

    if (n < 0 && (errno == EAGAIN || errno == EINTR) && !late)
        return false;
    if (n != (ssize_t)sizeof(*r) || r->error > FETCH_BROKEN)
        *r =
            (struct fetch_result){ .error = late ? FETCH_TIMEOUT : FETCH_BROKEN, .why = "the helper gave no answer" };
    r->why[sizeof(r->why) - 1] = '\0';
    end_helper(s);
    return true;
}

static void send_due(struct alert_sender *s, const struct proc_context *ctx, uint32_t due, int64_t now)
{
    char where[WHERE_BYTES];
    struct letter l = { .url = ctx->conf->alert_webhook_url };
    struct buf json;

    describe_place(ctx->conf, where);
    buf_init(&json, MESSAGE_BYTES);
    alert_write(&json, due, &s->board, s->told, where, now);
    l.json = buf_str(&json);
    s->start_ns = clock_mono_ns();
    s->due = due;
    s->board.sending_until_s = now + LIMIT_S;
    save(s, ctx);
    s->pid = json.failed ? -1 : spawn_task(run_post, &l, "patrond: alert", &s->fd);
    buf_free(&json);
    if (s->pid > 0)
        return;
    s->pid = 0;
    s->board.sending_until_s = 0;
    alert_failed(&s->board, now);
    save(s, ctx);
}

void alert_step(struct alert_sender *s, const struct proc_context *ctx, bool serving)
{
    struct alert_state states[ALERT_COUNT] = { { .verdict = ALERT_UNKNOWN } };
    struct fetch_result r;
    int64_t now = now_s();
    uint32_t due;

    if (s->pid > 0) {
        if (collect(s, &r))
            conclude(s, ctx, &r);
        return;
    }
    if (!serving)
        return;
    note_deaths(s, ctx->sb);
    if (ctx->conf->alert_webhook_url[0] == '\0' || (!s->loaded && !take_over(s, ctx, now)))
        return;
    read_states(s, ctx, now, states);
    due = alert_due(&s->board, states, now);
    if (due == 0)
        return;
    memcpy(s->told, states, sizeof(states));
    send_due(s, ctx, due, now);
}

void alert_finish(struct alert_sender *s, const struct proc_context *ctx)
{
    struct pollfd fd = { .fd = s->fd, .events = POLLIN };

    if (s->pid <= 0)
        return;
    (void)poll(&fd, 1, FINISH_MS);
    alert_step(s, ctx, false);
    if (s->pid <= 0)
        return;
    end_helper(s);
    s->board.sending_until_s = 0;
    save(s, ctx);
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
