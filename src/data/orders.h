/*
 * orders: a customer's order history, asked from PostgreSQL and read into plain structs.
 *
 * Newest first; ties by order id descending. Paging is by key (time, id), so a
 * cursor stays good over a sync. Lines after the as-of day do not count. The
 * statement is bounded by orders and by lines: a page ends early where its
 * lines would pass ORDERS_MAX_LINES.
 */
#ifndef DATA_ORDERS_H
#define DATA_ORDERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <libpq-fe.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/str.h"
#include "data/sql.h"

#define ORDERS_MAX_LIMIT 1000
#define ORDERS_MAX_TERMS 32
#define ORDERS_MAX_LINES 10000

struct orders_cursor {
    bool present;
    int64_t at_us, order_id; /* of the last order given */
};

struct orders_query {
    int64_t customer_id;
    int32_t as_of_day;
    unsigned limit;                     /* 1 … ORDERS_MAX_LIMIT */
    struct str terms[ORDERS_MAX_TERMS]; /* case-insensitive substrings; any may match */
    size_t term_count;
    unsigned months_ago;        /* calendar months back from the as-of day; 0: all */
    int32_t start_day, end_day; /* both inclusive; CLOCK_NO_DAY: open */
    struct orders_cursor cursor;
};

/* Texts are NULL where the source has none. */
struct orders_line {
    const char *title, *variant, *sku, *category, *product_type;
    int64_t quantity, sales_cents, discount_cents, refunds_cents;
};

struct orders_order {
    int64_t order_id, number;
    int64_t at_us, created_us;        /* created_us 0: unknown */
    int64_t total_cents;              /* the source's, else the sum of the lines' sales */
    int64_t net_cents, refunds_cents; /* over all lines, shown or not */
    const char *currency, *sales_channel, *fulfillment_status, *financial_status;
    struct orders_line *lines; /* those that match */
    size_t line_count;
};

struct orders_page {
    struct orders_order *orders;
    size_t count;
    struct orders_cursor next; /* present: there are more */
};

/* Comma-separated terms, trimmed, empty ones left out. False: more than ORDERS_MAX_TERMS. */
bool orders_split_terms(struct orders_query *q, struct str list);
/* Parameters of SQL_CUSTOMER_ORDERS, in the arena. False: no memory. */
bool orders_params(const struct orders_query *q, struct arena *a, const char *values[SQL_CO_PARAMS]);

enum orders_read {
    ORDERS_READ_OK,
    ORDERS_READ_NO_MEMORY,
    ORDERS_READ_MALFORMED /* not the columns or values the statement gives */
};
/* Everything in the page is in the arena. */
enum orders_read orders_read(const PGresult *r, const struct orders_query *q, struct arena *a,
                             struct orders_page *page);

#endif
