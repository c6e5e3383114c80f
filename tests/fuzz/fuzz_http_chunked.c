/*
 * Chunked bodies: the same bytes and the same verdict however they arrive; a
 * body that is accepted decodes as a plain reading of the grammar says.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "net/http_parse.h"

struct result {
    int status;
    size_t used, len;
    char *bytes;
};

static void require(bool condition)
{
    if (!condition)
        abort();
}

static void decode(struct result *r, const uint8_t *data, size_t n, size_t step)
{
    struct http_chunked c;

    *r = (struct result){ .status = HTTP_PARSE_MORE, .bytes = malloc(n + 1) };
    http_chunked_init(&c);
    for (size_t at = 0; at < n && r->status == HTTP_PARSE_MORE; at += step) {
        size_t piece = n - at < step ? n - at : step, used, decoded;
        char *copy = malloc(piece);

        memcpy(copy, data + at, piece);
        r->status = http_chunked_feed(&c, copy, piece, &used, &decoded);
        require(used <= piece && decoded <= used);
        require(r->status != HTTP_PARSE_MORE || used == piece);
        memcpy(r->bytes + r->len, copy, decoded);
        r->len += decoded;
        r->used += used;
        free(copy);
    }
}

/* Reads an accepted body again, line by line. */
static void check_accepted(const struct result *r, const uint8_t *data)
{
    const char *p = (const char *)data, *end = p + r->used;
    size_t at = 0, size;

    do {
        char *after;

        size = strtoul(p, &after, 16);
        require(after > p && (*after == '\r' || *after == ';'));
        p = memchr(after, '\n', (size_t)(end - after));
        require(p != NULL && p[-1] == '\r');
        p++;
        if (size == 0)
            break;
        require(size <= (size_t)(end - p) && at + size <= r->len && memcmp(r->bytes + at, p, size) == 0);
        at += size;
        p += size + 2;
    } while (p < end);
    require(at == r->len && memcmp(end - 4, "\r\n\r\n", 4) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    size_t steps[] = { 1, 2, 1 + n % 7, 1 + n / 2 };
    struct result whole, fed;

    decode(&whole, data, n, n > 0 ? n : 1);
    if (whole.status == 0)
        check_accepted(&whole, data);
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        decode(&fed, data, n, steps[i]);
        require(fed.status == whole.status && fed.used == whole.used && fed.len == whole.len);
        require(memcmp(fed.bytes, whole.bytes, whole.len) == 0);
        free(fed.bytes);
    }
    free(whole.bytes);
    return 0;
}
