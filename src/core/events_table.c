/*
 * events_table: name, level and journal MESSAGE_ID of every event.
 *
 * A MESSAGE_ID is drawn at random once and never changes: the journal catalog and operators' filters refer to it.
 */
#include "core/events.h"

static const struct event events[EVENT_COUNT] = {
    [EVENT_REQUEST_STARTED] = { "request_started", LOG_LEVEL_DEBUG, "a8ddaf0584979278985581385839caf7" },
    [EVENT_REQUEST_COMPLETED] = { "request_completed", LOG_LEVEL_INFO, "d594824cb954a8e13a7dc5b3d4df2a95" },
    [EVENT_REQUEST_FAILED] = { "request_failed", LOG_LEVEL_ERROR, "32223c8882c7d70a86a70cfea71af022" },
    [EVENT_INVALID_API_KEY_ATTEMPTED] = { "invalid_api_key_attempted", LOG_LEVEL_WARNING,
                                          "72556f5eb146af8a5a5d4fc36e0175cc" },
    [EVENT_INSUFFICIENT_SCOPE] = { "insufficient_scope", LOG_LEVEL_WARNING, "1d5f4b1757aac69a6be4b338579774f6" },
    [EVENT_ADMIN_KEY_IN_QUERY] = { "admin_key_in_query", LOG_LEVEL_WARNING, "e34a5537cf44f37ef13edb4f7fe02f43" },
    [EVENT_RATE_LIMIT_EXCEEDED] = { "rate_limit_exceeded", LOG_LEVEL_WARNING, "b1fc4f8fdc625f4a8b135f79c48ba28c" },
    [EVENT_VALIDATION_ERROR] = { "validation_error", LOG_LEVEL_INFO, "2fae147f450d092f67086352777b7d70" },
    [EVENT_HTTP_EXCEPTION] = { "http_exception", LOG_LEVEL_INFO, "32909d2552c5ae40cc5db7599b1e76e5" },
    [EVENT_UNEXPECTED_ERROR] = { "unexpected_error", LOG_LEVEL_ERROR, "fbd13f17a59fe39564da6cadee69d1ef" },
    [EVENT_API_ERROR] = { "api_error", LOG_LEVEL_ERROR, "617031361b8451d227443d022849e79c" },
    [EVENT_APPLICATION_STARTING] = { "application_starting", LOG_LEVEL_INFO, "6dcfd57a45c1da7521b34857c66b80c7" },
    [EVENT_APPLICATION_READY] = { "application_ready", LOG_LEVEL_INFO, "421f9b9e5240662f1586606effd47903" },
    [EVENT_APPLICATION_STOPPING] = { "application_stopping", LOG_LEVEL_INFO, "fb233e53cf4071c75e98f572cb668b58" },
    [EVENT_RELOADED] = { "reloaded", LOG_LEVEL_INFO, "80bfa1f5e4beede4c567b7b6a8f078fd" },
    [EVENT_RELOAD_FAILED] = { "reload_failed", LOG_LEVEL_ERROR, "0b6ab7e951f486a057071175fa8b87c5" },
    [EVENT_UPGRADE_COMPLETED] = { "upgrade_completed", LOG_LEVEL_INFO, "5969eee4b1abd5d47f53e0605b59527d" },
    [EVENT_UPGRADE_FAILED] = { "upgrade_failed", LOG_LEVEL_ERROR, "233c17154d99eaf9552502da2cbacae7" },
    [EVENT_SECURITY_VALIDATION_FAILED] = { "security_validation_failed", LOG_LEVEL_CRITICAL,
                                           "5c73aef9fd03b75e89bedf25e7e548a4" },
    [EVENT_CONFIGURATION_INVALID] = { "configuration_invalid", LOG_LEVEL_CRITICAL,
                                      "951b5cb8087f17414c9c05d42e86f65a" },
    [EVENT_AI_NOT_CONFIGURED] = { "ai_not_configured", LOG_LEVEL_INFO, "0945e9ae0eb7e105c207b78b70936718" },
    [EVENT_WORKER_CRASHED] = { "worker_crashed", LOG_LEVEL_ERROR, "2dd161f0c63f54f8829f48d08812715b" },
    [EVENT_WORKER_HUNG] = { "worker_hung", LOG_LEVEL_ERROR, "3fb8ae87efc3881f18f59279fbee3e03" },
    [EVENT_WORKER_OOM_KILLED] = { "worker_oom_killed", LOG_LEVEL_ERROR, "c16b769b01127e97b6d35dc2f09df355" },
    [EVENT_WORKER_RECYCLED] = { "worker_recycled", LOG_LEVEL_INFO, "49a335e52120a4069d9ca6b2d3eac12b" },
    [EVENT_LOAD_SHED] = { "load_shed", LOG_LEVEL_WARNING, "a130a3af439666b830786b378e34cefc" },
    [EVENT_LISTENER_PAUSED] = { "listener_paused", LOG_LEVEL_WARNING, "c1f20c2e3749c49458c476332f748c73" },
    [EVENT_DATA_LOADING_COMPLETED] = { "data_loading_completed", LOG_LEVEL_INFO, "72385e47acd56015df1cfa7030b9f7f3" },
    [EVENT_DATA_LOADING_FAILED] = { "data_loading_failed", LOG_LEVEL_ERROR, "6ad7cbed6dd31611e3874d4125965b0c" },
    [EVENT_NO_CUSTOMER_DATA] = { "no_customer_data", LOG_LEVEL_WARNING, "cd20bd623823bbbc6288109d0a77a818" },
    [EVENT_DB_CONNECTION_FAILED] = { "db_connection_failed", LOG_LEVEL_ERROR, "803dac88d19bcb54a439e9b8d5112d22" },
    [EVENT_DB_TIMEOUT] = { "db_timeout", LOG_LEVEL_ERROR, "c36dcc36f4e874af464a10ae54f1bd69" },
    [EVENT_DB_RECOVERED] = { "db_recovered", LOG_LEVEL_INFO, "dee3a90cc4bca503455e2c7ff8692853" },
    [EVENT_DB_POOL_EXHAUSTED] = { "db_pool_exhausted", LOG_LEVEL_ERROR, "55f63ac15870964f979d34bbf53e565e" },
    [EVENT_SLOW_QUERY] = { "slow_query", LOG_LEVEL_WARNING, "2ba7de89c4cf9c3c5ce38676b0b142eb" },
    [EVENT_CACHE_UP] = { "cache_up", LOG_LEVEL_INFO, "9bdc030a46eeb94da137730ae9b9a39b" },
    [EVENT_CACHE_DOWN] = { "cache_down", LOG_LEVEL_WARNING, "f5038a8b3d6cf340815ecb6937d7ce60" },
    [EVENT_COMPONENT_STATE_CHANGED] = { "component_state_changed", LOG_LEVEL_WARNING,
                                        "5171921ca128f2079988187cd133f591" },
    [EVENT_SYNC_STARTED] = { "sync_started", LOG_LEVEL_INFO, "82ea084eb87b71831925a87ef9385764" },
    [EVENT_SYNC_PROGRESS] = { "sync_progress", LOG_LEVEL_INFO, "319b63cb326479b55c064feacb3b26d0" },
    [EVENT_SYNC_COMPLETED] = { "sync_completed", LOG_LEVEL_INFO, "083169b3745a136d5bc5ae745dd2e007" },
    [EVENT_SYNC_FAILED] = { "sync_failed", LOG_LEVEL_ERROR, "dd84b791eb6c4ea00e9e16ae03b283ae" },
    [EVENT_SYNC_SKIPPED] = { "sync_skipped", LOG_LEVEL_INFO, "a732442ebc892f1a9429ac15c3ec29bc" },
    [EVENT_DATA_STALE] = { "data_stale", LOG_LEVEL_ERROR, "ed3423499e7fd45509f1246fe1b76196" },
    [EVENT_MODEL_TRAINED] = { "model_trained", LOG_LEVEL_INFO, "ee27a366504ed46050533b6972f26380" },
    [EVENT_API_KEY_CREATED] = { "api_key_created", LOG_LEVEL_INFO, "264278ffdc0ae7d26c775660282c1a3e" },
    [EVENT_API_KEY_ROTATED] = { "api_key_rotated", LOG_LEVEL_INFO, "35cfa636af7d467d8e9c7b556ee6fb13" },
    [EVENT_API_KEY_REVOKED] = { "api_key_revoked", LOG_LEVEL_INFO, "e2db830542d847555278cb6aeccfc071" },
    [EVENT_CLAUDE_COMPLETED] = { "claude_completed", LOG_LEVEL_INFO, "4ac8219b83f1a71eeb3ab040a78ac403" },
    [EVENT_CLAUDE_FAILED] = { "claude_failed", LOG_LEVEL_WARNING, "4e4b1b164e13035549a64c6822b5bdb5" },
};

const struct event *event_get(enum event_id id)
{
    return &events[id];
}
