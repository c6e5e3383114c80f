/*
 * redis: this worker's connection to Redis, for a cache that must never cost more than it saves.
 *
 * No call waits for a connection: while there is none, calls are refused at once. A call that is not answered
 * within REDIS_TIMEOUT_MS takes the connection and everything else in flight with it. After three such
 * losses in a row the circuit is open: only one trial a second is made, until one succeeds.
 * Calls and bytes in flight are bounded. Callbacks come from the loop, never from inside a call.
 */
#ifndef NET_REDIS_H
#define NET_REDIS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"
#include "net/loop.h"

struct redis;
struct redis_call;

#define REDIS_MAX_FLIGHT       1024
#define REDIS_MAX_FLIGHT_BYTES (16U << 20) /* of values on their way to Redis */

/* `value` is borrowed for the call; its p is NULL when there is none: no such key, or no answer in time. */
typedef void (*redis_value_fn)(struct str value, void *arg);

/* Connects by itself. NULL: no memory, or a URL that can't be read (refused with the settings before). */
struct redis *redis_new(struct loop *l, const char *url, uint64_t timeout_ms);
/* Calls in flight get no callback any more. Not from one of its callbacks. */
void redis_free(struct redis *r);
bool redis_up(const struct redis *r);

/* NULL: refused; go on without. */
struct redis_call *redis_get(struct redis *r, struct str key, redis_value_fn fn, void *arg);
/* The callback will not come any more. */
void redis_cancel(struct redis_call *call);
/* Sent and forgotten; dropped where it can't be sent now. */
void redis_set(struct redis *r, struct str key, struct str value, int64_t ttl_s);

#endif
