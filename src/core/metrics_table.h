/*
 * metrics_table: what metrics.c and metrics_render.c share: the rows, the words of the closed label sets, the layout.
 */
#ifndef CORE_METRICS_TABLE_H
#define CORE_METRICS_TABLE_H

#include "core/metrics.h"

extern const struct metric metrics_table[METRIC_COUNT];

/* Values of one closed set, from an array or from the scoreboard's names; the route set is empty here. */
struct metrics_words {
    unsigned count;
    const char *const *words;
    const char *(*name_of)(uint32_t v);
};
extern const struct metrics_words metrics_words[METRICS_DIM_COUNT];

/* Where a family's cells lie; see metrics.c. */
struct metrics_layout {
    unsigned first, size[3]; /* size 1 of the dimensions a family lacks */
    unsigned width;          /* cells of a label combination; 0 for gauges, which have none */
    unsigned bucket_count;
    uint64_t bound_ns[METRICS_MAX_BUCKETS];
};
const struct metrics_layout *metrics_layout_get(enum metric_id id);
/* A consistent snapshot of a family's cells, valid until the next call. */
const uint64_t *metrics_snapshot(const struct scoreboard *sb, enum metric_id id);

#endif
