/*
 * request: one request on its way through the server, in the fixed order
 *
 *   correlation id, CORS, route, size, authentication, scope, rate, deadline, body,
 *   parameters, handler, headers, access event and metrics.
 *
 * An error at any step leaves by the same tail: request_reply. A handler
 * answers exactly once: before it returns, or later after setting `cancel`, which is
 * called instead should the request end first.
 */
#ifndef API_REQUEST_H
#define API_REQUEST_H

#include <stdbool.h>
#include <stdint.h>

#include "api/app.h"
#include "api/auth.h"
#include "api/limits.h"
#include "api/routes.h"
#include "base/rng.h"
#include "core/json.h"
#include "net/http.h"

struct api_request {
    struct api *api;
    struct http_request *http;
    const struct route *route;            /* NULL: none for this path and method, or nothing could be read */
    unsigned endpoint;                    /* metrics label */
    unsigned methods;                     /* bit set of what the path allows; 0: the path is unknown */
    struct str params[ROUTER_MAX_PARAMS]; /* of the path; decoded once a handler runs */
    unsigned param_count;
    struct str correlation_id;
    struct auth_identity identity;
    struct limits_shown limits;
    struct dataset *data;      /* held until the end; set for ROUTE_DATA, may be NULL: no data yet */
    const struct json *body;   /* ROUTE_BODY: an object; NULL: none was sent */
    struct str extra_headers;  /* finished lines, in the arena */
    struct str constant_tag;   /* of an answer that never changes; its 200 may be kept by anyone */
    struct str packed;         /* the same answer by gzip; STR_NONE: packed when it is asked for */
    const struct json *rpc_id; /* of the message a POST /mcp brought; NULL: none, or not read */
    const char *error_code;    /* of the answer, for the log; NULL: no error */
    const char *client;        /* its address in words; NULL: not asked for yet */
    bool counted;              /* among those in progress */
    bool answered;
    bool shed;                             /* refused for too much work: one event tells of many */
    void (*cancel)(struct api_request *q); /* of a handler that answers later */
    void *pending;                         /* its own */
    struct cache_ticket *ticket;           /* of a read that may be cached, until it is answered */
    uint64_t asked_ns;                     /* since when it has one */
    void (*work_out)(struct api_request *q);
    char own_id[RNG_UUID_SIZE]; /* a correlation id made here */
};

/* The callbacks of the engine. */
extern const struct http_app request_http_app;

/* The tail: headers, ETag and If-None-Match, CORS; then the engine. */
void request_reply(struct api_request *q, int status, enum headers_type type, struct str body);
/* Answers 304 when the client has what a 200 would say: true. Saves the work of a read that costs some. */
bool request_unchanged(struct api_request *q);
/* An answer in JSON: begin, write, end. A body that does not fit MAX_REQUEST_MEMORY_BYTES becomes 503. */
void request_json_begin(struct api_request *q, struct json_writer *w);
void request_json_end(struct api_request *q, int status);

/* Adds a finished "Name: value\r\n" line to the answer. */
void request_add_header(struct api_request *q, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The template of its route, "unmatched" where there is none. */
const char *request_endpoint(const struct api_request *q);
bool request_on_admin_path(const struct api_request *q);
bool request_on_mcp_path(const struct api_request *q); /* errors there are JSON-RPC */

#endif
