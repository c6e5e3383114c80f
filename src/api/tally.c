/*
 * tally: see the header. A slot may change hands while it is read: each field is checked by itself, none is trusted.
 */
#include "api/tally.h"

#include <stdlib.h>

#include "base/clock.h"
#include "core/metrics.h"

#define NS_PER_MS 1000000

static bool lives(uint32_t state)
{
    return state == SB_ASSIGNED || state == SB_STARTING || state == SB_READY || state == SB_DRAINING;
}

static int64_t ms_since(uint64_t then_ns, uint64_t now_ns)
{
    return then_ns != 0 && now_ns > then_ns ? (int64_t)((now_ns - then_ns) / NS_PER_MS) : 0;
}

static int64_t restarts_of(const struct scoreboard *sb, uint32_t role, uint32_t index)
{
    if (role >= SB_ROLE_COUNT || index >= SB_MAX_INDEX)
        return 0;
    return (int64_t)atomic_load_explicit(&sb->restarts[role][index], memory_order_relaxed);
}

static void read_slot(struct tally_process *p, const struct scoreboard *sb, const struct sb_slot *s, uint32_t state,
                      uint64_t now_ns)
{
    uint64_t beat_ns = atomic_load_explicit(&s->beat_ns, memory_order_relaxed);

    if (beat_ns == 0)
        beat_ns = atomic_load_explicit(&s->start_ns, memory_order_relaxed);
    p->role = atomic_load_explicit(&s->role, memory_order_relaxed);
    p->index = atomic_load_explicit(&s->index, memory_order_relaxed);
    p->generation = atomic_load_explicit(&s->generation, memory_order_relaxed);
    p->pid = atomic_load_explicit(&s->pid, memory_order_relaxed);
    p->state = sb_state_name(state == SB_ASSIGNED ? SB_STARTING : state);
    p->started_us = atomic_load_explicit(&s->start_us, memory_order_relaxed);
    p->requests = (int64_t)metrics_slot_total(s, METRIC_HTTP_REQUESTS);
    p->in_flight = atomic_load_explicit(&s->in_flight, memory_order_relaxed);
    p->connections = atomic_load_explicit(&s->connections, memory_order_relaxed);
    p->active = atomic_load_explicit(&s->active_connections, memory_order_relaxed);
    p->rss_bytes = (int64_t)atomic_load_explicit(&s->rss_bytes, memory_order_relaxed);
    p->last_beat_ms = ms_since(beat_ns, now_ns);
    p->restarts = restarts_of(sb, p->role, p->index);
}

static int compare_processes(const void *left, const void *right)
{
    const struct tally_process *a = left, *b = right;

    if (a->role != b->role)
        return a->role < b->role ? -1 : 1;
    if (a->index != b->index)
        return a->index < b->index ? -1 : 1;
    return a->generation < b->generation ? -1 : a->generation > b->generation;
}

void tally_processes(struct tally *t, const struct scoreboard *sb)
{
    uint64_t now_ns = clock_mono_ns();

    t->count = 0;
    t->workers_ready = 0;
    for (unsigned i = 0; i < SB_SLOTS; i++) {
        uint32_t state = atomic_load_explicit(&sb->slots[i].state, memory_order_acquire);
        struct tally_process *p = &t->processes[t->count];

        if (!lives(state))
            continue;
        read_slot(p, sb, &sb->slots[i], state, now_ns);
        t->workers_ready += p->role == SB_ROLE_WORKER && state == SB_READY;
        t->count++;
    }
    qsort(t->processes, t->count, sizeof(t->processes[0]), compare_processes);
}

void tally_pool(struct tally_pool *p, const struct conf *conf, const struct scoreboard *sb)
{
    *p = (struct tally_pool){ 0 };
    for (unsigned i = 0; i < SB_SLOTS; i++) {
        const struct sb_slot *s = &sb->slots[i];

        if (!lives(atomic_load_explicit(&s->state, memory_order_acquire)))
            continue;
        p->open += atomic_load_explicit(&s->pg_open, memory_order_relaxed);
        p->busy += atomic_load_explicit(&s->pg_busy, memory_order_relaxed);
        p->waiting += atomic_load_explicit(&s->pg_waiting, memory_order_relaxed);
    }
    p->overflow = p->open > conf->db_pool_size ? p->open - conf->db_pool_size : 0;
    p->available = conf->db_pool_size + conf->db_max_overflow - p->busy;
    if (p->available < 0)
        p->available = 0;
    if (conf->db_pool_size + p->overflow > 0)
        p->utilization = (double)p->busy / (double)(conf->db_pool_size + p->overflow);
}

void tally_cache(struct tally_cache *c, const struct scoreboard *sb)
{
    c->hits = (int64_t)metrics_total_all(sb, METRIC_CACHE_HITS);
    c->misses = (int64_t)metrics_total_all(sb, METRIC_CACHE_MISSES);
    c->keys = (int64_t)atomic_load_explicit(&sb->redis_keys, memory_order_relaxed);
    c->memory_bytes = (int64_t)atomic_load_explicit(&sb->redis_memory_bytes, memory_order_relaxed);
    c->evictions = (int64_t)atomic_load_explicit(&sb->redis_evictions, memory_order_relaxed);
    c->hit_rate = c->hits + c->misses > 0 ? (double)c->hits / (double)(c->hits + c->misses) : 0;
}
