/*
 * conf_print: settings as text, masked for people or packed for oneself, and what differs between two of them.
 */
#include <string.h>

#include "core/conf.h"
#include "core/options.h"

/* A URL with its password as ***: what stands between "user:" and the last "@" (a password may hold one unescaped),
 * and any parameter called password. */
static void print_url(struct buf *out, const char *url)
{
    const char *authority = strstr(url, "://"), *at = strrchr(url, '@'), *colon, *parameter;

    authority = authority != NULL ? authority + 3 : url;
    colon = at != NULL && at > authority ? memchr(authority, ':', (size_t)(at - authority)) : NULL;
    if (colon != NULL) {
        buf_add(out, url, (size_t)(colon - url) + 1);
        buf_add_cstr(out, "***");
        url = at;
    }
    while ((parameter = strstr(url, "password=")) != NULL) {
        buf_add(out, url, (size_t)(parameter - url));
        buf_add_cstr(out, "password=***");
        url = parameter + strcspn(parameter, "&");
    }
    buf_add_cstr(out, url);
}

static void print_rate(struct buf *out, const struct conf_rate *rate)
{
    const char *unit = rate->period_s == 1 ? "s" : rate->period_s == 60 ? "m" : rate->period_s == 3600 ? "h" : "d";

    if (rate->count == 0)
        buf_add_char(out, '0');
    else
        buf_printf(out, "%lld/%s;burst=%lld", (long long)rate->count, unit, (long long)rate->burst);
}

/* `open`: secrets in clear, for comparing and packing only. */
static void print_value(const struct conf *c, const struct option *o, struct buf *out, bool open)
{
    const void *at = (const char *)c + o->offset;

    switch (o->type) {
    case OPTION_STRING: {
        const char *s = *(const char *const *)at;
        if (!open && (o->flags & OPTION_SECRET) && *s != '\0')
            buf_add_cstr(out, "***");
        else if (!open && (o->flags & OPTION_URL))
            print_url(out, s);
        else
            buf_add_cstr(out, s);
        break;
    }
    case OPTION_INT:
        buf_add_i64(out, *(const int64_t *)at);
        break;
    case OPTION_DOUBLE:
        buf_printf(out, "%.15g", *(const double *)at);
        break;
    case OPTION_BOOL:
        buf_add_cstr(out, *(const bool *)at ? "true" : "false");
        break;
    case OPTION_RATE:
        print_rate(out, at);
        break;
    case OPTION_CHOICE:
        buf_add_cstr(out, o->choices[*(const int *)at]);
        break;
    }
}

void conf_print(const struct conf *c, struct buf *out)
{
    size_t count;
    const struct option *table = options_table(&count);

    for (size_t i = 0; i < count; i++) {
        buf_printf(out, "%s = ", table[i].name);
        print_value(c, &table[i], out, false);
        buf_add_char(out, '\n');
    }
}

void conf_pack(const struct conf *c, struct buf *out)
{
    size_t count;
    const struct option *table = options_table(&count);

    for (size_t i = 0; i < count; i++) {
        buf_printf(out, "%s=", table[i].name);
        print_value(c, &table[i], out, true);
        buf_add_char(out, '\0');
    }
}

void conf_diff(const struct conf *old, const struct conf *fresh, struct buf *changed, struct buf *locked)
{
    size_t count;
    const struct option *table = options_table(&count);
    struct buf a, b;

    buf_init(&a, 65536);
    buf_init(&b, 65536);
    for (size_t i = 0; i < count; i++) {
        buf_reset(&a);
        buf_reset(&b);
        print_value(old, &table[i], &a, true);
        print_value(fresh, &table[i], &b, true);
        if (str_eq(buf_str(&a), buf_str(&b)))
            continue;
        struct buf *list = table[i].flags & OPTION_NO_RELOAD ? locked : changed;
        buf_printf(list, "%s%s", list->len > 0 ? "," : "", table[i].name);
    }
    buf_free(&a);
    buf_free(&b);
}
