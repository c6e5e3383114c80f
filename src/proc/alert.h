/*
 * alert: which conditions people are told of, when, and in which words (RUNBOOK N2).
 *
 * The table and pure decisions; `now` is an argument. What was told is compared with what is: a message carries every
 * difference, so nothing is told twice, a change that took itself back in between is not told at all, and a message
 * that could not be sent is made anew from what is true then. What is not known (yet) is no difference: a server that
 * starts neither repeats an alert nor ends one before it has looked. What one webhook was told another does not know,
 * so a changed ALERT_WEBHOOK_URL hears of all that fires. Each alert may be told ALERT_BURST times in a
 * row, then once in ALERT_PAUSE_S: one that flaps does not flood.
 */
#ifndef PROC_ALERT_H
#define PROC_ALERT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

#define ALERT_BURST       6
#define ALERT_PAUSE_S     100
#define ALERT_RETRY_S     2 /* after a failure, doubled up to */
#define ALERT_RETRY_MAX_S 60

enum alert_id {
    ALERT_API,
    ALERT_DATABASE,
    ALERT_WORKERS,
    ALERT_ERRORS,
    ALERT_SLOW,
    ALERT_CACHE,
    ALERT_AI,
    ALERT_SOURCE,
    ALERT_SYNC,
    ALERT_STALE,
    ALERT_COUNT
};

struct alert {
    enum alert_id id;
    const char *name;         /* a word; the key of its record (alert_file) */
    const char *severity;     /* "P0" … "P2" */
    const char *fires, *ends; /* what has happened, what is again */
    const char *action;       /* what to do */
};
extern const struct alert alerts_table[ALERT_COUNT];

enum alert_verdict {
    ALERT_UNKNOWN,
    ALERT_FINE,
    ALERT_FIRING,
    ALERT_UNWATCHED /* what it is about is not configured */
};

struct alert_state {
    enum alert_verdict verdict;
    int64_t since_s; /* of this firing; 0: unknown */
};

/* What people have been told. One writer: the probe of the serving generation. */
struct alert_board {
    struct {
        int64_t since_s;    /* it was told that it fires since then; 0: it does not, as far as was told */
        int64_t paid_off_s; /* GCRA: when this alert may be told ALERT_BURST times in a row again */
    } told[ALERT_COUNT];
    int64_t sending_until_s;  /* a message is under way, at the longest until then; 0: none */
    int64_t retry_s, pause_s; /* after failures: not before then; the pause before the next try */
    uint64_t webhook;         /* whom it was told to: a hash of the URL, which is a secret; 0: not known */
};

/* From here on it is told to the webhook at `url`: another than before has been told nothing yet. */
void alert_address(struct alert_board *board, const char *url);
/* What to tell now: a bit for each alert whose state differs from what was told; 0: nothing, or not yet. */
uint32_t alert_due(const struct alert_board *board, const struct alert_state now[ALERT_COUNT], int64_t now_s);
/* The message about those, in Slack's incoming-webhook format. `where`: host and environment. */
void alert_write(struct buf *out, uint32_t due, const struct alert_board *board,
                 const struct alert_state now[ALERT_COUNT], const char *where, int64_t now_s);
/* The same in a few words for the journal: "database fires, cache is over". */
void alert_summarize(struct buf *out, uint32_t due, const struct alert_state told[ALERT_COUNT]);
/* The message was taken (`told`: what it said of each), or failed. */
void alert_sent(struct alert_board *board, uint32_t due, const struct alert_state told[ALERT_COUNT], int64_t now_s);
void alert_failed(struct alert_board *board, int64_t now_s);
/* A message for patronctl alert-test. */
void alert_write_test(struct buf *out, const char *where);

#endif
