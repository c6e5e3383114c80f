/*
 * lock: one master per RUN_DIR, and how others find it.
 *
 * RUN_DIR/patrond.lock is locked by fcntl(2) for the master's life. The kernel
 * drops the lock with the process, does not pass it to children, and tells
 * anyone who asks which process holds it: a pid found so is surely the master's.
 */
#ifndef PROC_LOCK_H
#define PROC_LOCK_H

#include <stddef.h>
#include <sys/types.h>

/* Takes the lock and writes our pid into the file; answers the descriptor to keep open, or -1 with the reason. */
int lock_take(const char *run_dir, char *why, size_t why_size);
/* Pid of the master of this RUN_DIR; 0: none runs; -1 with errno: cannot be told. */
pid_t lock_holder(const char *run_dir);

#endif
