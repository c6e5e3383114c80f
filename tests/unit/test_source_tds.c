/* source_tds, its pure parts: which server, what the library is told, the statements, what errors mean. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "proc/source_tds_error.h"
#include "proc/source_tds_sql.h"
#include "proc/source_tds_target.h"

static void assert_target(const char *server, const char *host, unsigned port)
{
    struct tds_target t;

    if (!tds_target_parse(&t, str_from(server), 1433))
        fail_msg("refused: %s", server);
    assert_string_equal(t.host, host);
    assert_int_equal(t.port, port);
}

static void test_server_names(void **state)
{
    static const char *const refused[] = { "",          "tcp:",     "host,",        "host,0",      "host,65536",
                                           "host,14x",  "a b",      "host\\SQL2",   "a]\nport=1",  "[::1]",
                                           "-host",     ".host",    "host;evil",    "hö",          "host,1,2",
                                           "tcp:tcp:h", "host:1:2", "host\ttext=1", "http://host", "host/x" };
    struct tds_target t;

    (void)state;
    assert_target("shop.database.windows.net", "shop.database.windows.net", 1433);
    assert_target("tcp:shop.database.windows.net,1433", "shop.database.windows.net", 1433);
    assert_target("TCP:shop, 14330", "shop", 14330);
    assert_target(" shop:2 ", "shop", 2);
    assert_target("10.0.0.7,65535", "10.0.0.7", 65535);
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
        if (tds_target_parse(&t, str_from(refused[i]), 1433))
            fail_msg("taken: \"%s\" as %s,%u", refused[i], t.host, t.port);

    char longest[260];
    memset(longest, 'a', sizeof(longest));
    assert_true(tds_target_parse(&t, (struct str){ longest, 253 }, 1433));
    assert_false(tds_target_parse(&t, (struct str){ longest, 254 }, 1433));
}

static void test_redirects(void **state)
{
    const struct tds_target asked = { "shop.database.windows.net", 1433 };
    struct tds_target t;

    (void)state;
    assert_true(tds_target_redirected(
        &t, STR_LIT("Adaptive Server connection timed out (db7.worker.database.windows.net,11042)"), &asked));
    assert_string_equal(t.host, "db7.worker.database.windows.net");
    assert_int_equal(t.port, 11042);
    assert_true(tds_target_redirected(&t, STR_LIT("failed (shop.database.windows.net,11042)"), &asked));
    assert_false(tds_target_redirected(&t, STR_LIT("failed (SHOP.database.windows.net,1433)"), &asked));
    assert_false(tds_target_redirected(&t, STR_LIT("failed"), &asked));
    assert_false(tds_target_redirected(&t, STR_LIT("failed (why)"), &asked));
    assert_false(tds_target_redirected(&t, STR_LIT("failed (a b,1)"), &asked));
    assert_false(tds_target_redirected(&t, STR_LIT("db7,11042)"), &asked));
    assert_false(tds_target_redirected(&t, STR_LIT(")"), &asked));
    assert_false(tds_target_redirected(&t, STR_LIT(""), &asked));
}

static void test_library_file(void **state)
{
    const struct tds_target t = { "shop.database.windows.net", 1433 };
    struct buf out = { .max_bytes = 4096 };

    (void)state;
    tds_target_conf(&out, &t, "/etc/ssl/azure.pem");
    const char *text = buf_cstr(&out);
    assert_non_null(text);
    assert_non_null(
        strstr(text, "\n[shop.database.windows.net]\n\thost = shop.database.windows.net\n\tport = 1433\n"));
    assert_non_null(strstr(text, "\n\ttds version = 7.4\n\tencryption = require\n\tca file = /etc/ssl/azure.pem\n"));
    assert_non_null(strstr(text, "\n\tcheck certificate hostname = yes\n"));
    assert_non_null(strstr(text, "\n\tclient charset = UTF-8\n"));
    assert_null(strchr(strchr(text, '[') + 1, '['));
    buf_free(&out);

    assert_true(tds_target_ca_file_fits(STR_LIT("system")));
    assert_true(tds_target_ca_file_fits(STR_LIT("/etc/ssl/certs/ca.pem")));
    assert_false(tds_target_ca_file_fits(STR_LIT("")));
    assert_false(tds_target_ca_file_fits(STR_LIT("ca.pem")));
    assert_false(tds_target_ca_file_fits(STR_LIT("/a b")));
    assert_false(tds_target_ca_file_fits(STR_LIT("/a\n\tencryption = off")));
    char longest[256];
    memset(longest, '/', sizeof(longest));
    assert_false(tds_target_ca_file_fits((struct str){ longest, 201 }));
}

static void assert_view(const char *name, const char *quoted)
{
    char dst[TDS_SQL_VIEW_SIZE];

    if (!tds_sql_quote_view(dst, str_from(name)))
        fail_msg("refused: %s", name);
    assert_string_equal(dst, quoted);
}

static void test_view_names(void **state)
{
    static const char *const refused[] = { "",     ".",     "a.",   ".a",     "a..b",  "a.b.c.d", "a b",
                                           "a;b",  "a'b",   "[a",   "[a]]",   "[a]b",  "[]",      "a]b",
                                           "a[b]", "\"a\"", "a\nb", "[a\nb]", "a--b c" };
    char dst[TDS_SQL_VIEW_SIZE], longest[132];

    (void)state;
    assert_view("vw_Combined_Sales", "[vw_Combined_Sales]");
    assert_view("dbo.Sales", "[dbo].[Sales]");
    assert_view("[my db].[dbo].[a]]b]", "[my db].[dbo].[a]]b]");
    assert_view("[x.y]", "[x.y]");
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
        if (tds_sql_quote_view(dst, str_from(refused[i])))
            fail_msg("taken: \"%s\" as %s", refused[i], dst);
    memset(longest, 'v', sizeof(longest));
    assert_true(tds_sql_quote_view(dst, (struct str){ longest, 128 }));
    assert_false(tds_sql_quote_view(dst, (struct str){ longest, 129 }));
}

static struct tds_sql_view make_view(enum tds_sql_time order_date)
{
    struct tds_sql_view v = { .name = "[dbo].[Sales]", .order_date = order_date };

    for (int i = 0; i < SOURCE_COLUMNS; i++)
        snprintf(v.columns[i], sizeof(v.columns[i]), "%s", source_columns[i].name);
    snprintf(v.columns[SOURCE_ORDER_ID], sizeof(v.columns[0]), "Order_ID");
    return v;
}

/* The statement from its FROM on. */
static const char *page_tail(struct buf *out, const struct tds_sql_view *v, const struct tds_sql_page *page)
{
    buf_reset(out);
    tds_sql_page(out, v, page);
    const char *text = buf_cstr(out);
    assert_non_null(text);
    return strstr(text, " FROM ");
}

static void test_pages(void **state)
{
    const struct tds_sql_view v = make_view(TDS_SQL_DATE);
    struct tds_sql_page page = { .start_day = CLOCK_NO_DAY, .end_day = CLOCK_NO_DAY, .rows = 5000 };
    struct buf out = { .max_bytes = 8192 };

    (void)state;
    assert_string_equal(page_tail(&out, &v, &page),
                        " FROM [dbo].[Sales] WHERE [order_date] IS NOT NULL AND [Order_ID] IS NOT NULL"
                        " ORDER BY [order_date], [Order_ID] OPTION (MAXDOP 1)");
    assert_int_equal(strncmp(buf_cstr(&out), "SELECT TOP (5000) [Order_ID], [order_number], [customer_id], ", 58), 0);
    assert_non_null(strstr(buf_cstr(&out), ", [order_total_items] FROM "));

    page.start_day = clock_day_of(2024, 12, 31);
    page.end_day = page.start_day;
    assert_non_null(
        strstr(page_tail(&out, &v, &page),
               " WHERE [order_date] >= '20241231' AND [order_date] < '20250101' AND [Order_ID] IS NOT NULL ORDER"));
    page.end_day = clock_day_of(9999, 12, 31); /* no day behind it to compare with */
    assert_non_null(strstr(page_tail(&out, &v, &page), " WHERE [order_date] >= '20241231' AND [Order_ID] IS"));

    page.after = (struct tds_sql_key){ .set = true, .order_date = "2025-01-02", .order_id = -7 };
    page.end_day = clock_day_of(2025, 1, 31);
    assert_non_null(strstr(page_tail(&out, &v, &page),
                           " WHERE [order_date] >= '20250102' AND ([order_date] > '20250102' OR [Order_ID] > -7)"
                           " AND [order_date] < '20250201' AND [Order_ID] IS NOT NULL ORDER"));
    buf_free(&out);
}

static void test_orders_and_customers(void **state)
{
    const struct tds_sql_view v = make_view(TDS_SQL_DATE);
    const int64_t orders[] = { -1, 5, INT64_MAX }, customer = 77;
    struct tds_sql_page page = { .start_day = CLOCK_NO_DAY, .end_day = CLOCK_NO_DAY, .rows = 9 };
    struct buf out = { .max_bytes = 8192 };

    (void)state;
    page.orders = orders;
    page.order_count = 3;
    assert_non_null(strstr(page_tail(&out, &v, &page), " AND [Order_ID] IN (-1,5,9223372036854775807) ORDER BY "));
    page.orders = NULL;
    page.customer_id = &customer;
    assert_non_null(strstr(page_tail(&out, &v, &page), " AND [customer_id] = 77 ORDER BY "));
    buf_free(&out);
}

static void assert_after(enum tds_sql_time style, const char *order_date, const char *literal)
{
    const struct tds_sql_view v = make_view(style);
    struct tds_sql_page page = { .start_day = CLOCK_NO_DAY, .end_day = CLOCK_NO_DAY, .rows = 1 };
    struct buf out = { .max_bytes = 8192 };
    char expected[64];

    page.after.set = true;
    snprintf(page.after.order_date, sizeof(page.after.order_date), "%s", order_date);
    snprintf(expected, sizeof(expected), " >= '%s' AND ", literal);
    if (strstr(page_tail(&out, &v, &page), expected) == NULL)
        fail_msg("%s in %s", expected, buf_cstr(&out));
    buf_free(&out);
}

/* SQL Server refuses to compare a datetime with seven decimals, and a language setting may turn days and months. */
static void test_times_as_their_type_takes_them(void **state)
{
    (void)state;
    assert_after(TDS_SQL_DATE, "2025-03-04", "20250304");
    assert_after(TDS_SQL_SECONDS, "2025-03-04 08:15:00", "2025-03-04T08:15:00");
    assert_after(TDS_SQL_MILLIS, "2025-03-04 08:15:30.9970000", "2025-03-04T08:15:30.997");
    assert_after(TDS_SQL_MILLIS, "2025-03-04 08:15:30", "2025-03-04T08:15:30");
    assert_after(TDS_SQL_TICKS, "2025-03-04 08:15:30.1234567", "2025-03-04T08:15:30.1234567");
    assert_after(TDS_SQL_TICKS, "2025-03-04", "2025-03-04T00:00:00");
}

static void test_other_statements(void **state)
{
    const struct tds_sql_view v = make_view(TDS_SQL_TICKS);
    struct buf out = { .max_bytes = 8192 };

    (void)state;
    tds_sql_columns(&out, v.name);
    assert_string_equal(buf_cstr(&out), "SELECT TOP (0) * FROM [dbo].[Sales]");
    buf_reset(&out);
    tds_sql_unkeyed(&out, &v, 11);
    assert_int_equal(strncmp(buf_cstr(&out), "SELECT TOP (11) [Order_ID], ", 28), 0);
    assert_non_null(strstr(buf_cstr(&out), " FROM [dbo].[Sales] WHERE [order_date] IS NULL OR [Order_ID] IS NULL"));
    buf_reset(&out);
    tds_sql_day_totals(&out, &v, clock_day_of(2024, 1, 1), CLOCK_NO_DAY, 400);
    const char *text = buf_cstr(&out);
    assert_int_equal(strncmp(text,
                             "SELECT TOP (400) CAST([order_date] AS date), COUNT_BIG(*), "
                             "COUNT_BIG(DISTINCT [Order_ID]), ",
                             90),
                     0);
    assert_non_null(strstr(text,
                           " FROM [dbo].[Sales] WHERE [order_date] >= '20240101' GROUP BY CAST([order_date] AS date)"
                           " ORDER BY CAST([order_date] AS date) OPTION (MAXDOP 1)"));
    buf_free(&out);
}

/* Errors */

static const struct tds_subject subject = { "shop.example:1433", "sales", "sync", "vw_Combined_Sales", "system" };

static struct source_error describe(int32_t number, int severity, const char *text)
{
    struct tds_problem p = { .number = number, .severity = severity, .state = 1, .connecting = true };
    struct source_error err = { .reason = SB_REASON_NONE };

    snprintf(p.text, sizeof(p.text), "%s", text);
    p.library = number > 20000 && number < 21000;
    tds_error_describe(&err, &p, &subject);
    return err;
}

static void assert_says(struct source_error err, enum sb_reason reason, const char *words)
{
    assert_int_equal(err.reason, reason);
    if (strstr(err.text, words) == NULL)
        fail_msg("\"%s\" is not in \"%s\"", words, err.text);
}

static void test_words(void **state)
{
    (void)state;
    assert_says(describe(18456, 14, "Login failed for user 'sync'."), SB_REASON_SOURCE_AUTH,
                "Login failed for user 'sync': check AZURE_SQL_USERNAME and AZURE_SQL_PASSWORD, and the login on "
                "shop.example:1433 (SQL Server error 18456, state 1)");
    assert_says(
        describe(40615, 14, "Cannot open server 'shop'. Client with IP address '203.0.113.7' is not allowed."),
        SB_REASON_SOURCE_CONNECT, "firewall: shop.example:1433 does not let 203.0.113.7 in; add a rule");
    assert_says(describe(40615, 14, "Client with IP address 'x\ny' is"), SB_REASON_SOURCE_CONNECT,
                "does not let this machine's address in");
    assert_says(describe(4060, 11, "Cannot open"), SB_REASON_SOURCE_CONNECT,
                "no database sales on shop.example:1433");
    assert_says(describe(40501, 20, "busy"), SB_REASON_SOURCE_CONNECT, "throttled: ");
    assert_says(describe(1205, 13, "deadlock victim"), SB_REASON_SOURCE_QUERY, "deadlock: ");
    assert_says(describe(207, 16, "Invalid column name 'sku'."), SB_REASON_VALIDATION,
                "schema: vw_Combined_Sales has changed: Invalid column name 'sku'.");
    assert_says(describe(208, 16, "Invalid object name"), SB_REASON_VALIDATION,
                "schema: there is no vw_Combined_Sales");
    assert_says(describe(229, 14, "denied"), SB_REASON_SOURCE_QUERY, "GRANT SELECT ON vw_Combined_Sales");
    assert_says(describe(20002, 9, "failed"), SB_REASON_SOURCE_CONNECT, "TLS refused: ");
    assert_int_equal(describe(20002, 9, "failed").health, SB_ERROR_TLS);
    assert_says(describe(20009, 9, "Unable to connect"), SB_REASON_SOURCE_CONNECT, "not reachable");
    assert_says(describe(20013, 9, "Unknown host"), SB_REASON_SOURCE_CONNECT,
                "name of shop.example:1433 is not known");
    assert_says(describe(8134, 16, "Divide by zero\nerror."), SB_REASON_SOURCE_CONNECT,
                "shop.example:1433: Divide by zero error. (SQL Server error 8134, state 1)");
}

/* A value of a customer's row never gets into a log by way of an error text. */
static void test_no_values_in_words(void **state)
{
    struct source_error err = describe(245, 16, "Conversion failed when converting the nvarchar value 'Mrs Smith'");

    (void)state;
    assert_null(strstr(err.text, "Smith"));
}

static void test_long_words_keep_the_number(void **state)
{
    char text[400];

    (void)state;
    memset(text, 'x', sizeof(text));
    memcpy(text + 150, "äöüäöüäöüäöüäöüäöüäöüäöüäöüäöüäöüäöüäöüäöüäöüäöüäöüäöüäöü", 100);
    text[399] = '\0';
    struct source_error err = describe(50000, 16, text);
    size_t len = strlen(err.text);
    const char *end = " (SQL Server error 50000, state 1)";
    assert_in_range(len, 250, 255);
    assert_string_equal(err.text + len - strlen(end), end);
}

static void test_reason_by_moment(void **state)
{
    struct tds_problem p = { .number = 20017, .library = true };
    struct source_error err;

    (void)state;
    tds_error_describe(&err, &p, &subject);
    assert_int_equal(err.reason, SB_REASON_SOURCE_QUERY);
    p.connecting = true;
    tds_error_describe(&err, &p, &subject);
    assert_int_equal(err.reason, SB_REASON_SOURCE_CONNECT);
}

/* The lists of the design, so that no number falls out of the table unnoticed. */
static void test_classes(void **state)
{
    static const int32_t retry[] = { 20,
                                     64,
                                     121,
                                     233,
                                     997,
                                     10053,
                                     10054,
                                     10060,
                                     40020,
                                     40143,
                                     40166,
                                     40197,
                                     40540,
                                     40613,
                                     41301,
                                     41302,
                                     41305,
                                     41325,
                                     41839,
                                     42108,
                                     42109,
                                     3947,
                                     3960,
                                     3961,
                                     4221,
                                     1204,
                                     1205,
                                     1222,
                                     615,
                                     4060,
                                     18401,
                                     20003,
                                     20004,
                                     20006,
                                     20009,
                                     20017,
                                     20020,
                                     20047,
                                     TDS_ERROR_INCOMPLETE,
                                     TDS_ERROR_DISORDER };
    static const int32_t throttled[] = {
        10928, 10929, 40501, 40549, 40550, 40551, 40552, 40553, 49918, 49919, 49920
    };
    static const int32_t fix[] = {
        18456,           18452, 18487, 18488, 40532, 40615, 40914, 916, 229, 208, 207, 20013, TDS_ERROR_DOWNGRADE,
        TDS_ERROR_SCHEMA
    };
    struct tds_problem p = { 0 };

    (void)state;
    for (size_t i = 0; i < sizeof(retry) / sizeof(retry[0]); i++) {
        p.number = retry[i];
        assert_int_equal(tds_rule_of(&p)->number, p.number);
        assert_int_equal(tds_rule_of(&p)->class, TDS_RETRY);
    }
    for (size_t i = 0; i < sizeof(throttled) / sizeof(throttled[0]); i++) {
        p.number = throttled[i];
        assert_int_equal(tds_rule_of(&p)->number, p.number);
        assert_int_equal(tds_rule_of(&p)->class, TDS_THROTTLED);
    }
    for (size_t i = 0; i < sizeof(fix) / sizeof(fix[0]); i++) {
        p.number = fix[i];
        assert_int_equal(tds_rule_of(&p)->number, p.number);
        assert_int_equal(tds_rule_of(&p)->class, TDS_FIX);
    }
    p = (struct tds_problem){ .number = 50000, .severity = 16 };
    assert_int_equal(tds_rule_of(&p)->class, TDS_FIX);
    p.severity = 17;
    assert_int_equal(tds_rule_of(&p)->class, TDS_RETRY);
}

static void take(struct tds_problem *p, int32_t number, bool library)
{
    tds_problem_take(p, &(struct tds_problem){ .number = number, .library = library });
}

static void test_which_error_tells(void **state)
{
    struct tds_problem p = { 0 };

    (void)state;
    take(&p, 20018, true); /* "check messages" */
    take(&p, 20002, true); /* "connection failed" */
    assert_int_equal(p.number, 20002);
    take(&p, TDS_ERROR_INCOMPLETE, false);
    assert_int_equal(p.number, 20002);
    take(&p, 20003, true);
    take(&p, 20017, true);
    assert_int_equal(p.number, 20003);
    take(&p, 4060, false);
    take(&p, 18456, false);
    assert_int_equal(p.number, 4060);
}

static void test_pauses(void **state)
{
    const struct tds_problem deadlock = { .number = 1205 }, throttled = { .number = 40501 };
    const struct tds_rule *rule = tds_rule_of(&deadlock);

    (void)state;
    assert_int_equal(tds_wait_ms(rule, 1, 0.0, 60000), 0);
    assert_int_equal(tds_wait_ms(rule, 1, 0.5, 60000), 500);
    assert_int_equal(tds_wait_ms(rule, 3, 0.5, 60000), 2000);
    assert_int_equal(tds_wait_ms(rule, 6, 0.5, 60000), 16000);
    assert_int_equal(tds_wait_ms(rule, 7, 0.5, 60000), 30000);
    assert_int_equal(tds_wait_ms(rule, 4000000000U, 0.999, 60000), 59940);
    assert_int_equal(tds_wait_ms(rule, 9, 0.999, 2500), 2500);
    rule = tds_rule_of(&throttled);
    assert_int_equal(tds_wait_ms(rule, 1, 0.5, 60000), 10000);
    assert_int_equal(tds_wait_ms(rule, 6, 0.75, 60000), 24000);
    assert_int_equal(tds_wait_ms(rule, 1, 0.5, 2000), 2000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_server_names),
        cmocka_unit_test(test_redirects),
        cmocka_unit_test(test_library_file),
        cmocka_unit_test(test_view_names),
        cmocka_unit_test(test_pages),
        cmocka_unit_test(test_orders_and_customers),
        cmocka_unit_test(test_times_as_their_type_takes_them),
        cmocka_unit_test(test_other_statements),
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_no_values_in_words),
        cmocka_unit_test(test_long_words_keep_the_number),
        cmocka_unit_test(test_reason_by_moment),
        cmocka_unit_test(test_classes),
        cmocka_unit_test(test_which_error_tells),
        cmocka_unit_test(test_pauses),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
