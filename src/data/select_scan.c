/*
 * select_scan: whole blocks of rows, one column at a time.
 *
 * A block has a fixed size. The columns of four bytes come first, in loops without
 * branches that the compiler turns into vector code; the rows they leave are
 * then listed, and each further filter shortens the list. The rows behind the
 * last whole block are looked at one by one.
 */
#include "data/select_scan.h"

#include <math.h>
#include <string.h>

#define BLOCK_ROWS 512U
#define FAR_DAYS   (1LL << 33) /* beyond every difference of two days */

static int64_t clamp(int64_t v, int64_t least, int64_t most)
{
    return v < least ? least : v > most ? most : v;
}

/* The range within least…most; false when it is empty. */
static bool take_range(const struct select_range_i64 *r, int64_t least, int64_t most, int64_t *from, int64_t *to)
{
    if ((r->has_least && r->least > most) || (r->has_most && r->most < least))
        return false;
    *from = r->has_least ? clamp(r->least, least, most) : least;
    *to = r->has_most ? clamp(r->most, least, most) : most;
    return *from <= *to;
}

/* Days ago as day numbers: the more days, the earlier. */
static bool take_days(const struct select_range_i64 *r, int64_t as_of, int64_t *from, int64_t *to)
{
    int64_t least, most;

    if (!take_range(r, -FAR_DAYS, FAR_DAYS, &least, &most))
        return false;
    *from = clamp(as_of - most, INT32_MIN, INT32_MAX);
    *to = clamp(as_of - least, INT32_MIN, INT32_MAX);
    return as_of - least >= INT32_MIN && as_of - most <= INT32_MAX;
}

static float churn_bound(double v)
{
    return (float)(v < -1 ? -1 : v > 2 ? 2 : v);
}

static void add_field(struct select_scan *s, unsigned shift, uint64_t mask, uint64_t accept)
{
    if (accept != 0)
        s->fields[s->field_count++] = (struct select_field){ shift, mask, accept };
}

static bool is_bounded(bool has_least, bool has_most)
{
    return has_least || has_most;
}

bool select_scan_init(struct select_scan *s, const struct population *p, const struct select_filters *f)
{
    int64_t as_of = p->header->as_of_day;

    *s = (struct select_scan){
        .by_ltv = is_bounded(f->ltv_cents.has_least, f->ltv_cents.has_most),
        .by_orders = is_bounded(f->orders.has_least, f->orders.has_most),
        .by_last = is_bounded(f->days_since.has_least, f->days_since.has_most),
        .by_first = is_bounded(f->tenure_days.has_least, f->tenure_days.has_most),
        .by_aov = is_bounded(f->aov.has_least, f->aov.has_most),
        .by_churn = is_bounded(f->churn.has_least, f->churn.has_most),
        .by_archetype = f->archetypes != NULL,
        .aov_least = f->aov.has_least ? f->aov.least : -INFINITY,
        .aov_most = f->aov.has_most ? f->aov.most : INFINITY,
        .churn_least = churn_bound(f->churn.has_least ? f->churn.least : -1),
        .churn_most = churn_bound(f->churn.has_most ? f->churn.most : 2),
        .archetypes = f->archetypes,
        .archetype_count = f->archetype_count,
    };
    for (unsigned axis = 0; axis < POPULATION_AXES; axis++)
        add_field(s, 4 * axis, 15, f->axis_words[axis]);
    add_field(s, POPULATION_RFM_SHIFT, 15, f->rfm_groups);
    if (f->is_b2b >= 0)
        add_field(s, POPULATION_B2B_SHIFT, 1, f->is_b2b != 0 ? 2 : 1);
    return !f->none && take_range(&f->ltv_cents, INT64_MIN, INT64_MAX, &s->ltv_least, &s->ltv_most) &&
           take_range(&f->orders, 0, UINT32_MAX, &s->orders_least, &s->orders_most) &&
           take_days(&f->days_since, as_of, &s->last_least, &s->last_most) &&
           take_days(&f->tenure_days, as_of, &s->first_least, &s->first_most);
}

bool select_scan_is_open(const struct select_scan *s)
{
    return !s->by_ltv && !s->by_orders && !s->by_last && !s->by_first && !s->by_aov && !s->by_churn &&
           !s->by_archetype && s->field_count == 0;
}

static bool has_archetype(const struct select_scan *s, uint64_t words)
{
    for (size_t i = 0; i < s->archetype_count; i++)
        if (s->archetypes[i] == words >> POPULATION_ARCHETYPE_SHIFT)
            return s->archetypes[i] < (1U << POPULATION_ARCHETYPE_BITS) - 1;
    return false;
}

bool select_scan_row(const struct select_scan *s, const struct population *p, size_t row)
{
    int64_t ltv = p->ltv_cents[row];
    uint64_t words = p->words[row];

    if (ltv < s->ltv_least || ltv > s->ltv_most || p->orders[row] < s->orders_least ||
        p->orders[row] > s->orders_most || p->last_day[row] < s->last_least || p->last_day[row] > s->last_most ||
        p->first_day[row] < s->first_least || p->first_day[row] > s->first_most)
        return false;
    if (s->by_aov) {
        double aov = select_aov(ltv, p->orders[row]);
        if (!(aov >= s->aov_least && aov <= s->aov_most))
            return false;
    }
    if (s->by_churn && !(p->churn[row] >= s->churn_least && p->churn[row] <= s->churn_most))
        return false;
    for (unsigned i = 0; i < s->field_count; i++)
        if ((s->fields[i].accept >> (words >> s->fields[i].shift & s->fields[i].mask) & 1) == 0)
            return false;
    return !s->by_archetype || has_archetype(s, words);
}

static void keep_i32(uint8_t *restrict keep, const int32_t *restrict v, int32_t least, int32_t most)
{
    for (size_t i = 0; i < BLOCK_ROWS; i++)
        keep[i] = (uint8_t)(keep[i] & (v[i] >= least) & (v[i] <= most));
}

static void keep_u32(uint8_t *restrict keep, const uint32_t *restrict v, uint32_t least, uint32_t most)
{
    for (size_t i = 0; i < BLOCK_ROWS; i++)
        keep[i] = (uint8_t)(keep[i] & (v[i] >= least) & (v[i] <= most));
}

static void keep_float(uint8_t *restrict keep, const float *restrict v, float least, float most)
{
    for (size_t i = 0; i < BLOCK_ROWS; i++)
        keep[i] = (uint8_t)(keep[i] & (v[i] >= least) & (v[i] <= most));
}

/* Rows of a block, by their place in it. */
struct row_list {
    size_t count;
    uint16_t at[BLOCK_ROWS];
};

static void list_kept(struct row_list *l, const uint8_t *keep)
{
    size_t n = 0;

    for (size_t i = 0; i < BLOCK_ROWS; i++) {
        l->at[n] = (uint16_t)i;
        n += keep[i];
    }
    l->count = n;
}

/* Every row is written to the list's end, which moves on only behind one that stays: no branch to mispredict. */
static void narrow_ltv(struct row_list *l, const int64_t *ltv, int64_t least, int64_t most)
{
    size_t n = 0;

    for (size_t i = 0; i < l->count; i++) {
        uint16_t row = l->at[i];
        l->at[n] = row;
        n += (size_t)((ltv[row] >= least) & (ltv[row] <= most));
    }
    l->count = n;
}

static void narrow_aov(struct row_list *l, const int64_t *ltv, const uint32_t *orders, double least, double most)
{
    size_t n = 0;

    for (size_t i = 0; i < l->count; i++) {
        uint16_t row = l->at[i];
        double aov = select_aov(ltv[row], orders[row]);
        l->at[n] = row;
        n += (size_t)((aov >= least) & (aov <= most));
    }
    l->count = n;
}

static void narrow_field(struct row_list *l, const uint64_t *words, struct select_field f)
{
    size_t n = 0;

    for (size_t i = 0; i < l->count; i++) {
        uint16_t row = l->at[i];
        l->at[n] = row;
        n += f.accept >> (words[row] >> f.shift & f.mask) & 1;
    }
    l->count = n;
}

/* `set` holds a bit for each archetype below `count`. */
static void narrow_archetypes(struct row_list *l, const uint64_t *words, const uint64_t *set, uint64_t count)
{
    size_t n = 0;

    for (size_t i = 0; i < l->count; i++) {
        uint16_t row = l->at[i];
        uint64_t archetype = words[row] >> POPULATION_ARCHETYPE_SHIFT;
        l->at[n] = row;
        n += archetype < count && (set[archetype / 64] >> archetype % 64 & 1);
    }
    l->count = n;
}

struct archetype_set {
    uint64_t *bits;
    uint64_t count; /* archetypes from here on are not in it */
};

static void scan_columns(const struct select_scan *s, const struct population *p, size_t at, uint8_t *keep)
{
    memset(keep, 1, BLOCK_ROWS);
    if (s->by_orders)
        keep_u32(keep, p->orders + at, (uint32_t)s->orders_least, (uint32_t)s->orders_most);
    if (s->by_last)
        keep_i32(keep, p->last_day + at, (int32_t)s->last_least, (int32_t)s->last_most);
    if (s->by_first)
        keep_i32(keep, p->first_day + at, (int32_t)s->first_least, (int32_t)s->first_most);
    if (s->by_churn)
        keep_float(keep, p->churn + at, s->churn_least, s->churn_most);
}

static void scan_rows(const struct select_scan *s, const struct population *p, size_t at,
                      const struct archetype_set *archetypes, uint8_t *keep)
{
    struct row_list l;

    list_kept(&l, keep);
    if (s->by_ltv)
        narrow_ltv(&l, p->ltv_cents + at, s->ltv_least, s->ltv_most);
    for (unsigned i = 0; i < s->field_count; i++)
        narrow_field(&l, p->words + at, s->fields[i]);
    if (s->by_archetype)
        narrow_archetypes(&l, p->words + at, archetypes->bits, archetypes->count);
    if (s->by_aov)
        narrow_aov(&l, p->ltv_cents + at, p->orders + at, s->aov_least, s->aov_most);
    memset(keep, 0, BLOCK_ROWS);
    for (size_t i = 0; i < l.count; i++)
        keep[l.at[i]] = 1;
}

/* Eight bytes of 0 or 1 to eight bits: the product moves byte i to bit 56+i. */
static uint64_t pack_64(const uint8_t *keep)
{
    uint64_t bits = 0;

    for (unsigned i = 0; i < 8; i++) {
        uint64_t eight;
        memcpy(&eight, keep + 8 * i, 8);
        bits |= (eight * 0x0102040810204080ULL >> 56) << 8 * i;
    }
    return bits;
}

/* The archetypes asked for; an empty set without the filter. False: the arena is exhausted. */
static bool make_archetype_set(struct archetype_set *set, const struct select_scan *s, struct arena *a)
{
    const uint32_t none = (1U << POPULATION_ARCHETYPE_BITS) - 1;

    set->count = 0;
    for (size_t i = 0; i < s->archetype_count; i++)
        if (s->archetypes[i] < none && s->archetypes[i] >= set->count)
            set->count = (uint64_t)s->archetypes[i] + 1;
    set->bits = arena_calloc(a, set->count / 64 + 1, sizeof(*set->bits));
    for (size_t i = 0; set->bits && i < s->archetype_count; i++)
        if (s->archetypes[i] < none)
            set->bits[s->archetypes[i] / 64] |= 1ULL << s->archetypes[i] % 64;
    return set->bits != NULL;
}

bool select_scan_all(const struct select_scan *s, const struct population *p, uint64_t *bits, struct arena *a,
                     uint64_t *matches)
{
    _Alignas(64) uint8_t keep[BLOCK_ROWS];
    bool by_rows = s->by_ltv || s->by_aov || s->by_archetype || s->field_count > 0;
    struct archetype_set archetypes;
    uint64_t found = 0;
    size_t row = 0;

    if (!make_archetype_set(&archetypes, s, a))
        return false;
    for (; row + BLOCK_ROWS <= p->count; row += BLOCK_ROWS) {
        scan_columns(s, p, row, keep);
        if (by_rows)
            scan_rows(s, p, row, &archetypes, keep);
        for (size_t i = 0; i < BLOCK_ROWS; i += 64)
            bits[(row + i) / 64] = pack_64(keep + i);
    }
    memset(bits + row / 64, 0, ((p->count + 63) / 64 - row / 64) * sizeof(*bits));
    for (; row < p->count; row++)
        bits[row / 64] |= (uint64_t)select_scan_row(s, p, row) << row % 64;
    for (size_t i = 0; i < (p->count + 63) / 64; i++)
        found += (uint64_t)__builtin_popcountll(bits[i]);
    *matches = found;
    return true;
}
