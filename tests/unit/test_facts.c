/*
 * facts: one customer known by heart, and random customers against definitions spelled out by brute force.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "model/facts.h"

#define LINES 60

static void known_customer(void **state)
{
    (void)state;
    int32_t saturday = clock_day_of(2024, 11, 30), as_of = clock_day_of(2025, 6, 17),
            spring = clock_day_of(2025, 3, 24);
    struct facts_line lines[] = {
        { .order_id = 7, .day = as_of, .product = 1, .category = 5, .sales_cents = 1000, .discount_cents = 500 },
        { .order_id = 3, .day = saturday, .product = 1, .category = 5, .sales_cents = 3000 },
        { .order_id = 3, .day = saturday, .product = 2, .category = 6, .sales_cents = 1000 },
        { .order_id = 4, .day = saturday, .product = 2, .refunds_cents = 1000 },
        { .order_id = 5, .day = spring, .product = 9, .refunds_cents = 200 }, /* a return alone: no purchase day */
    };
    struct facts_day days[5];
    struct facts f;

    facts_compute(lines, 5, as_of, days, &f);
    assert_int_equal(f.gross_cents, 5000);
    assert_int_equal(f.refunds_cents, 1200);
    assert_int_equal(f.orders, 4);
    assert_int_equal(f.lines, 5);
    assert_int_equal(f.products, 3);
    assert_int_equal(f.first_day, saturday);
    assert_int_equal(f.last_day, as_of);
    assert_int_equal(f.orders_90, 2);
    assert_int_equal(f.orders_prev_90, 0);
    assert_int_equal(f.purchase_days, 2);
    assert_int_equal(f.order_days, 3);
    assert_int_equal(days[0].day, saturday);
    assert_int_equal(days[0].net_cents, 3000);
    assert_int_equal(days[0].orders, 2);
    assert_int_equal(days[1].day, spring);
    assert_false(days[1].purchase);
    assert_int_equal(days[1].net_cents, -200);
    assert_int_equal(days[2].day, as_of);
    assert_true(days[2].purchase);
    assert_int_equal(f.spend_days, 2);
    assert_int_equal(f.spend_cents, 4000);
    assert_int_equal(f.list_cents, 5500);
    assert_int_equal(f.discount_cents, 500);
    assert_int_equal(f.discounted_cents, 1000);
    assert_int_equal(f.category_lines, 3);
    assert_true(fabs(f.category_entropy - (-0.8 * log(0.8) - 0.2 * log(0.2))) < 1e-12);
    assert_int_equal(f.weekend_orders, 2);
    assert_int_equal(f.holiday_orders, 2);
    assert_int_equal(f.quarter_orders[3], 2);
    assert_int_equal(f.quarter_orders[0], 1);
    assert_int_equal(f.order_years, 2);
    assert_int_equal(f.later_products, 3); /* 2 in order 4, 9 in order 5, 1 in order 7 */
    assert_int_equal(f.repeat_products, 2);
}

static uint64_t seed = 42;

static uint32_t draw(uint32_t n)
{
    seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
    return (uint32_t)(seed >> 33) % n;
}

/* Day of an order: the earliest of its lines. */
static int32_t day_of(const struct facts_line *l, size_t n, int64_t order)
{
    int32_t day = INT32_MAX;

    for (size_t i = 0; i < n; i++)
        if (l[i].order_id == order && l[i].day < day)
            day = l[i].day;
    return day;
}

static bool before(const struct facts_line *l, size_t n, int64_t a, int64_t b)
{
    int32_t da = day_of(l, n, a), db = day_of(l, n, b);

    return da != db ? da < db : a < b;
}

static bool first_of(const struct facts_line *l, size_t i)
{
    for (size_t j = 0; j < i; j++)
        if (l[j].order_id == l[i].order_id)
            return false;
    return true;
}

/* Does any order before this line's order (or an earlier line of the same order) hold the product? */
static bool bought(const struct facts_line *l, size_t n, size_t i, bool same_order)
{
    for (size_t j = 0; j < n; j++) {
        if (l[j].product != l[i].product)
            continue;
        if (same_order ? l[j].order_id == l[i].order_id && j < i : before(l, n, l[j].order_id, l[i].order_id))
            return true;
    }
    return false;
}

static bool any_order_before(const struct facts_line *l, size_t n, int64_t order)
{
    for (size_t j = 0; j < n; j++)
        if (before(l, n, l[j].order_id, order))
            return true;
    return false;
}

static void check(const struct facts_line *l, size_t n, int32_t as_of, const struct facts_day *list,
                  const struct facts *f)
{
    uint32_t orders = 0, recent = 0, prior = 0, weekend = 0, later = 0, repeat = 0, days = 0, order_days = 0,
             listed = 0, spend_days = 0;
    int64_t spend = 0;

    for (size_t i = 0; i < n; i++) {
        int32_t day = day_of(l, n, l[i].order_id);
        if (first_of(l, i)) {
            orders++;
            recent += day > as_of - 90;
            prior += day <= as_of - 90 && day > as_of - 180;
            weekend += clock_weekday_of(day) >= 5;
        }
        if (l[i].product != 0 && !bought(l, n, i, true)) {
            later += any_order_before(l, n, l[i].order_id);
            repeat += bought(l, n, i, false);
        }
    }
    for (int32_t day = as_of - 400; day <= as_of; day++) {
        int64_t gross = 0, net = 0;
        bool any = false;
        for (size_t i = 0; i < n; i++) {
            if (day_of(l, n, l[i].order_id) != day)
                continue;
            any = true;
            gross += l[i].sales_cents;
            net += l[i].sales_cents - l[i].refunds_cents;
        }
        if (any) {
            assert_int_equal(list[order_days].day, day);
            assert_int_equal(list[order_days].purchase, gross > 0);
            listed += list[order_days].orders;
            assert_int_equal(list[order_days++].net_cents, net);
        }
        days += gross > 0;
        spend_days += gross > 0 && net > 0;
        spend += gross > 0 && net > 0 ? net : 0;
    }
    assert_int_equal(f->orders, orders);
    assert_int_equal(f->orders_90, recent);
    assert_int_equal(f->orders_prev_90, prior);
    assert_int_equal(f->weekend_orders, weekend);
    assert_int_equal(f->later_products, later);
    assert_int_equal(f->repeat_products, repeat);
    assert_int_equal(f->order_days, order_days);
    assert_int_equal(listed, orders);
    assert_int_equal(f->purchase_days, days);
    assert_int_equal(f->spend_days, spend_days);
    assert_int_equal(f->spend_cents, spend);
}

static void agrees_with_the_definitions(void **state)
{
    (void)state;
    const int32_t as_of = 20000;

    for (int round = 0; round < 300; round++) {
        struct facts_line lines[LINES], copy[LINES];
        size_t n = 1 + draw(LINES);
        memset(lines, 0, sizeof(lines));
        for (size_t i = 0; i < n; i++) {
            lines[i].order_id = 1 + draw(1 + draw(20));
            lines[i].day = as_of - (int32_t)draw(400);
            lines[i].product = draw(8);
            lines[i].category = draw(4);
            lines[i].sales_cents = draw(5) ? draw(10000) : 0;
            lines[i].refunds_cents = draw(4) ? 0 : draw(12000);
        }
        memcpy(copy, lines, sizeof(lines));
        struct facts f;
        struct facts_day days[LINES];
        facts_compute(lines, n, as_of, days, &f);
        check(copy, n, as_of, days, &f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(known_customer),
                                        cmocka_unit_test(agrees_with_the_definitions) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
