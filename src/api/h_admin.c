/*
 * h_admin: how the server does: connections, cache, processes (CONTRACT 8.1, 8.2, 8.4). All from the scoreboard.
 */
#include "config.h"

#include "api/health.h"
#include "api/request.h"
#include "api/tally.h"
#include "base/clock.h"
#include "core/metrics.h"

static void write_pool_settings(struct json_writer *w, const struct conf *conf)
{
    json_key(w, "configuration");
    json_object_begin(w);
    json_kv_int(w, "pool_size", conf->db_pool_size);
    json_kv_int(w, "max_overflow", conf->db_max_overflow);
    json_kv_int(w, "max_total", conf->db_pool_size + conf->db_max_overflow);
    json_kv_int(w, "timeout", conf->db_pool_timeout);
    json_kv_int(w, "recycle", conf->db_pool_recycle);
    json_kv_bool(w, "pre_ping", conf->db_pool_pre_ping);
    json_object_end(w);
}

void h_db_pool(struct api_request *q)
{
    const struct conf *conf = q->api->env.conf;
    const struct scoreboard *sb = q->api->env.sb;
    struct health_check database;
    struct tally_pool pool;
    struct json_writer w;

    tally_pool(&pool, conf, sb);
    health_check_read(&database, SB_DATABASE, conf, sb, clock_wall_us());
    request_json_begin(q, &w);
    json_object_begin(&w);
    json_kv_int(&w, "pool_size", conf->db_pool_size);
    json_kv_int(&w, "checked_out", pool.busy);
    json_kv_int(&w, "overflow", pool.overflow);
    json_kv_int(&w, "queue_size", pool.available);
    json_kv_int(&w, "total_connections", pool.open);
    write_pool_settings(&w, conf);
    json_kv_cstr(&w, "health", database.state == SB_HEALTH_UP ? "healthy" : "down");
    json_kv_cstr(&w, "health_error", sb_error_name(database.error));
    json_kv_fixed(&w, "utilization_percent", 100 * pool.utilization, 2);
    json_kv_int(&w, "waiting", pool.waiting);
    json_kv_int(&w, "timeouts_total", (int64_t)metrics_total(sb, METRIC_DB_POOL_TIMEOUTS, 0, 0, 0));
    json_object_end(&w);
    request_json_end(q, 200);
}

void h_cache_stats(struct api_request *q)
{
    const struct conf *conf = q->api->env.conf;
    const struct scoreboard *sb = q->api->env.sb;
    const struct dataset *d = q->api->data.current;
    struct health_check cache;
    struct tally_cache tally;
    struct json_writer w;
    bool enabled, connected;

    tally_cache(&tally, sb);
    health_check_read(&cache, SB_CACHE, conf, sb, clock_wall_us());
    enabled = cache.state != SB_HEALTH_NOT_CONFIGURED;
    connected = cache.state == SB_HEALTH_UP;
    request_json_begin(q, &w);
    json_object_begin(&w);
    json_kv_bool(&w, "enabled", enabled);
    json_kv_bool(&w, "connected", connected);
    json_kv_cstr(&w, "reason", enabled ? NULL : "Cache disabled or not connected");
    json_kv_cstr(&w, "error", connected ? NULL : sb_error_name(cache.error));
    json_kv_int(&w, "total_keys", connected ? tally.keys : 0);
    json_kv_int(&w, "hits", tally.hits);
    json_kv_int(&w, "misses", tally.misses);
    json_kv_fixed(&w, "hit_rate", tally.hit_rate, 4);
    json_kv_fixed(&w, "hit_rate_percent", 100 * tally.hit_rate, 2);
    json_kv_fixed(&w, "memory_used_mb", connected ? (double)tally.memory_bytes / 1048576 : 0, 2);
    json_kv_int(&w, "evictions", tally.evictions);
    json_kv_int(&w, "data_version", d != NULL ? (int64_t)d->population->header->data_version : 0);
    json_object_end(&w);
    request_json_end(q, 200);
}

static void write_reload(struct json_writer *w, const struct scoreboard *sb)
{
    int64_t at = atomic_load_explicit(&sb->reload_us, memory_order_relaxed);
    bool ok = atomic_load_explicit(&sb->reload_ok, memory_order_relaxed) != 0;
    char error[SB_TEXT];

    if (at == 0) {
        json_kv_null(w, "last_reload");
        return;
    }
    sb_text_get(&sb->reload_error, error);
    json_key(w, "last_reload");
    json_object_begin(w);
    json_kv_seconds(w, "at", at);
    json_kv_bool(w, "ok", ok);
    json_kv_cstr(w, "error", ok || error[0] == '\0' ? NULL : error);
    json_object_end(w);
}

static void write_master(struct json_writer *w, const struct scoreboard *sb, int64_t now_us)
{
    int64_t started_us = atomic_load_explicit(&sb->started_us, memory_order_relaxed);

    json_key(w, "master");
    json_object_begin(w);
    json_kv_int(w, "pid", atomic_load_explicit(&sb->master_pid, memory_order_relaxed));
    json_kv_cstr(w, "version", PACKAGE_VERSION);
    json_kv_int(w, "generation", atomic_load_explicit(&sb->generation, memory_order_relaxed));
    json_kv_seconds(w, "started_at", started_us);
    json_kv_int(w, "uptime_seconds", (now_us - started_us) / CLOCK_US_PER_S);
    write_reload(w, sb);
    json_object_end(w);
}

static void write_process(struct json_writer *w, const struct tally_process *p, int64_t now_us)
{
    json_object_begin(w);
    json_kv_int(w, "index", p->index);
    json_kv_cstr(w, "role", sb_role_name(p->role));
    json_kv_int(w, "pid", p->pid);
    json_kv_cstr(w, "state", p->state);
    json_kv_int(w, "generation", p->generation);
    json_kv_seconds(w, "started_at", p->started_us);
    json_kv_int(w, "uptime_seconds", (now_us - p->started_us) / CLOCK_US_PER_S);
    json_kv_int(w, "requests_total", p->requests);
    json_kv_int(w, "in_flight", p->in_flight);
    json_kv_int(w, "connections", p->connections);
    json_kv_int(w, "rss_bytes", p->rss_bytes);
    json_kv_int(w, "last_beat_ms", p->last_beat_ms);
    json_kv_int(w, "restarts", p->restarts);
    json_object_end(w);
}

static void write_processes(struct json_writer *w, const char *key, const struct tally *t, bool workers,
                            int64_t now_us)
{
    json_key(w, key);
    json_array_begin(w);
    for (unsigned i = 0; i < t->count; i++) {
        if ((t->processes[i].role == SB_ROLE_WORKER) == workers)
            write_process(w, &t->processes[i], now_us);
    }
    json_array_end(w);
}

static void write_totals(struct json_writer *w, const struct tally *t)
{
    struct tally_process sum = { 0 };
    int64_t workers = 0;

    for (unsigned i = 0; i < t->count; i++) {
        const struct tally_process *p = &t->processes[i];

        if (p->role != SB_ROLE_WORKER)
            continue;
        workers++;
        sum.requests += p->requests;
        sum.in_flight += p->in_flight;
        sum.connections += p->connections;
        sum.rss_bytes += p->rss_bytes;
        sum.restarts += p->restarts;
    }
    json_key(w, "totals");
    json_object_begin(w);
    json_kv_int(w, "workers", workers);
    json_kv_int(w, "ready", t->workers_ready);
    json_kv_int(w, "requests_total", sum.requests);
    json_kv_int(w, "in_flight", sum.in_flight);
    json_kv_int(w, "connections", sum.connections);
    json_kv_int(w, "rss_bytes", sum.rss_bytes);
    json_kv_int(w, "restarts", sum.restarts);
    json_object_end(w);
}

void h_workers(struct api_request *q)
{
    const struct scoreboard *sb = q->api->env.sb;
    int64_t now_us = clock_wall_us();
    struct json_writer w;
    struct tally t;

    tally_processes(&t, sb);
    request_json_begin(q, &w);
    json_object_begin(&w);
    write_master(&w, sb, now_us);
    write_processes(&w, "workers", &t, true, now_us);
    write_processes(&w, "helpers", &t, false, now_us);
    write_totals(&w, &t);
    json_object_end(&w);
    request_json_end(q, 200);
}
