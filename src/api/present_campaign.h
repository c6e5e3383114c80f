/*
 * present_campaign: whom a campaign is for, as JSON (CONTRACT 13). Pure functions of data set and arguments.
 */
#ifndef API_PRESENT_CAMPAIGN_H
#define API_PRESENT_CAMPAIGN_H

#include "api/dataset.h"
#include "base/arena.h"
#include "core/json.h"
#include "model/campaign.h"

struct campaign_request {
    enum campaign_type type;
    size_t target_size;
    double min_ltv; /* money */
};

/* False: no memory. */
bool present_campaign(struct json_writer *w, const struct dataset *d, const struct campaign_request *r,
                      struct arena *a);
/* The archetypes for a goal, a bare array by member count. False: no memory. */
bool present_campaign_goal(struct json_writer *w, const struct dataset *d, enum campaign_goal goal,
                           size_t max_segments, struct arena *a);

#endif
