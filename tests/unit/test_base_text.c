/* str, buf, utf8, arena: slices, conversions, ceilings. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/str.h"
#include "base/utf8.h"

static void assert_str(struct str s, const char *expected)
{
    assert_int_equal(s.len, strlen(expected));
    assert_memory_equal(s.p, expected, s.len);
}

static void compares_and_trims(void **state)
{
    (void)state;
    assert_true(str_eq(STR_NONE, STR_LIT("")));
    assert_true(str_eq_lit(STR_LIT("abc"), "abc"));
    assert_false(str_eq_lit(STR_LIT("abc"), "abd"));
    assert_true(str_ieq(STR_LIT("Content-LENGTH"), "content-length"));
    assert_false(str_ieq(STR_LIT("a"), "ab"));
    assert_false(str_ieq(STR_LIT("["), "{")); /* 0x20 apart, no letters */
    assert_true(str_starts(STR_LIT("abc"), ""));
    assert_true(str_starts(STR_LIT("abc"), "ab"));
    assert_false(str_starts(STR_LIT("ab"), "abc"));
    assert_str(str_trim(STR_LIT(" \t a b\t ")), "a b");
    assert_str(str_trim(STR_LIT("  \t ")), "");
    assert_int_equal(str_from(NULL).len, 0);
    assert_true(str_eq_secret(STR_LIT("secret"), STR_LIT("secret")));
    assert_false(str_eq_secret(STR_LIT("secret"), STR_LIT("secreT")));
    assert_false(str_eq_secret(STR_LIT("secret"), STR_LIT("secre")));
}

static void splits(void **state)
{
    (void)state;
    struct str rest = STR_LIT("a,,b,"), piece;
    const char *const expected[] = { "a", "", "b", "" };

    for (size_t i = 0; i < 4; i++) {
        assert_true(str_split(&rest, ',', &piece));
        assert_str(piece, expected[i]);
    }
    assert_false(str_split(&rest, ',', &piece));

    rest = STR_LIT("");
    assert_true(str_split(&rest, ',', &piece));
    assert_false(str_split(&rest, ',', &piece));
    rest = STR_NONE;
    assert_false(str_split(&rest, ',', &piece));
}

static void copies_and_terminates(void **state)
{
    (void)state;
    char dst[4] = "xxx";

    assert_true(str_copy(dst, sizeof(dst), STR_LIT("abc")));
    assert_string_equal(dst, "abc");
    assert_false(str_copy(dst, sizeof(dst), STR_LIT("abcd")));
    assert_string_equal(dst, "abc");
    assert_true(str_copy(dst, sizeof(dst), STR_NONE));
    assert_string_equal(dst, "");
    assert_false(str_copy(dst, 0, STR_LIT("")));
}

static void parses_integers(void **state)
{
    (void)state;
    static const char *const wrong[] = { "", "-", "+", " 1", "1 ", "1a", "--1", "9223372036854775808", "0x1", "1.0" };
    int64_t i = 7;
    uint64_t u = 7;

    for (size_t k = 0; k < sizeof(wrong) / sizeof(wrong[0]); k++)
        assert_false(str_to_i64(str_from(wrong[k]), &i));
    assert_false(str_to_i64(STR_NONE, &i));
    assert_false(str_to_i64(STR_LIT("-9223372036854775809"), &i));
    assert_int_equal(i, 7);
    assert_true(str_to_i64(STR_LIT("-9223372036854775808"), &i));
    assert_true(i == INT64_MIN);
    assert_true(str_to_i64(STR_LIT("+9223372036854775807"), &i));
    assert_true(i == INT64_MAX);
    assert_true(str_to_i64(STR_LIT("-0"), &i));
    assert_true(i == 0);
    assert_true(str_to_u64(STR_LIT("18446744073709551615"), &u));
    assert_true(u == UINT64_MAX);
    assert_false(str_to_u64(STR_LIT("18446744073709551616"), &u));
    assert_false(str_to_u64(STR_LIT("+1"), &u));
}

static void parses_doubles_and_booleans(void **state)
{
    (void)state;
    static const char *const wrong[] = { "",    ".",     "-",  "1e",  "1e+",   "nan",
                                         "inf", "0x1p3", " 1", "1,5", "1e999", "1..2" };
    double d = 0;
    bool b = false;

    for (size_t k = 0; k < sizeof(wrong) / sizeof(wrong[0]); k++)
        assert_false(str_to_double(str_from(wrong[k]), &d));
    assert_true(str_to_double(STR_LIT("-1.5e-3"), &d));
    assert_true(d == -1.5e-3);
    assert_true(str_to_double(STR_LIT(".5"), &d));
    assert_true(d == 0.5);
    assert_true(str_to_double(STR_LIT("5."), &d));
    assert_true(d == 5);
    /* The slice ends before the rest of the array does. */
    assert_true(str_to_double((struct str){ "1234", 2 }, &d));
    assert_true(d == 12);

    assert_true(str_to_bool(STR_LIT("Yes"), &b) && b);
    assert_true(str_to_bool(STR_LIT("OFF"), &b) && !b);
    assert_true(str_to_bool(STR_LIT("1"), &b) && b);
    assert_false(str_to_bool(STR_LIT(""), &b));
    assert_false(str_to_bool(STR_LIT("yess"), &b));
}

static void parses_cents_half_to_even(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t cents;
    } right[] = {
        { "0", 0 },
        { "12", 1200 },
        { "12.", 1200 },
        { ".5", 50 },
        { "-12.345", -1234 },
        { "12.355", 1236 },
        { "12.3450", 1234 },
        { "12.34501", 1235 },
        { "0.005", 0 },
        { "0.015", 2 },
        { "-0.01", -1 },
        { "0.999", 100 },
        { "+7.1", 710 },
        { "0.0049999", 0 },
        { "000000000000000000000001.5", 150 },
        { "92000000000000000", 9200000000000000000 },
        { "-92000000000000000.00", -9200000000000000000 },
    };
    static const char *const wrong[] = {
        "",      ".", "-", "1.2.3", "1,2", "1e3", " 1", "1 ", "92000000000000000.01", "99999999999999999999999999",
        "12.5.", "$5"
    };
    int64_t cents = 0;

    for (size_t k = 0; k < sizeof(right) / sizeof(right[0]); k++) {
        assert_true(str_to_cents(str_from(right[k].text), &cents));
        assert_true(cents == right[k].cents);
    }
    for (size_t k = 0; k < sizeof(wrong) / sizeof(wrong[0]); k++)
        assert_false(str_to_cents(str_from(wrong[k]), &cents));
}

static void base64url_round_trips(void **state)
{
    (void)state;
    static const char *const texts[] = { "", "Zg", "Zm8", "Zm9v", "Zm9vYg", "Zm9vYmE", "Zm9vYmFy" };
    static const char *const wrong[] = { "Z", "Zm9vY", "Zg==", "Zh", "Zm9", "Zm+v", "Zm/v", "Zm v" };
    char text[16], hex[9];
    uint8_t bytes[8], high[] = { 0xfb, 0xff, 0xbf };

    for (size_t n = 0; n <= 6; n++) {
        assert_int_equal(str_base64url(text, (const uint8_t *)"foobar", n), strlen(texts[n]));
        assert_string_equal(text, texts[n]);
        assert_int_equal(str_base64url_decode(bytes, n, str_from(texts[n])), n);
        assert_memory_equal(bytes, "foobar", n);
        if (n > 0)
            assert_int_equal(str_base64url_decode(bytes, n - 1, str_from(texts[n])), -1);
    }
    for (size_t k = 0; k < sizeof(wrong) / sizeof(wrong[0]); k++)
        assert_int_equal(str_base64url_decode(bytes, sizeof(bytes), str_from(wrong[k])), -1);
    str_base64url(text, high, 3);
    assert_string_equal(text, "-_-_");
    str_hex(hex, high, 3);
    assert_string_equal(hex, "fbffbf");
}

static void percents_are_decoded(void **state)
{
    (void)state;
    static const char *const wrong[] = { "%", "%4", "a%", "%4g", "%g4", "%%41", "%00", "a%2" };
    char text[8];

    assert_true(str_percent_decode(text, sizeof(text), STR_LIT("a%40%3a%2F+")));
    assert_string_equal(text, "a@:/+");
    assert_true(str_percent_decode(text, sizeof(text), STR_NONE));
    assert_string_equal(text, "");
    assert_true(str_percent_decode(text, sizeof(text), STR_LIT("%ff12345%25")));
    assert_string_equal(text, "\xff"
                              "12345%");
    assert_false(str_percent_decode(text, sizeof(text), STR_LIT("12345678")));
    assert_false(str_percent_decode(text, 0, STR_NONE));
    for (size_t k = 0; k < sizeof(wrong) / sizeof(wrong[0]); k++)
        assert_false(str_percent_decode(text, sizeof(text), str_from(wrong[k])));
    assert_false(
        str_percent_decode(text, sizeof(text), (struct str){ "%41", 2 })); /* nothing is read behind the end */
}

static void utf8_is_strict(void **state)
{
    (void)state;
    static const char *const valid[] = { "",
                                         "plain ascii, longer than eight",
                                         "\xc2\x80",
                                         "\xdf\xbf",
                                         "\xe0\xa0\x80",
                                         "\xed\x9f\xbf",
                                         "\xee\x80\x80",
                                         "\xf0\x90\x80\x80",
                                         "\xf4\x8f\xbf\xbf",
                                         "12345678\xe2\x82\xac" };
    static const char *const invalid[] = {
        "\x80",         "\xc0\x80",         "\xc1\xbf",         "\xe0\x80\x80",     "\xe0\x9f\xbf", "\xed\xa0\x80",
        "\xed\xbf\xbf", "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff",         "\xc2",
        "\xe2\x82",     "\xf0\x90\x80",     "\xe2\x28\xa1",     "12345678\xe2\x82", "\xc2\xc2"
    };

    for (size_t k = 0; k < sizeof(valid) / sizeof(valid[0]); k++)
        assert_true(utf8_valid(str_from(valid[k])));
    for (size_t k = 0; k < sizeof(invalid) / sizeof(invalid[0]); k++)
        assert_false(utf8_valid(str_from(invalid[k])));
    assert_int_equal(utf8_length(STR_LIT("a\xe2\x82\xac\xf0\x90\x80\x80")), 3);
    assert_int_equal(utf8_first(STR_NONE), 0);
    assert_int_equal(utf8_first(STR_LIT("az")), 'a');
    assert_int_equal(utf8_first(STR_LIT("\xc3\xa9z")), 0xe9);
    assert_int_equal(utf8_first(STR_LIT("\xe2\x82\xac")), 0x20ac);
    assert_int_equal(utf8_first(STR_LIT("\xf0\x90\x80\x81")), 0x10001);
}

static void utf8_is_mended(void **state)
{
    static const struct {
        const char *broken, *mended;
    } cases[] = {
        { "", "" },
        { "a\xc3\xa9\xe2\x82\xac", "a\xc3\xa9\xe2\x82\xac" },
        { "\xc3\xa9\xc3", "\xc3\xa9?" },
        { "a\xe2\x82", "a??" },
        { "\xff\xc3\xa9\xa9z", "?\xc3\xa9?z" },
    };

    (void)state;
    for (size_t k = 0; k < sizeof(cases) / sizeof(cases[0]); k++) {
        char text[16];

        assert_true(str_copy(text, sizeof(text), str_from(cases[k].broken)));
        utf8_mend(text);
        assert_string_equal(text, cases[k].mended);
    }
}

static void buf_grows_to_its_ceiling(void **state)
{
    (void)state;
    struct buf b;

    buf_init(&b, 300);
    assert_string_equal(buf_cstr(&b), "");
    for (int i = 0; i < 300; i++)
        buf_add_char(&b, 'x');
    assert_false(b.failed);
    assert_int_equal(strlen(buf_cstr(&b)), 300);
    buf_add_char(&b, 'y');
    assert_true(b.failed);
    assert_int_equal(b.len, 300);
    assert_null(buf_cstr(&b));
    b.len = 10;
    buf_add_char(&b, 'y'); /* once failed, always failed */
    assert_int_equal(b.len, 10);

    buf_reset(&b);
    buf_add_cstr(&b, "n=");
    buf_add_i64(&b, INT64_MIN);
    buf_add_char(&b, ' ');
    buf_add_u64(&b, UINT64_MAX);
    buf_printf(&b, " %s-%d", "z", 5);
    assert_string_equal(buf_cstr(&b), "n=-9223372036854775808 18446744073709551615 z-5");
    assert_int_equal(buf_str(&b).len, strlen(buf_cstr(&b)));
    assert_false(buf_reserve(&b, SIZE_MAX));
    assert_true(b.failed);
    buf_free(&b);

    struct buf zeroed = { .max_bytes = 4 };
    buf_printf(&zeroed, "%d", 12345);
    assert_true(zeroed.failed);
    assert_int_equal(zeroed.len, 0);
    buf_free(&zeroed);
}

static void buf_of_no_bytes(void **state)
{
    (void)state;
    struct buf b = { .max_bytes = 0 };

    assert_string_equal(buf_cstr(&b), "");
    buf_add(&b, NULL, 0);
    assert_false(b.failed);
    buf_add_char(&b, 'x');
    assert_true(b.failed);
    buf_free(&b);
}

static void arena_counts_and_keeps_a_block(void **state)
{
    (void)state;
    struct arena a;

    arena_init(&a, 100000);
    char *first = arena_alloc(&a, 1);
    assert_int_equal((uintptr_t)first % 16, 0);
    assert_int_equal(a.used_bytes, 16);
    assert_string_equal(arena_strdup(&a, STR_LIT("hello")), "hello");
    assert_string_equal(arena_printf(&a, "%d-%s", 5, "x"), "5-x");
    unsigned char *zero = arena_calloc(&a, 100, 30);
    for (size_t i = 0; i < 3000; i++)
        assert_int_equal(zero[i], 0);
    for (int i = 0; i < 50; i++)
        memset(arena_alloc(&a, 1000), 1, 1000);
    arena_reset(&a);
    assert_int_equal(a.used_bytes, 0);

    struct arena_block *kept = a.blocks;
    assert_non_null(kept);
    arena_alloc(&a, 100);
    assert_ptr_equal(a.blocks, kept);
    arena_free(&a);
    assert_null(a.blocks);
}

static void arena_stops_at_its_cap(void **state)
{
    (void)state;
    struct arena a;

    arena_init(&a, 1024);
    assert_non_null(arena_alloc(&a, 1000));
    assert_false(a.exhausted);
    assert_null(arena_alloc(&a, 32));
    assert_true(a.exhausted);
    assert_non_null(arena_alloc(&a, 16)); /* what still fits is given */
    assert_true(a.exhausted);
    arena_reset(&a);
    assert_false(a.exhausted);
    assert_null(arena_alloc(&a, SIZE_MAX));
    assert_null(arena_calloc(&a, SIZE_MAX / 2, 3));
    assert_null(arena_printf(&a, "%2000d", 1));
    assert_int_equal(a.used_bytes, 0);
    arena_free(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(compares_and_trims),
        cmocka_unit_test(splits),
        cmocka_unit_test(copies_and_terminates),
        cmocka_unit_test(parses_integers),
        cmocka_unit_test(parses_doubles_and_booleans),
        cmocka_unit_test(parses_cents_half_to_even),
        cmocka_unit_test(base64url_round_trips),
        cmocka_unit_test(percents_are_decoded),
        cmocka_unit_test(utf8_is_strict),
        cmocka_unit_test(utf8_is_mended),
        cmocka_unit_test(buf_grows_to_its_ceiling),
        cmocka_unit_test(buf_of_no_bytes),
        cmocka_unit_test(arena_counts_and_keeps_a_block),
        cmocka_unit_test(arena_stops_at_its_cap),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
