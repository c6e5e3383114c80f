/*
 * h_customer: one customer (CONTRACT 9.1).
 */
#include "api/customer.h"
#include "api/errors.h"
#include "api/present.h"
#include "api/request.h"
#include "base/rng.h"

static void answer(struct api_request *q, const struct population_row *row)
{
    buf_reset(&q->api->body);
    present_profile(&q->api->body, q->data, row);
    request_json_end(q, 200);
}

void h_profile(struct api_request *q)
{
    const struct population_row *row = customer_of(q);

    if (row != NULL)
        answer(q, row);
}

void h_random(struct api_request *q)
{
    const struct population *p = q->data->population;

    if (p->count == 0)
        error_unavailable(q, "No customers loaded", ERROR_RETRY_NO_DATA_S);
    else
        answer(q, &p->rows[rng_below(p->count)]);
}
