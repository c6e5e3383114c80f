/*
 * http_socket: opening and closing of a connection, its one event, and the
 * bytes that came in but are not used yet.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/http_conn.h"

/*
 * An error reaches us as reading and writing together, without the mark of a
 * FIN (libevent hides EPOLLERR); so does data for a writable socket. The next
 * read tells, or SO_ERROR where nothing is to be read.
 */
static void on_event(evutil_socket_t fd, short what, void *arg)
{
    struct http_conn *c = arg;

    (void)fd;
    if (what & (EV_READ | EV_CLOSED))
        c->readable = true;
    if (what & EV_CLOSED)
        c->fin = true;
    c->maybe_error = (what & EV_READ) && (what & EV_WRITE) && !(what & EV_CLOSED);
    http_conn_advance(c);
}

static void copy_peer(struct http_conn *c, const struct sockaddr_storage *peer)
{
    if (peer->ss_family == AF_INET || peer->ss_family == AF_INET6)
        memcpy(&c->peer, peer, sizeof c->peer);
    else
        c->peer.sin6_family = peer->ss_family;
}

bool http_conn_open(struct http_server *s, int fd, const struct sockaddr_storage *peer)
{
    struct http_conn *c = calloc(1, sizeof *c);
    short what = EV_READ | EV_WRITE | EV_CLOSED | EV_ET | EV_PERSIST;

    if (c == NULL) {
        close(fd);
        return false;
    }
    c->server = s;
    copy_peer(c, peer);
    event_assign(&c->event, loop_base(s->loop), fd, what, on_event, c);
    if (event_add(&c->event, NULL) < 0) {
        close(fd);
        free(c);
        return false;
    }
    c->since_ns = loop_now_ns(s->loop);
    TAILQ_INSERT_TAIL(&s->lists[HTTP_CONN_IDLE], c, link);
    s->counts[HTTP_CONN_IDLE]++;
    s->connections++;
    s->above_ceiling += fd >= s->fd_ceiling;
    s->accepted++;
    return true;
}

void http_conn_close(struct http_conn *c, enum http_end end)
{
    struct http_server *s = c->server;
    int fd = event_get_fd(&c->event);

    c->gone = true;
    if (c->exchange != NULL)
        http_conn_end_exchange(c, end);
    if (c->resumed) {
        TAILQ_REMOVE(&s->resume, c, resume_link);
        s->resume_count--;
    }
    TAILQ_REMOVE(&s->lists[c->listed], c, link);
    s->counts[c->listed]--;
    s->connections--;
    s->above_ceiling -= fd >= s->fd_ceiling;
    event_del(&c->event);
    close(fd);
    http_conn_discard(c);
    free(c->output);
    loop_free_later(s->loop, c);
    http_accept_room(s);
    if (s->draining && s->connections == 0)
        loop_timer_set(s->janitor, 0); /* which tells that it is done */
}

bool http_conn_close_idle(struct http_conn *c)
{
    char byte;

    if (recv(event_get_fd(&c->event), &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0) {
        c->readable = true;
        http_conn_advance(c);
        return false;
    }
    http_conn_close(c, HTTP_END_DISCONNECT);
    return true;
}

size_t http_conn_unread(const struct http_conn *c)
{
    return c->kept != NULL ? c->kept_bytes : c->input_to - c->input_from;
}

void http_conn_discard(struct http_conn *c)
{
    free(c->kept);
    c->kept = NULL;
    c->kept_bytes = 0;
    if (c->input != NULL)
        http_pool_give_input(c->server, c->input);
    c->input = NULL;
    c->input_from = c->input_to = 0;
}

bool http_conn_keep(struct http_conn *c)
{
    size_t unread = http_conn_unread(c);
    char *kept = NULL;

    if (c->input == NULL || (c->exchange != NULL && c->exchange->head_input == NULL))
        return true;
    if (unread > 0) {
        kept = malloc(unread);
        if (kept == NULL)
            return false;
        memcpy(kept, c->input->bytes + c->input_from, unread);
    }
    http_conn_discard(c);
    c->kept = kept;
    c->kept_bytes = (uint32_t)unread;
    return true;
}

bool http_conn_restore(struct http_conn *c)
{
    if (c->input != NULL)
        return true;
    c->input = http_pool_input(c->server);
    if (c->input == NULL)
        return false;
    c->input_from = 0;
    c->input_to = c->kept_bytes;
    if (c->kept_bytes > 0)
        memcpy(c->input->bytes, c->kept, c->kept_bytes);
    free(c->kept);
    c->kept = NULL;
    c->kept_bytes = 0;
    return true;
}

/* Fewer bytes than there was room for: the socket is read out, and behind a FIN that means for ever. */
size_t http_conn_read(struct http_conn *c, char *dst, size_t room)
{
    ssize_t n;

    do {
        n = recv(event_get_fd(&c->event), dst, room, 0);
    } while (n < 0 && errno == EINTR);
    if (n > 0) {
        if ((size_t)n < room) {
            c->readable = false;
            c->eof = c->fin;
        }
        return (size_t)n;
    }
    c->readable = false;
    if (n == 0)
        c->eof = true;
    else if (errno != EAGAIN && errno != EWOULDBLOCK)
        c->failed = true;
    return 0;
}

size_t http_conn_fill(struct http_conn *c)
{
    size_t n, unread;

    if (!http_conn_restore(c)) {
        c->failed = true;
        return 0;
    }
    unread = c->input_to - c->input_from;
    if (c->input_from > 0 && unread > 0)
        memmove(c->input->bytes, c->input->bytes + c->input_from, unread);
    c->input_from = 0;
    c->input_to = (uint32_t)unread;
    n = http_conn_read(c, c->input->bytes + unread, http_input_size(c->server) - unread);
    c->input_to += (uint32_t)n;
    return n;
}
