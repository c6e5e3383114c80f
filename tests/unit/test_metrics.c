/*
 * metrics: counting, sums over slots, and the text format.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <unistd.h>

#include "core/metrics.h"

#define MS 1000000ULL

static const char *const routes[] = { "/a", "/b/{id}", "unmatched" };
static char dir[] = "/tmp/patrond-metrics-XXXXXX";
static struct scoreboard *sb;
static struct buf out;

static int create(void **state)
{
    (void)state;
    metrics_init(routes, 3);
    sb = scoreboard_create(dir, "1");
    buf_init(&out, 1 << 20);
    if (sb == NULL)
        return -1;
    metrics_bind(scoreboard_assign(sb, SB_ROLE_WORKER, 0, 1));
    return 0;
}

static int destroy(void **state)
{
    (void)state;
    metrics_bind(NULL);
    scoreboard_close(sb);
    buf_free(&out);
    return 0;
}

static const char *family(enum metric_id id)
{
    buf_reset(&out);
    metrics_render_family(&out, sb, id);
    return buf_cstr(&out);
}

static void counters_sum_over_processes(void **state)
{
    (void)state;
    struct sb_slot *other = scoreboard_assign(sb, SB_ROLE_WORKER, 1, 1);

    metrics_add(METRIC_HTTP_REQUESTS, METRIC_GET, 1, METRIC_STATUS_2XX, 3);
    metrics_bind(other);
    metrics_add(METRIC_HTTP_REQUESTS, METRIC_GET, 1, METRIC_STATUS_2XX, 4);
    metrics_add(METRIC_HTTP_REQUESTS, METRIC_POST, 2, METRIC_STATUS_4XX, 1);
    assert_int_equal(metrics_slot_total(other, METRIC_HTTP_REQUESTS), 5);
    scoreboard_release(sb, other);
    assert_int_equal(metrics_total(sb, METRIC_HTTP_REQUESTS, METRIC_GET, 1, METRIC_STATUS_2XX), 7);
    assert_int_equal(metrics_total_all(sb, METRIC_HTTP_REQUESTS), 8);
    assert_int_equal(metrics_total_where(sb, METRIC_HTTP_REQUESTS, 0, METRIC_POST), 1);
    assert_int_equal(metrics_total_where(sb, METRIC_HTTP_REQUESTS, 1, 1), 7);
    assert_int_equal(metrics_total_where(sb, METRIC_HTTP_REQUESTS, 2, METRIC_STATUS_4XX), 1);
    assert_int_equal(metrics_total_where(sb, METRIC_HTTP_REQUESTS, 2, METRIC_STATUS_5XX), 0);
    assert_string_equal(family(METRIC_HTTP_REQUESTS),
                        "# HELP http_requests_total Answered HTTP requests.\n"
                        "# TYPE http_requests_total counter\n"
                        "http_requests_total{method=\"GET\",endpoint=\"/b/{id}\",status_code=\"2xx\"} 7\n"
                        "http_requests_total{method=\"POST\",endpoint=\"unmatched\",status_code=\"4xx\"} 1\n");
}

static void out_of_range_counts_nothing(void **state)
{
    (void)state;
    metrics_add(METRIC_HTTP_REQUESTS, METRIC_METHODS, 0, 0, 1);
    metrics_add(METRIC_HTTP_REQUESTS, 0, METRICS_MAX_ROUTES, 0, 1);
    metrics_add(METRIC_HTTP_REQUESTS, 0, 0, METRIC_STATUSES, 1);
    metrics_add(METRIC_DATA_AGE, 0, 0, 0, 1); /* a gauge */
    metrics_observe(METRIC_DB_QUERY_DURATION, METRIC_QUERIES, 0, 1);
    for (unsigned i = 0; i < SB_COUNTERS; i++)
        assert_int_equal(scoreboard_sum(sb, i), 0);
    metrics_bind(NULL);
    metrics_add(METRIC_DB_POOL_TIMEOUTS, 0, 0, 0, 1);
    assert_int_equal(metrics_total_all(sb, METRIC_DB_POOL_TIMEOUTS), 0);
}

static void histograms_are_cumulative(void **state)
{
    (void)state;
    metrics_observe(METRIC_HTTP_DURATION, METRIC_GET, 0, 5 * MS); /* a bound belongs to its bucket */
    metrics_observe(METRIC_HTTP_DURATION, METRIC_GET, 0, 5 * MS + 1);
    metrics_observe(METRIC_HTTP_DURATION, METRIC_GET, 0, 20000 * MS);
    const char *text = family(METRIC_HTTP_DURATION);

    assert_non_null(strstr(text, "# TYPE http_request_duration_seconds histogram\n"));
    assert_non_null(strstr(text, "_bucket{method=\"GET\",endpoint=\"/a\",le=\"0.005\"} 1\n"));
    assert_non_null(strstr(text, "_bucket{method=\"GET\",endpoint=\"/a\",le=\"0.01\"} 2\n"));
    assert_non_null(strstr(text, ",le=\"1\"} 2\n"));
    assert_non_null(strstr(text, ",le=\"10\"} 2\n"));
    assert_non_null(strstr(text, ",le=\"+Inf\"} 3\n"));
    assert_non_null(strstr(text, "_seconds_sum{method=\"GET\",endpoint=\"/a\"} 20.010000001\n"));
    assert_non_null(strstr(text, "_seconds_count{method=\"GET\",endpoint=\"/a\"} 3\n"));
    assert_null(strstr(text, "POST"));
}

static void small_families_show_zeros(void **state)
{
    (void)state;
    metrics_add_retired(sb, METRIC_WORKER_RESTARTS, METRIC_RESTART_OOM, 2);
    assert_string_equal(family(METRIC_WORKER_RESTARTS),
                        "# HELP worker_restarts_total Workers that ended and were replaced.\n"
                        "# TYPE worker_restarts_total counter\n"
                        "worker_restarts_total{reason=\"crash\"} 0\n"
                        "worker_restarts_total{reason=\"oom\"} 2\n"
                        "worker_restarts_total{reason=\"hung\"} 0\n"
                        "worker_restarts_total{reason=\"recycled\"} 0\n"
                        "worker_restarts_total{reason=\"exit\"} 0\n");
    assert_non_null(strstr(family(METRIC_DB_POOL_TIMEOUTS), "\ndb_pool_timeouts_total 0\n"));
}

static void values_are_escaped_and_exact(void **state)
{
    (void)state;
    buf_reset(&out);
    metrics_render_head(&out, METRIC_BUILD_INFO);
    metrics_render_value(&out, METRIC_BUILD_INFO, "a\"b\\c\nd", 1);
    metrics_render_value(&out, METRIC_DATA_AGE, NULL, 22279.25);
    metrics_render_value(&out, METRIC_PROCESS_RSS, NULL, 1234567890123.0);
    assert_string_equal(buf_cstr(&out), "# HELP patrond_build_info Always 1; the version is in the label.\n"
                                        "# TYPE patrond_build_info gauge\n"
                                        "patrond_build_info{version=\"a\\\"b\\\\c\\nd\"} 1\n"
                                        "data_age_seconds 22279.25\n"
                                        "process_resident_memory_bytes 1234567890123\n");
}

/* Every family is named and described once, and its words exist. */
static void the_table_is_whole(void **state)
{
    (void)state;
    for (unsigned i = 0; i < METRIC_COUNT; i++) {
        const struct metric *m = metrics_get((enum metric_id)i);

        assert_non_null(m->name);
        assert_true(m->help[0] != '\0' && m->help[strlen(m->help) - 1] == '.');
        for (unsigned j = 0; j < i; j++)
            assert_string_not_equal(m->name, metrics_get((enum metric_id)j)->name);
        for (unsigned d = 0; d < 3; d++)
            assert_int_equal(m->dims[d] == METRICS_DIM_NONE, m->labels[d] == NULL);
        for (unsigned b = 1; b < m->bucket_count; b++)
            assert_true(m->buckets[b] > m->buckets[b - 1]);
        assert_int_equal(m->type == METRIC_HISTOGRAM, m->bucket_count > 0);
    }
    for (unsigned d = METRICS_DIM_NONE + 1; d < METRICS_DIM_VERSION; d++) {
        unsigned size = metrics_dim_size((enum metric_dim)d);

        assert_true(size > 0);
        for (unsigned i = 0; i < size; i++)
            assert_true(metrics_dim_value((enum metric_dim)d, i)[0] != '\0');
        assert_null(metrics_dim_value((enum metric_dim)d, size));
    }
}

static void the_layout_does_not_depend_on_routes(void **state)
{
    (void)state;
    static const char *const more[] = { "/a", "/b/{id}", "/c", "unmatched" };
    uint64_t hash = metrics_layout_hash();

    assert_int_equal(sb->counters_hash, hash);
    metrics_add(METRIC_DB_POOL_TIMEOUTS, 0, 0, 0, 5);
    metrics_add(METRIC_LOAD_SHED, METRIC_SHED_FDS, 0, 0, 6);
    metrics_init(NULL, 0);
    assert_int_equal(metrics_total(sb, METRIC_DB_POOL_TIMEOUTS, 0, 0, 0), 5);
    assert_int_equal(metrics_total(sb, METRIC_LOAD_SHED, METRIC_SHED_FDS, 0, 0), 6);
    assert_true(metrics_layout_hash() != hash);
    metrics_init(more, 4);
    assert_true(metrics_layout_hash() != hash);
    metrics_init(routes, 3);
    assert_true(metrics_layout_hash() == hash);
}

static int make_dir(void **state)
{
    (void)state;
    return mkdtemp(dir) != NULL ? 0 : -1;
}

static int remove_dir(void **state)
{
    (void)state;
    char path[64];

    snprintf(path, sizeof(path), "%s/scoreboard", dir);
    (void)unlink(path);
    return rmdir(dir);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, create, destroy)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(counters_sum_over_processes),
        TEST(out_of_range_counts_nothing),
        TEST(histograms_are_cumulative),
        TEST(small_families_show_zeros),
        TEST(values_are_escaped_and_exact),
        TEST(the_table_is_whole),
        TEST(the_layout_does_not_depend_on_routes),
    };

    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
