/*
 * select_scan: filters against columns. For select alone.
 */
#ifndef DATA_SELECT_SCAN_H
#define DATA_SELECT_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "data/select.h"

/* A field of the packed words, and which of its values match. */
struct select_field {
    unsigned shift;
    uint64_t mask, accept;
};

#define SELECT_MAX_FIELDS (POPULATION_AXES + 2)

/* The filters in terms of the columns: inclusive bounds, and whether they bound anything. */
struct select_scan {
    bool by_ltv, by_orders, by_last, by_first, by_aov, by_churn, by_archetype;
    int64_t ltv_least, ltv_most;
    int64_t orders_least, orders_most;
    int64_t last_least, last_most, first_least, first_most;
    double aov_least, aov_most;
    float churn_least, churn_most;
    struct select_field fields[SELECT_MAX_FIELDS];
    unsigned field_count;
    const uint32_t *archetypes;
    size_t archetype_count;
};

/* False when no row can match. The filters must outlive the scan. */
bool select_scan_init(struct select_scan *s, const struct population *p, const struct select_filters *f);
/* Does anything have to be looked at? */
bool select_scan_is_open(const struct select_scan *s);
bool select_scan_row(const struct select_scan *s, const struct population *p, size_t row);
/* One bit a row into bits[(rows+63)/64], rows past the end 0; the number of matches in *matches. False when the
 * arena is exhausted. */
bool select_scan_all(const struct select_scan *s, const struct population *p, uint64_t *bits, struct arena *a,
                     uint64_t *matches);

/* Net sales per order in money. */
static inline double select_aov(int64_t ltv_cents, uint32_t orders)
{
    return (double)ltv_cents / (100.0 * orders);
}

#endif
