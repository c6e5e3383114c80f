/*
 * events_table: name, level and journal MESSAGE_ID of every event, and what an operator should know about it: what it
 * means, what to look at, how to put it right. The journal catalog is made of these texts.
 *
 * A MESSAGE_ID is drawn at random once and never changes: the catalog and operators' filters refer to it.
 */
#include "core/events.h"

#define EVENT(text, severity, id) .name = text, .level = severity, .message_id = id

static const struct event events[EVENT_COUNT] = {
    [EVENT_REQUEST_STARTED] = {
        EVENT("request_started", LOG_LEVEL_DEBUG, "a8ddaf0584979278985581385839caf7"),
        .meaning = "A request begins. Written only with LOG_LEVEL=DEBUG.",
        .check = "The fields correlation_id, method, path and endpoint.",
        .fix = "Nothing.",
    },
    [EVENT_REQUEST_COMPLETED] = {
        EVENT("request_completed", LOG_LEVEL_INFO, "d594824cb954a8e13a7dc5b3d4df2a95"),
        .meaning = "A request was answered. ACCESS_LOG decides which are written.",
        .check = "status_code and duration_seconds; correlation_id stands in the answer as well.",
        .fix = "Nothing. ACCESS_LOG=off if these lines are not wanted, SLOW_REQUEST_MS for what counts as slow.",
    },
    [EVENT_REQUEST_FAILED] = {
        EVENT("request_failed", LOG_LEVEL_ERROR, "32223c8882c7d70a86a70cfea71af022"),
        .meaning = "A request could not be answered as asked, by a fault on this side.",
        .check = "status_code and error_type, and the events of the same correlation_id. SERVICE_UNAVAILABLE: there are no "
      "data yet, PostgreSQL is away, or there was too much to do.",
        .fix = "See the event that names the cause; patronctl doctor.",
    },
    [EVENT_INVALID_API_KEY_ATTEMPTED] = {
        EVENT("invalid_api_key_attempted", LOG_LEVEL_WARNING, "72556f5eb146af8a5a5d4fc36e0175cc"),
        .quota = 20,
        .meaning = "A request came with an API key that is not valid.",
        .check = "key_prefix, reason and client_ip. Reason expired or revoked: a customer whose key must be replaced; "
      "unknown, from one address again and again: somebody tries keys.",
        .fix = "patronctl keys list shows the keys, keys create and keys rotate make new ones. DENY_LIST in the "
      "settings, and a reload, shuts an address out.",
    },
    [EVENT_INSUFFICIENT_SCOPE] = {
        EVENT("insufficient_scope", LOG_LEVEL_WARNING, "1d5f4b1757aac69a6be4b338579774f6"),
        .quota = 20,
        .meaning = "A valid key asked for something that its scopes do not cover.",
        .check = "key_id and required.",
        .fix = "Give the customer a key with that scope: patronctl keys create.",
    },
    [EVENT_ADMIN_KEY_IN_QUERY] = {
        EVENT("admin_key_in_query", LOG_LEVEL_WARNING, "e34a5537cf44f37ef13edb4f7fe02f43"),
        .quota = 20,
        .meaning = "The admin key came as a query parameter, where proxies and logs keep it.",
        .check = "client_ip: whose script does that.",
        .fix = "Send it as the header X-Admin-Key; change ADMIN_KEY if the address may stand in somebody's log.",
    },
    [EVENT_RATE_LIMIT_EXCEEDED] = {
        EVENT("rate_limit_exceeded", LOG_LEVEL_WARNING, "b1fc4f8fdc625f4a8b135f79c48ba28c"),
        .quota = 100,
        .meaning = "A client asked more often than its limit allows and was told to wait.",
        .check = "policy, key_id and client_ip; suppressed counts the lines left out since the last one.",
        .fix = "Nothing if it is abuse. For a good customer: a key with a higher limit, ALLOW_LIST, or the "
      "RATE_LIMIT_ settings, and a reload.",
    },
    [EVENT_VALIDATION_ERROR] = {
        EVENT("validation_error", LOG_LEVEL_INFO, "2fae147f450d092f67086352777b7d70"),
        .quota = 20,
        .meaning = "A request had parameters or a body that the interface does not take.",
        .check = "errors names them.",
        .fix = "The client must be corrected; /openapi.json says what is taken.",
    },
    [EVENT_HTTP_EXCEPTION] = {
        EVENT("http_exception", LOG_LEVEL_INFO, "32909d2552c5ae40cc5db7599b1e76e5"),
        .quota = 20,
        .meaning = "A request was refused with an error status.",
        .check = "status_code and detail.",
        .fix = "Nothing, unless one client does it all the time.",
    },
    [EVENT_UNEXPECTED_ERROR] = {
        EVENT("unexpected_error", LOG_LEVEL_ERROR, "fbd13f17a59fe39564da6cadee69d1ef"),
        .quota = 50,
        .meaning = "Something happened that the program did not expect.",
        .check = "The sentence, and the events before it from the same process.",
        .fix = "Report it with these lines. The process goes on, or is replaced.",
    },
    [EVENT_API_ERROR] = {
        EVENT("api_error", LOG_LEVEL_ERROR, "617031361b8451d227443d022849e79c"),
        .quota = 20,
        .meaning = "A request failed with an error of the application.",
        .check = "error_code and details.",
        .fix = "See the event that names the cause.",
    },
    [EVENT_APPLICATION_STARTING] = {
        EVENT("application_starting", LOG_LEVEL_INFO, "6dcfd57a45c1da7521b34857c66b80c7"),
        .transition = true,
        .meaning = "The server starts.",
        .check = "version, workers and listen.",
        .fix = "Nothing. If it does not become ready, the next events say why.",
    },
    [EVENT_APPLICATION_READY] = {
        EVENT("application_ready", LOG_LEVEL_INFO, "421f9b9e5240662f1586606effd47903"),
        .transition = true,
        .meaning = "The server serves.",
        .check = "patronctl status.",
        .fix = "Nothing.",
    },
    [EVENT_APPLICATION_STOPPING] = {
        EVENT("application_stopping", LOG_LEVEL_INFO, "fb233e53cf4071c75e98f572cb668b58"),
        .transition = true,
        .meaning = "The server stops, has stopped, or cannot start; the sentence says which.",
        .check = "Whether somebody asked for it: systemctl status patrond. \"cannot start\" names what is in the way.",
        .fix = "Where an address is in use or a directory cannot be written: free it, or change LISTEN, RUN_DIR or "
      "STATE_DIR.",
    },
    [EVENT_RELOADED] = {
        EVENT("reloaded", LOG_LEVEL_INFO, "80bfa1f5e4beede4c567b7b6a8f078fd"),
        .transition = true,
        .meaning = "New settings are in force, or a worker more or fewer serves. No request was lost.",
        .check = "changed names the settings.",
        .fix = "Nothing.",
    },
    [EVENT_RELOAD_FAILED] = {
        EVENT("reload_failed", LOG_LEVEL_ERROR, "0b6ab7e951f486a057071175fa8b87c5"),
        .transition = true,
        .meaning = "The settings were not taken; those before stay in force and the server goes on.",
        .check = "error names the setting and the line, or the process that could not start with them.",
        .fix = "Correct the settings; patrond -t tests them without a server; then patronctl reload.",
    },
    [EVENT_UPGRADE_COMPLETED] = {
        EVENT("upgrade_completed", LOG_LEVEL_INFO, "5969eee4b1abd5d47f53e0605b59527d"),
        .transition = true,
        .meaning = "The installed program runs now, in the same process and with the same sockets. No request was lost.",
        .check = "from and to: the versions.",
        .fix = "Nothing.",
    },
    [EVENT_UPGRADE_FAILED] = {
        EVENT("upgrade_failed", LOG_LEVEL_ERROR, "233c17154d99eaf9552502da2cbacae7"),
        .transition = true,
        .meaning = "The installed program could not take over; the version before goes on serving.",
        .check = "error; patrond -r shows it by hand. from is the version that serves, to the one that failed.",
        .fix = "Install a version that can start with these settings, then patronctl upgrade. Do not leave the "
      "broken one installed: a restart would start it.",
    },
    [EVENT_SECURITY_VALIDATION_FAILED] = {
        EVENT("security_validation_failed", LOG_LEVEL_CRITICAL, "5c73aef9fd03b75e89bedf25e7e548a4"),
        .transition = true,
        .meaning = "The server does not start because the settings would leave it open.",
        .check = "The sentence names the setting.",
        .fix = "Set it: ADMIN_KEY to a random value (openssl rand -hex 24), ALLOWED_ORIGINS to the origins that are "
      "yours. patrond -t shows all problems at once.",
    },
    [EVENT_CONFIGURATION_INVALID] = {
        EVENT("configuration_invalid", LOG_LEVEL_CRITICAL, "951b5cb8087f17414c9c05d42e86f65a"),
        .transition = true,
        .meaning = "The settings cannot be used and the server does not start (exit status 78, which systemd does not "
      "answer by another start). As a warning: something in them does nothing.",
        .check = "Each line names a setting, where it stands, and what is wrong.",
        .fix = "Correct it, see patrond.conf(5); patrond -t shows all problems at once.",
    },
    [EVENT_AI_NOT_CONFIGURED] = {
        EVENT("ai_not_configured", LOG_LEVEL_INFO, "0945e9ae0eb7e105c207b78b70936718"),
        .transition = true,
        .meaning = "There is no ANTHROPIC_API_KEY: questions in natural language are answered by rules.",
        .check = "Whether that is intended.",
        .fix = "Nothing, or set ANTHROPIC_API_KEY and reload.",
    },
    [EVENT_WORKER_CRASHED] = {
        EVENT("worker_crashed", LOG_LEVEL_ERROR, "2dd161f0c63f54f8829f48d08812715b"),
        .transition = true,
        .meaning = "A process ended that nobody had told to end.",
        .check = "signal or exit_status, doing, rss_bytes and age_seconds. The same doing again and again: the same "
      "request does it. \"SIGKILL from outside\": somebody or something on this machine.",
        .fix = "Nothing at once: it is replaced, after a growing pause where it dies soon. Report crashes by SIGSEGV "
      "or SIGABRT; if they began with a new version, install the one before and patronctl upgrade.",
    },
    [EVENT_WORKER_HUNG] = {
        EVENT("worker_hung", LOG_LEVEL_ERROR, "3fb8ae87efc3881f18f59279fbee3e03"),
        .transition = true,
        .meaning = "A process gives no sign of life. A worker gets a stand-in; after WORKER_HANG_ABORT seconds it gets "
      "SIGABRT, after WORKER_HANG_KILL SIGKILL. At level info: it is alive again. Of the sync: its run made "
      "no progress or passed its deadline.",
        .check = "doing, and the state of the process: D waits for a disk, T was stopped, R computes.",
        .fix = "Nothing at once. Look at the machine's disk and CPU (iostat, top); report doing if it comes again.",
    },
    [EVENT_WORKER_OOM_KILLED] = {
        EVENT("worker_oom_killed", LOG_LEVEL_ERROR, "c16b769b01127e97b6d35dc2f09df355"),
        .transition = true,
        .meaning = "The kernel killed a process because the memory limit of the service, or of the machine, was reached. "
      "It is replaced.",
        .check = "rss_bytes and peak_rss_bytes against the limit: systemctl show -p MemoryMax,MemoryCurrent patrond. "
      "process sync: a run needed too much.",
        .fix = "More memory for the unit, fewer WORKERS, or a smaller WORKER_MAX_RSS_MB, MAX_REQUEST_MEMORY_BYTES or "
      "SYNC_BATCH_ROWS.",
    },
    [EVENT_WORKER_RECYCLED] = {
        EVENT("worker_recycled", LOG_LEVEL_INFO, "49a335e52120a4069d9ca6b2d3eac12b"),
        .transition = true,
        .meaning = "A worker is replaced: its replacement is ready and it drains (reason rss, requests), or it was told "
      "to stop from outside (terminated), or it did not end in DRAIN_TIMEOUT.",
        .check = "reason. rss every few minutes: a leak, or a limit that is too small.",
        .fix = "Nothing. WORKER_MAX_RSS_MB and WORKER_MAX_REQUESTS set the limits.",
    },
    [EVENT_LOAD_SHED] = {
        EVENT("load_shed", LOG_LEVEL_WARNING, "a130a3af439666b830786b378e34cefc"),
        .transition = true,
        .quota = 5,
        .meaning = "There is more work than this server can do in time: what is too much is answered with 503 at once, "
      "the rest as always.",
        .check = "reason and in_flight; patronctl top: who asks, and how busy the workers are.",
        .fix = "If it stays: more CPUs and WORKERS, another server, or a limit for the client that causes it "
      "(RATE_LIMIT_DEFAULT, DENY_LIST).",
    },
    [EVENT_LISTENER_PAUSED] = {
        EVENT("listener_paused", LOG_LEVEL_WARNING, "c1f20c2e3749c49458c476332f748c73"),
        .transition = true,
        .quota = 5,
        .meaning = "A worker takes no more connections for a moment.",
        .check = "reason fds: LimitNOFILE= of the unit, and who holds so many connections (ss -tn). reason "
      "connections: MAX_CONNECTIONS.",
        .fix = "It goes on by itself. If it stays: a larger LimitNOFILE= or MAX_CONNECTIONS, or a smaller "
      "IDLE_TIMEOUT.",
    },
    [EVENT_DATA_LOADING_COMPLETED] = {
        EVENT("data_loading_completed", LOG_LEVEL_INFO, "72385e47acd56015df1cfa7030b9f7f3"),
        .transition = true,
        .meaning = "A published data set is in service in a worker.",
        .check = "customer_count and data_version.",
        .fix = "Nothing.",
    },
    [EVENT_DATA_LOADING_FAILED] = {
        EVENT("data_loading_failed", LOG_LEVEL_ERROR, "6ad7cbed6dd31611e3874d4125965b0c"),
        .transition = true,
        .meaning = "A published data set could not be used; the one before stays in service.",
        .check = "error names the file in STATE_DIR and what is wrong with it.",
        .fix = "patronctl sync publishes a new one. A damaged file: look at the disk and its free space.",
    },
    [EVENT_NO_CUSTOMER_DATA] = {
        EVENT("no_customer_data", LOG_LEVEL_WARNING, "cd20bd623823bbbc6288109d0a77a818"),
        .transition = true,
        .meaning = "There is no data set yet; requests for data get 503.",
        .check = "patronctl status: whether a sync runs, and how the last one ended.",
        .fix = "patronctl sync --wait, once the source and PostgreSQL can be reached (patronctl check).",
    },
    [EVENT_DB_CONNECTION_FAILED] = {
        EVENT("db_connection_failed", LOG_LEVEL_ERROR, "803dac88d19bcb54a439e9b8d5112d22"),
        .transition = true,
        .meaning = "PostgreSQL cannot be reached. What the data set answers is answered as always; order history and "
      "product analytics get a cached answer or 503.",
        .check = "sqlstate, host and error; patronctl check postgres. 53300: PostgreSQL has no connection left for us. "
      "28P01: the password.",
        .fix = "Start PostgreSQL, or correct DATABASE_URL. 53300: a larger max_connections there, or smaller "
      "DB_POOL_SIZE and DB_MAX_OVERFLOW here. It is tried again by itself.",
    },
    [EVENT_DB_TIMEOUT] = {
        EVENT("db_timeout", LOG_LEVEL_ERROR, "c36dcc36f4e874af464a10ae54f1bd69"),
        .transition = true,
        .meaning = "PostgreSQL accepts connections but does not answer in time. The connection is given up, the query "
      "cancelled.",
        .check = "patronctl check postgres; on its machine: load, disk, and locks (wait_event_type = 'Lock' in "
      "pg_stat_activity).",
        .fix = "End what blocks it. DB_STATEMENT_TIMEOUT and DB_CONNECT_TIMEOUT say how long we wait.",
    },
    [EVENT_DB_RECOVERED] = {
        EVENT("db_recovered", LOG_LEVEL_INFO, "dee3a90cc4bca503455e2c7ff8692853"),
        .transition = true,
        .meaning = "PostgreSQL answers again.",
        .check = "Nothing.",
        .fix = "Nothing.",
    },
    [EVENT_DB_POOL_EXHAUSTED] = {
        EVENT("db_pool_exhausted", LOG_LEVEL_ERROR, "55f63ac15870964f979d34bbf53e565e"),
        .transition = true,
        .quota = 5,
        .meaning = "All database connections are in use and requests wait for one; those that wait too long get 503.",
        .check = "checked_out and waiting; the events slow_query: which statement holds them.",
        .fix = "If statements are slow, make them fast (patronctl doctor names missing indexes). Otherwise raise "
      "DB_POOL_SIZE or DB_MAX_OVERFLOW, below max_connections of PostgreSQL, and reload.",
    },
    [EVENT_SLOW_QUERY] = {
        EVENT("slow_query", LOG_LEVEL_WARNING, "2ba7de89c4cf9c3c5ce38676b0b142eb"),
        .quota = 20,
        .meaning = "A database statement took longer than SLOW_QUERY_MS.",
        .check = "query_type and query_duration_ms; patronctl doctor names missing indexes.",
        .fix = "patronctl doctor --fix creates them; ANALYZE the tables.",
    },
    [EVENT_CACHE_UP] = {
        EVENT("cache_up", LOG_LEVEL_INFO, "9bdc030a46eeb94da137730ae9b9a39b"),
        .transition = true,
        .meaning = "Redis answers again.",
        .check = "Nothing.",
        .fix = "Nothing.",
    },
    [EVENT_CACHE_DOWN] = {
        EVENT("cache_down", LOG_LEVEL_WARNING, "f5038a8b3d6cf340815ecb6937d7ce60"),
        .transition = true,
        .meaning = "Redis does not answer. All answers stay the same, some come more slowly.",
        .check = "error; patronctl check redis.",
        .fix = "Start Redis, or correct REDIS_URL. It is tried again each second.",
    },
    [EVENT_COMPONENT_STATE_CHANGED] = {
        EVENT("component_state_changed", LOG_LEVEL_WARNING, "5171921ca128f2079988187cd133f591"),
        .transition = true,
        .meaning = "A component of the server went from one state to another.",
        .check = "component, from, to and error; patronctl status.",
        .fix = "See the event of the component itself; patronctl doctor explains each failing check.",
    },
    [EVENT_SYNC_STARTED] = {
        EVENT("sync_started", LOG_LEVEL_INFO, "82ea084eb87b71831925a87ef9385764"),
        .transition = true,
        .meaning = "A sync run begins.",
        .check = "run_id, mode and trigger.",
        .fix = "Nothing.",
    },
    [EVENT_SYNC_PROGRESS] = {
        EVENT("sync_progress", LOG_LEVEL_INFO, "319b63cb326479b55c064feacb3b26d0"),
        .meaning = "A sync run gets on.",
        .check = "rows_read and percent.",
        .fix = "Nothing.",
    },
    [EVENT_SYNC_COMPLETED] = {
        EVENT("sync_completed", LOG_LEVEL_INFO, "083169b3745a136d5bc5ae745dd2e007"),
        .transition = true,
        .meaning = "A sync run has ended well; its data are in service.",
        .check = "The counts.",
        .fix = "Nothing.",
    },
    [EVENT_SYNC_FAILED] = {
        EVENT("sync_failed", LOG_LEVEL_ERROR, "dd84b791eb6c4ea00e9e16ae03b283ae"),
        .transition = true,
        .meaning = "A sync run failed. The data of the last good run stay in service, whole.",
        .check = "reason, phase and error. source_connect, source_auth, source_query: patronctl check source. database: "
      "patronctl check postgres. disk: df. timeout: no progress, or longer than SYNC_TIMEOUT. memory, died: the "
      "worker_oom_killed or worker_crashed before it. aborted: somebody stopped it. validation: the table "
      "sync_quarantine.",
        .fix = "Remove the cause; the next run by schedule repeats it, patronctl sync --wait does so at once.",
    },
    [EVENT_SYNC_SKIPPED] = {
        EVENT("sync_skipped", LOG_LEVEL_INFO, "a732442ebc892f1a9429ac15c3ec29bc"),
        .transition = true,
        .meaning = "A run was not started because another is under way, here or on another machine.",
        .check = "patronctl status: the run that goes on.",
        .fix = "Nothing.",
    },
    [EVENT_DATA_STALE] = {
        EVENT("data_stale", LOG_LEVEL_ERROR, "ed3423499e7fd45509f1246fe1b76196"),
        .transition = true,
        .meaning = "No sync has succeeded for longer than STALE_AFTER_HOURS; answers carry the age of their data.",
        .check = "The last sync_failed; patronctl status: when the next run is due.",
        .fix = "Remove what makes the runs fail, then patronctl sync --wait.",
    },
    [EVENT_MODEL_TRAINED] = {
        EVENT("model_trained", LOG_LEVEL_INFO, "ee27a366504ed46050533b6972f26380"),
        .transition = true,
        .meaning = "The model was fitted and held against what happened.",
        .check = "calibrated, auc, ece and bias_pct; patronctl models.",
        .fix = "Nothing. With calibrated=false the predictions are a rule of thumb's.",
    },
    [EVENT_API_KEY_CREATED] = {
        EVENT("api_key_created", LOG_LEVEL_INFO, "264278ffdc0ae7d26c775660282c1a3e"),
        .transition = true,
        .meaning = "An API key was created.",
        .check = "key_id and by.",
        .fix = "If nobody of yours did that: patronctl keys revoke, and change ADMIN_KEY.",
    },
    [EVENT_API_KEY_ROTATED] = {
        EVENT("api_key_rotated", LOG_LEVEL_INFO, "35cfa636af7d467d8e9c7b556ee6fb13"),
        .transition = true,
        .meaning = "An API key was replaced by a new one.",
        .check = "key_id and by.",
        .fix = "If nobody of yours did that: patronctl keys revoke, and change ADMIN_KEY.",
    },
    [EVENT_API_KEY_REVOKED] = {
        EVENT("api_key_revoked", LOG_LEVEL_INFO, "e2db830542d847555278cb6aeccfc071"),
        .transition = true,
        .meaning = "An API key is no longer valid.",
        .check = "key_id and by.",
        .fix = "Nothing.",
    },
    [EVENT_CLAUDE_COMPLETED] = {
        EVENT("claude_completed", LOG_LEVEL_INFO, "4ac8219b83f1a71eeb3ab040a78ac403"),
        .meaning = "A question was interpreted by Claude.",
        .check = "duration_seconds and the tokens.",
        .fix = "Nothing.",
    },
    [EVENT_CLAUDE_FAILED] = {
        EVENT("claude_failed", LOG_LEVEL_WARNING, "4e4b1b164e13035549a64c6822b5bdb5"),
        .quota = 20,
        .meaning = "Claude did not answer as it should; the question was answered by rules.",
        .check = "status, error_type and request_id. 401: the key. 429, 529: too many calls. timeout: the network. "
                 "tls: the message says what is wrong with the certificate.",
        .fix = "Correct ANTHROPIC_API_KEY and reload, or wait: it is tried again by itself.",
    },
    [EVENT_ALERT_SENT] = {
        EVENT("alert_sent", LOG_LEVEL_INFO, "77dc0282691f409683eed44da9da5365"),
        .meaning = "ALERT_WEBHOOK_URL has taken a message about what began or ended.",
        .check = "The message.",
        .fix = "Nothing.",
    },
    [EVENT_ALERT_FAILED] = {
        EVENT("alert_failed", LOG_LEVEL_WARNING, "69cf4b49a2374981b258253fda108e2d"),
        .meaning = "ALERT_WEBHOOK_URL did not take a message; it is tried again, at least once a minute.",
        .check = "error; patronctl alert-test.",
        .fix = "Correct ALERT_WEBHOOK_URL and reload, or wait.",
    },
    [EVENT_ALERT_HISTORY_FAILED] = {
        EVENT("alert_history_failed", LOG_LEVEL_WARNING, "e229829a32444871af272e439669112b"),
        .transition = true,
        .meaning = "What people have been told could not be read or saved; alerts go on from memory.",
        .check = "error; df STATE_DIR; the owner of STATE_DIR/alerts_told.",
        .fix = "Make room or set the owner right. Until then a restart or reload may tell again what is known.",
    },
    [EVENT_SLO_HISTORY_FAILED] = {
        EVENT("slo_history_failed", LOG_LEVEL_WARNING, "287a354c6f424c169c02296127c56e95"),
        .transition = true,
        .meaning = "The history of the service levels could not be read or saved; measuring goes on in memory.",
        .check = "error; df STATE_DIR; the owner of STATE_DIR/slo_history.",
        .fix = "Make room or set the owner right: it is tried again every second, and nothing is lost unless the "
               "server stops.",
    },
};

const struct event *event_get(enum event_id id)
{
    return &events[id];
}
