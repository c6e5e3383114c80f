/*
 * h_archetypes: archetypes (CONTRACT 11).
 */
#include "api/errors.h"
#include "api/handler.h"
#include "api/present_archetype.h"
#include "api/request.h"

#define DEFAULT_LIMIT 10
#define MAX_LIMIT     1000
#define MAX_TOP_N     100

void h_archetype(struct api_request *q)
{
    const struct population_archetype *a = present_archetype_find(q->data->population, q->params[0]);
    struct json_writer w;

    if (a == NULL) {
        error_not_found(q, "archetype", q->params[0]);
        return;
    }
    request_json_begin(q, &w);
    present_archetype(&w, q->data, a);
    request_json_end(q, 200);
}

void h_archetypes_top(struct api_request *q)
{
    struct json_writer w;
    struct params p;

    handler_params_init(q, &p);
    int64_t limit = params_query_int(&p, "limit", 1, MAX_LIMIT, DEFAULT_LIMIT);
    struct str word = params_query_text(&p, "metric");
    if (!handler_params_good(q, &p))
        return;
    int metric = handler_word(q, word, "metric", "metric", archetype_metric_words);
    if (metric < 0)
        return;
    request_json_begin(q, &w);
    if (present_archetypes_top(&w, q->data, (enum archetype_metric)metric, (size_t)limit, &q->http->arena))
        request_json_end(q, 200);
    else
        error_no_memory(q);
}

void h_archetypes_growth(struct api_request *q)
{
    struct json_writer w;
    struct params p;

    handler_params_init(q, &p);
    int64_t months = params_query_int(&p, "months", 1, POPULATION_MONTHS_AHEAD, HANDLER_DEFAULT_MONTHS);
    int64_t top_n = params_query_int(&p, "top_n", 1, MAX_TOP_N, DEFAULT_LIMIT);
    if (!handler_params_good(q, &p) || !handler_has_model(q))
        return;
    request_json_begin(q, &w);
    if (present_archetypes_growth(&w, q->data, (int)months, (size_t)top_n, &q->http->arena))
        request_json_end(q, 200);
    else
        error_no_memory(q);
}
