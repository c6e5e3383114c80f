/*
 * mcp_error: see the header.
 */
#include "api/mcp_error.h"

#include "api/request.h"

void mcp_error_put_id(struct json_writer *w, const struct json *id)
{
    if (id == NULL)
        return;
    json_key(w, "id");
    if (id->type == JSON_STRING)
        json_str(w, id->text);
    else
        json_raw(w, id->text);
}

void mcp_error_begin(struct json_writer *w, const struct json *id, int code, const char *message)
{
    json_object_begin(w);
    json_kv_cstr(w, "jsonrpc", "2.0");
    mcp_error_put_id(w, id);
    json_key(w, "error");
    json_object_begin(w);
    json_kv_int(w, "code", code);
    json_kv_cstr(w, "message", message);
}

void mcp_error_write(struct json_writer *w, const struct api_request *q, const struct error_answer *e)
{
    mcp_error_begin(w, q->rpc_id, e->status, e->message);
    json_key(w, "data");
    json_object_begin(w);
    json_kv_cstr(w, "code", e->code);
    if (e->details.len > 0)
        json_raw(w, e->details);
    if (e->retry_after_s > 0)
        json_kv_int(w, "retry_after_seconds", e->retry_after_s);
    json_kv_str(w, "correlation_id", q->correlation_id);
    json_object_end(w);
    json_object_end(w);
    json_object_end(w);
}

static void put_versions(struct json_writer *w, struct str requested)
{
    json_key(w, "data");
    json_object_begin(w);
    json_key(w, "supported");
    json_array_begin(w);
    json_cstr(w, MCP_MODERN_VERSION);
    json_array_end(w);
    json_kv_str(w, "requested", requested);
    json_object_end(w);
}

static void put_uri(struct json_writer *w, struct str uri)
{
    json_key(w, "data");
    json_object_begin(w);
    json_kv_str(w, "uri", uri);
    json_object_end(w);
}

void mcp_error_fault(struct api_request *q, int status, const struct mcp_fault *f)
{
    struct json_writer w;

    q->error_code = "MCP_ERROR";
    request_json_begin(q, &w);
    mcp_error_begin(&w, q->rpc_id, f->code, f->message);
    if (f->code == MCP_UNSUPPORTED_VERSION)
        put_versions(&w, f->requested);
    if (f->uri.p != NULL)
        put_uri(&w, f->uri);
    json_object_end(&w);
    json_object_end(&w);
    request_json_end(q, status);
}
