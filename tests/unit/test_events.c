/*
 * events: the line as the contract words it, plain and as JSON, whatever the values hold.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <ctype.h>
#include <fcntl.h>
#include <unistd.h>

#include "core/events.h"
#include "core/json.h"

static char line[2 * LOG_LINE_BYTES];
static FILE *caught; /* stands in for stderr */
static int real_stderr;

static int catch_stderr(void **state)
{
    (void)state;
    caught = tmpfile();
    real_stderr = dup(STDERR_FILENO);
    if (caught == NULL || real_stderr < 0)
        return -1;
    return dup2(fileno(caught), STDERR_FILENO) == STDERR_FILENO ? 0 : -1;
}

static int restore_stderr(void **state)
{
    (void)state;
    dup2(real_stderr, STDERR_FILENO);
    close(real_stderr);
    fclose(caught);
    return 0;
}

/* What has been logged since the last call, without its newline. */
static const char *logged(void)
{
    size_t n;

    rewind(caught);
    n = fread(line, 1, sizeof(line) - 1, caught);
    line[n] = '\0';
    if (n > 0 && line[n - 1] == '\n')
        line[n - 1] = '\0';
    assert_int_equal(ftruncate(fileno(caught), 0), 0);
    assert_int_equal(lseek(fileno(caught), 0, SEEK_SET), 0);
    return line;
}

static void starts_with(const char *text, const char *start)
{
    if (strncmp(text, start, strlen(start)) != 0)
        fail_msg("\"%s\" does not start with \"%s\"", text, start);
}

static void the_plain_line(void **state)
{
    (void)state;
    const struct event_field f[] = {
        event_i64("run_id", -513),     event_cstr("mode", "full"),   event_cstr("error", "no \"route\"\nto host"),
        event_cstr("equation", "a=b"), event_cstr("empty", ""),      event_cstr("none", NULL),
        event_f64("seconds", 251.4),   event_bool("success", false),
    };

    log_init("worker/0", LOG_LEVEL_INFO, false);
    event_log(EVENT_SYNC_STARTED, f, sizeof(f) / sizeof(f[0]), "Sync started: %s", "full");
    const char *text = logged();
    starts_with(text,
                "sync_started: Sync started: full run_id=-513 mode=full error=\"no \\\"route\\\"\\nto host\" "
                "equation=\"a=b\" empty=\"\" none=null seconds=251.4 success=false level=info role=worker/0 pid=");
    assert_non_null(strstr(text, " timestamp=2"));
    event_log(EVENT_RELOADED, NULL, 0, "%s", "");
    starts_with(logged(), "reloaded: level=info role=worker/0");
}

static void levels_decide(void **state)
{
    (void)state;
    log_init("master", LOG_LEVEL_WARNING, false);
    assert_false(event_enabled(EVENT_SYNC_STARTED));
    assert_true(event_enabled(EVENT_SYNC_FAILED));
    event_log(EVENT_SYNC_STARTED, NULL, 0, "no");
    assert_string_equal(logged(), "");
    event_log_at(LOG_LEVEL_ERROR, EVENT_SYNC_STARTED, NULL, 0, "yes");
    starts_with(logged(), "sync_started: yes level=error role=master");
}

static const struct json *parsed(struct arena *a, const char *text)
{
    const char *error;
    const struct json *root;

    arena_init(a, 1 << 20);
    root = json_parse(a, str_from(text), &error);
    if (root == NULL)
        fail_msg("%s: %s", error, text);
    return root;
}

static void the_json_line(void **state)
{
    (void)state;
    const struct event_field f[] = { event_i64("index", 2), event_cstr("doing", "a\n\"b\" \xff"),
                                     event_cstr("none", NULL), event_bool("ok", true), event_f64("cpu", 0.25) };
    struct arena a;
    const struct json *root;
    int64_t i;
    double d;

    log_init("sync", LOG_LEVEL_INFO, true);
    event_log(EVENT_WORKER_CRASHED, f, 5, "worker %d died", 2);
    root = parsed(&a, logged());
    assert_true(str_eq_lit(json_get(root, "level")->text, "error"));
    assert_true(str_eq_lit(json_get(root, "event")->text, "worker_crashed"));
    assert_true(str_eq_lit(json_get(root, "message")->text, "worker 2 died"));
    assert_true(str_eq_lit(json_get(root, "role")->text, "sync"));
    assert_true(json_i64(json_get(root, "pid"), &i) && i == getpid());
    assert_int_equal(json_get(root, "timestamp")->text.len, 27);
    assert_true(json_i64(json_get(root, "index"), &i) && i == 2);
    assert_true(str_eq_lit(json_get(root, "doing")->text, "a\n\"b\" \xef\xbf\xbd"));
    assert_int_equal(json_get(root, "none")->type, JSON_NULL);
    assert_true(json_get(root, "ok")->boolean);
    assert_true(json_double(json_get(root, "cpu"), &d) && d == 0.25);
    arena_free(&a);
}

/* A field that finds no room is left out whole; the line stays one line and JSON stays JSON. */
static void long_values_keep_the_line_whole(void **state)
{
    (void)state;
    static char huge[LOG_LINE_BYTES + 1], large[LOG_LINE_BYTES - 600], sentence[4000];
    struct arena a;
    const struct json *root;

    memset(huge, 'h', sizeof(huge) - 1);
    memset(large, 'l', sizeof(large) - 1);
    memset(sentence, '\n', sizeof(sentence) - 1);
    const struct event_field f[] = { event_cstr("huge", huge), event_cstr("large", large), event_i64("last", 1) };

    for (int json = 0; json < 2; json++) {
        log_init("master", LOG_LEVEL_INFO, json == 1);
        event_log(EVENT_API_ERROR, f, 3, "short");
        const char *text = logged();
        assert_null(strstr(text, "huge"));
        assert_non_null(strstr(text, "large"));
        assert_non_null(strstr(text, "last"));
        assert_null(strchr(text, '\n'));
        if (json == 1) {
            root = parsed(&a, text);
            assert_int_equal(json_get(root, "large")->text.len, sizeof(large) - 1);
            arena_free(&a);
        }
        event_log(EVENT_API_ERROR, f + 2, 1, "%s", sentence);
        text = logged();
        assert_non_null(strstr(text, "last"));
        assert_null(strchr(text, '\n'));
        if (json == 1) {
            (void)parsed(&a, text);
            arena_free(&a);
        }
    }
}

/* Message ids are 32 hex digits each its own, names are unique. */
/* Sentences, and nothing that would end an entry of the catalog or be taken for a field. */
static void is_prose(const char *text)
{
    assert_non_null(text);
    assert_true(strlen(text) > 5 && text[strlen(text) - 1] == '.');
    assert_null(strchr(text, '\n'));
    assert_null(strchr(text, '@'));
}

static void floods_are_counted(void **state)
{
    (void)state;
    struct event_quota q = { 0 };
    uint64_t suppressed, now = 5;

    for (int i = 0; i < 3; i++)
        assert_true(event_quota_take(&q, 3, now++, &suppressed));
    for (int i = 0; i < 40; i++)
        assert_false(event_quota_take(&q, 3, now++, &suppressed));
    assert_false(event_quota_take(&q, 3, 5 + EVENT_QUOTA_NS - 1, &suppressed));
    assert_true(event_quota_take(&q, 3, 5 + EVENT_QUOTA_NS, &suppressed));
    assert_int_equal(suppressed, 41);
    assert_true(event_quota_take(&q, 3, 6 + EVENT_QUOTA_NS, &suppressed));
    assert_int_equal(suppressed, 0);
    assert_true(event_quota_take(&q, 3, 5 + 3 * EVENT_QUOTA_NS, &suppressed));
    assert_int_equal(suppressed, 0);
}

static void a_flood_is_told_by_its_first_lines(void **state)
{
    (void)state;
    unsigned quota = event_get(EVENT_CLAUDE_FAILED)->quota, lines = 0;

    log_init("worker/0", LOG_LEVEL_INFO, false);
    for (int i = 0; i < 1000; i++)
        event_log(EVENT_CLAUDE_FAILED, NULL, 0, "no answer");
    for (const char *p = logged(); (p = strstr(p, "claude_failed:")) != NULL; p++)
        lines++;
    assert_int_equal(lines, quota);
}

static void the_table_is_whole(void **state)
{
    (void)state;
    for (unsigned i = 0; i < EVENT_COUNT; i++) {
        const struct event *e = event_get((enum event_id)i);

        assert_non_null(e->name);
        assert_int_equal(strspn(e->message_id, "0123456789abcdef"), 32);
        assert_int_equal(strlen(e->message_id), 32);
        is_prose(e->meaning);
        is_prose(e->check);
        is_prose(e->fix);
        for (unsigned j = 0; j < i; j++) {
            assert_string_not_equal(e->name, event_get((enum event_id)j)->name);
            assert_string_not_equal(e->message_id, event_get((enum event_id)j)->message_id);
        }
    }
    assert_int_equal(event_get(EVENT_CONFIGURATION_INVALID)->level, LOG_LEVEL_CRITICAL);
    assert_int_equal(event_get(EVENT_WORKER_CRASHED)->level, LOG_LEVEL_ERROR);
    assert_int_equal(event_get(EVENT_REQUEST_STARTED)->level, LOG_LEVEL_DEBUG);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, catch_stderr, restore_stderr)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_plain_line),
        TEST(levels_decide),
        TEST(the_json_line),
        TEST(long_values_keep_the_line_whole),
        TEST(a_flood_is_told_by_its_first_lines),
        cmocka_unit_test(floods_are_counted),
        cmocka_unit_test(the_table_is_whole),
    };

    unsetenv("JOURNAL_STREAM");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
