/*
 * tools_adjust: arguments that somebody guessed, brought within what the tool takes.
 */
#include "api/tools.h"

#include <string.h>

#include "base/fmt.h"
#include "base/utf8.h"
#include "model/axes_vocab.h"

static const struct tool_field *field_of(const struct tool_field *fields, struct str key)
{
    for (; fields->name != NULL; fields++) {
        if (str_eq_lit(key, fields->name))
            return fields;
    }
    return NULL;
}

static bool is_word(const char *const *words, struct str text)
{
    for (; words != NULL && *words != NULL; words++) {
        if (str_eq_lit(text, *words))
            return true;
    }
    return words == NULL;
}

/* Each answers false when nothing of the value can be used. */

static bool adjust_number(struct arena *a, const struct tool_field *f, struct json *n)
{
    char text[FMT_MAX];
    double v;

    if (n->type != JSON_NUMBER || !json_double(n, &v))
        return false;
    if (v < f->least)
        v = f->least;
    if (v > f->most)
        v = f->most;
    size_t len = f->type == TOOL_INT ? fmt_i64(text, (int64_t)v) : fmt_double(text, v);
    n->text = (struct str){ arena_strdup(a, (struct str){ text, len }), len };
    return n->text.p != NULL;
}

static bool adjust_text(const struct tool_field *f, const struct json *n)
{
    return n->type == JSON_STRING && n->text.len > 0 && utf8_length(n->text) <= TOOLS_MAX_TEXT &&
           is_word(f->words, n->text);
}

/* Keeps of the list what `fits` says, at most `most`. */
static void keep(struct json *list, const void *context, bool (*fits)(const void *context, struct json *n),
                 size_t most)
{
    struct json **at = &list->first;

    list->count = 0;
    while (*at != NULL) {
        if (list->count < most && fits(context, *at)) {
            list->count++;
            at = &(*at)->next;
        } else {
            *at = (*at)->next;
        }
    }
}

static bool fits_text(const void *field, struct json *n)
{
    return adjust_text(field, n);
}

static bool fits_axis_word(const void *axis, struct json *n)
{
    return n->type == JSON_STRING && axes_vocab_find_word(*(const unsigned *)axis, n->text) >= 0;
}

static bool fits_axis(const void *unused, struct json *n)
{
    int axis = axes_vocab_find(n->key);
    unsigned number = (unsigned)axis;

    (void)unused;
    if (axis < 0)
        return false;
    if (n->type != JSON_ARRAY)
        return fits_axis_word(&number, n);
    keep(n, &number, fits_axis_word, SIZE_MAX);
    return n->count > 0;
}

struct members {
    struct arena *arena;
    const struct tool_field *fields;
};

static bool fits_member(const void *context, struct json *n);

static bool adjust(struct arena *a, const struct tool_field *f, struct json *n)
{
    struct members inside = { a, f->members };

    switch (f->type) {
    case TOOL_INT:
    case TOOL_NUMBER:
        return adjust_number(a, f, n);
    case TOOL_TEXT:
        return adjust_text(f, n);
    case TOOL_BOOL:
        return n->type == JSON_BOOL;
    case TOOL_TEXTS:
        if (n->type != JSON_ARRAY)
            return adjust_text(f, n);
        keep(n, f, fits_text, f->most > 0 ? (size_t)f->most : SIZE_MAX);
        return n->count > 0;
    case TOOL_SEGMENTS:
        if (n->type == JSON_OBJECT)
            keep(n, NULL, fits_axis, SIZE_MAX);
        return n->type == JSON_OBJECT && n->count > 0;
    case TOOL_OBJECT:
        if (n->type == JSON_OBJECT)
            keep(n, &inside, fits_member, SIZE_MAX);
        return n->type == JSON_OBJECT && n->count > 0;
    case TOOL_LIST:
        break;
    }
    return false;
}

static bool fits_member(const void *context, struct json *n)
{
    const struct members *m = context;
    const struct tool_field *f = field_of(m->fields, n->key);

    return f != NULL && adjust(m->arena, f, n);
}

/* x_min above x_max: the one that is greater is meant to be the most. */
static void order_bounds(struct json *object)
{
    for (struct json *low = object->first; low != NULL; low = low->next) {
        double least, most;

        if (low->key.len < 4 || !str_eq_lit((struct str){ low->key.p + low->key.len - 4, 4 }, "_min"))
            continue;
        for (struct json *high = object->first; high != NULL; high = high->next) {
            struct str swapped = low->text;

            if (high->key.len != low->key.len || memcmp(high->key.p, low->key.p, low->key.len - 4) != 0 ||
                high == low || !json_double(low, &least) || !json_double(high, &most) || least <= most)
                continue;
            low->text = high->text;
            high->text = swapped;
        }
    }
}

void tools_adjust(struct arena *a, const struct tool *t, struct json *arguments)
{
    struct members all = { a, t->arguments };

    keep(arguments, &all, fits_member, SIZE_MAX);
    for (struct json *m = arguments->first; m != NULL; m = m->next) {
        if (m->type == JSON_OBJECT)
            order_bounds(m);
    }
}
