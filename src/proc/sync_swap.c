#include "proc/sync_swap.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "proc/sync_row.h"

/* A waiting lock holds up every reader behind it, so it waits for a short time, and again later. */
#define LOCK_TIMEOUT "1s"
#define LOCK_TRIES   3
#define LOCK_PAUSE   CLOCK_NS_PER_S

/* As the migrations define them. */
static const char *const indexes[][2] = {
    { "idx_combined_sales_customer", "(customer_id, order_date DESC)" },
    { "idx_combined_sales_order_date", "(order_date)" },
    { "idx_combined_sales_product", "(product_id)" },
    { "idx_combined_sales_category", "(category)" },
    { "idx_combined_sales_sku", "(sku)" },
    { "idx_combined_sales_order_id", "(order_id)" },
};
#define INDEXES (sizeof(indexes) / sizeof(indexes[0]))

static bool exec(struct sync_run *run, const char *what, const char *sql)
{
    return sync_run_done(run, sync_db_exec(&run->work, what, sql));
}

bool sync_swap_possible(struct sync_run *run, bool *possible)
{
    char columns[1200], names[512];
    const char *values[] = { columns, names };
    int64_t plain = 0;
    size_t n = 0;

    snprintf(columns, sizeof(columns), "id,sync_timestamp,%s", sync_row_columns());
    for (size_t i = 0; i < INDEXES; i++)
        n += (size_t)snprintf(names + n, sizeof(names) - n, "%s,", indexes[i][0]);
    snprintf(names + n, sizeof(names) - n, "combined_sales_pkey");
    if (!sync_run_done(
            run,
            sync_db_query_i64(
                &run->work, "looking at what hangs on combined_sales",
                "SELECT (c.relkind = 'r' AND c.relpersistence = 'p' AND NOT c.relispartition AND NOT c.relhasrules"
                " AND NOT c.relrowsecurity AND NOT c.relforcerowsecurity AND c.reltablespace = 0"
                " AND c.reloptions IS NULL AND c.relreplident = 'd'"
                " AND pg_get_userbyid(c.relowner) = current_user"
                " AND NOT EXISTS (SELECT FROM pg_trigger WHERE tgrelid = c.oid)"
                " AND NOT EXISTS (SELECT FROM pg_policy WHERE polrelid = c.oid)"
                " AND NOT EXISTS (SELECT FROM pg_inherits WHERE c.oid IN (inhrelid, inhparent))"
                " AND NOT EXISTS (SELECT FROM pg_statistic_ext WHERE stxrelid = c.oid)"
                " AND NOT EXISTS (SELECT FROM pg_seclabel WHERE objoid = c.oid AND classoid = 'pg_class'::regclass)"
                " AND NOT EXISTS (SELECT FROM pg_constraint WHERE confrelid = c.oid"
                " OR conrelid = c.oid AND contype <> 'p')"
                " AND NOT EXISTS (SELECT FROM pg_publication_tables WHERE schemaname = 'public'"
                " AND tablename = 'combined_sales')"
                " AND NOT EXISTS (SELECT FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped"
                " AND (attacl IS NOT NULL OR array_to_string(attoptions, ',') LIKE '%n_distinct%' OR attname <> ALL "
                "(string_to_array($1, ','))))"
                " AND NOT EXISTS (SELECT FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid"
                " WHERE x.indrelid = c.oid AND i.relname <> ALL (string_to_array($2, ',')))"
                " AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.refclassid = 'pg_class'::regclass"
                " AND d.refobjid = c.oid AND d.classid = 'pg_rewrite'::regclass)"
                ")::int FROM pg_class c WHERE c.oid = 'combined_sales'::regclass",
                values, 2, 0, &plain)))
        return false;
    *possible = plain == 1;
    return true;
}

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
    /* What statements look for; autovacuum does the rest in its time. */
    return exec(
        run, "analyzing the new table",
        "ANALYZE combined_sales_next (order_id, customer_id, order_date, product_id, category, sku, currency)");
}

static bool carry_over(struct sync_run *run)
{
    return exec(run, "carrying over grants and the comment",
                "DO $$ DECLARE g record; BEGIN"
                " FOR g IN SELECT a.privilege_type, a.is_grantable,"
                " CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END AS who"
                " FROM pg_class c, aclexplode(c.relacl) a WHERE c.oid = 'combined_sales'::regclass LOOP"
                " EXECUTE format('GRANT %s ON combined_sales_next TO %s%s', g.privilege_type, g.who,"
                " CASE WHEN g.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END);"
                " END LOOP;"
                " EXECUTE format('COMMENT ON TABLE combined_sales_next IS %L',"
                " obj_description('combined_sales'::regclass, 'pg_class'));"
                " END $$");
}

static enum sync_db_status rename_all(struct sync_run *run)
{
    struct buf sql;
    enum sync_db_status s = SYNC_DB_ERROR;

    buf_init(&sql, 8192);
    buf_add_cstr(&sql, "LOCK TABLE combined_sales IN ACCESS EXCLUSIVE MODE;"
                       "ALTER SEQUENCE combined_sales_id_seq OWNED BY combined_sales_next.id;"
                       "DROP TABLE combined_sales;"
                       "ALTER TABLE combined_sales_next RENAME TO combined_sales;"
                       "ALTER INDEX combined_sales_next_pkey RENAME TO combined_sales_pkey;");
    for (size_t i = 0; i < INDEXES; i++)
        buf_printf(&sql, "ALTER INDEX next_%s RENAME TO %s;", indexes[i][0], indexes[i][0]);
    buf_add_cstr(&sql, "SET LOCAL lock_timeout = 0");
    if (buf_cstr(&sql) != NULL)
        s = sync_db_exec(&run->work, "swapping combined_sales", buf_cstr(&sql));
    buf_free(&sql);
    return s;
}

static bool is_state(const struct sync_run *run, const char *sqlstate)
{
    return strcmp(run->work.sqlstate, sqlstate) == 0;
}

static bool pause_between_tries(struct sync_run *run)
{
    uint64_t end = clock_mono_ns() + LOCK_PAUSE;

    while (clock_mono_ns() < end)
        if (!sync_run_sleep(run))
            return false;
    return true;
}

/* One try: *again when another one may help. */
static bool try_swap(struct sync_run *run, bool *swapped, bool *again)
{
    if (!exec(run, "preparing the swap", "SAVEPOINT swap; SET LOCAL lock_timeout = '" LOCK_TIMEOUT "'"))
        return false;
    enum sync_db_status s = rename_all(run);
    *swapped = s == SYNC_DB_OK;
    bool locked_out = s == SYNC_DB_ERROR && (is_state(run, "55P03") || is_state(run, "40P01"));
    bool depended_on = s == SYNC_DB_ERROR && is_state(run, "2BP01");
    *again = locked_out;
    if (locked_out || depended_on)
        return exec(run, "giving up the swap", "ROLLBACK TO SAVEPOINT swap");
    return sync_run_done(run, s);
}

bool sync_swap(struct sync_run *run, bool *swapped)
{
    bool again = true;

    *swapped = false;
    if (!build_indexes(run) || !carry_over(run))
        return false;
    for (int i = 0; i < LOCK_TRIES && again; i++)
        if ((i > 0 && !pause_between_tries(run)) || !try_swap(run, swapped, &again))
            return false;
    return true;
}
