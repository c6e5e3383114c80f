/*
 * events: what the program tells its operator. One table: name, level, journal MESSAGE_ID.
 *
 * A line reads `<event>: <sentence> key=value …`; values with blanks, quotes
 * or "=" are quoted and escaped as in JSON. With JSON_LOGS it is one JSON
 * object; when stderr is the journal, each field is a journal field as well.
 * Transitions are logged, not states. Values never hold secrets: that is the caller's duty.
 */
#ifndef CORE_EVENTS_H
#define CORE_EVENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/log.h"
#include "base/str.h"

enum event_id {
    EVENT_REQUEST_STARTED,
    EVENT_REQUEST_COMPLETED,
    EVENT_REQUEST_FAILED,
    EVENT_INVALID_API_KEY_ATTEMPTED,
    EVENT_INSUFFICIENT_SCOPE,
    EVENT_ADMIN_KEY_IN_QUERY,
    EVENT_RATE_LIMIT_EXCEEDED,
    EVENT_VALIDATION_ERROR,
    EVENT_HTTP_EXCEPTION,
    EVENT_UNEXPECTED_ERROR,
    EVENT_API_ERROR,
    EVENT_APPLICATION_STARTING,
    EVENT_APPLICATION_READY,
    EVENT_APPLICATION_STOPPING,
    EVENT_RELOADED,
    EVENT_RELOAD_FAILED,
    EVENT_UPGRADE_COMPLETED,
    EVENT_UPGRADE_FAILED,
    EVENT_SECURITY_VALIDATION_FAILED,
    EVENT_CONFIGURATION_INVALID,
    EVENT_AI_NOT_CONFIGURED,
    EVENT_WORKER_CRASHED,
    EVENT_WORKER_HUNG,
    EVENT_WORKER_OOM_KILLED,
    EVENT_WORKER_RECYCLED,
    EVENT_LOAD_SHED,
    EVENT_LISTENER_PAUSED,
    EVENT_DATA_LOADING_COMPLETED,
    EVENT_DATA_LOADING_FAILED,
    EVENT_NO_CUSTOMER_DATA,
    EVENT_DB_CONNECTION_FAILED,
    EVENT_DB_TIMEOUT,
    EVENT_DB_RECOVERED,
    EVENT_DB_POOL_EXHAUSTED,
    EVENT_SLOW_QUERY,
    EVENT_CACHE_UP,
    EVENT_CACHE_DOWN,
    EVENT_COMPONENT_STATE_CHANGED,
    EVENT_SYNC_STARTED,
    EVENT_SYNC_PROGRESS,
    EVENT_SYNC_COMPLETED,
    EVENT_SYNC_FAILED,
    EVENT_SYNC_SKIPPED,
    EVENT_DATA_STALE,
    EVENT_MODEL_TRAINED,
    EVENT_API_KEY_CREATED,
    EVENT_API_KEY_ROTATED,
    EVENT_API_KEY_REVOKED,
    EVENT_CLAUDE_COMPLETED,
    EVENT_CLAUDE_FAILED,
    EVENT_SLO_HISTORY_FAILED,
    EVENT_ALERT_SENT,
    EVENT_ALERT_FAILED,
    EVENT_ALERT_HISTORY_FAILED,
    EVENT_COUNT
};

enum event_field_type {
    EVENT_FIELD_STR,
    EVENT_FIELD_I64,
    EVENT_FIELD_F64,
    EVENT_FIELD_BOOL,
    EVENT_FIELD_NULL
};

struct event_field {
    const char *key; /* lower case, as in the contract */
    enum event_field_type type;
    struct str text;
    int64_t integer;
    double number;
};

/* Field constructors: struct event_field f[] = { event_i64("run_id", 5), event_cstr("mode", "full") }; */
struct event_field event_str(const char *key, struct str value);
struct event_field event_cstr(const char *key, const char *value); /* NULL gives null */
struct event_field event_i64(const char *key, int64_t value);
struct event_field event_f64(const char *key, double value);
struct event_field event_bool(const char *key, bool value);

struct event {
    const char *name; /* "worker_crashed" */
    enum log_level level;
    char message_id[33]; /* 32 hex digits, unique and for ever */
    bool transition;     /* of the server's state, not of one request: part of an incident's timeline */
    unsigned quota;      /* lines of one process in EVENT_QUOTA_NS, the others are counted; 0: no limit */
    const char *meaning, *check, *fix; /* sentences for the operator */
};

/* A flood is told by its first lines; the next line after it says how many were `suppressed`. */
#define EVENT_QUOTA_NS 10000000000ULL
struct event_quota {
    uint64_t since_ns, suppressed;
    unsigned lines;
};
/* May a line be written now? *suppressed: those left out since the last one. */
bool event_quota_take(struct event_quota *q, unsigned most, uint64_t now_ns, uint64_t *suppressed);

const struct event *event_get(enum event_id id);
/* Is a line of this event written at the present log level? Cheap: ask before building fields on a hot path. */
bool event_enabled(enum event_id id);
void event_log(enum event_id id, const struct event_field *fields, size_t count, const char *sentence, ...)
    __attribute__((format(printf, 4, 5)));
/* The same at another level than the table's (a reload_failed in -t, say). */
void event_log_at(enum log_level level, enum event_id id, const struct event_field *fields, size_t count,
                  const char *sentence, ...) __attribute__((format(printf, 5, 6)));
/* Into the journal alone, whatever stderr is: what a command did that the log must know. Nothing where there is none.
 */
void event_journal(enum event_id id, const struct event_field *fields, size_t count, const char *sentence);

#endif
