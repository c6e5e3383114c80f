/*
 * customer: see the header.
 */
#include "api/customer.h"

#include "api/errors.h"
#include "api/request.h"

const struct population_row *customer_find(const struct population *p, struct str id)
{
    uint64_t v;

    if (!str_to_u64(id, &v) || v > INT64_MAX || (id.len > 1 && id.p[0] == '0'))
        return NULL;
    return population_find(p, (int64_t)v);
}

const struct population_row *customer_of(struct api_request *q)
{
    const struct population *p = q->data->population;
    const struct population_row *row = customer_find(p, q->params[0]);

    if (p->count == 0) {
        error_unavailable(q, "No customers loaded", ERROR_RETRY_NO_DATA_S);
        return NULL;
    }
    if (row == NULL)
        error_not_found(q, "customer", q->params[0]);
    return row;
}
