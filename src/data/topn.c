/*
 * topn: see the header. A binary heap with the last of the order at its root.
 */
#include "data/topn.h"

#include <stdbool.h>

static bool is_before(struct topn_item a, struct topn_item b)
{
    return a.key < b.key || (a.key == b.key && a.number < b.number);
}

/* Lets heap[at] sink among the first n. */
static void sink(struct topn_item *heap, size_t n, size_t at)
{
    struct topn_item moved = heap[at];

    for (size_t child; (child = 2 * at + 1) < n; at = child) {
        if (child + 1 < n && is_before(heap[child], heap[child + 1]))
            child++;
        if (!is_before(moved, heap[child]))
            break;
        heap[at] = heap[child];
    }
    heap[at] = moved;
}

static void rise(struct topn_item *heap, size_t at)
{
    struct topn_item moved = heap[at];

    for (size_t parent; at > 0 && is_before(heap[parent = (at - 1) / 2], moved); at = parent)
        heap[at] = heap[parent];
    heap[at] = moved;
}

void topn_put(struct topn *t, struct topn_item item)
{
    if (t->count < t->wanted) {
        t->heap[t->count] = item;
        rise(t->heap, t->count++);
    } else {
        t->heap[0] = item;
        sink(t->heap, t->count, 0);
    }
}

void topn_sort(struct topn *t)
{
    for (size_t n = t->count; n > 1; n--) {
        struct topn_item last = t->heap[0];

        t->heap[0] = t->heap[n - 1];
        sink(t->heap, n - 1, 0);
        t->heap[n - 1] = last;
    }
}
