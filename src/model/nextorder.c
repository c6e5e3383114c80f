/*
 * nextorder: see the header.
 */
#include "model/nextorder.h"

#include <math.h>

#include "model/calibrate.h"

#define YEAR_DAYS 365
#define DATED_MIN 0.00005 /* shown as 0.0 below */

double nextorder_churn(const struct model_params *m, const struct mbg_history *h, double days)
{
    return calibrate_churn(&m->mbg, h, calibrate_shift(&m->calibrator, &m->mbg, h), days);
}

double nextorder_p_alive(const struct model_params *m, const struct mbg_history *h)
{
    return fmax(mbg_p_alive(&m->mbg, h->x, (double)h->tx, (double)h->t), 1 - nextorder_churn(m, h, YEAR_DAYS));
}

/* The day in which a share q of those who order within the year has done so. */
static int32_t day_of(const struct model_params *m, const struct mbg_history *h, double shift, double q)
{
    double days = ceil(calibrate_order_quantile(&m->mbg, h, shift, q));

    return days >= YEAR_DAYS ? YEAR_DAYS : days > 1 ? (int32_t)days : 1;
}

int32_t nextorder_median_days(const struct model_params *m, const struct mbg_history *h)
{
    double shift = calibrate_shift(&m->calibrator, &m->mbg, h);
    double p365 = 1 - calibrate_churn(&m->mbg, h, shift, YEAR_DAYS);

    return p365 >= DATED_MIN ? day_of(m, h, shift, 0.5 * p365) : 0;
}

void nextorder_predict(const struct model_params *m, const struct mbg_history *h, struct nextorder *out)
{
    double shift = calibrate_shift(&m->calibrator, &m->mbg, h);

    *out = (struct nextorder){
        .p30 = 1 - calibrate_churn(&m->mbg, h, shift, 30),
        .p60 = 1 - calibrate_churn(&m->mbg, h, shift, 60),
        .p90 = 1 - calibrate_churn(&m->mbg, h, shift, 90),
        .p365 = 1 - calibrate_churn(&m->mbg, h, shift, YEAR_DAYS),
    };
    out->dated = out->p365 >= DATED_MIN;
    if (!out->dated)
        return;
    out->low_days = day_of(m, h, shift, 0.1 * out->p365);
    out->median_days = day_of(m, h, shift, 0.5 * out->p365);
    out->high_days = day_of(m, h, shift, 0.9 * out->p365);
}
