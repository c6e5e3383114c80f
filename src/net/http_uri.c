/*
 * http_uri: percent-encoding and query strings.
 */
#include <string.h>

#include "base/utf8.h"
#include "net/http_parse.h"

/* The same of a form, where + may be a blank. */
static int take_byte(struct str *s, bool plus)
{
    bool blank = plus && s->p[0] == '+';
    int byte = str_take_percent(s);

    return blank ? ' ' : byte;
}

bool http_percent_decode(char *dst, size_t size, struct str s, bool plus, size_t *len)
{
    size_t n = 0;

    while (s.len > 0) {
        int byte = take_byte(&s, plus);

        if (byte <= 0 || n + 1 >= size)
            return false;
        dst[n++] = (char)byte;
    }
    if (n >= size)
        return false;
    dst[n] = '\0';
    *len = n;
    return utf8_valid((struct str){ dst, n });
}

/* An encoded name may be the wanted one in disguise, so it is compared decoded. */
static bool name_is(struct str encoded, const char *name)
{
    while (encoded.len > 0) {
        int byte = take_byte(&encoded, true);

        if (byte <= 0 || byte != (uint8_t)*name)
            return false;
        name++;
    }
    return *name == '\0';
}

bool http_query_get(struct str query, const char *name, struct str *raw)
{
    struct str pair;
    bool found = false;

    while (str_split(&query, '&', &pair)) {
        const char *equals = pair.len > 0 ? memchr(pair.p, '=', pair.len) : NULL;
        size_t name_len = equals != NULL ? (size_t)(equals - pair.p) : pair.len;

        if (pair.len == 0 || !name_is((struct str){ pair.p, name_len }, name))
            continue;
        found = true;
        *raw = equals != NULL ? (struct str){ equals + 1, pair.len - name_len - 1 }
                              : (struct str){ pair.p + pair.len, 0 };
    }
    return found;
}
