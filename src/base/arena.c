/*
 * arena: a list of blocks, filled from the newest.
 *
 * A request above a quarter of a standard block gets a block of its own, put
 * behind the newest, so that the newest goes on being filled and little is wasted.
 */
#include "base/arena.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ARENA_ALIGN       16U
#define ARENA_BLOCK_BYTES (8192U - 64U) /* with malloc's own header still two pages */

struct arena_block {
    struct arena_block *next;
    size_t used, cap;
    _Alignas(ARENA_ALIGN) unsigned char data[];
};

void arena_init(struct arena *a, size_t max_bytes)
{
    *a = (struct arena){ .max_bytes = max_bytes };
}

void arena_reset(struct arena *a)
{
    struct arena_block *kept = NULL, *next;

    for (struct arena_block *b = a->blocks; b; b = next) {
        next = b->next;
        if (!kept && b->cap == ARENA_BLOCK_BYTES)
            kept = b;
        else
            free(b);
    }
    if (kept) {
        kept->next = NULL;
        kept->used = 0;
    }
    *a = (struct arena){ .blocks = kept, .max_bytes = a->max_bytes };
}

void arena_free(struct arena *a)
{
    struct arena_block *next;

    for (struct arena_block *b = a->blocks; b; b = next) {
        next = b->next;
        free(b);
    }
    arena_init(a, a->max_bytes);
}

static struct arena_block *block_new(size_t cap)
{
    struct arena_block *b = malloc(sizeof(*b) + cap);

    if (b)
        *b = (struct arena_block){ .cap = cap };
    return b;
}

/* A block with room for n bytes at its end, in the list; NULL without memory. */
static struct arena_block *block_for(struct arena *a, size_t n)
{
    struct arena_block *first = a->blocks;

    if (first && n <= first->cap - first->used)
        return first;

    bool own = n > ARENA_BLOCK_BYTES / 4;
    struct arena_block *b = block_new(own ? n : ARENA_BLOCK_BYTES);
    if (!b)
        return NULL;
    if (own && first) {
        b->next = first->next;
        first->next = b;
    } else {
        b->next = first;
        a->blocks = b;
    }
    return b;
}

void *arena_alloc(struct arena *a, size_t n)
{
    size_t padded = n == 0 ? ARENA_ALIGN : (n + ARENA_ALIGN - 1) & ~(size_t)(ARENA_ALIGN - 1);

    if (padded < n || padded > a->max_bytes - a->used_bytes) {
        a->exhausted = true;
        return NULL;
    }
    struct arena_block *b = block_for(a, padded);
    if (!b) {
        a->exhausted = true;
        return NULL;
    }
    void *p = b->data + b->used;
    b->used += padded;
    a->used_bytes += padded;
    return p;
}

void *arena_zalloc(struct arena *a, size_t n)
{
    void *p = arena_alloc(a, n);

    if (p)
        memset(p, 0, n);
    return p;
}

void *arena_calloc(struct arena *a, size_t n, size_t size)
{
    size_t bytes;

    if (__builtin_mul_overflow(n, size, &bytes)) {
        a->exhausted = true;
        return NULL;
    }
    return arena_zalloc(a, bytes);
}

char *arena_strdup(struct arena *a, struct str s)
{
    if (s.len == SIZE_MAX) {
        a->exhausted = true;
        return NULL;
    }
    char *p = arena_alloc(a, s.len + 1);
    if (p)
        str_copy(p, s.len + 1, s);
    return p;
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
    va_list ap;
    char *p = NULL;

    va_start(ap, fmt);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (n < 0)
        return NULL;

    p = arena_alloc(a, (size_t)n + 1);
    if (!p)
        return NULL;
    va_start(ap, fmt);
    vsnprintf(p, (size_t)n + 1, fmt, ap);
    va_end(ap);
    return p;
}
