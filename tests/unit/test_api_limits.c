/*
 * Rate limits as a client meets them: who is charged, by which policy, in which order, and what he is told.
 *
 * Rates are so slow that the time the test takes gives nothing back.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "api_engine.h"
#include "core/metrics.h"

#define KEY_LINE "X-API-Key: " FIXTURE_KEY

static struct fixture f;

static void start(const char *settings)
{
    char text[1024];

    (void)snprintf(text, sizeof(text), "TRUSTED_PROXIES = 0.0.0.0\n%s%s", settings,
                   strstr(settings, "ALLOW_LIST") == NULL ? "\nALLOW_LIST =" : "");
    fixture_start(&f, text, 7);
}

static int teardown(void **state)
{
    (void)state;
    fixture_stop(&f);
    return 0;
}

static const struct answer *ask_from(const char *address, const char *request)
{
    char text[1024];

    (void)snprintf(text, sizeof(text), "%s\nX-Forwarded-For: %s", request, address);
    return ask(&f, text);
}

static void expect_limited(const struct answer *a, const char *policy, const char *message)
{
    const struct json *j;

    assert_int_equal(a->status, 429);
    j = answer_json(a);
    assert_string_equal(json_text(j, "error.code"), "RATE_LIMIT_EXCEEDED");
    assert_string_equal(json_text(j, "error.message"), message);
    assert_string_equal(json_text(j, "error.details.policy"), policy);
    assert_string_equal(json_text(j, "error.details.retry_after_seconds"), answer_header(a, "Retry-After"));
    assert_true(atoi(answer_header(a, "Retry-After")) >= 1);
}

static void test_a_key_is_told_its_rest(void **state)
{
    const struct answer *a;
    long reset;

    (void)state;
    start("RATE_LIMIT_DEFAULT = 50/h;burst=3");
    a = get(&f, "/api/customers/1000");
    assert_int_equal(a->status, 200);
    assert_string_equal(answer_header(a, "RateLimit-Policy"), "\"default\";q=50;w=3600");
    assert_string_equal(answer_header(a, "RateLimit"), "\"default\";r=2;t=72");
    assert_string_equal(answer_header(a, "X-RateLimit-Limit"), "50");
    assert_string_equal(answer_header(a, "X-RateLimit-Remaining"), "2");
    reset = atol(answer_header(a, "X-RateLimit-Reset"));
    assert_in_range(reset, time(NULL) + 70, time(NULL) + 73);
    assert_int_equal(get(&f, "/api/customers/1")->status, 404); /* a request is a request */
    assert_int_equal(get(&f, "/api/customers/1000")->status, 200);
    a = get(&f, "/api/customers/1000");
    expect_limited(a, "default", "Rate limit exceeded: 50 per 1 hour");
    assert_string_equal(json_text(answer_json(a), "error.details.limit"), "50");
    assert_string_equal(answer_header(a, "RateLimit"), "\"default\";r=0;t=72");
    assert_in_range(atoi(answer_header(a, "Retry-After")), 70, 72);
    assert_int_equal(metrics_total(f.sb, METRIC_RATE_LIMITED, METRIC_POLICY_DEFAULT, 0, 0), 1);
    /* the same key in another header, from elsewhere, on another route */
    assert_int_equal(ask_from("9.9.9.9", "GET /admin/workers HTTP/1.1\nAuthorization: Bearer " FIXTURE_KEY)->status,
                     429);
}

static void test_order_of_checks(void **state)
{
    (void)state;
    start("RATE_LIMIT_DEFAULT = 1/d;burst=1");
    assert_int_equal(get(&f, "/api/customers/1000")->status, 200);
    assert_int_equal(get(&f, "/nowhere")->status, 404);
    assert_int_equal(ask(&f, "PUT /api/mcp/search HTTP/1.1\n" KEY_LINE)->status, 405);
    assert_int_equal(ask(&f, "POST /api/mcp/search HTTP/1.1\n" KEY_LINE "\nContent-Length: 9999999")->status, 413);
    assert_int_equal(ask(&f, "POST /api/mcp/search HTTP/1.1\nX-API-Key: wrong")->status, 401);
    expect_limited(post(&f, "/api/mcp/search", "{"), "default", "Rate limit exceeded: 1 per 1 day");
    expect_limited(ask(&f, "POST /api/mcp/search HTTP/1.1\n" KEY_LINE "\nContent-Encoding: gzip\n\nx"), "default",
                   "Rate limit exceeded: 1 per 1 day");
}

static void test_public_routes_count_by_address(void **state)
{
    (void)state;
    start("RATE_LIMIT_ANONYMOUS = 2/m;burst=2");
    assert_string_equal(answer_header(ask_from("1.2.3.4", "GET / HTTP/1.1"), "RateLimit"), "\"anonymous\";r=1;t=30");
    assert_int_equal(ask_from("1.2.3.4", "GET / HTTP/1.1\n" KEY_LINE)->status, 200); /* a key makes no difference */
    expect_limited(ask_from("1.2.3.4", "GET / HTTP/1.1\n" KEY_LINE), "anonymous",
                   "Rate limit exceeded: 2 per 1 minute");
    assert_int_equal(ask_from("1.2.3.5", "GET / HTTP/1.1")->status, 200);
    assert_int_equal(ask_from("2001:db8:0:1::1", "GET / HTTP/1.1")->status, 200);
    assert_int_equal(ask_from("2001:db8:0:1:ffff::2", "GET / HTTP/1.1")->status, 200);
    assert_int_equal(ask_from("2001:db8:0:1::3", "GET / HTTP/1.1")->status, 429); /* the same /64 */
    assert_int_equal(ask_from("2001:db8:0:2::1", "GET / HTTP/1.1")->status, 200);
    assert_int_equal(ask_from("::ffff:1.2.3.4", "GET / HTTP/1.1")->status, 429); /* 1.2.3.4 once more */
}

static void test_some_routes_ask_nobody(void **state)
{
    static const char *const requests[] = { "GET /health HTTP/1.1", "GET /health/ready HTTP/1.1",
                                            "GET /health/live HTTP/1.1", "GET /metrics HTTP/1.1",
                                            "OPTIONS / HTTP/1.1" };

    (void)state;
    start("RATE_LIMIT_ANONYMOUS = 1/d;burst=1\nDENY_LIST = 0.0.0.0");
    for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
        for (int again = 0; again < 3; again++) {
            const struct answer *a = ask(&f, requests[i]);

            assert_int_not_equal(a->status, 429);
            assert_string_equal(answer_header(a, "RateLimit"), "");
        }
    }
}

static void test_bad_credentials_are_used_up(void **state)
{
    const char *bad = "GET /api/customers/1000 HTTP/1.1\nX-API-Key: wrong";
    const struct answer *a;

    (void)state;
    start("RATE_LIMIT_AUTH_FAILURE = 100/h;burst=3");
    a = ask_from("1.2.3.4", bad);
    assert_int_equal(a->status, 401);
    assert_string_equal(answer_header(a, "RateLimit"), "\"auth_failure\";r=2;t=36");
    assert_int_equal(ask_from("1.2.3.4", "GET /api/customers/1000 HTTP/1.1")->status, 401);
    assert_int_equal(ask_from("1.2.3.4", "GET /admin/workers HTTP/1.1\nX-Admin-Key: no")->status, 401);
    expect_limited(ask_from("1.2.3.4", bad), "auth_failure", "Rate limit exceeded: 100 per 1 hour");
    assert_int_equal(ask_from("1.2.3.4", "GET /api/customers/1000 HTTP/1.1\n" KEY_LINE)->status, 200);
    assert_int_equal(ask_from("1.2.3.4", "GET / HTTP/1.1")->status, 200);
    assert_int_equal(ask_from("4.3.2.1", bad)->status, 401);
    assert_int_equal(metrics_total(f.sb, METRIC_AUTH_FAILURES, METRIC_AUTH_UNKNOWN, 0, 0), 4);
}

/* With METRICS_PUBLIC=false the route has no policy, but a bad key is a bad key. */
static void test_closed_metrics(void **state)
{
    (void)state;
    start("METRICS_PUBLIC = false\nRATE_LIMIT_ANONYMOUS = 1/d;burst=1\nRATE_LIMIT_AUTH_FAILURE = 1/d;burst=2");
    assert_int_equal(ask(&f, "GET /metrics HTTP/1.1")->status, 401);
    assert_int_equal(ask(&f, "GET /metrics HTTP/1.1")->status, 401);
    expect_limited(ask(&f, "GET /metrics HTTP/1.1"), "auth_failure", "Rate limit exceeded: 1 per 1 day");
    assert_int_equal(ask(&f, "GET /metrics HTTP/1.1\n" KEY_LINE)->status, 200);
}

static void test_strangers_are_anonymous_everywhere(void **state)
{
    (void)state;
    start("RATE_LIMIT_ANONYMOUS = 1/h;burst=2");
    assert_int_equal(ask_from("1.2.3.4", "GET / HTTP/1.1")->status, 200);
    assert_int_equal(ask_from("1.2.3.4", "GET /api/customers/1000 HTTP/1.1")->status, 401);
    expect_limited(ask_from("1.2.3.4", "GET /api/customers/1000 HTTP/1.1"), "anonymous",
                   "Rate limit exceeded: 1 per 1 hour");
}

static void test_a_second_policy(void **state)
{
    const char *sync = "POST /admin/sync-sales?mode=bad HTTP/1.1\n" KEY_LINE;
    const struct answer *a;

    (void)state;
    start("RATE_LIMIT_DEFAULT = 60/m;burst=10\nRATE_LIMIT_SYNC = 1/h;burst=2");
    a = ask(&f, sync);
    assert_int_equal(a->status, 400);
    assert_string_equal(answer_header(a, "RateLimit-Policy"), "\"sync\";q=1;w=3600"); /* less is left of it */
    assert_string_equal(answer_header(a, "RateLimit"), "\"sync\";r=1;t=3600");
    assert_string_equal(answer_header(get(&f, "/api/customers/1000"), "RateLimit-Policy"), "\"default\";q=60;w=60");
    assert_int_equal(ask(&f, sync)->status, 400);
    expect_limited(ask(&f, sync), "sync", "Rate limit exceeded: 1 per 1 hour");
    assert_int_equal(get(&f, "/api/customers/1000")->status, 200);
}

static void test_off(void **state)
{
    (void)state;
    start("RATE_LIMIT_DEFAULT = 0\nRATE_LIMIT_ANONYMOUS = 0\nRATE_LIMIT_AUTH_FAILURE = 0");
    for (int i = 0; i < 50; i++) {
        const struct answer *a = get(&f, "/api/customers/1000");

        assert_int_equal(a->status, 200);
        assert_string_equal(answer_header(a, "RateLimit"), "");
        assert_int_equal(ask(&f, "GET /api/customers/1000 HTTP/1.1")->status, 401);
        assert_int_equal(ask(&f, "GET / HTTP/1.1")->status, 200);
    }
}

static void test_lists(void **state)
{
    const struct answer *a;

    (void)state;
    start("RATE_LIMIT_DEFAULT = 1/d;burst=1\nRATE_LIMIT_ANONYMOUS = 1/d;burst=1\nRATE_LIMIT_AUTH_FAILURE = "
          "1/d;burst=1\n"
          "ALLOW_LIST = 10.0.0.0/8, 2001:db8::/32\nDENY_LIST = 10.6.6.6, 66.0.0.0/8");
    for (int i = 0; i < 5; i++) {
        assert_int_equal(ask_from("10.1.2.3", "GET /api/customers/1000 HTTP/1.1\n" KEY_LINE)->status, 200);
        assert_int_equal(ask_from("2001:db8::5", "GET / HTTP/1.1")->status, 200);
        assert_int_equal(ask_from("10.1.2.3", "GET /api/customers/1000 HTTP/1.1\nX-API-Key: bad")->status, 401);
    }
    a = ask_from("66.1.2.3", "GET / HTTP/1.1");
    expect_limited(a, "deny_list", "Rate limit exceeded: 0 per 1 hour");
    assert_string_equal(answer_header(a, "RateLimit"), "");
    assert_int_equal(ask_from("66.1.2.3", "GET /api/customers/1000 HTTP/1.1\n" KEY_LINE)->status, 429);
    assert_int_equal(ask_from("66.1.2.3", "GET /api/customers/1000 HTTP/1.1\nX-API-Key: bad")->status, 429);
    assert_int_equal(ask_from("10.6.6.6", "GET / HTTP/1.1")->status, 429); /* on both: denied */
    assert_int_equal(ask_from("66.1.2.3", "GET /nowhere HTTP/1.1")->status, 404);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_a_key_is_told_its_rest, teardown),
        cmocka_unit_test_teardown(test_order_of_checks, teardown),
        cmocka_unit_test_teardown(test_public_routes_count_by_address, teardown),
        cmocka_unit_test_teardown(test_some_routes_ask_nobody, teardown),
        cmocka_unit_test_teardown(test_bad_credentials_are_used_up, teardown),
        cmocka_unit_test_teardown(test_closed_metrics, teardown),
        cmocka_unit_test_teardown(test_strangers_are_anonymous_everywhere, teardown),
        cmocka_unit_test_teardown(test_a_second_policy, teardown),
        cmocka_unit_test_teardown(test_off, teardown),
        cmocka_unit_test_teardown(test_lists, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
