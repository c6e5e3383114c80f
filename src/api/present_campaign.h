/*
 * present_campaign: whom a campaign is for, as JSON (CONTRACT 13). Pure functions of data set and arguments.
 */
#ifndef API_PRESENT_CAMPAIGN_H
#define API_PRESENT_CAMPAIGN_H

#include "api/dataset.h"
#include "base/arena.h"
#include "core/json.h"
#include "data/select.h"
#include "model/campaign.h"

struct campaign_request {
    const struct campaign_rule *rule; /* whom it is for */
    size_t target_size;
    double min_ltv;                /* money */
    struct select_range_f64 churn; /* only those within */
    bool by_order;                 /* ranked by `order`, which is the score, not by the type's value */
    enum population_order order;
};

/* Its customers, best first: rows and score values. False: no memory. */
struct campaign_choice {
    struct select_result best;
    enum population_order order; /* of the score */
    double unit;                 /* score = unit x select_sort_value */
    int64_t ltv_cents;           /* of those chosen */
    double churn;                /* their mean */
};
bool campaign_choose(const struct population *p, const struct campaign_request *r, struct arena *a,
                     struct campaign_choice *c);
/* The array of them (CONTRACT 13.1), under "recommended_customers"; "total_ltv", "avg_ltv" and "avg_churn_risk". */
void present_campaign_customers(struct json_writer *w, const struct dataset *d, const struct campaign_choice *c);
void present_campaign_totals(struct json_writer *w, const struct campaign_choice *c);

/* False: no memory. */
bool present_campaign(struct json_writer *w, const struct dataset *d, const struct campaign_request *r,
                      struct arena *a);
/* The archetypes for a goal, a bare array by member count. False: no memory. */
bool present_campaign_goal(struct json_writer *w, const struct dataset *d, enum campaign_goal goal,
                           size_t max_segments, struct arena *a);

#endif
