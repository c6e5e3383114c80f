/*
 * sync_rescore: scores once a day, also where no run does it.
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
 * Between runs: when the as-of day has moved since the last scoring (midnight has passed, or AS_OF_DATE was changed)
 * and it is time (sync_schedule_rescore), scores everyone and publishes the population. A request that comes
 * meanwhile goes first. Failures are told in the journal and tried again.
 */
void sync_rescore_when_due(struct sync_state *state, struct sync_rescore *r);

#endif
