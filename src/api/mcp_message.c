/*
 * mcp_message: see the header.
 */
#include "api/mcp_message.h"

#include <string.h>

#include "api/mcp.h"
#include "api/mcp_param.h"

#define META_VERSION      "io.modelcontextprotocol/protocolVersion"
#define META_CAPABILITIES "io.modelcontextprotocol/clientCapabilities"
#define MAX_ID_DIGITS     40
#define MAX_SHOWN         128 /* bytes of the peer's words in a message */

const char *const mcp_legacy_versions[] = { "2025-11-25", "2025-06-18", "2025-03-26", NULL };
#define OLDEST_SERVED "2025-03-26"
#define NEVER_SERVED  "2024-11-05" /* a legacy revision all the same */

/* What one reading has at hand. */
struct reader {
    struct mcp_message *m;
    const struct http_head *head;
    struct arena *arena;
    struct mcp_fault *fault;
    const struct json *meta; /* an object; NULL: none */
    struct str header;       /* MCP-Protocol-Version */
};

static bool refuse(struct reader *r, int code, const char *message)
{
    r->fault->code = code;
    r->fault->message = message != NULL ? message : "Invalid request";
    return false;
}

static int shown(struct str s)
{
    return (int)(s.len < MAX_SHOWN ? s.len : MAX_SHOWN);
}

/* ---- shape ---- */

static bool is_integer(struct str text)
{
    size_t i = text.len > 0 && text.p[0] == '-' ? 1 : 0;

    if (text.len == i || text.len > MAX_ID_DIGITS)
        return false;
    for (; i < text.len; i++) {
        if (text.p[i] < '0' || text.p[i] > '9')
            return false;
    }
    return true;
}

static bool is_id(const struct json *id)
{
    return id->type == JSON_STRING || (id->type == JSON_NUMBER && is_integer(id->text));
}

static bool is_modern_version(struct str v)
{
    size_t n = sizeof(MCP_MODERN_VERSION) - 1;
    int order = memcmp(v.p, MCP_MODERN_VERSION, v.len < n ? v.len : n);

    return order > 0 || (order == 0 && v.len >= n);
}

static bool is_legacy_served(struct str v)
{
    for (const char *const *known = mcp_legacy_versions; *known != NULL; known++) {
        if (str_eq_lit(v, *known))
            return true;
    }
    return false;
}

/* Does the header name something else than a legacy revision? */
static bool header_is_modern(const struct reader *r)
{
    return r->header.len > 0 && !is_legacy_served(r->header) && !str_eq_lit(r->header, NEVER_SERVED);
}

static bool read_response(struct reader *r, const struct json *body)
{
    if (json_get(body, "result") == NULL && json_get(body, "error") == NULL)
        return refuse(r, MCP_INVALID_REQUEST, "The message has no method");
    if (header_is_modern(r))
        return refuse(r, MCP_INVALID_REQUEST, "This server asks nothing and takes no responses");
    r->m->kind = MCP_RESPONSE;
    return true;
}

static bool read_shape(struct reader *r, const struct json *body)
{
    const struct json *version = json_get(body, "jsonrpc"), *id = json_get(body, "id");
    const struct json *method = json_get(body, "method"), *params = json_get(body, "params");

    if (body->type == JSON_ARRAY)
        return refuse(r, MCP_INVALID_REQUEST, "Batches are not served: send one message");
    if (body->type != JSON_OBJECT)
        return refuse(r, MCP_INVALID_REQUEST, "The body must be one JSON-RPC message");
    if (id != NULL && !is_id(id))
        return refuse(r, MCP_INVALID_REQUEST, "id must be a string or an integer");
    r->m->id = id;
    r->m->kind = id != NULL ? MCP_REQUEST : MCP_NOTIFICATION;
    if (version == NULL || version->type != JSON_STRING || !str_eq_lit(version->text, "2.0"))
        return refuse(r, MCP_INVALID_REQUEST, "jsonrpc must be \"2.0\"");
    if (method == NULL)
        return read_response(r, body);
    if (method->type != JSON_STRING || method->text.len == 0)
        return refuse(r, MCP_INVALID_REQUEST, "method must be a text");
    if (params != NULL && params->type != JSON_OBJECT)
        return refuse(r, MCP_INVALID_REQUEST, "params must be an object");
    r->m->method = method->text;
    r->m->params = params;
    return true;
}

/* ---- era ---- */

/* Does _meta say all that a modern request must say, with a modern version? */
static bool has_valid_claim(const struct reader *r)
{
    const struct json *version = json_get(r->meta, META_VERSION), *able = json_get(r->meta, META_CAPABILITIES);

    return version != NULL && version->type == JSON_STRING && is_modern_version(version->text) && able != NULL &&
           able->type == JSON_OBJECT;
}

static bool refuse_missing_claim(struct reader *r)
{
    const char *missing = r->meta == NULL                                ? "_meta"
                          : json_get(r->meta, META_CAPABILITIES) == NULL ? META_VERSION ", " META_CAPABILITIES
                                                                         : META_VERSION;

    return refuse(r, MCP_INVALID_PARAMS,
                  arena_printf(r->arena, "MCP-Protocol-Version is %.*s, but params lack: %s", shown(r->header),
                               r->header.p, missing));
}

static bool read_legacy(struct reader *r)
{
    r->m->era = MCP_LEGACY;
    r->m->version = r->header.len > 0 ? r->header : STR_LIT(OLDEST_SERVED);
    if (is_legacy_served(r->m->version))
        return true;
    return refuse(r, MCP_INVALID_REQUEST,
                  arena_printf(r->arena, "Unsupported protocol version %.*s: use %s", shown(r->header), r->header.p,
                               mcp_legacy_versions[0]));
}

/* ---- modern ---- */

static bool read_meta(struct reader *r)
{
    const struct json *version = json_get(r->meta, META_VERSION), *able = json_get(r->meta, META_CAPABILITIES);

    if (version->type != JSON_STRING)
        return refuse(r, MCP_INVALID_PARAMS, "_meta: " META_VERSION " must be a text");
    r->m->version = version->text;
    if (r->m->kind == MCP_NOTIFICATION)
        return true;
    if (able == NULL)
        return refuse(r, MCP_INVALID_PARAMS, "_meta: " META_CAPABILITIES " is missing");
    if (able->type != JSON_OBJECT)
        return refuse(r, MCP_INVALID_PARAMS, "_meta: " META_CAPABILITIES " must be an object");
    return true;
}

static bool is_repeated(const struct http_head *head, const char *name)
{
    unsigned n = 0;

    for (unsigned i = 0; i < head->header_count; i++)
        n += str_ieq(head->headers[i].name, name);
    return n > 1;
}

static bool check_agreement(struct reader *r)
{
    static const char *const single[] = { "MCP-Protocol-Version", "Mcp-Method", "Mcp-Name" };
    struct str method = http_head_get(r->head, HTTP_H_MCP_METHOD);

    for (unsigned i = 0; i < sizeof(single) / sizeof(single[0]); i++) {
        if (is_repeated(r->head, single[i]))
            return refuse(r, MCP_HEADER_MISMATCH, arena_printf(r->arena, "%s is given twice", single[i]));
    }
    if (r->header.len > 0 && !str_eq(r->header, r->m->version))
        return refuse(r, MCP_HEADER_MISMATCH, "MCP-Protocol-Version differs from the version in _meta");
    if (method.len > 0 && !str_eq(method, r->m->method))
        return refuse(r, MCP_HEADER_MISMATCH, "Mcp-Method differs from the method of the body");
    return true;
}

static bool check_version(struct reader *r)
{
    if (str_eq_lit(r->m->version, MCP_MODERN_VERSION))
        return true;
    r->fault->requested = r->m->version;
    return refuse(r, MCP_UNSUPPORTED_VERSION, "Unsupported protocol version");
}

/* Mcp-Name repeats a parameter of the method, if the body has it. */
static bool check_name(struct reader *r, const char *field)
{
    const struct json *wanted = json_get(r->m->params, field);
    struct str value = http_head_get(r->head, HTTP_H_MCP_NAME), name;

    if (value.p == NULL)
        return wanted == NULL || refuse(r, MCP_HEADER_MISMATCH, "Mcp-Name is missing");
    if (!mcp_header_decode(value, r->arena, &name))
        return refuse(r, MCP_HEADER_MISMATCH, "Mcp-Name is no valid base64 of UTF-8");
    if (wanted == NULL || wanted->type != JSON_STRING || !str_eq(wanted->text, name))
        return refuse(r, MCP_HEADER_MISMATCH,
                      arena_printf(r->arena, "Mcp-Name differs from params.%s of the body", field));
    return true;
}

static bool check_headers(struct reader *r)
{
    const struct mcp_method *method = mcp_method_find(r->m->method);
    const char *wrong;

    if (r->header.len == 0)
        return refuse(r, MCP_HEADER_MISMATCH, "MCP-Protocol-Version is missing");
    if (http_head_get(r->head, HTTP_H_MCP_METHOD).len == 0)
        return refuse(r, MCP_HEADER_MISMATCH, "Mcp-Method is missing");
    if (method == NULL || method->name_field == NULL)
        return true;
    if (!check_name(r, method->name_field))
        return false;
    wrong = mcp_param_check(r->head, r->m, r->arena);
    return wrong == NULL || refuse(r, MCP_HEADER_MISMATCH, wrong);
}

static bool read_modern(struct reader *r)
{
    r->m->era = MCP_MODERN;
    if (!read_meta(r) || !check_agreement(r))
        return false;
    return r->m->kind == MCP_NOTIFICATION || (check_version(r) && check_headers(r));
}

bool mcp_message_read(struct mcp_message *m, const struct http_head *head, const struct json *body, struct arena *a,
                      struct mcp_fault *f)
{
    struct reader r = { m, head, a, f, NULL, http_head_get(head, HTTP_H_MCP_PROTOCOL_VERSION) };

    *m = (struct mcp_message){ .era = MCP_LEGACY };
    *f = (struct mcp_fault){ .requested = STR_NONE };
    if (!read_shape(&r, body))
        return false;
    if (m->kind == MCP_RESPONSE)
        return true;
    r.meta = json_get(m->params, "_meta");
    if (r.meta != NULL && r.meta->type != JSON_OBJECT)
        r.meta = NULL;
    if (str_eq_lit(m->method, "initialize") && !has_valid_claim(&r)) {
        if (r.header.len > 0 && is_modern_version(r.header))
            return refuse(&r, MCP_HEADER_MISMATCH, "initialize belongs to the revisions before " MCP_MODERN_VERSION);
        r.header = STR_NONE; /* the handshake itself negotiates */
        return read_legacy(&r);
    }
    if (json_get(r.meta, META_VERSION) != NULL)
        return read_modern(&r);
    if (!header_is_modern(&r))
        return read_legacy(&r);
    if (m->kind == MCP_REQUEST)
        return refuse_missing_claim(&r);
    m->version = r.header;
    m->era = MCP_MODERN;
    return check_agreement(&r);
}
