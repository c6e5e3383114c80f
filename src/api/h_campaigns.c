/*
 * h_campaigns: whom to address (CONTRACT 13).
 */
#include "api/errors.h"
#include "api/handler.h"
#include "api/present_campaign.h"
#include "api/request.h"
#include "api/search_request.h"

#define DEFAULT_SIZE     100
#define MAX_SIZE         10000
#define DEFAULT_SEGMENTS 5
#define MAX_SEGMENTS     100

static const char *const *type_words(void)
{
    static const char *words[CAMPAIGN_TYPES + 1];

    for (unsigned i = 0; i < CAMPAIGN_TYPES; i++)
        words[i] = campaign_type_name(i);
    return words;
}

static const char *const *goal_words(void)
{
    static const char *words[CAMPAIGN_GOALS + 1];

    for (unsigned i = 0; i < CAMPAIGN_GOALS; i++)
        words[i] = campaign_goal_name(i);
    return words;
}

void h_campaign(struct api_request *q)
{
    struct json_writer w;
    struct params p;

    handler_params_init(q, &p);
    struct campaign_request r = {
        .target_size = (size_t)params_query_int(&p, "target_size", 1, MAX_SIZE, DEFAULT_SIZE),
        .min_ltv = params_query_number(&p, "min_ltv", 0, SEARCH_MAX_MONEY, 0),
    };
    struct str word = params_query_text(&p, "campaign_type");
    if (!handler_params_good(q, &p))
        return;
    int type = handler_word(q, word, "campaign type", "campaign_type", type_words());
    if (type < 0 || !handler_has_model(q))
        return;
    r.rule = campaign_rule((enum campaign_type)type);
    request_json_begin(q, &w);
    if (present_campaign(&w, q->data, &r, &q->http->arena))
        request_json_end(q, 200);
    else
        error_no_memory(q);
}

void h_campaign_goal(struct api_request *q)
{
    int goal = campaign_goal_parse(q->params[0]);
    struct json_writer w;
    struct params p;

    handler_params_init(q, &p);
    int64_t most = params_query_int(&p, "max_segments", 1, MAX_SEGMENTS, DEFAULT_SEGMENTS);
    if (!handler_params_good(q, &p))
        return;
    if (goal < 0) {
        error_not_listed(q, "goal", q->params[0], goal_words());
        return;
    }
    request_json_begin(q, &w);
    if (present_campaign_goal(&w, q->data, (enum campaign_goal)goal, (size_t)most, &q->http->arena))
        request_json_end(q, 200);
    else
        error_no_memory(q);
}
