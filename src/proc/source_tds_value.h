/*
 * source_tds_value: SQL Server's types: which of them a column of ours may have, and their values as text.
 *
 * Decimals and money as exact decimal text, times as "2025-03-03[ 08:15:30[.1234567]]" to the 100 ns they have,
 * floats as the shortest text that reads back, texts in UTF-8 without NUL characters (PostgreSQL can't hold them).
 * db-lib prints none of it but decimals: its times and floats can't be read back.
 */
#ifndef PROC_SOURCE_TDS_VALUE_H
#define PROC_SOURCE_TDS_VALUE_H

#include <sybdb.h>

#include "base/buf.h"
#include "proc/source.h"
#include "proc/source_tds_sql.h"

/* Can the values of result column `column` (from 1) be those of this kind? */
bool tds_value_fits(DBPROCESS *db, int column, enum source_kind kind);
/* What the server calls its type: "nvarchar(50)". */
const char *tds_value_type_name(DBPROCESS *db, int column);
/* What fits a kind, for people. */
const char *tds_value_expected(enum source_kind kind);
/* How a time is to be written to be compared with that column. */
enum tds_sql_time tds_value_time(DBPROCESS *db, int column);

/* Adds the current row's value as text; false: it is null. */
bool tds_value_put(struct buf *out, DBPROCESS *db, int column);

#endif
