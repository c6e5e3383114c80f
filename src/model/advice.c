/*
 * advice: see the header. Words of the axes stand by number; the test holds them against their names.
 */
#include "model/advice.h"

enum {
    VALUE_MID = 1,
    VALUE_HIGH = 2,
    LIFECYCLE_ACTIVE = 0,
    LIFECYCLE_COOLING = 1,
    LIFECYCLE_LAPSING = 2,
    PRICE_VALUE_SEEKER = 2,
    PRICE_DEAL_HUNTER = 3
};

#define WORD(w) (uint16_t)(1U << (w))

/* clang-format off */
static const struct advice table[ADVICE_TYPES] = {
    [ADVICE_UPSELL] = {
        .name = "upsell",
        .recommendation = "Offer the next higher tier to active repeat customers",
        .campaign = CAMPAIGN_TYPES,
        .own = { .name = "upsell", .value = CAMPAIGN_FUTURE, .min_orders = 2,
                 .words = { [AXIS_PURCHASE_VALUE] = WORD(VALUE_MID) | WORD(VALUE_HIGH),
                            [AXIS_LIFECYCLE] = WORD(LIFECYCLE_ACTIVE) | WORD(LIFECYCLE_COOLING) } },
        .actions = { "Show the premium line first", "Bundle with a larger pack",
                     "Free shipping above their usual order" },
    },
    [ADVICE_CROSS_SELL] = {
        .name = "cross_sell",
        .recommendation = "Introduce a second category to customers who buy from few",
        .campaign = CAMPAIGN_CROSS_SELL,
        .actions = { "Recommend what is bought together", "Sample of another category with the next order",
                     "Bundle of two categories" },
    },
    [ADVICE_EXPANSION] = {
        .name = "expansion",
        .recommendation = "Raise the frequency of active repeat customers",
        .campaign = CAMPAIGN_LOYALTY,
        .actions = { "Subscription for what they buy again", "Loyalty programme", "Early access to new products" },
    },
    [ADVICE_WINBACK] = {
        .name = "winback",
        .recommendation = "Give a reason to return to valuable customers who have stopped ordering",
        .campaign = CAMPAIGN_WINBACK,
        .actions = { "We-miss-you e-mail", "One-time offer with an end date", "Ask why they left" },
    },
    [ADVICE_RETENTION] = {
        .name = "retention",
        .recommendation = "Contact before the usual gap doubles",
        .campaign = CAMPAIGN_RETENTION,
        .actions = { "Personal e-mail", "Free shipping on the next order", "Reminder of what they bought" },
        .offers = { { "lifecycle:cooling", "5 %", "The usual gap is about to pass" },
                    { "lifecycle:lapsing", "10 %", "The usual gap has clearly passed" } },
    },
    [ADVICE_DISCOUNT] = {
        .name = "discount",
        .recommendation = "Give discounts only to those who respond to them",
        .campaign = CAMPAIGN_TYPES,
        .own = { .name = "discount", .value = CAMPAIGN_AT_RISK,
                 .words = { [AXIS_PRICE_SENSITIVITY] = WORD(PRICE_VALUE_SEEKER) | WORD(PRICE_DEAL_HUNTER),
                            [AXIS_LIFECYCLE] = WORD(LIFECYCLE_COOLING) | WORD(LIFECYCLE_LAPSING) } },
        .actions = { "Discount with an end date", "Discount from a least order value",
                     "No discount for the others" },
        .offers = { { "price_sensitivity:full_price", "none", "Buys at the full price" },
                    { "price_sensitivity:price_conscious", "5 %", "Takes a discount now and then" },
                    { "price_sensitivity:value_seeker", "10 %", "Often buys at a discount" },
                    { "price_sensitivity:deal_hunter", "15 %", "Buys mostly at a discount" } },
    },
};
/* clang-format on */

const struct advice *advice_get(enum advice_type type)
{
    return &table[type];
}

const struct campaign_rule *advice_rule(const struct advice *a)
{
    return a->campaign < CAMPAIGN_TYPES ? campaign_rule(a->campaign) : &a->own;
}
