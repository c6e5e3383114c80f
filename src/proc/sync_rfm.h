/*
 * sync_rfm: the RFM group of every customer as SQL over customer_facts.
 *
 * Where the scores change is decided by model/rfm over all customers, as in the population file; PostgreSQL only
 * looks values up.
 */
#ifndef PROC_SYNC_RFM_H
#define PROC_SYNC_RFM_H

#include "proc/sync_db.h"

/* PostgreSQL arrays in text form. */
struct sync_rfm {
    char groups[4096]; /* group by (recency - 1) * 25 + (frequency - 1) * 5 + monetary */
    char recency[160], frequency[160], monetary[160];
};

/* Expression for the group of the row `c` of customer_facts; $1 … $4 are the arrays in the order of the struct. */
#define SYNC_RFM_SQL                                                                                                 \
    "($1::text[])[1 + 25 * width_bucket(c.last_day::bigint, $2::bigint[])"                                           \
    " + 5 * CASE WHEN c.orders < 2 THEN 0 ELSE 1 + width_bucket(c.orders::bigint, $3::bigint[]) END"                 \
    " + width_bucket(c.gross_cents - c.refunds_cents, $4::bigint[])]"

/* Reads customer_facts. Memory: 24 bytes a customer. */
enum sync_db_status sync_rfm_compute(struct sync_db *db, struct sync_rfm *out);

#endif
