/*
 * app: the state of the application in one worker; private to src/api.
 *
 * Everything constant over requests is built once in api_new. `head`, `body`, `scratch`
 * and `result` hold the answer under construction and are emptied for each:
 * an answer is made and handed to the engine in one go, never over two turns of the loop.
 */
#ifndef API_APP_H
#define API_APP_H

#include <stdbool.h>
#include <stdint.h>

#include "api/api.h"
#include "api/cors.h"
#include "api/dataset.h"
#include "api/gzip.h"
#include "api/headers.h"
#include "api/keys.h"
#include "api/limits.h"
#include "api/shed.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/hash.h"
#include "core/cidr.h"
#include "core/events.h"
#include "net/router.h"

struct claude;
struct nl_memory;
struct sync_wait;

struct api {
    struct api_env env;
    struct arena constants; /* texts made at the start */
    struct http_app http;
    struct router *router;
    struct headers headers;
    struct cors cors;
    struct str mcp_headers; /* see mcp_param_header_names */
    struct cidr_list trusted_proxies;
    struct limits limits;
    struct keys keys;
    struct buf head, body, scratch;
    struct buf result; /* of a tool */
    struct gzip *gzip;
    struct dataset_slot data; /* what is served now */
    uint64_t etag_seed;
    uint8_t cursor_key[HASH_SHA256_BYTES];
    struct shed shed;
    struct claude *claude;
    struct nl_memory *nl_memory;   /* what questions meant */
    struct sync_wait *sync_waits;  /* callers of sync-sales waiting for an answer */
    uint64_t shed_logged_ns;       /* of the last load_shed line */
    struct event_quota slow_quota; /* of request_completed lines for slow requests */
    bool draining;
};

/* How long the present turn of the loop has lasted; 0 where there is no loop. */
uint64_t api_turn_ns(const struct api *a);

#endif
