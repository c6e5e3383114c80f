/*
 * campaign: whom a campaign is for, and in which order (CONTRACT 13). One table of types, one of goals.
 */
#ifndef MODEL_CAMPAIGN_H
#define MODEL_CAMPAIGN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"
#include "model/axes_vocab.h"

enum campaign_type {
    CAMPAIGN_RETENTION,
    CAMPAIGN_GROWTH,
    CAMPAIGN_WINBACK,
    CAMPAIGN_LOYALTY,
    CAMPAIGN_CROSS_SELL,
    CAMPAIGN_SEASONAL,
    CAMPAIGN_ACQUISITION,
    CAMPAIGN_TYPES
};

struct campaign_customer {
    double ltv, churn, predicted_clv;
    uint32_t orders;
    uint8_t lifecycle, category_affinity, shopping_cadence; /* dominant words */
};

const char *campaign_type_name(unsigned type);        /* "retention", …; NULL past the end */
int campaign_type_parse(struct str word);             /* -1: none */
const char *campaign_advice(enum campaign_type type); /* one sentence */
/* False: no candidate. */
bool campaign_score(enum campaign_type type, const struct campaign_customer *c, double *score);

enum campaign_goal {
    CAMPAIGN_GOAL_SUBSCRIPTION,
    CAMPAIGN_GOAL_RETENTION,
    CAMPAIGN_GOAL_CROSS_SELL,
    CAMPAIGN_GOALS
};

const char *campaign_goal_name(unsigned goal); /* NULL past the end */
int campaign_goal_parse(struct str word);      /* -1: none */
const char *campaign_goal_reason(enum campaign_goal goal);
/* Is an archetype with these dominant words one of the goal's? */
bool campaign_goal_fits(enum campaign_goal goal, const uint8_t words[AXIS_COUNT]);

#endif
