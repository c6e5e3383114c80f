/* Any head and body make a message or a fault in words; what is answered is one or the other. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "api/mcp_message.h"
#include "api/tools.h"

#define MAX_BYTES (1U << 20)

/* The message must be one that the methods can trust. */
static void check_message(const struct mcp_message *m, const struct mcp_fault *f, bool good)
{
    if (!good && (f->code == 0 || f->message == NULL))
        abort();
    if (good && m->kind != MCP_RESPONSE && m->method.len == 0)
        abort();
    if (good && (m->kind == MCP_REQUEST) != (m->id != NULL) && m->kind != MCP_RESPONSE)
        abort();
    if (good && m->params != NULL && m->params->type != JSON_OBJECT)
        abort();
    if (m->id != NULL && m->id->type != JSON_STRING && m->id->type != JSON_NUMBER)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    static struct http_head head;
    struct mcp_message m;
    struct mcp_fault f;
    struct arena arena;
    const struct json *body;
    const char *why;

    tools_init();
    if (http_parse_head(&head, (const char *)bytes, n, 16384) != 0)
        return 0;
    arena_init(&arena, 64 * MAX_BYTES);
    body = json_parse(&arena, (struct str){ (const char *)bytes + head.head_bytes, n - head.head_bytes }, &why);
    if (body != NULL)
        check_message(&m, &f, mcp_message_read(&m, &head, body, &arena, &f));
    arena_free(&arena);
    return 0;
}
