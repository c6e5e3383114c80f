/*
 * clv: expected orders and net sales of one customer, month by month (CONTRACT 9.4, MODELS 1).
 *
 * A month is 30.4375 days from the as-of day. Values are in currency units.
 */
#ifndef MODEL_CLV_H
#define MODEL_CLV_H

#include <stdint.h>

#include "model/params.h"

#define CLV_MAX_MONTHS 60

/* Expected net sales of one future purchase, given spend_days purchases of mean value spend_mean (0 days: unknown).
 */
double clv_order_value(const struct model_params *m, uint32_t spend_days, double spend_mean);
/* Expected orders in each of the next `months` (1 … CLV_MAX_MONTHS) months. */
void clv_orders(const struct model_params *m, const struct mbg_history *h, int months, double *orders);
/* Orders a month while still buying: E[rate | alive]. */
double clv_order_rate(const struct model_params *m, const struct mbg_history *h);
/* Sum of orders x value x margin / (1+d)^month, d = (1 + annual)^(1/12) - 1. */
double clv_discounted(const double *orders, int months, double value, double margin, double annual_discount);
/* Share still buying in a month: its expected orders / clv_order_rate, at most 1. */
double clv_retention(double orders, double rate);
/* Geometric mean of the monthly retention over the months; with one month, that month against now (p_alive). */
double clv_monthly_retention(const double *orders, int months, double rate, double p_alive);

#endif
