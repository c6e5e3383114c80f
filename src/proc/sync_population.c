/*
 * sync_population: see the header. All is read in one REPEATABLE READ snapshot, so that version, counts and rows
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
#include "proc/sync_population_sections.h"

/* What the file's header needs of the database. */
struct head {
    int64_t version, published_us, trained_us, orders, rows, guests, customers;
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
                                          " v.rows, coalesce(v.guest_rows, (SELECT count(*) FROM combined_sales"
                                          " WHERE customer_id IS NULL)), "
                                          "(SELECT count(*) FROM customer_facts),"
                                          " coalesce((SELECT currency FROM sync_state), ''),"
                                          " coalesce((SELECT (extract(epoch FROM m.trained_at) * 1000000)::bigint"
                                          " FROM model_runs m WHERE m.model_version = v.model_version), 0)"
                                          " FROM data_versions v ORDER BY v.data_version DESC LIMIT 1",
                                          NULL, 0, &r);

    if (s != SYNC_DB_OK)
        return s;
    *found = PQntuples(r) == 1;
    if (*found &&
        !(column_i64(r, 0, 0, &h->version) && column_i64(r, 0, 1, &h->published_us) && column_i64(r, 0, 2, &day) &&
          column_i64(r, 0, 3, &h->orders) && column_i64(r, 0, 4, &h->rows) && column_i64(r, 0, 5, &h->guests) &&
          column_i64(r, 0, 6, &h->customers) && column_i64(r, 0, 8, &h->trained_us)))
        s = bad_file(db, 0, "data_versions: a row holds no numbers");
    h->as_of_day = (int32_t)day;
    str_copy(h->currency, sizeof(h->currency), str_from(*found ? PQgetvalue(r, 0, 7) : ""));
    PQclear(r);
    return s;
}

struct compiler {
    struct sync_db *db;
    struct population_writer *writer;
    struct sync_sections sections;
    const char *fault; /* why a row was not taken */
    char why[200];
};

static bool take_i64(struct str *rest, int64_t *v)
{
    struct str field;

    return str_split(rest, '\t', &field) && str_to_i64(field, v);
}

static bool take_float(struct str *rest, float *v)
{
    struct str field;
    double wide;

    if (!str_split(rest, '\t', &field) || !str_to_double(field, &wide))
        return false;
    *v = (float)wide;
    return true;
}

/* "{1,2,…}": see customer_scores.axes. */
static bool take_axes(struct str *rest, struct population_membership axes[POPULATION_AXES])
{
    struct str field, place;
    int64_t v;

    if (!str_split(rest, '\t', &field) || field.len < 2 || field.p[0] != '{')
        return false;
    field = (struct str){ field.p + 1, field.len - 2 };
    for (unsigned axis = 0; axis < POPULATION_AXES; axis++) {
        if (!str_split(&field, ',', &place) || !str_to_i64(place, &v))
            return false;
        axes[axis] =
            (struct population_membership){ (uint8_t)(v & 255), (uint8_t)(v >> 8 & 255), (uint16_t)(v >> 16) };
    }
    return true;
}

#define FACT_COLUMNS                                                                                                 \
    "f.customer_id, f.gross_cents, f.refunds_cents, f.first_day, f.last_day, f.orders, f.lines, f.products,"         \
    " f.orders_90, f.orders_prev_90, f.purchase_days, f.spend_days, f.spend_cents, f.purchase_first_day,"            \
    " f.purchase_last_day"
#define SCORE_COLUMNS                                                                                                \
    "s.churn, s.p_alive, s.expected_orders, s.expected_orders_90, s.predicted_clv, s.predicted_clv_discounted,"      \
    " s.axes, "

static bool take_facts(struct str *rest, struct population_row *row)
{
    int64_t v[15];

    for (int c = 0; c < 15; c++)
        if (!take_i64(rest, &v[c]))
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

static bool take_scores(const struct compiler *c, struct str *rest, struct population_row *row)
{
    int64_t archetype;

    if (!take_float(rest, &row->churn) || !take_float(rest, &row->p_alive) ||
        !take_float(rest, &row->expected_orders) || !take_float(rest, &row->expected_orders_90) ||
        !take_float(rest, &row->predicted_clv) || !take_float(rest, &row->predicted_clv_discounted) ||
        !take_axes(rest, row->axes) || !take_i64(rest, &archetype))
        return false;
    row->flags |= POPULATION_SCORED | POPULATION_SEGMENTED;
    row->archetype = sync_sections_archetype(&c->sections, (uint64_t)archetype);
    return true;
}

static bool take_row(const char *text, size_t n, void *arg)
{
    struct compiler *c = arg;
    struct str rest = { text, n > 0 && text[n - 1] == '\n' ? n - 1 : n };
    struct population_row row;

    c->fault = "customer_facts, customer_scores: a row is not what this program wrote";
    if (!take_facts(&rest, &row) || (c->sections.scored && !take_scores(c, &rest, &row)))
        return false;
    c->fault = population_writer_add(c->writer, &row, c->why, sizeof(c->why)) ? NULL : c->why;
    return c->fault == NULL;
}

/* The archetype of the level the scoring was asked for. */
static const char *rows_sql(const struct sync_sections *s)
{
    if (!s->scored)
        return "COPY (SELECT " FACT_COLUMNS " FROM customer_facts f ORDER BY 1) TO STDOUT";
    if (sync_sections_settings(s)->archetype_level == ARCHETYPE_L2)
        return "COPY (SELECT " FACT_COLUMNS ", " SCORE_COLUMNS
               "s.archetype_l2 FROM customer_facts f JOIN customer_scores s USING (customer_id) ORDER BY 1) TO "
               "STDOUT";
    return "COPY (SELECT " FACT_COLUMNS ", " SCORE_COLUMNS
           "s.archetype_l1 FROM customer_facts f JOIN customer_scores s USING (customer_id) ORDER BY 1) TO STDOUT";
}

static enum sync_db_status write_rows(struct compiler *c)
{
    enum sync_db_status s = sync_db_copy_out(c->db, "reading customer_scores", rows_sql(&c->sections), take_row, c);

    return s != SYNC_DB_OK && c->fault != NULL ? bad_file(c->db, 0, c->fault) : s;
}

static struct population_meta meta_of(const struct conf *conf, const struct head *h, const struct sync_sections *s,
                                      int64_t synced_us)
{
    struct population_meta meta = {
        .data_version = (uint64_t)h->version,
        .published_us = h->published_us,
        .synced_us = synced_us,
        .trained_us = s->scored ? h->trained_us : 0,
        .as_of_day = h->as_of_day,
        .orders_loaded = (uint64_t)h->orders,
        .rows_loaded = (uint64_t)h->rows,
        .guest_rows = (uint64_t)h->guests,
        .currency = h->currency,
        .model_version = "",
        .model_status = "",
        .settings.active_window_days = (int32_t)conf->active_window_days,
        .b2b_min_ltv_cents = llround(conf->b2b_min_ltv * 100),
        .b2b_min_orders = conf->b2b_min_orders,
    };

    if (s->scored) {
        meta.settings = *sync_sections_settings(s);
        meta.model_version = sync_sections_model(s)->version;
        meta.model_status = params_status_name(sync_sections_model(s)->status);
    }
    return meta;
}

static enum sync_db_status finish(struct compiler *c)
{
    struct population_writer *w = c->writer;

    c->writer = NULL; /* whatever comes, finish frees it */
    errno = 0;
    return population_writer_finish(w, c->why, sizeof(c->why)) ? SYNC_DB_OK : bad_file(c->db, errno, c->why);
}

static enum sync_db_status compile_file(struct compiler *c, const struct conf *conf, const struct head *h,
                                        int64_t synced_us)
{
    enum sync_db_status s = sync_sections_read(c->db, h->as_of_day, &c->sections);

    if (s != SYNC_DB_OK)
        return s;
    struct population_meta meta = meta_of(conf, h, &c->sections, synced_us);
    errno = 0;
    c->writer = population_writer_new(conf->state_dir, (uint64_t)h->customers, &meta, c->why, sizeof(c->why));
    if (c->writer == NULL)
        return bad_file(c->db, errno, c->why);
    if (c->sections.scored && !sync_sections_write(&c->sections, c->writer))
        return bad_file(c->db, errno, "population_sections: a section is not as the population file wants it");
    s = write_rows(c);
    return s == SYNC_DB_OK ? finish(c) : s;
}

static enum sync_db_status compile(struct sync_db *db, const struct conf *conf, const struct head *h,
                                   int64_t synced_us)
{
    struct compiler c = { .db = db };
    enum sync_db_status s = compile_file(&c, conf, h, synced_us);

    population_writer_abort(c.writer);
    sync_sections_close(&c.sections);
    return s;
}

/* Tells the workers. What STATE_DIR holds beyond the version is of a database that is no more. */
static void announce(struct scoreboard *sb, const struct conf *conf, int64_t version, int64_t published_us)
{
    atomic_store(&sb->data_published_us, published_us);
    atomic_store(&sb->data_version, (uint64_t)version);
    population_prune(conf->state_dir, (uint64_t)version);
}

enum sync_db_status sync_population_publish(struct sync_db *db, const struct conf *conf, struct scoreboard *sb,
                                            int64_t synced_us)
{
    struct head h = { 0 };
    bool found = false;
    enum sync_db_status s = sync_db_exec(db, "taking a snapshot", "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");

    if (s == SYNC_DB_OK)
        s = read_head(db, &h, &found);
    if (s == SYNC_DB_OK && found)
        s = compile(db, conf, &h, synced_us);
    sync_db_rollback(db); /* a read-only snapshot: nothing to commit */
    if (s != SYNC_DB_OK || !found)
        return s;
    announce(sb, conf, h.version, h.published_us);
    return SYNC_DB_OK;
}

/* Is the version's file there, and not one of the same number that a database of before a restore has published? */
static bool is_on_disk(const struct conf *conf, int64_t version, int64_t published_us)
{
    char why[200];
    struct population *p = population_open(conf->state_dir, (uint64_t)version, why, sizeof(why));
    bool found = p != NULL && p->header->published_us == published_us;

    population_release(p);
    return found;
}

enum sync_db_status sync_population_serve(struct sync_db *db, const struct conf *conf, struct scoreboard *sb,
                                          int64_t synced_us)
{
    int64_t version = 0, published_us = 0;
    PGresult *r;
    enum sync_db_status s = sync_db_query(db, "reading data_versions",
                                          "SELECT data_version, (extract(epoch FROM published_at) * 1000000)::bigint"
                                          " FROM data_versions ORDER BY data_version DESC LIMIT 1",
                                          NULL, 0, &r);

    if (s != SYNC_DB_OK)
        return s;
    if (PQntuples(r) == 1 && !(column_i64(r, 0, 0, &version) && column_i64(r, 0, 1, &published_us)))
        s = bad_file(db, 0, "data_versions: a row holds no numbers");
    PQclear(r);
    if (s != SYNC_DB_OK || version == 0)
        return s;
    if (!is_on_disk(conf, version, published_us))
        return sync_population_publish(db, conf, sb, synced_us);
    announce(sb, conf, version, published_us);
    return SYNC_DB_OK;
}
