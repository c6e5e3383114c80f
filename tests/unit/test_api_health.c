/*
 * Every state of health, and what the scoreboard tells through /admin and /metrics.
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

static void test_slo(void **state)
{
    struct slo_counts counts = { .requests = 400, .errors = 4, .latency[4] = 100 };
    int64_t now_s = clock_wall_us() / CLOCK_US_PER_S / SLO_BUCKET_S * SLO_BUCKET_S;
    const struct answer *a;
    const struct json *j;

    (void)state;
    j = answer_json(get(&f, "/admin/slo"));
    expect(j, "all_met", "true");
    expect(j, "objectives.0.windows.30d.value", "null");
    expect(j, "objectives.0.windows.30d.met", "true");
    for (int64_t t = now_s - 600; t < now_s; t += 15)
        slo_ask(&f.sb->slo, t < now_s - 60, t);
    slo_count(&f.sb->slo, &counts, 86400, now_s);
    j = answer_json(get(&f, "/admin/slo"));
    expect(j, "all_met", "false");
    assert_int_equal(json_at(j, "objectives")->count, 6);
    expect(j, "objectives.0.name", "availability");
    expect(j, "objectives.0.target", "0.995");
    expect(j, "objectives.0.comparison", ">=");
    expect(j, "objectives.0.unit", "fraction");
    expect(j, "objectives.0.windows.1h.value", "0.9");
    expect(j, "objectives.0.windows.1h.events", "20");
    expect(j, "objectives.0.windows.1h.met", "false");
    expect(j, "objectives.0.budget.window", "30d");
    expect(j, "objectives.0.budget.allowed_minutes", "216.0");
    expect(j, "objectives.0.budget.used_minutes", "1.0");
    expect(j, "objectives.0.budget.remaining_minutes", "215.0");
    expect(j, "objectives.0.budget.burn_rate.1h", "20.0"); /* 2 of 20 slots, where 0.1 are allowed */
    expect(j, "objectives.0.budget.burn_rate.24h", "20.0");
    assert_null(json_at(j, "objectives.1.budget"));
    expect(j, "objectives.1.name", "latency_p95_seconds");
    expect(j, "objectives.1.windows.24h.value", "0.0975");
    expect(j, "objectives.1.windows.24h.met", "true");
    expect(j, "objectives.3.name", "nl_latency_p95_seconds");
    expect(j, "objectives.3.windows.24h.value", "null");
    expect(j, "objectives.4.name", "error_rate");
    expect(j, "objectives.4.windows.30d.value", "0.01");
    expect(j, "objectives.4.windows.30d.met", "false");
    a = ask(&f, "GET /metrics HTTP/1.1");
    assert_true(has_line(a, "\nslo_availability_ratio{window=\"30d\"} 0.9\n"));
    assert_true(has_line(a, "\nslo_error_budget_remaining_ratio{window=\"1h\"} -1"));
}

#define TEST(fn, prepare) cmocka_unit_test_setup_teardown(fn, prepare, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
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
        TEST(test_slo, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
