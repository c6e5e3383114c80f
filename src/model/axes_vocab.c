/*
 * axes_vocab: see the header.
 */
#include "model/axes_vocab.h"

#include <stddef.h>

/* clang-format off */
const struct axis axes_vocab[AXIS_COUNT] = {
    [AXIS_PURCHASE_FREQUENCY] = {
        .name = "purchase_frequency",
        .display_name = "Purchase frequency",
        .description = "Orders per year of tenure",
        .defines_archetype = true,
        .word_count = 5,
        .words = {
            { "one_time", "One time", "Ordered once", true },
            { "rare", "Rare", "Orders less than once in most years", false },
            { "occasional", "Occasional", "Orders now and then", false },
            { "regular", "Regular", "Orders several times a year", false },
            { "power_buyer", "Power buyer", "Orders about every month or more often", false },
        },
    },
    [AXIS_PURCHASE_VALUE] = {
        .name = "purchase_value",
        .display_name = "Purchase value",
        .description = "Order value and spend",
        .defines_archetype = true,
        .word_count = 4,
        .words = {
            { "low_tier", "Low tier", "Low spend", false },
            { "mid_tier", "Mid tier", "Middling spend", false },
            { "high_tier", "High tier", "High spend", false },
            { "premium", "Premium", "Among the highest spend", false },
        },
    },
    [AXIS_LIFECYCLE] = {
        .name = "lifecycle",
        .display_name = "Lifecycle",
        .description = "Days since the last order against the customer's usual gap",
        .defines_archetype = true,
        .word_count = 4,
        .words = {
            { "active", "Active", "Ordered recently for this customer's rhythm", false },
            { "cooling", "Cooling", "The usual gap is about to pass", false },
            { "lapsing", "Lapsing", "The usual gap has clearly passed", false },
            { "dormant", "Dormant", "Has not ordered for many times the usual gap", false },
        },
    },
    [AXIS_PRICE_SENSITIVITY] = {
        .name = "price_sensitivity",
        .display_name = "Price sensitivity",
        .description = "Discounted share of spend",
        .defines_archetype = true,
        .word_count = 4,
        .words = {
            { "full_price", "Full price", "Never bought at a discount", true },
            { "price_conscious", "Price conscious", "Takes a discount now and then", false },
            { "value_seeker", "Value seeker", "Often buys at a discount", false },
            { "deal_hunter", "Deal hunter", "Buys mostly at a discount", false },
        },
    },
    [AXIS_CATEGORY_AFFINITY] = {
        .name = "category_affinity",
        .alias = "category_exploration",
        .display_name = "Category affinity",
        .description = "Effective number of categories",
        .defines_archetype = false,
        .word_count = 4,
        .words = {
            { "insufficient", "Insufficient", "Fewer than 3 order lines", true },
            { "specialized", "Specialized", "Buys from one category", false },
            { "category_loyal", "Category loyal", "Prefers a few categories", false },
            { "multi_category", "Multi category", "Buys across many categories", false },
        },
    },
    [AXIS_SHOPPING_CADENCE] = {
        .name = "shopping_cadence",
        .alias = "purchase_cadence",
        .display_name = "Shopping cadence",
        .description = "Weekend share of orders",
        .defines_archetype = false,
        .word_count = 6,
        .words = {
            { "insufficient", "Insufficient", "Fewer than 3 orders", true },
            { "holiday", "Holiday", "At least 60 % of the orders in November and December", true },
            { "seasonal", "Seasonal", "At least 60 % of the orders in one quarter, over at least 2 years", true },
            { "weekday", "Weekday", "Orders mostly on working days", false },
            { "year_round", "Year round", "Orders on any day", false },
            { "weekend", "Weekend", "Orders mostly at weekends", false },
        },
    },
    [AXIS_REPURCHASE_BEHAVIOR] = {
        .name = "repurchase_behavior",
        .display_name = "Repurchase behavior",
        .description = "Share of products bought again",
        .defines_archetype = false,
        .word_count = 4,
        .words = {
            { "single_order", "Single order", "Ordered once, so nothing could be bought again", true },
            { "variety_seeker", "Variety seeker", "Rarely buys a product twice", false },
            { "routine_buyer", "Routine buyer", "Buys some products again", false },
            { "consumable_buyer", "Consumable buyer", "Buys most products again", false },
        },
    },
    [AXIS_RETURN_BEHAVIOR] = {
        .name = "return_behavior",
        .display_name = "Return behavior",
        .description = "Refunds against gross sales",
        .defines_archetype = false,
        .word_count = 3,
        .words = {
            { "careful_buyer", "Careful buyer", "No refund so far", true },
            { "occasional_returner", "Occasional returner", "Returns a small part", false },
            { "frequent_returner", "Frequent returner", "Returns a large part", false },
        },
    },
    [AXIS_SHOPPING_MATURITY] = {
        .name = "shopping_maturity",
        .alias = "customer_maturity",
        .display_name = "Shopping maturity",
        .description = "Days since the first order",
        .defines_archetype = false,
        .word_count = 4,
        .words = {
            { "new", "New", "First order in the last weeks", false },
            { "developing", "Developing", "A customer for about half a year", false },
            { "established", "Established", "A customer for one to two years", false },
            { "long_term", "Long term", "A customer for years", false },
        },
    },
};
/* clang-format on */

int axes_vocab_find(struct str name)
{
    for (int i = 0; i < AXIS_COUNT; i++) {
        const struct axis *a = &axes_vocab[i];

        if (str_eq_lit(name, a->name) || (a->alias != NULL && str_eq_lit(name, a->alias)))
            return i;
    }
    return -1;
}

int axes_vocab_find_word(unsigned axis, struct str word)
{
    if (axis >= AXIS_COUNT)
        return -1;
    for (unsigned i = 0; i < axes_vocab[axis].word_count; i++) {
        if (str_eq_lit(word, axes_vocab[axis].words[i].name))
            return (int)i;
    }
    return -1;
}

const char *axes_vocab_word(unsigned axis, unsigned word)
{
    if (axis >= AXIS_COUNT || word >= axes_vocab[axis].word_count)
        return NULL;
    return axes_vocab[axis].words[word].name;
}
