/*
 * Whatever bytes a population file holds, it is refused or can be read in full.
 *
 * The first byte chooses: bit 0, the checksum is made right, so that the checks behind it are reached;
 * bit 1, the rest are patches of a good file (a place of 2 bytes, a value of 4) instead of the file itself.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/arena.h"
#include "data/population_format.h"
#include "data/select.h"
#include "population_fixture.h"

#define GOOD_ROWS   150
#define PATCH_BYTES 6

static char *good;
static size_t good_bytes;

static void make_good(void)
{
    struct fixture_shape shape = { GOOD_ROWS, 6, true, 1 };
    const char *dir = fixture_dir_make();
    char path[300], why[512];

    if (!dir || !fixture_write(dir, &shape, 1, why, sizeof(why)))
        abort();
    snprintf(path, sizeof(path), "%s/population-1.bin", dir);
    FILE *f = fopen(path, "rb");
    good = malloc(1U << 20);
    if (!f || !good)
        abort();
    good_bytes = fread(good, 1, 1U << 20, f);
    fclose(f);
    fixture_dir_remove(dir);
}

static size_t patch(char *file, const uint8_t *patches, size_t n)
{
    memcpy(file, good, good_bytes);
    for (; n >= PATCH_BYTES; n -= PATCH_BYTES, patches += PATCH_BYTES) {
        size_t at = (size_t)(patches[0] | patches[1] << 8);
        if (at + 4 <= good_bytes)
            memcpy(file + at, patches + 2, 4);
    }
    return good_bytes;
}

static void read_rows(const struct population *p)
{
    volatile double sink = 0;

    for (size_t i = 0; i < p->count; i++) {
        const struct population_row *r = population_find(p, p->rows[i].customer_id);
        if (r && population_row_index(p, r) >= p->count)
            abort();
        r = &p->rows[i];
        sink = sink + population_aov(r) + population_gap_days(r) + population_orders_per_year(p, r) +
               population_days_since(p, r) + population_tenure_days(p, r) + population_b2b_score(r) +
               (double)population_net_cents(r) + (double)population_risk_of(p->churn[i]);
    }
    sink = sink + (double)p->totals->net_cents + (double)strlen(p->header->currency);
}

static void read_pages(const struct population *p, struct select_query q, struct arena *a)
{
    struct select_result r;

    for (unsigned page = 0; page < 5; page++) {
        arena_reset(a);
        if (!select_run(p, &q, a, &r) || r.count > q.limit || r.total_matches > p->count)
            abort();
        for (size_t i = 0; i < r.count; i++)
            if (r.rows[i] >= p->count)
                abort();
        if (!r.more)
            return;
        q.cursor = r.next;
    }
}

static void read_all(const struct population *p)
{
    struct arena a;

    read_rows(p);
    arena_init(&a, 64U << 20);
    for (unsigned i = 0; i < 4 * POPULATION_ORDER_COUNT; i++) {
        struct select_query q = {
            .filters = { .is_b2b = -1 }, .sort = (enum population_order)(i / 4), .ascending = i & 1, .limit = 40
        };
        if (i & 2) {
            q.filters.orders = (struct select_range_i64){ .has_least = true, .least = 2 };
            q.filters.axis_words[3] = 6;
            q.filters.aov = (struct select_range_f64){ .has_most = true, .most = 5 };
        }
        read_pages(p, q, &a);
    }
    arena_free(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    static char file[1U << 20];
    char why[512] = "";

    if (!good)
        make_good();
    if (n < 1 || n > sizeof(file))
        return 0;
    size_t size = n - 1;
    if (bytes[0] & 2)
        size = patch(file, bytes + 1, n - 1);
    else
        memcpy(file, bytes + 1, size);
    if ((bytes[0] & 1) && size >= sizeof(struct population_header)) {
        uint64_t sum = population_checksum(file, size);
        memcpy(file + offsetof(struct population_header, checksum), &sum, sizeof(sum));
    }

    int fd = memfd_create("population", MFD_CLOEXEC);
    if (fd < 0 || write(fd, file, size) != (ssize_t)size)
        abort();
    struct population *p = population_map(fd, "fuzz", why, sizeof(why));
    close(fd);
    if (p)
        read_all(p);
    else if (why[0] == '\0')
        abort();
    population_release(p);
    return 0;
}
