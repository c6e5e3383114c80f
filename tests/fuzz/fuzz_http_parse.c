/*
 * Request heads: the verdict does not depend on how the bytes arrive, nothing
 * points outside them, and what is accepted cannot be read in two ways.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "net/http_parse.h"

#define MAX_HEAD 2048

static struct http_head whole, fed;

static void require(bool condition)
{
    if (!condition)
        abort();
}

static void require_inside(struct str s, const char *data, size_t n)
{
    require(s.len == 0 || (s.p >= data && s.p + s.len <= data + n));
}

static void check_slices(const struct http_head *h, const char *data, size_t n)
{
    require_inside(h->method_name, data, n);
    require_inside(h->target, data, n);
    require_inside(h->path, data, n);
    require_inside(h->query, data, n);
    require(h->header_count <= HTTP_MAX_HEADERS);
    for (unsigned i = 0; i < h->header_count; i++) {
        require_inside(h->headers[i].name, data, n);
        require_inside(h->headers[i].value, data, n);
    }
    for (int id = 0; id < HTTP_H_KNOWN; id++)
        require(h->known[id] < (int)h->header_count || h->known[id] == -1);
}

static void check_plain(struct str s, bool blanks)
{
    for (size_t i = 0; i < s.len; i++) {
        uint8_t c = (uint8_t)s.p[i];

        require(c != 0x7f && (c > 0x20 || (blanks && (c == ' ' || c == '\t'))));
    }
}

static void check_accepted(const struct http_head *h, const char *data, size_t n)
{
    require(h->head_bytes <= n && h->head_bytes <= MAX_HEAD);
    require(memcmp(data + h->head_bytes - 4, "\r\n\r\n", 4) == 0);
    require(h->target.len > 0 && h->target.len <= HTTP_MAX_TARGET_BYTES && h->path.len > 0);
    require(h->method < HTTP_METHOD_UNKNOWN && (h->minor == 0 || h->minor == 1));
    require(h->minor == 0 || h->known[HTTP_H_HOST] >= 0);
    require(!h->chunked || (!h->has_length && h->minor == 1));
    require(h->chunked == (h->known[HTTP_H_TRANSFER_ENCODING] >= 0));
    require(h->has_length == (h->known[HTTP_H_CONTENT_LENGTH] >= 0));
    check_plain(h->target, false);
    for (unsigned i = 0; i < h->header_count; i++) {
        require(h->headers[i].name.len > 0);
        check_plain(h->headers[i].name, false);
        check_plain(h->headers[i].value, true);
    }
}

/* Fed in steps, each from memory of exactly its size. */
static void check_feeding(const char *data, size_t n, size_t step, int expected)
{
    int status = HTTP_PARSE_MORE;

    for (size_t have = step; status == HTTP_PARSE_MORE; have += step) {
        size_t size = have < n ? have : n;
        char *copy = malloc(size + 1);

        memcpy(copy, data, size);
        status = http_parse_head(&fed, copy, size, MAX_HEAD);
        free(copy);
        if (size == n)
            break;
    }
    require(status == expected);
    require(status != 0 || fed.head_bytes == whole.head_bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    char *data = malloc(n > 0 ? n : 1);
    int status;

    if (n > 0)
        memcpy(data, bytes, n);
    status = http_parse_head(&whole, data, n, MAX_HEAD);
    check_slices(&whole, data, n);
    if (status == 0)
        check_accepted(&whole, data, n);
    require(status != HTTP_PARSE_MORE || n < MAX_HEAD);
    if (n > 0) {
        check_feeding(data, n, 1 + n % 13, status);
        check_feeding(data, n, 1 + n / 2, status);
        if (n <= 256)
            check_feeding(data, n, 1, status);
    }
    free(data);
    return 0;
}
