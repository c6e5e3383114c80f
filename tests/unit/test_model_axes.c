/*
 * Axes, archetypes, campaigns, cohorts.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "model/archetype.h"
#include "model/axes.h"
#include "model/campaign.h"
#include "model/cohort.h"
#include "model_fixture.h"

#define AS_OF 20400

static void near(double got, double want, double tolerance)
{
    if (!(fabs(got - want) <= tolerance))
        fail_msg("got %.10g, want %.10g within %g", got, want, tolerance);
}

static uint8_t word(enum axis_id axis, const char *name)
{
    int w = axes_vocab_find_word(axis, str_from(name));

    if (w < 0)
        fail_msg("no word %s", name);
    return (uint8_t)w;
}

/* Four orders in two years, one with a refund and one discounted, three categories. */
static struct facts plain_facts(void)
{
    return (struct facts){ .gross_cents = 40000,
                           .refunds_cents = 2000,
                           .first_day = AS_OF - 700,
                           .last_day = AS_OF - 100,
                           .orders = 4,
                           .lines = 9,
                           .purchase_days = 4,
                           .discount_cents = 900,
                           .discounted_cents = 10000,
                           .list_cents = 40900,
                           .category_lines = 9,
                           .category_entropy = log(3),
                           .weekend_orders = 1,
                           .quarter_orders = { 1, 1, 1, 1 },
                           .order_years = 2,
                           .later_products = 4,
                           .repeat_products = 2 };
}

static struct facts random_facts(void)
{
    struct facts f = { .orders = 1 + (uint32_t)(pow(model_fixture_uniform(), 4) * 200) };
    int32_t age = (int32_t)(model_fixture_uniform() * 2000);

    f.first_day = AS_OF - age;
    f.last_day = f.orders > 1 ? f.first_day + (int32_t)(model_fixture_uniform() * age) : f.first_day;
    f.gross_cents = (int64_t)(model_fixture_gamma(0.7) * 20000);
    f.refunds_cents =
        model_fixture_uniform() < 0.3 ? (int64_t)(model_fixture_uniform() * 1.5 * (double)f.gross_cents) : 0;
    f.discounted_cents =
        model_fixture_uniform() < 0.5 ? (int64_t)(model_fixture_uniform() * (double)f.gross_cents) : 0;
    f.category_lines = (uint32_t)(model_fixture_uniform() * 12);
    f.category_entropy = model_fixture_uniform() < 0.4 ? 0 : 2 * model_fixture_uniform();
    f.weekend_orders = (uint32_t)(model_fixture_uniform() * f.orders);
    f.later_products = (uint32_t)(model_fixture_uniform() * 10);
    f.repeat_products = (uint32_t)(model_fixture_uniform() * (f.later_products + 1));
    f.order_years = 1 + (uint32_t)(model_fixture_uniform() * 3);
    f.quarter_orders[(int)(model_fixture_uniform() * 4)] = f.orders;
    f.holiday_orders = model_fixture_uniform() < 0.2 ? f.orders : 0;
    return f;
}

/* Anchors as the scoring estimates them. */
static void fit_all(struct model_params *m, const struct facts *f, size_t n)
{
    float *scalars = calloc(n, sizeof(*scalars));

    for (int axis = 0; axis < AXIS_COUNT; axis++) {
        size_t count = 0;
        for (size_t i = 0; i < n; i++) {
            double s;
            uint8_t gate;
            if (axes_scalar((enum axis_id)axis, &f[i], AS_OF, &s, &gate))
                scalars[count++] = (float)s;
        }
        axes_fit_anchors((enum axis_id)axis, scalars, count, m->anchors[axis]);
    }
    free(scalars);
}

static void memberships_sum_to_one(void **state)
{
    (void)state;
    enum {
        CUSTOMERS = 3000
    };
    struct facts *f = calloc(CUSTOMERS, sizeof(*f));
    struct model_params m;

    model_fixture_seed(3);
    params_priors(&m, AS_OF, 90, 0, 0);
    for (int i = 0; i < CUSTOMERS; i++)
        f[i] = random_facts();
    fit_all(&m, f, CUSTOMERS);
    for (int axis = 0; axis < AXIS_COUNT; axis++) {
        unsigned used[AXES_MAX_WORDS] = { 0 };
        for (int i = 0; i < CUSTOMERS; i++) {
            struct axes_position p = axes_place(&m, (enum axis_id)axis, &f[i], AS_OF);
            assert_true(p.low < axes_vocab[axis].word_count && p.high < axes_vocab[axis].word_count);
            assert_true(p.low == p.high ? p.weight == AXES_MEMBERSHIP_UNIT
                                        : p.high == p.low + 1 && p.weight > 0 && p.weight < AXES_MEMBERSHIP_UNIT);
            assert_true(axes_dominant_share(p) >= 0.5 && axes_dominant_share(p) <= 1);
            used[axes_dominant(p)]++;
        }
        for (unsigned w = 0; w < axes_vocab[axis].word_count; w++)
            if (axis != AXIS_SHOPPING_CADENCE)
                assert_true(used[w] > CUSTOMERS / 100); /* every word has its customers */
    }
    free(f);
}

static void expect_gate(enum axis_id axis, const struct facts *f, const char *name)
{
    struct model_params m;

    params_priors(&m, AS_OF, 90, 0, 0);
    for (int a = 0; a < AXIS_COUNT; a++)
        axes_fit_anchors((enum axis_id)a, NULL, 0, m.anchors[a]);
    struct axes_position p = axes_place(&m, axis, f, AS_OF);
    assert_string_equal(axes_vocab_word(axis, p.low), name);
    assert_true(p.low == p.high && p.weight == AXES_MEMBERSHIP_UNIT);
}

static void gates_come_first(void **state)
{
    (void)state;
    struct facts f = plain_facts();
    double s;
    uint8_t gate;

    for (int axis = 0; axis < AXIS_COUNT; axis++)
        assert_true(axes_scalar((enum axis_id)axis, &f, AS_OF, &s, &gate));
    f.orders = 1;
    expect_gate(AXIS_PURCHASE_FREQUENCY, &f, "one_time");
    expect_gate(AXIS_REPURCHASE_BEHAVIOR, &f, "single_order");
    expect_gate(AXIS_SHOPPING_CADENCE, &f, "insufficient");
    f = plain_facts();
    f.orders = 5;
    f.holiday_orders = 3; /* exactly 60 % */
    expect_gate(AXIS_SHOPPING_CADENCE, &f, "holiday");
    f.holiday_orders = 2;
    f.quarter_orders[1] = 3;
    expect_gate(AXIS_SHOPPING_CADENCE, &f, "seasonal");
    f.order_years = 1;
    assert_true(axes_scalar(AXIS_SHOPPING_CADENCE, &f, AS_OF, &s, &gate));
    near(s, 0.2, 1e-12);
    f.category_lines = 2;
    expect_gate(AXIS_CATEGORY_AFFINITY, &f, "insufficient");
    assert_string_equal(axes_strength(AXIS_CATEGORY_AFFINITY, (struct axes_position){ 0, 0, 10000 }), "weak");
    f.refunds_cents = 0;
    expect_gate(AXIS_RETURN_BEHAVIOR, &f, "careful_buyer");
    f.discounted_cents = f.gross_cents / 200; /* 0.5 % */
    expect_gate(AXIS_PRICE_SENSITIVITY, &f, "full_price");
    f.gross_cents = 0; /* everything was given away */
    expect_gate(AXIS_PRICE_SENSITIVITY, &f, "deal_hunter");
}

/* MODELS 5, by hand. */
static void scalars_by_hand(void **state)
{
    (void)state;
    struct facts f = plain_facts();
    double s;
    uint8_t gate;

    axes_scalar(AXIS_PURCHASE_FREQUENCY, &f, AS_OF, &s, &gate);
    near(s, log(3.5 / (700 / 365.25 + 0.35)), 1e-12);
    axes_scalar(AXIS_PURCHASE_VALUE, &f, AS_OF, &s, &gate);
    near(s, 0.5 * log(95) + 0.5 * log(380), 1e-12);
    axes_scalar(AXIS_LIFECYCLE, &f, AS_OF, &s, &gate);
    near(s, log(101.0 / 207), 1e-12);
    axes_scalar(AXIS_PRICE_SENSITIVITY, &f, AS_OF, &s, &gate);
    near(s, log(0.25 / 0.75), 1e-12);
    axes_scalar(AXIS_CATEGORY_AFFINITY, &f, AS_OF, &s, &gate);
    near(s, 3, 1e-12);
    axes_scalar(AXIS_RETURN_BEHAVIOR, &f, AS_OF, &s, &gate);
    near(s, log(0.05), 1e-12);
    axes_scalar(AXIS_SHOPPING_MATURITY, &f, AS_OF, &s, &gate);
    near(s, 700, 0);
    f.refunds_cents = 3 * f.gross_cents; /* more came back than went out */
    axes_scalar(AXIS_PURCHASE_VALUE, &f, AS_OF, &s, &gate);
    assert_true(isfinite(s));
}

static void maturity_has_fixed_anchors(void **state)
{
    (void)state;
    struct model_params m;
    struct facts f = plain_facts();
    float scalars[100];

    params_priors(&m, AS_OF, 90, 0, 0);
    for (int i = 0; i < 100; i++)
        scalars[i] = 2000;
    axes_fit_anchors(AXIS_SHOPPING_MATURITY, scalars, 100, m.anchors[AXIS_SHOPPING_MATURITY]);
    f.first_day = AS_OF - 300; /* between 180 and 545: 1 - 120 / 365 */
    struct axes_position p = axes_place(&m, AXIS_SHOPPING_MATURITY, &f, AS_OF);
    assert_int_equal(p.low, 1);
    assert_int_equal(p.weight, 6712);
    assert_string_equal(axes_strength(AXIS_SHOPPING_MATURITY, p), "balanced");
    f.first_day = AS_OF - 363; /* nearer the second by little: a tie goes to the lower word */
    p = axes_place(&m, AXIS_SHOPPING_MATURITY, &f, AS_OF);
    assert_int_equal(axes_dominant(p), 2);
    assert_int_equal(axes_dominant((struct axes_position){ 1, 2, 5000 }), 1);
    f.first_day = AS_OF;
    p = axes_place(&m, AXIS_SHOPPING_MATURITY, &f, AS_OF);
    assert_true(p.low == 0 && p.high == 0);
    f.first_day = AS_OF - 9000;
    p = axes_place(&m, AXIS_SHOPPING_MATURITY, &f, AS_OF);
    assert_true(p.low == 3 && p.high == 3);
}

static void anchors_are_quantiles(void **state)
{
    (void)state;
    float scalars[101];
    double anchors[AXES_MAX_WORDS];

    for (int i = 0; i < 101; i++)
        scalars[i] = (float)(100 - i);
    axes_fit_anchors(AXIS_PURCHASE_FREQUENCY, scalars, 101, anchors);
    near(anchors[0], 0, 0); /* the gate */
    for (int k = 0; k < 4; k++)
        near(anchors[k + 1], 12.5 + 25 * k, 1e-6);
    for (int i = 0; i < 101; i++)
        scalars[i] = 7; /* no spread: the fixed ones */
    axes_fit_anchors(AXIS_PURCHASE_FREQUENCY, scalars, 101, anchors);
    for (int k = 1; k < 4; k++)
        assert_true(anchors[k] < anchors[k + 1]);
    assert_true(anchors[4] < 7);
    const double a[AXES_MAX_WORDS] = { .5, .5 }, b[AXES_MAX_WORDS] = { .5, .5 }, c[AXES_MAX_WORDS] = { .9, .1 };
    near(axes_psi(a, b), 0, 1e-12);
    assert_true(axes_psi(a, c) > AXES_REFIT_PSI);
}

static void archetypes_are_stable(void **state)
{
    (void)state;
    char id[ARCHETYPE_ID_SIZE], text[ARCHETYPE_SENTENCE_SIZE], name[ARCHETYPE_NAME_SIZE];
    uint8_t w[AXIS_COUNT] = { 0 };

    w[AXIS_LIFECYCLE] = word(AXIS_LIFECYCLE, "cooling");
    w[AXIS_PRICE_SENSITIVITY] = word(AXIS_PRICE_SENSITIVITY, "deal_hunter");
    w[AXIS_PURCHASE_FREQUENCY] = word(AXIS_PURCHASE_FREQUENCY, "occasional");
    w[AXIS_PURCHASE_VALUE] = word(AXIS_PURCHASE_VALUE, "mid_tier");
    uint64_t number = archetype_id(ARCHETYPE_L1, w);
    assert_string_equal(archetype_format_id(id, number), "arch_015766796028");
    assert_string_equal(archetype_name(name, w), "Occasional, mid tier, deal hunter, cooling");
    assert_string_equal(archetype_describe(text, w),
                        "Buys now and then, mid spend, mostly on discount; the usual gap has passed.");
    assert_string_equal(archetype_behaviour(text, w), "Buys now and then, mid spend, mostly on discount.");
    w[AXIS_SHOPPING_CADENCE] = 3; /* not a defining axis */
    assert_true(archetype_id(ARCHETYPE_L1, w) == number);
    uint64_t fine = archetype_id(ARCHETYPE_L2, w);
    assert_true(fine != number && fine < UINT64_C(1000000000000));
    w[AXIS_SHOPPING_CADENCE] = 4;
    assert_true(archetype_id(ARCHETYPE_L2, w) != fine);
    memset(w, 255, sizeof(w)); /* damaged words stay in bounds */
    archetype_describe(text, w);
    archetype_name(name, w);
    /* a pair of axis and word has its place in the text of the id */
    for (int i = 0; i < AXIS_COUNT; i++)
        for (unsigned k = 0; k < axes_vocab[i].word_count; k++)
            assert_true(strlen(axes_vocab[i].words[k].name) + strlen(axes_vocab[i].name) < 45);
}

static bool accepts(enum campaign_type type, enum axis_id axis, const char *name)
{
    uint16_t words = campaign_rule(type)->words[axis];

    return words == 0 || (words >> word(axis, name) & 1);
}

static void campaigns_choose(void **state)
{
    (void)state;
    static const struct {
        enum campaign_type type;
        enum axis_id axis;
        const char *yes[4];
    } rules[] = { { CAMPAIGN_RETENTION, AXIS_LIFECYCLE, { "active", "cooling", "lapsing" } },
                  { CAMPAIGN_WINBACK, AXIS_LIFECYCLE, { "dormant" } },
                  { CAMPAIGN_LOYALTY, AXIS_LIFECYCLE, { "active" } },
                  { CAMPAIGN_CROSS_SELL, AXIS_LIFECYCLE, { "active", "cooling" } },
                  { CAMPAIGN_CROSS_SELL, AXIS_CATEGORY_AFFINITY, { "specialized", "category_loyal" } },
                  { CAMPAIGN_SEASONAL, AXIS_SHOPPING_CADENCE, { "holiday", "seasonal" } } };
    static const uint32_t least[CAMPAIGN_TYPES] = { 0, 0, 0, 3, 0, 0, 3 };
    static const enum campaign_value value[CAMPAIGN_TYPES] = { CAMPAIGN_AT_RISK,    CAMPAIGN_KEPT,   CAMPAIGN_AT_RISK,
                                                               CAMPAIGN_FUTURE,     CAMPAIGN_FUTURE, CAMPAIGN_KEPT,
                                                               CAMPAIGN_ORDERS_KEPT };
    unsigned restricted = 0;

    for (unsigned i = 0; i < CAMPAIGN_TYPES; i++) {
        const struct campaign_rule *rule = campaign_rule((enum campaign_type)i);
        assert_non_null(rule->advice);
        assert_int_equal(rule->min_orders, least[i]);
        assert_int_equal(rule->value, value[i]);
        for (unsigned axis = 0; axis < AXIS_COUNT; axis++)
            restricted += rule->words[axis] != 0;
    }
    assert_int_equal(restricted, sizeof(rules) / sizeof(rules[0]));
    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
        for (unsigned w = 0; w < axes_vocab[rules[i].axis].word_count; w++) {
            const char *name = axes_vocab[rules[i].axis].words[w].name;
            bool want = false;
            for (int k = 0; k < 4 && rules[i].yes[k] != NULL; k++)
                want = want || strcmp(rules[i].yes[k], name) == 0;
            assert_int_equal(accepts(rules[i].type, rules[i].axis, name), want);
        }
    assert_null(campaign_type_name(CAMPAIGN_TYPES));
}

static void goals_choose(void **state)
{
    (void)state;
    static const struct {
        enum campaign_goal goal;
        enum axis_id axis;
        const char *yes[3];
    } goals[] = { { CAMPAIGN_GOAL_SUBSCRIPTION, AXIS_REPURCHASE_BEHAVIOR, { "routine_buyer", "consumable_buyer" } },
                  { CAMPAIGN_GOAL_RETENTION, AXIS_LIFECYCLE, { "cooling", "lapsing" } },
                  { CAMPAIGN_GOAL_CROSS_SELL, AXIS_CATEGORY_AFFINITY, { "category_loyal" } } };

    for (int i = 0; i < 3; i++) {
        enum axis_id axis = goals[i].axis;
        assert_int_equal(campaign_goal_parse(str_from(campaign_goal_name(goals[i].goal))), goals[i].goal);
        for (uint8_t w = 0; w < axes_vocab[axis].word_count; w++) {
            uint8_t words[AXIS_COUNT] = { 0 };
            bool want = false;
            words[axis] = w;
            for (int k = 0; k < 3 && goals[i].yes[k] != NULL; k++)
                want = want || strcmp(goals[i].yes[k], axes_vocab[axis].words[w].name) == 0;
            assert_int_equal(campaign_goal_fits(goals[i].goal, words), want);
        }
    }
    assert_string_equal(campaign_goal_reason(CAMPAIGN_GOAL_CROSS_SELL),
                        "Category-loyal - introduce complementary products");
    assert_int_equal(campaign_goal_parse(STR_LIT("growth")), -1);
}

static void cohorts_count(void **state)
{
    (void)state;
    static struct cohort_table t;
    int32_t day;

    assert_true(clock_parse_day(STR_LIT("2025-11-03"), &day));
    cohort_init(&t, day);
    int64_t now = cohort_month_of(day);
    assert_int_equal(now, 2025 * 12 + 10);
    for (int i = 0; i < 4; i++)
        cohort_add(&t, now - 1, now - 1, 2, 1000);
    cohort_add(&t, now - 1, now, 1, 500);
    cohort_add(&t, now, now, 1, -200);
    cohort_add(&t, now - 100, now, 1, 1);   /* too old */
    cohort_add(&t, now, now + 1, 1, 1);     /* not yet */
    cohort_add(&t, now - 1, now - 2, 1, 1); /* before its first */
    assert_int_equal(cohort_size(&t, 1), 4);
    near(cohort_retention(&t, 1, 0), 1, 0);
    near(cohort_retention(&t, 1, 1), 0.25, 0);
    near(cohort_cumulative_revenue(&t, 1, 0), 10, 1e-12);
    near(cohort_cumulative_revenue(&t, 1, 1), 11.25, 1e-12);
    near(cohort_cumulative_revenue(&t, 0, 0), -2, 1e-12);
    near(cohort_average_retention(&t, 2, 0), 1, 0);
    near(cohort_average_retention(&t, 2, 1), 0.25, 0);
    near(cohort_average_retention(&t, 1, 1), 0, 0); /* none reached it */
    near(cohort_retention(&t, 9, 3), 0, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memberships_sum_to_one), cmocka_unit_test(gates_come_first),
        cmocka_unit_test(scalars_by_hand),        cmocka_unit_test(maturity_has_fixed_anchors),
        cmocka_unit_test(anchors_are_quantiles),  cmocka_unit_test(archetypes_are_stable),
        cmocka_unit_test(campaigns_choose),       cmocka_unit_test(goals_choose),
        cmocka_unit_test(cohorts_count),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
