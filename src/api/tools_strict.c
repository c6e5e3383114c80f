/*
 * tools_strict: the tools as a provider that guarantees its arguments takes them, and those arguments back.
 *
 * Such schemas know no bounds and few optional fields (24 in all the tools of a request). So fields with an initial
 * value are required here, and an object of many optional members is a list of {field, value}, of which none is.
 */
#include "api/tools.h"

#include <string.h>

#include "model/axes_vocab.h"

#define SEGMENT_PREFIX "segment."

static void write_words(struct json_writer *w, const char *const *words)
{
    json_key(w, "enum");
    json_array_begin(w);
    for (; *words != NULL; words++)
        json_cstr(w, *words);
    json_array_end(w);
}

/* Names of the members; of a map of axes one for each. */
static void write_names(struct json_writer *w, const struct tool_field *members)
{
    char name[64] = SEGMENT_PREFIX;

    json_key(w, "enum");
    json_array_begin(w);
    for (const struct tool_field *m = members; m->name != NULL; m++) {
        if (m->type != TOOL_SEGMENTS) {
            json_cstr(w, m->name);
            continue;
        }
        for (unsigned axis = 0; axis < AXIS_COUNT; axis++) {
            str_copy(name + sizeof(SEGMENT_PREFIX) - 1, sizeof(name) - sizeof(SEGMENT_PREFIX) + 1,
                     str_from(axes_vocab[axis].name));
            json_cstr(w, name);
        }
    }
    json_array_end(w);
}

static void write_conditions(struct json_writer *w, const struct tool_field *f)
{
    json_kv_cstr(w, "type", "array");
    json_key(w, "items");
    json_object_begin(w);
    json_kv_cstr(w, "type", "object");
    json_key(w, "properties");
    json_object_begin(w);
    json_key(w, "field");
    json_object_begin(w);
    json_kv_cstr(w, "type", "string");
    write_names(w, f->members);
    json_object_end(w);
    json_key(w, "value");
    json_object_begin(w);
    json_kv_cstr(w, "type", "string");
    json_object_end(w);
    json_object_end(w);
    json_key(w, "required");
    json_array_begin(w);
    json_cstr(w, "field");
    json_cstr(w, "value");
    json_array_end(w);
    json_kv_bool(w, "additionalProperties", false);
    json_object_end(w);
}

static void write_field(struct json_writer *w, const struct tool_field *f)
{
    static const char *const types[] = {
        [TOOL_TEXT] = "string", [TOOL_INT] = "integer", [TOOL_NUMBER] = "number", [TOOL_BOOL] = "boolean"
    };

    json_key(w, f->name);
    json_object_begin(w);
    json_kv_cstr(w, "description", f->description);
    if (f->type == TOOL_OBJECT) {
        write_conditions(w, f);
    } else if (f->type == TOOL_TEXTS) {
        json_kv_cstr(w, "type", "array");
        json_key(w, "items");
        json_object_begin(w);
        json_kv_cstr(w, "type", "string");
        json_object_end(w);
    } else {
        json_kv_cstr(w, "type", types[f->type]);
        if (f->words != NULL)
            write_words(w, f->words);
    }
    json_object_end(w);
}

static bool is_required(const struct tool_field *f)
{
    return f->required || f->has_initial || f->type == TOOL_OBJECT;
}

void tools_write_strict_schema(struct json_writer *w, const struct tool *t)
{
    json_object_begin(w);
    json_kv_cstr(w, "type", "object");
    json_key(w, "properties");
    json_object_begin(w);
    for (const struct tool_field *f = t->arguments; f->name != NULL; f++)
        write_field(w, f);
    json_object_end(w);
    json_key(w, "required");
    json_array_begin(w);
    for (const struct tool_field *f = t->arguments; f->name != NULL; f++) {
        if (is_required(f))
            json_cstr(w, f->name);
    }
    json_array_end(w);
    json_kv_bool(w, "additionalProperties", false);
    json_object_end(w);
}

/* ---- back ---- */

static struct json *add(struct arena *a, struct json *object, struct str key, enum json_type type, struct str text)
{
    struct json *n = arena_zalloc(a, sizeof(*n)), **at = &object->first;

    if (n == NULL)
        return NULL;
    *n = (struct json){ .type = type, .key = key, .text = text };
    while (*at != NULL)
        at = &(*at)->next;
    *at = n;
    object->count++;
    return n;
}

/* A second value for a key makes a list of both. False: no memory. */
static bool add_text(struct arena *a, struct json *object, struct str key, struct str value)
{
    struct json *n = object->first;

    while (n != NULL && !str_eq(n->key, key))
        n = n->next;
    if (n == NULL)
        return add(a, object, key, JSON_STRING, value) != NULL;
    if (n->type == JSON_STRING) {
        struct str first = n->text;

        n->type = JSON_ARRAY;
        n->text = STR_NONE;
        if (add(a, n, STR_NONE, JSON_STRING, first) == NULL)
            return false;
    }
    return add(a, n, STR_NONE, JSON_STRING, value) != NULL;
}

static struct json *map_of(struct arena *a, struct json *object, const char *name)
{
    for (struct json *n = object->first; n != NULL; n = n->next) {
        if (str_eq_lit(n->key, name))
            return n;
    }
    return add(a, object, str_from(name), JSON_OBJECT, STR_NONE);
}

/* Adds what one condition says to the object; what can't be is left out. False: no memory. */
static bool take_condition(struct arena *a, const struct tool_field *members, struct json *object, struct str field,
                           struct str value)
{
    const struct tool_field *m = members;
    bool segment = str_starts(field, SEGMENT_PREFIX);
    struct json *n;
    double number;
    bool flag;

    while (m->name != NULL && !(segment ? m->type == TOOL_SEGMENTS : str_eq_lit(field, m->name)))
        m++;
    if (m->name == NULL)
        return true;
    switch (m->type) {
    case TOOL_SEGMENTS:
        n = map_of(a, object, m->name);
        field = (struct str){ field.p + sizeof(SEGMENT_PREFIX) - 1, field.len - sizeof(SEGMENT_PREFIX) + 1 };
        return n != NULL && add_text(a, n, field, value);
    case TOOL_INT:
    case TOOL_NUMBER:
        return !str_to_double(value, &number) || add(a, object, field, JSON_NUMBER, value) != NULL;
    case TOOL_BOOL:
        if (!str_to_bool(value, &flag))
            return true;
        n = add(a, object, field, JSON_BOOL, STR_NONE);
        if (n != NULL)
            n->boolean = flag;
        return n != NULL;
    default:
        return add_text(a, object, field, value);
    }
}

/* Turns the list of conditions into the object. */
static bool restore(struct arena *a, const struct tool_field *f, struct json *list)
{
    struct json object = { .type = JSON_OBJECT, .key = list->key, .next = list->next };

    for (const struct json *c = list->first; c != NULL; c = c->next) {
        const struct json *field = json_get(c, "field"), *value = json_get(c, "value");

        if (field != NULL && field->type == JSON_STRING && value != NULL && value->type == JSON_STRING &&
            !take_condition(a, f->members, &object, field->text, value->text))
            return false;
    }
    *list = object;
    return true;
}

bool tools_from_strict(struct arena *a, const struct tool *t, struct json *arguments)
{
    for (struct json *m = arguments->first; m != NULL; m = m->next) {
        const struct tool_field *f = t->arguments;

        while (f->name != NULL && !str_eq_lit(m->key, f->name))
            f++;
        if (f->name != NULL && f->type == TOOL_OBJECT && m->type == JSON_ARRAY && !restore(a, f, m))
            return false;
    }
    return true;
}
