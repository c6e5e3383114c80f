/*
 * growth: see the header.
 */
#include "api/growth.h"

#include <math.h>

static void round_months(const struct forecast_growth *f, int64_t active_now, int months, struct growth *g)
{
    double acquired = 0, churned = 0;

    *g = (struct growth){ .months = months,
                          .monthly_churn_rate = f->monthly_churn_rate,
                          .low = f->interval.low,
                          .high = f->interval.high };
    for (int m = 0; m < months; m++) {
        acquired += f->month[m].acquired;
        churned += f->month[m].churned;
        int64_t acquired_now = llrint(acquired), churned_now = llrint(churned);
        g->month[m] = (struct growth_month){ .active = active_now + acquired_now - churned_now,
                                             .acquired = acquired_now - g->acquired,
                                             .churned = churned_now - g->churned };
        g->acquired = acquired_now;
        g->churned = churned_now;
    }
}

void growth_of_all(const struct population *p, int months, struct growth *g)
{
    double staying[POPULATION_MONTHS_AHEAD];
    struct forecast_growth f;

    for (int m = 0; m < POPULATION_MONTHS_AHEAD; m++)
        staying[m] = p->outlook[m].active;
    forecast_growth(p->model, p->outlook, (double)p->totals->active, staying, 1, months, &f);
    round_months(&f, (int64_t)p->totals->active, months, g);
}

void growth_of_archetype(const struct population *p, const struct population_archetype *a, int months,
                         struct growth *g)
{
    const float *series = population_archetype_staying(p, a);
    double staying[POPULATION_MONTHS_AHEAD];
    double share = p->totals->acquired > 0 ? (double)a->acquired / (double)p->totals->acquired : 0;
    struct forecast_growth f;

    if (series == NULL) {
        *g = (struct growth){ .months = months };
        for (int m = 0; m < months; m++)
            g->month[m].active = (int64_t)a->active;
        return;
    }
    for (int m = 0; m < POPULATION_MONTHS_AHEAD; m++)
        staying[m] = (double)series[m];
    forecast_growth(p->model, p->outlook, (double)a->active, staying, share, months, &f);
    round_months(&f, (int64_t)a->active, months, g);
}

int64_t growth_monthly_acquisition(const struct growth *g)
{
    return llrint((double)g->acquired / g->months);
}
