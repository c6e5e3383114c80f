/*
 * The population file: what goes in comes out, with everything derived from it; and a writer that fails leaves
 * nothing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "model/rfm.h"
#include "population_test.h"

static void keeps_rows_and_header(void **state)
{
    (void)state;
    struct fixture_shape shape = { 2000, 100, true, 1 };
    struct population *p = make(&shape, 7);

    assert_int_equal(p->count, 2000);
    assert_int_equal(p->header->data_version, 7);
    assert_int_equal(p->header->as_of_day, FIXTURE_AS_OF_DAY);
    assert_int_equal(p->header->orders_loaded, 17);
    assert_int_equal(p->header->rows_loaded, 19);
    assert_int_equal(p->header->guest_rows, 2);
    assert_string_equal(p->header->currency, "EUR");
    assert_true(p->header->published_us == 1762560000000000);
    for (size_t i = 0; i < p->count; i++) {
        struct population_row r = fixture_row(&shape, i);
        const struct population_row *found = population_find(p, r.customer_id);
        assert_non_null(found);
        assert_int_equal(population_row_index(p, found), i);
        assert_true(found->gross_cents == r.gross_cents && found->refunds_cents == r.refunds_cents);
        assert_int_equal(found->products, r.products);
        assert_true(p->ltv_cents[i] == r.gross_cents - r.refunds_cents);
        assert_int_equal(p->first_day[i], r.first_day);
        assert_int_equal(p->last_day[i], r.last_day);
        assert_int_equal(p->orders[i], r.orders);
        assert_true(r.flags & POPULATION_SCORED ? p->churn[i] == r.churn : isnan(p->churn[i]));
        assert_int_equal(p->words[i] >> POPULATION_ARCHETYPE_SHIFT,
                         r.archetype == POPULATION_NO_ARCHETYPE ? (1 << POPULATION_ARCHETYPE_BITS) - 1 : r.archetype);
    }
    assert_null(population_find(p, -1000));
    assert_null(population_find(p, INT64_MAX));
    assert_null(population_find(p, INT64_MIN));
    population_hold(p);
    population_release(p);
    assert_int_equal(p->header->magic, POPULATION_MAGIC); /* still mapped */
    population_release(p);
    population_release(NULL);
}

static int compare_i64(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

static void totals_are_exact(void **state)
{
    (void)state;
    struct fixture_shape shape = { 3001, 60, true, 2 };
    struct population *p = make(&shape, 8);
    struct population_aggregates t = { .first_day = INT32_MAX, .last_day = INT32_MIN };
    int64_t *ltv = malloc(p->count * sizeof(*ltv));

    for (size_t i = 0; i < p->count; i++) {
        struct population_row r = fixture_row(&shape, i);
        t.gross_cents += r.gross_cents;
        t.refunds_cents += r.refunds_cents;
        t.orders += r.orders;
        t.active += FIXTURE_AS_OF_DAY - r.last_day <= 365;
        t.first_day = r.first_day < t.first_day ? r.first_day : t.first_day;
        t.last_day = r.last_day > t.last_day ? r.last_day : t.last_day;
        ltv[i] = r.gross_cents - r.refunds_cents;
        if (!(r.flags & POPULATION_SCORED))
            continue;
        t.critical += r.churn > 0.7F;
        t.high += r.churn > 0.5F && r.churn <= 0.7F;
        t.medium += r.churn > 0.3F && r.churn <= 0.5F;
        t.low += r.churn <= 0.3F;
        t.churn_sum += (double)r.churn;
    }
    qsort(ltv, p->count, sizeof(*ltv), compare_i64);
    assert_true(p->totals->gross_cents == t.gross_cents);
    assert_true(p->totals->refunds_cents == t.refunds_cents);
    assert_true(p->totals->net_cents == t.gross_cents - t.refunds_cents);
    assert_true(p->totals->ltv_p95_cents == ltv[2851 - 1]); /* ceil(0.95 * 3001) */
    assert_int_equal(p->totals->orders, t.orders);
    assert_int_equal(p->totals->active, t.active);
    assert_int_equal(p->totals->critical, t.critical);
    assert_int_equal(p->totals->high, t.high);
    assert_int_equal(p->totals->medium, t.medium);
    assert_int_equal(p->totals->low, t.low);
    assert_true(p->totals->churn_sum == t.churn_sum);
    assert_int_equal(p->totals->first_day, t.first_day);
    assert_int_equal(p->totals->last_day, t.last_day);
    free(ltv);
    population_release(p);
}

/* 1 + floor(parts * (midrank - 0.5) / n) by counting; rows with fewer orders than `least` are no part of it. */
static unsigned naive_score(const struct population *p, unsigned which, size_t of, uint32_t least, unsigned parts)
{
    uint64_t below = 0, equal = 0, n = 0;

    for (size_t i = 0; i < p->count; i++) {
        int64_t v[] = { p->last_day[i], p->orders[i], p->ltv_cents[i] };
        int64_t mine[] = { p->last_day[of], p->orders[of], p->ltv_cents[of] };
        if (p->orders[i] < least)
            continue;
        n++;
        below += v[which] < mine[which];
        equal += v[which] == mine[which];
    }
    return 1 + (unsigned)(parts * (2 * below + equal) / (2 * n));
}

static void rfm_is_by_mid_rank(void **state)
{
    (void)state;
    struct fixture_shape shapes[] = { { 700, 6, true, 3 }, { 700, 500, false, 4 }, { 1, 5, false, 5 } };

    for (size_t s = 0; s < 3; s++) {
        struct population *p = make(&shapes[s], 9);
        for (size_t i = 0; i < p->count; i++) {
            const struct population_row *r = &p->rows[i];
            assert_int_equal(r->rfm_recency, naive_score(p, 0, i, 0, 5));
            assert_int_equal(r->rfm_frequency, r->orders == 1 ? 1 : 1 + naive_score(p, 1, i, 2, 4));
            assert_int_equal(r->rfm_monetary, naive_score(p, 2, i, 0, 5));
            assert_int_equal(r->rfm_group, rfm_group_of(r->rfm_recency, r->rfm_frequency, r->rfm_monetary));
            assert_int_equal(p->words[i] >> POPULATION_RFM_SHIFT & 15, r->rfm_group);
        }
        population_release(p);
    }
}

static struct population_row plain_row(int64_t id)
{
    return (struct population_row){ .customer_id = id,
                                    .gross_cents = 6657,
                                    .refunds_cents = 1000,
                                    .orders = 2,
                                    .first_day = FIXTURE_AS_OF_DAY - 245,
                                    .last_day = FIXTURE_AS_OF_DAY - 139,
                                    .archetype = POPULATION_NO_ARCHETYPE };
}

static void b2b_marks_and_derived_values(void **state)
{
    (void)state;
    struct population_meta meta = fixture_meta(10);
    struct population_writer *w = population_writer_new(dir, 5, &meta, why, sizeof(why));
    struct population_row r[5];

    for (int i = 0; i < 5; i++)
        r[i] = plain_row(i);
    r[1].gross_cents = 501000; /* net is the bound: not above */
    r[2].gross_cents = 501001;
    r[3].orders = 21;
    r[3].products = 51;
    r[4].orders = 20;
    r[4].products = 51;
    r[0].flags = POPULATION_B2B_LTV | POPULATION_B2B_RESELLER; /* the writer knows better */
    for (int i = 0; i < 5; i++)
        assert_true(population_writer_add(w, &r[i], why, sizeof(why)));
    assert_true(population_writer_finish(w, why, sizeof(why)));

    struct population *p = population_open(dir, 10, why, sizeof(why));
    assert_non_null(p);
    assert_int_equal(p->rows[0].flags, 0);
    assert_int_equal(p->rows[1].flags, 0);
    assert_int_equal(p->rows[2].flags, POPULATION_B2B_LTV);
    assert_int_equal(p->rows[3].flags, POPULATION_B2B_ORDERS | POPULATION_B2B_RESELLER);
    assert_int_equal(p->rows[4].flags, 0);
    assert_true(population_b2b_score(&p->rows[0]) == 0);
    assert_true(population_b2b_score(&p->rows[2]) == 0.5);
    assert_true(population_b2b_score(&p->rows[3]) == 1);
    assert_int_equal(p->words[2] >> POPULATION_B2B_SHIFT & 1, 1);
    assert_int_equal(p->words[4] >> POPULATION_B2B_SHIFT & 1, 0);
    for (unsigned axis = 0; axis < POPULATION_AXES; axis++)
        assert_int_equal(p->words[0] >> 4 * axis & 15, POPULATION_WORDS_NONE);

    const struct population_row *row = population_find(p, 0);
    assert_int_equal(population_net_cents(row), 5657);
    assert_true(fabs(population_aov(row) - 28.285) < 1e-12);
    assert_true(population_gap_days(row) == 106);
    assert_int_equal(population_days_since(p, row), 139);
    assert_int_equal(population_tenure_days(p, row), 245);
    assert_true(fabs(population_orders_per_year(p, row) - 2 * 365.25 / 245) < 1e-12);
    population_release(p);

    struct population_row once = plain_row(1);
    once.orders = 1;
    assert_true(isnan(population_gap_days(&once)));
    assert_int_equal(population_risk_of(0.3F), POPULATION_RISK_LOW);
    assert_int_equal(population_risk_of(0.31F), POPULATION_RISK_MEDIUM);
    assert_int_equal(population_risk_of(0.5F), POPULATION_RISK_MEDIUM);
    assert_int_equal(population_risk_of(0.7F), POPULATION_RISK_HIGH);
    assert_int_equal(population_risk_of(1), POPULATION_RISK_CRITICAL);
    assert_int_equal(population_risk_of(NAN), POPULATION_RISK_UNKNOWN);
}

static void empty_population(void **state)
{
    (void)state;
    struct fixture_shape shape = { 0, 1, false, 6 };
    struct population *p = make(&shape, 11);

    assert_int_equal(p->count, 0);
    assert_null(population_find(p, 0));
    assert_int_equal(p->totals->first_day, CLOCK_NO_DAY);
    assert_int_equal(p->totals->ltv_p95_cents, 0);
    population_release(p);
}

static void fits_the_budget(void **state)
{
    (void)state;
    struct fixture_shape shape = { 100000, 1000, true, 7 };
    struct population *p = make(&shape, 12);

    assert_in_range(p->map_bytes, 1, 300 * shape.rows);
    population_release(p);
}

static void refuses(struct population_row r, const char *word)
{
    struct population_meta meta = fixture_meta(13);
    struct population_writer *w = population_writer_new(dir, 2, &meta, why, sizeof(why));
    struct population_row first = plain_row(5);

    assert_non_null(w);
    assert_true(population_writer_add(w, &first, why, sizeof(why)));
    assert_false(population_writer_add(w, &r, why, sizeof(why)));
    if (!strstr(why, word))
        fail_msg("\"%s\" does not say \"%s\"", why, word);
    population_writer_abort(w);
    assert_false(exists("population-13.bin"));
    assert_false(exists("population-13.bin.tmp"));
}

static void writer_refuses_bad_rows(void **state)
{
    (void)state;
    struct population_row r = plain_row(5);

    refuses(r, "ascending");
    r = plain_row(4);
    refuses(r, "ascending");
    r = plain_row(6);
    r.orders = 0;
    refuses(r, "no order");
    r = plain_row(6);
    r.first_day = r.last_day + 1;
    refuses(r, "order days");
    r = plain_row(6);
    r.last_day = FIXTURE_AS_OF_DAY + 1;
    refuses(r, "as-of");
    r = plain_row(6);
    r.gross_cents = INT64_MAX;
    r.refunds_cents = -1;
    refuses(r, "64 bits");
    r = plain_row(6);
    r.flags = POPULATION_SCORED;
    r.churn = 1.5F;
    refuses(r, "probability");
    r.churn = NAN;
    refuses(r, "probability");
    r.churn = 0.5F;
    r.predicted_clv = INFINITY;
    refuses(r, "not finite");
}

static void writer_leaves_nothing_on_failure(void **state)
{
    (void)state;
    struct population_meta meta = fixture_meta(14);
    struct population_row r = plain_row(1);
    struct population_writer *w = population_writer_new(dir, 2, &meta, why, sizeof(why));

    assert_true(exists("population-14.bin.tmp"));
    assert_true(population_writer_add(w, &r, why, sizeof(why)));
    assert_false(population_writer_finish(w, why, sizeof(why)));
    assert_non_null(strstr(why, "1 customers came where 2 were announced"));
    assert_false(exists("population-14.bin"));
    assert_false(exists("population-14.bin.tmp"));

    w = population_writer_new(dir, 1, &meta, why, sizeof(why));
    assert_true(population_writer_add(w, &r, why, sizeof(why)));
    r.customer_id++;
    assert_false(population_writer_add(w, &r, why, sizeof(why)));
    assert_non_null(strstr(why, "more than were announced"));
    population_writer_abort(w);
    population_writer_abort(NULL);

    r.gross_cents = INT64_MAX;
    r.refunds_cents = 0;
    w = population_writer_new(dir, 2, &meta, why, sizeof(why));
    assert_true(population_writer_add(w, &r, why, sizeof(why)));
    r.customer_id++;
    assert_true(population_writer_add(w, &r, why, sizeof(why)));
    assert_false(population_writer_finish(w, why, sizeof(why)));
    assert_non_null(strstr(why, "absurd amounts"));

    assert_null(population_writer_new("/nonexistent", 1, &meta, why, sizeof(why)));
    assert_non_null(strstr(why, "/nonexistent"));
    assert_null(population_writer_new(dir, UINT64_MAX, &meta, why, sizeof(why)));
}

static void full_disk_is_an_error_not_a_signal(void **state)
{
    (void)state;
    struct population_meta meta = fixture_meta(15);
    struct rlimit before, tight;

    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    tight = before;
    tight.rlim_cur = 65536;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &tight), 0);
    struct population_writer *w = population_writer_new(dir, 10000, &meta, why, sizeof(why));
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_null(w);
    assert_non_null(strstr(why, "cannot reserve"));
    assert_false(exists("population-15.bin.tmp"));
}

static void leftover_of_a_killed_writer_is_no_obstacle(void **state)
{
    (void)state;
    struct fixture_shape shape = { 50, 10, false, 8 };

    write_file("population-16.bin.tmp", "half", 4);
    population_release(make(&shape, 16));
    assert_false(exists("population-16.bin.tmp"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_rows_and_header),
        cmocka_unit_test(totals_are_exact),
        cmocka_unit_test(rfm_is_by_mid_rank),
        cmocka_unit_test(b2b_marks_and_derived_values),
        cmocka_unit_test(empty_population),
        cmocka_unit_test(fits_the_budget),
        cmocka_unit_test(writer_refuses_bad_rows),
        cmocka_unit_test(writer_leaves_nothing_on_failure),
        cmocka_unit_test(full_disk_is_an_error_not_a_signal),
        cmocka_unit_test(leftover_of_a_killed_writer_is_no_obstacle),
    };

    return cmocka_run_group_tests(tests, test_dir_make, test_dir_remove);
}
