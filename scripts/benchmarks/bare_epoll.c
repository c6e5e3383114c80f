/*
 * bare_epoll: what one core can do at most with epoll, a minimal parse, a key
 * check, a hash lookup and one writev a request. The yardstick of scripts/bench; it serves nothing else.
 *
 * usage: bare_epoll PORT BODY_BYTES IDS_FILE KEY
 *   IDS_FILE: customer ids, one a line; each is answered with a record of BODY_BYTES.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define CONNECTIONS   4096
#define REQUEST_BYTES 4096

static char requests[CONNECTIONS][REQUEST_BYTES];
static size_t filled[CONNECTIONS];

static uint64_t *table;
static char *bodies;
static size_t table_size, body_bytes;
static const char *key;
static size_t key_length;

static uint64_t mix(uint64_t x)
{
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
    return x ^ (x >> 31);
}

static void load_ids(const char *path)
{
    FILE *f = fopen(path, "r");
    size_t n = 0;
    char line[64];

    if (f == NULL) {
        perror(path);
        exit(1);
    }
    while (fgets(line, sizeof(line), f) != NULL)
        n++;
    for (table_size = 16; table_size < 2 * n; table_size *= 2)
        ;
    table = calloc(table_size, sizeof(*table));
    bodies = malloc(table_size * body_bytes);
    if (table == NULL || bodies == NULL)
        exit(1);
    memset(bodies, 'x', table_size * body_bytes);
    rewind(f);
    while (fgets(line, sizeof(line), f) != NULL) {
        uint64_t id = strtoull(line, NULL, 10);
        size_t i = mix(id) & (table_size - 1);
        while (table[i] != 0)
            i = (i + 1) & (table_size - 1);
        table[i] = id;
    }
    fclose(f);
}

static const char *find(uint64_t id)
{
    for (size_t i = mix(id) & (table_size - 1); table[i] != 0; i = (i + 1) & (table_size - 1))
        if (table[i] == id)
            return bodies + i * body_bytes;
    return NULL;
}

static void answer(int fd, char *request, size_t n)
{
    static const char missing[] = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";
    const char *slash = memrchr(request, '/', (size_t)((char *)memchr(request, '\n', n) - request) - 10);
    const char *given = memmem(request, n, "X-API-Key: ", 11), *body = NULL;
    char head[128];

    if (slash != NULL && given != NULL && memcmp(given + 11, key, key_length) == 0)
        body = find(strtoull(slash + 1, NULL, 10));
    if (body == NULL) {
        if (write(fd, missing, sizeof(missing) - 1) < 0)
            perror("write");
        return;
    }
    int len = snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", body_bytes);
    struct iovec parts[2] = { { head, (size_t)len }, { (void *)(uintptr_t)body, body_bytes } };
    if (writev(fd, parts, 2) < 0)
        perror("writev");
}

static void serve(int fd)
{
    char *at = requests[fd];
    ssize_t n = read(fd, at + filled[fd], REQUEST_BYTES - filled[fd]);

    if (n <= 0) {
        close(fd);
        return;
    }
    filled[fd] += (size_t)n;
    if (filled[fd] >= 4 && memcmp(at + filled[fd] - 4, "\r\n\r\n", 4) == 0) {
        answer(fd, at, filled[fd]);
        filled[fd] = 0;
    }
}

int main(int argc, char **argv)
{
    struct sockaddr_in addr = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int one = 1, listener = socket(AF_INET, SOCK_STREAM, 0), ep = epoll_create1(0);

    if (argc != 5) {
        fprintf(stderr, "usage: bare_epoll PORT BODY_BYTES IDS_FILE KEY\n");
        return 2;
    }
    addr.sin_port = htons((uint16_t)strtoul(argv[1], NULL, 10));
    body_bytes = strtoul(argv[2], NULL, 10);
    key = argv[4];
    key_length = strlen(key);
    load_ids(argv[3]);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (bind(listener, (struct sockaddr *)&addr, sizeof(addr)) != 0 || listen(listener, 1024) != 0) {
        perror("listen");
        return 1;
    }
    struct epoll_event e = { .events = EPOLLIN, .data.fd = listener }, got[256];
    epoll_ctl(ep, EPOLL_CTL_ADD, listener, &e);
    for (;;) {
        int n = epoll_wait(ep, got, 256, -1);
        for (int i = 0; i < n; i++) {
            int fd = got[i].data.fd;
            if (fd != listener) {
                serve(fd);
                continue;
            }
            fd = accept(listener, NULL, NULL);
            if (fd < 0)
                continue;
            if (fd >= CONNECTIONS) {
                close(fd);
                continue;
            }
            setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
            filled[fd] = 0;
            e = (struct epoll_event){ .events = EPOLLIN, .data.fd = fd };
            epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e);
        }
    }
}
