/*
 * cohort: what became of the customers of each month (CONTRACT 14.2).
 *
 * A table over the last COHORT_MONTHS calendar months up to the as-of month;
 * plain bytes, no padding. Index 0 of a table is the as-of month, counting backwards; index k of a cohort is the
 * k-th calendar month after its first.
 */
#ifndef MODEL_COHORT_H
#define MODEL_COHORT_H

#include <stdint.h>

#define COHORT_MONTHS 60

struct cohort_cell {
    int64_t customers, orders; /* with an order in that month; orders */
    int64_t net_cents;
};

struct cohort_table {
    int64_t as_of_month;                                   /* see cohort_month_of */
    struct cohort_cell cell[COHORT_MONTHS][COHORT_MONTHS]; /* [cohort's age in months][k], k <= age */
};

int64_t cohort_month_of(int32_t day); /* 12 * year + month - 1 */
void cohort_init(struct cohort_table *t, int32_t as_of_day);
/* One customer's orders of one calendar month: `month` >= first_month, the month of his first order. Cohorts older
 * than the table are left out. */
void cohort_add(struct cohort_table *t, int64_t first_month, int64_t month, int64_t orders, int64_t net_cents);
/* The cohort of age `age` (0: the as-of month): size, share of it with an order at index k, net sales a customer up
 * to k. */
int64_t cohort_size(const struct cohort_table *t, unsigned age);
double cohort_retention(const struct cohort_table *t, unsigned age, unsigned k);
double cohort_cumulative_revenue(const struct cohort_table *t, unsigned age, unsigned k);
/* Weighted by size over the youngest `months` cohorts that reached index k; 0 when there is none. */
double cohort_average_retention(const struct cohort_table *t, unsigned months, unsigned k);

#endif
