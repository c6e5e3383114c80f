/*
 * campaign: see the header.
 */
#include "model/campaign.h"

#include <stddef.h>

/* Words of axes_vocab by number; the test holds them against their names. */
enum {
    LIFECYCLE_ACTIVE = 0,
    LIFECYCLE_COOLING = 1,
    LIFECYCLE_LAPSING = 2,
    LIFECYCLE_DORMANT = 3,
    AFFINITY_SPECIALIZED = 1,
    AFFINITY_LOYAL = 2,
    CADENCE_HOLIDAY = 1,
    CADENCE_SEASONAL = 2,
    REPURCHASE_ROUTINE = 2,
    REPURCHASE_CONSUMABLE = 3
};

#define WORD(w)     (uint16_t)(1U << (w))
#define NOT_DORMANT (WORD(LIFECYCLE_ACTIVE) | WORD(LIFECYCLE_COOLING) | WORD(LIFECYCLE_LAPSING))

/* clang-format off */
static const struct campaign_rule rules[CAMPAIGN_TYPES] = {
    [CAMPAIGN_RETENTION] = {
        .name = "retention",
        .advice = "Focus on preventing churn from high-value customers",
        .value = CAMPAIGN_AT_RISK,
        .words = { [AXIS_LIFECYCLE] = NOT_DORMANT },
    },
    [CAMPAIGN_GROWTH] = {
        .name = "growth",
        .advice = "Grow the spend of valuable customers who are likely to return",
        .value = CAMPAIGN_KEPT,
    },
    [CAMPAIGN_WINBACK] = {
        .name = "winback",
        .advice = "Win back valuable customers who have stopped ordering",
        .value = CAMPAIGN_AT_RISK,
        .words = { [AXIS_LIFECYCLE] = WORD(LIFECYCLE_DORMANT) },
    },
    [CAMPAIGN_LOYALTY] = {
        .name = "loyalty",
        .advice = "Reward active repeat customers with the highest expected value",
        .value = CAMPAIGN_FUTURE,
        .min_orders = 3,
        .words = { [AXIS_LIFECYCLE] = WORD(LIFECYCLE_ACTIVE) },
    },
    [CAMPAIGN_CROSS_SELL] = {
        .name = "cross_sell",
        .advice = "Introduce further categories to customers who buy from few",
        .value = CAMPAIGN_FUTURE,
        .words = { [AXIS_LIFECYCLE] = WORD(LIFECYCLE_ACTIVE) | WORD(LIFECYCLE_COOLING),
                   [AXIS_CATEGORY_AFFINITY] = WORD(AFFINITY_SPECIALIZED) | WORD(AFFINITY_LOYAL) },
    },
    [CAMPAIGN_SEASONAL] = {
        .name = "seasonal",
        .advice = "Reach seasonal buyers before their season starts",
        .value = CAMPAIGN_KEPT,
        .words = { [AXIS_SHOPPING_CADENCE] = WORD(CADENCE_HOLIDAY) | WORD(CADENCE_SEASONAL) },
    },
    [CAMPAIGN_ACQUISITION] = {
        .name = "acquisition",
        .advice = "Ask satisfied repeat customers to refer new ones",
        .value = CAMPAIGN_ORDERS_KEPT,
        .min_orders = 3,
    },
};
/* clang-format on */

const struct campaign_rule *campaign_rule(enum campaign_type type)
{
    return &rules[type];
}

const char *campaign_type_name(unsigned type)
{
    return type < CAMPAIGN_TYPES ? rules[type].name : NULL;
}

static const struct {
    const char *name;
    enum axis_id axis;
    uint8_t first_word, last_word;
    const char *reason;
} goals[CAMPAIGN_GOALS] = {
    [CAMPAIGN_GOAL_SUBSCRIPTION] = { "subscription", AXIS_REPURCHASE_BEHAVIOR, REPURCHASE_ROUTINE,
                                     REPURCHASE_CONSUMABLE, "High repurchase rate - good subscription candidate" },
    [CAMPAIGN_GOAL_RETENTION] = { "retention", AXIS_LIFECYCLE, LIFECYCLE_COOLING, LIFECYCLE_LAPSING,
                                  "Declining purchase frequency - retention target" },
    [CAMPAIGN_GOAL_CROSS_SELL] = { "cross_sell", AXIS_CATEGORY_AFFINITY, AFFINITY_LOYAL, AFFINITY_LOYAL,
                                   "Category-loyal - introduce complementary products" },
};

const char *campaign_goal_name(unsigned goal)
{
    return goal < CAMPAIGN_GOALS ? goals[goal].name : NULL;
}

int campaign_goal_parse(struct str word)
{
    for (int i = 0; i < CAMPAIGN_GOALS; i++)
        if (str_eq_lit(word, goals[i].name))
            return i;
    return -1;
}

const char *campaign_goal_reason(enum campaign_goal goal)
{
    return goals[goal].reason;
}

bool campaign_goal_fits(enum campaign_goal goal, const uint8_t words[AXIS_COUNT])
{
    uint8_t word = words[goals[goal].axis];

    return word >= goals[goal].first_word && word <= goals[goal].last_word;
}
