/*
 * alert_file: STATE_DIR/alerts_told, where what people have been told outlives generation, server and version.
 *
 * A record for each alert, found by its name and with a checksum of its own, so that a version with other alerts
 * reads what it knows. They are written in place into blocks reserved at creation: a full disk does not matter later.
 */
#ifndef PROC_ALERT_FILE_H
#define PROC_ALERT_FILE_H

#include "proc/alert.h"

#define ALERT_FILE_NAME "alerts_told"

/* No file, or a damaged record: nothing was told. False with errno: it could not be read. */
bool alert_file_load(struct alert_board *board, const char *dir);
bool alert_file_save(const struct alert_board *board, const char *dir); /* false with errno */

#endif
