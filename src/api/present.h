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
#include "core/json.h"
#include "data/population.h"

#define PRESENT_PROFILE_MAX 9216
#define PRESENT_ITEM_MAX    1536

/* Appends the profile of CONTRACT 9.1. What no scoring has computed yet is null. */
void present_profile(struct buf *out, const struct dataset *d, const struct population_row *row);
/* Appends one item of a search (CONTRACT 10). */
void present_item(struct buf *out, const struct dataset *d, const struct population_row *row);

/* An array of them. */
void present_items(struct json_writer *w, const struct dataset *d, const uint32_t *rows, size_t count);

/* Appends one customer of a campaign (CONTRACT 13.1); he must have a score. */
void present_campaign_item(struct buf *out, const struct dataset *d, const struct population_row *row, double score);

/* The word for population_risk_of(churn); NULL for NaN. */
const char *present_risk_level(double churn);
const char *present_recommendation(double churn);
/* Members of an open object: b2b_score and b2b_indicators; the five of rfm. */
void present_b2b_members(struct json_writer *w, const struct population_row *row);
void present_rfm_members(struct json_writer *w, const struct population_row *row);
/* Orders of the last 90 days against the 90 before: 1 growing, -1 declining, 0 stable; the same in a word. */
int present_engagement(const struct population_row *row);
const char *present_engagement_trend(const struct population_row *row);

#endif
