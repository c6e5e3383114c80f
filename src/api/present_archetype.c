/*
 * present_archetype: see the header.
 */
#include "api/present_archetype.h"

#include <math.h>
#include <stdio.h>

#include "api/answer.h"
#include "api/growth.h"
#include "api/put.h"
#include "api/put_axes.h"
#include "data/topn.h"
#include "model/axes_vocab.h"

#define MONTHS_PER_YEAR 12
#define STRONG_SHARE    0.7

const char *const archetype_metric_words[] = { "total_ltv", "avg_ltv", "member_count", NULL };

const struct population_archetype *present_archetype_find(const struct population *p, struct str id)
{
    char text[ARCHETYPE_ID_SIZE];
    struct str digits = { id.p + 5, id.len - 5 };
    uint64_t number;

    if (!str_starts(id, "arch_") || !str_to_u64(digits, &number) || number >= 1000000000000)
        return NULL;
    if (!str_eq_lit(id, archetype_format_id(text, number)))
        return NULL;
    return population_archetype_find(p, number);
}

static double mean(double sum, const struct population_archetype *a)
{
    return answer_ratio(sum, (double)a->members);
}

static int64_t mean_cents(const struct population_archetype *a)
{
    return answer_cents(mean((double)a->net_cents / 100, a));
}

static void write_id(struct json_writer *w, const struct population_archetype *a)
{
    char id[ARCHETYPE_ID_SIZE], name[ARCHETYPE_NAME_SIZE];

    json_kv_cstr(w, "archetype_id", archetype_format_id(id, a->id));
    json_kv_cstr(w, "segment_name", archetype_name(name, a->words));
}

void present_archetype_segments(struct json_writer *w, const char *key, const struct population_archetype *a)
{
    json_key(w, key);
    json_object_begin(w);
    for (unsigned axis = 0; axis < POPULATION_AXES; axis++)
        json_kv_cstr(w, axes_vocab[axis].name, axes_vocab_word(axis, a->words[axis]));
    json_object_end(w);
}

static char *put_members(char *p, const struct population *pop, const struct population_archetype *a)
{
    char id[ARCHETYPE_ID_SIZE], name[ARCHETYPE_NAME_SIZE];

    p = PUT(p, "\"archetype_id\":");
    p = put_word(p, archetype_format_id(id, a->id));
    p = PUT(p, ",\"segment_name\":");
    p = put_word(p, archetype_name(name, a->words));
    p = PUT(p, ",\"dominant_segments\":");
    p = put_axes_words(p, a->words);
    p = PUT(p, ",\"behavioral_traits\":");
    p = put_axes_traits(p, a);
    p = PUT(p, ",\"member_count\":");
    p = put_int(p, (int64_t)a->members);
    p = PUT(p, ",\"population_percentage\":");
    p = put_fixed(p, answer_percent((double)a->members, (double)pop->count), 2);
    p = PUT(p, ",\"avg_lifetime_value\":");
    p = put_cents(p, mean_cents(a));
    p = PUT(p, ",\"avg_order_frequency\":");
    p = put_fixed(p, mean(a->orders_per_year / MONTHS_PER_YEAR, a), 4);
    p = PUT(p, ",\"avg_churn_risk\":");
    return put_fixed(p, mean(a->churn_sum, a), 4);
}

char *put_archetype(char *p, const struct population *pop, const struct population_archetype *a)
{
    *p++ = '{';
    p = put_members(p, pop, a);
    *p++ = '}';
    return p;
}

static void write_members(struct json_writer *w, const struct population *pop, const struct population_archetype *a)
{
    char text[PUT_ARCHETYPE_MAX];

    json_raw(w, (struct str){ text, (size_t)(put_members(text, pop, a) - text) });
}

static void write_signature(struct json_writer *w, const struct population_archetype *a)
{
    json_key(w, "strength_signature");
    json_array_begin(w);
    for (unsigned axis = 0; axis < POPULATION_AXES; axis++) {
        double share = mean(a->with_word[axis], a);

        json_object_begin(w);
        json_kv_cstr(w, "axis", axes_vocab[axis].name);
        json_kv_cstr(w, "segment", axes_vocab_word(axis, a->words[axis]));
        json_kv_cstr(w, "strength", share > STRONG_SHARE ? "strong" : "balanced");
        json_kv_fixed(w, "share", share, 4);
        json_object_end(w);
    }
    json_array_end(w);
}

void present_archetype(struct json_writer *w, const struct dataset *d, const struct population_archetype *a)
{
    const struct population *p = d->population;
    char sentence[ARCHETYPE_SENTENCE_SIZE];

    json_object_begin(w);
    write_members(w, p, a);
    json_kv_cstr(w, "description", archetype_describe(sentence, a->words));
    json_kv_cstr(w, "archetype_level", p->header->settings.archetype_level == ARCHETYPE_L2 ? "l2" : "l1");
    json_kv_int(w, "active_members", (int64_t)a->active);
    write_signature(w, a);
    json_kv_cents(w, "average_ltv", mean_cents(a));
    json_kv_cents(w, "total_lifetime_value", a->net_cents);
    json_kv_cents(w, "total_revenue", a->net_cents);
    json_kv_fixed(w, "average_orders", mean((double)a->orders, a), 2);
    json_kv_fixed(w, "avg_order_value", answer_ratio((double)a->net_cents / 100, (double)a->orders), 2);
    json_kv_fixed(w, "expected_orders_90d", a->expected_orders_90, 2);
    answer_stamp(w, d);
    json_object_end(w);
}

static double metric_of(const struct population_archetype *a, enum archetype_metric metric)
{
    switch (metric) {
    case ARCHETYPE_TOTAL_LTV:
        return (double)a->net_cents;
    case ARCHETYPE_AVG_LTV:
        return mean((double)a->net_cents, a);
    default:
        return (double)a->members;
    }
}

const struct population_archetype **present_archetypes_ranked(const struct population *p,
                                                              enum archetype_metric metric, size_t limit,
                                                              struct arena *a, size_t *count)
{
    size_t wanted = limit < p->archetype_count ? limit : p->archetype_count;
    struct topn top = { .heap = arena_calloc(a, wanted + 1, sizeof(*top.heap)), .wanted = wanted };
    const struct population_archetype **list = arena_calloc(a, wanted + 1, sizeof(*list));

    if (top.heap == NULL || list == NULL)
        return NULL;
    for (size_t i = 0; i < p->archetype_count; i++)
        topn_add(&top, (struct topn_item){ -metric_of(&p->archetypes[i], metric), (uint32_t)i });
    topn_sort(&top);
    for (size_t i = 0; i < top.count; i++)
        list[i] = &p->archetypes[top.heap[i].number];
    *count = top.count;
    return list;
}

void present_archetype_top_members(struct json_writer *w, const struct population *p,
                                   const struct population_archetype *a)
{
    write_id(w, a);
    present_archetype_segments(w, "dominant_segments", a);
    json_kv_int(w, "member_count", (int64_t)a->members);
    json_kv_cents(w, "total_lifetime_value", a->net_cents);
    json_kv_cents(w, "avg_lifetime_value", mean_cents(a));
    json_kv_fixed(w, "population_percentage", answer_percent((double)a->members, (double)p->count), 2);
    json_kv_cents(w, "total_ltv", a->net_cents);
    json_kv_cents(w, "avg_ltv", mean_cents(a));
    json_kv_fixed(w, "avg_churn_risk", mean(a->churn_sum, a), 4);
}

bool present_archetypes_top(struct json_writer *w, const struct dataset *d, enum archetype_metric metric,
                            size_t limit, struct arena *a)
{
    const struct population *p = d->population;
    size_t count;
    const struct population_archetype **list = present_archetypes_ranked(p, metric, limit, a, &count);
    int64_t net_cents = 0, members = 0;

    if (list == NULL)
        return false;
    json_object_begin(w);
    json_kv_cstr(w, "metric", archetype_metric_words[metric]);
    json_kv_int(w, "total_archetypes", (int64_t)p->archetype_count);
    json_kv_int(w, "total_archetypes_analyzed", (int64_t)p->archetype_count);
    json_key(w, "top_archetypes");
    json_array_begin(w);
    for (size_t i = 0; i < count; i++) {
        json_object_begin(w);
        present_archetype_top_members(w, p, list[i]);
        json_object_end(w);
        net_cents += list[i]->net_cents;
        members += (int64_t)list[i]->members;
    }
    json_array_end(w);
    json_key(w, "summary");
    json_object_begin(w);
    json_kv_cents(w, "top_archetype_total_ltv", net_cents);
    json_kv_int(w, "top_archetype_member_count", members);
    json_kv_fixed(w, "top_archetype_population_pct", answer_percent((double)members, (double)p->count), 2);
    json_object_end(w);
    answer_stamp(w, d);
    json_object_end(w);
    return true;
}

static void write_months(struct json_writer *w, const struct population *p, const struct growth *g, int months,
                         int64_t members)
{
    json_key(w, "monthly_projection");
    json_array_begin(w);
    for (int m = 1; m <= months; m++) {
        const struct growth_month *month = &g->month[m - 1];

        members += month->acquired - month->churned;
        json_object_begin(w);
        answer_month(w, p, m);
        json_kv_int(w, "members", members);
        json_kv_int(w, "churned", month->churned);
        json_kv_int(w, "acquired", month->acquired);
        json_object_end(w);
    }
    json_array_end(w);
}

void present_archetype_growth_members(struct json_writer *w, const struct population_archetype *a,
                                      const struct growth *g)
{
    int64_t members = (int64_t)a->members, net = g->acquired - g->churned;
    char key[40];

    write_id(w, a);
    present_archetype_segments(w, "dominant_segments", a);
    json_kv_int(w, "current_members", members);
    json_kv_int(w, "projected_members", members + net);
    json_kv_int(w, "member_count", members);
    json_kv_int(w, "active_members", (int64_t)a->active);
    json_kv_cents(w, "total_ltv", a->net_cents);
    json_kv_int(w, "net_change", net);
    json_kv_fixed(w, "growth_rate_pct", answer_growth_pct((double)members, (double)(members + net)), 2);
    json_kv_int(w, "total_acquired", g->acquired);
    json_kv_int(w, "total_churned", g->churned);
    json_kv_fixed(w, "monthly_churn_rate_pct", 100 * g->monthly_churn_rate, 2);
    json_kv_int(w, "starting_members", members);
    snprintf(key, sizeof(key), "projected_members_month_%d", g->months);
    json_kv_int(w, key, members + net);
    json_kv_fixed(w, "avg_churn_risk", mean(a->churn_sum, a), 4);
}

static void write_projection(struct json_writer *w, const struct population *p, const struct population_archetype *a,
                             int months)
{
    struct growth g;

    growth_of_archetype(p, a, months, &g);
    json_object_begin(w);
    present_archetype_growth_members(w, a, &g);
    write_months(w, p, &g, months, (int64_t)a->members);
    json_object_end(w);
}

bool present_archetypes_growth(struct json_writer *w, const struct dataset *d, int months, size_t top_n,
                               struct arena *a)
{
    const struct population *p = d->population;
    size_t count;
    const struct population_archetype **list = present_archetypes_ranked(p, ARCHETYPE_TOTAL_LTV, top_n, a, &count);
    struct growth all;

    if (list == NULL)
        return false;
    growth_of_all(p, months, &all);
    json_object_begin(w);
    json_kv_int(w, "timeframe_months", months);
    json_kv_int(w, "months", months);
    json_kv_int(w, "archetypes_analyzed", (int64_t)count);
    json_key(w, "archetype_projections");
    json_array_begin(w);
    for (size_t i = 0; i < count; i++)
        write_projection(w, p, list[i], months);
    json_array_end(w);
    json_key(w, "global_assumptions");
    json_object_begin(w);
    json_kv_int(w, "total_monthly_acquisition", growth_monthly_acquisition(&all));
    json_kv_fixed(w, "data_span_years", answer_span_years(p), 1);
    json_object_end(w);
    answer_growth_backtest(w, p->model);
    answer_provenance(w, d);
    json_object_end(w);
    return true;
}
