/*
 * season: see the header.
 *
 * The score is 0 … 100: 40 by the place among all archetypes by total LTV, 30 by the share of members who buy
 * seasonally, 20 for a high value tier, 10 by the place of the frequency word on its axis.
 */
#include "api/season.h"

#include "api/answer.h"
#include "api/present_archetype.h"
#include "api/request.h"
#include "api/tools.h"
#include "data/topn.h"
#include "model/archetype.h"
#include "model/axes_vocab.h"

#define LTV_WEIGHT       40
#define SEASON_WEIGHT    30
#define VALUE_WEIGHT     20
#define FREQUENCY_WEIGHT 10
#define STRONG_SEASON    0.25 /* share of members */
#define INITIAL_LIMIT    10
#define INITIAL_EVENT    5

static const struct event_row {
    const char *word, *timing, *messaging;
} events[] = {
    { "halloween", "Start 4-5 weeks before October 31", "Costumes, decoration and treats for the night" },
    { "thanksgiving", "Start 3-4 weeks before the fourth Thursday of November", "Thanks to loyal customers" },
    { "black_friday", "Start 3-4 weeks before, teasers 10 days before", "Early access to the best offers" },
    { "cyber_monday", "Start with Black Friday, peak on the Monday", "Online only, today only" },
    { "christmas", "Start 3-4 weeks before the peak", "Early access to the season" },
    { "holiday_season", "Start in the first week of November", "Gifts for everybody on the list" },
    { "new_year", "Start in the week after Christmas", "A fresh start" },
    { "valentines", "Start 3 weeks before February 14", "Gifts for the one you love" },
    { "easter", "Start 3-4 weeks before Easter Sunday", "Spring gifts and decoration" },
    { "spring", "Start in the last week of February", "The new season is here" },
    { "summer", "Start in the second half of May", "Ready for the summer" },
    { "fall", "Start in the second half of August", "Cosy projects for the fall" },
    { "winter", "Start in the second half of November", "Warm ideas for the winter" },
    { "back_to_school", "Start in the last week of July", "Everything for the first day of school" },
};
#define EVENTS (sizeof(events) / sizeof(events[0]))

const char *season_words[EVENTS + 1];

void season_init(void)
{
    for (size_t i = 0; i < EVENTS; i++)
        season_words[i] = events[i].word;
}

/* Members by archetype whose cadence is seasonal or holiday. */
static void count_seasonal(const struct population *p, uint32_t *seasonal)
{
    unsigned seasonal_word = (unsigned)axes_vocab_find_word(AXIS_SHOPPING_CADENCE, STR_LIT("seasonal"));
    unsigned holiday_word = (unsigned)axes_vocab_find_word(AXIS_SHOPPING_CADENCE, STR_LIT("holiday"));

    for (size_t row = 0; row < p->count; row++) {
        unsigned word = (unsigned)(p->words[row] >> 4 * AXIS_SHOPPING_CADENCE) & 15;
        uint64_t archetype = p->words[row] >> POPULATION_ARCHETYPE_SHIFT;

        if ((word == seasonal_word || word == holiday_word) && archetype < p->archetype_count)
            seasonal[archetype]++;
    }
}

/* Places by total LTV: the part of the other archetypes that come after; 1 of a single one. NULL: no memory. */
static double *rank_by_ltv(const struct population *p, struct arena *arena)
{
    double *rank = arena_calloc(arena, p->archetype_count + 1, sizeof(*rank));
    size_t count = 0;
    const struct population_archetype **ranked =
        present_archetypes_ranked(p, ARCHETYPE_TOTAL_LTV, p->archetype_count, arena, &count);

    if (rank == NULL || ranked == NULL)
        return NULL;
    for (size_t i = 0; i < count; i++)
        rank[ranked[i] - p->archetypes] = count > 1 ? (double)(count - 1 - i) / (double)(count - 1) : 1;
    return rank;
}

static bool is_valuable(const struct population_archetype *a)
{
    const char *word = axes_vocab_word(AXIS_PURCHASE_VALUE, a->words[AXIS_PURCHASE_VALUE]);

    return word != NULL && (str_eq_lit(str_from(word), "premium") || str_eq_lit(str_from(word), "high_tier"));
}

static double frequency_rank(const struct population_archetype *a)
{
    unsigned words = axes_vocab[AXIS_PURCHASE_FREQUENCY].word_count, word = a->words[AXIS_PURCHASE_FREQUENCY];

    return word < words ? (double)word / (words - 1) : 0;
}

static double seasonal_share(const struct population_archetype *a, uint32_t seasonal)
{
    return answer_ratio(seasonal, (double)a->members);
}

static double score_of(const struct population_archetype *a, double ltv_rank, uint32_t seasonal)
{
    return LTV_WEIGHT * ltv_rank + SEASON_WEIGHT * seasonal_share(a, seasonal) + (is_valuable(a) ? VALUE_WEIGHT : 0) +
           FREQUENCY_WEIGHT * frequency_rank(a);
}

static void write_reasons(struct json_writer *w, const struct population_archetype *a, uint32_t seasonal)
{
    json_key(w, "recommendation_reasons");
    json_array_begin(w);
    if (seasonal_share(a, seasonal) >= STRONG_SEASON)
        json_cstr(w, "Strong seasonal buying pattern");
    if (is_valuable(a))
        json_cstr(w, "Premium value tier");
    if (frequency_rank(a) >= 0.75)
        json_cstr(w, "High purchase frequency");
    json_array_end(w);
}

struct sums {
    int64_t net_cents, members;
    double score;
};

static void write_archetypes(struct json_writer *w, const struct population *p, const struct topn *top,
                             const uint32_t *seasonal, struct sums *s)
{
    char sentence[ARCHETYPE_SENTENCE_SIZE];

    json_key(w, "top_archetypes");
    json_array_begin(w);
    for (size_t i = 0; i < top->count; i++) {
        uint32_t n = top->heap[i].number;
        const struct population_archetype *a = &p->archetypes[n];

        json_object_begin(w);
        present_archetype_top_members(w, p, a);
        json_kv_fixed(w, "score", -top->heap[i].key, 1);
        json_kv_cstr(w, "behavior_description", archetype_behaviour(sentence, a->words));
        write_reasons(w, a, seasonal[n]);
        json_object_end(w);
        s->net_cents += a->net_cents;
        s->members += (int64_t)a->members;
        s->score -= top->heap[i].key;
    }
    json_array_end(w);
}

static void write_strategy(struct tool_call *c, const struct event_row *e, const struct sums *s)
{
    const char *addressed = arena_printf(&c->q->http->arena, "The archetypes listed represent %.2f in lifetime value",
                                         (double)s->net_cents / 100);

    json_key(&c->w, "campaign_strategy");
    json_object_begin(&c->w);
    json_kv_cstr(&c->w, "timing", e->timing);
    json_kv_cstr(&c->w, "messaging", e->messaging);
    json_kv_cstr(&c->w, "channels", "Email, then reminders to non-openers");
    json_kv_cstr(&c->w, "offers", "15 % for premium, 20 % for seasonal buyers");
    json_kv_cstr(&c->w, "expected_roi", addressed != NULL ? addressed : "");
    json_object_end(&c->w);
}

static void write_sums(struct json_writer *w, const struct sums *s, size_t count)
{
    json_key(w, "aggregate_metrics");
    json_object_begin(w);
    json_kv_cents(w, "total_ltv_targeted", s->net_cents);
    json_kv_int(w, "total_members_targeted", s->members);
    json_kv_fixed(w, "avg_score", answer_ratio(s->score, (double)count), 1);
    json_object_end(w);
}

void season_recommend(struct tool_call *c)
{
    const struct population *p = c->q->data->population;
    struct arena *arena = &c->q->http->arena;
    int word = tool_word(c, "event");
    const struct event_row *e = &events[word >= 0 ? word : INITIAL_EVENT];
    int64_t limit = tool_int(c, "limit");
    struct topn top = { .wanted = limit > 0 ? (size_t)limit : INITIAL_LIMIT };
    uint32_t *seasonal = arena_calloc(arena, p->archetype_count + 1, sizeof(*seasonal));
    double *rank = rank_by_ltv(p, arena);
    struct sums s = { 0, 0, 0 };

    top.heap = arena_calloc(arena, top.wanted, sizeof(*top.heap));
    if (seasonal == NULL || rank == NULL || top.heap == NULL) {
        tool_fail_memory(c);
        return;
    }
    count_seasonal(p, seasonal);
    for (size_t i = 0; i < p->archetype_count; i++)
        topn_add(&top, (struct topn_item){ -score_of(&p->archetypes[i], rank[i], seasonal[i]), (uint32_t)i });
    topn_sort(&top);
    tool_answer_begin(c, METRIC_NL_SEASONAL_ARCHETYPE_RECOMMENDATION);
    json_kv_cstr(&c->w, "event", e->word);
    write_archetypes(&c->w, p, &top, seasonal, &s);
    write_strategy(c, e, &s);
    write_sums(&c->w, &s, top.count);
    tool_answer_end(c, "%zu %s for %s", top.count, top.count == 1 ? "archetype" : "archetypes", e->word);
}
