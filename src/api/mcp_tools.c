/*
 * mcp_tools: the table of tools by the Model Context Protocol.
 *
 * What goes wrong inside a tool is a result for the model to read, with what it can do about it.
 */
#include "api/access.h"
#include "api/errors.h"
#include "api/mcp_resource.h"
#include "api/request.h"
#include "api/tools.h"

#define TOOLS_TTL_MS      3600000
#define MCP_WITHOUT_LINKS "2025-03-26"

/* ---- tools/list ---- */

/* Every tool only reads, of this shop alone, and the same twice gives the same. */
static void put_annotations(struct json_writer *w, const struct tool *t)
{
    json_key(w, "annotations");
    json_object_begin(w);
    json_kv_cstr(w, "title", t->title);
    json_kv_bool(w, "readOnlyHint", true);
    json_kv_bool(w, "destructiveHint", false);
    json_kv_bool(w, "idempotentHint", true);
    json_kv_bool(w, "openWorldHint", false);
    json_object_end(w);
}

/* A structured result is an object: a list stands under "items". */
static void put_result_schema(struct json_writer *w, const struct tool *t)
{
    json_key(w, "outputSchema");
    if (!t->list) {
        tools_write_result_schema(w, t);
        return;
    }
    json_object_begin(w);
    json_kv_cstr(w, "type", "object");
    json_key(w, "properties");
    json_object_begin(w);
    json_key(w, "items");
    json_object_begin(w);
    json_kv_cstr(w, "type", "array");
    json_key(w, "items");
    tools_write_result_schema(w, t);
    json_object_end(w);
    json_object_end(w);
    json_key(w, "required");
    json_array_begin(w);
    json_cstr(w, "items");
    json_array_end(w);
    json_object_end(w);
}

static void put_tool(struct json_writer *w, const struct tool *t)
{
    json_object_begin(w);
    json_kv_cstr(w, "name", t->name);
    json_kv_cstr(w, "title", t->title);
    json_kv_cstr(w, "description", t->description);
    json_key(w, "inputSchema");
    tools_write_mcp_arguments_schema(w, t);
    put_result_schema(w, t);
    put_annotations(w, t);
    json_object_end(w);
}

void mcp_tools_list(struct mcp_call *m)
{
    struct json_writer w;

    if (!mcp_has_one_page(m))
        return;
    mcp_result_begin(m, &w);
    json_key(&w, "tools");
    json_array_begin(&w);
    for (size_t i = 0; i < tools_count; i++) {
        if (auth_allows(&m->q->identity, tools[i].scope))
            put_tool(&w, &tools[i]);
    }
    json_array_end(&w);
    mcp_put_hints(m, &w, TOOLS_TTL_MS, MCP_PRIVATE);
    mcp_result_end(m, &w);
}

/* ---- tools/call ---- */

static void put_text(struct json_writer *w, struct str text)
{
    json_object_begin(w);
    json_kv_cstr(w, "type", "text");
    json_kv_str(w, "text", text);
    json_object_end(w);
}

/* To the thing an argument names; clients of the oldest revision don't know links. */
static void put_link(const struct mcp_call *m, struct json_writer *w, struct str id, const char *scheme)
{
    const char *uri;

    if (id.p == NULL || str_eq_lit(m->message.version, MCP_WITHOUT_LINKS))
        return;
    uri = arena_printf(&m->q->http->arena, "%s%.*s", scheme, (int)id.len, id.p);
    if (uri == NULL)
        return;
    json_object_begin(w);
    json_kv_cstr(w, "type", "resource_link");
    json_kv_cstr(w, "uri", uri);
    json_kv_str(w, "name", id);
    json_kv_cstr(w, "mimeType", MCP_RESOURCE_TYPE);
    json_object_end(w);
}

/* The same JSON twice: as text for every model, and structured for those who read the schema. */
static void answer_result(struct mcp_call *m, const struct tool_call *c)
{
    struct json_writer w;

    mcp_result_begin(m, &w);
    json_key(&w, "content");
    json_array_begin(&w);
    put_text(&w, c->result);
    put_link(m, &w, tool_text(c, "customer_id"), MCP_CUSTOMER_URI);
    put_link(m, &w, tool_text(c, "archetype_id"), MCP_ARCHETYPE_URI);
    json_array_end(&w);
    json_key(&w, "structuredContent");
    if (c->tool->list) {
        json_object_begin(&w);
        json_key(&w, "items");
        json_raw(&w, c->result);
        json_object_end(&w);
    } else {
        json_raw(&w, c->result);
    }
    json_kv_bool(&w, "isError", false);
    mcp_result_end(m, &w);
}

static void say_faults(struct buf *out, const struct params *faults)
{
    buf_add_cstr(out, "Invalid arguments: ");
    for (size_t i = 0; i < faults->count; i++) {
        const struct params_error *e = &faults->errors[i];

        buf_printf(out, "%s%s %s", i > 0 ? "; " : "", e->field != NULL ? e->field : "an argument",
                   e->message != NULL ? e->message : "is wrong");
    }
    buf_add_cstr(out, ". Correct them and call again.");
}

/* What went wrong, and what to do. */
static void say_error(struct buf *out, const struct tool_call *c)
{
    switch (c->outcome) {
    case TOOL_INVALID:
        say_faults(out, &c->faults);
        break;
    case TOOL_NOT_FOUND:
        buf_printf(out, "%s. Take an id from the result of search_customers.", c->message);
        break;
    case TOOL_UNAVAILABLE:
        buf_printf(out, "%s. Try again in %u seconds.", c->message, c->retry_after_s);
        break;
    default:
        buf_printf(out, "%s. Ask for less, with a smaller limit.", c->message);
    }
}

static void answer_error(struct mcp_call *m, const struct tool_call *c)
{
    struct buf *said = &m->q->api->scratch;
    struct json_writer w;

    buf_reset(said);
    say_error(said, c);
    mcp_result_begin(m, &w);
    json_key(&w, "content");
    json_array_begin(&w);
    put_text(&w, buf_str(said));
    json_array_end(&w);
    json_kv_bool(&w, "isError", true);
    mcp_result_end(m, &w);
}

static void on_done(struct tool_call *c)
{
    struct mcp_call *m = c->owner;

    if (c->outcome == TOOL_OK) {
        answer_result(m, c);
    } else if (c->outcome == TOOL_FAILED) {
        access_log_unexpected(m->q, c->message);
        mcp_fail(m, MCP_INTERNAL_ERROR, "An unexpected error occurred. Reference: %.*s",
                 (int)m->q->correlation_id.len, m->q->correlation_id.p);
    } else {
        answer_error(m, c);
    }
}

void mcp_tools_call(struct mcp_call *m)
{
    const struct json *arguments = json_get(m->message.params, "arguments");
    struct str name = mcp_text(m, "name");
    const struct tool *t = tools_find(name);
    struct tool_call *c;

    if (!limits_pass_policy(m->q))
        return;
    if (t == NULL || !auth_allows(&m->q->identity, t->scope)) {
        mcp_fail(m, MCP_INVALID_PARAMS, "Unknown tool: %.*s", (int)(name.len < 128 ? name.len : 128),
                 name.len > 0 ? name.p : "");
        return;
    }
    if (arguments != NULL && arguments->type != JSON_OBJECT) {
        mcp_fail(m, MCP_INVALID_PARAMS, "arguments must be an object");
        return;
    }
    c = arena_zalloc(&m->q->http->arena, sizeof(*c));
    if (c == NULL) {
        error_no_memory(m->q);
        return;
    }
    *c = (struct tool_call){
        .q = m->q, .tool = t, .arguments = arguments, .where = "arguments", .done = on_done, .owner = m
    };
    tool_start(c);
}
