/*
 * The tools over HTTP: what they say is what the routes of the same things say; arguments are checked by their
 * schemas.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "analytics_fixture.h"
#include "api/tools.h"
#include "api_expect.h"
#include "core/metrics.h"

static struct fixture f;
static struct population *p;

static int setup(void **state)
{
    (void)state;
    p = analytics_start(&f, "", &(struct analytics_shape){ .rows = 600, .data_version = 9 });
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    return analytics_stop(&f, p);
}

/* The text of `result` of the last answer, as it was sent. */
static struct str result_of(const struct answer *a)
{
    static const char before[] = "\"result\":", after[] = ",\"timestamp\":\"";
    const char *begin = memmem(a->body.p, a->body.len, before, sizeof(before) - 1);
    const char *end = memmem(a->body.p, a->body.len, after, sizeof(after) - 1);

    if (a->status != 200 || begin == NULL || end == NULL)
        fail_msg("%d %.*s", a->status, (int)a->body.len, a->body.p);
    begin += sizeof(before) - 1;
    return (struct str){ begin, (size_t)(end - begin) };
}

/* The tool and the route answer the same bytes. */
static void expect_equal(const char *tool, const char *parameters, const char *method, const char *target,
                         const char *body)
{
    static char told[1 << 20];
    struct str r = result_of(query(&f, tool, parameters));
    const struct answer *a;

    assert_true(r.len < sizeof(told));
    memcpy(told, r.p, r.len);
    a = strcmp(method, "GET") == 0 ? get(&f, target) : post(&f, target, body);
    if (a->status != 200 || a->body.len != r.len || memcmp(a->body.p, told, r.len) != 0)
        fail_msg("%s %s:\n%.*s\n%.*s", tool, parameters, (int)r.len, told, (int)a->body.len, a->body.p);
}

static const char *first_archetype(void)
{
    static char id[ARCHETYPE_ID_SIZE];

    archetype_format_id(id, p->archetypes[0].id);
    return id;
}

static void test_same_as_the_routes(void **state)
{
    char parameters[128], target[128];
    long long id = (long long)analytics_id(7);

    (void)state;
    snprintf(parameters, sizeof(parameters), "{\"customer_id\": \"%lld\"}", id);
    snprintf(target, sizeof(target), "/api/customers/%lld", id);
    expect_equal("get_customer_profile", parameters, "GET", target, NULL);
    snprintf(target, sizeof(target), "/api/mcp/customer/%lld/churn-risk", id);
    expect_equal("predict_churn_risk", parameters, "GET", target, NULL);
    snprintf(parameters, sizeof(parameters), "{\"archetype_id\": \"%s\"}", first_archetype());
    snprintf(target, sizeof(target), "/api/mcp/archetype/%s", first_archetype());
    expect_equal("get_archetype_stats", parameters, "GET", target, NULL);
    expect_equal("search_customers", "{\"segment_filter\": {\"lifecycle\": \"active\"}, \"limit\": 7}", "POST",
                 "/api/mcp/search?limit=7", "{\"lifecycle\": \"active\"}");
    expect_equal("recommend_segments_for_campaign", "{\"goal\": \"retention\", \"max_segments\": 3}", "GET",
                 "/api/mcp/campaign/retention?max_segments=3", NULL);
}

static void test_members_of_an_object_are_repeated(void **state)
{
    const struct json *j = answer_json(
        query(&f, "calculate_segment_trends", "{\"axis_name\": \"lifecycle\", \"segment_name\": \"active\"}"));

    (void)state;
    expect(j, "tool_name", "calculate_segment_trends");
    expect_same(j, "result.current_members", "current_members");
    assert_int_equal(num(j, "result.current_members"), p->totals->members[AXIS_LIFECYCLE][0]);
    expect(j, "growth_rate", "null"); /* no scoring a month before */
    assert_int_equal(json_at(j, "note")->type, JSON_STRING);
    j = answer_json(query(&f, "recommend_segments_for_campaign", "{\"goal\": \"retention\"}"));
    expect(j, "result", "(array)");
    assert_null(json_at(j, "archetype_id"));
}

static void test_other_names_of_the_members(void **state)
{
    const struct answer *a = post(
        &f, "/api/mcp/query", "{\"tool\": \"search_customers\", \"params\": {\"limit\": 1}, \"tool_name\": null}");

    (void)state;
    assert_int_equal(a->status, 200);
    a = post(&f, "/api/mcp/query", "{\"tool\": \"search_customers\", \"arguments\": {\"limit\": 0}}");
    assert_int_equal(a->status, 422);
    expect(answer_json(a), "error.details.validation_errors.0.field", "body.arguments.limit");
    assert_int_equal(post(&f, "/api/mcp/query", "{\"tool\": \"search_customers\"}")->status, 200);
}

static void test_refusals(void **state)
{
    static const struct {
        const char *body;
        int status;
        const char *path, *text;
    } cases[] = {
        { "{}", 422, "error.details.validation_errors.0.field", "body.tool_name" },
        { "{\"tool_name\": 3}", 422, "error.details.validation_errors.0.type", "wrong_type" },
        { "{\"tool_name\": \"x\", \"parameters\": []}", 422, "error.details.validation_errors.0.type", "wrong_type" },
        { "{\"tool_name\": \"x\", \"more\": 1}", 422, "error.details.validation_errors.0.type", "unknown_field" },
        { "{\"tool_name\": \"drop_tables\"}", 400, "error.message", "Unknown tool: drop_tables" },
        { "{\"tool_name\": \"drop_tables\"}", 400, "error.details.allowed.0", "get_customer_profile" },
        { "{\"tool_name\": \"get_customer_profile\"}", 422, "error.details.validation_errors.0.type", "missing" },
        { "{\"tool_name\": \"get_customer_profile\", \"parameters\": {\"customer_id\": \"1\"}}", 404, "error.message",
          "Customer 1 not found" },
        { "{\"tool_name\": \"get_customer_profile\", \"parameters\": {\"customer_id\": 1}}", 422,
          "error.details.validation_errors.0.type", "wrong_type" },
        { "{\"tool_name\": \"get_archetype_stats\", \"parameters\": {\"archetype_id\": \"arch_1\"}}", 404,
          "error.message", "Archetype arch_1 not found" },
        { "{\"tool_name\": \"calculate_segment_trends\", \"parameters\": {\"axis_name\": \"lifecycle\","
          " \"segment_name\": \"premium\"}}",
          422, "error.details.validation_errors.0.field", "body.parameters.segment_name" },
        { "{\"tool_name\": \"recommend_segments_for_campaign\", \"parameters\": {\"goal\": \"world\"}}", 422,
          "error.details.validation_errors.0.type", "invalid_value" },
        { "{\"tool_name\": \"search_customers\", \"parameters\": {\"segment_filter\": {\"lifecycle\": \"x\"}}}", 422,
          "error.details.validation_errors.0.field", "body.parameters.segment_filter.lifecycle" },
        { "{\"tool_name\": \"search_customers\", \"parameters\": {\"cursor\": \"x\"}}", 422,
          "error.details.validation_errors.0.type", "unknown_field" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct answer *a = post(&f, "/api/mcp/query", cases[i].body);

        if (a->status != cases[i].status)
            fail_msg("%s: %d %.*s", cases[i].body, a->status, (int)a->body.len, a->body.p);
        expect(answer_json(a), cases[i].path, cases[i].text);
    }
}

/* Everything a schema may consist of here. */
static void check_schema(const struct json *s, bool arguments)
{
    const char *type = json_text(s, "type");

    for (const struct json *branch = json_at(s, "anyOf") ? json_at(s, "anyOf")->first : NULL; branch != NULL;
         branch = branch->next)
        check_schema(branch, arguments);
    if (json_at(s, "anyOf") != NULL)
        return;
    if (strcmp(type, "array") == 0) {
        check_schema(json_at(s, "items"), arguments);
        return;
    }
    if (strcmp(type, "object") != 0)
        return;
    if (arguments)
        expect(s, "additionalProperties", "false");
    for (const struct json *r = json_at(s, "required") ? json_at(s, "required")->first : NULL; r != NULL;
         r = r->next) {
        char name[64];

        str_copy(name, sizeof(name), r->text);
        assert_non_null(json_get(json_at(s, "properties"), name));
    }
    for (const struct json *m = json_at(s, "properties") ? json_at(s, "properties")->first : NULL; m != NULL;
         m = m->next)
        check_schema(m, arguments);
}

static void test_list_of_tools(void **state)
{
    const struct answer *a = ask(&f, "GET /api/mcp/tools HTTP/1.1"); /* public */
    const struct json *j = answer_json(a);
    unsigned i = 0;

    (void)state;
    assert_int_equal(a->status, 200);
    assert_true(strlen(answer_header(a, "ETag")) > 0);
    assert_int_equal(num(j, "total_tools"), tools_count);
    for (const struct json *t = json_at(j, "tools")->first; t != NULL; t = t->next, i++) {
        expect(t, "name", tools[i].name);
        check_schema(json_at(t, "inputSchema"), true);
        for (const struct json *m = json_at(t, "parameters")->first; m != NULL; m = m->next)
            assert_int_equal(json_at(m, "description")->type, JSON_STRING);
    }
    assert_int_equal(i, tools_count);
}

static void test_schemas_of_results(void **state)
{
    struct json_writer w;
    struct arena arena;
    const char *why;
    struct buf out;

    (void)state;
    buf_init(&out, 1 << 20);
    arena_init(&arena, 1 << 22);
    for (size_t i = 0; i < tools_count; i++) {
        buf_reset(&out);
        json_writer_init(&w, &out);
        tools_write_result_schema(&w, &tools[i]);
        const struct json *s = json_parse(&arena, buf_str(&out), &why);
        assert_non_null(s);
        expect(s, "type", "object");
        check_schema(s, false);
    }
    buf_free(&out);
    arena_free(&arena);
}

static void test_calls_are_counted_by_name(void **state)
{
    uint64_t before = metrics_total(f.sb, METRIC_MCP_TOOL_CALLS, 4, TOOL_NOT_FOUND, 0);

    (void)state;
    for (size_t i = 0; i < tools_count; i++)
        assert_string_equal(metrics_dim_value(METRICS_DIM_TOOL, (unsigned)i), tools[i].name);
    assert_int_equal(metrics_dim_size(METRICS_DIM_TOOL_STATUS), TOOL_OUTCOMES);
    query(&f, "predict_churn_risk", "{\"customer_id\": \"1\"}");
    assert_int_equal(metrics_total(f.sb, METRIC_MCP_TOOL_CALLS, 4, TOOL_NOT_FOUND, 0), before + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_as_the_routes),
        cmocka_unit_test(test_members_of_an_object_are_repeated),
        cmocka_unit_test(test_other_names_of_the_members),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_list_of_tools),
        cmocka_unit_test(test_schemas_of_results),
        cmocka_unit_test(test_calls_are_counted_by_name),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
