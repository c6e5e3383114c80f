/*
 * utf8: validation by first byte and the range of the second, after table 3-7 of the Unicode standard.
 */
#include "base/utf8.h"

#include <stdint.h>
#include <string.h>

static bool is_tail(unsigned char c)
{
    return (c & 0xc0) == 0x80;
}

/* Bytes of the character at p, of which `left` are there; 0 if it is none. */
static size_t char_bytes(const unsigned char *p, size_t left)
{
    unsigned char c = p[0], least = 0x80, most = 0xbf;
    size_t n;

    if (c < 0x80)
        return 1;
    if (c < 0xc2 || c > 0xf4)
        return 0;
    n = c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
    if (c == 0xe0)
        least = 0xa0; /* overlong */
    else if (c == 0xed)
        most = 0x9f; /* surrogates */
    else if (c == 0xf0)
        least = 0x90; /* overlong */
    else if (c == 0xf4)
        most = 0x8f; /* above U+10FFFF */
    if (left < n || p[1] < least || p[1] > most)
        return 0;
    for (size_t i = 2; i < n; i++)
        if (!is_tail(p[i]))
            return 0;
    return n;
}

bool utf8_valid(struct str s)
{
    const unsigned char *p = (const unsigned char *)s.p;
    size_t left = s.len;

    while (left > 0) {
        uint64_t eight;
        if (left >= 8 && (memcpy(&eight, p, 8), (eight & 0x8080808080808080ULL) == 0)) {
            p += 8;
            left -= 8;
            continue;
        }
        size_t n = char_bytes(p, left);
        if (n == 0)
            return false;
        p += n;
        left -= n;
    }
    return true;
}

size_t utf8_length(struct str s)
{
    size_t n = 0;

    for (size_t i = 0; i < s.len; i++)
        n += !is_tail((unsigned char)s.p[i]);
    return n;
}

uint32_t utf8_first(struct str s)
{
    const unsigned char *p = (const unsigned char *)s.p;

    if (s.len == 0)
        return 0;
    size_t n = char_bytes(p, s.len);
    if (n <= 1)
        return p[0];
    uint32_t code = p[0] & (0xffU >> (n + 1));
    for (size_t i = 1; i < n; i++)
        code = code << 6 | (p[i] & 0x3fU);
    return code;
}

void utf8_mend(char *text)
{
    size_t left = strlen(text), n;

    for (; left > 0; text += n, left -= n) {
        n = char_bytes((const unsigned char *)text, left);
        if (n == 0) {
            *text = '?';
            n = 1;
        }
    }
}
