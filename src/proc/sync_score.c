/*
 * sync_score: the order of the steps, and what decides whether there is anything to do.
 */
#include "proc/sync_score.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/str.h"
#include "proc/sync_facts.h"
#include "proc/sync_score_parts.h"

enum sync_db_status sync_score_no_memory(struct scoring *s, const char *what)
{
    s->db->reason = SB_REASON_MEMORY;
    snprintf(s->db->error, sizeof(s->db->error), "out of memory while %s", what);
    return SYNC_DB_ERROR;
}

/* What of the settings goes into scores and population. */
static void describe_settings(const struct conf *c, char *dst, size_t size)
{
    snprintf(dst, size, "active=%lld b2b=%.2f/%lld churn=%lld clv=%lld/%.17g/%.17g level=%d prior=%d store=%s",
             (long long)c->active_window_days, c->b2b_min_ltv, (long long)c->b2b_min_orders,
             (long long)c->churn_horizon_days, (long long)c->clv_months, c->clv_discount_annual, c->clv_margin,
             (int)c->archetype_level, c->model_prior, c->store_id);
}

/* Reads sync_state; decides between the facts of all and of some; *needed false when nothing changed. */
static enum sync_db_status decide(struct scoring *s, const char *settings, bool *needed)
{
    char day[CLOCK_DAY_SIZE];
    const char *values[] = { clock_format_day(day, s->as_of_day), settings };
    PGresult *row;
    enum sync_db_status st =
        sync_db_query(s->db, "reading sync_state",
                      "SELECT facts_all OR facts_as_of IS NULL OR facts_as_of > $1::date,"
                      " facts_as_of IS DISTINCT FROM $1::date OR facts_settings IS DISTINCT FROM $2"
                      " OR EXISTS (SELECT FROM customer_dirty) OR NOT EXISTS (SELECT FROM data_versions)"
                      " FROM sync_state FOR UPDATE",
                      values, 2, &row);

    if (st != SYNC_DB_OK)
        return st;
    bool found = PQntuples(row) == 1;
    s->all = !found || PQgetvalue(row, 0, 0)[0] == 't';
    *needed = s->all || PQgetvalue(row, 0, 1)[0] == 't';
    PQclear(row);
    return SYNC_DB_OK;
}

/* The lines of all customers in figures: the server counts while the models are fitted. */
static enum sync_db_status ask_for_lines(struct scoring *s)
{
    return sync_db_send(
        s->db, "counting the lines",
        "WITH lines AS MATERIALIZED (SELECT currency, count(*) AS n, count(*) FILTER (WHERE customer_id IS NULL)"
        " AS guests FROM combined_sales GROUP BY 1)"
        " SELECT (SELECT count(*) FROM (SELECT DISTINCT order_id FROM combined_sales) o), coalesce(sum(n), 0),"
        " coalesce(sum(guests), 0),"
        " (SELECT currency FROM lines WHERE currency IS NOT NULL ORDER BY n DESC, 1 LIMIT 1) FROM lines");
}

/* `lines`: the answer. */
static enum sync_db_status record_version(struct scoring *s, const PGresult *lines, const char *settings,
                                          int64_t run_id)
{
    char day[CLOCK_DAY_SIZE], version[24], run[24], archetypes[24], customers[24];
    const char *values[] = { version,
                             clock_format_day(day, s->as_of_day),
                             run_id ? run : NULL,
                             s->params.version,
                             archetypes,
                             settings,
                             customers,
                             PQgetvalue(lines, 0, 0),
                             PQgetvalue(lines, 0, 1),
                             PQgetvalue(lines, 0, 2),
                             PQgetisnull(lines, 0, 3) ? NULL : PQgetvalue(lines, 0, 3) };

    snprintf(version, sizeof(version), "%lld", (long long)s->data_version);
    snprintf(run, sizeof(run), "%lld", (long long)run_id);
    snprintf(archetypes, sizeof(archetypes), "%lld", (long long)s->archetypes);
    snprintf(customers, sizeof(customers), "%zu", s->count);
    enum sync_db_status st = sync_db_query(
        s->db, "recording the data version",
        "WITH state AS (UPDATE sync_state SET facts_as_of = $2::date, facts_settings = $6, facts_all = false,"
        " refit = false, currency = $11)"
        " INSERT INTO data_versions (data_version, as_of, run_id, model_version, archetypes, customers, orders, rows,"
        " guest_rows) VALUES ($1::bigint, $2::date, $3::bigint, $4, $5::bigint, $7::bigint, $8::bigint, $9::bigint,"
        " $10::bigint)",
        values, 11, NULL);
    if (st != SYNC_DB_OK)
        return st;
    return sync_db_exec(s->db, "clearing customer_dirty", "DELETE FROM customer_dirty; NOTIFY patrond_data");
}

/* Everything between facts and version; *lines is the caller's to clear. */
static enum sync_db_status score(struct scoring *s, PGresult **lines)
{
    enum sync_db_status st = sync_score_choose_model(s);

    if (st == SYNC_DB_OK)
        st = sync_score_read(s);
    if (st == SYNC_DB_OK)
        st = ask_for_lines(s);
    if (st == SYNC_DB_OK)
        st = sync_score_fit(s);
    if (st == SYNC_DB_OK)
        st = sync_db_receive(s->db, "counting the lines", lines);
    if (st == SYNC_DB_OK)
        st = sync_score_write_fit(s);
    return st == SYNC_DB_OK ? sync_score_write(s) : st;
}

static enum sync_db_status refresh(struct scoring *s, int64_t run_id)
{
    char settings[512];
    PGresult *lines = NULL;
    bool needed;

    describe_settings(s->conf, settings, sizeof(settings));
    enum sync_db_status st = decide(s, settings, &needed);
    if (st != SYNC_DB_OK || !needed)
        return st;
    st = sync_db_query_i64(s->db, "reading data_versions",
                           "SELECT coalesce(max(data_version), 0) + 1 FROM data_versions", NULL, 0, 1,
                           &s->data_version);
    if (st == SYNC_DB_OK)
        st = sync_facts_compute(s->db, s->as_of_day, s->all);
    if (st == SYNC_DB_OK)
        st = score(s, &lines);
    if (st == SYNC_DB_OK)
        st = record_version(s, lines, settings, run_id);
    PQclear(lines);
    return st;
}

static enum sync_db_status in_transaction(struct scoring *s, int64_t run_id)
{
    enum sync_db_status st = sync_db_exec(s->db, "starting the scoring", "BEGIN");

    if (st == SYNC_DB_OK)
        st = refresh(s, run_id);
    if (st == SYNC_DB_OK)
        return sync_db_exec(s->db, "committing the scores", "COMMIT");
    sync_db_rollback(s->db);
    return st;
}

enum sync_db_status sync_score_refresh(struct sync_db *db, const struct conf *conf, int32_t as_of_day, int64_t run_id,
                                       struct sync_score_result *out)
{
    struct scoring *s = calloc(1, sizeof(*s)); /* too large for the stack */

    *out = (struct sync_score_result){ 0 };
    if (s == NULL) {
        db->reason = SB_REASON_MEMORY;
        snprintf(db->error, sizeof(db->error), "out of memory for the scoring");
        return SYNC_DB_ERROR;
    }
    s->db = db;
    s->conf = conf;
    s->as_of_day = as_of_day;
    enum sync_db_status st = in_transaction(s, run_id);
    if (st == SYNC_DB_OK && s->data_version != 0) {
        *out = (struct sync_score_result){ .data_version = s->data_version, .customers = (int64_t)s->count };
        sync_score_log_fit(s);
    }
    free(s->customers);
    free(s->train_memory);
    free(s);
    return st;
}

void sync_score_hex(struct buf *out, const void *bytes, size_t n)
{
    buf_add_cstr(out, "\\x");
    if (!buf_reserve(out, 2 * n + 1))
        return;
    str_hex(out->data + out->len, bytes, n);
    out->len += 2 * n;
}
