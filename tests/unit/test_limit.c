/*
 * Rate limits: the arithmetic under a clock of the test's own, the table, and many processes at once.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "core/limit.h"

#define S         CLOCK_NS_PER_S
#define PROCESSES 10
#define TAKES     40000

static const uint8_t secret[16] = "0123456789abcde";
static struct limit_table *table;

/* Shared with children, as the scoreboard is. */
static void *map_shared(size_t n)
{
    void *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    assert_ptr_not_equal(p, MAP_FAILED);
    return p;
}

static int setup(void **state)
{
    (void)state;
    table = map_shared(sizeof(*table));
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    munmap(table, sizeof(*table));
    return 0;
}

static uint64_t key_of(int client, const struct limit_rate *rate)
{
    return limit_key(secret, 3, rate, &client, sizeof(client));
}

static int admitted_of(int n, uint64_t key, const struct limit_rate *rate, uint64_t now_ns)
{
    struct limit_result r;
    int admitted = 0;

    for (int i = 0; i < n; i++)
        admitted += limit_take(table, key, rate, now_ns, &r);
    return admitted;
}

static void test_rates(void **state)
{
    struct limit_rate r = limit_rate(50, 3600, 10);

    (void)state;
    assert_int_equal(r.interval_ns, 72 * S);
    assert_int_equal(r.tolerance_ns, 720 * S);
    r = limit_rate(1000000000, 1, 1000000000);
    assert_int_equal(r.interval_ns, 1);
    assert_int_equal(r.tolerance_ns, S);
    r = limit_rate(1, 86400, 1000000000); /* would not fit */
    assert_int_equal(r.interval_ns, 86400 * S);
    assert_true(r.tolerance_ns >= r.interval_ns && r.tolerance_ns <= 1ULL << 62);
}

static void test_what_a_client_is_told(void **state)
{
    struct limit_rate rate = limit_rate(50, 3600, 10);
    struct limit_result r;
    uint64_t now = 1000 * S, time = limit_charge(0, &rate, now, &r);

    (void)state;
    assert_true(r.admitted);
    assert_int_equal(r.left, 9);
    assert_int_equal(r.next_ns, 72 * S);
    assert_int_equal(r.full_ns, 72 * S);
    assert_int_equal(time, now + 72 * S);
    for (int i = 0; i < 9; i++)
        time = limit_charge(time, &rate, now, &r);
    assert_true(r.admitted);
    assert_int_equal(r.left, 0);
    assert_int_equal(r.full_ns, 720 * S);
    now += 30 * S;
    assert_int_equal(limit_charge(time, &rate, now, &r), time); /* refused: nothing is added */
    assert_false(r.admitted);
    assert_int_equal(r.left, 0);
    assert_int_equal(r.next_ns, 42 * S);
    assert_int_equal(r.full_ns, 690 * S);
    now += 42 * S - 1;
    (void)limit_charge(time, &rate, now, &r);
    assert_false(r.admitted);
    time = limit_charge(time, &rate, now + 1, &r);
    assert_true(r.admitted);
    assert_int_equal(r.left, 0);
    assert_int_equal(r.next_ns, 72 * S);
}

static void test_burst_and_steady_rate(void **state)
{
    struct limit_rate rate = limit_rate(100, 1, 20);
    uint64_t key = key_of(1, &rate), now = 500 * S;
    int admitted = 0;

    (void)state;
    assert_int_equal(admitted_of(100, key, &rate, now), 20);
    for (int i = 0; i < 1000; i++) { /* at twice the rate for 5 s */
        now += S / 200;
        admitted += admitted_of(1, key, &rate, now);
    }
    assert_in_range(admitted, 499, 500);
    now += 3600 * S; /* however long it was silent, no more than the burst */
    assert_int_equal(admitted_of(100, key, &rate, now), 20);
}

static void test_clients_policies_and_rates_are_apart(void **state)
{
    struct limit_rate rate = limit_rate(1, 60, 1), other = limit_rate(2, 60, 1);
    int client = 1;

    (void)state;
    assert_int_equal(admitted_of(5, key_of(1, &rate), &rate, S), 1);
    assert_int_equal(admitted_of(5, key_of(2, &rate), &rate, S), 1);
    assert_int_equal(admitted_of(5, key_of(1, &other), &other, S), 1); /* a reload changed the rate */
    assert_int_equal(admitted_of(5, limit_key(secret, 4, &rate, &client, sizeof(client)), &rate, S), 1);
    assert_int_equal(admitted_of(5, key_of(1, &rate), &rate, S), 0);
}

/* A key whose entry lies in the given set. */
static uint64_t key_in_set(uint64_t set, uint64_t n)
{
    return set + (n + 1) * LIMIT_SETS;
}

static void test_full_set_forgets_the_least_debt(void **state)
{
    struct limit_rate rate = limit_rate(1, 10, 5);
    uint64_t now = 100 * S;

    (void)state;
    assert_int_equal(admitted_of(9, key_in_set(7, 0), &rate, now), 5); /* an abuser */
    for (uint64_t n = 1; n < 100; n++)
        assert_int_equal(admitted_of(1, key_in_set(7, n), &rate, now), 1);
    assert_int_equal(admitted_of(1, key_in_set(7, 0), &rate, now), 0); /* still known among 99 strangers */
    assert_int_equal(admitted_of(1, key_in_set(7, 500), &rate, now), 1);
}

static void test_paid_off_entries_make_room(void **state)
{
    struct limit_rate rate = limit_rate(1, 10, 5);
    uint64_t now = 100 * S;

    (void)state;
    for (uint64_t n = 0; n < LIMIT_WAYS; n++)
        assert_int_equal(admitted_of(5, key_in_set(3, n), &rate, now), 5);
    now += 60 * S;
    assert_int_equal(admitted_of(9, key_in_set(3, 50), &rate, now), 5);
    for (uint64_t n = 0; n < LIMIT_WAYS; n++)
        assert_int_equal(admitted_of(9, key_in_set(3, n), &rate, now), 5);
}

static void test_sample(void **state)
{
    struct limit_rate none = { 0 };
    uint64_t key = key_of(1, &none), other = key_of(2, &none), n, now = 1000 * S;

    (void)state;
    assert_true(limit_sample(table, key, 10 * S, now, &n));
    assert_int_equal(n, 0);
    for (uint64_t i = 0; i < 7; i++)
        assert_false(limit_sample(table, key, 10 * S, now + i * S, &n));
    assert_true(limit_sample(table, other, 10 * S, now, &n));
    assert_int_equal(n, 0);
    assert_true(limit_sample(table, key, 10 * S, now + 10 * S, &n));
    assert_int_equal(n, 7);
    assert_false(limit_sample(table, key, 10 * S, now + 19 * S, &n));
    assert_true(limit_sample(table, key, 10 * S, now + 21 * S, &n));
    assert_int_equal(n, 1);
}

/* ---- many processes ---- */

struct shared {
    _Atomic uint64_t now_ns, admitted, lines;
};

/* One client and a crowd of others. */
static void hammer(struct shared *s, const struct limit_rate *rate, uint64_t step_ns, int number)
{
    uint64_t key = key_of(1, rate), quiet = key_of(-1, rate), n;
    struct limit_result r;

    for (int i = 0; i < TAKES; i++) {
        uint64_t now = atomic_fetch_add(&s->now_ns, step_ns);

        if (limit_take(table, key, rate, now, &r))
            atomic_fetch_add(&s->admitted, 1);
        else if (limit_sample(table, quiet, 10 * S, now, &n))
            atomic_fetch_add(&s->lines, 1);
        if (i % 4 == 0)
            (void)limit_take(table, key_of(number * TAKES + i, rate), rate, now, &r);
    }
}

static void run_processes(struct shared *s, const struct limit_rate *rate, uint64_t step_ns)
{
    for (int i = 0; i < PROCESSES; i++) {
        pid_t pid = fork();

        assert_true(pid >= 0);
        if (pid == 0) {
            hammer(s, rate, step_ns, i + 1);
            _exit(0);
        }
    }
    for (int i = 0; i < PROCESSES; i++) {
        int status;

        assert_true(wait(&status) > 0);
        assert_int_equal(status, 0);
    }
}

static void test_processes_share_one_limit(void **state)
{
    struct limit_rate rate = limit_rate(1000, 1, 10);
    uint64_t step_ns = rate.interval_ns / 2, elapsed; /* at twice the rate */
    struct shared *s = map_shared(sizeof(*s));
    double limit;

    (void)state;
    atomic_store(&s->now_ns, 1000 * S);
    run_processes(s, &rate, step_ns);
    elapsed = atomic_load(&s->now_ns) - 1000 * S;
    limit = (double)(elapsed / rate.interval_ns) + 10;
    assert_true((double)atomic_load(&s->admitted) <= limit * 1.001);
    assert_true((double)atomic_load(&s->admitted) >= limit * 0.999);
    assert_in_range(atomic_load(&s->lines), 1,
                    elapsed / (10 * S) + 2); /* one line in 10 s of all processes together */
    munmap(s, sizeof(*s));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rates),
        cmocka_unit_test(test_what_a_client_is_told),
        cmocka_unit_test_setup_teardown(test_burst_and_steady_rate, setup, teardown),
        cmocka_unit_test_setup_teardown(test_clients_policies_and_rates_are_apart, setup, teardown),
        cmocka_unit_test_setup_teardown(test_full_set_forgets_the_least_debt, setup, teardown),
        cmocka_unit_test_setup_teardown(test_paid_off_entries_make_room, setup, teardown),
        cmocka_unit_test_setup_teardown(test_sample, setup, teardown),
        cmocka_unit_test_setup_teardown(test_processes_share_one_limit, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
