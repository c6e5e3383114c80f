/*
 * http_reply: from an answer to bytes on the socket.
 *
 * Answers given while their connection is running (pipelining) are copied to
 * the server's batch and leave in one write; others go out at once, uncopied.
 * What the socket does not take is copied to the connection's output.
 */
#include <errno.h>
#include <linux/sockios.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fmt.h"
#include "base/log.h"
#include "net/http_conn.h"

#define PREFIX_BYTES 256 /* status line and the engine's own fields */
#define MAX_PIECES   5

static const struct str continue_line = { "HTTP/1.1 100 Continue\r\n\r\n", 25 };

static const char *reason_of(int status)
{
    switch (status) {
    case 200:
        return "OK";
    case 201:
        return "Created";
    case 202:
        return "Accepted";
    case 204:
        return "No Content";
    case 304:
        return "Not Modified";
    case 400:
        return "Bad Request";
    case 401:
        return "Unauthorized";
    case 403:
        return "Forbidden";
    case 404:
        return "Not Found";
    case 405:
        return "Method Not Allowed";
    case 406:
        return "Not Acceptable";
    case 408:
        return "Request Timeout";
    case 409:
        return "Conflict";
    case 413:
        return "Content Too Large";
    case 414:
        return "URI Too Long";
    case 415:
        return "Unsupported Media Type";
    case 417:
        return "Expectation Failed";
    case 422:
        return "Unprocessable Content";
    case 429:
        return "Too Many Requests";
    case 431:
        return "Request Header Fields Too Large";
    case 500:
        return "Internal Server Error";
    case 501:
        return "Not Implemented";
    case 502:
        return "Bad Gateway";
    case 503:
        return "Service Unavailable";
    case 504:
        return "Gateway Timeout";
    case 505:
        return "HTTP Version Not Supported";
    default:
        return "";
    }
}

/* Appends n copied bytes to the output that waits. */
static bool keep_output(struct http_conn *c, const struct iovec *pieces, int count)
{
    struct http_output *out = c->output;
    size_t waiting = out != NULL ? out->len - out->from : 0, more = 0;
    struct http_output *bigger;

    for (int i = 0; i < count; i++)
        more += pieces[i].iov_len;
    if (more == 0)
        return true;
    bigger = malloc(sizeof *bigger + waiting + more);
    if (bigger == NULL)
        return false;
    bigger->from = 0;
    bigger->len = waiting;
    if (waiting > 0)
        memcpy(bigger->bytes, out->bytes + out->from, waiting);
    for (int i = 0; i < count; i++) {
        if (pieces[i].iov_len > 0)
            memcpy(bigger->bytes + bigger->len, pieces[i].iov_base, pieces[i].iov_len);
        bigger->len += pieces[i].iov_len;
    }
    free(out);
    c->output = bigger;
    return true;
}

/* Takes the first n bytes off the pieces. */
static void consume(struct iovec *pieces, int count, size_t n)
{
    for (int i = 0; i < count && n > 0; i++) {
        size_t taken = n < pieces[i].iov_len ? n : pieces[i].iov_len;

        pieces[i].iov_base = (char *)pieces[i].iov_base + taken;
        pieces[i].iov_len -= taken;
        n -= taken;
    }
}

/* -1: the socket is dead; else the bytes it took. */
static ssize_t write_pieces(struct http_conn *c, struct iovec *pieces, int count)
{
    ssize_t n;

    do {
        n = count == 1 ? send(event_get_fd(&c->event), pieces[0].iov_base, pieces[0].iov_len, MSG_NOSIGNAL)
                       : writev(event_get_fd(&c->event), pieces, count);
    } while (n < 0 && errno == EINTR);
    if (n >= 0)
        return n;
    if (errno == EAGAIN || errno == EWOULDBLOCK)
        return 0;
    return -1;
}

/* Sends the pieces behind whatever waits; what the socket does not take waits too. Sets `failed`. */
static void send_pieces(struct http_conn *c, struct iovec *pieces, int count)
{
    if (c->failed)
        return;
    if (c->output == NULL) {
        ssize_t n = write_pieces(c, pieces, count);

        if (n < 0) {
            c->failed = true;
            return;
        }
        consume(pieces, count, (size_t)n);
    }
    c->failed = !keep_output(c, pieces, count);
}

static void flush_batch(struct http_conn *c)
{
    struct http_server *s = c->server;
    struct iovec piece = { .iov_base = s->batch, .iov_len = s->batch_bytes };

    if (s->running != c || s->batch_bytes == 0)
        return;
    s->batch_bytes = 0;
    send_pieces(c, &piece, 1);
}

bool http_output_flush(struct http_conn *c)
{
    struct http_output *out;
    struct iovec piece;
    ssize_t n;

    flush_batch(c);
    if (c->failed)
        return false;
    out = c->output;
    if (out == NULL)
        return true;
    piece = (struct iovec){ .iov_base = out->bytes + out->from, .iov_len = out->len - out->from };
    n = write_pieces(c, &piece, 1);
    if (n < 0) {
        c->failed = true;
        return false;
    }
    out->from += (size_t)n;
    if (n > 0 && c->state == HTTP_CONN_WRITE)
        http_conn_set_state(c, HTTP_CONN_WRITE); /* progress: its time begins anew */
    http_output_progressed(c);
    if (out->from < out->len)
        return false;
    free(out);
    c->output = NULL;
    return true;
}

/* The socket says "writable" only after a good part of its buffer is free, which takes a slow but living reader long:
 * the length of the queue tells sooner. */
bool http_output_progressed(struct http_conn *c)
{
    int queued = 0, before = c->queued_bytes;

    if (ioctl(event_get_fd(&c->event), SIOCOUTQ, &queued) < 0)
        return false;
    c->queued_bytes = queued;
    return queued < before;
}

/* Bytes of the engine and of the application, in order, by the batch or directly. */
static void send_all(struct http_conn *c, struct iovec *pieces, int count)
{
    struct http_server *s = c->server;
    struct iovec all[MAX_PIECES + 1];
    size_t total = 0;

    for (int i = 0; i < count; i++)
        total += pieces[i].iov_len;
    if (s->running != c) {
        send_pieces(c, pieces, count);
        return;
    }
    if (total <= HTTP_BATCH_BYTES - s->batch_bytes) {
        for (int i = 0; i < count; i++) {
            if (pieces[i].iov_len > 0)
                memcpy(s->batch + s->batch_bytes, pieces[i].iov_base, pieces[i].iov_len);
            s->batch_bytes += pieces[i].iov_len;
        }
        return;
    }
    all[0] = (struct iovec){ .iov_base = s->batch, .iov_len = s->batch_bytes };
    memcpy(all + 1, pieces, (size_t)count * sizeof *pieces);
    s->batch_bytes = 0;
    send_pieces(c, all, count + 1);
}

static struct iovec piece_of(struct str s)
{
    return (struct iovec){ .iov_base = (void *)(uintptr_t)s.p, .iov_len = s.len };
}

void http_output_continue(struct http_conn *c)
{
    struct iovec piece = piece_of(continue_line);

    c->expects_continue = false;
    send_all(c, &piece, 1);
}

/* The Date line, made once a second. */
static const char *date_line(struct http_server *s)
{
    uint64_t now = loop_now_ns(s->loop);
    int64_t wall_us;
    time_t seconds;
    struct tm tm;

    if (now < s->date_until_ns)
        return s->date;
    wall_us = clock_wall_us();
    seconds = (time_t)(wall_us / CLOCK_US_PER_S);
    gmtime_r(&seconds, &tm);
    strftime(s->date, sizeof s->date, "Date: %a, %d %b %Y %H:%M:%S GMT\r\n", &tm);
    s->date_until_ns = now + (uint64_t)(CLOCK_US_PER_S - wall_us % CLOCK_US_PER_S) * 1000;
    return s->date;
}

static char *put(char *dst, const char *bytes, size_t n)
{
    memcpy(dst, bytes, n);
    return dst + n;
}

#define PUT_LIT(dst, literal) put(dst, literal, sizeof(literal) - 1)

/* Status line, Date, Content-Length, Connection; the length. */
static size_t format_prefix(struct http_conn *c, char dst[PREFIX_BYTES], const struct http_reply *reply, bool keep)
{
    const struct http_head *head = c->exchange->request.head;
    const char *reason = reason_of(reply->status);
    char *p = dst;

    p = PUT_LIT(p, "HTTP/1.1 ");
    p += fmt_u64(p, (uint64_t)reply->status);
    *p++ = ' ';
    p = put(p, reason, strlen(reason));
    p = PUT_LIT(p, "\r\n");
    p = put(p, date_line(c->server), HTTP_DATE_LINE_BYTES);
    if (reply->status != 204 && reply->status != 304) {
        p = PUT_LIT(p, "Content-Length: ");
        p += fmt_u64(p, reply->body.len);
        p = PUT_LIT(p, "\r\n");
    }
    if (!keep)
        p = PUT_LIT(p, "Connection: close\r\n");
    else if (head->minor == 0)
        p = PUT_LIT(p, "Connection: keep-alive\r\n");
    return (size_t)(p - dst);
}

static bool may_keep(const struct http_conn *c, const struct http_reply *reply)
{
    const struct http_exchange *ex = c->exchange;

    if (reply->close || ex->refused || c->server->draining || c->closing)
        return false;
    if (ex->request.head == NULL || !ex->request.head->keep_alive)
        return false;
    return http_body_skippable(c) && !(c->eof && http_conn_unread(c) == 0);
}

static bool has_body(const struct http_exchange *ex, int status)
{
    return status != 204 && status != 304 && (ex->request.head == NULL || ex->request.head->method != HTTP_HEAD);
}

void http_reply(struct http_request *r, const struct http_reply *reply)
{
    struct http_exchange *ex = (struct http_exchange *)(void *)((char *)r - offsetof(struct http_exchange, request));
    struct http_conn *c = ex->conn;
    char prefix[PREFIX_BYTES];
    struct iovec pieces[4];
    bool keep;

    if (ex->status != 0 || reply->status < 200 || reply->status > 599) {
        log_debug("reply with status %d ignored: the request was answered with %d", reply->status, ex->status);
        return;
    }
    keep = may_keep(c, reply);
    c->closing = !keep;
    ex->status = reply->status;
    ex->sent_bytes = has_body(ex, reply->status) ? reply->body.len : 0;
    pieces[0] = (struct iovec){ .iov_base = prefix, .iov_len = format_prefix(c, prefix, reply, keep) };
    pieces[1] = piece_of(reply->headers);
    pieces[2] = piece_of(STR_LIT("\r\n"));
    pieces[3] = piece_of((struct str){ reply->body.p, ex->sent_bytes });
    send_all(c, pieces, 4);
    if (c->server->running != c)
        http_conn_resume(c);
}
