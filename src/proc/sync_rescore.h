/*
 * sync_rescore: scores what no run has scored: a new day, or what a run that died left undone.
 */
#ifndef PROC_SYNC_RESCORE_H
#define PROC_SYNC_RESCORE_H

#include <stdint.h>

#include "proc/sync_state.h"

struct sync_rescore {
    int32_t day;      /* as-of day for which nothing is left to do; CLOCK_NO_DAY: not known */
    uint64_t look_ns; /* of the next look */
};

/* The first look comes a moment later, so that a run that was asked for with the start goes first. */
void sync_rescore_init(struct sync_rescore *r);
/*
 * Between runs: scores everyone and publishes the population when the as-of day has moved since the last scoring
 * (midnight has passed and it is time by sync_schedule_rescore, or AS_OF_DATE was changed), and after a start also
 * when a run has left lines unscored. A request that comes meanwhile goes first. Failures are told in the journal
 * and tried again.
 */
void sync_rescore_when_due(struct sync_state *state, struct sync_rescore *r);

#endif
