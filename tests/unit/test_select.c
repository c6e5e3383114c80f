/*
 * select against a naive reference: filter every row by its record, sort, cut into pages.
 *
 * Every sort, both directions, random filters; each query is walked by cursor to its end.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/rng.h"
#include "data/select.h"
#include "population_test.h"

#define ARENA_BYTES (4U << 20)
#define SORTS       (POPULATION_BY_ORDERS_KEPT + 1)

static bool within_i64(const struct select_range_i64 *r, int64_t v)
{
    return (!r->has_least || v >= r->least) && (!r->has_most || v <= r->most);
}

static unsigned dominant_word(const struct population_row *r, unsigned axis)
{
    const struct population_membership *m = &r->axes[axis];
    unsigned word = m->weight >= 5000 ? m->low : m->high;

    return (r->flags & POPULATION_SEGMENTED) && word < 15 ? word : 15;
}

static bool has_archetype(const struct select_filters *f, const struct population_row *r)
{
    for (size_t i = 0; i < f->archetype_count; i++)
        if (f->archetypes[i] == r->archetype)
            return true;
    return false;
}

/* From the row record alone, where select reads the columns. */
static bool reference_matches(const struct population *p, const struct select_filters *f, size_t i)
{
    const struct population_row *r = &p->rows[i];
    double aov = population_aov(r);
    bool b2b = population_b2b_score(r) >= 0.5;

    if (f->none || !within_i64(&f->ltv_cents, population_net_cents(r)) || !within_i64(&f->orders, r->orders) ||
        !within_i64(&f->days_since, population_days_since(p, r)) ||
        !within_i64(&f->tenure_days, population_tenure_days(p, r)))
        return false;
    if ((f->aov.has_least && aov < f->aov.least) || (f->aov.has_most && aov > f->aov.most))
        return false;
    if ((f->churn.has_least || f->churn.has_most) && !(r->flags & POPULATION_SCORED))
        return false;
    if ((f->churn.has_least && r->churn < (float)f->churn.least) ||
        (f->churn.has_most && r->churn > (float)f->churn.most))
        return false;
    for (unsigned axis = 0; axis < POPULATION_AXES; axis++)
        if (f->axis_words[axis] != 0 && !(f->axis_words[axis] >> dominant_word(r, axis) & 1))
            return false;
    if (f->rfm_groups != 0 && !(f->rfm_groups >> r->rfm_group & 1))
        return false;
    if (f->is_b2b >= 0 && b2b != (f->is_b2b != 0))
        return false;
    return !f->archetypes || has_archetype(f, r);
}

static double reference_value(const struct population *p, enum population_order sort, const struct population_row *r)
{
    bool scored = (r->flags & POPULATION_SCORED) != 0;

    switch (sort) {
    case POPULATION_BY_LTV:
        return (double)population_net_cents(r);
    case POPULATION_BY_CHURN:
        return scored ? (double)r->churn : -INFINITY;
    case POPULATION_BY_IMPACT:
        return scored ? (double)population_net_cents(r) * (double)r->churn : -INFINITY;
    case POPULATION_BY_RECENCY:
        return -population_days_since(p, r);
    case POPULATION_BY_FREQUENCY:
        return population_orders_per_year(p, r);
    case POPULATION_BY_AOV:
        return (double)population_net_cents(r) / r->orders;
    case POPULATION_BY_CLV:
        return scored ? (double)r->predicted_clv : -INFINITY;
    case POPULATION_BY_KEPT:
        return scored ? (double)population_net_cents(r) * (1 - (double)r->churn) : -INFINITY;
    case POPULATION_BY_ORDERS_KEPT:
        return scored ? r->orders * (1 - (double)r->churn) : -INFINITY;
    default:
        return r->orders;
    }
}

static struct {
    const struct population *p;
    enum population_order sort;
    bool ascending;
} comparing;

static int compare_rows(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    double u = reference_value(comparing.p, comparing.sort, &comparing.p->rows[x]);
    double v = reference_value(comparing.p, comparing.sort, &comparing.p->rows[y]);

    if (u != v)
        return (u < v) == comparing.ascending ? -1 : 1;
    return (x > y) - (x < y);
}

static size_t reference(const struct population *p, const struct select_query *q, uint32_t *rows)
{
    size_t n = 0;

    for (size_t i = 0; i < p->count; i++)
        if (reference_matches(p, &q->filters, i))
            rows[n++] = (uint32_t)i;
    comparing.p = p;
    comparing.sort = q->sort;
    comparing.ascending = q->ascending;
    qsort(rows, n, sizeof(rows[0]), compare_rows);
    return n;
}

/* Walks the query to its end and holds every page against the reference. */
static void check_query(const struct population *p, struct select_query q, struct arena *a)
{
    uint32_t *expected = malloc((p->count + 1) * sizeof(*expected));
    size_t n = reference(p, &q, expected), at = 0;
    struct select_result r;

    do {
        arena_reset(a);
        assert_true(select_run(p, &q, a, &r));
        assert_int_equal(r.total_matches, n);
        assert_int_equal(r.count, n - at < q.limit ? n - at : q.limit);
        assert_memory_equal(r.rows, expected + at, r.count * sizeof(expected[0]));
        at += r.count;
        assert_int_equal(r.more, at < n);
        q.cursor = r.next;
    } while (r.more);
    assert_int_equal(at, n);
    for (size_t i = 0; i < p->count; i += 7)
        assert_int_equal(select_matches(p, &q.filters, i), reference_matches(p, &q.filters, i));
    const uint64_t *bits = select_bits(p, &q.filters, a);
    assert_non_null(bits);
    for (size_t i = 0; i < p->count; i++)
        assert_int_equal(bits[i / 64] >> i % 64 & 1, reference_matches(p, &q.filters, i));
    assert_true(p->count % 64 == 0 || bits[p->count / 64] >> p->count % 64 == 0);
    free(expected);
}

static struct select_range_i64 random_range(int64_t least, int64_t most)
{
    uint64_t width = (uint64_t)(most - least) + 1;
    struct select_range_i64 r = { rng_below(2), rng_below(2), least + (int64_t)rng_below(width),
                                  least + (int64_t)rng_below(width) };

    if (rng_below(10) == 0)
        r.least = INT64_MIN;
    if (rng_below(10) == 0)
        r.most = INT64_MAX;
    return r;
}

static struct select_range_f64 random_real_range(double most, double step)
{
    struct select_range_f64 r = { rng_below(2), rng_below(2), 0, most };

    r.least = floor(rng_unit() * most / step) * step;
    r.most = r.least + floor(rng_unit() * most / step) * step;
    return r;
}

/* Each filter with a chance of one in `odds`. */
static struct select_filters random_filters(unsigned odds, unsigned spread)
{
    static uint32_t archetypes[3];
    struct select_filters f = { .is_b2b = -1 };

    if (rng_below(odds) == 0)
        f.ltv_cents = random_range(-1000, spread * 200);
    if (rng_below(odds) == 0)
        f.orders = random_range(-1, 10);
    if (rng_below(odds) == 0)
        f.days_since = random_range(-5, 1500);
    if (rng_below(odds) == 0)
        f.tenure_days = random_range(-5, 1500);
    if (rng_below(odds) == 0)
        f.aov = random_real_range(spread, 0.25);
    if (rng_below(odds) == 0)
        f.churn = random_real_range(1, 0.1);
    for (unsigned axis = 0; axis < POPULATION_AXES; axis++)
        if (rng_below(odds * 3) == 0)
            f.axis_words[axis] = (uint16_t)rng_below(65536);
    if (rng_below(odds) == 0)
        f.rfm_groups = (uint32_t)rng_below(1024);
    if (rng_below(odds) == 0)
        f.is_b2b = (int8_t)rng_below(2);
    if (rng_below(odds) == 0) {
        for (size_t i = 0; i < 3; i++)
            archetypes[i] = (uint32_t)rng_below(12);
        archetypes[2] =
            rng_below(4) == 0 ? (1U << POPULATION_ARCHETYPE_BITS) - 1 : archetypes[2]; /* as "none" is packed */
        f.archetypes = archetypes;
        f.archetype_count = rng_below(4);
    }
    return f;
}

static void random_queries(const struct fixture_shape *shape, uint64_t version, unsigned queries)
{
    struct population *p = make(shape, version);
    struct arena a;

    arena_init(&a, ARENA_BYTES);
    for (unsigned i = 0; i < queries; i++)
        for (unsigned sort = 0; sort < SORTS; sort++)
            for (unsigned ascending = 0; ascending < 2; ascending++) {
                struct select_query q = { .filters = random_filters(1 + i % 8, shape->spread),
                                          .sort = (enum population_order)sort,
                                          .ascending = ascending,
                                          .limit = 1 + shape->rows / (1 + rng_below(20)) };
                check_query(p, q, &a);
            }
    arena_free(&a);
    population_release(p);
}

static void agrees_with_the_reference(void **state)
{
    (void)state;
    static const size_t rows[] = { 0, 1, 2, 63, 64, 65, 511, 512, 513, 1500, 5000 };
    uint64_t version = 100;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        for (unsigned scored = 0; scored < 2; scored++)
            for (unsigned k = 0; k < 2; k++) {
                struct fixture_shape shape = { rows[i], k == 0 ? 3 : 1000, scored, version };
                random_queries(&shape, version++, rows[i] > 1000 ? 3 : 8);
            }
}

/* With the cursor at a match's value and the customer just before it, matching or not, the match comes first. */
static void starts_behind_any_customer(const struct population *p, struct select_query q, struct arena *a)
{
    struct select_result all, r;

    arena_reset(a);
    assert_true(select_run(p, &q, a, &all));
    for (size_t i = 0; i < all.count; i++) {
        uint32_t row = all.rows[i];
        if (row == 0)
            continue;
        q.cursor = (struct select_cursor){ true, select_sort_value(p, q.sort, row), p->rows[row - 1].customer_id };
        assert_true(select_run(p, &q, a, &r));
        assert_true(r.count > 0);
        assert_int_equal(r.rows[0], row);
    }
}

/* Few matches among many rows, page by page: the matches are sorted instead of walked to. */
static void rare_matches_page_by_page(void **state)
{
    (void)state;
    struct fixture_shape shape = { 20000, 4, true, 14 };
    struct population *p = make(&shape, 5);
    struct arena a;

    arena_init(&a, ARENA_BYTES);
    for (unsigned i = 0; i < 6 * SORTS; i++) {
        struct select_query q = {
            .filters = { .is_b2b = -1 }, .sort = (enum population_order)(i / 6), .ascending = i & 1, .limit = 25 + i
        };
        q.filters.axis_words[i % POPULATION_AXES] = 1;
        q.filters.axis_words[(i + 1) % POPULATION_AXES] = 2;
        q.filters.axis_words[(i + 2) % POPULATION_AXES] = 4;
        check_query(p, q, &a);
        starts_behind_any_customer(p, q, &a);
    }
    arena_free(&a);
    population_release(p);
}

static void every_filter_alone(void **state)
{
    (void)state;
    struct fixture_shape shape = { 2000, 30, true, 5 };
    struct population *p = make(&shape, 1);
    struct arena a;

    arena_init(&a, ARENA_BYTES);
    for (unsigned bit = 0; bit < 6 + POPULATION_AXES + 2; bit++) {
        struct select_query q = { .filters = { .is_b2b = -1 }, .sort = POPULATION_BY_LTV, .limit = 300 };
        struct select_filters *f = &q.filters;
        struct select_range_i64 *ranges[] = { &f->ltv_cents, &f->orders, &f->days_since, &f->tenure_days };
        static const int64_t bounds[] = { 1000, 2, 200, 400 };
        if (bit < 4)
            *ranges[bit] = (struct select_range_i64){ true, true, bounds[bit], 2 * bounds[bit] };
        else if (bit < 6)
            *(bit == 4 ? &f->aov : &f->churn) = (struct select_range_f64){ true, true, 0.3, 0.7 };
        else if (bit < 6 + POPULATION_AXES)
            f->axis_words[bit - 6] = 5;
        else if (bit == 6 + POPULATION_AXES)
            f->rfm_groups = 1U << 2 | 1U << 9;
        else
            f->is_b2b = 1;
        check_query(p, q, &a);
        struct select_result r;
        arena_reset(&a);
        assert_true(select_run(p, &q, &a, &r));
        assert_true(r.total_matches < p->count); /* it does filter */
    }
    arena_free(&a);
    population_release(p);
}

static void unscored_sort_by_id_and_match_no_churn(void **state)
{
    (void)state;
    struct fixture_shape shape = { 1000, 5, false, 9 };
    struct population *p = make(&shape, 2);
    struct arena a;
    struct select_result r;

    arena_init(&a, ARENA_BYTES);
    for (unsigned i = 0; i < 4; i++) {
        struct select_query q = { .filters = { .is_b2b = -1 },
                                  .sort = i < 2 ? POPULATION_BY_CHURN : POPULATION_BY_IMPACT,
                                  .ascending = i % 2,
                                  .limit = SELECT_MAX_LIMIT };
        arena_reset(&a);
        assert_true(select_run(p, &q, &a, &r));
        assert_int_equal(r.count, 1000);
        for (uint32_t row = 0; row < 1000; row++)
            assert_int_equal(r.rows[row], row);
        q.filters.churn = (struct select_range_f64){ .has_least = true, .least = 0 };
        assert_true(select_run(p, &q, &a, &r));
        assert_int_equal(r.total_matches, 0);
        assert_int_equal(r.count, 0);
        assert_false(r.more);
    }
    arena_free(&a);
    population_release(p);
}

/* A cursor of a customer, or of a value, that the new population no longer has. */
static void cursor_outlives_its_row(void **state)
{
    (void)state;
    struct fixture_shape shape = { 3000, 4, true, 11 };
    struct population *p = make(&shape, 3);
    uint32_t *expected = malloc(p->count * sizeof(*expected));
    struct arena a;
    struct select_result r;

    arena_init(&a, ARENA_BYTES);
    for (unsigned i = 0; i < 400; i++) {
        struct select_query q = { .filters = { .is_b2b = -1 },
                                  .sort = (enum population_order)(i % SORTS),
                                  .ascending = i / 7 % 2,
                                  .limit = 50 };
        if (i % 3 == 0)
            q.filters.axis_words[0] = 2;
        size_t n = reference(p, &q, expected), at = 0;
        q.cursor = (struct select_cursor){ true, select_sort_value(p, q.sort, rng_below(p->count)),
                                           (int64_t)rng_below(9100) - 50 };
        if (i % 5 == 0)
            q.cursor.key += 0.001;
        for (; at < n; at++) {
            double v = select_sort_value(p, q.sort, expected[at]);
            if (v != q.cursor.key ? (v > q.cursor.key) == q.ascending
                                  : p->rows[expected[at]].customer_id > q.cursor.id)
                break;
        }
        arena_reset(&a);
        assert_true(select_run(p, &q, &a, &r));
        assert_int_equal(r.count, n - at < 50 ? n - at : 50);
        assert_memory_equal(r.rows, expected + at, r.count * sizeof(expected[0]));
    }
    free(expected);
    arena_free(&a);
    population_release(p);
}

static void limits_and_short_memory(void **state)
{
    (void)state;
    struct fixture_shape shape = { 12000, 50, true, 12 };
    struct population *p = make(&shape, 4);
    struct select_query q = { .filters = { .is_b2b = -1 }, .sort = POPULATION_BY_AOV, .limit = 0 };
    struct arena a;
    struct select_result r;

    arena_init(&a, ARENA_BYTES);
    assert_true(select_run(p, &q, &a, &r));
    assert_int_equal(r.total_matches, 12000);
    assert_int_equal(r.count, 0);
    assert_false(r.more);
    q.limit = SIZE_MAX;
    assert_true(select_run(p, &q, &a, &r));
    assert_int_equal(r.count, SELECT_MAX_LIMIT);
    assert_true(r.more);
    q.filters.none = true;
    assert_true(select_run(p, &q, &a, &r));
    assert_int_equal(r.total_matches, 0);
    arena_free(&a);

    arena_init(&a, 1000);
    q.filters.none = false;
    assert_false(select_run(p, &q, &a, &r));
    q.filters.is_b2b = 0;
    assert_false(select_run(p, &q, &a, &r));
    arena_free(&a);

    /* What the header promises is enough. */
    arena_init(&a, 12000 / 8 + 24 * 1000 + 256);
    q.limit = 1000;
    q.filters.ltv_cents = (struct select_range_i64){ .has_most = true, .most = 500 };
    assert_true(select_run(p, &q, &a, &r));
    arena_free(&a);
    population_release(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_the_reference), cmocka_unit_test(rare_matches_page_by_page),
        cmocka_unit_test(every_filter_alone),        cmocka_unit_test(unscored_sort_by_id_and_match_no_churn),
        cmocka_unit_test(cursor_outlives_its_row),   cmocka_unit_test(limits_and_short_memory),
    };

    return cmocka_run_group_tests(tests, test_dir_make, test_dir_remove);
}
