/*
 * compress: see the header.
 */
#include "model/compress.h"

#include <stdlib.h>

static int by_history(const void *a, const void *b)
{
    const struct mbg_history *l = a, *r = b;

    if (l->x != r->x)
        return l->x < r->x ? -1 : 1;
    if (l->tx != r->tx)
        return l->tx < r->tx ? -1 : 1;
    return l->t < r->t ? -1 : l->t > r->t;
}

size_t compress_histories(struct mbg_history *histories, size_t n)
{
    size_t kept = 0;

    if (n == 0)
        return 0;
    qsort(histories, n, sizeof(*histories), by_history);
    for (size_t i = 1; i < n; i++) {
        if (by_history(&histories[i], &histories[kept]) == 0)
            histories[kept].count += histories[i].count;
        else
            histories[++kept] = histories[i];
    }
    return kept + 1;
}
