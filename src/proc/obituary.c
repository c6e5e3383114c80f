/*
 * obituary: what the operator reads when a child died, hung or was replaced.
 *
 * One line a death: who, how, whether it was the OOM killer, how old it was,
 * how big, what it was doing, and when the next one comes. `doing` and the sizes are what the process last wrote of
 * itself, read with care.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "core/events.h"
#include "core/metrics.h"
#include "core/sys.h"
#include "proc/master.h"
#include "proc/signals.h"

#define MAX_FIELDS 16

struct fields {
    struct event_field at[MAX_FIELDS];
    size_t count;
    char doing[SB_TEXT];
    char signal[16];
};

static void add(struct fields *f, struct event_field field)
{
    if (f->count < MAX_FIELDS)
        f->at[f->count++] = field;
}

static double age_seconds(const struct master *m, const struct child *c)
{
    return (double)(m->now_ns - c->policy.started_ns) / (double)CLOCK_NS_PER_S;
}

static uint64_t rss_of(const struct child *c)
{
    uint64_t bytes = c->foreign ? 0 : atomic_load(&c->slot->rss_bytes);

    return bytes != 0 ? bytes : sys_rss_bytes(c->pid);
}

/* What it said of itself last; of a worker also the route whose handler it never left. */
static void read_doing(const struct child *c, char dst[SB_TEXT])
{
    uint32_t handling = c->foreign ? 0 : atomic_load(&c->slot->handling);
    const char *route = handling > 0 ? metrics_dim_value(METRICS_DIM_ROUTE, handling - 1) : NULL;
    char said[SB_TEXT];

    if (!sb_text_get(&c->slot->doing, said) || said[0] == '\0')
        (void)snprintf(said, sizeof(said), "%s", "unknown");
    if (route != NULL)
        (void)snprintf(dst, SB_TEXT, "%.40s %.80s", said, route);
    else
        (void)snprintf(dst, SB_TEXT, "%s", said);
}

static void add_identity(struct fields *f, const struct master *m, const struct child *c)
{
    add(f, event_cstr("process", proc_roles[c->role].name));
    add(f, event_i64("index", c->index));
    add(f, event_i64("child_pid", c->pid));
    add(f, event_i64("generation", c->generation));
    if (c->slot == NULL)
        return;
    read_doing(c, f->doing);
    add(f, event_f64("age_seconds", age_seconds(m, c)));
    add(f, event_i64("rss_bytes", (int64_t)rss_of(c)));
    add(f, event_cstr("doing", f->doing));
}

static void add_end(struct fields *f, const struct child *c, int wait_status, bool oom)
{
    uint64_t rss = c->slot != NULL ? rss_of(c) : 0;

    /* the kernel counts the peak now and then, and what the child said of itself may be more */
    add(f, event_i64("peak_rss_bytes", (int64_t)(c->peak_rss_bytes > rss ? c->peak_rss_bytes : rss)));
    if (WIFSIGNALED(wait_status)) {
        add(f, event_cstr("signal", signals_name(WTERMSIG(wait_status), f->signal)));
        add(f, event_cstr("exit_status", NULL));
        add(f, event_bool("oom", oom));
    } else {
        add(f, event_cstr("signal", NULL));
        add(f, event_i64("exit_status", WEXITSTATUS(wait_status)));
        add(f, event_bool("oom", false));
    }
}

/* "next start in 200 ms" */
static void say_next(const struct master *m, const struct child *c, uint64_t delay_ns, char dst[96])
{
    if (delay_ns != UINT64_MAX)
        snprintf(dst, 96, "next start in %llu ms", (unsigned long long)(delay_ns / 1000000));
    else if (c->generation == master_fresh(m))
        snprintf(dst, 96, "the reload is given up");
    else if (m->phase == MASTER_STOPPING || c->generation != m->serving)
        snprintf(dst, 96, "it was to go anyway");
    else if (c->policy.wanted)
        snprintf(dst, 96, "not started again before a reload or restart");
    else
        snprintf(dst, 96, "its stand-in has its place");
}

static const char *say_cause(enum policy_cause cause)
{
    switch (cause) {
    case POLICY_CAUSE_NOT_READY:
        return "was not ready in GENERATION_TIMEOUT and was ended";
    case POLICY_CAUSE_STALLED:
        return "made no progress for SYNC_STALL_TIMEOUT and was ended";
    case POLICY_CAUSE_OVERDUE:
        return "ran past the deadline of its run and was ended";
    default:
        return "gave no sign of life and was ended";
    }
}

/* The verb of the sentence: what happened to it. */
static void say_end(const struct master *m, const struct child *c, enum policy_end end, int wait_status, char *dst,
                    size_t size)
{
    char name[16];

    switch (end) {
    case POLICY_END_OOM:
        snprintf(dst, size, "was killed by the kernel's OOM killer (cgroup count %lld)", (long long)m->oom_kills);
        break;
    case POLICY_END_SIGNAL:
        if (WTERMSIG(wait_status) == SIGKILL)
            snprintf(dst, size, "was killed by SIGKILL from outside%s",
                     m->oom_kills < 0 ? " or by the OOM killer (no cgroup to tell)" : ", not by the OOM killer");
        else
            snprintf(dst, size, "crashed with %s%s", signals_name(WTERMSIG(wait_status), name),
                     WCOREDUMP(wait_status) ? " (core dumped)" : "");
        break;
    case POLICY_END_UNDRAINED:
        snprintf(dst, size, "left with exit status 0 in the middle of its work");
        break;
    case POLICY_END_CONFIG:
        snprintf(dst, size, "refused its configuration (exit status 78)");
        break;
    case POLICY_END_FAILED:
        snprintf(dst, size, "failed with exit status %d", WEXITSTATUS(wait_status));
        break;
    case POLICY_END_RECYCLE:
        snprintf(dst, size, "asked to be replaced (exit status 75)");
        break;
    case POLICY_END_OVERSTAYED:
        snprintf(dst, size, "did not end in DRAIN_TIMEOUT and was stopped");
        break;
    case POLICY_END_DRAINED:
        snprintf(dst, size, "was told from outside to stop and did");
        break;
    case POLICY_END_HUNG:
    case POLICY_END_STALLED:
        snprintf(dst, size, "%s", say_cause(c->policy.cause));
        break;
    }
}

static enum event_id event_of(enum policy_end end)
{
    switch (end) {
    case POLICY_END_OOM:
        return EVENT_WORKER_OOM_KILLED;
    case POLICY_END_HUNG:
    case POLICY_END_STALLED:
        return EVENT_WORKER_HUNG;
    case POLICY_END_DRAINED:
    case POLICY_END_RECYCLE:
    case POLICY_END_OVERSTAYED:
        return EVENT_WORKER_RECYCLED;
    default:
        return EVENT_WORKER_CRASHED;
    }
}

/* A sync run the master ended is a failed sync as well, and the process itself can no longer say so. */
static void write_sync_failed(const struct master *m, const struct child *c)
{
    struct sb_sync sync;
    struct event_field f[5];

    if (!scoreboard_sync_read(m->env.sb, &sync) || !sync.running)
        return;
    atomic_store(&m->env.sb->timed_out_run, sync.run.run_id);
    f[0] = event_i64("run_id", sync.run.run_id);
    f[1] = event_cstr("reason", sb_reason_name(SB_REASON_TIMEOUT));
    f[2] = event_cstr("phase", sb_phase_name(sync.phase));
    f[3] = event_i64("rows_read", sync.run.rows_read);
    f[4] = event_cstr("error", c->policy.cause == POLICY_CAUSE_OVERDUE ? "past its deadline" : "no progress");
    event_log(EVENT_SYNC_FAILED, f, 5, "❌ Sync failed: the run %s", say_cause(c->policy.cause));
}

void obituary_write(struct master *m, const struct child *c, enum policy_end end, int wait_status, uint64_t delay_ns)
{
    struct fields f = { .count = 0 };
    char who[48], what[128], next[96];

    child_name(c, who);
    say_end(m, c, end, wait_status, what, sizeof(what));
    say_next(m, c, delay_ns, next);
    add_identity(&f, m, c);
    add_end(&f, c, wait_status, end == POLICY_END_OOM);
    if (event_of(end) == EVENT_WORKER_RECYCLED)
        add(&f, event_cstr("reason", end == POLICY_END_OVERSTAYED ? "drain_timeout" : "terminated"));
    if (delay_ns != UINT64_MAX)
        add(&f, event_i64("restart_in_ms", (int64_t)(delay_ns / 1000000)));
    event_log(event_of(end), f.at, f.count, "%s %s; it was %s; %s", who, what, f.doing, next);
    if (end == POLICY_END_STALLED)
        write_sync_failed(m, c);
    if (c->generation == master_fresh(m) && m->fresh_why[0] == '\0')
        snprintf(m->fresh_why, sizeof(m->fresh_why), "%s of the new generation %s", who, what);
}

void obituary_hung(const struct master *m, const struct child *c)
{
    struct fields f = { .count = 0 };
    uint64_t age = policy_age_ns(atomic_load(&c->slot->beat_ns), c->policy.ready_ns, m->now_ns);
    char who[48];

    add_identity(&f, m, c);
    event_log(EVENT_WORKER_HUNG, f.at, f.count, "%s has given no sign of life for %llu ms (state %c); it was %s",
              child_name(c, who), (unsigned long long)(age / 1000000), sys_process_state(c->pid), f.doing);
}

void obituary_recovered(const struct master *m, const struct child *c)
{
    struct fields f = { .count = 0 };
    char who[48];

    add_identity(&f, m, c);
    event_log_at(LOG_LEVEL_INFO, EVENT_WORKER_HUNG, f.at, f.count, "%s is alive again", child_name(c, who));
}

void obituary_recycled(const struct master *m, const struct child *c)
{
    struct fields f = { .count = 0 };
    bool memory = atomic_load(&c->slot->draining_wanted) == SB_RECYCLE_MEMORY;
    char who[48];

    add_identity(&f, m, c);
    add(&f, event_cstr("reason", memory ? "rss" : "requests"));
    event_log(EVENT_WORKER_RECYCLED, f.at, f.count, "%s drains, its replacement is ready: %s reached",
              child_name(c, who), memory ? "WORKER_MAX_RSS_MB" : "WORKER_MAX_REQUESTS");
}

void obituary_unborn(const struct master *m, const struct child *c, const char *what, int error, uint64_t delay_ns)
{
    struct fields f = { .count = 0 };
    char who[48], next[96];

    add_identity(&f, m, c);
    say_next(m, c, delay_ns, next);
    event_log(EVENT_WORKER_CRASHED, f.at, f.count, "%s could not be started: %s: %s; %s", child_name(c, who), what,
              strerror(error), next);
}
