/*
 * access: see the header.
 */
#include "api/access.h"

#include "api/client.h"
#include "api/params.h"
#include "api/request.h"
#include "base/clock.h"
#include "core/metrics.h"

#define CONTEXT_FIELDS  5
#define MAX_FIELDS      (CONTEXT_FIELDS + 4)
#define SHED_SILENCE_NS (10 * CLOCK_NS_PER_S)
#define NS_PER_MS       1000000ULL

struct fields {
    struct event_field list[MAX_FIELDS];
    size_t count;
};

static void add(struct fields *f, struct event_field field)
{
    if (f->count < MAX_FIELDS)
        f->list[f->count++] = field;
}

static void add_context(struct fields *f, struct api_request *q)
{
    const struct http_head *head = q->http->head;

    f->count = 0;
    add(f, event_str("correlation_id", q->correlation_id));
    add(f, event_str("method", head != NULL ? head->method_name : STR_LIT("-")));
    add(f, event_str("path", head != NULL ? head->path : STR_LIT("-")));
    add(f, event_cstr("endpoint", request_endpoint(q)));
    add(f, event_cstr("client_ip", client_text(q)));
}

/* Parameters whose values are in no log: a key, and the text of a question. */
static const char *const secret_params[] = { "admin_key", "query" };

static const char *secret_name(struct str piece)
{
    struct str raw;

    for (size_t i = 0; i < sizeof(secret_params) / sizeof(secret_params[0]); i++) {
        if (http_query_get(piece, secret_params[i], &raw))
            return secret_params[i];
    }
    return NULL;
}

/* The query without those values, however their names were written. */
static struct str redacted_query(struct api_request *q)
{
    struct str rest = q->http->head->query, piece;
    struct buf *out = &q->api->scratch;

    buf_reset(out);
    while (str_split(&rest, '&', &piece)) {
        if (out->len > 0)
            buf_add_char(out, '&');
        const char *secret = secret_name(piece);

        if (secret != NULL)
            buf_printf(out, "%s=***", secret);
        else
            buf_add_str(out, piece);
    }
    return out->failed ? STR_NONE : buf_str(out);
}

_Static_assert(METRICS_MAX_ROUTES <= SB_ENDPOINTS, "every endpoint needs its place in a slot");

/* This process alone writes its slot. */
static void count_in_progress(struct api_request *q, bool begins)
{
    _Atomic uint32_t *n = &q->api->env.slot->in_progress[q->endpoint];
    uint32_t now = atomic_load_explicit(n, memory_order_relaxed);

    if (q->counted == begins)
        return;
    q->counted = begins;
    atomic_store_explicit(n, begins ? now + 1 : now - 1, memory_order_relaxed);
}

void access_started(struct api_request *q)
{
    struct fields f;

    count_in_progress(q, true);
    if (!event_enabled(EVENT_REQUEST_STARTED))
        return;
    add_context(&f, q);
    add(&f, event_str("query_params", redacted_query(q)));
    add(&f, event_str("user_agent", http_head_get(q->http->head, HTTP_H_USER_AGENT)));
    event_log(EVENT_REQUEST_STARTED, f.list, f.count, "request received");
}

static unsigned metric_method(const struct http_request *r)
{
    if (r->head == NULL)
        return METRIC_OTHER;
    switch (r->head->method) {
    case HTTP_GET:
        return METRIC_GET;
    case HTTP_HEAD:
        return METRIC_HEAD;
    case HTTP_POST:
        return METRIC_POST;
    case HTTP_PUT:
        return METRIC_PUT;
    case HTTP_DELETE:
        return METRIC_DELETE;
    case HTTP_OPTIONS:
        return METRIC_OPTIONS;
    default:
        return METRIC_OTHER;
    }
}

/* Index into METRICS_DIM_STATUS: "1xx" … "5xx". */
static unsigned status_class(int status)
{
    return (unsigned)status / 100 - 1;
}

#define SLOW_MOST 100 /* lines in EVENT_QUOTA_NS, so that an overload does not drown the journal */

/* 501 and 505 are the client's doing. */
static bool is_failure(int status)
{
    return status >= 500 && status != 501 && status != 505;
}

static bool is_wanted(const struct api_request *q, int status, uint64_t duration_ns)
{
    const struct conf *conf = q->api->env.conf;

    switch (conf->access_log) {
    case CONF_ACCESS_ALL:
        return true;
    case CONF_ACCESS_SLOW:
        return !q->shed && (is_failure(status) || duration_ns >= (uint64_t)conf->slow_request_ms * NS_PER_MS ||
                            request_on_admin_path(q));
    case CONF_ACCESS_OFF:
        break;
    }
    return false;
}

static struct event_field key_field(const struct api_request *q)
{
    if (q->identity.is_admin_key)
        return event_cstr("key_id", "admin_key");
    return q->identity.key_id > 0 ? event_i64("key_id", q->identity.key_id) : event_cstr("key_id", NULL);
}

void access_ended(struct api_request *q, enum http_end end, int status, size_t body_bytes)
{
    uint64_t duration_ns = clock_mono_ns() - q->http->start_ns;
    enum event_id id = is_failure(status) ? EVENT_REQUEST_FAILED : EVENT_REQUEST_COMPLETED;
    unsigned method = metric_method(q->http);
    uint64_t suppressed = 0;
    struct fields f;

    count_in_progress(q, false);
    if (status == 0) /* the client left before an answer */
        return;
    metrics_add(METRIC_HTTP_REQUESTS, method, q->endpoint, status_class(status), 1);
    metrics_observe(METRIC_HTTP_DURATION, method, q->endpoint, duration_ns);
    if (!is_wanted(q, status, duration_ns) || !event_enabled(id))
        return;
    if (q->api->env.conf->access_log == CONF_ACCESS_SLOW && !request_on_admin_path(q) &&
        !event_quota_take(&q->api->slow_quota, SLOW_MOST, clock_mono_ns(), &suppressed))
        return;
    add_context(&f, q);
    add(&f, event_i64("status_code", status));
    add(&f, event_f64("duration_seconds", (double)duration_ns / (double)CLOCK_NS_PER_S));
    add(&f, event_i64("bytes", (int64_t)body_bytes));
    add(&f, id == EVENT_REQUEST_FAILED ? event_cstr("error_type", q->error_code) : key_field(q));
    if (suppressed > 0)
        add(&f, event_i64("suppressed", (int64_t)suppressed));
    event_log(id, f.list, f.count, "%s%s", id == EVENT_REQUEST_FAILED ? "answered with an error of ours" : "answered",
              end == HTTP_END_SENT ? "" : ", but not wholly received");
}

void access_log_plain(struct api_request *q, enum event_id id, const char *sentence)
{
    struct fields f;

    add_context(&f, q);
    event_log(id, f.list, f.count, "%s", sentence);
}

void access_log_bad_key(struct api_request *q, struct str credential, const char *reason)
{
    char prefix[AUTH_KEY_PREFIX_SIZE];
    struct fields f;

    add_context(&f, q);
    add(&f, event_cstr("key_prefix", auth_key_prefix(prefix, credential)));
    add(&f, event_cstr("reason", reason));
    event_log(EVENT_INVALID_API_KEY_ATTEMPTED, f.list, f.count, "a key that is not valid was refused");
}

void access_log_scope(struct api_request *q, const char *required)
{
    struct fields f;

    add_context(&f, q);
    add(&f, key_field(q));
    add(&f, event_cstr("required", required));
    event_log(EVENT_INSUFFICIENT_SCOPE, f.list, f.count, "a valid key lacks the scope this needs");
}

void access_log_limited(struct api_request *q, const char *policy, int64_t retry_after_s, int64_t suppressed)
{
    struct fields f;

    add_context(&f, q);
    add(&f, event_cstr("policy", policy));
    add(&f, key_field(q));
    add(&f, event_i64("retry_after_seconds", retry_after_s));
    add(&f, event_i64("suppressed", suppressed));
    event_log(EVENT_RATE_LIMIT_EXCEEDED, f.list, f.count, "a client asks more often than it may");
}

void access_log_key(struct api_request *q, enum event_id id, int64_t key_id, const char *by, const char *sentence)
{
    struct fields f;

    add_context(&f, q);
    add(&f, event_i64("key_id", key_id));
    add(&f, event_cstr("by", by));
    event_log(id, f.list, f.count, "%s", sentence);
}

void access_log_validation(struct api_request *q, const struct params *p)
{
    struct buf text;
    char bytes[512];
    struct fields f;

    if (!event_enabled(EVENT_VALIDATION_ERROR))
        return;
    text = (struct buf){ .data = bytes, .cap = sizeof(bytes) - 1, .max_bytes = sizeof(bytes) - 1 };
    for (size_t i = 0; i < p->count && !text.failed; i++)
        buf_printf(&text, "%s%s %s", i > 0 ? "; " : "", p->errors[i].field, p->errors[i].message);
    add_context(&f, q);
    add(&f, event_str("errors", buf_str(&text)));
    event_log(EVENT_VALIDATION_ERROR, f.list, f.count, "request validation failed");
}

void access_log_unexpected(struct api_request *q, const char *type)
{
    struct fields f;

    add_context(&f, q);
    add(&f, event_cstr("error_type", type));
    event_log(EVENT_UNEXPECTED_ERROR, f.list, f.count, "this is a defect of the server");
}

void access_log_shed(struct api_request *q, const char *reason)
{
    struct api *a = q->api;
    uint64_t now = clock_mono_ns();
    struct fields f;

    if (a->shed_logged_ns != 0 && now - a->shed_logged_ns < SHED_SILENCE_NS)
        return;
    a->shed_logged_ns = now;
    add_context(&f, q);
    add(&f, event_cstr("reason", reason));
    add(&f, event_i64("in_flight", (int64_t)atomic_load_explicit(&a->env.slot->in_flight, memory_order_relaxed)));
    event_log(EVENT_LOAD_SHED, f.list, f.count, "requests are given up with 503");
}
