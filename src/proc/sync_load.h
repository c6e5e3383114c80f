/*
 * sync_load: from the source into the stage.
 */
#ifndef PROC_SYNC_LOAD_H
#define PROC_SYNC_LOAD_H

#include "proc/sync_run.h"

/* The table the run loads into. */
const char *sync_load_stage(const struct sync_run *run);

/* Behind FROM: the lines of combined_sales on the days of sync_day, which every partial run has. OFFSET 0 keeps it
 * from being a plain join, for which the planner would go through all lines instead of the index. */
#define SYNC_LOAD_DAY_LINES                                                                                          \
    "sync_day, LATERAL (SELECT * FROM combined_sales s WHERE s.order_date >= sync_day.day"                           \
    " AND s.order_date < sync_day.day + 1 OFFSET 0) l"

/*
 * Opens the run's transaction, makes the stage and fills it with whole orders: the lines of the range, and the lines
 * of their orders outside it. Bad rows go to sync_quarantine; too many fail the run. A dry run only reads and counts.
 * False: run->error says why.
 */
bool sync_load(struct sync_run *run);

#endif
