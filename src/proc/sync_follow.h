/*
 * sync_follow: this machine serves what any machine published.
 *
 * A connection of its own listens on channel patrond_data (notified when facts are committed and when a run ends) and
 * looks every half minute as well, so that nothing depends on a notification. What is new is taken from PostgreSQL
 * alone; the source is not touched.
 */
#ifndef PROC_SYNC_FOLLOW_H
#define PROC_SYNC_FOLLOW_H

#include <stdbool.h>
#include <stdint.h>

#include "proc/sync_db.h"
#include "proc/sync_state.h"

struct sync_follow {
    struct sync_state *state;
    struct sync_db db;   /* closed: to be opened at look_ns */
    uint64_t look_ns;    /* when to look without being told */
    uint64_t limit_ns;   /* of the statements under way */
    int64_t bad_version; /* whose file could not be made: said so */
};

void sync_follow_init(struct sync_follow *f, struct sync_state *state);

/* Between runs: opens the connection if need be, and takes over what is new. state->watch_fd then wakes the next
 * sleep. True: the status has changed. */
bool sync_follow_step(struct sync_follow *f);

void sync_follow_close(struct sync_follow *f);

#endif
