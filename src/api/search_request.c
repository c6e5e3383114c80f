/*
 * search_request: see the header.
 *
 * Several filters on one axis, from `filters.segment` and its alias
 * `segment_filter`, must all hold. Archetypes are named by id in the binding, so that a cursor outlives their
 * numbering.
 */
#include "api/search_request.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "api/cursor.h"
#include "api/present_archetype.h"
#include "model/axes_vocab.h"
#include "model/rfm.h"

#define MAX_MONEY        SEARCH_MAX_MONEY
#define MAX_ORDERS       1000000000
#define MAX_DAYS         36500
#define MAX_LIMIT        1000
#define DEFAULT_LIMIT    100
#define MAX_CURSOR_CHARS 512
#define CENTS            100.0
#define CENTS_NOISE      1e-6 /* what binary fractions add to a decimal with two places */

const char *const search_sort_words[] = {
    "ltv",       "ltv_desc",       "ltv_asc",       "churn_risk", "churn_risk_desc", "churn_risk_asc",
    "impact",    "impact_desc",    "impact_asc",    "recency",    "recency_desc",    "recency_asc",
    "frequency", "frequency_desc", "frequency_asc", "aov",        "aov_desc",        "aov_asc",
    "orders",    "orders_desc",    "orders_asc",    NULL,
};

static const struct {
    const char *name;
    enum population_order order;
} sorts[] = {
    { "ltv", POPULATION_BY_LTV },
    { "churn_risk", POPULATION_BY_CHURN },
    { "impact", POPULATION_BY_IMPACT },
    { "recency", POPULATION_BY_RECENCY },
    { "frequency", POPULATION_BY_FREQUENCY },
    { "aov", POPULATION_BY_AOV },
    { "orders", POPULATION_BY_ORDERS },
};

static const char *const object_keys[] = { "filters", "segment_filter", "archetype_id", "sort_by", "limit", "cursor",
                                           NULL };
static const char *const filter_keys[] = { "ltv_min",
                                           "ltv_max",
                                           "aov_min",
                                           "aov_max",
                                           "churn_risk_min",
                                           "churn_risk_max",
                                           "total_orders_min",
                                           "total_orders_max",
                                           "last_purchase_days_min",
                                           "last_purchase_days_max",
                                           "tenure_days_min",
                                           "tenure_days_max",
                                           "archetype_id",
                                           "rfm_group",
                                           "segment",
                                           "is_b2b",
                                           NULL };

/* What the readers below share. */
struct reader {
    struct search_request *s;
    struct params *p;
    const struct population *population;
    const char *where; /* prefix of the fields in faults */
    char inside[64];   /* the same of `filters` */
    bool has_archetypes;
};

static void fold_u64(struct search_request *s, uint64_t v)
{
    s->binding = hash_u64(s->binding ^ v) + 0x9e3779b97f4a7c15ULL;
}

static void fold_double(struct search_request *s, double v)
{
    uint64_t bits;

    memcpy(&bits, &v, sizeof(bits));
    fold_u64(s, bits);
}

static void check_order(struct reader *r, const char *least, const char *most, bool reversed)
{
    if (reversed)
        params_fault(r->p, PARAMS_OUT_OF_RANGE, r->inside, str_from(least), "must not be greater than %s", most);
}

static void read_numbers(struct reader *rd, const struct json *filters, const char *least, const char *most,
                         double highest, struct select_range_f64 *r)
{
    r->has_least = params_body_number(rd->p, filters, rd->inside, least, 0, highest, &r->least);
    r->has_most = params_body_number(rd->p, filters, rd->inside, most, 0, highest, &r->most);
    check_order(rd, least, most, r->has_least && r->has_most && r->least > r->most);
}

static void read_integers(struct reader *rd, const struct json *filters, const char *least, const char *most,
                          int64_t highest, struct select_range_i64 *r)
{
    r->has_least = params_body_int(rd->p, filters, rd->inside, least, 0, highest, &r->least);
    r->has_most = params_body_int(rd->p, filters, rd->inside, most, 0, highest, &r->most);
    check_order(rd, least, most, r->has_least && r->has_most && r->least > r->most);
}

int64_t search_least_cents(double money)
{
    return (int64_t)ceil(money * CENTS - CENTS_NOISE);
}

static void range_in_cents(const struct select_range_f64 *money, struct select_range_i64 *cents)
{
    cents->has_least = money->has_least;
    cents->has_most = money->has_most;
    if (money->has_least)
        cents->least = search_least_cents(money->least);
    if (money->has_most)
        cents->most = (int64_t)floor(money->most * CENTS + CENTS_NOISE);
}

static void read_ranges(struct reader *r, const struct json *filters)
{
    struct select_filters *f = &r->s->query.filters;
    struct select_range_f64 ltv = { .has_least = false };

    read_numbers(r, filters, "ltv_min", "ltv_max", MAX_MONEY, &ltv);
    range_in_cents(&ltv, &f->ltv_cents);
    read_numbers(r, filters, "aov_min", "aov_max", MAX_MONEY, &f->aov);
    read_numbers(r, filters, "churn_risk_min", "churn_risk_max", 1, &f->churn);
    read_integers(r, filters, "total_orders_min", "total_orders_max", MAX_ORDERS, &f->orders);
    read_integers(r, filters, "last_purchase_days_min", "last_purchase_days_max", MAX_DAYS, &f->days_since);
    read_integers(r, filters, "tenure_days_min", "tenure_days_max", MAX_DAYS, &f->tenure_days);
}

/* Accepts any of `words` on the axis, besides what was accepted before. */
static void accept_words(struct reader *r, unsigned axis, uint16_t words)
{
    struct select_filters *f = &r->s->query.filters;

    if (f->axis_words[axis] != 0)
        words &= f->axis_words[axis];
    f->axis_words[axis] = words;
    if (words == 0)
        f->none = true;
}

static void read_axis(struct reader *r, const struct json *value, const char *where)
{
    const struct json *item = NULL;
    int axis = axes_vocab_find(value->key);
    size_t faults = r->p->count;
    uint16_t words = 0;

    if (axis < 0) {
        params_fault(r->p, PARAMS_UNKNOWN_FIELD, where, value->key, "is not an axis");
        return;
    }
    while (params_body_words(r->p, value, where, value->key, &item)) {
        int word = axes_vocab_find_word((unsigned)axis, item->text);

        if (word < 0)
            params_fault(r->p, PARAMS_INVALID_VALUE, where, value->key, "is not a word of this axis: %.*s",
                         (int)(item->text.len < 64 ? item->text.len : 64), item->text.p);
        else
            words |= (uint16_t)(1U << word);
    }
    if (words == 0 && r->p->count == faults)
        params_fault(r->p, PARAMS_INVALID_VALUE, where, value->key, "must name at least one word");
    if (words != 0)
        accept_words(r, (unsigned)axis, words);
}

static void read_segment(struct reader *r, const struct json *object, const char *where, const char *key)
{
    const struct json *segment = json_get(object, key);
    char inside[64];

    if (segment == NULL || segment->type == JSON_NULL)
        return;
    if (segment->type != JSON_OBJECT) {
        params_fault(r->p, PARAMS_WRONG_TYPE, where, str_from(key), "must be a map of axes to words");
        return;
    }
    snprintf(inside, sizeof(inside), "%s.%s", where, key);
    for (const struct json *m = segment->first; m != NULL; m = m->next)
        read_axis(r, m, inside);
}

/* Both filters must hold when there are two of them. */
static void take_archetypes(struct reader *r, uint32_t *list, size_t count)
{
    struct select_filters *f = &r->s->query.filters;
    size_t kept = 0;

    for (size_t i = 0; i < count; i++) {
        bool wanted = !r->has_archetypes;
        for (size_t k = 0; !wanted && k < f->archetype_count; k++)
            wanted = f->archetypes[k] == list[i];
        if (wanted)
            list[kept++] = list[i];
    }
    r->has_archetypes = true;
    f->archetypes = list;
    f->archetype_count = kept;
    f->none |= kept == 0;
}

/* The number of the archetype an id names is added to the list; an id that names none is no fault. */
static void add_archetype(struct reader *r, struct str id, uint32_t *list, size_t *count)
{
    const struct population_archetype *a = present_archetype_find(r->population, id);

    if (a != NULL)
        list[(*count)++] = (uint32_t)(a - r->population->archetypes);
    r->s->binding = hash_fast(r->s->binding, id.p, id.len);
}

static void read_archetypes(struct reader *r, const struct json *object, const char *where)
{
    const struct json *value = json_get(object, "archetype_id"), *item = NULL;
    size_t count = 0;

    if (value == NULL || value->type == JSON_NULL)
        return;
    uint32_t *list = arena_calloc(r->p->arena, value->count + 1, sizeof(*list));
    if (list == NULL) {
        params_fault(r->p, PARAMS_INVALID_VALUE, where, STR_LIT("archetype_id"), "is too long");
        return;
    }
    while (params_body_words(r->p, value, where, STR_LIT("archetype_id"), &item))
        add_archetype(r, item->text, list, &count);
    take_archetypes(r, list, count);
}

static void read_query_archetype(struct reader *r)
{
    struct str id = params_query_text(r->p, "archetype_id");
    size_t count = 0;

    if (id.len == 0 || r->has_archetypes)
        return;
    uint32_t *list = arena_calloc(r->p->arena, 1, sizeof(*list));
    if (list != NULL)
        add_archetype(r, id, list, &count);
    take_archetypes(r, list, count);
}

static void read_rfm_groups(struct reader *r, const struct json *filters)
{
    const struct json *value = json_get(filters, "rfm_group"), *item = NULL;

    if (value == NULL || value->type == JSON_NULL)
        return;
    while (params_body_words(r->p, value, r->inside, STR_LIT("rfm_group"), &item)) {
        int group = rfm_group_parse(item->text);

        if (group < 0)
            params_fault(r->p, PARAMS_INVALID_VALUE, r->inside, STR_LIT("rfm_group"), "is no group: %.*s",
                         (int)(item->text.len < 64 ? item->text.len : 64), item->text.p);
        else
            r->s->query.filters.rfm_groups |= 1U << group;
    }
    if (value->type == JSON_ARRAY && value->count == 0)
        params_fault(r->p, PARAMS_INVALID_VALUE, r->inside, STR_LIT("rfm_group"), "must name at least one group");
}

static void read_filters(struct reader *r, const struct json *body)
{
    const struct json *filters = json_get(body, "filters");
    bool is_b2b;

    if (filters == NULL || filters->type == JSON_NULL)
        return;
    if (filters->type != JSON_OBJECT) {
        params_fault(r->p, PARAMS_WRONG_TYPE, r->where, STR_LIT("filters"), "must be an object");
        return;
    }
    params_body_known(r->p, filters, r->inside, filter_keys);
    read_ranges(r, filters);
    read_archetypes(r, filters, r->inside);
    read_rfm_groups(r, filters);
    read_segment(r, filters, r->inside, "segment");
    if (params_body_bool(r->p, filters, r->inside, "is_b2b", &is_b2b))
        r->s->query.filters.is_b2b = is_b2b;
}

static void read_sort(struct reader *r, const struct json *body)
{
    struct search_request *s = r->s;
    struct str text;

    if (!params_body_text(r->p, body, r->where, "sort_by", MAX_CURSOR_CHARS, &text))
        return;
    for (size_t i = 0; i < sizeof(sorts) / sizeof(sorts[0]); i++) {
        size_t n = strlen(sorts[i].name);
        struct str tail;

        if (!str_starts(text, sorts[i].name))
            continue;
        tail = (struct str){ text.p + n, text.len - n };
        if (tail.len > 0 && !str_eq_lit(tail, "_desc") && !str_eq_lit(tail, "_asc"))
            continue;
        s->query.sort = sorts[i].order;
        s->query.ascending = str_eq_lit(tail, "_asc");
        snprintf(s->sort_by, sizeof(s->sort_by), "%s%s", sorts[i].name, s->query.ascending ? "_asc" : "_desc");
        return;
    }
    s->unknown_sort = text;
}

static void read_object(struct reader *r, const struct json *body)
{
    int64_t limit;

    read_filters(r, body);
    read_segment(r, body, r->where, "segment_filter");
    read_archetypes(r, body, r->where);
    read_sort(r, body);
    if (params_body_int(r->p, body, r->where, "limit", 1, MAX_LIMIT, &limit))
        r->s->query.limit = (size_t)limit;
}

/* The bare map: every member is an axis with one word. */
static void read_map(struct reader *r, const struct json *body)
{
    for (const struct json *m = body->first; m != NULL; m = m->next) {
        if (axes_vocab_find(m->key) >= 0 && m->type != JSON_STRING)
            params_fault(r->p, PARAMS_WRONG_TYPE, "body", m->key, "must be a string");
        else
            read_axis(r, m, "body");
    }
}

static bool is_object_form(const struct json *body)
{
    for (const char *const *key = object_keys; *key != NULL; key++) {
        if (json_get(body, *key) != NULL)
            return true;
    }
    return false;
}

static void fold_integers(struct search_request *s, const struct select_range_i64 *r)
{
    fold_u64(s, (uint64_t)r->has_least << 1 | (uint64_t)r->has_most);
    fold_u64(s, r->has_least ? (uint64_t)r->least : 0);
    fold_u64(s, r->has_most ? (uint64_t)r->most : 0);
}

static void fold_numbers(struct search_request *s, const struct select_range_f64 *r)
{
    fold_u64(s, (uint64_t)r->has_least << 1 | (uint64_t)r->has_most);
    fold_double(s, r->has_least ? r->least : 0);
    fold_double(s, r->has_most ? r->most : 0);
}

/* Everything that decides which rows there are and in what order; the archetypes are in it already. */
static void bind(struct search_request *s)
{
    const struct select_filters *f = &s->query.filters;

    fold_u64(s, (uint64_t)s->query.sort << 1 | (uint64_t)s->query.ascending);
    fold_integers(s, &f->ltv_cents);
    fold_integers(s, &f->orders);
    fold_integers(s, &f->days_since);
    fold_integers(s, &f->tenure_days);
    fold_numbers(s, &f->aov);
    fold_numbers(s, &f->churn);
    for (unsigned i = 0; i < POPULATION_AXES; i++)
        fold_u64(s, f->axis_words[i]);
    fold_u64(s, f->rfm_groups);
    fold_u64(s, (uint64_t)(int64_t)f->is_b2b);
}

static void read_cursor(struct reader *r, const struct json *body, const uint8_t key[HASH_SHA256_BYTES])
{
    struct str text;

    if (!params_body_text(r->p, body, "body", "cursor", MAX_CURSOR_CHARS, &text))
        return;
    if (!cursor_decode(&r->s->query.cursor, key, r->s->binding, text))
        params_fault(r->p, PARAMS_INVALID_VALUE, "body", STR_LIT("cursor"),
                     "is not a cursor of these filters and this sort");
}

static void begin(struct search_request *s, struct reader *r, size_t limit)
{
    *s = (struct search_request){ .query = { .filters = { .is_b2b = -1 }, .sort = POPULATION_BY_LTV, .limit = limit },
                                  .sort_by = "ltv_desc" };
    snprintf(r->inside, sizeof(r->inside), "%s.filters", r->where);
}

void search_request_read(struct search_request *s, struct params *p, const struct json *body,
                         const struct population *population, const uint8_t key[HASH_SHA256_BYTES])
{
    struct reader r = { .s = s, .p = p, .population = population, .where = "body" };

    begin(s, &r, (size_t)params_query_int(p, "limit", 1, MAX_LIMIT, DEFAULT_LIMIT));
    s->bare = body == NULL || !is_object_form(body);
    if (!s->bare) {
        params_body_known(p, body, "body", object_keys);
        read_object(&r, body);
    } else if (body != NULL) {
        read_map(&r, body);
    }
    read_query_archetype(&r);
    bind(s);
    if (!s->bare)
        read_cursor(&r, body, key);
}

void search_request_arguments(struct search_request *s, struct params *p, const struct json *arguments,
                              const char *where, const struct population *population, size_t limit)
{
    struct reader r = { .s = s, .p = p, .population = population, .where = where };

    begin(s, &r, limit);
    if (arguments != NULL)
        read_object(&r, arguments);
}
