/*
 * Alerts: what is told when, under a clock of the test's own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <string.h>

#include "proc/alert.h"

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
    states[id] = (struct alert_state){ firing, since_s };
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(each_change_is_told_once, setup),
        cmocka_unit_test_setup(changes_travel_together_and_those_taken_back_not_at_all, setup),
        cmocka_unit_test_setup(failures_are_tried_again_ever_more_slowly, setup),
        cmocka_unit_test_setup(one_that_flaps_does_not_flood, setup),
        cmocka_unit_test_setup(the_message_says_what_and_what_to_do, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
