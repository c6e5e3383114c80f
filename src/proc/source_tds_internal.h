/*
 * source_tds_internal: what the parts of the SQL Server source share: source_tds (ranges, pages), source_tds_try
 * (statements, trying again), source_tds_days (totals of days).
 */
#ifndef PROC_SOURCE_TDS_INTERNAL_H
#define PROC_SOURCE_TDS_INTERNAL_H

#include "base/buf.h"
#include "proc/source.h"
#include "proc/source_tds_conn.h"
#include "proc/source_tds_rows.h"
#include "proc/source_tds_schema.h"
#include "proc/source_tds_sql.h"

#define TDS_PAGE_LEAST   100
#define TDS_UNKEYED_MOST 10000

enum tds_part {
    TDS_KEYED,   /* the days or orders, page by page */
    TDS_UNKEYED, /* lines without order_date or order_id */
    TDS_END
};

struct tds_source {
    struct source base;
    struct source_env env;
    struct tds_conn *conn;
    struct tds_sql_view view;
    struct tds_schema schema;
    bool schema_known;
    struct buf sql;
    struct source_range range;
    enum tds_part part;
    size_t stretch, orders_done; /* how far in the range's days, and in its orders */
    struct tds_sql_page page;
    size_t page_rows, wanted_rows; /* of a page now, and when all is well */
    size_t too_large;              /* rows of a page that did not fit into memory; 0: all did */
    unsigned good_pages;
    int64_t rows_given, rows_counted; /* counted: in the source, -1: not */
    struct tds_rows rows;
    struct tds_sql_key last_key;     /* of the page under way */
    struct source_day_total *totals; /* the caller's */
    size_t totals_max, totals_count;
};

/* Each sends one statement and may be repeated; what it read is in the source. */
enum tds_outcome tds_try_schema(struct tds_source *s);  /* the first of every run; nothing once it is known */
enum tds_outcome tds_try_page(struct tds_source *s);    /* s->page into s->rows */
enum tds_outcome tds_try_count(struct tds_source *s);   /* the lines of s->page's days into s->rows_counted */
enum tds_outcome tds_try_unkeyed(struct tds_source *s); /* into s->rows */
enum tds_outcome tds_try_query(struct tds_source *s, const struct tds_reader *reader); /* s->sql */

/* Tries until it is done, stopped, or no further attempt is worth it. */
enum source_status tds_persist(struct tds_source *s, enum tds_outcome (*attempt)(struct tds_source *s),
                               struct source_error *err);

/* Order of two keys that are set. */
int tds_compare_keys(const struct tds_sql_key *a, const struct tds_sql_key *b);
enum source_status tds_failed(struct source_error *err, enum sb_reason reason, const char *text);

/* source_tds_days.c */
enum source_status tds_day_totals(struct source *base, const struct source_range *range,
                                  struct source_day_total *totals, size_t max, size_t *count,
                                  struct source_error *err);

#endif
