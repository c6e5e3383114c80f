/*
 * policy: what the master does about its children, as pure decisions.
 *
 * No system calls, no clock, no randomness: the caller brings what it saw, the
 * time and the dice, and carries out the action answered. So every rule of
 * supervision (backoff, escalation, hang verdict, generations) is tested with a clock
 * that the test turns. All times are CLOCK_MONOTONIC nanoseconds.
 *
 * A child is one process, or the intention to have one. `wanted` says whether
 * its place is to be filled again when it dies.
 */
#ifndef PROC_POLICY_H
#define PROC_POLICY_H

#include <stdbool.h>
#include <stdint.h>

#define POLICY_SETTLED_NS     10000000000ULL /* lived so long after READY: its death resets the backoff */
#define POLICY_BACKOFF_NS     100000000ULL   /* first delay */
#define POLICY_BACKOFF_CAP_NS 30000000000ULL
#define POLICY_KILL_AFTER_NS  5000000000ULL /* from QUIT (or a watchdog's TERM) to KILL */
#define POLICY_GAP_NS         1000000000ULL /* the master itself slept longer: it judges nobody by that time */

/* The brake against storms: restarts at once beyond one for each worker, then one in so long. */
#define POLICY_STORM_SPARE     8
#define POLICY_STORM_REFILL_NS 250000000ULL

struct policy_limits {
    uint64_t drain_ns;                      /* DRAIN_TIMEOUT: TERM to QUIT */
    uint64_t suspect_ns, abort_ns, kill_ns; /* WORKER_HANG_*: age of the last beat */
    uint64_t ready_ns;                      /* GENERATION_TIMEOUT: fork to READY */
    uint64_t stall_ns;                      /* SYNC_STALL_TIMEOUT: age of the sync's last progress */
};

/* How a child is watched once it is ready. */
enum policy_watch {
    POLICY_WATCH_BEAT,    /* worker, probe: the beat must not stop */
    POLICY_WATCH_PROGRESS /* sync: may block, but a run must progress and meet its deadline */
};

enum policy_phase {
    POLICY_WAITING,  /* no process yet: start at start_at_ns */
    POLICY_STARTING, /* forked, not ready */
    POLICY_SERVING,  /* has been ready */
    POLICY_OVER      /* no process, and none wanted */
};

/* Order of severity: a stop never becomes milder. */
enum policy_signal {
    POLICY_SIGNAL_NONE,
    POLICY_SIGNAL_LEAVE, /* HUP: end the work under way, then go */
    POLICY_SIGNAL_TERM,
    POLICY_SIGNAL_QUIT,
    POLICY_SIGNAL_ABORT,
    POLICY_SIGNAL_KILL
};

/* Why a child was told to go. */
enum policy_cause {
    POLICY_CAUSE_NONE,
    POLICY_CAUSE_ASKED,     /* stop, drain, relief */
    POLICY_CAUSE_HUNG,      /* no beat */
    POLICY_CAUSE_NOT_READY, /* not ready in time */
    POLICY_CAUSE_STALLED,   /* sync: no progress */
    POLICY_CAUSE_OVERDUE    /* sync: past its deadline */
};

struct policy_child {
    enum policy_watch watch;
    enum policy_phase phase;
    bool wanted;  /* replace it when it dies */
    bool restart; /* the next start is not the first of its place: counts against storms */
    bool suspect; /* said to hang */
    unsigned failures;
    uint64_t start_at_ns, started_ns, ready_ns;
    enum policy_signal sent, due; /* last one sent; next one and when */
    uint64_t due_ns;
    enum policy_cause cause;
};

/* What the master sees of a live child. Values from shared memory: believed only within reason. */
struct policy_view {
    bool ready;                        /* its slot says READY or later */
    uint64_t beat_ns;                  /* 0: none yet */
    uint64_t progress_ns, deadline_ns; /* sync, 0: no run */
    bool traced;                       /* a debugger holds it */
    uint64_t awake_ns;                 /* since when the master runs without a gap */
};

enum policy_action {
    POLICY_NOTHING,
    POLICY_SPAWN,     /* fork now, then policy_child_started or policy_child_died */
    POLICY_READY,     /* it has just become ready */
    POLICY_SUSPECTED, /* no beat: say so, start a stand-in */
    POLICY_RECOVERED, /* it beats again */
    POLICY_SIGNAL     /* send c->sent */
};

/* Brake against storms: so many restarts at once, then a steady rate, over all places together. */
struct policy_bucket {
    unsigned capacity, tokens;
    uint64_t refill_ns; /* for one token */
    uint64_t filled_ns; /* tokens are counted up to here */
};

void policy_bucket_init(struct policy_bucket *b, unsigned capacity, uint64_t refill_ns, uint64_t now);
bool policy_bucket_take(struct policy_bucket *b, uint64_t now);

/* 100 ms doubling to 30 s; `dice` in [0,1) takes away up to a quarter, so that places do not march in step. */
uint64_t policy_backoff_ns(unsigned failures, double dice);

void policy_child_init(struct policy_child *c, enum policy_watch watch, uint64_t now);
void policy_child_started(struct policy_child *c, uint64_t now);
/*
 * The next thing to do about the child; call again until POLICY_NOTHING. `v`
 * may be NULL while there is no process. Actions change the child as if carried out.
 */
enum policy_action policy_child_step(struct policy_child *c, const struct policy_view *v,
                                     const struct policy_limits *l, struct policy_bucket *b, uint64_t now);
/* Tells it to go, at least so firmly; its place is not filled again. A second order may only be firmer. */
void policy_child_stop(struct policy_child *c, enum policy_signal how, uint64_t now);
/* Somebody else fills its place from now on; it lives until it is stopped. */
void policy_child_relieve(struct policy_child *c);
void policy_child_unrelieve(struct policy_child *c);

/* What a death was. */
enum policy_end {
    POLICY_END_DRAINED,   /* exit 0, its work done */
    POLICY_END_RECYCLE,   /* 75: wants to be replaced */
    POLICY_END_CONFIG,    /* 78: would fail again, never restarted */
    POLICY_END_FAILED,    /* another exit status */
    POLICY_END_UNDRAINED, /* exit 0 in the middle of its work: a crash in disguise */
    POLICY_END_SIGNAL,    /* killed by a signal not ours */
    POLICY_END_OOM,       /* SIGKILL, and the kernel's count of OOM kills went up */
    POLICY_END_HUNG,      /* ended by us: no beat, or never ready */
    POLICY_END_STALLED,   /* ended by us: sync without progress or past its deadline */
    POLICY_END_OVERSTAYED /* told to drain and had to be ended */
};

enum policy_end policy_classify(const struct policy_child *c, int wait_status, bool drained, bool oom);
/* Nothing an operator has to hear of: it was told to go and went. */
bool policy_end_expected(const struct policy_child *c, enum policy_end end);
/* Books the death; answers the delay until the restart (0: at once), UINT64_MAX: there will be none. */
uint64_t policy_child_died(struct policy_child *c, enum policy_end end, double dice, uint64_t now);

enum policy_verdict {
    POLICY_WAIT,
    POLICY_GO,
    POLICY_FAIL
};

/* A generation that starts. */
struct policy_generation {
    unsigned wanted, ready; /* children; ready and beating */
    unsigned died;          /* deaths before READY */
    uint64_t started_ns;
};

/* A reload: all or nothing, the first death ends it. */
enum policy_verdict policy_reload_judge(const struct policy_generation *g, const struct policy_limits *l,
                                        uint64_t now);
/* The first generation's workers (`died`: places whose worker died before any was ever ready): fails only when none
 * can live; after GENERATION_TIMEOUT goes with those it has. */
enum policy_verdict policy_boot_judge(const struct policy_generation *g, const struct policy_limits *l, uint64_t now);

/* An upgrade may take ready_ns in all: the new executable's rehearsal the first half, its generation in the master's
 * place up to the last eighth, which is spare for the way back. */
uint64_t policy_rehearsal_ns(const struct policy_limits *l);
/* When the heir's generation counts as begun, so that it is judged in time; `over_ns`: when the upgrade must be over.
 */
uint64_t policy_heir_started_ns(const struct policy_limits *l, uint64_t over_ns);

/* Workers of a generation that has `workers` and is told so many more (or fewer), within its bounds. */
unsigned policy_resize(unsigned workers, int more, unsigned most);

/* Age of a stamp another process wrote; one from the future (rubbish) counts as never written. */
uint64_t policy_age_ns(uint64_t stamp_ns, uint64_t floor_ns, uint64_t now);

#endif
