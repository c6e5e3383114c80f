/*
 * fetch_post: one bounded POST, blocking. For helpers and commands: never in a process with a loop.
 */
#ifndef NET_FETCH_POST_H
#define NET_FETCH_POST_H

#include <stdbool.h>

#include "base/str.h"

enum fetch_post_end {
    FETCH_POST_ANSWERED, /* `status` tells */
    FETCH_POST_CONNECT,
    FETCH_POST_TLS,
    FETCH_POST_TIMEOUT,
    FETCH_POST_FAILED
};

struct fetch_post_result {
    enum fetch_post_end end;
    long status;     /* HTTP; 0: none */
    char error[128]; /* in words, without the URL, which may be a secret; "" when answered */
};

/* Posts JSON to a http or https URL; follows no redirect, reads and forgets the body. */
void fetch_post_json(const char *url, struct str json, long timeout_ms, struct fetch_post_result *r);

#endif
