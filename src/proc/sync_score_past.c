/*
 * sync_score_past: what happened in the calendar months, and to the customers who came in each.
 */
#include <string.h>

#include "proc/sync_score_parts.h"

void sync_score_past_init(struct score_past *p, int32_t as_of_day)
{
    memset(p, 0, sizeof(*p));
    p->as_of_month = cohort_month_of(as_of_day);
    cohort_init(&p->cohorts, as_of_day);
    for (int i = 0; i < SCORE_MONTHS; i++)
        p->month[i].month = (int32_t)(p->as_of_month - i);
}

static void add_month(struct score_past *p, int64_t first_month, int64_t month, uint32_t orders, int64_t net_cents)
{
    int64_t age = p->as_of_month - month;

    cohort_add(&p->cohorts, first_month, month, orders, net_cents);
    if (age < 0 || age >= SCORE_MONTHS)
        return;
    struct population_month *m = &p->month[age];
    m->customers++;
    m->new_customers += month == first_month;
    m->orders += orders;
    m->net_cents += net_cents;
    if ((size_t)age >= p->months)
        p->months = (size_t)age + 1;
}

void sync_score_past_add(struct score_past *p, const struct facts_day *days, size_t n)
{
    for (size_t i = 0, j; i < n; i = j) {
        int64_t month = cohort_month_of(days[i].day), net_cents = 0;
        uint32_t orders = 0;

        for (j = i; j < n && cohort_month_of(days[j].day) == month; j++) {
            orders += days[j].orders;
            net_cents += days[j].net_cents;
        }
        add_month(p, cohort_month_of(days[0].day), month, orders, net_cents);
    }
}
