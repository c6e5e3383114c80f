/*
 * train: collecting what the fits need, customer by customer. The fits: train_fit.c.
 */
#include "model/train.h"

#include <string.h>

#include "base/clock.h"

#define BYTES_A_CUSTOMER                                                                                             \
    (2 * sizeof(struct mbg_history) + sizeof(struct gammagamma_spend) + 2 * sizeof(struct calibrate_example) +       \
     sizeof(struct train_revenue_row))

size_t train_memory(size_t customers)
{
    return (customers > 0 ? customers : 1) * BYTES_A_CUSTOMER;
}

void train_init(struct train *t, void *memory, size_t customers, int32_t as_of_day, int32_t horizon_days,
                double active_window_days, bool prior)
{
    char *p = memory;

    memset(t, 0, sizeof(*t));
    t->as_of_day = as_of_day;
    t->horizon_days = horizon_days;
    t->active_window_days = active_window_days;
    t->prior = prior;
    t->capacity = customers;
    t->first_day = as_of_day;
    t->now = (void *)p;
    t->scratch = (void *)(p += customers * sizeof(*t->now));
    t->spends = (void *)(p += customers * sizeof(*t->scratch));
    t->recent = (void *)(p += customers * sizeof(*t->spends));
    t->earlier = (void *)(p += customers * sizeof(*t->recent));
    t->revenue = (void *)(p += customers * sizeof(*t->earlier));
}

/* Purchase days up to `day`: their number, and what was spent on those with net sales above 0. */
struct until {
    uint32_t purchases, spend_days;
    int32_t first, last;
    double spend;
};

static struct until until_day(const struct facts_day *days, size_t n, int32_t day)
{
    struct until u = { 0 };

    for (size_t i = 0; i < n && days[i].day <= day; i++) {
        if (!days[i].purchase)
            continue;
        u.first = u.purchases++ == 0 ? days[i].day : u.first;
        u.last = days[i].day;
        u.spend_days += days[i].net_cents > 0;
        u.spend += days[i].net_cents > 0 ? (double)days[i].net_cents / 100 : 0;
    }
    return u;
}

/* Days from `day` to the next purchase, 0 when there is none within the horizon. */
static uint32_t next_purchase(const struct facts_day *days, size_t n, int32_t day, int32_t horizon_days)
{
    for (size_t i = 0; i < n; i++)
        if (days[i].purchase && days[i].day > day)
            return days[i].day - day <= horizon_days ? (uint32_t)(days[i].day - day) : 0;
    return 0;
}

static void add_example(struct calibrate_example *examples, size_t *count, const struct facts_day *days, size_t n,
                        int32_t day, int32_t horizon_days)
{
    struct until u = until_day(days, n, day);

    if (u.purchases == 0)
        return;
    examples[(*count)++] = (struct calibrate_example){ .history = mbg_history_of(u.purchases, u.first, u.last, day),
                                                       .next_days = next_purchase(days, n, day, horizon_days) };
}

static void add_revenue(struct train *t, const struct facts_day *days, size_t n)
{
    int32_t day = t->as_of_day - TRAIN_FORECAST_DAYS;
    struct until u = until_day(days, n, day);
    bool active = false;

    for (size_t i = 0; i < n; i++) {
        t->revenue_actual += days[i].day > day ? (double)days[i].net_cents / 100 : 0;
        active = active || t->as_of_day - days[i].day <= t->active_window_days;
    }
    t->active_actual += active;
    if (u.purchases == 0)
        return;
    t->revenue[t->revenue_n++] =
        (struct train_revenue_row){ .history = mbg_history_of(u.purchases, u.first, u.last, day),
                                    .spend_days = u.spend_days,
                                    .spend_mean = u.spend_days > 0 ? (float)(u.spend / u.spend_days) : 0 };
}

/* First purchase: when, how much, and the gap to the second. */
static void add_first(struct train *t, const struct facts_day *days, size_t n)
{
    const struct facts_day *first = NULL;

    for (size_t i = 0; i < n; i++) {
        if (!days[i].purchase)
            continue;
        if (first == NULL) {
            int32_t age = t->as_of_day - days[i].day;
            first = &days[i];
            if (age / 7 < SEASON_MAX_WEEKS)
                t->weekly[age / 7] += 1;
            if (first->net_cents > 0 && age < 365) {
                t->first_value += (double)first->net_cents / 100;
                t->first_customers += 1;
            }
            continue;
        }
        int32_t gap = days[i].day - first->day, most = SEASON_MAX_WEEKS * 7 - 1;
        t->gaps[gap < most ? gap : most]++;
        return;
    }
}

static void add_months(struct train *t, const struct facts_day *days, size_t n)
{
    int year, month, mday;

    clock_civil_of(t->as_of_day, &year, &month, &mday);
    int as_of_month = year * 12 + month;
    for (size_t i = 0; i < n; i++) {
        clock_civil_of(days[i].day, &year, &month, &mday);
        int back = as_of_month - (year * 12 + month);
        if (back >= 0 && back < SEASON_MAX_MONTHS)
            t->monthly[back] += (double)days[i].net_cents / 100;
        t->day_net += (double)days[i].net_cents / 100;
    }
}

bool train_add(struct train *t, const struct facts_day *days, size_t n, int64_t net_cents)
{
    struct until u = until_day(days, n, t->as_of_day);

    if (u.purchases == 0)
        return true;
    if (t->now_n == t->capacity)
        return false;
    t->now[t->now_n++] = mbg_history_of(u.purchases, u.first, u.last, t->as_of_day);
    if (u.spend_days > 0) {
        double mean = u.spend / u.spend_days;
        t->spends[t->spends_n++] = (struct gammagamma_spend){ .x = u.spend_days, .z = (float)mean };
        t->purchase_value += mean * u.purchases;
    }
    t->net += (double)net_cents / 100;
    t->first_day = u.first < t->first_day ? u.first : t->first_day;
    add_example(t->recent, &t->recent_n, days, n, t->as_of_day - t->horizon_days, t->horizon_days);
    add_example(t->earlier, &t->earlier_n, days, n, t->as_of_day - 2 * t->horizon_days, t->horizon_days);
    add_revenue(t, days, n);
    add_first(t, days, n);
    add_months(t, days, n);
    return true;
}
