/*
 * present_archetype: archetypes as JSON (CONTRACT 1.4 and 11). Pure functions of data set and arguments.
 */
#ifndef API_PRESENT_ARCHETYPE_H
#define API_PRESENT_ARCHETYPE_H

#include "api/dataset.h"
#include "base/arena.h"
#include "core/json.h"
#include "data/population.h"

struct growth;

/* What archetypes are ranked by; ties by id ascending. */
enum archetype_metric {
    ARCHETYPE_TOTAL_LTV,
    ARCHETYPE_AVG_LTV,
    ARCHETYPE_MEMBERS,
    ARCHETYPE_METRICS
};
extern const char *const archetype_metric_words[]; /* NULL-terminated, in the order of the enum */

/* The archetype an id ("arch_015766796028") names, NULL: none. */
const struct population_archetype *present_archetype_find(const struct population *p, struct str id);
/* The archetype object of CONTRACT 1.4, see put.h; at most PUT_ARCHETYPE_MAX bytes. */
#define PUT_ARCHETYPE_MAX 2048
char *put_archetype(char *p, const struct population *pop, const struct population_archetype *a);
/* {axis: word}: its dominant segments, under that key. */
void present_archetype_segments(struct json_writer *w, const char *key, const struct population_archetype *a);
/* CONTRACT 11.1. */
void present_archetype(struct json_writer *w, const struct dataset *d, const struct population_archetype *a);

/* Members of an open object: those of an entry of CONTRACT 11.2; of an entry of 11.3, without its months. */
void present_archetype_top_members(struct json_writer *w, const struct population *p,
                                   const struct population_archetype *a);
void present_archetype_growth_members(struct json_writer *w, const struct population_archetype *a,
                                      const struct growth *g);
/* The `limit` archetypes that are greatest by the metric, descending; their number in *count. NULL: no memory. */
const struct population_archetype **present_archetypes_ranked(const struct population *p,
                                                              enum archetype_metric metric, size_t limit,
                                                              struct arena *a, size_t *count);
/* CONTRACT 11.2 and 11.3. False: no memory. The latter needs a model. */
bool present_archetypes_top(struct json_writer *w, const struct dataset *d, enum archetype_metric metric,
                            size_t limit, struct arena *a);
bool present_archetypes_growth(struct json_writer *w, const struct dataset *d, int months, size_t top_n,
                               struct arena *a);

#endif
