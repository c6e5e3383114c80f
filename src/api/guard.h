/*
 * guard: everything a request must pass before its handler runs, in the contract's order (CONTRACT 2).
 */
#ifndef API_GUARD_H
#define API_GUARD_H

#include <stdbool.h>

struct api_request;

/* Fills route, endpoint, methods and params from the head. */
void guard_find_route(struct api_request *q);
/* Preflight, 404, 405, 413, 401, 403, 415: what the head decides. False: answered. */
bool guard_head(struct api_request *q);
/* Body and percent-encodings. False: answered. */
bool guard_body(struct api_request *q);

#endif
