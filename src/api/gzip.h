/*
 * gzip: bodies compressed for clients that accept it (CONTRACT 2).
 *
 * The tags of answers are weak, so a compressed answer carries the tag of the plain one.
 */
#ifndef API_GZIP_H
#define API_GZIP_H

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"

#define GZIP_LEAST_BYTES 1024 /* smaller bodies are sent as they are */

/* Does this Accept-Encoding take gzip, and like it no less than a plain body? */
bool gzip_accepted(struct str accept_encoding);

/* One a worker: zlib's state, kept from body to body. */
struct gzip;
struct gzip *gzip_new(size_t max_bytes); /* of a compressed body; NULL: no memory */
void gzip_free(struct gzip *g);
/* The body compressed, good until the next call; STR_NONE: no memory, or it would be no smaller. */
struct str gzip_body(struct gzip *g, struct str body);
/* Gives back the memory of a large body. */
void gzip_trim(struct gzip *g, size_t kept_bytes);

#endif
