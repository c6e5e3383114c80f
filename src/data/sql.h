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
    SQL_ARCHETYPE_CATEGORIES, /* what the members of archetypes buy most of */
    SQL_KEYS_VERSION,         /* of the key table */
    SQL_KEYS_ALL,             /* what a keyring holds */
    SQL_KEYS_LIST,
    SQL_KEY_GET,
    SQL_KEY_CREATE,
    SQL_KEY_ROTATE,
    SQL_KEY_REVOKE,
    SQL_KEYS_USED,
    SQL_PRODUCTS_REVENUE,
    SQL_PRODUCTS_POPULARITY,
    SQL_PRODUCTS_SEGMENT,
    SQL_PRODUCTS_TRENDS,
    SQL_PRODUCTS_REPURCHASE,
    SQL_PRODUCTS_VALUE,
    SQL_PRODUCTS_BUNDLES,
    SQL_PRODUCTS_SEASONAL,
    SQL_PRODUCTS_SINGLE,
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

/* Of SQL_ARCHETYPE_CATEGORIES: a row an archetype that bought anything with a category. */
enum sql_archetype_categories_param {
    SQL_AC_IDS,  /* array of archetype ids */
    SQL_AC_FROM, /* orders from this day … */
    SQL_AC_BEFORE,
    SQL_AC_PARAMS
};
enum sql_archetype_categories_column {
    SQL_AC_ARCHETYPE,
    SQL_AC_CATEGORY, /* of the highest net sales */
    SQL_AC_COLUMNS
};

/* Of SQL_KEYS_ALL: a row a key; one row with no id when there are none. */
enum sql_keys_all_column {
    SQL_KA_VERSION,
    SQL_KA_ID,
    SQL_KA_HASH,
    SQL_KA_PREFIX,
    SQL_KA_SCOPES, /* "read,admin" */
    SQL_KA_RATE,
    SQL_KA_EXPIRES, /* UTC, as all times of keys */
    SQL_KA_REVOKED,
    SQL_KA_COLUMNS
};

/* Of the statements that answer whole keys: list, get, create, rotate (the successor), revoke. Rotate and revoke
 * answer one row without an id when the key is there but has been revoked (or rotated) before. */
enum sql_key_column {
    SQL_K_ID,
    SQL_K_NAME,
    SQL_K_PREFIX,
    SQL_K_SCOPES,
    SQL_K_RATE,
    SQL_K_STATUS,
    SQL_K_CREATED,
    SQL_K_CREATED_BY,
    SQL_K_EXPIRES,
    SQL_K_LAST_USED,
    SQL_K_USES,
    SQL_K_REVOKED,
    SQL_K_REASON,
    SQL_K_ROTATED_TO,
    SQL_K_NOTES,
    SQL_K_COLUMNS
};
enum sql_key_create_param {
    SQL_KC_HASH,
    SQL_KC_PREFIX,
    SQL_KC_NAME,
    SQL_KC_SCOPES, /* "read,admin" */
    SQL_KC_RATE,   /* null: that of the policy */
    SQL_KC_BY,
    SQL_KC_DAYS,
    SQL_KC_NOTES,
    SQL_KC_PARAMS
};
enum sql_key_rotate_param {
    SQL_KR_ID,
    SQL_KR_GRACE_S,
    SQL_KR_HASH,
    SQL_KR_PREFIX,
    SQL_KR_BY,
    SQL_KR_PARAMS
};
enum sql_key_revoke_param {
    SQL_KV_ID,
    SQL_KV_REASON,
    SQL_KV_PARAMS
};
/* Arrays of equal length. */
enum sql_keys_used_param {
    SQL_KU_IDS,
    SQL_KU_COUNTS,
    SQL_KU_TIMES,
    SQL_KU_PARAMS
};

/* Of the product analyses, all alike. */
enum sql_products_param {
    SQL_PR_READ_FROM, /* lines from this day … */
    SQL_PR_BEFORE,    /* … and before this one */
    SQL_PR_FROM,      /* first day of the period asked for; earlier lines are of the one before */
    SQL_PR_AXIS,      /* these customers only; null: all */
    SQL_PR_WORD,
    SQL_PR_ARCHETYPE, /* or those of this archetype; null: all */
    SQL_PR_SORT,
    SQL_PR_LIMIT,
    SQL_PR_PARAMS
};

#endif
