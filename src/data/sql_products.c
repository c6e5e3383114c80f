/*
 * sql_products: see the header. Each reads the period's lines once, condenses them to (category, order), then to
 * (category, customer), then to categories; so counting distinct orders and customers takes hashes, not sorts.
 * All take the same eight parameters (enum sql_products_param).
 */
#include "data/sql_products.h"

/* The lines of the period and of the customers asked for. */
#define LINES                                                                                                        \
    "WITH asked AS (SELECT $7::text AS sort, $8::bigint AS items, $3::date AS first_day), "                          \
    "member AS MATERIALIZED ("                                                                                       \
    "SELECT customer_id::bigint AS customer_id FROM customer_axis WHERE axis = $4::text AND dominant = $5::text"     \
    " UNION ALL SELECT customer_id::bigint FROM fact_customer_current"                                               \
    " WHERE archetype_l1_id = $6::text OR archetype_l2_id = $6::text), "                                             \
    "line AS MATERIALIZED ("                                                                                         \
    "SELECT order_id, customer_id, order_date, nullif(btrim(category), '') AS category, product_id, product_name,"   \
    " coalesce(quantity, 0) AS units, coalesce(line_item_sales, 0) AS gross,"                                        \
    " abs(coalesce(line_item_refunds, 0)) AS refunds,"                                                               \
    " coalesce(line_item_sales, 0) - abs(coalesce(line_item_refunds, 0)) AS net"                                     \
    " FROM combined_sales WHERE order_date >= $1::date AND order_date < $2::date"                                    \
    " AND (($4::text IS NULL AND $6::text IS NULL) OR customer_id IN (SELECT customer_id FROM member))) "

#define CATEGORIES                                                                                                   \
    LINES                                                                                                            \
    ", part AS (SELECT category, order_id, customer_id, sum(net) AS net, sum(gross) AS gross,"                       \
    " sum(refunds) AS refunds, sum(units) AS units"                                                                  \
    " FROM line WHERE category IS NOT NULL GROUP BY category, order_id, customer_id), "                              \
    "buyer AS (SELECT category, customer_id, count(*) AS orders, sum(net) AS net, sum(gross) AS gross,"              \
    " sum(refunds) AS refunds, sum(units) AS units FROM part GROUP BY category, customer_id), "                      \
    "cat AS (SELECT category COLLATE \"C\" AS category, sum(orders) AS orders, count(customer_id) AS customers,"     \
    " sum(orders) FILTER (WHERE customer_id IS NOT NULL) AS known_orders,"                                           \
    " count(*) FILTER (WHERE orders > 1 AND customer_id IS NOT NULL) AS repeaters,"                                  \
    " sum(net) AS net, sum(gross) AS gross, sum(refunds) AS refunds, sum(units) AS units"                            \
    " FROM buyer GROUP BY category) "

#define BUYERS      "(SELECT count(*) FROM (SELECT customer_id FROM line WHERE customer_id IS NOT NULL GROUP BY 1) b)"
#define RATIO(a, b) "coalesce(" a "::float8 / nullif(" b ", 0), 0)"

const char sql_products_revenue[] = CATEGORIES
    "SELECT t.net, t.loose, t.top, t.note, i.* FROM"
    " (SELECT coalesce((SELECT sum(net) FROM cat), 0) AS net,"
    " coalesce((SELECT sum(net) FROM line WHERE category IS NULL), 0) AS loose,"
    " coalesce((SELECT category FROM cat ORDER BY net DESC, category LIMIT 1), 'N/A') AS top,"
    " (SELECT category || ' leads with ' || round(100 * net / nullif((SELECT sum(net) FROM cat), 0), 1)"
    " || ' % of net sales' FROM cat ORDER BY net DESC, category LIMIT 1) AS note) t"
    " LEFT JOIN (SELECT category, net, gross, refunds, orders, customers, customers AS customer_count,"
    " " RATIO("net", "orders") " AS aov, units, " RATIO(
        "net",
        "customers") ","
                     " " RATIO(
                         "100 * net",
                         "(SELECT sum(net) FROM cat)") " FROM cat) i ON true"
                                                       " ORDER BY CASE (SELECT sort FROM asked) WHEN "
                                                       "'customer_count' THEN i.customers::float8 WHEN 'aov' THEN "
                                                       "i.aov"
                                                       " WHEN 'total_orders' THEN i.orders::float8 WHEN 'units_sold' "
                                                       "THEN i.units::float8 ELSE i.net::float8 END DESC,"
                                                       " i.category LIMIT (SELECT items FROM asked)";

const char sql_products_popularity[] = CATEGORIES "SELECT t.buyers, t.top, i.category, i.customers, " RATIO(
    "100 * i.customers",
    "t.buyers") " FROM"
                " (SELECT " BUYERS " AS buyers,"
                " coalesce((SELECT category FROM cat ORDER BY customers DESC, category LIMIT 1), 'N/A') AS top) t"
                " LEFT JOIN cat i ON true ORDER BY i.customers DESC, i.category LIMIT (SELECT items FROM asked)";

const char sql_products_segment[] = CATEGORIES "SELECT t.buyers, i.category, i.customers, i.net FROM (SELECT " BUYERS
                                               " AS buyers) t LEFT JOIN cat i ON true"
                                               " ORDER BY CASE (SELECT sort FROM asked) WHEN 'customer_count' THEN "
                                               "i.customers::float8 ELSE i.net::float8 END DESC,"
                                               " i.category LIMIT (SELECT items FROM asked)";

const char sql_products_trends[] = LINES
    "SELECT category, growth, CASE WHEN growth > 10 THEN 'growing' WHEN growth < -10 THEN 'declining' ELSE 'stable' "
    "END,"
    " now, before FROM (SELECT category, now, before, CASE WHEN before = 0 THEN CASE WHEN now > 0 THEN 100 ELSE 0 END"
    " ELSE 100 * (now - before) / abs(before) END AS growth"
    " FROM (SELECT category COLLATE \"C\" AS category,"
    " coalesce(sum(net) FILTER (WHERE order_date >= first_day), 0) AS now,"
    " coalesce(sum(net) FILTER (WHERE order_date < first_day), 0) AS before"
    " FROM line, asked WHERE category IS NOT NULL GROUP BY category) sums) i"
    " ORDER BY CASE (SELECT sort FROM asked) WHEN 'revenue' THEN now ELSE growth END DESC, category"
    " LIMIT (SELECT items FROM asked)";

const char sql_products_repurchase[] = CATEGORIES
    "SELECT category, customers, repeaters, rate, rate, per_customer, per_customer FROM (SELECT category, customers,"
    " repeaters, " RATIO("100 * repeaters", "customers") " AS rate, " RATIO(
        "known_orders", "customers") " AS per_customer FROM cat) i"
                                     " ORDER BY CASE (SELECT sort FROM asked) WHEN 'customer_count' THEN "
                                     "customers::float8 ELSE rate END DESC, category"
                                     " LIMIT (SELECT items FROM asked)";

const char sql_products_value[] = CATEGORIES "SELECT category, " RATIO("net", "customers") ", aov, " RATIO(
    "known_orders", "customers") ", customers"
                                 " FROM (SELECT *, " RATIO(
                                     "net",
                                     "orders") " AS aov FROM cat) i"
                                               " ORDER BY CASE (SELECT sort FROM asked) WHEN 'aov' THEN aov WHEN "
                                               "'customer_count' THEN customers::float8"
                                               " ELSE net::float8 END DESC, category LIMIT (SELECT items FROM asked)";

/* Orders of one category can't be in a pair, so they are left out before the pairs are made. */
const char sql_products_bundles[] =
    LINES ", part AS (SELECT category COLLATE \"C\" AS category, order_id FROM line WHERE category IS NOT NULL"
          " GROUP BY category, order_id), "
          "mixed AS MATERIALIZED (SELECT category, order_id FROM"
          " (SELECT category, order_id, count(*) OVER (PARTITION BY order_id) AS n FROM part) p WHERE n > 1), "
          "pair AS (SELECT a.category AS c1, b.category AS c2, count(*)::float8 AS n FROM mixed a"
          " JOIN mixed b ON b.order_id = a.order_id AND b.category > a.category GROUP BY 1, 2), "
          "one AS (SELECT category, count(*)::float8 AS n FROM part GROUP BY category), "
          "every AS (SELECT count(*)::float8 AS n FROM (SELECT order_id FROM line GROUP BY order_id) o) "
          "SELECT c1, c2, p.n::bigint, 100 * p.n / e.n, p.n / x.n, p.n / y.n, p.n * e.n / (x.n * y.n)"
          " FROM pair p JOIN one x ON x.category = c1 JOIN one y ON y.category = c2, every e"
          " ORDER BY p.n DESC, c1, c2 LIMIT (SELECT items FROM asked)";

const char sql_products_seasonal[] = LINES
    "SELECT category, (ARRAY['January', 'February', 'March', 'April', 'May', 'June', 'July', 'August', 'September',"
    " 'October', 'November', 'December'])[month], month, net, total FROM (SELECT category COLLATE \"C\" AS category,"
    " extract(month FROM order_date)::int AS month, sum(net) AS net, sum(sum(net)) OVER (PARTITION BY category) AS "
    "total,"
    " row_number() OVER (PARTITION BY category ORDER BY sum(net) DESC, extract(month FROM order_date)::int) AS place"
    " FROM line WHERE category IS NOT NULL GROUP BY category, extract(month FROM order_date)::int) i WHERE place = 1"
    " ORDER BY total DESC, category LIMIT (SELECT items FROM asked)";

const char sql_products_single[] = LINES
    ", buyer AS (SELECT product_id, customer_id, sum(net) AS net, sum(units) AS units, max(product_name) AS name,"
    " max(category) AS category FROM line WHERE product_id IS NOT NULL GROUP BY product_id, customer_id) "
    "SELECT product_id, coalesce(max(name), ''), sum(net), sum(units), count(customer_id), coalesce(max(category), "
    "'N/A')"
    " FROM buyer GROUP BY product_id"
    " ORDER BY CASE (SELECT sort FROM asked) WHEN 'customer_count' THEN count(customer_id)::float8"
    " WHEN 'units_sold' THEN sum(units)::float8 ELSE sum(net)::float8 END DESC, product_id"
    " LIMIT (SELECT items FROM asked)";

/* Other parameters than the analyses: enum sql_archetype_categories_param. */
const char sql_products_archetypes[] =
    "WITH member AS MATERIALIZED (SELECT customer_id::bigint AS customer_id, CASE WHEN archetype_l1_id = ANY "
    "($1::text[]) THEN archetype_l1_id ELSE archetype_l2_id END AS archetype FROM fact_customer_current"
    " WHERE archetype_l1_id = ANY ($1::text[]) OR archetype_l2_id = ANY ($1::text[])), "
    "sold AS (SELECT archetype, btrim(category) COLLATE \"C\" AS category,"
    " sum(coalesce(line_item_sales, 0) - abs(coalesce(line_item_refunds, 0))) AS net"
    " FROM combined_sales JOIN member USING (customer_id)"
    " WHERE order_date >= $2::date AND order_date < $3::date AND btrim(category) <> '' GROUP BY 1, 2) "
    "SELECT DISTINCT ON (archetype) archetype, category FROM sold ORDER BY archetype, net DESC, category";
