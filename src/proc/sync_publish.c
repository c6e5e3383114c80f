/*
 * sync_publish: an order is compared as (number of lines, sum of their hashes), so an unchanged one is never touched.
 *
 * A full run that changes much swaps the loaded table in by renaming; any
 * other change is made in place. The swap carries over grants, the sequence and the indexes'
 * names. Objects that hang on the old table (views, foreign keys) can't be carried over: then the change is made in
 * place.
 */
#include "proc/sync_publish.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/str.h"
#include "proc/sync_load.h"

#define SWAP_SHARE        4    /* swap when more than a quarter of the lines changes */
#define SWAP_LOCK_TIMEOUT "5s" /* a reader that holds the table longer makes us publish in place */

static const char *const indexes[][2] = {
    { "idx_combined_sales_customer", "(customer_id, order_date DESC)" },
    { "idx_combined_sales_order_date", "(order_date)" },
    { "idx_combined_sales_product", "(product_id)" },
    { "idx_combined_sales_category", "(category)" },
    { "idx_combined_sales_sku", "(sku)" },
    { "idx_combined_sales_order_id", "(order_id)" },
};
#define INDEXES (sizeof(indexes) / sizeof(indexes[0]))

static bool done(struct sync_run *run, enum sync_db_status s)
{
    if (s != SYNC_DB_OK)
        return sync_run_fail_db(run, &run->work);
    sync_run_progress(run);
    return true;
}

static bool exec(struct sync_run *run, const char *what, const char *sql)
{
    return done(run, sync_db_exec(&run->work, what, sql));
}

static const char *stage(const struct sync_run *run)
{
    return run->full_stage ? "combined_sales_next" : "sync_stage";
}

/* The part of combined_sales that the run has read: all of it, or the orders with a line on the days read. */
static void scope_sql(const struct sync_run *run, char *dst, size_t size)
{
    char from[CLOCK_DAY_SIZE], to[CLOCK_DAY_SIZE];
    bool open_start = run->start_day == CLOCK_NO_DAY, open_end = run->end_day == CLOCK_NO_DAY;

    if (run->everything) {
        snprintf(dst, size, "SELECT order_id FROM combined_sales");
        return;
    }
    snprintf(dst, size,
             "SELECT order_id FROM sync_stage UNION SELECT order_id FROM combined_sales WHERE true%s%s%s%s%s%s",
             open_start ? "" : " AND order_date >= '", open_start ? "" : clock_format_day(from, run->start_day),
             open_start ? "" : "'", open_end ? "" : " AND order_date < date '",
             open_end ? "" : clock_format_day(to, run->end_day), open_end ? "" : "' + 1");
}

/* sync_change: each order that differs, its lines on both sides. */
static bool compare(struct sync_run *run)
{
    char scope[300], sql[1600];

    scope_sql(run, scope, sizeof(scope));
    snprintf(
        sql, sizeof(sql),
        "CREATE TEMP TABLE sync_change ON COMMIT DROP AS"
        " WITH fresh AS (SELECT order_id, count(*) AS lines, sum(line_hash) AS hash FROM %s GROUP BY 1),"
        " live AS (SELECT order_id, count(*) AS lines, sum(line_hash) AS hash FROM combined_sales%s%s%s GROUP BY 1)"
        " SELECT order_id, coalesce(fresh.lines, 0) AS fresh_lines, coalesce(live.lines, 0) AS live_lines"
        " FROM fresh FULL JOIN live USING (order_id)"
        " WHERE fresh.lines IS DISTINCT FROM live.lines OR fresh.hash IS DISTINCT FROM live.hash",
        stage(run), run->everything ? "" : " WHERE order_id IN (", run->everything ? "" : scope,
        run->everything ? "" : ")");
    return exec(run, "analysing the stage", run->full_stage ? "ANALYZE combined_sales_next" : "ANALYZE sync_stage") &&
           exec(run, "comparing orders", sql) && exec(run, "analysing the changes", "ANALYZE sync_change");
}

static bool count(struct sync_run *run, int64_t *changed_lines, int64_t *live_rows)
{
    PGresult *r;
    int64_t v[4] = { 0 };

    if (!done(run, sync_db_query(&run->work, "counting the changes",
                                 "SELECT coalesce(sum(fresh_lines) FILTER (WHERE live_lines = 0), 0),"
                                 " coalesce(sum(fresh_lines) FILTER (WHERE live_lines > 0), 0),"
                                 " coalesce(sum(live_lines) FILTER (WHERE fresh_lines = 0), 0),"
                                 " (SELECT count(*) FROM combined_sales) FROM sync_change",
                                 NULL, 0, &r)))
        return false;
    for (int i = 0; i < 4; i++)
        str_to_i64(str_from(PQgetvalue(r, 0, i)), &v[i]);
    PQclear(r);
    run->shown->rows_inserted = v[0];
    run->shown->rows_updated = v[1];
    run->shown->rows_deleted = v[2];
    *changed_lines = v[0] + v[1] + v[2];
    *live_rows = v[3];
    return true;
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
             stage(run));
    return exec(run, "marking customers", sql);
}

static bool publish_in_place(struct sync_run *run)
{
    char sql[2600];

    if (!exec(run, "removing changed orders",
              "DELETE FROM combined_sales s USING sync_change c WHERE s.order_id = c.order_id AND c.live_lines > 0"))
        return false;
    snprintf(sql, sizeof(sql), "INSERT INTO combined_sales (%s) SELECT %s FROM %s JOIN sync_change USING (order_id)",
             sync_load_columns(), sync_load_columns(), stage(run));
    return exec(run, "writing changed orders", sql);
}

/* Does anything but its own indexes, default and sequence hang on the table? */
static bool has_dependents(struct sync_run *run, bool *yes)
{
    int64_t n = 0;

    if (!done(
            run,
            sync_db_query_i64(
                &run->work, "looking for dependents of combined_sales",
                "SELECT (SELECT count(*) FROM pg_depend d JOIN pg_rewrite r ON d.classid = 'pg_rewrite'::regclass"
                " AND d.objid = r.oid WHERE d.refobjid = 'combined_sales'::regclass"
                " AND r.ev_class <> d.refobjid)"
                " + (SELECT count(*) FROM pg_constraint WHERE confrelid = 'combined_sales'::regclass)"
                " + (SELECT count(*) FROM pg_trigger WHERE tgrelid = 'combined_sales'::regclass AND NOT tgisinternal)"
                " + (SELECT count(*) FROM pg_policy WHERE polrelid = 'combined_sales'::regclass)"
                " + (SELECT count(*) FROM pg_publication_rel WHERE prrelid = 'combined_sales'::regclass)"
                " + (SELECT count(*) FROM pg_inherits WHERE 'combined_sales'::regclass IN (inhrelid, inhparent))",
                NULL, 0, 1, &n)))
        return false;
    *yes = n > 0;
    return true;
}

/* Indexes of the operators' own come along; ours are made under names that give way to the final ones. */
static bool build_indexes(struct sync_run *run)
{
    char sql[300];

    if (!exec(run, "building the primary key",
              "ALTER TABLE combined_sales_next ADD CONSTRAINT combined_sales_next_pkey PRIMARY KEY (id)"))
        return false;
    for (size_t i = 0; i < INDEXES; i++) {
        snprintf(sql, sizeof(sql), "CREATE INDEX next_%s ON combined_sales_next %s", indexes[i][0], indexes[i][1]);
        if (!exec(run, "building an index", sql))
            return false;
    }
    return exec(
        run, "building the operators' indexes",
        "DO $$ DECLARE d text; BEGIN"
        " FOR d IN SELECT pg_get_indexdef(x.indexrelid) FROM pg_index x JOIN pg_class c ON c.oid = x.indexrelid"
        " WHERE x.indrelid = 'combined_sales'::regclass AND NOT x.indisprimary AND c.relname NOT LIKE "
        "'idx\\_combined\\_sales\\_%'"
        " LOOP EXECUTE regexp_replace(regexp_replace(d, ' INDEX (\\S+) ON ', ' INDEX ON '),"
        " ' ON \\S*combined_sales ', ' ON combined_sales_next '); END LOOP; END $$");
}

static bool copy_grants(struct sync_run *run)
{
    return exec(run, "carrying over grants",
                "DO $$ DECLARE g record; o name; BEGIN"
                " SELECT rolname INTO o FROM pg_roles r JOIN pg_class c ON c.relowner = r.oid WHERE c.oid = "
                "'combined_sales'::regclass;"
                " IF o <> current_user THEN EXECUTE format('ALTER TABLE combined_sales_next OWNER TO %I', o); END IF;"
                " FOR g IN SELECT a.privilege_type, a.is_grantable,"
                " CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(r.rolname) END AS who"
                " FROM pg_class c, aclexplode(c.relacl) a LEFT JOIN pg_roles r ON r.oid = a.grantee"
                " WHERE c.oid = 'combined_sales'::regclass LOOP"
                " EXECUTE format('GRANT %s ON combined_sales_next TO %s%s', g.privilege_type, g.who,"
                " CASE WHEN g.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END);"
                " END LOOP; END $$");
}

static bool rename_all(struct sync_run *run)
{
    struct buf sql;

    buf_init(&sql, 8192);
    buf_add_cstr(&sql,
                 "ALTER SEQUENCE combined_sales_id_seq OWNED BY combined_sales_next.id; DROP TABLE combined_sales;"
                 "ALTER TABLE combined_sales_next RENAME TO combined_sales;"
                 "ALTER INDEX combined_sales_next_pkey RENAME TO combined_sales_pkey;");
    for (size_t i = 0; i < INDEXES; i++)
        buf_printf(&sql, "ALTER INDEX next_%s RENAME TO %s;", indexes[i][0], indexes[i][0]);
    const char *text = buf_cstr(&sql);
    bool renamed = text != NULL && exec(run, "swapping combined_sales", text);
    buf_free(&sql);
    return renamed;
}

/*
 * The lock that readers feel is asked for last and for a short time; not getting it is no error: *swapped stays
 * false.
 */
static bool swap(struct sync_run *run, bool *swapped)
{
    if (!build_indexes(run) || !copy_grants(run) ||
        !exec(run, "preparing the swap", "SAVEPOINT swap; SET LOCAL lock_timeout = '" SWAP_LOCK_TIMEOUT "'"))
        return false;
    enum sync_db_status s =
        sync_db_exec(&run->work, "locking combined_sales", "LOCK TABLE combined_sales IN ACCESS EXCLUSIVE MODE");
    if (s == SYNC_DB_ERROR && strcmp(run->work.sqlstate, "55P03") == 0)
        return exec(run, "giving up the swap", "ROLLBACK TO SAVEPOINT swap; SET LOCAL lock_timeout = 0");
    if (!done(run, s))
        return false;
    *swapped = rename_all(run);
    return *swapped;
}

static bool change(struct sync_run *run, bool much)
{
    bool dependents = true, swapped = false;

    if (run->full_stage && much) {
        if (!has_dependents(run, &dependents) || (!dependents && !swap(run, &swapped)))
            return false;
    }
    if (!swapped && !publish_in_place(run))
        return false;
    return swapped || !run->full_stage || exec(run, "dropping the stage", "DROP TABLE combined_sales_next");
}

static bool finish(struct sync_run *run)
{
    return exec(run, "moving the watermark",
                "UPDATE sync_state SET watermark = (SELECT max(order_date) FROM combined_sales)") &&
           exec(run, "committing the orders", "COMMIT");
}

bool sync_publish(struct sync_run *run)
{
    int64_t changed_lines, live_rows;

    sync_run_phase(run, SB_PHASE_MERGING);
    if (!compare(run) || !count(run, &changed_lines, &live_rows))
        return false;
    sync_run_report(run, true);
    if (changed_lines == 0)
        return (!run->full_stage || exec(run, "dropping the stage", "DROP TABLE combined_sales_next")) && finish(run);
    bool much = changed_lines * SWAP_SHARE > live_rows;
    run->changed = true;
    return mark_customers(run, much) && change(run, much) && finish(run);
}
