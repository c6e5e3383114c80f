/*
 * What the handlers answer: values against the fixture's customers, every state of health, search and paging.
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

#include "api_fixture.h"
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

static int setup_empty(void **state)
{
    (void)state;
    fixture_start(&f, "", 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fixture_stop(&f);
    return 0;
}

static void expect(const struct json *j, const char *path, const char *text)
{
    if (strcmp(json_text(j, path), text) != 0)
        fail_msg("%s is %s, expected %s", path, json_text(j, path), text);
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

static void set_check(enum sb_component c, enum sb_health health, enum sb_error error)
{
    scoreboard_check_set(&f.sb->checks[c], health, error, 1800, clock_wall_us());
}

static void all_up(void)
{
    for (int c = 0; c < SB_COMPONENT_COUNT; c++)
        set_check((enum sb_component)c, SB_HEALTH_UP, SB_ERROR_NONE);
}

static void test_health_is_healthy(void **state)
{
    const struct answer *a;
    const struct json *j;

    (void)state;
    all_up();
    a = get(&f, "/health");
    j = answer_json(a);
    assert_int_equal(a->status, 200);
    expect(j, "status", "healthy");
    expect(j, "reason", "null");
    expect(j, "version", "1.0.0");
    expect(j, "components.api", "healthy");
    expect(j, "components.mcp_server", "healthy");
    expect(j, "components.database", "healthy");
    expect(j, "components.cache", "not_configured");
    expect(j, "components.ai", "not_configured");
    expect(j, "components.source", "healthy");
    expect(j, "components.sync", "healthy");
    expect(j, "checks.database.state", "up");
    expect(j, "checks.database.latency_ms", "1.8");
    expect(j, "checks.database.error", "null");
    expect(j, "data_status.customers_loaded", "200");
    expect(j, "data_status.archetypes_available", "0");
    expect(j, "data_status.archetypes_loaded", "0");
    expect(j, "data_status.data_source", "postgresql");
    expect(j, "data_status.as_of", "2025-11-03");
    expect(j, "data_status.data_version", "7");
    expect(j, "data_status.stale", "false");
    expect(j, "data_status.orders_loaded", "5000");
    expect(j, "data_status.rows_loaded", "9000");
    assert_in_range(atoi(json_text(j, "data_status.age_seconds")), 60, 90);
    assert_int_equal(get(&f, "/health/ready")->status, 200);
}

static void test_health_degrades(void **state)
{
    const struct json *j;

    (void)state;
    all_up();
    set_check(SB_DATABASE, SB_HEALTH_DOWN, SB_ERROR_REFUSED);
    assert_int_equal(get(&f, "/health")->status, 200);
    j = answer_json(get(&f, "/health"));
    expect(j, "status", "degraded");
    expect(j, "reason", "dependency_down");
    expect(j, "components.database", "down");
    expect(j, "checks.database.error", "refused");
    expect(j, "data_status.data_source", "snapshot");
    j = answer_json(get(&f, "/health/ready"));
    expect(j, "status", "ready");
    expect(j, "database", "down");
    expect(j, "customers", "200");
}

static void test_a_check_that_stopped_coming_is_overdue(void **state)
{
    const struct json *j;

    (void)state;
    all_up();
    atomic_store(&f.sb->checks[SB_DATABASE].checked_us, clock_wall_us() - 120 * CLOCK_US_PER_S);
    j = answer_json(get(&f, "/health"));
    expect(j, "checks.database.state", "degraded");
    expect(j, "checks.database.error", "overdue");
}

static void add_run(uint32_t status, int64_t data_version)
{
    struct sb_sync s;

    assert_true(scoreboard_sync_read(f.sb, &s));
    memmove(&s.runs[1], &s.runs[0], sizeof(s.runs) - sizeof(s.runs[0]));
    s.runs[0] = (struct sb_run){ .run_id = s.run_count + 1,
                                 .status = status,
                                 .started_us = clock_wall_us() - 2 * CLOCK_US_PER_S,
                                 .finished_us = clock_wall_us(),
                                 .data_version = data_version };
    if (status == SB_RUN_FAILED) {
        s.runs[0].reason = SB_REASON_SOURCE_CONNECT;
        snprintf(s.runs[0].error, sizeof(s.runs[0].error), "cannot reach the source");
        s.last_error = s.runs[0];
    }
    s.run = s.runs[0];
    s.run_count++;
    scoreboard_sync_write(f.sb, &s);
}

static void test_a_failed_sync_degrades(void **state)
{
    (void)state;
    all_up();
    add_run(SB_RUN_SUCCESS, 7);
    expect(answer_json(get(&f, "/health")), "status", "healthy");
    add_run(SB_RUN_FAILED, 0);
    expect(answer_json(get(&f, "/health")), "components.sync", "degraded");
    expect(answer_json(get(&f, "/health")), "status", "degraded");
}

static void test_a_sync_without_news_makes_data_younger(void **state)
{
    (void)state;
    add_run(SB_RUN_SUCCESS, 0);
    api_tick(f.api);
    assert_in_range(atoi(json_text(answer_json(get(&f, "/health")), "data_status.age_seconds")), 0, 30);
}

static void test_stale_data(void **state)
{
    const struct json *j;

    (void)state;
    all_up();
    fixture_publish_synced(&f, 8, clock_wall_us() - 25 * 3600 * CLOCK_US_PER_S);
    api_tick(f.api);
    assert_int_equal(get(&f, "/health")->status, 200);
    j = answer_json(get(&f, "/health"));
    expect(j, "status", "degraded");
    expect(j, "reason", "stale_data");
    expect(j, "data_status.stale", "true");
    expect(j, "components.sync", "degraded");
}

/* Does the text hold the word a keyword monitor looks for? */
static bool says_healthy(struct str s)
{
    return memmem(s.p, s.len, "healthy", 7) != NULL;
}

static void test_unavailable(void **state)
{
    const struct answer *a;
    const struct json *j;

    (void)state;
    all_up();
    a = get(&f, "/health");
    assert_int_equal(a->status, 503);
    assert_false(says_healthy(a->body));
    j = answer_json(a);
    expect(j, "status", "unavailable");
    expect(j, "reason", "no_data");
    expect(j, "components.database", "up");
    expect(j, "data_status.customers_loaded", "0");
    expect(j, "data_status.data_version", "0");
    expect(j, "data_status.last_sync_at", "null");
    expect(j, "data_status.as_of", "null");
    expect(j, "data_status.age_seconds", "null");
    expect(j, "data_status.data_source", "none");
    expect(j, "data_status.stale", "true");
    a = get(&f, "/health/ready");
    assert_int_equal(a->status, 503);
    assert_false(says_healthy(a->body));
    j = answer_json(a);
    expect(j, "status", "not_ready");
    expect(j, "reason", "no_data");
    expect(j, "error.code", "SERVICE_UNAVAILABLE");
    expect(j, "error.message", "Not ready: no_data");
    expect(j, "detail", "Not ready: no_data");
    assert_int_equal(get(&f, "/health/live")->status, 200);
}

static void test_draining(void **state)
{
    const struct answer *a;

    (void)state;
    all_up();
    api_drain(f.api); /* this worker alone: the server goes on */
    assert_int_equal(get(&f, "/health")->status, 200);
    atomic_store(&f.sb->stopping, 1);
    a = get(&f, "/health");
    assert_int_equal(a->status, 503);
    assert_false(says_healthy(a->body));
    expect(answer_json(a), "reason", "draining");
    expect(answer_json(get(&f, "/health/ready")), "reason", "draining");
}

static void test_pool(void **state)
{
    const struct json *j;

    (void)state;
    all_up();
    atomic_store(&f.slot->pg_open, 33);
    atomic_store(&f.slot->pg_busy, 3);
    j = answer_json(get(&f, "/admin/db/pool"));
    expect(j, "pool_size", "30");
    expect(j, "checked_out", "3");
    expect(j, "overflow", "3");
    expect(j, "queue_size", "47");
    expect(j, "total_connections", "33");
    expect(j, "configuration.max_total", "50");
    expect(j, "configuration.pre_ping", "true");
    expect(j, "health", "healthy");
    expect(j, "health_error", "null");
    expect(j, "utilization_percent", "9.09");
    expect(j, "waiting", "0");
    expect(j, "timeouts_total", "0");
}

static void test_cache_without_redis(void **state)
{
    const struct json *j = answer_json(get(&f, "/admin/cache/stats"));

    (void)state;
    expect(j, "enabled", "false");
    expect(j, "connected", "false");
    expect(j, "reason", "Cache disabled or not connected");
    expect(j, "error", "null");
    expect(j, "hit_rate", "0.0");
    expect(j, "data_version", "7");
}

static void test_workers(void **state)
{
    struct sb_slot *probe = scoreboard_assign(f.sb, SB_ROLE_PROBE, 0, 1);
    const struct json *j;

    (void)state;
    atomic_store(&probe->state, SB_READY);
    atomic_store(&f.slot->connections, 14);
    atomic_store(&f.sb->started_us, clock_wall_us() - 5 * CLOCK_US_PER_S);
    get(&f, "/");
    get(&f, "/");
    j = answer_json(get(&f, "/admin/workers"));
    expect(j, "master.version", "1.0.0");
    expect(j, "master.last_reload", "null");
    assert_int_equal(json_at(j, "workers")->count, 1);
    assert_int_equal(json_at(j, "helpers")->count, 1);
    expect(j, "workers.0.role", "worker");
    expect(j, "workers.0.state", "ready");
    expect(j, "workers.0.requests_total", "2");
    expect(j, "workers.0.connections", "14");
    expect(j, "helpers.0.role", "probe");
    expect(j, "totals.workers", "1");
    expect(j, "totals.ready", "1");
    expect(j, "totals.requests_total", "2");
}

static bool has_line(const struct answer *a, const char *line)
{
    return memmem(a->body.p, a->body.len, line, strlen(line)) != NULL;
}

static void test_metrics(void **state)
{
    const struct answer *a;

    (void)state;
    all_up();
    get(&f, "/api/customers/1000");
    get(&f, "/nowhere");
    a = ask(&f, "GET /metrics HTTP/1.1");
    assert_int_equal(a->status, 200);
    assert_string_equal(answer_header(a, "Content-Type"), "text/plain; version=0.0.4; charset=utf-8");
    assert_true(has_line(
        a, "\nhttp_requests_total{method=\"GET\",endpoint=\"/api/customers/{id}\",status_code=\"2xx\"} 1\n"));
    assert_true(has_line(a, "\nhttp_requests_total{method=\"GET\",endpoint=\"unmatched\",status_code=\"4xx\"} 1\n"));
    assert_true(has_line(a, "\ncustomers_loaded_total 200\n"));
    assert_true(has_line(a, "\ndata_version 7\n"));
    assert_true(has_line(a, "\ncomponent_up{component=\"database\"} 1\n"));
    assert_false(has_line(a, "component=\"cache\""));
    assert_true(has_line(a, "\npatrond_build_info{version=\"1.0.0\"} 1\n"));
    assert_true(has_line(a, "\nworkers_ready 1\n"));
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
        TEST(test_health_is_healthy, setup),
        TEST(test_health_degrades, setup),
        TEST(test_a_check_that_stopped_coming_is_overdue, setup),
        TEST(test_a_failed_sync_degrades, setup),
        TEST(test_a_sync_without_news_makes_data_younger, setup),
        TEST(test_stale_data, setup),
        TEST(test_unavailable, setup_empty),
        TEST(test_draining, setup),
        TEST(test_pool, setup),
        TEST(test_cache_without_redis, setup),
        TEST(test_workers, setup),
        TEST(test_metrics, setup),
        TEST(test_log_holds_no_secret, setup),
        TEST(test_small_memory_becomes_503, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
