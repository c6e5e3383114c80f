/*
 * population_check: is a file what its writer wrote?
 *
 * Verified, in this order: size, header, that the layout is the one its numbers demand, the checksum, and that no
 * index points past the rows and the id index has an end. What the checksum covers is otherwise taken as the writer
 * meant it. The header is looked at as a whole; the rest in pieces, so that a process with a loop need not stand
 * still for it.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "data/population_format.h"

#define FREE_SECTION_MOST (1ULL << 40)

bool population_refuse(char *why, size_t size, const char *name, const char *fmt, ...)
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
            return population_refuse(why, size, name, "damaged header: section %u has an impossible size", id);
    if (s[POPULATION_SECTION_ARCHETYPES].bytes / sizeof(struct population_archetype) != h->archetypes)
        return population_refuse(why, size, name, "damaged header: the section of archetypes does not hold %" PRIu64,
                                 h->archetypes);
    return true;
}

bool population_check_header(const struct population_header *h, size_t bytes, const char *name, char *why,
                             size_t size)
{
    if (h->magic != POPULATION_MAGIC)
        return population_refuse(why, size, name, "not a population file (wrong magic number)");
    if (h->format != POPULATION_FORMAT || h->header_bytes != sizeof(*h))
        return population_refuse(why, size, name,
                                 "format %" PRIu32 " is not the format %d of this version; a sync writes it anew",
                                 h->format, POPULATION_FORMAT);
    if (h->file_bytes != bytes)
        return population_refuse(why, size, name, "truncated or grown: %zu bytes where the header says %" PRIu64,
                                 bytes, h->file_bytes);
    if (h->rows > POPULATION_MAX_ROWS || h->hash_size != population_hash_size(h->rows))
        return population_refuse(why, size, name, "damaged header: %" PRIu64 " rows, %" PRIu64 " index slots",
                                 h->rows, h->hash_size);
    if (!text_ends(h->currency, sizeof(h->currency)) || !text_ends(h->model_version, sizeof(h->model_version)) ||
        !text_ends(h->model_status, sizeof(h->model_status)))
        return population_refuse(why, size, name, "damaged header: a text without an end");

    struct population_header expected = *h;
    if (!check_given(h, name, why, size))
        return false;
    population_layout(&expected);
    if (expected.file_bytes != bytes || memcmp(expected.sections, h->sections, sizeof(h->sections)) != 0)
        return population_refuse(why, size, name,
                                 "damaged header: the sections are not where %" PRIu64 " rows put them", h->rows);
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

static bool damaged(const struct population *p, char *why, size_t size, const char *what)
{
    char name[POPULATION_NAME_SIZE];

    population_file_name(name, p->header->data_version);
    return population_refuse(why, size, name, "damaged: %s", what);
}

static bool all_seen(const struct population_progress *at)
{
    return at->index > POPULATION_ORDER_COUNT;
}

/* The next piece of the bytes; what was looked at goes off *left. */
static bool check_bytes(struct population *p, size_t *left, char *why, size_t size)
{
    struct population_progress *at = &p->progress;
    size_t from = at->byte;

    at->sum = population_checksum_piece(at->sum, p->header, p->map_bytes, &at->byte);
    *left -= at->byte - from < *left ? at->byte - from : *left;
    return at->byte < p->map_bytes || at->sum == p->header->checksum ||
           damaged(p, why, size, "the checksum does not match the contents");
}

/* The next values of the row order or the id index under way. */
static bool check_values(struct population *p, size_t *left, char *why, size_t size)
{
    struct population_progress *at = &p->progress;
    bool order = at->index < POPULATION_ORDER_COUNT;
    const uint32_t *values = (order ? p->order[at->index] : p->hash) + at->value;
    size_t all = (order ? p->count : p->header->hash_size) - at->value, most = *left / sizeof(*values) + 1;
    size_t n = all < most ? all : most;

    if (order && !all_below(values, n, POPULATION_ORDER_FIRST, p->count))
        return damaged(p, why, size, "a row order points past the rows");
    if (!order && !all_below(values, n, 0, (uint64_t)p->count + 1))
        return damaged(p, why, size, "the id index points past the rows");
    at->free_slot = at->free_slot || (!order && has_zero(values, n));
    *left -= n * sizeof(*values) < *left ? n * sizeof(*values) : *left;
    at->value += n;
    if (n == all) {
        at->value = 0;
        at->index++;
    }
    return true;
}

/* What can be told when all has been seen. */
static bool check_whole(const struct population *p, char *why, size_t size)
{
    char name[POPULATION_NAME_SIZE];

    if (!p->progress.free_slot)
        return damaged(p, why, size, "the id index has no free slot");
    if (p->model == NULL || p->model->format == MODEL_PARAMS_FORMAT)
        return true;
    population_file_name(name, p->header->data_version);
    return population_refuse(why, size, name, "holds a model of format %" PRId64 " where this version has %d",
                             p->model->format, MODEL_PARAMS_FORMAT);
}

enum population_verdict population_check(struct population *p, char *why, size_t why_size)
{
    struct population_progress *at = &p->progress;
    size_t left = POPULATION_PIECE_BYTES;

    while (left > 0 && !all_seen(at))
        if (!(at->byte < p->map_bytes ? check_bytes(p, &left, why, why_size) : check_values(p, &left, why, why_size)))
            return POPULATION_DAMAGED;
    if (!all_seen(at))
        return POPULATION_NOT_YET;
    return check_whole(p, why, why_size) ? POPULATION_GOOD : POPULATION_DAMAGED;
}
