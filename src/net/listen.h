/*
 * listen: addresses, and the listening sockets the master opens once for the life of the service.
 */
#ifndef NET_LISTEN_H
#define NET_LISTEN_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#include "base/str.h"

#define LISTEN_MAX          8
#define LISTEN_ADDRESS_SIZE 64

struct listen_set {
    int fds[LISTEN_MAX];
    unsigned count;
};

/* "IPv4:port", ":port" (every IPv4 address) or "[IPv6]:port"; numeric only, port 0 asks for a free one. */
bool listen_parse(const char *text, struct sockaddr_storage *addr, socklen_t *len);
void listen_format(char dst[LISTEN_ADDRESS_SIZE], const struct sockaddr *addr); /* "1.2.3.4:80", "[::1]:80" */
/* Takes over the `inherited` sockets from descriptor 3 on (systemd, re-exec) if there are any, else binds `address`.
 * Nonblocking, close-on-exec, backlog 4096, TCP_NODELAY. False with the reason in words; sockets taken by then are in
 * the set. */
bool listen_open(struct listen_set *set, const char *address, int inherited, char *why, size_t why_size);
/* Takes over the sockets of `from`, as open descriptors of this process. False as above. */
bool listen_adopt(struct listen_set *set, const struct listen_set *from, char *why, size_t why_size);
/* The socket worker `index` accepts from. */
int listen_fd(const struct listen_set *set, unsigned index);
/* The bound address of the first socket (the real port when 0 was asked). */
bool listen_address(const struct listen_set *set, char dst[LISTEN_ADDRESS_SIZE]);
void listen_close(struct listen_set *set);

#endif
