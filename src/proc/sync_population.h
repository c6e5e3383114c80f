/*
 * sync_population: from customer_facts to the population file that the workers serve.
 */
#ifndef PROC_SYNC_POPULATION_H
#define PROC_SYNC_POPULATION_H

#include <stdbool.h>
#include <stdint.h>

#include "core/conf.h"
#include "core/scoreboard.h"
#include "proc/sync_db.h"

/*
 * Compiles the newest data version into STATE_DIR from one snapshot, then tells the workers through
 * sb->data_version. `synced_us`: end of the last successful sync in it. Errors are in `db` (reason disk or memory
 * where the file could not be written); the population in service stays.
 */
enum sync_db_status sync_population_publish(struct sync_db *db, const struct conf *conf, struct scoreboard *sb,
                                            int64_t synced_us);

/*
 * Makes the newest data version the one in service: takes its file where STATE_DIR holds one of that very
 * publication, compiles it otherwise. Does nothing where no version is published.
 */
enum sync_db_status sync_population_serve(struct sync_db *db, const struct conf *conf, struct scoreboard *sb,
                                          int64_t synced_us);

#endif
