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

static bool anyone(const struct campaign_customer *c)
{
    return c->orders > 0;
}

static bool not_dormant(const struct campaign_customer *c)
{
    return c->lifecycle < LIFECYCLE_DORMANT;
}

static bool dormant(const struct campaign_customer *c)
{
    return c->lifecycle == LIFECYCLE_DORMANT;
}

static bool loyal(const struct campaign_customer *c)
{
    return c->orders >= 3 && c->lifecycle == LIFECYCLE_ACTIVE;
}

static bool narrow(const struct campaign_customer *c)
{
    return (c->category_affinity == AFFINITY_SPECIALIZED || c->category_affinity == AFFINITY_LOYAL) &&
           c->lifecycle <= LIFECYCLE_COOLING;
}

static bool seasonal(const struct campaign_customer *c)
{
    return c->shopping_cadence == CADENCE_HOLIDAY || c->shopping_cadence == CADENCE_SEASONAL;
}

static bool advocate(const struct campaign_customer *c)
{
    return c->orders >= 3;
}

static double at_risk(const struct campaign_customer *c)
{
    return c->ltv * c->churn;
}

static double kept(const struct campaign_customer *c)
{
    return c->ltv * (1 - c->churn);
}

static double future(const struct campaign_customer *c)
{
    return c->predicted_clv;
}

static double orders_kept(const struct campaign_customer *c)
{
    return c->orders * (1 - c->churn);
}

static const struct {
    const char *name;
    bool (*candidate)(const struct campaign_customer *c);
    double (*score)(const struct campaign_customer *c);
    const char *advice;
} types[CAMPAIGN_TYPES] = {
    [CAMPAIGN_RETENTION] = { "retention", not_dormant, at_risk,
                             "Focus on preventing churn from high-value customers" },
    [CAMPAIGN_GROWTH] = { "growth", anyone, kept, "Grow the spend of valuable customers who are likely to return" },
    [CAMPAIGN_WINBACK] = { "winback", dormant, at_risk, "Win back valuable customers who have stopped ordering" },
    [CAMPAIGN_LOYALTY] = { "loyalty", loyal, future,
                           "Reward active repeat customers with the highest expected value" },
    [CAMPAIGN_CROSS_SELL] = { "cross_sell", narrow, future,
                              "Introduce further categories to customers who buy from few" },
    [CAMPAIGN_SEASONAL] = { "seasonal", seasonal, kept, "Reach seasonal buyers before their season starts" },
    [CAMPAIGN_ACQUISITION] = { "acquisition", advocate, orders_kept,
                               "Ask satisfied repeat customers to refer new ones" },
};

const char *campaign_type_name(unsigned type)
{
    return type < CAMPAIGN_TYPES ? types[type].name : NULL;
}

int campaign_type_parse(struct str word)
{
    for (int i = 0; i < CAMPAIGN_TYPES; i++)
        if (str_eq_lit(word, types[i].name))
            return i;
    return -1;
}

const char *campaign_advice(enum campaign_type type)
{
    return types[type].advice;
}

bool campaign_score(enum campaign_type type, const struct campaign_customer *c, double *score)
{
    if (!types[type].candidate(c))
        return false;
    *score = types[type].score(c);
    return true;
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
