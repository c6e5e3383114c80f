/*
 * sync_run: one run of the sync, from the lock to the published population.
 *
 * connecting → reading → loading → merging → scoring → publishing. Everything that
 * changes combined_sales happens in one transaction of the connection that
 * holds the advisory lock; the books (sync_books) are kept through a second connection, so that they tell also of
 * runs that failed.
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

/* What sync_audit found: days before the window, ascending, with the source's totals. */
struct sync_audit {
    struct source_day_total *days;
    size_t count, room;
    int64_t compared;  /* days on either side */
    int64_t unsettled; /* days that differ even now that they were read again */
};

struct sync_run {
    struct sync_state *state;
    const struct conf *conf;
    struct sb_mail_request request;
    struct sync_db work; /* holds the lock and the transaction */
    struct sync_db books;
    struct sb_run *shown; /* = &state->shown.run: counts as they grow */
    struct sync_error error;
    uint64_t deadline_ns, asked_ns, booked_ns, reported_ns;
    uint64_t grace_ns;                                 /* until then the books may be closed after a stop */
    int64_t limit_s;                                   /* what the deadline was made of */
    uint64_t phase_ns[SB_PHASE_COUNT], phase_since_ns; /* time spent in each so far; since when in this one */
    uint64_t fetch_ns;                                 /* of it, waiting for the source's rows */
    int64_t batches;
    bool everything;            /* the whole source is read: a full run, or the first one */
    bool full_stage;            /* the stage is combined_sales_next, ready to be swapped in */
    int32_t start_day, end_day; /* of a partial run, CLOCK_NO_DAY: open */
    bool audited;               /* what lies before start_day is held against the source */
    struct sync_audit audit;
    bool published; /* the orders are committed */
};

/* Runs a request to its end; the outcome is in state->shown.run and in sync_runs. SB_ANSWER_STARTED, or why it did
 * not start; the poster in the mailbox, if any, was answered. */
enum sb_mail_answer sync_run_execute(struct sync_state *state, const struct sb_mail_request *request, bool by_mail);

/* For the steps of a run. */

/* The beat of everything that waits in a run (arg: the run): false when it must stop (told to, past its deadline, or
 * without progress); the error is then set. */
bool sync_run_beat(void *arg);
/* Beats for a moment; false as above. */
bool sync_run_sleep(struct sync_run *run);
/* Something moved on; the watchdog's clock starts anew. */
void sync_run_progress(struct sync_run *run);
void sync_run_phase(struct sync_run *run, enum sb_phase phase);
/* Rows of a batch: SYNC_BATCH_ROWS, halved for each of the last runs that ran out of memory. */
size_t sync_run_batch_rows(const struct sync_run *run);
/* Notes the first error; answers false for `return sync_run_fail(…)`. */
bool sync_run_fail(struct sync_run *run, enum sb_reason reason, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* SOURCE_STOPPED or SOURCE_ERROR. */
bool sync_run_fail_source(struct sync_run *run, enum source_status s, const struct source_error *err);
bool sync_run_fail_db(struct sync_run *run, const struct sync_db *db);
/* A statement of `work` has ended so: progress, or the error is noted. */
bool sync_run_done(struct sync_run *run, enum sync_db_status s);

#endif
