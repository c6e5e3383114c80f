/*
 * nl_question: see the header.
 */
#include "api/nl_question.h"

#include <math.h>
#include <string.h>

#include "model/axes_vocab.h"

#define MAX_MONTHS      60
#define MONTHS_PER_YEAR 12
#define DAYS_PER_MONTH  30.4375
#define DAYS_PER_WEEK   7
#define LEAST_ID_DIGITS 6
#define MOST_ID_DIGITS  19

/* ---- tokens ---- */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (unsigned char)c >= 0x80;
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 'a' - 'A') : c;
}

/* Length of arch_ and its digits at p; 0: none here. */
static size_t archetype_length(const char *p, const char *end)
{
    size_t n = 5;

    if ((size_t)(end - p) < 6 || memcmp(p, "arch_", 5) != 0)
        return 0;
    while (p + n < end && is_digit(p[n]))
        n++;
    return n > 5 ? n : 0;
}

/* Reads 1,000.50 and 2k at p; its length. */
static size_t read_number(const char *p, const char *end, struct nl_token *t)
{
    double scale = 1;
    size_t n = 0, plain = 0;
    bool fraction = false;

    t->number = 0;
    for (; p + n < end; n++) {
        bool before_digit = p + n + 1 < end && is_digit(p[n + 1]);

        if (is_digit(p[n])) {
            scale = fraction ? scale / 10 : scale;
            t->number = fraction ? t->number + scale * (p[n] - '0') : 10 * t->number + (p[n] - '0');
            plain++;
        } else if (p[n] == '.' && before_digit && !fraction) {
            fraction = true;
        } else if (p[n] != ',' || !before_digit || fraction) {
            break;
        }
    }
    t->digits = plain == n ? (unsigned)plain : 0;
    if (p + n < end && (p[n] == 'k' || p[n] == 'm') && (p + n + 1 == end || !is_letter(p[n + 1]))) {
        t->number *= p[n] == 'k' ? 1e3 : 1e6;
        t->digits = 0;
        n++;
    }
    return n;
}

static size_t read_token(const char *p, const char *end, struct nl_token *t)
{
    size_t n = archetype_length(p, end);

    *t = (struct nl_token){ .type = NL_ARCHETYPE };
    if (n == 0 && is_digit(*p)) {
        t->type = NL_NUMBER;
        n = read_number(p, end, t);
    }
    if (n == 0) {
        t->type = NL_WORD;
        while (p + n < end && (is_letter(p[n]) || is_digit(p[n])))
            n++;
    }
    t->text = (struct str){ p, n };
    return n;
}

void nl_question_read(struct nl_question *q, struct str text)
{
    size_t len = text.len < NL_MAX_BYTES ? text.len : NL_MAX_BYTES;
    const char *p = q->text, *end = q->text + len;

    q->count = 0;
    for (size_t i = 0; i < len; i++)
        q->text[i] = lower(text.p[i]);
    while (p < end && q->count < NL_MAX_TOKENS) {
        if (is_letter(*p) || is_digit(*p))
            p += read_token(p, end, &q->tokens[q->count++]);
        else
            p++;
    }
}

/* ---- phrases ---- */

static bool fits_word(const struct nl_token *t, struct str pattern)
{
    bool begins = pattern.len > 0 && pattern.p[pattern.len - 1] == '*';
    size_t n = begins ? pattern.len - 1 : pattern.len;

    return (begins ? t->text.len >= n : t->text.len == n) && memcmp(t->text.p, pattern.p, n) == 0;
}

/* Tokens that the phrase takes at `at`; 0: it is not here. */
static size_t fits_phrase(const struct nl_question *q, size_t at, struct str phrase)
{
    struct str word;
    size_t n = 0;

    for (; str_split(&phrase, ' ', &word); n++) {
        if (at + n >= q->count || !fits_word(&q->tokens[at + n], word))
            return 0;
    }
    return n;
}

/* Where the first of them begins (its token); -1: nowhere. *after: the token behind it, when not NULL. */
static int find_from(const struct nl_question *q, size_t from, const char *phrases, size_t *after)
{
    for (size_t at = from; at < q->count; at++) {
        struct str rest = str_from(phrases), phrase;

        while (str_split(&rest, '|', &phrase)) {
            size_t n = fits_phrase(q, at, phrase);

            if (n == 0)
                continue;
            if (after != NULL)
                *after = at + n;
            return (int)at;
        }
    }
    return -1;
}

bool nl_has(const struct nl_question *q, const char *phrases)
{
    return find_from(q, 0, phrases, NULL) >= 0;
}

void nl_use(struct nl_question *q, const char *phrases)
{
    size_t after = 0;
    int at = find_from(q, 0, phrases, &after);

    for (size_t i = at < 0 ? after : (size_t)at; i < after; i++)
        q->tokens[i].used = true;
}

/* ---- numbers ---- */

/* Also "two" … "twelve". */
static bool number_at(const struct nl_question *q, size_t at, double *v)
{
    static const char *const words[] = { "one",   "two",   "three", "four", "five",   "six",
                                         "seven", "eight", "nine",  "ten",  "eleven", "twelve" };

    if (at >= q->count)
        return false;
    if (q->tokens[at].type == NL_NUMBER) {
        *v = q->tokens[at].number;
        return true;
    }
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (str_eq_lit(q->tokens[at].text, words[i])) {
            *v = (double)(i + 1);
            return true;
        }
    }
    return false;
}

/* Is one of the words right at this token? */
static bool word_at(const struct nl_question *q, size_t at, const char *words)
{
    struct str rest = str_from(words), word;

    while (at < q->count && str_split(&rest, '|', &word)) {
        if (fits_word(&q->tokens[at], word))
            return true;
    }
    return false;
}

#define OVER  "over|above|more than|greater than|at least|exceeding|minimum|from"
#define UNDER "under|below|less than|fewer than|at most|maximum|up to"

/* The number behind one of the phrases whose unit is one of `units` (NULL: no unit that is known). */
static bool bound(const struct nl_question *q, const char *phrases, const char *units, double *v)
{
    static const char known[] = "order*|purchase*|time*|day*|week*|month*|year*|percent*|pct|item*|unit*|member*";
    size_t from = 0;

    while (find_from(q, from, phrases, &from) >= 0) {
        if (number_at(q, from, v) && (units != NULL ? word_at(q, from + 1, units) : !word_at(q, from + 1, known)))
            return true;
    }
    return false;
}

bool nl_amount_over(const struct nl_question *q, double *amount)
{
    return bound(q, OVER, NULL, amount);
}

bool nl_amount_under(const struct nl_question *q, double *amount)
{
    return bound(q, UNDER, NULL, amount);
}

static bool orders(const struct nl_question *q, const char *phrases, const char *exact, int64_t step, int64_t *out)
{
    double v;

    if (bound(q, phrases, "order*|purchase*|time*", &v))
        *out = (int64_t)v + step;
    else if (bound(q, exact, "order*|purchase*|time*", &v))
        *out = (int64_t)v;
    else
        return false;
    return true;
}

bool nl_orders_over(const struct nl_question *q, int64_t *out)
{
    return orders(q, "over|above|more than|greater than", "at least|minimum|from", 1, out);
}

bool nl_orders_under(const struct nl_question *q, int64_t *out)
{
    return orders(q, "under|below|less than|fewer than", "at most|maximum|up to", -1, out);
}

/* A number with a unit of time behind it, in days, from token `at` on. */
static bool days_at(const struct nl_question *q, size_t at, double *days)
{
    double v = 1;
    bool counted = number_at(q, at, &v);
    size_t unit = counted ? at + 1 : at;

    if (!counted && !word_at(q, unit, "quarter|year") &&
        (at == 0 || !word_at(q, at - 1, "next|last|this|past|previous|coming|a|within")))
        return false;
    if (word_at(q, unit, "day*"))
        *days = v;
    else if (word_at(q, unit, "week*"))
        *days = v * DAYS_PER_WEEK;
    else if (word_at(q, unit, "month*"))
        *days = v * DAYS_PER_MONTH;
    else if (word_at(q, unit, "quarter*"))
        *days = v * 3 * DAYS_PER_MONTH;
    else if (word_at(q, unit, "year*"))
        *days = v * MONTHS_PER_YEAR * DAYS_PER_MONTH;
    else
        return false;
    return true;
}

static bool first_days(const struct nl_question *q, int64_t *days)
{
    double v;

    for (size_t at = 0; at < q->count; at++) {
        if (days_at(q, at, &v)) {
            *days = llrint(v);
            return *days >= 1;
        }
    }
    return false;
}

bool nl_days_without(const struct nl_question *q, int64_t *days)
{
    return nl_has(q, "not|no|without|haven|hasn|havent|hasnt|didn|didnt|never|inactive|since|ago") &&
           first_days(q, days);
}

bool nl_days_within(const struct nl_question *q, int64_t *days)
{
    return nl_has(q, "last|past|within|recent*") && first_days(q, days);
}

int64_t nl_months(const struct nl_question *q, int64_t initial)
{
    double days;

    if (nl_has(q, "half year|half a year|semester"))
        return MONTHS_PER_YEAR / 2;
    for (size_t at = 0; at < q->count; at++) {
        if (!days_at(q, at, &days))
            continue;
        days = ceil(days / DAYS_PER_MONTH - 1e-9);
        return days < 1 ? 1 : days > MAX_MONTHS ? MAX_MONTHS : (int64_t)days;
    }
    return nl_has(q, "q1|q2|q3|q4") ? 3 : initial;
}

int64_t nl_limit(const struct nl_question *q, int64_t initial, int64_t most)
{
    static const char before[] = "top|best|first|worst|show|list|me|biggest|largest|highest|valuable|the";
    static const char behind[] = "best|top|worst|biggest|largest|most|highest|customer*|product*|categor*|archetype*|"
                                 "segment*|people|buyer*|vip*|name*|item*|pair*|bundle*";
    double v;

    for (size_t at = 0; at < q->count; at++) {
        if (!number_at(q, at, &v) || v < 1 || str_eq_lit(q->tokens[at].text, "one") ||
            q->tokens[at].digits >= LEAST_ID_DIGITS ||
            word_at(q, at + 1, "day*|week*|month*|year*|quarter*|percent*|order*"))
            continue;
        if (at > 0 && word_at(q, at - 1, "over|above|under|below|than|least|from"))
            continue;
        if ((at > 0 && word_at(q, at - 1, before)) || word_at(q, at + 1, behind))
            return v > (double)most ? most : (int64_t)v;
    }
    return initial;
}

/* ---- ids ---- */

struct str nl_customer_id(const struct nl_question *q)
{
    for (size_t at = 0; at < q->count; at++) {
        const struct nl_token *t = &q->tokens[at];
        bool named = at > 0 && (word_at(q, at - 1, "customer|buyer|client|shopper") ||
                                (at > 1 && word_at(q, at - 2, "customer") && word_at(q, at - 1, "id|no|number|nr")));
        bool amount = at > 0 && word_at(q, at - 1, "over|above|under|below|than|least|most|from");

        if (t->type != NL_NUMBER || t->digits == 0 || t->digits > MOST_ID_DIGITS || amount)
            continue;
        if (t->digits >= LEAST_ID_DIGITS || named)
            return t->text;
    }
    return STR_NONE;
}

size_t nl_archetypes(const struct nl_question *q, struct str ids[NL_MAX_ARCHETYPES])
{
    size_t n = 0;

    for (size_t at = 0; at < q->count && n < NL_MAX_ARCHETYPES; at++) {
        if (q->tokens[at].type == NL_ARCHETYPE)
            ids[n++] = q->tokens[at].text;
    }
    return n;
}

/* ---- vocabularies ---- */

/* Tokens that "deal_hunter" takes at `at`, its plural too; 0: it is not here. */
static size_t fits_name(const struct nl_question *q, size_t at, const char *name)
{
    struct str rest = str_from(name), word;
    size_t n = 0;

    for (; str_split(&rest, '_', &word); n++) {
        struct str t;
        bool last = rest.p == NULL || rest.len == 0;

        if (at + n >= q->count || q->tokens[at + n].used)
            return 0;
        t = q->tokens[at + n].text;
        if (last && t.len == word.len + 1 && t.p[word.len] == 's')
            t.len--;
        if (t.len != word.len || memcmp(t.p, word.p, t.len) != 0)
            return 0;
    }
    return n;
}

/* Words people use for one of the vocabulary. */
static const struct synonym {
    const char *text;
    unsigned axis;
    const char *word;
} synonyms[] = {
    { "lapsed", AXIS_LIFECYCLE, "lapsing" },
    { "inactive", AXIS_LIFECYCLE, "dormant" },
    { "bargain_hunter", AXIS_PRICE_SENSITIVITY, "deal_hunter" },
    { "frequent_buyer", AXIS_PURCHASE_FREQUENCY, "power_buyer" },
};

/* Words that stand on more than one axis, or mean nothing about anybody, are not taken for one of them. */
static bool is_ambiguous(const char *name)
{
    return strcmp(name, "insufficient") == 0;
}

static size_t axis_word_at(const struct nl_question *q, size_t at, unsigned *axis, unsigned *word)
{
    for (*axis = 0; *axis < AXIS_COUNT; ++*axis) {
        for (*word = 0; *word < axes_vocab[*axis].word_count; ++*word) {
            const char *name = axes_vocab[*axis].words[*word].name;
            size_t n = is_ambiguous(name) ? 0 : fits_name(q, at, name);

            if (n > 0)
                return n;
        }
    }
    for (size_t i = 0; i < sizeof(synonyms) / sizeof(synonyms[0]); i++) {
        size_t n = fits_name(q, at, synonyms[i].text);

        if (n == 0)
            continue;
        *axis = synonyms[i].axis;
        *word = (unsigned)axes_vocab_find_word(*axis, str_from(synonyms[i].word));
        return n;
    }
    return 0;
}

bool nl_axis_word(const struct nl_question *q, size_t *at, unsigned *axis, unsigned *word)
{
    for (; *at < q->count; ++*at) {
        size_t n = axis_word_at(q, *at, axis, word);

        if (n > 0) {
            *at += n;
            return true;
        }
    }
    return false;
}

const char *nl_event(const struct nl_question *q)
{
    static const struct {
        const char *phrases, *event;
    } events[] = {
        { "halloween", "halloween" },
        { "thanksgiving", "thanksgiving" },
        { "black friday", "black_friday" },
        { "cyber monday", "cyber_monday" },
        { "christmas|xmas", "christmas" },
        { "new year|new years", "new_year" },
        { "valentine*", "valentines" },
        { "easter", "easter" },
        { "back to school", "back_to_school" },
        { "spring", "spring" },
        { "summer", "summer" },
        { "autumn|this fall|next fall|the fall|for fall|in fall|fall season|fall campaign", "fall" },
        { "winter", "winter" },
        { "holiday*|seasonal", "holiday_season" },
    };

    for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
        if (nl_has(q, events[i].phrases))
            return events[i].event;
    }
    return NULL;
}
