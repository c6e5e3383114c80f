/*
 * sync_sample: the first rows a dry run read, handed from the sync process to the worker that answers for it.
 *
 * One small file in the runtime directory, replaced by each dry run and marked with its run id.
 */
#ifndef DATA_SYNC_SAMPLE_H
#define DATA_SYNC_SAMPLE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/str.h"

#define SYNC_SAMPLE_ROWS      3
#define SYNC_SAMPLE_MAX_BYTES (64 * 1024)

/* `rows`: a JSON array of at most SYNC_SAMPLE_ROWS objects. Before the run is reported as finished. False with errno.
 */
bool sync_sample_write(const char *run_dir, int64_t run_id, struct str rows);
/* The array of that run, in the arena; STR_NONE when there is none. Checked to be a JSON array. */
struct str sync_sample_read(const char *run_dir, int64_t run_id, struct arena *a);

#endif
