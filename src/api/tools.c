/*
 * tools: the table, and the fields of arguments and results.
 */
#include "api/tools.h"

#include "api/search_request.h"
#include "api/season.h"
#include "data/products.h"
#include "model/axes_vocab.h"
#include "model/campaign.h"
#include "model/rfm.h"

#define MAX_MONEY  SEARCH_MAX_MONEY
#define MAX_DAYS   36500
#define MAX_ORDERS 1e9
#define MAX_LIMIT  1000
#define MAX_MONTHS 60

/* Filled by tools_init from the vocabularies they belong to. */
static const char *axis_words[AXIS_COUNT + 1];
static const char *goal_words[CAMPAIGN_GOALS + 1], *campaign_words[CAMPAIGN_TYPES + 1];
static const char *tier_words[AXES_MAX_WORDS + 1], *group_words[RFM_GROUPS + 1];
static const char *const scope_words[] = { "individual", "list", NULL };
/* Of all analyses; which of them is whose, the tool knows. */
static const char *const product_sorts[] = { "revenue",     "customer_count",  "aov", "total_orders", "units_sold",
                                             "growth_rate", "repurchase_rate", NULL };

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

static const struct tool_field filter_members[] = {
    { .name = "ltv_min", .type = TOOL_NUMBER, .description = "Least lifetime value", .most = MAX_MONEY },
    { .name = "ltv_max", .type = TOOL_NUMBER, .description = "Greatest lifetime value", .most = MAX_MONEY },
    { .name = "aov_min", .type = TOOL_NUMBER, .description = "Least average order value", .most = MAX_MONEY },
    { .name = "aov_max", .type = TOOL_NUMBER, .description = "Greatest average order value", .most = MAX_MONEY },
    { .name = "churn_risk_min", .type = TOOL_NUMBER, .description = "Least churn risk", .most = 1 },
    { .name = "churn_risk_max", .type = TOOL_NUMBER, .description = "Greatest churn risk", .most = 1 },
    { .name = "total_orders_min", .type = TOOL_INT, .description = "Least number of orders", .most = MAX_ORDERS },
    { .name = "total_orders_max", .type = TOOL_INT, .description = "Greatest number of orders", .most = MAX_ORDERS },
    { .name = "last_purchase_days_min", .type = TOOL_INT, .description = "Least days since the last order",
      .most = MAX_DAYS },
    { .name = "last_purchase_days_max", .type = TOOL_INT, .description = "Most days since the last order",
      .most = MAX_DAYS },
    { .name = "tenure_days_min", .type = TOOL_INT, .description = "Least days since the first order", .most = MAX_DAYS },
    { .name = "tenure_days_max", .type = TOOL_INT, .description = "Most days since the first order", .most = MAX_DAYS },
    { .name = "archetype_id", .type = TOOL_TEXTS, .description = "Any of these archetypes" },
    { .name = "rfm_group", .type = TOOL_TEXTS, .description = "Any of these RFM groups", .words = group_words },
    { .name = "segment", .type = TOOL_SEGMENTS, .description = "Dominant segments by axis; all must hold" },
    { .name = "is_b2b", .type = TOOL_BOOL, .description = "Business buyers, or none of them" },
    END
};
static const struct tool_field customers_arguments[] = {
    { .name = "scope", .type = TOOL_TEXT, .description = "One customer, or a list (the default)", .words = scope_words },
    { .name = "customer_id", .type = TOOL_TEXT, .description = "With scope individual: the customer's id" },
    { .name = "info", .type = TOOL_TEXT, .description = "With scope individual: what to tell (default profile)",
      .words = tools_info_words },
    { .name = "analysis", .type = TOOL_TEXT,
      .description = "With scope list: which customers. high_value by lifetime value; churn_risk by value at risk; b2b "
                     "business buyers; behavioral those who match the filters; rfm by RFM score; one_time_buyers one "
                     "order; momentum_analysis growing orders; declining_engagement valuable with declining orders; "
                     "behavior_change; purchase_cadence; discount_dependency",
      .words = tools_analysis_words },
    { .name = "filters", .type = TOOL_OBJECT, .description = "With scope list: only customers within; all must hold",
      .members = filter_members },
    { .name = "sort_by", .type = TOOL_TEXT, .description = "With scope list: another order than the analysis has",
      .words = search_sort_words },
    { .name = "limit", .type = TOOL_INT, .description = "With scope list: customers to answer",
      .least = 1, .most = MAX_LIMIT, .initial = 10, .has_initial = true },
    END
};
static const struct tool_field segment_filter_members[] = {
    { .name = "growth_trend", .type = TOOL_TEXT, .description = "Only growing or shrinking archetypes",
      .words = tools_trend_words },
    { .name = "value_tier", .type = TOOL_TEXT, .description = "Dominant word of purchase_value", .words = tier_words },
    { .name = "risk_level", .type = TOOL_TEXT, .description = "Level of the mean churn risk",
      .words = tools_risk_words },
    { .name = "size_min", .type = TOOL_INT, .description = "Least number of members", .most = MAX_ORDERS },
    { .name = "size_max", .type = TOOL_INT, .description = "Greatest number of members", .most = MAX_ORDERS },
    END
};
static const struct tool_field segments_arguments[] = {
    { .name = "analysis", .type = TOOL_TEXT,
      .description = "overview (default) and growth of archetypes; comparison of segment_ids; seasonal for an event; "
                     "product_affinity what they buy most",
      .words = tools_segments_words },
    { .name = "segment_ids", .type = TOOL_TEXTS, .description = "For a comparison: archetype ids", .least = 2, .most = 5 },
    { .name = "event", .type = TOOL_TEXT, .description = "For seasonal: the event", .words = season_words },
    { .name = "filters", .type = TOOL_OBJECT, .description = "Only archetypes within; all must hold",
      .members = segment_filter_members },
    { .name = "timeframe_months", .type = TOOL_INT, .description = "Months ahead",
      .least = 1, .most = MAX_MONTHS, .initial = 12, .has_initial = true },
    { .name = "sort_by", .type = TOOL_TEXT, .description = "Order, descending", .words = tools_segments_sorts },
    { .name = "limit", .type = TOOL_INT, .description = "Archetypes to answer",
      .least = 1, .most = 50, .initial = 10, .has_initial = true },
    END
};
static const struct tool_field forecast_arguments[] = {
    { .name = "metric", .type = TOOL_TEXT, .description = "What to forecast (default revenue)",
      .words = tools_metric_words },
    { .name = "timeframe_months", .type = TOOL_INT, .description = "Months ahead",
      .least = 1, .most = MAX_MONTHS, .initial = 12, .has_initial = true },
    END
};
static const struct tool_field campaign_arguments[] = {
    { .name = "goal", .type = TOOL_TEXT, .description = "Type of the campaign (default retention)",
      .words = campaign_words },
    { .name = "event", .type = TOOL_TEXT, .description = "With goal seasonal: the event, which asks for archetypes",
      .words = season_words },
    { .name = "target_size", .type = TOOL_INT, .description = "Customers to address",
      .least = 1, .most = 10000, .initial = 100, .has_initial = true },
    { .name = "min_ltv", .type = TOOL_NUMBER, .description = "Least lifetime value", .most = MAX_MONEY },
    { .name = "min_churn_risk", .type = TOOL_NUMBER, .description = "Least churn risk", .most = 1 },
    { .name = "max_churn_risk", .type = TOOL_NUMBER, .description = "Greatest churn risk", .most = 1 },
    { .name = "prioritize_by", .type = TOOL_TEXT, .description = "Another order than the type has",
      .words = tools_priority_words },
    END
};
static const struct tool_field recommendations_arguments[] = {
    { .name = "type", .type = TOOL_TEXT, .description = "What to recommend (default retention)",
      .words = tools_advice_words },
    { .name = "limit", .type = TOOL_INT, .description = "Customers to answer",
      .least = 1, .most = MAX_LIMIT, .initial = 20, .has_initial = true },
    END
};
static const struct tool_field products_arguments[] = {
    { .name = "analysis_type", .type = TOOL_TEXT, .description = "The analysis (default revenue_by_category)",
      .words = products_names },
    { .name = "segment", .type = TOOL_TEXT,
      .description = "Only orders of these customers: axis:word, as in lifecycle:active, or an archetype id" },
    { .name = "sort_by", .type = TOOL_TEXT, .description = "Another order than the analysis has",
      .words = product_sorts },
    { .name = "timeframe_months", .type = TOOL_INT, .description = "Months back",
      .least = 1, .most = MAX_MONTHS, .initial = 12, .has_initial = true },
    { .name = "limit", .type = TOOL_INT, .description = "Items to answer",
      .least = 1, .most = MAX_LIMIT, .initial = 10, .has_initial = true },
    END
};

/* ---- results ---- */

static const struct tool_field answer_members[] = {
    { .name = "summary", .type = TOOL_TEXT },
    { .name = "message", .type = TOOL_TEXT },
    { .name = "as_of", .type = TOOL_TEXT },
    END
};
static const struct tool_field answer_result[] = {
    { .name = "query_type", .type = TOOL_TEXT },
    { .name = "answer", .type = TOOL_OBJECT, .members = answer_members },
    END
};

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
    { .name = "query_customers", .title = "Customers",
      .description = "One customer (profile, churn risk, orders, forecast, recommendations, segment), or a list of "
                     "customers by an analysis and filters.",
      .scope = AUTH_READ, .arguments = customers_arguments, .result = answer_result, .answers = true, .run = tool_query_customers },
    { .name = "query_segments", .title = "Archetypes",
      .description = "Archetypes, the types of customers: overview, growth, comparison, suitability for a season, what "
                     "they buy.",
      .scope = AUTH_READ, .arguments = segments_arguments, .result = answer_result, .answers = true, .run = tool_query_segments },
    { .name = "forecast_business_metrics", .title = "Business forecast",
      .description = "Revenue, customer numbers, averages and rates in the coming months.",
      .scope = AUTH_READ, .arguments = forecast_arguments, .result = answer_result, .answers = true, .run = tool_forecast },
    { .name = "plan_campaign", .title = "Campaign",
      .description = "Customers to address by a campaign, best first, and the strategy.",
      .scope = AUTH_READ, .arguments = campaign_arguments, .result = answer_result, .answers = true, .run = tool_campaign },
    { .name = "get_recommendations", .title = "Recommendations",
      .description = "Actions and the customers they are for: upsell, cross-sell, expansion, winback, retention, "
                     "discounts.",
      .scope = AUTH_READ, .arguments = recommendations_arguments, .result = answer_result, .answers = true,
      .run = tool_recommendations },
    { .name = "analyze_products", .title = "Products and categories",
      .description = "What is sold: categories and products by revenue, popularity, trend, repurchase, value, bundles "
                     "and season.",
      .scope = AUTH_READ, .arguments = products_arguments, .result = answer_result, .answers = true, .run = tool_products },
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
    for (unsigned i = 0; i < CAMPAIGN_TYPES; i++)
        campaign_words[i] = campaign_type_name(i);
    for (unsigned i = 0; i < axes_vocab[AXIS_PURCHASE_VALUE].word_count; i++)
        tier_words[i] = axes_vocab_word(AXIS_PURCHASE_VALUE, i);
    for (unsigned i = 0; i < RFM_GROUPS; i++)
        group_words[i] = rfm_group_name(i);
    tools_customers_init();
    tools_forecast_init();
    tools_campaign_init();
    season_init();
}

const struct tool *tools_find(struct str name)
{
    for (size_t i = 0; i < TOOLS; i++) {
        if (str_eq_lit(name, tools[i].name))
            return &tools[i];
    }
    return NULL;
}
