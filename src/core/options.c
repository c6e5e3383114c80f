/*
 * options: the table. Defaults are text and pass the same parser as the file,
 * so what the manual prints is what the program uses. Order is the order of patrond.conf.
 */
#include "core/options.h"

#include <string.h>

#include "core/conf.h"
#include "core/conf_check.h"

#define AT(member) offsetof(struct conf, member)

static const char *const archetype_levels[] = { "l1", "l2", NULL };
static const char *const access_logs[] = { "all", "slow", "off", NULL };

#define TEXT(name, member, initial, flags, doc)                                                                      \
    {                                                                                                                \
        name, NULL, OPTION_STRING, AT(member), initial, 0, 0, NULL, flags, doc                                       \
    }
#define WHOLE(name, member, initial, least, most, flags, doc)                                                        \
    {                                                                                                                \
        name, NULL, OPTION_INT, AT(member), initial, least, most, NULL, flags, doc                                   \
    }
#define REAL(name, member, initial, least, most, doc)                                                                \
    {                                                                                                                \
        name, NULL, OPTION_DOUBLE, AT(member), initial, least, most, NULL, 0, doc                                    \
    }
#define FLAG(name, member, initial, doc)                                                                             \
    {                                                                                                                \
        name, NULL, OPTION_BOOL, AT(member), initial, 0, 0, NULL, 0, doc                                             \
    }
#define RATE(name, member, initial, doc)                                                                             \
    {                                                                                                                \
        name, NULL, OPTION_RATE, AT(member), initial, 0, 0, NULL, 0, doc                                             \
    }

static const struct option table[] = {
    TEXT("LISTEN", listen, "0.0.0.0:8000", OPTION_NO_RELOAD, "Address and port to listen on, IPv4 or [IPv6]."),
    TEXT("PORT", port, "", OPTION_NO_RELOAD, "Replaces the port of LISTEN."),
    WHOLE("WORKERS", workers, "0", 0, CONF_MAX_WORKERS, OPTION_NO_RELOAD,
          "HTTP processes; 0: as many as CPUs of its affinity and cgroup quota."),
    WHOLE("MAX_CONNECTIONS", max_connections, "10000", 1, 1000000, OPTION_NO_RELOAD,
          "Connections of the whole server; when full, the longest idle one is closed."),
    TEXT("STATE_DIR", state_dir, "/var/lib/patrond", OPTION_NO_RELOAD, "Published data sets and SLO history."),
    TEXT("RUN_DIR", run_dir, "/run/patrond", OPTION_NO_RELOAD, "Scoreboard file and private freetds.conf."),
    { "ENVIRONMENT", "RAILWAY_ENVIRONMENT", OPTION_STRING, AT(environment), "production", 0, 0, NULL, 0,
      "With production, origin * stops the start." },
    TEXT("ADMIN_KEY", admin_key, "", OPTION_SECRET | OPTION_REQUIRED,
         "The operator's key: all scopes; at least 16 characters, not a common word."),
    WHOLE("KEY_REFRESH", key_refresh, "30", 1, 3600, 0,
          "Seconds after which API keys are read again as a safety net."),
    TEXT("ALLOWED_ORIGINS", allowed_origins, "http://localhost:3000,http://localhost:5173,http://localhost:8080", 0,
         "Origins allowed by CORS, comma separated."),
    TEXT("TRUSTED_PROXIES", trusted_proxies, "", 0, "CIDRs whose X-Forwarded-For and -Proto are believed."),
    TEXT("ALLOW_LIST", allow_list, "", 0, "CIDRs or key prefixes that are never limited."),
    TEXT("DENY_LIST", deny_list, "", 0, "CIDRs or key prefixes that always get 429."),
    RATE("RATE_LIMIT_DEFAULT", rate_limit_default, "10000/h;burst=1000", "Requests with a valid key, per key."),
    RATE("RATE_LIMIT_NL", rate_limit_nl, "50/h;burst=10", "Natural-language questions, additionally."),
    RATE("RATE_LIMIT_QUERY", rate_limit_query, "100/h;burst=20", "Tool calls, additionally."),
    RATE("RATE_LIMIT_SYNC", rate_limit_sync, "10/h;burst=3", "Sync requests, additionally."),
    RATE("RATE_LIMIT_ANONYMOUS", rate_limit_anonymous, "1000/h;burst=100",
         "Public routes and requests without a valid key, per address."),
    RATE("RATE_LIMIT_AUTH_FAILURE", rate_limit_auth_failure, "100/h;burst=20", "Refused credentials, per address."),
    WHOLE("MAX_BODY_BYTES", max_body_bytes, "1048576", 1024, 104857600, 0, "Largest request body."),
    WHOLE("MAX_HEADER_BYTES", max_header_bytes, "16384", 1024, 65536, 0, "Largest request head."),
    WHOLE("MAX_REQUEST_MEMORY_BYTES", max_request_memory_bytes, "16777216", 262144, 1073741824, 0,
          "All that one request may allocate, answer included; beyond it 503."),
    WHOLE("HEADER_TIMEOUT", header_timeout, "10", 1, 3600, 0, "Seconds for a request head to be complete."),
    WHOLE("BODY_TIMEOUT", body_timeout, "30", 1, 3600, 0, "Seconds for a request body to be complete."),
    WHOLE("IDLE_TIMEOUT", idle_timeout, "60", 1, 86400, 0, "Seconds an idle connection is kept."),
    WHOLE("REQUEST_TIMEOUT", request_timeout, "30", 1, 3600, 0, "Seconds for an answer; then 503."),
    WHOLE("DRAIN_TIMEOUT", drain_timeout, "30", 1, 3600, 0, "Seconds a stopping process may end its requests."),
    WHOLE("WORKER_MAX_RSS_MB", worker_max_rss_mb, "256", 0, 1048576, 0,
          "Private resident MiB after which a worker is replaced; 0: off."),
    WHOLE("WORKER_MAX_REQUESTS", worker_max_requests, "0", 0, 1e12, 0,
          "Requests after which a worker is replaced; 0: off."),
    WHOLE("WORKER_HANG_SUSPECT", worker_hang_suspect, "2", 1, 3600, 0,
          "Seconds without a beat until a stand-in is started."),
    WHOLE("WORKER_HANG_ABORT", worker_hang_abort, "10", 1, 3600, 0, "Seconds without a beat until SIGABRT."),
    WHOLE("WORKER_HANG_KILL", worker_hang_kill, "15", 1, 3600, 0, "Seconds without a beat until SIGKILL."),
    WHOLE("GENERATION_TIMEOUT", generation_timeout, "30", 1, 3600, 0,
          "Seconds a new generation has to become ready before it is rolled back."),
    FLAG("HTTP_GZIP", http_gzip, "true", "Compress answers of 1 KiB and more for clients that accept it."),
    WHOLE("HTTP_MAX_AGE", http_max_age, "0", 0, 86400, 0, "max-age of cacheable answers, seconds."),
    TEXT("DATABASE_URL", database_url, "", OPTION_REQUIRED | OPTION_URL,
         "PostgreSQL: postgresql://user:password@host/database, or postgres://."),
    WHOLE("DB_POOL_SIZE", db_pool_size, "30", 1, 1000, 0, "PostgreSQL connections of the whole server."),
    WHOLE("DB_MAX_OVERFLOW", db_max_overflow, "20", 0, 1000, 0, "Further connections under load."),
    WHOLE("DB_POOL_TIMEOUT", db_pool_timeout, "5", 1, 300, 0, "Seconds a request waits for a connection."),
    WHOLE("DB_POOL_RECYCLE", db_pool_recycle, "1800", 10, 86400, 0, "Seconds after which a connection is renewed."),
    FLAG("DB_POOL_PRE_PING", db_pool_pre_ping, "true", "Test a connection that stood idle before using it."),
    WHOLE("DB_CONNECT_TIMEOUT", db_connect_timeout, "3", 1, 60, 0, "Seconds to connect."),
    WHOLE("DB_STATEMENT_TIMEOUT", db_statement_timeout, "4", 1, 300, 0, "Seconds a request's statement may run."),
    WHOLE("SLOW_QUERY_MS", slow_query_ms, "1000", 0, 3600000, 0, "Statements slower than this are logged."),
    TEXT("REDIS_URL", redis_url, "", OPTION_URL,
         "Redis, redis://[[user]:password@]host[:port][/db] or unix://[[user]:password@]/path[?db=db]; empty: none."),
    FLAG("ENABLE_CACHE", enable_cache, "true", "Use Redis as a cache."),
    WHOLE("CACHE_TTL", cache_ttl, "3600", 1, 604800, 0, "Seconds a cached answer lives."),
    WHOLE("REDIS_TIMEOUT_MS", redis_timeout_ms, "50", 1, 10000, 0, "Longest wait of a request for Redis."),
    TEXT("AZURE_SQL_SERVER", azure_sql_server, "", 0, "Host name of the SQL Server."),
    WHOLE("AZURE_SQL_PORT", azure_sql_port, "1433", 1, 65535, 0, "Its port."),
    TEXT("AZURE_SQL_DATABASE", azure_sql_database, "", 0, "Its database."),
    TEXT("AZURE_SQL_USERNAME", azure_sql_username, "", 0, "SQL login."),
    TEXT("AZURE_SQL_PASSWORD", azure_sql_password, "", OPTION_SECRET, "Password of the SQL login."),
    TEXT("AZURE_SQL_VIEW", azure_sql_view, "vw_Combined_Sales", 0, "View or table with the 30 columns."),
    TEXT("AZURE_SQL_CA_FILE", azure_sql_ca_file, "system", 0, "Certificates to trust: a file, or system."),
    WHOLE("SOURCE_CHECK_INTERVAL", source_check_interval, "300", 0, 86400, 0,
          "Seconds between health checks of the source; 0: judged by the syncs only."),
    TEXT("SYNC_SOURCE", sync_source, "sqlserver", 0, "sqlserver, or csv:PATH of a file or directory."),
    WHOLE("SYNC_MAX_BAD_ROWS", sync_max_bad_rows, "1000", 0, 1e9, 0,
          "Bad rows up to which a run goes on; they are kept in sync_quarantine."),
    TEXT("AS_OF_DATE", as_of_date, "", 0, "Historical data: the as-of day, YYYY-MM-DD; empty: today, UTC."),
    FLAG("ENABLE_SALES_SYNC", enable_sales_sync, "true", "Run the daily sync."),
    WHOLE("SALES_SYNC_HOUR", sales_sync_hour, "2", 0, 23, 0, "Hour of the daily sync, UTC."),
    FLAG("SYNC_ON_STARTUP", sync_on_startup, "false", "Run a sync at every start."),
    WHOLE("SYNC_OVERLAP_DAYS", sync_overlap_days, "35", 0, 3650, 0, "Days an incremental run reads again."),
    WHOLE("SYNC_BATCH_ROWS", sync_batch_rows, "5000", 1, 100000, 0, "Rows of a batch."),
    WHOLE("SYNC_TIMEOUT", sync_timeout, "600", 1, 86400, 0, "Seconds an incremental run may take."),
    WHOLE("SYNC_FULL_TIMEOUT", sync_full_timeout, "3600", 1, 86400, 0,
          "Seconds a full run, and the first run into an empty table, may take."),
    WHOLE("SYNC_STALL_TIMEOUT", sync_stall_timeout, "60", 1, 86400, 0, "Seconds without progress that end a run."),
    WHOLE("STALE_AFTER_HOURS", stale_after_hours, "24", 1, 8760, 0, "Age in hours from which the data are stale."),
    WHOLE("CHURN_HORIZON_DAYS", churn_horizon_days, "90", 7, 365, 0, "Horizon of the churn probability."),
    WHOLE("ACTIVE_WINDOW_DAYS", active_window_days, "365", 30, 3650, 0,
          "Days in which an active customer has ordered."),
    WHOLE("CLV_MONTHS", clv_months, "12", 1, 60, 0, "Months of predicted_clv."),
    REAL("CLV_DISCOUNT_ANNUAL", clv_discount_annual, "0.10", 0, 1, "Annual discount rate of the customer value."),
    REAL("CLV_MARGIN", clv_margin, "1.0", 0, 1, "Margin of the customer value."),
    { "ARCHETYPE_LEVEL", NULL, OPTION_CHOICE, AT(archetype_level), "l1", 0, 0, archetype_levels, 0,
      "Axes that define an archetype: l1 four of them, l2 all nine." },
    FLAG("MODEL_PRIOR", model_prior, "on", "Fit the models with their priors."),
    REAL("B2B_MIN_LTV", b2b_min_ltv, "5000", 0, 1e12, "Lifetime value above which a customer looks like a business."),
    WHOLE("B2B_MIN_ORDERS", b2b_min_orders, "50", 0, 1e9, 0, "Orders above which a customer looks like a business."),
    TEXT("STORE_ID", store_id, "default", 0, "Value of store_id in the tables."),
    TEXT("ANTHROPIC_API_KEY", anthropic_api_key, "", OPTION_SECRET,
         "Key for Claude; empty: questions go to the rules."),
    TEXT("ANTHROPIC_MODEL", anthropic_model, "claude-haiku-5-5", 0, "Model that interprets questions."),
    TEXT("ANTHROPIC_EFFORT", anthropic_effort, "low", 0, "Effort asked of the model."),
    TEXT("ANTHROPIC_BASE_URL", anthropic_base_url, "https://api.anthropic.com", 0, "Where the model is reached."),
    WHOLE("NL_TIMEOUT_MS", nl_timeout_ms, "2500", 100, 30000, 0, "Budget of a question before the rules answer."),
    WHOLE("NL_CONCURRENCY", nl_concurrency, "16", 1, 1000, 0, "Questions at the model at once, whole server."),
    FLAG("ENABLE_PROMETHEUS_METRICS", enable_prometheus_metrics, "true", "Serve /metrics."),
    FLAG("METRICS_PUBLIC", metrics_public, "true", "Serve /metrics without a key."),
    FLAG("ENABLE_STATUS_PAGE", enable_status_page, "true", "Serve /status."),
    { "ACCESS_LOG", NULL, OPTION_CHOICE, AT(access_log), "slow", 0, 0, access_logs, 0,
      "Requests to log: all; slow ones, 5xx and /admin/*; off." },
    WHOLE("SLOW_REQUEST_MS", slow_request_ms, "500", 0, 3600000, 0, "Requests slower than this count as slow."),
    WHOLE("RETENTION_DAYS", retention_days, "400", 1, 36500, 0,
          "Days for which runs, fits, quarantined rows and the history of segments are kept."),
    TEXT("LOG_LEVEL", log_level, "INFO", 0, "DEBUG, INFO, WARNING, ERROR or CRITICAL."),
    FLAG("JSON_LOGS", json_logs, "false", "Write each log line as one JSON object."),
    { "ALERT_WEBHOOK_URL", "SLACK_WEBHOOK_URL", OPTION_STRING, AT(alert_webhook_url), "", 0, 0, NULL, OPTION_SECRET,
      "Where alerts are posted, in Slack's incoming-webhook format." },
};

_Static_assert(sizeof(table) / sizeof(table[0]) <= CONF_MAX_OPTIONS, "conf_check keeps an origin for each");

const struct option *options_table(size_t *count)
{
    *count = sizeof(table) / sizeof(table[0]);
    return table;
}

static bool named(const char *name, const char *wanted, size_t len)
{
    return name != NULL && strlen(name) == len && memcmp(name, wanted, len) == 0;
}

bool options_is_secret(const struct option *o)
{
    return (o->flags & (OPTION_SECRET | OPTION_URL)) != 0;
}

const struct option *options_find(const char *name, size_t len)
{
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        if (named(table[i].name, name, len) || named(table[i].alias, name, len))
            return &table[i];
    return NULL;
}
