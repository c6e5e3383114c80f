#include "proc/source_tds_sql.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"

#define NAME_CHARS 128     /* of an identifier */
#define LAST_DAY   2932896 /* 9999-12-31: there is no day behind it */

/* One part of a name behind *rest: plain up to the next point, or in brackets with ]] for ]. */
static bool take_part(struct str *rest, char part[NAME_CHARS + 1])
{
    bool bracketed = rest->len > 0 && *rest->p == '[';
    size_t n = 0, i = bracketed ? 1 : 0;

    for (; i < rest->len && (bracketed || rest->p[i] != '.'); i++) {
        char c = rest->p[i];
        if (bracketed && c == ']') {
            if (i + 1 == rest->len || rest->p[i + 1] != ']')
                break;
            i++;
        }
        if ((unsigned char)c < ' ' || c == 0x7f || n == NAME_CHARS || (!bracketed && strchr(" '\"[];", c) != NULL))
            return false;
        part[n++] = c;
    }
    if (bracketed && i++ >= rest->len) /* no ] at its end */
        return false;
    part[n] = '\0';
    rest->p += i;
    rest->len -= i;
    return n > 0;
}

static size_t quote(char *dst, const char *name)
{
    size_t n = 0;

    dst[n++] = '[';
    for (; *name != '\0'; name++) {
        dst[n++] = *name;
        if (*name == ']')
            dst[n++] = ']';
    }
    dst[n++] = ']';
    return n;
}

bool tds_sql_quote_view(char dst[TDS_SQL_VIEW_SIZE], struct str name)
{
    char part[NAME_CHARS + 1];
    size_t n = 0;

    for (unsigned parts = 1; parts <= 3; parts++) {
        if (!take_part(&name, part))
            return false;
        n += quote(dst + n, part);
        dst[n] = '\0';
        if (name.len == 0)
            return true;
        if (*name.p != '.')
            return false;
        dst[n++] = '.';
        name.p++;
        name.len--;
    }
    return false;
}

static void add_column(struct buf *out, const struct tds_sql_view *v, enum source_column column)
{
    char quoted[2 * TDS_SQL_COLUMN_SIZE + 2];

    buf_add(out, quoted, quote(quoted, v->columns[column]));
}

/* Plain digits mean the same to every language setting of the login. */
static void add_day(struct buf *out, int32_t day)
{
    int year, month, mday;

    clock_civil_of(day, &year, &month, &mday);
    buf_printf(out, "'%04d%02d%02d'", year, month, mday);
}

/* 'YYYYMMDD', or ISO 8601 with its T, which no language setting changes either. */
static void add_time(struct buf *out, enum tds_sql_time style, const char *text)
{
    static const size_t most[] = {
        [TDS_SQL_DATE] = 10, [TDS_SQL_SECONDS] = 19, [TDS_SQL_MILLIS] = 23, [TDS_SQL_TICKS] = 27
    };
    size_t len = strlen(text);

    buf_add_char(out, '\'');
    for (size_t i = 0; i < len && i < most[style]; i++) {
        if (style != TDS_SQL_DATE || text[i] != '-')
            buf_add_char(out, text[i] == ' ' ? 'T' : text[i]);
    }
    if (style != TDS_SQL_DATE && len == 10)
        buf_add_cstr(out, "T00:00:00");
    buf_add_char(out, '\'');
}

/* " AND column" behind a condition, " WHERE column" for the first. */
static void add_condition(struct buf *out, const struct tds_sql_view *v, unsigned *conditions,
                          enum source_column column)
{
    buf_add_cstr(out, (*conditions)++ == 0 ? " WHERE " : " AND ");
    add_column(out, v, column);
}

static void add_start(struct buf *out, const struct tds_sql_view *v, unsigned *conditions, int32_t day)
{
    add_condition(out, v, conditions, SOURCE_ORDER_DATE);
    if (day == CLOCK_NO_DAY) {
        buf_add_cstr(out, " IS NOT NULL");
        return;
    }
    buf_add_cstr(out, " >= ");
    add_day(out, day);
}

static void add_end(struct buf *out, const struct tds_sql_view *v, unsigned *conditions, int32_t day)
{
    if (day == CLOCK_NO_DAY || day >= LAST_DAY)
        return;
    add_condition(out, v, conditions, SOURCE_ORDER_DATE);
    buf_add_cstr(out, " < ");
    add_day(out, day + 1);
}

/* Behind the key: first what an index on order_date can seek to. */
static void add_after(struct buf *out, const struct tds_sql_view *v, unsigned *conditions,
                      const struct tds_sql_key *key)
{
    add_condition(out, v, conditions, SOURCE_ORDER_DATE);
    buf_add_cstr(out, " >= ");
    add_time(out, v->order_date, key->order_date);
    buf_add_cstr(out, " AND (");
    add_column(out, v, SOURCE_ORDER_DATE);
    buf_add_cstr(out, " > ");
    add_time(out, v->order_date, key->order_date);
    buf_add_cstr(out, " OR ");
    add_column(out, v, SOURCE_ORDER_ID);
    buf_printf(out, " > %lld)", (long long)key->order_id);
}

static void add_orders(struct buf *out, const struct tds_sql_view *v, unsigned *conditions, const int64_t *orders,
                       size_t count)
{
    add_condition(out, v, conditions, SOURCE_ORDER_ID);
    buf_add_cstr(out, " IN (");
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            buf_add_char(out, ',');
        buf_add_i64(out, orders[i]);
    }
    buf_add_char(out, ')');
}

static void add_select(struct buf *out, const struct tds_sql_view *v, size_t rows)
{
    buf_printf(out, "SELECT TOP (%zu) ", rows);
    for (int i = 0; i < SOURCE_COLUMNS; i++) {
        if (i > 0)
            buf_add_cstr(out, ", ");
        add_column(out, v, (enum source_column)i);
    }
    buf_printf(out, " FROM %s", v->name);
}

const char *tds_sql_session(void)
{
    return "SET ARITHABORT ON; SET ANSI_WARNINGS ON; SET ANSI_NULLS ON; SET ANSI_PADDING ON; "
           "SET CONCAT_NULL_YIELDS_NULL ON; SET QUOTED_IDENTIFIER ON";
}

void tds_sql_columns(struct buf *out, const char *quoted_view)
{
    buf_printf(out, "SELECT TOP (0) * FROM %s", quoted_view);
}

void tds_sql_page(struct buf *out, const struct tds_sql_view *view, const struct tds_sql_page *page)
{
    unsigned conditions = 0;

    add_select(out, view, page->rows);
    if (page->after.set)
        add_after(out, view, &conditions, &page->after);
    else
        add_start(out, view, &conditions, page->start_day);
    add_end(out, view, &conditions, page->end_day);
    add_condition(out, view, &conditions, SOURCE_ORDER_ID);
    buf_add_cstr(out, " IS NOT NULL");
    if (page->orders != NULL)
        add_orders(out, view, &conditions, page->orders, page->order_count);
    if (page->customer_id != NULL) {
        add_condition(out, view, &conditions, SOURCE_CUSTOMER_ID);
        buf_printf(out, " = %lld", (long long)*page->customer_id);
    }
    buf_add_cstr(out, " ORDER BY ");
    add_column(out, view, SOURCE_ORDER_DATE);
    buf_add_cstr(out, ", ");
    add_column(out, view, SOURCE_ORDER_ID);
    buf_add_cstr(out, " OPTION (MAXDOP 1)");
}

void tds_sql_count(struct buf *out, const struct tds_sql_view *view, int32_t start_day, int32_t end_day)
{
    unsigned conditions = 0;

    buf_printf(out, "SELECT COUNT_BIG(*) FROM %s", view->name);
    add_start(out, view, &conditions, start_day);
    add_end(out, view, &conditions, end_day);
    buf_add_cstr(out, " OPTION (MAXDOP 1)");
}

void tds_sql_unkeyed(struct buf *out, const struct tds_sql_view *view, size_t rows)
{
    unsigned conditions = 0;

    add_select(out, view, rows);
    add_condition(out, view, &conditions, SOURCE_ORDER_DATE);
    buf_add_cstr(out, " IS NULL OR ");
    add_column(out, view, SOURCE_ORDER_ID);
    buf_add_cstr(out, " IS NULL");
}

static void add_sum(struct buf *out, const struct tds_sql_view *v, enum source_column column, const char *type)
{
    buf_add_cstr(out, ", ISNULL(SUM(CAST(");
    add_column(out, v, column);
    buf_printf(out, " AS %s)), 0)", type);
}

static void add_remainder(struct buf *out, const struct tds_sql_view *v, int factor, enum source_column column)
{
    buf_printf(out, " + %d * ISNULL(CAST(", factor);
    add_column(out, v, column);
    buf_printf(out, " AS bigint) %% %d, 0)", SOURCE_CHECK_MODULUS);
}

static void add_status(struct buf *out, const struct tds_sql_view *v, int factor, enum source_column column)
{
    buf_printf(out, " + %d * (256 * ISNULL(LEN(", factor);
    add_column(out, v, column);
    buf_add_cstr(out, "), 0) + ISNULL(UNICODE(LEFT(RTRIM(");
    add_column(out, v, column);
    buf_add_cstr(out, "), 1)), 0))");
}

/* source_day_total's `checks`. */
static void add_checks(struct buf *out, const struct tds_sql_view *v)
{
    buf_add_cstr(out, ", SUM(CAST(0 AS bigint)");
    add_remainder(out, v, 1, SOURCE_ORDER_ID);
    add_remainder(out, v, 3, SOURCE_CUSTOMER_ID);
    add_remainder(out, v, 5, SOURCE_PRODUCT_ID);
    add_status(out, v, 7, SOURCE_FULFILLMENT_STATUS);
    add_status(out, v, 11, SOURCE_FINANCIAL_STATUS);
    buf_add_cstr(out, " + ISNULL(CAST(");
    add_column(out, v, SOURCE_LINE_ITEM_DISCOUNT);
    buf_printf(out, " * 100 AS bigint) %% %d, 0))", SOURCE_CHECK_MODULUS);
}

void tds_sql_day_totals(struct buf *out, const struct tds_sql_view *view, int32_t start_day, int32_t end_day,
                        size_t days)
{
    unsigned conditions = 0;

    buf_printf(out, "SELECT TOP (%zu) CAST(", days);
    add_column(out, view, SOURCE_ORDER_DATE);
    buf_add_cstr(out, " AS date), COUNT_BIG(*), COUNT_BIG(DISTINCT ");
    add_column(out, view, SOURCE_ORDER_ID);
    buf_add_char(out, ')');
    add_sum(out, view, SOURCE_LINE_ITEM_SALES, "decimal(20, 2)");
    add_sum(out, view, SOURCE_LINE_ITEM_REFUNDS, "decimal(20, 2)");
    add_sum(out, view, SOURCE_QUANTITY, "bigint");
    add_checks(out, view);
    buf_printf(out, " FROM %s", view->name);
    add_start(out, view, &conditions, start_day);
    add_end(out, view, &conditions, end_day);
    buf_add_cstr(out, " GROUP BY CAST(");
    add_column(out, view, SOURCE_ORDER_DATE);
    buf_add_cstr(out, " AS date) ORDER BY CAST(");
    add_column(out, view, SOURCE_ORDER_DATE);
    buf_add_cstr(out, " AS date) OPTION (MAXDOP 1)");
}
