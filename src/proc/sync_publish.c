/*
 * sync_publish: an order is compared as (number of lines, sum of their hashes), so an unchanged one is never touched.
 * The amounts that the audit of days adds up go into the hash anew: a line that was changed in the table itself has
 * its old line_hash.
 *
 * A full run that changes much swaps the loaded table in by renaming, where that loses nothing; any other change is
 * made in place. Either way readers see it all at once, with the commit that also moves the watermark.
 */
#include "proc/sync_publish.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "proc/sync_audit.h"
#include "proc/sync_load.h"
#include "proc/sync_report.h"
#include "proc/sync_row.h"
#include "proc/sync_swap.h"

#define SWAP_SHARE 4 /* swap when more than a quarter of the lines changes */

/* A partial run that finds so much gone has found an incomplete source: more than a quarter of the lines, in more
 * than a few orders. */
#define GONE_SHARE  4
#define GONE_ORDERS 100

struct change {
    int64_t inserted, updated, deleted; /* lines, as the run reports them */
    int64_t deleted_orders;
    int64_t live_rows; /* of combined_sales before */
    bool filling;      /* it was empty; there is no sync_change */
};

static bool exec(struct sync_run *run, const char *what, const char *sql)
{
    return sync_run_done(run, sync_db_exec(&run->work, what, sql));
}

#define LINE_HASH                                                                                                    \
    "line_hash # coalesce(hash_numeric_extended(line_item_sales, 1), 0)"                                             \
    " # coalesce(hash_numeric_extended(line_item_refunds, 2), 0) # coalesce(hashint8extended(quantity, 3), 0)"

/* sync_change: each order that differs, its lines on both sides. */
static bool compare(struct sync_run *run)
{
    char sql[1200];

    snprintf(sql, sizeof(sql),
             "ANALYZE %s (order_id, customer_id); CREATE TEMP TABLE sync_change ON COMMIT DROP AS"
             " SELECT order_id, sum(fresh) AS fresh_lines, sum(live) AS live_lines FROM"
             " (SELECT order_id, 1 AS fresh, 0 AS live, " LINE_HASH " AS fresh_hash, 0::bigint AS live_hash FROM %s"
             " UNION ALL SELECT order_id, 0, 1, 0, " LINE_HASH " FROM combined_sales%s) l GROUP BY 1"
             " HAVING sum(fresh) <> sum(live) OR sum(fresh_hash) <> sum(live_hash);"
             "ANALYZE sync_change",
             sync_load_stage(run), sync_load_stage(run),
             run->everything ? "" : " WHERE order_id IN (SELECT order_id FROM sync_scope)");
    return exec(run, "comparing orders", sql);
}

static bool count(struct sync_run *run, struct change *c)
{
    PGresult *r;
    int64_t *const into[] = { &c->inserted, &c->updated, &c->deleted, &c->deleted_orders };

    if (!sync_run_done(run, sync_db_query(&run->work, "counting the changes",
                                          "SELECT coalesce(sum(fresh_lines) FILTER (WHERE live_lines = 0), 0),"
                                          " coalesce(sum(fresh_lines) FILTER (WHERE live_lines > 0), 0),"
                                          " coalesce(sum(live_lines) FILTER (WHERE fresh_lines = 0), 0),"
                                          " count(*) FILTER (WHERE fresh_lines = 0) FROM sync_change",
                                          NULL, 0, &r)))
        return false;
    for (int i = 0; i < 4; i++)
        str_to_i64(str_from(PQgetvalue(r, 0, i)), into[i]);
    PQclear(r);
    return true;
}

/* What changes. A full stage for an empty table is all of it new: nothing need be compared. */
static bool find_changes(struct sync_run *run, struct change *c)
{
    if (!sync_run_done(run, sync_db_query_i64(&run->work, "counting the lines", "SELECT count(*) FROM combined_sales",
                                              NULL, 0, 0, &c->live_rows)))
        return false;
    c->filling = run->full_stage && c->live_rows == 0;
    if (c->filling) {
        c->inserted = run->state->shown.rows_written;
        return true;
    }
    return compare(run) && count(run, c);
}

static bool mark_customers(struct sync_run *run, bool much)
{
    char sql[600];

    if (much)
        return exec(run, "marking all customers", "UPDATE sync_state SET facts_all = true");
    snprintf(sql, sizeof(sql),
             "INSERT INTO customer_dirty SELECT customer_id FROM combined_sales JOIN sync_change USING (order_id)"
             " WHERE customer_id IS NOT NULL UNION SELECT customer_id FROM %s JOIN sync_change USING (order_id)"
             " WHERE customer_id IS NOT NULL ON CONFLICT DO NOTHING",
             sync_load_stage(run));
    return exec(run, "marking customers", sql);
}

/* A full load with changes may have changed the past: the models are fitted anew. */
static bool mark_refit(struct sync_run *run)
{
    return !run->everything || exec(run, "asking for a new fit", "UPDATE sync_state SET refit = true");
}

static bool publish_in_place(struct sync_run *run)
{
    char sql[2600];

    if (!exec(run, "removing changed orders",
              "DELETE FROM combined_sales s USING sync_change c WHERE s.order_id = c.order_id AND c.live_lines > 0"))
        return false;
    snprintf(sql, sizeof(sql), "INSERT INTO combined_sales (%s) SELECT %s FROM %s JOIN sync_change USING (order_id)",
             sync_row_columns(), sync_row_columns(), sync_load_stage(run));
    return exec(run, "writing changed orders", sql);
}

static bool apply(struct sync_run *run, const struct change *c, bool much)
{
    bool possible = false, swapped = false;

    if (run->full_stage && much && !sync_swap_possible(run, &possible))
        return false;
    if (possible && !sync_swap(run, &swapped))
        return false;
    return swapped || ((!c->filling || compare(run)) && publish_in_place(run));
}

static bool drop_stage(struct sync_run *run)
{
    return exec(run, "dropping the stage", "DROP TABLE IF EXISTS combined_sales_next");
}

/*
 * The watermark is the day up to which the source was read: that of the newest order, those dated in the future
 * aside, and after a partial run only if that began where the reading had ended before.
 */
static bool move_watermark(struct sync_run *run)
{
    char sql[500], from[CLOCK_DAY_SIZE], to[CLOCK_DAY_SIZE];

    if (run->everything)
        return exec(run, "setting the watermark",
                    "UPDATE sync_state SET watermark = (SELECT max(order_date) FROM combined_sales"
                    " WHERE order_date <= now() AT TIME ZONE 'utc')");
    clock_format_day(from, run->start_day);
    clock_format_day(to, run->end_day);
    snprintf(sql, sizeof(sql),
             "UPDATE sync_state SET watermark = greatest(watermark, (SELECT max(order_date) FROM sync_stage"
             " WHERE order_date <= now() AT TIME ZONE 'utc'%s%s%s)) WHERE watermark IS NOT NULL%s%s%s",
             run->end_day == CLOCK_NO_DAY ? "" : " AND order_date < date '", run->end_day == CLOCK_NO_DAY ? "" : to,
             run->end_day == CLOCK_NO_DAY ? "" : "' + 1",
             run->start_day == CLOCK_NO_DAY ? "" : " AND watermark >= date '",
             run->start_day == CLOCK_NO_DAY ? "" : from, run->start_day == CLOCK_NO_DAY ? "" : "'");
    return exec(run, "moving the watermark", sql);
}

/*
 * An empty or half-empty source (a view that lost its table, an export cut short) must not empty combined_sales. A
 * full run is how the operator says that the source is right, as long as there is anything in it.
 */
static bool refuse_to_empty(struct sync_run *run, const struct change *c)
{
    bool empties = c->live_rows > 0 && c->inserted == 0 && c->deleted == c->live_rows;
    bool much = c->deleted_orders > GONE_ORDERS && c->deleted > c->live_rows / GONE_SHARE;

    if (empties)
        return sync_run_fail(run, SB_REASON_VALIDATION,
                             "the source holds no usable row, but combined_sales has %lld; to empty it on purpose, "
                             "TRUNCATE it",
                             (long long)c->live_rows);
    if (run->everything || !much)
        return true;
    return sync_run_fail(run, SB_REASON_VALIDATION,
                         "the source lacks %lld orders with %lld of the %lld lines of combined_sales: it looks "
                         "incomplete, nothing was changed; if it is right, run a full sync",
                         (long long)c->deleted_orders, (long long)c->deleted, (long long)c->live_rows);
}

bool sync_publish(struct sync_run *run)
{
    struct change c = { 0 };

    sync_run_phase(run, SB_PHASE_MERGING);
    if (!find_changes(run, &c) || !refuse_to_empty(run, &c))
        return false;
    sync_report_progress(run, true);
    int64_t lines = c.inserted + c.updated + c.deleted;
    bool much = lines > c.live_rows / SWAP_SHARE;
    if (lines > 0 && (!mark_customers(run, much) || !mark_refit(run) || !apply(run, &c, much)))
        return false;
    if (!sync_audit_recheck(run) || !move_watermark(run) || !drop_stage(run) ||
        !exec(run, "committing the orders", "COMMIT"))
        return false;
    run->published = true;
    run->shown->rows_inserted = c.inserted;
    run->shown->rows_updated = c.updated;
    run->shown->rows_deleted = c.deleted;
    return true;
}
