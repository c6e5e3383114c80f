/*
 * str: comparing, splitting and copying slices; hex and base64url.
 *
 * A slice with length 0 may have a NULL pointer, so no libc call sees one.
 */
#include "base/str.h"

#include <string.h>

static char ascii_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

struct str str_from(const char *cstr)
{
    return cstr ? (struct str){ cstr, strlen(cstr) } : STR_NONE;
}

bool str_eq(struct str a, struct str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.p, b.p, a.len) == 0);
}

bool str_eq_lit(struct str a, const char *cstr)
{
    return str_eq(a, str_from(cstr));
}

bool str_ieq(struct str a, const char *cstr)
{
    struct str b = str_from(cstr);

    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++)
        if (ascii_lower(a.p[i]) != ascii_lower(b.p[i]))
            return false;
    return true;
}

bool str_starts(struct str s, const char *prefix)
{
    struct str p = str_from(prefix);

    return s.len >= p.len && str_eq((struct str){ s.p, p.len }, p);
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

struct str str_trim(struct str s)
{
    while (s.len > 0 && is_blank(s.p[0])) {
        s.p++;
        s.len--;
    }
    while (s.len > 0 && is_blank(s.p[s.len - 1]))
        s.len--;
    return s;
}

bool str_split(struct str *rest, char sep, struct str *piece)
{
    if (!rest->p)
        return false;

    const char *end = rest->len > 0 ? memchr(rest->p, sep, rest->len) : NULL;
    if (!end) {
        *piece = *rest;
        *rest = STR_NONE;
        return true;
    }
    *piece = (struct str){ rest->p, (size_t)(end - rest->p) };
    *rest = (struct str){ end + 1, rest->len - piece->len - 1 };
    return true;
}

bool str_copy(char *dst, size_t size, struct str src)
{
    if (size == 0)
        return false;

    size_t n = src.len < size ? src.len : size - 1;
    if (n > 0)
        memcpy(dst, src.p, n);
    dst[n] = '\0';
    return n == src.len;
}

bool str_eq_secret(struct str a, struct str b)
{
    if (a.len != b.len)
        return false;

    volatile unsigned char difference = 0;
    for (size_t i = 0; i < a.len; i++)
        difference = (unsigned char)(difference | (unsigned char)(a.p[i] ^ b.p[i]));
    return difference == 0;
}

int str_hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int str_take_percent(struct str *s)
{
    size_t taken = s->p[0] == '%' ? 3 : 1;
    int high = 0, low = (uint8_t)s->p[0];

    if (s->len < taken)
        return -1;
    if (taken == 3) {
        high = str_hex_value(s->p[1]);
        low = str_hex_value(s->p[2]);
    }
    if (high < 0 || low < 0)
        return -1;
    *s = (struct str){ s->p + taken, s->len - taken };
    return high << 4 | low;
}

bool str_percent_decode(char *dst, size_t size, struct str s)
{
    size_t len = 0;

    while (s.len > 0) {
        int byte = str_take_percent(&s);

        if (byte <= 0 || len + 1 >= size)
            return false;
        dst[len++] = (char)byte;
    }
    if (len >= size)
        return false;
    dst[len] = '\0';
    return true;
}

void str_hex(char *hex, const uint8_t *bytes, size_t n)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < n; i++) {
        hex[2 * i] = digits[bytes[i] >> 4];
        hex[2 * i + 1] = digits[bytes[i] & 15];
    }
    hex[2 * n] = '\0';
}

size_t str_base64url(char *dst, const uint8_t *bytes, size_t n)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    size_t len = 0;

    for (size_t i = 0; i < n; i += 3) {
        size_t have = n - i < 3 ? n - i : 3;
        uint32_t bits = (uint32_t)bytes[i] << 16;
        if (have > 1)
            bits |= (uint32_t)bytes[i + 1] << 8;
        if (have > 2)
            bits |= bytes[i + 2];
        for (size_t k = 0; k <= have; k++)
            dst[len++] = alphabet[(bits >> (18 - 6 * k)) & 63];
    }
    dst[len] = '\0';
    return len;
}

static int base64url_value(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == '-')
        return 62;
    return c == '_' ? 63 : -1;
}

long str_base64url_decode(uint8_t *dst, size_t size, struct str s)
{
    size_t len = s.len / 4 * 3 + (s.len % 4 > 0 ? s.len % 4 - 1 : 0);
    if (s.len % 4 == 1 || len > size)
        return -1;

    size_t out = 0;
    uint32_t bits = 0;
    unsigned held = 0; /* bits read and not yet written */
    for (size_t i = 0; i < s.len; i++) {
        int v = base64url_value(s.p[i]);
        if (v < 0)
            return -1;
        bits = (bits << 6 | (uint32_t)v) & 0xffff;
        held += 6;
        if (held >= 8) {
            held -= 8;
            dst[out++] = (uint8_t)(bits >> held);
        }
    }
    if ((bits & ((1U << held) - 1)) != 0)
        return -1;
    return (long)out;
}
