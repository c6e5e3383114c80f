/*
 * h_tools: the tools over HTTP (CONTRACT 16).
 */
#include "api/errors.h"
#include "api/request.h"
#include "api/tools.h"
#include "base/clock.h"

void h_tools(struct api_request *q)
{
    struct json_writer w;

    request_json_begin(q, &w);
    json_object_begin(&w);
    json_key(&w, "tools");
    json_array_begin(&w);
    for (size_t i = 0; i < tools_count; i++) {
        json_object_begin(&w);
        json_kv_cstr(&w, "name", tools[i].name);
        json_kv_cstr(&w, "description", tools[i].description);
        json_key(&w, "parameters");
        tools_write_parameters(&w, &tools[i]);
        json_key(&w, "inputSchema");
        tools_write_arguments_schema(&w, &tools[i]);
        json_object_end(&w);
    }
    json_array_end(&w);
    json_kv_int(&w, "total_tools", (int64_t)tools_count);
    json_object_end(&w);
    request_json_end(q, 200);
}

/* The members of an object are repeated beside it. */
static void on_done(struct tool_call *c)
{
    struct json_writer w;
    struct str r = c->result;

    if (c->outcome != TOOL_OK) {
        tool_answer_error(c);
        return;
    }
    request_json_begin(c->q, &w);
    json_object_begin(&w);
    json_kv_cstr(&w, "tool_name", c->tool->name);
    json_key(&w, "result");
    json_raw(&w, r);
    json_kv_us(&w, "timestamp", clock_wall_us());
    if (r.p[0] == '{' && r.len > 2)
        json_raw(&w, (struct str){ r.p + 1, r.len - 2 });
    json_object_end(&w);
    request_json_end(c->q, 200);
}

/* The first of the names that the body has. */
static const struct json *member(const struct json *body, const char *const *names, const char **name)
{
    const struct json *m = NULL;

    for (; m == NULL && *names != NULL; names++) {
        *name = *names;
        m = json_get(body, *names);
        if (m != NULL && m->type == JSON_NULL)
            m = NULL;
    }
    return m;
}

static void refuse_tool(struct api_request *q, struct str name)
{
    const char *message = arena_printf(&q->http->arena, "Unknown tool: %.*s", (int)name.len, name.p);

    if (message == NULL)
        error_no_memory(q);
    else
        error_word(q, message, "tool_name", tools_names);
}

/* False: refused. */
static bool read_body(struct api_request *q, struct tool_call *c)
{
    static const char *const known[] = { "tool_name", "tool", "parameters", "params", "arguments", NULL };
    static const char *const tool_names[] = { "tool_name", "tool", NULL };
    static const char *const argument_names[] = { "parameters", "params", "arguments", NULL };
    const char *name = "tool_name", *where = "parameters";
    const struct json *tool = member(q->body, tool_names, &name);
    struct params p;

    params_init(&p, &q->http->arena, STR_NONE);
    c->arguments = member(q->body, argument_names, &where);
    c->where = arena_printf(&q->http->arena, "body.%s", where);
    if (q->body != NULL)
        params_body_known(&p, q->body, "body", known);
    if (tool == NULL)
        params_fault(&p, PARAMS_MISSING, "body", STR_LIT("tool_name"), "is required");
    else if (tool->type != JSON_STRING)
        params_fault(&p, PARAMS_WRONG_TYPE, "body", str_from(name), "must be a string");
    if (c->arguments != NULL && c->arguments->type != JSON_OBJECT)
        params_fault(&p, PARAMS_WRONG_TYPE, "body", str_from(where), "must be an object");
    if (p.count > 0) {
        error_validation(q, &p);
        return false;
    }
    c->tool = tools_find(tool->text);
    if (c->tool == NULL)
        refuse_tool(q, tool->text);
    else if (c->where == NULL)
        error_no_memory(q);
    return c->tool != NULL && c->where != NULL;
}

void h_query(struct api_request *q)
{
    struct tool_call *c = arena_zalloc(&q->http->arena, sizeof(*c));

    if (c == NULL) {
        error_no_memory(q);
        return;
    }
    if (!read_body(q, c))
        return;
    c->q = q;
    c->done = on_done;
    tool_start(c);
}
