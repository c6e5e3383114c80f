/* fmt, clock, hash, rng, log: numbers, days, digests, lines. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fmt.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/rng.h"

static void assert_fixed(double v, int decimals, const char *expected)
{
    char text[FMT_MAX + 1];

    text[fmt_fixed(text, v, decimals)] = '\0';
    assert_string_equal(text, expected);
}

static void formats_integers_and_cents(void **state)
{
    (void)state;
    static const int64_t values[] = { 0, 9, 10, 99, 100, 12345, -1, INT64_MAX, INT64_MIN };
    static const struct {
        int64_t cents;
        const char *json, *text;
    } money[] = { { 0, "0.0", "0.00" },
                  { 500, "5.0", "5.00" },
                  { 3328, "33.28", "33.28" },
                  { -5, "-0.05", "-0.05" },
                  { 10, "0.1", "0.10" },
                  { -100, "-1.0", "-1.00" },
                  { 521040, "5210.4", "5210.40" },
                  { INT64_MIN, "-92233720368547758.08", "-92233720368547758.08" } };
    char text[FMT_MAX + 1], expected[FMT_MAX];

    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        text[fmt_i64(text, values[i])] = '\0';
        snprintf(expected, sizeof(expected), "%lld", (long long)values[i]);
        assert_string_equal(text, expected);
    }
    text[fmt_u64(text, UINT64_MAX)] = '\0';
    assert_string_equal(text, "18446744073709551615");
    for (size_t i = 0; i < sizeof(money) / sizeof(money[0]); i++) {
        text[fmt_cents(text, money[i].cents)] = '\0';
        assert_string_equal(text, money[i].json);
        text[fmt_cents_text(text, money[i].cents)] = '\0';
        assert_string_equal(text, money[i].text);
    }
}

static void rounds_half_to_even_on_the_text(void **state)
{
    (void)state;
    assert_fixed(2.675, 2, "2.68"); /* binary below the tie, text on it: 7 is odd */
    assert_fixed(2.665, 2, "2.66");
    assert_fixed(1.005, 2, "1.0"); /* binary below, 0 is even */
    assert_fixed(0.125, 2, "0.12");
    assert_fixed(0.375, 2, "0.38");
    assert_fixed(0.5, 0, "0.0");
    assert_fixed(1.5, 0, "2.0");
    assert_fixed(0.00005, 4, "0.0");
    assert_fixed(0.00015, 4, "0.0002");
    assert_fixed(0.12345, 4, "0.1234");
    assert_fixed(0.81065, 4, "0.8106");
    assert_fixed(0.99995, 4, "1.0");
    assert_fixed(9.9999999, 6, "10.0");
    assert_fixed(nextafter(0.125, 1), 2, "0.13");
    assert_fixed(nextafter(0.375, 0), 2, "0.37");
}

static void prints_fixed(void **state)
{
    (void)state;
    assert_fixed(0, 4, "0.0");
    assert_fixed(-0.0, 2, "0.0");
    assert_fixed(-0.001, 2, "0.0");
    assert_fixed(-0.5, 2, "-0.5");
    assert_fixed(106, 1, "106.0");
    assert_fixed(0.1 + 0.2, 2, "0.3");
    assert_fixed(0.7853, 4, "0.7853");
    assert_fixed(123456789012.345678, 6, "123456789012.34567");
    assert_fixed(999999999999999.0, 2, "999999999999999.0");
    assert_fixed(999999999999999.875, 2, "999999999999999.9"); /* its shortest text */
    assert_fixed(1e15, 2, "1000000000000000");
    assert_fixed(-1e22, 2, "-1e+22");
    assert_fixed(5e-324, 6, "0.0");
    assert_fixed(NAN, 2, "0.0");
    assert_fixed(-INFINITY, 2, "0.0");
    assert_fixed(0.25, 99, "0.25");
    assert_fixed(1.75, -3, "2.0");
}

/* The shortest text, rounded by hand as a decimal string; slow and simple. */
static double round_reference(double v, int decimals)
{
    char text[64], digits[64];
    int n = 0;

    for (int precision = 14; precision < 17; precision++) {
        snprintf(text, sizeof(text), "%.*e", precision, v);
        if (strtod(text, NULL) == v)
            break;
    }
    char *e = strchr(text, 'e');
    for (char *p = text; p < e; p++)
        if (*p != '.')
            digits[n++] = *p;
    digits[n] = '\0';
    int exponent = atoi(e + 1) + 1 + decimals; /* digits kept */
    char kept[64] = "0";
    if (exponent > n)
        return v;
    if (exponent > 0)
        snprintf(kept, sizeof(kept), "%.*s", exponent, digits);
    unsigned long long units = exponent < 0 ? 0 : strtoull(kept, NULL, 10);
    if (exponent >= 0) {
        int half = strncmp(digits + exponent, "50000000000000000000", (size_t)(n - exponent));
        units += half > 0 || (half == 0 && exponent < n && (units & 1) != 0);
    }
    snprintf(text, sizeof(text), "%llue-%d", units, decimals);
    return strtod(text, NULL);
}

static void rounding_agrees_with_the_reference(void **state)
{
    (void)state;
    for (int i = 0; i < 200000; i++) {
        int decimals = (int)rng_below(7);
        double v = (double)rng_below(2000000) / pow(10, (double)rng_below(8)); /* many ties */
        if (i % 4 == 0)
            v = rng_unit() * pow(10, (double)rng_below(9));
        double expected = round_reference(v, decimals);
        char text[FMT_MAX + 1];
        text[fmt_fixed(text, v, decimals)] = '\0';
        if (fmt_round(v, decimals) != expected || strtod(text, NULL) != expected ||
            fmt_round(-v, decimals) != -expected)
            fail_msg("%.17g to %d decimals: %s, expected %.17g", v, decimals, text, expected);
    }
    assert_true(fmt_round(2.675, 2) == 2.68);
    assert_true(fmt_round(NAN, 2) == 0);
    assert_true(fmt_round(1e300, 2) == 1e300);
}

static void doubles_read_back(void **state)
{
    (void)state;
    static const struct {
        double v;
        const char *text;
    } known[] = { { 0, "0" },
                  { -0.0, "-0" },
                  { 0.1, "0.1" },
                  { 5, "5" },
                  { 1e22, "1e+22" },
                  { -1.5, "-1.5" },
                  { 1.0 / 3, "0.3333333333333333" },
                  { NAN, "0" } };
    char text[FMT_MAX + 1];

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        text[fmt_double(text, known[i].v)] = '\0';
        assert_string_equal(text, known[i].text);
    }
    for (int i = 0; i < 20000; i++) {
        uint64_t bits = rng_u64();
        double v;
        memcpy(&v, &bits, sizeof(v));
        if (!isfinite(v))
            continue;
        text[fmt_double(text, v)] = '\0';
        assert_true(strtod(text, NULL) == v);
    }
    for (int i = 0; i < 20000; i++) { /* the shorter way for few decimals says what printf says */
        char expected[FMT_MAX + 1];
        double v = (double)(int64_t)(rng_u64() >> (15 + i % 45)) / (i % 2 ? 1e6 : -1e6);
        text[fmt_double(text, v)] = '\0';
        snprintf(expected, sizeof(expected), "%.15g", v);
        assert_string_equal(text, expected);
    }
}

static void floats_read_back(void **state)
{
    (void)state;
    static const float known[] = { 0.25F,          1,     -1, 0.1F, 123456.789F, 9.99999F, 99999.99F, 3.4028235e38F,
                                   1.1754944e-38F, 1e-45F };
    char text[FMT_MAX + 1];

    text[fmt_float(text, 0.25F)] = '\0';
    assert_string_equal(text, "250000000e-9");
    text[fmt_float(text, -0.0F)] = '\0';
    assert_string_equal(text, "0");
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        text[fmt_float(text, known[i])] = '\0';
        assert_true(strtof(text, NULL) == known[i]);
    }
    for (int i = 0; i < 200000; i++) {
        uint32_t bits = (uint32_t)rng_u64();
        float v;
        memcpy(&v, &bits, sizeof(v));
        if (!isfinite(v))
            continue;
        text[fmt_float(text, v)] = '\0';
        assert_true(strtof(text, NULL) == v);
    }
}

static void days_are_civil(void **state)
{
    (void)state;
    int y, m, d;

    assert_int_equal(clock_day_of(1970, 1, 1), 0);
    assert_int_equal(clock_day_of(2000, 2, 29), 11016);
    assert_int_equal(clock_day_of(1, 1, 1), -719162);
    assert_int_equal(clock_day_of(9999, 12, 31), 2932896);
    assert_int_equal(clock_weekday_of(0), 3);
    assert_int_equal(clock_weekday_of(-4), 6);
    assert_int_equal(clock_weekday_of(clock_day_of(2025, 11, 3)), 0);

    int32_t expected = clock_day_of(1, 1, 1);
    for (y = 1; y <= 9999; y += y < 1890 || y > 2110 ? 37 : 1)
        for (m = 1; m <= 12; m++) {
            int y2, m2, d2;
            clock_civil_of(clock_day_of(y, m, 1) - 1, &y2, &m2, &d2);
            assert_int_equal(m2, m == 1 ? 12 : m - 1);
            assert_true(d2 >= 28 && d2 <= 31);
        }
    for (int32_t day = expected; day <= expected + 800; day++) {
        clock_civil_of(day, &y, &m, &d);
        assert_int_equal(clock_day_of(y, m, d), day);
    }
    clock_civil_of(INT32_MIN, &y, &m, &d);
    assert_true(y == -5877641 && m == 6 && d == 23);
    clock_civil_of(INT32_MAX, &y, &m, &d);
    assert_true(y == 5881580 && m == 7 && d == 11);
}

static void parses_days_strictly(void **state)
{
    (void)state;
    static const char *const wrong[] = { "",           "2025-1-01",  "2025-13-01", "2025-00-10", "2025-02-29",
                                         "1900-02-29", "0000-01-01", "2025-04-31", "2025-01-00", "2025-01-01 ",
                                         "+025-01-01", "2025/01/01", "20250101",   "12025-01-01" };
    char text[CLOCK_DAY_SIZE];
    int32_t day = 0;

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_false(clock_parse_day(str_from(wrong[i]), &day));
    assert_true(clock_parse_day(STR_LIT("2024-02-29"), &day));
    assert_string_equal(clock_format_day(text, day), "2024-02-29");
    assert_true(clock_parse_day(STR_LIT("2000-02-29"), &day));
    assert_true(clock_parse_day(STR_LIT("0001-01-01"), &day));
    assert_string_equal(clock_format_day(text, day), "0001-01-01");
    assert_true(clock_parse_day(STR_LIT("9999-12-31"), &day));
    assert_string_equal(clock_format_day(text, day), "9999-12-31");
    assert_string_equal(clock_format_day(text, CLOCK_NO_DAY), "0001-01-01");
    assert_string_equal(clock_format_day(text, INT32_MAX), "9999-12-31");
}

static void parses_and_prints_times(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "2025-11-03T",         "2025-11-03T24:00:00",  "2025-11-03T08:60:00",
        "2025-11-03T08:15",    "2025-11-03T08:15:30.", "2025-11-03T08:15:30.1234567890",
        "2025-11-03T08:15:60", "2025-11-03Z",          "2025-11-03T08:15:30+01:00",
        "2025-11-03t08:15:30", "2025-11-03T08:15:30ZZ"
    };
    char text[CLOCK_TIME_SIZE];
    int64_t us = 0, again = 0;

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_false(clock_parse_time(str_from(wrong[i]), &us));
    assert_true(clock_parse_time(STR_LIT("2025-11-03T08:15:30.654425Z"), &us));
    assert_true(us == 1762157730654425);
    assert_string_equal(clock_format_us(text, us), "2025-11-03T08:15:30.654425Z");
    assert_string_equal(clock_format_seconds(text, us), "2025-11-03T08:15:30Z");
    assert_true(clock_parse_time(STR_LIT("2025-11-03 08:15:30.6544259"), &again));
    assert_true(again == us);
    assert_true(clock_parse_time(STR_LIT("2025-11-03 08:15:30.5"), &again));
    assert_true(again == us - 154425);
    assert_true(clock_parse_time(STR_LIT("1970-01-02"), &us));
    assert_true(us == 86400000000);
    assert_string_equal(clock_format_us(text, -1), "1969-12-31T23:59:59.999999Z");
    assert_string_equal(clock_format_us(text, 0), "1970-01-01T00:00:00.000000Z");
    clock_format_us(text, INT64_MIN);
    assert_int_equal(strlen(text), CLOCK_TIME_SIZE - 1);
    clock_format_us(text, INT64_MAX);
    assert_int_equal(strlen(text), CLOCK_TIME_SIZE - 1);
}

static void clocks_run(void **state)
{
    (void)state;
    uint64_t before = clock_mono_ns(), after = clock_mono_ns(), coarse;

    assert_true(after >= before);
    coarse = clock_coarse_ns();
    assert_true(coarse <= clock_mono_ns());
    assert_true(clock_wall_us() > 1700000000000000);
    assert_true(clock_today() > 19000);
}

static void digests_match_published_vectors(void **state)
{
    (void)state;
    char hex[HASH_SHA256_HEX];
    uint8_t mac[HASH_SHA256_BYTES], key[16], input[15];
    static const char jefe[] = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";

    hash_sha256_hex(hex, "abc", 3);
    assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    hash_sha256_hex(hex, NULL, 0);
    assert_string_equal(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    hash_hmac_sha256(mac, "Jefe", 4, "what do ya want for nothing?", 28);
    str_hex(hex, mac, sizeof(mac));
    assert_string_equal(hex, jefe);

    for (uint8_t i = 0; i < 16; i++)
        key[i] = i;
    for (uint8_t i = 0; i < 15; i++)
        input[i] = i;
    assert_true(hash_sip(key, input, 0) == 0x726fdb47dd0e0e31ULL);
    assert_true(hash_sip(key, input, 8) == 0x93f5f5799a932462ULL);
    assert_true(hash_sip(key, input, 15) == 0xa129ca6149be45e5ULL);
}

static void checksum_sees_every_bit(void **state)
{
    (void)state;
    unsigned char data[67];

    for (size_t i = 0; i < sizeof(data); i++)
        data[i] = (unsigned char)(i * 7);
    uint64_t whole = hash_fast(0, data, sizeof(data));
    /* Fixed for ever: population files carry it. */
    assert_true(whole == 0x7a76903358109983ULL);
    assert_true(hash_fast(0, "", 0) != hash_fast(0, "\0", 1));
    assert_true(hash_fast(0, "\0", 1) != hash_fast(0, "\0\0", 2));
    assert_true(hash_fast(1, data, 8) != hash_fast(2, data, 8));
    for (size_t bit = 0; bit < sizeof(data) * 8; bit++) {
        data[bit / 8] ^= (unsigned char)(1U << bit % 8);
        assert_true(hash_fast(0, data, sizeof(data)) != whole);
        data[bit / 8] ^= (unsigned char)(1U << bit % 8);
    }
    /* The highest bits of two words of one lane do not cancel. */
    data[7] ^= 0x80;
    data[39] ^= 0x80;
    assert_true(hash_fast(0, data, sizeof(data)) != whole);
    assert_true(hash_u64(1) != hash_u64(2));
}

static void random_numbers(void **state)
{
    (void)state;
    char a[RNG_UUID_SIZE], b[RNG_UUID_SIZE];
    unsigned seen[3] = { 0 };
    uint8_t secret[300] = { 0 };

    for (int i = 0; i < 30000; i++) {
        uint64_t v = rng_below(3);
        assert_true(v < 3);
        seen[v]++;
        double u = rng_unit();
        assert_true(u >= 0 && u < 1);
    }
    for (size_t i = 0; i < 3; i++)
        assert_in_range(seen[i], 9000, 11000);
    assert_true(rng_below(1) == 0);

    rng_uuid4(a);
    rng_seed();
    rng_uuid4(b);
    assert_string_not_equal(a, b);
    assert_int_equal(strlen(a), 36);
    assert_int_equal(a[14], '4');
    assert_non_null(strchr("89ab", a[19]));
    assert_int_equal(a[8], '-');
    assert_int_equal(a[23], '-');
    assert_true(rng_secret(secret, sizeof(secret)));
    uint8_t any = 0;
    for (size_t i = 256; i < sizeof(secret); i++)
        any |= secret[i];
    assert_true(any != 0);
}

/* What `write` puts on descriptor 2. */
static size_t capture(char *out, size_t size, void (*write_lines)(void))
{
    int fds[2], saved = dup(STDERR_FILENO);

    assert_int_equal(pipe(fds), 0);
    assert_int_equal(fcntl(fds[1], F_SETFL, O_NONBLOCK), 0);
    dup2(fds[1], STDERR_FILENO);
    close(fds[1]);
    write_lines();
    dup2(saved, STDERR_FILENO);
    close(saved);
    ssize_t n = read(fds[0], out, size - 1);
    close(fds[0]);
    assert_true(n >= 0);
    out[n] = '\0';
    return (size_t)n;
}

static void write_some(void)
{
    log_init("worker/0", LOG_LEVEL_INFO, false);
    log_debug("not at this level");
    log_init("worker/0", LOG_LEVEL_DEBUG, true);
    log_debug("x=%d", 5);
    log_raw("a\nb\tc\x7f\x01 \xe2\x82\xac", 11);
}

static void write_long(void)
{
    char line[LOG_LINE_BYTES + 100];

    for (size_t i = 0; i + 2 < sizeof(line); i += 3)
        memcpy(line + i, "\xe2\x82\xac", 3);
    log_raw(line, sizeof(line));
}

static void logs_one_clean_line(void **state)
{
    (void)state;
    char out[2 * LOG_LINE_BYTES];
    enum log_level level;

    capture(out, sizeof(out), write_some);
    assert_string_equal(out, "worker/0: debug: x=5\na b c   \xe2\x82\xac\n");
    assert_true(log_json());
    assert_string_equal(log_role(), "worker/0");

    size_t n = capture(out, sizeof(out), write_long);
    assert_true(n <= LOG_LINE_BYTES);
    assert_int_equal(out[n - 1], '\n');
    assert_int_equal((unsigned char)out[n - 2], 0xac); /* no character cut in the middle */

    assert_true(log_level_parse("Warning", &level) && level == LOG_LEVEL_WARNING);
    assert_false(log_level_parse("verbose", &level));
    assert_string_equal(log_level_name(LOG_LEVEL_CRITICAL), "critical");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(formats_integers_and_cents),
        cmocka_unit_test(rounds_half_to_even_on_the_text),
        cmocka_unit_test(prints_fixed),
        cmocka_unit_test(rounding_agrees_with_the_reference),
        cmocka_unit_test(doubles_read_back),
        cmocka_unit_test(floats_read_back),
        cmocka_unit_test(days_are_civil),
        cmocka_unit_test(parses_days_strictly),
        cmocka_unit_test(parses_and_prints_times),
        cmocka_unit_test(clocks_run),
        cmocka_unit_test(digests_match_published_vectors),
        cmocka_unit_test(checksum_sees_every_bit),
        cmocka_unit_test(random_numbers),
        cmocka_unit_test(logs_one_clean_line),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
