/*
 * population: opening and verifying a file, and reading one customer.
 *
 * Verified, in this order: size, header, that the layout is the one its numbers
 * demand, the checksum, and that no index points past the rows and the id index
 * has an end. What the checksum covers is otherwise taken as the writer meant it.
 */
#include "data/population.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hash.h"
#include "data/population_format.h"

#define FREE_SECTION_MOST (1ULL << 40)

static bool refuse(char *why, size_t size, const char *name, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

static bool refuse(char *why, size_t size, const char *name, const char *fmt, ...)
{
    char text[256];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    snprintf(why, size, "%s: %s", name, text);
    return false;
}

static bool text_ends(const char *text, size_t size)
{
    return memchr(text, '\0', size) != NULL;
}

/* Do the given sections hold whole elements, as many as the header says? */
static bool check_given(const struct population_header *h, const char *name, char *why, size_t size)
{
    const struct population_section *s = h->sections;

    for (unsigned id = POPULATION_FIRST_GIVEN; id < POPULATION_SECTION_COUNT; id++)
        if (s[id].bytes > FREE_SECTION_MOST || s[id].bytes % population_element_bytes(id) != 0)
            return refuse(why, size, name, "damaged header: section %u has an impossible size", id);
    if (s[POPULATION_SECTION_ARCHETYPES].bytes / sizeof(struct population_archetype) != h->archetypes)
        return refuse(why, size, name, "damaged header: the section of archetypes does not hold %" PRIu64,
                      h->archetypes);
    return true;
}

/* Is the header sound, and the layout the one it demands? */
static bool check_header(const struct population_header *h, size_t bytes, const char *name, char *why, size_t size)
{
    if (h->magic != POPULATION_MAGIC)
        return refuse(why, size, name, "not a population file (wrong magic number)");
    if (h->format != POPULATION_FORMAT || h->header_bytes != sizeof(*h))
        return refuse(why, size, name,
                      "format %" PRIu32 " is not the format %d of this version; a sync writes it anew", h->format,
                      POPULATION_FORMAT);
    if (h->file_bytes != bytes)
        return refuse(why, size, name, "truncated or grown: %zu bytes where the header says %" PRIu64, bytes,
                      h->file_bytes);
    if (h->rows > POPULATION_MAX_ROWS || h->hash_size != population_hash_size(h->rows))
        return refuse(why, size, name, "damaged header: %" PRIu64 " rows, %" PRIu64 " index slots", h->rows,
                      h->hash_size);
    if (!text_ends(h->currency, sizeof(h->currency)) || !text_ends(h->model_version, sizeof(h->model_version)) ||
        !text_ends(h->model_status, sizeof(h->model_status)))
        return refuse(why, size, name, "damaged header: a text without an end");

    struct population_header expected = *h;
    if (!check_given(h, name, why, size))
        return false;
    population_layout(&expected);
    if (expected.file_bytes != bytes || memcmp(expected.sections, h->sections, sizeof(h->sections)) != 0)
        return refuse(why, size, name, "damaged header: the sections are not where %" PRIu64 " rows put them",
                      h->rows);
    return true;
}

/* Is every value below `limit`, `ignore` bits left out? Without branches, so that it runs at the speed of memory. */
static bool all_below(const uint32_t *values, size_t n, uint32_t ignore, uint64_t limit)
{
    uint32_t most = 0;

    for (size_t i = 0; i < n; i++) {
        uint32_t v = values[i] & ~ignore;
        most = v > most ? v : most;
    }
    return n == 0 || most < limit;
}

static bool has_zero(const uint32_t *values, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (values[i] == 0)
            return true;
    return false;
}

static bool check_contents(const struct population *p, const char *name, char *why, size_t size)
{
    for (unsigned i = 0; i < POPULATION_ORDER_COUNT; i++)
        if (!all_below(p->order[i], p->count, POPULATION_ORDER_FIRST, p->count))
            return refuse(why, size, name, "damaged: row order %u points past the rows", i);
    if (!all_below(p->hash, p->header->hash_size, 0, (uint64_t)p->count + 1))
        return refuse(why, size, name, "damaged: the id index points past the rows");
    if (!has_zero(p->hash, p->header->hash_size))
        return refuse(why, size, name, "damaged: the id index has no free slot");
    if (p->model && p->model->format != MODEL_PARAMS_FORMAT)
        return refuse(why, size, name, "holds a model of format %" PRId64 " where this version has %d",
                      p->model->format, MODEL_PARAMS_FORMAT);
    return true;
}

static bool verify(struct population *p, const struct population_header *h, size_t bytes, const char *name, char *why,
                   size_t size)
{
    if (!check_header(h, bytes, name, why, size))
        return false;
    if (population_checksum(h, bytes) != h->checksum)
        return refuse(why, size, name, "damaged: the checksum does not match the contents");
    population_attach(p, h);
    return check_contents(p, name, why, size);
}

struct population *population_map(int fd, const char *name, char *why, size_t why_size)
{
    struct stat st;

    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        refuse(why, why_size, name, "not a regular file");
        return NULL;
    }
    if (st.st_size < (off_t)sizeof(struct population_header)) {
        refuse(why, why_size, name, "truncated: %lld bytes are less than a header", (long long)st.st_size);
        return NULL;
    }
    size_t bytes = (size_t)st.st_size;
    struct population *p = calloc(1, sizeof(*p));
    void *map = p ? mmap(NULL, bytes, PROT_READ, MAP_SHARED, fd, 0) : MAP_FAILED;
    if (map == MAP_FAILED) {
        refuse(why, why_size, name, "cannot map %zu bytes: %s", bytes, strerror(errno));
        free(p);
        return NULL;
    }
    madvise(map, bytes, MADV_WILLNEED);
    if (!verify(p, map, bytes, name, why, why_size)) {
        munmap(map, bytes);
        free(p);
        return NULL;
    }
    p->users = 1;
    return p;
}

static struct population *open_at(int dir, uint64_t data_version, char *why, size_t why_size)
{
    char name[POPULATION_NAME_SIZE];

    population_file_name(name, data_version);
    int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        refuse(why, why_size, name, "cannot open: %s", strerror(errno));
        return NULL;
    }
    struct population *p = population_map(fd, name, why, why_size);
    close(fd);
    if (p && p->header->data_version != data_version) {
        refuse(why, why_size, name, "holds data version %" PRIu64, p->header->data_version);
        population_release(p);
        return NULL;
    }
    return p;
}

struct population *population_open(const char *dir, uint64_t data_version, char *why, size_t why_size)
{
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0) {
        refuse(why, why_size, dir, "cannot open the directory: %s", strerror(errno));
        return NULL;
    }
    struct population *p = open_at(fd, data_version, why, why_size);
    close(fd);
    return p;
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
            refuse(why, why_size, dir, "cannot open the directory: %s", strerror(errno));
        return NULL;
    }
    while (!p && newest_below(d, version, &version)) {
        p = open_at(dirfd(d), version, reason, sizeof(reason));
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

const struct population_row *population_find(const struct population *p, int64_t customer_id)
{
    uint64_t mask = p->header->hash_size - 1;

    for (uint64_t slot = hash_u64((uint64_t)customer_id) & mask; p->hash[slot] != 0; slot = (slot + 1) & mask) {
        const struct population_row *row = &p->rows[p->hash[slot] - 1];
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
