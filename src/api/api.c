/*
 * api: the application of one worker: what is made at its start, and what happens at every tick.
 */
#include "config.h"

#include "api/api.h"

#include <stdlib.h>

#include "api/claude.h"
#include "api/cursor.h"
#include "api/etag.h"
#include "api/mcp_param.h"
#include "api/nl_memory.h"
#include "api/put_axes.h"
#include "api/request.h"
#include "api/sync_wait.h"
#include "api/tools.h"
#include "base/clock.h"

#define HEAD_MAX_BYTES      (64 * 1024)
#define CONSTANTS_MAX_BYTES (64 * 1024)

static bool init_constants(struct api *a)
{
    const struct conf *conf = a->env.conf;
    struct str bad;

    arena_init(&a->constants, CONSTANTS_MAX_BYTES);
    a->etag_seed = etag_seed(conf->settings_hash, PACKAGE_VERSION);
    cursor_key(a->cursor_key, conf->admin_key);
    a->mcp_headers = mcp_param_header_names(&a->constants);
    return a->mcp_headers.len > 0 && headers_init(&a->headers, &a->constants, conf->http_max_age) &&
           cors_init(&a->cors, &a->constants, conf->allowed_origins) &&
           cidr_list_parse(&a->trusted_proxies, conf->trusted_proxies, &bad) && limits_init(&a->limits, conf);
}

/* For the probe: what is served here. */
static void show_data(const struct api *a)
{
    const struct dataset *d = a->data.current;

    if (d == NULL || a->env.slot == NULL)
        return;
    atomic_store_explicit(&a->env.slot->data_version, d->population->header->data_version, memory_order_relaxed);
    atomic_store_explicit(&a->env.slot->synced_us, d->synced_us, memory_order_relaxed);
}

struct api *api_new(const struct api_env *env)
{
    struct api *a = calloc(1, sizeof(*a));
    unsigned labels;

    if (a == NULL)
        return NULL;
    api_route_names(&labels);
    put_axes_init();
    tools_init();
    a->env = *env;
    a->http = request_http_app;
    a->http.arg = a;
    buf_init(&a->head, HEAD_MAX_BYTES);
    buf_init(&a->body, (size_t)env->conf->max_request_memory_bytes);
    buf_init(&a->scratch, (size_t)env->conf->max_request_memory_bytes);
    buf_init(&a->result, (size_t)env->conf->max_request_memory_bytes);
    a->router = router_new(routes, routes_count, sizeof(routes[0]));
    a->claude = claude_new(env->conf, env->sb, env->slot, env->loop);
    a->nl_memory = nl_memory_new(env->conf->enable_cache ? env->conf->cache_ttl : 0);
    a->gzip = gzip_new((size_t)env->conf->max_request_memory_bytes);
    if (a->gzip == NULL || a->router == NULL || a->claude == NULL || a->nl_memory == NULL || !init_constants(a) ||
        !keys_init(a)) {
        api_free(a);
        return NULL;
    }
    dataset_slot_init(&a->data, env->conf, env->sb);
    show_data(a);
    return a;
}

void api_free(struct api *a)
{
    if (a == NULL)
        return;
    sync_wait_free_all(a);
    keys_free(a);
    dataset_slot_close(&a->data);
    if (a->router != NULL)
        router_free(a->router);
    claude_free(a->claude);
    nl_memory_free(a->nl_memory);
    gzip_free(a->gzip);
    buf_free(&a->head);
    buf_free(&a->body);
    buf_free(&a->scratch);
    buf_free(&a->result);
    arena_free(&a->constants);
    free(a);
}

const struct http_app *api_http_app(struct api *a)
{
    return &a->http;
}

uint64_t api_turn_ns(const struct api *a)
{
    return a->env.loop != NULL ? clock_mono_ns() - loop_now_ns(a->env.loop) : 0;
}

/* Deferred: the next turn does not wait for an event, so the next tick comes after those that are there. */
static void next_turn(void *arg)
{
    (void)arg;
}

void api_tick(struct api *a)
{
    shed_turn_ended(&a->shed, api_turn_ns(a));
    dataset_slot_tick(&a->data, a->env.conf, a->env.sb);
    if (dataset_slot_checking(&a->data) && a->env.loop != NULL)
        (void)loop_defer(a->env.loop, next_turn, NULL);
    show_data(a);
    sync_wait_tick(a);
    keys_tick(a);
}

void api_drain(struct api *a)
{
    a->draining = true;
    keys_flush(a);
    sync_wait_tick(a);
}
