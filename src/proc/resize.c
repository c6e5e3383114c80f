/*
 * resize: one worker more or fewer in the serving generation (TTIN, TTOU), until the next restart or upgrade.
 *
 * While generations change the wish waits. A worker that goes drains like any other.
 */
#include "core/conf.h"
#include "core/events.h"
#include "proc/master.h"

static void grow(struct master *m, unsigned to)
{
    for (unsigned index = m->workers; index < to; index++)
        (void)children_add(m, SB_ROLE_WORKER, index, m->serving);
}

static void shrink(struct master *m, unsigned to)
{
    for (unsigned i = 0; i < SB_SLOTS; i++) {
        struct child *c = &m->children[i];

        if (c->used && c->role == SB_ROLE_WORKER && c->generation == m->serving && c->index >= to)
            policy_child_stop(&c->policy, POLICY_SIGNAL_TERM, m->now_ns);
    }
}

void resize_step(struct master *m)
{
    unsigned to = policy_resize(m->workers, m->resize, CONF_MAX_WORKERS);
    struct event_field f[] = { event_i64("generation", m->serving), event_i64("workers", to),
                               event_cstr("changed", "WORKERS") };

    if (m->resize == 0 || m->phase != MASTER_SERVING || m->fresh != NULL || m->rehearsal.pid != 0)
        return;
    m->resize = 0;
    if (to > m->workers)
        grow(m, to);
    else if (to < m->workers)
        shrink(m, to);
    else
        return;
    event_log(EVENT_RELOADED, f, 3, "generation %u goes on with %u workers, it had %u", m->serving, to, m->workers);
    m->workers = to;
    atomic_store(&m->env.sb->workers, to);
}
