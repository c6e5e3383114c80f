/*
 * sync_population: see the header. Facts are read in one REPEATABLE READ snapshot, so that version, counts and rows
 * agree.
 */
#include "proc/sync_population.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "data/population_write.h"
#include "model/archetype.h"

#define FETCH_ROWS "5000"

/* What the file's header needs of the database. */
struct head {
    int64_t version, published_us, orders, rows, guests, customers;
    int32_t as_of_day;
    char currency[8];
};

static enum sync_db_status bad_file(struct sync_db *db, int error, const char *why)
{
    db->reason = error == ENOMEM ? SB_REASON_MEMORY : SB_REASON_DISK;
    db->sqlstate[0] = '\0';
    snprintf(db->error, sizeof(db->error), "%s", why);
    return SYNC_DB_ERROR;
}

static bool column_i64(const PGresult *r, int row, int column, int64_t *out)
{
    return str_to_i64((struct str){ PQgetvalue(r, row, column), (size_t)PQgetlength(r, row, column) }, out);
}

static enum sync_db_status read_head(struct sync_db *db, struct head *h, bool *found)
{
    PGresult *r;
    int64_t day = 0;
    enum sync_db_status s = sync_db_query(db, "reading the newest data version",
                                          "SELECT v.data_version, (extract(epoch FROM v.published_at) * "
                                          "1000000)::bigint, v.as_of - date '1970-01-01', v.orders,"
                                          " v.rows, (SELECT count(*) FROM combined_sales WHERE customer_id IS NULL), "
                                          "(SELECT count(*) FROM customer_facts),"
                                          " coalesce((SELECT currency FROM sync_state), '')"
                                          " FROM data_versions v ORDER BY v.data_version DESC LIMIT 1",
                                          NULL, 0, &r);

    if (s != SYNC_DB_OK)
        return s;
    *found = PQntuples(r) == 1;
    if (*found && !(column_i64(r, 0, 0, &h->version) && column_i64(r, 0, 1, &h->published_us) &&
                    column_i64(r, 0, 2, &day) && column_i64(r, 0, 3, &h->orders) && column_i64(r, 0, 4, &h->rows) &&
                    column_i64(r, 0, 5, &h->guests) && column_i64(r, 0, 6, &h->customers)))
        s = bad_file(db, 0, "data_versions: a row holds no numbers");
    h->as_of_day = (int32_t)day;
    str_copy(h->currency, sizeof(h->currency), str_from(*found ? PQgetvalue(r, 0, 7) : ""));
    PQclear(r);
    return s;
}

static bool parse_row(const PGresult *r, int i, struct population_row *row)
{
    int64_t v[15];

    for (int c = 0; c < 15; c++)
        if (!column_i64(r, i, c, &v[c]))
            return false;
    *row = (struct population_row){
        .customer_id = v[0],
        .gross_cents = v[1],
        .refunds_cents = v[2],
        .first_day = (int32_t)v[3],
        .last_day = (int32_t)v[4],
        .orders = (uint32_t)v[5],
        .lines = (uint32_t)v[6],
        .products = (uint32_t)v[7],
        .orders_90 = (uint32_t)v[8],
        .orders_prev_90 = (uint32_t)v[9],
        .purchase_days = (uint32_t)v[10],
        .spend_days = (uint32_t)v[11],
        .spend_mean = v[11] > 0 ? (float)((double)v[12] / 100 / (double)v[11]) : 0,
        .archetype = POPULATION_NO_ARCHETYPE,
        .purchase_first_day = (int32_t)v[13],
        .purchase_last_day = (int32_t)v[14],
    };
    return true;
}

static enum sync_db_status write_rows(struct sync_db *db, struct population_writer *w)
{
    char why[200];
    enum sync_db_status s = sync_db_exec(db, "opening the cursor over the facts",
                                         "DECLARE facts NO SCROLL CURSOR FOR SELECT customer_id, gross_cents, "
                                         "refunds_cents, first_day, last_day, orders, lines,"
                                         " products, orders_90, orders_prev_90, purchase_days, spend_days, "
                                         "spend_cents, purchase_first_day, purchase_last_day"
                                         " FROM customer_facts ORDER BY customer_id");
    bool more = true;

    while (s == SYNC_DB_OK && more) {
        PGresult *r;
        s = sync_db_query(db, "reading customer_facts", "FETCH " FETCH_ROWS " FROM facts", NULL, 0, &r);
        if (s != SYNC_DB_OK)
            return s;
        more = PQntuples(r) > 0;
        for (int i = 0; i < PQntuples(r) && s == SYNC_DB_OK; i++) {
            struct population_row row;
            if (!parse_row(r, i, &row))
                s = bad_file(db, 0, "customer_facts: a row holds no numbers");
            else if (!population_writer_add(w, &row, why, sizeof(why)))
                s = bad_file(db, errno, why);
        }
        PQclear(r);
    }
    return s;
}

static struct population_meta meta_of(const struct conf *conf, const struct head *h, int64_t synced_us)
{
    return (struct population_meta){
        .data_version = (uint64_t)h->version,
        .published_us = h->published_us,
        .synced_us = synced_us,
        .as_of_day = h->as_of_day,
        .orders_loaded = (uint64_t)h->orders,
        .rows_loaded = (uint64_t)h->rows,
        .guest_rows = (uint64_t)h->guests,
        .currency = h->currency,
        .model_version = "",
        .model_status = "",
        .settings = {
            .churn_horizon_days = (int32_t)conf->churn_horizon_days,
            .active_window_days = (int32_t)conf->active_window_days,
            .clv_months = (int32_t)conf->clv_months,
            .archetype_level = conf->archetype_level == CONF_ARCHETYPE_L2 ? ARCHETYPE_L2 : ARCHETYPE_L1,
            .clv_discount_annual = conf->clv_discount_annual,
            .clv_margin = conf->clv_margin,
        },
        .b2b_min_ltv_cents = llround(conf->b2b_min_ltv * 100),
        .b2b_min_orders = conf->b2b_min_orders,
    };
}

static enum sync_db_status compile(struct sync_db *db, const struct conf *conf, const struct head *h,
                                   int64_t synced_us)
{
    struct population_meta meta = meta_of(conf, h, synced_us);
    char why[200];

    errno = 0;
    struct population_writer *w =
        population_writer_new(conf->state_dir, (uint64_t)h->customers, &meta, why, sizeof(why));
    if (w == NULL)
        return bad_file(db, errno, why);
    enum sync_db_status s = write_rows(db, w);
    if (s != SYNC_DB_OK) {
        population_writer_abort(w);
        return s;
    }
    errno = 0;
    return population_writer_finish(w, why, sizeof(why)) ? SYNC_DB_OK : bad_file(db, errno, why);
}

enum sync_db_status sync_population_publish(struct sync_db *db, const struct conf *conf, struct scoreboard *sb,
                                            int64_t synced_us, int64_t *data_version)
{
    struct head h = { 0 };
    bool found = false;
    enum sync_db_status s = sync_db_exec(db, "taking a snapshot", "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");

    *data_version = 0;
    if (s == SYNC_DB_OK)
        s = read_head(db, &h, &found);
    if (s == SYNC_DB_OK && found)
        s = compile(db, conf, &h, synced_us);
    sync_db_rollback(db); /* a read-only snapshot: nothing to commit */
    if (s != SYNC_DB_OK || !found)
        return s;
    atomic_store(&sb->data_version, (uint64_t)h.version);
    population_prune(conf->state_dir, (uint64_t)h.version);
    *data_version = h.version;
    return SYNC_DB_OK;
}

enum sync_db_status sync_population_current(struct sync_db *db, const struct conf *conf, int64_t *data_version,
                                            bool *on_disk)
{
    enum sync_db_status s = sync_db_query_i64(
        db, "reading data_versions", "SELECT max(data_version) FROM data_versions", NULL, 0, 0, data_version);
    char why[200];

    *on_disk = false;
    if (s != SYNC_DB_OK || *data_version == 0)
        return s;
    struct population *p = population_open(conf->state_dir, (uint64_t)*data_version, why, sizeof(why));
    *on_disk = p != NULL;
    if (p != NULL)
        population_release(p);
    return s;
}
