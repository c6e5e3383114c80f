/*
 * events_table: name, level and journal MESSAGE_ID of every event, and what an operator should know about it: what it
 * means, what to look at, how to put it right. The journal catalog is made of these texts.
 *
 * A MESSAGE_ID is drawn at random once and never changes: the catalog and operators' filters refer to it.
 */
#include "core/events.h"

static const struct event events[EVENT_COUNT] = {
    [EVENT_REQUEST_STARTED] = {
        .name = "request_started",
        .level = LOG_LEVEL_DEBUG,
        .message_id = "a8ddaf0584979278985581385839caf7",
        .meaning = "A request begins. Written only with LOG_LEVEL=DEBUG.",
        .check = "The fields correlation_id, method, path and endpoint.",
        .fix = "Nothing.",
    },
    [EVENT_REQUEST_COMPLETED] = {
        .name = "request_completed",
        .level = LOG_LEVEL_INFO,
        .message_id = "d594824cb954a8e13a7dc5b3d4df2a95",
        .meaning = "A request was answered. ACCESS_LOG decides which are written.",
        .check = "status_code and duration_seconds; correlation_id stands in the answer as well.",
        .fix = "Nothing. ACCESS_LOG=off if these lines are not wanted, SLOW_REQUEST_MS for what counts as slow.",
    },
    [EVENT_REQUEST_FAILED] = {
        .name = "request_failed",
        .level = LOG_LEVEL_ERROR,
        .message_id = "32223c8882c7d70a86a70cfea71af022",
        .meaning = "A request could not be answered as asked, by a fault on this side.",
        .check = "error_type, and the events of the same correlation_id.",
        .fix = "See the event that names the cause.",
    },
    [EVENT_INVALID_API_KEY_ATTEMPTED] = {
        .name = "invalid_api_key_attempted",
        .level = LOG_LEVEL_WARNING,
        .message_id = "72556f5eb146af8a5a5d4fc36e0175cc",
        .quota = 20,
        .meaning = "A request came with an API key that is not valid.",
        .check = "key_prefix, reason and client_ip. Reason expired or revoked: a customer whose key must be replaced; "
      "unknown, from one address again and again: somebody tries keys.",
        .fix = "patronctl keys list shows the keys, keys create and keys rotate make new ones. DENY_LIST in the "
      "settings, and a reload, shuts an address out.",
    },
    [EVENT_INSUFFICIENT_SCOPE] = {
        .name = "insufficient_scope",
        .level = LOG_LEVEL_WARNING,
        .message_id = "1d5f4b1757aac69a6be4b338579774f6",
        .quota = 20,
        .meaning = "A valid key asked for something that its scopes do not cover.",
        .check = "key_id and required.",
        .fix = "Give the customer a key with that scope: patronctl keys create.",
    },
    [EVENT_ADMIN_KEY_IN_QUERY] = {
        .name = "admin_key_in_query",
        .level = LOG_LEVEL_WARNING,
        .message_id = "e34a5537cf44f37ef13edb4f7fe02f43",
        .quota = 20,
        .meaning = "The admin key came as a query parameter, where proxies and logs keep it.",
        .check = "client_ip: whose script does that.",
        .fix = "Send it as the header X-API-Key; change ADMIN_KEY if the address may stand in somebody's log.",
    },
    [EVENT_RATE_LIMIT_EXCEEDED] = {
        .name = "rate_limit_exceeded",
        .level = LOG_LEVEL_WARNING,
        .message_id = "b1fc4f8fdc625f4a8b135f79c48ba28c",
        .quota = 100,
        .meaning = "A client asked more often than its limit allows and was told to wait.",
        .check = "policy, key_id and client_ip; suppressed counts the lines left out since the last one.",
        .fix = "Nothing if it is abuse. For a good customer: a key with a higher limit, ALLOW_LIST, or the "
      "RATE_LIMIT_ settings, and a reload.",
    },
    [EVENT_VALIDATION_ERROR] = {
        .name = "validation_error",
        .level = LOG_LEVEL_INFO,
        .message_id = "2fae147f450d092f67086352777b7d70",
        .quota = 20,
        .meaning = "A request had parameters or a body that the interface does not take.",
        .check = "errors names them.",
        .fix = "The client must be corrected; /openapi.json says what is taken.",
    },
    [EVENT_HTTP_EXCEPTION] = {
        .name = "http_exception",
        .level = LOG_LEVEL_INFO,
        .message_id = "32909d2552c5ae40cc5db7599b1e76e5",
        .quota = 20,
        .meaning = "A request was refused with an error status.",
        .check = "status_code and detail.",
        .fix = "Nothing, unless one client does it all the time.",
    },
    [EVENT_UNEXPECTED_ERROR] = {
        .name = "unexpected_error",
        .level = LOG_LEVEL_ERROR,
        .message_id = "fbd13f17a59fe39564da6cadee69d1ef",
        .quota = 50,
        .meaning = "Something happened that the program did not expect.",
        .check = "The sentence, and the events before it from the same process.",
        .fix = "Report it with these lines. The process goes on, or is replaced.",
    },
    [EVENT_API_ERROR] = {
        .name = "api_error",
        .level = LOG_LEVEL_ERROR,
        .message_id = "617031361b8451d227443d022849e79c",
        .quota = 20,
        .meaning = "A request failed with an error of the application.",
        .check = "error_code and details.",
        .fix = "See the event that names the cause.",
    },
    [EVENT_APPLICATION_STARTING] = {
        .name = "application_starting",
        .level = LOG_LEVEL_INFO,
        .message_id = "6dcfd57a45c1da7521b34857c66b80c7",
        .meaning = "The server starts.",
        .check = "version, workers and listen.",
        .fix = "Nothing. If it does not become ready, the next events say why.",
    },
    [EVENT_APPLICATION_READY] = {
        .name = "application_ready",
        .level = LOG_LEVEL_INFO,
        .message_id = "421f9b9e5240662f1586606effd47903",
        .meaning = "The server serves.",
        .check = "patronctl status.",
        .fix = "Nothing.",
    },
    [EVENT_APPLICATION_STOPPING] = {
        .name = "application_stopping",
        .level = LOG_LEVEL_INFO,
        .message_id = "fb233e53cf4071c75e98f572cb668b58",
        .meaning = "The server stops, has stopped, or cannot start; the sentence says which.",
        .check = "Whether somebody asked for it: systemctl status patrond. \"cannot start\" names what is in the way.",
        .fix = "Where an address is in use or a directory cannot be written: free it, or change LISTEN, RUN_DIR or "
      "STATE_DIR.",
    },
    [EVENT_RELOADED] = {
        .name = "reloaded",
        .level = LOG_LEVEL_INFO,
        .message_id = "80bfa1f5e4beede4c567b7b6a8f078fd",
        .meaning = "New settings are in force, or a worker more or fewer serves. No request was lost.",
        .check = "changed names the settings.",
        .fix = "Nothing.",
    },
    [EVENT_RELOAD_FAILED] = {
        .name = "reload_failed",
        .level = LOG_LEVEL_ERROR,
        .message_id = "0b6ab7e951f486a057071175fa8b87c5",
        .meaning = "The settings were not taken; those before stay in force and the server goes on.",
        .check = "error names the setting and the line, or the process that could not start with them.",
        .fix = "Correct the settings; patrond -t tests them without a server; then patronctl reload.",
    },
    [EVENT_UPGRADE_COMPLETED] = {
        .name = "upgrade_completed",
        .level = LOG_LEVEL_INFO,
        .message_id = "5969eee4b1abd5d47f53e0605b59527d",
        .meaning = "The installed program runs now, in the same process and with the same sockets. No request was lost.",
        .check = "from and to: the versions.",
        .fix = "Nothing.",
    },
    [EVENT_UPGRADE_FAILED] = {
        .name = "upgrade_failed",
        .level = LOG_LEVEL_ERROR,
        .message_id = "233c17154d99eaf9552502da2cbacae7",
        .meaning = "The installed program could not take over; the version before goes on serving.",
        .check = "error; patrond -r shows it by hand. from is the version that serves, to the one that failed.",
        .fix = "Install a version that can start with these settings, then patronctl upgrade. Do not leave the "
      "broken one installed: a restart would start it.",
    },
    [EVENT_SECURITY_VALIDATION_FAILED] = {
        .name = "security_validation_failed",
        .level = LOG_LEVEL_CRITICAL,
        .message_id = "5c73aef9fd03b75e89bedf25e7e548a4",
        .meaning = "The server does not start because the settings would leave it open.",
        .check = "The sentence names the setting.",
        .fix = "Set it: ADMIN_KEY to a random value (openssl rand -hex 24), ALLOWED_ORIGINS to the origins that are "
      "yours. patrond -t shows all problems at once.",
    },
    [EVENT_CONFIGURATION_INVALID] = {
        .name = "configuration_invalid",
        .level = LOG_LEVEL_CRITICAL,
        .message_id = "951b5cb8087f17414c9c05d42e86f65a",
        .meaning = "The settings cannot be used and the server does not start (exit status 78, which systemd does not "
      "answer by another start). As a warning: something in them does nothing.",
        .check = "Each line names a setting, where it stands, and what is wrong.",
        .fix = "Correct it, see patrond.conf(5); patrond -t shows all problems at once.",
    },
    [EVENT_AI_NOT_CONFIGURED] = {
        .name = "ai_not_configured",
        .level = LOG_LEVEL_INFO,
        .message_id = "0945e9ae0eb7e105c207b78b70936718",
        .meaning = "There is no ANTHROPIC_API_KEY: questions in natural language are answered by rules.",
        .check = "Whether that is intended.",
        .fix = "Nothing, or set ANTHROPIC_API_KEY and reload.",
    },
    [EVENT_WORKER_CRASHED] = {
        .name = "worker_crashed",
        .level = LOG_LEVEL_ERROR,
        .message_id = "2dd161f0c63f54f8829f48d08812715b",
        .meaning = "A process ended that nobody had told to end.",
        .check = "signal or exit_status, doing, rss_bytes and age_seconds. The same doing again and again: the same "
      "request does it. \"SIGKILL from outside\": somebody or something on this machine.",
        .fix = "Nothing at once: it is replaced, after a growing pause where it dies soon. Report crashes by SIGSEGV "
      "or SIGABRT; if they began with a new version, install the one before and patronctl upgrade.",
    },
    [EVENT_WORKER_HUNG] = {
        .name = "worker_hung",
        .level = LOG_LEVEL_ERROR,
        .message_id = "3fb8ae87efc3881f18f59279fbee3e03",
        .meaning = "A process gives no sign of life. A worker gets a stand-in; after WORKER_HANG_ABORT seconds it gets "
      "SIGABRT, after WORKER_HANG_KILL SIGKILL. At level info: it is alive again. Of the sync: its run made "
      "no progress or passed its deadline.",
        .check = "doing, and the state of the process: D waits for a disk, T was stopped, R computes.",
        .fix = "Nothing at once. Look at the machine's disk and CPU (iostat, top); report doing if it comes again.",
    },
    [EVENT_WORKER_OOM_KILLED] = {
        .name = "worker_oom_killed",
        .level = LOG_LEVEL_ERROR,
        .message_id = "c16b769b01127e97b6d35dc2f09df355",
        .meaning = "The kernel killed a process because the memory limit of the service, or of the machine, was reached. "
      "It is replaced.",
        .check = "rss_bytes and peak_rss_bytes against the limit: systemctl show -p MemoryMax,MemoryCurrent patrond. "
      "process sync: a run needed too much.",
        .fix = "More memory for the unit, fewer WORKERS, or a smaller WORKER_MAX_RSS_MB, MAX_REQUEST_MEMORY_BYTES or "
      "SYNC_BATCH_ROWS.",
    },
    [EVENT_WORKER_RECYCLED] = {
        .name = "worker_recycled",
        .level = LOG_LEVEL_INFO,
        .message_id = "49a335e52120a4069d9ca6b2d3eac12b",
        .meaning = "A worker is replaced: its replacement is ready and it drains (reason rss, requests), or it was told "
      "to stop from outside (terminated), or it did not end in DRAIN_TIMEOUT.",
        .check = "reason. rss every few minutes: a leak, or a limit that is too small.",
        .fix = "Nothing. WORKER_MAX_RSS_MB and WORKER_MAX_REQUESTS set the limits.",
    },
    [EVENT_LOAD_SHED] = {
        .name = "load_shed",
        .level = LOG_LEVEL_WARNING,
        .message_id = "a130a3af439666b830786b378e34cefc",
        .quota = 5,
        .meaning = "There is more work than this server can do in time: what is too much is answered with 503 at once, "
      "the rest as always.",
        .check = "reason and in_flight; patronctl top: who asks, and how busy the workers are.",
        .fix = "If it stays: more CPUs and WORKERS, another server, or a limit for the client that causes it "
      "(RATE_LIMIT_DEFAULT, DENY_LIST).",
    },
    [EVENT_LISTENER_PAUSED] = {
        .name = "listener_paused",
        .level = LOG_LEVEL_WARNING,
        .message_id = "c1f20c2e3749c49458c476332f748c73",
        .quota = 5,
        .meaning = "A worker takes no more connections for a moment.",
        .check = "reason fds: LimitNOFILE= of the unit, and who holds so many connections (ss -tn). reason "
      "connections: MAX_CONNECTIONS.",
        .fix = "It goes on by itself. If it stays: a larger LimitNOFILE= or MAX_CONNECTIONS, or a smaller "
      "IDLE_TIMEOUT.",
    },
    [EVENT_DATA_LOADING_COMPLETED] = {
        .name = "data_loading_completed",
        .level = LOG_LEVEL_INFO,
        .message_id = "72385e47acd56015df1cfa7030b9f7f3",
        .meaning = "A published data set is in service in a worker.",
        .check = "customer_count and data_version.",
        .fix = "Nothing.",
    },
    [EVENT_DATA_LOADING_FAILED] = {
        .name = "data_loading_failed",
        .level = LOG_LEVEL_ERROR,
        .message_id = "6ad7cbed6dd31611e3874d4125965b0c",
        .meaning = "A published data set could not be used; the one before stays in service.",
        .check = "error names the file in STATE_DIR and what is wrong with it.",
        .fix = "patronctl sync publishes a new one. A damaged file: look at the disk and its free space.",
    },
    [EVENT_NO_CUSTOMER_DATA] = {
        .name = "no_customer_data",
        .level = LOG_LEVEL_WARNING,
        .message_id = "cd20bd623823bbbc6288109d0a77a818",
        .meaning = "There is no data set yet; requests for data get 503.",
        .check = "patronctl status: whether a sync runs, and how the last one ended.",
        .fix = "patronctl sync --wait, once the source and PostgreSQL can be reached (patronctl check).",
    },
    [EVENT_DB_CONNECTION_FAILED] = {
        .name = "db_connection_failed",
        .level = LOG_LEVEL_ERROR,
        .message_id = "803dac88d19bcb54a439e9b8d5112d22",
        .meaning = "PostgreSQL cannot be reached. What the data set answers is answered as always; order history and "
      "product analytics get a cached answer or 503.",
        .check = "sqlstate, host and error; patronctl check postgres. 53300: PostgreSQL has no connection left for us. "
      "28P01: the password.",
        .fix = "Start PostgreSQL, or correct DATABASE_URL. 53300: a larger max_connections there, or smaller "
      "DB_POOL_SIZE and DB_MAX_OVERFLOW here. It is tried again by itself.",
    },
    [EVENT_DB_TIMEOUT] = {
        .name = "db_timeout",
        .level = LOG_LEVEL_ERROR,
        .message_id = "c36dcc36f4e874af464a10ae54f1bd69",
        .meaning = "PostgreSQL accepts connections but does not answer in time. The connection is given up, the query "
      "cancelled.",
        .check = "patronctl check postgres; on its machine: load, disk, and locks (wait_event_type = 'Lock' in "
      "pg_stat_activity).",
        .fix = "End what blocks it. DB_STATEMENT_TIMEOUT and DB_CONNECT_TIMEOUT say how long we wait.",
    },
    [EVENT_DB_RECOVERED] = {
        .name = "db_recovered",
        .level = LOG_LEVEL_INFO,
        .message_id = "dee3a90cc4bca503455e2c7ff8692853",
        .meaning = "PostgreSQL answers again.",
        .check = "Nothing.",
        .fix = "Nothing.",
    },
    [EVENT_DB_POOL_EXHAUSTED] = {
        .name = "db_pool_exhausted",
        .level = LOG_LEVEL_ERROR,
        .message_id = "55f63ac15870964f979d34bbf53e565e",
        .quota = 5,
        .meaning = "All database connections are in use and requests wait for one; those that wait too long get 503.",
        .check = "checked_out and waiting; the events slow_query: which statement holds them.",
        .fix = "If statements are slow, make them fast (patronctl doctor names missing indexes). Otherwise raise "
      "DB_POOL_SIZE or DB_MAX_OVERFLOW, below max_connections of PostgreSQL, and reload.",
    },
    [EVENT_SLOW_QUERY] = {
        .name = "slow_query",
        .level = LOG_LEVEL_WARNING,
        .message_id = "2ba7de89c4cf9c3c5ce38676b0b142eb",
        .quota = 20,
        .meaning = "A database statement took longer than SLOW_QUERY_MS.",
        .check = "query_type and query_duration_ms; patronctl doctor names missing indexes.",
        .fix = "patronctl doctor --fix creates them; ANALYZE the tables.",
    },
    [EVENT_CACHE_UP] = {
        .name = "cache_up",
        .level = LOG_LEVEL_INFO,
        .message_id = "9bdc030a46eeb94da137730ae9b9a39b",
        .meaning = "Redis answers again.",
        .check = "Nothing.",
        .fix = "Nothing.",
    },
    [EVENT_CACHE_DOWN] = {
        .name = "cache_down",
        .level = LOG_LEVEL_WARNING,
        .message_id = "f5038a8b3d6cf340815ecb6937d7ce60",
        .meaning = "Redis does not answer. All answers stay the same, some come more slowly.",
        .check = "error; patronctl check redis.",
        .fix = "Start Redis, or correct REDIS_URL. It is tried again each second.",
    },
    [EVENT_COMPONENT_STATE_CHANGED] = {
        .name = "component_state_changed",
        .level = LOG_LEVEL_WARNING,
        .message_id = "5171921ca128f2079988187cd133f591",
        .meaning = "A component of the server went from one state to another.",
        .check = "component, from, to and error; patronctl status.",
        .fix = "See the event of the component itself; patronctl doctor explains each failing check.",
    },
    [EVENT_SYNC_STARTED] = {
        .name = "sync_started",
        .level = LOG_LEVEL_INFO,
        .message_id = "82ea084eb87b71831925a87ef9385764",
        .meaning = "A sync run begins.",
        .check = "run_id, mode and trigger.",
        .fix = "Nothing.",
    },
    [EVENT_SYNC_PROGRESS] = {
        .name = "sync_progress",
        .level = LOG_LEVEL_INFO,
        .message_id = "319b63cb326479b55c064feacb3b26d0",
        .meaning = "A sync run gets on.",
        .check = "rows_read and percent.",
        .fix = "Nothing.",
    },
    [EVENT_SYNC_COMPLETED] = {
        .name = "sync_completed",
        .level = LOG_LEVEL_INFO,
        .message_id = "083169b3745a136d5bc5ae745dd2e007",
        .meaning = "A sync run has ended well; its data are in service.",
        .check = "The counts.",
        .fix = "Nothing.",
    },
    [EVENT_SYNC_FAILED] = {
        .name = "sync_failed",
        .level = LOG_LEVEL_ERROR,
        .message_id = "dd84b791eb6c4ea00e9e16ae03b283ae",
        .meaning = "A sync run failed. The data of the last good run stay in service, whole.",
        .check = "reason, phase and error. source_connect, source_auth: patronctl check source. database: patronctl "
      "check postgres. disk: df. timeout: no progress, or longer than SYNC_TIMEOUT. memory: "
      "worker_oom_killed. validation: the table sync_quarantine.",
        .fix = "Remove the cause; the next run by schedule repeats it, patronctl sync --wait does so at once.",
    },
    [EVENT_SYNC_SKIPPED] = {
        .name = "sync_skipped",
        .level = LOG_LEVEL_INFO,
        .message_id = "a732442ebc892f1a9429ac15c3ec29bc",
        .meaning = "A run was not started because another is under way, here or on another machine.",
        .check = "patronctl status: the run that goes on.",
        .fix = "Nothing.",
    },
    [EVENT_DATA_STALE] = {
        .name = "data_stale",
        .level = LOG_LEVEL_ERROR,
        .message_id = "ed3423499e7fd45509f1246fe1b76196",
        .meaning = "No sync has succeeded for longer than STALE_AFTER_HOURS; answers carry the age of their data.",
        .check = "The last sync_failed; patronctl status: when the next run is due.",
        .fix = "Remove what makes the runs fail, then patronctl sync --wait.",
    },
    [EVENT_MODEL_TRAINED] = {
        .name = "model_trained",
        .level = LOG_LEVEL_INFO,
        .message_id = "ee27a366504ed46050533b6972f26380",
        .meaning = "The model was fitted and held against what happened.",
        .check = "calibrated, auc, ece and bias_pct; patronctl models.",
        .fix = "Nothing. With calibrated=false the predictions are a rule of thumb's.",
    },
    [EVENT_API_KEY_CREATED] = {
        .name = "api_key_created",
        .level = LOG_LEVEL_INFO,
        .message_id = "264278ffdc0ae7d26c775660282c1a3e",
        .meaning = "An API key was created.",
        .check = "key_id and by.",
        .fix = "If nobody of yours did that: patronctl keys revoke, and change ADMIN_KEY.",
    },
    [EVENT_API_KEY_ROTATED] = {
        .name = "api_key_rotated",
        .level = LOG_LEVEL_INFO,
        .message_id = "35cfa636af7d467d8e9c7b556ee6fb13",
        .meaning = "An API key was replaced by a new one.",
        .check = "key_id and by.",
        .fix = "If nobody of yours did that: patronctl keys revoke, and change ADMIN_KEY.",
    },
    [EVENT_API_KEY_REVOKED] = {
        .name = "api_key_revoked",
        .level = LOG_LEVEL_INFO,
        .message_id = "e2db830542d847555278cb6aeccfc071",
        .meaning = "An API key is no longer valid.",
        .check = "key_id and by.",
        .fix = "Nothing.",
    },
    [EVENT_CLAUDE_COMPLETED] = {
        .name = "claude_completed",
        .level = LOG_LEVEL_INFO,
        .message_id = "4ac8219b83f1a71eeb3ab040a78ac403",
        .meaning = "A question was interpreted by Claude.",
        .check = "duration_seconds and the tokens.",
        .fix = "Nothing.",
    },
    [EVENT_CLAUDE_FAILED] = {
        .name = "claude_failed",
        .level = LOG_LEVEL_WARNING,
        .message_id = "4e4b1b164e13035549a64c6822b5bdb5",
        .quota = 20,
        .meaning = "Claude did not answer as it should; the question was answered by rules.",
        .check = "status, error_type and request_id. 401: the key. 429, 529: too many calls. timeout: the network.",
        .fix = "Correct ANTHROPIC_API_KEY and reload, or wait: it is tried again by itself.",
    },
};

const struct event *event_get(enum event_id id)
{
    return &events[id];
}
