/*
 * The loop: order of a turn, timers, deferred calls and the bin.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "net/loop.h"

struct trace {
    struct loop *loop;
    struct loop_timer *timer, *other;
    char text[64];
    unsigned ticks, calls;
    uint64_t first_ns, second_ns;
};

static void add(struct trace *t, char mark)
{
    size_t n = strlen(t->text);

    if (n + 1 < sizeof t->text)
        t->text[n] = mark;
}

static void on_deferred_again(void *arg)
{
    struct trace *t = arg;

    add(t, 'e');
    loop_stop(t->loop);
}

static void on_deferred(void *arg)
{
    struct trace *t = arg;

    add(t, 'd');
    assert_true(loop_defer(t->loop, on_deferred_again, t));
}

static void on_timer(void *arg)
{
    struct trace *t = arg;

    add(t, 't');
    loop_free_later(t->loop, malloc(16));
    loop_timer_free(t->timer);
    loop_timer_free(t->other);
    assert_true(loop_defer(t->loop, on_deferred, t));
}

static void on_never(void *arg)
{
    add(arg, '!');
}

static void on_tick(void *arg)
{
    struct trace *t = arg;

    t->ticks++;
    if (t->text[0] != '\0')
        add(t, '.');
}

/* A callback comes before what it defers, that before the tick, and what it defers in turn before the next one. */
static void order_of_a_turn(void **state)
{
    struct trace t = { .loop = loop_new() };

    (void)state;
    assert_non_null(t.loop);
    t.timer = loop_timer_new(t.loop, on_timer, &t);
    t.other = loop_timer_new(t.loop, on_never, &t);
    loop_timer_set(t.timer, 1);
    loop_timer_set(t.other, 1000000);
    loop_run(t.loop, 1000, on_tick, &t);
    assert_string_equal(t.text, "td.e.");
    loop_free(t.loop);
}

static void stop_after_some(void *arg)
{
    struct trace *t = arg;

    if (++t->ticks == 5)
        loop_stop(t->loop);
}

static void ticks_without_events(void **state)
{
    struct trace t = { .loop = loop_new() };
    uint64_t start = clock_mono_ns();

    (void)state;
    loop_run(t.loop, 10, stop_after_some, &t);
    assert_int_equal(t.ticks, 5);
    assert_true(clock_mono_ns() - start >= 30000000);
    loop_free(t.loop);
}

static void on_period(void *arg)
{
    struct trace *t = arg;

    if (t->calls == 0)
        t->first_ns = loop_now_ns(t->loop);
    if (++t->calls < 3) {
        loop_timer_set(t->timer, 5);
        return;
    }
    t->second_ns = loop_now_ns(t->loop);
    loop_timer_clear(t->other);
    loop_stop(t->loop);
}

/* A timer re-armed from its callback is a period, a cleared one stays silent, and the time moves between turns. */
static void periods(void **state)
{
    struct trace t = { .loop = loop_new() };

    (void)state;
    t.timer = loop_timer_new(t.loop, on_period, &t);
    t.other = loop_timer_new(t.loop, on_never, &t);
    loop_timer_set(t.timer, 0);
    loop_timer_set(t.other, 1000);
    loop_run(t.loop, 1000, NULL, NULL);
    assert_int_equal(t.calls, 3);
    assert_string_equal(t.text, "");
    assert_true(t.second_ns > t.first_ns);
    loop_timer_free(t.timer);
    loop_timer_free(t.other);
    loop_free(t.loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(order_of_a_turn),
        cmocka_unit_test(ticks_without_events),
        cmocka_unit_test(periods),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
