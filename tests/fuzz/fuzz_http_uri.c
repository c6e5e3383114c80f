/*
 * Percent-encoding and query strings. The input is a name, a line end, and a query.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "net/http_parse.h"

static void require(bool condition)
{
    if (!condition)
        abort();
}

static void check_decoding(struct str s, bool plus)
{
    size_t size = s.len / 2 + 1, len = 0;
    char *dst = malloc(size);

    if (http_percent_decode(dst, size, s, plus, &len)) {
        require(len < size && strlen(dst) == len);
        require(utf8_valid((struct str){ dst, len }));
    }
    free(dst);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    char *data = malloc(n + 1), *name;
    const char *mark;
    struct str query, raw = STR_NONE;

    if (n > 0)
        memcpy(data, bytes, n);
    mark = n > 0 ? memchr(data, '\n', n) : NULL;
    query = mark != NULL ? (struct str){ mark + 1, (size_t)(data + n - mark - 1) } : (struct str){ data, n };
    name = mark != NULL ? strndup(data, (size_t)(mark - data)) : strdup("a");
    if (http_query_get(query, name, &raw))
        require(raw.p >= query.p && raw.p + raw.len <= query.p + query.len &&
                (raw.len == 0 || !memchr(raw.p, '&', raw.len)));
    check_decoding(query, true);
    check_decoding(query, false);
    free(name);
    free(data);
    return 0;
}
