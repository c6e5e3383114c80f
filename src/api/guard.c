/*
 * guard: see the header.
 */
#include "api/guard.h"

#include <string.h>

#include "api/access.h"
#include "api/errors.h"
#include "api/mcp.h"
#include "api/request.h"
#include "base/clock.h"
#include "core/events.h"
#include "core/metrics.h"

/* RFC 9745: admin_key in the query is deprecated since this contract, 2025-11-03. */
#define DEPRECATION_LINE "Deprecation: @1762128000\r\n"

void guard_find_route(struct api_request *q)
{
    struct router_match m;

    router_find(q->api->router, q->http->head->method, q->http->head->path, &m);
    if (m.path_index < 0)
        return;
    q->endpoint = routes_label(&routes[m.path_index]);
    q->methods = m.methods;
    if (m.index < 0)
        return;
    q->route = &routes[m.index];
    q->endpoint = routes_label(q->route);
    q->param_count = m.param_count;
    memcpy(q->params, m.params, sizeof(q->params));
}

static void add_allow(struct api_request *q)
{
    char text[128];
    size_t n = 0;

    for (unsigned m = 0; m < HTTP_METHOD_UNKNOWN; m++) {
        const char *name = http_method_name((enum http_method)m);
        size_t len = strlen(name);

        if (!(q->methods & (1U << m)) || n + len + 3 > sizeof(text))
            continue;
        if (n > 0) {
            memcpy(text + n, ", ", 2);
            n += 2;
        }
        memcpy(text + n, name, len);
        n += len;
    }
    request_add_header(q, "Allow: %.*s\r\n", (int)n, text);
}

/* With an Origin a preflight, which a browser sends for any path; else a question about the path. */
static void answer_options(struct api_request *q)
{
    struct str origin = http_head_get(q->http->head, HTTP_H_ORIGIN);

    if (origin.len > 0 && !cors_allows(&q->api->cors, origin)) {
        error_bad_request(q, "Disallowed CORS origin");
    } else if (origin.len > 0) {
        request_reply(q, 204, HEADERS_NO_BODY, STR_NONE);
    } else if (q->methods == 0) {
        error_http(q, 404);
    } else {
        add_allow(q);
        request_reply(q, 204, HEADERS_NO_BODY, STR_NONE);
    }
}

static enum auth_level level_of(const struct api_request *q)
{
    if ((q->route->flags & ROUTE_METRICS_AUTH) && !q->api->env.conf->metrics_public)
        return AUTH_ADMIN;
    return q->route->auth;
}

/* The deprecated parameter; heeded only where no header says who asks. */
static struct auth_credential credential_in_query(struct api_request *q)
{
    struct auth_credential c = { .source = AUTH_FROM_NOWHERE };
    struct str raw;
    char *decoded;
    size_t len = 0;

    if (!http_query_get(q->http->head->query, "admin_key", &raw))
        return c;
    c.source = AUTH_FROM_QUERY;
    decoded = arena_alloc(&q->http->arena, raw.len + 1);
    if (decoded == NULL || !http_percent_decode(decoded, raw.len + 1, raw, true, &len))
        c.malformed = true;
    else
        c.value = (struct str){ decoded, len };
    request_add_header(q, DEPRECATION_LINE);
    access_log_plain(q, EVENT_ADMIN_KEY_IN_QUERY, "deprecated: send the key in X-Admin-Key");
    return c;
}

static void refuse_credential(struct api_request *q, const struct auth_credential *c, enum metric_auth_reason reason)
{
    metrics_add(METRIC_AUTH_FAILURES, (unsigned)reason, 0, 0, 1);
    if (!limits_pass_failure(q))
        return;
    if (reason != METRIC_AUTH_MISSING) {
        access_log_bad_key(q, c->value, auth_reason_name(reason));
        error_authentication(q, false, "Invalid or inactive API key");
    } else if (request_on_admin_path(q)) {
        error_authentication(q, true, "Missing admin key. Provide X-Admin-Key header.");
    } else {
        error_authentication(q, true, "Missing API key. Provide X-API-Key header.");
    }
}

static bool check_access(struct api_request *q)
{
    struct api *a = q->api;
    struct auth_known known = { a->env.conf->admin_key, a->keys.ring, clock_wall_us() };
    enum auth_level level = level_of(q);
    const struct keyring_key *key;
    enum metric_auth_reason reason;
    struct auth_credential c;

    if (level == AUTH_PUBLIC)
        return limits_pass_public(q);
    c = auth_credential_find(q->http->head, request_on_admin_path(q));
    if (c.source == AUTH_FROM_NOWHERE && (q->route->flags & ROUTE_QUERY_KEY))
        c = credential_in_query(q);
    if (!auth_identify(&known, &c, &q->identity, &key, &reason)) {
        refuse_credential(q, &c, reason);
        return false;
    }
    if (key != NULL)
        keys_count_use(&a->keys, key, known.now_us);
    if (auth_allows(&q->identity, level))
        return limits_pass(q);
    metrics_add(METRIC_AUTH_FAILURES, METRIC_AUTH_SCOPE, 0, 0, 1);
    access_log_scope(q, level == AUTH_ADMIN ? "admin" : "read");
    error_authorization(q, level == AUTH_ADMIN ? "admin" : "read");
    return false;
}

static bool has_content_coding(const struct api_request *q)
{
    struct str coding = http_head_get(q->http->head, HTTP_H_CONTENT_ENCODING);

    return coding.len > 0 && !str_ieq(coding, "identity");
}

/* What operators and monitors ask for is answered always; it costs little. */
static bool may_be_shed(const struct api_request *q)
{
    return (q->route->flags & (ROUTE_DATA | ROUTE_DATABASE | ROUTE_BODY | ROUTE_MCP)) != 0 &&
           !request_on_admin_path(q);
}

static bool is_overloaded(const struct api_request *q)
{
    return may_be_shed(q) && shed_wanted(&q->api->shed, api_turn_ns(q->api));
}

bool guard_head(struct api_request *q)
{
    const struct http_head *head = q->http->head;

    if (head->method == HTTP_OPTIONS) {
        answer_options(q);
        return false;
    }
    if (q->methods == 0) {
        error_http(q, 404);
        return false;
    }
    if (request_on_mcp_path(q) && !mcp_origin_check(q))
        return false;
    if (q->route == NULL) {
        add_allow(q);
        error_http(q, 405);
        return false;
    }
    if (is_overloaded(q)) {
        error_overload(q);
        return false;
    }
    if (head->has_length && head->content_length > (uint64_t)q->api->env.conf->max_body_bytes) {
        error_http(q, 413);
        return false;
    }
    if (!check_access(q))
        return false;
    if ((q->route->flags & (ROUTE_BODY | ROUTE_MCP)) && has_content_coding(q)) {
        error_http(q, 415);
        return false;
    }
    return true;
}

static bool parse_body(struct api_request *q)
{
    const char *why = NULL;
    struct json *body;

    if (!(q->route->flags & ROUTE_BODY) || q->http->body.len == 0)
        return true;
    body = json_parse(&q->http->arena, q->http->body, &why);
    if (body == NULL && q->http->arena.exhausted) {
        error_no_memory(q);
        return false;
    }
    if (body == NULL) {
        error_bad_request(q, "Invalid JSON: %s", why);
        return false;
    }
    if (body->type != JSON_OBJECT) {
        error_bad_request(q, "The request body must be a JSON object");
        return false;
    }
    q->body = body;
    return true;
}

/* Decodes into the arena. False: a bad escape (or no memory, told by the arena). */
static bool decode(struct api_request *q, struct str *s, bool plus)
{
    char *text;

    if (memchr(s->p, '%', s->len) == NULL)
        return true;
    text = arena_alloc(&q->http->arena, s->len + 1);
    if (text == NULL || !http_percent_decode(text, s->len + 1, *s, plus, &s->len))
        return false;
    s->p = text;
    return true;
}

static bool decode_target(struct api_request *q)
{
    struct str rest = q->http->head->query, piece;

    for (unsigned i = 0; i < q->param_count; i++) {
        if (!decode(q, &q->params[i], false))
            return false;
    }
    if (rest.len == 0 || memchr(rest.p, '%', rest.len) == NULL)
        return true;
    while (str_split(&rest, '&', &piece)) {
        struct str name;

        if (!str_split(&piece, '=', &name))
            continue;
        if (!decode(q, &name, true) || (piece.len > 0 && !decode(q, &piece, true)))
            return false;
    }
    return true;
}

bool guard_body(struct api_request *q)
{
    if (!parse_body(q))
        return false;
    if (decode_target(q))
        return true;
    if (q->http->arena.exhausted)
        error_no_memory(q);
    else
        error_bad_request(q, "Invalid percent-encoding");
    return false;
}
