/*
 * sync_wait: callers of POST /admin/sync-sales between question and answer.
 *
 * The question goes through the scoreboard's mailbox, which holds one at a
 * time: a caller may wait for the box, then for the sync process to take its
 * request, then (wait=true) for the end of the run. All is polled from api_tick; nothing blocks.
 */
#ifndef API_SYNC_WAIT_H
#define API_SYNC_WAIT_H

#include <stdbool.h>

#include "core/scoreboard.h"

struct api;
struct api_request;

/* Takes over: the request will be answered. */
void sync_wait_start(struct api_request *q, const struct sb_mail_request *r, bool until_end);
void sync_wait_tick(struct api *a);
void sync_wait_free_all(struct api *a);

#endif
