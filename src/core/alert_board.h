/*
 * alert_board: what people have been told (proc/alert). In the scoreboard, so that a new generation neither repeats
 * an alert nor forgets its end. One writer: the probe of the serving generation.
 */
#ifndef CORE_ALERT_BOARD_H
#define CORE_ALERT_BOARD_H

#include <stdint.h>

enum alert_id {
    ALERT_API,
    ALERT_DATABASE,
    ALERT_WORKERS,
    ALERT_CACHE,
    ALERT_AI,
    ALERT_SOURCE,
    ALERT_SYNC,
    ALERT_STALE,
    ALERT_COUNT
};

struct alert_board {
    struct {
        int64_t since_s;    /* it was told that it fires since then; 0: it does not, as far as was told */
        int64_t paid_off_s; /* GCRA: when this alert may be told ALERT_BURST times in a row again */
    } told[ALERT_COUNT];
    int64_t retry_s, pause_s; /* after failures: not before then; the pause before the next try */
    uint64_t deaths;          /* processes that died, as last seen, and when that rose last */
    int64_t death_s;
};

#endif
