/*
 * h_mcp: POST /mcp from its bytes to the method that answers, and the methods that need no more than a few lines.
 */
#include "config.h"

#include <stdarg.h>
#include <stdio.h>

#include "api/errors.h"
#include "api/mcp.h"
#include "api/mcp_error.h"
#include "api/request.h"

#define DISCOVERY_TTL_MS 3600000
#define MAX_MESSAGE      512

static const char instructions[] =
    "Customer intelligence of one shop: profiles, churn risk, lifetime value, segments (archetypes), forecasts, "
    "campaigns and products, computed from its orders. All tools only read. Money is in the shop's currency, "
    "fractions are 0 to 1, days are UTC.";

static void run_initialize(struct mcp_call *m);
static void run_discover(struct mcp_call *m);
static void run_ping(struct mcp_call *m);

static const struct mcp_method methods[] = {
    { "initialize", MCP_LEGACY, NULL, run_initialize },
    { "ping", MCP_LEGACY, NULL, run_ping },
    { "server/discover", MCP_MODERN, NULL, run_discover },
    { "tools/list", MCP_LEGACY | MCP_MODERN, NULL, mcp_tools_list },
    { "tools/call", MCP_LEGACY | MCP_MODERN, "name", mcp_tools_call },
    { "resources/list", MCP_LEGACY | MCP_MODERN, NULL, mcp_resources_list },
    { "resources/templates/list", MCP_LEGACY | MCP_MODERN, NULL, mcp_resources_templates },
    { "resources/read", MCP_LEGACY | MCP_MODERN, "uri", mcp_resources_read },
    { "prompts/list", MCP_LEGACY | MCP_MODERN, NULL, mcp_prompts_list },
    { "prompts/get", MCP_LEGACY | MCP_MODERN, "name", mcp_prompts_get },
    { "completion/complete", MCP_LEGACY | MCP_MODERN, NULL, mcp_complete },
};

const struct mcp_method *mcp_method_find(struct str name)
{
    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
        if (str_eq_lit(name, methods[i].name))
            return &methods[i];
    }
    return NULL;
}

/* ---- results and faults ---- */

static void put_server(struct json_writer *w, const char *key)
{
    json_key(w, key);
    json_object_begin(w);
    json_kv_cstr(w, "name", PACKAGE_NAME);
    json_kv_cstr(w, "title", "Customer Intelligence");
    json_kv_cstr(w, "version", PACKAGE_VERSION);
    json_object_end(w);
}

void mcp_result_begin(const struct mcp_call *m, struct json_writer *w)
{
    request_json_begin(m->q, w);
    json_object_begin(w);
    json_kv_cstr(w, "jsonrpc", "2.0");
    mcp_error_put_id(w, m->message.id);
    json_key(w, "result");
    json_object_begin(w);
    if (m->message.era == MCP_MODERN)
        json_kv_cstr(w, "resultType", "complete");
}

void mcp_result_end(const struct mcp_call *m, struct json_writer *w)
{
    if (m->message.era == MCP_MODERN) {
        json_key(w, "_meta");
        json_object_begin(w);
        put_server(w, "io.modelcontextprotocol/serverInfo");
        json_object_end(w);
    }
    json_object_end(w);
    json_object_end(w);
    request_json_end(m->q, 200);
}

void mcp_put_hints(const struct mcp_call *m, struct json_writer *w, int64_t ttl_ms, enum mcp_scope scope)
{
    if (m->message.era != MCP_MODERN)
        return;
    json_kv_int(w, "ttlMs", ttl_ms);
    json_kv_cstr(w, "cacheScope", scope == MCP_PUBLIC ? "public" : "private");
}

void mcp_fail(struct mcp_call *m, int code, const char *fmt, ...)
{
    char message[MAX_MESSAGE];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(message, sizeof(message), fmt, ap);
    va_end(ap);
    mcp_error_fault(m->q, 200, &(struct mcp_fault){ .code = code, .message = message });
}

struct str mcp_text(const struct mcp_call *m, const char *name)
{
    const struct json *v = json_get(m->message.params, name);

    return v != NULL && v->type == JSON_STRING ? v->text : STR_NONE;
}

bool mcp_has_one_page(struct mcp_call *m)
{
    const struct json *cursor = json_get(m->message.params, "cursor");

    if (cursor == NULL || (cursor->type == JSON_STRING && cursor->text.len == 0))
        return true;
    mcp_fail(m, MCP_INVALID_PARAMS, "Invalid cursor");
    return false;
}

/* ---- methods ---- */

static void put_abilities(struct json_writer *w)
{
    static const char *const abilities[] = { "tools", "resources", "prompts", "completions" };

    json_key(w, "capabilities");
    json_object_begin(w);
    for (size_t i = 0; i < sizeof(abilities) / sizeof(abilities[0]); i++) {
        json_key(w, abilities[i]);
        json_object_begin(w);
        json_object_end(w);
    }
    json_object_end(w);
}

static void run_discover(struct mcp_call *m)
{
    struct json_writer w;

    mcp_result_begin(m, &w);
    json_key(&w, "supportedVersions");
    json_array_begin(&w);
    json_cstr(&w, MCP_MODERN_VERSION);
    json_array_end(&w);
    put_abilities(&w);
    json_kv_cstr(&w, "instructions", instructions);
    mcp_put_hints(m, &w, DISCOVERY_TTL_MS, MCP_PUBLIC);
    mcp_result_end(m, &w);
}

/* The version asked for where it is served, else the newest of its era. */
static void run_initialize(struct mcp_call *m)
{
    struct str asked = mcp_text(m, "protocolVersion");
    const char *version = mcp_legacy_versions[0];
    struct json_writer w;

    if (asked.p == NULL) {
        mcp_fail(m, MCP_INVALID_PARAMS, "initialize needs a protocolVersion");
        return;
    }
    for (const char *const *known = mcp_legacy_versions; *known != NULL; known++) {
        if (str_eq_lit(asked, *known))
            version = *known;
    }
    mcp_result_begin(m, &w);
    json_kv_cstr(&w, "protocolVersion", version);
    put_abilities(&w);
    put_server(&w, "serverInfo");
    json_kv_cstr(&w, "instructions", instructions);
    mcp_result_end(m, &w);
}

static void run_ping(struct mcp_call *m)
{
    struct json_writer w;

    mcp_result_begin(m, &w);
    mcp_result_end(m, &w);
}

/* ---- the way in ---- */

/* Is `type` on the list, or a range that holds it? No list: anything. */
static bool accepts(struct str list, const char *type)
{
    struct str range, name;

    if (list.len == 0)
        return true;
    while (str_split(&list, ',', &range)) {
        if (!str_split(&range, ';', &name))
            continue;
        name = str_trim(name);
        if (str_ieq(name, type) || str_eq_lit(name, "*/*") || str_ieq(name, "application/*"))
            return true;
    }
    return false;
}

static bool is_json(struct str type)
{
    struct str name;

    return str_split(&type, ';', &name) && str_ieq(str_trim(name), "application/json");
}

static bool check_types(struct api_request *q)
{
    const struct http_head *head = q->http->head;

    if (!is_json(http_head_get(head, HTTP_H_CONTENT_TYPE))) {
        error_send(q, &(struct error_answer){
                          .status = 415, .code = "HTTP_ERROR", .message = "Content-Type must be application/json" });
        return false;
    }
    if (!accepts(http_head_get(head, HTTP_H_ACCEPT), "application/json")) {
        error_send(q, &(struct error_answer){ .status = 406,
                                              .code = "HTTP_ERROR",
                                              .message = "Accept must list application/json and text/event-stream" });
        return false;
    }
    return true;
}

/* NULL: refused. */
static const struct json *read_body(struct api_request *q)
{
    const char *why = NULL;
    const struct json *body = json_parse(&q->http->arena, q->http->body, &why);

    if (body != NULL)
        return body;
    if (q->http->arena.exhausted)
        error_no_memory(q);
    else
        mcp_error_fault(q, 400, &(struct mcp_fault){ .code = MCP_PARSE_ERROR, .message = why });
    return NULL;
}

static void run(struct mcp_call *m)
{
    const struct mcp_method *method = mcp_method_find(m->message.method);
    bool modern = m->message.era == MCP_MODERN;

    if (method != NULL && (method->eras & m->message.era))
        method->run(m);
    else
        mcp_error_fault(m->q, modern ? 404 : 200,
                        &(struct mcp_fault){ .code = MCP_METHOD_NOT_FOUND, .message = "Method not found" });
}

void h_mcp(struct api_request *q)
{
    struct mcp_call *m = arena_zalloc(&q->http->arena, sizeof(*m));
    const struct json *body;
    struct mcp_fault fault;
    bool good;

    if (m == NULL) {
        error_no_memory(q);
        return;
    }
    if (!check_types(q))
        return;
    body = read_body(q);
    if (body == NULL)
        return;
    m->q = q;
    good = mcp_message_read(&m->message, q->http->head, body, &q->http->arena, &fault);
    q->rpc_id = m->message.id;
    if (!good)
        mcp_error_fault(q, 400, &fault);
    else if (m->message.kind == MCP_REQUEST)
        run(m);
    else
        request_reply(q, 202, HEADERS_NO_BODY, STR_NONE);
}
