/*
 * source_csv_input: the bytes of a CSV file, or of all CSV files of a directory, one file after another.
 *
 * A file is plain or gzip by its first bytes. What can't be read whole is an error, never a short read: a truncated
 * or damaged gzip stream, bytes behind it, a file that changes while it is read.
 */
#ifndef PROC_SOURCE_CSV_INPUT_H
#define PROC_SOURCE_CSV_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "proc/source.h"

struct csv_input;

/* Lists the files of `path` (of a directory: *.csv and *.csv.gz in the order of their names). NULL with the error. */
struct csv_input *csv_input_new(const char *path, struct source_error *err);
void csv_input_free(struct csv_input *in);
/* Opens the next file. False: there is none (err->reason stays SB_REASON_NONE) or it can't be opened. */
bool csv_input_next_file(struct csv_input *in, struct source_error *err);
/* Begins again before the first file. */
void csv_input_rewind(struct csv_input *in);
/* Bytes of the open file; 0: its end; -1: the error. */
ssize_t csv_input_read(struct csv_input *in, char *dst, size_t size, struct source_error *err);
/* Its name without directory, good as long as `in`. */
const char *csv_input_name(const struct csv_input *in);
size_t csv_input_file_count(const struct csv_input *in);
/* Bytes on disk of all files, and of those taken since the beginning. */
uint64_t csv_input_total_bytes(const struct csv_input *in);
uint64_t csv_input_taken_bytes(const struct csv_input *in);

#endif
