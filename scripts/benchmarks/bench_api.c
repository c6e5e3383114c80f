/*
 * What the application adds to a profile request: everything from the parsed head to the finished answer, with an
 * engine that does nothing. Prints nanoseconds a request; no test. Usage: bench_api [requests]
 */
#include <stdio.h>
#include <stdlib.h>

#include "api_fixture.h"
#include "base/clock.h"

static const char request[] = "GET /api/mcp/customer/1005 HTTP/1.1\r\n"
                              "Host: 127.0.0.1:8000\r\n"
                              "X-API-Key: " FIXTURE_KEY "\r\n"
                              "\r\n";

static size_t answered_bytes;

void http_reply(struct http_request *r, const struct http_reply *reply)
{
    (void)r;
    answered_bytes += reply->headers.len + reply->body.len;
}

static double run(struct fixture *f, long count)
{
    const struct http_app *app = api_http_app(f->api);
    struct http_request r = { .peer.ss_family = AF_INET };
    struct http_head head;
    uint64_t start = clock_mono_ns();

    if (http_parse_head(&head, request, sizeof(request) - 1, 16384) != 0)
        abort();
    r.head = &head;
    arena_init(&r.arena, (size_t)f->conf->max_request_memory_bytes);
    for (long i = 0; i < count; i++) {
        r.start_ns = start;
        app->on_head(&r, app->arg);
        app->on_body(&r, app->arg);
        app->on_done(&r, HTTP_END_SENT, 200, 900, app->arg);
        arena_reset(&r.arena);
    }
    arena_free(&r.arena);
    return (double)(clock_mono_ns() - start) / (double)count;
}

int main(int argc, char **argv)
{
    long count = argc > 1 ? strtol(argv[1], NULL, 10) : 1000000;
    struct fixture f;

    if (count <= 0)
        return 2;
    fixture_start(&f, "ACCESS_LOG = off", 7);
    for (int scored = 0; scored < 2; scored++) {
        answered_bytes = 0;
        double ns = run(&f, count);

        printf("%s profile: %.0f ns a request, %zu bytes an answer\n", scored ? "scored" : "unscored", ns,
               answered_bytes / (size_t)count);
        fixture_publish(&f, 8, true);
        api_tick(f.api);
    }
    fixture_stop(&f);
    return 0;
}
