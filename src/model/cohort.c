/*
 * cohort: see the header.
 */
#include "model/cohort.h"

#include <string.h>

#include "base/clock.h"

int64_t cohort_month_of(int32_t day)
{
    int year, month, mday;

    clock_civil_of(day, &year, &month, &mday);
    return (int64_t)year * 12 + month - 1;
}

void cohort_init(struct cohort_table *t, int32_t as_of_day)
{
    memset(t, 0, sizeof(*t));
    t->as_of_month = cohort_month_of(as_of_day);
}

void cohort_add(struct cohort_table *t, int64_t first_month, int64_t month, int64_t orders, int64_t net_cents)
{
    int64_t age = t->as_of_month - first_month, k = month - first_month;

    if (age < 0 || age >= COHORT_MONTHS || k < 0 || k > age)
        return;
    struct cohort_cell *c = &t->cell[age][k];
    c->customers++;
    c->orders += orders;
    c->net_cents += net_cents;
}

int64_t cohort_size(const struct cohort_table *t, unsigned age)
{
    return age < COHORT_MONTHS ? t->cell[age][0].customers : 0;
}

double cohort_retention(const struct cohort_table *t, unsigned age, unsigned k)
{
    int64_t size = cohort_size(t, age);

    return size > 0 && k <= age ? (double)t->cell[age][k].customers / (double)size : 0;
}

double cohort_cumulative_revenue(const struct cohort_table *t, unsigned age, unsigned k)
{
    int64_t size = cohort_size(t, age), cents = 0;

    if (size <= 0)
        return 0;
    for (unsigned i = 0; i <= k && i <= age; i++)
        cents += t->cell[age][i].net_cents;
    return (double)cents / 100 / (double)size;
}

double cohort_average_retention(const struct cohort_table *t, unsigned months, unsigned k)
{
    int64_t size = 0, customers = 0;

    for (unsigned age = k; age < months && age < COHORT_MONTHS; age++) {
        size += cohort_size(t, age);
        customers += t->cell[age][k].customers;
    }
    return size > 0 ? (double)customers / (double)size : 0;
}
