/*
 * conf_value: the text of a setting into its member of struct conf, by the type in the table.
 *
 * A text that does not fit its type or range leaves the member as it was.
 */
#include "core/conf_value.h"

#include <string.h>

#define VALUE_MAX_BYTES 8192

/* "<n>/<s|m|h|d>;burst=<n>", or 0. */
static bool parse_rate(struct str s, struct conf_rate *rate)
{
    static const char units[] = "smhd";
    static const int64_t seconds[] = { 1, 60, 3600, 86400 };
    struct str rest = s, count, period, burst;
    uint64_t n, b;

    if (str_eq_lit(s, "0")) {
        *rate = (struct conf_rate){ 0 };
        return true;
    }
    if (!str_split(&rest, '/', &count) || !str_split(&rest, ';', &period) || !str_starts(rest, "burst="))
        return false;
    burst = (struct str){ rest.p + 6, rest.len - 6 };
    if (!str_to_u64(count, &n) || !str_to_u64(burst, &b) || n < 1 || n > 1000000000 || b < 1 || b > 1000000000)
        return false;
    const char *unit = period.len == 1 ? memchr(units, period.p[0], 4) : NULL;
    if (unit == NULL)
        return false;
    *rate = (struct conf_rate){ .count = (int64_t)n, .period_s = seconds[unit - units], .burst = (int64_t)b };
    return true;
}

static bool parse_choice(const struct option *o, struct str s, int *choice)
{
    for (int i = 0; o->choices[i] != NULL; i++) {
        if (str_ieq(s, o->choices[i])) {
            *choice = i;
            return true;
        }
    }
    return false;
}

static const char *store_text(struct conf *c, const char **at, struct str s)
{
    char *copy;

    if (s.len > VALUE_MAX_BYTES || (s.len > 0 && memchr(s.p, '\0', s.len) != NULL))
        return "a text of at most 8192 bytes, without NUL";
    copy = arena_strdup(&c->arena, s);
    *at = copy != NULL ? copy : "";
    return copy != NULL ? NULL : "less text in all";
}

const char *conf_value_store(struct conf *c, const struct option *o, struct str s)
{
    void *at = (char *)c + o->offset;
    int64_t whole;
    double real;

    switch (o->type) {
    case OPTION_STRING:
        return store_text(c, at, s);
    case OPTION_INT:
        if (!str_to_i64(s, &whole) || (double)whole < o->least || (double)whole > o->most)
            return "a whole number";
        *(int64_t *)at = whole;
        return NULL;
    case OPTION_DOUBLE:
        if (!str_to_double(s, &real) || real < o->least || real > o->most)
            return "a number";
        *(double *)at = real;
        return NULL;
    case OPTION_BOOL:
        return str_to_bool(s, at) ? NULL : "true or false";
    case OPTION_RATE:
        return parse_rate(s, at) ? NULL : "<n>/<s|m|h|d>;burst=<n>, or 0";
    case OPTION_CHOICE:
        return parse_choice(o, s, at) ? NULL : "one of its words";
    }
    return "another kind";
}
