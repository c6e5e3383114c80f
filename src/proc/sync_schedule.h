/*
 * sync_schedule: when the next daily run is due. Pure arithmetic over wall-clock microseconds.
 */
#ifndef PROC_SYNC_SCHEDULE_H
#define PROC_SYNC_SCHEDULE_H

#include <stdbool.h>
#include <stdint.h>

/* The first moment after now_us at which the clock shows hour:00:00 UTC. */
int64_t sync_schedule_after(int64_t now_us, int hour);
/*
 * When the next run is due: now_us or earlier if one was missed (none since the last time it
 * should have run, or never one at all), else sync_schedule_after. After a failed run the next try comes SYNC_RETRY_S
 * later if that is sooner. Times of 0: never; as are those that lie more than an hour ahead.
 */
#define SYNC_RETRY_S 600
int64_t sync_schedule_next(int64_t now_us, int hour, int64_t last_success_us, int64_t last_failure_us);
/* False: a daily run planned for due_us was planned before the clock was set back. */
bool sync_schedule_plan_holds(int64_t now_us, int64_t due_us);

/*
 * When the scoring of the UTC day of now_us is due if no run has done it: an hour after the daily run (which scores,
 * when it succeeds), but before the day ends; with SYNC_NO_DAILY_RUN when the day begins.
 */
#define SYNC_NO_DAILY_RUN (-1)
int64_t sync_schedule_rescore(int64_t now_us, int hour);

#endif
