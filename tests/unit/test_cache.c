/* Without Redis: one works an answer out, the others wait for it; whoever leaves hands the lead on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "core/metrics.h"
#include "data/cache.h"

#define MOST 8

struct asker {
    struct cache_ticket *ticket;
    unsigned leads, values;
    char value[32];
};

static struct loop *loop;
static struct cache *cache;
static struct asker askers[MOST];

static void on_value(struct str value, void *arg)
{
    struct asker *a = arg;

    if (value.p == NULL) {
        a->leads++;
        return;
    }
    a->ticket = NULL;
    a->values++;
    assert_true(str_copy(a->value, sizeof(a->value), value));
}

static void stop(void *arg)
{
    (void)arg;
    loop_stop(loop);
}

static void tick(void *arg)
{
    (void)arg;
}

static void turn(void)
{
    assert_true(loop_defer(loop, stop, NULL));
    loop_run(loop, 1, tick, NULL);
}

static void ask(unsigned i, uint64_t version, const char *text)
{
    struct cache_question q = { .type = METRIC_CACHE_QUERY, .data_version = version, .text = str_from(text) };

    askers[i].ticket = cache_ask(cache, &q, on_value, &askers[i]);
    assert_non_null(askers[i].ticket);
    assert_int_equal(askers[i].leads + askers[i].values, 0); /* never from inside the call */
}

static int setup(void **state)
{
    static struct conf conf = { .store_id = "shop", .redis_url = "", .enable_cache = true, .cache_ttl = 60 };

    (void)state;
    memset(askers, 0, sizeof(askers));
    loop = loop_new();
    cache = loop != NULL ? cache_new(loop, &conf) : NULL;
    return cache != NULL ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    cache_free(cache);
    loop_free(loop);
    return 0;
}

static void test_first_leads_others_get_its_answer(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 3; i++)
        ask(i, 1, "/a?b");
    turn();
    assert_int_equal(askers[0].leads, 1);
    assert_int_equal(askers[1].leads + askers[2].leads, 0);
    cache_fill(askers[0].ticket, STR_LIT("{}"));
    assert_int_equal(askers[0].values, 0);
    for (unsigned i = 1; i < 3; i++) {
        assert_int_equal(askers[i].values, 1);
        assert_string_equal(askers[i].value, "{}");
    }
}

static void test_keys_are_told_apart(void **state)
{
    (void)state;
    ask(0, 1, "/a?b");
    ask(1, 2, "/a?b");
    ask(2, 1, "/a?c");
    turn();
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(askers[i].leads, 1);
        cache_leave(askers[i].ticket);
    }
}

static void test_lead_is_handed_on(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 4; i++)
        ask(i, 1, "/a");
    turn();
    cache_leave(askers[1].ticket); /* waits, and goes */
    cache_leave(askers[0].ticket); /* leads, and goes */
    turn();
    assert_int_equal(askers[2].leads, 1);
    cache_leave(askers[3].ticket);
    cache_fill(askers[2].ticket, STR_LIT("x"));
    assert_int_equal(askers[1].values + askers[3].values, 0);
}

static void test_all_leave_before_the_lead(void **state)
{
    (void)state;
    ask(0, 1, "/a");
    ask(1, 1, "/a");
    cache_leave(askers[0].ticket);
    cache_leave(askers[1].ticket);
    turn();
    assert_int_equal(askers[0].leads + askers[1].leads, 0);
    ask(2, 1, "/a"); /* a flight of its own */
    turn();
    assert_int_equal(askers[2].leads, 1);
    cache_leave(askers[2].ticket);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_first_leads_others_get_its_answer, setup, teardown),
        cmocka_unit_test_setup_teardown(test_keys_are_told_apart, setup, teardown),
        cmocka_unit_test_setup_teardown(test_lead_is_handed_on, setup, teardown),
        cmocka_unit_test_setup_teardown(test_all_leave_before_the_lead, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
