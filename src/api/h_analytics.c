/*
 * h_analytics: the whole population: churn, growth, revenue, cohorts (CONTRACT 12 and 14.2).
 */
#include "api/handler.h"
#include "api/present_forecast.h"
#include "api/present_population.h"
#include "api/request.h"

void h_churn_aggregate(struct api_request *q)
{
    struct json_writer w;

    if (!handler_has_model(q))
        return;
    request_json_begin(q, &w);
    present_churn_aggregate(&w, q->data);
    request_json_end(q, 200);
}

void h_growth(struct api_request *q)
{
    struct json_writer w;
    int months;

    if (!handler_months(q, &months) || !handler_has_model(q))
        return;
    request_json_begin(q, &w);
    present_growth_projection(&w, q->data, months);
    request_json_end(q, 200);
}

void h_revenue(struct api_request *q)
{
    struct json_writer w;
    int months;

    if (!handler_months(q, &months) || !handler_has_model(q))
        return;
    request_json_begin(q, &w);
    present_revenue_forecast(&w, q->data, months);
    request_json_end(q, 200);
}

void h_cohorts(struct api_request *q)
{
    struct json_writer w;
    int months;

    if (!handler_months(q, &months) || !handler_has_model(q))
        return;
    request_json_begin(q, &w);
    present_cohorts(&w, q->data, months);
    request_json_end(q, 200);
}
