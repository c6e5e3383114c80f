/*
 * arena: memory of one request (or one batch), given back in one go.
 *
 * Everything taken counts against `max_bytes`; past it arena_alloc answers
 * NULL and `exhausted` stays set until the reset. Memory is aligned to 16 bytes.
 * The first block is kept over a reset, so a steady state allocates nothing.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"

struct arena_block;

struct arena {
    struct arena_block *blocks; /* newest first */
    size_t used_bytes, max_bytes;
    bool exhausted;
};

void arena_init(struct arena *a, size_t max_bytes);
void arena_reset(struct arena *a); /* frees all but one small block */
void arena_free(struct arena *a);

void *arena_alloc(struct arena *a, size_t n); /* not cleared; NULL when exhausted */
void *arena_zalloc(struct arena *a, size_t n);
/* n elements of `size` bytes, overflow checked, cleared. */
void *arena_calloc(struct arena *a, size_t n, size_t size);
char *arena_strdup(struct arena *a, struct str s); /* NUL-terminated copy */
char *arena_printf(struct arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
