/*
 * population_write: life of a file being written: temporary name, reserved
 * space, rows in place, what the scoring gave behind them, derived sections, checksum, disk, final name.
 *
 * The space is reserved before the file is mapped: writing to a mapped hole on a full disk would be SIGBUS.
 */
#include "data/population_write.h"

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
#include <unistd.h>

#include "base/str.h"
#include "data/population_derive.h"
#include "data/population_format.h"

#define TEMPORARY_SUFFIX ".tmp"

struct population_writer {
    int dir, fd;
    struct population_meta meta;
    struct population_header *header; /* the mapping */
    size_t bytes;
    struct population_row *rows;
    uint64_t added;
    struct {
        void *bytes; /* a copy */
        size_t size;
    } given[POPULATION_SECTION_COUNT];
    char name[POPULATION_NAME_SIZE], temporary[POPULATION_NAME_SIZE + sizeof(TEMPORARY_SUFFIX)];
};

static bool fail(char *why, size_t size, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

static bool fail(char *why, size_t size, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(why, size, fmt, ap);
    va_end(ap);
    return false;
}

static void fill_header(struct population_header *h, uint64_t rows, const struct population_meta *m)
{
    *h = (struct population_header){
        .magic = POPULATION_MAGIC,
        .format = POPULATION_FORMAT,
        .header_bytes = sizeof(*h),
        .data_version = m->data_version,
        .published_us = m->published_us,
        .synced_us = m->synced_us,
        .trained_us = m->trained_us,
        .as_of_day = m->as_of_day,
        .settings = m->settings,
        .rows = rows,
        .hash_size = population_hash_size(rows),
        .orders_loaded = m->orders_loaded,
        .rows_loaded = m->rows_loaded,
        .guest_rows = m->guest_rows,
    };
    str_copy(h->currency, sizeof(h->currency), str_from(m->currency));
    str_copy(h->model_version, sizeof(h->model_version), str_from(m->model_version));
    str_copy(h->model_status, sizeof(h->model_status), str_from(m->model_status));
    population_layout(h);
}

/* A new file under the temporary name, its space reserved, mapped. */
static bool create(struct population_writer *w, const char *dir, const struct population_header *h, char *why,
                   size_t why_size)
{
    w->dir = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (w->dir < 0)
        return fail(why, why_size, "cannot open the state directory %s: %s", dir, strerror(errno));
    if (unlinkat(w->dir, w->temporary, 0) != 0 && errno != ENOENT)
        return fail(why, why_size, "cannot remove the leftover %s/%s: %s", dir, w->temporary, strerror(errno));
    w->fd = openat(w->dir, w->temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
    if (w->fd < 0)
        return fail(why, why_size, "cannot create %s/%s: %s", dir, w->temporary, strerror(errno));

    w->bytes = h->file_bytes;
    int error = posix_fallocate(w->fd, 0, (off_t)w->bytes);
    if (error != 0)
        return fail(why, why_size, "cannot reserve %zu bytes for %s/%s: %s", w->bytes, dir, w->temporary,
                    strerror(error));
    void *map = mmap(NULL, w->bytes, PROT_READ | PROT_WRITE, MAP_SHARED, w->fd, 0);
    if (map == MAP_FAILED)
        return fail(why, why_size, "cannot map %zu bytes of %s/%s: %s", w->bytes, dir, w->temporary, strerror(errno));
    w->header = map;
    *w->header = *h;
    w->rows = (void *)((char *)map + h->sections[POPULATION_SECTION_ROWS].offset);
    return true;
}

struct population_writer *population_writer_new(const char *dir, uint64_t rows, const struct population_meta *meta,
                                                char *why, size_t why_size)
{
    struct population_header h;

    if (rows > POPULATION_MAX_ROWS) {
        fail(why, why_size, "%" PRIu64 " customers are more than a population holds (%u)", rows, POPULATION_MAX_ROWS);
        return NULL;
    }
    struct population_writer *w = calloc(1, sizeof(*w));
    if (!w) {
        fail(why, why_size, "no memory for the population writer");
        return NULL;
    }
    w->dir = w->fd = -1;
    w->meta = *meta;
    population_file_name(w->name, meta->data_version);
    snprintf(w->temporary, sizeof(w->temporary), "%s%s", w->name, TEMPORARY_SUFFIX);
    fill_header(&h, rows, meta);
    if (!create(w, dir, &h, why, why_size)) {
        population_writer_abort(w);
        return NULL;
    }
    return w;
}

static bool is_probability(float v)
{
    return v >= 0 && v <= 1;
}

static const char *fault_of(const struct population_writer *w, const struct population_row *r)
{
    if (w->added == w->header->rows)
        return "is one more than were announced";
    if (w->added > 0 && r->customer_id <= w->rows[w->added - 1].customer_id)
        return "does not follow the one before in ascending order";
    if (r->orders == 0)
        return "has no order";
    if (r->first_day > r->last_day || r->last_day > w->meta.as_of_day)
        return "has order days that are not first <= last <= as-of day";
    int64_t net;
    if (__builtin_sub_overflow(r->gross_cents, r->refunds_cents, &net))
        return "has sales that do not fit in 64 bits of cents";
    if (!(r->flags & POPULATION_SCORED))
        return NULL;
    if (!is_probability(r->churn) || !is_probability(r->p_alive))
        return "has a churn or p_alive that is no probability";
    if (!isfinite(r->spend_mean) || !isfinite(r->expected_orders) || !isfinite(r->expected_orders_90) ||
        !isfinite(r->predicted_clv) || !isfinite(r->predicted_clv_discounted))
        return "has a prediction that is not finite";
    return NULL;
}

bool population_writer_add(struct population_writer *w, const struct population_row *row, char *why, size_t why_size)
{
    const char *fault = fault_of(w, row);

    if (fault)
        return fail(why, why_size, "%s: customer %" PRId64 " %s", w->name, row->customer_id, fault);
    w->rows[w->added++] = *row;
    return true;
}

static bool give(struct population_writer *w, unsigned id, const void *bytes, size_t size)
{
    if (w->given[id].bytes || size == 0)
        return size == 0;
    w->given[id].bytes = malloc(size);
    if (!w->given[id].bytes)
        return false;
    memcpy(w->given[id].bytes, bytes, size);
    w->given[id].size = size;
    return true;
}

bool population_writer_set_archetypes(struct population_writer *w, const uint64_t *ids, size_t count)
{
    struct population_archetype *list = calloc(count + 1, sizeof(*list));
    bool rising = true;

    if (!list)
        return false;
    for (size_t i = 0; i < count; i++) {
        rising &= i == 0 || ids[i] > ids[i - 1];
        list[i].id = ids[i];
        list[i].series = POPULATION_NO_SERIES;
    }
    bool given = rising && give(w, POPULATION_SECTION_ARCHETYPES, list, count * sizeof(*list));
    free(list);
    if (given)
        w->header->archetypes = count;
    return given;
}

bool population_writer_set_series(struct population_writer *w, const struct population_series *series, size_t count)
{
    struct population_archetype *list = w->given[POPULATION_SECTION_ARCHETYPES].bytes;
    float(*active)[POPULATION_MONTHS_AHEAD] = calloc(count + 1, sizeof(*active));
    bool good = active && count <= POPULATION_MAX_SERIES;

    for (size_t i = 0; good && i < count; i++) {
        good =
            series[i].archetype < w->header->archetypes && list[series[i].archetype].series == POPULATION_NO_SERIES;
        if (!good)
            break;
        list[series[i].archetype].series = (uint32_t)i;
        memcpy(active[i], series[i].active, sizeof(*active));
    }
    good = good && give(w, POPULATION_SECTION_STAYING, active, count * sizeof(*active));
    free(active);
    return good;
}

bool population_writer_set_months(struct population_writer *w, const struct population_month *months, size_t count)
{
    for (size_t i = 1; i < count; i++)
        if (months[i].month != months[i - 1].month + 1)
            return false;
    return give(w, POPULATION_SECTION_MONTHS, months, count * sizeof(*months));
}

bool population_writer_set_outlook(struct population_writer *w,
                                   const struct forecast_month months[POPULATION_MONTHS_AHEAD])
{
    return give(w, POPULATION_SECTION_OUTLOOK, months, POPULATION_MONTHS_AHEAD * sizeof(*months));
}

bool population_writer_set_cohorts(struct population_writer *w, const struct cohort_table *cohorts)
{
    return give(w, POPULATION_SECTION_COHORTS, cohorts, sizeof(*cohorts));
}

bool population_writer_set_past(struct population_writer *w, const struct population_past *past)
{
    return give(w, POPULATION_SECTION_PAST, past, sizeof(*past));
}

bool population_writer_set_model(struct population_writer *w, const struct model_params *m)
{
    return give(w, POPULATION_SECTION_MODEL, m, sizeof(*m));
}

/* The given sections go behind the rows and what is derived from them: the file grows. */
static bool add_given(struct population_writer *w, char *why, size_t why_size)
{
    size_t before = w->bytes;

    for (unsigned id = POPULATION_FIRST_GIVEN; id < POPULATION_SECTION_COUNT; id++)
        w->header->sections[id].bytes = w->given[id].size;
    population_layout(w->header);
    size_t bytes = w->header->file_bytes;
    int error = bytes > before ? posix_fallocate(w->fd, (off_t)before, (off_t)(bytes - before)) : 0;
    if (error != 0)
        return fail(why, why_size, "cannot reserve %zu bytes for %s: %s", bytes, w->temporary, strerror(error));
    void *map = mremap(w->header, before, bytes, MREMAP_MAYMOVE);
    if (map == MAP_FAILED)
        return fail(why, why_size, "cannot map %zu bytes of %s: %s", bytes, w->temporary, strerror(errno));
    w->header = map;
    w->bytes = bytes;
    w->rows = (void *)((char *)map + w->header->sections[POPULATION_SECTION_ROWS].offset);
    for (unsigned id = POPULATION_FIRST_GIVEN; id < POPULATION_SECTION_COUNT; id++)
        if (w->given[id].size > 0)
            memcpy((char *)map + w->header->sections[id].offset, w->given[id].bytes, w->given[id].size);
    return true;
}

/* The file is complete: to disk with it, and under its name. */
static bool publish(struct population_writer *w, char *why, size_t why_size)
{
    w->header->checksum = population_checksum(w->header, w->bytes);
    if (msync(w->header, w->bytes, MS_SYNC) != 0 || fsync(w->fd) != 0)
        return fail(why, why_size, "cannot write %s to disk: %s", w->temporary, strerror(errno));
    if (renameat(w->dir, w->temporary, w->dir, w->name) != 0)
        return fail(why, why_size, "cannot rename %s to %s: %s", w->temporary, w->name, strerror(errno));
    if (fsync(w->dir) != 0) {
        fail(why, why_size, "cannot write the directory of %s to disk: %s", w->name, strerror(errno));
        unlinkat(w->dir, w->name, 0);
        return false;
    }
    return true;
}

bool population_writer_finish(struct population_writer *w, char *why, size_t why_size)
{
    bool done;

    if (w->added != w->header->rows)
        done = fail(why, why_size, "%s: %" PRIu64 " customers came where %" PRIu64 " were announced", w->name,
                    w->added, w->header->rows);
    else
        done = add_given(w, why, why_size) && population_derive(w->header, &w->meta, why, why_size) &&
               publish(w, why, why_size);
    population_writer_abort(w);
    return done;
}

void population_writer_abort(struct population_writer *w)
{
    if (!w)
        return;
    if (w->header)
        munmap(w->header, w->bytes);
    if (w->fd >= 0) {
        close(w->fd);
        unlinkat(w->dir, w->temporary, 0); /* gone already when it was renamed */
    }
    if (w->dir >= 0)
        close(w->dir);
    for (unsigned id = 0; id < POPULATION_SECTION_COUNT; id++)
        free(w->given[id].bytes);
    free(w);
}

static bool is_temporary(const char *name)
{
    char base[POPULATION_NAME_SIZE];
    struct str s = str_from(name);
    uint64_t version;

    if (s.len <= sizeof(TEMPORARY_SUFFIX) - 1)
        return false;
    s.len -= sizeof(TEMPORARY_SUFFIX) - 1;
    return strcmp(name + s.len, TEMPORARY_SUFFIX) == 0 && str_copy(base, sizeof(base), s) &&
           population_parse_name(base, &version);
}

/* The highest version below `current` there is; `current` itself when there is none. */
static uint64_t newest_before(DIR *d, uint64_t current)
{
    uint64_t newest = current, version;
    struct dirent *e;

    while ((e = readdir(d)))
        if (population_parse_name(e->d_name, &version) && version < current &&
            (newest == current || version > newest))
            newest = version;
    return newest;
}

void population_prune(const char *dir, uint64_t current)
{
    DIR *d = opendir(dir);
    struct dirent *e;

    if (!d)
        return;
    uint64_t before = newest_before(d, current), version;
    rewinddir(d);
    while ((e = readdir(d)))
        if (is_temporary(e->d_name) ||
            (population_parse_name(e->d_name, &version) && version != current && version != before))
            unlinkat(dirfd(d), e->d_name, 0);
    closedir(d);
}
