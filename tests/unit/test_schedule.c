/*
 * sync_schedule: when a daily run is due, and the scoring of a day that no run scores.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proc/sync_schedule.h"

#define MINUTE (60LL * 1000000)
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)

static const int64_t today = 20000 * DAY;

static void the_run_is_daily(void **state)
{
    (void)state;
    assert_int_equal(sync_schedule_after(today + HOUR, 2), today + 2 * HOUR);
    assert_int_equal(sync_schedule_after(today + 2 * HOUR, 2), today + DAY + 2 * HOUR);
    assert_int_equal(sync_schedule_next(today + 3 * HOUR, 2, today + 2 * HOUR + 1, 0), today + DAY + 2 * HOUR);
}

static void a_missed_run_is_due_at_once(void **state)
{
    (void)state;
    assert_true(sync_schedule_next(today + 3 * HOUR, 2, today - HOUR, 0) <= today + 3 * HOUR);
    assert_true(sync_schedule_next(today + 3 * HOUR, 2, 0, 0) <= today + 3 * HOUR);
}

static void a_clock_that_was_ahead_does_not_hold_up_the_run(void **state)
{
    (void)state;
    int64_t now = today + 3 * HOUR, next = today + DAY + 2 * HOUR;
    assert_int_equal(sync_schedule_next(now, 2, now + 30 * DAY, 0), now);
    assert_int_equal(sync_schedule_next(now, 2, today - HOUR, now + 30 * DAY), now);
    assert_int_equal(sync_schedule_next(now, 2, now + 30 * DAY, now - MINUTE), now + 9 * MINUTE);
    assert_int_equal(sync_schedule_next(now, 2, now + MINUTE, 0), next); /* of a machine whose clock is a bit ahead */
    assert_true(sync_schedule_plan_holds(now, next));
    assert_true(sync_schedule_plan_holds(now, now + DAY));
    assert_false(sync_schedule_plan_holds(now, next + 30 * DAY));
}

static void a_day_without_a_daily_run_is_scored_when_it_begins(void **state)
{
    (void)state;
    assert_int_equal(sync_schedule_rescore(today, SYNC_NO_DAILY_RUN), today);
    assert_int_equal(sync_schedule_rescore(today + 23 * HOUR, SYNC_NO_DAILY_RUN), today);
}

static void a_daily_run_has_an_hour_to_score_the_day(void **state)
{
    (void)state;
    assert_int_equal(sync_schedule_rescore(today + 5, 2), today + 3 * HOUR);
    assert_int_equal(sync_schedule_rescore(today + 22 * HOUR, 2), today + 3 * HOUR);
    assert_int_equal(sync_schedule_rescore(today + 5, 0), today + HOUR);
}

static void a_late_run_leaves_time_before_midnight(void **state)
{
    (void)state;
    assert_int_equal(sync_schedule_rescore(today + 5, 23), today + 23 * HOUR + 30 * MINUTE);
    assert_int_equal(sync_schedule_rescore(today + 5, 22), today + 23 * HOUR);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_run_is_daily),
        cmocka_unit_test(a_missed_run_is_due_at_once),
        cmocka_unit_test(a_clock_that_was_ahead_does_not_hold_up_the_run),
        cmocka_unit_test(a_day_without_a_daily_run_is_scored_when_it_begins),
        cmocka_unit_test(a_daily_run_has_an_hour_to_score_the_day),
        cmocka_unit_test(a_late_run_leaves_time_before_midnight),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
