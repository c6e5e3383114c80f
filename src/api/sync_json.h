/*
 * sync_json: sync runs in JSON (CONTRACT 8.3).
 */
#ifndef API_SYNC_JSON_H
#define API_SYNC_JSON_H

#include "core/json.h"
#include "core/scoreboard.h"

struct api_request;

/* The run object. */
void sync_json_run(struct json_writer *w, const struct sb_run *r);

/* Answers to POST /admin/sync-sales. `r` is what was asked for. */
void sync_json_started(struct api_request *q, const struct sb_mail_request *r, int64_t run_id);
void sync_json_already_running(struct api_request *q, int64_t run_id);
/* After wait=true: 200, 502, 503 or 504 by the outcome. */
void sync_json_finished(struct api_request *q, const struct sb_mail_request *r, const struct sb_run *run);

#endif
