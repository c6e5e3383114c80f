/*
 * population: opening a file, and reading one customer. What is verified: see population_check.
 */
#include "data/population.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hash.h"
#include "data/population_format.h"

#define CACHE_LINE_BYTES 64

/* Maps an open file, its header alone verified. */
static struct population *map_unchecked(int fd, const char *name, char *why, size_t why_size)
{
    struct stat st;

    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        population_refuse(why, why_size, name, "not a regular file");
        return NULL;
    }
    if (st.st_size < (off_t)sizeof(struct population_header)) {
        population_refuse(why, why_size, name, "truncated: %lld bytes are less than a header", (long long)st.st_size);
        return NULL;
    }
    size_t bytes = (size_t)st.st_size;
    struct population *p = calloc(1, sizeof(*p));
    void *map = p ? mmap(NULL, bytes, PROT_READ, MAP_SHARED, fd, 0) : MAP_FAILED;
    if (map == MAP_FAILED) {
        population_refuse(why, why_size, name, "cannot map %zu bytes: %s", bytes, strerror(errno));
        free(p);
        return NULL;
    }
    madvise(map, bytes, MADV_WILLNEED);
    if (!population_check_header(map, bytes, name, why, why_size)) {
        munmap(map, bytes);
        free(p);
        return NULL;
    }
    population_attach(p, map);
    p->users = 1;
    return p;
}

/* p, or NULL after giving it back because it is damaged. NULL is allowed. */
static struct population *checked(struct population *p, char *why, size_t why_size)
{
    enum population_verdict verdict = POPULATION_NOT_YET;

    if (p == NULL)
        return NULL;
    while (verdict == POPULATION_NOT_YET)
        verdict = population_check(p, why, why_size);
    if (verdict == POPULATION_GOOD)
        return p;
    population_release(p);
    return NULL;
}

struct population *population_map(int fd, const char *name, char *why, size_t why_size)
{
    return checked(map_unchecked(fd, name, why, why_size), why, why_size);
}

static struct population *open_at(int dir, uint64_t data_version, char *why, size_t why_size)
{
    char name[POPULATION_NAME_SIZE];

    population_file_name(name, data_version);
    int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        population_refuse(why, why_size, name, "cannot open: %s", strerror(errno));
        return NULL;
    }
    struct population *p = map_unchecked(fd, name, why, why_size);
    close(fd);
    if (p && p->header->data_version != data_version) {
        population_refuse(why, why_size, name, "holds data version %" PRIu64, p->header->data_version);
        population_release(p);
        return NULL;
    }
    return p;
}

struct population *population_open_unchecked(const char *dir, uint64_t data_version, char *why, size_t why_size)
{
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0) {
        population_refuse(why, why_size, dir, "cannot open the directory: %s", strerror(errno));
        return NULL;
    }
    struct population *p = open_at(fd, data_version, why, why_size);
    close(fd);
    return p;
}

struct population *population_open(const char *dir, uint64_t data_version, char *why, size_t why_size)
{
    return checked(population_open_unchecked(dir, data_version, why, why_size), why, why_size);
}

/* The highest data version in d that is below `below` (0: any). */
static bool newest_below(DIR *d, uint64_t below, uint64_t *version)
{
    bool found = false;
    struct dirent *e;

    rewinddir(d);
    while ((e = readdir(d))) {
        uint64_t v;
        if (population_parse_name(e->d_name, &v) && (below == 0 || v < below) && (!found || v > *version)) {
            *version = v;
            found = true;
        }
    }
    return found;
}

struct population *population_open_latest(const char *dir, char *why, size_t why_size)
{
    DIR *d = opendir(dir);
    struct population *p = NULL;
    uint64_t version = 0;
    char reason[512] = "";

    if (why_size > 0)
        why[0] = '\0';
    if (!d) {
        if (errno != ENOENT)
            population_refuse(why, why_size, dir, "cannot open the directory: %s", strerror(errno));
        return NULL;
    }
    while (!p && newest_below(d, version, &version)) {
        p = checked(open_at(dirfd(d), version, reason, sizeof(reason)), reason, sizeof(reason));
        if (!p && why_size > 0 && why[0] == '\0')
            snprintf(why, why_size, "%s", reason);
        if (version == 0)
            break;
    }
    closedir(d);
    return p;
}

void population_hold(struct population *p)
{
    p->users++;
}

void population_release(struct population *p)
{
    if (!p || --p->users > 0)
        return;
    munmap((void *)(uintptr_t)p->header, p->map_bytes);
    free(p);
}

/* Whoever asks for a row reads all of it: its cache lines come in one wait, not one after another. */
static void fetch_ahead(const struct population_row *row)
{
    for (size_t i = CACHE_LINE_BYTES; i < sizeof(*row); i += CACHE_LINE_BYTES)
        __builtin_prefetch((const char *)row + i);
}

const struct population_row *population_find(const struct population *p, int64_t customer_id)
{
    uint64_t mask = p->header->hash_size - 1;

    for (uint64_t slot = hash_u64((uint64_t)customer_id) & mask; p->hash[slot] != 0; slot = (slot + 1) & mask) {
        const struct population_row *row = &p->rows[p->hash[slot] - 1];
        fetch_ahead(row);
        if (row->customer_id == customer_id)
            return row;
    }
    return NULL;
}

size_t population_row_index(const struct population *p, const struct population_row *row)
{
    return (size_t)(row - p->rows);
}

const struct population_archetype *population_archetype_of(const struct population *p,
                                                           const struct population_row *row)
{
    return row->archetype < p->archetype_count ? &p->archetypes[row->archetype] : NULL;
}

const struct population_archetype *population_archetype_find(const struct population *p, uint64_t id)
{
    size_t from = 0, to = p->archetype_count;

    while (from < to) {
        size_t middle = from + (to - from) / 2;
        if (p->archetypes[middle].id < id)
            from = middle + 1;
        else
            to = middle;
    }
    return from < p->archetype_count && p->archetypes[from].id == id ? &p->archetypes[from] : NULL;
}

const float *population_archetype_staying(const struct population *p, const struct population_archetype *a)
{
    return a->series < p->series_count ? p->staying[a->series] : NULL;
}

uint8_t population_dominant(const struct population_membership *m)
{
    return m->weight >= 5000 ? m->low : m->high;
}

const char *population_risk_name(enum population_risk risk)
{
    static const char *const words[] = {
        [POPULATION_RISK_LOW] = "low",           [POPULATION_RISK_MEDIUM] = "medium", [POPULATION_RISK_HIGH] = "high",
        [POPULATION_RISK_CRITICAL] = "critical", [POPULATION_RISK_UNKNOWN] = NULL,
    };

    return words[risk];
}

enum population_risk population_risk_of(float churn)
{
    if (isnan(churn))
        return POPULATION_RISK_UNKNOWN;
    if (churn > 0.7F)
        return POPULATION_RISK_CRITICAL;
    if (churn > 0.5F)
        return POPULATION_RISK_HIGH;
    return churn > 0.3F ? POPULATION_RISK_MEDIUM : POPULATION_RISK_LOW;
}

int64_t population_net_cents(const struct population_row *r)
{
    return (int64_t)((uint64_t)r->gross_cents - (uint64_t)r->refunds_cents);
}

double population_aov(const struct population_row *r)
{
    return r->orders > 0 ? (double)population_net_cents(r) / (100.0 * r->orders) : 0;
}

double population_gap_days(const struct population_row *r)
{
    return r->orders > 1 ? ((double)r->last_day - r->first_day) / (r->orders - 1.0) : NAN;
}

double population_orders_per_year(const struct population *p, const struct population_row *r)
{
    return population_rate(r->orders, r->first_day, p->header->as_of_day);
}

int32_t population_days_since(const struct population *p, const struct population_row *r)
{
    return (int32_t)((int64_t)p->header->as_of_day - r->last_day);
}

int32_t population_tenure_days(const struct population *p, const struct population_row *r)
{
    return (int32_t)((int64_t)p->header->as_of_day - r->first_day);
}

double population_b2b_score(const struct population_row *r)
{
    int marks = ((r->flags & POPULATION_B2B_LTV) != 0) + ((r->flags & POPULATION_B2B_ORDERS) != 0) +
                ((r->flags & POPULATION_B2B_RESELLER) != 0);

    return marks > 1 ? 1 : 0.5 * marks;
}
