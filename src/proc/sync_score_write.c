/*
 * sync_score_write: everyone scored, one after the other, and what changed of them written.
 *
 * Scores are computed for all, but a row is written only where something in customer_scores or
 * fact_customer_current would differ: each row keeps a digest of all of it. Rows that replace others come into a
 * temporary table first; where no customer has a row yet, they go where they belong at once.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/fmt.h"
#include "base/hash.h"
#include "model/rfm.h"
#include "model/score.h"
#include "proc/sync_score_parts.h"

#define BATCH_BYTES  262144
#define PULSE_ROWS   1024
#define RFM_PARTS    5
#define REPEAT_PARTS 4 /* frequency: of those with two orders or more */

/* In the order of put_row. Named everywhere: a newer program may have added columns. */
#define SCORE_COLUMNS                                                                                                \
    "customer_id, digest, churn, p_alive, expected_orders, expected_orders_90, predicted_clv,"                       \
    " predicted_clv_discounted, risk_level, rfm_group, axes, archetype_l1, archetype_l2, data_version"

static const char what[] = "writing the scores";

struct rfm_bounds {
    int64_t recency[RFM_PARTS], frequency[RFM_PARTS], monetary[RFM_PARTS];
};

struct writer {
    struct scoring *s;
    struct score_terms terms;
    struct rfm_bounds rfm;
    struct forecast_sums sums;
    struct score_groups l1, l2;
    uint32_t members[AXIS_COUNT][AXES_MAX_WORDS];
    uint64_t context; /* what else a row shows: day, store */
    struct buf batch;
};

/* What is stored of a customer; hashed as bytes, so no padding. */
struct stored {
    uint64_t context;
    int64_t customer_id, gross_cents, refunds_cents;
    int32_t first_day, last_day;
    uint32_t orders;
    float churn, p_alive, expected_orders, expected_orders_90, clv, clv_discounted;
    uint32_t risk, rfm;
    uint32_t axes[AXIS_COUNT];
    uint64_t archetype_l1, archetype_l2;
};
_Static_assert(sizeof(struct stored) == 128, "no padding");

static int ascending(const void *a, const void *b)
{
    int64_t l = *(const int64_t *)a, r = *(const int64_t *)b;

    return l < r ? -1 : l > r;
}

static int64_t net_cents(const struct facts *f)
{
    return f->gross_cents - f->refunds_cents;
}

/* As the population file does it (data/population_derive). */
static bool find_rfm_bounds(const struct scoring *s, struct rfm_bounds *b)
{
    int64_t *values = malloc((s->count + 1) * sizeof(*values));
    size_t repeaters = 0;

    if (values == NULL)
        return false;
    for (size_t i = 0; i < s->count; i++)
        values[i] = s->customers[i].facts.last_day;
    qsort(values, s->count, sizeof(*values), ascending);
    rfm_cuts(values, s->count, RFM_PARTS, b->recency);
    for (size_t i = 0; i < s->count; i++)
        values[i] = net_cents(&s->customers[i].facts);
    qsort(values, s->count, sizeof(*values), ascending);
    rfm_cuts(values, s->count, RFM_PARTS, b->monetary);
    for (size_t i = 0; i < s->count; i++)
        if (s->customers[i].facts.orders >= 2)
            values[repeaters++] = s->customers[i].facts.orders;
    qsort(values, repeaters, sizeof(*values), ascending);
    rfm_cuts(values, repeaters, REPEAT_PARTS, b->frequency);
    free(values);
    return true;
}

static enum rfm_group rfm_of(const struct rfm_bounds *b, const struct facts *f)
{
    uint8_t frequency = f->orders < 2 ? 1 : rfm_score(f->orders, b->frequency, REPEAT_PARTS, 2);

    return rfm_group_of(rfm_score(f->last_day, b->recency, RFM_PARTS, 1), frequency,
                        rfm_score(net_cents(f), b->monetary, RFM_PARTS, 1));
}

/* The places on the axes, into the row and for the groups. */
static void place(struct writer *w, const struct facts *f, struct stored *row, struct score_member *member)
{
    for (unsigned axis = 0; axis < AXIS_COUNT; axis++) {
        struct axes_position p = axes_place(&w->s->params, (enum axis_id)axis, f, w->s->as_of_day);
        member->words[axis] = axes_dominant(p);
        member->share[axis] = (float)axes_dominant_share(p);
        row->axes[axis] = p.low | (uint32_t)p.high << 8 | (uint32_t)p.weight << 16;
        w->members[axis][member->words[axis]]++;
    }
}

static void predict(const struct writer *w, const struct facts *f, struct score *out)
{
    struct score_input in = {
        .history = mbg_history_of(f->purchase_days, f->purchase_first_day, f->purchase_last_day, w->s->as_of_day),
        .spend_days = f->spend_days,
        .spend_mean = f->spend_days > 0 ? (double)f->spend_cents / 100 / f->spend_days : 0,
        .days_since = w->s->as_of_day - f->last_day,
    };

    score_customer(&w->s->params, &w->terms, &in, out);
}

static double orders_per_month(const struct scoring *s, const struct facts *f)
{
    int32_t tenure = s->as_of_day - f->first_day;

    return (double)f->orders / (tenure > 1 ? tenure : 1) * MODEL_DAYS_PER_MONTH;
}

/* False: no memory. */
static bool score_one(struct writer *w, const struct scored *c, struct stored *row)
{
    const struct facts *f = &c->facts;
    struct score score;
    struct score_member member = { .active = w->s->as_of_day - f->last_day <= w->s->conf->active_window_days,
                                   .net_cents = net_cents(f),
                                   .orders_per_month = orders_per_month(w->s, f) };

    predict(w, f, &score);
    member.staying = score.path.active;
    *row = (struct stored){
        .context = w->context,
        .customer_id = c->customer_id,
        .gross_cents = f->gross_cents,
        .refunds_cents = f->refunds_cents,
        .first_day = f->first_day,
        .last_day = f->last_day,
        .orders = f->orders,
        .churn = (float)score.churn,
        .p_alive = (float)score.p_alive,
        .expected_orders = (float)score.expected_orders,
        .expected_orders_90 = (float)score.expected_orders_90d,
        .clv = (float)score.clv,
        .clv_discounted = (float)score.clv_discounted,
        .risk = population_risk_of((float)score.churn),
        .rfm = rfm_of(&w->rfm, f),
    };
    place(w, f, row, &member);
    forecast_add(&w->sums, &score.path, score.order_value, member.active);
    const struct score_group *l1 = sync_score_group_add(&w->l1, &member), *l2 = sync_score_group_add(&w->l2, &member);
    if (l1 == NULL || l2 == NULL)
        return false;
    row->archetype_l1 = l1->id;
    row->archetype_l2 = l2->id;
    return true;
}

static void put_i64(struct buf *out, int64_t v, char end)
{
    buf_add_i64(out, v);
    buf_add_char(out, end);
}

static void put_float(struct buf *out, float v)
{
    char text[FMT_MAX];

    buf_add(out, text, fmt_float(text, v));
    buf_add_char(out, '\t');
}

static void put_word(struct buf *out, const char *word)
{
    buf_add_cstr(out, word);
    buf_add_char(out, '\t');
}

/* One row of customer_scores in COPY's text format; by hand, as those of customer_facts. */
static void put_row(struct writer *w, const struct stored *r, uint64_t digest)
{
    struct buf *out = &w->batch;
    const float predictions[] = { r->churn, r->p_alive,       r->expected_orders, r->expected_orders_90,
                                  r->clv,   r->clv_discounted };

    put_i64(out, r->customer_id, '\t');
    put_i64(out, (int64_t)digest, '\t');
    for (size_t i = 0; i < sizeof(predictions) / sizeof(predictions[0]); i++)
        put_float(out, predictions[i]);
    put_word(out, population_risk_name((enum population_risk)r->risk));
    put_word(out, rfm_group_name(r->rfm));
    buf_add_char(out, '{');
    for (unsigned axis = 0; axis < AXIS_COUNT; axis++)
        put_i64(out, r->axes[axis], axis + 1 < AXIS_COUNT ? ',' : '}');
    buf_add_char(out, '\t');
    put_i64(out, (int64_t)r->archetype_l1, '\t');
    put_i64(out, (int64_t)r->archetype_l2, '\t');
    put_i64(out, w->s->data_version, '\n');
}

static enum sync_db_status put_if_changed(struct writer *w, const struct stored *row, uint64_t stored_digest)
{
    uint64_t digest = hash_fast(0, row, sizeof(*row));

    digest += digest == 0; /* 0: nothing is stored */
    if (digest == stored_digest)
        return SYNC_DB_OK;
    put_row(w, row, digest);
    if (w->batch.failed)
        return sync_score_no_memory(w->s, what);
    if (w->batch.len < BATCH_BYTES)
        return SYNC_DB_OK;
    enum sync_db_status st = sync_db_copy_put(w->s->db, what, w->batch.data, w->batch.len);
    buf_reset(&w->batch);
    return st;
}

static enum sync_db_status score_all(struct writer *w)
{
    struct scoring *s = w->s;
    enum sync_db_status st =
        sync_db_exec(s->db, what,
                     s->stored ? "CREATE TEMP TABLE scores_now ON COMMIT DROP AS SELECT " SCORE_COLUMNS
                                 " FROM customer_scores WITH NO DATA;"
                                 "COPY scores_now (" SCORE_COLUMNS ") FROM STDIN"
                               : "COPY customer_scores (" SCORE_COLUMNS ") FROM STDIN");

    for (size_t i = 0; i < s->count && st == SYNC_DB_OK; i++) {
        struct stored row;
        if (i % PULSE_ROWS == 0)
            st = sync_db_pulse(s->db, "scoring");
        if (st == SYNC_DB_OK)
            st = score_one(w, &s->customers[i], &row) ? put_if_changed(w, &row, s->customers[i].digest)
                                                      : sync_score_no_memory(s, "gathering the archetypes");
    }
    if (st == SYNC_DB_OK && w->batch.len > 0)
        st = sync_db_copy_put(s->db, what, w->batch.data, w->batch.len);
    if (st == SYNC_DB_OK)
        st = sync_db_copy_end(s->db, what, NULL);
    if (st == SYNC_DB_OK && !s->stored) /* as in sync_facts_compute */
        st = sync_db_exec(s->db, what, "ANALYZE (SKIP_LOCKED) customer_scores (customer_id)");
    return st;
}

/* Customers without orders go: with new facts of some alone, they are among these. */
static enum sync_db_status remove_gone(struct scoring *s)
{
    return sync_db_exec(
        s->db, "removing customers without orders",
        s->all ? "DELETE FROM customer_scores c WHERE NOT EXISTS"
                 " (SELECT FROM customer_facts f WHERE f.customer_id = c.customer_id);"
                 "DELETE FROM fact_customer_current c WHERE NOT EXISTS"
                 " (SELECT FROM customer_facts f WHERE f.customer_id::text = c.customer_id)"
               : "CREATE TEMP TABLE customers_gone ON COMMIT DROP AS SELECT customer_id FROM customer_dirty d"
                 " WHERE NOT EXISTS (SELECT FROM customer_facts f WHERE f.customer_id = d.customer_id);"
                 "ANALYZE customers_gone;"
                 "DELETE FROM customer_scores c USING customers_gone g WHERE c.customer_id = g.customer_id;"
                 "DELETE FROM fact_customer_current c USING customers_gone g"
                 " WHERE c.customer_id = g.customer_id::text");
}

/* Rows that differ are replaced, on their pages where there is room. */
static enum sync_db_status replace_scores(struct scoring *s)
{
    return sync_db_exec(
        s->db, "writing customer_scores",
        "ANALYZE scores_now (customer_id);"
        "INSERT INTO customer_scores (" SCORE_COLUMNS ") SELECT " SCORE_COLUMNS
        " FROM scores_now ON CONFLICT (customer_id) DO UPDATE SET"
        " digest = excluded.digest, churn = excluded.churn, p_alive = excluded.p_alive,"
        " expected_orders = excluded.expected_orders, expected_orders_90 = excluded.expected_orders_90,"
        " predicted_clv = excluded.predicted_clv, predicted_clv_discounted = excluded.predicted_clv_discounted,"
        " risk_level = excluded.risk_level, rfm_group = excluded.rfm_group, axes = excluded.axes,"
        " archetype_l1 = excluded.archetype_l1, archetype_l2 = excluded.archetype_l2,"
        " data_version = excluded.data_version");
}

static enum sync_db_status write_all(struct writer *w)
{
    struct scoring *s = w->s;
    const struct score_groups *chosen = s->conf->archetype_level == CONF_ARCHETYPE_L2 ? &w->l2 : &w->l1;
    enum sync_db_status st = remove_gone(s);

    if (st == SYNC_DB_OK)
        st = score_all(w);
    if (st == SYNC_DB_OK && s->stored)
        st = replace_scores(s);
    sync_score_groups_sort(&w->l1);
    sync_score_groups_sort(&w->l2);
    if (st == SYNC_DB_OK)
        st = sync_score_write_archetypes(s, &w->l1);
    if (st == SYNC_DB_OK)
        st = sync_score_write_archetypes(s, &w->l2);
    if (st == SYNC_DB_OK)
        st = sync_score_write_segments(s, w->members);
    if (st == SYNC_DB_OK)
        st = sync_score_write_sections(s, chosen, &w->sums);
    if (st == SYNC_DB_OK)
        st = sync_score_present(s);
    s->archetypes = (int64_t)chosen->count;
    return st;
}

enum sync_db_status sync_score_write(struct scoring *s)
{
    const struct conf *c = s->conf;
    struct writer w = { .s = s,
                        .terms = { .horizon_days = (double)c->churn_horizon_days,
                                   .clv_months = (int)c->clv_months,
                                   .margin = c->clv_margin,
                                   .annual_discount = c->clv_discount_annual },
                        .l1.level = ARCHETYPE_L1,
                        .l2.level = ARCHETYPE_L2,
                        .context = hash_fast((uint64_t)s->as_of_day, c->store_id, strlen(c->store_id)) };

    if (!find_rfm_bounds(s, &w.rfm))
        return sync_score_no_memory(s, "grouping the customers");
    buf_init(&w.batch, 4 * BATCH_BYTES);
    enum sync_db_status st = write_all(&w);
    sync_score_groups_free(&w.l1);
    sync_score_groups_free(&w.l2);
    buf_free(&w.batch);
    return st;
}
