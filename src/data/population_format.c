/*
 * population_format: where everything is in the file. The layout follows from
 * a few numbers of the header alone, so a reader recomputes it and believes no offset.
 */
#include "data/population_format.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "base/str.h"

#define SECTION_ALIGN 64
#define DAYS_PER_YEAR 365.25

void population_file_name(char name[POPULATION_NAME_SIZE], uint64_t data_version)
{
    snprintf(name, POPULATION_NAME_SIZE, "population-%" PRIu64 ".bin", data_version);
}

bool population_parse_name(const char *name, uint64_t *data_version)
{
    static const char prefix[] = "population-", suffix[] = ".bin";
    struct str s = str_from(name);
    char again[POPULATION_NAME_SIZE];
    uint64_t v;

    if (!str_starts(s, prefix) || s.len < sizeof(prefix) - 1 + sizeof(suffix) - 1)
        return false;
    s.p += sizeof(prefix) - 1;
    s.len -= sizeof(prefix) - 1 + sizeof(suffix) - 1;
    if (!str_to_u64(s, &v))
        return false;
    population_file_name(again, v);
    if (strcmp(again, name) != 0)
        return false;
    *data_version = v;
    return true;
}

uint64_t population_hash_size(uint64_t rows)
{
    uint64_t size = 1;

    while (size < 2 * rows)
        size *= 2;
    return size;
}

static uint64_t section_bytes(const struct population_header *h, unsigned id)
{
    if (id >= POPULATION_SECTION_ORDER_0 && id < POPULATION_SECTION_ORDER_0 + POPULATION_ORDER_COUNT)
        return h->rows * sizeof(uint32_t);
    switch ((enum population_section_id)id) {
    case POPULATION_SECTION_ROWS:
        return h->rows * sizeof(struct population_row);
    case POPULATION_SECTION_LTV:
    case POPULATION_SECTION_WORDS:
        return h->rows * sizeof(uint64_t);
    case POPULATION_SECTION_CHURN:
    case POPULATION_SECTION_CLV:
    case POPULATION_SECTION_DAYS:
    case POPULATION_SECTION_FIRST:
    case POPULATION_SECTION_ORDERS:
        return h->rows * sizeof(uint32_t);
    case POPULATION_SECTION_HASH:
        return h->hash_size * sizeof(uint32_t);
    case POPULATION_SECTION_AGGREGATES:
        return sizeof(struct population_aggregates);
    default:
        return h->sections[id].bytes;
    }
}

size_t population_element_bytes(unsigned id)
{
    switch ((enum population_section_id)id) {
    case POPULATION_SECTION_ARCHETYPES:
        return sizeof(struct population_archetype);
    case POPULATION_SECTION_STAYING:
        return sizeof(float[POPULATION_MONTHS_AHEAD]);
    case POPULATION_SECTION_OUTLOOK:
        return sizeof(struct forecast_month[POPULATION_MONTHS_AHEAD]);
    case POPULATION_SECTION_MONTHS:
        return sizeof(struct population_month);
    case POPULATION_SECTION_COHORTS:
        return sizeof(struct cohort_table);
    case POPULATION_SECTION_PAST:
        return sizeof(struct population_past);
    case POPULATION_SECTION_MODEL:
        return sizeof(struct model_params);
    default:
        return 1;
    }
}

void population_layout(struct population_header *h)
{
    uint64_t end = sizeof(*h);

    for (unsigned id = 0; id < POPULATION_SECTION_COUNT; id++) {
        struct population_section *s = &h->sections[id];
        s->offset = (end + SECTION_ALIGN - 1) / SECTION_ALIGN * SECTION_ALIGN;
        s->bytes = section_bytes(h, id);
        end = s->offset + s->bytes;
    }
    h->file_bytes = end;
}

uint64_t population_checksum_piece(uint64_t sum, const void *file, size_t bytes, size_t *at)
{
    size_t from = *at, n = bytes - from < POPULATION_PIECE_BYTES ? bytes - from : POPULATION_PIECE_BYTES;

    if (from == 0) {
        struct population_header h;
        memcpy(&h, file, sizeof(h));
        h.checksum = 0;
        *at = sizeof(h);
        return hash_fast(sum, &h, sizeof(h));
    }
    *at = from + n;
    return hash_fast(sum, (const char *)file + from, n);
}

uint64_t population_checksum(const void *file, size_t bytes)
{
    uint64_t sum = 0;

    for (size_t at = 0; at < bytes;)
        sum = population_checksum_piece(sum, file, bytes, &at);
    return sum;
}

static const void *section(const struct population_header *h, unsigned id)
{
    return (const char *)h + h->sections[id].offset;
}

static size_t elements(const struct population_header *h, unsigned id)
{
    return h->sections[id].bytes / population_element_bytes(id);
}

/* A section of one element, NULL when it is empty. */
static const void *given(const struct population_header *h, unsigned id)
{
    return h->sections[id].bytes > 0 ? section(h, id) : NULL;
}

/* What the scoring gave. */
static void attach_given(struct population *p, const struct population_header *h)
{
    p->archetypes = section(h, POPULATION_SECTION_ARCHETYPES);
    p->archetype_count = elements(h, POPULATION_SECTION_ARCHETYPES);
    p->staying = section(h, POPULATION_SECTION_STAYING);
    p->series_count = elements(h, POPULATION_SECTION_STAYING);
    p->months = section(h, POPULATION_SECTION_MONTHS);
    p->month_count = elements(h, POPULATION_SECTION_MONTHS);
    p->outlook = given(h, POPULATION_SECTION_OUTLOOK);
    p->cohorts = given(h, POPULATION_SECTION_COHORTS);
    p->past = given(h, POPULATION_SECTION_PAST);
    p->model = given(h, POPULATION_SECTION_MODEL);
}

void population_attach(struct population *p, const struct population_header *h)
{
    p->header = h;
    p->rows = section(h, POPULATION_SECTION_ROWS);
    p->ltv_cents = section(h, POPULATION_SECTION_LTV);
    p->churn = section(h, POPULATION_SECTION_CHURN);
    p->predicted_clv = section(h, POPULATION_SECTION_CLV);
    p->last_day = section(h, POPULATION_SECTION_DAYS);
    p->first_day = section(h, POPULATION_SECTION_FIRST);
    p->orders = section(h, POPULATION_SECTION_ORDERS);
    p->words = section(h, POPULATION_SECTION_WORDS);
    p->hash = section(h, POPULATION_SECTION_HASH);
    for (unsigned i = 0; i < POPULATION_ORDER_COUNT; i++)
        p->order[i] = section(h, POPULATION_SECTION_ORDER_0 + i);
    p->totals = section(h, POPULATION_SECTION_AGGREGATES);
    attach_given(p, h);
    p->count = h->rows;
    p->map_bytes = h->file_bytes;
}

double population_rate(uint32_t orders, int32_t first_day, int32_t as_of_day)
{
    int64_t tenure = (int64_t)as_of_day - first_day;

    return (double)orders * DAYS_PER_YEAR / (double)(tenure > 1 ? tenure : 1);
}
