/*
 * present_campaign: see the header. A campaign is a query: its type's rule says the filters and the sort.
 */
#include "api/present_campaign.h"

#include "api/answer.h"
#include "api/present.h"
#include "api/present_archetype.h"
#include "api/search_request.h"
#include "data/topn.h"

/* What a value is sorted by. */
static const enum population_order orders[] = {
    [CAMPAIGN_AT_RISK] = POPULATION_BY_IMPACT,
    [CAMPAIGN_KEPT] = POPULATION_BY_KEPT,
    [CAMPAIGN_FUTURE] = POPULATION_BY_CLV,
    [CAMPAIGN_ORDERS_KEPT] = POPULATION_BY_ORDERS_KEPT,
};

/* Sort values of money are in cents, but that of predicted CLV. */
static double unit_of(enum population_order order)
{
    return order == POPULATION_BY_LTV || order == POPULATION_BY_IMPACT || order == POPULATION_BY_KEPT ? 0.01 : 1;
}

/* Everyone with a score whom the rule names. */
static struct select_query query_of(const struct campaign_request *r)
{
    const struct campaign_rule *rule = r->rule;
    struct select_query q = { .filters = { .is_b2b = -1, .churn = r->churn },
                              .sort = r->by_order ? r->order : orders[rule->value],
                              .limit = r->target_size };

    if (!q.filters.churn.has_least) /* 0 leaves out who has no score */
        q.filters.churn = (struct select_range_f64){ true, r->churn.has_most, 0, r->churn.most };
    for (unsigned axis = 0; axis < POPULATION_AXES; axis++)
        q.filters.axis_words[axis] = rule->words[axis];
    q.filters.orders = (struct select_range_i64){ .has_least = rule->min_orders > 0, .least = rule->min_orders };
    q.filters.ltv_cents = (struct select_range_i64){ .has_least = true, .least = search_least_cents(r->min_ltv) };
    return q;
}

bool campaign_choose(const struct population *p, const struct campaign_request *r, struct arena *a,
                     struct campaign_choice *c)
{
    struct select_query query = query_of(r);

    *c = (struct campaign_choice){ .order = query.sort, .unit = unit_of(query.sort) };
    if (!select_run(p, &query, a, &c->best))
        return false;
    for (size_t i = 0; i < c->best.count; i++) {
        c->ltv_cents += p->ltv_cents[c->best.rows[i]];
        c->churn += (double)p->churn[c->best.rows[i]];
    }
    c->churn = answer_ratio(c->churn, (double)c->best.count);
    return true;
}

void present_campaign_customers(struct json_writer *w, const struct dataset *d, const struct campaign_choice *c)
{
    const struct population *p = d->population;

    json_key(w, "recommended_customers");
    json_array_begin(w);
    for (size_t i = 0; i < c->best.count; i++) {
        if (i > 0)
            buf_add_char(w->out, ',');
        present_campaign_item(w->out, d, &p->rows[c->best.rows[i]],
                              c->unit * select_sort_value(p, c->order, c->best.rows[i]));
    }
    json_array_end(w);
}

void present_campaign_totals(struct json_writer *w, const struct campaign_choice *c)
{
    json_kv_cents(w, "total_ltv", c->ltv_cents);
    json_kv_fixed(w, "avg_ltv", answer_ratio((double)c->ltv_cents / 100, (double)c->best.count), 2);
    json_kv_fixed(w, "avg_churn_risk", c->churn, 4);
}

/* False: no memory. */
static bool write_archetypes(struct json_writer *w, const struct population *p, const struct select_result *best,
                             struct arena *a)
{
    uint32_t *members = arena_calloc(a, p->archetype_count + 1, sizeof(*members));
    char id[ARCHETYPE_ID_SIZE];

    if (members == NULL)
        return false;
    for (size_t i = 0; i < best->count; i++) {
        uint32_t archetype = p->rows[best->rows[i]].archetype;
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

bool present_campaign(struct json_writer *w, const struct dataset *d, const struct campaign_request *r,
                      struct arena *a)
{
    const struct population *p = d->population;
    struct campaign_choice c;

    if (!campaign_choose(p, r, a, &c))
        return false;
    json_object_begin(w);
    json_kv_cstr(w, "campaign_type", r->rule->name);
    json_kv_int(w, "target_size_requested", (int64_t)r->target_size);
    json_kv_int(w, "recommendations_count", (int64_t)c.best.count);
    present_campaign_customers(w, d, &c);
    json_key(w, "aggregate_metrics");
    json_object_begin(w);
    present_campaign_totals(w, &c);
    json_kv_fixed(w, "min_ltv_filter", r->min_ltv, 2);
    json_object_end(w);
    if (!write_archetypes(w, p, &c.best, a))
        return false;
    json_kv_cstr(w, "campaign_recommendations", r->rule->advice);
    json_kv_int(w, "target_size", (int64_t)r->target_size);
    json_kv_fixed(w, "min_ltv_filter", r->min_ltv, 2);
    json_kv_cents(w, "total_potential_ltv", c.ltv_cents);
    json_kv_fixed(w, "avg_churn_risk", c.churn, 4);
    json_kv_int(w, "candidates_found", (int64_t)c.best.total_matches);
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
