/*
 * http_pool: exchanges and input buffers of a server, kept for the next
 * request up to a fixed number, so that the steady state allocates nothing
 * and a burst gives its memory back.
 */
#include <stdlib.h>

#include "net/http_conn.h"

#define SPARE_EXCHANGES 64
#define SPARE_INPUTS    32

struct http_exchange *http_pool_exchange(struct http_server *s)
{
    struct http_exchange *ex = TAILQ_FIRST(&s->spare_exchanges);

    if (ex != NULL) {
        TAILQ_REMOVE(&s->spare_exchanges, ex, link);
        s->spare_exchange_count--;
        return ex;
    }
    ex = calloc(1, sizeof *ex);
    if (ex != NULL)
        arena_init(&ex->request.arena, s->limits.max_request_memory_bytes);
    return ex;
}

static void free_exchange(struct http_exchange *ex)
{
    arena_free(&ex->request.arena);
    free(ex);
}

void http_pool_give_exchange(struct http_server *s, struct http_exchange *ex)
{
    if (ex->head_input != NULL) {
        http_pool_give_input(s, ex->head_input);
        ex->head_input = NULL;
    }
    free(ex->body);
    ex->body = NULL;
    ex->body_bytes = ex->body_size = 0;
    if (s->spare_exchange_count == SPARE_EXCHANGES) {
        free_exchange(ex);
        return;
    }
    arena_reset(&ex->request.arena);
    TAILQ_INSERT_HEAD(&s->spare_exchanges, ex, link);
    s->spare_exchange_count++;
}

size_t http_input_size(const struct http_server *s)
{
    return s->limits.max_head_bytes + HTTP_INPUT_EXTRA;
}

struct http_input *http_pool_input(struct http_server *s)
{
    struct http_input *in = s->spare_inputs;

    if (in == NULL)
        return malloc(sizeof *in + http_input_size(s));
    s->spare_inputs = in->next;
    s->spare_input_count--;
    return in;
}

void http_pool_give_input(struct http_server *s, struct http_input *in)
{
    if (s->spare_input_count == SPARE_INPUTS) {
        free(in);
        return;
    }
    in->next = s->spare_inputs;
    s->spare_inputs = in;
    s->spare_input_count++;
}

void http_pool_free(struct http_server *s)
{
    struct http_exchange *ex;
    struct http_input *in;

    while ((ex = TAILQ_FIRST(&s->spare_exchanges)) != NULL) {
        TAILQ_REMOVE(&s->spare_exchanges, ex, link);
        free_exchange(ex);
    }
    while ((in = s->spare_inputs) != NULL) {
        s->spare_inputs = in->next;
        free(in);
    }
}
