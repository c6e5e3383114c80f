/*
 * source_tds_schema: is the view what combined_sales is made of? Compared at every run, and with every page.
 */
#ifndef PROC_SOURCE_TDS_SCHEMA_H
#define PROC_SOURCE_TDS_SCHEMA_H

#include <sybdb.h>

#include "proc/source.h"
#include "proc/source_tds_sql.h"

struct tds_schema {
    char wrong[200];   /* a missing or retyped column in words; "": none */
    char unknown[200]; /* columns that are not read, in words; "": none */
};

/* From the columns of a result of tds_sql_columns: fills view->columns and view->order_date. */
void tds_schema_read(struct tds_schema *schema, struct tds_sql_view *view, DBPROCESS *db);
/* Whether a page's columns still have the types they must have; if not, the words in schema->wrong. */
bool tds_schema_page_fits(struct tds_schema *schema, DBPROCESS *db);

#endif
