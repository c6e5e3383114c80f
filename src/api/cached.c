/*
 * cached: see the header.
 */
#include "api/cached.h"

#include "api/errors.h"
#include "base/clock.h"

bool cached_waited_out(const struct api_request *q)
{
    return clock_mono_ns() - q->asked_ns > (uint64_t)q->api->env.conf->db_pool_timeout * CLOCK_NS_PER_S;
}

static void on_value(struct str value, void *arg)
{
    struct api_request *q = arg;

    q->cancel = NULL;
    if (value.p == NULL && cached_waited_out(q)) {
        error_unavailable(q, CACHED_BUSY, CACHED_BUSY_RETRY_S);
        return;
    }
    if (value.p == NULL) { /* the ticket leads: it ends with the answer, or with the request */
        q->work_out(q);
        return;
    }
    q->ticket = NULL;
    request_reply(q, 200, HEADERS_JSON, value);
}

void cached_answer(struct api_request *q, enum metric_cache_type type, void (*work_out)(struct api_request *q))
{
    const struct http_head *head = q->http->head;
    const char *text = arena_printf(&q->http->arena, "%.*s?%.*s", (int)head->path.len, head->path.p,
                                    (int)head->query.len, head->query.len > 0 ? head->query.p : "");
    struct cache_question question = { .type = type };

    if (text == NULL) {
        error_no_memory(q);
        return;
    }
    if (q->data == NULL) {
        work_out(q);
        return;
    }
    question.text = str_from(text);
    question.data_version = q->data->population->header->data_version;
    question.published_us = q->data->population->header->published_us;
    q->work_out = work_out;
    q->asked_ns = clock_mono_ns();
    q->ticket = cache_ask(q->api->env.cache, &question, on_value, q);
    if (q->ticket == NULL)
        work_out(q);
    else
        q->cancel = cached_end;
}

void cached_keep(struct api_request *q, struct str body)
{
    struct cache_ticket *ticket = q->ticket;

    q->ticket = NULL;
    if (ticket != NULL)
        cache_fill(ticket, body);
}

void cached_end(struct api_request *q)
{
    struct cache_ticket *ticket = q->ticket;

    q->ticket = NULL;
    if (ticket != NULL)
        cache_leave(ticket);
}
