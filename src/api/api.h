/*
 * api: the application behind net/http, one a worker. The worker makes it, hands its http_app to the server, ticks
 * it.
 */
#ifndef API_API_H
#define API_API_H

#include "core/conf.h"
#include "core/scoreboard.h"
#include "data/cache.h"
#include "data/population.h"
#include "net/http.h"
#include "net/loop.h"
#include "net/pgpool.h"

struct api_env {
    const struct conf *conf;
    struct scoreboard *sb;
    struct sb_slot *slot;
    struct loop *loop;
    struct pgpool *pool;
    struct cache *cache;
};

struct api;

/* NULL: no memory. Maps the newest population if there is one. Everything in env must outlive it. */
struct api *api_new(const struct api_env *env);
void api_free(struct api *a);
const struct http_app *api_http_app(struct api *a);
/* Called by the worker every 250 ms and after a turn with events: takes a newly published population, answers waiting
 * syncs, keeps the API keys in step. */
void api_tick(struct api *a);
/*
 * The worker drains: callers waiting for the end of a sync are answered now. (That the whole server is
 * draining, health learns from the scoreboard: a worker replaced by another is nobody's outage.)
 */
void api_drain(struct api *a);
/* Names of the routes for metrics_init: "endpoint" values in the order of the route table; count includes the last,
 * "unmatched". */
const char *const *api_route_names(unsigned *count);

#endif
