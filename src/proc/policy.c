/*
 * policy: see policy.h. Every function here is arithmetic on its arguments.
 */
#include "proc/policy.h"

#include <signal.h>
#include <sys/wait.h>

#include "proc/roles.h"

#define MAX_DOUBLINGS 9 /* 100 ms << 9 is past the cap */

void policy_bucket_init(struct policy_bucket *b, unsigned capacity, uint64_t refill_ns, uint64_t now)
{
    b->capacity = capacity;
    b->tokens = capacity;
    b->refill_ns = refill_ns;
    b->filled_ns = now;
}

bool policy_bucket_take(struct policy_bucket *b, uint64_t now)
{
    uint64_t fresh = now > b->filled_ns ? (now - b->filled_ns) / b->refill_ns : 0;

    if (fresh >= b->capacity - b->tokens) {
        b->tokens = b->capacity;
        b->filled_ns = now;
    } else {
        b->tokens += (unsigned)fresh;
        b->filled_ns += fresh * b->refill_ns;
    }
    if (b->tokens == 0)
        return false;
    b->tokens--;
    return true;
}

uint64_t policy_backoff_ns(unsigned failures, double dice)
{
    uint64_t base = failures >= MAX_DOUBLINGS ? POLICY_BACKOFF_CAP_NS : POLICY_BACKOFF_NS << failures;

    if (base > POLICY_BACKOFF_CAP_NS)
        base = POLICY_BACKOFF_CAP_NS;
    return base - (uint64_t)((double)(base / 4) * dice);
}

uint64_t policy_age_ns(uint64_t stamp_ns, uint64_t floor_ns, uint64_t now)
{
    if (stamp_ns > now + POLICY_GAP_NS)
        stamp_ns = 0;
    if (stamp_ns < floor_ns)
        stamp_ns = floor_ns;
    return now > stamp_ns ? now - stamp_ns : 0;
}

void policy_child_init(struct policy_child *c, enum policy_watch watch, uint64_t now)
{
    *c = (struct policy_child){ .watch = watch, .phase = POLICY_WAITING, .wanted = true, .start_at_ns = now };
}

void policy_child_started(struct policy_child *c, uint64_t now)
{
    c->phase = POLICY_STARTING;
    c->started_ns = now;
    c->ready_ns = 0;
    c->suspect = false;
    c->sent = c->due = POLICY_SIGNAL_NONE;
    c->cause = POLICY_CAUSE_NONE;
}

static void child_order(struct policy_child *c, enum policy_signal how, enum policy_cause cause, uint64_t at)
{
    c->due = how;
    c->due_ns = at;
    c->cause = cause;
}

/* What follows a signal that was not obeyed. */
static void child_escalate(struct policy_child *c, const struct policy_limits *l, uint64_t now)
{
    bool watchdog = c->cause != POLICY_CAUSE_ASKED;

    switch (c->sent) {
    case POLICY_SIGNAL_LEAVE:
        child_order(c, POLICY_SIGNAL_TERM, c->cause, now + l->drain_ns);
        break;
    case POLICY_SIGNAL_TERM:
        if (watchdog)
            child_order(c, POLICY_SIGNAL_KILL, c->cause, now + POLICY_KILL_AFTER_NS);
        else
            child_order(c, POLICY_SIGNAL_QUIT, c->cause, now + l->drain_ns);
        break;
    default: /* a KILL that did not work yet (uninterruptible sleep) is repeated */
        child_order(c, POLICY_SIGNAL_KILL, c->cause, now + POLICY_KILL_AFTER_NS);
    }
}

void policy_child_stop(struct policy_child *c, enum policy_signal how, uint64_t now)
{
    c->wanted = false;
    if (c->phase == POLICY_WAITING)
        c->phase = POLICY_OVER;
    if (c->phase == POLICY_OVER || how <= c->sent)
        return;
    if (c->due >= how && c->due_ns <= now) /* as firm an order is on its way */
        return;
    child_order(c, how, c->cause == POLICY_CAUSE_NONE ? POLICY_CAUSE_ASKED : c->cause, now);
}

void policy_child_relieve(struct policy_child *c)
{
    c->wanted = false;
}

void policy_child_unrelieve(struct policy_child *c)
{
    if (c->cause != POLICY_CAUSE_ASKED)
        c->wanted = true;
}

/* A worker or probe: the last beat decides. */
static enum policy_action step_beat(struct policy_child *c, const struct policy_view *v,
                                    const struct policy_limits *l, uint64_t now)
{
    uint64_t floor = c->ready_ns > v->awake_ns ? c->ready_ns : v->awake_ns;
    uint64_t age = policy_age_ns(v->beat_ns, floor, now);

    if (v->traced)
        return POLICY_NOTHING;
    if (age < l->suspect_ns) {
        if (!c->suspect)
            return POLICY_NOTHING;
        c->suspect = false;
        return POLICY_RECOVERED;
    }
    if (!c->suspect) {
        c->suspect = true;
        return POLICY_SUSPECTED;
    }
    if (age >= l->kill_ns && c->sent < POLICY_SIGNAL_KILL)
        child_order(c, POLICY_SIGNAL_KILL, POLICY_CAUSE_HUNG, now);
    else if (age >= l->abort_ns && c->sent < POLICY_SIGNAL_ABORT)
        child_order(c, POLICY_SIGNAL_ABORT, POLICY_CAUSE_HUNG, now);
    return POLICY_NOTHING;
}

/* The sync process: a run must progress and end in time; between runs it must beat, however slowly. */
static void step_progress(struct policy_child *c, const struct policy_view *v, const struct policy_limits *l,
                          uint64_t now)
{
    uint64_t floor = c->ready_ns > v->awake_ns ? c->ready_ns : v->awake_ns;
    uint64_t stamp = v->progress_ns != 0 ? v->progress_ns : v->beat_ns;

    if (v->traced || c->sent >= POLICY_SIGNAL_TERM || c->cause == POLICY_CAUSE_STALLED ||
        c->cause == POLICY_CAUSE_OVERDUE)
        return;
    if (policy_age_ns(stamp, floor, now) >= l->stall_ns)
        child_order(c, POLICY_SIGNAL_TERM, POLICY_CAUSE_STALLED, now);
    else if (v->progress_ns != 0 && v->deadline_ns != 0 && now >= v->deadline_ns)
        child_order(c, POLICY_SIGNAL_TERM, POLICY_CAUSE_OVERDUE, now);
}

static enum policy_action step_signal(struct policy_child *c, const struct policy_view *v,
                                      const struct policy_limits *l, uint64_t now)
{
    if (c->due == POLICY_SIGNAL_NONE || now < c->due_ns)
        return POLICY_NOTHING;
    if (c->sent == POLICY_SIGNAL_LEAVE && c->due == POLICY_SIGNAL_TERM && c->cause == POLICY_CAUSE_ASKED &&
        v->progress_ns != 0) { /* it was asked to end its run: that may take until the run's own deadline */
        c->due_ns = now + l->drain_ns;
        return POLICY_NOTHING;
    }
    c->sent = c->due;
    child_escalate(c, l, now);
    return POLICY_SIGNAL;
}

enum policy_action policy_child_step(struct policy_child *c, const struct policy_view *v,
                                     const struct policy_limits *l, struct policy_bucket *b, uint64_t now)
{
    enum policy_action action = POLICY_NOTHING;

    if (c->phase == POLICY_OVER)
        return POLICY_NOTHING;
    if (c->phase == POLICY_WAITING) {
        if (now < c->start_at_ns || (c->restart && !policy_bucket_take(b, now)))
            return POLICY_NOTHING;
        return POLICY_SPAWN;
    }
    if (c->phase == POLICY_STARTING) {
        if (v->ready) {
            c->phase = POLICY_SERVING;
            c->ready_ns = now;
            return POLICY_READY;
        }
        if (policy_age_ns(c->started_ns, v->awake_ns, now) >= l->ready_ns && c->sent < POLICY_SIGNAL_ABORT &&
            !v->traced)
            child_order(c, POLICY_SIGNAL_ABORT, POLICY_CAUSE_NOT_READY, now);
    } else if (c->watch == POLICY_WATCH_BEAT) {
        action = step_beat(c, v, l, now);
    } else {
        step_progress(c, v, l, now);
    }
    return action != POLICY_NOTHING ? action : step_signal(c, v, l, now);
}

enum policy_end policy_classify(const struct policy_child *c, int wait_status, bool drained, bool oom)
{
    if (WIFEXITED(wait_status)) {
        switch (WEXITSTATUS(wait_status)) {
        case PROC_EXIT_DRAINED:
            if (!drained)
                return POLICY_END_UNDRAINED;
            break;
        case PROC_EXIT_RECYCLE:
            return POLICY_END_RECYCLE;
        case PROC_EXIT_CONFIG:
            return POLICY_END_CONFIG;
        default:
            return POLICY_END_FAILED;
        }
    } else if (oom && WTERMSIG(wait_status) == SIGKILL && c->sent < POLICY_SIGNAL_KILL) {
        return POLICY_END_OOM;
    }
    if (c->cause == POLICY_CAUSE_STALLED || c->cause == POLICY_CAUSE_OVERDUE)
        return POLICY_END_STALLED;
    if (WIFEXITED(wait_status))
        return POLICY_END_DRAINED;
    if (c->sent == POLICY_SIGNAL_ABORT || c->sent == POLICY_SIGNAL_KILL)
        return c->cause == POLICY_CAUSE_ASKED ? POLICY_END_OVERSTAYED : POLICY_END_HUNG;
    return POLICY_END_SIGNAL;
}

bool policy_end_expected(const struct policy_child *c, enum policy_end end)
{
    return end == POLICY_END_DRAINED && c->cause == POLICY_CAUSE_ASKED;
}

uint64_t policy_child_died(struct policy_child *c, enum policy_end end, double dice, uint64_t now)
{
    bool settled = c->phase == POLICY_SERVING && now - c->ready_ns >= POLICY_SETTLED_NS;
    uint64_t delay;

    if (!c->wanted || end == POLICY_END_CONFIG) {
        c->phase = POLICY_OVER;
        return UINT64_MAX;
    }
    if (settled) {
        c->failures = 0;
        delay = 0;
    } else {
        delay = policy_backoff_ns(c->failures, dice);
        if (c->failures < MAX_DOUBLINGS)
            c->failures++;
    }
    c->phase = POLICY_WAITING;
    c->restart = true;
    c->start_at_ns = now + delay;
    return delay;
}

enum policy_verdict policy_reload_judge(const struct policy_generation *g, const struct policy_limits *l,
                                        uint64_t now)
{
    if (g->died > 0)
        return POLICY_FAIL;
    if (g->ready >= g->wanted)
        return POLICY_GO;
    return now - g->started_ns >= l->ready_ns ? POLICY_FAIL : POLICY_WAIT;
}

enum policy_verdict policy_boot_judge(const struct policy_generation *g, const struct policy_limits *l, uint64_t now)
{
    if (g->ready >= g->wanted)
        return POLICY_GO;
    if (g->ready == 0 && g->died >= g->wanted)
        return POLICY_FAIL;
    if (now - g->started_ns < l->ready_ns)
        return POLICY_WAIT;
    return g->ready > 0 ? POLICY_GO : POLICY_FAIL;
}

uint64_t policy_rehearsal_ns(const struct policy_limits *l)
{
    return l->ready_ns / 2;
}

uint64_t policy_heir_started_ns(const struct policy_limits *l, uint64_t over_ns)
{
    uint64_t before = l->ready_ns + l->ready_ns / 8;

    return over_ns > before ? over_ns - before : 0;
}

unsigned policy_resize(unsigned workers, int more, unsigned most)
{
    if (more < 0 && workers <= (unsigned)-more)
        return 1;
    workers += (unsigned)more;
    return workers < most ? workers : most;
}
