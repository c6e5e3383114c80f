/*
 * growth: the expected number of active customers month by month, in whole customers that add up
 * (CONTRACT 11.3, 12.2).
 *
 * Sums of acquired and churned are rounded, not the months: so the months add up to the totals, none is negative, and
 * active now + acquired - churned is the month's stock.
 */
#ifndef API_GROWTH_H
#define API_GROWTH_H

#include <stdint.h>

#include "data/population.h"

struct growth_month {
    int64_t active, acquired, churned; /* at its end; in it */
};

struct growth {
    int months;
    int64_t acquired, churned; /* over all months */
    double monthly_churn_rate; /* mean, fraction of those active at a month's start */
    double low, high;          /* 10 and 90 % points of the stock at the end */
    struct growth_month month[POPULATION_MONTHS_AHEAD];
};

/* Of the whole population; it must have a model and an outlook. months: 1 … POPULATION_MONTHS_AHEAD. */
void growth_of_all(const struct population *p, int months, struct growth *g);
/* Of an archetype: its active members and its share of the new customers. Without a series nothing is expected of it.
 */
void growth_of_archetype(const struct population *p, const struct population_archetype *a, int months,
                         struct growth *g);
/* New customers a month, mean. */
int64_t growth_monthly_acquisition(const struct growth *g);

#endif
