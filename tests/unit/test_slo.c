/*
 * Service levels: the arithmetic under a clock of the test's own, and the history file.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/slo_file.h"

#define T0 (1762156800LL / SLO_BUCKET_S * SLO_BUCKET_S) /* a bucket begins */

static struct slo_ring *ring;
static struct slo_counts total;
static char dir[32];

static int setup(void **state)
{
    (void)state;
    ring = calloc(1, sizeof(*ring));
    memset(&total, 0, sizeof(total));
    strcpy(dir, "/tmp/patrond-slo-XXXXXX");
    return ring != NULL && mkdtemp(dir) != NULL ? 0 : -1;
}

static int teardown(void **state)
{
    char path[64];

    (void)state;
    free(ring);
    snprintf(path, sizeof(path), "%s/" SLO_FILE_NAME, dir);
    (void)unlink(path);
    return rmdir(dir);
}

/* Asks every 5 s from `from` up to `end`. */
static void ask(int64_t from, int64_t end, bool good)
{
    for (int64_t t = from; t < end; t += 5)
        slo_ask(ring, good, t);
}

static struct slo_sum sum_of(unsigned buckets, int64_t now)
{
    struct slo_sum s;

    slo_sum(ring, 0, buckets, now, &s);
    return s;
}

static void slots(int64_t now, uint64_t all, uint64_t good)
{
    struct slo_sum s = sum_of(SLO_BUCKETS, now);

    assert_int_equal(s.slots, all);
    assert_int_equal(s.good, good);
}

static void a_slot_is_good_when_half_of_the_answers_are(void **state)
{
    (void)state;
    ask(T0, T0 + 30, true);
    slots(T0 + 29, 0, 0); /* it is not over */
    ask(T0 + 30, T0 + 45, true);
    ask(T0 + 45, T0 + 60, false);
    ask(T0 + 60, T0 + 70, true);
    ask(T0 + 70, T0 + 90, false);
    ask(T0 + 90, T0 + 91, true);
    slots(T0 + 91, 3, 2);
}

static void history_begins_with_the_first_good_slot(void **state)
{
    (void)state;
    ask(T0, T0 + 600, false);
    slots(T0 + 600, 0, 0);
    ask(T0 + 600, T0 + 660, true);
    ask(T0 + 660, T0 + 700, false);
    slots(T0 + 700, 3, 2);
}

static void time_nobody_measured_is_bad(void **state)
{
    (void)state;
    ask(T0, T0 + 60, true);
    ask(T0 + 660, T0 + 690, true); /* 20 slots later */
    ask(T0 + 690, T0 + 691, true);
    slots(T0 + 691, 23, 3);
    ask(T0 + 90 * 86400, T0 + 90 * 86400 + 1, true); /* a gap longer than the history */
    slots(T0 + 90 * 86400 + 1, (SLO_BUCKETS - 1) * SLO_SLOTS_PER_BUCKET, 0);
}

static void a_clock_that_goes_back_counts_nothing_twice(void **state)
{
    (void)state;
    ask(T0, T0 + 120, true);
    ask(T0 + 30, T0 + 121, true);
    slots(T0 + 121, 4, 4);
}

#define DAY 86400

/* The server dies, and begins again at `now`. */
static void reborn(int64_t now)
{
    memset(ring, 0, sizeof(*ring));
    memset(&total, 0, sizeof(total));
    assert_true(slo_file_load(ring, dir, now));
    assert_int_equal(ring->loaded, SLO_LOADED);
}

/* The clock is set a year ahead for a while, and back: that year was not lived, and nothing is lost. */
static void a_clock_that_is_set_makes_no_history(void **state)
{
    int64_t wrong = T0 + 365 * DAY;

    (void)state;
    ask(T0, T0 + 600, true);
    slo_clock_set(ring, wrong);
    ask(wrong, wrong + 60, true);
    slo_clock_set(ring, T0 + 660);
    ask(T0 + 660, T0 + 721, true);
    slots(T0 + 721, 22, 22);
    assert_true(slo_file_save(ring, dir));
    reborn(T0 + 721);
    slots(T0 + 721, 22, 22);              /* what was measured after the clock was right again is in the file, too */
    slo_clock_set(ring, T0 + 721 + 3600); /* an hour ahead, as at the end of a machine's boot */
    ask(T0 + 721 + 3600, T0 + 721 + 3631, true);
    slots(T0 + 721 + 3631, 24, 24);
}

/* A machine that boots in 1970 keeps its history for when the clock is right. */
static void a_boot_with_the_clock_in_the_past_keeps_the_history(void **state)
{
    (void)state;
    ask(T0, T0 + 1201, true);
    assert_true(slo_file_save(ring, dir));
    reborn(1000);
    ask(1000, 1091, true);
    slots(1091, 3, 3);
    assert_true(slo_file_save(ring, dir));
    slo_clock_set(ring, T0 + 1300);
    ask(T0 + 1300, T0 + 1400, true);
    slots(T0 + 1400, 43, 43);
    assert_true(slo_file_save(ring, dir));
    reborn(T0 + 1400);
    slots(T0 + 1400, 43, 43);
}

/* Nothing is special about the end of a month, nor about leap days. */
static void months_make_no_difference(void **state)
{
    int64_t end_of_february = 1709251200 - 300; /* 2024-02-29T23:55:00Z */

    (void)state;
    ask(end_of_february, end_of_february + 601, true);
    slots(end_of_february + 601, 20, 20);
    slots(end_of_february + (SLO_BUCKETS - 1) * SLO_BUCKET_S, 20, 20);
    slots(end_of_february + SLO_BUCKETS * (int64_t)SLO_BUCKET_S, 10, 10); /* the first five minutes are forgotten */
}

static void buckets_are_forgotten_after_thirty_days(void **state)
{
    (void)state;
    total.requests = 7;
    slo_count(ring, &total, 0, T0);
    assert_int_equal(sum_of(SLO_BUCKETS, T0 + (SLO_BUCKETS - 1) * SLO_BUCKET_S).counts.requests, 7);
    assert_int_equal(sum_of(SLO_BUCKETS, T0 + SLO_BUCKETS * (int64_t)SLO_BUCKET_S).counts.requests, 0);
    total.requests = 9;
    slo_count(ring, &total, 0, T0 + SLO_BUCKETS * (int64_t)SLO_BUCKET_S); /* takes the old one's place */
    assert_int_equal(sum_of(SLO_BUCKETS, T0 + SLO_BUCKETS * (int64_t)SLO_BUCKET_S).counts.requests, 2);
}

static void counts_are_differences(void **state)
{
    struct slo_sum s;

    (void)state;
    total = (struct slo_counts){ .requests = 100, .errors = 2, .latency[3] = 90, .nl[8] = 5 };
    slo_count(ring, &total, 10, T0);
    slo_count(ring, &total, 11, T0 + 1);
    total.requests = 150;
    total.errors = 3;
    slo_count(ring, &total, 12, T0 + SLO_BUCKET_S);
    s = sum_of(1, T0 + SLO_BUCKET_S);
    assert_int_equal(s.counts.requests, 50);
    assert_int_equal(s.counts.errors, 1);
    s = sum_of(2, T0 + SLO_BUCKET_S);
    assert_int_equal(s.counts.requests, 150);
    assert_int_equal(s.counts.latency[3], 90);
    assert_int_equal(s.counts.nl[8], 5);
    slo_sum(ring, 1, 1, T0 + SLO_BUCKET_S, &s); /* the one before */
    assert_int_equal(s.counts.requests, 100);
}

static void percentiles_lie_between_their_bounds(void **state)
{
    uint64_t counts[SLO_BOUNDS + 1] = { 0 };

    (void)state;
    assert_true(isnan(slo_percentile(counts, 0.95)));
    counts[6] = 100; /* .25 … .5 */
    assert_true(fabs(slo_percentile(counts, 0.95) - 0.4875) < 1e-9);
    counts[0] = 900;
    assert_true(fabs(slo_percentile(counts, 0.95) - 0.375) < 1e-9);
    assert_true(fabs(slo_percentile(counts, 0.5) - 0.005 * 500 / 900) < 1e-9);
    counts[SLO_BOUNDS] = 100000;
    assert_true(slo_percentile(counts, 0.99) == 10);
}

static void the_report_holds_them_against_the_targets(void **state)
{
    struct slo_report r;

    (void)state;
    slo_report(ring, T0, &r);
    assert_true(r.all_met);
    assert_true(isnan(r.levels[SLO_AVAILABILITY][SLO_30D].value));
    assert_true(isnan(slo_burn_rate(&r, SLO_1H)));
    total = (struct slo_counts){ .requests = 1000, .errors = 10, .latency[9] = 1000, .nl[3] = 4 };
    slo_count(ring, &total, 90000, T0);
    ask(T0, T0 + 100 * 30, true);
    ask(T0 + 100 * 30, T0 + 101 * 30, false);
    slo_ask(ring, true, T0 + 101 * 30);
    slo_report(ring, T0 + 101 * 30, &r);
    assert_false(r.all_met);
    assert_int_equal(r.levels[SLO_AVAILABILITY][SLO_30D].events, 101);
    assert_false(r.levels[SLO_AVAILABILITY][SLO_30D].met);
    assert_true(fabs(slo_burn_rate(&r, SLO_24H) - (1.0 / 101) / 0.005) < 1e-9);
    assert_true(fabs(slo_budget_left(&r, SLO_24H) - (1 - (1.0 / 101) / 0.005)) < 1e-9);
    assert_true(r.used_minutes == 0.5);
    assert_true(fabs(r.allowed_minutes - 216) < 1e-9);
    assert_true(fabs(slo_budget_left(&r, SLO_30D) - (1 - 0.5 / 216)) < 1e-9);
    assert_false(r.levels[SLO_LATENCY_P95][SLO_1H].met);
    assert_false(r.levels[SLO_LATENCY_P99][SLO_1H].met);
    assert_true(r.levels[SLO_NL_LATENCY_P95][SLO_1H].met);
    assert_int_equal(r.levels[SLO_NL_LATENCY_P95][SLO_1H].events, 4);
    assert_true(r.levels[SLO_ERROR_RATE][SLO_1H].value == 0.01);
    assert_false(r.levels[SLO_ERROR_RATE][SLO_1H].met);
    assert_true(r.levels[SLO_DATA_FRESHNESS][SLO_1H].value == 90000);
    assert_false(r.levels[SLO_DATA_FRESHNESS][SLO_1H].met);

    atomic_store(&ring->loaded, SLO_LOADING); /* half a history is none */
    slo_report(ring, T0 + 101 * 30, &r);
    assert_int_equal(r.levels[SLO_AVAILABILITY][SLO_30D].events, 0);
    assert_true(r.used_minutes == 0);
    atomic_store(&ring->loaded, SLO_LOADED);
}

static void history_outlives_the_server(void **state)
{
    (void)state;
    reborn(T0); /* no file: an empty history */
    total.requests = 5;
    slo_count(ring, &total, 3, T0);
    ask(T0, T0 + 600 + 20, true);
    assert_true(slo_file_save(ring, dir));
    slots(T0 + 620, 20, 20);
    reborn(T0 + 625); /* in the same slot */
    slots(T0 + 625, 20, 20);
    ask(T0 + 625, T0 + 690, true);
    total.requests = 2;
    slo_count(ring, &total, 3, T0 + 690);
    slots(T0 + 690, 23, 23);
    assert_int_equal(sum_of(3, T0 + 690).counts.requests, 7);
    assert_true(slo_file_save(ring, dir));
    reborn(T0 + 690 + 3600); /* an hour later */
    ask(T0 + 690 + 3600, T0 + 690 + 3601, true);
    slots(T0 + 690 + 3601, 23 + 120, 23);
}

static void a_death_in_mid_slot_is_not_a_bad_slot(void **state)
{
    (void)state;
    reborn(T0);
    ask(T0, T0 + 30 + 25, true);
    assert_true(slo_file_save(ring, dir));
    reborn(T0 + 62);
    ask(T0 + 62, T0 + 93, true);
    slots(T0 + 92, 3, 3);
}

static void two_writers_in_one_bucket_both_count(void **state)
{
    (void)state;
    reborn(T0);
    total.requests = 5;
    slo_count(ring, &total, 0, T0);
    ask(T0, T0 + 65, true);
    assert_true(slo_file_save(ring, dir));
    memset(ring, 0, sizeof(*ring));
    total.requests = 3;
    slo_count(ring, &total, 0, T0 + 70); /* counted before the history was read */
    assert_true(slo_file_load(ring, dir, T0 + 70));
    assert_int_equal(sum_of(1, T0 + 70).counts.requests, 8);
    slots(T0 + 70, 2, 2);
}

static void damage(off_t at, const void *bytes, size_t n)
{
    char path[64];
    int fd;

    snprintf(path, sizeof(path), "%s/" SLO_FILE_NAME, dir);
    fd = open(path, O_RDWR | O_CREAT, 0600);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, bytes, n, at), n);
    close(fd);
}

static void damage_costs_the_damaged_bucket_alone(void **state)
{
    unsigned place = (unsigned)(T0 / SLO_BUCKET_S % SLO_BUCKETS);
    char path[64];

    (void)state;
    reborn(T0);
    ask(T0, T0 + 601, true);
    assert_true(slo_file_save(ring, dir));
    damage((off_t)(place * sizeof(struct slo_bucket)) + 40, "x", 1);
    reborn(T0 + 601);
    slots(T0 + 601, 10, 10);
    snprintf(path, sizeof(path), "%s/" SLO_FILE_NAME, dir);
    assert_int_equal(truncate(path, 70), 0);
    reborn(T0 + 601);
    slots(T0 + 601, 0, 0);
}

static void a_history_that_cannot_be_written_is_kept_for_later(void **state)
{
    (void)state;
    ask(T0, T0 + 61, true);
    assert_false(slo_file_save(ring, "/nowhere/at/all"));
    assert_true(slo_file_save(ring, dir));
    reborn(T0 + 61);
    slots(T0 + 61, 2, 2);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_slot_is_good_when_half_of_the_answers_are),
        TEST(history_begins_with_the_first_good_slot),
        TEST(time_nobody_measured_is_bad),
        TEST(a_clock_that_goes_back_counts_nothing_twice),
        TEST(a_clock_that_is_set_makes_no_history),
        TEST(a_boot_with_the_clock_in_the_past_keeps_the_history),
        TEST(months_make_no_difference),
        TEST(buckets_are_forgotten_after_thirty_days),
        TEST(counts_are_differences),
        TEST(percentiles_lie_between_their_bounds),
        TEST(the_report_holds_them_against_the_targets),
        TEST(history_outlives_the_server),
        TEST(a_death_in_mid_slot_is_not_a_bad_slot),
        TEST(two_writers_in_one_bucket_both_count),
        TEST(damage_costs_the_damaged_bucket_alone),
        TEST(a_history_that_cannot_be_written_is_kept_for_later),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
