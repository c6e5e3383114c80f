/*
 * json: what is refused, what is kept, and that what is written reads back.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/utf8.h"
#include "core/json.h"

static struct arena arena;

static const struct json *parse(const char *text, size_t n)
{
    const char *error;

    arena_reset(&arena);
    return json_parse(&arena, (struct str){ text, n }, &error);
}

static void refuses(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        " ",
        "{",
        "[1,]",
        "{\"a\":1,}",
        "01",
        "NaN",
        "{} {}",
        "\xef\xbb\xbf{}",
        "// x\n{}",
        "{\"a\" 1}",
        "'a'",
        "\"\\u0000\"",
        "\"\\ud800\"",
        "\"\\udc00\"",
        "\"\\ud800\\u0041\"",
        "\"\\ud800x\"",
        "\"\xc0\x80\"",
        "\"\xed\xa0\x80\"",
        "\"\xf4\x90\x80\x80\"",
        "\"\xff\"",
        "{\"\\u0000\":1}",
        "\"\\x\"",
        "\"a\nb\"",
        "[1 2]",
        "tru",
    };
    char deep[2 * JSON_MAX_DEPTH + 3];

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (parse(bad[i], strlen(bad[i])) != NULL)
            fail_msg("accepted: %s", bad[i]);
    assert_null(parse("\"a\0b\"", 5));
    memset(deep, '[', sizeof(deep));
    memset(deep + JSON_MAX_DEPTH, ']', JSON_MAX_DEPTH);
    assert_non_null(parse(deep, 2 * JSON_MAX_DEPTH));
    memset(deep, '[', JSON_MAX_DEPTH + 1);
    memset(deep + JSON_MAX_DEPTH + 1, ']', JSON_MAX_DEPTH + 1);
    assert_null(parse(deep, 2 * JSON_MAX_DEPTH + 2));
}

static void bounds_members_and_memory(void **state)
{
    (void)state;
    static char text[64 * JSON_MAX_MEMBERS];
    size_t n = 0;

    text[n++] = '{';
    for (int i = 0; i <= JSON_MAX_MEMBERS; i++)
        n += (size_t)snprintf(text + n, sizeof(text) - n, "%s\"k%d\":%d", i ? "," : "", i, i);
    text[n++] = '}';
    assert_null(parse(text, n));
    struct arena small;
    const char *error;
    arena_init(&small, 64);
    assert_null(json_parse(&small, STR_LIT("[\"a\",\"b\",\"c\",\"d\",\"e\"]"), &error));
    assert_string_equal(error, "too large");
    arena_free(&small);
}

static void reads_values(void **state)
{
    (void)state;
    static const char text[] =
        "{\"a\":[1,-2.5e3,\"\\u20ac\\ud83d\\ude00\\\\ud800\"],\"b\":true,\"a2\":null,\"b\":false,\"n\":5.0,"
        "\"big\":9223372036854775807,\"huge\":1e999}";
    const struct json *root = parse(text, sizeof(text) - 1), *a;
    int64_t i;
    double d;

    assert_non_null(root);
    assert_int_equal(root->count, 6);
    a = json_get(root, "a");
    assert_int_equal(a->count, 3);
    assert_true(json_i64(a->first, &i) && i == 1);
    assert_true(json_double(a->first->next, &d) && d == -2500);
    assert_true(str_eq_lit(a->first->next->next->text, "\xe2\x82\xac\xf0\x9f\x98\x80\\ud800"));
    assert_false(json_get(root, "b")->boolean); /* the last one counts */
    assert_int_equal(json_get(root, "a2")->type, JSON_NULL);
    assert_true(json_i64(json_get(root, "n"), &i) && i == 5);
    assert_true(json_i64(json_get(root, "big"), &i) && i == INT64_MAX);
    assert_false(json_double(json_get(root, "huge"), &d));
    assert_false(json_i64(json_get(root, "missing"), &i));
    assert_null(json_get(a, "x"));
}

static void writes(void **state)
{
    (void)state;
    struct buf out;
    struct json_writer w;

    buf_init(&out, 4096);
    json_writer_init(&w, &out);
    json_object_begin(&w);
    json_kv_int(&w, "i", -7);
    json_kv_cents(&w, "money", 500);
    json_kv_fixed(&w, "f", 0.81066, 4);
    json_kv_fixed(&w, "nan", 0.0 / 0.0, 4);
    json_kv_str(&w, "s", (struct str){ "q\"\\\n\x01\x7f\xe2\x82\xac\xff\xc0\x80", 12 });
    json_kv_cstr(&w, "none", NULL);
    json_key(&w, "list");
    json_array_begin(&w);
    json_bool(&w, true);
    json_array_begin(&w);
    json_array_end(&w);
    json_raw(&w, STR_LIT("{\"x\":1}"));
    json_array_end(&w);
    json_kv_day(&w, "day", 20395);
    json_kv_seconds(&w, "at", 1762157730654425);
    json_kv_us(&w, "now", 1762157730654425);
    json_object_end(&w);
    assert_string_equal(
        buf_cstr(&out),
        "{\"i\":-7,\"money\":5.0,\"f\":0.8107,\"nan\":null,\"s\":\"q\\\"\\\\\\n\\u0001\\u007f\xe2\x82\xac"
        "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\",\"none\":null,\"list\":[true,[],{\"x\":1}],"
        "\"day\":\"2025-11-03\",\"at\":\"2025-11-03T08:15:30Z\",\"now\":\"2025-11-03T08:15:30.654425Z\"}");
    assert_non_null(parse(out.data, out.len));
    buf_free(&out);
}

/* Any bytes as a string value come out as JSON that is accepted. */
static void escapes_any_bytes(void **state)
{
    (void)state;
    uint64_t x = 88172645463325252ULL;
    struct buf out;
    struct json_writer w;
    char bytes[40];

    buf_init(&out, 4096);
    for (int round = 0; round < 20000; round++) {
        for (size_t i = 0; i < sizeof(bytes); i++) {
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            bytes[i] = (char)(x % 3 ? x >> 8 : 1 + (x >> 8) % 127);
            if (bytes[i] == 0)
                bytes[i] = 'z';
        }
        buf_reset(&out);
        json_writer_init(&w, &out);
        json_str(&w, (struct str){ bytes, x % sizeof(bytes) });
        if (parse(out.data, out.len) == NULL)
            fail_msg("not readable: %.*s", (int)out.len, out.data);
    }
    buf_free(&out);
}

static void stops_at_the_ceiling(void **state)
{
    (void)state;
    struct buf out;
    struct json_writer w;

    buf_init(&out, 64);
    json_writer_init(&w, &out);
    json_array_begin(&w);
    for (int i = 0; i < 100; i++)
        json_int(&w, i);
    json_array_end(&w);
    assert_true(out.failed && out.len <= 64);
    buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses),           cmocka_unit_test(bounds_members_and_memory),
        cmocka_unit_test(reads_values),      cmocka_unit_test(writes),
        cmocka_unit_test(escapes_any_bytes), cmocka_unit_test(stops_at_the_ceiling),
    };

    arena_init(&arena, 1 << 20);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    arena_free(&arena);
    return failed;
}
