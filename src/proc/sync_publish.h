/*
 * sync_publish: from the stage into combined_sales, by whole orders, in the run's one transaction.
 */
#ifndef PROC_SYNC_PUBLISH_H
#define PROC_SYNC_PUBLISH_H

#include "proc/sync_run.h"

/*
 * Compares stage and table order by order, counts, changes what differs, remembers the customers touched in
 * customer_dirty, moves the watermark and commits. Readers see all of it or nothing. False: run->error says why,
 * nothing was changed.
 */
bool sync_publish(struct sync_run *run);

#endif
