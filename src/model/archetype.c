/*
 * archetype: see the header.
 */
#include "model/archetype.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/hash.h"

#define PAIRS_SIZE 512 /* nine axes and words of at most 19 letters each */
#define ID_LIMIT   UINT64_C(1000000000000)

/* The axes in the order of their names. */
static const enum axis_id sorted_axes[AXIS_COUNT] = {
    AXIS_CATEGORY_AFFINITY,  AXIS_LIFECYCLE,        AXIS_PRICE_SENSITIVITY,
    AXIS_PURCHASE_FREQUENCY, AXIS_PURCHASE_VALUE,   AXIS_REPURCHASE_BEHAVIOR,
    AXIS_RETURN_BEHAVIOR,    AXIS_SHOPPING_CADENCE, AXIS_SHOPPING_MATURITY,
};

static const enum axis_id defining[] = { AXIS_PURCHASE_FREQUENCY, AXIS_PURCHASE_VALUE, AXIS_PRICE_SENSITIVITY,
                                         AXIS_LIFECYCLE };

static const char *word_of(enum axis_id axis, const uint8_t words[AXIS_COUNT])
{
    const char *word = axes_vocab_word(axis, words[axis]);

    return word != NULL ? word : "unknown";
}

uint64_t archetype_id(enum archetype_level level, const uint8_t words[AXIS_COUNT])
{
    char text[PAIRS_SIZE] = "v1";
    uint8_t digest[HASH_SHA256_BYTES];
    size_t used = 2;
    uint64_t number = 0;

    for (int i = 0; i < AXIS_COUNT; i++) {
        enum axis_id axis = sorted_axes[i];
        if (level == ARCHETYPE_L1 && !axes_vocab[axis].defines_archetype)
            continue;
        int n = snprintf(text + used, sizeof(text) - used, "|%s=%s", axes_vocab[axis].name, word_of(axis, words));
        used += n > 0 && (size_t)n < sizeof(text) - used ? (size_t)n : 0;
    }
    hash_sha256(digest, text, used);
    for (int i = 0; i < 8; i++)
        number = number << 8 | digest[i];
    return number % ID_LIMIT;
}

char *archetype_format_id(char dst[ARCHETYPE_ID_SIZE], uint64_t id)
{
    memcpy(dst, "arch_000000000000", ARCHETYPE_ID_SIZE);
    for (size_t i = ARCHETYPE_ID_SIZE - 2; i > 4; i--, id /= 10)
        dst[i] = (char)('0' + id % 10);
    return dst;
}

char *archetype_name(char dst[ARCHETYPE_NAME_SIZE], const uint8_t words[AXIS_COUNT])
{
    char *p = dst;

    for (unsigned i = 0; i < 4; i++) {
        if (i > 0) {
            *p++ = ',';
            *p++ = ' ';
        }
        for (const char *word = word_of(defining[i], words); *word != '\0' && p < dst + ARCHETYPE_NAME_SIZE - 3;
             word++)
            *p++ = *word == '_' ? ' ' : *word;
    }
    *p = '\0';
    dst[0] = (char)toupper((unsigned char)dst[0]);
    return dst;
}

/* By word, as axes_vocab has them. */
static const char *const frequency_phrases[] = { "Bought once", "Buys rarely", "Buys now and then", "Buys regularly",
                                                 "Buys very often" };
static const char *const value_phrases[] = { "low spend", "mid spend", "raised spend", "high spend" };
static const char *const price_phrases[] = { "always at list price", "mostly at list price", "often on discount",
                                             "mostly on discount" };
static const char *const lifecycle_phrases[] = { "has ordered recently", "the usual gap has passed",
                                                 "the usual gap has long passed", "has been away for very long" };

#define PHRASE(table, word) ((word) < sizeof(table) / sizeof((table)[0]) ? (table)[word] : "unknown")

char *archetype_behaviour(char dst[ARCHETYPE_SENTENCE_SIZE], const uint8_t words[AXIS_COUNT])
{
    snprintf(dst, ARCHETYPE_SENTENCE_SIZE, "%s, %s, %s.", PHRASE(frequency_phrases, words[AXIS_PURCHASE_FREQUENCY]),
             PHRASE(value_phrases, words[AXIS_PURCHASE_VALUE]), PHRASE(price_phrases, words[AXIS_PRICE_SENSITIVITY]));
    return dst;
}

char *archetype_describe(char dst[ARCHETYPE_SENTENCE_SIZE], const uint8_t words[AXIS_COUNT])
{
    size_t n = strlen(archetype_behaviour(dst, words)) - 1; /* the full stop moves behind the lifecycle */

    snprintf(dst + n, ARCHETYPE_SENTENCE_SIZE - n, "; %s.", PHRASE(lifecycle_phrases, words[AXIS_LIFECYCLE]));
    return dst;
}
