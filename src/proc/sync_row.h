/*
 * sync_row: one order line as a row of COPY's binary format, which takes PostgreSQL a third less work than the text.
 * Pure.
 *
 * The hash is of one spelling of every value (7.50 for 7.5 and 007.500), so equal lines have equal hashes however the
 * source writes them. PostgreSQL can refuse none of the values.
 */
#ifndef PROC_SYNC_ROW_H
#define PROC_SYNC_ROW_H

#include "base/buf.h"
#include "core/json.h"
#include "proc/source.h"

/* The columns a line fills, comma separated: the thirty of the source, and line_hash. */
const char *sync_row_columns(void);
/* What stands before the first row and behind the last one. */
void sync_row_begin(struct buf *out);
void sync_row_end(struct buf *out);
/* Appends a row that source_validate accepts, with its hash; `scratch` is overwritten. Failure shows in out->failed.
 */
void sync_row_put(struct buf *out, struct buf *scratch, const struct source_row *row);
/* The hash of such a row, line_hash in combined_sales; `scratch` is overwritten. */
int64_t sync_row_hash(struct buf *scratch, const struct source_row *row);
/* The same row as a JSON object of the thirty columns, typed as the contract writes values. */
void sync_row_put_json(struct json_writer *w, const struct source_row *row);

#endif
