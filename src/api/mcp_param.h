/*
 * mcp_param: arguments of a tool that headers repeat (x-mcp-header), so that proxies can route by them. Pure.
 */
#ifndef API_MCP_PARAM_H
#define API_MCP_PARAM_H

#include "api/mcp_message.h"

/* NULL: every Mcp-Param header says what the body says. Else what is wrong, in the arena or static. */
const char *mcp_param_check(const struct http_head *head, const struct mcp_message *m, struct arena *a);

/* ", MCP-Protocol-Version, …, Mcp-Param-Goal": what browsers may send to /mcp beside the usual. STR_NONE: no
 * memory. */
struct str mcp_param_header_names(struct arena *a);

#endif
