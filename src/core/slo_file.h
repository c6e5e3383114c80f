/*
 * slo_file: STATE_DIR/slo_history, where the service levels outlive the server.
 *
 * Fixed records, one a bucket at number % SLO_BUCKETS, each with a checksum of its own and written in place: a crash
 * or a full disk can cost the five minutes being written, never the history. Its blocks are reserved at creation.
 */
#ifndef CORE_SLO_FILE_H
#define CORE_SLO_FILE_H

#include <stdbool.h>

#include "core/slo.h"

#define SLO_FILE_NAME "slo_history"

/* Reads what is there into the ring, and marks it loaded; until then its sums are empty. No file: an empty history.
 * False with errno: it could not be read (the ring is marked loaded all the same: measuring goes on). Records that
 * are damaged are left out. */
bool slo_file_load(struct slo_ring *r, const char *dir, int64_t now_s);
/* Writes the buckets changed since the last save; false with errno: they stay unsaved. */
bool slo_file_save(struct slo_ring *r, const char *dir);

#endif
