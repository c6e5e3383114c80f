/*
 * mcp_prompt: the table of prompts.
 */
#ifndef API_MCP_PROMPT_H
#define API_MCP_PROMPT_H

#include "base/str.h"

struct mcp_prompt {
    const char *name, *title, *description;
    const char *argument; /* the only one, an id, always required; NULL: none */
    const char *argument_title, *argument_description;
    const char *scheme; /* before the id: the URI of what the prompt is about */
    const char *text;   /* what to ask */
};

/* NULL: there is none. */
const struct mcp_prompt *mcp_prompt_find(struct str name);

#endif
