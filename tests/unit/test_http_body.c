/*
 * Chunked bodies, each cut at every byte; percent-encoding and query strings.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "net/http_parse.h"

#define BYTES(s)                                                                                                     \
    {                                                                                                                \
        s, sizeof(s) - 1                                                                                             \
    }

struct decoded {
    int status;
    size_t used, len;
    char bytes[4096];
};

/* Feeds bytes[0..n), which is moved about as the decoder does it, and collects what comes out. */
static void feed(struct http_chunked *c, struct decoded *d, const char *bytes, size_t n)
{
    char *copy = malloc(n > 0 ? n : 1);
    size_t used, decoded;

    memcpy(copy, bytes, n);
    d->status = http_chunked_feed(c, copy, n, &used, &decoded);
    assert_true(used <= n && decoded <= used);
    memcpy(d->bytes + d->len, copy, decoded);
    d->len += decoded;
    d->used += used;
    free(copy);
}

static void decode_cut(struct decoded *d, struct str bytes, size_t cut)
{
    struct http_chunked c;

    http_chunked_init(&c);
    memset(d, 0, sizeof *d);
    feed(&c, d, bytes.p, cut);
    if (d->status == HTTP_PARSE_MORE)
        feed(&c, d, bytes.p + cut, bytes.len - cut);
}

static void decode_bytewise(struct decoded *d, struct str bytes)
{
    struct http_chunked c;

    http_chunked_init(&c);
    memset(d, 0, sizeof *d);
    d->status = HTTP_PARSE_MORE;
    for (size_t i = 0; i < bytes.len && d->status == HTTP_PARSE_MORE; i++)
        feed(&c, d, bytes.p + i, 1);
}

static void chunked(void **state)
{
    static const struct {
        struct str bytes;
        int status;
        const char *body;
        size_t left; /* bytes behind the body */
    } rows[] = {
        { BYTES("0\r\n\r\n"), 0, "", 0 },
        { BYTES("0\r\n\r\nGET / HTTP/1.1\r\n"), 0, "", 16 },
        { BYTES("5\r\nhello\r\n0\r\n\r\n"), 0, "hello", 0 },
        { BYTES("5\r\nhello\r\n6\r\n world\r\n0\r\n\r\nX"), 0, "hello world", 1 },
        { BYTES("00000000000000A\r\n0123456789\r\n0\r\n\r\n"), 0, "0123456789", 0 },
        { BYTES("a\r\n0\r\n\r\n3456\n\r\n0\r\n\r\n"), 0, "0\r\n\r\n3456\n", 0 },
        { BYTES("5;name=value;x=\"y z\"\r\nhello\r\n0;last\r\n\r\n"), 0, "hello", 0 },
        { BYTES("1\r\nh\r\n0\r\nX-Trailer: a\r\nContent-Length: 5\r\n\r\nY"), 0, "h", 1 },
        { BYTES("5\r\nhel"), HTTP_PARSE_MORE, "hel", 0 },
        { BYTES("5\r\nhello\r\n0\r\n"), HTTP_PARSE_MORE, "hello", 0 },
        { BYTES("\r\n0\r\n\r\n"), 400, "", 0 },
        { BYTES("5\nhello\r\n0\r\n\r\n"), 400, "", 0 },
        { BYTES("5\rhello"), 400, "", 0 },
        { BYTES("5\r\nhello0\r\n\r\n"), 400, "hello", 0 },
        { BYTES("5\r\nhello\n0\r\n\r\n"), 400, "hello", 0 },
        { BYTES("5\r\nhello\r0\r\n\r\n"), 400, "hello", 0 },
        { BYTES("5\r\nhello\r\n0\r\n\n"), 400, "hello", 0 },
        { BYTES("0\r\n\rX"), 400, "", 0 },
        { BYTES("5 \r\nhello\r\n0\r\n\r\n"), 400, "", 0 },
        { BYTES(" 5\r\nhello\r\n0\r\n\r\n"), 400, "", 0 },
        { BYTES("0x5\r\nhello\r\n0\r\n\r\n"), 400, "", 0 },
        { BYTES("-1\r\n"), 400, "", 0 },
        { BYTES("+5\r\nhello\r\n0\r\n\r\n"), 400, "", 0 },
        { BYTES("g\r\n"), 400, "", 0 },
        { BYTES(";a\r\n"), 400, "", 0 },
        { BYTES("ffffffffffffffff\r\n"), 400, "", 0 },
        { BYTES("0000000000000005\r\nhello\r\n0\r\n\r\n"), 400, "", 0 },
        { BYTES("5;a\nb\r\nhello\r\n0\r\n\r\n"), 400, "", 0 },
        { BYTES("5;a\0\r\nhello\r\n0\r\n\r\n"), 400, "", 0 },
        { BYTES("0\r\nX-A : b\r\n\r\n"), 400, "", 0 },
        { BYTES("0\r\n X-A: b\r\n\r\n"), 400, "", 0 },
        { BYTES("0\r\nX-A: b\r\n c\r\n\r\n"), 400, "", 0 },
        { BYTES("0\r\nX-A: b\n\r\n"), 400, "", 0 },
        { BYTES("0\r\nX-A: b\0\r\n\r\n"), 400, "", 0 },
        { BYTES("0\r\n: b\r\n\r\n"), 400, "", 0 },
        { BYTES("0\r\nX-A\r\n\r\n"), 400, "", 0 },
    };
    struct decoded d;

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        for (size_t cut = 0; cut <= rows[i].bytes.len + 1; cut++) {
            if (cut <= rows[i].bytes.len)
                decode_cut(&d, rows[i].bytes, cut);
            else
                decode_bytewise(&d, rows[i].bytes);
            if (d.status != rows[i].status)
                print_error("row %zu cut at %zu: %d\n", i, cut, d.status);
            assert_int_equal(d.status, rows[i].status);
            assert_int_equal(d.len, strlen(rows[i].body));
            assert_memory_equal(d.bytes, rows[i].body, d.len);
            if (d.status != 400)
                assert_int_equal(rows[i].bytes.len - d.used, rows[i].left);
        }
    }
}

/* What is dropped is bounded: extensions over the whole body, trailers, and nothing is taken after a verdict. */
static void chunked_bounds(void **state)
{
    char *bytes = malloc(20000);
    struct http_chunked c;
    size_t used, decoded, n;

    (void)state;
    http_chunked_init(&c);
    for (int i = 0; i < 40; i++) {
        n = (size_t)snprintf(bytes, 20000, "1;%0200d\r\nx\r\n", 0);
        if (http_chunked_feed(&c, bytes, n, &used, &decoded) == 400)
            break;
        assert_true(i < 30);
    }
    assert_int_equal(http_chunked_feed(&c, bytes, n, &used, &decoded), 400);
    assert_int_equal(used, 0);

    http_chunked_init(&c);
    memcpy(bytes, "0\r\nX: ", 6);
    memset(bytes + 6, 'x', 10000);
    assert_int_equal(http_chunked_feed(&c, bytes, 8000, &used, &decoded), HTTP_PARSE_MORE);
    assert_int_equal(http_chunked_feed(&c, bytes + 6, 8000, &used, &decoded), 400);

    http_chunked_init(&c);
    memcpy(bytes, "0\r\n\r\n", 5);
    assert_int_equal(http_chunked_feed(&c, bytes, 5, &used, &decoded), 0);
    assert_int_equal(http_chunked_feed(&c, bytes, 5, &used, &decoded), 0);
    assert_int_equal(used, 0);
    free(bytes);
}

static void percent_decoding(void **state)
{
    static const struct {
        struct str encoded;
        bool plus;
        const char *decoded; /* NULL: refused */
    } rows[] = {
        { BYTES(""), false, "" },
        { BYTES("abc"), false, "abc" },
        { BYTES("a%20b%2Fc%2f"), false, "a b/c/" },
        { BYTES("a+b"), false, "a+b" },
        { BYTES("a+b%2B"), true, "a b+" },
        { BYTES("%C3%A4"), false, "\xc3\xa4" },
        { BYTES("%"), false, NULL },
        { BYTES("%2"), false, NULL },
        { BYTES("%zz"), false, NULL },
        { BYTES("%2x"), false, NULL },
        { BYTES("%00"), false, NULL },
        { BYTES("a\0b"), false, NULL },
        { BYTES("%C3"), false, NULL },
        { BYTES("%C0%80"), false, NULL },
        { BYTES("%ED%A0%80"), false, NULL },
        { BYTES("0123456789abcdef"), false, NULL },
        { BYTES("0123456789abcde"), false, "0123456789abcde" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char dst[16];
        size_t len;
        bool good = http_percent_decode(dst, sizeof dst, rows[i].encoded, rows[i].plus, &len);

        assert_int_equal(good, rows[i].decoded != NULL);
        if (good)
            assert_string_equal(dst, rows[i].decoded);
        if (good)
            assert_int_equal(len, strlen(dst));
    }
}

static void queries(void **state)
{
    static const struct {
        const char *query, *name, *raw; /* raw NULL: absent */
    } rows[] = {
        { "a=1", "a", "1" },     { "a=1&a=2", "a", "2" }, { "a=1&b=2&", "b", "2" },  { "a", "a", "" },
        { "a=", "a", "" },       { "a=b=c", "a", "b=c" }, { "&&a=1&&", "a", "1" },   { "ab=1&ba=2", "a", NULL },
        { "a%62=1", "ab", "1" }, { "a+b=1", "a b", "1" }, { "%zz=1&a=2", "a", "2" }, { "a%00=1", "a", NULL },
        { "", "a", NULL },       { "=1", "a", NULL },     { "A=1", "a", NULL },      { "a=%20+", "a", "%20+" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct str raw = STR_NONE;
        bool found = http_query_get(str_from(rows[i].query), rows[i].name, &raw);

        assert_int_equal(found, rows[i].raw != NULL);
        if (found)
            assert_true(str_eq_lit(raw, rows[i].raw));
    }
    assert_false(http_query_get(STR_NONE, "a", &(struct str){ 0 }));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chunked),
        cmocka_unit_test(chunked_bounds),
        cmocka_unit_test(percent_decoding),
        cmocka_unit_test(queries),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
