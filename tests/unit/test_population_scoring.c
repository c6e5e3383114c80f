/*
 * What the scoring gives beside the rows: it comes back from the file as it was set, and archetypes sum up their
 * members.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "model/cohort.h"
#include "model/forecast.h"
#include "model/params.h"
#include "population_test.h"

static struct population_writer *begin(uint64_t version, size_t rows)
{
    struct population_meta meta = fixture_meta(version);
    struct population_writer *w = population_writer_new(dir, rows, &meta, why, sizeof(why));

    if (!w)
        fail_msg("new: %s", why);
    return w;
}

static struct population *end(struct population_writer *w, uint64_t version)
{
    if (!population_writer_finish(w, why, sizeof(why)))
        fail_msg("finish: %s", why);
    struct population *p = population_open(dir, version, why, sizeof(why));
    if (!p)
        fail_msg("open: %s", why);
    return p;
}

static void add_rows(struct population_writer *w, const struct fixture_shape *shape)
{
    for (size_t i = 0; i < shape->rows; i++) {
        struct population_row r = fixture_row(shape, i);
        if (!population_writer_add(w, &r, why, sizeof(why)))
            fail_msg("add: %s", why);
    }
}

static void archetypes_sum_up_their_members(void **state)
{
    (void)state;
    struct fixture_shape shape = { 2500, 60, true, 31 };
    struct population_writer *w = begin(1, shape.rows);
    uint64_t ids[FIXTURE_ARCHETYPES + 1];

    for (size_t i = 0; i <= FIXTURE_ARCHETYPES; i++)
        ids[i] = fixture_archetype_id(i); /* the last one has no member */
    add_rows(w, &shape);
    assert_true(population_writer_set_archetypes(w, ids, FIXTURE_ARCHETYPES + 1));
    struct population *p = end(w, 1);

    assert_int_equal(p->archetype_count, FIXTURE_ARCHETYPES + 1);
    for (size_t k = 0; k < p->archetype_count; k++) {
        struct population_archetype a = { .id = ids[k] };
        uint32_t counts[POPULATION_AXES][POPULATION_WORDS] = { { 0 } };
        for (size_t i = 0; i < p->count; i++) {
            const struct population_row *r = &p->rows[i];
            if (r->archetype != k)
                continue;
            assert_ptr_equal(population_archetype_of(p, r), &p->archetypes[k]);
            a.members++;
            a.active += FIXTURE_AS_OF_DAY - r->last_day <= 365;
            a.acquired += FIXTURE_AS_OF_DAY - r->first_day < 365;
            a.orders += r->orders;
            a.net_cents += r->gross_cents - r->refunds_cents;
            a.days_since += FIXTURE_AS_OF_DAY - r->last_day;
            a.orders_per_year += population_orders_per_year(p, r);
            a.churn_sum += r->flags & POPULATION_SCORED ? (double)r->churn : 0;
            a.expected_orders_90 += r->flags & POPULATION_SCORED ? (double)r->expected_orders_90 : 0;
            for (unsigned axis = 0; axis < POPULATION_AXES; axis++)
                counts[axis][p->words[i] >> 4 * axis & 15]++;
        }
        const struct population_archetype *b = &p->archetypes[k];
        assert_int_equal(b->id, a.id);
        assert_int_equal(b->members, a.members);
        assert_int_equal(b->active, a.active);
        assert_int_equal(b->acquired, a.acquired);
        assert_int_equal(b->orders, a.orders);
        assert_true(b->net_cents == a.net_cents && b->days_since == a.days_since);
        assert_true(b->orders_per_year == a.orders_per_year && b->churn_sum == a.churn_sum);
        assert_true(b->expected_orders_90 == a.expected_orders_90);
        assert_int_equal(b->series, POPULATION_NO_SERIES);
        for (unsigned axis = 0; axis < POPULATION_AXES; axis++) {
            unsigned word = b->words[axis] == POPULATION_WORD_NONE ? 15 : b->words[axis];
            assert_int_equal(b->with_word[axis], counts[axis][word]);
            for (unsigned other = 0; other < POPULATION_WORDS; other++)
                assert_true(counts[axis][other] < counts[axis][word] ||
                            (counts[axis][other] == counts[axis][word] && other >= word));
        }
        assert_ptr_equal(population_archetype_find(p, ids[k]), b);
    }
    assert_null(population_archetype_find(p, 1));
    assert_null(population_archetype_find(p, UINT64_MAX));
    population_release(p);
}

static void totals_count_words_and_scores(void **state)
{
    (void)state;
    struct fixture_shape shape = { 1501, 40, true, 32 };
    struct population_writer *w = begin(2, shape.rows);
    uint64_t ids[FIXTURE_ARCHETYPES], members[POPULATION_AXES][POPULATION_WORDS] = { { 0 } };
    uint64_t below = 0, above = 0, scored = 0, acquired = 0;
    int64_t tenure = 0;

    for (size_t i = 0; i < FIXTURE_ARCHETYPES; i++)
        ids[i] = fixture_archetype_id(i);
    assert_true(population_writer_set_archetypes(w, ids, FIXTURE_ARCHETYPES));
    add_rows(w, &shape);
    struct population *p = end(w, 2);
    for (size_t i = 0; i < p->count; i++) {
        for (unsigned axis = 0; axis < POPULATION_AXES; axis++)
            members[axis][p->words[i] >> 4 * axis & 15]++;
        acquired += FIXTURE_AS_OF_DAY - p->rows[i].first_day < 365;
        tenure += FIXTURE_AS_OF_DAY - p->rows[i].first_day;
        assert_true(isnan(p->churn[i]) == isnan(p->predicted_clv[i]));
        if (isnan(p->churn[i]))
            continue;
        scored++;
        below += (double)p->churn[i] < p->totals->churn_median;
        above += (double)p->churn[i] > p->totals->churn_median;
    }
    assert_memory_equal(p->totals->members, members, sizeof(members));
    assert_int_equal(p->totals->scored, scored);
    assert_true(p->totals->tenure_days == tenure);
    assert_true(2 * below <= scored && 2 * above <= scored);
    assert_int_equal(p->totals->acquired, acquired);
    population_release(p);
}

static void keeps_what_the_scoring_gave(void **state)
{
    (void)state;
    struct fixture_shape shape = { 10, 10, false, 33 };
    struct population_writer *w = begin(3, shape.rows);
    uint64_t ids[FIXTURE_ARCHETYPES];
    struct population_series series[2] = { { .archetype = 4 }, { .archetype = 0 } };
    static struct forecast_month outlook[POPULATION_MONTHS_AHEAD];
    struct population_month months[3] = { { .month = 24300 }, { .month = 24301 }, { .month = 24302, .orders = 5 } };
    static struct cohort_table cohorts;
    struct population_past past = { .day = 20370 };
    struct model_params model = { .format = MODEL_PARAMS_FORMAT, .horizon_days = 90 };

    for (size_t i = 0; i < FIXTURE_ARCHETYPES; i++)
        ids[i] = fixture_archetype_id(i);
    for (unsigned m = 0; m < POPULATION_MONTHS_AHEAD; m++) {
        series[0].active[m] = (float)m;
        series[1].active[m] = 100 - (float)m;
        outlook[m].revenue = m;
    }
    past.members[2][3] = 77;
    cohorts.cell[3][1].net_cents = 5;
    assert_true(population_writer_set_archetypes(w, ids, FIXTURE_ARCHETYPES));
    assert_true(population_writer_set_series(w, series, 2));
    assert_true(population_writer_set_months(w, months, 3));
    assert_true(population_writer_set_outlook(w, outlook));
    assert_true(population_writer_set_cohorts(w, &cohorts));
    assert_true(population_writer_set_past(w, &past));
    assert_true(population_writer_set_model(w, &model));
    add_rows(w, &shape);
    struct population *p = end(w, 3);

    const float *staying = population_archetype_staying(p, &p->archetypes[4]);
    assert_non_null(staying);
    assert_true(staying[59] == 59);
    staying = population_archetype_staying(p, &p->archetypes[0]);
    assert_non_null(staying);
    assert_true(staying[59] == 41);
    assert_null(population_archetype_staying(p, &p->archetypes[1]));
    assert_int_equal(p->month_count, 3);
    assert_memory_equal(p->months, months, sizeof(months));
    assert_memory_equal(p->outlook, outlook, sizeof(outlook));
    assert_memory_equal(p->cohorts, &cohorts, sizeof(cohorts));
    assert_memory_equal(p->past, &past, sizeof(past));
    assert_memory_equal(p->model, &model, sizeof(model));
    population_release(p);
}

static void without_a_scoring_there_is_nothing(void **state)
{
    (void)state;
    struct population *p = end(begin(4, 0), 4);

    assert_null(p->outlook);
    assert_null(p->cohorts);
    assert_null(p->past);
    assert_null(p->model);
    assert_int_equal(p->archetype_count + p->month_count + p->series_count, 0);
    assert_null(population_archetype_find(p, 0));
    population_release(p);
}

static void refuses_what_is_not_as_described(void **state)
{
    (void)state;
    struct population_writer *w = begin(5, 1);
    uint64_t falling[] = { 2, 1 }, ids[] = { 1, 2 };
    struct population_series series[] = { { .archetype = 2 }, { .archetype = 1 }, { .archetype = 1 } };
    struct population_month months[] = { { .month = 1 }, { .month = 3 } };
    struct population_row r = fixture_row(&(struct fixture_shape){ 1, 10, false, 1 }, 0);

    assert_false(population_writer_set_archetypes(w, falling, 2));
    assert_true(population_writer_set_archetypes(w, ids, 2));
    assert_false(population_writer_set_archetypes(w, ids, 2)); /* a second time */
    assert_false(population_writer_set_series(w, series, 1));
    assert_false(population_writer_set_series(w, series + 1, 2));
    assert_false(population_writer_set_months(w, months, 2));
    r.archetype = 2;
    assert_true(population_writer_add(w, &r, why, sizeof(why)));
    assert_false(population_writer_finish(w, why, sizeof(why)));
    assert_non_null(strstr(why, "is in archetype 2 of 2"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(archetypes_sum_up_their_members),  cmocka_unit_test(totals_count_words_and_scores),
        cmocka_unit_test(keeps_what_the_scoring_gave),      cmocka_unit_test(without_a_scoring_there_is_nothing),
        cmocka_unit_test(refuses_what_is_not_as_described),
    };

    return cmocka_run_group_tests(tests, test_dir_make, test_dir_remove);
}
