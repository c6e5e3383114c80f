/*
 * fetch_post: one POST with net/fetch, waited for. For helpers and commands: never in a process with a loop.
 */
#ifndef NET_FETCH_POST_H
#define NET_FETCH_POST_H

#include <stdint.h>

#include "base/str.h"
#include "net/fetch.h"

/* Plain data: goes through a pipe. */
struct fetch_post_result {
    enum fetch_error error;
    int status;    /* HTTP; 0: none */
    char why[128]; /* in words, without the URL, which may be a secret; "" when answered */
};

/* Posts JSON to a http or https URL. Of the answer only the status counts: its body is not read to the end where it
 * is long. */
void fetch_post_json(const char *url, struct str json, uint64_t timeout_ms, struct fetch_post_result *r);

#endif
