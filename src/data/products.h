/*
 * products: the nine product analyses (CONTRACT 14.1): one table says what each is called, sorted by and made of.
 *
 * The statements aggregate in PostgreSQL and answer rows that begin with totals, the same in each row, and go on with
 * one item; without items there is one row, whose first item column is null.
 */
#ifndef DATA_PRODUCTS_H
#define DATA_PRODUCTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/str.h"
#include "data/sql.h"

#define PRODUCTS_MAX_LIMIT   1000
#define PRODUCTS_MAX_COLUMNS 16
#define PRODUCTS_MAX_TOTALS  6

enum products_kind {
    PRODUCTS_TEXT,
    PRODUCTS_NOTES, /* an array of the text, empty without one */
    PRODUCTS_COUNT,
    PRODUCTS_AMOUNT,  /* money, percents, means: 2 decimals */
    PRODUCTS_FRACTION /* 4 decimals */
};

struct products_column {
    const char *key; /* in the answer */
    enum products_kind kind;
};

struct products_analysis {
    const char *name;
    const char *list; /* key of the items: categories, bundles, products */
    enum sql_id statement;
    bool previous;            /* reads the period before too */
    const char *const *sorts; /* first: default; NULL-terminated */
    struct products_column totals[PRODUCTS_MAX_TOTALS], items[PRODUCTS_MAX_COLUMNS]; /* end with key NULL */
};

extern const struct products_analysis products_analyses[];
extern const char *const products_names[]; /* NULL-terminated, in the same order */

/* NULL: no such analysis. */
const struct products_analysis *products_find(struct str name);

struct products_query {
    const struct products_analysis *analysis;
    int32_t from_day, to_day; /* both inclusive */
    int32_t previous_day;     /* first of the period before, which ends on the day before from_day */
    const char *axis, *word;  /* only these customers; NULL: all */
    const char *archetype_id; /* or those of this archetype; NULL: all */
    const char *sort;         /* one of the analysis */
    unsigned limit;
};

/* The period of so many calendar months that ends on the day. */
void products_set_period(struct products_query *q, int32_t as_of_day, unsigned months);
/* Parameters of the statement, in the arena. False: no memory. */
bool products_params(const struct products_query *q, struct arena *a, const char *values[SQL_PR_PARAMS]);

#endif
