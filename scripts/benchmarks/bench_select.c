/*
 * bench_select: what the population file and its queries cost.
 *
 *     bench_select [ROWS]
 *
 * Writes a population of ROWS plausible customers (121,000 unless told) into a temporary directory, maps it and
 * runs searches; prints milliseconds of CPU time, medians of many runs.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/hash.h"
#include "data/population_write.h"
#include "data/select.h"

#define ARCHETYPES 300
#define AS_OF_DAY  20400
#define RUNS       201

static double ms_of(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static double cpu_ms(void)
{
    return ms_of(CLOCK_PROCESS_CPUTIME_ID);
}

static double wall_ms(void)
{
    return ms_of(CLOCK_MONOTONIC);
}

static double unit(uint64_t i, unsigned k)
{
    return ((double)(hash_u64(hash_u64(k + 1) + i) >> 11) + 0.5) * 0x1p-53;
}

/* Geometric orders, log-normal amounts, uniform tenure. */
static struct population_row make_row(uint64_t i)
{
    struct population_row r = { .flags = 0 };
    double normal = sqrt(-2 * log(unit(i, 1))) * cos(6.283185307179586 * unit(i, 2));
    int32_t tenure = (int32_t)(unit(i, 3) * 1500);

    r.customer_id = 5000000000000 + (int64_t)(i * 977) + (int64_t)(unit(i, 4) * 900);
    r.orders = 1 + (uint32_t)(-log(unit(i, 5)) * 2.2);
    r.gross_cents = (int64_t)(r.orders * exp(8 + 0.8 * normal));
    r.refunds_cents = unit(i, 6) < 0.1 ? r.gross_cents / 3 : 0;
    r.first_day = AS_OF_DAY - tenure;
    r.last_day = r.orders == 1 ? r.first_day : AS_OF_DAY - (int32_t)(unit(i, 7) * tenure);
    r.products = r.orders * 3;
    r.flags = POPULATION_SCORED | POPULATION_SEGMENTED;
    r.churn = (float)unit(i, 8);
    r.p_alive = 1 - r.churn;
    r.archetype = (uint32_t)(unit(i, 9) * ARCHETYPES);
    for (unsigned axis = 0; axis < POPULATION_AXES; axis++) {
        r.axes[axis].low = r.axes[axis].high = (uint8_t)(unit(i, 20 + axis) * 5);
        r.axes[axis].weight = 10000;
    }
    return r;
}

static void write_population(const char *dir, uint64_t rows)
{
    struct population_meta meta = { .data_version = 1,
                                    .as_of_day = AS_OF_DAY,
                                    .currency = "EUR",
                                    .settings = { .active_window_days = 365 },
                                    .b2b_min_ltv_cents = 500000,
                                    .b2b_min_orders = 20 };
    char why[512] = "";
    double cpu = cpu_ms(), wall = wall_ms();
    struct population_writer *w = population_writer_new(dir, rows, &meta, why, sizeof(why));
    uint64_t archetypes[ARCHETYPES];
    bool good = w != NULL;

    for (uint64_t i = 0; i < ARCHETYPES; i++)
        archetypes[i] = 1000 + i;
    good = good && population_writer_set_archetypes(w, archetypes, ARCHETYPES);
    for (uint64_t i = 0; good && i < rows; i++) {
        struct population_row r = make_row(i);
        good = population_writer_add(w, &r, why, sizeof(why));
    }
    double added = cpu_ms();
    if (!good || !population_writer_finish(w, why, sizeof(why))) {
        fprintf(stderr, "bench_select: %s\n", why);
        exit(1);
    }
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    printf("write: rows %.1f ms, finish %.1f ms of CPU, %.1f ms in all; resident at most %ld MB\n", added - cpu,
           cpu_ms() - added, wall_ms() - wall, usage.ru_maxrss / 1024);
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static void time_query(const struct population *p, const char *name, const struct select_query *q)
{
    double ms[RUNS];
    struct select_result r = { 0 };
    struct arena a;

    arena_init(&a, 64U << 20);
    for (unsigned i = 0; i < RUNS; i++) {
        double start = cpu_ms();
        select_run(p, q, &a, &r);
        ms[i] = cpu_ms() - start;
        arena_reset(&a);
    }
    arena_free(&a);
    qsort(ms, RUNS, sizeof(ms[0]), compare);
    printf("%-44s %9.4f ms (worst %.4f), %zu of %llu\n", name, ms[RUNS / 2], ms[RUNS - 1], r.count,
           (unsigned long long)r.total_matches);
}

static void time_sorts(const struct population *p, struct select_query q)
{
    static const char *const names[] = { "ltv", "churn", "impact", "recency", "frequency", "aov", "orders" };
    char name[64];

    for (unsigned i = 0; i < 2 * POPULATION_ORDER_COUNT; i++) {
        q.sort = (enum population_order)(i / 2);
        q.ascending = i % 2;
        snprintf(name, sizeof(name), "ltv, churn, days; by %s %s", names[q.sort], q.ascending ? "asc" : "desc");
        time_query(p, name, &q);
    }
}

static void time_queries(const struct population *p)
{
    const uint32_t archetypes[] = { 4, 5, 299 };
    struct select_filters any = { .is_b2b = -1 };
    struct select_query q = { .filters = any, .sort = POPULATION_BY_LTV, .limit = 100 };

    time_query(p, "no filter, by ltv", &q);
    q.filters.ltv_cents = (struct select_range_i64){ .has_least = true, .least = 10000 };
    q.filters.churn = (struct select_range_f64){ .has_most = true, .most = 0.3 };
    q.filters.days_since = (struct select_range_i64){ .has_most = true, .most = 60 };
    time_sorts(p, q);
    q.sort = POPULATION_BY_IMPACT;
    q.filters.axis_words[2] = 3;
    q.filters.axis_words[3] = 2;
    time_query(p, "the same and two axes, by impact", &q);
    q.limit = SELECT_MAX_LIMIT;
    time_query(p, "the same, 10,000 rows", &q);
    q.limit = 100;
    q.filters = any;
    q.filters.axis_words[0] = 6;
    q.filters.axis_words[1] = 4;
    q.filters.axis_words[2] = 2;
    time_query(p, "three axes, by impact", &q);
    q.filters = any;
    q.filters.rfm_groups = 6;
    q.filters.aov = (struct select_range_f64){ .has_least = true, .least = 50 };
    q.filters.orders = (struct select_range_i64){ .has_least = true, .least = 3 };
    time_query(p, "rfm, aov, orders; by impact", &q);
    q.filters = any;
    q.filters.archetypes = archetypes;
    q.filters.archetype_count = 3;
    time_query(p, "three archetypes, by impact", &q);
    q.filters = any;
    q.filters.ltv_cents = (struct select_range_i64){ .has_most = true, .most = 3000 };
    q.filters.tenure_days = (struct select_range_i64){ .has_most = true, .most = 700 };
    q.sort = POPULATION_BY_LTV;
    time_query(p, "against the order: low ltv, by ltv desc", &q);
}

static void time_find(const struct population *p)
{
    double start = cpu_ms();
    uint64_t found = 0;

    for (unsigned i = 0; i < 1000000; i++)
        found += population_find(p, p->rows[hash_u64(i) % p->count].customer_id) != NULL;
    printf("find: %.0f ns each, %llu found\n", cpu_ms() - start, (unsigned long long)found);
}

int main(int argc, char **argv)
{
    const char *parent = getenv("TMPDIR");
    char dir[256], path[300], why[512] = "";
    uint64_t rows = argc > 1 ? strtoull(argv[1], NULL, 10) : 121000;

    snprintf(dir, sizeof(dir), "%s/bench-select-XXXXXX", parent ? parent : "/tmp");
    if (rows == 0 || !mkdtemp(dir)) {
        fprintf(stderr, "usage: bench_select [ROWS]\n");
        return 1;
    }
    write_population(dir, rows);
    for (unsigned i = 0; i < 3; i++) {
        double start = wall_ms();
        struct population *p = population_open(dir, 1, why, sizeof(why));
        if (!p) {
            fprintf(stderr, "bench_select: %s\n", why);
            return 1;
        }
        printf("open and verify: %.2f ms, %.1f bytes a customer\n", wall_ms() - start,
               (double)p->map_bytes / (double)rows);
        if (i == 2) {
            time_find(p);
            time_queries(p);
        }
        population_release(p);
    }
    snprintf(path, sizeof(path), "%s/population-1.bin", dir);
    unlink(path);
    rmdir(dir);
    return 0;
}
