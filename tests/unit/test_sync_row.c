/* A line as a row of COPY, byte for byte, and its hash. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "proc/sync_row.h"

#define BYTES(literal) literal, sizeof(literal) - 1

/* The row has this one value; its bytes, length in front, must be these. */
static void assert_bytes(enum source_column column, const char *text, const char *expected, size_t n)
{
    struct source_row row = { .line_number = 1 };
    struct buf out, scratch;
    size_t before = 2 + 4 * (size_t)column; /* the number of values, and nulls */

    row.values[column] = str_from(text);
    buf_init(&out, 4096);
    buf_init(&scratch, 4096);
    sync_row_put(&out, &scratch, &row);
    assert_false(out.failed);
    assert_memory_equal(out.data, "\0\037\377\377\377\377", column > 0 ? 6 : 2);
    assert_int_equal(out.len, before + n + 4 * (size_t)(SOURCE_COLUMNS - 1 - (int)column) + 12);
    assert_memory_equal(out.data + before, expected, n);
    buf_free(&out);
    buf_free(&scratch);
}

static void values_are_postgresqls(void **state)
{
    (void)state;
    assert_bytes(SOURCE_ORDER_ID, "-2", BYTES("\0\0\0\10\377\377\377\377\377\377\377\376"));
    assert_bytes(SOURCE_YEAR, "2025", BYTES("\0\0\0\4\0\0\7\351"));
    assert_bytes(SOURCE_ORDER_DATE, "2000-01-01 00:00:01", BYTES("\0\0\0\10\0\0\0\0\0\17\102\100"));
    assert_bytes(SOURCE_LATITUDE, "-0.5", BYTES("\0\0\0\10\277\340\0\0\0\0\0\0"));
    assert_bytes(SOURCE_LATITUDE, "-0", BYTES("\0\0\0\10\0\0\0\0\0\0\0\0"));
    assert_bytes(SOURCE_SKU, "a\\b", BYTES("\0\0\0\3a\\b"));
    assert_bytes(SOURCE_SKU, "", BYTES("\0\0\0\0"));
}

/* Length, digits, power of the first, sign, decimals, digits of base 10000. */
static void amounts_are_postgresqls(void **state)
{
    (void)state;
    assert_bytes(SOURCE_LINE_ITEM_SALES, "0", BYTES("\0\0\0\12\0\1\377\377\0\0\0\2\0\0"));
    assert_bytes(SOURCE_LINE_ITEM_SALES, "0.05", BYTES("\0\0\0\12\0\1\377\377\0\0\0\2\1\364"));
    assert_bytes(SOURCE_LINE_ITEM_SALES, "7.5", BYTES("\0\0\0\14\0\2\0\0\0\0\0\2\0\7\23\210"));
    assert_bytes(SOURCE_LINE_ITEM_SALES, "-10000.01", BYTES("\0\0\0\16\0\3\0\1\100\0\0\2\0\1\0\0\0\144"));
    assert_bytes(SOURCE_LINE_ITEM_SALES, "9999999999999999.99",
                 BYTES("\0\0\0\22\0\5\0\3\0\0\0\2\47\17\47\17\47\17\47\17\46\254"));
}

static void hashes_are_of_one_spelling(void **state)
{
    (void)state;
    struct source_row a = { .line_number = 1 }, b = { .line_number = 2 };
    struct buf scratch;

    buf_init(&scratch, 4096);
    a.values[SOURCE_LINE_ITEM_SALES] = str_from("7.5");
    b.values[SOURCE_LINE_ITEM_SALES] = str_from("007.500");
    assert_int_equal(sync_row_hash(&scratch, &a), sync_row_hash(&scratch, &b));
    b.values[SOURCE_LINE_ITEM_SALES] = str_from("7.51");
    assert_int_not_equal(sync_row_hash(&scratch, &a), sync_row_hash(&scratch, &b));
    b = a;
    b.values[SOURCE_SKU] = str_from(""); /* not null */
    assert_int_not_equal(sync_row_hash(&scratch, &a), sync_row_hash(&scratch, &b));
    buf_free(&scratch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_postgresqls),
        cmocka_unit_test(amounts_are_postgresqls),
        cmocka_unit_test(hashes_are_of_one_spelling),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
