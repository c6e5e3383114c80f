/*
 * population_totals: sums over all rows, and over the rows of each archetype. Sums are taken in order of row, so
 * equal rows give equal bytes.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "data/population_derive.h"
#include "data/population_format.h"

#define WORD_MASK 15U

static unsigned word_of(const struct population *p, size_t row, unsigned axis)
{
    return (unsigned)(p->words[row] >> 4 * axis) & WORD_MASK;
}

static bool is_active(const struct population_header *h, const struct population_row *r)
{
    return (int64_t)h->as_of_day - r->last_day <= h->settings.active_window_days;
}

static bool is_acquired(const struct population_header *h, const struct population_row *r)
{
    return (int64_t)h->as_of_day - r->first_day < POPULATION_ACQUIRED_DAYS;
}

static void count_risk(struct population_aggregates *t, float churn)
{
    switch (population_risk_of(churn)) {
    case POPULATION_RISK_CRITICAL:
        t->critical++;
        break;
    case POPULATION_RISK_HIGH:
        t->high++;
        break;
    case POPULATION_RISK_MEDIUM:
        t->medium++;
        break;
    case POPULATION_RISK_LOW:
        t->low++;
        break;
    case POPULATION_RISK_UNKNOWN:
        return;
    }
    t->scored++;
    t->churn_sum += (double)churn;
}

/* False when money overflows. */
static bool add_row(struct population_aggregates *t, const struct population *p, size_t i)
{
    const struct population_header *h = p->header;
    const struct population_row *r = &p->rows[i];

    if (__builtin_add_overflow(t->gross_cents, r->gross_cents, &t->gross_cents) ||
        __builtin_add_overflow(t->refunds_cents, r->refunds_cents, &t->refunds_cents))
        return false;
    t->orders += r->orders;
    t->active += is_active(h, r);
    t->acquired += is_acquired(h, r);
    t->tenure_days += population_tenure_days(p, r);
    t->first_day = i == 0 || r->first_day < t->first_day ? r->first_day : t->first_day;
    t->last_day = i == 0 || r->last_day > t->last_day ? r->last_day : t->last_day;
    t->segmented += (r->flags & POPULATION_SEGMENTED) != 0;
    t->b2b += population_b2b_score(r) > 0;
    t->rfm_groups[r->rfm_group]++;
    for (unsigned axis = 0; axis < POPULATION_AXES; axis++)
        t->members[axis][word_of(p, i, axis)]++;
    count_risk(t, r->churn);
    if (r->flags & POPULATION_SCORED) {
        t->expected_orders_90 += (double)r->expected_orders_90;
        t->predicted_clv += (double)r->predicted_clv;
    }
    return true;
}

static uint32_t row_at(const struct population *p, enum population_order by, size_t place)
{
    return p->order[by][place] & ~POPULATION_ORDER_FIRST;
}

/* Of those scored, who follow the unscored in their order. */
static double median_churn(const struct population *p, size_t scored)
{
    size_t start = p->count - scored;

    if (scored == 0)
        return 0;
    double low = (double)p->churn[row_at(p, POPULATION_BY_CHURN, start + (scored - 1) / 2)];
    double high = (double)p->churn[row_at(p, POPULATION_BY_CHURN, start + scored / 2)];
    return (low + high) / 2;
}

bool population_derive_totals(struct population_header *h, const struct population *view, char *why, size_t why_size)
{
    struct population_aggregates *t = population_writable(h, POPULATION_SECTION_AGGREGATES);
    bool whole = true;

    t->first_day = t->last_day = CLOCK_NO_DAY;
    for (size_t i = 0; i < view->count && whole; i++)
        whole = add_row(t, view, i);
    if (view->count > 0) {
        size_t rank = (95 * view->count + 99) / 100; /* nearest: the smallest value that 95 % do not exceed */
        t->ltv_p95_cents = view->ltv_cents[row_at(view, POPULATION_BY_LTV, rank - 1)];
    }
    t->churn_median = median_churn(view, t->scored);
    if (!whole || __builtin_sub_overflow(t->gross_cents, t->refunds_cents, &t->net_cents)) {
        snprintf(why, why_size,
                 "the sum of all sales does not fit in 64 bits of cents: the source holds absurd amounts");
        return false;
    }
    return true;
}

static void add_member(struct population_archetype *a, const struct population *p, size_t i)
{
    const struct population_row *r = &p->rows[i];

    a->members++;
    a->active += is_active(p->header, r);
    a->acquired += is_acquired(p->header, r);
    a->orders += r->orders;
    a->net_cents += p->ltv_cents[i]; /* the sum of all fits */
    a->days_since += population_days_since(p, r);
    a->orders_per_year += population_orders_per_year(p, r);
    if (r->flags & POPULATION_SCORED) {
        a->churn_sum += (double)r->churn;
        a->expected_orders_90 += (double)r->expected_orders_90;
    }
}

static void set_words(struct population_archetype *a, uint32_t counts[POPULATION_AXES][POPULATION_WORDS])
{
    for (unsigned axis = 0; axis < POPULATION_AXES; axis++) {
        unsigned most = 0;
        for (unsigned word = 1; word < POPULATION_WORDS; word++)
            if (counts[axis][word] > counts[axis][most])
                most = word;
        a->words[axis] = most < POPULATION_WORDS_NONE ? (uint8_t)most : POPULATION_WORD_NONE;
        a->with_word[axis] = counts[axis][most];
    }
}

/* `first` and `next` hold row + 1 of the members of each archetype, in order of row; 0 ends the list. */
static void fill_archetype(struct population_archetype *a, const struct population *p, uint32_t first,
                           const uint32_t *next)
{
    uint32_t counts[POPULATION_AXES][POPULATION_WORDS] = { { 0 } };

    for (uint32_t row = first; row != 0; row = next[row - 1]) {
        add_member(a, p, row - 1);
        for (unsigned axis = 0; axis < POPULATION_AXES; axis++)
            counts[axis][word_of(p, row - 1, axis)]++;
    }
    set_words(a, counts);
}

bool population_derive_archetypes(struct population_header *h, const struct population *view, char *why,
                                  size_t why_size)
{
    struct population_archetype *list = population_writable(h, POPULATION_SECTION_ARCHETYPES);
    uint32_t *first = calloc(h->archetypes + 1, sizeof(*first)), *next = malloc((view->count + 1) * sizeof(*next));
    bool good = first && next;

    if (!good)
        snprintf(why, why_size, "no memory to sum up %" PRIu64 " archetypes", h->archetypes);
    for (size_t i = view->count; good && i-- > 0;) {
        uint32_t archetype = view->rows[i].archetype;
        if (archetype == POPULATION_NO_ARCHETYPE)
            continue;
        good = archetype < h->archetypes;
        if (!good) {
            snprintf(why, why_size, "customer %" PRId64 " is in archetype %" PRIu32 " of %" PRIu64,
                     view->rows[i].customer_id, archetype, h->archetypes);
            break;
        }
        next[i] = first[archetype];
        first[archetype] = (uint32_t)i + 1;
    }
    for (size_t i = 0; good && i < h->archetypes; i++)
        fill_archetype(&list[i], view, first[i], next);
    free(first);
    free(next);
    return good;
}
