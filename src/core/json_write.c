/*
 * json_write: JSON into a buf, fast: every answer passes here. Each value reserves its longest
 * form first and then writes without further checks.
 */
#include "core/json.h"

#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "base/fmt.h"

void json_writer_init(struct json_writer *w, struct buf *out)
{
    w->out = out;
    w->comma = false;
}

/* Room for n bytes and a comma, which is set if due. NULL: the buffer has failed. */
static char *begin_value(struct json_writer *w, size_t n)
{
    if (!buf_reserve(w->out, n + 1))
        return NULL;
    if (w->comma)
        w->out->data[w->out->len++] = ',';
    w->comma = true;
    return w->out->data + w->out->len;
}

static void put(struct json_writer *w, const char *text, size_t n)
{
    char *at = begin_value(w, n);

    if (at == NULL)
        return;
    memcpy(at, text, n);
    w->out->len += n;
}

static void open_level(struct json_writer *w, char c)
{
    put(w, &c, 1);
    w->comma = false;
}

static void close_level(struct json_writer *w, char c)
{
    buf_add(w->out, &c, 1);
    w->comma = true;
}

void json_object_begin(struct json_writer *w)
{
    open_level(w, '{');
}

void json_object_end(struct json_writer *w)
{
    close_level(w, '}');
}

void json_array_begin(struct json_writer *w)
{
    open_level(w, '[');
}

void json_array_end(struct json_writer *w)
{
    close_level(w, ']');
}

void json_key(struct json_writer *w, const char *key)
{
    size_t n = strlen(key);
    char *at = begin_value(w, n + 3);

    if (at == NULL)
        return;
    *at = '"';
    memcpy(at + 1, key, n);
    memcpy(at + 1 + n, "\":", 2);
    w->out->len += n + 3;
    w->comma = false;
}

void json_null(struct json_writer *w)
{
    put(w, "null", 4);
}

void json_bool(struct json_writer *w, bool v)
{
    if (v)
        put(w, "true", 4);
    else
        put(w, "false", 5);
}

void json_int(struct json_writer *w, int64_t v)
{
    char *at = begin_value(w, FMT_MAX);

    if (at != NULL)
        w->out->len += fmt_i64(at, v);
}

void json_cents(struct json_writer *w, int64_t cents)
{
    char *at = begin_value(w, FMT_MAX);

    if (at != NULL)
        w->out->len += fmt_cents(at, cents);
}

void json_fixed(struct json_writer *w, double v, int decimals)
{
    if (!isfinite(v)) {
        json_null(w);
        return;
    }
    char *at = begin_value(w, FMT_MAX);
    if (at != NULL)
        w->out->len += fmt_fixed(at, v, decimals);
}

/* Bytes of the character at s[0..n) if it is valid UTF-8 (RFC 3629), else 0. */
static size_t sequence_length(const unsigned char *s, size_t n)
{
    size_t len = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;

    if (s[0] < 0xc2 || s[0] > 0xf4 || len > n)
        return 0;
    for (size_t i = 1; i < len; i++)
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) || (s[0] == 0xf0 && s[1] < 0x90) ||
        (s[0] == 0xf4 && s[1] > 0x8f))
        return 0;
    return len;
}

/* Writes one character that can't stand as it is; returns how many bytes of s it took. */
static size_t escape_one(char **at, const unsigned char *s, size_t n)
{
    static const char hex[] = "0123456789abcdef";
    static const char letters[] = "\"\\\b\f\n\r\t", names[] = "\"\\bfnrt";
    const char *letter = s[0] != 0 ? strchr(letters, s[0]) : NULL;

    if (letter != NULL) {
        *(*at)++ = '\\';
        *(*at)++ = names[letter - letters];
        return 1;
    }
    if (s[0] < 0x20 || s[0] == 0x7f) {
        memcpy(*at, "\\u00", 4);
        (*at)[4] = hex[s[0] >> 4];
        (*at)[5] = hex[s[0] & 15];
        *at += 6;
        return 1;
    }
    size_t len = sequence_length(s, n);
    if (len == 0) {
        memcpy(*at, "\xef\xbf\xbd", 3);
        *at += 3;
        return 1;
    }
    memcpy(*at, s, len);
    *at += len;
    return len;
}

static bool plain(unsigned char c)
{
    return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

static void escape_into(struct buf *out, struct str s) /* room for 6 bytes a byte is reserved */
{
    const unsigned char *p = (const unsigned char *)s.p, *end = p + s.len;
    char *at = out->data + out->len;

    while (p < end) {
        if (plain(*p))
            *at++ = (char)*p++;
        else
            p += escape_one(&at, p, (size_t)(end - p));
    }
    out->len = (size_t)(at - out->data);
}

void json_escape(struct buf *out, struct str s)
{
    if (s.len > 0 && buf_reserve(out, s.len * 6))
        escape_into(out, s);
}

void json_str(struct json_writer *w, struct str s)
{
    char *at = begin_value(w, s.len * 6 + 2);

    if (at == NULL)
        return;
    *at = '"';
    w->out->len++;
    escape_into(w->out, s);
    w->out->data[w->out->len++] = '"';
}

void json_cstr(struct json_writer *w, const char *s)
{
    if (s == NULL)
        json_null(w);
    else
        json_str(w, str_from(s));
}

void json_raw(struct json_writer *w, struct str fragment)
{
    put(w, fragment.p, fragment.len);
}

void json_kv_null(struct json_writer *w, const char *key)
{
    json_key(w, key);
    json_null(w);
}

void json_kv_bool(struct json_writer *w, const char *key, bool v)
{
    json_key(w, key);
    json_bool(w, v);
}

void json_kv_int(struct json_writer *w, const char *key, int64_t v)
{
    json_key(w, key);
    json_int(w, v);
}

void json_kv_cents(struct json_writer *w, const char *key, int64_t cents)
{
    json_key(w, key);
    json_cents(w, cents);
}

void json_kv_fixed(struct json_writer *w, const char *key, double v, int decimals)
{
    json_key(w, key);
    json_fixed(w, v, decimals);
}

void json_kv_str(struct json_writer *w, const char *key, struct str s)
{
    json_key(w, key);
    json_str(w, s);
}

void json_kv_cstr(struct json_writer *w, const char *key, const char *s)
{
    json_key(w, key);
    json_cstr(w, s);
}

void json_kv_day(struct json_writer *w, const char *key, int32_t day)
{
    char text[CLOCK_DAY_SIZE];

    json_kv_cstr(w, key, day == CLOCK_NO_DAY ? NULL : clock_format_day(text, day));
}

void json_kv_seconds(struct json_writer *w, const char *key, int64_t us)
{
    char text[CLOCK_TIME_SIZE];

    json_kv_cstr(w, key, us == 0 ? NULL : clock_format_seconds(text, us));
}

void json_kv_us(struct json_writer *w, const char *key, int64_t us)
{
    char text[CLOCK_TIME_SIZE];

    json_kv_cstr(w, key, clock_format_us(text, us));
}
