/*
 * select: the one query over the population: filters, sort, limit, cursor.
 *
 * REST search, campaigns, tools and natural language all compile to struct
 * select_query. Pure: (population, query) to rows; matches are counted exactly.
 * The order is total: by sort value in the direction asked, equal values by id
 * ascending in both directions. Paging is by key (sort value, id), so a cursor
 * stays good over a new data version.
 */
#ifndef DATA_SELECT_H
#define DATA_SELECT_H

#include <float.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "data/population.h"

#define SELECT_MAX_LIMIT 10000
#define SELECT_UNSCORED  (-DBL_MAX) /* churn and impact of a customer without a score: below every other */

struct select_range_i64 {
    bool has_least, has_most;
    int64_t least, most; /* inclusive */
};
struct select_range_f64 {
    bool has_least, has_most;
    double least, most;
};

struct select_filters {
    struct select_range_i64 ltv_cents, orders, days_since, tenure_days;
    struct select_range_f64 aov, churn;   /* aov in money, not rounded; churn compared as float; unscored: no match */
    uint16_t axis_words[POPULATION_AXES]; /* bit set of accepted dominant words (15: none); 0: any */
    uint32_t rfm_groups;                  /* bit set; 0: any */
    int8_t is_b2b;                        /* -1 any, 0, 1 */
    const uint32_t *archetypes;           /* l1 indexes accepted; NULL: any */
    size_t archetype_count;
    bool none; /* nothing can match (an unknown archetype) */
};

struct select_cursor {
    bool present;
    double key; /* select_sort_value of the last row given; finite */
    int64_t id;
};

struct select_query {
    struct select_filters filters;
    enum population_order sort;
    bool ascending;
    size_t limit; /* at most SELECT_MAX_LIMIT, more is taken as that; 0: count only */
    struct select_cursor cursor;
};

struct select_result {
    const uint32_t *rows; /* row numbers, in order; in the arena */
    size_t count;
    uint64_t total_matches; /* over all pages */
    bool more;
    struct select_cursor next; /* set when `more` */
};

/* False when the arena is exhausted; it takes a bit a customer and at most 24 bytes a row of the limit. */
bool select_run(const struct population *p, const struct select_query *q, struct arena *a, struct select_result *out);
bool select_matches(const struct population *p, const struct select_filters *f, size_t row);
/* The matches as one bit a row (64 a word, the lowest first), in the arena; NULL: no memory. */
const uint64_t *select_bits(const struct population *p, const struct select_filters *f, struct arena *a);
/* Value rows are sorted by, never NaN: cents for money sorts (aov, impact and kept not rounded; predicted_clv is
 * money), the last order day for recency (so descending is most recent first), orders per year of tenure for
 * frequency. */
double select_sort_value(const struct population *p, enum population_order sort, size_t row);

#endif
