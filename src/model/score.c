/*
 * score: see the header.
 */
#include "model/score.h"

#include <math.h>

#include "model/clv.h"
#include "model/nextorder.h"

void score_customer(const struct model_params *m, const struct score_terms *terms, const struct score_input *in,
                    struct score *out)
{
    const struct mbg_history *h = &in->history;
    double orders[CLV_MAX_MONTHS];

    out->churn = nextorder_churn(m, h, terms->horizon_days);
    out->p_alive = fmax(nextorder_p_alive(m, h), 1 - out->churn);
    out->expected_orders_90d = mbg_expected_orders(&m->mbg, h->x, (double)h->tx, (double)h->t, 90.0 / 7);
    out->order_value = clv_order_value(m, in->spend_days, in->spend_mean);
    forecast_path_of(m, h, in->days_since, &out->path);
    if (terms->clv_months <= FORECAST_MONTHLY_NODES)
        for (int i = 0; i < terms->clv_months; i++)
            orders[i] = out->path.orders[i] - (i > 0 ? out->path.orders[i - 1] : 0);
    else
        clv_orders(m, h, terms->clv_months, orders);
    out->expected_orders = 0;
    for (int i = 0; i < terms->clv_months; i++)
        out->expected_orders += orders[i];
    out->clv = out->expected_orders * out->order_value;
    out->clv_discounted =
        clv_discounted(orders, terms->clv_months, out->order_value, terms->margin, terms->annual_discount);
}
