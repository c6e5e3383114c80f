/*
 * sync_state: what the sync process knows and shows: its beat, its orders to stop, and the status block of the
 * scoreboard.
 */
#ifndef PROC_SYNC_STATE_H
#define PROC_SYNC_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "proc/roles.h"
#include "proc/sync_db.h"

struct sync_state {
    const struct proc_context *proc;
    struct sb_sync shown; /* the copy that is published */
    uint64_t shown_ns;
    bool stop;              /* TERM, INT, QUIT or the master's end was seen: end the run as well */
    bool leave;             /* HUP was seen: end when no run is under way */
    bool wake;              /* USR1 was seen, and not because of a request that was taken already */
    bool database_down;     /* said so in the journal */
    uint64_t limit_ns;      /* of the work between runs that is under way */
    uint64_t mail_ns;       /* when a request was taken whose signal is still to come; 0: none */
    int64_t orphan_run_id;  /* the run that the process before us left when it died; 0: none */
    struct sb_run unbooked; /* an ended run that could not be entered in sync_runs; run_id 0: none */
    int watch_fd;           /* readable: there is something to do; -1: none */
};

void sync_state_init(struct sync_state *s, const struct proc_context *proc);

/* Beats, reads signals and the lifeline, refuses requests and signals that come while a run is under way, publishes
 * the status every half second. False: stop. */
bool sync_state_beat(struct sync_state *s);
/* The same, but returns within 100 ms of a request in the mailbox. */
void sync_state_wait_mail(struct sync_state *s, unsigned ms);
/* Work between runs that must come to an end: gives it so long, and beats (arg: the state) as above until then. */
void sync_state_allow(struct sync_state *s, int64_t seconds);
bool sync_state_beat_in_time(void *arg);
/* Takes a request from the mailbox, which must then be answered. */
bool sync_state_take_mail(struct sync_state *s, struct sb_mail_request *request);
/* Between runs: is it time to end? */
bool sync_state_ending(const struct sync_state *s);
/* Beats as above at least every 200 ms until ms are over, a signal or a byte for watch_fd comes or it is time to
 * end. */
void sync_state_sleep(struct sync_state *s, unsigned ms);

/* Publishes the status now, unless another sync process (of the generation before) still runs and publishes. */
void sync_state_show(struct sync_state *s);
bool sync_state_other_running(const struct sync_state *s);

/* Fills the status from sync_runs, data_versions and combined_sales. */
enum sync_db_status sync_state_load(struct sync_state *s, struct sync_db *db);
/* Only the runs. */
enum sync_db_status sync_state_load_runs(struct sync_state *s, struct sync_db *db);
/* The run under way on any machine: *found false when there is none (or it has not entered itself yet). */
enum sync_db_status sync_state_load_running(struct sync_db *db, struct sb_run *run, bool *found);
/* Only what is known of combined_sales. */
enum sync_db_status sync_state_load_table(struct sync_state *s, struct sync_db *db);
/* Puts an ended run at the head of the list. */
void sync_state_record(struct sync_state *s, const struct sb_run *run);

#endif
