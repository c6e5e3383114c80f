/*
 * sync_swap: the loaded table takes the place of combined_sales by renaming.
 */
#ifndef PROC_SYNC_SWAP_H
#define PROC_SYNC_SWAP_H

#include "proc/sync_run.h"

/*
 * May a swap lose nothing? False in *possible when anything hangs on the live table that is not the schema's own:
 * views, foreign keys, triggers, policies, publications, statistics, further columns, indexes or options.
 */
bool sync_swap_possible(struct sync_run *run, bool *possible);

/*
 * Builds the indexes of combined_sales_next, carries grants and comments over, and renames it into place inside the
 * run's transaction. The lock that readers feel is asked for last and for short times only; where it is not to be
 * had, or somebody hung something on the table meanwhile, *swapped stays false and nothing is changed. False: the run
 * failed.
 */
bool sync_swap(struct sync_run *run, bool *swapped);

#endif
