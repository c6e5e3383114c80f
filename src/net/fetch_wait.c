/*
 * fetch_wait: see the header.
 */
#include "net/fetch_wait.h"

#include <stdio.h>

#include "net/loop.h"

#define MAX_ANSWER_BYTES (64U << 10)
#define TICK_MS          100

struct wait {
    struct loop *loop;
    struct fetch_result *result;
};

static void on_answer(const struct fetch_answer *a, void *arg)
{
    const struct wait *w = arg;
    bool answered = a->error == FETCH_OK || (a->error == FETCH_TOO_LARGE && a->status != 0);

    w->result->error = answered ? FETCH_OK : a->error;
    w->result->status = a->status;
    (void)snprintf(w->result->why, sizeof(w->result->why), "%s", answered ? "" : a->why);
    loop_stop(w->loop);
}

void fetch_wait(const struct fetch_request *request, struct fetch_result *r)
{
    struct wait w = { .loop = loop_new(), .result = r };
    struct fetch_pool *pool = w.loop != NULL ? fetch_pool_new(w.loop, 1) : NULL;

    *r = (struct fetch_result){ .error = FETCH_BROKEN, .why = "no memory, or no URL" };
    if (pool != NULL && fetch_start(pool, request, on_answer, &w) != NULL)
        loop_run(w.loop, TICK_MS, NULL, NULL);
    fetch_pool_free(pool);
    loop_free(w.loop);
}

void fetch_wait_post_json(const char *url, struct str json, uint64_t timeout_ms, struct fetch_result *r)
{
    static const char *const headers[] = { "Content-Type: application/json", NULL };

    fetch_wait(&(struct fetch_request){ .url = url,
                                        .plain = str_starts(str_from(url), "http://"),
                                        .headers = headers,
                                        .body = json,
                                        .timeout_ms = timeout_ms,
                                        .max_bytes = MAX_ANSWER_BYTES },
               r);
}
