/*
 * archetype: groups of customers with equal dominant words on the defining axes; their ids, names and sentences
 * (CONTRACT 1.3, 1.4).
 */
#ifndef MODEL_ARCHETYPE_H
#define MODEL_ARCHETYPE_H

#include <stddef.h>
#include <stdint.h>

#include "model/axes_vocab.h"

#define ARCHETYPE_ID_SIZE       18 /* "arch_015766796028" */
#define ARCHETYPE_NAME_SIZE     96
#define ARCHETYPE_SENTENCE_SIZE 160

enum archetype_level {
    ARCHETYPE_L1, /* the four defining axes */
    ARCHETYPE_L2  /* all nine */
};

/* The number of the id, below 10^12; words by axis, as in axes_vocab (those of other axes are not looked at). */
uint64_t archetype_id(enum archetype_level level, const uint8_t words[AXIS_COUNT]);
char *archetype_format_id(char dst[ARCHETYPE_ID_SIZE], uint64_t id); /* dst */
/* All return dst, terminated. "Occasional, mid tier, deal hunter, cooling". */
char *archetype_name(char dst[ARCHETYPE_NAME_SIZE], const uint8_t words[AXIS_COUNT]);
/* "Buys very often, high spend, mostly at list price." */
char *archetype_behaviour(char dst[ARCHETYPE_SENTENCE_SIZE], const uint8_t words[AXIS_COUNT]);
/* "Buys now and then, mid spend, mostly on discount; the usual gap has passed." */
char *archetype_describe(char dst[ARCHETYPE_SENTENCE_SIZE], const uint8_t words[AXIS_COUNT]);

#endif
