/*
 * dataset: a mapped population in service, with the text every answer from it repeats.
 *
 * A request holds the data set it started with; the last release unmaps it.
 * The slot holds the newest one and takes its successor when the scoreboard names another version, after checking it
 * piece by piece, so that no turn of the loop is held up; a file that is refused leaves the old one in service.
 */
#ifndef API_DATASET_H
#define API_DATASET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "core/conf.h"
#include "core/scoreboard.h"
#include "data/population.h"

struct dataset {
    struct population *population;
    unsigned users;
    int64_t synced_us; /* end of the last successful sync in these data; 0: unknown */
    char headers[128]; /* X-Data-Version and X-Data-As-Of lines */
    size_t header_bytes;
    char stamp[64]; /* "as_of":"…","data_version":… */
    size_t stamp_bytes;
};

struct dataset_slot {
    struct dataset *current;            /* NULL: no data yet */
    struct population *next;            /* being checked; NULL: none */
    uint64_t refused_version, retry_ns; /* a version that could not be opened, and when to try again */
    uint32_t sync_seq;                  /* of the sync status last looked at */
};

/* Maps the newest population in STATE_DIR, if there is one. */
void dataset_slot_init(struct dataset_slot *s, const struct conf *conf, const struct scoreboard *sb);
void dataset_slot_close(struct dataset_slot *s);
/* Takes over a newly published version and a newer sync time: at most a megabyte is looked at. Cheap when nothing
 * changed. */
void dataset_slot_tick(struct dataset_slot *s, const struct conf *conf, const struct scoreboard *sb);
/* Is a version being checked, so that another tick should follow at once? */
bool dataset_slot_checking(const struct dataset_slot *s);

struct dataset *dataset_hold(struct dataset_slot *s); /* NULL: no data */
void dataset_release(struct dataset *d);              /* NULL is allowed */

/* Age against now, and the contract's verdict: no data, no sync time or older than STALE_AFTER_HOURS. */
int64_t dataset_age_s(const struct dataset *d, int64_t now_us); /* -1: unknown */
bool dataset_stale(const struct dataset *d, const struct conf *conf, int64_t now_us);

#endif
