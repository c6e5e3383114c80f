/*
 * tools_plain: the tools that answer what a route of their own answers (CONTRACT 16, the first six).
 */
#include "api/present.h"
#include "api/present_archetype.h"
#include "api/present_campaign.h"
#include "api/present_prediction.h"
#include "api/present_segment.h"
#include "api/request.h"
#include "api/search_request.h"
#include "api/tools.h"

void tool_profile(struct tool_call *c)
{
    const struct population_row *row = tool_customer(c);

    if (row == NULL)
        return;
    present_profile(c->w.out, c->q->data, row);
    tool_end(c);
}

void tool_search(struct tool_call *c)
{
    const struct population *p = c->q->data->population;
    struct search_request s;
    struct select_result r;

    search_request_arguments(&s, &c->faults, c->arguments, c->where, p, (size_t)tool_int(c, "limit"));
    if (c->faults.count > 0) {
        tool_fail_fault(c);
        return;
    }
    if (!select_run(p, &s.query, &c->q->http->arena, &r)) {
        tool_fail_memory(c);
        return;
    }
    present_items(&c->w, c->q->data, r.rows, r.count);
    tool_end(c);
}

void tool_archetype(struct tool_call *c)
{
    struct str id = tool_text(c, "archetype_id");
    const struct population_archetype *a = present_archetype_find(c->q->data->population, id);

    if (a == NULL) {
        tool_fail_missing(c, "archetype", id);
        return;
    }
    present_archetype(&c->w, c->q->data, a);
    tool_end(c);
}

void tool_segment_trend(struct tool_call *c)
{
    struct str name = tool_text(c, "segment_name");
    int axis = axes_vocab_find(tool_text(c, "axis_name"));
    int word = axes_vocab_find_word((unsigned)axis, name);

    if (word < 0) {
        params_fault(&c->faults, PARAMS_INVALID_VALUE, c->where, STR_LIT("segment_name"),
                     "is not a segment of the axis %s", axes_vocab[axis].name);
        tool_fail_fault(c);
        return;
    }
    present_segment_trend(&c->w, c->q->data, (unsigned)axis, (unsigned)word);
    tool_end(c);
}

void tool_churn_risk(struct tool_call *c)
{
    const struct population_row *row = tool_customer(c);

    if (row == NULL || !tool_has_score(c, row))
        return;
    present_churn_risk(&c->w, c->q->data, row);
    tool_end(c);
}

void tool_campaign_segments(struct tool_call *c)
{
    enum campaign_goal goal = (enum campaign_goal)tool_word(c, "goal");
    size_t most = (size_t)tool_int(c, "max_segments");

    if (present_campaign_goal(&c->w, c->q->data, goal, most, &c->q->http->arena))
        tool_end(c);
    else
        tool_fail_memory(c);
}
