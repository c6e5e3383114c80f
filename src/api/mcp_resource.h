/*
 * mcp_resource: what an agent can read by URI: customer://{id} and archetype://{id}.
 */
#ifndef API_MCP_RESOURCE_H
#define API_MCP_RESOURCE_H

#include "api/mcp.h"

enum mcp_resource {
    MCP_RESOURCE_FOUND,
    MCP_RESOURCE_MISSING, /* nothing has this URI */
    MCP_RESOURCE_NO_DATA, /* nothing is published yet */
    MCP_RESOURCE_NO_MEMORY
};

#define MCP_RESOURCE_TYPE "application/json"
#define MCP_CUSTOMER_URI  "customer://"
#define MCP_ARCHETYPE_URI "archetype://"

/* Puts the text of a resource, JSON, into the worker's buffer for results. */
enum mcp_resource mcp_resource_fetch(struct api_request *q, struct str uri, struct str *text);
/* {uri, mimeType, text} */
void mcp_resource_put(struct json_writer *w, struct str uri, struct str text);
/* Answers for what was not found. */
void mcp_resource_fail(struct mcp_call *m, enum mcp_resource why, struct str uri);
/* Is it the template of a kind of resources? */
bool mcp_resource_is_template(struct str uri, const char **scheme);

#endif
