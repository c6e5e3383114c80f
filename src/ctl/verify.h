/*
 * verify: what each place knows of one customer: the source, combined_sales, customer_facts, the population file.
 */
#ifndef CTL_VERIFY_H
#define CTL_VERIFY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/conf.h"

enum verify_place {
    VERIFY_SOURCE,
    VERIFY_TABLE,
    VERIFY_FACTS,
    VERIFY_POPULATION,
    VERIFY_PLACES
};
extern const char *const verify_place_names[VERIFY_PLACES];

/* Sums of the lines up to the as-of day; days are CLOCK_NO_DAY without a line. */
struct verify_sums {
    int64_t lines, orders, gross_cents, refunds_cents;
    int32_t first_day, last_day;
};

struct verify_view {
    bool configured;        /* false: there is no such place here */
    char error[300];        /* why it could not be read; "": it was */
    int64_t data_version;   /* of facts and population, 0: none */
    int64_t later_lines;    /* behind the as-of day: stored, but in no fact */
    int64_t unusable;       /* lines of the source that can't be used */
    char unusable_why[128]; /* of the first one */
    struct verify_sums sums;
};

/* A line of the source or of combined_sales; equal lines have equal hashes of all thirty columns. */
struct verify_line {
    int64_t order_id, hash, quantity, sales_cents, refunds_cents;
    int32_t day;
    char sku[32]; /* cut off where longer */
    bool in_source, in_table;
};

struct verify {
    int64_t customer_id;
    int32_t as_of_day; /* of the facts; CLOCK_NO_DAY: not known, nothing is left out */
    bool facts_due;    /* the customer's facts wait for the next run */
    struct verify_view views[VERIFY_PLACES];
    struct verify_line *lines; /* of both, ascending by day and order; equal ones are one entry */
    size_t line_count;
};

/* Reads all four places; what went wrong is in each view. Free with verify_free. */
void verify_read(struct verify *v, const struct conf *conf, int64_t customer_id);
void verify_free(struct verify *v);

#endif
