/*
 * answer: pieces that several answers share: provenance, periods, intervals, reasons, archetype objects.
 *
 * All write members into an open object, or one value.
 */
#ifndef API_ANSWER_H
#define API_ANSWER_H

#include <stdint.h>

#include "api/dataset.h"
#include "core/json.h"
#include "data/population.h"
#include "model/archetype.h"
#include "model/reasons.h"

/* "as_of" and "data_version". */
void answer_stamp(struct json_writer *w, const struct dataset *d);
/* "model_status", "model_version" and the stamp. */
void answer_provenance(struct json_writer *w, const struct dataset *d);
/* "month" and "period" of a month ahead (1, 2, …). */
void answer_month(struct json_writer *w, const struct population *p, int month);
void answer_days(struct json_writer *w, const char *key, int32_t low, int32_t high); /* {low, high}, dates or null */
void answer_amounts(struct json_writer *w, const char *key, double low, double high);
void answer_counts(struct json_writer *w, const char *key, double low, double high);
void answer_reasons(struct json_writer *w, const struct reason *reasons, unsigned count); /* "reasons" */
/* "backtest" of the forecasts of growth and of revenue; null without one. */
void answer_growth_backtest(struct json_writer *w, const struct model_params *m);
void answer_revenue_backtest(struct json_writer *w, const struct model_params *m);

/* Growth in percent as CONTRACT 1.1 has it: on a zero base 0, or 100 when the new value is above. */
double answer_growth_pct(double before, double after);
/* part / whole in percent; 0 of nothing. */
double answer_percent(double part, double whole);
/* a / b; 0 when b is 0. */
double answer_ratio(double a, double b);
/* Money to whole cents, half to even. */
int64_t answer_cents(double money);
/* Years from the first to the last order of the population. */
double answer_span_years(const struct population *p);

#endif
