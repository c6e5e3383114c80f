/*
 * The parts of a scoring that need no database: archetypes gathered, months and cohorts counted, a fit in words.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/clock.h"
#include "core/json.h"
#include "proc/sync_score_json.h"
#include "proc/sync_score_parts.h"

#define CUSTOMERS 20000

static const double nothing[FORECAST_NODES];

/* A customer whose words are the digits of n. */
static struct score_member member(uint32_t n)
{
    struct score_member m = { .net_cents = n, .active = n % 2 == 0, .orders_per_month = 0.5, .staying = nothing };

    for (unsigned axis = 0; axis < AXIS_COUNT; axis++) {
        m.words[axis] = (uint8_t)(n % axes_vocab[axis].word_count);
        m.share[axis] = 1;
        n /= axes_vocab[axis].word_count;
    }
    return m;
}

static void check_level(enum archetype_level level)
{
    struct score_groups g = { .level = level };
    uint64_t members = 0;
    int64_t net = 0;

    for (uint32_t n = 0; n < CUSTOMERS; n++) {
        struct score_member m = member(n);
        const struct score_group *group = sync_score_group_add(&g, &m);
        assert_non_null(group);
        assert_int_equal(group->id, archetype_id(level, m.words));
    }
    sync_score_groups_sort(&g);
    for (size_t i = 0; i < g.count; i++) {
        uint8_t words[AXIS_COUNT];
        sync_score_group_words(&g.group[i], words);
        assert_int_equal(g.group[i].id, archetype_id(level, words));
        assert_true(i == 0 || g.group[i].id > g.group[i - 1].id);
        members += g.group[i].members;
        net += g.group[i].net_cents;
        for (unsigned axis = 0; axis < AXIS_COUNT; axis++)
            assert_float_equal(g.group[i].share[axis], g.group[i].members, 1e-9);
    }
    assert_int_equal(members, CUSTOMERS);
    assert_int_equal(net, (int64_t)CUSTOMERS * (CUSTOMERS - 1) / 2);
    assert_true(level == ARCHETYPE_L2 ? g.count == CUSTOMERS : g.count == 5 * 4 * 4 * 4);
    sync_score_groups_free(&g);
}

static void customers_are_grouped_by_their_words(void **state)
{
    (void)state;
    check_level(ARCHETYPE_L1);
    check_level(ARCHETYPE_L2);
}

static void the_most_common_word_names_a_group(void **state)
{
    (void)state;
    struct score_groups g = { .level = ARCHETYPE_L1 };
    struct score_member m = member(0);
    uint8_t words[AXIS_COUNT];

    for (unsigned i = 0; i < 4; i++) { /* two and two: the lower one */
        m.words[AXIS_RETURN_BEHAVIOR] = (uint8_t)(i < 2 ? 2 : 1);
        assert_non_null(sync_score_group_add(&g, &m));
    }
    assert_int_equal(g.count, 1);
    sync_score_group_words(&g.group[0], words);
    assert_int_equal(words[AXIS_RETURN_BEHAVIOR], 1);
    sync_score_groups_free(&g);
}

static void months_are_counted_once_a_customer(void **state)
{
    (void)state;
    struct score_past *p = calloc(1, sizeof(*p));
    int32_t as_of = clock_day_of(2025, 3, 10);
    struct facts_day days[] = {
        { .day = clock_day_of(2024, 12, 30), .orders = 2, .net_cents = 500, .purchase = true },
        { .day = clock_day_of(2024, 12, 31), .orders = 1, .net_cents = -200 },
        { .day = clock_day_of(2025, 3, 1), .orders = 1, .net_cents = 900, .purchase = true },
    };

    assert_non_null(p);
    sync_score_past_init(p, as_of);
    sync_score_past_add(p, days, 3);
    sync_score_past_add(p, &days[2], 1);
    assert_int_equal(p->months, 4); /* December … March */
    assert_int_equal(p->month[0].month, cohort_month_of(as_of));
    assert_int_equal(p->month[0].customers, 2);
    assert_int_equal(p->month[0].new_customers, 1);
    assert_int_equal(p->month[0].net_cents, 1800);
    assert_int_equal(p->month[1].customers, 0);
    assert_int_equal(p->month[3].customers, 1);
    assert_int_equal(p->month[3].orders, 3);
    assert_int_equal(p->month[3].net_cents, 300);
    assert_int_equal(cohort_size(&p->cohorts, 3), 1);
    assert_float_equal(cohort_retention(&p->cohorts, 3, 3), 1, 1e-12);
    assert_float_equal(cohort_retention(&p->cohorts, 3, 1), 0, 1e-12);
    free(p);
}

static void a_fit_is_written_so_that_it_reads_back(void **state)
{
    (void)state;
    struct model_params m;
    struct train_report report = { .step = { { "mbg", 31, 1.25 } }, .steps = 1 };
    struct buf out;
    struct arena arena;
    const char *error;
    double v;

    params_priors(&m, clock_day_of(2025, 1, 1), 90, 20, 30);
    m.mbg.alpha = 0.1 + 0.2;
    buf_init(&out, 65536);
    arena_init(&arena, 1 << 20);
    sync_score_json_params(&out, &m);
    const struct json *params = json_parse(&arena, buf_str(&out), &error);
    assert_non_null(params);
    assert_true(json_double(json_get(json_get(params, "mbg"), "alpha"), &v));
    assert_true(v == m.mbg.alpha);
    buf_reset(&out);
    sync_score_json_metrics(&out, &m); /* without a back-test */
    const struct json *metrics = json_parse(&arena, buf_str(&out), &error);
    assert_non_null(metrics);
    assert_int_equal(json_get(metrics, "auc")->type, JSON_NULL);
    buf_reset(&out);
    sync_score_json_fits(&out, &report);
    const struct json *fits = json_parse(&arena, buf_str(&out), &error);
    assert_non_null(fits);
    assert_int_equal(fits->count, 1);
    arena_free(&arena);
    buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(customers_are_grouped_by_their_words),
        cmocka_unit_test(the_most_common_word_names_a_group),
        cmocka_unit_test(months_are_counted_once_a_customer),
        cmocka_unit_test(a_fit_is_written_so_that_it_reads_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
