/*
 * cached: the way of a read that costs a query: from the cache, or worked out once and kept.
 */
#ifndef API_CACHED_H
#define API_CACHED_H

#include "api/request.h"
#include "core/metrics.h"

/*
 * Answers 200 from the cache, or calls `work_out`, which answers as every handler does. A 200 in JSON it gives is
 * kept for the same path and query of the same data version, and given to those who asked meanwhile. Call it last in
 * a handler, once parameters are checked and the request is known to be about something that exists.
 */
void cached_answer(struct api_request *q, enum metric_cache_type type, void (*work_out)(struct api_request *q));
/* Of a request handed the lead: has it waited for others as long as DB_POOL_TIMEOUT allows? Then it is refused as
 * busy: were each who waits to try in turn, a hanging database would hold the last one for all of them together. */
#define CACHED_BUSY         "This takes too long at the moment, please try again"
#define CACHED_BUSY_RETRY_S 1
bool cached_waited_out(const struct api_request *q);
/* request's part: what is to be kept, and the end of a request. */
void cached_keep(struct api_request *q, struct str body);
void cached_end(struct api_request *q);

#endif
