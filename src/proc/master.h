/*
 * master: supervises and nothing else.
 *
 * It has no event base, takes no lock in shared memory, opens no database and
 * reads nothing from a client; it never blocks but in signals_wait. The parts:
 * master.c the boot order, the loop and the end; children.c who runs; obituary.c
 * why one died; reload.c the change of generations, resize.c of their size; upgrade.c that of the executable, adopt.c
 * the children it left. All decisions of time are policy's.
 */
#ifndef PROC_MASTER_H
#define PROC_MASTER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/conf.h"
#include "core/scoreboard.h"
#include "net/listen.h"
#include "proc/policy.h"
#include "proc/roles.h"
#include "proc/spawn.h"
#include "proc/succession.h"

enum child_duty {
    CHILD_REGULAR,
    CHILD_STAND_IN,   /* started because another hangs */
    CHILD_REPLACEMENT /* started because another asked for it */
};

/* One process, or the intention to have one. Free when `used` is false. */
struct child {
    bool used;
    struct policy_child policy;
    enum sb_role role;
    uint32_t index, generation;
    pid_t pid;
    struct sb_slot *slot;    /* NULL: no process */
    bool foreign;            /* the slot is of another layout: only its common part may be used */
    uint64_t peak_rss_bytes; /* as the kernel counted it, known once it is dead */
    enum child_duty duty;
    struct child *relieves; /* the one that goes once this one is ready */
};

/* The new executable at its rehearsal. */
struct rehearsal {
    pid_t pid; /* 0: none */
    uint64_t started_ns;
    char said[1024]; /* the beginning of what it printed */
    size_t said_len;
    bool overdue;
};

enum master_phase {
    MASTER_BOOTING,
    MASTER_SERVING,
    MASTER_STOPPING
};

/* What main knows and the master needs. */
struct master_start {
    struct conf *conf;      /* checked; the master takes it over */
    const char *executable; /* its path, for an upgrade */
    bool rehearsal;         /* only until a generation is ready, beside a running server */
    struct succession *succession;
};

struct master {
    struct spawn_env env; /* env.sb: the scoreboard */
    bool rehearsing;      /* this is one (patrond -r) */
    const char *executable;
    struct listen_set listen;
    struct conf *conf; /* of the serving generation */
    struct policy_limits limits;
    struct policy_bucket storm;
    struct child children[SB_SLOTS];
    unsigned workers; /* a generation's */
    int resize;       /* so many more are wanted */
    enum master_phase phase;
    int exit_status;
    uint64_t now_ns, awake_ns; /* this turn; since when we run without a gap */
    uint64_t watchdog_ns;      /* the last one fed */
    int64_t oom_kills;         /* of the kernel's count, those that are explained; -1: it keeps none */
    int64_t oom_kills_before;  /* the count at the last look */
    uint64_t oom_ns;           /* of that look */
    uint32_t serving, latest;  /* generations: the one that serves, the last one begun */
    struct policy_generation boot;
    /* A reload under way. */
    struct conf *fresh; /* NULL: none */
    bool reload_again;  /* HUP came meanwhile */
    struct policy_generation fresh_generation;
    char fresh_why[256]; /* the first thing that went wrong in it */
    char status[160];    /* told to systemd last */
    /* An upgrade: in the image that is to go its rehearsal, in its heir the probation. */
    struct rehearsal rehearsal;
    bool upgrade_again;            /* USR2 came meanwhile */
    struct succession *succession; /* of an heir on probation its kind is HEIR */
    struct scoreboard *other_sb;   /* of another layout, with children of ours; NULL: none */
    size_t other_bytes;
};

/* Runs the server; answers the exit status. */
int master_run(const struct master_start *start);

/* The generation a reload has begun, 0: none. */
uint32_t master_fresh(const struct master *m);
/* Takes the limits of m->conf. */
void master_set_limits(struct master *m);
/* Boot steps end with it: says why the server cannot start and answers false. */
bool master_boot_failed(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* children.c */

void children_add_generation(struct master *m, uint32_t generation);
void children_step(struct master *m); /* does what policy says about each */
void children_reap(struct master *m);
void children_settle_oom(struct master *m); /* every ten seconds */
/* Tells the children of one generation (0: all) to go; the sync of it by its own signal. */
void children_stop(struct master *m, uint32_t generation, enum policy_signal how, enum policy_signal sync_how);
/* Ready and beating children of a generation (0: all); role SB_ROLE_COUNT: any. */
unsigned children_ready(const struct master *m, uint32_t generation, enum sb_role role);
unsigned children_alive(const struct master *m);
/* Milliseconds until something is due, at most `most`. */
int children_next_ms(const struct master *m, int most);
/* A place of its own in the table; NULL when it is full. */
struct child *children_add(struct master *m, enum sb_role role, uint32_t index, uint32_t generation);
/* Workers of a generation that died before they were ready. */
unsigned children_stillborn(const struct master *m, uint32_t generation);
/* Passes a signal on to the sync of the serving generation. */
void children_wake_sync(struct master *m);
const char *child_name(const struct child *c, char dst[48]); /* "worker 3 (pid 77)" */

/* obituary.c: one line for each death nobody ordered. `delay_ns` until the restart, UINT64_MAX: none. */

void obituary_write(struct master *m, const struct child *c, enum policy_end end, int wait_status, uint64_t delay_ns);
void obituary_hung(const struct master *m, const struct child *c);      /* suspected */
void obituary_recovered(const struct master *m, const struct child *c); /* beats again */
void obituary_recycled(const struct master *m, const struct child *c);  /* its replacement is ready */
void obituary_unborn(const struct master *m, const struct child *c, const char *what, int error, uint64_t delay_ns);

/* reload.c */

void reload_begin(struct master *m);
void reload_step(struct master *m); /* decides about the generation that starts */
void reload_abort(struct master *m, const char *why);
/* A generation of m->fresh beside the serving one. */
void reload_start_generation(struct master *m, uint64_t started_ns);

/* resize.c */

void resize_step(struct master *m);

/* upgrade.c */

void upgrade_begin(struct master *m); /* in the running image: rehearses the new one */
void upgrade_step(struct master *m);
void upgrade_abort(struct master *m); /* no upgrade any more: the server stops */
/* Was that process the rehearsal? Then its end is judged, and the new image may take over here. */
bool upgrade_reaped(struct master *m, pid_t pid, int wait_status);
/* The boot steps of an image executed by another: its heir, or the one it came back to. */
bool upgrade_boot(struct master *m);
/* The heir's generation serves: no way back from now on. */
void upgrade_complete(struct master *m);
/* The heir's generation can't: back to the image before. Comes back only when even that can't be; then the heir goes
 * on with the old generation. */
void upgrade_fail(struct master *m, const char *why);

/* adopt.c */

/* The children that a scoreboard holds; those of another generation than the serving one are told to go. */
void adopt_children(struct master *m, struct scoreboard *sb, bool foreign);
void adopt_settle(struct master *m); /* lets go of the other scoreboard once no child needs it */

#endif
