/*
 * sync_score_groups: customers gathered into archetypes. Sums are made in the order of the customers, so equal data
 * give equal bytes.
 */
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "proc/sync_score_parts.h"

#define WORD_BITS 4 /* a word of an axis; 15: the axis does not define the level */

static uint64_t key_of(enum archetype_level level, const uint8_t words[AXIS_COUNT])
{
    uint64_t key = 0;

    for (unsigned axis = 0; axis < AXIS_COUNT; axis++) {
        bool defines = level == ARCHETYPE_L2 || axes_vocab[axis].defines_archetype;
        key = key << WORD_BITS | (defines ? words[axis] : 15U);
    }
    return key;
}

/* Twice the room; the slots are at most half full. */
static bool grow(struct score_groups *g)
{
    size_t room = g->room > 0 ? g->room * 2 : 512;
    struct score_group *group = realloc(g->group, room * sizeof(*group));

    if (group == NULL)
        return false;
    g->group = group;
    g->room = room;
    free(g->slot);
    g->slots = 2 * room;
    g->slot = calloc(g->slots, sizeof(*g->slot));
    if (g->slot == NULL)
        return false;
    for (size_t i = 0; i < g->count; i++) {
        size_t at = hash_u64(group[i].key) & (g->slots - 1);
        while (g->slot[at] != 0)
            at = (at + 1) & (g->slots - 1);
        g->slot[at] = (uint32_t)i + 1;
    }
    return true;
}

static struct score_group *find(struct score_groups *g, uint64_t key, const uint8_t words[AXIS_COUNT])
{
    if (g->count == g->room && !grow(g))
        return NULL;
    size_t at = hash_u64(key) & (g->slots - 1);
    for (; g->slot[at] != 0; at = (at + 1) & (g->slots - 1))
        if (g->group[g->slot[at] - 1].key == key)
            return &g->group[g->slot[at] - 1];
    struct score_group *fresh = &g->group[g->count++];
    g->slot[at] = (uint32_t)g->count;
    memset(fresh, 0, sizeof(*fresh));
    fresh->key = key;
    fresh->id = archetype_id(g->level, words);
    return fresh;
}

const struct score_group *sync_score_group_add(struct score_groups *g, const struct score_member *m)
{
    struct score_group *group = find(g, key_of(g->level, m->words), m->words);

    if (group == NULL)
        return NULL;
    group->members++;
    group->active += m->active;
    group->net_cents += m->net_cents;
    group->orders_per_month += m->orders_per_month;
    for (unsigned axis = 0; axis < AXIS_COUNT; axis++) {
        group->share[axis] += (double)m->share[axis];
        group->with_word[axis][m->words[axis]]++;
    }
    for (unsigned i = 0; i < FORECAST_NODES; i++)
        group->staying[i] += m->staying[i];
    return group;
}

static int by_id(const void *a, const void *b)
{
    uint64_t l = ((const struct score_group *)a)->id, r = ((const struct score_group *)b)->id;

    return l < r ? -1 : l > r;
}

void sync_score_groups_sort(struct score_groups *g)
{
    if (g->count > 0)
        qsort(g->group, g->count, sizeof(*g->group), by_id);
}

void sync_score_groups_free(struct score_groups *g)
{
    free(g->group);
    free(g->slot);
    *g = (struct score_groups){ .level = g->level };
}

void sync_score_group_words(const struct score_group *g, uint8_t words[AXIS_COUNT])
{
    for (unsigned axis = 0; axis < AXIS_COUNT; axis++) {
        words[axis] = 0;
        for (uint8_t w = 1; w < AXES_MAX_WORDS; w++)
            if (g->with_word[axis][w] > g->with_word[axis][words[axis]])
                words[axis] = w;
    }
}
