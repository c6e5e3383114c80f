/*
 * facts: see the header. Three sorts of one customer's lines, each followed by one walk.
 */
#include "model/facts.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

static int compare(int64_t a, int64_t b)
{
    return a < b ? -1 : a > b;
}

static int by_order(const void *a, const void *b)
{
    const struct facts_line *l = a, *r = b;
    int c = compare(l->order_id, r->order_id);

    return c != 0 ? c : compare(l->day, r->day);
}

static int by_day(const void *a, const void *b)
{
    const struct facts_line *l = a, *r = b;
    int c = compare(l->day, r->day);

    return c != 0 ? c : compare(l->order_id, r->order_id);
}

static int by_category(const void *a, const void *b)
{
    return compare(((const struct facts_line *)a)->category, ((const struct facts_line *)b)->category);
}

static int by_product(const void *a, const void *b)
{
    const struct facts_line *l = a, *r = b;
    int c = compare(l->product, r->product);

    return c != 0 ? c : compare(l->ordinal, r->ordinal);
}

/* Each order on its earliest day; then lines in order of time, numbered by order. */
static void order_lines(struct facts_line *lines, size_t n)
{
    qsort(lines, n, sizeof(*lines), by_order);
    for (size_t i = 1; i < n; i++)
        if (lines[i].order_id == lines[i - 1].order_id)
            lines[i].day = lines[i - 1].day;
    qsort(lines, n, sizeof(*lines), by_day);
    lines[0].ordinal = 0;
    for (size_t i = 1; i < n; i++)
        lines[i].ordinal = lines[i - 1].ordinal + (lines[i].order_id != lines[i - 1].order_id);
}

static void count_order(const struct facts_line *l, int32_t as_of_day, int last_year, int *year, struct facts *f)
{
    int month, mday;

    clock_civil_of(l->day, year, &month, &mday);
    f->orders++;
    f->orders_90 += l->day > as_of_day - 90;
    f->orders_prev_90 += l->day > as_of_day - 180 && l->day <= as_of_day - 90;
    f->weekend_orders += clock_weekday_of(l->day) >= 5;
    f->holiday_orders += month >= 11;
    f->quarter_orders[(month - 1) / 3]++;
    f->order_years += *year != last_year;
}

static void end_day(const struct facts_day *d, struct facts_day *days, struct facts *f)
{
    if (days != NULL)
        days[f->order_days] = *d;
    f->order_days++;
    if (!d->purchase)
        return;
    if (f->purchase_days++ == 0)
        f->purchase_first_day = d->day;
    f->purchase_last_day = d->day;
    if (d->net_cents > 0) {
        f->spend_days++;
        f->spend_cents += d->net_cents;
    }
}

static void add_amounts(const struct facts_line *l, struct facts *f)
{
    f->gross_cents += l->sales_cents;
    f->refunds_cents += l->refunds_cents;
    f->list_cents += l->sales_cents + l->discount_cents;
    f->discount_cents += l->discount_cents;
    f->discounted_cents += l->discount_cents > 0 ? l->sales_cents : 0;
}

static void walk_time(const struct facts_line *lines, size_t n, int32_t as_of_day, struct facts_day *days,
                      struct facts *f)
{
    struct facts_day today = { 0 };
    int64_t gross = 0;
    int year = 0;

    f->first_day = f->purchase_first_day = lines[0].day;
    f->last_day = f->purchase_last_day = lines[n - 1].day;
    for (size_t i = 0; i < n; i++) {
        const struct facts_line *l = &lines[i];
        if (i == 0 || l->ordinal != lines[i - 1].ordinal) {
            count_order(l, as_of_day, year, &year, f);
            today.orders++;
        }
        add_amounts(l, f);
        gross += l->sales_cents;
        today.net_cents += l->sales_cents - l->refunds_cents;
        if (i + 1 == n || lines[i + 1].day != l->day) {
            today.day = l->day;
            today.purchase = gross > 0;
            end_day(&today, days, f);
            today = (struct facts_day){ 0 };
            gross = 0;
        }
    }
}

/* Entropy of the positive sales over categories. */
static void walk_categories(const struct facts_line *lines, size_t n, struct facts *f)
{
    double total = 0, weighted = 0; /* sum s, sum s ln s */

    for (size_t i = 0, j; i < n; i = j) {
        int64_t sales = 0;
        for (j = i; j < n && lines[j].category == lines[i].category; j++)
            sales += lines[j].sales_cents > 0 ? lines[j].sales_cents : 0;
        if (lines[i].category == 0)
            continue;
        f->category_lines += (uint32_t)(j - i);
        if (sales > 0) {
            total += (double)sales;
            weighted += (double)sales * log((double)sales);
        }
    }
    if (total > 0)
        f->category_entropy = fmax(0, log(total) - weighted / total);
}

static void walk_products(const struct facts_line *lines, size_t n, struct facts *f)
{
    for (size_t i = 0; i < n; i++) {
        const struct facts_line *l = &lines[i];
        bool fresh = i == 0 || l->product != lines[i - 1].product;
        if (l->product == 0)
            continue;
        f->products += fresh;
        if (!fresh && l->ordinal == lines[i - 1].ordinal)
            continue;
        f->later_products += l->ordinal > 0;
        f->repeat_products += !fresh;
    }
}

void facts_compute(struct facts_line *lines, size_t n, int32_t as_of_day, struct facts_day *days, struct facts *out)
{
    memset(out, 0, sizeof(*out));
    out->lines = (uint32_t)n;
    order_lines(lines, n);
    walk_time(lines, n, as_of_day, days, out);
    qsort(lines, n, sizeof(*lines), by_category);
    walk_categories(lines, n, out);
    qsort(lines, n, sizeof(*lines), by_product);
    walk_products(lines, n, out);
}
