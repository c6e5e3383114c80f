/*
 * Questions in words over HTTP, answered by rules: the envelope, what is no answer, and arguments brought into range.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "analytics_fixture.h"
#include "api/nl.h"
#include "api/tools.h"
#include "api_expect.h"
#include "core/metrics.h"

static struct fixture f;
static struct population *p;

static int setup(void **state)
{
    (void)state;
    p = analytics_start(&f, "", &(struct analytics_shape){ .rows = 300, .data_version = 9 });
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    return analytics_stop(&f, p);
}

static const struct json *asked(const char *question)
{
    char body[2048];
    const struct answer *a;

    snprintf(body, sizeof(body), "{\"query\": \"%s\"}", question);
    a = post(&f, "/api/mcp/query/natural-language", body);
    if (a->status != 200)
        fail_msg("%s: %d %.*s", question, a->status, (int)a->body.len, a->body.p);
    return answer_json(a);
}

static void expect_envelope(const struct json *j, const char *question, const char *query_type, const char *tool)
{
    static const char *const never[] = { "customer_id",           "risk_level",
                                         "projected_customers",   "churn_risk_distribution",
                                         "archetype_projections", "top_archetypes" };

    expect(j, "query", question);
    expect(j, "query_type", query_type);
    expect(j, "interpreter", "rules");
    expect(j, "tool_used", tool);
    expect(j, "data_version", "9");
    assert_int_equal(json_at(j, "answer")->type, JSON_OBJECT);
    assert_int_equal(json_at(j, "answer.message")->type, JSON_STRING);
    for (size_t i = 0; i < sizeof(never) / sizeof(never[0]); i++)
        assert_null(json_get(j, never[i]));
}

static void test_envelope(void **state)
{
    const struct json *j = asked("Who are my 3 best customers?");

    (void)state;
    expect_envelope(j, "Who are my 3 best customers?", "high_value_customers", "query_customers");
    expect(j, "interpretation.analysis", "high_value");
    expect(j, "interpretation.limit", "3");
    assert_int_equal(json_at(j, "answer.customers")->count, 3);
}

static void test_in_the_query_string(void **state)
{
    const struct answer *a = post(&f, "/api/mcp/query/natural-language?query=churn%20forecast+please", "");

    (void)state;
    assert_int_equal(a->status, 200);
    expect_envelope(answer_json(a), "churn forecast please", "churn_rate_forecast", "forecast_business_metrics");
    a = post(&f, "/api/mcp/query/natural-language?query=rfm", "{\"query\": \"top customers\"}");
    expect(answer_json(a), "query", "rfm");
}

static void test_direct_form(void **state)
{
    const struct json *j = asked("Which customer types grow in 5 months?");

    (void)state;
    expect_envelope(j, "Which customer types grow in 5 months?", "archetype_growth_projection", "query_segments");
    assert_int_equal(json_at(j, "archetypes")->count, json_at(j, "answer.projections")->count);
    expect_same(j, "archetypes.0.archetype_id", "answer.projections.0.archetype_id");
    expect_same(j, "sort_by", "answer.sort_by");
    expect_same(j, "timeframe_months", "answer.timeframe_months");
    assert_int_equal(num(j, "total_archetypes"), p->archetype_count);
}

static void test_what_is_no_answer(void **state)
{
    const struct json *j = asked("What is the weather?");

    (void)state;
    expect_envelope(j, "What is the weather?", "unsupported", "null");
    expect(j, "interpretation", "null");
    expect(j, "answer.summary", "Question not understood");
    assert_int_equal(json_at(j, "answer.supported_queries")->count, 8);
    j = asked("Show customer 1234567");
    expect_envelope(j, "Show customer 1234567", "customer_lookup_error", "query_customers");
    expect(j, "answer.customer_id", "1234567");
    expect(j, "answer.error", "Customer 1234567 not found");
    assert_null(json_at(j, "answer.profile"));
    j = asked("Show this customer");
    expect_envelope(j, "Show this customer", "error", "query_customers");
    expect(j, "answer.message", "Please name the customer id.");
    expect(j, "answer.tool", "query_customers");
    j = asked("Compare the segments");
    expect_envelope(j, "Compare the segments", "error", "query_segments");
}

static void test_supported_queries_are_understood(void **state)
{
    static char queries[8][128];
    const struct json *j = asked("?!");
    size_t n = 0;

    (void)state;
    for (const struct json *q = json_at(j, "answer.supported_queries")->first; q != NULL; q = q->next)
        str_copy(queries[n++], sizeof(queries[0]), q->text);
    for (size_t i = 0; i < n; i++) {
        if (strstr(queries[i], "categories") != NULL) /* asks PostgreSQL, which is not here */
            continue;
        expect(asked(queries[i]), "interpreter", "rules");
        assert_string_not_equal(json_text(asked(queries[i]), "query_type"), "unsupported");
    }
}

static void test_refusals(void **state)
{
    static char body[1200];
    static const struct {
        const char *target, *body, *field;
    } cases[] = {
        { "", "", "query.query" },
        { "?query=", "", "query.query" },
        { "", "{}", "body.query" },
        { "", "{\"query\": \"\"}", "body.query" },
        { "", "{\"query\": 5}", "body.query" },
        { "", "{\"query\": \"x\", \"limit\": 1}", "body.limit" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct answer *a =
            post(&f, target_of("/api/mcp/query/natural-language%s", cases[i].target), cases[i].body);

        assert_int_equal(a->status, 422);
        expect(answer_json(a), "error.details.validation_errors.0.field", cases[i].field);
    }
    memcpy(body, "{\"query\": \"", 11);
    memset(body + 11, 'x', 1001);
    memcpy(body + 1012, "\"}", 3);
    assert_int_equal(post(&f, "/api/mcp/query/natural-language", body)->status, 422);
    memcpy(body + 1011, "\"}", 3);
    assert_int_equal(post(&f, "/api/mcp/query/natural-language", body)->status, 200);
}

static void test_answers_are_counted(void **state)
{
    uint64_t before = metrics_total(f.sb, METRIC_NL_QUERIES, NL_RULES, METRIC_NL_RFM_ANALYSIS, 0);

    (void)state;
    asked("rfm");
    assert_int_equal(metrics_total(f.sb, METRIC_NL_QUERIES, NL_RULES, METRIC_NL_RFM_ANALYSIS, 0), before + 1);
}

static void test_same_question_same_answer(void **state)
{
    static char first[1 << 16];
    const struct answer *a = post(&f, "/api/mcp/query/natural-language?query=who+might+churn", "");
    size_t n = a->body.len;

    (void)state;
    assert_true(n < sizeof(first));
    memcpy(first, a->body.p, n);
    a = post(&f, "/api/mcp/query/natural-language?query=who+might+churn", "");
    assert_int_equal(a->body.len, n);
    assert_memory_equal(a->body.p, first, n);
}

static void test_arguments_brought_into_range(void **state)
{
    static const struct {
        const char *tool, *given, *used;
    } cases[] = {
        { "query_customers", "{\"limit\": 5000, \"sort_by\": \"colour\", \"unknown\": 1}", "{\"limit\":1000}" },
        { "query_customers", "{\"limit\": -3, \"filters\": {\"churn_risk_min\": 7, \"is_b2b\": \"yes\"}}",
          "{\"limit\":1,\"filters\":{\"churn_risk_min\":1}}" },
        { "query_customers", "{\"filters\": {\"ltv_min\": 500, \"ltv_max\": 100}}",
          "{\"filters\":{\"ltv_min\":100,\"ltv_max\":500}}" },
        { "query_customers",
          "{\"filters\": {\"segment\": {\"lifecycle\": [\"active\", \"x\"], \"mood\": \"good\"}, \"rfm_group\": "
          "[\"CHAMPIONS\", \"x\"]}}",
          "{\"filters\":{\"segment\":{\"lifecycle\":[\"active\"]},\"rfm_group\":[\"CHAMPIONS\"]}}" },
        { "query_customers", "{\"filters\": {\"segment\": {\"lifecycle\": \"x\"}}}", "{}" },
        { "query_customers", "{\"customer_id\": \"\", \"scope\": \"individual\"}", "{\"scope\":\"individual\"}" },
        { "query_segments", "{\"segment_ids\": [\"a\", \"b\", \"c\", \"d\", \"e\", \"f\"], \"limit\": 99}",
          "{\"segment_ids\":[\"a\",\"b\",\"c\",\"d\",\"e\"],\"limit\":50}" },
        { "forecast_business_metrics", "{\"metric\": \"mood\", \"timeframe_months\": 2.9}",
          "{\"timeframe_months\":2}" },
        { "plan_campaign", "{\"min_ltv\": -1, \"event\": \"none\", \"goal\": \"growth\"}",
          "{\"min_ltv\":0,\"goal\":\"growth\"}" },
    };
    struct arena arena;
    struct buf out;

    (void)state;
    arena_init(&arena, 1 << 20);
    buf_init(&out, 1 << 16);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *why;
        struct json *given = json_parse(&arena, str_from(cases[i].given), &why);
        struct json_writer w;

        assert_non_null(given);
        tools_adjust(&arena, tools_find(str_from(cases[i].tool)), given);
        buf_reset(&out);
        json_writer_init(&w, &out);
        json_value(&w, given);
        assert_string_equal(buf_cstr(&out), cases[i].used);
    }
    buf_free(&out);
    arena_free(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_envelope),
        cmocka_unit_test(test_in_the_query_string),
        cmocka_unit_test(test_direct_form),
        cmocka_unit_test(test_what_is_no_answer),
        cmocka_unit_test(test_supported_queries_are_understood),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_answers_are_counted),
        cmocka_unit_test(test_same_question_same_answer),
        cmocka_unit_test(test_arguments_brought_into_range),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
