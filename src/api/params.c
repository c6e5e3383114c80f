/*
 * params: see the header.
 */
#include "api/params.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/fmt.h"
#include "base/utf8.h"
#include "net/http_parse.h"

const char *params_fault_name(enum params_fault fault)
{
    static const char *const names[] = {
        [PARAMS_MISSING] = "missing",
        [PARAMS_WRONG_TYPE] = "wrong_type",
        [PARAMS_OUT_OF_RANGE] = "out_of_range",
        [PARAMS_UNKNOWN_FIELD] = "unknown_field",
        [PARAMS_INVALID_VALUE] = "invalid_value",
    };

    return names[fault];
}

void params_init(struct params *p, struct arena *a, struct str query)
{
    p->arena = a;
    p->query = query;
    p->count = 0;
}

void params_fault(struct params *p, enum params_fault fault, const char *where, struct str name, const char *fmt, ...)
{
    struct params_error *e;
    char message[256];
    va_list ap;

    if (p->count == PARAMS_MAX_ERRORS)
        return;
    va_start(ap, fmt);
    vsnprintf(message, sizeof(message), fmt, ap);
    va_end(ap);
    e = &p->errors[p->count++];
    e->fault = fault;
    e->field = arena_printf(p->arena, "%s.%.*s", where, (int)name.len, name.p);
    e->message = arena_strdup(p->arena, str_from(message));
}

static void fault_range(struct params *p, const char *where, const char *name, double least, double most)
{
    char low[FMT_MAX + 1], high[FMT_MAX + 1];

    low[fmt_double(low, least)] = '\0';
    high[fmt_double(high, most)] = '\0';
    params_fault(p, PARAMS_OUT_OF_RANGE, where, str_from(name), "must be between %s and %s", low, high);
}

struct str params_query_text(struct params *p, const char *name)
{
    struct str raw, text = STR_NONE;
    char *decoded;

    if (!http_query_get(p->query, name, &raw) || raw.len == 0)
        return STR_NONE;
    decoded = arena_alloc(p->arena, raw.len + 1);
    if (decoded == NULL || !http_percent_decode(decoded, raw.len + 1, raw, true, &text.len)) {
        params_fault(p, PARAMS_INVALID_VALUE, "query", str_from(name), "cannot be read");
        return STR_NONE;
    }
    text.p = decoded;
    return text;
}

static bool is_integer_text(struct str s)
{
    size_t sign = s.len > 0 && (s.p[0] == '-' || s.p[0] == '+');

    for (size_t i = sign; i < s.len; i++) {
        if (s.p[i] < '0' || s.p[i] > '9')
            return false;
    }
    return s.len > sign;
}

int64_t params_query_int(struct params *p, const char *name, int64_t least, int64_t most, int64_t initial)
{
    struct str text = params_query_text(p, name);
    int64_t v;

    if (text.len == 0)
        return initial;
    if (str_to_i64(text, &v)) {
        if (v >= least && v <= most)
            return v;
        fault_range(p, "query", name, (double)least, (double)most);
    } else if (is_integer_text(text)) { /* one beyond 64 bits */
        fault_range(p, "query", name, (double)least, (double)most);
    } else {
        params_fault(p, PARAMS_WRONG_TYPE, "query", str_from(name), "must be an integer");
    }
    return initial;
}

double params_query_number(struct params *p, const char *name, double least, double most, double initial)
{
    struct str text = params_query_text(p, name);
    double v;

    if (text.len == 0)
        return initial;
    if (!str_to_double(text, &v))
        params_fault(p, PARAMS_WRONG_TYPE, "query", str_from(name), "must be a number");
    else if (v < least || v > most)
        fault_range(p, "query", name, least, most);
    else
        return v;
    return initial;
}

bool params_query_bool(struct params *p, const char *name, bool initial)
{
    struct str text = params_query_text(p, name);
    bool v;

    if (text.len == 0)
        return initial;
    if (!str_to_bool(text, &v)) {
        params_fault(p, PARAMS_WRONG_TYPE, "query", str_from(name), "must be true or false");
        return initial;
    }
    return v;
}

int32_t params_query_day(struct params *p, const char *name)
{
    struct str text = params_query_text(p, name);
    int32_t day;

    if (text.len == 0)
        return CLOCK_NO_DAY;
    if (!clock_parse_day(text, &day)) {
        params_fault(p, PARAMS_WRONG_TYPE, "query", str_from(name), "must be a date, YYYY-MM-DD");
        return CLOCK_NO_DAY;
    }
    return day;
}

static bool is_known(struct str key, const char *const *names)
{
    for (; *names != NULL; names++) {
        if (str_eq_lit(key, *names))
            return true;
    }
    return false;
}

void params_body_known(struct params *p, const struct json *object, const char *where, const char *const *names)
{
    for (const struct json *m = object->first; m != NULL; m = m->next) {
        if (!is_known(m->key, names))
            params_fault(p, PARAMS_UNKNOWN_FIELD, where, m->key, "is not a known field");
    }
}

/* The member, or NULL when absent or null. */
static const struct json *member(const struct json *object, const char *name)
{
    const struct json *m = json_get(object, name);

    return m != NULL && m->type == JSON_NULL ? NULL : m;
}

bool params_body_int(struct params *p, const struct json *object, const char *where, const char *name, int64_t least,
                     int64_t most, int64_t *out)
{
    const struct json *m = member(object, name);
    double number;

    if (m == NULL)
        return false;
    if (json_i64(m, out)) {
        if (*out >= least && *out <= most)
            return true;
        fault_range(p, where, name, (double)least, (double)most);
    } else if (json_double(m, &number) && (number < (double)least || number > (double)most)) {
        fault_range(p, where, name, (double)least, (double)most);
    } else {
        params_fault(p, PARAMS_WRONG_TYPE, where, str_from(name), "must be an integer");
    }
    return false;
}

bool params_body_number(struct params *p, const struct json *object, const char *where, const char *name,
                        double least, double most, double *out)
{
    const struct json *m = member(object, name);

    if (m == NULL)
        return false;
    if (!json_double(m, out)) {
        params_fault(p, PARAMS_WRONG_TYPE, where, str_from(name), "must be a number");
        return false;
    }
    if (*out < least || *out > most) {
        fault_range(p, where, name, least, most);
        return false;
    }
    return true;
}

bool params_body_bool(struct params *p, const struct json *object, const char *where, const char *name, bool *out)
{
    const struct json *m = member(object, name);

    if (m == NULL)
        return false;
    if (m->type != JSON_BOOL) {
        params_fault(p, PARAMS_WRONG_TYPE, where, str_from(name), "must be true or false");
        return false;
    }
    *out = m->boolean;
    return true;
}

bool params_body_text(struct params *p, const struct json *object, const char *where, const char *name,
                      size_t max_chars, struct str *out)
{
    const struct json *m = member(object, name);

    if (m == NULL)
        return false;
    if (m->type != JSON_STRING) {
        params_fault(p, PARAMS_WRONG_TYPE, where, str_from(name), "must be a string");
        return false;
    }
    if (utf8_length(m->text) > max_chars) {
        params_fault(p, PARAMS_OUT_OF_RANGE, where, str_from(name), "must have at most %zu characters", max_chars);
        return false;
    }
    *out = m->text;
    return true;
}

bool params_body_words(struct params *p, const struct json *value, const char *where, struct str name,
                       const struct json **item)
{
    if (*item != NULL)
        *item = value->type == JSON_ARRAY ? (*item)->next : NULL;
    else
        *item = value->type == JSON_ARRAY ? value->first : value;
    if (*item == NULL)
        return false;
    if ((*item)->type == JSON_STRING)
        return true;
    params_fault(p, PARAMS_WRONG_TYPE, where, name, "must be a string or an array of strings");
    *item = NULL;
    return false;
}
