/*
 * mcp_resources: the methods resources/…. The list holds the archetypes, page by page, the largest first; customers
 * are too many to list and are found by tools.
 */
#include <string.h>

#include "api/cursor.h"
#include "api/customer.h"
#include "api/errors.h"
#include "api/mcp_error.h"
#include "api/mcp_resource.h"
#include "api/present.h"
#include "api/present_archetype.h"
#include "api/request.h"
#include "model/archetype.h"

#define PAGE_ARCHETYPES  100
#define CURSOR_BINDING   0x6d63702d72657331 /* of cursors of this list alone */
#define TEMPLATES_TTL_MS 3600000
#define RESOURCE_TTL_MS  60000

/* ---- kinds ---- */

static bool write_customer(struct buf *out, const struct dataset *d, struct str id)
{
    const struct population_row *row = customer_find(d->population, id);

    if (row != NULL)
        present_profile(out, d, row);
    return row != NULL;
}

static bool write_archetype(struct buf *out, const struct dataset *d, struct str id)
{
    const struct population_archetype *a = present_archetype_find(d->population, id);
    struct json_writer w;

    json_writer_init(&w, out);
    if (a != NULL)
        present_archetype(&w, d, a);
    return a != NULL;
}

static const struct kind {
    const char *scheme, *template, *name, *title, *description;
    bool (*write)(struct buf *out, const struct dataset *d, struct str id);
} kinds[] = {
    { MCP_CUSTOMER_URI, MCP_CUSTOMER_URI "{id}", "customer", "Customer",
      "Everything known about one customer, by id: segments, business metrics, churn risk, predictions.",
      write_customer },
    { MCP_ARCHETYPE_URI, MCP_ARCHETYPE_URI "{id}", "archetype", "Archetype",
      "Size, value, risk and typical behaviour of one archetype, by id (arch_ and 12 digits).", write_archetype },
};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

bool mcp_resource_is_template(struct str uri, const char **scheme)
{
    for (size_t i = 0; i < KINDS; i++) {
        *scheme = kinds[i].scheme;
        if (str_eq_lit(uri, kinds[i].template))
            return true;
    }
    return false;
}

enum mcp_resource mcp_resource_fetch(struct api_request *q, struct str uri, struct str *text)
{
    struct buf *out = &q->api->result;

    for (size_t i = 0; i < KINDS; i++) {
        size_t n = strlen(kinds[i].scheme);

        if (!str_starts(uri, kinds[i].scheme))
            continue;
        if (q->data == NULL)
            return MCP_RESOURCE_NO_DATA;
        buf_reset(out);
        if (!kinds[i].write(out, q->data, (struct str){ uri.p + n, uri.len - n }))
            return MCP_RESOURCE_MISSING;
        *text = buf_str(out);
        return out->failed ? MCP_RESOURCE_NO_MEMORY : MCP_RESOURCE_FOUND;
    }
    return MCP_RESOURCE_MISSING;
}

void mcp_resource_put(struct json_writer *w, struct str uri, struct str text)
{
    json_object_begin(w);
    json_kv_str(w, "uri", uri);
    json_kv_cstr(w, "mimeType", MCP_RESOURCE_TYPE);
    json_kv_str(w, "text", text);
    json_object_end(w);
}

void mcp_resource_fail(struct mcp_call *m, enum mcp_resource why, struct str uri)
{
    int code = m->message.era == MCP_MODERN ? MCP_INVALID_PARAMS : MCP_LEGACY_RESOURCE_NOT_FOUND;

    if (why == MCP_RESOURCE_NO_MEMORY)
        error_no_memory(m->q);
    else if (why == MCP_RESOURCE_NO_DATA)
        mcp_fail(m, MCP_INTERNAL_ERROR, "No customers loaded. Try again in %d seconds.", ERROR_RETRY_NO_DATA_S);
    else
        mcp_error_fault(m->q, 200, &(struct mcp_fault){ .code = code, .message = "Resource not found", .uri = uri });
}

/* ---- methods ---- */

void mcp_resources_read(struct mcp_call *m)
{
    struct str uri = mcp_text(m, "uri"), text;
    enum mcp_resource found;
    struct json_writer w;

    if (uri.p == NULL) {
        mcp_fail(m, MCP_INVALID_PARAMS, "resources/read needs a uri");
        return;
    }
    found = mcp_resource_fetch(m->q, uri, &text);
    if (found != MCP_RESOURCE_FOUND) {
        mcp_resource_fail(m, found, uri);
        return;
    }
    mcp_result_begin(m, &w);
    json_key(&w, "contents");
    json_array_begin(&w);
    mcp_resource_put(&w, uri, text);
    json_array_end(&w);
    mcp_put_hints(m, &w, RESOURCE_TTL_MS, MCP_PRIVATE);
    mcp_result_end(m, &w);
}

void mcp_resources_templates(struct mcp_call *m)
{
    struct json_writer w;

    if (!mcp_has_one_page(m))
        return;
    mcp_result_begin(m, &w);
    json_key(&w, "resourceTemplates");
    json_array_begin(&w);
    for (size_t i = 0; i < KINDS; i++) {
        json_object_begin(&w);
        json_kv_cstr(&w, "uriTemplate", kinds[i].template);
        json_kv_cstr(&w, "name", kinds[i].name);
        json_kv_cstr(&w, "title", kinds[i].title);
        json_kv_cstr(&w, "description", kinds[i].description);
        json_kv_cstr(&w, "mimeType", MCP_RESOURCE_TYPE);
        json_object_end(&w);
    }
    json_array_end(&w);
    mcp_put_hints(m, &w, TEMPLATES_TTL_MS, MCP_PUBLIC);
    mcp_result_end(m, &w);
}

/* ---- resources/list ---- */

/* False: an invalid cursor, and the call has failed. Without one `present` is false. */
static bool read_cursor(struct mcp_call *m, struct select_cursor *c)
{
    const struct json *given = json_get(m->message.params, "cursor");

    *c = (struct select_cursor){ .present = false };
    if (given == NULL || (given->type == JSON_STRING && given->text.len == 0))
        return true;
    if (given->type == JSON_STRING && cursor_decode(c, m->q->api->cursor_key, CURSOR_BINDING, given->text))
        return true;
    mcp_fail(m, MCP_INVALID_PARAMS, "Invalid cursor");
    return false;
}

/* Does the archetype stand behind the place the cursor names? */
static bool is_behind(const struct population_archetype *a, const struct select_cursor *c)
{
    double members = (double)a->members;

    return !c->present || members < c->key || (members == c->key && (int64_t)a->id > c->id);
}

static void put_archetype_resource(struct json_writer *w, const struct population_archetype *a)
{
    char uri[sizeof(MCP_ARCHETYPE_URI) + ARCHETYPE_ID_SIZE], name[ARCHETYPE_NAME_SIZE];

    memcpy(uri, MCP_ARCHETYPE_URI, sizeof(MCP_ARCHETYPE_URI) - 1);
    archetype_format_id(uri + sizeof(MCP_ARCHETYPE_URI) - 1, a->id);
    json_object_begin(w);
    json_kv_cstr(w, "uri", uri);
    json_kv_cstr(w, "name", uri + sizeof(MCP_ARCHETYPE_URI) - 1);
    json_kv_cstr(w, "title", archetype_name(name, a->words));
    json_kv_cstr(w, "mimeType", MCP_RESOURCE_TYPE);
    json_object_end(w);
}

/* At most a page; *next: where the next one begins, if there is one. */
static void put_page(struct json_writer *w, const struct population_archetype **ranked, size_t count,
                     const struct select_cursor *from, struct select_cursor *next)
{
    size_t given = 0;

    next->present = false;
    for (size_t i = 0; i < count; i++) {
        if (!is_behind(ranked[i], from))
            continue;
        if (given == PAGE_ARCHETYPES) {
            next->present = true;
            break;
        }
        put_archetype_resource(w, ranked[i]);
        next->key = (double)ranked[i]->members;
        next->id = (int64_t)ranked[i]->id;
        given++;
    }
}

void mcp_resources_list(struct mcp_call *m)
{
    const struct population *p = m->q->data != NULL ? m->q->data->population : NULL;
    const struct population_archetype **ranked = NULL;
    struct select_cursor from, next = { .present = false };
    char text[CURSOR_SIZE];
    struct json_writer w;
    size_t count = 0;

    if (!read_cursor(m, &from))
        return;
    if (p != NULL && p->archetype_count > 0)
        ranked = present_archetypes_ranked(p, ARCHETYPE_MEMBERS, p->archetype_count, &m->q->http->arena, &count);
    if (p != NULL && p->archetype_count > 0 && ranked == NULL) {
        error_no_memory(m->q);
        return;
    }
    mcp_result_begin(m, &w);
    json_key(&w, "resources");
    json_array_begin(&w);
    put_page(&w, ranked, count, &from, &next);
    json_array_end(&w);
    if (next.present)
        json_kv_str(&w, "nextCursor",
                    (struct str){ text, cursor_encode(text, m->q->api->cursor_key, CURSOR_BINDING, &next) });
    mcp_put_hints(m, &w, RESOURCE_TTL_MS, MCP_PRIVATE);
    mcp_result_end(m, &w);
}
