/*
 * put_axes: where customers and archetypes stand on the axes, as JSON (see put.h). Each object takes at most
 * PUT_AXES_MAX bytes.
 */
#ifndef API_PUT_AXES_H
#define API_PUT_AXES_H

#include "data/population.h"

#define PUT_AXES_MAX 1024

/* Once, before the first use. */
void put_axes_init(void);

char *put_axes_dominant(char *p, uint64_t words);                    /* {axis: word}, of a row's packed words */
char *put_axes_words(char *p, const uint8_t words[POPULATION_AXES]); /* the same of an archetype */
char *put_axes_traits(char *p,
                      const struct population_archetype *a);         /* ["axis:word"]: at least half of its members */
char *put_axes_word(char *p, uint64_t words, unsigned axis);         /* one word of a row */
char *put_axes_strengths(char *p, const struct population_row *row); /* {axis: strength} */
char *put_axes_memberships(char *p, const struct population_row *row); /* {axis: {word: fraction}} */
/* Ten-thousandths as a fraction with trailing zeros cut but one. */
char *put_fraction(char *p, unsigned v);

#endif
