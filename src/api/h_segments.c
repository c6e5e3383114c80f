/*
 * h_segments: axes, segments and the configuration they come from (CONTRACT 15).
 */
#include "api/customer.h"
#include "api/present_segment.h"
#include "api/request.h"

void h_axes(struct api_request *q)
{
    struct json_writer w;

    request_json_begin(q, &w);
    present_axes(&w);
    request_json_end(q, 200);
}

void h_segment_stats(struct api_request *q)
{
    struct json_writer w;

    request_json_begin(q, &w);
    present_segment_stats(&w, q->data);
    request_json_end(q, 200);
}

void h_segment_customer(struct api_request *q)
{
    const struct population_row *row = customer_of(q);
    struct json_writer w;

    if (row == NULL)
        return;
    request_json_begin(q, &w);
    present_segment_customer(&w, q->data, row);
    request_json_end(q, 200);
}

void h_configuration(struct api_request *q)
{
    struct json_writer w;

    request_json_begin(q, &w);
    present_configuration(&w, q->data);
    request_json_end(q, 200);
}
