/*
 * sync_facts: from order lines to customer_facts.
 */
#ifndef PROC_SYNC_FACTS_H
#define PROC_SYNC_FACTS_H

#include <stdbool.h>
#include <stdint.h>

#include "proc/sync_db.h"

/*
 * In the caller's transaction: facts of the customers in customer_dirty and of those whose windows moved with the
 * as-of day (who are then in customer_dirty too), or of `all`. Memory is bounded by a batch and the lines of one
 * customer.
 */
enum sync_db_status sync_facts_compute(struct sync_db *db, int32_t as_of_day, bool all);

#endif
