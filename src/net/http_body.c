/*
 * http_body: request bodies, whole and in one piece.
 *
 * A body that came with its head is used where it lies. A longer one gets a
 * buffer that grows with what arrives, never with what was announced, and the
 * exchange takes over the input buffer, since the head's slices point into it.
 */
#include <stdlib.h>
#include <string.h>

#include "net/http_conn.h"

void http_body_begin(struct http_conn *c, const struct http_head *head)
{
    c->framing = HTTP_FRAMING_NONE;
    c->body_left = 0;
    c->dropped_bytes = 0;
    if (head->chunked) {
        c->framing = HTTP_FRAMING_CHUNKED;
        http_chunked_init(&c->chunked);
    } else if (head->has_length && head->content_length > 0) {
        c->framing = HTTP_FRAMING_LENGTH;
        c->body_left = head->content_length;
    }
    c->expects_continue =
        head->expect_continue && c->framing != HTTP_FRAMING_NONE && http_conn_unread(c) == 0 && !c->eof;
}

bool http_body_skippable(const struct http_conn *c)
{
    switch ((enum http_framing)c->framing) {
    case HTTP_FRAMING_NONE:
        return true;
    case HTTP_FRAMING_LENGTH:
        return !c->expects_continue && c->body_left <= HTTP_SKIP_BYTES;
    case HTTP_FRAMING_CHUNKED:
        return !c->expects_continue;
    }
    return false;
}

static char *unread_bytes(const struct http_conn *c)
{
    return c->input->bytes + c->input_from;
}

static bool reserve(struct http_exchange *ex, size_t wanted, size_t most)
{
    size_t size = ex->body_size > 0 ? ex->body_size : HTTP_BODY_FIRST;
    char *bigger;

    if (wanted <= ex->body_size)
        return true;
    while (size < wanted)
        size *= 2;
    if (size > most)
        size = most;
    bigger = realloc(ex->body, size);
    if (bigger == NULL)
        return false;
    ex->body = bigger;
    ex->body_size = size;
    return true;
}

static bool append(struct http_exchange *ex, const char *bytes, size_t n, size_t most)
{
    if (n == 0)
        return true;
    if (!reserve(ex, ex->body_bytes + n, most))
        return false;
    memcpy(ex->body + ex->body_bytes, bytes, n);
    ex->body_bytes += n;
    return true;
}

static void hand_over_input(struct http_conn *c)
{
    if (c->exchange->head_input != NULL || c->input == NULL)
        return;
    c->exchange->head_input = c->input;
    c->input = NULL;
    c->input_from = c->input_to = 0;
}

static enum http_body_result finish(struct http_conn *c, struct str body)
{
    c->exchange->request.body = body;
    c->framing = HTTP_FRAMING_NONE;
    return HTTP_BODY_DONE;
}

/* What a read that brought nothing means in the middle of a body. */
static enum http_body_result nothing_read(const struct http_conn *c)
{
    return c->eof || c->failed ? HTTP_BODY_GONE : HTTP_BODY_WAIT;
}

static struct str collected(const struct http_exchange *ex)
{
    return (struct str){ ex->body, ex->body_bytes };
}

/* After what the input buffer holds, the rest is read straight to its place, and not a byte more. */
static enum http_body_result receive_length(struct http_conn *c)
{
    struct http_exchange *ex = c->exchange;
    size_t most = (size_t)ex->head.content_length, unread = http_conn_unread(c), n;

    if (unread > 0 && ex->head_input == NULL) {
        n = unread < c->body_left ? unread : (size_t)c->body_left;
        c->body_left -= n;
        if (c->body_left == 0) {
            c->input_from += (uint32_t)n;
            return finish(c, (struct str){ unread_bytes(c) - n, n });
        }
        if (!append(ex, unread_bytes(c), n, most))
            return HTTP_BODY_GONE;
        c->input_from += (uint32_t)n;
    }
    hand_over_input(c);
    if (!c->readable)
        return nothing_read(c);
    if (!reserve(ex, ex->body_bytes + 1, most))
        return HTTP_BODY_GONE;
    n = http_conn_read(c, ex->body + ex->body_bytes, ex->body_size - ex->body_bytes);
    if (n == 0)
        return nothing_read(c);
    ex->body_bytes += n;
    c->body_left -= n;
    return c->body_left == 0 ? finish(c, collected(ex)) : HTTP_BODY_AGAIN;
}

/* Decodes what is unread; a body that came whole with its head stays in the input buffer. */
static enum http_body_result decode_chunks(struct http_conn *c)
{
    struct http_exchange *ex = c->exchange;
    char *bytes = unread_bytes(c);
    size_t used, decoded;
    int status = http_chunked_feed(&c->chunked, bytes, http_conn_unread(c), &used, &decoded);

    c->input_from += (uint32_t)used;
    if (status == 400)
        return HTTP_BODY_BAD;
    if (decoded > ex->body_max - ex->body_bytes)
        return HTTP_BODY_LARGE;
    if (status == 0 && ex->body_bytes == 0 && ex->head_input == NULL)
        return finish(c, (struct str){ bytes, decoded });
    if (!append(ex, bytes, decoded, ex->body_max))
        return HTTP_BODY_GONE;
    return status == 0 ? finish(c, collected(ex)) : HTTP_BODY_AGAIN;
}

static enum http_body_result receive_chunked(struct http_conn *c)
{
    if (http_conn_unread(c) > 0)
        return decode_chunks(c);
    hand_over_input(c);
    if (c->readable && http_conn_fill(c) > 0)
        return HTTP_BODY_AGAIN;
    return nothing_read(c);
}

enum http_body_result http_body_receive(struct http_conn *c)
{
    switch ((enum http_framing)c->framing) {
    case HTTP_FRAMING_LENGTH:
        return receive_length(c);
    case HTTP_FRAMING_CHUNKED:
        return receive_chunked(c);
    case HTTP_FRAMING_NONE:
        break;
    }
    return finish(c, STR_NONE);
}

/* Takes what is unread; the state of the decoder, or the number left, tells when it is over. */
static enum http_body_result skip_unread(struct http_conn *c)
{
    size_t unread = http_conn_unread(c), used = unread, decoded;
    bool over;

    if (c->framing == HTTP_FRAMING_CHUNKED) {
        int status = http_chunked_feed(&c->chunked, unread_bytes(c), unread, &used, &decoded);

        if (status == 400)
            return HTTP_BODY_GONE;
        over = status == 0;
    } else {
        if (used > c->body_left)
            used = (size_t)c->body_left;
        c->body_left -= used;
        over = c->body_left == 0;
    }
    c->input_from += (uint32_t)used;
    c->dropped_bytes += used;
    if (!over)
        return c->dropped_bytes > HTTP_SKIP_BYTES ? HTTP_BODY_GONE : HTTP_BODY_AGAIN;
    c->framing = HTTP_FRAMING_NONE;
    return HTTP_BODY_DONE;
}

enum http_body_result http_body_skip(struct http_conn *c)
{
    if (c->framing == HTTP_FRAMING_NONE)
        return HTTP_BODY_DONE;
    if (http_conn_unread(c) > 0)
        return skip_unread(c);
    if (c->readable && http_conn_fill(c) > 0)
        return HTTP_BODY_AGAIN;
    return nothing_read(c);
}
