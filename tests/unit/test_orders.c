/*
 * orders: what is asked of PostgreSQL, and what is made of its rows; no server needed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/metrics.h"
#include "data/orders.h"

static struct arena arena;
static const char *values[SQL_CO_PARAMS];

static struct orders_query plain(void)
{
    return (struct orders_query){ .customer_id = 7827249201407,
                                  .as_of_day = clock_day_of(2025, 3, 31),
                                  .limit = 50,
                                  .start_day = CLOCK_NO_DAY,
                                  .end_day = CLOCK_NO_DAY };
}

static void ask(const struct orders_query *q)
{
    arena_reset(&arena);
    assert_true(orders_params(q, &arena, values));
}

static void test_statements_are_named_and_counted(void **state)
{
    (void)state;
    for (int i = 0; i < SQL_COUNT; i++) {
        const struct pg_statement *s = sql_get((enum sql_id)i);
        char parameter[16];

        assert_string_equal(s->name, metrics_dim_value(METRICS_DIM_QUERY, s->metric));
        snprintf(parameter, sizeof parameter, "$%d::", s->params);
        assert_true(s->params == 0 || strstr(s->sql, parameter) != NULL);
        snprintf(parameter, sizeof parameter, "$%d::", s->params + 1);
        assert_null(strstr(s->sql, parameter));
        assert_true(s->params <= PG_MAX_PARAMS);
    }
}

static void test_plain_question(void **state)
{
    struct orders_query q = plain();

    (void)state;
    ask(&q);
    assert_string_equal(values[SQL_CO_CUSTOMER], "7827249201407");
    assert_string_equal(values[SQL_CO_DATA_END], "2025-04-01");
    assert_string_equal(values[SQL_CO_FROM], "-infinity");
    assert_string_equal(values[SQL_CO_BEFORE], "infinity");
    assert_null(values[SQL_CO_TERMS]);
    assert_string_equal(values[SQL_CO_AFTER_AT], "infinity");
    assert_string_equal(values[SQL_CO_AFTER_ID], "9223372036854775807");
    assert_string_equal(values[SQL_CO_LIMIT], "50");
}

static void expect_months(unsigned months, const char *from)
{
    struct orders_query q = plain();

    q.months_ago = months;
    ask(&q);
    assert_string_equal(values[SQL_CO_FROM], from);
}

static void test_days(void **state)
{
    struct orders_query q = plain();

    (void)state;
    expect_months(1, "2025-02-28");
    expect_months(2, "2025-01-31");
    expect_months(3, "2024-12-31");
    expect_months(13, "2024-02-29");
    expect_months(60, "2020-03-31");
    q.start_day = clock_day_of(2025, 2, 1);
    q.end_day = clock_day_of(2025, 2, 28);
    ask(&q);
    assert_string_equal(values[SQL_CO_FROM], "2025-02-01");
    assert_string_equal(values[SQL_CO_BEFORE], "2025-03-01");
    q.months_ago = 1;
    ask(&q);
    assert_string_equal(values[SQL_CO_FROM], "2025-02-28");
}

static void test_cursor(void **state)
{
    struct orders_query q = plain();

    (void)state;
    q.cursor = (struct orders_cursor){ .present = true, .order_id = 5, .at_us = 1750156200000001 };
    ask(&q);
    assert_string_equal(values[SQL_CO_AFTER_AT], "2025-06-17T10:30:00.000001Z");
    assert_string_equal(values[SQL_CO_AFTER_ID], "5");
}

static void expect_terms(const char *list, const char *array)
{
    struct orders_query q = plain();

    assert_true(orders_split_terms(&q, str_from(list)));
    ask(&q);
    if (array == NULL)
        assert_null(values[SQL_CO_TERMS]);
    else
        assert_string_equal(values[SQL_CO_TERMS], array);
}

static void test_terms(void **state)
{
    struct orders_query q = plain();
    char many[2 * ORDERS_MAX_TERMS + 2];

    (void)state;
    expect_terms("", NULL);
    expect_terms(" , ,", NULL);
    expect_terms("thread", "{\"%thread%\"}");
    expect_terms(" red wool ,x", "{\"%red wool%\",\"%x%\"}");
    expect_terms("100%_", "{\"%100\\\\%\\\\_%\"}");
    expect_terms("a\\b", "{\"%a\\\\\\\\b%\"}");
    expect_terms("say \"hi\"", "{\"%say \\\"hi\\\"%\"}");
    expect_terms("{NULL}", "{\"%{NULL}%\"}");
    memset(many, ',', sizeof many);
    for (size_t i = 0; i < ORDERS_MAX_TERMS + 1; i++)
        many[2 * i] = 'x';
    many[sizeof many - 1] = '\0';
    assert_false(orders_split_terms(&q, str_from(many)));
    assert_true(orders_split_terms(&q, (struct str){ many, sizeof many - 3 }));
}

static void test_memory_short(void **state)
{
    struct orders_query q = plain();
    struct arena small;

    (void)state;
    arena_init(&small, 64);
    assert_false(orders_params(&q, &small, values));
    arena_free(&small);
}

/* ---- rows ---- */

static PGresult *rows_new(void)
{
    PGresAttDesc columns[SQL_CO_COLUMNS];
    PGresult *r = PQmakeEmptyPGresult(NULL, PGRES_TUPLES_OK);

    memset(columns, 0, sizeof columns);
    for (int i = 0; i < SQL_CO_COLUMNS; i++)
        columns[i].name = (char *)(uintptr_t) "column";
    assert_int_equal(PQsetResultAttrs(r, SQL_CO_COLUMNS, columns), 1);
    return r;
}

static void put(PGresult *r, int row, int column, const char *text)
{
    char *copy = strdup(text);

    assert_int_equal(PQsetvalue(r, row, column, copy, (int)strlen(copy)), 1);
    free(copy);
}

/* A row as the statement gives it; the columns not named here are null. */
static void add_row(PGresult *r, int place, int id, int line)
{
    int row = PQntuples(r);
    char text[32];

    for (int i = 0; i < SQL_CO_COLUMNS; i++)
        assert_int_equal(PQsetvalue(r, row, i, NULL, -1), 1);
    snprintf(text, sizeof text, "%d", place);
    put(r, row, SQL_CO_PLACE, text);
    snprintf(text, sizeof text, "%d", id);
    put(r, row, SQL_CO_ORDER_ID, text);
    put(r, row, SQL_CO_ORDER_AT, "2025-06-17 10:30:00.5");
    put(r, row, SQL_CO_ORDER_SALES, "18.69");
    put(r, row, SQL_CO_ORDER_REFUNDS, "1.50");
    if (line == 0)
        return;
    snprintf(text, sizeof text, "%d", line);
    put(r, row, SQL_CO_LINE, text);
    put(r, row, SQL_CO_QUANTITY, "3");
    put(r, row, SQL_CO_SALES, "9.00");
}

static enum orders_read read_rows(const PGresult *r, unsigned limit, struct orders_page *page)
{
    struct orders_query q = plain();

    q.limit = limit;
    arena_reset(&arena);
    return orders_read(r, &q, &arena, page);
}

static void test_orders_of_several_lines(void **state)
{
    PGresult *r = rows_new();
    struct orders_page page;

    (void)state;
    add_row(r, 1, 500, 1);
    add_row(r, 1, 500, 2);
    add_row(r, 2, 400, 3);
    put(r, 2, SQL_CO_ORDER_NUMBER, "87265");
    put(r, 2, SQL_CO_TOTAL, "20.01");
    put(r, 2, SQL_CO_TITLE, "");
    assert_int_equal(read_rows(r, 50, &page), ORDERS_READ_OK);
    assert_int_equal(page.count, 2);
    assert_false(page.next.present);
    assert_int_equal(page.orders[0].line_count, 2);
    assert_int_equal(page.orders[0].number, 500);
    assert_int_equal(page.orders[0].at_us, 1750156200500000);
    assert_int_equal(page.orders[0].total_cents, 1869);
    assert_int_equal(page.orders[0].net_cents, 1719);
    assert_int_equal(page.orders[0].created_us, 0);
    assert_null(page.orders[0].currency);
    assert_int_equal(page.orders[0].lines[1].sales_cents, 900);
    assert_int_equal(page.orders[0].lines[1].discount_cents, 0);
    assert_null(page.orders[0].lines[1].title);
    assert_int_equal(page.orders[1].number, 87265);
    assert_int_equal(page.orders[1].total_cents, 2001);
    assert_string_equal(page.orders[1].lines[0].title, "");
    PQclear(r);
}

static void test_one_more_makes_a_cursor(void **state)
{
    PGresult *r = rows_new();
    struct orders_page page;

    (void)state;
    add_row(r, 1, 500, 1);
    add_row(r, 2, 400, 2);
    add_row(r, 3, 300, 0);
    assert_int_equal(read_rows(r, 2, &page), ORDERS_READ_OK);
    assert_int_equal(page.count, 2);
    assert_true(page.next.present);
    assert_int_equal(page.next.order_id, 400);
    assert_int_equal(page.next.at_us, 1750156200500000);
    PQclear(r);
    r = rows_new();
    assert_int_equal(read_rows(r, 2, &page), ORDERS_READ_OK);
    assert_int_equal(page.count, 0);
    assert_false(page.next.present);
    PQclear(r);
}

/* A page full of lines ends before the order that may lack some; an order of its own size is shown as far as it goes.
 */
static void test_too_many_lines(void **state)
{
    PGresult *r = rows_new();
    struct orders_page page;

    (void)state;
    for (int i = 0; i <= ORDERS_MAX_LINES; i++)
        add_row(r, i < 6000 ? 1 : 2, i < 6000 ? 500 : 400, i + 1);
    assert_int_equal(read_rows(r, 50, &page), ORDERS_READ_OK);
    assert_int_equal(page.count, 1);
    assert_int_equal(page.orders[0].line_count, 6000);
    assert_true(page.next.present);
    assert_int_equal(page.next.order_id, 500);
    PQclear(r);
    r = rows_new();
    for (int i = 0; i <= ORDERS_MAX_LINES; i++)
        add_row(r, 1, 500, i + 1);
    assert_int_equal(read_rows(r, 50, &page), ORDERS_READ_OK);
    assert_int_equal(page.count, 1);
    assert_int_equal(page.orders[0].line_count, ORDERS_MAX_LINES + 1);
    assert_true(page.next.present);
    PQclear(r);
}

static void test_what_is_no_answer(void **state)
{
    PGresult *r = PQmakeEmptyPGresult(NULL, PGRES_TUPLES_OK);
    struct orders_query q = plain();
    struct orders_page page;
    struct arena small;

    (void)state;
    assert_int_equal(read_rows(r, 50, &page), ORDERS_READ_MALFORMED);
    PQclear(r);
    r = rows_new();
    add_row(r, 1, 500, 1);
    put(r, 0, SQL_CO_SALES, "NaN");
    assert_int_equal(read_rows(r, 50, &page), ORDERS_READ_MALFORMED);
    put(r, 0, SQL_CO_SALES, "1.00");
    put(r, 0, SQL_CO_ORDER_AT, "infinity");
    assert_int_equal(read_rows(r, 50, &page), ORDERS_READ_MALFORMED);
    put(r, 0, SQL_CO_ORDER_AT, "2025-06-17 10:30:00");
    assert_int_equal(read_rows(r, 50, &page), ORDERS_READ_OK);
    arena_init(&small, 4096);
    assert_int_equal(orders_read(r, &q, &small, &page), ORDERS_READ_NO_MEMORY);
    arena_free(&small);
    PQclear(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_statements_are_named_and_counted),
        cmocka_unit_test(test_plain_question),
        cmocka_unit_test(test_days),
        cmocka_unit_test(test_cursor),
        cmocka_unit_test(test_terms),
        cmocka_unit_test(test_memory_short),
        cmocka_unit_test(test_orders_of_several_lines),
        cmocka_unit_test(test_one_more_makes_a_cursor),
        cmocka_unit_test(test_too_many_lines),
        cmocka_unit_test(test_what_is_no_answer),
    };
    int failed;

    arena_init(&arena, 16 << 20);
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    arena_free(&arena);
    return failed;
}
