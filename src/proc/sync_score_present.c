/*
 * sync_score_present: fact_customer_current, the table that other tools read.
 *
 * To keep seven indexes up row by row costs twice what all else of the first filling does. Where the table is empty
 * they are therefore dropped, and built over the rows when these are there: in the scoring's transaction and as its
 * last step, because a reader of the empty table waits from here to the commit. Where they can't be dropped (somebody
 * holds the table, it is another's), the rows are written all the same.
 */
#include <stdio.h>

#include "base/buf.h"
#include "proc/sync_score_parts.h"

/* A waiting lock holds up every reader behind it. */
#define LOCK_TIMEOUT "1s"

/* As the migrations define them. */
static const char *const indexes[][2] = {
    { "idx_customer_ltv", "(lifetime_value DESC)" },
    { "idx_fact_current_store", "(store_id)" },
    { "idx_fact_current_l1", "(archetype_l1_id)" },
    { "idx_fact_current_l2", "(archetype_l2_id)" },
    { "idx_fact_current_l3", "(archetype_l3_id)" },
    { "idx_fact_current_tenant", "(tenant_id)" },
    { "idx_fact_current_tenant_customer", "(tenant_id, customer_id)" },
};
#define INDEXES (sizeof(indexes) / sizeof(indexes[0]))

static enum sync_db_status exec_text(struct scoring *s, const char *what, struct buf *sql)
{
    const char *text = buf_cstr(sql);
    enum sync_db_status st = text != NULL ? sync_db_exec(s->db, what, text) : sync_score_no_memory(s, what);

    buf_free(sql);
    return st;
}

/* *dropped false: they are all there as before. */
static enum sync_db_status drop_indexes(struct scoring *s, bool *dropped)
{
    int64_t empty = 0;
    struct buf sql;
    enum sync_db_status st =
        sync_db_query_i64(s->db, "looking into fact_customer_current",
                          "SELECT (NOT EXISTS (SELECT FROM fact_customer_current))::int", NULL, 0, 0, &empty);

    *dropped = false;
    if (st != SYNC_DB_OK || !empty)
        return st;
    st = sync_db_exec(s->db, "preparing to fill fact_customer_current",
                      "SAVEPOINT fill; SET LOCAL lock_timeout = '" LOCK_TIMEOUT "'");
    if (st != SYNC_DB_OK)
        return st;
    buf_init(&sql, 4096);
    buf_add_cstr(&sql, "DROP INDEX IF EXISTS ");
    for (size_t i = 0; i < INDEXES; i++)
        buf_printf(&sql, "%s%s", i > 0 ? ", " : "", indexes[i][0]);
    buf_add_cstr(&sql, "; SET LOCAL lock_timeout = 0");
    st = exec_text(s, "dropping the indexes of fact_customer_current", &sql);
    *dropped = st == SYNC_DB_OK;
    return st != SYNC_DB_ERROR ? st : sync_db_exec(s->db, "keeping the indexes", "ROLLBACK TO SAVEPOINT fill");
}

static enum sync_db_status build_indexes(struct scoring *s)
{
    enum sync_db_status st = SYNC_DB_OK;
    char sql[200];

    for (size_t i = 0; i < INDEXES && st == SYNC_DB_OK; i++) {
        snprintf(sql, sizeof(sql), "CREATE INDEX %s ON fact_customer_current %s", indexes[i][0], indexes[i][1]);
        st = sync_db_exec(s->db, "building an index of fact_customer_current", sql);
    }
    return st;
}

static const char or_replace[] =
    " ON CONFLICT (customer_id) DO UPDATE SET store_id = excluded.store_id,"
    " archetype_l1_id = excluded.archetype_l1_id, archetype_l2_id = excluded.archetype_l2_id,"
    " lifetime_value = excluded.lifetime_value, total_orders = excluded.total_orders,"
    " avg_order_value = excluded.avg_order_value, days_since_last_purchase = excluded.days_since_last_purchase,"
    " customer_tenure_days = excluded.customer_tenure_days, churn_risk_score = excluded.churn_risk_score,"
    " last_updated = excluded.last_updated, gross_sales = excluded.gross_sales, refunds = excluded.refunds,"
    " first_order_date = excluded.first_order_date, last_order_date = excluded.last_order_date,"
    " avg_days_between_orders = excluded.avg_days_between_orders, risk_level = excluded.risk_level,"
    " rfm_group = excluded.rfm_group, predicted_clv = excluded.predicted_clv, p_alive = excluded.p_alive,"
    " data_version = excluded.data_version";

static enum sync_db_status write_rows(struct scoring *s, bool empty)
{
    char day[24], sql[2600];
    const char *values[] = { s->conf->store_id, day };

    snprintf(day, sizeof(day), "%d", s->as_of_day);
    snprintf(
        sql, sizeof(sql),
        "INSERT INTO fact_customer_current AS t (customer_id, store_id, archetype_l1_id, archetype_l2_id,"
        " lifetime_value, total_orders, avg_order_value, days_since_last_purchase, customer_tenure_days,"
        " churn_risk_score, last_updated, gross_sales, refunds, first_order_date, last_order_date,"
        " avg_days_between_orders, risk_level, rfm_group, predicted_clv, p_alive, data_version)"
        " SELECT c.customer_id::text, $1, 'arch_' || lpad(n.archetype_l1::text, 12, '0'),"
        " 'arch_' || lpad(n.archetype_l2::text, 12, '0'), (c.gross_cents - c.refunds_cents) / 100::float, c.orders,"
        " (c.gross_cents - c.refunds_cents) / 100::float / c.orders, $2::int - c.last_day, $2::int - c.first_day,"
        " n.churn, now(), c.gross_cents * 0.01, c.refunds_cents * 0.01, date '1970-01-01' + c.first_day,"
        " date '1970-01-01' + c.last_day,"
        " CASE WHEN c.orders > 1 THEN (c.last_day - c.first_day)::float / (c.orders - 1) END, n.risk_level,"
        " n.rfm_group, n.predicted_clv, n.p_alive, n.data_version"
        " FROM %s n JOIN customer_facts c USING (customer_id)%s",
        s->stored ? "scores_now" : "customer_scores", empty ? "" : or_replace);
    return sync_db_query(s->db, "writing fact_customer_current", sql, values, 2, NULL);
}

enum sync_db_status sync_score_present(struct scoring *s)
{
    bool dropped;
    enum sync_db_status st = drop_indexes(s, &dropped);

    if (st == SYNC_DB_OK)
        st = write_rows(s, dropped);
    return st == SYNC_DB_OK && dropped ? build_indexes(s) : st;
}
