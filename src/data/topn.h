/*
 * topn: the first n of many items by (key ascending, number ascending), found in one pass through a heap.
 *
 * A caller who wants the greatest first negates its keys; equal keys come in order of number either way.
 */
#ifndef DATA_TOPN_H
#define DATA_TOPN_H

#include <stddef.h>
#include <stdint.h>

struct topn_item {
    double key; /* no NaN */
    uint32_t number;
};

struct topn {
    struct topn_item *heap; /* the last of the order at its root; room for `wanted` */
    size_t count, wanted;
};

void topn_put(struct topn *t, struct topn_item item); /* for topn_add: an item that belongs */

static inline void topn_add(struct topn *t, struct topn_item item)
{
    if (t->count < t->wanted || (t->wanted > 0 && (item.key < t->heap[0].key ||
                                                   (item.key == t->heap[0].key && item.number < t->heap[0].number))))
        topn_put(t, item);
}

/* Turns the heap into a list in order; nothing can be added afterwards. */
void topn_sort(struct topn *t);

#endif
