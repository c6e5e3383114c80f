/*
 * Alerts: what is told when, under a clock of the test's own.
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

#include "proc/alert_file.h"

#define T0 1762156800LL

static struct alert_board board;
static struct alert_state states[ALERT_COUNT];

static int setup(void **state)
{
    (void)state;
    memset(&board, 0, sizeof(board));
    memset(states, 0, sizeof(states));
    return 0;
}

static void set(enum alert_id id, bool firing, int64_t since_s)
{
    states[id] = (struct alert_state){ firing ? ALERT_FIRING : ALERT_FINE, since_s };
}

/* Tells what is due, if that is what is expected. */
static void tell(uint32_t expected, int64_t now_s)
{
    uint32_t due = alert_due(&board, states, now_s);

    assert_int_equal(due, expected);
    if (due != 0)
        alert_sent(&board, due, states, now_s);
}

static void each_change_is_told_once(void **state)
{
    (void)state;
    tell(0, T0);
    for (unsigned i = 0; i < ALERT_COUNT; i++) {
        assert_int_equal(alerts_table[i].id, i);
        set((enum alert_id)i, true, T0);
        tell(1U << i, T0);
        tell(0, T0 + 1);
        set((enum alert_id)i, false, T0 + 60);
        tell(1U << i, T0 + 60);
        tell(0, T0 + 61);
    }
}

static void what_is_not_known_is_no_news(void **state)
{
    (void)state;
    set(ALERT_DATABASE, true, T0);
    tell(1U << ALERT_DATABASE, T0);
    states[ALERT_DATABASE].verdict = states[ALERT_CACHE].verdict = ALERT_UNKNOWN; /* the server starts anew */
    tell(0, T0 + 60);
    set(ALERT_DATABASE, true, T0 + 61);
    tell(0, T0 + 61);
    set(ALERT_DATABASE, false, T0 + 62);
    tell(1U << ALERT_DATABASE, T0 + 62);
}

static void changes_travel_together_and_those_taken_back_not_at_all(void **state)
{
    (void)state;
    set(ALERT_CACHE, true, T0);
    set(ALERT_DATABASE, true, T0);
    assert_int_equal(alert_due(&board, states, T0), 1U << ALERT_CACHE | 1U << ALERT_DATABASE);
    alert_failed(&board, T0);
    set(ALERT_CACHE, false, T0 + 1);
    tell(0, T0 + 1); /* it waits for the next try */
    tell(1U << ALERT_DATABASE, T0 + ALERT_RETRY_S);
}

static void failures_are_tried_again_ever_more_slowly(void **state)
{
    int64_t pauses[] = { 2, 4, 8, 16, 32, 60, 60 }, now = T0;

    (void)state;
    set(ALERT_SYNC, true, T0);
    for (size_t i = 0; i < sizeof(pauses) / sizeof(pauses[0]); i++) {
        assert_int_equal(alert_due(&board, states, now), 1U << ALERT_SYNC);
        alert_failed(&board, now);
        assert_int_equal(alert_due(&board, states, now + pauses[i] - 1), 0);
        now += pauses[i];
    }
    tell(1U << ALERT_SYNC, now);
    set(ALERT_SYNC, false, now);
    tell(1U << ALERT_SYNC, now + 1); /* a success forgets the failures */
    board.retry_s = now + 1000000;   /* the clock went back */
    set(ALERT_SYNC, true, now);
    tell(1U << ALERT_SYNC, now + 2);
}

static void one_that_flaps_does_not_flood(void **state)
{
    int told = 0;

    (void)state;
    for (int64_t t = 0; t < 3600; t++) {
        uint32_t due;

        set(ALERT_CACHE, t % 2 == 0, T0 + t);
        set(ALERT_DATABASE, t >= 1800, T0 + 1800);
        due = alert_due(&board, states, T0 + t);
        told += (due & 1U << ALERT_CACHE) != 0;
        if (t == 1800)
            assert_true(due & 1U << ALERT_DATABASE); /* another's flapping holds up nobody */
        if (due != 0)
            alert_sent(&board, due, states, T0 + t);
    }
    assert_in_range(told, ALERT_BURST + 30, ALERT_BURST + 3600 / ALERT_PAUSE_S + 1);
}

static void another_webhook_hears_what_fires(void **state)
{
    (void)state;
    set(ALERT_DATABASE, true, T0);
    tell(1U << ALERT_DATABASE, T0);
    alert_address(&board, "https://hooks.example/a"); /* a board that does not say whom it was told to: to this one */
    tell(0, T0 + 1);
    alert_address(&board, "https://hooks.example/a");
    set(ALERT_CACHE, true, T0 + 2);
    tell(1U << ALERT_CACHE, T0 + 2);
    alert_address(&board, "https://hooks.example/b");
    set(ALERT_CACHE, false, T0 + 3); /* it never heard of this one */
    tell(1U << ALERT_DATABASE, T0 + 3);
    tell(0, T0 + 4);
}

static const char *message(uint32_t due, int64_t now_s)
{
    static struct buf out;

    buf_free(&out);
    buf_init(&out, 65536);
    alert_write(&out, due, &board, states, "api1 <prod>", now_s);
    assert_false(out.failed);
    return buf_cstr(&out);
}

static void the_message_says_what_and_what_to_do(void **state)
{
    (void)state;
    set(ALERT_DATABASE, true, T0);
    assert_string_equal(message(1U << ALERT_DATABASE, T0),
                        "{\"text\":\"patrond on api1 _prod_, 2025-11-03T08:00:00Z\\n:red_circle: *P0: PostgreSQL is "
                        "down: reads go on from the last data, order history does not.* What to do: patronctl check "
                        "postgres\"}");
    tell(1U << ALERT_DATABASE, T0);
    set(ALERT_DATABASE, false, T0 + 185);
    assert_non_null(strstr(message(1U << ALERT_DATABASE, T0 + 185),
                           ":large_green_circle: *Recovered: PostgreSQL answers again.* (P0, after 3 min)"));
    assert_non_null(strstr(message((1U << ALERT_COUNT) - 1, T0), "The data are fresh again"));
}

static void one_that_nobody_watches_any_more_is_closed_in_other_words(void **state)
{
    struct buf summary;

    (void)state;
    set(ALERT_CACHE, true, T0);
    tell(1U << ALERT_CACHE, T0);
    states[ALERT_CACHE].verdict = states[ALERT_AI].verdict = ALERT_UNWATCHED;
    set(ALERT_SYNC, true, T0);
    assert_int_equal(alert_due(&board, states, T0), 1U << ALERT_CACHE | 1U << ALERT_SYNC);
    assert_non_null(strstr(message(1U << ALERT_CACHE, T0),
                           ":white_circle: *No longer watched: Redis is down: the same answers, slower.*"));
    buf_init(&summary, 100);
    alert_summarize(&summary, 1U << ALERT_CACHE | 1U << ALERT_SYNC, states);
    assert_string_equal(buf_cstr(&summary), "cache is over, sync fires");
    buf_free(&summary);
    tell(1U << ALERT_CACHE | 1U << ALERT_SYNC, T0);
    tell(0, T0 + 1);
}

static char dir[32];

static int setup_dir(void **state)
{
    strcpy(dir, "/tmp/patrond-alert-XXXXXX");
    return mkdtemp(dir) != NULL ? setup(state) : -1;
}

static const char *file(void)
{
    static char path[64];

    (void)snprintf(path, sizeof(path), "%s/" ALERT_FILE_NAME, dir);
    return path;
}

static int teardown_dir(void **state)
{
    (void)state;
    (void)unlink(file());
    return rmdir(dir);
}

static void patch(off_t at, const void *bytes, size_t n)
{
    int fd = open(file(), O_RDWR);

    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, bytes, n, at), n);
    close(fd);
}

static void what_was_told_outlives_the_server(void **state)
{
    struct alert_board back;

    (void)state;
    memset(&back, 'x', sizeof(back));
    assert_true(alert_file_load(&back, dir)); /* no file: nothing was told */
    assert_memory_equal(&back, &board, sizeof(board));
    set(ALERT_DATABASE, true, T0);
    set(ALERT_SYNC, true, T0 + 1);
    tell(1U << ALERT_DATABASE | 1U << ALERT_SYNC, T0 + 1);
    board.sending_until_s = T0 + 9;
    assert_true(alert_file_save(&board, dir));
    board.sending_until_s = 0;
    alert_address(&board, "https://hooks.example/a");
    set(ALERT_SYNC, false, T0 + 2);
    tell(1U << ALERT_SYNC, T0 + 2);
    assert_true(alert_file_load(&back, dir));
    assert_int_equal(back.told[ALERT_DATABASE].since_s, T0);
    assert_int_equal(back.told[ALERT_SYNC].since_s, T0 + 1);
    assert_int_equal(back.told[ALERT_SYNC].paid_off_s, T0 + 1 + ALERT_PAUSE_S);
    assert_int_equal(back.sending_until_s, T0 + 9);
    assert_true(alert_file_save(&board, dir));
    assert_true(alert_file_load(&back, dir));
    assert_memory_equal(&back, &board, sizeof(board));
    assert_false(alert_file_save(&board, "/nowhere/at/all"));
    assert_true(alert_file_load(&back, "/nowhere/at/all"));
}

/* Records are found by name, wherever they are; what cannot be understood is left out, alone. */
static void another_version_reads_what_it_knows(void **state)
{
    char records[3][64];
    struct alert_board back;
    int fd;

    (void)state;
    for (unsigned i = 0; i < ALERT_COUNT; i++)
        set((enum alert_id)i, true, T0 + i);
    tell((1U << ALERT_COUNT) - 1, T0 + 60);
    assert_true(alert_file_save(&board, dir));
    fd = open(file(), O_RDONLY);
    assert_true(fd >= 0);
    assert_int_equal(pread(fd, records, sizeof(records), 0), sizeof(records));
    close(fd);
    patch(0, records[2], 64);
    patch(128, records[0], 64);
    patch(64 + 44, "x", 1);
    assert_true(alert_file_load(&back, dir));
    assert_int_equal(back.told[0].since_s, T0);
    assert_int_equal(back.told[1].since_s, 0);
    assert_int_equal(back.told[2].since_s, T0 + 2);
    assert_int_equal(back.told[3].since_s, T0 + 3);
    assert_int_equal(truncate(file(), 64 + 10), 0);
    assert_true(alert_file_load(&back, dir));
    assert_int_equal(back.told[2].since_s, T0 + 2);
    assert_int_equal(back.told[3].since_s, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(each_change_is_told_once, setup),
        cmocka_unit_test_setup(what_is_not_known_is_no_news, setup),
        cmocka_unit_test_setup(changes_travel_together_and_those_taken_back_not_at_all, setup),
        cmocka_unit_test_setup(failures_are_tried_again_ever_more_slowly, setup),
        cmocka_unit_test_setup(one_that_flaps_does_not_flood, setup),
        cmocka_unit_test_setup(another_webhook_hears_what_fires, setup),
        cmocka_unit_test_setup(the_message_says_what_and_what_to_do, setup),
        cmocka_unit_test_setup(one_that_nobody_watches_any_more_is_closed_in_other_words, setup),
        cmocka_unit_test_setup_teardown(what_was_told_outlives_the_server, setup_dir, teardown_dir),
        cmocka_unit_test_setup_teardown(another_version_reads_what_it_knows, setup_dir, teardown_dir),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
