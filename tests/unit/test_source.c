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

static int64_t checks_of(const struct source_row *row)
{
    struct source_day_total total = { 0 };

    source_day_total_add(&total, row);
    return total.checks;
}

/* Whatever is not summed moves `checks`; the formula is part of the interface. */
static void test_checks(void **state)
{
    static const enum source_column seen[] = { SOURCE_CUSTOMER_ID, SOURCE_PRODUCT_ID, SOURCE_LINE_ITEM_DISCOUNT };
    struct source_row row = good_row();

    (void)state;
    int64_t base = checks_of(&row);
    assert_int_equal(base, 7827249201407 % SOURCE_CHECK_MODULUS);
    for (size_t i = 0; i < sizeof(seen) / sizeof(seen[0]); i++) {
        row.values[seen[i]] = STR_LIT("-3");
        assert_int_not_equal(checks_of(&row), base);
        row.values[seen[i]] = STR_NONE;
    }
    row.values[SOURCE_FINANCIAL_STATUS] = STR_LIT("paid  ");
    row.values[SOURCE_FULFILLMENT_STATUS] = STR_LIT("\xc3\xa9\xc3\xa9"); /* éé */
    row.values[SOURCE_CUSTOMER_ID] = STR_LIT("-1000005");
    row.values[SOURCE_PRODUCT_ID] = STR_LIT("1000004");
    row.values[SOURCE_LINE_ITEM_DISCOUNT] = STR_LIT("0.50");
    assert_int_equal(checks_of(&row), base + 11 * (256 * 4 + 'p') + 7 * (256 * 2 + 0xe9) + 3 * -2 + 5 * 1 + 50);
    row.values[SOURCE_FINANCIAL_STATUS] = STR_LIT("   ");
    assert_int_equal(checks_of(&row), base + 7 * (256 * 2 + 0xe9) + 3 * -2 + 5 * 1 + 50);
}

static void test_stretches(void **state)
{
    static const int32_t days[] = { 3, 4, 5, 9, 11, 12 };
    static const int32_t expected[][2] = { { 3, 5 }, { 9, 9 }, { 11, 12 }, { 20, 30 } };
    const struct source_range range = { .start_day = 20, .end_day = 30, .days = days, .day_count = 6 };
    size_t position = 0;
    int32_t start, end;

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        assert_true(source_range_next_stretch(&range, &position, &start, &end));
        assert_int_equal(start, expected[i][0]);
        assert_int_equal(end, expected[i][1]);
    }
    assert_false(source_range_next_stretch(&range, &position, &start, &end));
    for (int32_t day = 0; day < 40; day++)
        assert_int_equal(source_range_has_day(&range, day),
                         (day >= 20 && day <= 30) || (day >= 3 && day <= 5) || day == 9 || day == 11 || day == 12);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_integers),          cmocka_unit_test(test_money), cmocka_unit_test(test_money_value),
        cmocka_unit_test(test_times_and_doubles), cmocka_unit_test(test_texts), cmocka_unit_test(test_checks),
        cmocka_unit_test(test_stretches),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
