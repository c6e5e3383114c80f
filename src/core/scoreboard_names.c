/*
 * scoreboard_names: the contract's words for the enumerations of the scoreboard.
 *
 * A value read from shared memory may be anything; past the end the word is "".
 */
#include "core/scoreboard.h"

#define NAME_OF(table, v) name_of(table, sizeof(table) / sizeof((table)[0]), v)

static const char *name_of(const char *const *table, size_t count, uint32_t v)
{
    return v < count ? table[v] : "";
}

static const char *const role_names[SB_ROLE_COUNT] = {
    [SB_ROLE_WORKER] = "worker",
    [SB_ROLE_SYNC] = "sync",
    [SB_ROLE_PROBE] = "probe",
};

static const char *const state_names[] = {
    [SB_FREE] = "free",   [SB_ASSIGNED] = "starting", [SB_STARTING] = "starting",
    [SB_READY] = "ready", [SB_DRAINING] = "draining", [SB_EXITED] = "exited",
};

static const char *const component_names[SB_COMPONENT_COUNT] = {
    [SB_DATABASE] = "database", [SB_CACHE] = "cache", [SB_SOURCE] = "source", [SB_AI] = "ai", [SB_SELF] = "api",
};

static const char *const health_names[] = {
    [SB_HEALTH_UNKNOWN] = "unknown",
    [SB_HEALTH_UP] = "up",
    [SB_HEALTH_DEGRADED] = "degraded",
    [SB_HEALTH_DOWN] = "down",
    [SB_HEALTH_NOT_CONFIGURED] = "not_configured",
};

static const char *const error_names[SB_ERROR_COUNT] = {
    [SB_ERROR_NONE] = NULL,
    [SB_ERROR_CONNECT_TIMEOUT] = "connect_timeout",
    [SB_ERROR_REFUSED] = "refused",
    [SB_ERROR_AUTH_FAILED] = "auth_failed",
    [SB_ERROR_QUERY_TIMEOUT] = "query_timeout",
    [SB_ERROR_TLS] = "tls",
    [SB_ERROR_NEVER_SUCCEEDED] = "never_succeeded",
    [SB_ERROR_OVERDUE] = "overdue",
};

static const char *const mode_names[SB_MODE_COUNT] = {
    [SB_MODE_INCREMENTAL] = "incremental",
    [SB_MODE_FULL] = "full",
    [SB_MODE_DRY_RUN] = "dry-run",
};

static const char *const run_status_names[SB_RUN_STATUS_COUNT] = {
    [SB_RUN_RUNNING] = "running", [SB_RUN_SUCCESS] = "success", [SB_RUN_FAILED] = "failed",
    [SB_RUN_TIMEOUT] = "timeout", [SB_RUN_ABORTED] = "aborted",
};

static const char *const trigger_names[SB_TRIGGER_COUNT] = {
    [SB_BY_SCHEDULE] = "schedule", [SB_BY_STARTUP] = "startup", [SB_BY_API] = "api",
    [SB_BY_CLI] = "cli",           [SB_BY_SIGNAL] = "signal",
};

static const char *const phase_names[SB_PHASE_COUNT] = {
    [SB_PHASE_CONNECTING] = "connecting", [SB_PHASE_READING] = "reading", [SB_PHASE_LOADING] = "loading",
    [SB_PHASE_MERGING] = "merging",       [SB_PHASE_SCORING] = "scoring", [SB_PHASE_PUBLISHING] = "publishing",
};

static const char *const reason_names[SB_REASON_COUNT] = {
    [SB_REASON_NONE] = NULL,
    [SB_REASON_SOURCE_CONNECT] = "source_connect",
    [SB_REASON_SOURCE_AUTH] = "source_auth",
    [SB_REASON_SOURCE_QUERY] = "source_query",
    [SB_REASON_DATABASE] = "database",
    [SB_REASON_TIMEOUT] = "timeout",
    [SB_REASON_MEMORY] = "memory",
    [SB_REASON_DISK] = "disk",
    [SB_REASON_ABORTED] = "aborted",
    [SB_REASON_DIED] = "died",
    [SB_REASON_VALIDATION] = "validation",
};

const char *sb_role_name(uint32_t v)
{
    return NAME_OF(role_names, v);
}

const char *sb_state_name(uint32_t v)
{
    return NAME_OF(state_names, v);
}

const char *sb_component_name(uint32_t v)
{
    return NAME_OF(component_names, v);
}

const char *sb_health_name(uint32_t v)
{
    return NAME_OF(health_names, v);
}

const char *sb_error_name(uint32_t v)
{
    return NAME_OF(error_names, v);
}

const char *sb_mode_name(uint32_t v)
{
    return NAME_OF(mode_names, v);
}

const char *sb_run_status_name(uint32_t v)
{
    return NAME_OF(run_status_names, v);
}

const char *sb_trigger_name(uint32_t v)
{
    return NAME_OF(trigger_names, v);
}

const char *sb_phase_name(uint32_t v)
{
    return NAME_OF(phase_names, v);
}

const char *sb_reason_name(uint32_t v)
{
    return NAME_OF(reason_names, v);
}
