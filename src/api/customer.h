/*
 * customer: the customer that a path's {id} names.
 */
#ifndef API_CUSTOMER_H
#define API_CUSTOMER_H

#include "base/str.h"
#include "data/population.h"

struct api_request;

/* By an id as answers print them; NULL: there is none. */
const struct population_row *customer_find(const struct population *p, struct str id);

/* The row of the first path parameter; NULL: there is none, and 404 (503: there is nobody) was answered. The data set
 * must be there. */
const struct population_row *customer_of(struct api_request *q);

#endif
