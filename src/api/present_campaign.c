/*
 * present_campaign: see the header. One pass over the columns keeps the best customers in a heap.
 */
#include "api/present_campaign.h"

#include <math.h>

#include "api/answer.h"
#include "api/present.h"
#include "api/present_archetype.h"
#include "api/search_request.h"
#include "data/topn.h"

struct picked {
    struct topn best;
    uint64_t candidates;
};

static uint8_t word_at(uint64_t words, unsigned axis)
{
    return (uint8_t)(words >> 4 * axis & 15);
}

/* Scores are of floats and cents; unscored customers are no candidates. */
static void pick(const struct population *p, const struct campaign_request *r, struct picked *picked)
{
    int64_t least_cents = search_least_cents(r->min_ltv);

    for (size_t i = 0; i < p->count; i++) {
        double score;

        if (p->ltv_cents[i] < least_cents || isnan(p->churn[i]))
            continue;
        struct campaign_customer c = {
            .ltv = (double)p->ltv_cents[i] / 100,
            .churn = (double)p->churn[i],
            .predicted_clv = (double)p->predicted_clv[i],
            .orders = p->orders[i],
            .lifecycle = word_at(p->words[i], AXIS_LIFECYCLE),
            .category_affinity = word_at(p->words[i], AXIS_CATEGORY_AFFINITY),
            .shopping_cadence = word_at(p->words[i], AXIS_SHOPPING_CADENCE),
        };
        if (!campaign_score(r->type, &c, &score))
            continue;
        picked->candidates++;
        topn_add(&picked->best, (struct topn_item){ -score, (uint32_t)i });
    }
    topn_sort(&picked->best);
}

static void write_customers(struct json_writer *w, const struct dataset *d, const struct topn *best)
{
    json_key(w, "recommended_customers");
    json_array_begin(w);
    for (size_t i = 0; i < best->count; i++) {
        if (i > 0)
            buf_add_char(w->out, ',');
        present_campaign_item(w->out, d, &d->population->rows[best->heap[i].number], -best->heap[i].key);
    }
    json_array_end(w);
}

struct list_totals {
    int64_t ltv_cents;
    double churn; /* mean */
};

static struct list_totals total_of(const struct population *p, const struct topn *best)
{
    struct list_totals t = { 0, 0 };

    for (size_t i = 0; i < best->count; i++) {
        t.ltv_cents += p->ltv_cents[best->heap[i].number];
        t.churn += (double)p->churn[best->heap[i].number];
    }
    t.churn = answer_ratio(t.churn, (double)best->count);
    return t;
}

/* False: no memory. */
static bool write_archetypes(struct json_writer *w, const struct population *p, const struct topn *best,
                             struct arena *a)
{
    uint32_t *members = arena_calloc(a, p->archetype_count + 1, sizeof(*members));
    char id[ARCHETYPE_ID_SIZE];

    if (members == NULL)
        return false;
    for (size_t i = 0; i < best->count; i++) {
        uint32_t archetype = p->rows[best->heap[i].number].archetype;
        if (archetype < p->archetype_count)
            members[archetype]++;
    }
    json_key(w, "archetype_distribution");
    json_object_begin(w);
    for (size_t i = 0; i < p->archetype_count; i++)
        if (members[i] > 0)
            json_kv_int(w, archetype_format_id(id, p->archetypes[i].id), members[i]);
    json_object_end(w);
    return true;
}

static void write_aggregates(struct json_writer *w, const struct campaign_request *r, const struct list_totals *t,
                             size_t count)
{
    json_key(w, "aggregate_metrics");
    json_object_begin(w);
    json_kv_cents(w, "total_ltv", t->ltv_cents);
    json_kv_fixed(w, "avg_ltv", answer_ratio((double)t->ltv_cents / 100, (double)count), 2);
    json_kv_fixed(w, "avg_churn_risk", t->churn, 4);
    json_kv_fixed(w, "min_ltv_filter", r->min_ltv, 2);
    json_object_end(w);
}

bool present_campaign(struct json_writer *w, const struct dataset *d, const struct campaign_request *r,
                      struct arena *a)
{
    const struct population *p = d->population;
    size_t wanted = r->target_size < p->count ? r->target_size : p->count;
    struct picked picked = { .best = { .heap = arena_calloc(a, wanted + 1, sizeof(struct topn_item)),
                                       .wanted = wanted } };

    if (picked.best.heap == NULL)
        return false;
    pick(p, r, &picked);
    struct list_totals t = total_of(p, &picked.best);
    json_object_begin(w);
    json_kv_cstr(w, "campaign_type", campaign_type_name(r->type));
    json_kv_int(w, "target_size_requested", (int64_t)r->target_size);
    json_kv_int(w, "recommendations_count", (int64_t)picked.best.count);
    write_customers(w, d, &picked.best);
    write_aggregates(w, r, &t, picked.best.count);
    if (!write_archetypes(w, p, &picked.best, a))
        return false;
    json_kv_cstr(w, "campaign_recommendations", campaign_advice(r->type));
    json_kv_int(w, "target_size", (int64_t)r->target_size);
    json_kv_fixed(w, "min_ltv_filter", r->min_ltv, 2);
    json_kv_cents(w, "total_potential_ltv", t.ltv_cents);
    json_kv_fixed(w, "avg_churn_risk", t.churn, 4);
    json_kv_int(w, "candidates_found", (int64_t)picked.candidates);
    answer_provenance(w, d);
    json_object_end(w);
    return true;
}

bool present_campaign_goal(struct json_writer *w, const struct dataset *d, enum campaign_goal goal,
                           size_t max_segments, struct arena *a)
{
    const struct population *p = d->population;
    size_t wanted = max_segments < p->archetype_count ? max_segments : p->archetype_count;
    struct topn most = { .heap = arena_calloc(a, wanted + 1, sizeof(*most.heap)), .wanted = wanted };
    char id[ARCHETYPE_ID_SIZE];

    if (most.heap == NULL)
        return false;
    for (size_t i = 0; i < p->archetype_count; i++)
        if (campaign_goal_fits(goal, p->archetypes[i].words))
            topn_add(&most, (struct topn_item){ -(double)p->archetypes[i].members, (uint32_t)i });
    topn_sort(&most);
    json_array_begin(w);
    for (size_t i = 0; i < most.count; i++) {
        const struct population_archetype *archetype = &p->archetypes[most.heap[i].number];

        json_object_begin(w);
        json_kv_cstr(w, "archetype_id", archetype_format_id(id, archetype->id));
        json_kv_int(w, "member_count", (int64_t)archetype->members);
        json_kv_cstr(w, "reason", campaign_goal_reason(goal));
        present_archetype_segments(w, "segments", archetype);
        json_object_end(w);
    }
    json_array_end(w);
    return true;
}
