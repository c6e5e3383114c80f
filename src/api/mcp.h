/*
 * mcp: POST /mcp, a Model Context Protocol server without sessions, in two eras from one table of methods.
 *
 * Modern: revision 2026-07-28, every request says by itself what it speaks. Legacy: the handshake of 2025, whose
 * outcome nobody needs to remember. A message is read by mcp_message, and answered by the method it names.
 */
#ifndef API_MCP_H
#define API_MCP_H

#include "api/mcp_message.h"
#include "core/json.h"

struct api_request;

/* One request, in the arena of its HTTP request. */
struct mcp_call {
    struct api_request *q; /* with its data set, NULL: no data */
    struct mcp_message message;
};

struct mcp_method {
    const char *name;
    unsigned eras;          /* bits of enum mcp_era that have it */
    const char *name_field; /* of params; Mcp-Name repeats it. NULL: none */
    void (*run)(struct mcp_call *m);
};
/* NULL: no such method in any era. */
const struct mcp_method *mcp_method_find(struct str name);

/* Answers 403 to a page or a name of the server that is not trusted: false. */
bool mcp_origin_check(struct api_request *q);

/* A result: begin, members, end. */
void mcp_result_begin(const struct mcp_call *m, struct json_writer *w);
void mcp_result_end(const struct mcp_call *m, struct json_writer *w);
enum mcp_scope {
    MCP_PUBLIC, /* the same for every key */
    MCP_PRIVATE
};
/* ttlMs and cacheScope, where the era has them. */
void mcp_put_hints(const struct mcp_call *m, struct json_writer *w, int64_t ttl_ms, enum mcp_scope scope);

/* A fault of the method itself: a JSON-RPC error under status 200. */
void mcp_fail(struct mcp_call *m, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Parameters of a method. */
struct str mcp_text(const struct mcp_call *m, const char *name); /* STR_NONE: none, or no text */
/* Lists of one page have no cursor but the empty one: else false, and the call has failed. */
bool mcp_has_one_page(struct mcp_call *m);

void mcp_tools_list(struct mcp_call *m); /* mcp_tools */
void mcp_tools_call(struct mcp_call *m);
void mcp_resources_list(struct mcp_call *m); /* mcp_resources */
void mcp_resources_templates(struct mcp_call *m);
void mcp_resources_read(struct mcp_call *m);
void mcp_prompts_list(struct mcp_call *m); /* mcp_prompts */
void mcp_prompts_get(struct mcp_call *m);
void mcp_complete(struct mcp_call *m); /* mcp_complete */

#endif
