/*
 * http_conn: the inside of the engine, shared by http_server (life, deadlines),
 * http_accept (new connections), http_conn (what one connection does next), http_socket (its socket and unread
 * bytes), http_body (request bodies), http_reply (output) and http_pool (memory). Nobody else includes this.
 *
 * Invariants
 * - A connection is in exactly one state and, between two callbacks, in that state's list, oldest first.
 * - Its socket has one edge-triggered event for its whole life: no epoll_ctl a request. `readable` remembers an
 *   edge that was not read out; whoever stops early leaves it set and, if there may be more to do, resumes it.
 * - Between two callbacks a connection without a request holds only its unread bytes (`kept`), usually none.
 *   While a request is in progress nothing behind it is read: the kernel's receive window is the watermark.
 * - At most one request of a connection is in progress; none begins while output is unsent.
 * - on_done is never called from inside http_reply, so an application may go on using its request in that callback.
 * - Only http_conn_close destroys a connection, and its memory lives until the end of the loop's turn.
 */
#ifndef NET_HTTP_CONN_H
#define NET_HTTP_CONN_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/uio.h>

#include <event2/event.h>
#include <event2/event_struct.h>

#include "net/http_server.h"

#define HTTP_TICK_MS         250     /* of the janitor: how late a deadline may be noticed */
#define HTTP_LINGER_MS       2000    /* a closing connection is read so long, so that the client sees the answer */
#define HTTP_LINGER_BYTES    4194304 /* … and so much */
#define HTTP_SKIP_BYTES      65536   /* a body nobody asked for is skipped up to here, else the connection ends */
#define HTTP_DRAIN_IDLE_MS   1000    /* a draining server closes a connection that was silent for so long */
#define HTTP_BATCH_BYTES     32768   /* replies to pipelined requests share one write up to here */
#define HTTP_INPUT_EXTRA     8192    /* input buffer beyond the largest head */
#define HTTP_BODY_FIRST      16384   /* first size of a body buffer, which then doubles */
#define HTTP_STEPS_PER_TURN  32      /* steps (requests, reads) of one connection before the others get their turn */
#define HTTP_DATE_LINE_BYTES 37      /* "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n" */

enum http_conn_state {
    HTTP_CONN_IDLE,    /* nothing of a request has come */
    HTTP_CONN_HEAD,    /* part of a head has */
    HTTP_CONN_BODY,    /* the body is coming */
    HTTP_CONN_HANDLER, /* the application has the request */
    HTTP_CONN_WRITE,   /* output waits for the socket */
    HTTP_CONN_SKIP,    /* answered; the unread rest of the body is dropped */
    HTTP_CONN_LINGER,  /* half closed by us; input is dropped until the client closes */
    HTTP_CONN_STATES
};

enum http_framing {
    HTTP_FRAMING_NONE, /* no body, or all of it taken */
    HTTP_FRAMING_LENGTH,
    HTTP_FRAMING_CHUNKED
};

struct http_input {
    struct http_input *next; /* in the pool */
    char bytes[];
};

struct http_output {
    size_t from, len;
    char bytes[];
};

/* A request in progress and what belongs to it. */
struct http_exchange {
    struct http_request request;
    struct http_head head;
    TAILQ_ENTRY(http_exchange) link; /* of the server's, in order of arrival; in the pool */
    struct http_conn *conn;
    struct http_input *head_input; /* the buffer the head lies in, when the connection has let go of it */
    char *body;
    size_t body_bytes, body_size, body_max;
    uint64_t deadline_ns; /* as first set: tells whether the application moved it */
    size_t sent_bytes;
    int status; /* 0: not answered */
    enum http_end end;
    bool counted, refused;
};

struct http_conn {
    TAILQ_ENTRY(http_conn) link, resume_link;
    struct http_server *server;
    struct event event;
    struct http_exchange *exchange;
    struct http_input *input;
    uint32_t input_from, input_to; /* unread bytes of input */
    uint32_t kept_bytes;
    char *kept; /* unread bytes while there is no input */
    struct http_output *output;
    uint64_t since_ns; /* entered the state, or last made progress in it */
    uint64_t head_ns;  /* first byte of the head */
    uint64_t body_left;
    uint64_t dropped_bytes; /* skipped or read while lingering */
    int queued_bytes;       /* not yet acknowledged by the peer, when last looked at */
    struct http_chunked chunked;
    struct sockaddr_in6 peer; /* or a sockaddr_in */
    uint8_t state, listed;    /* enum http_conn_state; `listed` is the list it is in */
    uint8_t framing;
    bool readable, fin, eof, failed; /* unread bytes perhaps; FIN seen; FIN read; the socket is dead */
    bool maybe_error;                /* the last event may have been an error */
    bool moved;                      /* the list is to be brought in line with the state */
    bool resumed;                    /* in the server's resume list */
    bool closing;                    /* no further request */
    bool lingers;                    /* there may be unread input when it closes */
    bool probed, expects_continue, gone;
};

TAILQ_HEAD(http_conn_list, http_conn);
TAILQ_HEAD(http_exchange_list, http_exchange);

struct http_server {
    struct loop *loop;
    struct http_limits limits;
    struct http_app app;
    struct http_server_hooks hooks;

    int listen_fd;
    int fd_ceiling;         /* descriptors from here on are left to the rest of the process */
    unsigned above_ceiling; /* connections that have such a one all the same */
    struct event accept_event;
    struct loop_timer *accept_timer, *janitor;
    bool accepting, pause_told, draining, drain_told, freed;
    loop_fn drained;
    void *drained_arg;

    struct http_conn_list lists[HTTP_CONN_STATES], resume;
    unsigned counts[HTTP_CONN_STATES], connections, in_flight, resume_count;
    uint64_t accepted;
    bool resume_deferred;
    struct http_exchange_list exchanges, spare_exchanges;
    struct http_input *spare_inputs;
    unsigned spare_exchange_count, spare_input_count;

    struct http_conn *running; /* whose replies go to the batch */
    size_t batch_bytes;
    char *batch;
    uint64_t date_until_ns;
    char date[HTTP_DATE_LINE_BYTES + 1];
};

/* http_pool: NULL when memory is short. */
struct http_exchange *http_pool_exchange(struct http_server *s);
void http_pool_give_exchange(struct http_server *s, struct http_exchange *ex);
struct http_input *http_pool_input(struct http_server *s);
void http_pool_give_input(struct http_server *s, struct http_input *in);
void http_pool_free(struct http_server *s);
size_t http_input_size(const struct http_server *s);

/* http_accept */
bool http_accept_start(struct http_server *s); /* false: no memory */
void http_accept_stop(struct http_server *s);
/* A connection has gone: accepting may go on if it paused for that. */
void http_accept_room(struct http_server *s);

/* http_conn: what the connection does next */
/* Does what can be done now; may close it. */
void http_conn_advance(struct http_conn *c);
/* The same after this turn. */
void http_conn_resume(struct http_conn *c);
void http_conn_run_resumed(struct http_server *s);
/* The time of its state is over. */
void http_conn_expire(struct http_conn *c);
/* The request waited for its answer past its deadline. */
void http_conn_expire_request(struct http_conn *c);
/* Finds out whether a peer that sent FIN still listens. */
void http_conn_probe(struct http_conn *c);
void http_conn_set_state(struct http_conn *c, enum http_conn_state state);
/* Ends the request in progress for the application and gives its memory back. */
void http_conn_end_exchange(struct http_conn *c, enum http_end end);

/* http_socket: the socket and what came from it */
/* Takes fd over, also when it fails (no memory). */
bool http_conn_open(struct http_server *s, int fd, const struct sockaddr_storage *peer);
void http_conn_close(struct http_conn *c, enum http_end end);
/* Closes an idle connection; false if its next request has just arrived, which is then answered. */
bool http_conn_close_idle(struct http_conn *c);
/* read(2) with the edge's bookkeeping: bytes read; 0: nothing there (see eof, failed). */
size_t http_conn_read(struct http_conn *c, char *dst, size_t room);
/* The same into the input buffer, behind what is unread. */
size_t http_conn_fill(struct http_conn *c);
size_t http_conn_unread(const struct http_conn *c);
void http_conn_discard(struct http_conn *c); /* what is unread */
/* Puts unread bytes aside and gives the input buffer back, unless a request's head lies in it. False: no memory. */
bool http_conn_keep(struct http_conn *c);
/* Gets an input buffer, with the bytes put aside in it. False: no memory. */
bool http_conn_restore(struct http_conn *c);

/* http_body */
enum http_body_result {
    HTTP_BODY_DONE, /* request.body is set */
    HTTP_BODY_AGAIN,
    HTTP_BODY_WAIT,
    HTTP_BODY_GONE,
    HTTP_BODY_BAD,
    HTTP_BODY_LARGE
};
/* Notes the framing a head announced. */
void http_body_begin(struct http_conn *c, const struct http_head *head);
enum http_body_result http_body_receive(struct http_conn *c);
/* Drops a body nobody wants; DONE, AGAIN, WAIT or GONE. */
enum http_body_result http_body_skip(struct http_conn *c);
/* Is the rest of the body small enough to be skipped for the sake of keeping the connection? */
bool http_body_skippable(const struct http_conn *c);

/* http_reply */
/* Sends "100 Continue". */
void http_output_continue(struct http_conn *c);
/* Writes what waits; false while some is left or the socket failed. */
bool http_output_flush(struct http_conn *c);
/* Has the peer taken any byte since this was last asked, or since the last write? */
bool http_output_progressed(struct http_conn *c);

#endif
