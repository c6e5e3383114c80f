/*
 * sync_load: from the source into the stage.
 */
#ifndef PROC_SYNC_LOAD_H
#define PROC_SYNC_LOAD_H

#include "proc/sync_run.h"

/* The table the run loads into. */
const char *sync_load_stage(const struct sync_run *run);

/*
 * Opens the run's transaction, makes the stage and fills it with whole orders: the lines of the range, and the lines
 * of their orders outside it. Bad rows go to sync_quarantine; too many fail the run. A dry run only reads and counts.
 * False: run->error says why.
 */
bool sync_load(struct sync_run *run);

#endif
