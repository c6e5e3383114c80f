/*
 * Who accepts gzip, and that what he gets is what was said.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "api/gzip.h"
#include "base/rng.h"

#define LARGE 3000000

static void test_who_accepts(void **state)
{
    static const struct {
        const char *header;
        bool accepted;
    } cases[] = {
        { "gzip", true },
        { "GZip", true },
        { "x-gzip", true },
        { "deflate, gzip, br", true },
        { "gzip;q=1.0, identity;q=0.5", true },
        { "gzip; q=0.001", true },
        { "*", true },
        { "br, *;q=0.1", true },
        { "identity;q=0, gzip", true },
        { "gzip;q=0.5, identity;q=0.5", true },
        { "", false },
        { ",", false },
        { "identity", false },
        { "br, deflate", false },
        { "gzip;q=0", false },
        { "gzip;q=0.000", false },
        { "*;q=0", false },
        { "gzip;q=0, *", false },
        { "gzip;q=0.5, identity", false },
        { "gzip;q=2", false },
        { "gzip;q=1.001", false },
        { "gzip;q=-1", false },
        { "gzip;q=", false },
        { "gzip;q=0.1234", false },
        { "gzip;q=1x", false },
        { "gzipped", false },
        { "notgzip", false },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (gzip_accepted(str_from(cases[i].header)) != cases[i].accepted)
            fail_msg("%s", cases[i].header);
    }
    assert_false(gzip_accepted(STR_NONE));
}

static void expect_round_trip(struct str packed, struct str body)
{
    z_stream s = { 0 };
    char *out = malloc(body.len + 1);

    assert_non_null(out);
    assert_int_equal(inflateInit2(&s, 15 + 16), Z_OK);
    s.next_in = (Bytef *)(uintptr_t)packed.p;
    s.avail_in = (uInt)packed.len;
    s.next_out = (Bytef *)out;
    s.avail_out = (uInt)body.len + 1;
    assert_int_equal(inflate(&s, Z_FINISH), Z_STREAM_END);
    assert_int_equal(s.total_out, body.len);
    assert_int_equal(s.avail_in, 0);
    assert_memory_equal(out, body.p, body.len);
    inflateEnd(&s);
    free(out);
}

static void test_bodies(void **state)
{
    struct gzip *g = gzip_new(LARGE);
    char *text = malloc(LARGE);

    (void)state;
    assert_non_null(g);
    assert_non_null(text);
    for (size_t i = 0; i < LARGE; i++)
        text[i] = "{\"customer_id\":"[i % 15];
    for (size_t n = GZIP_LEAST_BYTES; n <= LARGE; n = n * 3 + 1) {
        struct str body = { text, n }, packed = gzip_body(g, body);

        assert_true(packed.len > 0 && packed.len < n / 2);
        expect_round_trip(packed, body);
    }
    gzip_trim(g, 1024);
    expect_round_trip(gzip_body(g, (struct str){ text, 5000 }), (struct str){ text, 5000 });
    free(text);
    gzip_free(g);
}

static void test_what_does_not_shrink_stays(void **state)
{
    struct gzip *g = gzip_new(LARGE);
    uint64_t noise[512];

    (void)state;
    rng_seed();
    for (size_t i = 0; i < 512; i++)
        noise[i] = rng_u64();
    assert_int_equal(gzip_body(g, (struct str){ (const char *)noise, sizeof(noise) }).len, 0);
    gzip_free(g);
    g = gzip_new(2000); /* a larger body does not fit */
    memset(noise, 'x', sizeof(noise));
    assert_int_equal(gzip_body(g, (struct str){ (const char *)noise, sizeof(noise) }).len, 0);
    assert_true(gzip_body(g, (struct str){ (const char *)noise, 1500 }).len > 0);
    gzip_free(g);
    gzip_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_who_accepts),
        cmocka_unit_test(test_bodies),
        cmocka_unit_test(test_what_does_not_shrink_stays),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
