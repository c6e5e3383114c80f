/*
 * http_server: accepts, keeps the connections in order, and drains. One a worker.
 *
 * Every connection is in exactly one list by what it waits for (head, body,
 * handler, write, idle), oldest first: the lists are the deadlines, the counts and the order of shedding.
 */
#ifndef NET_HTTP_SERVER_H
#define NET_HTTP_SERVER_H

#include <stdbool.h>
#include <stdint.h>

#include "net/http.h"
#include "net/loop.h"

struct http_limits {
    unsigned max_connections; /* of this worker; when full the longest idle one is closed */
    size_t max_head_bytes, max_request_memory_bytes;
    unsigned header_timeout_s, body_timeout_s, idle_timeout_s, request_timeout_s;
};

struct http_stats { /* gauges but for accepted */
    unsigned connections, active, idle, in_flight;
    uint64_t accepted;
    uint64_t oldest_request_ns; /* start of the oldest request in flight; 0: none */
};

/* Why the listener stands still; reported once per pause. */
enum http_pause {
    HTTP_PAUSE_FDS,
    HTTP_PAUSE_CONNECTIONS
};

struct http_server_hooks {
    void *arg;
    void (*on_pause)(enum http_pause reason, void *arg); /* may be NULL */
    /* May this worker accept now (balance with its peers)? NULL: always. Asked before each accept. */
    bool (*may_accept)(unsigned connections, void *arg);
};

struct http_server;

/* Starts accepting on listen_fd (shared with other processes, nonblocking; not closed by us). NULL: no memory. */
struct http_server *http_server_new(struct loop *l, int listen_fd, const struct http_limits *limits,
                                    const struct http_app *app, const struct http_server_hooks *hooks);
void http_server_stats(const struct http_server *s, struct http_stats *out);
/* Stops accepting, closes connections once they are silent for a second, lets requests end with Connection: close;
 * `drained` is called from the loop, once, when none is left; it may free the server. */
void http_server_drain(struct http_server *s, loop_fn drained, void *arg);
/* Closes everything now (pending requests end with HTTP_END_ABORTED) and frees. Not from a callback of the
 * application. */
void http_server_free(struct http_server *s);

#endif
