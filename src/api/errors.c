/*
 * errors: see the header.
 */
#include "api/errors.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>

#include "api/access.h"
#include "api/mcp_error.h"
#include "api/params.h"
#include "api/request.h"
#include "base/clock.h"
#include "core/metrics.h"

#define RETRY_SHED_S 1

struct status_words {
    int status;
    const char *code, *message;
};

static const struct status_words by_status[] = {
    { 400, "BAD_REQUEST", "Bad Request" },
    { 404, "NOT_FOUND", "Not Found" },
    { 405, "HTTP_ERROR", "Method Not Allowed" },
    { 408, "HTTP_ERROR", "Request Timeout" },
    { 413, "HTTP_ERROR", "Request body too large" },
    { 414, "HTTP_ERROR", "Request target too long" },
    { 415, "HTTP_ERROR", "Unsupported Content-Encoding" },
    { 417, "HTTP_ERROR", "Expectation Failed" },
    { 431, "HTTP_ERROR", "Request header fields too large" },
    { 501, "HTTP_ERROR", "Not Implemented" },
    { 505, "HTTP_ERROR", "HTTP version not supported" },
};

static void write_details(struct json_writer *w, const struct error_answer *e)
{
    json_key(w, "details");
    json_object_begin(w);
    if (e->details.len > 0)
        json_raw(w, e->details);
    if (e->retry_after_s > 0)
        json_kv_int(w, "retry_after_seconds", e->retry_after_s);
    json_object_end(w);
}

void error_write(struct json_writer *w, const struct error_answer *e, struct str correlation_id, int64_t now_us)
{
    json_key(w, "error");
    json_object_begin(w);
    json_kv_cstr(w, "code", e->code);
    json_kv_cstr(w, "message", e->message);
    write_details(w, e);
    json_kv_str(w, "correlation_id", correlation_id);
    json_object_end(w);
    json_kv_cstr(w, "detail", e->message);
    json_kv_us(w, "timestamp", now_us);
}

/* Nothing fits any more: an envelope from fixed pieces, which need no memory but the buffer's own. */
static const char no_memory_body[] =
    "{\"error\":{\"code\":\"SERVICE_UNAVAILABLE\",\"message\":\"The answer needs too much memory\",\"details\":"
    "{\"retry_after_seconds\":1},\"correlation_id\":\"%.*s\"},\"detail\":\"The answer needs too much memory\","
    "\"timestamp\":\"%s\"}";

static void send_no_memory(struct api_request *q)
{
    char body[sizeof(no_memory_body) + 160], now[CLOCK_TIME_SIZE];
    int n = snprintf(body, sizeof(body), no_memory_body, (int)q->correlation_id.len, q->correlation_id.p,
                     clock_format_us(now, clock_wall_us()));

    request_reply(q, 503, HEADERS_JSON, (struct str){ body, (size_t)n });
}

void error_send(struct api_request *q, const struct error_answer *e)
{
    struct json_writer w;

    q->error_code = e->code;
    if (e->retry_after_s > 0)
        request_add_header(q, "Retry-After: %u\r\n", e->retry_after_s);
    request_json_begin(q, &w);
    if (request_on_mcp_path(q)) {
        mcp_error_write(&w, q, e);
    } else {
        json_object_begin(&w);
        error_write(&w, e, q->correlation_id, clock_wall_us());
        json_object_end(&w);
    }
    if (w.out->failed)
        send_no_memory(q);
    else
        request_reply(q, e->status, HEADERS_JSON, buf_str(w.out));
}

void error_http(struct api_request *q, int status)
{
    for (size_t i = 0; i < sizeof(by_status) / sizeof(by_status[0]); i++) {
        const struct status_words *s = &by_status[i];

        if (s->status == status) {
            error_send(q, &(struct error_answer){ .status = status, .code = s->code, .message = s->message });
            return;
        }
    }
    error_internal(q, "unknown_status");
}

void error_bad_request(struct api_request *q, const char *fmt, ...)
{
    char message[256];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(message, sizeof(message), fmt, ap);
    va_end(ap);
    error_send(q, &(struct error_answer){ .status = 400, .code = "BAD_REQUEST", .message = message });
}

void error_authentication(struct api_request *q, bool is_missing, const char *message)
{
    if (request_on_mcp_path(q))
        request_add_header(q, "WWW-Authenticate: Bearer realm=\"patrond\"%s\r\n",
                           is_missing ? "" : ", error=\"invalid_token\"");
    else
        request_add_header(q, "WWW-Authenticate: ApiKey\r\n");
    error_send(q, &(struct error_answer){ .status = 401, .code = "AUTHENTICATION_ERROR", .message = message });
}

void error_authorization(struct api_request *q, const char *scope)
{
    char message[64];

    snprintf(message, sizeof(message), "API key lacks required scope: %s", scope);
    if (request_on_mcp_path(q))
        request_add_header(
            q, "WWW-Authenticate: Bearer realm=\"patrond\", error=\"insufficient_scope\", scope=\"%s\"\r\n", scope);
    error_send(q, &(struct error_answer){ .status = 403, .code = "AUTHORIZATION_ERROR", .message = message });
}

void error_conflict(struct api_request *q, const char *message)
{
    error_send(q, &(struct error_answer){ .status = 409, .code = "CONFLICT", .message = message });
}

/* A writer over the scratch buffer, for members of `details`. */
static void details_begin(struct api_request *q, struct json_writer *w)
{
    buf_reset(&q->api->scratch);
    json_writer_init(w, &q->api->scratch);
}

static struct str details_end(struct json_writer *w)
{
    return w->out->failed ? STR_NONE : buf_str(w->out);
}

static const char *period_name(int64_t period_s)
{
    switch (period_s) {
    case 1:
        return "second";
    case 60:
        return "minute";
    case 3600:
        return "hour";
    default:
        return "day";
    }
}

void error_rate_limited(struct api_request *q, const char *policy, const struct conf_rate *rate,
                        unsigned retry_after_s)
{
    struct json_writer w;
    char message[80];

    snprintf(message, sizeof(message), "Rate limit exceeded: %lld per 1 %s", (long long)rate->count,
             period_name(rate->period_s));
    details_begin(q, &w);
    json_kv_int(&w, "limit", rate->count);
    json_kv_cstr(&w, "policy", policy);
    error_send(q, &(struct error_answer){ .status = 429,
                                          .code = "RATE_LIMIT_EXCEEDED",
                                          .message = message,
                                          .details = details_end(&w),
                                          .retry_after_s = retry_after_s });
}

static void write_allowed(struct json_writer *w, const char *const *allowed)
{
    json_key(w, "allowed");
    json_array_begin(w);
    for (; *allowed != NULL; allowed++)
        json_cstr(w, *allowed);
    json_array_end(w);
}

const char *error_not_found_message(struct arena *a, const char *resource, struct str identifier)
{
    return arena_printf(a, "%c%s %.*s not found", toupper((unsigned char)resource[0]), resource + 1,
                        (int)identifier.len, identifier.len > 0 ? identifier.p : "");
}

void error_not_listed(struct api_request *q, const char *resource, struct str identifier, const char *const *allowed)
{
    struct json_writer w;
    const char *message = error_not_found_message(&q->http->arena, resource, identifier);

    if (message == NULL) {
        error_no_memory(q);
        return;
    }
    details_begin(q, &w);
    json_kv_cstr(&w, "resource", resource);
    json_kv_str(&w, "identifier", identifier);
    if (allowed != NULL)
        write_allowed(&w, allowed);
    error_send(q, &(struct error_answer){
                      .status = 404, .code = "NOT_FOUND", .message = message, .details = details_end(&w) });
}

void error_not_found(struct api_request *q, const char *resource, struct str identifier)
{
    error_not_listed(q, resource, identifier, NULL);
}

void error_word(struct api_request *q, const char *message, const char *field, const char *const *allowed)
{
    struct json_writer w;

    details_begin(q, &w);
    json_kv_cstr(&w, "field", field);
    write_allowed(&w, allowed);
    error_send(q, &(struct error_answer){
                      .status = 400, .code = "VALIDATION_ERROR", .message = message, .details = details_end(&w) });
}

void error_validation(struct api_request *q, const struct params *p)
{
    struct json_writer w;

    details_begin(q, &w);
    json_key(&w, "validation_errors");
    json_array_begin(&w);
    for (size_t i = 0; i < p->count; i++) {
        json_object_begin(&w);
        json_kv_cstr(&w, "field", p->errors[i].field);
        json_kv_cstr(&w, "message", p->errors[i].message);
        json_kv_cstr(&w, "type", params_fault_name(p->errors[i].fault));
        json_object_end(&w);
    }
    json_array_end(&w);
    access_log_validation(q, p);
    error_send(q, &(struct error_answer){ .status = 422,
                                          .code = "VALIDATION_ERROR",
                                          .message = "Request validation failed",
                                          .details = details_end(&w) });
}

void error_unavailable(struct api_request *q, const char *message, unsigned retry_after_s)
{
    error_send(
        q, &(struct error_answer){
               .status = 503, .code = "SERVICE_UNAVAILABLE", .message = message, .retry_after_s = retry_after_s });
}

void error_no_memory(struct api_request *q)
{
    metrics_add(METRIC_LOAD_SHED, METRIC_SHED_MEMORY, 0, 0, 1);
    access_log_shed(q, "memory");
    q->error_code = "SERVICE_UNAVAILABLE";
    request_add_header(q, "Retry-After: %d\r\n", RETRY_SHED_S);
    send_no_memory(q);
}

void error_overload(struct api_request *q)
{
    q->shed = true;
    metrics_add(METRIC_LOAD_SHED, METRIC_SHED_OVERLOAD, 0, 0, 1);
    access_log_shed(q, "overload");
    error_unavailable(q, "Too many requests at once", RETRY_SHED_S);
}

void error_deadline(struct api_request *q)
{
    metrics_add(METRIC_LOAD_SHED, METRIC_SHED_DEADLINE, 0, 0, 1);
    access_log_shed(q, "deadline");
    error_unavailable(q, "The request took too long", RETRY_SHED_S);
}

void error_internal(struct api_request *q, const char *type)
{
    char message[256];

    access_log_unexpected(q, type);
    snprintf(message, sizeof(message), "An unexpected error occurred. Please try again later. Reference: %.*s",
             (int)q->correlation_id.len, q->correlation_id.p);
    error_send(q, &(struct error_answer){ .status = 500, .code = "INTERNAL_ERROR", .message = message });
}
