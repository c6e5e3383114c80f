/*
 * errors: every answer with a status of 400 or more (CONTRACT 5): one envelope, one place for codes and words.
 *
 * Messages never hold SQL, paths, host names or what another system said.
 */
#ifndef API_ERRORS_H
#define API_ERRORS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"
#include "core/json.h"

struct api_request;
struct conf_rate;
struct params;

#define ERROR_RETRY_NO_DATA_S 10

struct error_answer {
    int status;
    const char *code;
    const char *message;
    struct str details;     /* members of `details`, without the braces; "" for none */
    unsigned retry_after_s; /* 0: none; else told in details and in Retry-After */
};

/* The members error, detail and timestamp, into an open object. */
void error_write(struct json_writer *w, const struct error_answer *e, struct str correlation_id, int64_t now_us);
void error_send(struct api_request *q, const struct error_answer *e);

/* An error that its status says all about: 400, 404, 405, 408, 413, 414, 415, 417, 431, 501, 505. */
void error_http(struct api_request *q, int status);
void error_bad_request(struct api_request *q, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* 401, with the challenge of the path. */
void error_authentication(struct api_request *q, bool is_missing, const char *message);
/* 409 CONFLICT. */
void error_conflict(struct api_request *q, const char *message);
void error_authorization(struct api_request *q, const char *scope);
/* 429: `Rate limit exceeded: 50 per 1 hour`. */
void error_rate_limited(struct api_request *q, const char *policy, const struct conf_rate *rate,
                        unsigned retry_after_s);
/* `Customer 1 not found` with details; `resource` begins with a small letter. */
void error_not_found(struct api_request *q, const char *resource, struct str identifier);
/* Its message, in the arena; NULL: no memory. */
const char *error_not_found_message(struct arena *a, const char *resource, struct str identifier);
/* The same of a closed list (NULL-terminated) in a path. */
void error_not_listed(struct api_request *q, const char *resource, struct str identifier, const char *const *allowed);
/* 400: a word outside a closed list (NULL-terminated). */
void error_word(struct api_request *q, const char *message, const char *field, const char *const *allowed);
/* 422 with what params recorded. */
void error_validation(struct api_request *q, const struct params *p);
void error_unavailable(struct api_request *q, const char *message, unsigned retry_after_s);
/* 503 for too much work at once. */
void error_overload(struct api_request *q);
/* 503 for the request's memory, and for its time: counted as load shed. */
void error_no_memory(struct api_request *q);
void error_deadline(struct api_request *q);
/* 500: a bug; `type` names it in the log only. */
void error_internal(struct api_request *q, const char *type);

#endif
