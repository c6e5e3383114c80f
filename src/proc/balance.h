/*
 * balance: may this worker take one more connection?
 *
 * All workers wait on one listening socket and the kernel wakes them unevenly;
 * a worker that holds clearly more connections than the least loaded of its
 * peers leaves the next ones to it. A peer whose beat is old does not count,
 * and one that beats but does not accept is waited for only briefly: balance never costs an accept for long.
 */
#ifndef PROC_BALANCE_H
#define PROC_BALANCE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/scoreboard.h"

#define BALANCE_SLACK       4            /* connections above the least loaded peer, and an eighth of its number */
#define BALANCE_PATIENCE_NS 100000000ULL /* of refusing */
#define BALANCE_LULL_NS     50000000ULL  /* without a refusal: the next one begins anew */
#define BALANCE_STALE_NS    1500000000ULL
#define BALANCE_REFRESH_NS  200000000ULL

struct balance {
    const struct scoreboard *sb;
    struct sb_slot *own;
    const struct sb_slot *peers[SB_MAX_INDEX];
    unsigned peer_count;
    uint64_t refreshed_ns;
    uint64_t refusing_ns; /* since when without a pause; 0: not */
    uint64_t refused_ns;  /* the last time */
    unsigned grace;       /* accept up to here whatever the peers hold; 0: no such leave */
};

void balance_init(struct balance *b, const struct scoreboard *sb, struct sb_slot *own);
/* Publishes our count and decides about one more. */
bool balance_may_accept(struct balance *b, unsigned connections, uint64_t now_ns);

/* The rule alone: `least` is the count of the least loaded peer. */
bool balance_decide(struct balance *b, unsigned connections, unsigned least, uint64_t now_ns);

#endif
