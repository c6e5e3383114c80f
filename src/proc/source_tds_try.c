/*
 * source_tds_try: one statement of the SQL Server source, and what follows when it fails.
 *
 * What passes by itself is tried again on a fresh connection with growing pauses; a server that is too busy is asked
 * for smaller pages. Every attempt is progress; it ends with the run's deadline, with the words of the last failure.
 */
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/rng.h"
#include "proc/source_tds_internal.h"

#define WAIT_STEP_MS 100
#define WAIT_MOST_MS 60000U
#define LAST_CALL_NS CLOCK_NS_PER_S /* so long before the deadline nothing new is begun */

static bool beat(const struct tds_source *s)
{
    return s->env.beat(s->env.arg);
}

static void progress(const struct tds_source *s)
{
    if (s->env.progress != NULL)
        s->env.progress(s->env.arg);
}

static void note(const struct tds_source *s, const char *text)
{
    if (s->env.note != NULL)
        s->env.note(s->env.arg, text);
}

enum tds_outcome tds_try_query(struct tds_source *s, const struct tds_reader *reader)
{
    const char *sql = buf_cstr(&s->sql);

    if (sql == NULL) {
        tds_conn_refuse(s->conn, TDS_ERROR_CLIENT, "a statement is too long");
        return TDS_FAILED;
    }
    return tds_conn_query(s->conn, sql, reader);
}

static bool read_schema(void *arg, DBPROCESS *db)
{
    struct tds_source *s = arg;

    tds_schema_read(&s->schema, &s->view, db);
    return true;
}

static void note_unknown(const struct tds_source *s)
{
    char text[400];

    if (s->schema.unknown[0] == '\0')
        return;
    snprintf(text, sizeof(text), "%.100s has columns that are not known and not read: %s", s->view.name,
             s->schema.unknown);
    note(s, text);
}

/* The first statement of every run. */
enum tds_outcome tds_try_schema(struct tds_source *s)
{
    const struct tds_reader reader = { .columns = read_schema, .arg = s };

    if (s->schema_known)
        return TDS_DONE;
    buf_reset(&s->sql);
    tds_sql_columns(&s->sql, s->view.name);
    enum tds_outcome outcome = tds_try_query(s, &reader);
    if (outcome != TDS_DONE)
        return outcome;
    if (s->schema.wrong[0] != '\0') {
        tds_conn_refuse(s->conn, TDS_ERROR_SCHEMA, "%s", s->schema.wrong);
        return TDS_FAILED;
    }
    s->schema_known = true;
    note_unknown(s);
    return TDS_DONE;
}

static bool page_columns(void *arg, DBPROCESS *db)
{
    struct tds_source *s = arg;

    tds_rows_clear(&s->rows);
    s->last_key = s->page.after;
    return tds_schema_page_fits(&s->schema, db) || tds_conn_refuse(s->conn, TDS_ERROR_SCHEMA, "%s", s->schema.wrong);
}

static bool take_row(struct tds_source *s, DBPROCESS *db, size_t most)
{
    if (s->rows.count == most)
        return tds_conn_refuse(s->conn, TDS_ERROR_DISORDER, "more than %zu", most);
    return tds_rows_take(&s->rows, db) ||
           tds_conn_refuse(s->conn, TDS_ERROR_TOO_LARGE, "%zu lines take more than %u MB", s->rows.count,
                           TDS_ROWS_TEXT_BYTES >> 20);
}

int tds_compare_keys(const struct tds_sql_key *a, const struct tds_sql_key *b)
{
    int dates = strcmp(a->order_date, b->order_date);

    return dates != 0 ? dates : (a->order_id > b->order_id) - (a->order_id < b->order_id);
}

/* Is this a line the page asked for? */
static bool belongs(const struct tds_sql_page *page, const struct tds_sql_key *key)
{
    const struct source_range range = { .start_day = page->start_day,
                                        .end_day = page->end_day,
                                        .orders = page->orders,
                                        .order_count = page->order_count };

    return source_range_has_day(&range, key->day) &&
           (page->orders == NULL || source_range_has_order(&range, key->order_id));
}

static bool keyed_row(void *arg, DBPROCESS *db)
{
    struct tds_source *s = arg;
    struct tds_sql_key key;

    if (!take_row(s, db, s->page.rows))
        return false;
    if (!tds_rows_key(&s->rows, s->rows.count - 1, &key))
        return tds_conn_refuse(s->conn, TDS_ERROR_DISORDER, "a line without a key");
    int compared = s->last_key.set ? tds_compare_keys(&key, &s->last_key) : 1;
    if (compared < 0 || (compared == 0 && s->rows.count == 1) || !belongs(&s->page, &key))
        return tds_conn_refuse(s->conn, TDS_ERROR_DISORDER, "order %lld of %s out of its turn",
                               (long long)key.order_id, key.order_date);
    s->last_key = key;
    return true;
}

enum tds_outcome tds_try_page(struct tds_source *s)
{
    const struct tds_reader reader = { page_columns, keyed_row, s };
    enum tds_outcome outcome = tds_try_schema(s);

    if (outcome != TDS_DONE)
        return outcome;
    s->page.rows = s->page_rows;
    buf_reset(&s->sql);
    tds_sql_page(&s->sql, &s->view, &s->page);
    return tds_try_query(s, &reader);
}

static bool unkeyed_row(void *arg, DBPROCESS *db)
{
    struct tds_source *s = arg;

    if (!take_row(s, db, TDS_UNKEYED_MOST + 1))
        return false;
    size_t row = s->rows.count - 1;
    return tds_rows_value(&s->rows, row, SOURCE_ORDER_DATE).p == NULL ||
           tds_rows_value(&s->rows, row, SOURCE_ORDER_ID).p == NULL ||
           tds_conn_refuse(s->conn, TDS_ERROR_DISORDER, "a line that has a key");
}

enum tds_outcome tds_try_unkeyed(struct tds_source *s)
{
    const struct tds_reader reader = { page_columns, unkeyed_row, s };
    enum tds_outcome outcome = tds_try_schema(s);

    if (outcome != TDS_DONE)
        return outcome;
    buf_reset(&s->sql);
    tds_sql_unkeyed(&s->sql, &s->view, TDS_UNKEYED_MOST + 1);
    return tds_try_query(s, &reader);
}

/* Trying again. */

struct patience {
    unsigned failures; /* in a row */
    int32_t number;    /* of the last one */
    unsigned alike;    /* so many in a row had that number */
    uint64_t begun_ns;
};

static void count_failure(struct patience *p, int32_t number)
{
    p->failures++;
    p->alike = p->number == number ? p->alike + 1 : 1;
    p->number = number;
}

/* Waits before the next attempt; false when the deadline or a stop comes first. */
static bool wait_for_retry(const struct tds_source *s, unsigned ms)
{
    uint64_t end = clock_mono_ns() + (uint64_t)ms * 1000000;

    while (clock_mono_ns() < end) {
        if (!beat(s))
            return false;
        poll(NULL, 0, WAIT_STEP_MS);
    }
    return beat(s);
}

static bool time_left(const struct tds_source *s, unsigned wait_ms)
{
    return s->env.deadline_ns == 0 ||
           clock_mono_ns() + (uint64_t)wait_ms * 1000000 + LAST_CALL_NS < s->env.deadline_ns;
}

static void ask_for_less(struct tds_source *s)
{
    s->good_pages = 0;
    s->page_rows = s->page_rows / 2 > TDS_PAGE_LEAST ? s->page_rows / 2 : TDS_PAGE_LEAST;
}

static void tell_retry(const struct tds_source *s, const struct tds_rule *rule, const struct patience *p,
                       const char *what, unsigned wait_ms)
{
    char text[400];

    if (clock_mono_ns() < p->begun_ns + rule->quiet_s * CLOCK_NS_PER_S)
        return;
    snprintf(text, sizeof(text), "SQL Server: %s; trying again in %.1f s (failed %u times)", what, wait_ms / 1000.0,
             p->failures);
    note(s, text);
}

/* What a failed attempt leads to: SOURCE_OK after a pause means another attempt. */
static enum source_status after_failure(struct tds_source *s, struct patience *p, struct source_error *err)
{
    const struct tds_problem *problem = tds_conn_problem(s->conn);
    const struct tds_rule *rule = tds_rule_of(problem);
    unsigned stall_ms = (unsigned)s->env.conf->sync_stall_timeout * 1000U;
    unsigned most_ms = stall_ms / 2 < WAIT_MOST_MS ? stall_ms / 2 : WAIT_MOST_MS;

    count_failure(p, problem->number);
    metrics_add(METRIC_INTEGRATION_ERRORS, METRIC_AZURE_SQL, tds_error_metric(problem), 0, 1);
    progress(s);
    tds_error_describe(err, problem, tds_conn_subject(s->conn));
    if (problem->number == TDS_ERROR_TOO_LARGE && s->page_rows > TDS_PAGE_LEAST) {
        s->too_large = s->page_rows;
        ask_for_less(s);
        return SOURCE_OK;
    }
    unsigned wait_ms = tds_wait_ms(rule, p->failures, rng_unit(), most_ms);
    if (rule->class == TDS_FIX || (rule->tries > 0 && p->alike >= rule->tries) || !time_left(s, wait_ms))
        return SOURCE_ERROR;
    if (rule->class == TDS_THROTTLED)
        ask_for_less(s);
    tell_retry(s, rule, p, err->text, wait_ms);
    return wait_for_retry(s, wait_ms) ? SOURCE_OK : SOURCE_STOPPED;
}

enum source_status tds_persist(struct tds_source *s, enum tds_outcome (*attempt)(struct tds_source *s),
                               struct source_error *err)
{
    struct patience p = { .begun_ns = clock_mono_ns() };

    for (;;) {
        progress(s);
        enum tds_outcome outcome = attempt(s);
        if (outcome == TDS_DONE) {
            progress(s);
            return SOURCE_OK;
        }
        if (outcome == TDS_STOPPED)
            return SOURCE_STOPPED;
        enum source_status status = after_failure(s, &p, err);
        if (status != SOURCE_OK)
            return status;
    }
}
