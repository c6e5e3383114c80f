/*
 * children: the table of processes, and carrying out what policy decides about each.
 *
 * A place (role, index, generation) normally has one child. It has two while a
 * stand-in or replacement starts: the old one is relieved at once (its death starts nobody), and told to go when
 * the new one is ready.
 */
#include "proc/master.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/rng.h"
#include "core/metrics.h"
#include "core/sys.h"
#include "proc/signals.h"

#define MAX_ACTIONS 8 /* of one child in one turn; policy never needs more */
#define STARTING_MS 20

static const int signal_numbers[] = {
    [POLICY_SIGNAL_LEAVE] = SIGHUP,  [POLICY_SIGNAL_TERM] = SIGTERM, [POLICY_SIGNAL_QUIT] = SIGQUIT,
    [POLICY_SIGNAL_ABORT] = SIGABRT, [POLICY_SIGNAL_KILL] = SIGKILL,
};

const char *child_name(const struct child *c, char dst[48])
{
    char pid[24] = "";

    if (c->pid > 0)
        snprintf(pid, sizeof(pid), " (pid %ld)", (long)c->pid);
    if (c->role == SB_ROLE_WORKER)
        snprintf(dst, 48, "worker %u%s", c->index, pid);
    else
        snprintf(dst, 48, "%s%s", proc_roles[c->role].name, pid);
    return dst;
}

struct child *children_add(struct master *m, enum sb_role role, uint32_t index, uint32_t generation)
{
    for (unsigned i = 0; i < SB_SLOTS; i++) {
        struct child *c = &m->children[i];

        if (c->used)
            continue;
        *c = (struct child){ .used = true, .role = role, .index = index, .generation = generation };
        policy_child_init(&c->policy, role == SB_ROLE_SYNC ? POLICY_WATCH_PROGRESS : POLICY_WATCH_BEAT, m->now_ns);
        return c;
    }
    return NULL;
}

/* The helpers first: forked before workers, they stay small. */
void children_add_generation(struct master *m, uint32_t generation)
{
    children_add(m, SB_ROLE_SYNC, 0, generation);
    children_add(m, SB_ROLE_PROBE, 0, generation);
    for (unsigned i = 0; i < m->workers; i++)
        children_add(m, SB_ROLE_WORKER, i, generation);
}

/* Who was to be relieved by C keeps its place, or goes on without a successor. */
static void child_remove(struct master *m, struct child *c)
{
    for (unsigned i = 0; i < SB_SLOTS; i++) {
        if (m->children[i].used && m->children[i].relieves == c)
            m->children[i].relieves = NULL;
    }
    if (c->relieves != NULL && m->phase != MASTER_STOPPING && c->generation == m->serving)
        policy_child_unrelieve(&c->relieves->policy);
    c->used = false;
}

static struct child *child_reliever(struct master *m, const struct child *c)
{
    for (unsigned i = 0; i < SB_SLOTS; i++) {
        if (m->children[i].used && m->children[i].relieves == c)
            return &m->children[i];
    }
    return NULL;
}

static struct policy_view child_view(const struct master *m, const struct child *c)
{
    uint32_t state = atomic_load(&c->slot->state);
    struct policy_view v = {
        .ready = state == SB_READY || state == SB_DRAINING || state == SB_EXITED,
        .beat_ns = atomic_load(&c->slot->beat_ns),
        .progress_ns = atomic_load(&c->slot->progress_ns),
        .deadline_ns = atomic_load(&c->slot->deadline_ns),
        .awake_ns = m->awake_ns,
    };

    if (policy_age_ns(v.beat_ns, c->policy.started_ns, m->now_ns) >= m->limits.suspect_ns)
        v.traced = sys_process_state(c->pid) == 't';
    return v;
}

static void child_unborn(struct master *m, struct child *c, const char *what)
{
    int error = errno;
    uint64_t delay = policy_child_died(&c->policy, POLICY_END_FAILED, rng_unit(), m->now_ns);

    obituary_unborn(m, c, what, error, delay);
}

static void child_spawn(struct master *m, struct child *c)
{
    const struct conf *conf = c->generation == master_fresh(m) ? m->fresh : m->conf;

    c->slot = scoreboard_assign(m->env.sb, c->role, c->index, c->generation);
    if (c->slot == NULL) {
        errno = ENOSPC;
        child_unborn(m, c, "no free slot in the scoreboard");
        return;
    }
    c->pid = spawn_child(&m->env, conf, c->slot);
    if (c->pid < 0) {
        c->pid = 0;
        child_unborn(m, c, "fork");
        scoreboard_release(m->env.sb, c->slot);
        c->slot = NULL;
        return;
    }
    if (c->policy.restart && c->index < SB_MAX_INDEX)
        atomic_fetch_add(&m->env.sb->restarts[c->role][c->index], 1);
    policy_child_started(&c->policy, m->now_ns);
}

/* A second process for the place of C, which goes when that one is ready. */
static void child_relieve(struct master *m, struct child *c, enum child_duty duty)
{
    struct child *fresh;

    if (!c->policy.wanted || m->phase == MASTER_STOPPING)
        return;
    fresh = children_add(m, c->role, c->index, c->generation);
    if (fresh == NULL)
        return;
    fresh->duty = duty;
    fresh->relieves = c;
    fresh->policy.restart = true;
    fresh->policy.failures = c->policy.failures;
    policy_child_relieve(&c->policy);
}

static void child_suspected(struct master *m, struct child *c)
{
    obituary_hung(m, c);
    if (c->role == SB_ROLE_WORKER)
        child_relieve(m, c, CHILD_STAND_IN);
}

/* It beats again: a stand-in that is not ready yet is called off. */
static void child_recovered(struct master *m, struct child *c)
{
    struct child *fresh = child_reliever(m, c);

    obituary_recovered(m, c);
    if (fresh == NULL || fresh->duty != CHILD_STAND_IN)
        return;
    fresh->relieves = NULL;
    policy_child_unrelieve(&c->policy);
    policy_child_stop(&fresh->policy, POLICY_SIGNAL_TERM, m->now_ns);
}

static void child_ready(struct master *m, struct child *c)
{
    struct child *old = c->relieves;

    if (old == NULL)
        return;
    c->relieves = NULL;
    if (c->duty == CHILD_REPLACEMENT) {
        obituary_recycled(m, old);
        metrics_add_retired(m->env.sb, METRIC_WORKER_RESTARTS, METRIC_RESTART_RECYCLED, 1);
    }
    policy_child_stop(&old->policy, POLICY_SIGNAL_TERM, m->now_ns);
}

static void child_act(struct master *m, struct child *c, enum policy_action action)
{
    switch (action) {
    case POLICY_SPAWN:
        child_spawn(m, c);
        break;
    case POLICY_READY:
        child_ready(m, c);
        break;
    case POLICY_SUSPECTED:
        child_suspected(m, c);
        break;
    case POLICY_RECOVERED:
        child_recovered(m, c);
        break;
    case POLICY_SIGNAL:
        (void)kill(c->pid, signal_numbers[c->policy.sent]);
        break;
    case POLICY_NOTHING:
        break;
    }
}

/* Replaces a worker that asks for it; one at a time, so that the machine never carries two for every place. */
static void recycle_one(struct master *m)
{
    for (unsigned i = 0; i < SB_SLOTS; i++) {
        if (m->children[i].used && m->children[i].relieves != NULL && m->children[i].duty == CHILD_REPLACEMENT)
            return;
    }
    for (unsigned i = 0; i < SB_SLOTS; i++) {
        struct child *c = &m->children[i];

        if (!c->used || c->slot == NULL || c->foreign || c->policy.phase != POLICY_SERVING ||
            c->generation != m->serving || !c->policy.wanted ||
            atomic_load(&c->slot->draining_wanted) == SB_RECYCLE_NONE)
            continue;
        child_relieve(m, c, CHILD_REPLACEMENT);
        return;
    }
}

void children_step(struct master *m)
{
    for (unsigned i = 0; i < SB_SLOTS; i++) {
        struct child *c = &m->children[i];

        for (int n = 0; c->used && n < MAX_ACTIONS; n++) {
            struct policy_view view = { 0 };
            enum policy_action action;

            if (c->slot != NULL)
                view = child_view(m, c);
            action = policy_child_step(&c->policy, &view, &m->limits, &m->storm, m->now_ns);
            if (action == POLICY_NOTHING)
                break;
            child_act(m, c, action);
        }
        if (c->used && c->policy.phase == POLICY_OVER && c->slot == NULL)
            child_remove(m, c);
    }
    recycle_one(m);
}

/* A SIGKILL and one more kill in the kernel's count: the OOM killer's. */
static bool killed_by_oom(struct master *m, int wait_status)
{
    int64_t count;

    if (!WIFSIGNALED(wait_status) || WTERMSIG(wait_status) != SIGKILL)
        return false;
    count = sys_oom_kill_count();
    if (count < 0 || m->oom_kills < 0 || count <= m->oom_kills)
        return false;
    m->oom_kills++;
    return true;
}

/* Kills that no death of ours came to explain for a whole period were others of our cgroup. */
void children_settle_oom(struct master *m)
{
    int64_t count = sys_oom_kill_count();

    if (count == m->oom_kills_before)
        m->oom_kills = count;
    m->oom_kills_before = count;
}

static void count_restart(struct master *m, const struct child *c, enum policy_end end)
{
    static const enum metric_restart reasons[] = {
        [POLICY_END_DRAINED] = METRIC_RESTART_EXIT,    [POLICY_END_RECYCLE] = METRIC_RESTART_RECYCLED,
        [POLICY_END_CONFIG] = METRIC_RESTART_EXIT,     [POLICY_END_FAILED] = METRIC_RESTART_EXIT,
        [POLICY_END_UNDRAINED] = METRIC_RESTART_CRASH, [POLICY_END_SIGNAL] = METRIC_RESTART_CRASH,
        [POLICY_END_OOM] = METRIC_RESTART_OOM,         [POLICY_END_HUNG] = METRIC_RESTART_HUNG,
        [POLICY_END_STALLED] = METRIC_RESTART_HUNG,    [POLICY_END_OVERSTAYED] = METRIC_RESTART_EXIT,
    };

    if (c->role == SB_ROLE_WORKER)
        metrics_add_retired(m->env.sb, METRIC_WORKER_RESTARTS, reasons[end], 1);
}

static void child_died(struct master *m, struct child *c, int wait_status)
{
    bool drained = atomic_load(&c->slot->state) == SB_EXITED;
    enum policy_end end = policy_classify(&c->policy, wait_status, drained, killed_by_oom(m, wait_status));
    bool expected = policy_end_expected(&c->policy, end);
    uint64_t delay;

    if (c->generation == master_fresh(m)) { /* its death ends the reload */
        c->policy.wanted = false;
        m->fresh_generation.died++;
    }
    delay = policy_child_died(&c->policy, end, rng_unit(), m->now_ns);
    if (!expected) {
        obituary_write(m, c, end, wait_status, delay);
        count_restart(m, c, end);
    }
    if (end == POLICY_END_CONFIG && m->phase == MASTER_BOOTING)
        m->exit_status = PROC_EXIT_CONFIG;
    if (c->foreign)
        scoreboard_release_other(c->slot);
    else
        scoreboard_release(m->env.sb, c->slot);
    c->foreign = false;
    c->slot = NULL;
    c->pid = 0;
    if (c->policy.phase == POLICY_OVER)
        child_remove(m, c);
}

void children_reap(struct master *m)
{
    struct rusage usage;
    int wait_status;
    pid_t pid;

    while ((pid = wait4(-1, &wait_status, WNOHANG, &usage)) > 0) {
        if (upgrade_reaped(m, pid, wait_status))
            continue;
        for (unsigned i = 0; i < SB_SLOTS; i++) {
            if (m->children[i].used && m->children[i].pid == pid) {
                m->children[i].peak_rss_bytes = (uint64_t)usage.ru_maxrss * 1024;
                child_died(m, &m->children[i], wait_status);
                break;
            }
        }
    }
}

void children_stop(struct master *m, uint32_t generation, enum policy_signal how, enum policy_signal sync_how)
{
    for (unsigned i = 0; i < SB_SLOTS; i++) {
        struct child *c = &m->children[i];

        if (c->used && (generation == 0 || c->generation == generation))
            policy_child_stop(&c->policy, c->role == SB_ROLE_SYNC ? sync_how : how, m->now_ns);
    }
}

unsigned children_ready(const struct master *m, uint32_t generation, enum sb_role role)
{
    unsigned count = 0;

    for (unsigned i = 0; i < SB_SLOTS; i++) {
        const struct child *c = &m->children[i];

        if (!c->used || c->policy.phase != POLICY_SERVING || c->slot == NULL || c->policy.suspect)
            continue;
        if ((generation == 0 || c->generation == generation) && (role == SB_ROLE_COUNT || c->role == role) &&
            atomic_load(&c->slot->state) == SB_READY)
            count++;
    }
    return count;
}

unsigned children_alive(const struct master *m)
{
    unsigned count = 0;

    for (unsigned i = 0; i < SB_SLOTS; i++)
        count += m->children[i].used && m->children[i].slot != NULL;
    return count;
}

unsigned children_stillborn(const struct master *m, uint32_t generation)
{
    unsigned born = 0;

    for (unsigned i = 0; i < SB_SLOTS; i++) {
        const struct child *c = &m->children[i];

        if (c->used && c->role == SB_ROLE_WORKER && c->generation == generation && c->policy.failures == 0)
            born++;
    }
    return m->workers > born ? m->workers - born : 0;
}

/* When something has to be done about it next. */
static uint64_t child_next_ns(const struct child *c, uint64_t now)
{
    uint64_t soon = now + STARTING_MS * 1000000ULL;

    switch (c->policy.phase) {
    case POLICY_WAITING:
        return c->policy.start_at_ns > soon ? c->policy.start_at_ns : soon;
    case POLICY_STARTING:
        return soon;
    case POLICY_SERVING:
        return c->policy.due == POLICY_SIGNAL_NONE ? UINT64_MAX : c->policy.due_ns;
    case POLICY_OVER:
        break;
    }
    return UINT64_MAX;
}

int children_next_ms(const struct master *m, int most)
{
    uint64_t next = m->now_ns + (uint64_t)most * 1000000;

    for (unsigned i = 0; i < SB_SLOTS; i++) {
        uint64_t at = m->children[i].used ? child_next_ns(&m->children[i], m->now_ns) : UINT64_MAX;

        if (at < next)
            next = at;
    }
    return next > m->now_ns ? (int)((next - m->now_ns) / 1000000) + 1 : 0;
}

void children_wake_sync(struct master *m)
{
    for (unsigned i = 0; i < SB_SLOTS; i++) {
        const struct child *c = &m->children[i];

        if (c->used && c->role == SB_ROLE_SYNC && c->generation == m->serving && c->pid > 0)
            (void)kill(c->pid, SIGUSR1);
    }
}
