/*
 * http_echo_server: the HTTP engine with an application made for its tests.
 *
 *   GET  /hello          "hello"
 *   GET  /size/{n}       n bytes
 *   GET  /slow/{ms}      "slow" after so long
 *   GET  /never          no answer
 *   GET  /close          "bye", then the connection ends
 *   GET  /stats          counts of the engine and of ends of requests
 *   POST /echo           the body
 *   POST /tiny           the body, at most 10 bytes
 *   any  /denied         401 from the head alone, the body unread
 *
 * Prints "port N" when it listens; ends on TERM once drained, saying so.
 */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include "net/http_server.h"
#include "net/listen.h"
#include "net/router.h"

#define MAX_BODY_BYTES 1048576

struct test_app {
    struct loop *loop;
    struct http_server *server;
    struct router *router;
    unsigned ends[HTTP_END_ABORTED + 1];
    unsigned errors, pauses, heads;
    int last_status;
    bool drained;
};

enum route_id {
    ROUTE_HELLO,
    ROUTE_SIZE,
    ROUTE_SLOW,
    ROUTE_NEVER,
    ROUTE_CLOSE,
    ROUTE_STATS,
    ROUTE_ECHO,
    ROUTE_TINY,
    ROUTE_DENIED_GET,
    ROUTE_DENIED_POST
};

static const struct router_entry routes[] = {
    [ROUTE_HELLO] = { HTTP_GET, "/hello" },       [ROUTE_SIZE] = { HTTP_GET, "/size/{n}" },
    [ROUTE_SLOW] = { HTTP_GET, "/slow/{ms}" },    [ROUTE_NEVER] = { HTTP_GET, "/never" },
    [ROUTE_CLOSE] = { HTTP_GET, "/close" },       [ROUTE_STATS] = { HTTP_GET, "/stats" },
    [ROUTE_ECHO] = { HTTP_POST, "/echo" },        [ROUTE_TINY] = { HTTP_POST, "/tiny" },
    [ROUTE_DENIED_GET] = { HTTP_GET, "/denied" }, [ROUTE_DENIED_POST] = { HTTP_POST, "/denied" },
};

/* What a request waits with. */
struct pending {
    struct http_request *request;
    struct loop_timer *timer;
    struct router_match match;
};

static void answer(struct http_request *r, int status, struct str body)
{
    http_reply(r, &(struct http_reply){
                      .status = status, .headers = STR_LIT("Content-Type: text/plain\r\n"), .body = body });
}

static uint64_t number_of(struct str text)
{
    uint64_t n = 0;

    str_to_u64(text, &n);
    return n;
}

static void on_slow(void *arg)
{
    struct pending *p = arg;

    answer(p->request, 200, STR_LIT("slow"));
}

static void answer_size(struct http_request *r, struct str digits)
{
    size_t n = (size_t)number_of(digits);
    char *bytes = arena_alloc(&r->arena, n);

    if (bytes == NULL) {
        answer(r, 503, STR_LIT("too large"));
        return;
    }
    for (size_t i = 0; i < n; i++)
        bytes[i] = (char)('a' + i % 26);
    answer(r, 200, (struct str){ bytes, n });
}

static void answer_stats(struct test_app *a, struct http_request *r)
{
    struct http_stats st;
    char *text;

    http_server_stats(a->server, &st);
    text = arena_printf(&r->arena,
                        "{\"connections\":%u,\"active\":%u,\"idle\":%u,\"in_flight\":%u,\"accepted\":%llu,"
                        "\"sent\":%u,\"disconnect\":%u,\"timeout\":%u,\"errors\":%u,\"heads\":%u,\"pauses\":%u,"
                        "\"last_status\":%d}",
                        st.connections, st.active, st.idle, st.in_flight, (unsigned long long)st.accepted,
                        a->ends[HTTP_END_SENT], a->ends[HTTP_END_DISCONNECT], a->ends[HTTP_END_TIMEOUT], a->errors,
                        a->heads, a->pauses, a->last_status);
    answer(r, 200, str_from(text));
}

static size_t on_head(struct http_request *r, void *arg)
{
    struct test_app *a = arg;
    struct pending *p = arena_zalloc(&r->arena, sizeof *p);

    a->heads++;
    r->app = p;
    p->request = r;
    router_find(a->router, r->head->method, r->head->path, &p->match);
    if (p->match.path_index < 0)
        answer(r, 404, STR_LIT("no such path\n"));
    else if (p->match.index < 0)
        answer(r, 405, STR_LIT("no such method\n"));
    else if (p->match.index == ROUTE_DENIED_GET || p->match.index == ROUTE_DENIED_POST)
        answer(r, 401, STR_LIT("denied\n"));
    return p->match.index == ROUTE_TINY ? 10 : MAX_BODY_BYTES;
}

static void on_body(struct http_request *r, void *arg)
{
    struct test_app *a = arg;
    struct pending *p = r->app;

    switch ((enum route_id)p->match.index) {
    case ROUTE_HELLO:
        answer(r, 200, STR_LIT("hello"));
        break;
    case ROUTE_SIZE:
        answer_size(r, p->match.params[0]);
        break;
    case ROUTE_SLOW:
        p->timer = loop_timer_new(a->loop, on_slow, p);
        loop_timer_set(p->timer, number_of(p->match.params[0]));
        break;
    case ROUTE_CLOSE:
        http_reply(r, &(struct http_reply){ .status = 200, .body = STR_LIT("bye"), .close = true });
        break;
    case ROUTE_STATS:
        answer_stats(a, r);
        break;
    case ROUTE_ECHO:
    case ROUTE_TINY:
        answer(r, 200, r->body);
        break;
    case ROUTE_NEVER:
    case ROUTE_DENIED_GET:
    case ROUTE_DENIED_POST:
        break;
    }
}

static void on_error(struct http_request *r, int status, void *arg)
{
    struct test_app *a = arg;

    a->errors++;
    answer(r, status, STR_LIT("refused\n"));
}

static void on_done(struct http_request *r, enum http_end end, int status, size_t body_bytes, void *arg)
{
    struct test_app *a = arg;
    struct pending *p = r->app;

    (void)body_bytes;
    if (p != NULL)
        loop_timer_free(p->timer);
    a->ends[end]++;
    a->last_status = status;
}

static void on_pause(enum http_pause reason, void *arg)
{
    struct test_app *a = arg;

    (void)reason;
    a->pauses++;
}

static void on_drained(void *arg)
{
    struct test_app *a = arg;

    a->drained = true;
    loop_stop(a->loop);
}

static void on_term(evutil_socket_t fd, short what, void *arg)
{
    struct test_app *a = arg;

    (void)fd;
    (void)what;
    http_server_drain(a->server, on_drained, a);
}

static void usage(void)
{
    fputs("usage: http_echo_server [-H header_s] [-B body_s] [-I idle_s] [-R request_s] [-c connections]\n", stderr);
    exit(2);
}

static struct http_limits parse_limits(int argc, char **argv)
{
    struct http_limits limits = { .max_connections = 20000,
                                  .max_head_bytes = 16384,
                                  .max_request_memory_bytes = 67108864,
                                  .header_timeout_s = 10,
                                  .body_timeout_s = 30,
                                  .idle_timeout_s = 60,
                                  .request_timeout_s = 30 };
    int option;

    while ((option = getopt(argc, argv, "H:B:I:R:c:")) != -1) {
        unsigned n = option == '?' ? 0 : (unsigned)number_of(str_from(optarg));

        switch (option) {
        case 'H':
            limits.header_timeout_s = n;
            break;
        case 'B':
            limits.body_timeout_s = n;
            break;
        case 'I':
            limits.idle_timeout_s = n;
            break;
        case 'R':
            limits.request_timeout_s = n;
            break;
        case 'c':
            limits.max_connections = n;
            break;
        default:
            usage();
        }
    }
    return limits;
}

int main(int argc, char **argv)
{
    struct http_limits limits = parse_limits(argc, argv);
    struct test_app app = { .loop = loop_new(), .router = router_new(routes, ROUTE_DENIED_POST + 1, sizeof *routes) };
    struct http_app callbacks = { &app, on_head, on_body, on_error, on_done };
    struct http_server_hooks hooks = { .arg = &app, .on_pause = on_pause };
    struct listen_set listeners;
    struct event *term;
    char why[256], address[LISTEN_ADDRESS_SIZE];

    signal(SIGPIPE, SIG_IGN);
    if (!listen_open(&listeners, "127.0.0.1:0", 0, why, sizeof why)) {
        fprintf(stderr, "http_echo_server: %s\n", why);
        return 1;
    }
    app.server = http_server_new(app.loop, listen_fd(&listeners, 0), &limits, &callbacks, &hooks);
    term = event_new(loop_base(app.loop), SIGTERM, EV_SIGNAL | EV_PERSIST, on_term, &app);
    if (app.loop == NULL || app.router == NULL || app.server == NULL || term == NULL || event_add(term, NULL) < 0)
        return 1;
    listen_address(&listeners, address);
    printf("port %s\n", strrchr(address, ':') + 1);
    fflush(stdout);
    loop_run(app.loop, 250, NULL, NULL);
    puts(app.drained ? "drained" : "stopped");
    http_server_free(app.server);
    event_free(term);
    router_free(app.router);
    loop_free(app.loop);
    listen_close(&listeners);
    return 0;
}
