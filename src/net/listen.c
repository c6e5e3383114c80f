/*
 * listen: parsing of addresses, and opening or taking over of listening sockets.
 */
#include "net/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LISTEN_BACKLOG     4096
#define FIRST_INHERITED_FD 3 /* as systemd hands them over */

static bool parse_port(struct str text, in_port_t *port)
{
    uint64_t n;

    if (text.len > 5 || !str_to_u64(text, &n) || n > 65535)
        return false;
    *port = htons((uint16_t)n);
    return true;
}

static bool parse_v4(struct str host, in_port_t port, struct sockaddr_storage *addr, socklen_t *len)
{
    struct sockaddr_in *in = (struct sockaddr_in *)addr;
    char text[INET_ADDRSTRLEN];

    if (!str_copy(text, sizeof text, host.len > 0 ? host : STR_LIT("0.0.0.0")) ||
        inet_pton(AF_INET, text, &in->sin_addr) != 1)
        return false;
    in->sin_family = AF_INET;
    in->sin_port = port;
    *len = sizeof *in;
    return true;
}

static bool parse_v6(struct str host, in_port_t port, struct sockaddr_storage *addr, socklen_t *len)
{
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)addr;
    char text[INET6_ADDRSTRLEN];

    if (!str_copy(text, sizeof text, host) || inet_pton(AF_INET6, text, &in6->sin6_addr) != 1)
        return false;
    in6->sin6_family = AF_INET6;
    in6->sin6_port = port;
    *len = sizeof *in6;
    return true;
}

bool listen_parse(const char *text, struct sockaddr_storage *addr, socklen_t *len)
{
    struct str all = str_from(text), host;
    const char *colon = all.len > 0 ? memrchr(all.p, ':', all.len) : NULL;
    in_port_t port;

    memset(addr, 0, sizeof *addr);
    if (colon == NULL)
        return false;
    host = (struct str){ all.p, (size_t)(colon - all.p) };
    if (!parse_port((struct str){ colon + 1, all.len - host.len - 1 }, &port))
        return false;
    if (host.len >= 2 && host.p[0] == '[' && host.p[host.len - 1] == ']')
        return parse_v6((struct str){ host.p + 1, host.len - 2 }, port, addr, len);
    return parse_v4(host, port, addr, len);
}

void listen_format(char dst[LISTEN_ADDRESS_SIZE], const struct sockaddr *addr)
{
    char host[INET6_ADDRSTRLEN] = "?";

    if (addr->sa_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)addr;

        inet_ntop(AF_INET, &in->sin_addr, host, sizeof host);
        snprintf(dst, LISTEN_ADDRESS_SIZE, "%s:%u", host, (unsigned)ntohs(in->sin_port));
    } else if (addr->sa_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)(const void *)addr;

        inet_ntop(AF_INET6, &in6->sin6_addr, host, sizeof host);
        snprintf(dst, LISTEN_ADDRESS_SIZE, "[%s]:%u", host, (unsigned)ntohs(in6->sin6_port));
    } else {
        snprintf(dst, LISTEN_ADDRESS_SIZE, "%s", addr->sa_family == AF_UNIX ? "unix" : "unknown");
    }
}

static bool refuse(char *why, size_t why_size, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

static bool refuse(char *why, size_t why_size, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(why, why_size, fmt, ap);
    va_end(ap);
    return false;
}

/* Accepted sockets take TCP_NODELAY over from the listening one. */
static bool prepare(int fd)
{
    int on = 1, flags = fcntl(fd, F_GETFL);

    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 || fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
        return false;
    return setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0 || errno == EOPNOTSUPP;
}

static bool adopt(struct listen_set *set, int fd, char *why, size_t why_size)
{
    int type = 0, listening = 0;
    socklen_t len = sizeof type;

    if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) < 0)
        return refuse(why, why_size, "inherited descriptor %d is no socket: %s", fd, strerror(errno));
    len = sizeof listening;
    if (type != SOCK_STREAM || getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &len) < 0 || !listening)
        return refuse(why, why_size, "inherited descriptor %d is not a listening stream socket (ListenStream=)", fd);
    if (!prepare(fd))
        return refuse(why, why_size, "inherited descriptor %d: %s", fd, strerror(errno));
    set->fds[set->count++] = fd;
    return true;
}

static bool adopt_all(struct listen_set *set, int count, char *why, size_t why_size)
{
    if (count > LISTEN_MAX)
        return refuse(why, why_size, "%d inherited sockets, at most %d can be used", count, LISTEN_MAX);
    for (int i = 0; i < count; i++)
        if (!adopt(set, FIRST_INHERITED_FD + i, why, why_size))
            return false;
    return true;
}

bool listen_adopt(struct listen_set *set, const struct listen_set *from, char *why, size_t why_size)
{
    set->count = 0;
    for (unsigned i = 0; i < from->count; i++)
        if (!adopt(set, from->fds[i], why, why_size))
            return false;
    return set->count > 0 || refuse(why, why_size, "no listening socket was handed over");
}

static bool bind_and_listen(int fd, const struct sockaddr_storage *addr, socklen_t len)
{
    int on = 1;

    return setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 && prepare(fd) &&
           bind(fd, (const struct sockaddr *)addr, len) == 0 && listen(fd, LISTEN_BACKLOG) == 0;
}

bool listen_open(struct listen_set *set, const char *address, int inherited, char *why, size_t why_size)
{
    struct sockaddr_storage addr;
    socklen_t len;
    int fd;

    set->count = 0;
    if (inherited > 0)
        return adopt_all(set, inherited, why, why_size);
    if (!listen_parse(address, &addr, &len))
        return refuse(why, why_size, "'%s' is no address: use IPv4:port, :port or [IPv6]:port", address);
    fd = socket(addr.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return refuse(why, why_size, "cannot open a socket for %s: %s", address, strerror(errno));
    if (!bind_and_listen(fd, &addr, len)) {
        refuse(why, why_size, "cannot listen on %s: %s", address, strerror(errno));
        close(fd);
        return false;
    }
    set->fds[set->count++] = fd;
    return true;
}

int listen_fd(const struct listen_set *set, unsigned index)
{
    return set->count > 0 ? set->fds[index % set->count] : -1;
}

bool listen_address(const struct listen_set *set, char dst[LISTEN_ADDRESS_SIZE])
{
    struct sockaddr_storage addr;
    socklen_t len = sizeof addr;

    dst[0] = '\0';
    if (set->count == 0 || getsockname(set->fds[0], (struct sockaddr *)&addr, &len) < 0)
        return false;
    listen_format(dst, (const struct sockaddr *)&addr);
    return true;
}

void listen_close(struct listen_set *set)
{
    for (unsigned i = 0; i < set->count; i++)
        close(set->fds[i]);
    set->count = 0;
}
