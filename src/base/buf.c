/*
 * buf: growth and the less frequent ways of appending. The memory doubles up to the ceiling.
 */
#include "base/buf.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/fmt.h"

#define BUF_FIRST_BYTES 256

void buf_init(struct buf *b, size_t max_bytes)
{
    *b = (struct buf){ .max_bytes = max_bytes };
}

void buf_free(struct buf *b)
{
    free(b->data);
    *b = (struct buf){ .max_bytes = b->max_bytes };
}

void buf_reset(struct buf *b)
{
    b->len = 0;
    b->failed = false;
}

static size_t next_cap(const struct buf *b, size_t need)
{
    size_t cap = b->cap < BUF_FIRST_BYTES ? BUF_FIRST_BYTES : b->cap;

    while (cap < need)
        cap = cap > SIZE_MAX / 4 ? need : cap * 2;
    return cap < b->max_bytes ? cap : b->max_bytes;
}

bool buf_grow(struct buf *b, size_t n)
{
    if (b->failed)
        return false;
    if (b->len > b->max_bytes || n > b->max_bytes - b->len || b->max_bytes == SIZE_MAX) {
        b->failed = true;
        return false;
    }
    if (b->data && n <= b->cap - b->len)
        return true;

    size_t cap = next_cap(b, b->len + n);
    char *data = realloc(b->data, cap + 1);
    if (!data) {
        b->failed = true;
        return false;
    }
    b->data = data;
    b->cap = cap;
    return true;
}

void buf_add_u64(struct buf *b, uint64_t v)
{
    char text[FMT_MAX];

    buf_add(b, text, fmt_u64(text, v));
}

void buf_add_i64(struct buf *b, int64_t v)
{
    char text[FMT_MAX];

    buf_add(b, text, fmt_i64(text, v));
}

void buf_vprintf(struct buf *b, const char *fmt, va_list ap)
{
    va_list measure;

    va_copy(measure, ap);
    int n = vsnprintf(NULL, 0, fmt, measure);
    va_end(measure);
    if (n < 0) {
        b->failed = true;
        return;
    }
    if (!buf_reserve(b, (size_t)n))
        return;
    vsnprintf(b->data + b->len, (size_t)n + 1, fmt, ap);
    b->len += (size_t)n;
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    buf_vprintf(b, fmt, ap);
    va_end(ap);
}

struct str buf_str(const struct buf *b)
{
    return (struct str){ b->data, b->len };
}

const char *buf_cstr(struct buf *b)
{
    if (!buf_reserve(b, 0))
        return NULL;
    b->data[b->len] = '\0';
    return b->data;
}
