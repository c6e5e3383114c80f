/*
 * router: from method and path to a row of the route table. Exact, case-sensitive, no redirects.
 *
 * Templates are literal segments and `{name}` segments (one non-empty segment,
 * still percent-encoded). A literal wins over a `{name}` at the same place.
 */
#ifndef NET_ROUTER_H
#define NET_ROUTER_H

#include <stddef.h>

#include "base/str.h"
#include "net/http_parse.h"

#define ROUTER_MAX_PARAMS 2

struct router_entry {
    enum http_method method;
    const char *path; /* template */
};

struct router_match {
    int index;        /* of the entry, or -1: see path_known */
    int path_index;   /* an entry with this path (any method), or -1 */
    unsigned methods; /* bit set (1 << method) of what the path allows, HEAD with GET and OPTIONS included */
    struct str params[ROUTER_MAX_PARAMS];
    unsigned param_count;
};

struct router;
/* `entries` has `count` rows of `stride` bytes, each beginning with a struct router_entry; must outlive the router.
 */
struct router *router_new(const void *entries, size_t count, size_t stride);
void router_free(struct router *r);
/* HEAD is matched as GET. */
void router_find(const struct router *r, enum http_method method, struct str path, struct router_match *m);

#endif
