/*
 * http_conn: what one connection does next.
 *
 * Every state has a step. Steps run while they get on, up to a budget, then
 * the output leaves, unread bytes are put aside and the connection enters the list of its state.
 */
#include "net/http_conn.h"

#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"

enum step {
    STEP_AGAIN,
    STEP_WAIT,
    STEP_GONE
};

void http_conn_set_state(struct http_conn *c, enum http_conn_state state)
{
    c->state = (uint8_t)state;
    c->since_ns = loop_now_ns(c->server->loop);
    c->moved = true;
}

static void release_exchange(struct http_conn *c)
{
    struct http_server *s = c->server;
    struct http_exchange *ex = c->exchange;

    if (ex->counted) {
        TAILQ_REMOVE(&s->exchanges, ex, link);
        s->in_flight--;
    }
    c->exchange = NULL;
    ex->conn = NULL;
    http_pool_give_exchange(s, ex);
}

void http_conn_end_exchange(struct http_conn *c, enum http_end end)
{
    struct http_exchange *ex = c->exchange;
    bool lost = c->failed && c->output == NULL;

    if (ex->counted)
        c->server->app.on_done(&ex->request, end, lost ? 0 : ex->status, lost ? 0 : ex->sent_bytes,
                               c->server->app.arg);
    release_exchange(c);
}

/* From here on the application knows of the request. */
static void count_exchange(struct http_conn *c)
{
    struct http_server *s = c->server;

    if (c->exchange->counted)
        return;
    c->exchange->counted = true;
    TAILQ_INSERT_TAIL(&s->exchanges, c->exchange, link);
    s->in_flight++;
}

static bool take_exchange(struct http_conn *c)
{
    struct http_exchange *ex = http_pool_exchange(c->server);

    if (ex == NULL)
        return false;
    ex->request.head = NULL;
    ex->request.body = STR_NONE;
    ex->request.start_ns = c->head_ns;
    ex->request.deadline_ns = 0;
    ex->request.app = NULL;
    memcpy(&ex->request.peer, &c->peer, sizeof c->peer);
    ex->conn = c;
    ex->status = 0;
    ex->sent_bytes = 0;
    ex->end = HTTP_END_SENT;
    ex->counted = ex->refused = false;
    c->exchange = ex;
    return true;
}

/* The engine's own refusal; the connection ends behind the answer, except behind a request that was whole. */
static enum step refuse(struct http_conn *c, int status)
{
    struct http_exchange *ex = c->exchange;
    struct http_server *s = c->server;

    ex->refused = ex->refused || c->state != HTTP_CONN_HANDLER;
    count_exchange(c);
    http_conn_set_state(c, HTTP_CONN_HANDLER);
    s->app.on_error(&ex->request, status, s->app.arg);
    if (ex->status == 0)
        http_reply(&ex->request, &(struct http_reply){ .status = status, .close = true });
    return STEP_AGAIN;
}

/* Closes so that the peer can read the answer: while it may still send, our end of the stream goes first. */
static enum step shut(struct http_conn *c)
{
    if (!c->lingers || c->eof || shutdown(event_get_fd(&c->event), SHUT_WR) < 0)
        return STEP_GONE;
    c->dropped_bytes = 0;
    http_conn_set_state(c, HTTP_CONN_LINGER);
    return STEP_AGAIN;
}

/* The answer of the request is on its way as a whole. */
static enum step finish(struct http_conn *c)
{
    bool refused = c->exchange->refused;

    http_conn_end_exchange(c, c->exchange->end);
    if (c->closing) {
        c->lingers = refused || c->readable || c->framing != HTTP_FRAMING_NONE || http_conn_unread(c) > 0;
        http_conn_set_state(c, HTTP_CONN_WRITE);
    } else if (c->framing != HTTP_FRAMING_NONE) {
        http_conn_set_state(c, HTTP_CONN_SKIP);
    } else {
        http_conn_set_state(c, HTTP_CONN_IDLE);
    }
    return STEP_AGAIN;
}

static enum step answered(struct http_conn *c)
{
    if (c->failed)
        return STEP_GONE;
    if (c->output == NULL)
        return finish(c);
    http_conn_set_state(c, HTTP_CONN_WRITE);
    return STEP_AGAIN;
}

/* Output that earlier requests left behind goes out beside the present one. */
static bool alive(struct http_conn *c)
{
    if (c->output != NULL)
        http_output_flush(c);
    return !c->failed;
}

static enum step step_handler(struct http_conn *c)
{
    int error = 0;
    socklen_t len = sizeof error;

    if (c->exchange->status != 0)
        return answered(c);
    if (!alive(c))
        return STEP_GONE;
    if (!c->maybe_error)
        return STEP_WAIT;
    c->maybe_error = false;
    if (getsockopt(event_get_fd(&c->event), SOL_SOCKET, SO_ERROR, &error, &len) < 0 || error != 0)
        return STEP_GONE;
    return STEP_WAIT;
}

static enum step whole_request(struct http_conn *c)
{
    struct http_exchange *ex = c->exchange;
    struct http_server *s = c->server;

    http_conn_set_state(c, HTTP_CONN_HANDLER);
    if (ex->request.deadline_ns == ex->deadline_ns && ex->deadline_ns != 0)
        ex->request.deadline_ns = c->since_ns + s->limits.request_timeout_s * CLOCK_NS_PER_S;
    s->app.on_body(&ex->request, s->app.arg);
    return STEP_AGAIN;
}

static enum step step_body(struct http_conn *c)
{
    if (c->exchange->status != 0)
        return answered(c);
    if (!alive(c))
        return STEP_GONE;
    switch (http_body_receive(c)) {
    case HTTP_BODY_DONE:
        return whole_request(c);
    case HTTP_BODY_AGAIN:
        return STEP_AGAIN;
    case HTTP_BODY_WAIT:
        return STEP_WAIT;
    case HTTP_BODY_BAD:
        return refuse(c, 400);
    case HTTP_BODY_LARGE:
        return refuse(c, 413);
    case HTTP_BODY_GONE:
        break;
    }
    return STEP_GONE;
}

static enum step begin_request(struct http_conn *c)
{
    struct http_exchange *ex = c->exchange;
    struct http_server *s = c->server;

    c->probed = false;
    ex->request.head = &ex->head;
    ex->deadline_ns = 0;
    if (s->limits.request_timeout_s > 0)
        ex->deadline_ns = loop_now_ns(s->loop) + s->limits.request_timeout_s * CLOCK_NS_PER_S;
    ex->request.deadline_ns = ex->deadline_ns;
    http_body_begin(c, &ex->head);
    count_exchange(c);
    ex->body_max = s->app.on_head(&ex->request, s->app.arg);
    if (ex->status != 0)
        return answered(c);
    if (c->framing == HTTP_FRAMING_NONE)
        return whole_request(c);
    if (c->framing == HTTP_FRAMING_LENGTH && c->body_left > ex->body_max)
        return refuse(c, 413);
    if (c->expects_continue)
        http_output_continue(c);
    http_conn_set_state(c, HTTP_CONN_BODY);
    return step_body(c);
}

/* There will be no further request: the answers to the earlier ones go out, then the connection ends. */
static enum step last_request_seen(struct http_conn *c)
{
    c->closing = true;
    http_conn_set_state(c, HTTP_CONN_WRITE);
    return STEP_AGAIN;
}

/* Reads on for a head: the client may have more, nothing, or have ended. */
static enum step read_head(struct http_conn *c)
{
    if (c->readable && http_conn_fill(c) > 0)
        return STEP_AGAIN;
    if (c->failed)
        return STEP_GONE;
    return c->eof ? last_request_seen(c) : STEP_WAIT;
}

static enum step step_head(struct http_conn *c)
{
    struct http_exchange *ex;
    int status;

    if (!http_conn_restore(c) || !take_exchange(c))
        return STEP_GONE;
    ex = c->exchange;
    status = http_parse_head(&ex->head, c->input->bytes + c->input_from, http_conn_unread(c),
                             c->server->limits.max_head_bytes);
    if (status == HTTP_PARSE_MORE) {
        release_exchange(c);
        return read_head(c);
    }
    if (status == 0) {
        c->input_from += (uint32_t)ex->head.head_bytes;
        return begin_request(c);
    }
    if (ex->head.target.p != NULL)
        ex->request.head = &ex->head;
    return refuse(c, status);
}

static enum step step_idle(struct http_conn *c)
{
    if (http_conn_unread(c) == 0)
        return read_head(c);
    http_conn_set_state(c, HTTP_CONN_HEAD);
    c->head_ns = c->since_ns;
    return step_head(c);
}

static enum step step_write(struct http_conn *c)
{
    if (!http_output_flush(c))
        return c->failed ? STEP_GONE : STEP_WAIT;
    if (c->exchange != NULL)
        return finish(c);
    if (c->closing)
        return shut(c);
    http_conn_set_state(c, c->framing != HTTP_FRAMING_NONE ? HTTP_CONN_SKIP : HTTP_CONN_IDLE);
    return STEP_AGAIN;
}

static enum step step_skip(struct http_conn *c)
{
    if (!http_conn_restore(c))
        return STEP_GONE;
    switch (http_body_skip(c)) {
    case HTTP_BODY_DONE:
        http_conn_set_state(c, HTTP_CONN_IDLE);
        return STEP_AGAIN;
    case HTTP_BODY_AGAIN:
        return STEP_AGAIN;
    case HTTP_BODY_WAIT:
        return STEP_WAIT;
    default:
        return STEP_GONE;
    }
}

static enum step step_linger(struct http_conn *c)
{
    http_conn_discard(c);
    if (!c->readable)
        return c->eof ? STEP_GONE : STEP_WAIT;
    c->dropped_bytes += http_conn_fill(c);
    return c->eof || c->failed || c->dropped_bytes > HTTP_LINGER_BYTES ? STEP_GONE : STEP_AGAIN;
}

static enum step (*const steps[HTTP_CONN_STATES])(struct http_conn *) = {
    [HTTP_CONN_IDLE] = step_idle,       [HTTP_CONN_HEAD] = step_head,   [HTTP_CONN_BODY] = step_body,
    [HTTP_CONN_HANDLER] = step_handler, [HTTP_CONN_WRITE] = step_write, [HTTP_CONN_SKIP] = step_skip,
    [HTTP_CONN_LINGER] = step_linger,
};

/* The list of the state it has come to; unread bytes are put aside. */
static void settle(struct http_conn *c)
{
    struct http_server *s = c->server;

    if (!http_conn_keep(c)) {
        http_conn_close(c, HTTP_END_DISCONNECT);
        return;
    }
    if (!c->moved)
        return;
    c->moved = false;
    TAILQ_REMOVE(&s->lists[c->listed], c, link);
    s->counts[c->listed]--;
    c->listed = c->state;
    TAILQ_INSERT_TAIL(&s->lists[c->listed], c, link);
    s->counts[c->listed]++;
}

/* Output the socket did not take keeps the next request waiting. */
static void leave_output(struct http_conn *c)
{
    http_output_flush(c);
    if (c->output == NULL)
        return;
    if (c->state == HTTP_CONN_IDLE || c->state == HTTP_CONN_HEAD || c->state == HTTP_CONN_SKIP)
        http_conn_set_state(c, HTTP_CONN_WRITE);
}

void http_conn_advance(struct http_conn *c)
{
    struct http_server *s = c->server;
    unsigned budget = HTTP_STEPS_PER_TURN;
    enum step step;

    s->running = c;
    do {
        step = steps[c->state](c);
    } while (step == STEP_AGAIN && --budget > 0);
    leave_output(c);
    s->running = NULL;
    s->batch_bytes = 0;
    if (step == STEP_GONE || c->failed) {
        http_conn_close(c, HTTP_END_DISCONNECT);
        return;
    }
    if (step == STEP_AGAIN)
        http_conn_resume(c);
    settle(c);
}

static void on_resume(void *arg)
{
    struct http_server *s = arg;

    s->resume_deferred = false;
    if (!s->freed)
        http_conn_run_resumed(s);
}

void http_conn_run_resumed(struct http_server *s)
{
    struct http_conn *c;

    for (unsigned n = s->resume_count; n > 0 && (c = TAILQ_FIRST(&s->resume)) != NULL; n--) {
        TAILQ_REMOVE(&s->resume, c, resume_link);
        s->resume_count--;
        c->resumed = false;
        http_conn_advance(c);
    }
}

/* Without memory for the deferred call the janitor does it. */
void http_conn_resume(struct http_conn *c)
{
    struct http_server *s = c->server;

    if (c->resumed || c->gone)
        return;
    c->resumed = true;
    TAILQ_INSERT_TAIL(&s->resume, c, resume_link);
    s->resume_count++;
    if (!s->resume_deferred)
        s->resume_deferred = loop_defer(s->loop, on_resume, s);
}

static void refuse_late(struct http_conn *c, int status)
{
    if (c->exchange->status == 0) {
        c->exchange->end = HTTP_END_TIMEOUT;
        refuse(c, status);
    }
    http_conn_advance(c);
}

static void begin_anew(struct http_conn *c)
{
    http_conn_set_state(c, (enum http_conn_state)c->state);
    settle(c);
}

void http_conn_expire(struct http_conn *c)
{
    if (c->state == HTTP_CONN_IDLE)
        http_conn_close_idle(c);
    else if (c->state == HTTP_CONN_WRITE && http_output_progressed(c))
        begin_anew(c);
    else if (c->state == HTTP_CONN_BODY || (c->state == HTTP_CONN_HEAD && take_exchange(c)))
        refuse_late(c, 408);
    else
        http_conn_close(c, HTTP_END_TIMEOUT);
}

void http_conn_expire_request(struct http_conn *c)
{
    refuse_late(c, 503);
}

/*
 * FIN says that the peer will send no more; whether it still reads, only a
 * byte sent to it can tell: a socket closed at the other end answers with RST at once. An interim
 * answer is such a byte that every HTTP/1.1 client must be able to skip. 1.0 clients get the benefit of the doubt.
 */
void http_conn_probe(struct http_conn *c)
{
    c->probed = true;
    if (c->exchange->status != 0 || c->exchange->head.minor == 0 || c->output != NULL)
        return;
    http_output_continue(c);
    if (c->failed)
        http_conn_advance(c);
}
