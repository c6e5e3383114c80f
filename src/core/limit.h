/*
 * limit: rate limits by GCRA (the generic cell rate algorithm), counted by all processes together.
 *
 * All that is known of a client is one time: when its debt will be paid off.
 * Each request adds one interval to the debt, time pays it off, and a request that
 * would bring it above the tolerance (burst × interval) is refused and adds nothing.
 *
 * The table lies in the scoreboard: no locks, no pointers. An entry is found
 * under a keyed hash of the client in one set of LIMIT_WAYS entries; charging it is one
 * compare-and-swap. When a set is full the entry with the least debt makes
 * room, so a crowd of strangers can be forgiven something, but never refused what is theirs.
 */
#ifndef CORE_LIMIT_H
#define CORE_LIMIT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LIMIT_SETS 8192
#define LIMIT_WAYS 8

struct limit_entry {
    _Atomic uint64_t key;     /* 0: free */
    _Atomic uint64_t time_ns; /* CLOCK_MONOTONIC; no debt from then on */
};

struct limit_table {
    _Alignas(64) struct limit_entry entries[LIMIT_SETS][LIMIT_WAYS];
};

struct limit_rate {
    uint64_t interval_ns;  /* between two requests at the steady rate */
    uint64_t tolerance_ns; /* burst × interval: the largest debt */
};

struct limit_result {
    bool admitted;
    uint64_t left;    /* requests that would be admitted now */
    uint64_t next_ns; /* until there is one more */
    uint64_t full_ns; /* until all of the burst is there again */
};

/* `count` requests (≥ 1) a period and a burst of `burst` (≥ 1). */
struct limit_rate limit_rate(int64_t count, int64_t period_s, int64_t burst);

/* The arithmetic: the client's new time after one request at now_ns; `time_ns` itself when the request is refused. */
uint64_t limit_charge(uint64_t time_ns, const struct limit_rate *rate, uint64_t now_ns, struct limit_result *r);

/* Who is charged under which policy and rate: a changed rate begins anew. Never 0. */
uint64_t limit_key(const uint8_t secret[16], unsigned policy, const struct limit_rate *rate, const void *who,
                   size_t n);
/* Charges one request; answers whether it is admitted. */
bool limit_take(struct limit_table *t, uint64_t key, const struct limit_rate *rate, uint64_t now_ns,
                struct limit_result *r);
/*
 * For lines about a client: true at most once in quiet_ns (seconds, not less than some ms), with the number
 * of times it was false since the last time it was true.
 */
bool limit_sample(struct limit_table *t, uint64_t key, uint64_t quiet_ns, uint64_t now_ns, uint64_t *suppressed);

#endif
