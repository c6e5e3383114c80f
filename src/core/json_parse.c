/*
 * json_parse: yajl's events into a tree in the caller's arena.
 *
 * What yajl lets pass is refused here: depth, NUL and broken UTF-8 in strings
 * as they stand in the text and after unescaping, lone surrogate escapes. The
 * text is given to yajl in one piece, as its cost is quadratic otherwise.
 */
#include <math.h>
#include <string.h>

#include <yajl/yajl_parse.h>

#include "base/utf8.h"
#include "core/json.h"

struct builder {
    struct arena *arena;
    struct json *root;
    struct json *open[JSON_MAX_DEPTH]; /* containers not yet closed */
    struct json *last[JSON_MAX_DEPTH]; /* their newest children */
    int depth;
    struct str key;
    const char *error;
};

static int refuse(struct builder *b, const char *why)
{
    b->error = why;
    return 0;
}

/* A repeated key takes the place of the first one. */
static struct json *member_named(struct json *object, struct str key)
{
    for (struct json *n = object->first; n != NULL; n = n->next)
        if (str_eq(n->key, key))
            return n;
    return NULL;
}

static struct json *add(struct builder *b, enum json_type type)
{
    struct json *parent = b->depth > 0 ? b->open[b->depth - 1] : NULL;
    struct json *n = parent != NULL && parent->type == JSON_OBJECT ? member_named(parent, b->key) : NULL;

    if (n != NULL) {
        struct json *next = n->next;
        *n = (struct json){ .type = type, .key = b->key, .next = next };
        return n;
    }
    if (parent != NULL && parent->type == JSON_OBJECT && parent->count == JSON_MAX_MEMBERS) {
        b->error = "an object has too many members";
        return NULL;
    }
    n = arena_zalloc(b->arena, sizeof(*n));
    if (n == NULL) {
        b->error = "too large";
        return NULL;
    }
    n->type = type;
    if (parent == NULL) {
        b->root = n;
        return n;
    }
    if (parent->type == JSON_OBJECT)
        n->key = b->key;
    if (parent->first == NULL)
        parent->first = n;
    else
        b->last[b->depth - 1]->next = n;
    b->last[b->depth - 1] = n;
    parent->count++;
    return n;
}

static int open_container(struct builder *b, enum json_type type)
{
    if (b->depth == JSON_MAX_DEPTH)
        return refuse(b, "nested too deeply");
    struct json *n = add(b, type);
    if (n == NULL)
        return 0;
    b->open[b->depth] = n;
    b->last[b->depth] = NULL;
    b->depth++;
    return 1;
}

static int copy_text(struct builder *b, const unsigned char *text, size_t n, struct str *out)
{
    struct str s = { (const char *)text, n };

    if (n > 0 && memchr(text, '\0', n) != NULL)
        return refuse(b, "a string holds NUL");
    if (!utf8_valid(s))
        return refuse(b, "a string is not valid UTF-8");
    const char *copy = arena_strdup(b->arena, s);
    if (copy == NULL)
        return refuse(b, "too large");
    *out = (struct str){ copy, n };
    return 1;
}

static int on_null(void *ctx)
{
    return add(ctx, JSON_NULL) != NULL;
}

static int on_boolean(void *ctx, int value)
{
    struct json *n = add(ctx, JSON_BOOL);

    if (n != NULL)
        n->boolean = value != 0;
    return n != NULL;
}

static int on_number(void *ctx, const char *text, size_t len)
{
    struct str s;
    struct json *n;

    if (!copy_text(ctx, (const unsigned char *)text, len, &s) || (n = add(ctx, JSON_NUMBER)) == NULL)
        return 0;
    n->text = s;
    return 1;
}

static int on_string(void *ctx, const unsigned char *text, size_t len)
{
    struct str s;
    struct json *n;

    if (!copy_text(ctx, text, len, &s) || (n = add(ctx, JSON_STRING)) == NULL)
        return 0;
    n->text = s;
    return 1;
}

static int on_start_map(void *ctx)
{
    return open_container(ctx, JSON_OBJECT);
}

static int on_map_key(void *ctx, const unsigned char *text, size_t len)
{
    struct builder *b = ctx;

    return copy_text(b, text, len, &b->key);
}

static int on_start_array(void *ctx)
{
    return open_container(ctx, JSON_ARRAY);
}

static int on_end(void *ctx)
{
    ((struct builder *)ctx)->depth--;
    return 1;
}

static const yajl_callbacks callbacks = {
    .yajl_null = on_null,
    .yajl_boolean = on_boolean,
    .yajl_number = on_number,
    .yajl_string = on_string,
    .yajl_start_map = on_start_map,
    .yajl_map_key = on_map_key,
    .yajl_end_map = on_end,
    .yajl_start_array = on_start_array,
    .yajl_end_array = on_end,
};

static int hex4(const char *s, unsigned *value)
{
    *value = 0;
    for (int i = 0; i < 4; i++) {
        char c = s[i];
        unsigned digit = c >= '0' && c <= '9'   ? (unsigned)(c - '0')
                         : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10
                         : c >= 'A' && c <= 'F' ? (unsigned)(c - 'A') + 10
                                                : 16;
        if (digit > 15)
            return 0;
        *value = *value * 16 + digit;
    }
    return 1;
}

/* Every \uD800-\uDBFF escape is followed by a \uDC00-\uDFFF one, and none of these stands alone. */
static bool surrogates_pair(struct str s)
{
    for (size_t i = 0; i + 1 < s.len; i++) {
        unsigned high, low;
        if (s.p[i] != '\\')
            continue;
        i++;
        if (s.p[i] != 'u' || i + 4 >= s.len || !hex4(s.p + i + 1, &high) || high < 0xd800 || high > 0xdfff)
            continue;
        if (high > 0xdbff || i + 10 >= s.len || s.p[i + 5] != '\\' || s.p[i + 6] != 'u' || !hex4(s.p + i + 7, &low) ||
            low < 0xdc00 || low > 0xdfff)
            return false;
        i += 10;
    }
    return true;
}

struct json *json_parse(struct arena *a, struct str text, const char **error)
{
    struct builder b = { .arena = a };

    *error = "not valid UTF-8";
    if (!utf8_valid(text))
        return NULL;
    *error = "a surrogate escape stands alone";
    if (!surrogates_pair(text))
        return NULL;
    yajl_handle h = yajl_alloc(&callbacks, NULL, &b);
    *error = "too large";
    if (h == NULL)
        return NULL;
    yajl_status status = yajl_parse(h, (const unsigned char *)text.p, text.len);
    if (status == yajl_status_ok)
        status = yajl_complete_parse(h);
    yajl_free(h);
    *error = b.error != NULL ? b.error : "not valid JSON";
    return status == yajl_status_ok ? b.root : NULL;
}

const struct json *json_get(const struct json *object, const char *key)
{
    if (object == NULL || object->type != JSON_OBJECT)
        return NULL;
    for (const struct json *n = object->first; n != NULL; n = n->next)
        if (str_eq_lit(n->key, key))
            return n;
    return NULL;
}

bool json_i64(const struct json *n, int64_t *out)
{
    double d;

    if (n == NULL || n->type != JSON_NUMBER)
        return false;
    if (str_to_i64(n->text, out))
        return true;
    /* 5.0 and 5e3 are integers too, as far as a double tells exactly */
    if (!str_to_double(n->text, &d) || d != floor(d) || fabs(d) > 9007199254740992.0)
        return false;
    *out = (int64_t)d;
    return true;
}

bool json_double(const struct json *n, double *out)
{
    return n != NULL && n->type == JSON_NUMBER && str_to_double(n->text, out);
}
