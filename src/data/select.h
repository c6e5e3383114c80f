/*
 * select: the one query over the population: filters, sort, limit, cursor.
 *
 * REST search, campaigns, tools and natural language all compile to struct
 * select_query. Pure: (population, query) to rows; matches are counted exactly.
 * Paging is by key (sort value, id), so a cursor stays good over a new data version.
 */
#ifndef DATA_SELECT_H
#define DATA_SELECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "data/population.h"

#define SELECT_MAX_LIMIT 10000

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
    struct select_range_f64 aov, churn;   /* aov in money */
    uint16_t axis_words[POPULATION_AXES]; /* bit set of accepted dominant words; 0: any */
    uint32_t rfm_groups;                  /* bit set; 0: any */
    int8_t is_b2b;                        /* -1 any, 0, 1 */
    const uint32_t *archetypes;           /* l1 indexes accepted; NULL: any */
    size_t archetype_count;
    bool none; /* nothing can match (an unknown archetype) */
};

struct select_cursor {
    bool present;
    double key; /* sort value of the last row given (cents for money sorts) */
    int64_t id;
};

struct select_query {
    struct select_filters filters;
    enum population_order sort;
    bool ascending;
    size_t limit; /* 1 … SELECT_MAX_LIMIT */
    struct select_cursor cursor;
};

struct select_result {
    const uint32_t *rows; /* row numbers, in order; in the arena */
    size_t count;
    uint64_t total_matches; /* over all pages */
    bool more;
    struct select_cursor next; /* set when `more` */
};

/* False when the arena is exhausted. */
bool select_run(const struct population *p, const struct select_query *q, struct arena *a, struct select_result *out);
bool select_matches(const struct population *p, const struct select_filters *f, size_t row);
/* Value rows are sorted by. Recency is the last order day, so descending is most recent first. */
double select_sort_value(const struct population *p, enum population_order sort, size_t row);

#endif
