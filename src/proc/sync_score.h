/*
 * sync_score: from order lines to published scores: facts, models, scores, archetypes, as one data version.
 */
#ifndef PROC_SYNC_SCORE_H
#define PROC_SYNC_SCORE_H

#include <stdint.h>

#include "core/conf.h"
#include "proc/sync_db.h"

struct sync_score_result {
    int64_t data_version; /* the new one; 0: nothing had changed, nothing was published */
    int64_t customers;    /* in it */
};

/*
 * One transaction: facts of the customers whose lines changed, then scores of everyone (time has passed for all),
 * then a data_versions row and a notification on channel patrond_data. Nothing is done when neither lines nor as-of
 * day nor settings have changed since the last scoring. Memory: see struct score_customer, for each customer.
 * `run_id` 0: not by a run.
 */
enum sync_db_status sync_score_refresh(struct sync_db *db, const struct conf *conf, int32_t as_of_day, int64_t run_id,
                                       struct sync_score_result *out);

#endif
