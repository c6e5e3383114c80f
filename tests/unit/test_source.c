/* source: what counts as a good value of each kind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "proc/source.h"

static struct source_row good_row(void)
{
    struct source_row row;

    memset(&row, 0, sizeof(row));
    row.values[SOURCE_ORDER_ID] = STR_LIT("7827249201407");
    row.values[SOURCE_ORDER_DATE] = STR_LIT("2025-03-03");
    row.values[SOURCE_QUANTITY] = STR_LIT("-2");
    row.values[SOURCE_LINE_ITEM_SALES] = STR_LIT("12.50");
    return row;
}

static void assert_verdict(enum source_column column, struct str value, const char *expected)
{
    struct source_row row = good_row();

    row.values[column] = value;
    const char *got = source_validate(&row);
    if (expected == NULL) {
        if (got != NULL)
            fail_msg("%s \"%.*s\": %s", source_columns[column].name, (int)value.len, value.p, got);
        return;
    }
    assert_non_null(got);
    assert_non_null(strstr(got, expected));
    assert_int_equal(strncmp(got, source_columns[column].name, strlen(source_columns[column].name)), 0);
}

#define GOOD(column, text)          assert_verdict(column, STR_LIT(text), NULL)
#define BAD(column, text, expected) assert_verdict(column, STR_LIT(text), expected)

static void test_integers(void **state)
{
    (void)state;
    GOOD(SOURCE_ORDER_ID, "9223372036854775807");
    GOOD(SOURCE_CUSTOMER_ID, "-1");
    BAD(SOURCE_ORDER_ID, "9223372036854775808", "whole number");
    BAD(SOURCE_ORDER_ID, "12.0", "whole number");
    BAD(SOURCE_ORDER_ID, " 12", "whole number");
    BAD(SOURCE_ORDER_ID, "1e3", "whole number");
    BAD(SOURCE_ORDER_ID, "C536379", "whole number");
    GOOD(SOURCE_YEAR, "2147483647");
    BAD(SOURCE_YEAR, "2147483648", "out of range");
    assert_verdict(SOURCE_ORDER_ID, STR_NONE, "is empty");
    assert_verdict(SOURCE_CUSTOMER_ID, STR_NONE, NULL);
}

static void test_money(void **state)
{
    (void)state;
    GOOD(SOURCE_LINE_ITEM_SALES, "0");
    GOOD(SOURCE_LINE_ITEM_SALES, "-0.05");
    GOOD(SOURCE_LINE_ITEM_SALES, "+1.5");
    GOOD(SOURCE_LINE_ITEM_SALES, ".5");
    GOOD(SOURCE_LINE_ITEM_SALES, "5.");
    GOOD(SOURCE_LINE_ITEM_SALES, "2.550000");
    GOOD(SOURCE_LINE_ITEM_SALES, "9999999999999999.99");
    GOOD(SOURCE_LINE_ITEM_SALES, "00000000000000000001.99");
    BAD(SOURCE_LINE_ITEM_SALES, "10000000000000000", "too large");
    BAD(SOURCE_LINE_ITEM_SALES, "2.555", "more than two decimals");
    BAD(SOURCE_LINE_ITEM_SALES, "1,5", "decimal number");
    BAD(SOURCE_LINE_ITEM_SALES, "1e2", "decimal number");
    BAD(SOURCE_LINE_ITEM_SALES, "-", "decimal number");
    BAD(SOURCE_LINE_ITEM_SALES, ".", "decimal number");
    BAD(SOURCE_LINE_ITEM_SALES, "NaN", "decimal number");
    BAD(SOURCE_LINE_ITEM_SALES, "", "decimal number");
}

static void test_money_value(void **state)
{
    int64_t cents = 0;

    (void)state;
    assert_null(source_parse_money(STR_LIT("-12.5"), &cents));
    assert_int_equal(cents, -1250);
    assert_null(source_parse_money(STR_LIT("0000012.07000"), &cents));
    assert_int_equal(cents, 1207);
    assert_null(source_parse_money(STR_LIT("-9999999999999999.99"), &cents));
    assert_int_equal(cents, -999999999999999999);
}

static void test_times_and_doubles(void **state)
{
    (void)state;
    GOOD(SOURCE_ORDER_DATE, "2024-02-29 23:59:59.123456789");
    GOOD(SOURCE_CREATED_AT, "2024-02-29T23:59:59Z");
    BAD(SOURCE_ORDER_DATE, "2023-02-29", "not a date");
    BAD(SOURCE_ORDER_DATE, "29/02/2024", "not a date");
    GOOD(SOURCE_LATITUDE, "-33.8688");
    BAD(SOURCE_LATITUDE, "inf", "finite");
    BAD(SOURCE_LATITUDE, "12x", "finite");
}

static void test_texts(void **state)
{
    char long_text[256 * 2];

    (void)state;
    for (size_t i = 0; i < sizeof(long_text); i += 2)
        memcpy(long_text + i, "\xc3\xa9", 2); /* é */
    assert_verdict(SOURCE_SKU, (struct str){ long_text, 255 * 2 }, NULL);
    assert_verdict(SOURCE_SKU, (struct str){ long_text, 256 * 2 }, "too long");
    assert_verdict(SOURCE_PRODUCT_NAME, (struct str){ long_text, 256 * 2 }, NULL);
    assert_verdict(SOURCE_PRODUCT_NAME, (struct str){ long_text, 3 }, "UTF-8");
    BAD(SOURCE_CATEGORY, "a\0b", "NUL");
    BAD(SOURCE_CURRENCY, "12345678901", "too long");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_integers),          cmocka_unit_test(test_money), cmocka_unit_test(test_money_value),
        cmocka_unit_test(test_times_and_doubles), cmocka_unit_test(test_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
