/*
 * revenue: expected net sales month by month, in whole cents that add up (CONTRACT 12.3).
 */
#ifndef API_REVENUE_H
#define API_REVENUE_H

#include <stdint.h>

#include "data/population.h"

struct revenue {
    int months;
    int64_t total_cents, existing_total_cents; /* of all customers; of present ones */
    double orders;                             /* in all months */
    int64_t existing_cents[POPULATION_MONTHS_AHEAD], new_cents[POPULATION_MONTHS_AHEAD];
    struct forecast_revenue forecast; /* as the model gives it: seasons, intervals */
};

/* The population must have a model and an outlook. months: 1 … POPULATION_MONTHS_AHEAD. */
void revenue_of_all(const struct population *p, int months, struct revenue *r);
/* Of month m (from 0), present and new customers. */
int64_t revenue_month_cents(const struct revenue *r, int m);

#endif
