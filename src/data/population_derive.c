/*
 * population_derive: columns first, then the id index, then the row orders (a
 * stable radix sort of sort values, so that equal values stay in order of id),
 * and from those the RFM scores and the quantile. One scratch buffer of 32 bytes a row.
 */
#include "data/population_derive.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "data/population_format.h"
#include "data/select.h"
#include "model/axes_vocab.h"
#include "model/rfm.h"

_Static_assert(AXIS_COUNT == POPULATION_AXES, "the axes of a row");

#define RESELLER_ORDERS   20
#define RESELLER_PRODUCTS 50
#define ALL_B2B           (POPULATION_B2B_LTV | POPULATION_B2B_ORDERS | POPULATION_B2B_RESELLER)

struct sort_item {
    uint64_t key;
    uint32_t row;
};

/* The file's sections, writable. */
struct derive {
    struct population_header *header;
    const struct population_meta *meta;
    struct population view;
    struct population_row *rows;
    struct sort_item *items, *spare;
};

static void *section(const struct derive *d, unsigned id)
{
    return population_writable(d->header, id);
}

static void set_b2b(struct population_row *r, const struct population_meta *meta)
{
    r->flags &= ~(uint32_t)ALL_B2B;
    if (population_net_cents(r) > meta->b2b_min_ltv_cents)
        r->flags |= POPULATION_B2B_LTV;
    if ((int64_t)r->orders > meta->b2b_min_orders)
        r->flags |= POPULATION_B2B_ORDERS;
    if (r->orders > RESELLER_ORDERS && r->products > RESELLER_PRODUCTS)
        r->flags |= POPULATION_B2B_RESELLER;
}

static uint64_t dominant(const struct population_membership *m)
{
    uint8_t word = population_dominant(m);

    return word < POPULATION_WORDS_NONE ? word : POPULATION_WORDS_NONE;
}

/* All but the rfm group, which is known later. */
static uint64_t pack_words(const struct population_row *r)
{
    const uint64_t no_archetype = (1U << POPULATION_ARCHETYPE_BITS) - 1;
    uint64_t archetype = r->archetype < no_archetype ? r->archetype : no_archetype;
    uint64_t words = archetype << POPULATION_ARCHETYPE_SHIFT;

    for (unsigned axis = 0; axis < POPULATION_AXES; axis++)
        words |= ((r->flags & POPULATION_SEGMENTED) ? dominant(&r->axes[axis]) : POPULATION_WORDS_NONE) << 4 * axis;
    return words | (uint64_t)((r->flags & ALL_B2B) != 0) << POPULATION_B2B_SHIFT;
}

static void fill_columns(struct derive *d)
{
    int64_t *ltv = section(d, POPULATION_SECTION_LTV);
    float *churn = section(d, POPULATION_SECTION_CHURN), *clv = section(d, POPULATION_SECTION_CLV);
    int32_t *last = section(d, POPULATION_SECTION_DAYS), *first = section(d, POPULATION_SECTION_FIRST);
    uint32_t *orders = section(d, POPULATION_SECTION_ORDERS);
    uint64_t *words = section(d, POPULATION_SECTION_WORDS);

    for (size_t i = 0; i < d->header->rows; i++) {
        struct population_row *r = &d->rows[i];
        set_b2b(r, d->meta);
        /* Adding 0 turns -0 into 0: equal values must have equal bits to be sorted as equals. */
        r->churn = (r->flags & POPULATION_SCORED) ? r->churn + 0.0F : NAN;
        ltv[i] = population_net_cents(r);
        churn[i] = r->churn;
        clv[i] = (r->flags & POPULATION_SCORED) ? r->predicted_clv : NAN;
        last[i] = r->last_day;
        first[i] = r->first_day;
        orders[i] = r->orders;
        words[i] = pack_words(r);
    }
}

static void fill_index(struct derive *d)
{
    uint32_t *hash = section(d, POPULATION_SECTION_HASH);
    uint64_t mask = d->header->hash_size - 1;

    for (size_t i = 0; i < d->header->rows; i++) {
        uint64_t slot = hash_u64((uint64_t)d->rows[i].customer_id) & mask;
        while (hash[slot] != 0)
            slot = (slot + 1) & mask;
        hash[slot] = (uint32_t)i + 1;
    }
}

/* Bits that order as unsigned integers as the values do; no NaN, no -0. */
static uint64_t ordered_bits(double v)
{
    uint64_t bits;

    memcpy(&bits, &v, sizeof(bits));
    return bits >> 63 ? ~bits : bits | 1ULL << 63;
}

/* Sorts d->items by key, stable; bytes in which all keys agree cost nothing. */
static void radix_sort(struct derive *d, size_t n)
{
    size_t counts[8][256] = { { 0 } };

    for (size_t i = 0; i < n; i++)
        for (unsigned byte = 0; byte < 8; byte++)
            counts[byte][d->items[i].key >> 8 * byte & 255]++;
    for (unsigned byte = 0; byte < 8; byte++) {
        size_t *start = counts[byte], sum = 0;
        if (n == 0 || start[d->items[0].key >> 8 * byte & 255] == n)
            continue;
        for (unsigned v = 0; v < 256; v++) {
            size_t count = start[v];
            start[v] = sum;
            sum += count;
        }
        for (size_t i = 0; i < n; i++)
            d->spare[start[d->items[i].key >> 8 * byte & 255]++] = d->items[i];
        struct sort_item *sorted = d->spare;
        d->spare = d->items;
        d->items = sorted;
    }
}

static void fill_order(struct derive *d, enum population_order by)
{
    uint32_t *order = section(d, POPULATION_SECTION_ORDER_0 + (unsigned)by);
    size_t n = d->header->rows;

    for (size_t i = 0; i < n; i++)
        d->items[i] = (struct sort_item){ ordered_bits(select_sort_value(&d->view, by, i)), (uint32_t)i };
    radix_sort(d, n);
    for (size_t i = 0; i < n; i++) {
        bool first = i == 0 || d->items[i].key != d->items[i - 1].key;
        order[i] = d->items[i].row | (first ? POPULATION_ORDER_FIRST : 0);
    }
}

static int64_t value_of(const struct population *p, enum population_order by, size_t row)
{
    if (by == POPULATION_BY_LTV)
        return p->ltv_cents[row];
    return by == POPULATION_BY_RECENCY ? (int64_t)p->last_day[row] : (int64_t)p->orders[row];
}

/* Values of a column in an order, into the scratch buffer, those below `least` left out; returns their number. */
static size_t gather(const struct derive *d, enum population_order by, int64_t least, int64_t *out)
{
    size_t count = 0;

    for (size_t i = 0; i < d->header->rows; i++) {
        int64_t v = value_of(&d->view, by, d->view.order[by][i] & ~POPULATION_ORDER_FIRST);
        if (v >= least)
            out[count++] = v;
    }
    return count;
}

static void fill_rfm(struct derive *d)
{
    int64_t *values = (int64_t *)(void *)d->items;
    int64_t recency[4], frequency[3], monetary[4];
    uint64_t *words = section(d, POPULATION_SECTION_WORDS);

    rfm_cuts(values, gather(d, POPULATION_BY_RECENCY, INT64_MIN, values), 5, recency);
    rfm_cuts(values, gather(d, POPULATION_BY_ORDERS, 2, values), 4, frequency);
    rfm_cuts(values, gather(d, POPULATION_BY_LTV, INT64_MIN, values), 5, monetary);
    for (size_t i = 0; i < d->header->rows; i++) {
        struct population_row *r = &d->rows[i];
        r->rfm_recency = rfm_score(r->last_day, recency, 5, 1);
        r->rfm_frequency = r->orders < 2 ? 1 : rfm_score(r->orders, frequency, 4, 2);
        r->rfm_monetary = rfm_score(d->view.ltv_cents[i], monetary, 5, 1);
        r->rfm_group = (uint8_t)rfm_group_of(r->rfm_recency, r->rfm_frequency, r->rfm_monetary);
        words[i] |= (uint64_t)r->rfm_group << POPULATION_RFM_SHIFT;
    }
}

bool population_derive(struct population_header *h, const struct population_meta *meta, char *why, size_t why_size)
{
    struct derive d = { .header = h, .meta = meta };
    struct sort_item *scratch = malloc((h->rows + 1) * 2 * sizeof(*scratch));

    if (!scratch) {
        snprintf(why, why_size, "no memory to sort %" PRIu64 " customers", h->rows);
        return false;
    }
    population_attach(&d.view, h);
    d.rows = section(&d, POPULATION_SECTION_ROWS);
    d.items = scratch;
    d.spare = scratch + h->rows + 1;
    fill_columns(&d);
    fill_index(&d);
    for (unsigned by = 0; by < POPULATION_ORDER_COUNT; by++)
        fill_order(&d, (enum population_order)by);
    fill_rfm(&d);
    population_derive_predictions(h, d.view.model);
    bool whole = population_derive_totals(h, &d.view, why, why_size) &&
                 population_derive_archetypes(h, &d.view, why, why_size);
    free(scratch);
    return whole;
}
