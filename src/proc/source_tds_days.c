/*
 * source_tds_days: what the server counts for us: lines, and totals of days.
 */
#include "base/fmt.h"
#include "proc/source_tds_internal.h"
#include "proc/source_tds_value.h"

#define TOTALS_COLUMNS 7 /* of the statement: the members of struct source_day_total */

static bool totals_columns(void *arg, DBPROCESS *db)
{
    struct tds_source *s = arg;

    s->totals_count = 0;
    return dbnumcols(db) == TOTALS_COLUMNS ||
           tds_conn_refuse(s->conn, TDS_ERROR_DISORDER, "%d columns", dbnumcols(db));
}

static bool put_column(struct buf *text, DBPROCESS *db, int column, struct str *value)
{
    size_t at = text->len;

    if (!tds_value_put(text, db, column) || text->failed)
        return false;
    *value = (struct str){ text->data + at, text->len - at };
    return true;
}

static bool read_total(struct source_day_total *t, DBPROCESS *db)
{
    char memory[512];
    struct buf text = { .data = memory, .cap = sizeof(memory) - 1, .max_bytes = sizeof(memory) - 1 };
    struct str v[TOTALS_COLUMNS];

    for (int i = 0; i < TOTALS_COLUMNS; i++)
        if (!put_column(&text, db, i + 1, &v[i]))
            return false;
    return source_day(v[0], &t->day) && str_to_i64(v[1], &t->lines) && str_to_i64(v[2], &t->orders) &&
           source_parse_money(v[3], &t->sales_cents) == NULL && source_parse_money(v[4], &t->refunds_cents) == NULL &&
           str_to_i64(v[5], &t->quantity) && str_to_i64(v[6], &t->checks);
}

static bool totals_row(void *arg, DBPROCESS *db)
{
    struct tds_source *s = arg;

    if (s->totals_count == s->totals_max)
        return tds_conn_refuse(s->conn, TDS_ERROR_DISORDER, "more than %zu days", s->totals_max);
    struct source_day_total *t = &s->totals[s->totals_count];
    if (!read_total(t, db) || (s->totals_count > 0 && t->day <= t[-1].day))
        return tds_conn_refuse(s->conn, TDS_ERROR_DISORDER, "totals of a day that are no numbers, or out of turn");
    s->totals_count++;
    return true;
}

static bool count_columns(void *arg, DBPROCESS *db)
{
    struct tds_source *s = arg;

    return dbnumcols(db) == 1 || tds_conn_refuse(s->conn, TDS_ERROR_DISORDER, "%d columns", dbnumcols(db));
}

static bool count_row(void *arg, DBPROCESS *db)
{
    struct tds_source *s = arg;
    char memory[FMT_MAX];
    struct buf text = { .data = memory, .cap = sizeof(memory) - 1, .max_bytes = sizeof(memory) - 1 };
    struct str value;

    return (put_column(&text, db, 1, &value) && str_to_i64(value, &s->rows_counted)) ||
           tds_conn_refuse(s->conn, TDS_ERROR_DISORDER, "a count that is no number");
}

enum tds_outcome tds_try_count(struct tds_source *s)
{
    const struct tds_reader reader = { count_columns, count_row, s };
    enum tds_outcome outcome = tds_try_schema(s);

    if (outcome != TDS_DONE)
        return outcome;
    buf_reset(&s->sql);
    tds_sql_count(&s->sql, &s->view, s->page.start_day, s->page.end_day);
    return tds_try_query(s, &reader);
}

static enum tds_outcome try_totals(struct tds_source *s)
{
    const struct tds_reader reader = { totals_columns, totals_row, s };
    enum tds_outcome outcome = tds_try_schema(s);

    if (outcome != TDS_DONE)
        return outcome;
    buf_reset(&s->sql);
    tds_sql_day_totals(&s->sql, &s->view, s->range.start_day, s->range.end_day, s->totals_max);
    return tds_try_query(s, &reader);
}

enum source_status tds_day_totals(struct source *base, const struct source_range *range,
                                  struct source_day_total *totals, size_t max, size_t *count,
                                  struct source_error *err)
{
    struct tds_source *s = (struct tds_source *)base;

    s->range = (struct source_range){ .start_day = range->start_day, .end_day = range->end_day };
    s->part = TDS_END;
    s->totals = totals;
    s->totals_max = max;
    s->totals_count = 0;
    tds_rows_clear(&s->rows);
    enum source_status status = tds_persist(s, try_totals, err);
    *count = status == SOURCE_OK ? s->totals_count : 0;
    return status == SOURCE_OK && *count < max ? SOURCE_END : status;
}
