/*
 * No damaged population is ever taken for a good one: flipped bits, other lengths, forged structure, wrong names.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/rng.h"
#include "data/population_format.h"
#include "population_test.h"

static char *read_file(const char *name, size_t *n)
{
    char path[300];
    struct stat st;

    path_of(path, name);
    assert_int_equal(stat(path, &st), 0);
    *n = (size_t)st.st_size;
    char *bytes = malloc(*n);
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    assert_int_equal(fread(bytes, 1, *n, f), *n);
    fclose(f);
    return bytes;
}

/* Is a file with these bytes taken? */
static bool opens(const char *bytes, size_t n)
{
    write_file("population-20.bin", bytes, n);
    why[0] = '\0';
    struct population *p = population_open(dir, 20, why, sizeof(why));
    if (!p)
        assert_non_null(strstr(why, "population-20.bin: "));
    population_release(p);
    return p != NULL;
}

static void refuses_every_flipped_bit(void **state)
{
    (void)state;
    struct fixture_shape shape = { 300, 10, true, 9 };
    size_t n;

    population_release(make(&shape, 20));
    char *bytes = read_file("population-20.bin", &n);
    assert_true(opens(bytes, n));
    for (size_t at = 0; at < n; at += at < sizeof(struct population_header) ? 1 : 61) {
        char flip = (char)(1U << rng_below(8));
        bytes[at] = (char)(bytes[at] ^ flip);
        assert_false(opens(bytes, n));
        bytes[at] = (char)(bytes[at] ^ flip);
    }
    assert_true(opens(bytes, n));
    free(bytes);
}

/* Piece by piece: as many as the file has megabytes, and the verdict of all of them together. */
static void checks_in_pieces(void **state)
{
    (void)state;
    struct fixture_shape shape = { 20000, 1000, true, 10 };
    size_t n, pieces = 0;
    char path[300];

    population_release(make(&shape, 20));
    struct population *p = population_open_unchecked(dir, 20, why, sizeof(why));
    assert_non_null(p);
    enum population_verdict verdict;
    while ((verdict = population_check(p, why, sizeof(why))) == POPULATION_NOT_YET)
        pieces++;
    assert_int_equal(verdict, POPULATION_GOOD);
    assert_true(pieces >= p->map_bytes / POPULATION_PIECE_BYTES / 2 && pieces > 2);
    population_release(p);

    char *bytes = read_file("population-20.bin", &n);
    bytes[n - 1] ^= 1;
    write_file("population-20.bin", bytes, n);
    free(bytes);
    p = population_open_unchecked(dir, 20, why, sizeof(why));
    assert_non_null(p); /* the header is good */
    while ((verdict = population_check(p, why, sizeof(why))) == POPULATION_NOT_YET)
        continue;
    assert_int_equal(verdict, POPULATION_DAMAGED);
    assert_non_null(strstr(why, "checksum"));
    population_release(p);
    path_of(path, "population-20.bin");
    assert_int_equal(unlink(path), 0);
}

static void refuses_other_lengths(void **state)
{
    (void)state;
    struct fixture_shape shape = { 100, 10, true, 10 };
    size_t n;

    population_release(make(&shape, 20));
    char *bytes = read_file("population-20.bin", &n);
    char *longer = calloc(1, n + 1);
    memcpy(longer, bytes, n);
    assert_false(opens(longer, n + 1));
    assert_non_null(strstr(why, "truncated or grown"));
    for (size_t length = 0; length < n; length += 1 + length / 20)
        assert_false(opens(bytes, length));
    assert_false(opens(bytes, 0));
    assert_non_null(strstr(why, "less than a header"));
    assert_false(opens(bytes, n - 1));
    free(longer);
    free(bytes);
}

/* Damage that a forged checksum covers: found by the structure. */
static void refuses_forged_structure(void **state)
{
    (void)state;
    struct fixture_shape shape = { 100, 10, true, 11 };
    size_t n;

    population_release(make(&shape, 20));
    char *good = read_file("population-20.bin", &n), *bytes = malloc(n);
    struct population_header *h = (void *)bytes;
    for (unsigned kind = 0; kind < 14; kind++) {
        memcpy(bytes, good, n);
        uint32_t *hash = (void *)(bytes + h->sections[POPULATION_SECTION_HASH].offset);
        uint32_t *order = (void *)(bytes + h->sections[POPULATION_SECTION_ORDER_0 + 3].offset);
        switch (kind) {
        case 0:
            h->rows = 99;
            break;
        case 1:
            h->rows = UINT64_MAX / 160;
            break;
        case 2:
            h->hash_size *= 2;
            break;
        case 3:
            h->sections[POPULATION_SECTION_LTV].offset += 64;
            break;
        case 4:
            h->sections[POPULATION_SECTION_MODEL].bytes = UINT64_MAX - 100;
            break;
        case 5:
            h->sections[POPULATION_SECTION_ROWS].bytes -= 160;
            break;
        case 6:
            order[50] = 100;
            break;
        case 7:
            hash[7] = 101;
            break;
        case 8:
            for (uint64_t i = 0; i < h->hash_size; i++)
                hash[i] = 1;
            break;
        case 9:
            memset(h->currency, 'x', sizeof(h->currency));
            break;
        case 10:
            h->format++;
            break;
        case 11:
            h->archetypes++;
            break;
        case 12:
            h->sections[POPULATION_SECTION_OUTLOOK].bytes = 8; /* of padding, so the layout agrees */
            break;
        default:
            h->data_version = 21; /* not what its name says */
        }
        h->checksum = population_checksum(bytes, n);
        if (opens(bytes, n))
            fail_msg("damage %u was not seen", kind);
        assert_null(strstr(why, "checksum"));
    }
    memcpy(bytes, good, n);
    assert_true(opens(bytes, n));
    free(good);
    free(bytes);
}

/* A file whose layout agrees with an id index of the wrong size. */
static void refuses_another_index_size(void **state)
{
    (void)state;
    struct fixture_shape shape = { 100, 10, true, 15 };
    size_t n;

    population_release(make(&shape, 20));
    char *good = read_file("population-20.bin", &n), *bytes = calloc(1, n);
    struct population_header *h = (void *)bytes;
    memcpy(h, good, sizeof(*h));
    h->hash_size = 192;
    population_layout(h);
    assert_true(h->file_bytes <= n);
    h->checksum = population_checksum(bytes, h->file_bytes);
    assert_false(opens(bytes, h->file_bytes));
    assert_non_null(strstr(why, "192 index slots"));
    free(good);
    free(bytes);
}

static void refuses_what_is_no_file(void **state)
{
    (void)state;
    char path[300];

    path_of(path, "population-22.bin");
    assert_int_equal(mkdir(path, 0700), 0);
    assert_null(population_open(dir, 22, why, sizeof(why)));
    assert_non_null(strstr(why, "not a regular file"));
    assert_int_equal(rmdir(path), 0);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_null(population_open(dir, 22, why, sizeof(why)));
    assert_int_equal(unlink(path), 0);
    assert_null(population_open(dir, 22, why, sizeof(why)));
    assert_non_null(strstr(why, "No such file"));
    assert_null(population_open("/nonexistent", 22, why, sizeof(why)));
    assert_non_null(strstr(why, "/nonexistent"));
}

static void latest_is_the_newest_valid_one(void **state)
{
    (void)state;
    const char *outer = dir;
    struct fixture_shape shape = { 20, 10, false, 12 };
    char inner[300];

    snprintf(inner, sizeof(inner), "%s/latest", dir);
    assert_int_equal(mkdir(inner, 0700), 0);
    dir = inner;
    assert_null(population_open_latest(dir, why, sizeof(why)));
    assert_string_equal(why, "");
    write_file("population-99.bin.tmp", "x", 1);
    write_file("population-098.bin", "x", 1);
    write_file("population-.bin", "x", 1);
    write_file("population--1.bin", "x", 1);
    write_file("population-99999999999999999999.bin", "x", 1);
    assert_null(population_open_latest(dir, why, sizeof(why)));
    assert_string_equal(why, "");

    population_release(make(&shape, 9));
    population_release(make(&shape, 10));
    struct population *p = population_open_latest(dir, why, sizeof(why));
    assert_non_null(p);
    assert_int_equal(p->header->data_version, 10);
    assert_string_equal(why, "");
    population_release(p);

    write_file("population-11.bin", "x", 1);
    write_file("population-12.bin", "x", 1);
    p = population_open_latest(dir, why, sizeof(why));
    assert_non_null(p);
    assert_int_equal(p->header->data_version, 10);
    assert_non_null(strstr(why, "population-12.bin: truncated"));
    population_release(p);

    population_prune(dir, 10);
    assert_true(exists("population-10.bin") && exists("population-9.bin"));
    assert_false(exists("population-12.bin") || exists("population-11.bin")); /* of another database */
    assert_false(exists("population-99.bin.tmp"));
    assert_true(exists("population-098.bin") && exists("population-.bin"));
    population_release(make(&shape, 8));
    population_prune(dir, 10);
    assert_true(exists("population-10.bin") && exists("population-9.bin"));
    assert_false(exists("population-8.bin"));
    population_prune(dir, 3);
    assert_null(population_open_latest(dir, why, sizeof(why)));
    assert_string_equal(why, "");
    write_file("population-12.bin", "x", 1);
    assert_null(population_open_latest(dir, why, sizeof(why)));
    assert_non_null(strstr(why, "population-12.bin: truncated"));

    fixture_dir_remove(inner);
    assert_null(population_open_latest(dir, why, sizeof(why)));
    assert_string_equal(why, "");
    population_prune(dir, 10);
    dir = outer;
}

/* A population in use outlives its file. */
static void mapped_outlives_its_name(void **state)
{
    (void)state;
    struct fixture_shape shape = { 500, 10, false, 13 };
    struct population *p = make(&shape, 30);

    for (uint64_t v = 31; v < 34; v++)
        population_release(make(&shape, v));
    population_prune(dir, 33);
    assert_false(exists("population-30.bin"));
    for (size_t i = 0; i < p->count; i++)
        assert_non_null(population_find(p, p->rows[i].customer_id));
    population_release(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_every_flipped_bit),      cmocka_unit_test(checks_in_pieces),
        cmocka_unit_test(refuses_other_lengths),          cmocka_unit_test(refuses_forged_structure),
        cmocka_unit_test(refuses_another_index_size),     cmocka_unit_test(refuses_what_is_no_file),
        cmocka_unit_test(latest_is_the_newest_valid_one), cmocka_unit_test(mapped_outlives_its_name),
    };

    return cmocka_run_group_tests(tests, test_dir_make, test_dir_remove);
}
