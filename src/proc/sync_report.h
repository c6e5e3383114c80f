/*
 * sync_report: what the journal and the metrics say of a run.
 */
#ifndef PROC_SYNC_REPORT_H
#define PROC_SYNC_REPORT_H

#include "proc/sync_run.h"

void sync_report_started(const struct sync_run *run);
/* Writes sync_progress when ten seconds are over since the last one, or `now`. */
void sync_report_progress(struct sync_run *run, bool now);
/* run->shown tells how it ended; its rows are counted. */
void sync_report_ended(const struct sync_run *run);
/* Why it did not start; a database that is down is told once. */
void sync_report_not_started(struct sync_run *run, enum sb_mail_answer answer);

#endif
