/*
 * mcp_complete: the method completion/complete: ids that begin as the text given does.
 */
#include <string.h>

#include "api/mcp.h"
#include "api/mcp_prompt.h"
#include "api/mcp_resource.h"
#include "api/request.h"
#include "base/fmt.h"
#include "model/archetype.h"

#define MAX_VALUES 100
#define MAX_DIGITS 19 /* of a customer id */

/* What is collected: the first MAX_VALUES of them, and how many there are. */
struct values {
    struct json_writer *w;
    size_t given, total;
};

/* Rows whose ids are below. */
static size_t rows_below(const struct population *p, uint64_t id)
{
    size_t low = 0, high = p->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if ((uint64_t)p->rows[middle].customer_id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void add_rows(struct values *v, const struct population *p, size_t from, size_t to)
{
    char id[24];

    v->total += to - from;
    for (size_t row = from; row < to && v->given < MAX_VALUES; row++, v->given++) {
        size_t n = fmt_i64(id, p->rows[row].customer_id);

        json_str(v->w, (struct str){ id, n });
    }
}

/* Rows are in the order of their numbers: of each length, those that begin so stand together. */
static void add_customers(struct values *v, const struct population *p, struct str prefix)
{
    uint64_t first, width = 1;

    if (prefix.len == 0) {
        add_rows(v, p, 0, p->count);
        return;
    }
    if (prefix.len > MAX_DIGITS || prefix.p[0] == '0' || !str_to_u64(prefix, &first))
        return;
    for (size_t digits = prefix.len; digits <= MAX_DIGITS; digits++) {
        uint64_t low = first * width;

        add_rows(v, p, rows_below(p, low), rows_below(p, low + width));
        width *= 10;
    }
}

static void add_archetypes(struct values *v, const struct population *p, struct str prefix)
{
    char id[ARCHETYPE_ID_SIZE];

    for (size_t i = 0; i < p->archetype_count; i++) {
        archetype_format_id(id, p->archetypes[i].id);
        if (prefix.len >= sizeof(id) || memcmp(id, prefix.p, prefix.len) != 0)
            continue;
        v->total++;
        if (v->given < MAX_VALUES) {
            json_cstr(v->w, id);
            v->given++;
        }
    }
}

/* The scheme of the ids that the argument of the reference takes; NULL: there is no such argument. */
static const char *scheme_of(const struct json *ref, struct str argument)
{
    const struct json *type = json_get(ref, "type"), *name = json_get(ref, "name"), *uri = json_get(ref, "uri");
    const struct mcp_prompt *p = NULL;
    const char *scheme;

    if (type == NULL || type->type != JSON_STRING)
        return NULL;
    if (str_eq_lit(type->text, "ref/prompt") && name != NULL && name->type == JSON_STRING)
        p = mcp_prompt_find(name->text);
    if (p != NULL && p->argument != NULL && str_eq_lit(argument, p->argument))
        return p->scheme;
    if (str_eq_lit(type->text, "ref/resource") && uri != NULL && uri->type == JSON_STRING &&
        mcp_resource_is_template(uri->text, &scheme) && str_eq_lit(argument, "id"))
        return scheme;
    return NULL;
}

static void answer(struct mcp_call *m, const char *scheme, struct str prefix)
{
    struct json_writer w;
    struct values v = { .w = &w };

    mcp_result_begin(m, &w);
    json_key(&w, "completion");
    json_object_begin(&w);
    json_key(&w, "values");
    json_array_begin(&w);
    if (m->q->data != NULL && strcmp(scheme, MCP_CUSTOMER_URI) == 0)
        add_customers(&v, m->q->data->population, prefix);
    else if (m->q->data != NULL)
        add_archetypes(&v, m->q->data->population, prefix);
    json_array_end(&w);
    json_kv_int(&w, "total", (int64_t)v.total);
    json_kv_bool(&w, "hasMore", v.total > v.given);
    json_object_end(&w);
    mcp_result_end(m, &w);
}

void mcp_complete(struct mcp_call *m)
{
    const struct json *argument = json_get(m->message.params, "argument");
    const struct json *name = json_get(argument, "name"), *value = json_get(argument, "value");
    const char *scheme;

    if (name == NULL || name->type != JSON_STRING || value == NULL || value->type != JSON_STRING) {
        mcp_fail(m, MCP_INVALID_PARAMS, "completion/complete needs an argument with name and value, both texts");
        return;
    }
    scheme = scheme_of(json_get(m->message.params, "ref"), name->text);
    if (scheme == NULL)
        mcp_fail(m, MCP_INVALID_PARAMS, "ref and argument name no argument of a prompt or resource template");
    else
        answer(m, scheme, value->text);
}
