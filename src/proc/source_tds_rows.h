/*
 * source_tds_rows: the rows of one page in memory, until it is known to be complete and while it is handed out.
 */
#ifndef PROC_SOURCE_TDS_ROWS_H
#define PROC_SOURCE_TDS_ROWS_H

#include <sybdb.h>

#include "base/buf.h"
#include "proc/source.h"
#include "proc/source_tds_sql.h"

#define TDS_ROWS_TEXT_BYTES (24U << 20) /* most that the texts of a page may take */

struct tds_cell {
    uint32_t at, len; /* in the text; TDS_CELL_NULL: null */
};
#define TDS_CELL_NULL UINT32_MAX

struct tds_rows {
    struct buf text;
    struct tds_cell *cells; /* SOURCE_COLUMNS a row */
    size_t count, room, given;
};

void tds_rows_init(struct tds_rows *rows);
void tds_rows_free(struct tds_rows *rows);
void tds_rows_clear(struct tds_rows *rows);
/* Takes the current row of db; false: no memory, or the page is too large. */
bool tds_rows_take(struct tds_rows *rows, DBPROCESS *db);
/* A value; good until the next row is taken. */
struct str tds_rows_value(const struct tds_rows *rows, size_t row, enum source_column column);
/* Key of a row; false: it has none that can be read. */
bool tds_rows_key(const struct tds_rows *rows, size_t row, struct tds_sql_key *key);
/* Up to max of the rows not yet given; they point into `rows`. */
size_t tds_rows_give(struct tds_rows *rows, struct source_row *dst, size_t max);

#endif
