/*
 * The rules interpreter: the table of questions in tests/nl/questions.json, of which it must get 85 % right and every
 * one that means nothing; and the pieces it is made of.
 *
 * Expected are tool and arguments; what the table leaves out must be at its default.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/nl_question.h"
#include "api/nl_rules.h"
#include "api/tools.h"
#include "core/json.h"

#ifndef QUESTIONS
#error "where the questions are"
#endif

static struct arena arena;
static struct buf arguments;

static int setup(void **state)
{
    (void)state;
    tools_init();
    arena_init(&arena, 1 << 24);
    buf_init(&arguments, 1 << 16);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_free(&arena);
    buf_free(&arguments);
    return 0;
}

static const struct json *parse(struct str text)
{
    const char *why;
    const struct json *j = json_parse(&arena, text, &why);

    assert_non_null(j);
    return j;
}

static bool same(const struct json *a, const struct json *b)
{
    const struct json *x = a->first, *y = b->first;
    double va, vb;

    if (a->type != b->type || a->count != b->count)
        return false;
    if (a->type == JSON_NUMBER)
        return json_double(a, &va) && json_double(b, &vb) && va == vb;
    if (a->type == JSON_STRING)
        return str_eq(a->text, b->text);
    for (; x != NULL; x = x->next, y = y != NULL ? y->next : NULL) {
        char key[64];

        str_copy(key, sizeof(key), x->key);
        y = a->type == JSON_OBJECT ? json_get(b, key) : y;
        if (y == NULL || !same(x, y))
            return false;
    }
    return true;
}

/* May an argument be left out of the table? */
static bool is_default(const struct tool *t, const struct json *m)
{
    double v;

    for (const struct tool_field *f = t->arguments; f->name != NULL; f++)
        if (str_eq_lit(m->key, f->name) && f->has_initial)
            return json_double(m, &v) && v == f->initial;
    return str_eq_lit(m->key, "scope") && str_eq_lit(m->text, "list");
}

static bool as_expected(const char *tool, const struct json *got, const struct json *row)
{
    const struct json *name = json_get(row, "tool"), *wanted = json_get(row, "arguments");
    size_t found = 0;

    if (tool == NULL || name->type == JSON_NULL)
        return tool == NULL && name->type == JSON_NULL;
    if (!str_eq_lit(name->text, tool))
        return false;
    for (const struct json *m = got->first; m != NULL; m = m->next) {
        char key[64];
        const struct json *w;

        str_copy(key, sizeof(key), m->key);
        w = json_get(wanted, key);
        if (w != NULL ? !same(m, w) : !is_default(tools_find(name->text), m))
            return false;
        found += w != NULL;
    }
    return found == wanted->count;
}

static const struct json *read_table(void)
{
    FILE *in = fopen(QUESTIONS, "r");
    struct buf text;
    char piece[4096];
    size_t n;

    assert_non_null(in);
    buf_init(&text, 1 << 20);
    while ((n = fread(piece, 1, sizeof(piece), in)) > 0)
        buf_add(&text, piece, n);
    fclose(in);
    const struct json *table = parse(buf_str(&text));
    buf_free(&text);
    return table;
}

/* The arguments a question gives must be ones its tool takes. */
static void check_arguments(const char *tool, const struct json *got, struct str question)
{
    struct params faults;

    params_init(&faults, &arena, STR_NONE);
    tools_check(&faults, tools_find(str_from(tool))->arguments, got, "arguments");
    if (faults.count > 0 && strstr(faults.errors[0].field, "segment_ids") == NULL)
        fail_msg("%.*s: %s %s", (int)question.len, question.p, faults.errors[0].field, faults.errors[0].message);
}

static void test_questions(void **state)
{
    const struct json *table = read_table();
    size_t right = 0, meant = 0, refused = 0, nonsense = 0;

    (void)state;
    for (const struct json *row = table->first; row != NULL; row = row->next) {
        struct str question = json_get(row, "question")->text;
        const char *tool = nl_rules_read(question, &arguments);
        const struct json *got = parse(buf_str(&arguments));
        bool good = as_expected(tool, got, row), means = json_get(row, "tool")->type != JSON_NULL;

        if (tool != NULL)
            check_arguments(tool, got, question);
        meant += means;
        nonsense += !means;
        right += means && good;
        refused += !means && good;
        if (!good)
            print_message("%.*s -> %s %.*s\n", (int)question.len, question.p, tool != NULL ? tool : "not understood",
                          (int)arguments.len, arguments.data);
    }
    print_message("%zu of %zu questions right, %zu of %zu refused\n", right, meant, refused, nonsense);
    assert_true(meant >= 150);
    assert_true(100 * right >= 85 * meant);
    assert_int_equal(refused, nonsense);
}

/* Every query type of CONTRACT 17.2 that a question can have is asked for in several phrasings. */
static void test_table_is_complete(void **state)
{
    static const struct {
        const char *tool, *argument;
    } words[] = {
        { "query_customers", "info" },     { "query_customers", "analysis" },
        { "query_segments", "analysis" },  { "forecast_business_metrics", "metric" },
        { "get_recommendations", "type" }, { "analyze_products", "analysis_type" },
    };
    const struct json *table = read_table();

    (void)state;
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        const struct tool_field *f = tools_find(str_from(words[i].tool))->arguments;

        while (strcmp(f->name, words[i].argument) != 0)
            f++;
        for (const char *const *w = f->words; *w != NULL; w++) {
            size_t n = 0;

            for (const struct json *row = table->first; row != NULL; row = row->next) {
                const struct json *m = json_get(json_get(row, "arguments"), words[i].argument);

                n += m != NULL && str_eq_lit(m->text, *w) && str_eq_lit(json_get(row, "tool")->text, words[i].tool);
            }
            if (n < 3)
                fail_msg("%s %s: %zu questions", words[i].tool, *w, n);
        }
    }
}

static void test_numbers(void **state)
{
    static const struct {
        const char *question;
        int64_t months, limit;
        double over;
    } cases[] = {
        { "top 5 customers", 12, 5, 0 },
        { "the 7 best products", 12, 7, 0 },
        { "top 5000", 12, 1000, 0 },
        { "in 3 months", 3, 10, 0 },
        { "two years", 24, 10, 0 },
        { "100 years", 60, 10, 0 },
        { "next quarter", 3, 10, 0 },
        { "Q4", 3, 10, 0 },
        { "10 weeks", 3, 10, 0 },
        { "half a year", 6, 10, 0 },
        { "over $1,234.50", 12, 10, 1234.5 },
        { "more than 2k", 12, 10, 2000 },
        { "above 3 orders", 12, 10, 0 },
        { "customers from 500", 12, 10, 500 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        static struct nl_question q;
        double over = 0;

        nl_question_read(&q, str_from(cases[i].question));
        if (!nl_amount_over(&q, &over))
            over = 0;
        if (nl_months(&q, 12) != cases[i].months || nl_limit(&q, 10, 1000) != cases[i].limit || over != cases[i].over)
            fail_msg("%s: %lld months, limit %lld, over %.2f", cases[i].question, (long long)nl_months(&q, 12),
                     (long long)nl_limit(&q, 10, 1000), over);
    }
}

static void test_ids(void **state)
{
    static const struct {
        const char *question, *id;
    } cases[] = {
        { "7827249201407", "7827249201407" },
        { "customer 42", "42" },
        { "customer id 42", "42" },
        { "12345", "" },
        { "123456", "123456" },
        { "customers over 100000", "" },
        { "arch_015766796028", "" },
        { "99999999999999999999", "" }, /* too long for an id */
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        static struct nl_question q;

        nl_question_read(&q, str_from(cases[i].question));
        if (!str_eq_lit(nl_customer_id(&q), cases[i].id))
            fail_msg("%s: %.*s", cases[i].question, (int)nl_customer_id(&q).len, nl_customer_id(&q).p);
    }
}

/* However long or odd, a question ends in a tool or in none, and arguments that parse. */
static void test_any_bytes(void **state)
{
    static const char alphabet[] = "aeiou churn customer 1234567 top,.-_'\"\\{}\x80\xff\n\t arch_ over Q1 product ";
    static char text[9000];
    uint32_t seed = 1;

    (void)state;
    for (int round = 0; round < 3000; round++) {
        size_t n = (size_t)round * 3;

        for (size_t i = 0; i < n; i++) {
            seed = seed * 1664525 + 1013904223;
            text[i] = alphabet[(seed >> 8) % (sizeof(alphabet) - 1)];
        }
        (void)nl_rules_read((struct str){ text, n }, &arguments);
        assert_false(arguments.failed);
        arena_reset(&arena);
        parse(buf_str(&arguments));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_questions), cmocka_unit_test(test_table_is_complete), cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_ids),       cmocka_unit_test(test_any_bytes),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
