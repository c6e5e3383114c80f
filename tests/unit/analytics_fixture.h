/*
 * analytics_fixture: a scored population of any size: made-up customers, scored by the model with parameters that are
 * fixed.
 */
#ifndef TESTS_ANALYTICS_FIXTURE_H
#define TESTS_ANALYTICS_FIXTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api_fixture.h"
#include "data/population.h"
#include "model/archetype.h"

#define ANALYTICS_AS_OF_DAY 20395 /* 2025-11-03 */

struct analytics_shape {
    size_t rows;
    uint64_t data_version;
    enum archetype_level level;
    bool insufficient; /* the model says so */
    int horizon_days;  /* of churn; 0: 90 */
};

/* Customer i's id: they rise with i. */
int64_t analytics_id(size_t i);
/* Writes it; aborts on a failure. */
void analytics_write(const char *dir, const struct analytics_shape *shape);

/* Starts the application over it; returns the population, mapped a second time. */
struct population *analytics_start(struct fixture *f, const char *settings, const struct analytics_shape *shape);
/* Ends both (p may be NULL); 0, as a teardown returns. */
int analytics_stop(struct fixture *f, struct population *p);

#endif
