/*
 * nextorder: when and whether a customer orders again (CONTRACT 9.2, 9.3).
 *
 * All from one distribution, P(order within d) = 1 - calibrated churn(d) (a
 * defective Lomax, shifted in log-odds), so 1 - churn, p30 … p365 and the dates agree with each other.
 */
#ifndef MODEL_NEXTORDER_H
#define MODEL_NEXTORDER_H

#include <stdbool.h>
#include <stdint.h>

#include "model/params.h"

struct nextorder {
    double p30, p60, p90, p365; /* P(an order within so many days) */
    bool dated;                 /* false: an order within the year is too unlikely to date; the rest is 0 then */
    /* Days after the as-of day, >= 1, given an order within 365 days: 10, 50 and 90 % points. */
    int32_t low_days, median_days, high_days;
};

/* P(no order in the next `days`). */
double nextorder_churn(const struct model_params *m, const struct mbg_history *h, double days);
/* P(has not given up for good): closed form, but never below P(an order within the year). */
double nextorder_p_alive(const struct model_params *m, const struct mbg_history *h);
/* Its median_days alone; 0: not dated. */
int32_t nextorder_median_days(const struct model_params *m, const struct mbg_history *h);
void nextorder_predict(const struct model_params *m, const struct mbg_history *h, struct nextorder *out);

#endif
