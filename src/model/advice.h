/*
 * advice: whom a recommendation is about and what to do (CONTRACT 17.2, get_recommendations). One table.
 */
#ifndef MODEL_ADVICE_H
#define MODEL_ADVICE_H

#include "model/campaign.h"

enum advice_type {
    ADVICE_UPSELL,
    ADVICE_CROSS_SELL,
    ADVICE_EXPANSION,
    ADVICE_WINBACK,
    ADVICE_RETENTION,
    ADVICE_DISCOUNT,
    ADVICE_TYPES
};

#define ADVICE_ACTIONS 3
#define ADVICE_OFFERS  4

struct advice_offer {
    const char *segment, *discount, *rationale; /* "lifecycle:lapsing", "10 %" */
};

struct advice {
    const char *name, *recommendation; /* "upsell"; one sentence */
    enum campaign_type campaign;       /* those of this campaign; CAMPAIGN_TYPES: those of `own` */
    struct campaign_rule own;
    const char *actions[ADVICE_ACTIONS];
    struct advice_offer offers[ADVICE_OFFERS]; /* those with a segment */
};

const struct advice *advice_get(enum advice_type type);
/* Whom it is about. */
const struct campaign_rule *advice_rule(const struct advice *a);

#endif
