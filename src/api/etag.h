/*
 * etag: the tag of a read: W/"<data version>-<16 hex digits>".
 *
 * The digits hash what else the answer depends on: path, query (sorted by name), settings and server version.
 */
#ifndef API_ETAG_H
#define API_ETAG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/str.h"

#define ETAG_SIZE 48

uint64_t etag_seed(uint64_t settings_hash, const char *version);
/* Returns the length; 0 when the arena is exhausted. No NUL is added. */
size_t etag_format(char dst[ETAG_SIZE], uint64_t seed, uint64_t data_version, struct str path, struct str query,
                   struct arena *a);
/* If-None-Match: "*" or a list, compared weakly. */
bool etag_matches(struct str if_none_match, struct str tag);

#endif
