/*
 * tools_check: arguments of a tool against the fields it has.
 */
#include "api/tools.h"

#include <stdio.h>

#include "base/utf8.h"

static bool is_named(const struct tool_field *fields, struct str key)
{
    for (; fields->name != NULL; fields++) {
        if (str_eq_lit(key, fields->name))
            return true;
    }
    return false;
}

static void check_word(struct params *p, const struct tool_field *f, struct str text, const char *where)
{
    char list[200];
    size_t n = 0;

    if (f->words == NULL)
        return;
    for (const char *const *w = f->words; *w != NULL; w++) {
        if (str_eq_lit(text, *w))
            return;
        if (n < sizeof(list))
            n += (size_t)snprintf(list + n, sizeof(list) - n, "%s%s", n > 0 ? ", " : "", *w);
    }
    params_fault(p, PARAMS_INVALID_VALUE, where, str_from(f->name), "must be one of: %s%s", list,
                 n >= sizeof(list) ? "…" : "");
}

static void check_texts(struct params *p, const struct tool_field *f, const struct json *value, const char *where)
{
    const struct json *item = NULL;
    size_t count = 0;

    while (params_body_words(p, value, where, str_from(f->name), &item)) {
        check_word(p, f, item->text, where);
        count++;
    }
    if (f->most > 0 && value->type == JSON_ARRAY && ((double)count < f->least || (double)count > f->most))
        params_fault(p, PARAMS_OUT_OF_RANGE, where, str_from(f->name), "must have %.0f to %.0f items", f->least,
                     f->most);
}

static void check_object(struct params *p, const struct tool_field *f, const struct json *value, const char *where)
{
    char inside[96];

    if (value->type != JSON_OBJECT) {
        params_fault(p, PARAMS_WRONG_TYPE, where, str_from(f->name), "must be an object");
        return;
    }
    snprintf(inside, sizeof(inside), "%s.%s", where, f->name);
    if (f->members != NULL)
        tools_check(p, f->members, value, inside);
}

static void check_field(struct params *p, const struct tool_field *f, const struct json *object, const char *where)
{
    const struct json *value = json_get(object, f->name);
    struct str text;
    double number;
    int64_t whole;
    bool flag;

    if (value == NULL || value->type == JSON_NULL) {
        if (f->required)
            params_fault(p, PARAMS_MISSING, where, str_from(f->name), "is required");
        return;
    }
    switch (f->type) {
    case TOOL_TEXT:
        if (params_body_text(p, object, where, f->name, TOOLS_MAX_TEXT, &text))
            check_word(p, f, text, where);
        break;
    case TOOL_INT:
        (void)params_body_int(p, object, where, f->name, (int64_t)f->least, (int64_t)f->most, &whole);
        break;
    case TOOL_NUMBER:
        (void)params_body_number(p, object, where, f->name, f->least, f->most, &number);
        break;
    case TOOL_BOOL:
        (void)params_body_bool(p, object, where, f->name, &flag);
        break;
    case TOOL_TEXTS:
        check_texts(p, f, value, where);
        break;
    case TOOL_OBJECT:
    case TOOL_SEGMENTS:
        check_object(p, f, value, where);
        break;
    case TOOL_LIST:
        break;
    }
}

void tools_check(struct params *p, const struct tool_field *fields, const struct json *object, const char *where)
{
    for (const struct json *m = object != NULL ? object->first : NULL; m != NULL; m = m->next) {
        if (!is_named(fields, m->key))
            params_fault(p, PARAMS_UNKNOWN_FIELD, where, m->key, "is not a known field");
    }
    for (const struct tool_field *f = fields; f->name != NULL; f++)
        check_field(p, f, object, where);
}
