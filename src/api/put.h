/*
 * put: writing JSON by hand into memory that is known to suffice, for answers with many items.
 *
 * `p` is where the next byte goes; each put answers where it ended. Nothing is
 * checked against the end: the caller has reserved the most that all its puts together write.
 */
#ifndef API_PUT_H
#define API_PUT_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/clock.h"
#include "base/fmt.h"

#define PUT(p, text) put((p), (text), sizeof(text) - 1)

static inline char *put(char *p, const char *text, size_t n)
{
    memcpy(p, text, n);
    return p + n;
}

static inline char *put_text(char *p, const char *text)
{
    return put(p, text, strlen(text));
}

static inline char *put_word(char *p, const char *word)
{
    if (word == NULL)
        return PUT(p, "null");
    *p++ = '"';
    p = put_text(p, word);
    *p++ = '"';
    return p;
}

static inline char *put_int(char *p, int64_t v)
{
    return p + fmt_i64(p, v);
}

static inline char *put_cents(char *p, int64_t cents)
{
    return p + fmt_cents(p, cents);
}

static inline char *put_fixed(char *p, double v, int decimals)
{
    return p + fmt_fixed(p, v, decimals);
}

static inline char *put_fixed_or_null(char *p, double v, int decimals)
{
    return isfinite(v) ? put_fixed(p, v, decimals) : PUT(p, "null");
}

static inline char *put_day(char *p, int32_t day)
{
    *p++ = '"';
    clock_format_day(p, day);
    p += CLOCK_DAY_SIZE - 1;
    *p++ = '"';
    return p;
}

/* A text of a fixed array, "" as null: never longer than its array, whatever it holds. */
static inline char *put_array_text(char *p, const char *text, size_t size)
{
    if (text[0] == '\0')
        return PUT(p, "null");
    *p++ = '"';
    p = put(p, text, strnlen(text, size));
    *p++ = '"';
    return p;
}

#endif
