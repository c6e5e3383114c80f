/*
 * cors: which browser origins may read the answers, and the lines that tell them so.
 */
#ifndef API_CORS_H
#define API_CORS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/str.h"

#define CORS_MAX_ORIGINS 64

struct cors {
    struct str origins[CORS_MAX_ORIGINS];
    size_t count;
    bool any; /* "*": refused in production at the start */
};

/* ALLOWED_ORIGINS: a comma list, blanks around entries dropped. False: no memory, or too many origins. */
bool cors_init(struct cors *c, struct arena *a, const char *allowed_origins);
bool cors_allows(const struct cors *c, struct str origin);
/* Lines of an ordinary answer to an allowed origin, and of the answer to its preflight, where `more_headers` (", A,
 * B") are allowed, too. */
void cors_write(struct buf *out, struct str origin);
void cors_write_preflight(struct buf *out, struct str origin, struct str more_headers);

#endif
