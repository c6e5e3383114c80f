/*
 * fetch: HTTP requests to other services, without waiting: libcurl's multi interface on the loop.
 *
 * A fetch ends with one callback, always from the loop, never from inside fetch_start; or it is cancelled and there
 * is none. Time, size of head and body are bounded. No redirect is followed, no proxy, netrc or cookie used;
 * certificates are verified. Nothing is retried here, except that a kept connection found dead is opened anew.
 */
#ifndef NET_FETCH_H
#define NET_FETCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "net/loop.h"

struct fetch_pool;
struct fetch;

enum fetch_error {
    FETCH_OK, /* an answer came, whatever its status */
    FETCH_CONNECT,
    FETCH_TLS,
    FETCH_TIMEOUT,
    FETCH_TOO_LARGE,
    FETCH_BROKEN /* the answer is no HTTP, or ended half way */
};

struct fetch_request {
    const char *url; /* https://…; http://… only when `plain` says so */
    bool plain;
    const char *const *headers; /* "Name: value", NULL-terminated */
    struct str body;            /* posted; p NULL: a GET */
    uint64_t timeout_ms;        /* for all of it, at least 1 */
    size_t max_bytes;           /* of the answer's body, unpacked */
};

/* Borrowed for the callback. */
struct fetch_answer {
    enum fetch_error error;
    const char *why; /* in words, when it is not FETCH_OK; no secrets: of the URL at most the host */
    int status;
    struct str head; /* status line and header lines */
    struct str body;
};

typedef void (*fetch_fn)(const struct fetch_answer *answer, void *arg);

/* Connections are kept for further requests, at most so many. NULL: no memory. */
struct fetch_pool *fetch_pool_new(struct loop *l, unsigned max_connections);
/* Fetches under way end without a callback. */
void fetch_pool_free(struct fetch_pool *p);

/* Everything in the request is copied. NULL: no memory, or no URL of the kind allowed. */
struct fetch *fetch_start(struct fetch_pool *p, const struct fetch_request *r, fetch_fn fn, void *arg);
/* Not for one whose callback has been called. */
void fetch_cancel(struct fetch *f);

/* The last value of a header, trimmed; STR_NONE: there is none. */
struct str fetch_header(const struct fetch_answer *a, const char *name);

#endif
