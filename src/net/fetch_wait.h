/*
 * fetch_wait: one fetch with net/fetch, waited for. For helpers and commands: never in a process with a loop.
 */
#ifndef NET_FETCH_WAIT_H
#define NET_FETCH_WAIT_H

#include <stdint.h>

#include "base/str.h"
#include "net/fetch.h"

/* Plain data: goes through a pipe. */
struct fetch_result {
    enum fetch_error error;
    int status;    /* HTTP; 0: none */
    char why[128]; /* in words, with no more of the URL, which may be a secret, than its host; "" when answered */
};

/* Of the answer only the status counts: its body is not read to the end where it is longer than max_bytes. */
void fetch_wait(const struct fetch_request *request, struct fetch_result *r);
/* Posts JSON to a http or https URL. */
void fetch_wait_post_json(const char *url, struct str json, uint64_t timeout_ms, struct fetch_result *r);

#endif
