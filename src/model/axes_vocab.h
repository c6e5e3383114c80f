/*
 * axes_vocab: the words of the nine axes (CONTRACT 1.3). One table for search, segments, configuration and scoring.
 *
 * The order of the axes is the order of struct population_row.axes; a word's
 * index in its axis is the number kept in population files, so rows and words are only ever appended. Gate words come
 * first, then the others in the order of their anchors.
 */
#ifndef MODEL_AXES_VOCAB_H
#define MODEL_AXES_VOCAB_H

#include <stdbool.h>

#include "base/str.h"

#define AXES_MAX_WORDS 6

enum axis_id {
    AXIS_PURCHASE_FREQUENCY,
    AXIS_PURCHASE_VALUE,
    AXIS_LIFECYCLE,
    AXIS_PRICE_SENSITIVITY,
    AXIS_CATEGORY_AFFINITY,
    AXIS_SHOPPING_CADENCE,
    AXIS_REPURCHASE_BEHAVIOR,
    AXIS_RETURN_BEHAVIOR,
    AXIS_SHOPPING_MATURITY,
    AXIS_COUNT
};

struct axis_word {
    const char *name, *display_name, *description;
    bool gate; /* decided before the scalar, with membership 1 */
};

struct axis {
    const char *name;
    const char *alias; /* of the earlier service, or NULL */
    const char *display_name, *description;
    bool defines_archetype; /* on level l1 */
    unsigned word_count;
    struct axis_word words[AXES_MAX_WORDS];
};

extern const struct axis axes_vocab[AXIS_COUNT];

int axes_vocab_find(struct str name);                     /* by name or alias; -1: no such axis */
int axes_vocab_find_word(unsigned axis, struct str word); /* -1: no such word on the axis */
/* The word's text, NULL past the end (damaged numbers included). */
const char *axes_vocab_word(unsigned axis, unsigned word);

#endif
