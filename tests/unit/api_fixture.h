/*
 * api_fixture: the application without a server: settings, scoreboard and population in a directory of their own.
 */
#ifndef TESTS_API_FIXTURE_H
#define TESTS_API_FIXTURE_H

#include <stdbool.h>
#include <stdint.h>

#include "api/api.h"

#define FIXTURE_KEY      "k3y-of-th3-op3rator-9f2c"
#define FIXTURE_ROWS     200
#define FIXTURE_FIRST_ID 1000 /* ids 1000, 1001, … */

struct fixture {
    char dir[32];
    struct conf *conf;
    struct scoreboard *sb;
    struct sb_slot *slot;
    struct api *api;
};

/* `settings`: further lines of the configuration; without ALLOW_LIST among them nothing is limited. `version` 0: no
 * population. Aborts on failure. */
void fixture_start(struct fixture *f, const char *settings, uint64_t version);
void fixture_stop(struct fixture *f);
/* Writes a population of that version; `scored`: with churn, segments and the like. */
void fixture_publish(struct fixture *f, uint64_t version, bool scored);
/* The same, unscored, whose last sync ended at that time. */
void fixture_publish_synced(struct fixture *f, uint64_t version, int64_t synced_us);

#endif
