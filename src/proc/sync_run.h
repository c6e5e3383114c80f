/*
 * sync_run: one run of the sync, from the lock to the published population.
 *
 * connecting → reading → loading → merging → scoring → publishing. Everything that
 * changes combined_sales happens in one transaction of the connection that
 * holds the advisory lock; the books (sync_runs, sync_quarantine) are kept through a second
 * connection, so that they tell also of runs that failed.
 */
#ifndef PROC_SYNC_RUN_H
#define PROC_SYNC_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proc/source.h"
#include "proc/sync_db.h"
#include "proc/sync_state.h"

/* Key of the session-level advisory lock that makes runs follow one another on all machines. */
#define SYNC_LOCK "7305147"

struct sync_error {
    enum sb_reason reason; /* SB_REASON_NONE: no error */
    char text[256];
};

struct sync_run {
    struct sync_state *state;
    const struct conf *conf;
    struct sb_mail_request request;
    struct sync_db work; /* holds the lock and the transaction */
    struct sync_db books;
    struct sb_run *shown; /* = &state->shown.run: counts as they grow */
    struct sync_error error;
    uint64_t deadline_ns, pinged_ns, event_ns;
    uint64_t grace_ns; /* until then the books may be closed after a stop */
    int64_t limit_s;   /* what the deadline was made of */
    int64_t batches, bad_rows;
    bool everything;            /* the whole source is read: a full run, or the first one */
    bool full_stage;            /* the stage is combined_sales_next, ready to be swapped in */
    int32_t start_day, end_day; /* of a partial run, CLOCK_NO_DAY: open */
    bool changed;               /* combined_sales was changed by this run */
};

/* Runs a request to its end; the outcome is in state->shown.run and in sync_runs. SB_ANSWER_STARTED, or why it did
 * not start; the poster in the mailbox, if any, was answered. */
enum sb_mail_answer sync_run_execute(struct sync_state *state, const struct sb_mail_request *request, bool by_mail);

/* The beat of everything that waits in a run (arg: the run): false when it must stop (told to, or past its deadline).
 */
bool sync_run_beat(void *arg);
/* For the steps of a run: something moved on; the watchdog's clock starts anew. */
void sync_run_progress(struct sync_run *run);
void sync_run_phase(struct sync_run *run, enum sb_phase phase);
/* Writes sync_progress when ten seconds are over since the last one, or `now`. */
void sync_run_report(struct sync_run *run, bool now);
/* Notes the first error; answers false for `return sync_run_fail(…)`. */
bool sync_run_fail(struct sync_run *run, enum sb_reason reason, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
bool sync_run_fail_db(struct sync_run *run, const struct sync_db *db);

#endif
