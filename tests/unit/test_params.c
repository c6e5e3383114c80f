/*
 * Query parameters and body members: values, bounds, and the words of every fault.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <string.h>

#include "api/params.h"
#include "base/clock.h"

static struct arena arena;

static void start(struct params *p, const char *query)
{
    arena_reset(&arena);
    params_init(p, &arena, str_from(query));
}

static const struct json *parse(const char *text)
{
    const char *why;
    const struct json *j = json_parse(&arena, str_from(text), &why);

    assert_non_null(j);
    return j;
}

static void expect(const struct params *p, size_t i, const char *field, const char *type, const char *message)
{
    assert_true(i < p->count);
    assert_string_equal(p->errors[i].field, field);
    assert_string_equal(params_fault_name(p->errors[i].fault), type);
    assert_string_equal(p->errors[i].message, message);
}

static void test_query_integers(void **state)
{
    struct params p;

    (void)state;
    start(&p, "months=7&limit=1&limit=60&empty=&neg=-5");
    assert_int_equal(params_query_int(&p, "months", 1, 60, 12), 7);
    assert_int_equal(params_query_int(&p, "limit", 1, 60, 12), 60); /* the last one counts */
    assert_int_equal(params_query_int(&p, "absent", 1, 60, 12), 12);
    assert_int_equal(params_query_int(&p, "empty", 1, 60, 12), 12);
    assert_int_equal(p.count, 0);
    params_query_int(&p, "neg", 1, 60, 12);
    expect(&p, 0, "query.neg", "out_of_range", "must be between 1 and 60");
}

static void test_query_numbers(void **state)
{
    struct params p;

    (void)state;
    start(&p, "a=12.5&b=0&c=-0.01&d=ten&e=1e999&f=&g=1e3");
    assert_true(params_query_number(&p, "a", 0, 100, 7) == 12.5);
    assert_true(params_query_number(&p, "b", 0, 100, 7) == 0);
    assert_true(params_query_number(&p, "f", 0, 100, 7) == 7);
    assert_true(params_query_number(&p, "absent", 0, 100, 7) == 7);
    assert_int_equal(p.count, 0);
    assert_true(params_query_number(&p, "c", 0, 100, 7) == 7);
    params_query_number(&p, "d", 0, 100, 7);
    params_query_number(&p, "e", 0, 100, 7);
    params_query_number(&p, "g", 0, 100, 7);
    expect(&p, 0, "query.c", "out_of_range", "must be between 0 and 100");
    expect(&p, 1, "query.d", "wrong_type", "must be a number");
    expect(&p, 2, "query.e", "wrong_type", "must be a number");
    expect(&p, 3, "query.g", "out_of_range", "must be between 0 and 100");
}

static void test_query_bounds(void **state)
{
    struct params p;

    (void)state;
    start(&p, "a=0&b=61&c=x&d=1.5&e=99999999999999999999&f=1&g=60");
    params_query_int(&p, "a", 1, 60, 12);
    params_query_int(&p, "b", 1, 60, 12);
    params_query_int(&p, "c", 1, 60, 12);
    params_query_int(&p, "d", 1, 60, 12);
    params_query_int(&p, "e", 1, 60, 12);
    params_query_int(&p, "f", 1, 60, 12);
    params_query_int(&p, "g", 1, 60, 12);
    assert_int_equal(p.count, 5);
    expect(&p, 0, "query.a", "out_of_range", "must be between 1 and 60");
    expect(&p, 1, "query.b", "out_of_range", "must be between 1 and 60");
    expect(&p, 2, "query.c", "wrong_type", "must be an integer");
    expect(&p, 3, "query.d", "wrong_type", "must be an integer");
    expect(&p, 4, "query.e", "out_of_range", "must be between 1 and 60");
}

static void test_query_days_and_booleans(void **state)
{
    struct params p;

    (void)state;
    start(&p, "start_date=2025-11-03&bad=2025-02-30&wait=true&no=0&what=maybe");
    assert_int_equal(params_query_day(&p, "start_date"), clock_day_of(2025, 11, 3));
    assert_int_equal(params_query_day(&p, "absent"), CLOCK_NO_DAY);
    assert_true(params_query_bool(&p, "wait", false));
    assert_false(params_query_bool(&p, "no", true));
    assert_int_equal(p.count, 0);
    assert_int_equal(params_query_day(&p, "bad"), CLOCK_NO_DAY);
    params_query_bool(&p, "what", false);
    expect(&p, 0, "query.bad", "wrong_type", "must be a date, YYYY-MM-DD");
    expect(&p, 1, "query.what", "wrong_type", "must be true or false");
}

static void test_query_text_is_decoded(void **state)
{
    struct params p;

    (void)state;
    start(&p, "search=a%20b+c%C3%A9&%6done=1");
    assert_true(str_eq_lit(params_query_text(&p, "search"), "a b c\xc3\xa9"));
    assert_true(str_eq_lit(params_query_text(&p, "mone"), "1"));
    assert_int_equal(params_query_text(&p, "absent").len, 0);
}

static void test_body_numbers(void **state)
{
    const struct json *j;
    struct params p;
    int64_t i = 0;
    double d = 0;

    (void)state;
    start(&p, "");
    j = parse("{\"a\":5,\"b\":5.0,\"c\":5.5,\"d\":\"5\",\"e\":101,\"f\":null,\"g\":1e99,\"h\":0.25,\"i\":-0.1}");
    assert_true(params_body_int(&p, j, "body", "a", 1, 100, &i) && i == 5);
    assert_true(params_body_int(&p, j, "body", "b", 1, 100, &i) && i == 5);
    assert_false(params_body_int(&p, j, "body", "f", 1, 100, &i));
    assert_false(params_body_int(&p, j, "body", "absent", 1, 100, &i));
    assert_true(params_body_number(&p, j, "body", "h", 0, 1, &d) && d == 0.25);
    assert_int_equal(p.count, 0);
    assert_false(params_body_int(&p, j, "body", "c", 1, 100, &i));
    assert_false(params_body_int(&p, j, "body", "d", 1, 100, &i));
    assert_false(params_body_int(&p, j, "body", "e", 1, 100, &i));
    assert_false(params_body_int(&p, j, "body", "g", 1, 100, &i));
    assert_false(params_body_number(&p, j, "body.filters", "i", 0, 1, &d));
    expect(&p, 0, "body.c", "wrong_type", "must be an integer");
    expect(&p, 1, "body.d", "wrong_type", "must be an integer");
    expect(&p, 2, "body.e", "out_of_range", "must be between 1 and 100");
    expect(&p, 3, "body.g", "out_of_range", "must be between 1 and 100");
    expect(&p, 4, "body.filters.i", "out_of_range", "must be between 0 and 1");
}

static void test_body_texts_and_unknown_keys(void **state)
{
    static const char *const known[] = { "name", "flag", NULL };
    const struct json *j;
    struct params p;
    struct str text;
    bool flag = false;

    (void)state;
    start(&p, "");
    j = parse("{\"name\":\"h\\u00e9llo\",\"flag\":true,\"more\":1,\"long\":\"123456\"}");
    assert_true(params_body_text(&p, j, "body", "name", 5, &text));
    assert_true(params_body_bool(&p, j, "body", "flag", &flag) && flag);
    params_body_known(&p, j, "body", known);
    assert_false(params_body_text(&p, j, "body", "long", 5, &text));
    assert_false(params_body_bool(&p, j, "body", "name", &flag));
    assert_false(params_body_text(&p, j, "body", "flag", 5, &text));
    assert_int_equal(p.count, 5);
    expect(&p, 0, "body.more", "unknown_field", "is not a known field");
    expect(&p, 1, "body.long", "unknown_field", "is not a known field");
    expect(&p, 2, "body.long", "out_of_range", "must have at most 5 characters");
    expect(&p, 3, "body.name", "wrong_type", "must be true or false");
    expect(&p, 4, "body.flag", "wrong_type", "must be a string");
}

static void test_body_words(void **state)
{
    const struct json *j, *item = NULL;
    struct params p;
    unsigned n = 0;

    (void)state;
    start(&p, "");
    j = parse("{\"one\":\"x\",\"two\":[\"x\",\"y\"],\"none\":[],\"bad\":[\"x\",1]}");
    while (params_body_words(&p, json_get(j, "one"), "body", STR_LIT("one"), &item))
        n++;
    assert_int_equal(n, 1);
    while (params_body_words(&p, json_get(j, "two"), "body", STR_LIT("two"), &item))
        n++;
    assert_int_equal(n, 3);
    while (params_body_words(&p, json_get(j, "none"), "body", STR_LIT("none"), &item))
        n++;
    assert_int_equal(n, 3);
    assert_int_equal(p.count, 0);
    while (params_body_words(&p, json_get(j, "bad"), "body", STR_LIT("bad"), &item))
        n++;
    expect(&p, 0, "body.bad", "wrong_type", "must be a string or an array of strings");
}

static void test_faults_are_bounded(void **state)
{
    struct params p;

    (void)state;
    start(&p, "a=x");
    for (int i = 0; i < 1000; i++)
        params_query_int(&p, "a", 1, 2, 1);
    assert_int_equal(p.count, PARAMS_MAX_ERRORS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_query_integers),
        cmocka_unit_test(test_query_numbers),
        cmocka_unit_test(test_query_bounds),
        cmocka_unit_test(test_query_days_and_booleans),
        cmocka_unit_test(test_query_text_is_decoded),
        cmocka_unit_test(test_body_numbers),
        cmocka_unit_test(test_body_texts_and_unknown_keys),
        cmocka_unit_test(test_body_words),
        cmocka_unit_test(test_faults_are_bounded),
    };

    arena_init(&arena, 1 << 20);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
