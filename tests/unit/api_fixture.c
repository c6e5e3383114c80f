/*
 * api_fixture: see the header.
 */
#include "api_fixture.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/rng.h"
#include "core/metrics.h"
#include "core/sys.h"
#include "data/population_write.h"

#define AS_OF_DAY 20395 /* 2025-11-03 */

#define MUST(condition)                                                                                              \
    do {                                                                                                             \
        if (!(condition)) {                                                                                          \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                                          \
            abort();                                                                                                 \
        }                                                                                                            \
    } while (0)

static struct conf *load_conf(const char *dir, const char *settings)
{
    struct buf text, problems, warnings;
    char path[128];
    struct conf *c;

    buf_init(&text, 65536);
    buf_init(&problems, 65536);
    buf_init(&warnings, 65536);
    buf_printf(&text,
               "ADMIN_KEY = " FIXTURE_KEY "\nDATABASE_URL = postgresql:///x\nSTATE_DIR = %s\nRUN_DIR = %s\n%s\n", dir,
               dir, settings);
    MUST(sys_write_file(dir, "patrond.conf", text.data, text.len, 0600) == 0);
    snprintf(path, sizeof(path), "%s/patrond.conf", dir);
    c = conf_load(path, &problems, &warnings);
    if (c == NULL)
        fprintf(stderr, "%s", buf_cstr(&problems));
    MUST(c != NULL);
    buf_free(&text);
    buf_free(&problems);
    buf_free(&warnings);
    return c;
}

static void score(struct population_row *r, int i)
{
    r->flags |= POPULATION_SCORED | POPULATION_SEGMENTED;
    r->churn = (float)(i % 100) / 100;
    r->p_alive = 0.5f;
    r->expected_orders = 1.25f;
    r->predicted_clv = 25.39f;
    r->predicted_clv_discounted = 24.21f;
    for (int axis = 0; axis < POPULATION_AXES; axis++)
        r->axes[axis] = (struct population_membership){ .low = 1, .high = 2, .weight = 6900 };
    r->axes[5] = (struct population_membership){ .low = 0, .high = 0, .weight = 10000 };
}

/* Customer i: i + 1 orders, 10.00 × (i + 1) net; every third one has a single order. */
static struct population_row make_row(int i, bool scored)
{
    uint32_t orders = i % 3 == 0 ? 1 : (uint32_t)i + 1;
    struct population_row r = {
        .customer_id = FIXTURE_FIRST_ID + i,
        .gross_cents = 1000 * (i + 1) + 500,
        .refunds_cents = 500,
        .first_day = AS_OF_DAY - 2 * i - 10,
        .last_day = orders == 1 ? AS_OF_DAY - 2 * i - 10 : AS_OF_DAY - i,
        .orders = orders,
        .lines = orders,
        .products = 1,
        .purchase_days = orders,
        .orders_90 = (uint32_t)i % 4,
        .orders_prev_90 = 2,
        .archetype_l1 = POPULATION_NO_ARCHETYPE,
        .archetype_l2 = POPULATION_NO_ARCHETYPE,
    };

    if (scored)
        score(&r, i);
    return r;
}

static void publish(struct fixture *f, uint64_t version, bool scored, int64_t synced_us)
{
    struct population_meta meta = {
        .data_version = version,
        .published_us = synced_us,
        .synced_us = synced_us,
        .as_of_day = AS_OF_DAY,
        .orders_loaded = 5000,
        .rows_loaded = 9000,
        .currency = "USD",
        .model_version = scored ? "mbg1-20251103" : "",
        .model_status = scored ? "ok" : "",
        .active_window_days = 365,
        .b2b_min_ltv_cents = 150000,
        .b2b_min_orders = 190,
    };
    struct population_writer *w;
    char why[256];

    w = population_writer_new(f->dir, FIXTURE_ROWS, &meta, why, sizeof(why));
    MUST(w != NULL);
    for (int i = 0; i < FIXTURE_ROWS; i++) {
        struct population_row r = make_row(i, scored);

        MUST(population_writer_add(w, &r, why, sizeof(why)));
    }
    MUST(population_writer_finish(w, why, sizeof(why)));
    atomic_store(&f->sb->data_version, version);
}

void fixture_publish(struct fixture *f, uint64_t version, bool scored)
{
    publish(f, version, scored, clock_wall_us() - 60 * CLOCK_US_PER_S);
}

void fixture_publish_synced(struct fixture *f, uint64_t version, int64_t synced_us)
{
    publish(f, version, false, synced_us);
}

void fixture_start(struct fixture *f, const char *settings, uint64_t version)
{
    unsigned routes;
    const char *const *names = api_route_names(&routes);

    *f = (struct fixture){ .dir = "/tmp/patrond-api-XXXXXX" };
    MUST(mkdtemp(f->dir) != NULL);
    rng_seed();
    log_init("test", LOG_LEVEL_CRITICAL, false);
    f->conf = load_conf(f->dir, settings);
    metrics_init(names, routes);
    f->sb = scoreboard_create(f->dir, "1.0.0");
    MUST(f->sb != NULL);
    f->slot = scoreboard_assign(f->sb, SB_ROLE_WORKER, 0, 1);
    MUST(f->slot != NULL);
    atomic_store(&f->slot->state, SB_READY);
    metrics_bind(f->slot);
    if (version > 0)
        fixture_publish(f, version, false);
    f->api = api_new(&(struct api_env){ .conf = f->conf, .sb = f->sb, .slot = f->slot });
    MUST(f->api != NULL);
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *where)
{
    (void)st;
    (void)type;
    (void)where;
    return remove(path);
}

void fixture_stop(struct fixture *f)
{
    api_free(f->api);
    metrics_bind(NULL);
    scoreboard_close(f->sb);
    conf_free(f->conf);
    nftw(f->dir, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

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
    size_t scanned = 0, body_at;

    body_at = write_request(&x->text, request);
    MUST(http_parse_head(&x->head, x->text.data, x->text.len, 1 << 20, &scanned) == 0);
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
