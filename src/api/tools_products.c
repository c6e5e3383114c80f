/*
 * tools_products: analyze_products (CONTRACT 17.3): the nine analyses of products, with what they say in words.
 */
#include "api/answer.h"
#include "api/product_analysis.h"
#include "api/request.h"
#include "api/tools.h"

/* What the first item says: the column of its name and of its number, and the words around them. */
static const struct sentence {
    int name, number; /* columns among the items' */
    const char *verb, *unit;
} sentences[] = {
    { 0, 1, "leads with net sales of", "" },
    { 0, 1, "is the most popular, with", " customers" },
    { 0, 1, "is bought by most of the segment:", " customers" },
    { 0, 1, "has the strongest trend:", " % of net sales" },
    { 0, 3, "is bought again most:", " % of its customers" },
    { 0, 1, "brings per customer", "" },
    { 0, 2, "is bought together most, in", " orders" },
    { 0, 3, "has its best month with net sales of", "" },
    { 1, 2, "leads with net sales of", "" },
};

static int count_totals(const struct products_analysis *a)
{
    int n = 0;

    while (n < PRODUCTS_MAX_TOTALS && a->totals[n].key != NULL)
        n++;
    return n;
}

/* A number as the answer shows it. */
static const char *shown(struct arena *arena, const struct products_column *column, const char *text)
{
    double v = 0;

    if (column->kind == PRODUCTS_COUNT)
        return text;
    (void)str_to_double(str_from(text), &v);
    return arena_printf(arena, "%.2f", v);
}

/* NULL: no memory. */
static const char *tell(struct tool_call *c, const struct product_analysis *a, const PGresult *r)
{
    const struct products_analysis *analysis = a->query.analysis;
    const struct sentence *s = &sentences[analysis - products_analyses];
    struct arena *arena = &c->q->http->arena;
    int first = count_totals(analysis);
    const char *number;

    if (product_analysis_count(a, r) == 0)
        return arena_printf(arena, "No sales in the last %u months", a->months);
    if (a->query.sort != analysis->sorts[0])
        return arena_printf(arena, "%s comes first by %s in the last %u months", PQgetvalue(r, 0, first + s->name),
                            a->query.sort, a->months);
    number = shown(arena, &analysis->items[s->number], PQgetvalue(r, 0, first + s->number));
    if (number == NULL)
        return NULL;
    if (analysis->statement == SQL_PRODUCTS_BUNDLES)
        return arena_printf(arena, "%s with %s %s %s%s in the last %u months", PQgetvalue(r, 0, first),
                            PQgetvalue(r, 0, first + 1), s->verb, number, s->unit, a->months);
    return arena_printf(arena, "%s %s %s%s in the last %u months", PQgetvalue(r, 0, first + s->name), s->verb, number,
                        s->unit, a->months);
}

/* Those that come without insights of their own get the sentence. */
static bool has_insights(const struct products_analysis *a)
{
    for (int i = 0; i < PRODUCTS_MAX_TOTALS && a->totals[i].key != NULL; i++) {
        if (a->totals[i].kind == PRODUCTS_NOTES)
            return true;
    }
    return false;
}

static void on_rows(struct tool_call *c, const PGresult *r)
{
    const struct product_analysis *a = c->state;
    const char *text;

    if (!product_analysis_is_sound(a, r)) {
        tool_fail_bug(c, "products_malformed");
        return;
    }
    text = tell(c, a, r);
    if (text == NULL) {
        tool_fail_memory(c);
        return;
    }
    tool_answer_begin(c, METRIC_NL_PRODUCTS + (enum metric_nl)(a->query.analysis - products_analyses));
    product_analysis_write(&c->w, a, r);
    if (!has_insights(a->query.analysis)) {
        json_key(&c->w, "insights");
        json_array_begin(&c->w);
        json_cstr(&c->w, text);
        json_array_end(&c->w);
    }
    tool_answer_end(c, "%s", text);
}

static void ask(struct tool_call *c)
{
    const struct product_analysis *a = c->state;
    const char *values[SQL_PR_PARAMS];

    if (products_params(&a->query, &c->q->http->arena, values))
        tool_query(c, a->query.analysis->statement, values, "Product analysis", on_rows);
    else
        tool_fail_memory(c);
}

static void read_sort(struct tool_call *c, struct product_analysis *a)
{
    struct str word = tool_text(c, "sort_by");
    const char *const *sorts = a->query.analysis->sorts;

    a->query.sort = sorts[0];
    if (word.len == 0)
        return;
    for (; *sorts != NULL; sorts++) {
        if (str_eq_lit(word, *sorts)) {
            a->query.sort = *sorts;
            return;
        }
    }
    if (c->lenient)
        return;
    params_fault(&c->faults, PARAMS_INVALID_VALUE, c->where, STR_LIT("sort_by"), "is no order of this analysis");
}

static bool read_segment(struct tool_call *c, struct product_analysis *a)
{
    struct str text = tool_text(c, "segment");

    switch (product_analysis_segment(a, text, c->q->data->population, &c->q->http->arena)) {
    case PRODUCT_SEGMENT_UNKNOWN:
        tool_fail_missing(c, "archetype", text);
        return false;
    case PRODUCT_SEGMENT_MALFORMED:
        params_fault(&c->faults, PARAMS_INVALID_VALUE, c->where, STR_LIT("segment"), PRODUCT_SEGMENT_ADVICE);
        break;
    case PRODUCT_SEGMENT_GOOD:
        break;
    }
    return true;
}

void tool_products(struct tool_call *c)
{
    struct product_analysis *a = arena_zalloc(&c->q->http->arena, sizeof(*a));
    const char *question = tool_question(c);
    int word = tool_word(c, "analysis_type");

    if (a == NULL || question == NULL) {
        tool_fail_memory(c);
        return;
    }
    a->query.analysis = &products_analyses[word >= 0 ? word : 0];
    a->query.limit = (unsigned)tool_int(c, "limit");
    a->months = (unsigned)tool_int(c, "timeframe_months");
    read_sort(c, a);
    if (!read_segment(c, a))
        return;
    if (c->faults.count > 0) {
        tool_fail_fault(c);
        return;
    }
    products_set_period(&a->query, c->q->data->population->header->as_of_day, a->months);
    c->state = a;
    tool_cached(c, question, METRIC_CACHE_QUERY, ask);
}
