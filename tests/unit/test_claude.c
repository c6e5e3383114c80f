/*
 * Requests to the Messages API and what its answers mean, the circuit and the places, and what is remembered.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/claude_circuit.h"
#include "api/claude_message.h"
#include "api/nl_memory.h"
#include "api/tools.h"
#include "base/clock.h"

#define NOW_S 1762158000 /* 2025-11-03T08:20:00Z */
#define MS    1000000ULL

static struct arena arena;

static int setup(void **state)
{
    (void)state;
    tools_init();
    arena_init(&arena, 1 << 24);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_free(&arena);
    return 0;
}

/* ---- requests ---- */

static const struct json *request_for(const char *question)
{
    static struct buf out;
    const struct json *j;
    const char *why;

    buf_free(&out);
    buf_init(&out, 1 << 18);
    claude_write_prefix(&out, "claude-haiku-5-5", "low");
    claude_write_question(&out, str_from(question));
    assert_false(out.failed);
    j = json_parse(&arena, buf_str(&out), &why);
    assert_non_null(j);
    return j;
}

static struct str text_at(const struct json *j, const char *key)
{
    assert_non_null(json_get(j, key));
    return json_get(j, key)->text;
}

static void test_request(void **state)
{
    const struct json *j = request_for("who \"churns\"?\n\x01");
    const struct json *message = json_get(j, "messages")->first;

    (void)state;
    assert_true(str_eq_lit(text_at(j, "model"), "claude-haiku-5-5"));
    assert_true(str_eq_lit(text_at(json_get(j, "output_config"), "effort"), "low"));
    assert_true(str_eq_lit(text_at(message, "content"), "who \"churns\"?\n\x01"));
    assert_int_equal(json_get(j, "messages")->count, 1);
    assert_int_equal(json_get(j, "tools")->count, 6);
    assert_null(json_get(j, "temperature"));
    assert_null(json_get(j, "thinking"));
}

/* No bounds, no open objects; optional members are counted. */
static void check_strict(const struct json *s, unsigned *optional)
{
    static const char *const never[] = { "minimum", "maximum", "minItems", "maxItems", "default", "anyOf" };
    const struct json *type = json_get(s, "type"), *properties = json_get(s, "properties");

    for (size_t i = 0; i < sizeof(never) / sizeof(never[0]); i++)
        assert_null(json_get(s, never[i]));
    assert_int_equal(type->type, JSON_STRING);
    if (str_eq_lit(type->text, "array"))
        check_strict(json_get(s, "items"), optional);
    if (!str_eq_lit(type->text, "object"))
        return;
    assert_int_equal(json_get(s, "additionalProperties")->boolean, false);
    *optional += (unsigned)(properties->count - json_get(s, "required")->count);
    for (const struct json *m = properties->first; m != NULL; m = m->next)
        check_strict(m, optional);
}

static void test_schemas_are_strict(void **state)
{
    unsigned optional = 0;

    (void)state;
    for (const struct json *t = json_get(request_for("x"), "tools")->first; t != NULL; t = t->next) {
        assert_true(json_get(t, "strict")->boolean);
        check_strict(json_get(t, "input_schema"), &optional);
    }
    assert_true(optional <= 24);
}

static void test_conditions_come_back(void **state)
{
    static const char *const cases[][2] = {
        { "{\"filters\":[{\"field\":\"ltv_min\",\"value\":\"100\"},{\"field\":\"is_b2b\",\"value\":\"true\"},"
          "{\"field\":\"rfm_group\",\"value\":\"LOYAL\"},{\"field\":\"rfm_group\",\"value\":\"NEW\"}],\"limit\":5}",
          "{\"filters\":{\"ltv_min\":100,\"is_b2b\":true,\"rfm_group\":[\"LOYAL\",\"NEW\"]},\"limit\":5}" },
        { "{\"filters\":[{\"field\":\"segment.lifecycle\",\"value\":\"active\"},{\"field\":\"segment.lifecycle\","
          "\"value\":\"cooling\"},{\"field\":\"segment.purchase_value\",\"value\":\"premium\"}]}",
          "{\"filters\":{\"segment\":{\"lifecycle\":[\"active\",\"cooling\"],\"purchase_value\":\"premium\"}}}" },
        { "{\"filters\":[{\"field\":\"ltv_min\",\"value\":\"much\"},{\"field\":\"mood\",\"value\":\"1\"},7,{}]}",
          "{\"filters\":{}}" },
        { "{\"filters\":[]}", "{\"filters\":{}}" },
        { "{\"filters\":{\"ltv_min\":1}}", "{\"filters\":{\"ltv_min\":1}}" },
    };
    struct json_writer w;
    struct buf out;

    (void)state;
    buf_init(&out, 1 << 16);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *why;
        struct json *j = json_parse(&arena, str_from(cases[i][0]), &why);

        assert_true(tools_from_strict(&arena, tools_find(STR_LIT("query_customers")), j));
        buf_reset(&out);
        json_writer_init(&w, &out);
        json_value(&w, j);
        assert_string_equal(buf_cstr(&out), cases[i][1]);
    }
    buf_free(&out);
}

/* ---- answers ---- */

#define HEAD "HTTP/1.1 200 OK\r\nrequest-id: req_1\r\n"
#define TOOL_USE                                                                                                     \
    "{\"type\":\"message\",\"content\":[{\"type\":\"thinking\",\"thinking\":\"\"},{\"type\":\"text\",\"text\":"      \
    "\"x\"},"                                                                                                        \
    "{\"type\":\"tool_use\",\"id\":\"t\",\"name\":\"query_customers\",\"input\":{\"limit\":3,\"filters\":[]}}],"     \
    "\"stop_reason\":\"tool_use\",\"usage\":{\"input_tokens\":5,\"cache_read_input_tokens\":7,\"output_tokens\":2}}"

static struct claude_reply read_answer(enum fetch_error error, int status, const char *head, const char *body,
                                       unsigned attempt)
{
    struct fetch_answer a = {
        .error = error, .why = "", .status = status, .head = str_from(head), .body = str_from(body)
    };
    struct claude_reply r;

    claude_read_answer(&a, attempt, 0, NOW_S, &arena, &r);
    return r;
}

static void test_good_answers(void **state)
{
    struct claude_reply r = read_answer(FETCH_OK, 200, HEAD, TOOL_USE, 0);

    (void)state;
    assert_int_equal(r.error, METRIC_AI_OK);
    assert_string_equal(r.tool->name, "query_customers");
    assert_int_equal(r.arguments->type, JSON_OBJECT);
    assert_int_equal(r.input_tokens, 12);
    assert_int_equal(r.output_tokens, 2);
    assert_string_equal(r.request_id, "req_1");
    r = read_answer(FETCH_OK, 200, HEAD,
                    "{\"type\":\"message\",\"content\":[{\"type\":\"text\",\"text\":\"Hello\"}],"
                    "\"stop_reason\":\"end_turn\"}",
                    0);
    assert_int_equal(r.error, METRIC_AI_OK);
    assert_null(r.tool);
}

static void test_answers_of_no_use(void **state)
{
    static const struct {
        const char *body;
        enum metric_ai_error error;
    } cases[] = {
        { "", METRIC_AI_MALFORMED },
        { "{}", METRIC_AI_MALFORMED },
        { "<html>", METRIC_AI_MALFORMED },
        { "{\"type\":\"message\",\"content\":[],\"stop_reason\":\"tool_use\"}", METRIC_AI_MALFORMED },
        { "{\"type\":\"message\",\"content\":{},\"stop_reason\":\"end_turn\"}", METRIC_AI_MALFORMED },
        { "{\"type\":\"message\",\"content\":[],\"stop_reason\":\"pause_turn\"}", METRIC_AI_MALFORMED },
        { "{\"type\":\"message\",\"content\":[{\"type\":\"tool_use\",\"name\":\"get_customer_profile\",\"input\":{}}]"
          ","
          "\"stop_reason\":\"tool_use\"}",
          METRIC_AI_MALFORMED }, /* one that was not offered */
        { "{\"type\":\"message\",\"content\":[],\"stop_reason\":\"max_tokens\"}", METRIC_AI_TRUNCATED },
        { "{\"type\":\"message\",\"content\":[],\"stop_reason\":\"model_context_window_exceeded\"}",
          METRIC_AI_TRUNCATED },
        { "{\"type\":\"message\",\"content\":[],\"stop_reason\":\"refusal\"}", METRIC_AI_REFUSAL },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct claude_reply r = read_answer(FETCH_OK, 200, HEAD, cases[i].body, 0);

        assert_int_equal(r.error, cases[i].error);
        assert_int_equal(r.retry_ms, -1);
        assert_null(r.tool);
    }
}

#define ERROR(type) "{\"type\":\"error\",\"error\":{\"type\":\"" type "\",\"message\":\"m\"}}"

static void test_errors_and_retries(void **state)
{
    static const char spent[] = "{\"type\":\"error\",\"error\":{\"type\":\"rate_limit_error\",\"message\":\"m\","
                                "\"details\":{\"error_code\":\"monthly_spend_limit_reached\"}}}";
    static const struct {
        int status;
        const char *head, *body;
        unsigned attempt;
        enum metric_ai_error error;
        int64_t retry_ms, asked_ms;
    } cases[] = {
        { 400, "", ERROR("invalid_request_error"), 0, METRIC_AI_INVALID_REQUEST, -1, -1 },
        { 401, "", ERROR("authentication_error"), 0, METRIC_AI_AUTHENTICATION, -1, -1 },
        { 402, "", ERROR("billing_error"), 0, METRIC_AI_BILLING, -1, -1 },
        { 403, "", ERROR("permission_error"), 0, METRIC_AI_PERMISSION, -1, -1 },
        { 404, "", ERROR("not_found_error"), 0, METRIC_AI_NOT_FOUND, -1, -1 },
        { 409, "", ERROR("conflict_error"), 0, METRIC_AI_CONFLICT, 500, -1 },
        { 413, "", "<html>", 0, METRIC_AI_TOO_LARGE, -1, -1 },
        { 429, "", ERROR("rate_limit_error"), 1, METRIC_AI_RATE_LIMIT, 1000, -1 },
        { 429, "", ERROR("rate_limit_error"), 2, METRIC_AI_RATE_LIMIT, -1, -1 },
        { 429, "", spent, 0, METRIC_AI_RATE_LIMIT, -1, -1 },
        { 429, "retry-after: 3\r\n", spent, 0, METRIC_AI_RATE_LIMIT, 3000, 3000 },
        { 500, "", ERROR("api_error"), 0, METRIC_AI_SERVER, 500, -1 },
        { 502, "", "", 0, METRIC_AI_SERVER, 500, -1 },
        { 504, "", ERROR("timeout_error"), 0, METRIC_AI_TIMEOUT, 500, -1 },
        { 529, "", ERROR("overloaded_error"), 0, METRIC_AI_OVERLOADED, 500, -1 },
        { 529, "", "", 0, METRIC_AI_OVERLOADED, 500, -1 },
        { 302, "", "", 0, METRIC_AI_MALFORMED, -1, -1 },
        { 529, "retry-after-ms: 120\r\nretry-after: 9\r\n", "", 0, METRIC_AI_OVERLOADED, 120, 120 },
        { 529, "Retry-After: 1.5\r\n", "", 0, METRIC_AI_OVERLOADED, 1500, 1500 },
        { 529, "retry-after: Mon, 03 Nov 2025 08:20:07 GMT\r\n", "", 0, METRIC_AI_OVERLOADED, 7000, 7000 },
        { 529, "retry-after: Mon, 03 Nov 2025 08:19:00 GMT\r\n", "", 0, METRIC_AI_OVERLOADED, 500, -1 },
        { 529, "retry-after: -4\r\n", "", 0, METRIC_AI_OVERLOADED, 500, -1 },
        { 529, "retry-after: 1e400\r\n", "", 0, METRIC_AI_OVERLOADED, 500, -1 },
        { 529, "retry-after: 999999999999\r\n", "", 0, METRIC_AI_OVERLOADED, 3600000, 3600000 },
        { 529, "x-should-retry: false\r\n", "", 0, METRIC_AI_OVERLOADED, -1, -1 },
        { 400, "x-should-retry: true\r\n", "", 0, METRIC_AI_INVALID_REQUEST, 500, -1 },
    };
    char head[256];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        snprintf(head, sizeof(head), "HTTP/1.1 %d X\r\n%s", cases[i].status, cases[i].head);
        struct claude_reply r = read_answer(FETCH_OK, cases[i].status, head, cases[i].body, cases[i].attempt);

        if (r.error != cases[i].error || r.retry_ms != cases[i].retry_ms || r.asked_ms != cases[i].asked_ms)
            fail_msg("%d %s%s: error %u, retry %lld, asked %lld", cases[i].status, cases[i].head, cases[i].body,
                     (unsigned)r.error, (long long)r.retry_ms, (long long)r.asked_ms);
    }
}

static void test_transport(void **state)
{
    static const struct {
        enum fetch_error fetch;
        enum metric_ai_error error;
        int64_t retry_ms;
    } cases[] = {
        { FETCH_CONNECT, METRIC_AI_CONNECT, 500 },    { FETCH_TLS, METRIC_AI_TLS, -1 },
        { FETCH_TIMEOUT, METRIC_AI_TIMEOUT, 500 },    { FETCH_BROKEN, METRIC_AI_BROKEN, 500 },
        { FETCH_TOO_LARGE, METRIC_AI_MALFORMED, -1 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct claude_reply r = read_answer(cases[i].fetch, 0, "", "", 0);

        assert_int_equal(r.error, cases[i].error);
        assert_int_equal(r.retry_ms, cases[i].retry_ms);
    }
    assert_int_equal(read_answer(FETCH_CONNECT, 0, "", "", CLAUDE_MAX_RETRIES).retry_ms, -1);
}

static void test_request_id_is_plain(void **state)
{
    (void)state;
    assert_string_equal(read_answer(FETCH_OK, 500, "HTTP/1.1 500 X\r\nrequest-id: a b\x1b[31m\r\n", "", 0).request_id,
                        "a?b?[31m");
    assert_string_equal(read_answer(FETCH_OK, 500, "", "", 0).request_id, "");
}

static void test_last_header_counts(void **state)
{
    struct fetch_answer a = { .head = STR_LIT("HTTP/1.1 200 OK\r\nX-A: 1\r\nx-b:2:3 \r\nX-a:  4\r\nbroken\r\n\r\n") };

    (void)state;
    assert_true(str_eq_lit(fetch_header(&a, "x-a"), "4"));
    assert_true(str_eq_lit(fetch_header(&a, "X-B"), "2:3"));
    assert_null(fetch_header(&a, "broken").p);
    assert_null(fetch_header(&a, "none").p);
}

/* ---- circuit and places ---- */

static struct scoreboard *board(void)
{
    struct scoreboard *sb = aligned_alloc(64, (sizeof(*sb) + 63) / 64 * 64);

    assert_non_null(sb);
    memset(sb, 0, sizeof(*sb));
    return sb;
}

static void test_circuit(void **state)
{
    struct scoreboard *sb = board();
    uint64_t now = 1000 * MS;

    (void)state;
    assert_true(circuit_allows(sb, now));
    assert_false(circuit_bad(sb, now, now, false, -1));
    assert_false(circuit_bad(sb, now, now, false, -1));
    assert_true(circuit_allows(sb, now));
    assert_true(circuit_bad(sb, now, now, false, -1)); /* the third opens it */
    assert_false(circuit_allows(sb, now + (CIRCUIT_FIRST_MS - 1) * MS));
    now += CIRCUIT_FIRST_MS * MS;
    assert_true(circuit_allows(sb, now)); /* one tries */
    assert_false(circuit_allows(sb, now));
    assert_false(circuit_bad(sb, now, now, false, -1)); /* in vain: twice as long, and no news */
    assert_false(circuit_allows(sb, now + (2 * CIRCUIT_FIRST_MS - 1) * MS));
    now += 2 * CIRCUIT_FIRST_MS * MS;
    assert_true(circuit_allows(sb, now));
    circuit_good(sb);
    assert_true(circuit_allows(sb, now));
    assert_true(circuit_allows(sb, now));
    assert_false(circuit_bad(sb, now, now, false, -1)); /* counted anew */
    free(sb);
}

/* However many were under way when it opened: it does not stay open longer for them, unless they were told to wait.
 */
static void test_circuit_counts_late_failures_once(void **state)
{
    struct scoreboard *sb = board();
    uint64_t begun = 1000 * MS, now = 1300 * MS;

    (void)state;
    for (int i = 0; i < 16; i++)
        assert_int_equal(circuit_bad(sb, begun, now, false, -1), i == 2);
    assert_false(circuit_allows(sb, now + (CIRCUIT_FIRST_MS - 1) * MS));
    now += CIRCUIT_FIRST_MS * MS;
    assert_true(circuit_allows(sb, now));
    assert_false(circuit_bad(sb, now, now, false, -1)); /* the one that tried: twice as long */
    assert_false(circuit_allows(sb, now + (2 * CIRCUIT_FIRST_MS - 1) * MS));
    assert_false(circuit_bad(sb, begun, now, false, 30000));
    assert_false(circuit_allows(sb, now + 29999 * MS));
    assert_true(circuit_allows(sb, now + 30000 * MS));
    free(sb);
}

static void test_circuit_waits_as_long_as_it_must(void **state)
{
    struct scoreboard *sb = board();

    (void)state;
    assert_true(circuit_bad(sb, 0, 0, true, -1)); /* a wrong key */
    assert_false(circuit_allows(sb, (CIRCUIT_LONGEST_MS - 1) * MS));
    circuit_begin(sb, 7); /* other settings */
    assert_true(circuit_allows(sb, 0));
    assert_true(circuit_bad(sb, 0, 0, false, 90000)); /* what the provider asks for */
    assert_false(circuit_allows(sb, 89999 * MS));
    assert_true(circuit_allows(sb, 90000 * MS));
    circuit_begin(sb, 7); /* the same settings change nothing */
    assert_false(circuit_allows(sb, 90001 * MS));
    circuit_begin(sb, 8);
    assert_true(circuit_bad(sb, 0, 0, false, 1000000000));
    assert_true(circuit_allows(sb, CIRCUIT_ASKED_MS * MS));
    for (int i = 0; i < 100; i++)
        circuit_bad(sb, 0, 0, false, -1);
    assert_true(circuit_allows(sb, CIRCUIT_LONGEST_MS * MS));
    free(sb);
}

static void test_places_are_the_whole_server_s(void **state)
{
    struct scoreboard *sb = board();

    (void)state;
    assert_true(circuit_take_place(sb, &sb->slots[0], 2));
    assert_true(circuit_take_place(sb, &sb->slots[7], 2));
    assert_false(circuit_take_place(sb, &sb->slots[0], 2));
    circuit_give_place(&sb->slots[7]);
    assert_true(circuit_take_place(sb, &sb->slots[0], 2));
    assert_int_equal(atomic_load(&sb->slots[0].ai_calls), 2);
    free(sb);
}

static void test_memory(void **state)
{
    struct nl_memory *m = nl_memory_new(10);
    char question[32];

    (void)state;
    assert_null(nl_memory_get(m, STR_LIT("a"), 0).p);
    nl_memory_put(m, STR_LIT("a"), STR_LIT("meaning"), 0);
    assert_true(str_eq_lit(nl_memory_get(m, STR_LIT("a"), 9 * CLOCK_NS_PER_S), "meaning"));
    assert_null(nl_memory_get(m, STR_LIT("a"), 10 * CLOCK_NS_PER_S).p);
    nl_memory_put(m, STR_LIT("a"), STR_LIT("other"), 0);
    assert_true(str_eq_lit(nl_memory_get(m, STR_LIT("a"), 0), "other"));
    for (int i = 0; i < 4 * NL_MEMORY_PLACES; i++) {
        snprintf(question, sizeof(question), "question %d", i);
        nl_memory_put(m, str_from(question), str_from(question), 0);
        assert_true(str_eq_lit(nl_memory_get(m, str_from(question), 0), question));
    }
    nl_memory_free(m);
}

static void test_http_dates(void **state)
{
    static const char *const bad[] = { "",
                                       "Sun, 06 Nov 1994 08:49:37",
                                       "Sun, 06 Nov 1994 08:49:37 CET",
                                       "Sun, 31 Feb 1994 08:49:37 GMT",
                                       "Sun, 06 Now 1994 08:49:37 GMT",
                                       "Sun, 06 Nov 1994 24:49:37 GMT",
                                       "Sunday, 06-Nov-94 08:49:37 GMT" };
    int64_t s;

    (void)state;
    assert_true(clock_parse_http_date(STR_LIT("Sun, 06 Nov 1994 08:49:37 GMT"), &s));
    assert_int_equal(s, 784111777);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(clock_parse_http_date(str_from(bad[i]), &s));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_request),
        cmocka_unit_test(test_schemas_are_strict),
        cmocka_unit_test(test_conditions_come_back),
        cmocka_unit_test(test_good_answers),
        cmocka_unit_test(test_answers_of_no_use),
        cmocka_unit_test(test_errors_and_retries),
        cmocka_unit_test(test_transport),
        cmocka_unit_test(test_request_id_is_plain),
        cmocka_unit_test(test_last_header_counts),
        cmocka_unit_test(test_circuit),
        cmocka_unit_test(test_circuit_counts_late_failures_once),
        cmocka_unit_test(test_circuit_waits_as_long_as_it_must),
        cmocka_unit_test(test_places_are_the_whole_server_s),
        cmocka_unit_test(test_memory),
        cmocka_unit_test(test_http_dates),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
