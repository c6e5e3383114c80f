/*
 * fetch_post: see the header.
 */
#include "net/fetch_post.h"

#include <stdio.h>

#include "net/loop.h"

#define MAX_ANSWER_BYTES (64U << 10)
#define TICK_MS          100

struct post {
    struct loop *loop;
    struct fetch_post_result *result;
};

static void on_answer(const struct fetch_answer *a, void *arg)
{
    const struct post *p = arg;
    bool answered = a->error == FETCH_OK || (a->error == FETCH_TOO_LARGE && a->status != 0);

    p->result->error = answered ? FETCH_OK : a->error;
    p->result->status = a->status;
    (void)snprintf(p->result->why, sizeof(p->result->why), "%s", answered ? "" : a->why);
    loop_stop(p->loop);
}

void fetch_post_json(const char *url, struct str json, uint64_t timeout_ms, struct fetch_post_result *r)
{
    static const char *const headers[] = { "Content-Type: application/json", NULL };
    struct fetch_request request = { .url = url,
                                     .plain = str_starts(str_from(url), "http://"),
                                     .headers = headers,
                                     .body = json,
                                     .timeout_ms = timeout_ms,
                                     .max_bytes = MAX_ANSWER_BYTES };
    struct post p = { .loop = loop_new(), .result = r };
    struct fetch_pool *pool = p.loop != NULL ? fetch_pool_new(p.loop, 1) : NULL;

    *r = (struct fetch_post_result){ .error = FETCH_BROKEN, .why = "no memory, or no URL" };
    if (pool != NULL && fetch_start(pool, &request, on_answer, &p) != NULL)
        loop_run(p.loop, TICK_MS, NULL, NULL);
    fetch_pool_free(pool);
    loop_free(p.loop);
}
