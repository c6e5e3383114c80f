/*
 * adopt: the children that another image of the program left to this one.
 *
 * The scoreboard is their book. It is written by every process and perhaps by another version, so each entry is
 * checked: a child is who the kernel says is one. Whoever is adopted is watched from now on as if just started; a
 * beat missed while no master looked counts for nothing.
 */
#include <sys/mman.h>
#include <sys/wait.h>

#include "proc/master.h"

static bool is_child(pid_t pid)
{
    siginfo_t info;

    return pid > 0 && waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

static void let_go(struct master *m, struct sb_slot *slot, bool foreign)
{
    if (foreign)
        scoreboard_release_other(slot);
    else
        scoreboard_release(m->env.sb, slot);
}

static void adopt_one(struct master *m, struct sb_slot *slot, bool foreign)
{
    uint32_t role = atomic_load(&slot->role), index = atomic_load(&slot->index);
    uint32_t generation = atomic_load(&slot->generation);
    pid_t pid = atomic_load(&slot->pid);
    struct child *c = NULL;

    if (is_child(pid) && role < SB_ROLE_COUNT && index < SB_MAX_INDEX)
        c = children_add(m, role, index, generation);
    if (c == NULL) {
        let_go(m, slot, foreign);
        return;
    }
    c->pid = pid;
    c->slot = slot;
    c->foreign = foreign;
    policy_child_started(&c->policy, atomic_load(&slot->start_ns));
    if (generation > m->latest)
        m->latest = generation;
}

/* Of two in one place the younger one was to relieve the other. */
static void pair_up(struct master *m, struct child *a)
{
    for (unsigned i = 0; i < SB_SLOTS; i++) {
        struct child *b = &m->children[i];

        if (!b->used || b == a || b->role != a->role || b->index != a->index || b->generation != a->generation ||
            b->policy.started_ns < a->policy.started_ns || b->relieves != NULL)
            continue;
        b->relieves = a;
        b->duty = CHILD_STAND_IN;
        policy_child_relieve(&a->policy);
        return;
    }
}

void adopt_children(struct master *m, struct scoreboard *sb, bool foreign)
{
    for (unsigned i = 0; i < sb->slot_count; i++) {
        struct sb_slot *slot = scoreboard_slot(sb, i);

        if (atomic_load(&slot->state) != SB_FREE)
            adopt_one(m, slot, foreign);
    }
    for (unsigned i = 0; i < SB_SLOTS; i++) {
        struct child *c = &m->children[i];

        if (!c->used)
            continue;
        if (c->generation != m->serving)
            policy_child_stop(&c->policy, c->role == SB_ROLE_SYNC ? POLICY_SIGNAL_LEAVE : POLICY_SIGNAL_TERM,
                              m->now_ns);
        else if (c->relieves == NULL)
            pair_up(m, c);
    }
}

void adopt_settle(struct master *m)
{
    if (m->other_sb == NULL || (m->succession != NULL && m->succession->kind == SUCCESSION_HEIR))
        return;
    for (unsigned i = 0; i < SB_SLOTS; i++) {
        if (m->children[i].used && m->children[i].foreign)
            return;
    }
    (void)munmap(m->other_sb, m->other_bytes);
    m->other_sb = NULL;
}
