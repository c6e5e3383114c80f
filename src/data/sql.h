/*
 * sql: the one table of the statements that workers send to PostgreSQL.
 *
 * A statement's name is also its query_type in metrics and slow_query events.
 * Each that asks about one customer, order or key must find its rows by an index (tests/system/test_sql.py).
 */
#ifndef DATA_SQL_H
#define DATA_SQL_H

#include "net/pg.h"

enum sql_id {
    SQL_CUSTOMER_ORDERS,
    SQL_COUNT
};

const struct pg_statement *sql_get(enum sql_id id);

/* Of SQL_CUSTOMER_ORDERS. */
enum sql_customer_orders_param {
    SQL_CO_CUSTOMER,
    SQL_CO_DATA_END,  /* first day after the as-of day: later lines do not count */
    SQL_CO_FROM,      /* orders from this day … */
    SQL_CO_BEFORE,    /* … and before this one */
    SQL_CO_TERMS,     /* ILIKE patterns as a text array, or null */
    SQL_CO_AFTER_AT,  /* the last order given: time … */
    SQL_CO_AFTER_ID,  /* … and id */
    SQL_CO_LIMIT,     /* of orders; one more tells that there are more */
    SQL_CO_MAX_LINES, /* of all orders together */
    SQL_CO_PARAMS
};
enum sql_customer_orders_column {
    SQL_CO_PLACE, /* from 1, newest first */
    SQL_CO_ORDER_ID,
    SQL_CO_ORDER_NUMBER,
    SQL_CO_ORDER_AT,
    SQL_CO_CREATED_AT,
    SQL_CO_TOTAL,
    SQL_CO_ORDER_SALES,
    SQL_CO_ORDER_REFUNDS,
    SQL_CO_CURRENCY,
    SQL_CO_CHANNEL,
    SQL_CO_FULFILLMENT,
    SQL_CO_FINANCIAL,
    SQL_CO_LINE, /* null: the order beyond the limit, without its lines */
    SQL_CO_TITLE,
    SQL_CO_VARIANT,
    SQL_CO_SKU,
    SQL_CO_CATEGORY,
    SQL_CO_PRODUCT_TYPE,
    SQL_CO_QUANTITY,
    SQL_CO_SALES,
    SQL_CO_DISCOUNT,
    SQL_CO_REFUNDS,
    SQL_CO_COLUMNS
};

#endif
