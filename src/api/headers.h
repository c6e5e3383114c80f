/*
 * headers: the header lines of an answer. Those that never change are joined once, at the start.
 */
#ifndef API_HEADERS_H
#define API_HEADERS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/str.h"
#include "net/http_parse.h"

enum headers_type {
    HEADERS_NO_BODY, /* 204, 304 */
    HEADERS_JSON,
    HEADERS_METRICS,
    HEADERS_HTML, /* the status page: its style is allowed by its digest */
    HEADERS_TYPES
};

enum headers_cache {
    HEADERS_NO_STORE,
    HEADERS_REVALIDATE, /* published data: kept, and asked about again after HTTP_MAX_AGE */
    HEADERS_PUBLIC,     /* the same for everybody until the server is replaced */
    HEADERS_CACHES
};

struct headers {
    struct str lines[HEADERS_CACHES][HEADERS_TYPES];
};

/* False: no memory. The texts live in the arena. */
bool headers_init(struct headers *h, struct arena *a, int64_t max_age_s);

/* The caller's X-Correlation-ID, else X-Request-ID, if it is well-formed; else STR_NONE. */
struct str headers_correlation_id(const struct http_head *head);

#endif
