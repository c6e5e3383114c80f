/*
 * nl_memory: see the header. A table of places by hash; who comes later takes the place.
 */
#include "api/nl_memory.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/hash.h"

#define SEED 0x6e6c6d656d6f7279ULL

struct place {
    char *bytes; /* the question, then the meaning; NULL: free */
    size_t question_len, meaning_len;
    uint64_t until_ns;
};

struct nl_memory {
    uint64_t ttl_ns;
    struct place places[NL_MEMORY_PLACES];
};

struct nl_memory *nl_memory_new(int64_t ttl_s)
{
    struct nl_memory *m = calloc(1, sizeof(*m));

    if (m != NULL)
        m->ttl_ns = (uint64_t)ttl_s * CLOCK_NS_PER_S;
    return m;
}

void nl_memory_free(struct nl_memory *m)
{
    for (size_t i = 0; m != NULL && i < NL_MEMORY_PLACES; i++)
        free(m->places[i].bytes);
    free(m);
}

static size_t place_of(struct str question)
{
    return hash_fast(SEED, question.p, question.len) % NL_MEMORY_PLACES;
}

struct str nl_memory_get(const struct nl_memory *m, struct str question, uint64_t now_ns)
{
    const struct place *p = &m->places[place_of(question)];

    if (p->bytes == NULL || now_ns >= p->until_ns || p->question_len != question.len ||
        memcmp(p->bytes, question.p, question.len) != 0)
        return STR_NONE;
    return (struct str){ p->bytes + p->question_len, p->meaning_len };
}

void nl_memory_put(struct nl_memory *m, struct str question, struct str meaning, uint64_t now_ns)
{
    struct place *p = &m->places[place_of(question)];
    char *bytes = malloc(question.len + meaning.len + 1);

    if (bytes == NULL)
        return;
    memcpy(bytes, question.p, question.len);
    memcpy(bytes + question.len, meaning.p, meaning.len);
    free(p->bytes);
    p->bytes = bytes;
    p->question_len = question.len;
    p->meaning_len = meaning.len;
    p->until_ns = now_ns + m->ttl_ns;
}
