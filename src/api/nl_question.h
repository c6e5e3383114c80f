/*
 * nl_question: a question in words, cut into tokens, and what stands in it literally: ids, numbers, times, words of
 * the axes, events. Pure.
 *
 * Words are compared whole, in lower case; blanks, hyphens, underscores and punctuation separate them alike, so that
 * "win-back", "win_back" and "win back" are one phrase.
 */
#ifndef API_NL_QUESTION_H
#define API_NL_QUESTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

#define NL_MAX_TOKENS     256 /* further ones are not looked at */
#define NL_MAX_BYTES      4096
#define NL_MAX_ARCHETYPES 5

enum nl_token_type {
    NL_WORD,
    NL_NUMBER,   /* digits, with commas or a decimal point; "k" and "m" multiply */
    NL_ARCHETYPE /* arch_ and digits */
};

struct nl_token {
    enum nl_token_type type;
    struct str text; /* lower case, in the question's memory */
    double number;
    unsigned digits; /* of a number: how many, when it is digits alone; else 0 */
    bool used;       /* said what is asked for; it is no word of an axis besides */
};

struct nl_question {
    char text[NL_MAX_BYTES];
    struct nl_token tokens[NL_MAX_TOKENS];
    size_t count;
};

void nl_question_read(struct nl_question *q, struct str text);

/*
 * Is one of these phrases in it? "together|bundle*|bought with": alternatives, words in a row; a word with a star
 * stands for all that begin so.
 */
bool nl_has(const struct nl_question *q, const char *phrases);
/* Marks the tokens of the first of them as used. */
void nl_use(struct nl_question *q, const char *phrases);

/* A customer's id: a run of 6 to 19 digits that is no amount, or the number behind "customer". STR_NONE: none. */
struct str nl_customer_id(const struct nl_question *q);
/* Ids of archetypes, at most NL_MAX_ARCHETYPES; how many. */
size_t nl_archetypes(const struct nl_question *q, struct str ids[NL_MAX_ARCHETYPES]);
/* "top 5", "5 best", "5 customers"; else `initial`. 1 … most. */
int64_t nl_limit(const struct nl_question *q, int64_t initial, int64_t most);
/* "6 months", "two years", "quarter", "Q3"; else `initial`. 1 … 60. */
int64_t nl_months(const struct nl_question *q, int64_t initial);
/* The amount behind "over", "more than", …, or "under", …: false: none. It is no count of orders, days or percent. */
bool nl_amount_over(const struct nl_question *q, double *amount);
bool nl_amount_under(const struct nl_question *q, double *amount);
/* "more than 5 orders": the least, "fewer than 3 orders": the most. */
bool nl_orders_over(const struct nl_question *q, int64_t *orders);
bool nl_orders_under(const struct nl_question *q, int64_t *orders);
/* Days in "not ordered for 90 days" and "bought in the last 30 days". */
bool nl_days_without(const struct nl_question *q, int64_t *days);
bool nl_days_within(const struct nl_question *q, int64_t *days);
/* Words of the axes from token *at on: sets axis and word, and *at behind them. Words of several axes don't count. */
bool nl_axis_word(const struct nl_question *q, size_t *at, unsigned *axis, unsigned *word);
/* An event of season.h; NULL: none. */
const char *nl_event(const struct nl_question *q);

#endif
