/*
 * tools_customers: query_customers about many (CONTRACT 17.3): a table of analyses over one scan of the population.
 *
 * An analysis is a set of filters, a condition that filters can't say, an order, and how its customers are told. Sums
 * are over all matches or over the list, as the contract has it for each shape.
 */
#include <math.h>

#include "api/answer.h"
#include "api/present.h"
#include "api/request.h"
#include "api/search_request.h"
#include "api/tools.h"
#include "base/fmt.h"
#include "data/topn.h"
#include "model/axes_vocab.h"
#include "model/rfm.h"

struct analysis;

struct list {
    const struct population *p;
    const struct analysis *analysis;
    struct search_request asked;
    bool sorted;          /* by the order asked for, not by the analysis's */
    int64_t median_cents; /* LTV */
    const uint32_t *rows; /* those listed, in order */
    size_t count;
    uint64_t matches;
    int64_t matches_cents;           /* LTV of all matches */
    int64_t list_cents, list_orders; /* of those listed */
    double list_churn;
};

struct analysis {
    const char *word;
    enum metric_nl type;
    enum population_order order; /* descending, unless sort_by says another */
    void (*narrow)(struct select_filters *f);
    bool (*fits)(const struct list *l, size_t row);    /* NULL: all that match */
    double (*value)(const struct list *l, size_t row); /* sorted by, instead of `order` */
    void (*tell)(struct tool_call *c, const struct list *l);
    const char *what, *recommendation; /* for tell_matches: "customers …" */
};

static void accept_words(struct select_filters *f, unsigned axis, unsigned words)
{
    if (f->axis_words[axis] != 0)
        words &= f->axis_words[axis];
    f->axis_words[axis] = (uint16_t)words;
    f->none |= words == 0;
}

static unsigned word_bit(unsigned axis, const char *word)
{
    return 1U << axes_vocab_find_word(axis, str_from(word));
}

static void from_orders(struct select_filters *f, int64_t least)
{
    if (!f->orders.has_least || f->orders.least < least)
        f->orders.least = least;
    f->orders.has_least = true;
}

/* ---- which ---- */

static void only_b2b(struct select_filters *f)
{
    f->none |= f->is_b2b == 0;
    f->is_b2b = 1;
}

static void only_one_order(struct select_filters *f)
{
    if (!f->orders.has_most || f->orders.most > 1)
        f->orders.most = 1;
    f->orders.has_most = true;
}

static void repeat_buyers(struct select_filters *f)
{
    from_orders(f, 2);
}

static void with_cadence(struct select_filters *f)
{
    repeat_buyers(f);
    accept_words(f, AXIS_SHOPPING_CADENCE,
                 ((1U << axes_vocab[AXIS_SHOPPING_CADENCE].word_count) - 1) &
                     ~word_bit(AXIS_SHOPPING_CADENCE, "insufficient"));
}

static void deal_hunters(struct select_filters *f)
{
    repeat_buyers(f);
    accept_words(f, AXIS_PRICE_SENSITIVITY, word_bit(AXIS_PRICE_SENSITIVITY, "deal_hunter"));
}

static bool grows(const struct list *l, size_t row)
{
    return present_engagement(&l->p->rows[row]) > 0;
}

static bool declines(const struct list *l, size_t row)
{
    return present_engagement(&l->p->rows[row]) < 0 && l->p->ltv_cents[row] > l->median_cents;
}

static bool changes(const struct list *l, size_t row)
{
    return present_engagement(&l->p->rows[row]) != 0;
}

static double change(const struct list *l, size_t row)
{
    const struct population_row *r = &l->p->rows[row];

    return fabs((double)r->orders_90 - (double)r->orders_prev_90);
}

static double rfm_total(const struct list *l, size_t row)
{
    const struct population_row *r = &l->p->rows[row];

    return r->rfm_recency + r->rfm_frequency + r->rfm_monetary;
}

/* ---- how they are told ---- */

static double money(int64_t cents)
{
    return (double)cents / 100;
}

static const char *customers(uint64_t n)
{
    return n == 1 ? "customer" : "customers";
}

/* The members every customer has, into an open object. */
static void write_customer(struct json_writer *w, const struct population *p, size_t row, bool churn)
{
    char id[FMT_MAX];

    json_kv_str(w, "customer_id", (struct str){ id, fmt_i64(id, p->rows[row].customer_id) });
    json_kv_cents(w, "ltv", p->ltv_cents[row]);
    json_kv_int(w, "order_count", p->orders[row]);
    if (churn)
        json_kv_fixed(w, "churn_risk", (double)p->churn[row], 4);
}

static void write_list(struct tool_call *c, const struct list *l, const char *key,
                       void (*more)(struct json_writer *w, const struct population_row *row), bool churn)
{
    json_key(&c->w, key);
    json_array_begin(&c->w);
    for (size_t i = 0; i < l->count; i++) {
        json_object_begin(&c->w);
        write_customer(&c->w, l->p, l->rows[i], churn);
        if (more != NULL)
            more(&c->w, &l->p->rows[l->rows[i]]);
        json_object_end(&c->w);
    }
    json_array_end(&c->w);
}

static double per_customer(const struct list *l, double sum)
{
    return answer_ratio(sum, (double)l->count);
}

static void tell_high_value(struct tool_call *c, const struct list *l)
{
    write_list(c, l, "customers", NULL, true);
    json_key(&c->w, "aggregate_metrics");
    json_object_begin(&c->w);
    json_kv_cents(&c->w, "total_ltv", l->list_cents);
    json_kv_fixed(&c->w, "avg_ltv", per_customer(l, money(l->list_cents)), 2);
    json_kv_fixed(&c->w, "avg_orders", per_customer(l, (double)l->list_orders), 2);
    json_kv_fixed(&c->w, "avg_churn_risk", per_customer(l, l->list_churn), 4);
    json_kv_int(&c->w, "total_matches", (int64_t)l->matches);
    json_object_end(&c->w);
    tool_answer_end(c, "%zu of %llu %s, worth %.2f together", l->count, (unsigned long long)l->matches,
                    customers(l->matches), money(l->list_cents));
}

static void tell_behavioral(struct tool_call *c, const struct list *l)
{
    const struct json *filters = json_get(c->arguments, "filters");

    json_key(&c->w, "filters_applied");
    if (filters != NULL && filters->type == JSON_OBJECT) {
        json_value(&c->w, filters);
    } else {
        json_object_begin(&c->w);
        json_object_end(&c->w);
    }
    write_list(c, l, "customers", NULL, true);
    json_key(&c->w, "aggregate_metrics");
    json_object_begin(&c->w);
    json_kv_cents(&c->w, "total_ltv", l->list_cents);
    json_kv_fixed(&c->w, "avg_ltv", per_customer(l, money(l->list_cents)), 2);
    json_kv_int(&c->w, "total_matches", (int64_t)l->matches);
    json_object_end(&c->w);
    tool_answer_end(c, "%llu %s", (unsigned long long)l->matches,
                    l->matches == 1 ? "customer matches" : "customers match");
}

static void write_bin(struct json_writer *w, const char *name, uint64_t count, uint64_t all)
{
    json_key(w, name);
    json_object_begin(w);
    json_kv_int(w, "count", (int64_t)count);
    json_kv_fixed(w, "percentage", answer_percent((double)count, (double)all), 2);
    json_object_end(w);
}

static void write_risk_level(struct json_writer *w, const struct population_row *row)
{
    json_kv_cstr(w, "risk_level", present_risk_level((double)row->churn));
}

static void tell_churn(struct tool_call *c, const struct list *l)
{
    const struct population_aggregates *t = l->p->totals;

    json_key(&c->w, "churn_distribution");
    json_object_begin(&c->w);
    write_bin(&c->w, "high_risk", t->critical, l->p->count);
    write_bin(&c->w, "medium_risk", t->high + t->medium, l->p->count);
    write_bin(&c->w, "low_risk", t->low, l->p->count);
    json_object_end(&c->w);
    write_list(c, l, "top_at_risk_customers", write_risk_level, true);
    json_kv_cstr(&c->w, "recommended_action", present_recommendation(1));
    json_kv_int(&c->w, "horizon_days", l->p->header->settings.churn_horizon_days);
    tool_answer_end(c, "%llu %s at critical risk", (unsigned long long)t->critical,
                    t->critical == 1 ? "customer is" : "customers are");
}

static void tell_b2b(struct tool_call *c, const struct list *l)
{
    write_list(c, l, "customers", present_b2b_members, true);
    json_key(&c->w, "aggregate_metrics");
    json_object_begin(&c->w);
    json_kv_cents(&c->w, "total_b2b_ltv", l->list_cents);
    json_kv_fixed(&c->w, "avg_b2b_ltv", per_customer(l, money(l->list_cents)), 2);
    json_kv_int(&c->w, "total_b2b_orders", l->list_orders);
    json_kv_int(&c->w, "total_matches", (int64_t)l->matches);
    json_object_end(&c->w);
    tool_answer_end(c, "%llu business %s", (unsigned long long)l->matches, l->matches == 1 ? "buyer" : "buyers");
}

static void write_rfm_score(struct json_writer *w, const struct population_row *row)
{
    json_key(w, "rfm_score");
    json_object_begin(w);
    present_rfm_members(w, row);
    json_object_end(w);
}

static void tell_rfm(struct tool_call *c, const struct list *l)
{
    write_list(c, l, "customers", write_rfm_score, false);
    json_key(&c->w, "group_distribution");
    json_object_begin(&c->w);
    for (unsigned g = 0; g < RFM_GROUPS; g++)
        if (l->p->totals->rfm_groups[g] > 0)
            json_kv_int(&c->w, rfm_group_name(g), (int64_t)l->p->totals->rfm_groups[g]);
    json_object_end(&c->w);
    tool_answer_end(c, "Top %zu by RFM", l->count);
}

static void tell_matches(struct tool_call *c, const struct list *l)
{
    json_kv_cstr(&c->w, "recommendation", l->analysis->recommendation);
    write_list(c, l, "customers", NULL, true);
    json_key(&c->w, "aggregate_metrics");
    json_object_begin(&c->w);
    json_kv_int(&c->w, "total_matches", (int64_t)l->matches);
    json_kv_cents(&c->w, "total_ltv", l->matches_cents);
    json_kv_fixed(&c->w, "avg_ltv", answer_ratio(money(l->matches_cents), (double)l->matches), 2);
    json_object_end(&c->w);
    tool_answer_end(c, "%llu %s %s", (unsigned long long)l->matches, customers(l->matches), l->analysis->what);
}

/* ---- the table ---- */

/* clang-format off */
enum {
    HIGH_VALUE,
    BEHAVIORAL
};
static const struct analysis analyses[] = {
    [HIGH_VALUE] = { .word = "high_value", .type = METRIC_NL_HIGH_VALUE_CUSTOMERS, .order = POPULATION_BY_LTV,
      .tell = tell_high_value },
    [BEHAVIORAL] = { .word = "behavioral", .type = METRIC_NL_BEHAVIORAL_ANALYSIS, .order = POPULATION_BY_LTV,
      .tell = tell_behavioral },
    { .word = "churn_risk", .type = METRIC_NL_CHURN_IDENTIFICATION, .order = POPULATION_BY_IMPACT,
      .tell = tell_churn },
    { .word = "b2b", .type = METRIC_NL_B2B_IDENTIFICATION, .order = POPULATION_BY_LTV, .narrow = only_b2b,
      .tell = tell_b2b },
    { .word = "rfm", .type = METRIC_NL_RFM_ANALYSIS, .value = rfm_total, .tell = tell_rfm },
    { .word = "one_time_buyers", .type = METRIC_NL_ONE_TIME_BUYERS, .order = POPULATION_BY_LTV,
      .narrow = only_one_order, .tell = tell_matches, .what = "bought once",
      .recommendation = "Send a second-order offer within the usual gap" },
    { .word = "momentum_analysis", .type = METRIC_NL_MOMENTUM_ANALYSIS, .order = POPULATION_BY_LTV,
      .narrow = repeat_buyers, .fits = grows, .tell = tell_matches, .what = "with growing orders",
      .recommendation = "Offer them early access and a loyalty programme while they buy more" },
    { .word = "declining_engagement", .type = METRIC_NL_DECLINING_ENGAGEMENT, .order = POPULATION_BY_LTV,
      .narrow = repeat_buyers, .fits = declines, .tell = tell_matches,
      .what = "above the median value with declining orders",
      .recommendation = "Contact them personally before the usual gap doubles" },
    { .word = "behavior_change", .type = METRIC_NL_BEHAVIOR_CHANGE, .narrow = repeat_buyers, .fits = changes,
      .value = change, .tell = tell_matches, .what = "with changed behaviour",
      .recommendation = "Find out what changed, the largest change first" },
    { .word = "purchase_cadence", .type = METRIC_NL_PURCHASE_CADENCE, .order = POPULATION_BY_ORDERS,
      .narrow = with_cadence, .tell = tell_matches, .what = "with a known cadence",
      .recommendation = "Time messages to the days on which they buy" },
    { .word = "discount_dependency", .type = METRIC_NL_DISCOUNT_DEPENDENCY, .order = POPULATION_BY_LTV,
      .narrow = deal_hunters, .tell = tell_matches, .what = "buying mostly at a discount",
      .recommendation = "Lower the discounts step by step and bundle instead" },
};
/* clang-format on */
#define ANALYSES (sizeof(analyses) / sizeof(analyses[0]))

const char *tools_analysis_words[ANALYSES + 1];

void tools_customers_init(void)
{
    for (size_t i = 0; i < ANALYSES; i++)
        tools_analysis_words[i] = analyses[i].word;
}

/* ---- the scan ---- */

static int64_t median_ltv(const struct population *p)
{
    const uint32_t *order = p->order[POPULATION_BY_LTV];
    size_t low = (p->count - 1) / 2, high = p->count / 2;

    return (p->ltv_cents[order[low] & ~POPULATION_ORDER_FIRST] +
            p->ltv_cents[order[high] & ~POPULATION_ORDER_FIRST]) /
           2;
}

/* What the list is sorted by, the first first. */
static double key_of(const struct list *l, size_t row)
{
    const struct select_query *query = &l->asked.query;
    double v = l->analysis->value != NULL && !l->sorted ? l->analysis->value(l, row)
                                                        : select_sort_value(l->p, query->sort, row);

    return query->ascending ? v : -v;
}

/* Counts every match that the analysis wants, and keeps the best where `best` is not NULL. */
static void each_match(struct list *l, const uint64_t *bits, struct topn *best)
{
    for (size_t word = 0; word < (l->p->count + 63) / 64; word++) {
        for (uint64_t left = bits[word]; left != 0; left &= left - 1) {
            size_t row = 64 * word + (size_t)__builtin_ctzll(left);

            if (l->analysis->fits != NULL && !l->analysis->fits(l, row))
                continue;
            l->matches++;
            l->matches_cents += l->p->ltv_cents[row];
            if (best != NULL)
                topn_add(best, (struct topn_item){ key_of(l, row), (uint32_t)row });
        }
    }
}

/* By its own condition or order: all matches are looked at. False: no memory. */
static bool gather(struct list *l, const uint64_t *bits, struct arena *a)
{
    struct topn best = { .wanted = l->asked.query.limit };
    uint32_t *rows = arena_calloc(a, best.wanted + 1, sizeof(*rows));

    best.heap = arena_calloc(a, best.wanted + 1, sizeof(*best.heap));
    if (rows == NULL || best.heap == NULL)
        return false;
    each_match(l, bits, &best);
    topn_sort(&best);
    for (size_t i = 0; i < best.count; i++)
        rows[i] = best.heap[i].number;
    l->rows = rows;
    l->count = best.count;
    return true;
}

static bool find(struct list *l, struct arena *a)
{
    struct select_result r;
    bool own = l->analysis->fits != NULL || (l->analysis->value != NULL && !l->sorted);
    bool summed = l->analysis->tell == tell_matches;
    const uint64_t *bits = own || summed ? select_bits(l->p, &l->asked.query.filters, a) : NULL;

    if ((own || summed) && bits == NULL)
        return false;
    if (own)
        return gather(l, bits, a);
    if (!select_run(l->p, &l->asked.query, a, &r))
        return false;
    if (summed)
        each_match(l, bits, NULL);
    l->rows = r.rows;
    l->count = r.count;
    l->matches = r.total_matches;
    return true;
}

static void add_up(struct list *l)
{
    for (size_t i = 0; i < l->count; i++) {
        l->list_cents += l->p->ltv_cents[l->rows[i]];
        l->list_orders += l->p->orders[l->rows[i]];
        l->list_churn += (double)l->p->churn[l->rows[i]];
    }
}

/* Filters alone ask for those who match, nothing at all for the best. */
static const struct analysis *analysis_of(const struct tool_call *c)
{
    const struct json *filters = json_get(c->arguments, "filters");
    int word = tool_word(c, "analysis");

    if (word >= 0)
        return &analyses[word];
    return &analyses[filters != NULL && filters->count > 0 ? BEHAVIORAL : HIGH_VALUE];
}

static void list_customers(struct tool_call *c)
{
    struct list l = { .p = c->q->data->population, .analysis = analysis_of(c) };
    struct select_filters *f = &l.asked.query.filters;

    search_request_arguments(&l.asked, &c->faults, c->arguments, c->where, l.p, (size_t)tool_int(c, "limit"));
    if (c->faults.count > 0) {
        tool_fail_fault(c);
        return;
    }
    l.sorted = tool_text(c, "sort_by").len > 0;
    l.median_cents = median_ltv(l.p);
    if (!l.sorted)
        l.asked.query.sort = l.analysis->order;
    if (l.analysis->narrow != NULL)
        l.analysis->narrow(f);
    if (!f->churn.has_least && !f->churn.has_most) /* all with a score */
        f->churn = (struct select_range_f64){ .has_least = true, .least = 0 };
    if (!find(&l, &c->q->http->arena)) {
        tool_fail_memory(c);
        return;
    }
    add_up(&l);
    tool_answer_begin(c, l.analysis->type);
    l.analysis->tell(c, &l);
}

/* Where the scope is not said, an id says it. */
static bool is_about_one(const struct tool_call *c)
{
    int scope = tool_word(c, "scope");

    return scope == 0 || (scope < 0 && tool_text(c, "customer_id").len > 0);
}

void tool_query_customers(struct tool_call *c)
{
    if (!tool_has_model(c))
        return;
    if (is_about_one(c))
        tools_customer_individual(c);
    else
        list_customers(c);
}
