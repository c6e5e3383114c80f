/*
 * present_prediction: what is predicted of one customer, as JSON (CONTRACT 9.2–9.4). Pure functions of data set, row
 * and arguments; the population must have a model and the row a score.
 */
#ifndef API_PRESENT_PREDICTION_H
#define API_PRESENT_PREDICTION_H

#include "api/dataset.h"
#include "core/json.h"
#include "data/population.h"
#include "model/nextorder.h"
#include "model/reasons.h"

void present_churn_risk(struct json_writer *w, const struct dataset *d, const struct population_row *row);
/* "risk_factors": the texts of the reasons that raise the risk. */
void present_risk_factors(struct json_writer *w, const struct reason *reasons, unsigned count);
void present_next_purchase(struct json_writer *w, const struct dataset *d, const struct population_row *row);
/* months: 1 … CLV_MAX_MONTHS. */
void present_ltv_forecast(struct json_writer *w, const struct dataset *d, const struct population_row *row,
                          int months);

/* LTV now and after so many months, as present_ltv_forecast has them. */
void prediction_ltv(const struct population *p, const struct population_row *row, int months, int64_t *now_cents,
                    int64_t *then_cents);
/* When to reach out, in words. */
#define PREDICTION_ADVICE_SIZE 96
void prediction_advice(const struct population *p, const struct population_row *row,
                       char text[PREDICTION_ADVICE_SIZE]);
/* What the profile shows of the same predictions: the reasons of its churn, and the expected day of the next order
 * (CLOCK_NO_DAY: too unlikely to date). */
unsigned prediction_churn_reasons(const struct population *p, const struct population_row *row,
                                  struct reason out[REASONS_MAX]);
int32_t prediction_next_order_day(const struct population *p, const struct population_row *row);

#endif
