/*
 * products: see the header. The columns of each analysis stand here in the order its statement gives them.
 */
#include "data/products.h"

#include "base/clock.h"
#include "base/fmt.h"

#define WORDS(...) ((const char *const[]){ __VA_ARGS__, NULL })

const char *const products_names[] = { "revenue_by_category",
                                       "category_popularity",
                                       "category_by_customer_segment",
                                       "category_trends",
                                       "category_repurchase_rate",
                                       "category_value_metrics",
                                       "product_bundles",
                                       "seasonal_product_performance",
                                       "individual_product_performance",
                                       NULL };

const struct products_analysis products_analyses[] = {
    { .name = "revenue_by_category",
      .list = "categories",
      .statement = SQL_PRODUCTS_REVENUE,
      .sorts = WORDS("revenue", "customer_count", "aov", "total_orders", "units_sold"),
      .totals = { { "total_revenue", PRODUCTS_AMOUNT },
                  { "uncategorised_revenue", PRODUCTS_AMOUNT },
                  { "top_category", PRODUCTS_TEXT },
                  { "insights", PRODUCTS_NOTES } },
      .items = { { "category", PRODUCTS_TEXT },
                 { "total_revenue", PRODUCTS_AMOUNT },
                 { "gross_revenue", PRODUCTS_AMOUNT },
                 { "refunds", PRODUCTS_AMOUNT },
                 { "total_orders", PRODUCTS_COUNT },
                 { "unique_customers", PRODUCTS_COUNT },
                 { "customer_count", PRODUCTS_COUNT },
                 { "avg_order_value", PRODUCTS_AMOUNT },
                 { "units_sold", PRODUCTS_COUNT },
                 { "revenue_per_customer", PRODUCTS_AMOUNT },
                 { "share_pct", PRODUCTS_AMOUNT } } },
    { .name = "category_popularity",
      .list = "categories",
      .statement = SQL_PRODUCTS_POPULARITY,
      .sorts = WORDS("customer_count"),
      .totals = { { "total_customers", PRODUCTS_COUNT }, { "most_popular", PRODUCTS_TEXT } },
      .items = { { "category", PRODUCTS_TEXT },
                 { "customer_count", PRODUCTS_COUNT },
                 { "percentage", PRODUCTS_AMOUNT } } },
    { .name = "category_by_customer_segment",
      .list = "categories",
      .statement = SQL_PRODUCTS_SEGMENT,
      .sorts = WORDS("revenue", "customer_count"),
      .totals = { { "customers_analyzed", PRODUCTS_COUNT } },
      .items = { { "category", PRODUCTS_TEXT },
                 { "customer_count", PRODUCTS_COUNT },
                 { "total_revenue", PRODUCTS_AMOUNT } } },
    { .name = "category_trends",
      .list = "categories",
      .statement = SQL_PRODUCTS_TRENDS,
      .previous = true,
      .sorts = WORDS("growth_rate", "revenue"),
      .items = { { "category", PRODUCTS_TEXT },
                 { "revenue_growth_pct", PRODUCTS_AMOUNT },
                 { "trend", PRODUCTS_TEXT },
                 { "current_revenue", PRODUCTS_AMOUNT },
                 { "previous_revenue", PRODUCTS_AMOUNT } } },
    { .name = "category_repurchase_rate",
      .list = "categories",
      .statement = SQL_PRODUCTS_REPURCHASE,
      .sorts = WORDS("repurchase_rate", "customer_count"),
      .items = { { "category", PRODUCTS_TEXT },
                 { "total_customers", PRODUCTS_COUNT },
                 { "repeat_customers", PRODUCTS_COUNT },
                 { "repeat_rate_pct", PRODUCTS_AMOUNT },
                 { "repurchase_rate_pct", PRODUCTS_AMOUNT },
                 { "avg_orders_per_customer", PRODUCTS_AMOUNT },
                 { "avg_purchases_per_customer", PRODUCTS_AMOUNT } } },
    { .name = "category_value_metrics",
      .list = "categories",
      .statement = SQL_PRODUCTS_VALUE,
      .sorts = WORDS("revenue", "aov", "customer_count"),
      .items = { { "category", PRODUCTS_TEXT },
                 { "avg_customer_spend", PRODUCTS_AMOUNT },
                 { "avg_order_value", PRODUCTS_AMOUNT },
                 { "avg_orders_per_customer", PRODUCTS_AMOUNT },
                 { "customer_count", PRODUCTS_COUNT } } },
    { .name = "product_bundles",
      .list = "bundles",
      .statement = SQL_PRODUCTS_BUNDLES,
      .sorts = WORDS("total_orders"),
      .items = { { "category_1", PRODUCTS_TEXT },
                 { "category_2", PRODUCTS_TEXT },
                 { "orders_together", PRODUCTS_COUNT },
                 { "bundle_frequency_pct", PRODUCTS_AMOUNT },
                 { "confidence_1_to_2", PRODUCTS_FRACTION },
                 { "confidence_2_to_1", PRODUCTS_FRACTION },
                 { "lift", PRODUCTS_FRACTION } } },
    { .name = "seasonal_product_performance",
      .list = "categories",
      .statement = SQL_PRODUCTS_SEASONAL,
      .sorts = WORDS("revenue"),
      .items = { { "category", PRODUCTS_TEXT },
                 { "peak_month", PRODUCTS_TEXT },
                 { "peak_month_number", PRODUCTS_COUNT },
                 { "peak_revenue", PRODUCTS_AMOUNT },
                 { "total_revenue", PRODUCTS_AMOUNT } } },
    { .name = "individual_product_performance",
      .list = "products",
      .statement = SQL_PRODUCTS_SINGLE,
      .sorts = WORDS("revenue", "customer_count", "units_sold"),
      .items = { { "product_id", PRODUCTS_TEXT },
                 { "product_name", PRODUCTS_TEXT },
                 { "total_revenue", PRODUCTS_AMOUNT },
                 { "units_sold", PRODUCTS_COUNT },
                 { "customer_count", PRODUCTS_COUNT },
                 { "category", PRODUCTS_TEXT } } },
};

const struct products_analysis *products_find(struct str name)
{
    for (size_t i = 0; products_names[i] != NULL; i++) {
        if (str_eq_lit(name, products_names[i]))
            return &products_analyses[i];
    }
    return NULL;
}

void products_set_period(struct products_query *q, int32_t as_of_day, unsigned months)
{
    q->to_day = as_of_day;
    q->from_day = clock_months_before(as_of_day, months);
    q->previous_day = clock_months_before(q->from_day, months);
}

static const char *format_day(struct arena *a, int32_t day)
{
    char text[CLOCK_DAY_SIZE];

    return arena_strdup(a, str_from(clock_format_day(text, day)));
}

bool products_params(const struct products_query *q, struct arena *a, const char *values[SQL_PR_PARAMS])
{
    char limit[FMT_MAX];

    values[SQL_PR_READ_FROM] = format_day(a, q->analysis->previous ? q->previous_day : q->from_day);
    values[SQL_PR_BEFORE] = format_day(a, q->to_day + 1);
    values[SQL_PR_FROM] = format_day(a, q->from_day);
    values[SQL_PR_AXIS] = q->axis;
    values[SQL_PR_WORD] = q->word;
    values[SQL_PR_ARCHETYPE] = q->archetype_id;
    values[SQL_PR_SORT] = q->sort;
    values[SQL_PR_LIMIT] = arena_strdup(a, (struct str){ limit, fmt_u64(limit, q->limit) });
    return values[SQL_PR_READ_FROM] != NULL && values[SQL_PR_BEFORE] != NULL && values[SQL_PR_FROM] != NULL &&
           values[SQL_PR_LIMIT] != NULL;
}
