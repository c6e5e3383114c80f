/* rfm: scores against a naive mid-rank, and the map of groups as the contract words it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "model/rfm.h"

static int compare(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

/* 1 + floor(parts * (midrank - 0.5) / n), from counts of smaller and equal values. */
static unsigned naive_score(const int64_t *values, size_t n, int64_t v, unsigned parts)
{
    uint64_t below = 0, equal = 0;

    for (size_t i = 0; i < n; i++) {
        below += values[i] < v;
        equal += values[i] == v;
    }
    double midrank = (double)below + (double)(equal + 1) / 2;
    return 1 + (unsigned)((double)parts * (midrank - 0.5) / (double)n);
}

static void scores_are_mid_ranks(void **state)
{
    (void)state;
    int64_t values[60], cut[4];

    for (int round = 0; round < 2000; round++) {
        size_t n = 1 + rng_below(60);
        unsigned parts = 4 + (unsigned)rng_below(2);
        uint64_t spread = 1 + rng_below(50);
        for (size_t i = 0; i < n; i++)
            values[i] = (int64_t)rng_below(spread) - 5;
        qsort(values, n, sizeof(values[0]), compare);
        rfm_cuts(values, n, parts, cut);
        for (size_t i = 0; i < n; i++)
            assert_int_equal(rfm_score(values[i], cut, parts, 1), naive_score(values, n, values[i], parts));
    }
}

static void scores_of_known_sets(void **state)
{
    (void)state;
    const int64_t ten[] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 }, same[] = { 7, 7, 7 };
    int64_t cut[4];

    rfm_cuts(ten, 10, 5, cut);
    for (int64_t v = 1; v <= 10; v++)
        assert_int_equal(rfm_score(v, cut, 5, 1), (v + 1) / 2);
    rfm_cuts(same, 3, 5, cut);
    assert_int_equal(rfm_score(7, cut, 5, 1), 3); /* all tied: the middle */
    rfm_cuts(same, 1, 4, cut);
    assert_int_equal(rfm_score(7, cut, 4, 2), 4); /* one repeat buyer among quarters 2..5 */
    rfm_cuts(NULL, 0, 5, cut);
    assert_int_equal(rfm_score(7, cut, 5, 1), 1);
}

static void groups_follow_the_contract(void **state)
{
    (void)state;
    static const struct {
        uint8_t r_least, r_most, m_least, m_most;
        const char *group;
    } map[] = {
        { 5, 5, 4, 5, "CHAMPIONS" },   { 3, 4, 4, 5, "LOYAL" },
        { 4, 5, 3, 3, "ACTIVE" },      { 5, 5, 1, 2, "NEW" },
        { 4, 4, 1, 2, "PROMISING" },   { 3, 3, 3, 3, "NEEDS_ATTENTION" },
        { 3, 3, 1, 2, "ALMOST_LOST" }, { 1, 2, 5, 5, "PREVIOUSLY_LOYAL" },
        { 1, 2, 3, 4, "AT_RISK" },     { 1, 2, 1, 2, "DORMANT" },
    };
    unsigned cells = 0;

    for (size_t i = 0; i < sizeof(map) / sizeof(map[0]); i++)
        for (uint8_t r = map[i].r_least; r <= map[i].r_most; r++)
            for (uint8_t m = map[i].m_least; m <= map[i].m_most; m++, cells++)
                assert_string_equal(rfm_group_name(rfm_group_of(r, m, m)), map[i].group);
    assert_int_equal(cells, 25);
    assert_string_equal(rfm_group_name(rfm_group_of(3, 2, 3)), "NEEDS_ATTENTION"); /* 2.5 is 3 */
    assert_string_equal(rfm_group_name(RFM_GROUPS), "");
    for (int i = 0; i < RFM_GROUPS; i++)
        assert_int_equal(rfm_group_parse(str_from(rfm_group_name((unsigned)i))), i);
    assert_int_equal(rfm_group_parse(STR_LIT("champions")), -1);
    assert_int_equal(rfm_group_parse(STR_NONE), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scores_are_mid_ranks),
        cmocka_unit_test(scores_of_known_sets),
        cmocka_unit_test(groups_follow_the_contract),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
