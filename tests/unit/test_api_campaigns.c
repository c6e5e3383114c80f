/*
 * Campaigns over a scored population: nobody better is left out.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "analytics_fixture.h"
#include "api_expect.h"
#include "model/axes_vocab.h"
#include "model/campaign.h"

static struct fixture f;
static struct population *p;

static int setup(void **state)
{
    (void)state;
    p = analytics_start(&f, "", &(struct analytics_shape){ .rows = 1200, .data_version = 9 });
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    return analytics_stop(&f, p);
}

static const char *word_of(size_t i, unsigned axis)
{
    return axes_vocab_word(axis, population_dominant(&p->rows[i].axes[axis]));
}

static bool is(size_t i, unsigned axis, const char *word)
{
    return strcmp(word_of(i, axis), word) == 0;
}

/* The table of CONTRACT 13.1, read anew. */
static bool candidate(const char *type, size_t i, double *score)
{
    const struct population_row *r = &p->rows[i];
    double ltv = (double)p->ltv_cents[i] / 100, churn = (double)r->churn, clv = (double)r->predicted_clv;
    bool active = is(i, AXIS_LIFECYCLE, "active"), cooling = is(i, AXIS_LIFECYCLE, "cooling");
    bool dormant = is(i, AXIS_LIFECYCLE, "dormant");
    bool narrow = is(i, AXIS_CATEGORY_AFFINITY, "specialized") || is(i, AXIS_CATEGORY_AFFINITY, "category_loyal");
    bool seasonal = is(i, AXIS_SHOPPING_CADENCE, "seasonal") || is(i, AXIS_SHOPPING_CADENCE, "holiday");
    const struct {
        const char *type;
        bool candidate;
        double score;
    } table[] = {
        { "retention", !dormant, ltv * churn },
        { "growth", true, ltv * (1 - churn) },
        { "winback", dormant, ltv * churn },
        { "loyalty", r->orders >= 3 && active, clv },
        { "cross_sell", narrow && (active || cooling), clv },
        { "seasonal", seasonal, ltv * (1 - churn) },
        { "acquisition", r->orders >= 3, r->orders * (1 - churn) },
    };

    for (size_t t = 0; t < sizeof(table) / sizeof(table[0]); t++) {
        if (strcmp(table[t].type, type) != 0)
            continue;
        *score = table[t].score;
        return table[t].candidate;
    }
    fail_msg("no type %s", type);
    return false;
}

/* Nobody outside the list has a higher score than anybody in it. */
static void check_campaign(enum campaign_type type, size_t size, double min_ltv)
{
    const struct answer *a =
        post(&f,
             target_of("/api/mcp/campaigns/recommend?campaign_type=%s&target_size=%zu&min_ltv=%.2f",
                       campaign_type_name(type), size, min_ltv),
             "");
    const struct json *j = answer_json(a);
    double before = INFINITY, last = -INFINITY, ltv = 0, members = 0;
    uint64_t candidates = 0, above = 0;

    assert_int_equal(a->status, 200);
    for (const struct json *c = json_at(j, "recommended_customers")->first; c != NULL; c = c->next) {
        last = num(c, "score");
        assert_true(last <= before);
        assert_true(num(c, "ltv") >= min_ltv);
        before = last;
        ltv += num(c, "ltv");
    }
    for (size_t i = 0; i < p->count; i++) {
        double score = 0;
        if ((double)p->ltv_cents[i] / 100 < min_ltv || !candidate(campaign_type_name(type), i, &score))
            continue;
        candidates++;
        above += score > last + 0.006;
    }
    expect_near(num(j, "candidates_found"), (double)candidates, 0);
    size_t listed = json_at(j, "recommended_customers")->count;
    assert_int_equal(listed, candidates < size ? candidates : size);
    assert_true(above <= listed);
    expect_near(num(j, "recommendations_count"), (double)listed, 0);
    expect_near(num(j, "aggregate_metrics.total_ltv"), ltv, 0.01);
    expect_same(j, "aggregate_metrics.total_ltv", "total_potential_ltv");
    expect_same(j, "aggregate_metrics.avg_churn_risk", "avg_churn_risk");
    expect_same(j, "target_size", "target_size_requested");
    for (const struct json *m = json_at(j, "archetype_distribution")->first; m != NULL; m = m->next) {
        double n;
        assert_true(json_double(m, &n));
        members += n;
    }
    expect_near(members, (double)listed, 0);
}

static void campaigns_find_the_best(void **state)
{
    (void)state;
    for (unsigned type = 0; type < CAMPAIGN_TYPES; type++) {
        check_campaign((enum campaign_type)type, 25, 0);
        check_campaign((enum campaign_type)type, 10000, 60.5);
        check_campaign((enum campaign_type)type, 5, 1e9); /* nobody */
    }
    const struct json *j = answer_json(post(&f, "/api/mcp/campaigns/recommend", ""));
    expect(j, "campaign_type", "retention");
    expect(j, "target_size", "100");
    expect(j, "min_ltv_filter", "0.0");
    const struct answer *a = post(&f, "/api/mcp/campaigns/recommend?campaign_type=spam", "");
    assert_int_equal(a->status, 400);
    expect(answer_json(a), "error.message", "Invalid campaign type: spam");
    assert_int_equal(json_at(answer_json(a), "error.details.allowed")->count, 7);
    a = post(&f, "/api/mcp/campaigns/recommend?target_size=10001&min_ltv=-1", "");
    assert_int_equal(a->status, 422);
    assert_int_equal(json_at(answer_json(a), "error.details.validation_errors")->count, 2);
}

static void goals_name_archetypes(void **state)
{
    static const char *const goals[] = { "subscription", "retention", "cross_sell" };

    (void)state;
    for (unsigned g = 0; g < 3; g++) {
        const struct json *j = good(&f, target_of("/api/mcp/campaign/%s?max_segments=100", goals[g]));
        double before = INFINITY;
        assert_int_equal(j->type, JSON_ARRAY);
        assert_true(j->count > 0);
        for (const struct json *a = j->first; a != NULL; a = a->next) {
            const char *lifecycle = json_text(a, "segments.lifecycle");
            assert_true(num(a, "member_count") <= before);
            before = num(a, "member_count");
            if (g == 1)
                assert_true(strcmp(lifecycle, "cooling") == 0 || strcmp(lifecycle, "lapsing") == 0);
        }
    }
    assert_int_equal(good(&f, "/api/mcp/campaign/retention")->count, 5);
    expect(good(&f, "/api/mcp/campaign/retention"), "0.reason", "Declining purchase frequency - retention target");
    const struct answer *a = get(&f, "/api/mcp/campaign/profit");
    assert_int_equal(a->status, 404);
    assert_int_equal(json_at(answer_json(a), "error.details.allowed")->count, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(campaigns_find_the_best),
        cmocka_unit_test(goals_name_archetypes),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
