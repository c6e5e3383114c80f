/*
 * The application behind a stand-in engine: the order of checks, the envelope, headers, tags, origins.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "api_engine.h"
#include "core/metrics.h"

#define KEY_LINE "X-API-Key: " FIXTURE_KEY

static struct fixture f;

static int setup(void **state)
{
    (void)state;
    fixture_start(&f, "MAX_BODY_BYTES = 2000\nTRUSTED_PROXIES = 127.0.0.0/8, 0.0.0.0\nHTTP_MAX_AGE = 5", 7);
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

static void expect_error(const struct answer *a, int status, const char *code, const char *message)
{
    const struct json *j;

    assert_int_equal(a->status, status);
    j = answer_json(a);
    assert_string_equal(json_text(j, "error.code"), code);
    assert_string_equal(json_text(j, "error.message"), message);
    assert_string_equal(json_text(j, "detail"), message);
    assert_string_equal(json_text(j, "error.correlation_id"), answer_header(a, "X-Correlation-ID"));
    assert_int_equal(strlen(json_text(j, "timestamp")), strlen("2025-11-03T08:15:30.654425Z"));
    assert_int_equal(json_at(j, "error.details")->type, JSON_OBJECT);
    assert_string_equal(answer_header(a, "Cache-Control"), "no-store");
    assert_string_equal(answer_header(a, "Content-Type"), "application/json; charset=utf-8");
}

static const char missing_key[] = "Missing API key. Provide X-API-Key header.";
static const char bad_key[] = "Invalid or inactive API key";

static void test_order_of_checks(void **state)
{
    (void)state;
    /* each request fails every later check as well */
    expect_error(ask(&f, "POST /nowhere HTTP/1.1\nContent-Length: 9999"), 404, "NOT_FOUND", "Not Found");
    expect_error(ask(&f, "DELETE /api/mcp/search HTTP/1.1\nContent-Length: 9999"), 405, "HTTP_ERROR",
                 "Method Not Allowed");
    expect_error(ask(&f, "POST /api/mcp/search HTTP/1.1\nContent-Length: 9999"), 413, "HTTP_ERROR",
                 "Request body too large");
    expect_error(ask(&f, "POST /api/mcp/search?limit=%zz HTTP/1.1\n\n{"), 401, "AUTHENTICATION_ERROR", missing_key);
    expect_error(ask(&f, "POST /api/mcp/search?limit=%zz HTTP/1.1\nX-API-Key: wrong\n\n{"), 401,
                 "AUTHENTICATION_ERROR", bad_key);
    assert_int_equal(post(&f, "/api/mcp/search?limit=%zz", "{")->status, 400);
    expect_error(post(&f, "/api/mcp/search?limit=%zz", "{\"limit\":0}"), 400, "BAD_REQUEST",
                 "Invalid percent-encoding");
    assert_int_equal(post(&f, "/api/mcp/search?limit=0", "{\"limit\":0}")->status, 422);
    expect_error(get(&f, "/api/mcp/customer/1"), 404, "NOT_FOUND", "Customer 1 not found");
}

static void test_405_names_the_methods(void **state)
{
    (void)state;
    assert_int_equal(ask(&f, "PUT /admin/sync-status HTTP/1.1")->status, 405);
    assert_string_equal(answer_header(ask(&f, "PUT /admin/sync-status HTTP/1.1"), "Allow"),
                        "GET, HEAD, POST, OPTIONS");
    assert_string_equal(answer_header(ask(&f, "GET /api/mcp/search HTTP/1.1"), "Allow"), "POST, OPTIONS");
    assert_int_equal(ask(&f, "HEAD /api/mcp/search HTTP/1.1")->status, 405);
}

static void test_paths_are_exact(void **state)
{
    (void)state;
    assert_int_equal(get(&f, "/health/")->status, 404);
    assert_int_equal(get(&f, "/Health")->status, 404);
    assert_int_equal(get(&f, "/api/mcp/customer/")->status, 404);
    assert_int_equal(get(&f, "/api/mcp/customer/1000/more")->status, 404);
}

static void test_credentials(void **state)
{
    const struct answer *a = ask(&f, "GET /admin/workers HTTP/1.1");

    (void)state;
    expect_error(a, 401, "AUTHENTICATION_ERROR", "Missing admin key. Provide X-Admin-Key header.");
    assert_string_equal(answer_header(a, "WWW-Authenticate"), "ApiKey");
    assert_int_equal(ask(&f, "GET /admin/workers HTTP/1.1\nX-Admin-Key: " FIXTURE_KEY)->status, 200);
    assert_int_equal(ask(&f, "GET /admin/workers HTTP/1.1\nAuthorization: Bearer " FIXTURE_KEY)->status, 200);
    assert_int_equal(ask(&f, "GET /admin/workers?admin_key=" FIXTURE_KEY " HTTP/1.1")->status, 401);
    assert_int_equal(ask(&f, "GET /api/customers/1000 HTTP/1.1\nX-Admin-Key: " FIXTURE_KEY)->status, 401);
    assert_int_equal(metrics_total(f.sb, METRIC_AUTH_FAILURES, METRIC_AUTH_MISSING, 0, 0), 3);
    expect_error(ask(&f, "GET /api/customers/1000 HTTP/1.1\nX-API-Key: pk_live_x"), 401, "AUTHENTICATION_ERROR",
                 bad_key);
    assert_int_equal(metrics_total(f.sb, METRIC_AUTH_FAILURES, METRIC_AUTH_MALFORMED, 0, 0), 1);
}

static void test_headers_on_every_answer(void **state)
{
    static const char *const requests[] = {
        "GET / HTTP/1.1",
        "GET /nowhere HTTP/1.1",
        "OPTIONS /health HTTP/1.1",
        "GET /health/live HTTP/1.1",
        "GET /api/customers/1000 HTTP/1.1\n" KEY_LINE,
        "GET /metrics HTTP/1.1",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
        const struct answer *a = ask(&f, requests[i]);

        assert_string_equal(answer_header(a, "X-Content-Type-Options"), "nosniff");
        assert_string_equal(answer_header(a, "X-Frame-Options"), "DENY");
        assert_string_equal(answer_header(a, "Referrer-Policy"), "no-referrer");
        assert_string_equal(answer_header(a, "Content-Security-Policy"),
                            "default-src 'none'; frame-ancestors 'none'");
        assert_string_equal(answer_header(a, "Vary"), "Accept-Encoding, Origin, X-API-Key, Authorization");
        assert_int_equal(strlen(answer_header(a, "X-Correlation-ID")), 36);
        assert_string_equal(answer_header(a, "Strict-Transport-Security"), "");
    }
    assert_string_equal(answer_header(ask(&f, "GET / HTTP/1.1\nX-Correlation-ID: abc-1"), "X-Correlation-ID"),
                        "abc-1");
}

static void test_tls_is_known_from_a_trusted_proxy(void **state)
{
    /* the stand-in's peer is 0.0.0.0, which the settings trust */
    (void)state;
    assert_string_equal(
        answer_header(ask(&f, "GET / HTTP/1.1\nX-Forwarded-Proto: https"), "Strict-Transport-Security"),
        "max-age=31536000");
    assert_string_equal(
        answer_header(ask(&f, "GET / HTTP/1.1\nX-Forwarded-Proto: http"), "Strict-Transport-Security"), "");
}

static void test_tagged_read(void **state)
{
    const struct answer *a = get(&f, "/api/customers/1000?b=1&a=2");
    char tag[64], request[256];

    (void)state;
    assert_int_equal(a->status, 200);
    assert_string_equal(answer_header(a, "Cache-Control"), "private, max-age=5, must-revalidate");
    assert_string_equal(answer_header(a, "X-Data-Version"), "7");
    assert_int_equal(strlen(answer_header(a, "X-Data-As-Of")), strlen("2025-11-03T02:04:11Z"));
    str_copy(tag, sizeof(tag), str_from(answer_header(a, "ETag")));
    assert_memory_equal(tag, "W/\"7-", 5);
    assert_string_equal(answer_header(get(&f, "/api/customers/1000?a=2&b=1"), "ETag"), tag);
    assert_string_not_equal(answer_header(get(&f, "/api/customers/1001?a=2&b=1"), "ETag"), tag);

    snprintf(request, sizeof(request),
             "GET /api/customers/1000?b=1&a=2 HTTP/1.1\n" KEY_LINE "\nIf-None-Match: \"x\", %s", tag);
    a = ask(&f, request);
    assert_int_equal(a->status, 304);
    assert_int_equal(a->body.len, 0);
    assert_string_equal(answer_header(a, "ETag"), tag);
    assert_string_equal(answer_header(a, "X-Data-Version"), "7");
    assert_string_equal(answer_header(a, "Cache-Control"), "private, max-age=5, must-revalidate");
    assert_string_equal(answer_header(a, "Content-Type"), "");
}

static void test_tag_changes_with_the_data(void **state)
{
    char request[256];

    (void)state;
    snprintf(request, sizeof(request), "GET /api/customers/1000 HTTP/1.1\n" KEY_LINE "\nIf-None-Match: %s",
             answer_header(get(&f, "/api/customers/1000"), "ETag"));
    assert_int_equal(ask(&f, request)->status, 304);
    fixture_publish(&f, 8, false);
    api_tick(f.api);
    assert_int_equal(ask(&f, request)->status, 200);
}

static void test_errors_of_reads_carry_no_tag(void **state)
{
    const struct answer *a = ask(&f, "GET /api/customers/1 HTTP/1.1\n" KEY_LINE "\nIf-None-Match: *");

    (void)state;
    assert_int_equal(a->status, 404);
    assert_string_equal(answer_header(a, "ETag"), "");
    assert_string_equal(answer_header(a, "Cache-Control"), "no-store");
    a = get(&f, "/api/mcp/customer/random");
    assert_string_equal(answer_header(a, "ETag"), "");
    assert_string_equal(answer_header(a, "Cache-Control"), "no-store");
    assert_string_equal(answer_header(a, "X-Data-Version"), "7");
}

static void test_document_of_the_api(void **state)
{
    const struct answer *a = ask(&f, "GET /openapi.json HTTP/1.1");
    char tag[64], request[256];

    (void)state;
    assert_int_equal(a->status, 200);
    assert_true(str_starts(a->body, "{\"openapi\":\"3.1.0\""));
    assert_string_equal(answer_header(a, "Cache-Control"), "public, max-age=300");
    str_copy(tag, sizeof(tag), str_from(answer_header(a, "ETag")));
    snprintf(request, sizeof(request), "GET /openapi.json HTTP/1.1\nIf-None-Match: %s", tag);
    a = ask(&f, request);
    assert_int_equal(a->status, 304);
    assert_int_equal(a->body.len, 0);
    assert_string_equal(answer_header(a, "ETag"), tag);
    assert_string_equal(answer_header(a, "Cache-Control"), "public, max-age=300");
    a = ask(&f, "GET /openapi.json HTTP/1.1\nAccept-Encoding: gzip");
    assert_string_equal(answer_header(a, "Content-Encoding"), "gzip");
    assert_string_equal(answer_header(a, "ETag"), tag);
    assert_memory_equal(a->body.p, "\x1f\x8b", 2);
}

static void test_head(void **state)
{
    const struct answer *a = ask(&f, "HEAD /api/customers/1000 HTTP/1.1\n" KEY_LINE);

    (void)state;
    assert_int_equal(a->status, 200);
    assert_int_equal(a->body.len, 0);
    assert_memory_equal(answer_header(a, "ETag"), "W/\"7-", 5);
}

static void test_options(void **state)
{
    const struct answer *a = ask(&f, "OPTIONS /api/customers/1 HTTP/1.1");

    (void)state;
    assert_int_equal(a->status, 204);
    assert_string_equal(answer_header(a, "Allow"), "GET, HEAD, OPTIONS");
    assert_int_equal(ask(&f, "OPTIONS /nowhere HTTP/1.1")->status, 404);
}

static void test_preflight(void **state)
{
    const struct answer *a = ask(
        &f, "OPTIONS /api/mcp/search HTTP/1.1\nOrigin: http://localhost:3000\nAccess-Control-Request-Method: POST");

    (void)state;
    assert_int_equal(a->status, 204);
    assert_string_equal(answer_header(a, "Access-Control-Allow-Origin"), "http://localhost:3000");
    assert_string_equal(answer_header(a, "Access-Control-Allow-Credentials"), "true");
    assert_string_equal(answer_header(a, "Access-Control-Allow-Methods"), "GET, POST, DELETE, OPTIONS");
    assert_non_null(strstr(answer_header(a, "Access-Control-Allow-Headers"), "X-Admin-Key"));
    assert_string_equal(answer_header(a, "Access-Control-Max-Age"), "600");
    a = ask(&f, "OPTIONS /api/mcp/search HTTP/1.1\nOrigin: http://evil.example");
    expect_error(a, 400, "BAD_REQUEST", "Disallowed CORS origin");
    assert_string_equal(answer_header(a, "Access-Control-Allow-Origin"), "");
}

static void test_origin_on_answers(void **state)
{
    const struct answer *a = ask(&f, "GET /nowhere HTTP/1.1\nOrigin: http://localhost:8080");

    (void)state;
    assert_string_equal(answer_header(a, "Access-Control-Allow-Origin"), "http://localhost:8080");
    assert_non_null(strstr(answer_header(a, "Access-Control-Expose-Headers"), "X-Correlation-ID, ETag"));
    a = ask(&f, "GET / HTTP/1.1\nOrigin: http://evil.example");
    assert_int_equal(a->status, 200);
    assert_string_equal(answer_header(a, "Access-Control-Allow-Origin"), "");
}

static void test_bodies(void **state)
{
    char deep[80], request[512];

    (void)state;
    memset(deep, '[', 33);
    memset(deep + 33, ']', 33);
    deep[66] = '\0';
    snprintf(request, sizeof(request), "{\"filters\":%s}", deep);
    assert_int_equal(post(&f, "/api/mcp/search", request)->status, 400);
    assert_int_equal(post(&f, "/api/mcp/search", "[]")->status, 400);
    assert_int_equal(post(&f, "/api/mcp/search", "{\"limit\":1,}")->status, 400);
    assert_int_equal(post(&f, "/api/mcp/search", "{\"cursor\":\"\xff\"}")->status, 400);
    assert_int_equal(post(&f, "/api/mcp/search", "")->status, 200);
    expect_error(ask(&f, "POST /api/mcp/search HTTP/1.1\n" KEY_LINE "\nContent-Encoding: gzip\n\n{}"), 415,
                 "HTTP_ERROR", "Unsupported Content-Encoding");
    assert_int_equal(
        ask(&f, "POST /api/mcp/search HTTP/1.1\n" KEY_LINE "\nContent-Type: application/x-www-form-urlencoded\n\n{}")
            ->status,
        200);
    assert_int_equal(ask(&f, "GET /health/live HTTP/1.1\n\nnot json")->status, 200);
}

static void test_path_parameters_are_decoded(void **state)
{
    (void)state;
    assert_int_equal(get(&f, "/api/customers/%31000")->status, 200);
    expect_error(get(&f, "/api/customers/a%22b"), 404, "NOT_FOUND", "Customer a\"b not found");
    assert_int_equal(get(&f, "/api/customers/%zz")->status, 400);
    assert_int_equal(get(&f, "/api/customers/01000")->status, 404);
    assert_int_equal(get(&f, "/api/customers/99999999999999999999")->status, 404);
    expect_error(get(&f, "/api/mcp/customer/search?email=x"), 404, "NOT_FOUND", "Customer search not found");
}

static void test_no_data(void **state)
{
    const struct answer *a = get(&f, "/api/customers/1000");

    (void)state;
    expect_error(a, 503, "SERVICE_UNAVAILABLE", "No customers loaded");
    assert_string_equal(answer_header(a, "Retry-After"), "10");
    assert_string_equal(json_text(answer_json(a), "error.details.retry_after_seconds"), "10");
    assert_int_equal(post(&f, "/api/mcp/search", "{}")->status, 503);
    assert_int_equal(get(&f, "/api/mcp/customer/random")->status, 503);
}

static void test_old_data_end_with_their_last_request(void **state)
{
    struct exchange *x;

    (void)state;
    fixture_publish(&f, 8, true);
    api_tick(f.api);
    assert_string_equal(answer_header(get(&f, "/api/customers/1000"), "X-Data-Version"), "8");
    fixture_publish(&f, 9, true);
    x = exchange_begin(&f, "GET /api/customers/1000 HTTP/1.1\n" KEY_LINE);
    api_tick(f.api); /* the exchange still holds version 8 */
    assert_string_equal(answer_header(exchange_answer(x), "X-Data-Version"), "8");
    exchange_end(x);
    assert_string_equal(answer_header(get(&f, "/api/customers/1000"), "X-Data-Version"), "9");
}

static void test_refused_file_leaves_the_old_data(void **state)
{
    (void)state;
    atomic_store(&f.sb->data_version, 99); /* no such file */
    api_tick(f.api);
    assert_string_equal(answer_header(get(&f, "/api/customers/1000"), "X-Data-Version"), "7");
}

static void test_engine_refusals(void **state)
{
    static const int statuses[] = { 400, 408, 413, 414, 417, 431, 501, 505 };

    (void)state;
    for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
        struct exchange *x = exchange_refused(&f, statuses[i]);
        const struct answer *a = exchange_answer(x);

        assert_int_equal(a->status, statuses[i]);
        assert_string_equal(json_text(answer_json(a), "error.code"),
                            statuses[i] == 400 ? "BAD_REQUEST" : "HTTP_ERROR");
        exchange_end(x);
    }
}

static void test_requests_are_counted(void **state)
{
    unsigned count;
    const char *const *names = api_route_names(&count);
    unsigned profile = 0;

    (void)state;
    while (strcmp(names[profile], "/api/customers/{id}") != 0)
        profile++;
    get(&f, "/api/customers/1000");
    get(&f, "/api/customers/1");
    get(&f, "/nowhere");
    assert_int_equal(metrics_total(f.sb, METRIC_HTTP_REQUESTS, METRIC_GET, profile, 1), 1);
    assert_int_equal(metrics_total(f.sb, METRIC_HTTP_REQUESTS, METRIC_GET, profile, 3), 1);
    assert_int_equal(metrics_total(f.sb, METRIC_HTTP_REQUESTS, METRIC_GET, count - 1, 3), 1);
    assert_string_equal(names[count - 1], "unmatched");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_order_of_checks, setup, teardown),
        cmocka_unit_test_setup_teardown(test_405_names_the_methods, setup, teardown),
        cmocka_unit_test_setup_teardown(test_paths_are_exact, setup, teardown),
        cmocka_unit_test_setup_teardown(test_credentials, setup, teardown),
        cmocka_unit_test_setup_teardown(test_headers_on_every_answer, setup, teardown),
        cmocka_unit_test_setup_teardown(test_tls_is_known_from_a_trusted_proxy, setup, teardown),
        cmocka_unit_test_setup_teardown(test_tagged_read, setup, teardown),
        cmocka_unit_test_setup_teardown(test_tag_changes_with_the_data, setup, teardown),
        cmocka_unit_test_setup_teardown(test_errors_of_reads_carry_no_tag, setup, teardown),
        cmocka_unit_test_setup_teardown(test_document_of_the_api, setup, teardown),
        cmocka_unit_test_setup_teardown(test_head, setup, teardown),
        cmocka_unit_test_setup_teardown(test_options, setup, teardown),
        cmocka_unit_test_setup_teardown(test_preflight, setup, teardown),
        cmocka_unit_test_setup_teardown(test_origin_on_answers, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bodies, setup, teardown),
        cmocka_unit_test_setup_teardown(test_path_parameters_are_decoded, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_data, setup_empty, teardown),
        cmocka_unit_test_setup_teardown(test_old_data_end_with_their_last_request, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refused_file_leaves_the_old_data, setup, teardown),
        cmocka_unit_test_setup_teardown(test_engine_refusals, setup, teardown),
        cmocka_unit_test_setup_teardown(test_requests_are_counted, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
