/*
 * source_days: the totals of a day, and how a source that can't group comes to them.
 *
 * The days are kept sorted in the caller's array; when it is full, later days fall out at its end and are asked for
 * again. Orders are told apart by a 64-bit hash of day and order: two that collide (one chance in 10^6 for 4 million
 * orders) make a day look different, which costs one more reading of it.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/utf8.h"
#include "proc/source.h"

#define BATCH_ROWS  1000
#define SEEN_LEAST  4096
#define SEEN_MOST   (1U << 25) /* 256 MiB: a source of so many orders has an index */
#define SEEN_FILLED 2          /* at most every second place is taken */

struct day_count {
    struct source_day_total *totals;
    size_t max, count;
    bool more;      /* days fell out at the end */
    uint64_t *seen; /* hashes of (day, order), open addressing, 0: free */
    size_t seen_size, seen_count;
};

/* Saturates: sums so large are no money, only a difference. */
static void add(int64_t *sum, int64_t v)
{
    if (__builtin_add_overflow(*sum, v, sum))
        *sum = v < 0 ? INT64_MIN : INT64_MAX;
}

static int64_t integer(struct str s)
{
    int64_t v = 0;

    return s.p != NULL && str_to_i64(s, &v) ? v : 0;
}

static int64_t cents(struct str s)
{
    int64_t v = 0;

    return s.p != NULL && source_parse_money(s, &v) == NULL ? v : 0;
}

static int64_t status(struct str s)
{
    while (s.len > 0 && s.p[s.len - 1] == ' ')
        s.len--;
    return 256 * (int64_t)utf8_length(s) + utf8_first(s);
}

void source_day_total_add(struct source_day_total *total, const struct source_row *row)
{
    const struct str *v = row->values;
    const int64_t p = SOURCE_CHECK_MODULUS;

    total->lines++;
    add(&total->sales_cents, cents(v[SOURCE_LINE_ITEM_SALES]));
    add(&total->refunds_cents, cents(v[SOURCE_LINE_ITEM_REFUNDS]));
    add(&total->quantity, integer(v[SOURCE_QUANTITY]));
    total->checks += integer(v[SOURCE_ORDER_ID]) % p + 3 * (integer(v[SOURCE_CUSTOMER_ID]) % p) +
                     5 * (integer(v[SOURCE_PRODUCT_ID]) % p) + 7 * status(v[SOURCE_FULFILLMENT_STATUS]) +
                     11 * status(v[SOURCE_FINANCIAL_STATUS]) + cents(v[SOURCE_LINE_ITEM_DISCOUNT]) % p;
}

/* A place for the hash: that of an equal one or a free one. */
static uint64_t *find_place(const struct day_count *d, uint64_t hash)
{
    size_t i = hash & (d->seen_size - 1);

    while (d->seen[i] != 0 && d->seen[i] != hash)
        i = (i + 1) & (d->seen_size - 1);
    return &d->seen[i];
}

static bool grow_seen(struct day_count *d)
{
    struct day_count grown = { .seen_size = d->seen_size > 0 ? d->seen_size * 2 : SEEN_LEAST };

    grown.seen = grown.seen_size <= SEEN_MOST ? calloc(grown.seen_size, sizeof(*grown.seen)) : NULL;
    if (grown.seen == NULL)
        return false;
    for (size_t i = 0; i < d->seen_size; i++)
        if (d->seen[i] != 0)
            *find_place(&grown, d->seen[i]) = d->seen[i];
    free(d->seen);
    d->seen = grown.seen;
    d->seen_size = grown.seen_size;
    return true;
}

/* Counts the order if this is its first line on that day. */
static bool count_order(struct day_count *d, struct source_day_total *total, int64_t order_id)
{
    if (d->seen_count * SEEN_FILLED >= d->seen_size && !grow_seen(d))
        return false;
    uint64_t hash = hash_u64(hash_u64((uint64_t)order_id) + (uint64_t)(int64_t)total->day);
    uint64_t *place = find_place(d, hash != 0 ? hash : 1);
    if (*place != 0)
        return true;
    *place = hash != 0 ? hash : 1;
    d->seen_count++;
    total->orders++;
    return true;
}

/* The totals of that day, made where it is the first line of it; NULL when it lies behind a full array. */
static struct source_day_total *find_day(struct day_count *d, int32_t day)
{
    size_t low = 0, high = d->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (d->totals[middle].day < day)
            low = middle + 1;
        else
            high = middle;
    }
    if (low < d->count && d->totals[low].day == day)
        return &d->totals[low];
    d->more = d->more || d->count == d->max;
    if (low == d->max)
        return NULL;
    size_t behind = (d->count < d->max ? d->count : d->max - 1) - low;
    memmove(&d->totals[low + 1], &d->totals[low], behind * sizeof(*d->totals));
    d->count += d->count < d->max;
    d->totals[low] = (struct source_day_total){ .day = day };
    return &d->totals[low];
}

static bool count_rows(struct day_count *d, const struct source_range *range, const struct source_row *rows,
                       size_t count)
{
    for (size_t i = 0; i < count; i++) {
        int32_t day;
        if (rows[i].bad != NULL || !source_day(rows[i].values[SOURCE_ORDER_DATE], &day) ||
            !source_range_has_day(range, day) || source_validate(&rows[i]) != NULL)
            continue;
        struct source_day_total *total = find_day(d, day);
        if (total == NULL)
            continue;
        source_day_total_add(total, &rows[i]);
        if (!count_order(d, total, integer(rows[i].values[SOURCE_ORDER_ID])))
            return false;
    }
    return true;
}

static enum source_status read_days(struct source *s, const struct source_range *range, struct day_count *d,
                                    struct source_row *rows, struct source_error *err)
{
    enum source_status status = s->ops->begin(s, range, err);

    while (status == SOURCE_OK) {
        size_t count = 0;
        status = s->ops->next(s, rows, BATCH_ROWS, &count, err);
        if ((status == SOURCE_OK || status == SOURCE_END) && !count_rows(d, range, rows, count)) {
            *err = (struct source_error){ .reason = SB_REASON_MEMORY,
                                          .text = "out of memory while counting the orders of each day" };
            return SOURCE_ERROR;
        }
    }
    return status;
}

enum source_status source_days_by_reading(struct source *s, const struct source_range *range,
                                          struct source_day_total *totals, size_t max, size_t *count,
                                          struct source_error *err)
{
    const struct source_range days = { .start_day = range->start_day, .end_day = range->end_day };
    struct day_count d = { .totals = totals, .max = max };
    struct source_row *rows = calloc(BATCH_ROWS, sizeof(*rows));
    enum source_status status = SOURCE_ERROR;

    *count = 0;
    if (rows != NULL)
        status = read_days(s, &days, &d, rows, err);
    else
        *err = (struct source_error){ .reason = SB_REASON_MEMORY, .text = "out of memory for a batch" };
    free(rows);
    free(d.seen);
    if (status == SOURCE_END && d.more)
        status = SOURCE_OK;
    *count = status == SOURCE_OK || status == SOURCE_END ? d.count : 0;
    return status;
}
