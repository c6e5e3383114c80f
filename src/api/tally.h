/*
 * tally: the scoreboard added up: processes, connections to PostgreSQL, cache. For /admin and /metrics.
 */
#ifndef API_TALLY_H
#define API_TALLY_H

#include <stdint.h>

#include "core/conf.h"
#include "core/scoreboard.h"

struct tally_process {
    uint32_t role, index, generation;
    int32_t pid;
    const char *state; /* "starting", "ready", "draining" */
    int64_t started_us, requests, in_flight, connections, active, rss_bytes, last_beat_ms, restarts;
};

struct tally {
    struct tally_process processes[SB_SLOTS]; /* living ones, by role, index and generation */
    unsigned count;
    int64_t workers_ready;
};

struct tally_pool {
    int64_t open, busy, waiting;
    int64_t overflow;   /* open beyond DB_POOL_SIZE */
    int64_t available;  /* can still be handed out */
    double utilization; /* busy / (DB_POOL_SIZE + overflow) */
};

struct tally_cache {
    int64_t hits, misses, keys, memory_bytes, evictions;
    double hit_rate; /* 0 without look-ups */
};

void tally_processes(struct tally *t, const struct scoreboard *sb);
void tally_pool(struct tally_pool *p, const struct conf *conf, const struct scoreboard *sb);
void tally_cache(struct tally_cache *c, const struct scoreboard *sb);

#endif
