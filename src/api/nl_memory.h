/*
 * nl_memory: what questions meant, kept in this process for a while, so that asking again costs nothing.
 */
#ifndef API_NL_MEMORY_H
#define API_NL_MEMORY_H

#include <stdint.h>

#include "base/str.h"

#define NL_MEMORY_PLACES 256

struct nl_memory;

/* Each is kept for so many seconds, or until another takes its place. NULL: no memory. */
struct nl_memory *nl_memory_new(int64_t ttl_s);
void nl_memory_free(struct nl_memory *m);
/* STR_NONE: not known. Borrowed until the next put. */
struct str nl_memory_get(const struct nl_memory *m, struct str question, uint64_t now_ns);
void nl_memory_put(struct nl_memory *m, struct str question, struct str meaning, uint64_t now_ns);

#endif
