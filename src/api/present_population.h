/*
 * present_population: the whole population as JSON: churn (CONTRACT 12.1), cohorts (14.2). Pure functions.
 */
#ifndef API_PRESENT_POPULATION_H
#define API_PRESENT_POPULATION_H

#include "api/dataset.h"
#include "core/json.h"

/* The population must have a model. */
void present_churn_aggregate(struct json_writer *w, const struct dataset *d);
/* months: 1 … COHORT_MONTHS. The population must have cohorts. */
void present_cohorts(struct json_writer *w, const struct dataset *d, int months);

#endif
