/*
 * shed: see the header.
 */
#include "api/shed.h"

bool shed_wanted(const struct shed *s, uint64_t lag_ns)
{
    return lag_ns >= SHED_SUDDEN_NS || (lag_ns >= SHED_TURN_NS && s->last_turn_ns >= SHED_TURN_NS);
}

void shed_turn_ended(struct shed *s, uint64_t lasted_ns)
{
    s->last_turn_ns = lasted_ns;
}
