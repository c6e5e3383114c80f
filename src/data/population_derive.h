/*
 * population_derive: everything in a population file that follows from its rows. For the writer alone.
 */
#ifndef DATA_POPULATION_DERIVE_H
#define DATA_POPULATION_DERIVE_H

#include <stdbool.h>
#include <stddef.h>

#include "data/population.h"
#include "data/population_write.h"

/* The file is mapped writable, its header and rows are filled. Fills columns, id index, row orders, scores and
 * totals. False with the reason: no memory, or a sum that overflows. */
bool population_derive(struct population_header *h, const struct population_meta *meta, char *why, size_t why_size);

/* The parts of it in population_totals.c: columns, orders and scores must be there. False with the reason: a sum
 * that overflows; a row in an archetype there is not; no memory. */
bool population_derive_totals(struct population_header *h, const struct population *view, char *why, size_t why_size);
bool population_derive_archetypes(struct population_header *h, const struct population *view, char *why,
                                  size_t why_size);

/* Reasons and next order of every row with a score, by the model given (NULL: none of them). */
void population_derive_predictions(struct population_header *h, const struct model_params *m);

/* A section of a file that is being written. */
static inline void *population_writable(struct population_header *h, unsigned id)
{
    return (char *)h + h->sections[id].offset;
}

#endif
