/*
 * present: customers as JSON. A pure function of data set, row and settings.
 *
 * The profile is the hot path: it is written in one sweep into memory reserved
 * once (PRESENT_PROFILE_MAX bounds it), from fixed texts with the keys in them.
 */
#ifndef API_PRESENT_H
#define API_PRESENT_H

#include "api/dataset.h"
#include "base/buf.h"
#include "data/population.h"

#define PRESENT_PROFILE_MAX 6144
#define PRESENT_ITEM_MAX    1536

/* Appends the profile of CONTRACT 9.1. What no scoring has computed yet is null. */
void present_profile(struct buf *out, const struct dataset *d, const struct population_row *row);
/* Appends one item of a search (CONTRACT 10). */
void present_item(struct buf *out, const struct dataset *d, const struct population_row *row);

/* The word for population_risk_of(churn); NULL for NaN. */
const char *present_risk_level(double churn);

#endif
