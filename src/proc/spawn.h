/*
 * spawn: the only fork of the program.
 *
 * A child of the master starts from a known state: default signals with a
 * signalfd for those it understands, its own random numbers, log name, title and OOM score, no descriptor it has no
 * use for, and two ways to learn that the master is gone (the parent-death signal, and the end of the lifeline).
 */
#ifndef PROC_SPAWN_H
#define PROC_SPAWN_H

#include <sys/types.h>

#include "proc/roles.h"

/* What of the master a child must know, or must not keep. */
struct spawn_env {
    struct scoreboard *sb;
    const struct listen_set *listen;
    int lifeline[2]; /* [0] for the children, [1] open in the master alone */
    int lock_fd;
};

/* Forks a child for its assigned slot; answers its pid, or -1 with errno. */
pid_t spawn_child(const struct spawn_env *env, const struct conf *conf, struct sb_slot *slot);

/* Runs in a short-lived helper; what it writes to `out` the parent reads; returns the exit status. */
typedef int (*spawn_task_fn)(const void *arg, int out);
/*
 * Forks a helper that may block; it dies with its parent. Answers its pid and
 * the (nonblocking) end to read from, which the caller closes; -1 with errno. The caller reaps it and ends it at its
 * deadline.
 */
pid_t spawn_task(spawn_task_fn fn, const void *arg, const char *title, int *read_fd);

#endif
