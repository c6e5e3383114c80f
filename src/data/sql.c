/*
 * sql: see the header. Parameters are cast, so that they are typed the same on every server.
 */
#include "data/sql.h"

#include "core/metrics.h"

static const struct pg_statement statements[SQL_COUNT] = {
    /* The customer's lines once by the index; their orders, a page of them; the lines of that page. */
    [SQL_CUSTOMER_ORDERS] = { .name = "customer_orders",
                              .metric = METRIC_QUERY_CUSTOMER_ORDERS,
                              .params = SQL_CO_PARAMS,
                              .sql =
                                  "WITH line AS MATERIALIZED ("
                                  "SELECT id, order_id, order_number, order_date, created_at, currency, "
                                  "sales_channel, fulfillment_status,"
                                  " financial_status, order_total, product_name, variant_name, sku, category, "
                                  "product_type,"
                                  " coalesce(quantity, 0) AS quantity, coalesce(line_item_sales, 0) AS sales,"
                                  " coalesce(line_item_discount, 0) AS discount, abs(coalesce(line_item_refunds, 0)) "
                                  "AS refunds,"
                                  " $5::text[] IS NULL OR product_name ILIKE ANY ($5::text[]) OR variant_name ILIKE "
                                  "ANY ($5::text[])"
                                  " OR sku ILIKE ANY ($5::text[]) OR category ILIKE ANY ($5::text[]) AS shown"
                                  " FROM combined_sales WHERE customer_id = $1::bigint AND order_date < $2::date), "
                                  "page AS ("
                                  "SELECT row_number() OVER (ORDER BY max(order_date) DESC, order_id DESC) AS place, "
                                  "order_id,"
                                  " max(order_number) AS order_number, max(order_date) AS order_at, min(created_at) "
                                  "AS created_at,"
                                  " max(order_total) AS order_total, sum(sales) AS sales, sum(refunds) AS refunds,"
                                  " max(currency) AS currency, max(sales_channel) AS sales_channel,"
                                  " max(fulfillment_status) AS fulfillment_status, max(financial_status) AS "
                                  "financial_status"
                                  " FROM line GROUP BY order_id"
                                  " HAVING bool_or(shown) AND max(order_date) >= $3::date AND max(order_date) < "
                                  "$4::date"
                                  " AND max(order_date) <= $6::timestamp AND (max(order_date) < $6::timestamp OR "
                                  "order_id < $7::bigint)"
                                  " ORDER BY place LIMIT $8::bigint + 1) "
                                  "SELECT place, p.order_id, p.order_number, order_at, p.created_at, p.order_total, "
                                  "p.sales, p.refunds,"
                                  " p.currency, p.sales_channel, p.fulfillment_status, p.financial_status, id, "
                                  "product_name, variant_name,"
                                  " sku, category, product_type, quantity, l.sales, discount, l.refunds"
                                  " FROM page p LEFT JOIN line l ON l.order_id = p.order_id AND l.shown AND place <= "
                                  "$8::bigint"
                                  " ORDER BY place, id LIMIT $9::bigint" },
};

const struct pg_statement *sql_get(enum sql_id id)
{
    return &statements[id];
}
