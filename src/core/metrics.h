/*
 * metrics: the one table of metric families, and the counters behind them.
 *
 * A counter or histogram family owns a range of cells in every scoreboard slot
 * (its label combinations, all from closed sets); the process that owns the
 * slot adds to them without a lock. Gauges have a row for name, help and labels
 * only: who renders them passes the value.
 */
#ifndef CORE_METRICS_H
#define CORE_METRICS_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "core/scoreboard.h"

enum metric_type {
    METRIC_COUNTER,
    METRIC_GAUGE,
    METRIC_HISTOGRAM
};

/* Closed label sets. METRICS_DIM_ROUTE is filled by the route table at start; the others are fixed here. */
enum metric_dim {
    METRICS_DIM_NONE,
    METRICS_DIM_ROUTE,
    METRICS_DIM_METHOD,
    METRICS_DIM_STATUS,
    METRICS_DIM_CONN_STATE,
    METRICS_DIM_AUTH_REASON,
    METRICS_DIM_POLICY,
    METRICS_DIM_QUERY,
    METRICS_DIM_DB_ERROR,
    METRICS_DIM_SYNC_MODE,   /* enum sb_mode */
    METRICS_DIM_SYNC_STATUS, /* enum sb_run_status */
    METRICS_DIM_SYNC_RESULT,
    METRICS_DIM_RESTART_REASON,
    METRICS_DIM_SHED_REASON,
    METRICS_DIM_CACHE_TYPE,
    METRICS_DIM_COMPONENT, /* enum sb_component */
    METRICS_DIM_INTEGRATION,
    METRICS_DIM_OPERATION,
    METRICS_DIM_INTEGRATION_ERROR,
    METRICS_DIM_TOOL,        /* the tools, in the order of their table */
    METRICS_DIM_TOOL_STATUS, /* enum tool_outcome of the tools */
    METRICS_DIM_AI_MODEL,    /* those in use, and "other" */
    METRICS_DIM_AI_TOOL,     /* METRICS_DIM_TOOL, and "none" */
    METRICS_DIM_AI_ERROR,    /* enum metric_ai_error */
    METRICS_DIM_AI_TOKEN,
    METRICS_DIM_INTERPRETER, /* enum nl_interpreter */
    METRICS_DIM_NL_TYPE,     /* enum metric_nl */
    METRICS_DIM_WINDOW,      /* enum slo_window */
    METRICS_DIM_VERSION,     /* open: gauges only */
    METRICS_DIM_COUNT
};

#define METRICS_MAX_ROUTES  64 /* the last one given is "unmatched" */
#define METRICS_MAX_BUCKETS 12

enum metric_method {
    METRIC_GET,
    METRIC_HEAD,
    METRIC_POST,
    METRIC_PUT,
    METRIC_DELETE,
    METRIC_OPTIONS,
    METRIC_OTHER,
    METRIC_METHODS
};
enum metric_status { /* the class: status / 100 - 1 */
    METRIC_STATUS_1XX,
    METRIC_STATUS_2XX,
    METRIC_STATUS_3XX,
    METRIC_STATUS_4XX,
    METRIC_STATUS_5XX,
    METRIC_STATUSES
};
enum metric_conn_state {
    METRIC_CONN_ACTIVE,
    METRIC_CONN_IDLE,
    METRIC_CONN_STATES
};
enum metric_auth_reason {
    METRIC_AUTH_MISSING,
    METRIC_AUTH_UNKNOWN,
    METRIC_AUTH_EXPIRED,
    METRIC_AUTH_REVOKED,
    METRIC_AUTH_MALFORMED,
    METRIC_AUTH_SCOPE,
    METRIC_AUTH_REASONS
};
/* Rate policies (CONTRACT 4), and DENY_LIST. */
enum metric_policy {
    METRIC_POLICY_DEFAULT,
    METRIC_POLICY_NL,
    METRIC_POLICY_QUERY,
    METRIC_POLICY_SYNC,
    METRIC_POLICY_ANONYMOUS,
    METRIC_POLICY_AUTH_FAILURE,
    METRIC_POLICY_DENY_LIST,
    METRIC_POLICIES
};
/* What a statement of a worker is for; sync's and the probe's own are not counted here. */
enum metric_query {
    METRIC_QUERY_CUSTOMER_ORDERS,
    METRIC_QUERY_ARCHETYPE_CATEGORIES,
    METRIC_QUERY_API_KEYS_VERSION,
    METRIC_QUERY_API_KEYS_ALL,
    METRIC_QUERY_API_KEYS_LIST,
    METRIC_QUERY_API_KEY_GET,
    METRIC_QUERY_API_KEY_CREATE,
    METRIC_QUERY_API_KEY_ROTATE,
    METRIC_QUERY_API_KEY_REVOKE,
    METRIC_QUERY_API_KEYS_USED,
    METRIC_QUERY_PRODUCTS_REVENUE,
    METRIC_QUERY_PRODUCTS_POPULARITY,
    METRIC_QUERY_PRODUCTS_SEGMENT,
    METRIC_QUERY_PRODUCTS_TRENDS,
    METRIC_QUERY_PRODUCTS_REPURCHASE,
    METRIC_QUERY_PRODUCTS_VALUE,
    METRIC_QUERY_PRODUCTS_BUNDLES,
    METRIC_QUERY_PRODUCTS_SEASONAL,
    METRIC_QUERY_PRODUCTS_SINGLE,
    METRIC_QUERY_OTHER,
    METRIC_QUERIES
};
enum metric_db_error {
    METRIC_DB_ERROR_STATEMENT,   /* the server refused it */
    METRIC_DB_ERROR_UNAVAILABLE, /* no connection to be had */
    METRIC_DB_ERROR_TIMEOUT,
    METRIC_DB_ERRORS
};
enum metric_sync_result {
    METRIC_SYNC_READ,
    METRIC_SYNC_INSERTED,
    METRIC_SYNC_UPDATED,
    METRIC_SYNC_DELETED,
    METRIC_SYNC_SKIPPED,
    METRIC_SYNC_RESULTS
};
enum metric_restart {
    METRIC_RESTART_CRASH,
    METRIC_RESTART_OOM,
    METRIC_RESTART_HUNG,
    METRIC_RESTART_RECYCLED,
    METRIC_RESTART_EXIT,
    METRIC_RESTARTS
};
enum metric_shed {
    METRIC_SHED_MEMORY,
    METRIC_SHED_DEADLINE,
    METRIC_SHED_CONNECTIONS,
    METRIC_SHED_FDS,
    METRIC_SHED_POOL,
    METRIC_SHED_OVERLOAD,
    METRIC_SHED_REASONS
};
enum metric_cache_type {
    METRIC_CACHE_CUSTOMER,
    METRIC_CACHE_CHURN,
    METRIC_CACHE_ARCHETYPE,
    METRIC_CACHE_QUERY,
    METRIC_CACHE_TYPES
};
/* Services of others that we call. */
enum metric_integration {
    METRIC_AZURE_SQL,
    METRIC_ANTHROPIC,
    METRIC_ALERT_WEBHOOK,
    METRIC_INTEGRATIONS
};
enum metric_operation {
    METRIC_OPERATION_LOGIN, /* of SQL Server */
    METRIC_OPERATION_QUERY,
    METRIC_OPERATION_MESSAGE, /* to Claude */
    METRIC_OPERATION_POST,    /* of an alert */
    METRIC_OPERATIONS
};
enum metric_integration_error {
    METRIC_INTEGRATION_CONNECT,
    METRIC_INTEGRATION_AUTH,
    METRIC_INTEGRATION_TLS,
    METRIC_INTEGRATION_TIMEOUT,
    METRIC_INTEGRATION_THROTTLED,
    METRIC_INTEGRATION_QUERY, /* refused, or failed half way */
    METRIC_INTEGRATION_SCHEMA,
    METRIC_INTEGRATION_ERROR_KINDS
};

/* How a question to Claude ended. */
enum metric_ai_error {
    METRIC_AI_OK, /* no error */
    METRIC_AI_TIMEOUT,
    METRIC_AI_CONNECT,
    METRIC_AI_TLS,
    METRIC_AI_BROKEN, /* no HTTP, or half of it */
    METRIC_AI_MALFORMED,
    METRIC_AI_TRUNCATED,
    METRIC_AI_REFUSAL,
    METRIC_AI_INVALID_REQUEST,
    METRIC_AI_AUTHENTICATION,
    METRIC_AI_PERMISSION,
    METRIC_AI_BILLING,
    METRIC_AI_NOT_FOUND, /* an unknown or retired model */
    METRIC_AI_CONFLICT,
    METRIC_AI_TOO_LARGE,
    METRIC_AI_RATE_LIMIT,
    METRIC_AI_SERVER,
    METRIC_AI_OVERLOADED,
    METRIC_AI_BUSY, /* NL_CONCURRENCY are under way */
    METRIC_AI_OPEN, /* the circuit is open */
    METRIC_AI_ERRORS
};
enum metric_ai_token {
    METRIC_AI_INPUT,
    METRIC_AI_OUTPUT,
    METRIC_AI_TOKEN_TYPES
};

/* What a question was about: the query_type of its answer (CONTRACT 17.3). */
enum metric_nl {
    METRIC_NL_CUSTOMER_LOOKUP,
    METRIC_NL_CUSTOMER_CHURN_RISK,
    METRIC_NL_CUSTOMER_PURCHASE_HISTORY,
    METRIC_NL_CUSTOMER_LTV_FORECAST,
    METRIC_NL_CUSTOMER_RECOMMENDATIONS,
    METRIC_NL_CUSTOMER_SEGMENT,
    METRIC_NL_CUSTOMER_LOOKUP_ERROR,
    METRIC_NL_HIGH_VALUE_CUSTOMERS,
    METRIC_NL_CHURN_IDENTIFICATION,
    METRIC_NL_B2B_IDENTIFICATION,
    METRIC_NL_BEHAVIORAL_ANALYSIS,
    METRIC_NL_RFM_ANALYSIS,
    METRIC_NL_ONE_TIME_BUYERS,
    METRIC_NL_MOMENTUM_ANALYSIS,
    METRIC_NL_DECLINING_ENGAGEMENT,
    METRIC_NL_BEHAVIOR_CHANGE,
    METRIC_NL_PURCHASE_CADENCE,
    METRIC_NL_DISCOUNT_DEPENDENCY,
    METRIC_NL_ARCHETYPE_GROWTH_PROJECTION,
    METRIC_NL_SEGMENT_COMPARISON,
    METRIC_NL_SEASONAL_ARCHETYPE_RECOMMENDATION,
    METRIC_NL_PRODUCT_AFFINITY,
    METRIC_NL_REVENUE_FORECAST,
    METRIC_NL_CUSTOMER_COUNT_FORECAST,
    METRIC_NL_NEW_CUSTOMERS_FORECAST,
    METRIC_NL_CHURNED_CUSTOMERS_FORECAST,
    METRIC_NL_AVERAGE_LTV_FORECAST,
    METRIC_NL_AVERAGE_AOV_FORECAST,
    METRIC_NL_CHURN_RATE_FORECAST,
    METRIC_NL_RETENTION_RATE_FORECAST,
    METRIC_NL_CAMPAIGN_TARGETING,
    METRIC_NL_UPSELL_RECOMMENDATIONS,
    METRIC_NL_CROSS_SELL_RECOMMENDATIONS,
    METRIC_NL_EXPANSION_RECOMMENDATIONS,
    METRIC_NL_WINBACK_RECOMMENDATIONS,
    METRIC_NL_RETENTION_ACTION_PLAN,
    METRIC_NL_DISCOUNT_STRATEGY,
    METRIC_NL_PRODUCTS, /* the analyses of data/products, in their order */
    METRIC_NL_GENERAL_RESPONSE = METRIC_NL_PRODUCTS + 9,
    METRIC_NL_ERROR,
    METRIC_NL_UNSUPPORTED,
    METRIC_NL_TYPES
};

enum metric_id {
    METRIC_HTTP_REQUESTS,     /* counter: method, endpoint, status_code */
    METRIC_HTTP_DURATION,     /* histogram: method, endpoint */
    METRIC_HTTP_IN_PROGRESS,  /* gauge: endpoint ("all") */
    METRIC_HTTP_CONNECTIONS,  /* gauge: state */
    METRIC_RATE_LIMITED,      /* counter: policy */
    METRIC_AUTH_FAILURES,     /* counter: reason */
    METRIC_DB_QUERY_DURATION, /* histogram: query_type */
    METRIC_DB_QUERY_ERRORS,   /* counter: query_type, error_type */
    METRIC_DB_POOL_SIZE,
    METRIC_DB_POOL_CHECKED_OUT,
    METRIC_DB_POOL_OVERFLOW,
    METRIC_DB_POOL_UTILIZATION,
    METRIC_DB_CONNECTIONS,
    METRIC_DB_POOL_TIMEOUTS, /* counter */
    METRIC_CACHE_HITS,       /* counter: cache_type */
    METRIC_CACHE_MISSES,     /* counter: cache_type */
    METRIC_CACHE_HIT_RATE,
    METRIC_CUSTOMERS_LOADED,
    METRIC_ARCHETYPES_LOADED,
    METRIC_CHURN_HIGH_RISK,
    METRIC_CHURN_MEDIUM_RISK,
    METRIC_CUSTOMER_LTV_P95,
    METRIC_DATA_VERSION,
    METRIC_DATA_AGE,
    METRIC_DATA_STALE,
    METRIC_SLO_AVAILABILITY, /* gauge: window */
    METRIC_SLO_BUDGET,       /* gauge: window */
    METRIC_SYNC_RUNS,        /* counter: mode, status */
    METRIC_SYNC_DURATION,    /* gauge */
    METRIC_SYNC_ROWS,        /* counter: result */
    METRIC_SYNC_LAST_SUCCESS,
    METRIC_SYNC_IN_PROGRESS,
    METRIC_MODEL_AUC,
    METRIC_MODEL_BRIER,
    METRIC_MODEL_ECE,
    METRIC_MODEL_BIAS,
    METRIC_MODEL_TRAINED,
    METRIC_INTEGRATION_DURATION, /* histogram: integration, operation */
    METRIC_INTEGRATION_ERRORS,   /* counter: integration, error_type */
    METRIC_MCP_TOOL_CALLS,       /* counter: tool_name, status */
    METRIC_MCP_TOOL_DURATION,    /* histogram: tool_name */
    METRIC_AI_DURATION,          /* histogram: model, tool */
    METRIC_AI_TOKENS,            /* counter: model, type */
    METRIC_AI_QUERY_ERRORS,      /* counter: model, error_type */
    METRIC_NL_QUERIES,           /* counter: interpreter, query_type */
    METRIC_COMPONENT_UP,         /* gauge: component */
    METRIC_WORKER_RESTARTS,      /* counter: reason; written by the master into `retired` */
    METRIC_WORKERS_READY,
    METRIC_LOAD_SHED,   /* counter: reason */
    METRIC_PROCESS_CPU, /* process_cpu_seconds_total: rendered like a gauge */
    METRIC_PROCESS_FDS,
    METRIC_PROCESS_MAX_FDS,
    METRIC_PROCESS_RSS,
    METRIC_PROCESS_START,
    METRIC_BUILD_INFO, /* gauge: version */
    METRIC_COUNT
};

struct metric {
    const char *name, *help;
    enum metric_type type;
    enum metric_dim dims[3]; /* outermost first; NONE at the end */
    const char *labels[3];
    const double *buckets; /* histogram: upper bounds in seconds, ascending */
    unsigned bucket_count;
};

const struct metric *metrics_get(enum metric_id id);
/*
 * Lays the families out over the counters of a slot; once, before the scoreboard is made or opened. Names must
 * outlive the process. The cells do not depend on the routes: patronctl, which knows none, may give NULL and 0.
 */
void metrics_init(const char *const *routes, unsigned route_count);
/* Of all families, closed sets, buckets and routes: equal hashes mean that cell n counts the same thing. */
uint64_t metrics_layout_hash(void);
const char *metrics_dim_value(enum metric_dim dim, unsigned i); /* NULL past the end */
unsigned metrics_dim_size(enum metric_dim dim);                 /* NONE: 1 */

/* This process's slot, where metrics_add and metrics_observe write; NULL: they do nothing. */
void metrics_bind(struct sb_slot *slot);
/* Values of the dimensions in the table's order; those the family lacks are ignored. Out of range: nothing. */
void metrics_add(enum metric_id id, unsigned a, unsigned b, unsigned c, uint64_t n);
void metrics_observe(enum metric_id id, unsigned a, unsigned b, uint64_t ns);
/* Master only: counts straight into the retired totals. */
void metrics_add_retired(struct scoreboard *sb, enum metric_id id, unsigned a, uint64_t n);
/* A counter's value over the whole server. */
uint64_t metrics_total(const struct scoreboard *sb, enum metric_id id, unsigned a, unsigned b, unsigned c);
/* Sum of a counter over all its label combinations. */
uint64_t metrics_total_all(const struct scoreboard *sb, enum metric_id id);
/* Sum of a counter over the combinations in which dimension `dim` (0, 1, 2) has that value. */
uint64_t metrics_total_where(const struct scoreboard *sb, enum metric_id id, unsigned dim, unsigned value);
/* Observations of a histogram in each bucket and beyond the last, over all label combinations: bucket_count + 1 of
 * them, at most METRICS_MAX_BUCKETS + 1. */
void metrics_distribution(const struct scoreboard *sb, enum metric_id id, uint64_t counts[METRICS_MAX_BUCKETS + 1]);
/* The same over the combinations in which dimension `dim` (0, 1) has that value. */
void metrics_distribution_where(const struct scoreboard *sb, enum metric_id id, unsigned dim, unsigned value,
                                uint64_t counts[METRICS_MAX_BUCKETS + 1]);
/* The same of one slot: what that process has counted. */
uint64_t metrics_slot_total(const struct sb_slot *slot, enum metric_id id);

/*
 * Prometheus text 0.0.4. A whole counter or histogram family, its HELP and TYPE
 * included: all series that have counted; those of a family with at most one small
 * dimension also at 0, so that the first increase is seen.
 */
void metrics_render_family(struct buf *out, const struct scoreboard *sb, enum metric_id id);
void metrics_render_head(struct buf *out, enum metric_id id); /* HELP and TYPE, before gauges */
/* One sample; label_value is of the family's first label (NULL: none). */
void metrics_render_value(struct buf *out, enum metric_id id, const char *label_value, double v);

#endif
