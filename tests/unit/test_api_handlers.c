/*
 * Profiles and searches against the fixture's customers, paging, the log, and the cap on memory.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api_expect.h"
#include "base/clock.h"
#include "base/log.h"
#include "core/metrics.h"
#include "core/sys.h"

static struct fixture f;

static int setup(void **state)
{
    (void)state;
    fixture_start(&f, "ACCESS_LOG = all\nSYNC_SOURCE = csv:/nowhere", 7);
    return 0;
}

static int setup_scored(void **state)
{
    (void)state;
    fixture_start(&f, "", 0);
    fixture_publish(&f, 8, true);
    api_tick(f.api);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fixture_stop(&f);
    return 0;
}

static void test_profile_facts(void **state)
{
    const struct answer *a = get(&f, "/api/customers/1004"); /* i = 4: 5 orders, 50.00 net */
    const struct json *j = answer_json(a);

    (void)state;
    assert_int_equal(a->status, 200);
    expect(j, "customer_id", "1004");
    assert_int_equal(json_at(j, "customer_id")->type, JSON_STRING);
    expect(j, "business_metrics.lifetime_value", "50.0");
    expect(j, "business_metrics.gross_sales", "55.0");
    expect(j, "business_metrics.refunds", "5.0");
    expect(j, "business_metrics.total_orders", "5");
    expect(j, "business_metrics.avg_order_value", "10.0");
    expect(j, "business_metrics.days_since_last_purchase", "4");
    expect(j, "business_metrics.customer_tenure_days", "18");
    expect(j, "business_metrics.avg_days_between_purchases", "3.5");
    expect(j, "business_metrics.first_purchase_date", "2025-10-16");
    expect(j, "business_metrics.last_purchase_date", "2025-10-30");
    expect(j, "churn_risk.factors.recency_days", "4");
    expect(j, "churn_risk.factors.engagement_trend", "declining"); /* 0 against 2 */
    expect(j, "predictions.historic_clv", "50.0");
    expect(j, "predictions.historic_number_of_orders", "5");
    expect(j, "predictions.clv_horizon_months", "12");
    expect(j, "predictions.horizon_days", "90");
    expect(j, "b2b.is_b2b", "false");
    expect(j, "b2b.b2b_score", "0.0");
    assert_int_equal(json_at(j, "b2b.b2b_indicators")->count, 0);
    expect(j, "as_of", "2025-11-03");
    expect(j, "data_version", "7");
    expect(answer_json(get(&f, "/api/customers/1003")), "business_metrics.avg_days_between_purchases", "null");
    expect(answer_json(get(&f, "/api/customers/1002")), "churn_risk.factors.engagement_trend", "stable");
    expect(answer_json(get(&f, "/api/customers/1199")), "b2b.is_b2b", "true");
}

static void test_profile_without_a_model(void **state)
{
    static const char *const nulls[] = { "archetype",
                                         "dominant_segments",
                                         "membership_strengths",
                                         "fuzzy_memberships",
                                         "churn_risk.risk_level",
                                         "churn_risk.churn_risk_score",
                                         "churn_risk.recommendation",
                                         "churn_risk.factors.order_frequency",
                                         "churn_risk.factors.value_tier",
                                         "predictions.predicted_clv",
                                         "predictions.predicted_clv_discounted",
                                         "predictions.total_clv",
                                         "predictions.predicted_number_of_orders",
                                         "predictions.churn_probability",
                                         "predictions.p_alive",
                                         "predictions.expected_date_of_next_order",
                                         "predictions.model_status",
                                         "predictions.model_version",
                                         "predictions.reasons" };
    const struct json *j = answer_json(get(&f, "/api/customers/1004"));

    (void)state;
    for (size_t i = 0; i < sizeof(nulls) / sizeof(nulls[0]); i++)
        expect(j, nulls[i], "null");
}

static void test_profile_with_a_model(void **state)
{
    const struct json *j = answer_json(get(&f, "/api/customers/1081")); /* churn 0.81 */

    (void)state;
    expect(j, "churn_risk.risk_level", "critical");
    expect(j, "churn_risk.churn_risk_score", "0.81");
    expect(j, "churn_risk.recommendation", "URGENT: Send re-engagement campaign immediately");
    expect(j, "churn_risk.factors.order_frequency", "rare");
    expect(j, "churn_risk.factors.value_tier", "mid_tier");
    expect(j, "dominant_segments.lifecycle", "cooling");
    expect(j, "dominant_segments.shopping_cadence", "insufficient");
    expect(j, "membership_strengths.lifecycle", "balanced");
    expect(j, "membership_strengths.shopping_cadence", "weak");
    expect(j, "fuzzy_memberships.lifecycle.cooling", "0.69");
    expect(j, "fuzzy_memberships.lifecycle.lapsing", "0.31");
    expect(j, "fuzzy_memberships.shopping_cadence.insufficient", "1.0");
    assert_int_equal(json_at(j, "fuzzy_memberships")->count, 9);
    expect(j, "predictions.predicted_clv", "25.39");
    expect(j, "predictions.total_clv", "845.39");
    expect(j, "predictions.model_status", "ok");
    expect(j, "predictions.model_version", "mbg1-20251103");
}

static void test_random_reaches_everybody(void **state)
{
    bool seen[FIXTURE_ROWS] = { false };
    unsigned distinct = 0;

    (void)state;
    for (int i = 0; i < 4000; i++) { /* a customer is missed with a chance of 200 e^-20 */
        int id = atoi(json_text(answer_json(get(&f, "/api/mcp/customer/random")), "customer_id")) - FIXTURE_FIRST_ID;

        distinct += !seen[id];
        seen[id] = true;
    }
    assert_int_equal(distinct, FIXTURE_ROWS);
}

static void test_search_forms(void **state)
{
    const struct json *j = answer_json(post(&f, "/api/mcp/search", ""));

    (void)state;
    assert_int_equal(j->type, JSON_ARRAY);
    assert_int_equal(j->count, 100);
    expect(j, "0.customer_id", "1199");
    expect(j, "0.lifetime_value", "2000.0");
    expect(j, "0.churn_risk_score", "null");
    expect(j, "0.impact", "null");
    expect(j, "1.customer_id", "1198");
    j = answer_json(post(&f, "/api/mcp/search?limit=3", "{}"));
    assert_int_equal(j->count, 3);
    j = answer_json(post(&f, "/api/mcp/search?limit=3", "{\"limit\":2}"));
    expect(j, "count", "2");
    expect(j, "limit", "2");
    expect(j, "total_matches", "200");
    expect(j, "sort_by", "ltv_desc");
    expect(j, "as_of", "2025-11-03");
    expect(j, "data_version", "7");
    j = answer_json(post(&f, "/api/mcp/search", "{\"lifecycle\":\"active\"}"));
    assert_int_equal(j->type, JSON_ARRAY);
    assert_int_equal(j->count, 0);
}

static void test_search_filters(void **state)
{
    const struct json *j;

    (void)state;
    j = answer_json(post(&f, "/api/mcp/search", "{\"filters\":{\"ltv_min\":50,\"ltv_max\":100.009}}"));
    expect(j, "total_matches", "6"); /* 50.00 … 100.00 */
    j = answer_json(post(&f, "/api/mcp/search", "{\"filters\":{\"ltv_min\":50.001}}"));
    expect(j, "total_matches", "195");
    j = answer_json(post(&f, "/api/mcp/search", "{\"filters\":{\"is_b2b\":true}}"));
    expect(j, "total_matches", "50"); /* above 1500.00 */
    j = answer_json(post(&f, "/api/mcp/search", "{\"filters\":{\"total_orders_max\":1}}"));
    expect(j, "total_matches", "67");
    j = answer_json(post(&f, "/api/mcp/search", "{\"filters\":{\"churn_risk_min\":0}}"));
    expect(j, "total_matches", "0"); /* nobody is scored */
    j = answer_json(post(&f, "/api/mcp/search", "{\"archetype_id\":\"arch_015766796028\"}"));
    expect(j, "total_matches", "0");
    j = answer_json(post(&f, "/api/mcp/search?archetype_id=arch_015766796028", ""));
    assert_int_equal(j->count, 0);
}

static void test_search_by_segment(void **state)
{
    const struct json *j;

    (void)state;
    j = answer_json(
        post(&f, "/api/mcp/search", "{\"filters\":{\"segment\":{\"lifecycle\":[\"active\",\"cooling\"]}}}"));
    expect(j, "total_matches", "200");
    expect(j, "customers.0.dominant_segments.lifecycle", "cooling");
    j = answer_json(post(&f, "/api/mcp/search", "{\"segment_filter\":{\"purchase_cadence\":\"insufficient\"}}"));
    expect(j, "total_matches", "200");
    j = answer_json(post(&f, "/api/mcp/search", "{\"purchase_frequency\":\"regular\"}"));
    assert_int_equal(j->count, 0);
    j = answer_json(post(&f, "/api/mcp/search",
                         "{\"filters\":{\"segment\":{\"lifecycle\":\"cooling\"}},\"segment_filter\":{\"lifecycle\":"
                         "\"active\"}}"));
    expect(j, "total_matches", "0");
    j = answer_json(post(&f, "/api/mcp/search", "{\"filters\":{\"churn_risk_min\":0.9},\"sort_by\":\"churn_risk\"}"));
    expect(j, "total_matches", "20");
    expect(j, "sort_by", "churn_risk_desc");
    expect(j, "customers.0.churn_risk_score", "0.99");
    expect(j, "customers.0.risk_level", "critical");
}

static void expect_fault(const char *body, const char *field, const char *type)
{
    const struct answer *a = post(&f, "/api/mcp/search", body);
    const struct json *j = answer_json(a);

    if (a->status != 422)
        fail_msg("%s: %d", body, a->status);
    expect(j, "error.code", "VALIDATION_ERROR");
    expect(j, "error.message", "Request validation failed");
    expect(j, "error.details.validation_errors.0.field", field);
    expect(j, "error.details.validation_errors.0.type", type);
}

static void test_search_faults(void **state)
{
    const struct json *j;

    (void)state;
    expect_fault("{\"limit\":0}", "body.limit", "out_of_range");
    expect_fault("{\"limit\":1001}", "body.limit", "out_of_range");
    expect_fault("{\"limit\":\"5\"}", "body.limit", "wrong_type");
    expect_fault("{\"limit\":5,\"lifecycle\":\"active\"}", "body.lifecycle", "unknown_field");
    expect_fault("{\"colour\":\"red\"}", "body.colour", "unknown_field");
    expect_fault("{\"lifecycle\":\"red\"}", "body.lifecycle", "invalid_value");
    expect_fault("{\"lifecycle\":[\"active\"]}", "body.lifecycle", "wrong_type");
    expect_fault("{\"filters\":[]}", "body.filters", "wrong_type");
    expect_fault("{\"filters\":{\"x\":1}}", "body.filters.x", "unknown_field");
    expect_fault("{\"filters\":{\"ltv_min\":-1}}", "body.filters.ltv_min", "out_of_range");
    expect_fault("{\"filters\":{\"ltv_min\":10,\"ltv_max\":9}}", "body.filters.ltv_min", "out_of_range");
    expect_fault("{\"filters\":{\"churn_risk_max\":1.01}}", "body.filters.churn_risk_max", "out_of_range");
    expect_fault("{\"filters\":{\"tenure_days_min\":36501}}", "body.filters.tenure_days_min", "out_of_range");
    expect_fault("{\"filters\":{\"segment\":{\"mood\":\"good\"}}}", "body.filters.segment.mood", "unknown_field");
    expect_fault("{\"filters\":{\"segment\":{\"lifecycle\":[]}}}", "body.filters.segment.lifecycle", "invalid_value");
    expect_fault("{\"segment_filter\":{\"lifecycle\":[1]}}", "body.segment_filter.lifecycle", "wrong_type");
    expect_fault("{\"filters\":{\"rfm_group\":\"BEST\"}}", "body.filters.rfm_group", "invalid_value");
    expect_fault("{\"filters\":{\"is_b2b\":1}}", "body.filters.is_b2b", "wrong_type");
    expect_fault("{\"cursor\":\"bm8gY3Vyc29y\"}", "body.cursor", "invalid_value");
    j = answer_json(post(&f, "/api/mcp/search", "{\"sort_by\":\"name\"}"));
    expect(j, "error.message", "Invalid sort_by: name");
    expect(j, "error.details.field", "sort_by");
    assert_int_equal(json_at(j, "error.details.allowed")->count, 21);
}

/* Walks all pages; every customer once, in order. */
static unsigned walk(const char *filters, const char *sort)
{
    char cursor[128] = "null", body[512];
    bool seen[FIXTURE_ROWS] = { false };
    unsigned count = 0;

    for (;;) {
        const struct json *j;

        snprintf(body, sizeof(body), "{\"filters\":%s,\"sort_by\":\"%s\",\"limit\":7,\"cursor\":%s}", filters, sort,
                 cursor);
        j = answer_json(post(&f, "/api/mcp/search", body));
        for (const struct json *c = json_at(j, "customers")->first; c != NULL; c = c->next) {
            int id = atoi(json_text(c, "customer_id")) - FIXTURE_FIRST_ID;

            assert_false(seen[id]);
            seen[id] = true;
            count++;
        }
        if (json_at(j, "next_cursor")->type == JSON_NULL)
            return count;
        snprintf(cursor, sizeof(cursor), "\"%s\"", json_text(j, "next_cursor"));
        if (count == 14) /* a new version in mid-walk */
            fixture_publish(&f, 9, false);
        api_tick(f.api);
    }
}

static void test_search_pages(void **state)
{
    (void)state;
    assert_int_equal(walk("{}", "ltv_desc"), 200);
    assert_int_equal(walk("{\"ltv_min\":500}", "recency_asc"), 151);
    assert_int_equal(walk("{}", "orders"), 200);
}

static void test_cursor_is_bound(void **state)
{
    char cursor[128], body[512];

    (void)state;
    str_copy(cursor, sizeof(cursor),
             str_from(json_text(answer_json(post(&f, "/api/mcp/search", "{\"limit\":2}")), "next_cursor")));
    snprintf(body, sizeof(body), "{\"limit\":5,\"cursor\":\"%s\"}", cursor);
    assert_int_equal(post(&f, "/api/mcp/search", body)->status, 200);
    snprintf(body, sizeof(body), "{\"sort_by\":\"ltv_asc\",\"cursor\":\"%s\"}", cursor);
    expect_fault(body, "body.cursor", "invalid_value");
    snprintf(body, sizeof(body), "{\"filters\":{\"ltv_min\":1},\"cursor\":\"%s\"}", cursor);
    expect_fault(body, "body.cursor", "invalid_value");
    snprintf(body, sizeof(body), "{\"filters\":{\"archetype_id\":\"a\"},\"cursor\":\"%s\"}", cursor);
    expect_fault(body, "body.cursor", "invalid_value");
}

/* What the requests of `fn` write to the log. */
static void capture(char *text, size_t size, void (*fn)(void))
{
    int kept = dup(STDERR_FILENO), pipe_fds[2];
    ssize_t n;

    assert_int_equal(pipe(pipe_fds), 0);
    assert_true(dup2(pipe_fds[1], STDERR_FILENO) >= 0);
    log_init("worker/0", LOG_LEVEL_DEBUG, false);
    fn();
    log_init("test", LOG_LEVEL_CRITICAL, false);
    assert_true(dup2(kept, STDERR_FILENO) >= 0);
    close(kept);
    close(pipe_fds[1]);
    n = read(pipe_fds[0], text, size - 1);
    close(pipe_fds[0]);
    text[n > 0 ? n : 0] = '\0';
}

static void ask_with_a_key_in_the_query(void)
{
    ask(&f, "POST /admin/sync-sales?mode=x&admin%5Fkey=" FIXTURE_KEY " HTTP/1.1");
}

static void ask_with_a_bad_key(void)
{
    ask(&f, "GET /api/customers/1 HTTP/1.1\nX-API-Key: pk_live_abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNO12");
}

static void test_log_holds_no_secret(void **state)
{
    char text[16384];

    (void)state;
    capture(text, sizeof(text), ask_with_a_key_in_the_query);
    assert_null(strstr(text, FIXTURE_KEY));
    assert_non_null(strstr(text, "request_started"));
    assert_non_null(strstr(text, "mode=x&admin_key=***"));
    assert_non_null(strstr(text, "admin_key_in_query"));
    assert_non_null(strstr(text, "request_completed"));
    assert_non_null(strstr(text, "endpoint=/admin/sync-sales"));
    assert_non_null(strstr(text, "status_code=400"));
    capture(text, sizeof(text), ask_with_a_bad_key);
    assert_non_null(strstr(text, "key_prefix=pk_live_ab "));
    assert_non_null(strstr(text, "reason=unknown"));
    assert_null(strstr(text, "pk_live_abc"));
}

static void test_small_memory_becomes_503(void **state)
{
    const struct answer *a;

    (void)state;
    api_free(f.api);
    f.conf->max_request_memory_bytes = 32768; /* less than the settings allow, so that few customers fill it */
    f.api = api_new(&(struct api_env){ .conf = f.conf, .sb = f.sb, .slot = f.slot });
    a = post(&f, "/api/mcp/search", "{\"limit\":200}");
    assert_int_equal(a->status, 503);
    expect(answer_json(a), "error.code", "SERVICE_UNAVAILABLE");
    assert_string_equal(answer_header(a, "Retry-After"), "1");
    assert_int_equal(metrics_total(f.sb, METRIC_LOAD_SHED, METRIC_SHED_MEMORY, 0, 0), 1);
    assert_int_equal(post(&f, "/api/mcp/search", "{\"limit\":20}")->status, 200);
}

#define TEST(fn, prepare) cmocka_unit_test_setup_teardown(fn, prepare, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_profile_facts, setup),
        TEST(test_profile_without_a_model, setup),
        TEST(test_profile_with_a_model, setup_scored),
        TEST(test_random_reaches_everybody, setup),
        TEST(test_search_forms, setup),
        TEST(test_search_filters, setup),
        TEST(test_search_by_segment, setup_scored),
        TEST(test_search_faults, setup),
        TEST(test_search_pages, setup),
        TEST(test_cursor_is_bound, setup),
        TEST(test_log_holds_no_secret, setup),
        TEST(test_small_memory_becomes_503, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
