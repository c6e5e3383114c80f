/*
 * sync_facts: from order lines to customer_facts and fact_customer_current, as one published data version.
 */
#ifndef PROC_SYNC_FACTS_H
#define PROC_SYNC_FACTS_H

#include <stdbool.h>
#include <stdint.h>

#include "core/conf.h"
#include "proc/sync_db.h"

struct sync_facts_result {
    int64_t data_version; /* the new one; 0: nothing had changed, nothing was published */
    int64_t customers;    /* in it */
};

/*
 * One transaction: facts of the customers in customer_dirty, or of all (first run, full swap, other settings, an
 * earlier as-of day), then a data_versions row and a notification on channel patrond_data. Memory is bounded by a
 * batch of customers. `run_id` 0: not by a run.
 */
enum sync_db_status sync_facts_refresh(struct sync_db *db, const struct conf *conf, int32_t as_of_day, int64_t run_id,
                                       struct sync_facts_result *out);

#endif
