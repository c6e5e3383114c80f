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

/* What the customers of a campaign are ranked by. */
enum campaign_value {
    CAMPAIGN_AT_RISK,    /* LTV x churn */
    CAMPAIGN_KEPT,       /* LTV x (1 - churn) */
    CAMPAIGN_FUTURE,     /* predicted CLV */
    CAMPAIGN_ORDERS_KEPT /* orders x (1 - churn) */
};

struct campaign_rule {
    const char *name, *advice; /* "retention"; one sentence */
    enum campaign_value value;
    uint32_t min_orders;
    uint16_t words[AXIS_COUNT]; /* bit sets of accepted dominant words; 0: any */
};

/* Whom the type is for. */
const struct campaign_rule *campaign_rule(enum campaign_type type);
const char *campaign_type_name(unsigned type); /* "retention", …; NULL past the end */
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
