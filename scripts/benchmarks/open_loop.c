/*
 * open_loop: asks for customer profiles at a steady rate and measures how long each answer takes, counted from the
 * moment its request was due: an answer that is late makes those behind it late too, as it would for people.
 *
 * usage: open_loop PORT KEY IDS_FILE RATE SECONDS
 *   One line on standard output: answers, failures, and the 50th, 99th and 99.9th percentile and the longest in µs.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CONNECTIONS  64
#define ANSWER_BYTES 65536
#define NS           1000000000ULL

struct connection {
    int fd;
    bool asked;
    uint64_t due_ns; /* of the request under way */
    size_t got;
    char answer[ANSWER_BYTES];
};

static struct connection connections[CONNECTIONS];
static char (*ids)[32];
static size_t id_count;
static uint32_t *latencies_us;
static size_t answered, failed;

static uint64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * NS + (uint64_t)t.tv_nsec;
}

static void give_up(const char *what)
{
    perror(what);
    exit(1);
}

static void load_ids(const char *path)
{
    FILE *f = fopen(path, "r");
    size_t room = 0;
    char line[32];

    if (f == NULL)
        give_up(path);
    while (fgets(line, sizeof(line), f) != NULL) {
        if (id_count == room) {
            room = room > 0 ? room * 2 : 1024;
            ids = realloc(ids, room * sizeof(*ids));
            if (ids == NULL)
                give_up("ids");
        }
        line[strcspn(line, "\n")] = '\0';
        memcpy(ids[id_count++], line, sizeof(line));
    }
    fclose(f);
    if (id_count == 0)
        give_up("no ids");
}

static void open_connection(struct connection *c, int port)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
    int one = 1;

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->fd < 0 || connect(c->fd, (const struct sockaddr *)&address, sizeof(address)) != 0)
        give_up("connect");
    (void)setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    c->asked = false;
}

static void ask(struct connection *c, const char *key, uint64_t due_ns)
{
    char request[512];
    int n = snprintf(request, sizeof(request),
                     "GET /api/mcp/customer/%s HTTP/1.1\r\nHost: localhost\r\nX-API-Key: %s\r\n\r\n",
                     ids[(size_t)random() % id_count], key);

    c->asked = true;
    c->due_ns = due_ns;
    c->got = 0;
    (void)!write(c->fd, request, (size_t)n); /* what fails here fails again when the answer is read */
}

/* 1: the answer is whole and good, 0: more is to come, -1: it is not good. */
static int judge(const struct connection *c)
{
    const char *end = memmem(c->answer, c->got, "\r\n\r\n", 4), *length;

    if (end == NULL)
        return c->got == sizeof(c->answer) ? -1 : 0;
    length = memmem(c->answer, (size_t)(end - c->answer), "\r\nContent-Length: ", 18);
    if (memcmp(c->answer, "HTTP/1.1 200 ", 13) != 0 || length == NULL)
        return -1;
    size_t whole = (size_t)(end + 4 - c->answer) + strtoul(length + 18, NULL, 10);
    return c->got < whole ? (whole > sizeof(c->answer) ? -1 : 0) : 1;
}

/* A connection that the server ends while nothing is asked of it is opened anew, as any client does. */
static void take(struct connection *c, int port)
{
    ssize_t n = read(c->fd, c->answer + c->got, sizeof(c->answer) - c->got);
    int verdict = -1;

    if (n > 0) {
        c->got += (size_t)n;
        verdict = judge(c);
    }
    if (verdict == 0)
        return;
    if (verdict > 0)
        latencies_us[answered++] = (uint32_t)((now_ns() - c->due_ns) / 1000);
    else
        failed += c->asked;
    c->asked = false;
    if (n > 0 && memmem(c->answer, c->got, "\r\nConnection: close\r\n", 21) == NULL)
        return;
    close(c->fd);
    open_connection(c, port);
}

static struct connection *idle_connection(void)
{
    static size_t last;

    for (size_t i = 1; i <= CONNECTIONS; i++) {
        struct connection *c = &connections[(last + i) % CONNECTIONS];
        if (c->asked)
            continue;
        last = (last + i) % CONNECTIONS;
        return c;
    }
    return NULL;
}

static void run(int port, const char *key, uint64_t rate, uint64_t total)
{
    struct pollfd fds[CONNECTIONS];
    uint64_t begin = now_ns(), sent = 0;

    while (answered + failed < total && now_ns() - begin < (total / rate + 30) * NS) {
        struct connection *c;
        uint64_t now = now_ns();
        while (sent < total && begin + sent * NS / rate <= now && (c = idle_connection()) != NULL) {
            ask(c, key, begin + sent * NS / rate);
            sent++;
        }
        uint64_t next = begin + sent * NS / rate;
        struct timespec wait = { .tv_nsec = sent < total && next > now ? (long)(next - now) : 1000000 };
        if (wait.tv_nsec > 1000000)
            wait.tv_nsec = 1000000;
        for (size_t i = 0; i < CONNECTIONS; i++)
            fds[i] = (struct pollfd){ .fd = connections[i].fd, .events = POLLIN };
        if (ppoll(fds, CONNECTIONS, &wait, NULL) <= 0)
            continue;
        for (size_t i = 0; i < CONNECTIONS; i++)
            if (fds[i].revents != 0)
                take(&connections[i], port);
    }
    failed += sent - answered - failed; /* never answered */
}

static int ascending(const void *a, const void *b)
{
    uint32_t l = *(const uint32_t *)a, r = *(const uint32_t *)b;

    return l < r ? -1 : l > r;
}

static uint32_t percentile(double share)
{
    return answered > 0 ? latencies_us[(size_t)((double)(answered - 1) * share)] : 0;
}

int main(int argc, char **argv)
{
    if (argc != 6) {
        fprintf(stderr, "usage: open_loop PORT KEY IDS_FILE RATE SECONDS\n");
        return 2;
    }
    int port = (int)strtol(argv[1], NULL, 10);
    uint64_t rate = strtoull(argv[4], NULL, 10), total = rate * strtoull(argv[5], NULL, 10);
    if (rate == 0 || total == 0 || total > 100000000)
        return 2;
    load_ids(argv[3]);
    latencies_us = calloc(total, sizeof(*latencies_us));
    if (latencies_us == NULL)
        give_up("latencies");
    for (size_t i = 0; i < CONNECTIONS; i++)
        open_connection(&connections[i], port);
    run(port, argv[2], rate, total);
    qsort(latencies_us, answered, sizeof(*latencies_us), ascending);
    printf("%zu %zu %u %u %u %u\n", answered, failed, percentile(0.5), percentile(0.99), percentile(0.999),
           percentile(1));
    return 0;
}
