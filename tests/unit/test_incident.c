/*
 * incident: what the journal told becomes spans, counts and a timeline.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "ctl/incident.h"

#define S  1000000LL
#define T0 (1762156800LL * S) /* 2025-11-03T08:00:00Z */

static struct incident i;
static struct buf out;
static struct slo_sum levels;

static int begin(void **state)
{
    (void)state;
    levels = (struct slo_sum){ 0 };
    buf_init(&out, 1 << 20);
    return incident_init(&i, T0, T0 + 3600 * S) ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    incident_free(&i);
    buf_free(&out);
    return 0;
}

static void happened(int64_t second, enum event_id id, int priority, const char *message)
{
    struct incident_event e = { .at_us = T0 + second * S, .id = id, .priority = priority };

    snprintf(e.message, sizeof(e.message), "%s", message);
    incident_add(&i, &e);
}

static void changed(int64_t second, const char *component, const char *from, const char *to)
{
    struct incident_event e = { .at_us = T0 + second * S, .id = EVENT_COMPONENT_STATE_CHANGED, .priority = 4 };

    snprintf(e.component, sizeof(e.component), "%s", component);
    snprintf(e.from, sizeof(e.from), "%s", from);
    snprintf(e.to, sizeof(e.to), "%s", to);
    snprintf(e.message, sizeof(e.message), "%s is %s", component, to);
    incident_add(&i, &e);
}

static const char *document(void)
{
    incident_write(&i, &levels, "patrond.service", "vm1", &out);
    return buf_cstr(&out);
}

static void has(const char *text, const char *part)
{
    if (strstr(text, part) == NULL)
        fail_msg("no \"%s\" in:\n%s", part, text);
}

static void an_outage_that_ended(void **state)
{
    (void)state;
    happened(10, EVENT_RELOADED, 6, "generation 2 serves");
    changed(600, "database", "up", "down");
    happened(600, EVENT_DB_CONNECTION_FAILED, 3, "Database connection failed: a | b");
    for (int n = 0; n < 7; n++)
        happened(610 + n, EVENT_REQUEST_FAILED, 3, "answered");
    changed(1320, "database", "down", "up");
    happened(1320, EVENT_DB_RECOVERED, 6, "the database answers again");
    const char *text = document();
    has(text, "# Incident review: patrond.service on vm1\n");
    has(text, "- Window: 2025-11-03T08:00:00Z to 2025-11-03T09:00:00Z (UTC)\n");
    has(text, "- First sign: 2025-11-03T08:10:00Z\n- Recovered: 2025-11-03T08:22:00Z\n- Duration: 12 min 0 s\n");
    has(text, "- requests that failed on our side: 7 in the journal\n");
    has(text, "- database: down or degraded for 12 min 0 s\n");
    has(text, "| 2025-11-03T08:10:00Z | db_connection_failed | Database connection failed: a \\| b |\n");
    assert_null(strstr(text, "| request_failed |"));
    has(text, "\n## Root cause\n");
    has(text, "| action | who | until |\n");
}

static void one_that_goes_on(void **state)
{
    (void)state;
    changed(1800, "cache", "up", "degraded");
    const char *text = document();
    has(text, "not over at the end of the window\n- Duration: at least 30 min 0 s\n");
    has(text, "- cache: down or degraded for 30 min 0 s, still so at the end of the window\n");
}

static void one_that_had_begun_before(void **state)
{
    (void)state;
    changed(60, "source", "down", "up");
    has(document(), "- source: down or degraded for 1 min 0 s\n");
}

static void equal_lines_are_counted(void **state)
{
    struct incident_event flood = {
        .at_us = T0 + 300 * S, .id = EVENT_RATE_LIMIT_EXCEEDED, .priority = 4, .suppressed = 99
    };

    (void)state;
    for (int n = 0; n < 30; n++)
        happened(n, EVENT_WORKER_CRASHED, 3, "worker 0 crashed");
    incident_add(&i, &flood);
    const char *text = document();
    has(text, "worker 0 crashed (30 times until 2025-11-03T08:00:29Z) |\n");
    has(text, "- processes that crashed: 30 in the journal\n");
    has(text, "- requests over a rate limit: 100 in the journal\n");
}

static void service_levels_are_told(void **state)
{
    (void)state;
    levels =
        (struct slo_sum){ .slots = 120,
                          .good = 114,
                          .ages = 1,
                          .age_max_s = 90000,
                          .counts = { .requests = 2000, .errors = 50, .latency = { 1900, 0, 100 }, .nl[8] = 10 } };
    const char *text = document();
    has(text,
        "- availability 95.00 %: /health could not answer 200 for 3.0 of 60.0 min (1.4 % of the downtime that 30 "
        "days allow)\n");
    has(text, "- 2000 requests answered, 50 of them with 5xx (2.50 %; promised: less than 1 %)\n");
    has(text, "- latency: P95 5 ms, P99 22 ms (promised: less than 500 and 2000 ms)\n");
    has(text, "- questions in words: P95 2.4 s (promised: less than 3 s)\n");
    has(text, "- the data were at most 1 d 1 h old (promised: less than 24 h)\n");
}

static void programs_get_the_same_facts(void **state)
{
    (void)state;
    changed(600, "database", "up", "down");
    for (int n = 0; n < 2; n++)
        happened(700 + n, EVENT_WORKER_CRASHED, 3, "worker \"0\" crashed");
    changed(1320, "database", "down", "up");
    levels = (struct slo_sum){ .slots = 120, .good = 114, .counts = { .requests = 2000, .errors = 50 } };
    incident_write_json(&i, &levels, "patrond.service", "vm1", &out);
    const char *text = buf_cstr(&out);
    has(text,
        "{\"unit\":\"patrond.service\",\"host\":\"vm1\",\"since\":\"2025-11-03T08:00:00Z\",\"until\":"
        "\"2025-11-03T09:00:00Z\",\"first_sign\":\"2025-11-03T08:10:00Z\",\"recovered\":\"2025-11-03T08:22:00Z\","
        "\"goes_on\":false,\"duration_seconds\":720,");
    has(text, "\"availability\":0.95,\"down_minutes\":3.0,\"requests\":2000,\"errors\":50,\"error_rate\":0.025,"
              "\"latency_p95_seconds\":null");
    has(text, "\"events\":{\"worker_crashed\":2,\"component_state_changed\":2}");
    has(text, "\"components\":[{\"name\":\"database\",\"bad_seconds\":720,\"goes_on\":false}]");
    has(text, "{\"at\":\"2025-11-03T08:11:40Z\",\"last_at\":\"2025-11-03T08:11:41Z\",\"count\":2,\"event\":"
              "\"worker_crashed\",\"message\":\"worker \\\"0\\\" crashed\"}");
    has(text, "\"timeline_left_out\":0}\n");
}

static void too_many_lines_are_said_to_be(void **state)
{
    char text[32];

    (void)state;
    for (int n = 0; n < INCIDENT_LINES + 5; n++) {
        snprintf(text, sizeof(text), "death %d", n);
        happened(n, EVENT_WORKER_CRASHED, 3, text);
    }
    has(document(), "5 more lines are left out");
}

static void nothing_is_known(void **state)
{
    (void)state;
    incident_write(&i, NULL, "patrond.service", "vm1", &out);
    has(buf_cstr(&out), "- The journal has no event of this unit in the window.\n");
    has(buf_cstr(&out), "- the service levels could not be read\n");
    has(buf_cstr(&out), "## Affected services\n\n- unknown\n");
    buf_reset(&out);
    incident_write_json(&i, NULL, "patrond.service", "vm1", &out);
    has(buf_cstr(&out), ",\"levels\":null,\"events\":{},");
}

static void nothing_happened(void **state)
{
    (void)state;
    happened(10, EVENT_RELOADED, 6, "generation 2 serves");
    const char *text = document();
    has(text, "Nothing in the journal of this window was a warning or worse.");
    has(text, "- the server measured nothing in this window\n");
    has(text, "- no component changed its state\n");
}

static void times(void **state)
{
    int64_t us;

    (void)state;
    assert_true(incident_parse_time("2025-11-03T08:00:00Z", 0, &us) && us == T0);
    assert_true(incident_parse_time("2025-11-03", 0, &us) && us == T0 - 8 * 3600 * S);
    assert_true(incident_parse_time("90m", T0, &us) && us == T0 - 5400 * S);
    assert_true(incident_parse_time("2h", T0, &us) && us == T0 - 7200 * S);
    assert_true(incident_parse_time("3d", T0, &us) && us == T0 - 3 * 86400 * S);
    assert_false(incident_parse_time("", T0, &us));
    assert_false(incident_parse_time("h", T0, &us));
    assert_false(incident_parse_time("2", T0, &us));
    assert_false(incident_parse_time("-2h", T0, &us));
    assert_false(incident_parse_time("99999999999999999999d", T0, &us));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_outage_that_ended),
        TEST(one_that_goes_on),
        TEST(one_that_had_begun_before),
        TEST(equal_lines_are_counted),
        TEST(service_levels_are_told),
        TEST(programs_get_the_same_facts),
        TEST(too_many_lines_are_said_to_be),
        TEST(nothing_is_known),
        TEST(nothing_happened),
        cmocka_unit_test(times),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
