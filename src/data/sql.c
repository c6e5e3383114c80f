/*
 * sql: see the header. Parameters are cast, so that they are typed the same on every server.
 */
#include "data/sql.h"

#include "core/metrics.h"
#include "data/sql_products.h"

/* All of a key, of the row k. It is in use until somebody revokes it or its time is over. */
#define KEY_COLUMNS                                                                                                  \
    " k.id, k.name, k.key_prefix, array_to_string(k.scopes, ','), k.rate_limit_per_hour,"                            \
    " CASE WHEN NOT k.is_active OR k.revoked_at IS NOT NULL THEN 'revoked'"                                          \
    " WHEN k.expires_at <= now() THEN 'expired' ELSE 'active' END AS status,"                                        \
    " k.created_at AT TIME ZONE 'utc', k.created_by, k.expires_at AT TIME ZONE 'utc',"                               \
    " k.last_used_at AT TIME ZONE 'utc', k.usage_count, k.revoked_at AT TIME ZONE 'utc', k.revocation_reason,"       \
    " k.rotated_to, k.notes"

/* Should there be more than a keyring holds: the oldest of those in use, then the youngest of the others. */
static const char keys_all[] =
    "SELECT version, id, key_hash, key_prefix, array_to_string(scopes, ','), rate_limit_per_hour,"
    " expires_at AT TIME ZONE 'utc', NOT is_active OR revoked_at IS NOT NULL"
    " FROM (SELECT coalesce(max(version), 0) AS version FROM api_keys_version) v LEFT JOIN (SELECT * FROM"
    " (SELECT *, is_active AND revoked_at IS NULL AND expires_at > now() AS live FROM api_keys) x"
    " ORDER BY live DESC, CASE WHEN live THEN id ELSE -id END LIMIT 16384) k ON true ORDER BY id";

static const char keys_list[] = "SELECT * FROM (SELECT" KEY_COLUMNS " FROM api_keys k) x"
                                " WHERE $1::text IS NULL OR status = $1::text ORDER BY id";

static const char key_get[] = "SELECT" KEY_COLUMNS " FROM api_keys k WHERE id = $1::int";

static const char key_create[] =
    "WITH k AS (INSERT INTO api_keys"
    " (key_hash, key_prefix, name, scopes, rate_limit_per_hour, created_by, expires_at, notes)"
    " VALUES ($1::text, $2::text, $3::text, string_to_array($4::text, ','), $5::int, $6::text,"
    " now() + make_interval(days => $7::int), $8::text) RETURNING *) SELECT" KEY_COLUMNS " FROM k";

static const char key_rotate[] =
    "WITH old AS (SELECT * FROM api_keys WHERE id = $1::int FOR UPDATE), "
    "k AS (INSERT INTO api_keys"
    " (key_hash, key_prefix, name, scopes, rate_limit_per_hour, created_by, expires_at, notes)"
    " SELECT $3::text, $4::text, name, scopes, rate_limit_per_hour, $5::text, now() + (expires_at - created_at), "
    "notes"
    " FROM old WHERE is_active AND revoked_at IS NULL AND rotated_to IS NULL RETURNING *), "
    "ended AS (UPDATE api_keys o SET rotated_to = k.id,"
    " expires_at = least(o.expires_at, now() + make_interval(secs => $2::int)) FROM k WHERE o.id = $1::int) "
    "SELECT" KEY_COLUMNS " FROM old LEFT JOIN k ON true";

static const char key_revoke[] =
    "WITH old AS (SELECT id, is_active AND revoked_at IS NULL AS good FROM api_keys WHERE id = $1::int FOR UPDATE), "
    "k AS (UPDATE api_keys a SET is_active = false, revoked_at = now(), revocation_reason = $2::text FROM old"
    " WHERE a.id = old.id AND good RETURNING a.*) SELECT" KEY_COLUMNS " FROM old LEFT JOIN k ON true";

/* The rows are locked in one order, as several workers write at the same time. */
static const char keys_used[] =
    "WITH locked AS (SELECT id FROM api_keys WHERE id = ANY ($1::int[]) ORDER BY id FOR UPDATE) "
    "UPDATE api_keys k SET usage_count = usage_count + uses,"
    " last_used_at = greatest(last_used_at, to_timestamp(at / 1000000.0))"
    " FROM unnest($1::int[], $2::bigint[], $3::bigint[]) AS used (id, uses, at) JOIN locked USING (id)"
    " WHERE k.id = used.id";

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
    [SQL_ARCHETYPE_CATEGORIES] = { .name = "archetype_categories",
                                   .metric = METRIC_QUERY_ARCHETYPE_CATEGORIES,
                                   .params = SQL_AC_PARAMS,
                                   .sql = sql_products_archetypes },
    [SQL_KEYS_VERSION] = { .name = "api_keys_version",
                           .metric = METRIC_QUERY_API_KEYS_VERSION,
                           .sql = "SELECT coalesce(max(version), 0) FROM api_keys_version" },
    [SQL_KEYS_ALL] = { .name = "api_keys_all", .metric = METRIC_QUERY_API_KEYS_ALL, .sql = keys_all },
    [SQL_KEYS_LIST] = { .name = "api_keys_list",
                        .metric = METRIC_QUERY_API_KEYS_LIST,
                        .params = 1,
                        .sql = keys_list },
    [SQL_KEY_GET] = { .name = "api_key_get", .metric = METRIC_QUERY_API_KEY_GET, .params = 1, .sql = key_get },
    [SQL_KEY_CREATE] = { .name = "api_key_create",
                         .metric = METRIC_QUERY_API_KEY_CREATE,
                         .params = SQL_KC_PARAMS,
                         .alone = true,
                         .sql = key_create },
    [SQL_KEY_ROTATE] = { .name = "api_key_rotate",
                         .metric = METRIC_QUERY_API_KEY_ROTATE,
                         .params = SQL_KR_PARAMS,
                         .alone = true,
                         .sql = key_rotate },
    [SQL_KEY_REVOKE] = { .name = "api_key_revoke",
                         .metric = METRIC_QUERY_API_KEY_REVOKE,
                         .params = SQL_KV_PARAMS,
                         .alone = true,
                         .sql = key_revoke },
    [SQL_KEYS_USED] = { .name = "api_keys_used",
                        .metric = METRIC_QUERY_API_KEYS_USED,
                        .params = SQL_KU_PARAMS,
                        .alone = true,
                        .sql = keys_used },
    [SQL_PRODUCTS_REVENUE] = { .name = "revenue_by_category",
                               .metric = METRIC_QUERY_PRODUCTS_REVENUE,
                               .params = SQL_PR_PARAMS,
                               .alone = true,
                               .sql = sql_products_revenue },
    [SQL_PRODUCTS_POPULARITY] = { .name = "category_popularity",
                                  .metric = METRIC_QUERY_PRODUCTS_POPULARITY,
                                  .params = SQL_PR_PARAMS,
                                  .alone = true,
                                  .sql = sql_products_popularity },
    [SQL_PRODUCTS_SEGMENT] = { .name = "category_by_customer_segment",
                               .metric = METRIC_QUERY_PRODUCTS_SEGMENT,
                               .params = SQL_PR_PARAMS,
                               .alone = true,
                               .sql = sql_products_segment },
    [SQL_PRODUCTS_TRENDS] = { .name = "category_trends",
                              .metric = METRIC_QUERY_PRODUCTS_TRENDS,
                              .params = SQL_PR_PARAMS,
                              .alone = true,
                              .sql = sql_products_trends },
    [SQL_PRODUCTS_REPURCHASE] = { .name = "category_repurchase_rate",
                                  .metric = METRIC_QUERY_PRODUCTS_REPURCHASE,
                                  .params = SQL_PR_PARAMS,
                                  .alone = true,
                                  .sql = sql_products_repurchase },
    [SQL_PRODUCTS_VALUE] = { .name = "category_value_metrics",
                             .metric = METRIC_QUERY_PRODUCTS_VALUE,
                             .params = SQL_PR_PARAMS,
                             .alone = true,
                             .sql = sql_products_value },
    [SQL_PRODUCTS_BUNDLES] = { .name = "product_bundles",
                               .metric = METRIC_QUERY_PRODUCTS_BUNDLES,
                               .params = SQL_PR_PARAMS,
                               .alone = true,
                               .sql = sql_products_bundles },
    [SQL_PRODUCTS_SEASONAL] = { .name = "seasonal_product_performance",
                                .metric = METRIC_QUERY_PRODUCTS_SEASONAL,
                                .params = SQL_PR_PARAMS,
                                .alone = true,
                                .sql = sql_products_seasonal },
    [SQL_PRODUCTS_SINGLE] = { .name = "individual_product_performance",
                              .metric = METRIC_QUERY_PRODUCTS_SINGLE,
                              .params = SQL_PR_PARAMS,
                              .alone = true,
                              .sql = sql_products_single },
};

const struct pg_statement *sql_get(enum sql_id id)
{
    return &statements[id];
}
