/*
 * source_tds_sql: the statements the SQL Server source sends, as text. Pure.
 *
 * A page is the first `rows` lines behind a key in the order (order_date, order_id): the view has no line id and no
 * unique key, so lines of one order and day can't be told apart and a page may end among them; whoever reads it
 * leaves its last order to the next page. What goes into a statement is a quoted name, a number or a time of digits.
 */
#ifndef PROC_SOURCE_TDS_SQL_H
#define PROC_SOURCE_TDS_SQL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/str.h"
#include "proc/source.h"

#define TDS_SQL_VIEW_SIZE   784 /* three names of 128 characters, each ] doubled, in brackets */
#define TDS_SQL_COLUMN_SIZE 32
#define TDS_SQL_TIME_SIZE   28 /* "2025-03-03 08:15:30.1234567" */

/* How a time must be written to be compared with order_date: SQL Server refuses digits the type does not have. */
enum tds_sql_time {
    TDS_SQL_DATE,
    TDS_SQL_SECONDS, /* smalldatetime */
    TDS_SQL_MILLIS,  /* datetime */
    TDS_SQL_TICKS    /* datetime2: 100 ns */
};

struct tds_sql_view {
    char name[TDS_SQL_VIEW_SIZE];                      /* quoted */
    char columns[SOURCE_COLUMNS][TDS_SQL_COLUMN_SIZE]; /* as the view spells them */
    enum tds_sql_time order_date;
};

/* The last line that was taken: the next page begins behind it. */
struct tds_sql_key {
    bool set;
    char order_date[TDS_SQL_TIME_SIZE]; /* "2025-03-03[ 08:15:30[.1234567]]" */
    int32_t day;                        /* of it */
    int64_t order_id;
};

struct tds_sql_page {
    int32_t start_day, end_day; /* inclusive, CLOCK_NO_DAY: open */
    const int64_t *orders;      /* NULL: all */
    size_t order_count;
    const int64_t *customer_id; /* NULL: of all */
    struct tds_sql_key after;
    size_t rows;
};

/* "dbo.vw_Sales", "[my db].[dbo].[Sales]" to quoted names; false when it is no name of one to three parts. */
bool tds_sql_quote_view(char dst[TDS_SQL_VIEW_SIZE], struct str name);

/* Sent first: db-lib's sessions begin with the rules of another age, where an overflow in the view is a silent NULL.
 */
const char *tds_sql_session(void);
/* No rows, only what the view's columns are. */
void tds_sql_columns(struct buf *out, const char *quoted_view);
/* The 30 columns, in the order of source_columns. */
void tds_sql_page(struct buf *out, const struct tds_sql_view *view, const struct tds_sql_page *page);
/* How many lines the pages of these days hold. */
void tds_sql_count(struct buf *out, const struct tds_sql_view *view, int32_t start_day, int32_t end_day);
/* Lines that no page can hold because order_date or order_id is null. */
void tds_sql_unkeyed(struct buf *out, const struct tds_sql_view *view, size_t rows);
/* The members of struct source_day_total, in their order, of the first `days` days with lines, ascending. */
void tds_sql_day_totals(struct buf *out, const struct tds_sql_view *view, int32_t start_day, int32_t end_day,
                        size_t days);

#endif
