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

/* "host:port", ":port" or "[v6]:port" with numeric hosts only. */
bool listen_parse(const char *text, struct sockaddr_storage *addr, socklen_t *len);
void listen_format(char dst[LISTEN_ADDRESS_SIZE], const struct sockaddr *addr); /* "1.2.3.4:80", "[::1]:80" */
/* Takes sockets inherited from systemd or a re-exec if there are any, else binds `address`. Nonblocking,
 * close-on-exec, backlog 4096. False with the reason in words. */
bool listen_open(struct listen_set *set, const char *address, int inherited, char *why, size_t why_size);
/* The socket worker `index` accepts from. */
int listen_fd(const struct listen_set *set, unsigned index);
/* The bound address of the first socket (the real port when 0 was asked). */
bool listen_address(const struct listen_set *set, char dst[LISTEN_ADDRESS_SIZE]);
void listen_close(struct listen_set *set);

#endif
