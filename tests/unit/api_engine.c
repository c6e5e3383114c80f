/*
 * api_engine: see the header.
 */
#include "api_engine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

#define MUST(condition)                                                                                              \
    do {                                                                                                             \
        if (!(condition)) {                                                                                          \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                                          \
            abort();                                                                                                 \
        }                                                                                                            \
    } while (0)

struct exchange {
    const struct http_app *app;
    struct http_head head;
    struct http_request r;
    struct buf text, body;
    struct answer answer;
};

/* The engine's end of the application's answer. */
void http_reply(struct http_request *r, const struct http_reply *reply)
{
    struct exchange *x = (struct exchange *)((char *)r - offsetof(struct exchange, r));
    bool bodyless =
        reply->status == 204 || reply->status == 304 || (x->r.head != NULL && x->r.head->method == HTTP_HEAD);

    MUST(!x->answer.answered);
    MUST(reply->headers.len < sizeof(x->answer.headers));
    x->answer.answered = true;
    x->answer.status = reply->status;
    str_copy(x->answer.headers, sizeof(x->answer.headers), reply->headers);
    buf_reset(&x->body);
    if (!bodyless)
        buf_add_str(&x->body, reply->body);
    MUST(!x->body.failed);
    x->answer.body = buf_str(&x->body);
}

/* Writes the request as it would come over the wire; returns where its body begins. */
static size_t write_request(struct buf *out, const char *request)
{
    const char *gap = strstr(request, "\n\n"), *body = gap != NULL ? gap + 2 : "";
    struct str rest = { request, gap != NULL ? (size_t)(gap - request) : strlen(request) }, line;
    bool first = true;

    while (str_split(&rest, '\n', &line)) {
        buf_add_str(out, line);
        buf_add_cstr(out, "\r\n");
        if (first)
            buf_add_cstr(out, "Host: test\r\n");
        first = false;
    }
    if (strstr(request, "Content-Length") == NULL && *body != '\0')
        buf_printf(out, "Content-Length: %zu\r\n", strlen(body));
    buf_add_cstr(out, "\r\n");
    buf_add_cstr(out, body);
    return out->len - strlen(body);
}

static struct exchange *exchange_new(struct fixture *f)
{
    struct exchange *x = calloc(1, sizeof(*x));

    MUST(x != NULL);
    x->app = api_http_app(f->api);
    buf_init(&x->text, 1 << 24);
    buf_init(&x->body, 1 << 24);
    arena_init(&x->r.arena, (size_t)f->conf->max_request_memory_bytes);
    x->r.start_ns = clock_mono_ns();
    x->r.deadline_ns = 1;
    x->r.peer.ss_family = AF_INET;
    return x;
}

struct exchange *exchange_refused(struct fixture *f, int status)
{
    struct exchange *x = exchange_new(f);

    x->app->on_error(&x->r, status, x->app->arg);
    return x;
}

struct exchange *exchange_begin(struct fixture *f, const char *request)
{
    struct exchange *x = exchange_new(f);
    size_t body_at;

    body_at = write_request(&x->text, request);
    MUST(http_parse_head(&x->head, x->text.data, x->text.len, 1 << 20) == 0);
    x->r.head = &x->head;
    size_t most = x->app->on_head(&x->r, x->app->arg);
    x->r.body = (struct str){ x->text.data + body_at, x->text.len - body_at };
    if (!x->answer.answered && x->r.body.len > most)
        x->app->on_error(&x->r, 413, x->app->arg);
    else if (!x->answer.answered)
        x->app->on_body(&x->r, x->app->arg);
    return x;
}

const struct answer *exchange_answer(const struct exchange *x)
{
    return &x->answer;
}

uint64_t exchange_deadline(const struct exchange *x)
{
    return x->r.deadline_ns;
}

void exchange_error(struct exchange *x, int status)
{
    x->app->on_error(&x->r, status, x->app->arg);
}

static void finish(struct exchange *x)
{
    x->app->on_done(&x->r, x->answer.answered ? HTTP_END_SENT : HTTP_END_DISCONNECT, x->answer.status,
                    x->answer.body.len, x->app->arg);
    MUST(x->r.app == NULL);
    arena_free(&x->r.arena);
}

void exchange_end(struct exchange *x)
{
    finish(x);
    buf_free(&x->text);
    buf_free(&x->body);
    free(x);
}

const struct answer *ask(struct fixture *f, const char *request)
{
    static struct exchange *last;

    if (last != NULL) {
        buf_free(&last->text);
        buf_free(&last->body);
        free(last);
    }
    last = exchange_begin(f, request);
    MUST(last->answer.answered);
    finish(last);
    return &last->answer;
}

const struct answer *get(struct fixture *f, const char *target)
{
    char request[8192];

    snprintf(request, sizeof(request), "GET %s HTTP/1.1\nX-API-Key: " FIXTURE_KEY, target);
    return ask(f, request);
}

const struct answer *post(struct fixture *f, const char *target, const char *body)
{
    struct buf request;
    const struct answer *a;

    buf_init(&request, 1 << 24);
    buf_printf(&request, "POST %s HTTP/1.1\nX-API-Key: " FIXTURE_KEY "\n\n%s", target, body);
    a = ask(f, buf_cstr(&request));
    buf_free(&request);
    return a;
}

const char *answer_header(const struct answer *a, const char *name)
{
    static char value[1024];
    struct str rest = str_from(a->headers), line, key;

    while (str_split(&rest, '\n', &line)) {
        if (!str_split(&line, ':', &key) || !str_ieq(key, name) || line.p == NULL)
            continue;
        line = str_trim(line);
        if (line.len > 0 && line.p[line.len - 1] == '\r')
            line.len--;
        str_copy(value, sizeof(value), line);
        return value;
    }
    return "";
}

const struct json *answer_json(const struct answer *a)
{
    static struct arena arena;
    const struct json *j;
    const char *why;

    arena_free(&arena);
    arena_init(&arena, 1 << 26);
    j = json_parse(&arena, a->body, &why);
    if (j == NULL)
        fprintf(stderr, "%s: %.*s\n", why, (int)a->body.len, a->body.p);
    MUST(j != NULL);
    return j;
}

const struct json *json_at(const struct json *j, const char *path)
{
    struct str rest = str_from(path), step;

    while (j != NULL && str_split(&rest, '.', &step)) {
        char name[64];
        uint64_t index;

        str_copy(name, sizeof(name), step);
        if (j->type != JSON_ARRAY) {
            j = json_get(j, name);
            continue;
        }
        MUST(str_to_u64(step, &index));
        for (j = j->first; j != NULL && index > 0; index--)
            j = j->next;
    }
    return j;
}

const char *json_text(const struct json *j, const char *path)
{
    static char text[4096];
    const struct json *m = json_at(j, path);

    if (m == NULL)
        return "(absent)";
    switch (m->type) {
    case JSON_NULL:
        return "null";
    case JSON_BOOL:
        return m->boolean ? "true" : "false";
    case JSON_ARRAY:
        return "(array)";
    case JSON_OBJECT:
        return "(object)";
    default:
        str_copy(text, sizeof(text), m->text);
        return text;
    }
}
