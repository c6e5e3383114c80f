/*
 * backtest: how good predicted probabilities were, once the outcome is known.
 */
#ifndef MODEL_BACKTEST_H
#define MODEL_BACKTEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/params.h"

/* `count` customers with one prediction, `events` of them churned. */
struct backtest_case {
    float churn;
    uint32_t count, events;
};

/* Area under the curve (ties count half), Brier score, expected calibration error over ten equal bins of the
 * prediction. Sorts the cases. False without customers of both outcomes: q is all 0 then. */
bool backtest_quality(struct backtest_case *cases, size_t n, struct model_quality *q);
/* (actual / predicted)^0.5 within .7 … 1.3; 1 when either is not above 0. */
double backtest_factor(double actual, double predicted);
/* 100 (predicted / actual - 1); 0 when actual is not above 0. */
double backtest_bias_pct(double actual, double predicted);

#endif
