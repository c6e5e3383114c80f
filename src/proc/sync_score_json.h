/*
 * sync_score_json: a fit in the words of model_runs.params, metrics and fits.
 */
#ifndef PROC_SYNC_SCORE_JSON_H
#define PROC_SYNC_SCORE_JSON_H

#include "base/buf.h"
#include "model/params.h"
#include "model/train.h"

/* Each appends one JSON object or array; not finite numbers are null. */
void sync_score_json_params(struct buf *out, const struct model_params *m);
/* auc, brier, ece, bias_pct and what they are of; null where there was too little history. */
void sync_score_json_metrics(struct buf *out, const struct model_params *m);
/* [{"step": "…", "evaluations": 31, "ms": 1.9}, …] */
void sync_score_json_fits(struct buf *out, const struct train_report *report);

#endif
