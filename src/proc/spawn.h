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

/* Descriptors of the master alone. */
enum spawn_private {
    SPAWN_LOCK,
    SPAWN_IMAGE,     /* the executable that runs here */
    SPAWN_NEXT,      /* the one to be executed */
    SPAWN_REHEARSAL, /* what that one says in its rehearsal */
    SPAWN_PRIVATE_COUNT
};

/* What of the master a child must know, or must not keep. */
struct spawn_env {
    struct scoreboard *sb;
    const struct listen_set *listen;
    const struct succession *succession;  /* its descriptors are the master's as well */
    int lifeline[2];                      /* [0] for the children, [1] open in the master alone */
    int private_fds[SPAWN_PRIVATE_COUNT]; /* -1: none */
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

/*
 * Executes the program open as `fd` (script or binary) in a process group of its own, which dies with the caller;
 * what it prints on stdout and stderr comes out of *read_fd (nonblocking, the caller's). Answers its pid, or -1 with
 * errno.
 */
pid_t spawn_program(int fd, char *const argv[], int *read_fd);

#endif
