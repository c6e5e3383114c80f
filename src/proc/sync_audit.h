/*
 * sync_audit: which days before the window of an incremental run are not here as they are in the source.
 *
 * The source has no mark of what changed, and refunds, edits and deletions come at any age. So both sides add up each
 * day (struct source_day_total), and the days whose totals differ are read again with the window, by the same
 * replacement of whole orders. What leaves all totals of a day as they were (another name of a product) is found
 * inside the window, or by a full run.
 */
#ifndef PROC_SYNC_AUDIT_H
#define PROC_SYNC_AUDIT_H

#include "proc/source.h"
#include "proc/sync_run.h"

/* Fills run->audit: all days before run->start_day, which is not open, are compared. `source` has no reading under
 * way. False: run->error says why. */
bool sync_audit_compare(struct sync_run *run, struct source *source);

/* After the orders were replaced, still in their transaction: counts in run->audit the days that differ yet (lines
 * that can't be used, or a source that changed meanwhile), and says so in the journal. */
bool sync_audit_recheck(struct sync_run *run);

void sync_audit_free(struct sync_audit *audit);

#endif
