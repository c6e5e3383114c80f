/*
 * json_write: JSON into a buffer.
 *
 * Every answer of the server passes through here: a member costs one check of
 * room and a few copies, and numbers are formatted in place.
 */
#include "core/json.h"

#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "base/fmt.h"
#include "base/utf8.h"

/* Bytes that go into a string as they are: printable ASCII but the quote and the backslash. */
static const bool plain[256] = {
    [' '] = true,
    ['!'] = true,
    ['#' ... '['] = true,
    [']' ... '~'] = true,
};

static const char hex_digits[] = "0123456789abcdef";

void json_writer_init(struct json_writer *w, struct buf *out)
{
    w->out = out;
    w->comma = false;
}

/* Room for a value of at most n bytes, behind its comma; NULL when the buffer failed. End with value_end. */
static char *value_begin(struct json_writer *w, size_t n)
{
    char *p;

    if (!buf_reserve(w->out, n + 1))
        return NULL;
    p = w->out->data + w->out->len;
    if (w->comma)
        *p++ = ',';
    w->comma = true;
    return p;
}

/* The same for a member: the key is written, too. */
static char *member_begin(struct json_writer *w, const char *key, size_t n)
{
    size_t len = strlen(key);
    char *p = value_begin(w, len + 3 + n);

    if (p == NULL)
        return NULL;
    *p++ = '"';
    memcpy(p, key, len);
    p += len;
    *p++ = '"';
    *p++ = ':';
    return p;
}

static void value_end(struct json_writer *w, const char *end)
{
    w->out->len = (size_t)(end - w->out->data);
}

static void put_value(struct json_writer *w, const char *text, size_t n)
{
    char *p = value_begin(w, n);

    if (p == NULL)
        return;
    memcpy(p, text, n);
    value_end(w, p + n);
}

static void put_member(struct json_writer *w, const char *key, const char *text, size_t n)
{
    char *p = member_begin(w, key, n);

    if (p == NULL)
        return;
    memcpy(p, text, n);
    value_end(w, p + n);
}

static void open_bracket(struct json_writer *w, char bracket)
{
    put_value(w, &bracket, 1);
    w->comma = false;
}

static void close_bracket(struct json_writer *w, char bracket)
{
    buf_add_char(w->out, bracket);
    w->comma = true;
}

void json_object_begin(struct json_writer *w)
{
    open_bracket(w, '{');
}

void json_object_end(struct json_writer *w)
{
    close_bracket(w, '}');
}

void json_array_begin(struct json_writer *w)
{
    open_bracket(w, '[');
}

void json_array_end(struct json_writer *w)
{
    close_bracket(w, ']');
}

void json_key(struct json_writer *w, const char *key)
{
    char *p = member_begin(w, key, 0);

    if (p == NULL)
        return;
    value_end(w, p);
    w->comma = false;
}

void json_raw(struct json_writer *w, struct str fragment)
{
    put_value(w, fragment.p, fragment.len);
}

void json_null(struct json_writer *w)
{
    put_value(w, "null", 4);
}

void json_bool(struct json_writer *w, bool v)
{
    if (v)
        put_value(w, "true", 4);
    else
        put_value(w, "false", 5);
}

void json_int(struct json_writer *w, int64_t v)
{
    char *p = value_begin(w, FMT_MAX);

    if (p != NULL)
        value_end(w, p + fmt_i64(p, v));
}

void json_cents(struct json_writer *w, int64_t cents)
{
    char *p = value_begin(w, FMT_MAX);

    if (p != NULL)
        value_end(w, p + fmt_cents(p, cents));
}

void json_fixed(struct json_writer *w, double v, int decimals)
{
    char *p;

    if (!isfinite(v)) {
        json_null(w);
        return;
    }
    p = value_begin(w, FMT_MAX);
    if (p != NULL)
        value_end(w, p + fmt_fixed(p, v, decimals));
}

/* Bytes of the well-formed character at the start of s; 0 if it is none. */
static size_t character_bytes(struct str s)
{
    unsigned char c = (unsigned char)s.p[0];
    size_t n = c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;

    return c >= 0xc2 && n <= s.len && utf8_valid((struct str){ s.p, n }) ? n : 0;
}

/* Writes the one character at the start of s that is not plain; returns the bytes it took. */
static size_t escape_one(struct buf *out, struct str s)
{
    unsigned char c = (unsigned char)s.p[0];
    char code[6] = { '\\', 'u', '0', '0', hex_digits[c >> 4], hex_digits[c & 15] };
    size_t n;

    if (c >= 0x80) {
        n = character_bytes(s);
        if (n == 0)
            buf_add(out, "\xef\xbf\xbd", 3);
        else
            buf_add(out, s.p, n);
        return n == 0 ? 1 : n;
    }
    switch (c) {
    case '"':
    case '\\':
        code[1] = (char)c;
        buf_add(out, code, 2);
        break;
    case '\n':
        buf_add(out, "\\n", 2);
        break;
    case '\r':
        buf_add(out, "\\r", 2);
        break;
    case '\t':
        buf_add(out, "\\t", 2);
        break;
    default:
        buf_add(out, code, sizeof(code));
    }
    return 1;
}

void json_escape(struct buf *out, struct str s)
{
    size_t at = 0;

    while (at < s.len) {
        size_t from = at;

        while (at < s.len && plain[(unsigned char)s.p[at]])
            at++;
        buf_add(out, s.p + from, at - from);
        if (at < s.len)
            at += escape_one(out, (struct str){ s.p + at, s.len - at });
    }
}

/* A string whose comma and key are written. */
static void put_string(struct json_writer *w, char *p, struct str s)
{
    *p++ = '"';
    value_end(w, p);
    json_escape(w->out, s);
    buf_add_char(w->out, '"');
}

void json_str(struct json_writer *w, struct str s)
{
    char *p = value_begin(w, 2 + s.len);

    if (p != NULL)
        put_string(w, p, s);
}

void json_cstr(struct json_writer *w, const char *s)
{
    if (s == NULL)
        json_null(w);
    else
        json_str(w, str_from(s));
}

static void write_members(struct json_writer *w, const struct json *n)
{
    for (const struct json *m = n->first; m != NULL; m = m->next) {
        if (n->type == JSON_OBJECT) {
            json_str(w, m->key);
            buf_add_char(w->out, ':');
            w->comma = false;
        }
        json_value(w, m);
    }
}

/* As deep as what was read: JSON_MAX_DEPTH. */
void json_value(struct json_writer *w, const struct json *n)
{
    switch (n->type) {
    case JSON_NULL:
        json_null(w);
        break;
    case JSON_BOOL:
        json_bool(w, n->boolean);
        break;
    case JSON_NUMBER:
        json_raw(w, n->text);
        break;
    case JSON_STRING:
        json_str(w, n->text);
        break;
    case JSON_ARRAY:
        json_array_begin(w);
        write_members(w, n);
        json_array_end(w);
        break;
    case JSON_OBJECT:
        json_object_begin(w);
        write_members(w, n);
        json_object_end(w);
        break;
    }
}

void json_kv_null(struct json_writer *w, const char *key)
{
    put_member(w, key, "null", 4);
}

void json_kv_bool(struct json_writer *w, const char *key, bool v)
{
    if (v)
        put_member(w, key, "true", 4);
    else
        put_member(w, key, "false", 5);
}

void json_kv_int(struct json_writer *w, const char *key, int64_t v)
{
    char *p = member_begin(w, key, FMT_MAX);

    if (p != NULL)
        value_end(w, p + fmt_i64(p, v));
}

void json_kv_cents(struct json_writer *w, const char *key, int64_t cents)
{
    char *p = member_begin(w, key, FMT_MAX);

    if (p != NULL)
        value_end(w, p + fmt_cents(p, cents));
}

void json_kv_fixed(struct json_writer *w, const char *key, double v, int decimals)
{
    char *p;

    if (!isfinite(v)) {
        json_kv_null(w, key);
        return;
    }
    p = member_begin(w, key, FMT_MAX);
    if (p != NULL)
        value_end(w, p + fmt_fixed(p, v, decimals));
}

void json_kv_str(struct json_writer *w, const char *key, struct str s)
{
    char *p = member_begin(w, key, 2 + s.len);

    if (p != NULL)
        put_string(w, p, s);
}

void json_kv_cstr(struct json_writer *w, const char *key, const char *s)
{
    if (s == NULL)
        json_kv_null(w, key);
    else
        json_kv_str(w, key, str_from(s));
}

/* A member whose text needs no escaping. */
static void put_quoted(struct json_writer *w, const char *key, const char *text)
{
    size_t n = strlen(text);
    char *p = member_begin(w, key, n + 2);

    if (p == NULL)
        return;
    *p++ = '"';
    memcpy(p, text, n);
    p += n;
    *p++ = '"';
    value_end(w, p);
}

void json_kv_day(struct json_writer *w, const char *key, int32_t day)
{
    char text[CLOCK_DAY_SIZE];

    if (day == CLOCK_NO_DAY)
        json_kv_null(w, key);
    else
        put_quoted(w, key, clock_format_day(text, day));
}

void json_kv_seconds(struct json_writer *w, const char *key, int64_t us)
{
    char text[CLOCK_TIME_SIZE];

    if (us == 0)
        json_kv_null(w, key);
    else
        put_quoted(w, key, clock_format_seconds(text, us));
}

void json_kv_us(struct json_writer *w, const char *key, int64_t us)
{
    char text[CLOCK_TIME_SIZE];

    put_quoted(w, key, clock_format_us(text, us));
}
