/*
 * metrics: cells, counting and summing.
 *
 * A family's cells lie in one range; label combinations follow one another,
 * the last dimension fastest. A histogram has for each combination one cell
 * a bucket (not cumulative), one for what is above all bounds, and one for the sum in
 * nanoseconds; its count is the sum of the buckets, so the two always agree.
 * A cell has one writer, which therefore loads and stores without a bus lock.
 */
#include "core/metrics.h"

#include <string.h>

#include "base/hash.h"
#include "base/log.h"
#include "core/metrics_table.h"

static struct metrics_layout layouts[METRIC_COUNT];
static const char *const *route_names;
static unsigned routes_given;
static uint64_t layout_hash;
static struct sb_slot *own_slot;

const struct metric *metrics_get(enum metric_id id)
{
    return &metrics_table[id];
}

unsigned metrics_dim_size(enum metric_dim dim)
{
    if (dim == METRICS_DIM_NONE)
        return 1;
    return dim == METRICS_DIM_ROUTE ? routes_given : metrics_words[dim].count;
}

const char *metrics_dim_value(enum metric_dim dim, unsigned i)
{
    if (i >= metrics_dim_size(dim) || dim == METRICS_DIM_NONE)
        return NULL;
    if (dim == METRICS_DIM_ROUTE)
        return route_names[i];
    return metrics_words[dim].words != NULL ? metrics_words[dim].words[i] : metrics_words[dim].name_of(i);
}

static uint64_t hash_text(uint64_t seed, const char *text)
{
    return hash_fast(seed, text, strlen(text) + 1);
}

static uint64_t hash_of_layout(void)
{
    uint64_t h = hash_fast(0, layouts, sizeof(layouts));

    for (unsigned id = 0; id < METRIC_COUNT; id++)
        h = hash_text(h, metrics_table[id].name);
    for (unsigned dim = 0; dim < METRICS_DIM_COUNT; dim++) {
        for (unsigned i = 0; metrics_dim_value((enum metric_dim)dim, i) != NULL; i++)
            h = hash_text(h, metrics_dim_value((enum metric_dim)dim, i));
    }
    return h;
}

/* Lays out one family from cell `first` on; returns the cells it takes. */
static unsigned lay_out(struct metrics_layout *l, const struct metric *m, unsigned first)
{
    unsigned combinations = 1;

    *l = (struct metrics_layout){ .first = first, .size = { 1, 1, 1 }, .bucket_count = m->bucket_count };
    if (m->type == METRIC_GAUGE)
        return 0;
    l->width = m->type == METRIC_HISTOGRAM ? m->bucket_count + 2 : 1;
    for (unsigned d = 0; d < 3; d++) {
        l->size[d] = m->dims[d] == METRICS_DIM_ROUTE ? METRICS_MAX_ROUTES : metrics_dim_size(m->dims[d]);
        combinations *= l->size[d];
    }
    for (unsigned i = 0; i < m->bucket_count; i++)
        l->bound_ns[i] = (uint64_t)(m->buckets[i] * 1e9 + 0.5);
    return combinations * l->width;
}

void metrics_init(const char *const *routes, unsigned route_count)
{
    unsigned next = 0;

    if (route_count > METRICS_MAX_ROUTES)
        fatalx(70, "%u routes, but metrics have room for %d: raise METRICS_MAX_ROUTES", route_count,
               METRICS_MAX_ROUTES);
    route_names = routes;
    routes_given = route_count;
    memset(layouts, 0, sizeof(layouts));
    for (unsigned id = 0; id < METRIC_COUNT; id++)
        next += lay_out(&layouts[id], &metrics_table[id], next);
    if (next > SB_COUNTERS)
        fatalx(70, "metrics need %u counters of a slot, which has %d: raise SB_COUNTERS", next, SB_COUNTERS);
    layout_hash = hash_of_layout();
}

uint64_t metrics_layout_hash(void)
{
    return layout_hash;
}

void metrics_bind(struct sb_slot *slot)
{
    own_slot = slot;
}

/* First cell of a combination; SB_COUNTERS when it does not exist. */
static inline unsigned cell_of(enum metric_id id, unsigned a, unsigned b, unsigned c)
{
    const struct metrics_layout *l = &layouts[id];

    a = l->size[0] == 1 ? 0 : a;
    b = l->size[1] == 1 ? 0 : b;
    c = l->size[2] == 1 ? 0 : c;
    if (a >= l->size[0] || b >= l->size[1] || c >= l->size[2] || l->width == 0)
        return SB_COUNTERS;
    return l->first + ((a * l->size[1] + b) * l->size[2] + c) * l->width;
}

static inline void cell_add(_Atomic uint64_t *cell, uint64_t n)
{
    uint64_t v = atomic_load_explicit(cell, memory_order_relaxed);

    atomic_store_explicit(cell, v + n, memory_order_relaxed);
}

void metrics_add(enum metric_id id, unsigned a, unsigned b, unsigned c, uint64_t n)
{
    unsigned cell = cell_of(id, a, b, c);

    if (own_slot != NULL && cell < SB_COUNTERS)
        cell_add(&own_slot->counters[cell], n);
}

void metrics_observe(enum metric_id id, unsigned a, unsigned b, uint64_t ns)
{
    const struct metrics_layout *l = &layouts[id];
    unsigned cell = cell_of(id, a, b, 0), i = 0;

    if (own_slot == NULL || cell >= SB_COUNTERS)
        return;
    while (i < l->bucket_count && ns > l->bound_ns[i])
        i++;
    cell_add(&own_slot->counters[cell + i], 1);
    cell_add(&own_slot->counters[cell + l->bucket_count + 1], ns);
}

void metrics_add_retired(struct scoreboard *sb, enum metric_id id, unsigned a, uint64_t n)
{
    unsigned cell = cell_of(id, a, 0, 0);

    if (cell < SB_COUNTERS)
        cell_add(&sb->retired[cell], n);
}

uint64_t metrics_total(const struct scoreboard *sb, enum metric_id id, unsigned a, unsigned b, unsigned c)
{
    unsigned cell = cell_of(id, a, b, c);

    return cell < SB_COUNTERS ? scoreboard_sum(sb, cell) : 0;
}

static unsigned family_cells(enum metric_id id)
{
    const struct metrics_layout *l = &layouts[id];

    return l->size[0] * l->size[1] * l->size[2] * l->width;
}

const struct metrics_layout *metrics_layout_get(enum metric_id id)
{
    return &layouts[id];
}

const uint64_t *metrics_snapshot(const struct scoreboard *sb, enum metric_id id)
{
    static uint64_t sums[SB_COUNTERS];

    scoreboard_sum_range(sb, layouts[id].first, family_cells(id), sums);
    return sums;
}

uint64_t metrics_total_all(const struct scoreboard *sb, enum metric_id id)
{
    const uint64_t *sums = metrics_snapshot(sb, id);
    uint64_t total = 0;

    for (unsigned i = 0; i < family_cells(id); i++)
        total += sums[i];
    return total;
}

uint64_t metrics_total_where(const struct scoreboard *sb, enum metric_id id, unsigned dim, unsigned value)
{
    const struct metrics_layout *l = &layouts[id];
    const uint64_t *sums = metrics_snapshot(sb, id);
    unsigned inner = l->width;
    uint64_t total = 0;

    for (unsigned d = dim + 1; d < 3; d++)
        inner *= l->size[d];
    for (unsigned i = 0; i < family_cells(id); i++) {
        if (i / inner % l->size[dim] == value)
            total += sums[i];
    }
    return total;
}

/* `value` < 0: all of them. */
static void distribution(const struct scoreboard *sb, enum metric_id id, unsigned dim, int value, uint64_t *counts)
{
    const struct metrics_layout *l = &layouts[id];
    const uint64_t *sums = metrics_snapshot(sb, id);
    unsigned inner = l->width;

    for (unsigned d = dim + 1; d < 3; d++)
        inner *= l->size[d];
    memset(counts, 0, sizeof(*counts) * (METRICS_MAX_BUCKETS + 1));
    for (unsigned i = 0; i < family_cells(id); i += l->width) {
        if (value >= 0 && i / inner % l->size[dim] != (unsigned)value)
            continue;
        for (unsigned k = 0; k <= l->bucket_count; k++)
            counts[k] += sums[i + k];
    }
}

void metrics_distribution(const struct scoreboard *sb, enum metric_id id, uint64_t counts[METRICS_MAX_BUCKETS + 1])
{
    distribution(sb, id, 0, -1, counts);
}

void metrics_distribution_where(const struct scoreboard *sb, enum metric_id id, unsigned dim, unsigned value,
                                uint64_t counts[METRICS_MAX_BUCKETS + 1])
{
    distribution(sb, id, dim, (int)value, counts);
}

uint64_t metrics_slot_total(const struct sb_slot *slot, enum metric_id id)
{
    uint64_t total = 0;

    for (unsigned i = 0; i < family_cells(id); i++)
        total += atomic_load_explicit(&slot->counters[layouts[id].first + i], memory_order_relaxed);
    return total;
}
