/*
 * roles: the one table of process kinds the master runs.
 *
 * What the signals say to a child: TERM (and INT) stop in good order: a worker
 * drains, the sync aborts its run; HUP leave when the work under way is done (the sync of an old generation ends
 * its run first); QUIT stop at once; USR1 to the sync: look into the mailbox. A second TERM changes nothing: the
 * master holds the watch and sends QUIT. A child that ends well sets its slot's state to SB_EXITED and returns
 * PROC_EXIT_DRAINED; exit 0 in any other state counts as a crash.
 */
#ifndef PROC_ROLES_H
#define PROC_ROLES_H

#include "core/conf.h"
#include "core/scoreboard.h"
#include "net/listen.h"

/* What a child is born with. All pointers stay valid for its life. */
struct proc_context {
    const struct conf *conf;
    struct scoreboard *sb;
    struct sb_slot *slot; /* its own */
    const struct listen_set *listen;
    uint32_t index, generation;
    int lifeline_fd; /* reads EOF when the master is gone */
    int signal_fd;   /* signalfd of TERM, INT, QUIT, USR1, HUP (all blocked) */
};

/* Exit vocabulary; the numbers are those of sysexits.h where it has one. */
enum proc_exit {
    PROC_EXIT_DRAINED = 0,
    PROC_EXIT_FAILURE = 1,
    PROC_EXIT_SOFTWARE = 70,
    PROC_EXIT_RECYCLE = 75,
    PROC_EXIT_CONFIG = 78
};

struct proc_role {
    enum sb_role role;
    const char *name;  /* log role; workers add "/index" */
    const char *title; /* shown by ps */
    int oom_score_adj;
    int nice;                                   /* added to the master's */
    int (*run)(const struct proc_context *ctx); /* returns the exit status */
};

extern const struct proc_role proc_roles[SB_ROLE_COUNT];

int worker_main(const struct proc_context *ctx);
int sync_main(const struct proc_context *ctx);
int probe_main(const struct proc_context *ctx);

#endif
