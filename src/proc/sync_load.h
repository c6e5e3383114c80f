/*
 * sync_load: from the source into the stage.
 */
#ifndef PROC_SYNC_LOAD_H
#define PROC_SYNC_LOAD_H

#include "proc/sync_run.h"

/* Names of the 30 columns and line_hash, comma separated, as the stage and the swap use them. */
const char *sync_load_columns(void);

/*
 * Opens the run's transaction, makes the stage and fills it with whole orders: the lines of the range, and the lines
 * of their orders outside it. Bad rows go to sync_quarantine; too many fail the run. A dry run only reads and counts.
 * False: run->error says why.
 */
bool sync_load(struct sync_run *run);

#endif
