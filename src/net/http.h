/*
 * http: what a handler sees of HTTP. The engine behind it (http_conn, http_server) may change; this page may not.
 *
 * A request lives from `on_head` to `on_done`. The application answers exactly
 * once, from on_head (before the body), from on_body, or later from any callback of the loop.
 */
#ifndef NET_HTTP_H
#define NET_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/arena.h"
#include "base/str.h"
#include "net/http_parse.h"

struct http_request {
    const struct http_head *head;
    struct str body;    /* whole, when on_body is called */
    struct arena arena; /* memory of this request, capped; freed after on_done */
    struct sockaddr_storage peer;
    uint64_t start_ns;    /* first byte of the head */
    uint64_t deadline_ns; /* REQUEST_TIMEOUT; the application may move it (0: none) */
    void *app;            /* the application's own */
};

struct http_reply {
    int status;
    struct str headers; /* finished "Name: value\r\n" lines; no Content-Length, Connection, Date */
    struct str body;    /* sent for everything but HEAD, 204 and 304; its length is announced for HEAD too */
    bool close;         /* end the connection afterwards */
};

enum http_end {
    HTTP_END_SENT,
    HTTP_END_DISCONNECT,
    HTTP_END_TIMEOUT,
    HTTP_END_ABORTED
};

struct http_app {
    void *arg;
    /*
     * The head is in; body not yet read. Either http_reply() now, or return the
     * largest body (bytes) to take. The engine answers 413 itself through on_error
     * when Content-Length is above it, and sends 100 Continue when that was asked for.
     */
    size_t (*on_head)(struct http_request *r, void *arg);
    /* The whole request is in. */
    void (*on_body)(struct http_request *r, void *arg);
    /*
     * The engine refuses: framing (400, 408, 413, 414, 417, 431, 501, 505) or the request's deadline (503).
     * r->head may be NULL (no head could be read). The application answers at once with http_reply.
     */
    void (*on_error)(struct http_request *r, int status, void *arg);
    /* The last sight of the request, once for each on_head or on_error: cancel what is pending. status 0: nothing was
     * sent. */
    void (*on_done)(struct http_request *r, enum http_end end, int status, size_t body_bytes, void *arg);
};

/* Answers a request. Bytes are copied or sent before it returns. Answering twice is a bug and is ignored with a log
 * line. */
void http_reply(struct http_request *r, const struct http_reply *reply);

#endif
