/*
 * forecast: net sales and active customers of the whole base, month by month (CONTRACT 11.3, 12.2, 12.3, MODELS 3).
 *
 * Scoring adds every customer to a struct forecast_sums (and his path.active to
 * that of his archetype), at FORECAST_NODES months; forecast_outlook spreads them
 * over all months. Answers are pure functions of that outlook and the parameters.
 * Month m covers 30.4375 days, arrays hold it at [m - 1].
 */
#ifndef MODEL_FORECAST_H
#define MODEL_FORECAST_H

#include <stdbool.h>
#include <stdint.h>

#include "model/params.h"

#define FORECAST_MONTHS        60
#define FORECAST_NODES         20
#define FORECAST_MONTHLY_NODES 12 /* the first ones, a month apart */

extern const int forecast_node_months[FORECAST_NODES]; /* 1 … 12, then wider apart, to FORECAST_MONTHS */

/* One customer at the nodes. */
struct forecast_path {
    double orders[FORECAST_NODES]; /* expected, from now to the node */
    double active[FORECAST_NODES]; /* P(active customer at the node) */
};

/* Sums over present customers at the nodes; start from zeros. */
struct forecast_sums {
    double active_now;
    double orders[FORECAST_NODES], revenue[FORECAST_NODES],
        revenue_variance[FORECAST_NODES];                           /* from now to the node */
    double active[FORECAST_NODES], active_variance[FORECAST_NODES]; /* at the node */
};

/* What is expected of one month ahead, before season and back-test correction. Money in currency units. */
struct forecast_month {
    double orders, revenue;  /* of present customers, in the month */
    double revenue_variance; /* of that revenue, customers taken as independent */
    double active;           /* present customers that are active at the end of the month */
    double active_variance;
    double new_customers;           /* with their first order in the month */
    double new_orders, new_revenue; /* in the month, of all who are new since the as-of day, first orders included */
    double new_active;              /* of all those: active at the end of the month */
};

/* days_since: from the last order (of any kind) to the as-of day. */
void forecast_path_of(const struct model_params *m, const struct mbg_history *h, int32_t days_since,
                      struct forecast_path *path);
/* order_value: expected net sales of one order; active: an active customer now. */
void forecast_add(struct forecast_sums *s, const struct forecast_path *path, double order_value, bool active);
/* The sums spread over all months, and the new customers the trend promises. */
void forecast_outlook(const struct model_params *m, const struct forecast_sums *s,
                      struct forecast_month out[FORECAST_MONTHS]);
/* For a group (an archetype): the sum of its members' path.active, spread over all months; now: its active members.
 */
void forecast_spread(const double nodes[FORECAST_NODES], double now, double months[FORECAST_MONTHS]);

struct forecast_interval {
    double low, high; /* 10 and 90 % points, low >= 0 */
};

struct forecast_revenue_month {
    double existing, new_customers, revenue; /* net sales: season and correction applied; revenue: of both */
    double season;                           /* factor of the month */
    double orders;                           /* expected, of both */
    struct forecast_interval interval;       /* of revenue */
};
struct forecast_revenue {
    double revenue; /* of all months */
    struct forecast_interval interval;
    struct forecast_revenue_month month[FORECAST_MONTHS];
};
/* months: 1 … FORECAST_MONTHS; as_of_day: of the scoring. */
void forecast_revenue(const struct model_params *m, const struct forecast_month *outlook, int32_t as_of_day,
                      int months, struct forecast_revenue *out);

struct forecast_growth_month {
    double active;   /* at its end */
    double acquired; /* new in it, and where more return than leave, the surplus of those who return */
    double churned;  /* turned inactive in it, less those who return; >= 0 */
};
struct forecast_growth {
    double acquired, churned;          /* over all months: month[last].active = active now + acquired - churned */
    double monthly_churn_rate;         /* mean of churned / active at the month's start, fraction */
    struct forecast_interval interval; /* of the active customers at the end */
    struct forecast_growth_month month[FORECAST_MONTHS];
};
/* The future of a group, or (share_of_new = 1, staying = outlook's active) of the whole base. staying: its active
 * members that are so at the end of month 1, 2, …; share_of_new: of all new customers, those that start in it. */
void forecast_growth(const struct model_params *m, const struct forecast_month *outlook, double active_now,
                     const double *staying, double share_of_new, int months, struct forecast_growth *out);

/* Month `month` ahead (1, 2, …) as the contract names it: the as-of day's calendar month plus `month`. */
void forecast_period(int32_t as_of_day, int month, int *year, int *calendar_month);

#endif
