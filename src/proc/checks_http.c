/*
 * checks_http: our own server, asked through its listening socket as a client would.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "net/listen.h"
#include "proc/checks.h"

static const char request[] = "GET /health/live HTTP/1.1\r\nHost: localhost\r\nUser-Agent: patrond-probe\r\n"
                              "Connection: close\r\n\r\n";

/* Who listens on every address is reached through the loopback one. */
static void prefer_loopback(struct sockaddr_storage *addr)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)(void *)addr;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)(void *)addr;

    if (addr->ss_family == AF_INET && v4->sin_addr.s_addr == htonl(INADDR_ANY))
        v4->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    else if (addr->ss_family == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED(&v6->sin6_addr))
        v6->sin6_addr = in6addr_loopback;
}

static bool connect_in_time(int fd, const struct sockaddr_storage *addr, socklen_t len, const struct check_env *env,
                            struct check_result *r)
{
    int error = 0;
    socklen_t size = sizeof(error);

    if (connect(fd, (const struct sockaddr *)addr, len) == 0)
        return true;
    error = errno;
    if (error == EINPROGRESS) {
        if (!check_wait(fd, POLLOUT, env->deadline_ns)) {
            check_down(r, SB_ERROR_CONNECT_TIMEOUT, "no connection in time");
            return false;
        }
        (void)getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
    }
    if (error != 0)
        check_down(r, SB_ERROR_REFUSED, "cannot connect: %s", strerror(error));
    return error == 0;
}

static void ask(int fd, const struct check_env *env, struct check_result *r)
{
    static const char good[] = "HTTP/1.1 200 ";
    char head[sizeof(good) - 1];
    size_t got = 0;

    if (send(fd, request, sizeof(request) - 1, MSG_NOSIGNAL) != (ssize_t)sizeof(request) - 1) {
        check_down(r, SB_ERROR_REFUSED, "cannot send: %s", strerror(errno));
        return;
    }
    while (got < sizeof(head)) {
        ssize_t n;

        if (!check_wait(fd, POLLIN, env->deadline_ns)) {
            check_down(r, SB_ERROR_QUERY_TIMEOUT, "connected, but no worker answers");
            return;
        }
        n = recv(fd, head + got, sizeof(head) - got, 0);
        if (n <= 0) {
            check_down(r, SB_ERROR_REFUSED, "the connection was closed without an answer");
            return;
        }
        got += (size_t)n;
    }
    if (memcmp(head, good, sizeof(head)) == 0)
        check_up(r, "a worker answers");
    else
        check_down(r, SB_ERROR_REFUSED, "unexpected answer: %.*s", (int)sizeof(head), head);
}

void check_self_run(const struct check_env *env, struct check_result *r)
{
    struct sockaddr_storage addr;
    socklen_t len;
    int fd;

    (void)snprintf(r->target, sizeof(r->target), "%s", env->listen);
    if (!listen_parse(env->listen, &addr, &len)) {
        check_down(r, SB_ERROR_REFUSED, "the address in use is not known: does patrond run?");
        return;
    }
    prefer_loopback(&addr);
    fd = socket(addr.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        check_down(r, SB_ERROR_REFUSED, "socket: %s", strerror(errno));
        return;
    }
    if (connect_in_time(fd, &addr, len, env, r))
        ask(fd, env, r);
    close(fd);
}
