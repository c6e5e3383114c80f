/*
 * buf: a growing byte buffer with a ceiling.
 *
 * Appending past `max_bytes`, or when memory is short, sets `failed` and
 * leaves the contents as they were; later appends do nothing, so a writer
 * checks once at its end. A zeroed struct with max_bytes set is a valid empty buffer.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/str.h"

struct buf {
    char *data;
    size_t len, cap, max_bytes; /* cap: usable bytes; the memory holds one more, for the NUL of buf_cstr */
    bool failed;
};

void buf_init(struct buf *b, size_t max_bytes);
void buf_free(struct buf *b);
void buf_reset(struct buf *b); /* empties it, keeps the memory, clears `failed` */

/* The slow half of buf_reserve: more memory, or `failed`. */
bool buf_grow(struct buf *b, size_t n);

/* Makes room for n more bytes; the caller may then write to data+len and raise len itself. */
static inline bool buf_reserve(struct buf *b, size_t n)
{
    if (b->data && n <= b->cap - b->len && !b->failed)
        return true;
    return buf_grow(b, n);
}

static inline void buf_add(struct buf *b, const void *bytes, size_t n)
{
    if (n > 0 && buf_reserve(b, n)) {
        memcpy(b->data + b->len, bytes, n);
        b->len += n;
    }
}

static inline void buf_add_str(struct buf *b, struct str s)
{
    buf_add(b, s.p, s.len);
}

static inline void buf_add_cstr(struct buf *b, const char *s)
{
    buf_add(b, s, strlen(s));
}

static inline void buf_add_char(struct buf *b, char c)
{
    if (buf_reserve(b, 1))
        b->data[b->len++] = c;
}

void buf_add_u64(struct buf *b, uint64_t v);
void buf_add_i64(struct buf *b, int64_t v);
void buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void buf_vprintf(struct buf *b, const char *fmt, va_list ap) __attribute__((format(printf, 2, 0)));
struct str buf_str(const struct buf *b);
/* A NUL behind the contents (not counted in len), or NULL if failed. */
const char *buf_cstr(struct buf *b);

#endif
