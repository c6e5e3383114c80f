/*
 * The engine as a whole: connections that get arbitrary bytes in arbitrary
 * pieces, answered at once or later, must end with every request accounted
 * for and every answer well formed. An input's first byte says how the
 * bytes are cut; 0xff bytes inside it let the server work in between.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/http_conn.h"
#include "net/http_server.h"
#include "net/listen.h"

#define MAX_TURNS 2000

struct pending {
    struct http_request *request;
    bool deferred, done;
};

static struct loop *loop;
static struct http_server *server;
static unsigned begun, ended;
static struct pending waiting[64]; /* requests whose deferred answer is due */
static unsigned waiting_count;

static void require(bool condition)
{
    if (!condition)
        abort();
}

static void answer(struct http_request *r)
{
    http_reply(r, &(struct http_reply){ .status = 200, .headers = STR_LIT("X-A: b\r\n"), .body = r->body });
}

static void on_later(void *arg)
{
    struct pending *p = arg;

    if (p->request != NULL)
        answer(p->request);
}

static size_t on_head(struct http_request *r, void *arg)
{
    (void)arg;
    require(r->head != NULL && r->head->path.len > 0);
    begun++;
    if (r->head->path.len == 2)
        answer(r);
    return 5000;
}

static void on_body(struct http_request *r, void *arg)
{
    (void)arg;
    require(r->body.len <= 5000);
    if (r->head->path.len == 3 && waiting_count < 64) {
        struct pending *p = &waiting[waiting_count++];

        *p = (struct pending){ .request = r };
        r->app = p;
        require(loop_defer(loop, on_later, p));
    } else {
        answer(r);
    }
}

static void on_error(struct http_request *r, int status, void *arg)
{
    (void)arg;
    if (r->app == NULL && r->deadline_ns == 0)
        begun++; /* refused before on_head */
    http_reply(r, &(struct http_reply){ .status = status });
}

static void on_done(struct http_request *r, enum http_end end, int status, size_t body_bytes, void *arg)
{
    struct pending *p = r->app;

    (void)end;
    (void)arg;
    (void)body_bytes;
    require(status == 0 || (status >= 200 && status <= 599));
    if (p != NULL)
        p->request = NULL;
    ended++;
}

static void on_turn(void *arg)
{
    (void)arg;
    loop_stop(loop);
}

static void nothing(void *arg)
{
    (void)arg;
}

/* With a call deferred already, a turn does not wait for events. */
static void run_turn(void)
{
    require(loop_defer(loop, nothing, NULL));
    loop_run(loop, 1000, on_turn, NULL);
}

static void set_up(void)
{
    static const struct http_limits limits = { .max_connections = 10,
                                               .max_head_bytes = 2048,
                                               .max_request_memory_bytes = 65536,
                                               .header_timeout_s = 5,
                                               .body_timeout_s = 5,
                                               .idle_timeout_s = 5,
                                               .request_timeout_s = 5 };
    static const struct http_app app = { NULL, on_head, on_body, on_error, on_done };
    struct listen_set listeners;
    char why[256];

    signal(SIGPIPE, SIG_IGN);
    loop = loop_new();
    require(loop != NULL && listen_open(&listeners, "127.0.0.1:0", 0, why, sizeof why));
    server = http_server_new(loop, listen_fd(&listeners, 0), &limits, &app, NULL);
    require(server != NULL);
}

/* Every answer begins with a status line; reads what is there. */
static void drain_answers(int fd, bool *fresh)
{
    char bytes[4096];
    ssize_t n;

    while ((n = read(fd, bytes, sizeof bytes)) > 0) {
        if (*fresh && n >= 9)
            require(memcmp(bytes, "HTTP/1.1 ", 9) == 0);
        *fresh = false;
    }
}

static void feed(int fd, const uint8_t *data, size_t n, size_t step)
{
    bool fresh = true;

    while (n > 0) {
        size_t piece = 0;

        while (piece < n && piece < step && data[piece] != 0xff)
            piece++;
        if (piece > 0 && write(fd, data, piece) < 0 && errno != EAGAIN)
            return;
        if (piece < n && data[piece] == 0xff)
            piece++;
        data += piece;
        n -= piece;
        run_turn();
        drain_answers(fd, &fresh);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static const struct sockaddr_storage peer = { .ss_family = AF_UNIX };
    struct http_stats stats;
    int pair[2];

    if (server == NULL)
        set_up();
    if (n < 1 || n > 20000)
        return 0;
    begun = ended = waiting_count = 0;
    require(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) == 0);
    require(http_conn_open(server, pair[0], &peer));
    feed(pair[1], data + 1, n - 1, data[0] % 8 == 0 ? 1 + data[0] : 20000);
    if (data[0] & 1)
        shutdown(pair[1], SHUT_WR);
    else
        close(pair[1]);
    for (unsigned i = 0; i < MAX_TURNS; i++) {
        bool fresh = false;

        http_server_stats(server, &stats);
        if (stats.connections == 0)
            break;
        run_turn();
        if (data[0] & 1)
            drain_answers(pair[1], &fresh);
    }
    if (data[0] & 1)
        close(pair[1]);
    http_server_stats(server, &stats);
    require(stats.connections == 0 && stats.in_flight == 0);
    require(begun == ended);
    run_turn(); /* answers that came too late */
    return 0;
}
