/*
 * shed: is there more work than this worker can do in time?
 *
 * What a worker has read waits for what came before it in the same turn of the loop, and what arrives meanwhile for
 * the whole turn. So the length of the turns is the length of the queue. When turns stay long, whatever comes late in
 * one is answered with 503 at once; that costs next to nothing, the turn ends, and those that are served are served
 * in time. One long turn alone is no overload: a single costly request makes one.
 */
#ifndef API_SHED_H
#define API_SHED_H

#include <stdbool.h>
#include <stdint.h>

#define SHED_TURN_NS   200000000ULL  /* a long turn */
#define SHED_SUDDEN_NS 1000000000ULL /* so long that it needs no second one */

struct shed {
    uint64_t last_turn_ns; /* length of the turn before */
};

/* To be asked for each request that may be refused; lag_ns: how long this turn has lasted. */
bool shed_wanted(const struct shed *s, uint64_t lag_ns);
void shed_turn_ended(struct shed *s, uint64_t lasted_ns);

#endif
