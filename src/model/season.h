/*
 * season: month-of-year factors, and the trend of new customers.
 */
#ifndef MODEL_SEASON_H
#define MODEL_SEASON_H

#include <stddef.h>
#include <stdint.h>

#include "model/params.h"

#define SEASON_MAX_MONTHS 120
#define SEASON_MAX_WEEKS  156

/* Factors from net sales of n complete calendar months, the first of them first_month (0 = January): ratio to a
 * centred 12-month mean, averaged over the years, mean 1. Fewer than 24 months: all 1, and 0 is returned; else the
 * years used. */
int season_fit(const double *monthly, size_t n, int first_month, double season[12]);
/* Mean factor over the days from..to (from < to). */
double season_mean(const double season[12], int32_t from, int32_t to);
/* Trend of new customers from n weekly numbers, oldest first, the last week ending at as_of_day; divided by the
 * season first. n = 0 gives 0 customers. */
void season_acquisition_fit(const double *weekly, size_t n, int32_t as_of_day, const double season[12],
                            struct model_acquisition *a);
/* Expected new customers in month `month` (1, 2, …), season not applied. */
double season_acquired(const struct model_acquisition *a, int month);

#endif
