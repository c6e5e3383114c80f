/*
 * revenue: see the header.
 */
#include "api/revenue.h"

#include "api/answer.h"

int64_t revenue_month_cents(const struct revenue *r, int m)
{
    return r->existing_cents[m] + r->new_cents[m];
}

void revenue_of_all(const struct population *p, int months, struct revenue *r)
{
    forecast_revenue(p->model, p->outlook, p->header->as_of_day, months, &r->forecast);
    r->months = months;
    r->total_cents = r->existing_total_cents = 0;
    r->orders = 0;
    for (int m = 0; m < months; m++) {
        r->existing_cents[m] = answer_cents(r->forecast.month[m].existing);
        r->new_cents[m] = answer_cents(r->forecast.month[m].new_customers);
        r->total_cents += revenue_month_cents(r, m);
        r->existing_total_cents += r->existing_cents[m];
        r->orders += r->forecast.month[m].orders;
    }
}
