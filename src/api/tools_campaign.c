/*
 * tools_campaign: plan_campaign and get_recommendations (CONTRACT 17.3): customers chosen by a rule, and what to do.
 */
#include "api/answer.h"
#include "api/present_campaign.h"
#include "api/request.h"
#include "api/season.h"
#include "api/tools.h"
#include "base/fmt.h"
#include "model/advice.h"

const char *const tools_priority_words[] = { "impact", "ltv", "churn_risk", NULL };
static const enum population_order priorities[] = { POPULATION_BY_IMPACT, POPULATION_BY_LTV, POPULATION_BY_CHURN };

static const char *customers(uint64_t n)
{
    return n == 1 ? "customer" : "customers";
}

static bool is_given(const struct tool_call *c, const char *name)
{
    const struct json *m = json_get(c->arguments, name);

    return m != NULL && m->type != JSON_NULL;
}

/* False: refused. */
static bool read_campaign(struct tool_call *c, struct campaign_request *r)
{
    int priority = tool_word(c, "prioritize_by");

    r->target_size = (size_t)tool_int(c, "target_size");
    r->min_ltv = tool_number(c, "min_ltv");
    r->churn = (struct select_range_f64){ .has_least = is_given(c, "min_churn_risk"),
                                          .has_most = is_given(c, "max_churn_risk"),
                                          .least = tool_number(c, "min_churn_risk"),
                                          .most = tool_number(c, "max_churn_risk") };
    r->by_order = priority >= 0;
    r->order = priorities[priority >= 0 ? priority : 0];
    if (!r->churn.has_least || !r->churn.has_most || r->churn.least <= r->churn.most)
        return true;
    if (c->lenient) {
        double least = r->churn.most;

        r->churn.most = r->churn.least;
        r->churn.least = least;
        return true;
    }
    params_fault(&c->faults, PARAMS_OUT_OF_RANGE, c->where, STR_LIT("min_churn_risk"),
                 "must not be greater than max_churn_risk");
    tool_fail_fault(c);
    return false;
}

void tool_campaign(struct tool_call *c)
{
    int goal = tool_word(c, "goal");
    struct campaign_request r = { .rule = campaign_rule(goal >= 0 ? (enum campaign_type)goal : CAMPAIGN_RETENTION) };
    struct campaign_choice chosen;

    if (!tool_has_model(c) || !read_campaign(c, &r))
        return;
    if (goal == CAMPAIGN_SEASONAL && is_given(c, "event")) {
        season_recommend(c);
        return;
    }
    if (!campaign_choose(c->q->data->population, &r, &c->q->http->arena, &chosen)) {
        tool_fail_memory(c);
        return;
    }
    tool_answer_begin(c, METRIC_NL_CAMPAIGN_TARGETING);
    json_kv_cstr(&c->w, "campaign_type", r.rule->name);
    present_campaign_customers(&c->w, c->q->data, &chosen);
    json_kv_cstr(&c->w, "strategy", r.rule->advice);
    json_key(&c->w, "aggregate_metrics");
    json_object_begin(&c->w);
    present_campaign_totals(&c->w, &chosen);
    json_kv_int(&c->w, "candidates_found", (int64_t)chosen.best.total_matches);
    json_object_end(&c->w);
    tool_answer_end(c, "%zu %s for %s", chosen.best.count, customers(chosen.best.count), r.rule->name);
}

/* ---- recommendations ---- */

const char *tools_advice_words[ADVICE_TYPES + 1];

void tools_campaign_init(void)
{
    for (unsigned i = 0; i < ADVICE_TYPES; i++)
        tools_advice_words[i] = advice_get((enum advice_type)i)->name;
}

static const enum metric_nl advice_answers[] = {
    [ADVICE_UPSELL] = METRIC_NL_UPSELL_RECOMMENDATIONS,
    [ADVICE_CROSS_SELL] = METRIC_NL_CROSS_SELL_RECOMMENDATIONS,
    [ADVICE_EXPANSION] = METRIC_NL_EXPANSION_RECOMMENDATIONS,
    [ADVICE_WINBACK] = METRIC_NL_WINBACK_RECOMMENDATIONS,
    [ADVICE_RETENTION] = METRIC_NL_RETENTION_ACTION_PLAN,
    [ADVICE_DISCOUNT] = METRIC_NL_DISCOUNT_STRATEGY,
};

static void write_actions(struct json_writer *w, const char *key, const struct advice *a, unsigned most)
{
    json_key(w, key);
    json_array_begin(w);
    for (unsigned i = 0; i < most && i < ADVICE_ACTIONS && a->actions[i] != NULL; i++)
        json_cstr(w, a->actions[i]);
    json_array_end(w);
}

static void write_customers(struct json_writer *w, const struct population *p, const struct advice *a,
                            const struct select_result *best)
{
    char id[FMT_MAX] = "";

    json_key(w, "customers");
    json_array_begin(w);
    for (size_t i = 0; i < best->count; i++) {
        const struct population_row *row = &p->rows[best->rows[i]];

        json_object_begin(w);
        json_kv_str(w, "customer_id", (struct str){ id, fmt_i64(id, row->customer_id) });
        json_kv_cents(w, "ltv", population_net_cents(row));
        json_kv_int(w, "order_count", row->orders);
        json_kv_fixed(w, "churn_risk", (double)row->churn, 4);
        write_actions(w, "recommended_actions", a, 1);
        json_object_end(w);
    }
    json_array_end(w);
}

static void write_offers(struct json_writer *w, const struct advice *a)
{
    json_key(w, "recommendations");
    json_array_begin(w);
    for (unsigned i = 0; i < ADVICE_OFFERS && a->offers[i].segment != NULL; i++) {
        json_object_begin(w);
        json_kv_cstr(w, "segment", a->offers[i].segment);
        json_kv_cstr(w, "discount", a->offers[i].discount);
        json_kv_cstr(w, "rationale", a->offers[i].rationale);
        json_object_end(w);
    }
    json_array_end(w);
}

/* The value at risk, or the value expected, of those listed. */
static void write_impact(struct tool_call *c, const struct advice *a, const struct campaign_choice *chosen)
{
    const struct population *p = c->q->data->population;
    bool at_risk = advice_rule(a)->value == CAMPAIGN_AT_RISK;
    const char *text;
    double sum = 0;

    for (size_t i = 0; i < chosen->best.count; i++)
        sum += chosen->unit * select_sort_value(p, chosen->order, chosen->best.rows[i]);
    text = at_risk ? arena_printf(&c->q->http->arena, "%.2f of value at risk addressed", sum)
                   : arena_printf(&c->q->http->arena, "%.2f expected from them in the next %d months", sum,
                                  p->header->settings.clv_months);
    json_kv_cstr(&c->w, "expected_impact", text != NULL ? text : "");
}

void tool_recommendations(struct tool_call *c)
{
    int word = tool_word(c, "type");
    enum advice_type type = word >= 0 ? (enum advice_type)word : ADVICE_RETENTION;
    const struct advice *a = advice_get(type);
    struct campaign_request r = { .rule = advice_rule(a), .target_size = (size_t)tool_int(c, "limit") };
    struct campaign_choice chosen;

    if (!tool_has_model(c))
        return;
    if (!campaign_choose(c->q->data->population, &r, &c->q->http->arena, &chosen)) {
        tool_fail_memory(c);
        return;
    }
    tool_answer_begin(c, advice_answers[type]);
    json_kv_cstr(&c->w, "recommendation", a->recommendation);
    write_actions(&c->w, "suggested_actions", a, ADVICE_ACTIONS);
    write_customers(&c->w, c->q->data->population, a, &chosen.best);
    write_offers(&c->w, a);
    write_impact(c, a, &chosen);
    tool_answer_end(c, "%zu %s: %s", chosen.best.count, customers(chosen.best.count), a->recommendation);
}
