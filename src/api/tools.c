/*
 * tools: the table, and the fields of arguments and results.
 */
#include "api/tools.h"

#include "model/axes_vocab.h"
#include "model/campaign.h"
#include "model/rfm.h"

#define MAX_MONEY  9e13
#define MAX_DAYS   36500
#define MAX_ORDERS 1e9
#define MAX_LIMIT  1000

/* Filled by tools_init from the vocabularies they belong to. */
static const char *axis_words[AXIS_COUNT + 1];
static const char *goal_words[CAMPAIGN_GOALS + 1];

#define END                                                                                                          \
    {                                                                                                                \
        .name = NULL                                                                                                 \
    }

/* clang-format off */

/* ---- arguments ---- */

static const struct tool_field customer_arguments[] = {
    { .name = "customer_id", .type = TOOL_TEXT, .description = "Customer id", .required = true },
    END
};
static const struct tool_field search_arguments[] = {
    { .name = "archetype_id", .type = TOOL_TEXT, .description = "Only members of this archetype" },
    { .name = "segment_filter", .type = TOOL_SEGMENTS, .description = "Dominant segments by axis; all must hold" },
    { .name = "limit", .type = TOOL_INT, .description = "Customers to answer, by lifetime value",
      .least = 1, .most = MAX_LIMIT, .initial = 100, .has_initial = true },
    END
};
static const struct tool_field archetype_arguments[] = {
    { .name = "archetype_id", .type = TOOL_TEXT, .description = "Archetype id, arch_ and 12 digits", .required = true },
    END
};
static const struct tool_field trend_arguments[] = {
    { .name = "axis_name", .type = TOOL_TEXT, .description = "Axis", .required = true, .words = axis_words },
    { .name = "segment_name", .type = TOOL_TEXT, .description = "Segment of the axis", .required = true },
    END
};
static const struct tool_field goal_arguments[] = {
    { .name = "goal", .type = TOOL_TEXT, .description = "What the campaign is for", .required = true, .words = goal_words,
      .header = "Goal" },
    { .name = "max_segments", .type = TOOL_INT, .description = "Archetypes to answer, by members",
      .least = 1, .most = 100, .initial = 5, .has_initial = true },
    END
};

/* ---- results ---- */

static const struct tool_field profile_result[] = {
    { .name = "customer_id", .type = TOOL_TEXT },
    { .name = "archetype", .type = TOOL_OBJECT, .nullable = true },
    { .name = "dominant_segments", .type = TOOL_OBJECT, .nullable = true },
    { .name = "membership_strengths", .type = TOOL_OBJECT, .nullable = true },
    { .name = "fuzzy_memberships", .type = TOOL_OBJECT, .nullable = true },
    { .name = "business_metrics", .type = TOOL_OBJECT },
    { .name = "churn_risk", .type = TOOL_OBJECT },
    { .name = "rfm", .type = TOOL_OBJECT },
    { .name = "predictions", .type = TOOL_OBJECT },
    { .name = "b2b", .type = TOOL_OBJECT },
    { .name = "as_of", .type = TOOL_TEXT },
    { .name = "data_version", .type = TOOL_INT },
    END
};
static const struct tool_field customer_item[] = {
    { .name = "customer_id", .type = TOOL_TEXT },
    { .name = "archetype_id", .type = TOOL_TEXT, .nullable = true },
    { .name = "dominant_segments", .type = TOOL_OBJECT, .nullable = true },
    { .name = "lifetime_value", .type = TOOL_NUMBER },
    { .name = "total_orders", .type = TOOL_INT },
    { .name = "avg_order_value", .type = TOOL_NUMBER },
    { .name = "days_since_last_purchase", .type = TOOL_INT },
    { .name = "customer_tenure_days", .type = TOOL_INT },
    { .name = "churn_risk_score", .type = TOOL_NUMBER, .nullable = true },
    { .name = "risk_level", .type = TOOL_TEXT, .nullable = true },
    { .name = "rfm_group", .type = TOOL_TEXT },
    { .name = "is_b2b", .type = TOOL_BOOL },
    { .name = "impact", .type = TOOL_NUMBER, .nullable = true },
    END
};
static const struct tool_field archetype_result[] = {
    { .name = "archetype_id", .type = TOOL_TEXT },
    { .name = "segment_name", .type = TOOL_TEXT },
    { .name = "dominant_segments", .type = TOOL_OBJECT },
    { .name = "behavioral_traits", .type = TOOL_TEXTS },
    { .name = "member_count", .type = TOOL_INT },
    { .name = "population_percentage", .type = TOOL_NUMBER },
    { .name = "avg_lifetime_value", .type = TOOL_NUMBER },
    { .name = "avg_order_frequency", .type = TOOL_NUMBER },
    { .name = "avg_churn_risk", .type = TOOL_NUMBER },
    { .name = "description", .type = TOOL_TEXT },
    { .name = "archetype_level", .type = TOOL_TEXT },
    { .name = "active_members", .type = TOOL_INT },
    { .name = "strength_signature", .type = TOOL_LIST },
    { .name = "total_lifetime_value", .type = TOOL_NUMBER },
    { .name = "average_orders", .type = TOOL_NUMBER },
    { .name = "avg_order_value", .type = TOOL_NUMBER },
    { .name = "expected_orders_90d", .type = TOOL_NUMBER },
    { .name = "as_of", .type = TOOL_TEXT },
    END
};
static const struct tool_field trend_result[] = {
    { .name = "axis", .type = TOOL_TEXT },
    { .name = "segment", .type = TOOL_TEXT },
    { .name = "current_members", .type = TOOL_INT },
    { .name = "previous_members", .type = TOOL_INT, .nullable = true },
    { .name = "growth_rate", .type = TOOL_NUMBER, .nullable = true },
    { .name = "compared_with", .type = TOOL_TEXT, .nullable = true },
    { .name = "note", .type = TOOL_TEXT, .nullable = true },
    END
};
static const struct tool_field churn_result[] = {
    { .name = "customer_id", .type = TOOL_TEXT },
    { .name = "risk_level", .type = TOOL_TEXT },
    { .name = "churn_risk_score", .type = TOOL_NUMBER },
    { .name = "churn_probability", .type = TOOL_NUMBER },
    { .name = "horizon_days", .type = TOOL_INT },
    { .name = "p_alive", .type = TOOL_NUMBER },
    { .name = "risk_factors", .type = TOOL_TEXTS },
    { .name = "factors", .type = TOOL_OBJECT },
    { .name = "reasons", .type = TOOL_LIST },
    { .name = "recommendation", .type = TOOL_TEXT },
    { .name = "calibrated", .type = TOOL_BOOL },
    { .name = "model_status", .type = TOOL_TEXT, .nullable = true },
    { .name = "model_version", .type = TOOL_TEXT, .nullable = true },
    { .name = "as_of", .type = TOOL_TEXT },
    END
};
static const struct tool_field goal_item[] = {
    { .name = "archetype_id", .type = TOOL_TEXT },
    { .name = "member_count", .type = TOOL_INT },
    { .name = "reason", .type = TOOL_TEXT },
    { .name = "segments", .type = TOOL_OBJECT },
    END
};

/* ---- the table ---- */

const struct tool tools[] = {
    { .name = "get_customer_profile", .title = "Customer profile",
      .description = "Everything known about one customer: archetype, segments, business metrics, churn risk, RFM and "
                     "predictions.",
      .scope = AUTH_READ, .arguments = customer_arguments, .result = profile_result, .run = tool_profile },
    { .name = "search_customers", .title = "Customer search",
      .description = "Customers of an archetype or of segments, by lifetime value descending.",
      .scope = AUTH_READ, .arguments = search_arguments, .result = customer_item, .list = true, .run = tool_search },
    { .name = "get_archetype_stats", .title = "Archetype statistics",
      .description = "Size, value, risk and typical behaviour of one archetype.",
      .scope = AUTH_READ, .arguments = archetype_arguments, .result = archetype_result, .run = tool_archetype },
    { .name = "calculate_segment_trends", .title = "Segment trend",
      .description = "Members of a segment now and about 30 days before.",
      .scope = AUTH_READ, .arguments = trend_arguments, .result = trend_result, .run = tool_segment_trend },
    { .name = "predict_churn_risk", .title = "Churn risk",
      .description = "Calibrated probability that a customer places no order in the coming days, with reasons.",
      .scope = AUTH_READ, .arguments = customer_arguments, .result = churn_result, .run = tool_churn_risk },
    { .name = "recommend_segments_for_campaign", .title = "Archetypes for a campaign",
      .description = "Archetypes that suit a campaign goal, by number of members.",
      .scope = AUTH_READ, .arguments = goal_arguments, .result = goal_item, .list = true,
      .run = tool_campaign_segments },
};
/* clang-format on */

#define TOOLS (sizeof(tools) / sizeof(tools[0]))
const size_t tools_count = TOOLS;
static const char *names[TOOLS + 1];
const char *const *const tools_names = names;

void tools_init(void)
{
    for (unsigned i = 0; i < TOOLS; i++)
        names[i] = tools[i].name;
    for (unsigned i = 0; i < AXIS_COUNT; i++)
        axis_words[i] = axes_vocab[i].name;
    for (unsigned i = 0; i < CAMPAIGN_GOALS; i++)
        goal_words[i] = campaign_goal_name(i);
}

const struct tool *tools_find(struct str name)
{
    for (size_t i = 0; i < TOOLS; i++) {
        if (str_eq_lit(name, tools[i].name))
            return &tools[i];
    }
    return NULL;
}
