/*
 * tools_segments: query_segments (CONTRACT 17.3): archetypes and where they go, compared, for a season, and what they
 * buy.
 */
#include <math.h>

#include "api/answer.h"
#include "api/growth.h"
#include "api/present_archetype.h"
#include "api/request.h"
#include "api/season.h"
#include "api/tools.h"
#include "base/clock.h"
#include "data/sql.h"
#include "data/topn.h"
#include "model/archetype.h"
#include "model/axes_vocab.h"

#define MAX_COMPARED 5

enum {
    OVERVIEW,
    GROWTH,
    COMPARISON,
    SEASONAL,
    AFFINITY
};
const char *const tools_segments_words[] = {
    "overview", "growth", "comparison", "seasonal", "product_affinity", NULL
};
const char *const tools_trend_words[] = { "growing", "shrinking", NULL };
const char *const tools_risk_words[] = { "low", "medium", "high", "critical", NULL };

/* An archetype and its future. */
struct item {
    const struct population_archetype *a;
    struct growth growth;
    double growth_pct;
};

static double mean(double sum, const struct population_archetype *a)
{
    return answer_ratio(sum, (double)a->members);
}

static double by_revenue(const struct item *i)
{
    return (double)i->a->net_cents;
}

static double by_ltv(const struct item *i)
{
    return mean((double)i->a->net_cents, i->a);
}

static double by_size(const struct item *i)
{
    return (double)i->a->members;
}

static double by_growth(const struct item *i)
{
    return i->growth_pct;
}

static double by_churn(const struct item *i)
{
    return mean(i->a->churn_sum, i->a);
}

static double by_frequency(const struct item *i)
{
    return mean(i->a->orders_per_year, i->a);
}

/* The most recent first. */
static double by_recency(const struct item *i)
{
    return -mean((double)i->a->days_since, i->a);
}

const char *const tools_segments_sorts[] = { "total_revenue", "ltv",       "size",    "growth_rate",
                                             "churn_rate",    "frequency", "recency", NULL };
static double (*const sort_values[])(const struct item *i) = {
    by_revenue, by_ltv, by_size, by_growth, by_churn, by_frequency, by_recency,
};
enum {
    SORT_REVENUE = 0,
    SORT_GROWTH = 3
};

static void make_item(const struct population *p, const struct population_archetype *a, int months, struct item *i)
{
    i->a = a;
    growth_of_archetype(p, a, months, &i->growth);
    i->growth_pct =
        answer_growth_pct((double)a->members, (double)((int64_t)a->members + i->growth.acquired - i->growth.churned));
}

/* ---- filters ---- */

static bool is_filtered_out(const struct json *filters, const struct item *i)
{
    const struct json *trend = json_get(filters, "growth_trend"), *tier = json_get(filters, "value_tier");
    const struct json *risk = json_get(filters, "risk_level");
    double churn = mean(i->a->churn_sum, i->a), least, most;

    if (trend != NULL && trend->type == JSON_STRING &&
        (str_eq_lit(trend->text, "growing") ? i->growth_pct <= 0 : i->growth_pct >= 0))
        return true;
    if (tier != NULL && tier->type == JSON_STRING &&
        axes_vocab_find_word(AXIS_PURCHASE_VALUE, tier->text) != i->a->words[AXIS_PURCHASE_VALUE])
        return true;
    if (risk != NULL && risk->type == JSON_STRING &&
        !str_eq_lit(risk->text, population_risk_name(population_risk_of((float)churn))))
        return true;
    if (json_get(filters, "size_min") != NULL && json_double(json_get(filters, "size_min"), &least) &&
        (double)i->a->members < least)
        return true;
    return json_get(filters, "size_max") != NULL && json_double(json_get(filters, "size_max"), &most) &&
           (double)i->a->members > most;
}

/* ---- overview and growth ---- */

static void write_projection(struct json_writer *w, const struct item *i)
{
    const struct population_archetype *a = i->a;

    json_object_begin(w);
    present_archetype_growth_members(w, a, &i->growth);
    json_kv_cents(w, "total_revenue", a->net_cents);
    json_kv_cents(w, "avg_ltv", answer_cents(mean((double)a->net_cents / 100, a)));
    json_kv_fixed(w, "avg_orders", mean((double)a->orders, a), 2);
    json_kv_fixed(w, "avg_days_since_purchase", mean((double)a->days_since, a), 1);
    json_object_end(w);
}

struct counts {
    size_t growing, shrinking;
    const struct population_archetype *largest;
};

/* The limit's best among those that the filters leave, in order. NULL: no memory. */
static struct topn *choose(struct tool_call *c, int months, unsigned sort, struct counts *counts)
{
    const struct population *p = c->q->data->population;
    const struct json *filters = json_get(c->arguments, "filters");
    struct topn *top = arena_zalloc(&c->q->http->arena, sizeof(*top));
    struct item i;

    if (top == NULL)
        return NULL;
    top->wanted = (size_t)tool_int(c, "limit");
    top->heap = arena_calloc(&c->q->http->arena, top->wanted, sizeof(*top->heap));
    if (top->heap == NULL)
        return NULL;
    for (size_t n = 0; n < p->archetype_count; n++) {
        make_item(p, &p->archetypes[n], months, &i);
        if (is_filtered_out(filters, &i))
            continue;
        counts->growing += i.growth_pct > 0;
        counts->shrinking += i.growth_pct < 0;
        if (counts->largest == NULL || i.a->members > counts->largest->members)
            counts->largest = i.a;
        topn_add(top, (struct topn_item){ -sort_values[sort](&i), (uint32_t)n });
    }
    topn_sort(top);
    return top;
}

static void write_insights(struct tool_call *c, const struct counts *counts, int months)
{
    struct item i;
    const char *text;

    json_key(&c->w, "key_insights");
    json_array_begin(&c->w);
    if (counts->largest != NULL) {
        make_item(c->q->data->population, counts->largest, months, &i);
        text = arena_printf(&c->q->http->arena, "The largest archetype %s %.2f %% in %d %s",
                            i.growth_pct < 0 ? "loses" : "gains", fabs(i.growth_pct), months,
                            months == 1 ? "month" : "months");
        json_cstr(&c->w, text != NULL ? text : "");
    }
    json_array_end(&c->w);
}

static void tell_projections(struct tool_call *c, unsigned initial_sort)
{
    const struct population *p = c->q->data->population;
    int months = (int)tool_int(c, "timeframe_months"), word = tool_word(c, "sort_by");
    unsigned sort = word >= 0 ? (unsigned)word : initial_sort;
    struct counts counts = { 0, 0, NULL };
    struct topn *top = choose(c, months, sort, &counts);
    struct item i;

    if (top == NULL) {
        tool_fail_memory(c);
        return;
    }
    tool_answer_begin(c, METRIC_NL_ARCHETYPE_GROWTH_PROJECTION);
    json_key(&c->w, "projections");
    json_array_begin(&c->w);
    for (size_t n = 0; n < top->count; n++) {
        make_item(p, &p->archetypes[top->heap[n].number], months, &i);
        write_projection(&c->w, &i);
    }
    json_array_end(&c->w);
    write_insights(c, &counts, months);
    json_kv_int(&c->w, "timeframe_months", months);
    json_kv_cstr(&c->w, "sort_by", tools_segments_sorts[sort]);
    tool_answer_end(c, "%zu %s, %zu %s", counts.growing, counts.growing == 1 ? "archetype grows" : "archetypes grow",
                    counts.shrinking, counts.shrinking == 1 ? "shrinks" : "shrink");
}

/* ---- comparison ---- */

static void write_compared(struct json_writer *w, const struct item *i)
{
    json_object_begin(w);
    present_archetype_growth_members(w, i->a, &i->growth);
    json_kv_cents(w, "avg_ltv", answer_cents(mean((double)i->a->net_cents / 100, i->a)));
    json_kv_fixed(w, "avg_orders", mean((double)i->a->orders, i->a), 2);
    json_object_end(w);
}

static void tell_comparison(struct tool_call *c)
{
    static const char *const compared[] = { "current_members", "total_ltv",  "growth_rate_pct",
                                            "avg_ltv",         "avg_orders", "avg_churn_risk" };
    const struct json *ids = json_get(c->arguments, "segment_ids"), *id = NULL;
    const struct population *p = c->q->data->population;
    const struct population_archetype *found[MAX_COMPARED];
    int months = (int)tool_int(c, "timeframe_months");
    size_t count = 0;
    struct item i;

    if (ids == NULL || ids->type != JSON_ARRAY || ids->count < 2) {
        tool_fail_incomplete(c, "segment_ids", "Please name two to five archetype ids.");
        return;
    }
    for (id = ids->first; id != NULL && count < MAX_COMPARED; id = id->next) {
        found[count] = present_archetype_find(p, id->text);
        if (found[count++] == NULL) {
            tool_fail_missing(c, "archetype", id->text);
            return;
        }
    }
    tool_answer_begin(c, METRIC_NL_SEGMENT_COMPARISON);
    json_key(&c->w, "segments");
    json_array_begin(&c->w);
    for (size_t n = 0; n < count; n++) {
        make_item(p, found[n], months, &i);
        write_compared(&c->w, &i);
    }
    json_array_end(&c->w);
    json_key(&c->w, "metrics_compared");
    json_array_begin(&c->w);
    for (size_t n = 0; n < sizeof(compared) / sizeof(compared[0]); n++)
        json_cstr(&c->w, compared[n]);
    json_array_end(&c->w);
    tool_answer_end(c, "%zu archetypes compared", count);
}

/* ---- what they buy, from PostgreSQL ---- */

struct affinity {
    struct topn *top;
    int months;
    unsigned sort;
};

/* The category a row gives for the archetype. */
static struct str category_of(const PGresult *r, const char *archetype_id)
{
    for (int row = 0; row < PQntuples(r); row++) {
        if (str_eq_lit(str_from(PQgetvalue(r, row, SQL_AC_ARCHETYPE)), archetype_id))
            return (struct str){ PQgetvalue(r, row, SQL_AC_CATEGORY), (size_t)PQgetlength(r, row, SQL_AC_CATEGORY) };
    }
    return STR_LIT("N/A");
}

static void on_categories(struct tool_call *c, const PGresult *r)
{
    const struct population *p = c->q->data->population;
    const struct affinity *f = c->state;
    char id[ARCHETYPE_ID_SIZE];

    if (PQnfields(r) != SQL_AC_COLUMNS) {
        tool_fail_bug(c, "archetype_categories_malformed");
        return;
    }
    tool_answer_begin(c, METRIC_NL_PRODUCT_AFFINITY);
    json_key(&c->w, "archetypes");
    json_array_begin(&c->w);
    for (size_t n = 0; n < f->top->count; n++) {
        const struct population_archetype *a = &p->archetypes[f->top->heap[n].number];

        json_object_begin(&c->w);
        present_archetype_top_members(&c->w, p, a);
        json_kv_int(&c->w, "current_members", (int64_t)a->members);
        json_kv_str(&c->w, "top_category", category_of(r, archetype_format_id(id, a->id)));
        json_object_end(&c->w);
    }
    json_array_end(&c->w);
    json_kv_int(&c->w, "timeframe_months", f->months);
    json_kv_cstr(&c->w, "sort_by", tools_segments_sorts[f->sort]);
    tool_answer_end(c, "%zu %s", f->top->count, f->top->count == 1 ? "archetype" : "archetypes");
}

static void ask_categories(struct tool_call *c)
{
    const struct population *p = c->q->data->population;
    const struct affinity *f = c->state;
    char id[ARCHETYPE_ID_SIZE], from[CLOCK_DAY_SIZE], before[CLOCK_DAY_SIZE];
    const char *values[SQL_AC_PARAMS];
    struct buf ids;

    buf_init(&ids, f->top->count * (ARCHETYPE_ID_SIZE + 1) + 2);
    buf_add_char(&ids, '{');
    for (size_t n = 0; n < f->top->count; n++) {
        buf_add_cstr(&ids, n > 0 ? "," : "");
        buf_add_cstr(&ids, archetype_format_id(id, p->archetypes[f->top->heap[n].number].id));
    }
    buf_add_char(&ids, '}');
    values[SQL_AC_IDS] = buf_cstr(&ids);
    values[SQL_AC_FROM] = clock_format_day(from, clock_months_before(p->header->as_of_day, (unsigned)f->months));
    values[SQL_AC_BEFORE] = clock_format_day(before, p->header->as_of_day + 1);
    if (values[SQL_AC_IDS] == NULL)
        tool_fail_memory(c);
    else
        tool_query(c, SQL_ARCHETYPE_CATEGORIES, values, "Product analysis", on_categories);
    buf_free(&ids);
}

static void tell_affinity(struct tool_call *c)
{
    int word = tool_word(c, "sort_by");
    struct affinity *f = arena_zalloc(&c->q->http->arena, sizeof(*f));
    struct counts counts = { 0, 0, NULL };
    const char *question;

    if (f != NULL) {
        f->months = (int)tool_int(c, "timeframe_months");
        f->sort = word >= 0 ? (unsigned)word : SORT_REVENUE;
        f->top = choose(c, f->months, f->sort, &counts);
    }
    question = tool_question(c);
    if (f == NULL || f->top == NULL || question == NULL) {
        tool_fail_memory(c);
        return;
    }
    c->state = f;
    tool_cached(c, question, METRIC_CACHE_ARCHETYPE, ask_categories);
}

void tool_query_segments(struct tool_call *c)
{
    int analysis = tool_word(c, "analysis");

    if (!tool_has_model(c))
        return;
    switch (analysis) {
    case COMPARISON:
        tell_comparison(c);
        break;
    case SEASONAL:
        season_recommend(c);
        break;
    case AFFINITY:
        tell_affinity(c);
        break;
    default:
        tell_projections(c, analysis == GROWTH ? SORT_GROWTH : SORT_REVENUE);
    }
}
