/*
 * clv: see the header.
 */
#include "model/clv.h"

#include <math.h>

double clv_order_value(const struct model_params *m, uint32_t spend_days, double spend_mean)
{
    bool known = spend_days > 0 && spend_mean > 0;

    return m->net_factor * gammagamma_expected(&m->spend, known ? spend_days : 0, known ? spend_mean : 0);
}

void clv_orders(const struct model_params *m, const struct mbg_history *h, int months, double *orders)
{
    double weeks[CLV_MAX_MONTHS];

    _Static_assert(CLV_MAX_MONTHS <= MBG_GRID_MAX, "all months are one grid");
    for (int i = 0; i < months; i++)
        weeks[i] = (i + 1) * MODEL_WEEKS_PER_MONTH;
    mbg_expected_grid(&m->mbg, h->x, (double)h->tx, (double)h->t, weeks, months, orders);
    for (int i = months - 1; i > 0; i--)
        orders[i] = fmax(0, orders[i] - orders[i - 1]);
}

double clv_order_rate(const struct model_params *m, const struct mbg_history *h)
{
    return (m->mbg.r + h->x) / (m->mbg.alpha + (double)h->t) * MODEL_WEEKS_PER_MONTH;
}

double clv_discounted(const double *orders, int months, double value, double margin, double annual_discount)
{
    double factor = pow(1 + annual_discount, -1.0 / 12), weight = margin, sum = 0;

    for (int i = 0; i < months; i++) {
        weight *= factor;
        sum += orders[i] * value * weight;
    }
    return sum;
}

double clv_retention(double orders, double rate)
{
    return rate > 0 ? fmin(1, orders / rate) : 0;
}

double clv_monthly_retention(const double *orders, int months, double rate, double p_alive)
{
    double first = clv_retention(orders[0], rate), last = clv_retention(orders[months - 1], rate);

    if (months == 1)
        return p_alive > 0 ? fmin(1, last / p_alive) : 0;
    return first > 0 ? fmin(1, pow(last / first, 1.0 / (months - 1))) : 0;
}
