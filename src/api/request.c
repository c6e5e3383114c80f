/*
 * request: see the header.
 */
#include "api/request.h"

#include <stdarg.h>
#include <stdio.h>

#include "api/access.h"
#include "api/cached.h"
#include "api/client.h"
#include "api/errors.h"
#include "api/etag.h"
#include "api/guard.h"

/* Memory an answer may leave behind in the worker's buffers. */
#define KEPT_BYTES (256 * 1024)

static void set_correlation_id(struct api_request *q)
{
    if (q->http->head != NULL)
        q->correlation_id = headers_correlation_id(q->http->head);
    if (q->correlation_id.len == 0) {
        rng_uuid4(q->own_id);
        q->correlation_id = (struct str){ q->own_id, RNG_UUID_SIZE - 1 };
    }
}

/* The context of a request, made at the first sight of it; NULL: no memory, and the request was refused. */
static struct api_request *begin(struct http_request *r, struct api *a)
{
    static const struct http_reply refusal = { .status = 503,
                                               .headers = { "Retry-After: 1\r\n", 16 },
                                               .close = true };
    struct api_request *q = arena_zalloc(&r->arena, sizeof(*q));

    if (q == NULL) {
        http_reply(r, &refusal);
        return NULL;
    }
    r->app = q;
    q->api = a;
    q->http = r;
    q->endpoint = routes_label_none();
    set_correlation_id(q);
    return q;
}

static size_t on_head(struct http_request *r, void *arg)
{
    struct api *a = arg;
    struct api_request *q = begin(r, a);

    if (q == NULL)
        return 0;
    guard_find_route(q);
    access_started(q);
    if (!guard_head(q))
        return 0;
    return (size_t)a->env.conf->max_body_bytes;
}

static void on_body(struct http_request *r, void *arg)
{
    struct api_request *q = r->app;
    struct sb_slot *slot = ((struct api *)arg)->env.slot;

    if (q == NULL || q->answered || !guard_body(q))
        return;
    if (q->route->flags & (ROUTE_DATA | ROUTE_MCP))
        q->data = dataset_hold(&q->api->data);
    if ((q->route->flags & ROUTE_DATA) && !(q->route->flags & ROUTE_DATABASE) && q->data == NULL) {
        error_unavailable(q, "No customers loaded", ERROR_RETRY_NO_DATA_S);
        return;
    }
    /* Should the handler never return, the master tells by this what the worker was doing. */
    atomic_store_explicit(&slot->handling, q->endpoint + 1, memory_order_relaxed);
    q->route->handle(q);
    atomic_store_explicit(&slot->handling, 0, memory_order_relaxed);
}

static void cancel_pending(struct api_request *q)
{
    void (*cancel)(struct api_request *) = q->cancel;

    q->cancel = NULL;
    if (cancel != NULL)
        cancel(q);
}

static void on_error(struct http_request *r, int status, void *arg)
{
    struct api_request *q = r->app != NULL ? r->app : begin(r, arg);

    if (q == NULL)
        return;
    cancel_pending(q);
    if (status == 503)
        error_deadline(q);
    else
        error_http(q, status);
}

static void on_done(struct http_request *r, enum http_end end, int status, size_t body_bytes, void *arg)
{
    struct api_request *q = r->app;

    (void)arg;
    if (q == NULL)
        return;
    cancel_pending(q);
    cached_end(q);
    access_ended(q, end, status, body_bytes);
    dataset_release(q->data);
    q->data = NULL;
    r->app = NULL;
}

const struct http_app request_http_app = {
    .on_head = on_head,
    .on_body = on_body,
    .on_error = on_error,
    .on_done = on_done,
};

const char *request_endpoint(const struct api_request *q)
{
    return routes_label_name(q->endpoint);
}

bool request_on_admin_path(const struct api_request *q)
{
    return q->http->head != NULL && str_starts(q->http->head->path, "/admin/");
}

bool request_on_mcp_path(const struct api_request *q)
{
    return q->http->head != NULL && str_eq_lit(q->http->head->path, "/mcp");
}

void request_add_header(struct api_request *q, const char *fmt, ...)
{
    char line[512];
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(line, sizeof(line), fmt, ap);
    va_end(ap);
    if (n < 0 || (size_t)n >= sizeof(line))
        return;
    const char *joined = arena_printf(&q->http->arena, "%.*s%s", (int)q->extra_headers.len,
                                      q->extra_headers.len > 0 ? q->extra_headers.p : "", line);
    if (joined != NULL)
        q->extra_headers = str_from(joined);
}

/* Is the answer the tagged representation of the published data? */
static bool is_tagged(const struct api_request *q, int status)
{
    return status == 200 && q->data != NULL && (q->route->flags & ROUTE_ETAG);
}

static enum headers_cache cache_of(const struct api_request *q, int status)
{
    if (status == 200 && q->constant_tag.len > 0)
        return HEADERS_PUBLIC;
    return is_tagged(q, status) ? HEADERS_REVALIDATE : HEADERS_NO_STORE;
}

/* `text` holds a tag made here. */
static struct str tag_of(const struct api_request *q, enum headers_cache cache, char text[ETAG_SIZE])
{
    const struct http_head *head = q->http->head;
    const struct population_header *data;

    if (cache != HEADERS_REVALIDATE)
        return cache == HEADERS_PUBLIC ? q->constant_tag : STR_NONE;
    data = q->data->population->header;
    return (struct str){ text, etag_format(text, q->api->etag_seed ^ hash_u64((uint64_t)data->published_us),
                                           data->data_version, head->path, head->query, &q->http->arena) };
}

static bool is_unchanged(const struct api_request *q, struct str tag)
{
    struct str condition;

    if (tag.len == 0)
        return false;
    condition = http_head_get(q->http->head, HTTP_H_IF_NONE_MATCH);
    return condition.len > 0 && etag_matches(condition, tag);
}

static void write_cors(const struct api_request *q, struct buf *out)
{
    const struct http_head *head = q->http->head;
    struct str origin = head != NULL ? http_head_get(head, HTTP_H_ORIGIN) : STR_NONE;

    if (!cors_allows(&q->api->cors, origin))
        return;
    if (head->method == HTTP_OPTIONS)
        cors_write_preflight(out, origin, request_on_mcp_path(q) ? q->api->mcp_headers : STR_NONE);
    else
        cors_write(out, origin);
}

static void write_variable_headers(struct api_request *q, struct buf *out, struct str tag)
{
    buf_add_str(out, STR_LIT("X-Correlation-ID: "));
    buf_add_str(out, q->correlation_id);
    buf_add_str(out, STR_LIT("\r\n"));
    if (q->data != NULL)
        buf_add(out, q->data->headers, q->data->header_bytes);
    if (tag.len > 0) {
        buf_add_str(out, STR_LIT("ETag: "));
        buf_add_str(out, tag);
        buf_add_str(out, STR_LIT("\r\n"));
    }
    limits_write_headers(q, out);
    write_cors(q, out);
    if (client_used_tls(q))
        buf_add_str(out, STR_LIT("Strict-Transport-Security: max-age=31536000\r\n"));
    buf_add_str(out, q->extra_headers);
}

/* A large answer is rare; its memory goes back at once. */
static void trim(struct buf *b)
{
    if (b->cap > KEPT_BYTES)
        buf_free(b);
}

/* The contract asks for it from GZIP_LEAST_BYTES on. */
static bool wants_gzip(const struct api_request *q, struct str body)
{
    return body.len >= GZIP_LEAST_BYTES && q->api->env.conf->http_gzip && q->http->head != NULL &&
           gzip_accepted(http_head_get(q->http->head, HTTP_H_ACCEPT_ENCODING));
}

/* The body by gzip; STR_NONE: it is sent as it is. */
static struct str pack(const struct api_request *q, struct str body)
{
    if (!wants_gzip(q, body))
        return STR_NONE;
    return q->packed.len > 0 ? q->packed : gzip_body(q->api->gzip, body);
}

void request_reply(struct api_request *q, int status, enum headers_type type, struct str body)
{
    struct api *a = q->api;
    enum headers_cache cache = cache_of(q, status);
    char text[ETAG_SIZE];
    struct str tag = tag_of(q, cache, text), packed;

    if (is_unchanged(q, tag)) {
        status = 304;
        type = HEADERS_NO_BODY;
        body = STR_NONE;
    }
    packed = pack(q, body);
    buf_reset(&a->head);
    buf_add_str(&a->head, a->headers.lines[cache][type]);
    write_variable_headers(q, &a->head, tag);
    if (packed.len > 0)
        buf_add_str(&a->head, STR_LIT("Content-Encoding: gzip\r\n"));
    q->answered = true;
    q->cancel = NULL;
    http_reply(q->http, &(struct http_reply){ .status = a->head.failed ? 503 : status,
                                              .headers = buf_str(&a->head),
                                              .body = a->head.failed   ? STR_NONE
                                                      : packed.len > 0 ? packed
                                                                       : body });
    trim(&a->body);
    gzip_trim(a->gzip, KEPT_BYTES);
}

bool request_unchanged(struct api_request *q)
{
    char text[ETAG_SIZE];

    if (!is_unchanged(q, tag_of(q, cache_of(q, 200), text)))
        return false;
    request_reply(q, 200, HEADERS_JSON, STR_NONE);
    return true;
}

void request_json_begin(struct api_request *q, struct json_writer *w)
{
    buf_reset(&q->api->body);
    json_writer_init(w, &q->api->body);
}

/* Answers all who wait for the same, from a body that their answers don't take away. */
static void share_json(struct api_request *q)
{
    struct api *a = q->api;
    struct buf body = a->body;

    buf_init(&a->body, (size_t)a->env.conf->max_request_memory_bytes);
    cached_keep(q, buf_str(&body));
    request_reply(q, 200, HEADERS_JSON, buf_str(&body));
    buf_free(&a->body);
    a->body = body;
    trim(&a->body);
}

void request_json_end(struct api_request *q, int status)
{
    if (q->api->body.failed)
        error_no_memory(q);
    else if (q->ticket != NULL && status == 200)
        share_json(q);
    else
        request_reply(q, status, HEADERS_JSON, buf_str(&q->api->body));
}
