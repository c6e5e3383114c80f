/*
 * sql_products: the texts of the product analyses, for the statement table alone.
 */
#ifndef DATA_SQL_PRODUCTS_H
#define DATA_SQL_PRODUCTS_H

extern const char sql_products_revenue[], sql_products_popularity[], sql_products_segment[], sql_products_trends[],
    sql_products_repurchase[], sql_products_value[], sql_products_bundles[], sql_products_seasonal[],
    sql_products_single[], sql_products_archetypes[];

#endif
