/*
 * present_forecast: the future of the whole population as JSON (CONTRACT 12.2 and 12.3). Pure functions of data set
 * and arguments; the population must have a model and an outlook.
 */
#ifndef API_PRESENT_FORECAST_H
#define API_PRESENT_FORECAST_H

#include "api/dataset.h"
#include "core/json.h"

/* months: 1 … POPULATION_MONTHS_AHEAD. */
void present_growth_projection(struct json_writer *w, const struct dataset *d, int months);
void present_revenue_forecast(struct json_writer *w, const struct dataset *d, int months);

#endif
