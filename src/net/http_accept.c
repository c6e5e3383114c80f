/*
 * http_accept: taking new connections off a listening socket that other
 * processes read too.
 *
 * Few are taken a wakeup and the hook is asked before each, so that the load
 * spreads; whenever there is a reason to stand still, the event leaves the loop and a timer
 * brings it back, so that no reason can make the loop spin.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/http_conn.h"

#define ACCEPTS_PER_WAKEUP 4
#define FD_RESERVE         16 /* descriptors left for databases, files and logs */
#define BALANCE_PAUSE_MS   5
#define FULL_PAUSE_MS      250

static void resume_accepting(struct http_server *s)
{
    if (s->accepting || s->draining)
        return;
    s->accepting = event_add(&s->accept_event, NULL) == 0;
    if (!s->accepting)
        loop_timer_set(s->accept_timer, FULL_PAUSE_MS);
}

static void pause_accepting(struct http_server *s, uint64_t ms)
{
    event_del(&s->accept_event);
    s->accepting = false;
    loop_timer_set(s->accept_timer, ms);
}

/* A pause renewed before any connection could be taken is the same pause. */
static void pause_full(struct http_server *s, enum http_pause reason)
{
    pause_accepting(s, FULL_PAUSE_MS);
    if (s->pause_told)
        return;
    s->pause_told = true;
    if (s->hooks.on_pause != NULL)
        s->hooks.on_pause(reason, s->hooks.arg);
}

void http_accept_room(struct http_server *s)
{
    if (!s->accepting && s->pause_told && !s->freed) {
        loop_timer_clear(s->accept_timer);
        resume_accepting(s);
    }
}

/* Closes the longest idle connection; not the one that needs the room, which is the newest once it is `taken`. */
static bool shed_idle(struct http_server *s, bool taken)
{
    struct http_conn *oldest = TAILQ_FIRST(&s->lists[HTTP_CONN_IDLE]);

    return oldest != NULL && (!taken || TAILQ_NEXT(oldest, link) != NULL) && http_conn_close_idle(oldest);
}

/* Errors of one connection, which concern nobody else. */
static bool concerns_one(int error)
{
    return error == ECONNABORTED || error == EINTR || error == EPROTO || error == EPERM || error == ENETDOWN ||
           error == ENETUNREACH || error == EHOSTDOWN || error == EHOSTUNREACH || error == ENOPROTOOPT;
}

/* Is a descriptor free that is not one of the reserve? */
static bool has_descriptor(const struct http_server *s)
{
    int fd = fcntl(s->listen_fd, F_DUPFD_CLOEXEC, 0);

    if (fd >= 0)
        close(fd);
    return fd >= 0 && fd < s->fd_ceiling;
}

/* May one more be taken? Else the listener rests. After a rest there must be a descriptor first: one more connection
 * each time would eat up the reserve. */
static bool may_accept(struct http_server *s)
{
    if (s->hooks.may_accept != NULL && !s->hooks.may_accept(s->connections, s->hooks.arg)) {
        pause_accepting(s, BALANCE_PAUSE_MS);
        return false;
    }
    if (s->pause_told && !has_descriptor(s) && !shed_idle(s, false)) {
        pause_full(s, HTTP_PAUSE_FDS);
        return false;
    }
    if (s->connections < s->limits.max_connections || s->counts[HTTP_CONN_IDLE] > 0)
        return true;
    pause_full(s, HTTP_PAUSE_CONNECTIONS);
    return false;
}

/*
 * After one more: is there still room, if need be at the expense of an idle one? That it got a low descriptor says
 * nothing while another holds a high one: it may be that of an idle one that was closed.
 */
static bool make_room(struct http_server *s)
{
    if (s->connections > s->limits.max_connections)
        shed_idle(s, true);
    if (s->above_ceiling == 0 || has_descriptor(s) || shed_idle(s, true))
        return true;
    pause_full(s, HTTP_PAUSE_FDS);
    return false;
}

/* False: nobody waits, or there is no room. */
static bool accept_one(struct http_server *s)
{
    struct sockaddr_storage peer = { .ss_family = AF_UNSPEC };
    socklen_t len = sizeof peer;
    int fd = accept4(s->listen_fd, (struct sockaddr *)&peer, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);

    if (fd >= 0) {
        s->pause_told = false;
        return http_conn_open(s, fd, &peer) && make_room(s);
    }
    if (errno == EAGAIN || errno == EWOULDBLOCK)
        return false;
    if (concerns_one(errno) || (errno == EMFILE && shed_idle(s, false)))
        return true;
    pause_full(s, HTTP_PAUSE_FDS);
    return false;
}

static void on_accept(evutil_socket_t fd, short what, void *arg)
{
    struct http_server *s = arg;

    (void)fd;
    (void)what;
    for (int i = 0; i < ACCEPTS_PER_WAKEUP; i++)
        if (!may_accept(s) || !accept_one(s))
            return;
}

static void on_pause_over(void *arg)
{
    resume_accepting(arg);
}

static int fd_ceiling(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur > INT32_MAX)
        return INT32_MAX;
    return limit.rlim_cur > 4 * FD_RESERVE ? (int)limit.rlim_cur - FD_RESERVE : (int)limit.rlim_cur;
}

bool http_accept_start(struct http_server *s)
{
    s->fd_ceiling = fd_ceiling();
    s->accept_timer = loop_timer_new(s->loop, on_pause_over, s);
    if (s->accept_timer == NULL)
        return false;
    event_assign(&s->accept_event, loop_base(s->loop), s->listen_fd, EV_READ | EV_PERSIST, on_accept, s);
    resume_accepting(s);
    return true;
}

void http_accept_stop(struct http_server *s)
{
    if (s->accept_timer == NULL)
        return;
    event_del(&s->accept_event);
    s->accepting = false;
    loop_timer_clear(s->accept_timer);
}
