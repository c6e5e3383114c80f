/* Any text is refused in words or read; what was read and written again reads as the same tree. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/json.h"

#define MAX_BYTES (1U << 20)

static void write_tree(struct json_writer *w, const struct json *n)
{
    switch (n->type) {
    case JSON_NULL:
        json_null(w);
        return;
    case JSON_BOOL:
        json_bool(w, n->boolean);
        return;
    case JSON_NUMBER:
        json_raw(w, n->text);
        return;
    case JSON_STRING:
        json_str(w, n->text);
        return;
    case JSON_ARRAY:
        json_array_begin(w);
        for (const struct json *c = n->first; c != NULL; c = c->next)
            write_tree(w, c);
        json_array_end(w);
        return;
    case JSON_OBJECT: /* keys are any text here, so the members are written as an array of key, value */
        json_array_begin(w);
        for (const struct json *c = n->first; c != NULL; c = c->next) {
            json_str(w, c->key);
            write_tree(w, c);
        }
        json_array_end(w);
        return;
    }
    abort();
}

/* Of a tree, and of one that came from writing it: objects have become arrays of twice as many. */
static void same(const struct json *a, const struct json *b)
{
    const struct json *x, *y = b->first;

    if (a->type != JSON_OBJECT && a->type != b->type)
        abort();
    if (a->type == JSON_OBJECT && (b->type != JSON_ARRAY || b->count != 2 * a->count))
        abort();
    if (a->boolean != b->boolean || !str_eq(a->text, b->text))
        abort();
    for (x = a->first; x != NULL; x = x->next, y = y->next) {
        if (a->type == JSON_OBJECT) {
            if (y == NULL || !str_eq(x->key, y->text))
                abort();
            y = y->next;
        }
        if (y == NULL)
            abort();
        same(x, y);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    struct str text = { (const char *)bytes, n };
    const char *error = NULL;
    struct arena arena;
    struct json_writer w;
    struct buf out;
    struct json *tree, *again;

    arena_init(&arena, 64 * MAX_BYTES);
    tree = json_parse(&arena, text, &error);
    if (tree == NULL && error == NULL)
        abort();
    if (tree != NULL) {
        buf_init(&out, 16 * MAX_BYTES);
        json_writer_init(&w, &out);
        write_tree(&w, tree);
        error = NULL;
        again = out.failed ? NULL : json_parse(&arena, buf_str(&out), &error);
        if (again == NULL)
            abort();
        same(tree, again);
        buf_free(&out);
    }
    arena_free(&arena);
    return 0;
}
