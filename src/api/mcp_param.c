/*
 * mcp_param: see the header.
 */
#include "api/mcp_param.h"

#include <string.h>

#include "api/tools.h"
#include "base/utf8.h"

#define SENTINEL_BEGIN "=?base64?"
#define SENTINEL_END   "?="
#define HEADER_BEGIN   "Mcp-Param-"

/* Standard base64 with its padding; nothing but what an encoder writes. */
static bool decode_base64(struct str s, struct arena *a, struct str *out)
{
    char *url = arena_alloc(a, s.len + 1), *bytes = arena_alloc(a, s.len + 1);
    size_t n = s.len;
    long len;

    if (url == NULL || bytes == NULL || s.len % 4 != 0)
        return false;
    while (n > 0 && s.len - n < 2 && s.p[n - 1] == '=')
        n--;
    for (size_t i = 0; i < n; i++) {
        char c = s.p[i];

        if (c == '-' || c == '_')
            return false;
        url[i] = c == '+' ? '-' : c == '/' ? '_' : c;
    }
    len = str_base64url_decode((uint8_t *)bytes, s.len + 1, (struct str){ url, n });
    if (len < 0)
        return false;
    *out = (struct str){ bytes, (size_t)len };
    return true;
}

bool mcp_header_decode(struct str value, struct arena *a, struct str *out)
{
    size_t begin = sizeof(SENTINEL_BEGIN) - 1, end = sizeof(SENTINEL_END) - 1;

    *out = value;
    if (value.len < begin + end || !str_starts(value, SENTINEL_BEGIN) ||
        memcmp(value.p + value.len - end, SENTINEL_END, end) != 0)
        return utf8_valid(value);
    return decode_base64((struct str){ value.p + begin, value.len - begin - end }, a, out) && utf8_valid(*out);
}

/* The header of a field; its number, too. */
static struct str header_of(const struct http_head *head, const char *name, unsigned *count)
{
    size_t begin = sizeof(HEADER_BEGIN) - 1;
    struct str value = STR_NONE;

    *count = 0;
    for (unsigned i = 0; i < head->header_count; i++) {
        struct str h = head->headers[i].name;

        if (h.len <= begin || !str_ieq((struct str){ h.p, begin }, HEADER_BEGIN) ||
            !str_ieq((struct str){ h.p + begin, h.len - begin }, name))
            continue;
        value = head->headers[i].value;
        (*count)++;
    }
    return value;
}

static bool is_equal(const struct json *argument, struct str text)
{
    int64_t a, b;

    switch (argument->type) {
    case JSON_STRING:
        return str_eq(argument->text, text);
    case JSON_NUMBER:
        return json_i64(argument, &a) && json_i64(&(struct json){ .type = JSON_NUMBER, .text = text }, &b) && a == b;
    case JSON_BOOL:
        return str_eq_lit(text, argument->boolean ? "true" : "false");
    default:
        return false;
    }
}

static const char *check_field(const struct http_head *head, const struct tool_field *f, const struct json *argument,
                               struct arena *a)
{
    struct str value, text;
    unsigned count;
    const char *wrong = NULL;

    value = header_of(head, f->header, &count);
    if (argument != NULL && argument->type == JSON_NULL)
        argument = NULL;
    if (count > 1)
        wrong = "is given twice";
    else if (argument == NULL && count > 0)
        wrong = "names an argument that the body does not give";
    else if (argument != NULL && count == 0)
        wrong = "is missing";
    else if (argument != NULL && !mcp_header_decode(value, a, &text))
        wrong = "is no valid base64 of UTF-8";
    else if (argument != NULL && !is_equal(argument, text))
        wrong = "differs from the argument of the body";
    if (wrong == NULL)
        return NULL;
    wrong = arena_printf(a, HEADER_BEGIN "%s %s", f->header, wrong);
    return wrong != NULL ? wrong : "An Mcp-Param header differs from the body";
}

const char *mcp_param_check(const struct http_head *head, const struct mcp_message *m, struct arena *a)
{
    const struct json *name = json_get(m->params, "name"), *arguments = json_get(m->params, "arguments");
    const struct tool *t = NULL;
    const char *wrong = NULL;

    if (str_eq_lit(m->method, "tools/call") && name != NULL && name->type == JSON_STRING)
        t = tools_find(name->text);
    if (t == NULL)
        return NULL;
    for (const struct tool_field *f = t->arguments; wrong == NULL && f->name != NULL; f++) {
        if (f->header != NULL)
            wrong = check_field(head, f, json_get(arguments, f->name), a);
    }
    return wrong;
}

static bool is_first_use(const struct tool *tool, const struct tool_field *field)
{
    for (const struct tool *t = tools; t <= tool; t++) {
        for (const struct tool_field *f = t->arguments; f->name != NULL; f++) {
            if (f == field && t == tool)
                return true;
            if (f->header != NULL && str_ieq(str_from(f->header), field->header))
                return false;
        }
    }
    return true;
}

struct str mcp_param_header_names(struct arena *a)
{
    const char *names = ", MCP-Protocol-Version, Mcp-Method, Mcp-Name, Mcp-Session-Id, Last-Event-ID";

    for (size_t i = 0; i < tools_count; i++) {
        for (const struct tool_field *f = tools[i].arguments; names != NULL && f->name != NULL; f++) {
            if (f->header != NULL && is_first_use(&tools[i], f))
                names = arena_printf(a, "%s, " HEADER_BEGIN "%s", names, f->header);
        }
    }
    return str_from(names);
}
