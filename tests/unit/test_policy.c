/*
 * policy and balance: every rule of supervision, with a clock the test turns.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proc/balance.h"
#include "proc/policy.h"
#include "proc/roles.h"

#define MS 1000000ULL
#define S  1000000000ULL
#define T0 (1000 * S)

#define EXITED(status)   ((status) << 8)
#define SIGNALLED(signo) (signo)

static const struct policy_limits limits = {
    .drain_ns = 30 * S,
    .suspect_ns = 2 * S,
    .abort_ns = 10 * S,
    .kill_ns = 15 * S,
    .ready_ns = 30 * S,
    .stall_ns = 60 * S,
};

/* A child with its surroundings. */
struct bench {
    struct policy_child c;
    struct policy_view v;
    struct policy_bucket bucket;
    uint64_t now;
};

static enum policy_action step(struct bench *b)
{
    return policy_child_step(&b->c, &b->v, &limits, &b->bucket, b->now);
}

/* The signal of this moment, POLICY_SIGNAL_NONE if nothing is to be sent. */
static enum policy_signal signal_now(struct bench *b)
{
    for (int i = 0; i < 8; i++) {
        enum policy_action a = step(b);

        if (a == POLICY_SIGNAL)
            return b->c.sent;
        if (a == POLICY_NOTHING)
            return POLICY_SIGNAL_NONE;
    }
    fail_msg("policy never comes to rest");
    return POLICY_SIGNAL_NONE;
}

static void bench_init(struct bench *b, enum policy_watch watch)
{
    *b = (struct bench){ .now = T0 };
    policy_bucket_init(&b->bucket, 100, S, b->now);
    policy_child_init(&b->c, watch, b->now);
}

static void bench_start(struct bench *b)
{
    assert_int_equal(step(b), POLICY_SPAWN);
    policy_child_started(&b->c, b->now);
    b->v = (struct policy_view){ .awake_ns = T0 };
}

static void bench_ready(struct bench *b)
{
    b->v.ready = true;
    b->v.beat_ns = b->now;
    assert_int_equal(step(b), POLICY_READY);
    assert_int_equal(step(b), POLICY_NOTHING);
}

static void bench_serving(struct bench *b, enum policy_watch watch)
{
    bench_init(b, watch);
    bench_start(b);
    bench_ready(b);
}

/* Time passes while the child beats as it should. */
static void pass(struct bench *b, uint64_t ns)
{
    b->now += ns;
    b->v.beat_ns = b->now;
}

/* Backoff. */

static void test_backoff_doubles_to_the_cap(void **state)
{
    (void)state;
    assert_int_equal(policy_backoff_ns(0, 0), 100 * MS);
    assert_int_equal(policy_backoff_ns(1, 0), 200 * MS);
    assert_int_equal(policy_backoff_ns(5, 0), 3200 * MS);
    assert_int_equal(policy_backoff_ns(8, 0), 25600 * MS);
    assert_int_equal(policy_backoff_ns(9, 0), 30 * S);
    assert_int_equal(policy_backoff_ns(4000000000U, 0), 30 * S);
    assert_in_range(policy_backoff_ns(9, 0.999), 22 * S, 23 * S);
    assert_in_range(policy_backoff_ns(0, 0.5), 85 * MS, 90 * MS);
}

static void test_early_death_backs_off(void **state)
{
    struct bench b;
    uint64_t delay = 100 * MS;

    (void)state;
    bench_init(&b, POLICY_WATCH_BEAT);
    for (int i = 0; i < 12; i++) {
        bench_start(&b);
        assert_int_equal(policy_child_died(&b.c, POLICY_END_SIGNAL, 0, b.now), delay);
        b.now += delay - 1;
        assert_int_equal(step(&b), POLICY_NOTHING);
        b.now += 1;
        delay = delay * 2 < 30 * S ? delay * 2 : 30 * S;
    }
}

static void test_settled_child_restarts_at_once_and_resets(void **state)
{
    struct bench b;

    (void)state;
    bench_init(&b, POLICY_WATCH_BEAT);
    for (int i = 0; i < 3; i++) {
        bench_start(&b);
        b.now += policy_child_died(&b.c, POLICY_END_SIGNAL, 0, b.now);
    }
    bench_start(&b);
    b.now += 20 * S; /* a long start is no sign of health: only time after READY counts */
    bench_ready(&b);
    pass(&b, POLICY_SETTLED_NS - 1);
    assert_int_equal(policy_child_died(&b.c, POLICY_END_OOM, 0, b.now), 800 * MS);
    b.now += 800 * MS;
    bench_start(&b);
    bench_ready(&b);
    pass(&b, POLICY_SETTLED_NS);
    assert_int_equal(policy_child_died(&b.c, POLICY_END_OOM, 0, b.now), 0);
    assert_int_equal(b.c.failures, 0);
    assert_int_equal(step(&b), POLICY_SPAWN);
}

static void test_storm_brake(void **state)
{
    struct bench b;

    (void)state;
    bench_init(&b, POLICY_WATCH_BEAT);
    policy_bucket_init(&b.bucket, 2, S, b.now);
    bench_start(&b); /* a first start takes no token */
    for (int i = 0; i < 2; i++) {
        pass(&b, 0);
        bench_ready(&b);
        b.now += POLICY_SETTLED_NS; /* so that the backoff asks for nothing */
        b.bucket.filled_ns = b.now;
        assert_int_equal(policy_child_died(&b.c, POLICY_END_SIGNAL, 0, b.now), 0);
        bench_start(&b);
    }
    bench_ready(&b);
    b.now += POLICY_SETTLED_NS;
    b.bucket.filled_ns = b.now;
    assert_int_equal(policy_child_died(&b.c, POLICY_END_SIGNAL, 0, b.now), 0);
    assert_int_equal(step(&b), POLICY_NOTHING);
    b.now += S - 1;
    assert_int_equal(step(&b), POLICY_NOTHING);
    b.now += 1;
    assert_int_equal(step(&b), POLICY_SPAWN);
}

static void test_bucket_never_overflows(void **state)
{
    struct policy_bucket b;

    (void)state;
    policy_bucket_init(&b, 3, S, T0);
    for (int i = 0; i < 3; i++)
        assert_true(policy_bucket_take(&b, T0 + 1000 * S));
    assert_false(policy_bucket_take(&b, T0 + 1000 * S));
    assert_true(policy_bucket_take(&b, T0 + 1001 * S));
    assert_false(policy_bucket_take(&b, T0)); /* a clock that went back gives nothing */
}

/* Stopping. */

static void test_stop_escalates(void **state)
{
    struct bench b;

    (void)state;
    bench_serving(&b, POLICY_WATCH_BEAT);
    policy_child_stop(&b.c, POLICY_SIGNAL_TERM, b.now);
    assert_int_equal(signal_now(&b), POLICY_SIGNAL_TERM);
    assert_int_equal(signal_now(&b), POLICY_SIGNAL_NONE);
    pass(&b, limits.drain_ns - 1);
    assert_int_equal(signal_now(&b), POLICY_SIGNAL_NONE);
    pass(&b, 1);
    assert_int_equal(signal_now(&b), POLICY_SIGNAL_QUIT);
    pass(&b, POLICY_KILL_AFTER_NS - 1);
    assert_int_equal(signal_now(&b), POLICY_SIGNAL_NONE);
    pass(&b, 1);
    assert_int_equal(signal_now(&b), POLICY_SIGNAL_KILL);
    pass(&b, POLICY_KILL_AFTER_NS);
    assert_int_equal(signal_now(&b), POLICY_SIGNAL_KILL);
    assert_int_equal(policy_classify(&b.c, SIGNALLED(SIGKILL), false, false), POLICY_END_OVERSTAYED);
    assert_int_equal(policy_child_died(&b.c, POLICY_END_OVERSTAYED, 0, b.now), UINT64_MAX);
    assert_int_equal(b.c.phase, POLICY_OVER);
}

static void test_second_stop_is_at_once(void **state)
{
    struct bench b;

    (void)state;
    bench_serving(&b, POLICY_WATCH_BEAT);
    policy_child_stop(&b.c, POLICY_SIGNAL_TERM, b.now);
    assert_int_equal(signal_now(&b), POLICY_SIGNAL_TERM);
    pass(&b, S);
    policy_child_stop(&b.c, POLICY_SIGNAL_TERM, b.now);
    assert_int_equal(signal_now(&b), POLICY_SIGNAL_NONE); /* the same again changes nothing */
    policy_child_stop(&b.c, POLICY_SIGNAL_QUIT, b.now);
    assert_int_equal(signal_now(&b), POLICY_SIGNAL_QUIT);
    policy_child_stop(&b.c, POLICY_SIGNAL_TERM, b.now); /* never milder */
    assert_int_equal(signal_now(&b), POLICY_SIGNAL_NONE);
    pass(&b, POLICY_KILL_AFTER_NS);
    assert_int_equal(signal_now(&b), POLICY_SIGNAL_KILL);
}

static void test_firmer_order_wins_before_the_first_is_sent(void **state)
{
    struct bench b;

    (void)state;
    bench_serving(&b, POLICY_WATCH_BEAT);
    policy_child_stop(&b.c, POLICY_SIGNAL_TERM, b.now);
    policy_child_stop(&b.c, POLICY_SIGNAL_QUIT, b.now);
    assert_int_equal(signal_now(&b), POLICY_SIGNAL_QUIT);
}

static void test_stop_of_a_waiting_child(void **state)
{
    struct bench b;

    (void)state;
    bench_init(&b, POLICY_WATCH_BEAT);
    policy_child_stop(&b.c, POLICY_SIGNAL_TERM, b.now);
    assert_int_equal(b.c.phase, POLICY_OVER);
    assert_int_equal(step(&b), POLICY_NOTHING);
}

static void test_drained_child_is_expected(void **state)
{
    struct bench b;

    (void)state;
    bench_serving(&b, POLICY_WATCH_BEAT);
    policy_child_stop(&b.c, POLICY_SIGNAL_TERM, b.now);
    assert_int_equal(signal_now(&b), POLICY_SIGNAL_TERM);
    assert_int_equal(policy_classify(&b.c, EXITED(0), true, false), POLICY_END_DRAINED);
    assert_true(policy_end_expected(&b.c, POLICY_END_DRAINED));
    assert_int_equal(policy_classify(&b.c, EXITED(0), false, false), POLICY_END_UNDRAINED);
    assert_int_equal(policy_classify(&b.c, SIGNALLED(SIGSEGV), false, false), POLICY_END_SIGNAL);
    assert_false(policy_end_expected(&b.c, POLICY_END_SIGNAL));
}

/* Hanging. */

static void test_hang_ladder(void **state)
{
    struct bench b;
    uint64_t beat;

    (void)state;
    bench_serving(&b, POLICY_WATCH_BEAT);
    pass(&b, 60 * S);
    assert_int_equal(step(&b), POLICY_NOTHING);
    beat = b.now;
    b.now = beat + 2 * S - 1;
    assert_int_equal(step(&b), POLICY_NOTHING);
    b.now = beat + 2 * S;
    assert_int_equal(step(&b), POLICY_SUSPECTED);
    assert_int_equal(step(&b), POLICY_NOTHING); /* said once */
    b.now = beat + 10 * S - 1;
    assert_int_equal(signal_now(&b), POLICY_SIGNAL_NONE);
    b.now = beat + 10 * S;
    assert_int_equal(signal_now(&b), POLICY_SIGNAL_ABORT);
    b.now = beat + 15 * S - 1;
    assert_int_equal(signal_now(&b), POLICY_SIGNAL_NONE);
    b.now = beat + 15 * S;
    assert_int_equal(signal_now(&b), POLICY_SIGNAL_KILL);
    assert_int_equal(policy_classify(&b.c, SIGNALLED(SIGKILL), false, false), POLICY_END_HUNG);
    assert_true(b.c.wanted);
    assert_int_equal(policy_child_died(&b.c, POLICY_END_HUNG, 0, b.now), 0); /* it had settled */
}

static void test_hung_child_that_was_relieved(void **state)
{
    struct bench b;
    uint64_t beat;

    (void)state;
    bench_serving(&b, POLICY_WATCH_BEAT);
    beat = b.now;
    b.now = beat + 2 * S;
    assert_int_equal(step(&b), POLICY_SUSPECTED);
    policy_child_relieve(&b.c);
    policy_child_stop(&b.c, POLICY_SIGNAL_TERM, b.now); /* the stand-in is ready */
    assert_int_equal(signal_now(&b), POLICY_SIGNAL_TERM);
    b.now = beat + 10 * S;
    assert_int_equal(signal_now(&b), POLICY_SIGNAL_ABORT);
    b.now = beat + 15 * S;
    assert_int_equal(signal_now(&b), POLICY_SIGNAL_KILL);
    assert_int_equal(policy_classify(&b.c, SIGNALLED(SIGABRT), false, false), POLICY_END_HUNG);
    assert_int_equal(policy_child_died(&b.c, POLICY_END_HUNG, 0, b.now), UINT64_MAX);
}

static void test_recovery(void **state)
{
    struct bench b;

    (void)state;
    bench_serving(&b, POLICY_WATCH_BEAT);
    b.now += 3 * S;
    assert_int_equal(step(&b), POLICY_SUSPECTED);
    policy_child_relieve(&b.c);
    pass(&b, S);
    assert_int_equal(step(&b), POLICY_RECOVERED);
    assert_int_equal(step(&b), POLICY_NOTHING);
    policy_child_unrelieve(&b.c);
    assert_true(b.c.wanted);
    b.now += 3 * S;
    assert_int_equal(step(&b), POLICY_SUSPECTED);
}

static void test_unrelieved_child_that_must_go_stays_unwanted(void **state)
{
    struct bench b;

    (void)state;
    bench_serving(&b, POLICY_WATCH_BEAT);
    policy_child_stop(&b.c, POLICY_SIGNAL_TERM, b.now);
    policy_child_unrelieve(&b.c);
    assert_false(b.c.wanted);
}

static void test_debugger_and_own_sleep_are_no_hang(void **state)
{
    struct bench b;

    (void)state;
    bench_serving(&b, POLICY_WATCH_BEAT);
    b.now += 100 * S;
    b.v.traced = true;
    assert_int_equal(step(&b), POLICY_NOTHING);
    b.v.traced = false;
    b.v.awake_ns = b.now - S; /* the master itself stood still until a second ago */
    assert_int_equal(step(&b), POLICY_NOTHING);
    b.now += S;
    assert_int_equal(step(&b), POLICY_SUSPECTED);
}

static void test_beat_from_the_future_is_none(void **state)
{
    struct bench b;

    (void)state;
    bench_serving(&b, POLICY_WATCH_BEAT);
    b.v.beat_ns = UINT64_MAX;
    b.now += 2 * S;
    assert_int_equal(step(&b), POLICY_SUSPECTED);
}

static void test_start_has_a_limit(void **state)
{
    struct bench b;

    (void)state;
    bench_init(&b, POLICY_WATCH_BEAT);
    bench_start(&b);
    b.now += limits.ready_ns - 1;
    assert_int_equal(signal_now(&b), POLICY_SIGNAL_NONE);
    b.now += 1;
    assert_int_equal(signal_now(&b), POLICY_SIGNAL_ABORT);
    b.now += POLICY_KILL_AFTER_NS;
    assert_int_equal(signal_now(&b), POLICY_SIGNAL_KILL);
    assert_int_equal(policy_classify(&b.c, SIGNALLED(SIGKILL), false, false), POLICY_END_HUNG);
}

/* The sync process. */

static void test_sync_without_a_run_may_be_slow(void **state)
{
    struct bench b;

    (void)state;
    bench_serving(&b, POLICY_WATCH_PROGRESS);
    b.now += 59 * S;
    assert_int_equal(signal_now(&b), POLICY_SIGNAL_NONE);
    b.now += S;
    assert_int_equal(signal_now(&b), POLICY_SIGNAL_TERM);
    b.now += POLICY_KILL_AFTER_NS;
    assert_int_equal(signal_now(&b), POLICY_SIGNAL_KILL);
    assert_int_equal(policy_classify(&b.c, SIGNALLED(SIGKILL), false, false), POLICY_END_STALLED);
    assert_true(b.c.wanted);
}

static void test_sync_run_must_progress(void **state)
{
    struct bench b;

    (void)state;
    bench_serving(&b, POLICY_WATCH_PROGRESS);
    b.v.deadline_ns = b.now + 600 * S;
    for (int i = 0; i < 9; i++) {
        b.v.progress_ns = b.now;
        pass(&b, 59 * S);
        assert_int_equal(signal_now(&b), POLICY_SIGNAL_NONE);
    }
    pass(&b, S); /* it beats, but gets nowhere */
    assert_int_equal(signal_now(&b), POLICY_SIGNAL_TERM);
    assert_int_equal(b.c.cause, POLICY_CAUSE_STALLED);
    assert_int_equal(policy_classify(&b.c, EXITED(0), true, false), POLICY_END_STALLED);
}

static void test_sync_run_has_a_deadline(void **state)
{
    struct bench b;

    (void)state;
    bench_serving(&b, POLICY_WATCH_PROGRESS);
    b.v.deadline_ns = b.now + 600 * S;
    b.now += 600 * S - 1;
    b.v.progress_ns = b.now;
    assert_int_equal(signal_now(&b), POLICY_SIGNAL_NONE);
    b.now += 1;
    assert_int_equal(signal_now(&b), POLICY_SIGNAL_TERM);
    assert_int_equal(b.c.cause, POLICY_CAUSE_OVERDUE);
    b.now += POLICY_KILL_AFTER_NS;
    assert_int_equal(signal_now(&b), POLICY_SIGNAL_KILL);
}

static void test_old_sync_ends_its_run_first(void **state)
{
    struct bench b;

    (void)state;
    bench_serving(&b, POLICY_WATCH_PROGRESS);
    b.v.deadline_ns = b.now + 600 * S;
    policy_child_stop(&b.c, POLICY_SIGNAL_LEAVE, b.now);
    for (int i = 0; i < 10; i++) {
        b.v.progress_ns = b.now;
        assert_int_equal(signal_now(&b), i == 0 ? POLICY_SIGNAL_LEAVE : POLICY_SIGNAL_NONE);
        pass(&b, 50 * S);
    }
    b.v.progress_ns = b.v.deadline_ns = 0; /* the run is over, but it stays */
    pass(&b, limits.drain_ns);
    assert_int_equal(signal_now(&b), POLICY_SIGNAL_TERM);
    pass(&b, limits.drain_ns);
    assert_int_equal(signal_now(&b), POLICY_SIGNAL_QUIT);
}

static void test_old_sync_keeps_its_deadline(void **state)
{
    struct bench b;

    (void)state;
    bench_serving(&b, POLICY_WATCH_PROGRESS);
    b.v.deadline_ns = b.now + 100 * S;
    policy_child_stop(&b.c, POLICY_SIGNAL_LEAVE, b.now);
    b.v.progress_ns = b.now;
    assert_int_equal(signal_now(&b), POLICY_SIGNAL_LEAVE);
    pass(&b, 100 * S);
    b.v.progress_ns = b.now;
    assert_int_equal(signal_now(&b), POLICY_SIGNAL_TERM);
    assert_int_equal(b.c.cause, POLICY_CAUSE_OVERDUE);
}

/* Deaths. */

static void test_exit_vocabulary(void **state)
{
    struct bench b;

    (void)state;
    bench_serving(&b, POLICY_WATCH_BEAT);
    assert_int_equal(policy_classify(&b.c, EXITED(PROC_EXIT_DRAINED), true, false), POLICY_END_DRAINED);
    assert_false(policy_end_expected(&b.c, POLICY_END_DRAINED)); /* nobody had asked */
    assert_int_equal(policy_classify(&b.c, EXITED(PROC_EXIT_DRAINED), false, false), POLICY_END_UNDRAINED);
    assert_int_equal(policy_classify(&b.c, EXITED(PROC_EXIT_RECYCLE), false, false), POLICY_END_RECYCLE);
    assert_int_equal(policy_classify(&b.c, EXITED(PROC_EXIT_CONFIG), false, false), POLICY_END_CONFIG);
    assert_int_equal(policy_classify(&b.c, EXITED(PROC_EXIT_SOFTWARE), false, false), POLICY_END_FAILED);
    assert_int_equal(policy_classify(&b.c, SIGNALLED(SIGKILL), false, true), POLICY_END_OOM);
    assert_int_equal(policy_classify(&b.c, SIGNALLED(SIGKILL), false, false), POLICY_END_SIGNAL);
    assert_int_equal(policy_classify(&b.c, SIGNALLED(SIGSEGV), false, true), POLICY_END_SIGNAL);
}

static void test_our_own_kill_is_not_the_oom_killers(void **state)
{
    struct bench b;

    (void)state;
    bench_serving(&b, POLICY_WATCH_BEAT);
    b.now += 15 * S;
    assert_int_equal(step(&b), POLICY_SUSPECTED);
    assert_int_equal(signal_now(&b), POLICY_SIGNAL_KILL);
    assert_int_equal(policy_classify(&b.c, SIGNALLED(SIGKILL), false, true), POLICY_END_HUNG);
}

static void test_config_exit_is_never_restarted(void **state)
{
    struct bench b;

    (void)state;
    bench_serving(&b, POLICY_WATCH_BEAT);
    assert_int_equal(policy_child_died(&b.c, POLICY_END_CONFIG, 0, b.now), UINT64_MAX);
    b.now += 1000 * S;
    assert_int_equal(step(&b), POLICY_NOTHING);
}

/* Generations. */

static void test_reload_is_all_or_nothing(void **state)
{
    struct policy_generation g = { .wanted = 6, .started_ns = T0 };

    (void)state;
    assert_int_equal(policy_reload_judge(&g, &limits, T0), POLICY_WAIT);
    g.ready = 5;
    assert_int_equal(policy_reload_judge(&g, &limits, T0 + 30 * S - 1), POLICY_WAIT);
    assert_int_equal(policy_reload_judge(&g, &limits, T0 + 30 * S), POLICY_FAIL);
    g.ready = 6;
    assert_int_equal(policy_reload_judge(&g, &limits, T0 + S), POLICY_GO);
    g.died = 1;
    assert_int_equal(policy_reload_judge(&g, &limits, T0 + S), POLICY_FAIL);
}

static void test_boot_fails_only_when_nobody_can_live(void **state)
{
    struct policy_generation g = { .wanted = 4, .started_ns = T0 };

    (void)state;
    assert_int_equal(policy_boot_judge(&g, &limits, T0 + S), POLICY_WAIT);
    g.died = 3;
    assert_int_equal(policy_boot_judge(&g, &limits, T0 + S), POLICY_WAIT);
    g.died = 4;
    assert_int_equal(policy_boot_judge(&g, &limits, T0 + S), POLICY_FAIL);
    g.ready = 1;
    assert_int_equal(policy_boot_judge(&g, &limits, T0 + S), POLICY_WAIT);
    assert_int_equal(policy_boot_judge(&g, &limits, T0 + 30 * S), POLICY_GO);
    g.ready = 4;
    assert_int_equal(policy_boot_judge(&g, &limits, T0 + S), POLICY_GO);
    g = (struct policy_generation){ .wanted = 4, .started_ns = T0 };
    assert_int_equal(policy_boot_judge(&g, &limits, T0 + 30 * S), POLICY_FAIL);
}

/* Balance. */

static void test_resize_keeps_its_bounds(void **state)
{
    (void)state;
    assert_int_equal(policy_resize(2, 1, 64), 3);
    assert_int_equal(policy_resize(2, -1, 64), 1);
    assert_int_equal(policy_resize(1, -1, 64), 1);
    assert_int_equal(policy_resize(3, -7, 64), 1);
    assert_int_equal(policy_resize(64, 1, 64), 64);
    assert_int_equal(policy_resize(5, 0, 64), 5);
}

static void test_upgrade_is_over_in_time(void **state)
{
    uint64_t over = T0 + limits.ready_ns;
    struct policy_generation g = { .wanted = 4, .ready = 3, .started_ns = policy_heir_started_ns(&limits, over) };

    (void)state;
    assert_int_equal(policy_rehearsal_ns(&limits), 15 * S);
    assert_int_equal(policy_reload_judge(&g, &limits, T0 + 26 * S), POLICY_WAIT);
    assert_int_equal(policy_reload_judge(&g, &limits, T0 + 27 * S), POLICY_FAIL);
    assert_int_equal(policy_heir_started_ns(&limits, 5), 0);
}

static void test_balance_pauses_the_fuller_worker(void **state)
{
    struct balance b = { 0 };

    (void)state;
    assert_true(balance_decide(&b, 1000, UINT32_MAX, T0)); /* alone */
    assert_true(balance_decide(&b, 3, 0, T0));
    assert_false(balance_decide(&b, 4, 0, T0));
    assert_true(balance_decide(&b, 0, 4, T0));
    assert_true(balance_decide(&b, 75, 64, T0)); /* 64 + 4 + 8 */
    assert_false(balance_decide(&b, 76, 64, T0));
}

/* Refuses every 5 ms from *now on until it no longer does, at most `ms`; answers how long it refused. */
static unsigned refuse_for(struct balance *b, unsigned connections, uint64_t *now, unsigned ms)
{
    for (unsigned waited = 0; waited < ms; waited += 5, *now += 5 * MS) {
        if (balance_decide(b, connections, 0, *now))
            return waited;
    }
    return ms;
}

static void test_balance_waits_briefly(void **state)
{
    struct balance b = { 0 };
    uint64_t now = T0;

    (void)state;
    assert_int_equal(refuse_for(&b, 10, &now, 500), 100);
    for (unsigned n = 10; n < 10 + BALANCE_SLACK; n++)
        assert_true(balance_decide(&b, n, 0, now));
    assert_int_equal(refuse_for(&b, 10 + BALANCE_SLACK, &now, 500), 100);
    assert_true(balance_decide(&b, 10, 10, now)); /* level again: the leave is over */
    assert_false(balance_decide(&b, 14, 9, now));
}

static void test_balance_forgets_old_refusals(void **state)
{
    struct balance b = { 0 };
    uint64_t now = T0;

    (void)state;
    assert_int_equal(refuse_for(&b, 10, &now, 50), 50);
    now += S; /* a peer took that connection; this is another one */
    assert_int_equal(refuse_for(&b, 10, &now, 500), 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_backoff_doubles_to_the_cap),
        cmocka_unit_test(test_early_death_backs_off),
        cmocka_unit_test(test_settled_child_restarts_at_once_and_resets),
        cmocka_unit_test(test_storm_brake),
        cmocka_unit_test(test_bucket_never_overflows),
        cmocka_unit_test(test_stop_escalates),
        cmocka_unit_test(test_second_stop_is_at_once),
        cmocka_unit_test(test_firmer_order_wins_before_the_first_is_sent),
        cmocka_unit_test(test_stop_of_a_waiting_child),
        cmocka_unit_test(test_drained_child_is_expected),
        cmocka_unit_test(test_hang_ladder),
        cmocka_unit_test(test_hung_child_that_was_relieved),
        cmocka_unit_test(test_recovery),
        cmocka_unit_test(test_unrelieved_child_that_must_go_stays_unwanted),
        cmocka_unit_test(test_debugger_and_own_sleep_are_no_hang),
        cmocka_unit_test(test_beat_from_the_future_is_none),
        cmocka_unit_test(test_start_has_a_limit),
        cmocka_unit_test(test_sync_without_a_run_may_be_slow),
        cmocka_unit_test(test_sync_run_must_progress),
        cmocka_unit_test(test_sync_run_has_a_deadline),
        cmocka_unit_test(test_old_sync_ends_its_run_first),
        cmocka_unit_test(test_old_sync_keeps_its_deadline),
        cmocka_unit_test(test_exit_vocabulary),
        cmocka_unit_test(test_our_own_kill_is_not_the_oom_killers),
        cmocka_unit_test(test_config_exit_is_never_restarted),
        cmocka_unit_test(test_reload_is_all_or_nothing),
        cmocka_unit_test(test_boot_fails_only_when_nobody_can_live),
        cmocka_unit_test(test_resize_keeps_its_bounds),
        cmocka_unit_test(test_upgrade_is_over_in_time),
        cmocka_unit_test(test_balance_pauses_the_fuller_worker),
        cmocka_unit_test(test_balance_waits_briefly),
        cmocka_unit_test(test_balance_forgets_old_refusals),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
