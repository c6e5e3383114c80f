/*
 * source: where order lines come from. One interface, one file an implementation (source_csv, source_tds).
 *
 * A source yields lines in batches, each line as 30 texts in the order of
 * source_columns (NULL: no value). Decimals and times stay text end to end. A
 * source may block, but calls `beat` at least every second while it waits or works
 * and stops with SOURCE_STOPPED when `beat` says so. A batch is handed out only when it is
 * known to be complete; rows that can't be read are handed out as bad rows, never dropped.
 */
#ifndef PROC_SOURCE_H
#define PROC_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "core/conf.h"
#include "core/scoreboard.h"

enum source_column {
    SOURCE_ORDER_ID,
    SOURCE_ORDER_NUMBER,
    SOURCE_CUSTOMER_ID,
    SOURCE_ORDER_DATE,
    SOURCE_CREATED_AT,
    SOURCE_YEAR,
    SOURCE_QUARTER,
    SOURCE_MONTH,
    SOURCE_MONTH_NAME,
    SOURCE_WEEK,
    SOURCE_DAY,
    SOURCE_WEEK_DAY,
    SOURCE_SKU,
    SOURCE_PRODUCT_ID,
    SOURCE_PRODUCT_NAME,
    SOURCE_VARIANT_NAME,
    SOURCE_PRODUCT_TYPE,
    SOURCE_CATEGORY,
    SOURCE_QUANTITY,
    SOURCE_LINE_ITEM_SALES,
    SOURCE_LINE_ITEM_DISCOUNT,
    SOURCE_LINE_ITEM_REFUNDS,
    SOURCE_CURRENCY,
    SOURCE_SALES_CHANNEL,
    SOURCE_LATITUDE,
    SOURCE_LONGITUDE,
    SOURCE_FULFILLMENT_STATUS,
    SOURCE_FINANCIAL_STATUS,
    SOURCE_ORDER_TOTAL,
    SOURCE_ORDER_TOTAL_ITEMS,
    SOURCE_COLUMNS
};

enum source_kind {
    SOURCE_BIGINT,
    SOURCE_INT,
    SOURCE_NUMERIC_18_2,
    SOURCE_DOUBLE,
    SOURCE_TIMESTAMP,
    SOURCE_TEXT
};

struct source_column_info {
    const char *name; /* as in combined_sales */
    enum source_kind kind;
    unsigned max_chars; /* SOURCE_TEXT: of the varchar, 0: no limit */
    bool required;      /* a file without it, or a row with it empty, is refused */
};
extern const struct source_column_info source_columns[SOURCE_COLUMNS];

struct source_row {
    struct str values[SOURCE_COLUMNS]; /* p NULL: null */
    int64_t line_number;               /* of a file, from 1 with the header as line 1; 0: not from a file */
    struct str file;                   /* name of the file when there are several, else none */
    const char *bad; /* reason when the row can't be used, else NULL; values then hold what could be read */
    struct str raw;  /* of a bad row: the line as found, at most SOURCE_RAW_BYTES */
};
#define SOURCE_RAW_BYTES 4096

/*
 * What to read: the lines of these days, or, with `orders`, all lines of these orders whatever their day, or, with
 * `customer_id`, all lines of this customer. A bad row whose day, order or customer can't be read belongs to every
 * range of days and to nothing else. The lists live until the reading ends.
 */
struct source_range {
    int32_t start_day, end_day; /* order_date, inclusive; CLOCK_NO_DAY: open */
    const int32_t *days;        /* these as well: ascending, all before start_day, which is then not open; or NULL */
    size_t day_count;
    const int64_t *orders; /* ascending; NULL: by days or customer */
    size_t order_count;
    const int64_t *customer_id; /* NULL: of all customers */
    int64_t row_limit;          /* 0: none */
};
bool source_range_has_day(const struct source_range *range, int32_t day);
bool source_range_has_order(const struct source_range *range, int64_t order_id);

/*
 * The days of a range as stretches without a gap, ascending, for a source that reads them one after another: the list
 * first, then start_day to end_day. *position is 0 at first. False: there was no further one.
 */
bool source_range_next_stretch(const struct source_range *range, size_t *position, int32_t *start_day,
                               int32_t *end_day);

enum source_status {
    SOURCE_OK,
    SOURCE_END,
    SOURCE_STOPPED,
    SOURCE_ERROR
};

/*
 * The lines of one day in figures that the source and PostgreSQL compute alike: where they are equal, the day is
 * taken as equal. `checks` makes what is not summed visible (another customer, another product, another status): sum
 * over lines of  order_id % P + 3 * (customer_id % P) + 5 * (product_id % P) + 7 * status(fulfillment_status)
 *                        + 11 * status(financial_status) + discount in cents % P,
 *     P = SOURCE_CHECK_MODULUS,  status(s) = 256 * (characters of s but spaces at its end) + code point of its first,
 * where % keeps the sign of the left side (as in C, PostgreSQL and SQL Server) and null counts 0 throughout.
 */
struct source_day_total {
    int32_t day;
    int64_t lines, orders; /* orders: different ones with a line on that day */
    int64_t sales_cents, refunds_cents, quantity;
    int64_t checks;
};
#define SOURCE_CHECK_MODULUS 1000003

struct source_error {
    enum sb_reason reason; /* SB_REASON_SOURCE_CONNECT, _AUTH, _QUERY, _VALIDATION, _TIMEOUT, _MEMORY */
    char text[256];        /* what failed, on what, and what to do; no secrets */
    enum sb_error health;  /* for the health board; SB_ERROR_NONE: as the reason says */
};

struct source_env {
    const struct conf *conf;
    bool (*beat)(void *arg);                   /* call while working; false: stop now */
    void (*note)(void *arg, const char *text); /* something the operator should know; the reading goes on; or NULL */
    void (*progress)(void *arg);               /* something was tried or came to its end; or NULL */
    void *arg;
    uint64_t deadline_ns; /* monotonic: nothing is tried again behind it; 0: none */
};

struct source_ops;

/* An open source; each implementation's own struct begins with it. */
struct source {
    const struct source_ops *ops;
};

struct source_ops {
    const char *name; /* "csv", "sqlserver" */
    struct source *(*open)(const struct source_env *env, struct source_error *err);
    /* Starts reading the range. */
    enum source_status (*begin)(struct source *s, const struct source_range *range, struct source_error *err);
    /* Up to `max` rows; they live until the next call. SOURCE_END: *count rows (maybe 0) and no more will come. */
    enum source_status (*next)(struct source *s, struct source_row *rows, size_t max, size_t *count,
                               struct source_error *err);
    /* Rows of the range if cheaply known, else -1. */
    int64_t (*estimate)(struct source *s);
    /*
     * Totals of the first `max` days with lines among start_day to end_day of the range (nothing else of it counts),
     * ascending. SOURCE_OK: there may be more, ask again from the day behind the last one; SOURCE_END: no more. Ends
     * a reading begun before. Rows that can't be used count where the source can't tell: their day then differs.
     */
    enum source_status (*day_totals)(struct source *s, const struct source_range *range,
                                     struct source_day_total *totals, size_t max, size_t *count,
                                     struct source_error *err);
    /* A cheap proof that the source can be read (health check). */
    bool (*check)(const struct source_env *env, struct source_error *err);
    void (*close)(struct source *s);
};

/* The implementation SYNC_SOURCE names; NULL if none is configured. */
const struct source_ops *source_for(const struct conf *conf);

/* Checks one row's texts against the column kinds (strict integers in range, decimals, dates, text length, UTF-8,
 * NUL); answers NULL or the reason (a sentence naming the column, good until the next call). */
const char *source_validate(const struct source_row *row);

/* Strict decimal of numeric(18,2) as hundredths: [-+]digits[.digits] with zeros only behind the second decimal.
 * NULL, or what is wrong with it. */
const char *source_parse_money(struct str s, int64_t *cents);

/* Day of a timestamp's text; false when it is none (also for STR_NONE). */
bool source_day(struct str s, int32_t *day);

/* Adds a usable line to the totals of its day, all but `orders`. */
void source_day_total_add(struct source_day_total *total, const struct source_row *row);

/* day_totals for a source that can't group: reads the lines and adds them up. Memory: 16 bytes an order. */
enum source_status source_days_by_reading(struct source *s, const struct source_range *range,
                                          struct source_day_total *totals, size_t max, size_t *count,
                                          struct source_error *err);

/* The implementations. */
extern const struct source_ops source_csv_ops;
extern const struct source_ops source_tds_ops;

#endif
