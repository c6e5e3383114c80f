/*
 * mcp_error: what goes wrong on POST /mcp, as JSON-RPC errors.
 *
 * The id is echoed where it could be read, and left out where not. A refusal by HTTP alone (401, 429, 503, …) has its
 * status as code.
 */
#ifndef API_MCP_ERROR_H
#define API_MCP_ERROR_H

#include "api/errors.h"
#include "api/mcp_message.h"

struct api_request;

/* The body of an error that any route may answer: one value. */
void mcp_error_write(struct json_writer *w, const struct api_request *q, const struct error_answer *e);
/* Answers a fault of the message. */
void mcp_error_fault(struct api_request *q, int status, const struct mcp_fault *f);
/* {"jsonrpc":"2.0","id":…,"error":{"code":…,"message":… — left open for a "data" member; end with two ends. */
void mcp_error_begin(struct json_writer *w, const struct json *id, int code, const char *message);

/* "id": as it was sent; nothing without one. */
void mcp_error_put_id(struct json_writer *w, const struct json *id);

#endif
