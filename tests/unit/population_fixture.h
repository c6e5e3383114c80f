/*
 * population_fixture: random populations in a temporary directory.
 */
#ifndef TESTS_POPULATION_FIXTURE_H
#define TESTS_POPULATION_FIXTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "data/population.h"
#include "data/population_write.h"

#define FIXTURE_AS_OF_DAY  20400
#define FIXTURE_ARCHETYPES 9

/* A directory under $TMPDIR or /tmp, in static memory; NULL: cannot be made. */
const char *fixture_dir_make(void);
void fixture_dir_remove(const char *dir); /* with the files in it */

struct population_meta fixture_meta(uint64_t data_version);

struct fixture_shape {
    size_t rows;
    unsigned spread; /* few values when small: many ties */
    bool scored;     /* most rows carry a score; all unscored otherwise */
    uint64_t seed;
};

/* Row i of a shape: always the same. */
struct population_row fixture_row(const struct fixture_shape *shape, size_t i);
uint64_t fixture_archetype_id(size_t i);
/* Writes such a population; false with the reason. */
bool fixture_write(const char *dir, const struct fixture_shape *shape, uint64_t data_version, char *why,
                   size_t why_size);

#endif
