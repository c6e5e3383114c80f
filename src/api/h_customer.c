/*
 * h_customer: one customer, and what is predicted of him (CONTRACT 9.1–9.4).
 */
#include "api/customer.h"
#include "api/errors.h"
#include "api/handler.h"
#include "api/present.h"
#include "api/present_prediction.h"
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

/* A customer with a score; NULL: the request has been answered. */
static const struct population_row *scored_customer(struct api_request *q)
{
    const struct population_row *row = customer_of(q);

    return row != NULL && handler_has_score(q, row) ? row : NULL;
}

void h_churn_risk(struct api_request *q)
{
    const struct population_row *row = scored_customer(q);
    struct json_writer w;

    if (row == NULL)
        return;
    request_json_begin(q, &w);
    present_churn_risk(&w, q->data, row);
    request_json_end(q, 200);
}

void h_next_purchase(struct api_request *q)
{
    const struct population_row *row = scored_customer(q);
    struct json_writer w;

    if (row == NULL)
        return;
    request_json_begin(q, &w);
    present_next_purchase(&w, q->data, row);
    request_json_end(q, 200);
}

void h_ltv_forecast(struct api_request *q)
{
    const struct population_row *row;
    struct json_writer w;
    int months;

    if (!handler_months(q, &months))
        return;
    row = scored_customer(q);
    if (row == NULL)
        return;
    request_json_begin(q, &w);
    present_ltv_forecast(&w, q->data, row, months);
    request_json_end(q, 200);
}
