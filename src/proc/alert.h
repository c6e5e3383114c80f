/*
 * alert: which conditions people are told of, when, and in which words (RUNBOOK N2).
 *
 * The table and pure decisions; `now` is an argument. What was told is compared with what is: a message carries every
 * difference, so nothing is told twice, a change that took itself back in between is not told at all, and a message
 * that could not be sent is made anew from what is true then. Each alert may be told ALERT_BURST times in a row, then
 * once in ALERT_PAUSE_S: one that flaps does not flood.
 */
#ifndef PROC_ALERT_H
#define PROC_ALERT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "core/alert_board.h"

#define ALERT_BURST       6
#define ALERT_PAUSE_S     100
#define ALERT_RETRY_S     2 /* after a failure, doubled up to */
#define ALERT_RETRY_MAX_S 60

struct alert {
    enum alert_id id;
    const char *severity;     /* "P0" … "P2" */
    const char *fires, *ends; /* what has happened, what is again */
    const char *action;       /* what to do */
};
extern const struct alert alerts_table[ALERT_COUNT];

struct alert_state {
    bool firing;
    int64_t since_s; /* of this firing, or of its end; 0: unknown */
};

/* What to tell now: a bit for each alert whose state differs from what was told; 0: nothing, or not yet. */
uint32_t alert_due(const struct alert_board *board, const struct alert_state now[ALERT_COUNT], int64_t now_s);
/* The message about those, in Slack's incoming-webhook format. `where`: host and environment. */
void alert_write(struct buf *out, uint32_t due, const struct alert_board *board,
                 const struct alert_state now[ALERT_COUNT], const char *where, int64_t now_s);
/* The message was taken (`told`: what it said of each), or failed. */
void alert_sent(struct alert_board *board, uint32_t due, const struct alert_state told[ALERT_COUNT], int64_t now_s);
void alert_failed(struct alert_board *board, int64_t now_s);
/* A message for patronctl alert-test. */
void alert_write_test(struct buf *out, const char *where);

#endif
