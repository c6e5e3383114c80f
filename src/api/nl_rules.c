/*
 * nl_rules: see the header. Each rule looks at the question and either writes the arguments or steps aside.
 */
#include "api/nl_rules.h"

#include <stdio.h>

#include "api/nl_question.h"
#include "core/json.h"
#include "model/axes_vocab.h"

#define LIST_LIMIT   10
#define ADVICE_LIMIT 20
#define TARGET_SIZE  100
#define MONTHS       12
#define MAX_LIMIT    1000
#define MAX_SEGMENTS 50
#define MAX_TARGET   10000

/* What words choose, by the first row that fits; the last one has no phrases. */
struct choice {
    const char *phrases, *word;
};

static const struct choice *choose(const struct nl_question *q, const struct choice *c)
{
    while (c->phrases != NULL && !nl_has(q, c->phrases))
        c++;
    return c;
}

/* The words that chose are used up. */
static void use(struct nl_question *q, const struct choice *c)
{
    if (c->phrases != NULL)
        nl_use(q, c->phrases);
}

static void write_months(struct json_writer *w, const struct nl_question *q)
{
    json_kv_int(w, "timeframe_months", nl_months(q, MONTHS));
}

/* ---- filters ---- */

static void write_words(struct json_writer *w, const struct nl_question *q)
{
    unsigned axis, word, taken = 0;
    bool any = false;

    for (size_t at = 0; nl_axis_word(q, &at, &axis, &word);) {
        if (taken & 1U << axis)
            continue;
        taken |= 1U << axis;
        if (!any) {
            json_key(w, "segment");
            json_object_begin(w);
        }
        any = true;
        json_kv_cstr(w, axes_vocab[axis].name, axes_vocab_word(axis, word));
    }
    if (any)
        json_object_end(w);
}

/* What numbers in the question bound; the flags say which. */
struct bounds {
    bool has_over, has_under, has_orders_over, has_orders_under, has_days_without, has_days_within, per_order;
    double over, under;
    int64_t orders_over, orders_under, days_without, days_within;
};

/* Are there any? */
static bool read_bounds(const struct nl_question *q, struct bounds *b)
{
    b->per_order = nl_has(q, "average order*|aov|per order");
    b->has_over = nl_amount_over(q, &b->over);
    b->has_under = nl_amount_under(q, &b->under);
    b->has_orders_over = nl_orders_over(q, &b->orders_over);
    b->has_orders_under = nl_orders_under(q, &b->orders_under);
    b->has_days_without = nl_days_without(q, &b->days_without);
    b->has_days_within = !b->has_days_without && nl_days_within(q, &b->days_within);
    return b->has_over || b->has_under || b->has_orders_over || b->has_orders_under || b->has_days_without ||
           b->has_days_within;
}

static void write_bounds(struct json_writer *w, const struct bounds *b)
{
    if (b->has_over)
        json_kv_fixed(w, b->per_order ? "aov_min" : "ltv_min", b->over, 2);
    if (b->has_under)
        json_kv_fixed(w, b->per_order ? "aov_max" : "ltv_max", b->under, 2);
    if (b->has_orders_over)
        json_kv_int(w, "total_orders_min", b->orders_over);
    if (b->has_orders_under)
        json_kv_int(w, "total_orders_max", b->orders_under);
    if (b->has_days_without)
        json_kv_int(w, "last_purchase_days_min", b->days_without);
    if (b->has_days_within)
        json_kv_int(w, "last_purchase_days_max", b->days_within);
}

static bool has_axis_word(const struct nl_question *q)
{
    unsigned axis, word;
    size_t at = 0;

    return nl_axis_word(q, &at, &axis, &word);
}

static bool has_filters(const struct nl_question *q)
{
    struct bounds b;

    return has_axis_word(q) || read_bounds(q, &b);
}

static void write_filters(struct json_writer *w, struct nl_question *q)
{
    struct bounds b;

    if (!has_filters(q))
        return;
    (void)read_bounds(q, &b);
    if (b.has_days_without) /* "inactive for 180 days" says it all */
        nl_use(q, "inactive");
    json_key(w, "filters");
    json_object_begin(w);
    write_words(w, q);
    write_bounds(w, &b);
    json_object_end(w);
}

/* ---- the rules ---- */

static const char *one_customer(struct nl_question *q, struct json_writer *w)
{
    static const struct choice info[] = {
        { "churn*|risk*|leave|leaving|lapse|lapsing|lose|losing", "churn_risk" },
        { "worth|forecast|ltv|clv|lifetime|predict*|future", "ltv_forecast" },
        { "order|orders|bought|history|purchase|purchases|purchased|buy", "purchase_history" },
        { "recommend*|suggest*|offer|should|advice|action|next step", "recommendations" },
        { "segment*|archetype*|type|group|persona", "segment" },
        { NULL, "profile" },
    };
    struct str id = nl_customer_id(q);
    bool unnamed = nl_has(q, "this customer|that customer|customer profile|customer lookup|customer details|"
                             "single customer");

    if (id.p == NULL && !unnamed)
        return NULL;
    json_kv_cstr(w, "scope", "individual");
    if (id.p != NULL)
        json_kv_str(w, "customer_id", id);
    json_kv_cstr(w, "info", choose(q, info)->word);
    return "query_customers";
}

/* The first axis word there is, as axis:word. */
static void write_segment(struct json_writer *w, const struct nl_question *q)
{
    struct str ids[NL_MAX_ARCHETYPES];
    unsigned axis, word;
    size_t at = 0;
    char text[64];

    if (nl_archetypes(q, ids) > 0) {
        json_kv_str(w, "segment", ids[0]);
    } else if (nl_axis_word(q, &at, &axis, &word)) {
        (void)snprintf(text, sizeof(text), "%s:%s", axes_vocab[axis].name, axes_vocab_word(axis, word));
        json_kv_cstr(w, "segment", text);
    }
}

static const char *products(struct nl_question *q, struct json_writer *w)
{
    static const struct choice analyses[] = {
        { "together|bundle*|combination*|pair*|combined with", "product_bundles" },
        { "repurchase*|repeat*|rebuy*|rebought|reorder*|bought again|buy again", "category_repurchase_rate" },
        { "trend*|growing|declining|grow|grows|growth|decline|declines|shrinking|rising|on the "
          "rise|falling|gaining|losing",
          "category_trends" },
        { "season|seasons|seasonal|seasonality|peak*|best month|which month|what month",
          "seasonal_product_performance" },
        { "popular|popularity|most customers|most buyers", "category_popularity" },
        { "per customer|spend|spending|spent|average order*|aov", "category_value_metrics" },
        { NULL, NULL },
    };
    static const struct choice sorts[] = {
        { "units|quantity|most sold|best selling|bestselling|bestseller*|best seller*|sold most", "units_sold" },
        { "most customers|customer count|most buyers", "customer_count" },
        { NULL, NULL },
    };
    const struct choice *chosen = choose(q, analyses);
    const char *analysis = chosen->word, *sort = NULL;

    if (!nl_has(q, "product|products|category|categories|item|items|sku|skus|bundle|bundles|bought together") ||
        nl_has(q, "customer type*|type of customer*|types of customer*|affinity"))
        return NULL;
    use(q, chosen);
    if (analysis == NULL && (has_axis_word(q) || nl_has(q, "archetype*|segment*")))
        analysis = "category_by_customer_segment";
    if (analysis == NULL &&
        (nl_has(q, "products|items|skus") || (nl_has(q, "product|item|sku") && !nl_has(q, "category|categories"))))
        analysis = "individual_product_performance";
    if (analysis == NULL)
        analysis = "revenue_by_category";
    if (str_eq_lit(str_from(analysis), "individual_product_performance"))
        sort = choose(q, sorts)->word;
    json_kv_cstr(w, "analysis_type", analysis);
    write_segment(w, q);
    if (sort != NULL)
        json_kv_cstr(w, "sort_by", sort);
    write_months(w, q);
    json_kv_int(w, "limit", nl_limit(q, LIST_LIMIT, MAX_LIMIT));
    return "analyze_products";
}

static const char *write_forecast(struct nl_question *q, struct json_writer *w)
{
    static const struct choice metrics[] = {
        { "retention", "retention_rate" },
        { "churned|customers churn|customers will churn|customers leave|customers will leave|will leave|"
          "customers will we lose|customers lost|lost customers|lose",
          "churned_customers" },
        { "churn", "churn_rate" },
        { "new customer*|new buyers|acquisition|acquire*|sign up*", "new_customers" },
        { "ltv|lifetime value|clv", "average_ltv" },
        { "aov|order value|basket", "average_aov" },
        { "revenue|sales|turnover|earn|income|money", "revenue" },
        { "how many|customers|customer count|customer base|customer number*", "customer_count" },
        { NULL, "revenue" },
    };

    json_kv_cstr(w, "metric", choose(q, metrics)->word);
    write_months(w, q);
    return "forecast_business_metrics";
}

static const char *forecast(struct nl_question *q, struct json_writer *w)
{
    static const char words[] = "forecast*|project|projected|projection*|predict|predicted|prediction*|next year|"
                                "next quarter|will|expect|expected|outlook";

    if (!nl_has(q, words) || nl_has(q, "which|who|show|list|whom|segment*|archetype*|customer type*"))
        return NULL;
    return write_forecast(q, w);
}

/* "Show the revenue forecast", when nothing else has fitted. */
static const char *forecast_shown(struct nl_question *q, struct json_writer *w)
{
    return nl_has(q, "forecast*|projection*|prediction*|outlook") ? write_forecast(q, w) : NULL;
}

static const char *season(struct nl_question *q, struct json_writer *w)
{
    const char *event = nl_event(q);

    if (event == NULL)
        return NULL;
    json_kv_cstr(w, "analysis", "seasonal");
    json_kv_cstr(w, "event", event);
    write_months(w, q);
    json_kv_int(w, "limit", nl_limit(q, LIST_LIMIT, MAX_SEGMENTS));
    return "query_segments";
}

static const char *advice(struct nl_question *q, struct json_writer *w)
{
    static const struct choice types[] = {
        { "upsell*|up sell*", "upsell" },
        { "cross sell*|crosssell*", "cross_sell" },
        { "expansion|expand*", "expansion" },
        { "win back strateg*|winback strateg*|win back plan|winback plan|win back recommendation*|"
          "winback recommendation*|win back action*|strategy to win back|plan to win back",
          "winback" },
        { "retention plan|retention strateg*|retention action*|retention recommendation*|plan for retention|"
          "retain customers|retain our customers|keep our customers|keep customers|improve retention",
          "retention" },
        { "discount|discounts", "discount" },
        { NULL, NULL },
    };
    const char *type = choose(q, types)->word;

    if (type == NULL || nl_has(q, "discount depend*|dependent on discount*|depend on discount*|campaign*") ||
        nl_has(q, "only buy* with a discount|only buy* at a discount|only with discount*|only on discount"))
        return NULL;
    json_kv_cstr(w, "type", type);
    json_kv_int(w, "limit", nl_limit(q, ADVICE_LIMIT, MAX_LIMIT));
    return "get_recommendations";
}

static const char *campaign(struct nl_question *q, struct json_writer *w)
{
    static const struct choice goals[] = {
        { "win back|winback|winning back|re engage*|reengage*|reactivat*|lapsed|dormant", "winback" },
        { "loyal*|reward*|vip*", "loyalty" },
        { "cross sell*", "cross_sell" },
        { "referral*|refer|acquisition|advocate*|new customers", "acquisition" },
        { "growth|grow", "growth" },
        { "seasonal", "seasonal" },
        { NULL, "retention" },
    };
    double v;

    if (!nl_has(q, "campaign*|target|targets|targeted|targeting|win back|winback|winning back|re engage*|reengage*|"
                   "reactivat*"))
        return NULL;
    json_kv_cstr(w, "goal", choose(q, goals)->word);
    json_kv_int(w, "target_size", nl_limit(q, TARGET_SIZE, MAX_TARGET));
    if (nl_amount_over(q, &v))
        json_kv_fixed(w, "min_ltv", v, 2);
    return "plan_campaign";
}

static const char *comparison(struct nl_question *q, struct json_writer *w)
{
    struct str ids[NL_MAX_ARCHETYPES];
    size_t n = nl_archetypes(q, ids);

    if (!nl_has(q, "compare*|comparison|versus|vs|difference between|against") ||
        (n < 2 && !nl_has(q, "segment*|archetype*|customer type*|types of customer*")))
        return NULL;
    json_kv_cstr(w, "analysis", "comparison");
    json_key(w, "segment_ids");
    json_array_begin(w);
    for (size_t i = 0; i < n; i++)
        json_str(w, ids[i]);
    json_array_end(w);
    write_months(w, q);
    return "query_segments";
}

static const char *segments(struct nl_question *q, struct json_writer *w)
{
    static const struct choice sorts[] = {
        { "repeat*|frequen*|often", "frequency" },
        { "revenue|sales|earn*|income", "total_revenue" },
        { "biggest|largest|size|most members|most customers|most people", "size" },
        { "churn*|risk*|leaving|lose", "churn_rate" },
        { "recent*|lately", "recency" },
        { "valuable|ltv|lifetime value|spend*|worth", "ltv" },
        { NULL, NULL },
    };
    bool shrinks = nl_has(q, "shrink*|declin*|lose members|losing members|getting smaller");
    bool grows = shrinks || nl_has(q, "grow*|gaining");
    bool bought = nl_has(q, "buy|buys|purchase|purchases|affinity|prefer*|product*|categor*") &&
                  !nl_has(q, "from us|often") && !grows;
    const char *sort = choose(q, sorts)->word;

    if (!nl_has(q, "segment|segments|archetype|archetypes|customer type*|type of customer*|types of customer*|type "
                   "of person|"
                   "type of people|types of people|kind of customer*|kinds of customer*|persona*"))
        return NULL;
    json_kv_cstr(w, "analysis", grows ? "growth" : bought && sort == NULL ? "product_affinity" : "overview");
    if (shrinks) {
        json_key(w, "filters");
        json_object_begin(w);
        json_kv_cstr(w, "growth_trend", "shrinking");
        json_object_end(w);
    }
    write_months(w, q);
    if (sort != NULL)
        json_kv_cstr(w, "sort_by", sort);
    json_kv_int(w, "limit", nl_limit(q, LIST_LIMIT, MAX_SEGMENTS));
    return "query_segments";
}

/* A list by the analysis that its words choose. */
static const char *customers(struct nl_question *q, struct json_writer *w)
{
    static const struct choice analyses[] = {
        { "b2b|business|businesses|wholesale*|reseller*|companies|corporate", "b2b" },
        { "rfm|recency frequency", "rfm" },
        { "one time|onetime|bought once|bought only once|only bought once|ordered once|ordered only once|single "
          "order|"
          "single purchase|only one order|just once|just one order|never came back|second order",
          "one_time_buyers" },
        { "momentum|buying more|ordering more|accelerat*|picking up", "momentum_analysis" },
        { "declining|engagement|slowing|buying less|ordering less|losing interest", "declining_engagement" },
        { "changed|change|changes|changing|differently|behavior shift*|different behavior", "behavior_change" },
        { "cadence|rhythm", "purchase_cadence" },
        { "discount depend*|dependent on discount*|depend on discount*|with a discount|at a discount|with discount*|"
          "on discount*",
          "discount_dependency" },
        { "churn*|risk*|leaving|leave|lapsing|lapsed|lose|losing|about to go|stop buying|stop ordering",
          "churn_risk" },
        { "vip|vips|best|top|most|valuable|high value|highest|greatest|important|biggest spender*|big "
          "spender*|whales",
          "high_value" },
        { NULL, NULL },
    };
    const struct choice *chosen = choose(q, analyses);
    const char *analysis = chosen->word;

    if (analysis == NULL && nl_has(q, "customer|customers|buyer|buyers|shoppers|people|who|anyone|clients") &&
        has_filters(q))
        analysis = "behavioral";
    if (analysis == NULL)
        return NULL;
    use(q, chosen);
    json_kv_cstr(w, "scope", "list");
    json_kv_cstr(w, "analysis", analysis);
    write_filters(w, q);
    json_kv_int(w, "limit", nl_limit(q, LIST_LIMIT, MAX_LIMIT));
    return "query_customers";
}

const char *nl_rules_read(struct str question, struct buf *arguments)
{
    static const char *(*const rules[])(struct nl_question * q, struct json_writer * w) = {
        one_customer, products, forecast, season, advice, campaign, comparison, segments, customers, forecast_shown,
    };
    struct nl_question q = { .count = 0 };
    struct json_writer w;
    const char *tool;

    nl_question_read(&q, question);
    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
        buf_reset(arguments);
        json_writer_init(&w, arguments);
        json_object_begin(&w);
        tool = rules[i](&q, &w);
        json_object_end(&w);
        if (tool != NULL)
            return tool;
    }
    return NULL;
}
