/*
 * reasons: why a prediction is what it is, in words (CONTRACT 1.4).
 *
 * For churn the contributions are Shapley values in log-odds of recency, number of
 * orders and tenure against the average customer (params reference_*), so they add
 * up to the difference from him, calibrated or not. Largest first.
 */
#ifndef MODEL_REASONS_H
#define MODEL_REASONS_H

#include <stdbool.h>
#include <stdint.h>

#include "model/params.h"

#define REASONS_MAX       5
#define REASONS_TEXT_SIZE 96

enum reason_code {
    REASON_RECENCY,
    REASON_RECENCY_VS_GAP,
    REASON_FEW_ORDERS,
    REASON_REPEAT_BUYER,
    REASON_ORDER_COUNT,
    REASON_TENURE,
    REASON_USUAL_GAP,
    REASON_ORDER_RATE
};

struct reason {
    enum reason_code code;
    bool raises;         /* raises the prediction (churn: the risk; else: the chance of an order, the forecast) */
    bool contributes;    /* false: no contribution, shown as null */
    double contribution; /* log-odds */
    char text[REASONS_TEXT_SIZE];
};

/* What the words need besides the model's history. */
struct reason_facts {
    uint32_t orders;
    int32_t days_since_last, tenure_days;
    double gap_days; /* average; NaN with one order */
};

const char *reason_code_name(enum reason_code code);
/* Contributions to the churn of recency, number of orders and tenure, in this order; and their words. */
#define REASONS_SHARES 3
void reasons_attribute(const struct model_params *m, const struct mbg_history *h, double share[REASONS_SHARES]);
unsigned reasons_tell(const struct model_params *m, const struct mbg_history *h, const double share[REASONS_SHARES],
                      const struct reason_facts *f, struct reason out[REASONS_MAX]);
/* Each fills out[] and returns how many, 1 … REASONS_MAX. Churn: both of the above. */
unsigned reasons_churn(const struct model_params *m, const struct mbg_history *h, const struct reason_facts *f,
                       struct reason out[REASONS_MAX]);
unsigned reasons_next_order(const struct model_params *m, const struct mbg_history *h, const struct reason_facts *f,
                            struct reason out[REASONS_MAX]);
unsigned reasons_clv(const struct model_params *m, const struct mbg_history *h, const struct reason_facts *f,
                     struct reason out[REASONS_MAX]);

#endif
