/*
 * POST /admin/sync-sales against a sync process played by the test, and GET /admin/sync-status.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "api_expect.h"
#include "base/clock.h"
#include "data/sync_sample.h"

#define ADMIN "X-Admin-Key: " FIXTURE_KEY

static struct fixture f;
static volatile sig_atomic_t woken;

static void on_usr1(int sig)
{
    (void)sig;
    woken++;
}

static int setup(void **state)
{
    (void)state;
    fixture_start(&f, "SYNC_SOURCE = csv:/nowhere", 7);
    signal(SIGUSR1, on_usr1);
    woken = 0;
    atomic_store(&f.sb->master_pid, (int32_t)getpid());
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fixture_stop(&f);
    return 0;
}

static struct exchange *ask_for_sync(const char *query)
{
    char request[512];

    snprintf(request, sizeof(request), "POST /admin/sync-sales%s HTTP/1.1\n" ADMIN, query);
    return exchange_begin(&f, request);
}

/* The sync process takes the request and answers. */
static struct sb_mail_request take(enum sb_mail_answer answer, int64_t run_id)
{
    struct sb_mail_request r;

    assert_true(scoreboard_mail_take(f.sb, &r));
    scoreboard_mail_answer(f.sb, answer, run_id);
    api_tick(f.api);
    return r;
}

static void end_run(int64_t run_id, uint32_t mode, uint32_t status, uint32_t reason)
{
    struct sb_sync s;

    assert_true(scoreboard_sync_read(f.sb, &s));
    s.run = (struct sb_run){ .run_id = run_id,
                             .mode = mode,
                             .status = status,
                             .reason = reason,
                             .trigger = SB_BY_API,
                             .started_us = 1762128000000000,
                             .finished_us = 1762128251400000,
                             .rows_read = 44218,
                             .rows_inserted = 1302,
                             .rows_updated = 87,
                             .rows_deleted = 4 };
    s.running = 0;
    s.runs[0] = s.run;
    s.run_count = 1;
    scoreboard_sync_write(f.sb, &s);
    api_tick(f.api);
}

static void test_started(void **state)
{
    struct exchange *x = ask_for_sync("");
    const struct answer *a = exchange_answer(x);
    const struct json *j;

    (void)state;
    assert_false(a->answered);
    assert_int_equal(woken, 1);
    api_tick(f.api);
    assert_false(a->answered);
    assert_int_equal(take(SB_ANSWER_STARTED, 513).mode, SB_MODE_INCREMENTAL);
    assert_int_equal(a->status, 202);
    j = answer_json(a);
    expect(j, "status", "sync_started");
    expect(j, "message", "Sync started: incremental. Follow GET /admin/sync-status.");
    expect(j, "success", "true");
    expect(j, "mode", "incremental");
    expect(j, "limit", "null");
    expect(j, "start_date", "null");
    expect(j, "end_date", "null");
    expect(j, "run_id", "513");
    exchange_end(x);
}

static void test_arguments_arrive(void **state)
{
    struct exchange *x = ask_for_sync("?mode=dry-run&limit=10&start_date=2025-01-02&end_date=2025-01-31");
    struct sb_mail_request r = take(SB_ANSWER_STARTED, 5);

    (void)state;
    assert_int_equal(r.mode, SB_MODE_DRY_RUN);
    assert_int_equal(r.trigger, SB_BY_API);
    assert_int_equal(r.row_limit, 10);
    assert_int_equal(r.start_day, clock_day_of(2025, 1, 2));
    assert_int_equal(r.end_day, clock_day_of(2025, 1, 31));
    expect(answer_json(exchange_answer(x)), "limit", "10");
    expect(answer_json(exchange_answer(x)), "start_date", "2025-01-02");
    exchange_end(x);
}

static void test_refused_arguments(void **state)
{
    static const struct {
        const char *query, *field, *type;
    } cases[] = {
        { "?mode=full&start_date=2025-01-01", "query.start_date", "invalid_value" },
        { "?mode=full&end_date=2025-01-01", "query.end_date", "invalid_value" },
        { "?limit=5", "query.limit", "invalid_value" },
        { "?mode=dry-run&limit=0", "query.limit", "out_of_range" },
        { "?mode=dry-run&limit=10000001", "query.limit", "out_of_range" },
        { "?start_date=2025-02-30", "query.start_date", "wrong_type" },
        { "?start_date=2025-02-02&end_date=2025-02-01", "query.start_date", "out_of_range" },
        { "?wait=perhaps", "query.wait", "wrong_type" },
    };
    struct exchange *x = ask_for_sync("?mode=all");

    (void)state;
    assert_int_equal(exchange_answer(x)->status, 400);
    expect(answer_json(exchange_answer(x)), "error.code", "VALIDATION_ERROR");
    expect(answer_json(exchange_answer(x)), "error.message", "Mode must be: dry-run, incremental, or full");
    exchange_end(x);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        x = ask_for_sync(cases[i].query);
        assert_int_equal(exchange_answer(x)->status, 422);
        expect(answer_json(exchange_answer(x)), "error.details.validation_errors.0.field", cases[i].field);
        expect(answer_json(exchange_answer(x)), "error.details.validation_errors.0.type", cases[i].type);
        exchange_end(x);
    }
    assert_int_equal(scoreboard_mail_state(f.sb), SB_MAIL_FREE);
}

static void test_refusals_of_the_sync_process(void **state)
{
    static const struct {
        enum sb_mail_answer answer;
        int status;
        const char *code;
    } cases[] = {
        { SB_ANSWER_ALREADY_RUNNING, 409, "SYNC_ALREADY_RUNNING" },
        { SB_ANSWER_NOT_CONFIGURED, 503, "SERVICE_UNAVAILABLE" },
        { SB_ANSWER_DATABASE_DOWN, 503, "SERVICE_UNAVAILABLE" },
        { SB_ANSWER_REFUSED, 503, "SERVICE_UNAVAILABLE" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct exchange *x = ask_for_sync("");

        take(cases[i].answer, 512);
        assert_int_equal(exchange_answer(x)->status, cases[i].status);
        expect(answer_json(exchange_answer(x)), "error.code", cases[i].code);
        exchange_end(x);
    }
}

static void test_already_running_is_explained(void **state)
{
    struct sb_sync s;
    struct exchange *x;
    const struct json *j;

    (void)state;
    assert_true(scoreboard_sync_read(f.sb, &s));
    s.running = 1;
    s.run = (struct sb_run){ .run_id = 512, .mode = SB_MODE_FULL, .started_us = 1762128000000000 };
    scoreboard_sync_write(f.sb, &s);
    x = ask_for_sync("");
    take(SB_ANSWER_ALREADY_RUNNING, 512);
    j = answer_json(exchange_answer(x));
    expect(j, "error.message", "Sync already running");
    expect(j, "error.details.status", "sync_already_running");
    expect(j, "error.details.run_id", "512");
    expect(j, "error.details.mode", "full");
    expect(j, "error.details.started_at", "2025-11-03T00:00:00Z");
    exchange_end(x);
}

static void test_wait_until_success(void **state)
{
    struct exchange *x = ask_for_sync("?wait=true");
    const struct answer *a = exchange_answer(x);
    const struct json *j;

    (void)state;
    take(SB_ANSWER_STARTED, 513);
    assert_false(a->answered);
    assert_int_equal(exchange_deadline(x), 0);                         /* REQUEST_TIMEOUT does not hold for it */
    end_run(512, SB_MODE_INCREMENTAL, SB_RUN_SUCCESS, SB_REASON_NONE); /* another one */
    assert_false(a->answered);
    end_run(513, SB_MODE_INCREMENTAL, SB_RUN_SUCCESS, SB_REASON_NONE);
    assert_int_equal(a->status, 200);
    j = answer_json(a);
    expect(j, "status", "success");
    expect(j, "message", "Sync completed");
    expect(j, "summary", "Processed 44218 rows: 1302 inserted, 87 updated, 4 deleted");
    expect(j, "stdout", "Processed 44218 rows: 1302 inserted, 87 updated, 4 deleted");
    expect(j, "full_output", "");
    expect(j, "run.run_id", "513");
    expect(j, "run.status", "success");
    expect(j, "run.trigger", "api");
    expect(j, "run.duration_seconds", "251.4");
    expect(j, "run.data_version", "null");
    expect(j, "run.error", "null");
    expect(j, "sample_rows", "null");
    exchange_end(x);
}

static void test_wait_until_failure(void **state)
{
    static const struct {
        uint32_t status, reason;
        int answer;
        const char *code;
    } cases[] = {
        { SB_RUN_FAILED, SB_REASON_SOURCE_CONNECT, 502, "EXTERNAL_SERVICE_ERROR" },
        { SB_RUN_FAILED, SB_REASON_VALIDATION, 502, "EXTERNAL_SERVICE_ERROR" },
        { SB_RUN_TIMEOUT, SB_REASON_TIMEOUT, 504, "SYNC_TIMEOUT" },
        { SB_RUN_FAILED, SB_REASON_DATABASE, 503, "SERVICE_UNAVAILABLE" },
        { SB_RUN_ABORTED, SB_REASON_ABORTED, 503, "SERVICE_UNAVAILABLE" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct exchange *x = ask_for_sync("?wait=true");
        const struct json *j;

        take(SB_ANSWER_STARTED, 600 + (int64_t)i);
        end_run(600 + (int64_t)i, SB_MODE_INCREMENTAL, cases[i].status, cases[i].reason);
        assert_int_equal(exchange_answer(x)->status, cases[i].answer);
        j = answer_json(exchange_answer(x));
        expect(j, "error.code", cases[i].code);
        if (cases[i].answer == 502) {
            expect(j, "error.details.service", "csv");
            expect(j, "error.details.operation", "sync");
        }
        if (cases[i].answer == 504)
            expect(j, "error.message", "Sync operation timed out after 10 minutes");
        exchange_end(x);
    }
}

static void test_sample_of_a_dry_run(void **state)
{
    struct exchange *x = ask_for_sync("?wait=true&mode=dry-run");

    (void)state;
    take(SB_ANSWER_STARTED, 700);
    assert_true(sync_sample_write(f.dir, 700, STR_LIT("[{\"order_id\":1},{\"order_id\":2}]")));
    end_run(700, SB_MODE_DRY_RUN, SB_RUN_SUCCESS, SB_REASON_NONE);
    expect(answer_json(exchange_answer(x)), "sample_rows.1.order_id", "2");
    exchange_end(x);
    x = ask_for_sync("?wait=true&mode=dry-run");
    take(SB_ANSWER_STARTED, 701);
    end_run(701, SB_MODE_DRY_RUN, SB_RUN_SUCCESS, SB_REASON_NONE); /* the file is still that of 700 */
    assert_int_equal(json_at(answer_json(exchange_answer(x)), "sample_rows")->count, 0);
    exchange_end(x);
}

static void test_callers_wait_for_the_box(void **state)
{
    struct exchange *first = ask_for_sync(""), *second = ask_for_sync("");

    (void)state;
    take(SB_ANSWER_STARTED, 1);
    assert_true(exchange_answer(first)->answered);
    assert_false(exchange_answer(second)->answered);
    api_tick(f.api);
    take(SB_ANSWER_ALREADY_RUNNING, 1);
    assert_int_equal(exchange_answer(second)->status, 409);
    exchange_end(first);
    exchange_end(second);
}

static void test_a_caller_who_left_leaves_no_trace(void **state)
{
    struct exchange *x = ask_for_sync("?wait=true");

    (void)state;
    exchange_end(x);
    take(SB_ANSWER_STARTED, 1);
    assert_int_equal(scoreboard_mail_state(f.sb), SB_MAIL_FREE);
    x = ask_for_sync("?wait=true");
    take(SB_ANSWER_STARTED, 2);
    exchange_end(x);
    end_run(2, SB_MODE_INCREMENTAL, SB_RUN_SUCCESS, SB_REASON_NONE);
    x = ask_for_sync("");
    exchange_error(x, 503);
    assert_int_equal(exchange_answer(x)->status, 503);
    exchange_end(x);
    take(SB_ANSWER_STARTED, 3);
}

static void test_drain_answers_those_who_wait(void **state)
{
    struct exchange *x = ask_for_sync("?wait=true");

    (void)state;
    take(SB_ANSWER_STARTED, 1);
    api_drain(f.api);
    assert_int_equal(exchange_answer(x)->status, 202);
    exchange_end(x);
}

static void test_key_in_the_query(void **state)
{
    struct exchange *x = exchange_begin(&f, "POST /admin/sync-sales?admin_key=" FIXTURE_KEY " HTTP/1.1");

    (void)state;
    take(SB_ANSWER_STARTED, 1);
    assert_int_equal(exchange_answer(x)->status, 202);
    assert_string_equal(answer_header(exchange_answer(x), "Deprecation"), "@1762128000");
    exchange_end(x);
    x = exchange_begin(&f, "POST /admin/sync-sales?admin_key=wrong HTTP/1.1");
    assert_int_equal(exchange_answer(x)->status, 401);
    exchange_end(x);
    x = exchange_begin(&f, "POST /admin/sync-sales?admin_key=" FIXTURE_KEY " HTTP/1.1\nX-Admin-Key: wrong");
    assert_int_equal(exchange_answer(x)->status, 401);
    exchange_end(x);
}

static const struct json *status_json(void)
{
    return answer_json(ask(&f, "GET /admin/sync-status HTTP/1.1\n" ADMIN));
}

static void test_status_before_the_first_run(void **state)
{
    const struct json *j = status_json();

    (void)state;
    expect(j, "scheduler_enabled", "true");
    expect(j, "sync_hour_utc", "2");
    expect(j, "sync_on_startup", "false");
    expect(j, "azure_sql_configured", "false");
    expect(j, "postgres_configured", "true");
    expect(j, "note", "Daily incremental sync at 02:00 UTC");
    expect(j, "sync_info.database_url", "postgresql://***");
    expect(j, "sync_info.table_name", "combined_sales");
    expect(j, "row_count", "0");
    expect(j, "latest_record", "null");
    expect(j, "date_range", "null");
    expect(j, "status", "idle");
    expect(j, "running", "null");
    expect(j, "next_run_at", "null");
    expect(j, "last_success_at", "null");
    expect(j, "last_error", "null");
    expect(j, "stale", "false");
    assert_int_equal(json_at(j, "last_runs")->count, 0);
    assert_int_equal(ask(&f, "POST /admin/sync-status HTTP/1.1\n" ADMIN)->status, 200);
}

static void test_status_of_a_run(void **state)
{
    struct sb_sync s = {
        .row_count = 10,
        .earliest_order_us = 1611619200000000,
        .latest_order_us = 1762041600000000,
        .latest_order_id = 5234567890,
        .running = 1,
        .phase = SB_PHASE_LOADING,
        .rows_written = 38000,
        .rows_estimated = 44300,
        .heartbeat_us = 1762157729000000,
        .run = { .run_id = 513, .started_us = 1762157642000000, .rows_read = 40000 },
        .last_error = { .run_id = 498,
                        .reason = SB_REASON_TIMEOUT,
                        .finished_us = 1761012600000000,
                        .error = "slow" },
    };
    const struct json *j;

    (void)state;
    scoreboard_sync_write(f.sb, &s);
    j = status_json();
    expect(j, "status", "running");
    expect(j, "sync_info.table_exists", "true");
    expect(j, "latest_record.order_id", "5234567890");
    assert_int_equal(json_at(j, "latest_record.order_id")->type, JSON_STRING);
    expect(j, "latest_record.order_date", "2025-11-02T00:00:00Z");
    expect(j, "date_range.earliest", "2021-01-26T00:00:00Z");
    expect(j, "running.run_id", "513");
    expect(j, "running.phase", "loading");
    expect(j, "running.rows_read", "40000");
    expect(j, "running.rows_written", "38000");
    expect(j, "running.rows_estimated", "44300");
    expect(j, "running.percent", "90.29");
    expect(j, "last_error.reason", "timeout");
    expect(j, "last_error.message", "slow");
    s.rows_estimated = -1;
    scoreboard_sync_write(f.sb, &s);
    expect(status_json(), "running.percent", "null");
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_started),
        TEST(test_arguments_arrive),
        TEST(test_refused_arguments),
        TEST(test_refusals_of_the_sync_process),
        TEST(test_already_running_is_explained),
        TEST(test_wait_until_success),
        TEST(test_wait_until_failure),
        TEST(test_sample_of_a_dry_run),
        TEST(test_callers_wait_for_the_box),
        TEST(test_a_caller_who_left_leaves_no_trace),
        TEST(test_drain_answers_those_who_wait),
        TEST(test_key_in_the_query),
        TEST(test_status_before_the_first_run),
        TEST(test_status_of_a_run),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
