/*
 * What the application adds to a profile request: everything from the parsed head to the finished answer, with an
 * engine that does nothing. Prints nanoseconds of CPU a request; no test. Usage: bench_api [requests]
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "api_fixture.h"
#include "base/clock.h"
#include "data/apikeys.h"

#define TARGET "GET /api/mcp/customer/1005 HTTP/1.1\r\nHost: 127.0.0.1:8000\r\n"

static size_t answered_bytes;

void http_reply(struct http_request *r, const struct http_reply *reply)
{
    (void)r;
    answered_bytes += reply->headers.len + reply->body.len;
}

static double cpu_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static double run(struct fixture *f, const char *request, long count)
{
    const struct http_app *app = api_http_app(f->api);
    struct http_request r = { .peer.ss_family = AF_INET };
    struct http_head head;
    uint64_t start_ns = clock_mono_ns();
    double start;

    if (http_parse_head(&head, request, strlen(request), 16384) != 0)
        abort();
    r.head = &head;
    arena_init(&r.arena, (size_t)f->conf->max_request_memory_bytes);
    start = cpu_ns();
    for (long i = 0; i < count; i++) {
        r.start_ns = start_ns;
        app->on_head(&r, app->arg);
        app->on_body(&r, app->arg);
        app->on_done(&r, HTTP_END_SENT, 200, 900, app->arg);
        arena_reset(&r.arena);
    }
    start = cpu_ns() - start;
    arena_free(&r.arena);
    return start / (double)count;
}

static void measure(struct fixture *f, const char *what, const char *lines, long count)
{
    char request[512];
    double ns;

    (void)snprintf(request, sizeof(request), TARGET "%s\r\n", lines);
    answered_bytes = 0;
    ns = run(f, request, count);
    printf("%-40s %6.0f ns a request, %zu bytes an answer\n", what, ns, answered_bytes / (size_t)count);
}

/* Makes a key the application knows. */
static void know_key(struct fixture *f, struct apikey_secret *secret)
{
    struct keyring_key key = { .id = 7, .expires_us = INT64_MAX, .scopes = KEY_SCOPE_READ };
    struct keyring *ring;

    if (!apikey_make(secret))
        abort();
    hash_sha256(key.hash, secret->text, APIKEY_CHARS);
    ring = keyring_new(1, &key, 1);
    if (ring == NULL || !keyring_save(ring, f->dir))
        abort();
    atomic_store(&f->sb->keys_digest, ring->digest);
    keyring_free(ring);
    api_tick(f->api);
}

static void measure_all(const char *name, const char *settings, long count)
{
    struct apikey_secret secret;
    char what[64], line[128];
    struct fixture f;

    fixture_start(&f, settings, 7);
    fixture_publish(&f, 8, true);
    know_key(&f, &secret);
    (void)snprintf(what, sizeof(what), "operator's key, %s", name);
    measure(&f, what, "X-API-Key: " FIXTURE_KEY "\r\n", count);
    (void)snprintf(what, sizeof(what), "API key, %s", name);
    (void)snprintf(line, sizeof(line), "X-API-Key: %s\r\n", secret.text);
    measure(&f, what, line, count);
    (void)snprintf(what, sizeof(what), "API key, gzip, %s", name);
    (void)snprintf(line, sizeof(line), "X-API-Key: %s\r\nAccept-Encoding: gzip\r\n", secret.text);
    measure(&f, what, line, count / 10);
    fixture_stop(&f);
}

int main(int argc, char **argv)
{
    long count = argc > 1 ? strtol(argv[1], NULL, 10) : 1000000;

    if (count < 10)
        return 2;
    measure_all("no limit", "ACCESS_LOG = off", count);
    measure_all("limited", "ACCESS_LOG = off\nALLOW_LIST =\nRATE_LIMIT_DEFAULT = 1000000000/s;burst=1000000000",
                count);
    return 0;
}
