/*
 * mcp_origin: pages that may speak to /mcp.
 *
 * A page of another origin is refused unless ALLOWED_ORIGINS names it. A server bound to this machine only also
 * trusts pages of this machine, and insists on being called by its names: behind a strange name that resolves to it
 * (DNS rebinding) stands a strange page. A proxy on this machine in TRUSTED_PROXIES may call it by any name.
 */
#include <string.h>

#include "api/errors.h"
#include "api/mcp.h"
#include "api/request.h"

/* "host:port" or "[v6]:port" without the port. */
static struct str host_of(struct str authority)
{
    const char *end;

    if (authority.len == 0)
        return authority;
    end = authority.p[0] == '[' ? memchr(authority.p, ']', authority.len) : memchr(authority.p, ':', authority.len);
    if (end == NULL)
        return authority;
    return (struct str){ authority.p, (size_t)(end - authority.p) + (*end == ']') };
}

static bool is_of_this_machine(struct str host)
{
    return str_ieq(host, "localhost") || str_eq_lit(host, "127.0.0.1") || str_eq_lit(host, "[::1]");
}

static bool is_bound_to_this_machine(const struct api_request *q)
{
    struct str host = host_of(str_from(q->api->env.conf->listen));

    return str_starts(host, "127.") || str_eq_lit(host, "[::1]");
}

static bool is_called_by_proxy(const struct api_request *q)
{
    struct ip_address peer;

    return ip_from_sockaddr((const struct sockaddr *)&q->http->peer, &peer) &&
           cidr_list_has(&q->api->trusted_proxies, &peer);
}

static struct str without_scheme(struct str origin)
{
    static const char *const schemes[] = { "http://", "https://" };

    for (unsigned i = 0; i < 2; i++) {
        size_t n = strlen(schemes[i]);

        if (str_starts(origin, schemes[i]))
            return (struct str){ origin.p + n, origin.len - n };
    }
    return STR_NONE;
}

static bool is_trusted(const struct api_request *q)
{
    struct str origin = http_head_get(q->http->head, HTTP_H_ORIGIN);
    struct str host = host_of(http_head_get(q->http->head, HTTP_H_HOST));
    bool local = is_bound_to_this_machine(q);

    if (local && !is_of_this_machine(host) && !is_called_by_proxy(q))
        return false;
    return origin.p == NULL || cors_allows(&q->api->cors, origin) ||
           (local && is_of_this_machine(host_of(without_scheme(origin))));
}

bool mcp_origin_check(struct api_request *q)
{
    if (is_trusted(q))
        return true;
    error_send(q, &(struct error_answer){
                      .status = 403, .code = "AUTHORIZATION_ERROR", .message = "Host or Origin is not allowed" });
    return false;
}
