/*
 * checks: the table, and running one of it in a helper.
 */
#include "proc/checks.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "proc/signals.h"
#include "proc/source.h"
#include "proc/spawn.h"

#define NS_PER_MS 1000000ULL

static bool always(const struct conf *conf)
{
    (void)conf;
    return true;
}

static bool redis_configured(const struct conf *conf)
{
    return conf->enable_cache && conf->redis_url[0] != '\0';
}

static bool claude_configured(const struct conf *conf)
{
    return conf->anthropic_api_key[0] != '\0';
}

static bool before_deadline(void *arg)
{
    const struct check_env *env = arg;

    return clock_mono_ns() < env->deadline_ns;
}

static enum sb_error source_error_class(const struct source_error *err)
{
    if (err->health != SB_ERROR_NONE)
        return err->health;
    switch (err->reason) {
    case SB_REASON_SOURCE_AUTH:
        return SB_ERROR_AUTH_FAILED;
    case SB_REASON_TIMEOUT:
        return SB_ERROR_QUERY_TIMEOUT;
    default:
        return SB_ERROR_REFUSED;
    }
}

static void check_source_run(const struct check_env *env, struct check_result *r)
{
    const struct source_ops *ops = source_for(env->conf);
    struct source_env source_env = {
        .conf = env->conf, .beat = before_deadline, .arg = (void *)(uintptr_t)env, .deadline_ns = env->deadline_ns
    };
    struct source_error err = { .reason = SB_REASON_NONE };

    if (ops == NULL) {
        check_down(r, SB_ERROR_REFUSED, "no source is configured");
        return;
    }
    (void)snprintf(r->target, sizeof(r->target), "%s", ops->name);
    if (ops->check(&source_env, &err))
        check_up(r, "%s can be read",
                 ops == &source_csv_ops ? env->conf->sync_source + strlen("csv:") : env->conf->azure_sql_server);
    else
        check_down(r, source_error_class(&err), "%s", err.text);
}

const struct check checks_table[CHECKS_COUNT] = {
    { "postgres", SB_DATABASE, 3000, always, check_postgres_run },
    { "redis", SB_CACHE, 3000, redis_configured, check_redis_run },
    { "source", SB_SOURCE, 15000, conf_source_configured, check_source_run },
    { "self", SB_SELF, 3000, always, check_self_run },
    { "claude", SB_AI, 10000, claude_configured, check_claude_run },
};

const struct check *checks_find(const char *name)
{
    for (unsigned i = 0; i < CHECKS_COUNT; i++) {
        if (strcmp(name, checks_table[i].name) == 0 ||
            strcmp(name, sb_component_name(checks_table[i].component)) == 0)
            return &checks_table[i];
    }
    return NULL;
}

static void set_text(struct check_result *r, const char *fmt, va_list ap) __attribute__((format(printf, 2, 0)));

static void set_text(struct check_result *r, const char *fmt, va_list ap)
{
    vsnprintf(r->text, sizeof(r->text), fmt, ap);
    r->text[strcspn(r->text, "\r\n")] = '\0'; /* the first line says it */
}

void check_up(struct check_result *r, const char *fmt, ...)
{
    va_list ap;

    r->health = SB_HEALTH_UP;
    r->error = SB_ERROR_NONE;
    va_start(ap, fmt);
    set_text(r, fmt, ap);
    va_end(ap);
}

void check_down(struct check_result *r, enum sb_error error, const char *fmt, ...)
{
    va_list ap;

    r->health = SB_HEALTH_DOWN;
    r->error = error;
    va_start(ap, fmt);
    set_text(r, fmt, ap);
    va_end(ap);
}

bool check_wait(int fd, short events, uint64_t deadline_ns)
{
    for (;;) {
        uint64_t now = clock_mono_ns();
        struct pollfd p = { .fd = fd, .events = events };
        int n;

        if (now >= deadline_ns)
            return false;
        n = poll(&p, 1, (int)((deadline_ns - now) / NS_PER_MS) + 1);
        if (n > 0)
            return true;
        if (n < 0 && errno != EINTR)
            return false;
    }
}

struct task {
    const struct check *check;
    struct check_env env;
};

/* In the helper. */
static int run_task(const void *arg, int out)
{
    const struct task *task = arg;
    struct check_result r = { .health = SB_HEALTH_UNKNOWN, .latency_us = -1 };
    uint64_t start = clock_mono_ns();

    task->check->run(&task->env, &r);
    r.latency_us = (int64_t)((clock_mono_ns() - start) / 1000);
    return write(out, &r, sizeof(r)) == (ssize_t)sizeof(r) ? 0 : PROC_EXIT_FAILURE;
}

bool check_start(struct check_job *job, const struct check *check, const struct check_env *env)
{
    struct task task = { .check = check, .env = *env };
    char title[64];
    uint64_t now = clock_mono_ns();

    (void)snprintf(title, sizeof(title), "patrond: check %s", check->name);
    task.env.deadline_ns = now + (check->limit_ms - check->limit_ms / 10) * NS_PER_MS; /* time to answer */
    job->start_ns = now;
    job->deadline_ns = now + check->limit_ms * NS_PER_MS;
    job->pid = spawn_task(run_task, &task, title, &job->fd);
    job->check = job->pid > 0 ? check : NULL;
    return job->pid > 0;
}

/* Ends and reaps the helper. */
static int finish(struct check_job *job)
{
    int wait_status = 0;

    (void)kill(job->pid, SIGKILL);
    while (waitpid(job->pid, &wait_status, 0) < 0 && errno == EINTR)
        ;
    close(job->fd);
    job->check = NULL;
    return wait_status;
}

/* What came from the pipe is a whole struct of a process that may have lost its mind. */
static void sanitise(struct check_result *r)
{
    if (r->health != SB_HEALTH_UP && r->health != SB_HEALTH_DEGRADED)
        r->health = SB_HEALTH_DOWN;
    if (r->error >= SB_ERROR_COUNT)
        r->error = SB_ERROR_REFUSED;
    r->sqlstate[sizeof(r->sqlstate) - 1] = '\0';
    r->target[sizeof(r->target) - 1] = '\0';
    r->text[sizeof(r->text) - 1] = '\0';
}

bool check_poll(struct check_job *job, struct check_result *r)
{
    const struct check *check = job->check;
    ssize_t n = read(job->fd, r, sizeof(*r));
    uint64_t now = clock_mono_ns();
    char name[16];
    int wait_status;

    if (n < 0 && (errno == EAGAIN || errno == EINTR) && now < job->deadline_ns)
        return false;
    if (n == (ssize_t)sizeof(*r)) {
        (void)finish(job);
        sanitise(r);
        return true;
    }
    *r = (struct check_result){ .latency_us = (int64_t)((now - job->start_ns) / 1000) };
    if (n < 0) {
        (void)finish(job);
        check_down(r, SB_ERROR_QUERY_TIMEOUT, "the check of %s did not end in %u ms", check->name, check->limit_ms);
        return true;
    }
    wait_status = finish(job);
    if (WIFSIGNALED(wait_status))
        check_down(r, SB_ERROR_REFUSED, "the check of %s was ended by %s", check->name,
                   signals_name(WTERMSIG(wait_status), name));
    else
        check_down(r, SB_ERROR_REFUSED, "the check of %s gave no answer", check->name);
    return true;
}

void check_cancel(struct check_job *job)
{
    if (job->check != NULL)
        (void)finish(job);
}
