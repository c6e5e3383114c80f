/*
 * model_fixture: customers who behave exactly as the models say, drawn from known parameters. The same on every
 * machine.
 */
#ifndef TESTS_MODEL_FIXTURE_H
#define TESTS_MODEL_FIXTURE_H

#include <stddef.h>
#include <stdint.h>

#include "model/facts.h"
#include "model/gammagamma.h"
#include "model/mbg.h"

#define MODEL_FIXTURE_AS_OF 20400
#define MODEL_FIXTURE_DAYS  1024 /* days of a customer at most */

struct model_shop {
    struct mbg_params mbg;
    struct gammagamma_params spend;
    double least_weeks, most_weeks; /* customers came so long before the as-of day, evenly */
    double future_weeks;            /* their days go on so long behind it */
};

void model_fixture_seed(uint64_t seed);
double model_fixture_uniform(void); /* in (0, 1) */
double model_fixture_gamma(double shape);
/* A history in continuous time. */
struct mbg_history model_fixture_history(const struct model_shop *shop);
/* The purchase days of a customer, ascending, same-day purchases merged; returns how many. */
size_t model_fixture_days(const struct model_shop *shop, struct facts_day days[MODEL_FIXTURE_DAYS]);

#endif
