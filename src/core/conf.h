/*
 * conf: the settings in force, read from a file, the environment, secret files and systemd credentials.
 *
 * A `struct conf` is read whole, checked whole, and then never changes: a
 * reload builds a new one. Each member is named as its setting in lower case;
 * core/options.c holds the one table of all settings.
 */
#ifndef CORE_CONF_H
#define CORE_CONF_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/str.h"

struct conf_rate {
    int64_t count, period_s, burst; /* count 0: the policy is off */
};

enum conf_archetype_level {
    CONF_ARCHETYPE_L1,
    CONF_ARCHETYPE_L2
};
enum conf_access_log {
    CONF_ACCESS_ALL,
    CONF_ACCESS_SLOW,
    CONF_ACCESS_OFF
};

/* Strings are never NULL; "" is "not set". Times in seconds unless the name ends in _ms. */
struct conf {
    struct arena arena;     /* owns the strings */
    const char *path;       /* file read, "" for none */
    uint64_t settings_hash; /* of all effective values: part of every ETag */

    const char *listen; /* address:port or [v6]:port, PORT already applied */
    const char *port;
    int64_t workers; /* 0 = as many as CPUs */
    int64_t max_connections;
    const char *state_dir, *run_dir;
    const char *environment;
    const char *admin_key;
    int64_t key_refresh;
    const char *allowed_origins, *trusted_proxies, *allow_list, *deny_list;
    struct conf_rate rate_limit_default, rate_limit_nl, rate_limit_query, rate_limit_sync, rate_limit_anonymous,
        rate_limit_auth_failure;
    int64_t max_body_bytes, max_header_bytes, max_request_memory_bytes;
    int64_t header_timeout, body_timeout, idle_timeout, request_timeout, drain_timeout;
    int64_t worker_max_rss_mb, worker_max_requests;
    int64_t worker_hang_suspect, worker_hang_abort, worker_hang_kill, generation_timeout;
    bool http_gzip;
    int64_t http_max_age;
    const char *database_url;
    int64_t db_pool_size, db_max_overflow, db_pool_timeout, db_pool_recycle;
    bool db_pool_pre_ping;
    int64_t db_connect_timeout, db_statement_timeout, slow_query_ms;
    const char *redis_url;
    bool enable_cache;
    int64_t cache_ttl, redis_timeout_ms;
    const char *azure_sql_server;
    int64_t azure_sql_port;
    const char *azure_sql_database, *azure_sql_username, *azure_sql_password, *azure_sql_view, *azure_sql_ca_file;
    int64_t source_check_interval;
    const char *sync_source; /* "sqlserver" or "csv:PATH" */
    int64_t sync_max_bad_rows;
    const char *as_of_date; /* "" = today */
    bool enable_sales_sync;
    int64_t sales_sync_hour;
    bool sync_on_startup;
    int64_t sync_overlap_days, sync_batch_rows, sync_timeout, sync_full_timeout, sync_stall_timeout,
        stale_after_hours;
    int64_t churn_horizon_days, active_window_days, clv_months;
    double clv_discount_annual, clv_margin;
    enum conf_archetype_level archetype_level;
    bool model_prior;
    double b2b_min_ltv;
    int64_t b2b_min_orders;
    const char *store_id;
    const char *anthropic_api_key, *anthropic_model, *anthropic_effort, *anthropic_base_url;
    int64_t nl_timeout_ms, nl_concurrency;
    bool enable_prometheus_metrics, metrics_public, enable_status_page;
    enum conf_access_log access_log;
    int64_t slow_request_ms;
    int64_t retention_days;
    const char *log_level;
    bool json_logs;
    const char *alert_webhook_url;
};

/*
 * Reads FILE (NULL: none), then the environment, then NAME_FILE and systemd
 * credentials ($CREDENTIALS_DIRECTORY/NAME) for the secrets. Every problem
 * found is appended to `problems`, one line each, naming the setting (and the
 * file's line) and the remedy; warnings (ignored old names) go to `warnings`.
 * Returns NULL when there was a problem. The caller owns the result.
 */
struct conf *conf_load(const char *path, struct buf *problems, struct buf *warnings);
/*
 * The same, but answers the settings as far as they could be read (the others at
 * their defaults) even when there are problems: for patronctl, which needs little more than RUN_DIR and may lack the
 * server's secrets. NULL: no memory.
 */
struct conf *conf_load_lenient(const char *path, struct buf *problems, struct buf *warnings);
void conf_free(struct conf *c);

/* One "NAME = value" line a setting, in the table's order; secrets as "***", DATABASE_URL and REDIS_URL with the
 * password masked. */
void conf_print(const struct conf *c, struct buf *out);
/*
 * All settings with their secrets, each "NAME=value" and a NUL, and back: how a server takes its settings with it
 * when it executes another image and may have to come back, whatever the file says by then. Unknown names are
 * skipped, missing ones have their defaults; nothing is checked. NULL: no memory.
 */
void conf_pack(const struct conf *c, struct buf *out);
struct conf *conf_unpack(struct str packed, const char *path);
/* Names (comma separated) of the settings that differ: those a reload changes, and those only a restart can change.
 */
void conf_diff(const struct conf *old, const struct conf *fresh, struct buf *changed, struct buf *locked);

/* Worker processes to run: WORKERS, or the CPUs of this process's affinity and cgroup quota, 1..CONF_MAX_WORKERS. */
#define CONF_MAX_WORKERS 64
unsigned conf_worker_count(const struct conf *c);
/* AS_OF_DATE, or today (UTC). */
int32_t conf_as_of_day(const struct conf *c);
bool conf_source_configured(const struct conf *c);

#endif
