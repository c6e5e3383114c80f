/*
 * access: what a request leaves behind: its log events and its metrics.
 *
 * Secrets stay out: of credentials only a prefix, of the query no admin_key.
 */
#ifndef API_ACCESS_H
#define API_ACCESS_H

#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "core/events.h"
#include "net/http.h"

struct api_request;
struct params;

void access_started(struct api_request *q);
/* Counts the request and writes request_completed or request_failed if ACCESS_LOG asks for it. */
void access_ended(struct api_request *q, enum http_end end, int status, size_t body_bytes);

/* Events inside a request; each carries correlation_id, method, path, endpoint and client_ip. */
void access_log_plain(struct api_request *q, enum event_id id, const char *sentence);
void access_log_bad_key(struct api_request *q, struct str credential, const char *reason);
void access_log_scope(struct api_request *q, const char *required);
/* rate_limit_exceeded; the caller samples. */
void access_log_limited(struct api_request *q, const char *policy, int64_t retry_after_s, int64_t suppressed);
/* api_key_created, _rotated, _revoked. */
void access_log_key(struct api_request *q, enum event_id id, int64_t key_id, const char *by, const char *sentence);
void access_log_validation(struct api_request *q, const struct params *p);
void access_log_unexpected(struct api_request *q, const char *type);
/* load_shed, at most one line in 10 s. */
void access_log_shed(struct api_request *q, const char *reason);

#endif
