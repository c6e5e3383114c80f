/*
 * select: from the bit set of matches to a page of rows in order.
 *
 * A page is found by walking the stored row order from the cursor on and
 * picking matches. Where matches are rare, or lie far from the cursor, that walk is
 * cut off and the matches themselves go through a heap of the page's size; so the
 * work is bounded by a few steps a match, whatever the filters.
 */
#include "data/select.h"

#include <math.h>

#include "data/population_format.h"
#include "data/select_scan.h"
#include "data/topn.h"

#define STEPS_PER_MATCH 1 /* steps of a walk that cost as much as one match in the heap, measured */
#define STEPS_FREE      512
#define LINEAR_STEPS    32 /* back to the start of a group before bisecting */

struct page {
    const struct population *p;
    const struct select_query *q;
    const uint64_t *bits; /* matches; NULL: all rows */
    uint64_t matches;
    size_t cursor_row; /* first row whose id is above the cursor's */
    uint32_t *rows;
    size_t count, wanted;
    size_t steps; /* left to the walk */
};

bool select_matches(const struct population *p, const struct select_filters *f, size_t row)
{
    struct select_scan s;

    return select_scan_init(&s, p, f) && select_scan_row(&s, p, row);
}

double select_sort_value(const struct population *p, enum population_order sort, size_t row)
{
    switch (sort) {
    case POPULATION_BY_LTV:
        return (double)p->ltv_cents[row];
    case POPULATION_BY_CHURN:
        return isnan(p->churn[row]) ? SELECT_UNSCORED : (double)p->churn[row];
    case POPULATION_BY_IMPACT: /* + 0: no -0 */
        return isnan(p->churn[row]) ? SELECT_UNSCORED : (double)p->ltv_cents[row] * (double)p->churn[row] + 0.0;
    case POPULATION_BY_RECENCY:
        return p->last_day[row];
    case POPULATION_BY_FREQUENCY:
        return population_rate(p->orders[row], p->first_day[row], p->header->as_of_day);
    case POPULATION_BY_AOV:
        return p->orders[row] > 0 ? (double)p->ltv_cents[row] / p->orders[row] : 0;
    case POPULATION_BY_ORDERS:
        return p->orders[row];
    case POPULATION_BY_CLV:
        return isnan(p->churn[row]) ? SELECT_UNSCORED : (double)p->predicted_clv[row] + 0.0;
    case POPULATION_BY_KEPT:
        return isnan(p->churn[row]) ? SELECT_UNSCORED : (double)p->ltv_cents[row] * (1 - (double)p->churn[row]) + 0.0;
    case POPULATION_BY_ORDERS_KEPT:
        return isnan(p->churn[row]) ? SELECT_UNSCORED : (double)p->orders[row] * (1 - (double)p->churn[row]);
    }
    return 0;
}

static uint32_t row_at(const struct page *g, size_t position)
{
    return g->p->order[g->q->sort][position] & ~POPULATION_ORDER_FIRST;
}

/* The first position whose (value, row) is not below the one given. */
static size_t lower_bound(const struct page *g, double value, size_t row)
{
    size_t from = 0, to = g->p->count;

    while (from < to) {
        size_t middle = from + (to - from) / 2;
        size_t r = row_at(g, middle);
        double v = select_sort_value(g->p, g->q->sort, r);
        if (v < value || (v == value && r < row))
            from = middle + 1;
        else
            to = middle;
    }
    return from;
}

static size_t first_row_after(const struct population *p, int64_t id)
{
    size_t from = 0, to = p->count;

    while (from < to) {
        size_t middle = from + (to - from) / 2;
        if (p->rows[middle].customer_id <= id)
            from = middle + 1;
        else
            to = middle;
    }
    return from;
}

/* Picks matches from positions from…to-1; false when the page is full or the steps are used up. */
static bool walk(struct page *g, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++) {
        if (g->count == g->wanted || g->steps == 0)
            return false;
        g->steps--;
        uint32_t row = row_at(g, i);
        if (!g->bits || (g->bits[row / 64] >> row % 64 & 1))
            g->rows[g->count++] = row;
    }
    return true;
}

/* Start of the group of equal values that ends before `end` > 0. */
static size_t group_start(const struct page *g, size_t end)
{
    const uint32_t *order = g->p->order[g->q->sort];
    size_t start = end - 1;

    for (unsigned i = 0; i < LINEAR_STEPS; i++, start--)
        if (start == 0 || (order[start] & POPULATION_ORDER_FIRST))
            return start;
    size_t found = lower_bound(g, select_sort_value(g->p, g->q->sort, row_at(g, start)), 0);
    return found < end ? found : end - 1;
}

static void walk_descending(struct page *g)
{
    const struct select_cursor *c = &g->q->cursor;
    size_t end = g->p->count;

    if (c->present) {
        size_t group_end = lower_bound(g, c->key, SIZE_MAX);
        if (!walk(g, lower_bound(g, c->key, g->cursor_row), group_end))
            return;
        end = lower_bound(g, c->key, 0);
    }
    while (end > 0) {
        size_t start = group_start(g, end);
        if (!walk(g, start, end))
            return;
        end = start;
    }
}

/* False when the steps did not suffice, or when there is no order to walk. */
static bool walk_order(struct page *g)
{
    const struct select_cursor *c = &g->q->cursor;

    if (g->q->sort >= POPULATION_ORDER_COUNT)
        return false;
    double expected = (double)g->p->count * (double)g->wanted / (double)g->matches;

    g->steps = g->bits ? STEPS_FREE + STEPS_PER_MATCH * (size_t)g->matches : SIZE_MAX;
    if (g->bits && expected > (double)g->steps)
        return false;
    if (g->q->ascending)
        walk(g, c->present ? lower_bound(g, c->key, g->cursor_row) : 0, g->p->count);
    else
        walk_descending(g);
    return g->count == g->wanted || g->steps > 0;
}

/* Matches among 64 rows. */
static inline uint64_t bits_at(const struct page *g, size_t word)
{
    size_t rest = g->p->count - word * 64;

    if (g->bits)
        return g->bits[word];
    return rest < 64 ? (1ULL << rest) - 1 : UINT64_MAX;
}

/* Keeps the first of the matches behind the cursor. */
static void gather_matches(const struct page *g, struct topn *first)
{
    const struct select_cursor *c = &g->q->cursor;
    double sign = g->q->ascending ? 1 : -1, key = sign * c->key;

    for (size_t word = 0; word < (g->p->count + 63) / 64; word++) {
        for (uint64_t left = bits_at(g, word); left != 0; left &= left - 1) {
            uint32_t row = (uint32_t)(word * 64) + (uint32_t)__builtin_ctzll(left);
            struct topn_item it = { sign * select_sort_value(g->p, g->q->sort, row), row };
            if (c->present && (it.key < key || (it.key == key && row < g->cursor_row)))
                continue;
            topn_add(first, it);
        }
    }
}

/* False when the arena is exhausted. */
static bool sort_matches(struct page *g, struct arena *a)
{
    struct topn first = { .heap = arena_alloc(a, g->wanted * sizeof(*first.heap)), .wanted = g->wanted };

    if (!first.heap)
        return false;
    gather_matches(g, &first);
    topn_sort(&first);
    g->count = first.count;
    for (size_t i = 0; i < first.count; i++)
        g->rows[i] = first.heap[i].number;
    return true;
}

/* The bit set of matches (none where every row matches) and their number. False when the arena is exhausted. */
static bool find_matches(struct page *g, struct arena *a)
{
    struct select_scan scan;

    if (!select_scan_init(&scan, g->p, &g->q->filters))
        return true;
    if (select_scan_is_open(&scan)) {
        g->matches = g->p->count;
        return true;
    }
    uint64_t *bits = arena_alloc(a, (g->p->count + 63) / 64 * sizeof(*bits));
    g->bits = bits;
    return bits && select_scan_all(&scan, g->p, bits, a, &g->matches);
}

const uint64_t *select_bits(const struct population *p, const struct select_filters *f, struct arena *a)
{
    size_t words = (p->count + 63) / 64;
    uint64_t *bits = arena_calloc(a, words + 1, sizeof(*bits)), matches;
    struct select_scan scan;

    if (bits == NULL || !select_scan_init(&scan, p, f))
        return bits;
    return select_scan_all(&scan, p, bits, a, &matches) ? bits : NULL;
}

bool select_run(const struct population *p, const struct select_query *q, struct arena *a, struct select_result *out)
{
    struct page g = { .p = p, .q = q };
    size_t limit = q->limit < SELECT_MAX_LIMIT ? q->limit : SELECT_MAX_LIMIT;

    *out = (struct select_result){ 0 };
    if (!find_matches(&g, a))
        return false;
    out->total_matches = g.matches;
    if (limit == 0 || g.matches == 0)
        return true;

    g.wanted = g.matches > limit ? limit + 1 : (size_t)g.matches;
    g.cursor_row = q->cursor.present ? first_row_after(p, q->cursor.id) : 0;
    g.rows = arena_alloc(a, g.wanted * sizeof(*g.rows));
    if (!g.rows)
        return false;
    if (!walk_order(&g) && !sort_matches(&g, a))
        return false;

    out->rows = g.rows;
    out->more = g.count > limit;
    out->count = out->more ? limit : g.count;
    if (out->more) {
        uint32_t last = g.rows[limit - 1];
        out->next = (struct select_cursor){ true, select_sort_value(p, q->sort, last), p->rows[last].customer_id };
    }
    return true;
}
