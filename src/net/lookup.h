/*
 * lookup: a host name's addresses without waiting, by the C library's own threads (getaddrinfo_a).
 *
 * Addresses once found stay in use when a later lookup fails. A lookup under way writes into memory of its own,
 * which is given back only when it has ended: a lookup freed before that leaves it to the process's end.
 */
#ifndef NET_LOOKUP_H
#define NET_LOOKUP_H

#include <stdbool.h>

struct lookup;

/* False for addresses, socket paths and "". */
bool lookup_is_name(const char *host);
/* Of a name, copied. NULL: no memory. */
struct lookup *lookup_new(const char *name);
void lookup_free(struct lookup *l);

/* Asks, unless a lookup is under way. */
void lookup_start(struct lookup *l);
/* True when none is under way (any more): the addresses are as new as they get. Never blocks: poll it. */
bool lookup_ended(struct lookup *l);
unsigned lookup_count(const struct lookup *l);
/* In numbers; i < lookup_count. Good until the next lookup_ended. */
const char *lookup_address(const struct lookup *l, unsigned i);

#endif
