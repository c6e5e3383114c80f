/* Any text is refused in words or read; what was read and written again reads as the same tree. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/json.h"

#define MAX_BYTES (1U << 20)

static void same(const struct json *a, const struct json *b)
{
    const struct json *x = a->first, *y = b->first;

    if (a->type != b->type || a->count != b->count || a->boolean != b->boolean || !str_eq(a->text, b->text) ||
        !str_eq(a->key, b->key))
        abort();
    for (; x != NULL && y != NULL; x = x->next, y = y->next)
        same(x, y);
    if (x != y)
        abort();
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
        json_value(&w, tree);
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
