/*
 * params: everything one fit knows, as one plain block of bytes.
 *
 * It is kept in model_runs and in the population file, and is all that scoring
 * needs besides a customer's facts. 8-byte fields only, so no padding; no
 * pointers; nothing that differs between two runs on the same data (how long a fit took is in struct train_report).
 * Money is in currency units, time in weeks or days as named.
 */
#ifndef MODEL_PARAMS_H
#define MODEL_PARAMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/axes_vocab.h"
#include "model/gammagamma.h"
#include "model/mbg.h"

#define MODEL_PARAMS_FORMAT   1
#define MODEL_VERSION_SIZE    24
#define MODEL_DAYS_PER_MONTH  30.4375 /* CONTRACT 1.1 */
#define MODEL_WEEKS_PER_MONTH (MODEL_DAYS_PER_MONTH / 7)
#define MODEL_GATE_CUSTOMERS  100 /* below any of these: insufficient data (MODELS 6) */
#define MODEL_GATE_REPEATERS  30
#define MODEL_GATE_DAYS       120
#define CALIBRATOR_FEATURES   8

enum model_status {
    MODEL_OK,
    MODEL_INSUFFICIENT_DATA /* the numbers come from the priors */
};

/* Churn as a logistic blend of the model and recency features, see calibrate.h. */
struct calibrator {
    int64_t in_use;                                               /* 0: fitted or not, the plain model answers */
    double horizon_days;                                          /* of the labels it was fitted on */
    double customers, events;                                     /* of the fit; events: customers without an order */
    double coefficient[CALIBRATOR_FEATURES];                      /* on standardised features; [0]: intercept */
    double mean[CALIBRATOR_FEATURES], scale[CALIBRATOR_FEATURES]; /* [0]: 0 and 1 */
};

/* Quality of a churn prediction on a window that has passed. */
struct model_quality {
    double auc, brier, ece; /* ece: mean |predicted - observed| over ten bins of the prediction */
};

/* The last back-test. Labels: an order in the horizon_days after window_day. */
struct model_backtest {
    int64_t available;  /* 0: too little history, the rest is 0 */
    int64_t window_day; /* as-of day of its predictions */
    double customers, events, base_rate;
    double brier_base;                 /* of the constant base_rate */
    struct model_quality blend, plain; /* of the calibrated churn, and of MBG alone */
    double returners,
        coverage; /* customers with an order in the window; share of them inside the 80 % interval of the date */
    /* 13 weeks of net sales, and the active customers at their end */
    int64_t forecast_available;
    int64_t forecast_days; /* 91 */
    double revenue_actual, revenue_predicted;
    double
        revenue_factor; /* (actual / predicted)^0.5 within .7 … 1.3: correction of forecasts; 1 without a back-test */
    double active_actual, active_predicted;
};

/* Weekly new customers: damped linear trend (Gardner & McKenzie 1985). */
struct model_acquisition {
    double level, trend,
        damping;             /* customers a week at the as-of day, season removed; change a week; 0 < damping < 1 */
    double weekly_deviation; /* of the one-step errors */
    double monthly_mean;     /* customers a month, over the last 12 months or as many as there are */
};

struct model_params {
    int64_t format;                   /* MODEL_PARAMS_FORMAT */
    char version[MODEL_VERSION_SIZE]; /* "mbg1-20251103", NUL-filled */
    int64_t status;                   /* enum model_status */
    int64_t as_of_day;                /* for which it was fitted */
    int64_t prior;                    /* 1: MAP */
    double horizon_days;              /* CHURN_HORIZON_DAYS */
    double active_window_days;

    int64_t customers, repeaters, history_days; /* the gates: x > 0; first order to as-of day */

    struct mbg_params mbg;
    double mbg_log_likelihood;
    int64_t mbg_converged, dropout_identified;
    struct mbg_params bg; /* BG/NBD, for comparison */
    double bg_log_likelihood;

    struct gammagamma_params spend;
    double spend_log_likelihood, spend_customers;
    int64_t spend_converged;
    double spend_correlation; /* of number and value; above 0.2 deserves a warning */
    double net_factor;        /* net sales / spend of the purchase days: what later refunds take away */
    double first_value;       /* mean net sales of a customer's first purchase day */
    double second_gap_days;   /* median days from the first to the second purchase day; 0 without repeaters */

    /* The average customer, against whom reasons are told: exp(mean ln(1 + .)) - 1 of x, weeks since the last
     * purchase, weeks since the first. */
    double reference_x, reference_recency, reference_t;

    struct calibrator calibrator;
    struct model_backtest backtest;

    int64_t anchors_day; /* for which the anchors were estimated; they stay until a refit is due */
    double anchors[AXIS_COUNT][AXES_MAX_WORDS];      /* by word; NaN-free: 0 for gate words and past the end */
    double anchor_share[AXIS_COUNT][AXES_MAX_WORDS]; /* dominant words when they were estimated, for the PSI */

    int64_t season_years; /* complete years behind the factors; 0: none, all factors are 1 */
    double season[12];    /* factor of January … December, mean 1 */
    struct model_acquisition acquisition;
    double forecast_error; /* relative standard error of a month's forecast net sales, one month ahead */
    double growth_error;   /* of the stock of active customers */
};
_Static_assert(sizeof(struct model_params) % 8 == 0, "8-byte fields only");

/* The answers of the priors for as_of_day: mean_t_weeks and mean_value may be 0 (unknown). Status insufficient data.
 */
void params_priors(struct model_params *m, int32_t as_of_day, double horizon_days, double mean_t_weeks,
                   double mean_value);
/* "mbg1-YYYYMMDD", from the second fit of the day on with ".2" … behind. */
void params_version(char version[MODEL_VERSION_SIZE], int32_t as_of_day, unsigned fit);
/* Of the churn in use, in the last back-test; NULL: there was too little history for one. */
const struct model_quality *params_quality(const struct model_params *m);
const char *params_status_name(int64_t status); /* "ok", "insufficient_data" */
/* Copies stored bytes (at least sizeof(*m); what follows is not looked at) into m. False, m untouched, when they are
 * no parameters of this format: wrong length or format, a number that is not finite or outside its domain. */
bool params_load(struct model_params *m, const void *bytes, size_t n);

#endif
