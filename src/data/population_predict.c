/*
 * population_predict: what the model says of a row and every profile shows, computed once a population.
 */
#include <math.h>

#include "data/population_derive.h"
#include "model/nextorder.h"

#define SHARE_UNIT 100 /* hundredths */

static int16_t to_hundredths(double v)
{
    return (int16_t)llrint(fmin(fmax(v * SHARE_UNIT, INT16_MIN), INT16_MAX));
}

static void predict(struct population_row *r, const struct population_header *h, const struct model_params *m)
{
    struct mbg_history history =
        mbg_history_of(r->purchase_days, r->purchase_first_day, r->purchase_last_day, h->as_of_day);
    double share[REASONS_SHARES];

    reasons_attribute(m, &history, share);
    for (unsigned i = 0; i < REASONS_SHARES; i++)
        r->reason_shares[i] = to_hundredths(share[i]);
    r->next_order_days = (int16_t)nextorder_median_days(m, &history);
}

void population_derive_predictions(struct population_header *h, const struct model_params *m)
{
    struct population_row *rows = population_writable(h, POPULATION_SECTION_ROWS);

    for (uint64_t i = 0; i < h->rows; i++) {
        if (m && (rows[i].flags & POPULATION_SCORED)) {
            predict(&rows[i], h, m);
            continue;
        }
        for (unsigned k = 0; k < REASONS_SHARES; k++)
            rows[i].reason_shares[k] = 0;
        rows[i].next_order_days = 0;
    }
}
