/*
 * tools_schema: the fields of a tool as JSON Schema.
 */
#include "api/tools.h"

#include <math.h>

#include "model/axes_vocab.h"

static const char *type_name(enum tool_type type)
{
    static const char *const names[] = {
        [TOOL_TEXT] = "string", [TOOL_INT] = "integer",   [TOOL_NUMBER] = "number",   [TOOL_BOOL] = "boolean",
        [TOOL_TEXTS] = "array", [TOOL_OBJECT] = "object", [TOOL_SEGMENTS] = "object", [TOOL_LIST] = "array",
    };

    return names[type];
}

static void write_words(struct json_writer *w, const char *const *words)
{
    if (words == NULL)
        return;
    json_key(w, "enum");
    json_array_begin(w);
    for (; *words != NULL; words++)
        json_cstr(w, *words);
    json_array_end(w);
}

static void write_number(struct json_writer *w, const char *key, const struct tool_field *f, double v)
{
    if (f->type == TOOL_INT || v == floor(v))
        json_kv_int(w, key, (int64_t)v);
    else
        json_kv_fixed(w, key, v, 4);
}

static void write_bounds(struct json_writer *w, const struct tool_field *f)
{
    if (f->most > 0) {
        write_number(w, "minimum", f, f->least);
        write_number(w, "maximum", f, f->most);
    }
    if (f->has_initial)
        write_number(w, "default", f, f->initial);
}

/* {"type": …} of one text. */
static void write_text_schema(struct json_writer *w, const char *const *words)
{
    json_object_begin(w);
    json_kv_cstr(w, "type", "string");
    write_words(w, words);
    json_object_end(w);
}

static void write_items(struct json_writer *w, const struct tool_field *f)
{
    json_kv_cstr(w, "type", "array");
    json_key(w, "items");
    write_text_schema(w, f->words);
    if (f->most > 0) {
        json_kv_int(w, "minItems", (int64_t)f->least);
        json_kv_int(w, "maxItems", (int64_t)f->most);
    }
}

/* anyOf of one text and several. */
static void write_text_or_texts(struct json_writer *w, const struct tool_field *f)
{
    json_key(w, "anyOf");
    json_array_begin(w);
    write_text_schema(w, f->words);
    json_object_begin(w);
    write_items(w, f);
    json_object_end(w);
    json_array_end(w);
}

static void write_axes(struct json_writer *w)
{
    const char *words[AXES_MAX_WORDS + 1];

    json_kv_cstr(w, "type", "object");
    json_key(w, "properties");
    json_object_begin(w);
    for (unsigned axis = 0; axis < AXIS_COUNT; axis++) {
        unsigned n = 0;

        for (; n < axes_vocab[axis].word_count; n++)
            words[n] = axes_vocab[axis].words[n].name;
        words[n] = NULL;
        json_key(w, axes_vocab[axis].name);
        json_object_begin(w);
        json_kv_cstr(w, "description", axes_vocab[axis].description);
        write_text_or_texts(w, &(struct tool_field){ .type = TOOL_TEXTS, .words = words });
        json_object_end(w);
    }
    json_object_end(w);
    json_kv_bool(w, "additionalProperties", false);
}

enum schema_use {
    OF_RESULT,
    OF_ARGUMENTS,
    OF_MCP_ARGUMENTS
};

static void write_object(struct json_writer *w, const struct tool_field *fields, enum schema_use use);

/* The members of one argument's schema. */
static void write_argument(struct json_writer *w, const struct tool_field *f, enum schema_use use)
{
    if (use == OF_MCP_ARGUMENTS && f->header != NULL)
        json_kv_cstr(w, "x-mcp-header", f->header);
    if (f->description != NULL)
        json_kv_cstr(w, "description", f->description);
    switch (f->type) {
    case TOOL_TEXTS:
        if (f->most > 0)
            write_items(w, f);
        else
            write_text_or_texts(w, f);
        break;
    case TOOL_SEGMENTS:
        write_axes(w);
        break;
    case TOOL_OBJECT:
        write_object(w, f->members, OF_ARGUMENTS);
        break;
    default:
        json_kv_cstr(w, "type", type_name(f->type));
        write_words(w, f->words);
        write_bounds(w, f);
    }
}

static void write_result_type(struct json_writer *w, const struct tool_field *f)
{
    if (f->type == TOOL_OBJECT && f->members != NULL) {
        write_object(w, f->members, OF_RESULT);
        return;
    }
    json_kv_cstr(w, "type", type_name(f->type));
    write_words(w, f->words);
    if (f->type == TOOL_TEXTS) {
        json_key(w, "items");
        write_text_schema(w, NULL);
    }
    if (f->type == TOOL_LIST) {
        json_key(w, "items");
        json_object_begin(w);
        json_kv_cstr(w, "type", "object");
        json_object_end(w);
    }
}

/* What may be null is said by branches: a list of types is not understood everywhere. */
static void write_result(struct json_writer *w, const struct tool_field *f)
{
    if (!f->nullable) {
        write_result_type(w, f);
        return;
    }
    json_key(w, "anyOf");
    json_array_begin(w);
    json_object_begin(w);
    write_result_type(w, f);
    json_object_end(w);
    json_object_begin(w);
    json_kv_cstr(w, "type", "null");
    json_object_end(w);
    json_array_end(w);
}

static void write_required(struct json_writer *w, const struct tool_field *fields, enum schema_use use)
{
    json_key(w, "required");
    json_array_begin(w);
    for (const struct tool_field *f = fields; f->name != NULL; f++) {
        if (use != OF_RESULT ? f->required : !f->optional)
            json_cstr(w, f->name);
    }
    json_array_end(w);
}

/* The members of an object's schema. Results may have more members than are named. */
static void write_object(struct json_writer *w, const struct tool_field *fields, enum schema_use use)
{
    json_kv_cstr(w, "type", "object");
    json_key(w, "properties");
    json_object_begin(w);
    for (const struct tool_field *f = fields; f->name != NULL; f++) {
        json_key(w, f->name);
        json_object_begin(w);
        if (use != OF_RESULT)
            write_argument(w, f, use);
        else
            write_result(w, f);
        json_object_end(w);
    }
    json_object_end(w);
    write_required(w, fields, use);
    if (use != OF_RESULT)
        json_kv_bool(w, "additionalProperties", false);
}

void tools_write_arguments_schema(struct json_writer *w, const struct tool *t)
{
    json_object_begin(w);
    write_object(w, t->arguments, OF_ARGUMENTS);
    json_object_end(w);
}

void tools_write_mcp_arguments_schema(struct json_writer *w, const struct tool *t)
{
    json_object_begin(w);
    write_object(w, t->arguments, OF_MCP_ARGUMENTS);
    json_object_end(w);
}

void tools_write_result_schema(struct json_writer *w, const struct tool *t)
{
    json_object_begin(w);
    write_object(w, t->result, OF_RESULT);
    json_object_end(w);
}

void tools_write_parameters(struct json_writer *w, const struct tool *t)
{
    json_object_begin(w);
    for (const struct tool_field *f = t->arguments; f->name != NULL; f++) {
        json_key(w, f->name);
        json_object_begin(w);
        json_kv_cstr(w, "type", type_name(f->type));
        json_kv_cstr(w, "description", f->description);
        json_kv_bool(w, "required", f->required);
        json_object_end(w);
    }
    json_object_end(w);
}
