/*
 * calibrate: churn that is calibrated (MODELS 2).
 *
 * A logistic blend of eight features, fitted by IRLS (L2 = 1 on the standardised
 * ones) on the previous window; features at its start, label = no order in the horizon:
 *   1, logit churn_MBG(H), ln(1+rec), ln(1+T), [x>0], ln(1+x), [x>0] ln(1+rec), [x>0] ln((rec+.5)/(gap+.5)),
 * rec = T - tx and gap = tx / x in weeks. Other horizons shift the model's logit
 * by what the blend adds at its own; as the shift is a constant of the
 * customer, churn falls with the horizon as it must, and quantiles stay in closed form.
 */
#ifndef MODEL_CALIBRATE_H
#define MODEL_CALIBRATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/params.h"

#define CALIBRATE_MIN_EVENTS 200 /* of either outcome */

/* Customers with one history and one outcome; history.count of them. */
struct calibrate_example {
    struct mbg_history history;
    uint32_t next_days; /* days to the next purchase, 1 … horizon; 0: none within the horizon */
};

/* Fits c on examples of a window, with the model p of that window; c->in_use is left 0 (the back-test decides). False
 * when there are too few events or the iteration finds no finite optimum. */
bool calibrate_fit(const struct calibrate_example *examples, size_t n, const struct mbg_params *p,
                   double horizon_days, struct calibrator *c);

/* What the calibrator adds to the model's churn, in log-odds; 0 while it is not in use. */
double calibrate_shift(const struct calibrator *c, const struct mbg_params *p, const struct mbg_history *h);
/* P(no order in (T, T + days]), given the shift. days may be INFINITY: P(never again). */
double calibrate_churn(const struct mbg_params *p, const struct mbg_history *h, double shift, double days);
/* Its log-odds, with the shift that the calibrator gives; cheap at the calibrator's own horizon. */
double calibrate_log_odds(const struct calibrator *c, const struct mbg_params *p, const struct mbg_history *h,
                          double days);
/* Days after T by which a share q of all such customers has ordered again; INFINITY when that never happens. */
double calibrate_order_quantile(const struct mbg_params *p, const struct mbg_history *h, double shift, double q);

#endif
