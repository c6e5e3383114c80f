/*
 * loop: turns of libevent's base, with a bin for memory and a queue of calls
 * that are both worked off between two turns, when no callback is on the stack.
 */
#include "net/loop.h"

#include <stdlib.h>

#include <event2/event.h>
#include <event2/event_struct.h>

#include "base/clock.h"

struct deferred {
    loop_fn fn;
    void *arg;
};

struct loop {
    struct event_base *base;
    struct event wake; /* bounds the wait of a turn to tick_ms */
    uint64_t now_ns;   /* of this turn; 0: not asked for yet */
    struct deferred *calls;
    size_t call_count, call_cap;
    void **bin;
    size_t bin_count, bin_cap;
    bool stop;
};

struct loop_timer {
    struct event event;
    struct loop *loop;
    loop_fn fn;
    void *arg;
};

struct loop_watch {
    struct event event;
    struct loop *loop;
    loop_fn fn;
    void *arg;
};

/*
 * No locks (one thread), no change list (it delays and reorders epoll_ctl),
 * coarse timers, and no environment variable that alters any of it.
 */
static struct event_base *base_new(void)
{
    struct event_config *config = event_config_new();
    struct event_base *base;

    if (config == NULL)
        return NULL;
    event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK | EVENT_BASE_FLAG_IGNORE_ENV);
    event_config_require_features(config, EV_FEATURE_ET | EV_FEATURE_O1 | EV_FEATURE_EARLY_CLOSE);
    base = event_base_new_with_config(config);
    event_config_free(config);
    return base;
}

struct loop *loop_new(void)
{
    struct loop *l = calloc(1, sizeof *l);

    if (l == NULL)
        return NULL;
    l->base = base_new();
    if (l->base == NULL) {
        free(l);
        return NULL;
    }
    return l;
}

static void empty_bin(struct loop *l)
{
    for (size_t i = 0; i < l->bin_count; i++)
        free(l->bin[i]);
    l->bin_count = 0;
}

void loop_free(struct loop *l)
{
    if (l == NULL)
        return;
    empty_bin(l);
    event_base_free(l->base);
    free(l->bin);
    free(l->calls);
    free(l);
}

struct event_base *loop_base(struct loop *l)
{
    return l->base;
}

/* Calls made by these calls are left for the next turn, so that two that defer each other cannot hold the loop. */
static void run_deferred(struct loop *l)
{
    size_t count = l->call_count;

    for (size_t i = 0; i < count; i++) {
        struct deferred call = l->calls[i];

        if (call.fn != NULL)
            call.fn(call.arg);
    }
    l->call_count -= count;
    for (size_t i = 0; i < l->call_count; i++)
        l->calls[i] = l->calls[count + i];
}

static void on_wake(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    (void)arg;
}

static void turn(struct loop *l)
{
    l->now_ns = 0;
    event_base_loop(l->base, l->call_count > 0 ? EVLOOP_NONBLOCK : EVLOOP_ONCE);
    run_deferred(l);
}

void loop_run(struct loop *l, unsigned tick_ms, loop_fn tick, void *arg)
{
    struct timeval period = { .tv_sec = tick_ms / 1000, .tv_usec = (suseconds_t)(tick_ms % 1000) * 1000 };

    l->stop = false;
    event_assign(&l->wake, l->base, -1, EV_PERSIST, on_wake, NULL);
    event_add(&l->wake, &period);
    while (!l->stop) {
        turn(l);
        if (tick != NULL)
            tick(arg);
        empty_bin(l);
    }
    event_del(&l->wake);
}

void loop_stop(struct loop *l)
{
    l->stop = true;
    event_base_loopbreak(l->base);
}

uint64_t loop_now_ns(struct loop *l)
{
    if (l->now_ns == 0)
        l->now_ns = clock_mono_ns();
    return l->now_ns;
}

/* Room for one more element of `size` bytes. */
static bool grow(void **array, size_t *cap, size_t count, size_t size)
{
    size_t wanted = *cap == 0 ? 16 : *cap * 2;
    void *bigger;

    if (count < *cap)
        return true;
    bigger = reallocarray(*array, wanted, size);
    if (bigger == NULL)
        return false;
    *array = bigger;
    *cap = wanted;
    return true;
}

/* Without memory for the list itself the object is leaked: the one answer that cannot be met as freed memory. */
void loop_free_later(struct loop *l, void *ptr)
{
    void *list = l->bin;

    if (ptr == NULL || !grow(&list, &l->bin_cap, l->bin_count, sizeof *l->bin))
        return;
    l->bin = list;
    l->bin[l->bin_count++] = ptr;
}

bool loop_defer(struct loop *l, loop_fn fn, void *arg)
{
    void *list = l->calls;

    if (!grow(&list, &l->call_cap, l->call_count, sizeof *l->calls))
        return false;
    l->calls = list;
    l->calls[l->call_count++] = (struct deferred){ .fn = fn, .arg = arg };
    return true;
}

void loop_defer_cancel(struct loop *l, loop_fn fn, void *arg)
{
    for (size_t i = 0; i < l->call_count; i++) {
        if (l->calls[i].fn == fn && l->calls[i].arg == arg)
            l->calls[i].fn = NULL;
    }
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct loop_timer *t = arg;

    (void)fd;
    (void)what;
    t->fn(t->arg);
}

struct loop_timer *loop_timer_new(struct loop *l, loop_fn fn, void *arg)
{
    struct loop_timer *t = calloc(1, sizeof *t);

    if (t == NULL)
        return NULL;
    t->loop = l;
    t->fn = fn;
    t->arg = arg;
    event_assign(&t->event, l->base, -1, 0, on_timer, t);
    return t;
}

void loop_timer_set(struct loop_timer *t, uint64_t ms)
{
    struct timeval delay = { .tv_sec = (time_t)(ms / 1000), .tv_usec = (suseconds_t)(ms % 1000) * 1000 };

    event_add(&t->event, &delay);
}

void loop_timer_clear(struct loop_timer *t)
{
    event_del(&t->event);
}

void loop_timer_free(struct loop_timer *t)
{
    if (t == NULL)
        return;
    event_del(&t->event);
    loop_free_later(t->loop, t);
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    struct loop_watch *w = arg;

    (void)fd;
    (void)what;
    w->fn(w->arg);
}

struct loop_watch *loop_watch_new(struct loop *l, int fd, loop_fn fn, void *arg)
{
    struct loop_watch *w = calloc(1, sizeof *w);

    if (w == NULL)
        return NULL;
    w->loop = l;
    w->fn = fn;
    w->arg = arg;
    event_assign(&w->event, l->base, fd, EV_READ | EV_PERSIST, on_readable, w);
    if (event_add(&w->event, NULL) == 0)
        return w;
    free(w);
    return NULL;
}

void loop_watch_free(struct loop_watch *w)
{
    if (w == NULL)
        return;
    event_del(&w->event);
    loop_free_later(w->loop, w);
}
