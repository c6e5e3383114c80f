/*
 * mcp_message: from the head and body of a POST to one message that may be answered. Pure.
 *
 * The checks stand in the order of the protocol's validation ladder: shape, era, _meta, agreement of header and
 * body, version, headers there and readable. The first one that fails decides the answer.
 */
#ifndef API_MCP_MESSAGE_H
#define API_MCP_MESSAGE_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/str.h"
#include "core/json.h"
#include "net/http_parse.h"

#define MCP_MODERN_VERSION "2026-07-28"

/* JSON-RPC's codes, and MCP's own. */
enum mcp_code {
    MCP_PARSE_ERROR = -32700,
    MCP_INVALID_REQUEST = -32600,
    MCP_METHOD_NOT_FOUND = -32601,
    MCP_INVALID_PARAMS = -32602,
    MCP_INTERNAL_ERROR = -32603,
    MCP_LEGACY_RESOURCE_NOT_FOUND = -32002,
    MCP_HEADER_MISMATCH = -32020,
    MCP_UNSUPPORTED_VERSION = -32022
};

enum mcp_era {
    MCP_LEGACY = 1,
    MCP_MODERN = 2
};

enum mcp_kind {
    MCP_REQUEST,
    MCP_NOTIFICATION,
    MCP_RESPONSE /* to a question this server never asks */
};

struct mcp_message {
    enum mcp_kind kind;
    enum mcp_era era;
    const struct json *id; /* string or integer; NULL: none, or none that could be read */
    struct str method;
    const struct json *params; /* an object; NULL: none */
    struct str version;        /* of the protocol; of a legacy request without a header the oldest */
};

/* What is wrong; answered under a status of 400, or 404 for a method. */
struct mcp_fault {
    int code;
    const char *message;  /* in the arena, or static */
    struct str requested; /* version, with MCP_UNSUPPORTED_VERSION */
    struct str uri;       /* of a resource that is not there; STR_NONE: another fault */
};

/* False: *f says why. The message holds what could be read, the id above all. */
bool mcp_message_read(struct mcp_message *m, const struct http_head *head, const struct json *body, struct arena *a,
                      struct mcp_fault *f);

/* Revisions served the legacy way, newest first, NULL-terminated. */
extern const char *const mcp_legacy_versions[];

/* The text of an Mcp-Name or Mcp-Param value, which may be =?base64?…?=. False: it cannot be read. */
bool mcp_header_decode(struct str value, struct arena *a, struct str *out);

#endif
