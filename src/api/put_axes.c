/*
 * put_axes: see the header. Words are finished pieces of JSON made once, so that putting one is a copy of fixed size.
 */
#include "api/put_axes.h"

#include <stdio.h>

#include "api/put.h"
#include "model/axes_vocab.h"

/* Bits 4i…4i+3 of a row's words. */
#define WORD_BITS 4
#define WORD_MASK 15U
/* Memberships are in ten-thousandths. */
#define WHOLE  10000U
#define STRONG 7000U

/* A finished piece of JSON: "word", or "axis": with its colon. */
struct fragment {
    char text[30];
    uint8_t len;
    bool weak; /* a word that says too little is known */
};
static struct fragment axis_keys[POPULATION_AXES];
static struct fragment axis_words[POPULATION_AXES][WORD_MASK + 1]; /* what is no word of the axis reads null */

static struct fragment make_fragment(const char *word, const char *after)
{
    struct fragment f = { .weak = word != NULL && strcmp(word, "insufficient") == 0 };
    int n = word != NULL ? snprintf(f.text, sizeof(f.text), "\"%s\"%s", word, after)
                         : snprintf(f.text, sizeof(f.text), "null");

    f.len = (uint8_t)n;
    return f;
}

void put_axes_init(void)
{
    for (unsigned axis = 0; axis < POPULATION_AXES; axis++) {
        axis_keys[axis] = make_fragment(axes_vocab[axis].name, ":");
        for (unsigned word = 0; word <= WORD_MASK; word++)
            axis_words[axis][word] = make_fragment(axes_vocab_word(axis, word), "");
    }
}

static inline char *put_fragment(char *p, const struct fragment *f)
{
    memcpy(p, f->text, sizeof(f->text)); /* of a fixed size: the rest is overwritten by what follows */
    return p + f->len;
}

static inline const struct fragment *word_of(unsigned axis, unsigned word)
{
    return &axis_words[axis][word < WORD_MASK ? word : WORD_MASK];
}

static inline const struct fragment *dominant_of(uint64_t words, unsigned axis)
{
    return word_of(axis, (unsigned)(words >> (WORD_BITS * axis)) & WORD_MASK);
}

char *put_axes_dominant(char *p, uint64_t words)
{
    for (unsigned i = 0; i < POPULATION_AXES; i++) {
        *p++ = i == 0 ? '{' : ',';
        p = put_fragment(p, &axis_keys[i]);
        p = put_fragment(p, dominant_of(words, i));
    }
    return PUT(p, "}");
}

char *put_axes_words(char *p, const uint8_t words[POPULATION_AXES])
{
    for (unsigned i = 0; i < POPULATION_AXES; i++) {
        *p++ = i == 0 ? '{' : ',';
        p = put_fragment(p, &axis_keys[i]);
        p = put_fragment(p, word_of(i, words[i]));
    }
    return PUT(p, "}");
}

char *put_axes_traits(char *p, const struct population_archetype *a)
{
    *p++ = '[';
    for (unsigned i = 0; i < POPULATION_AXES; i++) {
        const struct fragment *key = &axis_keys[i], *word = word_of(i, a->words[i]);

        if (a->words[i] == POPULATION_WORD_NONE || 2 * (uint64_t)a->with_word[i] < a->members)
            continue;
        if (p[-1] != '[')
            *p++ = ',';
        p = put_fragment(p, key) - 2; /* its quote and colon */
        *p++ = ':';
        p = put(p, word->text + 1, word->len - 1U);
    }
    return PUT(p, "]");
}

char *put_axes_word(char *p, uint64_t words, unsigned axis)
{
    return put_fragment(p, dominant_of(words, axis));
}

char *put_axes_strengths(char *p, const struct population_row *row)
{
    for (unsigned i = 0; i < POPULATION_AXES; i++) {
        const struct population_membership *m = &row->axes[i];

        *p++ = i == 0 ? '{' : ',';
        p = put_fragment(p, &axis_keys[i]);
        if (word_of(i, m->low)->weak)
            p = PUT(p, "\"weak\"");
        else if (m->low == m->high || m->weight > STRONG || m->weight < WHOLE - STRONG)
            p = PUT(p, "\"strong\"");
        else
            p = PUT(p, "\"balanced\"");
    }
    return PUT(p, "}");
}

/* Ten-thousandths as a fraction with trailing zeros cut but one. */
char *put_fraction(char *p, unsigned v)
{
    if (v >= WHOLE)
        return PUT(p, "1.0");
    p = PUT(p, "0.");
    for (unsigned unit = WHOLE / 10; v > 0; v %= unit, unit /= 10)
        *p++ = (char)('0' + v / unit);
    return p[-1] == '.' ? PUT(p, "0") : p;
}

static char *put_membership(char *p, const struct population_membership *m, unsigned axis)
{
    unsigned weight = m->low == m->high ? WHOLE : m->weight;

    *p++ = '{';
    if (weight > 0) {
        p = put_fragment(p, word_of(axis, m->low));
        *p++ = ':';
        p = put_fraction(p, weight);
    }
    if (weight > 0 && weight < WHOLE)
        *p++ = ',';
    if (weight < WHOLE) {
        p = put_fragment(p, word_of(axis, m->high));
        *p++ = ':';
        p = put_fraction(p, WHOLE - weight);
    }
    *p++ = '}';
    return p;
}

char *put_axes_memberships(char *p, const struct population_row *row)
{
    for (unsigned i = 0; i < POPULATION_AXES; i++) {
        *p++ = i == 0 ? '{' : ',';
        p = put_fragment(p, &axis_keys[i]);
        p = put_membership(p, &row->axes[i], i);
    }
    return PUT(p, "}");
}
