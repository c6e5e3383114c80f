/*
 * sync_wait: see the header.
 */
#include "api/sync_wait.h"

#include <signal.h>
#include <stdlib.h>

#include "api/errors.h"
#include "api/request.h"
#include "api/sync_json.h"
#include "base/clock.h"

#define BOX_WAIT_NS    (5 * CLOCK_NS_PER_S)
#define ANSWER_WAIT_NS (10 * CLOCK_NS_PER_S)
#define END_WAIT_NS    (600 * CLOCK_NS_PER_S)
#define RETRY_S        5

enum wait_state {
    WAIT_BOX,    /* for the mailbox to be free */
    WAIT_ANSWER, /* for the sync process */
    WAIT_END     /* for the run */
};

struct sync_wait {
    struct sync_wait *next;
    struct api_request *q; /* NULL: the caller left; the answer is still taken out of the box */
    struct sb_mail_request request;
    bool until_end;
    enum wait_state state;
    uint64_t since_ns; /* of the state */
    uint32_t ticket, sync_seq;
    int64_t run_id;
};

static void detach(struct api_request *q)
{
    struct sync_wait *w = q->pending;

    q->pending = NULL;
    if (w != NULL)
        w->q = NULL;
}

static void enter(struct sync_wait *w, enum wait_state state, uint64_t now_ns)
{
    w->state = state;
    w->since_ns = now_ns;
}

/* Takes the request out: it is answered next. */
static struct api_request *release(struct sync_wait *w)
{
    struct api_request *q = w->q;

    w->q = NULL;
    if (q != NULL)
        q->pending = NULL;
    return q;
}

static void answer_unavailable(struct sync_wait *w, const char *message)
{
    struct api_request *q = release(w);

    if (q != NULL)
        error_unavailable(q, message, RETRY_S);
}

/* The master wakes the sync process, which looks into the box. */
static void wake(const struct scoreboard *sb)
{
    int32_t master = atomic_load_explicit(&sb->master_pid, memory_order_relaxed);

    if (master > 0)
        kill(master, SIGUSR1);
}

/* Each step answers whether the wait is over. */
static bool step_box(struct api *a, struct sync_wait *w, uint64_t now_ns)
{
    if (w->q == NULL)
        return true;
    w->ticket = scoreboard_mail_post(a->env.sb, &w->request);
    if (w->ticket != 0) {
        wake(a->env.sb);
        enter(w, WAIT_ANSWER, now_ns);
        return false;
    }
    if (now_ns - w->since_ns < BOX_WAIT_NS)
        return false;
    answer_unavailable(w, "Another request to sync is being handled");
    return true;
}

static bool begin_run(struct api *a, struct sync_wait *w, int64_t run_id, uint64_t now_ns)
{
    struct api_request *q;

    w->run_id = run_id;
    if (w->q == NULL)
        return true;
    if (w->until_end && !a->draining) {
        w->q->http->deadline_ns = 0;
        w->sync_seq = atomic_load_explicit(&a->env.sb->sync_seq, memory_order_relaxed) - 1;
        enter(w, WAIT_END, now_ns);
        return false;
    }
    q = release(w);
    sync_json_started(q, &w->request, run_id);
    return true;
}

static bool step_answer(struct api *a, struct sync_wait *w, uint64_t now_ns)
{
    enum sb_mail_answer answer;
    struct api_request *q;
    int64_t run_id;

    if (!scoreboard_mail_poll(a->env.sb, w->ticket, &answer, &run_id)) {
        if (now_ns - w->since_ns < ANSWER_WAIT_NS)
            return false;
        answer_unavailable(w, "The sync process does not answer");
        return true;
    }
    switch (answer) {
    case SB_ANSWER_STARTED:
        return begin_run(a, w, run_id, now_ns);
    case SB_ANSWER_ALREADY_RUNNING:
        q = release(w);
        if (q != NULL)
            sync_json_already_running(q, run_id);
        return true;
    case SB_ANSWER_NOT_CONFIGURED:
        answer_unavailable(w, "No source is configured");
        return true;
    case SB_ANSWER_DATABASE_DOWN:
        answer_unavailable(w, "PostgreSQL is needed for a sync and does not answer");
        return true;
    default:
        answer_unavailable(w, "The sync process cannot start a run now");
        return true;
    }
}

/* The run, once it has ended. */
static const struct sb_run *find_ended(const struct sb_sync *sync, int64_t run_id)
{
    if (sync->run.run_id == run_id && sync->run.status != SB_RUN_RUNNING)
        return &sync->run;
    for (uint32_t i = 0; i < sync->run_count && i < SB_RUNS; i++) {
        if (sync->runs[i].run_id == run_id && sync->runs[i].status != SB_RUN_RUNNING)
            return &sync->runs[i];
    }
    return NULL;
}

static bool step_end(struct api *a, struct sync_wait *w, uint64_t now_ns)
{
    uint32_t seq = atomic_load_explicit(&a->env.sb->sync_seq, memory_order_acquire);
    const struct sb_run *run;
    struct sb_sync sync;

    if (w->q == NULL)
        return true;
    if (a->draining || now_ns - w->since_ns > END_WAIT_NS) {
        sync_json_started(release(w), &w->request, w->run_id);
        return true;
    }
    if (seq == w->sync_seq || (seq & 1) != 0 || !scoreboard_sync_read(a->env.sb, &sync)) /* odd: being written */
        return false;
    w->sync_seq = seq;
    run = find_ended(&sync, w->run_id);
    if (run == NULL)
        return false;
    sync_json_finished(release(w), &w->request, run);
    return true;
}

static bool step(struct api *a, struct sync_wait *w, uint64_t now_ns)
{
    switch (w->state) {
    case WAIT_BOX:
        return step_box(a, w, now_ns);
    case WAIT_ANSWER:
        return step_answer(a, w, now_ns);
    case WAIT_END:
        return step_end(a, w, now_ns);
    }
    return true;
}

static void push(struct api *a, struct sync_wait *w)
{
    w->next = a->sync_waits;
    a->sync_waits = w;
}

static struct sync_wait *pop(struct sync_wait **list)
{
    struct sync_wait *w = *list;

    if (w != NULL)
        *list = w->next;
    return w;
}

void sync_wait_tick(struct api *a)
{
    struct sync_wait *due = a->sync_waits, *w;
    uint64_t now_ns;

    if (due == NULL)
        return;
    now_ns = clock_mono_ns();
    a->sync_waits = NULL; /* an answer may let in the next request, which may come to wait */
    while ((w = pop(&due)) != NULL) {
        if (step(a, w, now_ns))
            free(w);
        else
            push(a, w);
    }
}

void sync_wait_start(struct api_request *q, const struct sb_mail_request *r, bool until_end)
{
    struct api *a = q->api;
    struct sync_wait *w = calloc(1, sizeof(*w));
    uint64_t now_ns = clock_mono_ns();

    if (w == NULL) {
        error_no_memory(q);
        return;
    }
    w->q = q;
    w->request = *r;
    w->until_end = until_end;
    enter(w, WAIT_BOX, now_ns);
    q->pending = w;
    q->cancel = detach;
    if (step(a, w, now_ns))
        free(w);
    else
        push(a, w);
}

void sync_wait_free_all(struct api *a)
{
    struct sync_wait *w;

    while ((w = pop(&a->sync_waits)) != NULL) {
        release(w);
        free(w);
    }
}
