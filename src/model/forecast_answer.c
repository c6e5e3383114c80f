/*
 * forecast_answer: forecasts of net sales and of active customers from an outlook.
 */
#include <math.h>

#include "base/clock.h"
#include "model/forecast.h"
#include "model/season.h"

#define Z80 1.2815515655446004 /* 90 % point of the normal distribution */

static struct forecast_interval interval_of(double value, double deviation)
{
    return (struct forecast_interval){ .low = fmax(0, value - Z80 * deviation), .high = value + Z80 * deviation };
}

static int32_t day_at(int32_t as_of_day, int month)
{
    return as_of_day + (int32_t)lround(month * MODEL_DAYS_PER_MONTH);
}

void forecast_revenue(const struct model_params *m, const struct forecast_month *outlook, int32_t as_of_day,
                      int months, struct forecast_revenue *out)
{
    double variance = 0, error = 0; /* of chance, which adds up by squares; of the model, the same in all months */
    double later_value = m->first_value * m->net_factor;

    *out = (struct forecast_revenue){ 0 };
    for (int i = 0; i < months; i++) {
        const struct forecast_month *o = &outlook[i];
        struct forecast_revenue_month *r = &out->month[i];
        r->season = season_mean(m->season, day_at(as_of_day, i) + 1, day_at(as_of_day, i + 1) + 1);
        double factor = r->season * m->backtest.revenue_factor;
        r->existing = factor * o->revenue;
        r->new_customers = factor * o->new_revenue;
        r->revenue = r->existing + r->new_customers;
        r->orders = factor * (o->orders + o->new_orders);
        double chance = factor * factor * (o->revenue_variance + 2 * o->new_revenue * later_value);
        double model = m->forecast_error * sqrt(1 + i / 6.0) * r->revenue;
        r->interval = interval_of(r->revenue, sqrt(chance + model * model));
        out->revenue += r->revenue;
        variance += chance;
        error += model;
    }
    out->interval = interval_of(out->revenue, sqrt(variance + error * error));
}

void forecast_growth(const struct model_params *m, const struct forecast_month *outlook, double active_now,
                     const double *staying, double share_of_new, int months, struct forecast_growth *out)
{
    double before = active_now, rates = 0;

    *out = (struct forecast_growth){ 0 };
    for (int i = 0; i < months; i++) {
        struct forecast_growth_month *g = &out->month[i];
        g->active = staying[i] + share_of_new * outlook[i].new_active;
        g->acquired = share_of_new * outlook[i].new_customers;
        g->churned = before + g->acquired - g->active;
        if (g->churned < 0) { /* more return than leave: those won are counted as won */
            g->acquired -= g->churned;
            g->churned = 0;
        }
        out->acquired += g->acquired;
        out->churned += g->churned;
        rates += before > 0 ? g->churned / before : 0;
        before = g->active;
    }
    out->monthly_churn_rate = rates / months;
    const struct forecast_month *last = &outlook[months - 1];
    double chance = share_of_new >= 1 ? last->active_variance : staying[months - 1] / 2;
    double model = m->growth_error * sqrt(months / 3.0) * before;
    out->interval = interval_of(before, sqrt(chance + share_of_new * last->new_active + model * model));
}

void forecast_period(int32_t as_of_day, int month, int *year, int *calendar_month)
{
    int day;

    clock_civil_of(as_of_day, year, calendar_month, &day);
    int months = *year * 12 + *calendar_month - 1 + month;
    *year = months / 12;
    *calendar_month = months % 12 + 1;
}
