/*
 * facts: what the order lines of one customer say about him, up to the as-of day (CONTRACT 1.2, MODELS notation and
 * 5).
 *
 * Pure: lines in, numbers out. The unit of time is the customer-day; money is in cents.
 */
#ifndef MODEL_FACTS_H
#define MODEL_FACTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct facts_line {
    int64_t order_id;
    int32_t day;                                        /* of order_date; an order counts on its earliest day */
    uint32_t ordinal;                                   /* of its order, 0 = first: set by facts_compute */
    int64_t product;                                    /* identity of what was bought; 0: unknown */
    int64_t category;                                   /* identity of its category; 0: none */
    int64_t sales_cents, discount_cents, refunds_cents; /* refunds without sign */
};

struct facts {
    int64_t gross_cents, refunds_cents;
    int32_t first_day, last_day;                   /* of orders */
    uint32_t orders, lines, products;              /* distinct orders, all lines, distinct products */
    uint32_t orders_90, orders_prev_90;            /* in the 90 days up to the as-of day, and the 90 before */
    uint32_t order_days;                           /* days with an order */
    uint32_t purchase_days;                        /* days with gross sales above zero: x + 1 */
    int32_t purchase_first_day, purchase_last_day; /* first_day and last_day when there is no purchase day */
    uint32_t spend_days;                           /* purchase days with net sales above zero */
    int64_t spend_cents;                           /* net sales of those */
    int64_t list_cents, discount_cents;            /* sales before discount; discount */
    int64_t discounted_cents;                      /* sales of the lines that had a discount */
    uint32_t category_lines;                       /* lines with a category */
    double category_entropy; /* of sales over categories, natural logarithm; exp() is their effective number */
    uint32_t weekend_orders, holiday_orders; /* on Saturday or Sunday; in November or December */
    uint32_t quarter_orders[4];              /* by quarter of the year */
    uint32_t order_years;                    /* distinct calendar years with an order */
    uint32_t later_products,
        repeat_products; /* products of orders after the first (once an order), and those bought before */
};

/* A day with orders. */
struct facts_day {
    int32_t day;
    int64_t net_cents; /* returns included */
    uint32_t orders;
    bool purchase; /* gross sales above zero: a purchase day */
};

/* lines[0..n), n > 0, in any order, none after as_of_day; they are reordered. Unless `days` (room for n) is NULL, its
 * first out->order_days elements become the days with orders, ascending. */
void facts_compute(struct facts_line *lines, size_t n, int32_t as_of_day, struct facts_day *days, struct facts *out);

#endif
