/*
 * h_customer: one customer (CONTRACT 9.1).
 */
#include "api/errors.h"
#include "api/present.h"
#include "api/request.h"
#include "base/rng.h"

/* The customer of an {id}: decimal digits as answers print them. */
static const struct population_row *find(const struct population *p, struct str id)
{
    uint64_t v;

    if (!str_to_u64(id, &v) || v > INT64_MAX || (id.len > 1 && id.p[0] == '0'))
        return NULL;
    return population_find(p, (int64_t)v);
}

static void answer(struct api_request *q, const struct population_row *row)
{
    buf_reset(&q->api->body);
    present_profile(&q->api->body, q->data, row, q->api->env.conf);
    request_json_end(q, 200);
}

void h_profile(struct api_request *q)
{
    const struct population_row *row = find(q->data->population, q->params[0]);

    if (row == NULL)
        error_not_found(q, "customer", q->params[0]);
    else
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
