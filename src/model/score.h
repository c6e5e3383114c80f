/*
 * score: all numbers of one customer in one pass, for the batch that scores everyone.
 */
#ifndef MODEL_SCORE_H
#define MODEL_SCORE_H

#include <stdint.h>

#include "model/forecast.h"
#include "model/params.h"

struct score_terms {
    double horizon_days; /* of churn */
    int clv_months;      /* 1 … CLV_MAX_MONTHS */
    double margin, annual_discount;
};

struct score_input {
    struct mbg_history history;
    uint32_t spend_days; /* purchase days with net sales above 0 */
    double spend_mean;   /* of those */
    int32_t days_since;  /* of the last order */
};

struct score {
    double churn, p_alive;
    double expected_orders;     /* in clv_months */
    double expected_orders_90d; /* in 90 days */
    double order_value;         /* expected net sales of one */
    double clv, clv_discounted; /* in clv_months */
    struct forecast_path path;
};

void score_customer(const struct model_params *m, const struct score_terms *terms, const struct score_input *in,
                    struct score *out);

#endif
