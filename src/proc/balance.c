/*
 * balance: see balance.h. The list of peers is renewed a few times a second;
 * an accept reads two words of each of them.
 */
#include "proc/balance.h"

#include "proc/policy.h"

void balance_init(struct balance *b, const struct scoreboard *sb, struct sb_slot *own)
{
    *b = (struct balance){ .sb = sb, .own = own };
}

static void refresh(struct balance *b, uint64_t now_ns)
{
    uint32_t generation = atomic_load(&b->own->generation);

    b->peer_count = 0;
    b->refreshed_ns = now_ns;
    for (unsigned i = 0; i < SB_SLOTS && b->peer_count < SB_MAX_INDEX; i++) {
        const struct sb_slot *s = &b->sb->slots[i];

        if (s != b->own && atomic_load(&s->state) == SB_READY && atomic_load(&s->role) == SB_ROLE_WORKER &&
            atomic_load(&s->generation) == generation)
            b->peers[b->peer_count++] = s;
    }
}

/* UINT32_MAX: no peer to compare with. */
static unsigned least_loaded(const struct balance *b, uint64_t now_ns)
{
    unsigned least = UINT32_MAX;

    for (unsigned i = 0; i < b->peer_count; i++) {
        const struct sb_slot *s = b->peers[i];
        unsigned held = atomic_load_explicit(&s->connections, memory_order_relaxed);
        uint64_t beat_ns = atomic_load_explicit(&s->beat_ns, memory_order_relaxed);

        if (held < least && policy_age_ns(beat_ns, 0, now_ns) < BALANCE_STALE_NS)
            least = held;
    }
    return least;
}

bool balance_decide(struct balance *b, unsigned connections, unsigned least, uint64_t now_ns)
{
    if (least == UINT32_MAX || connections < least || connections - least < BALANCE_SLACK + least / 8) {
        b->refusing_ns = 0;
        b->grace = 0;
        return true;
    }
    if (connections < b->grace)
        return true;
    if (b->refusing_ns == 0 || now_ns - b->refused_ns > BALANCE_LULL_NS)
        b->refusing_ns = now_ns;
    b->refused_ns = now_ns;
    if (now_ns - b->refusing_ns < BALANCE_PATIENCE_NS)
        return false;
    b->refusing_ns = 0;
    b->grace = connections + BALANCE_SLACK;
    return true;
}

bool balance_may_accept(struct balance *b, unsigned connections, uint64_t now_ns)
{
    atomic_store_explicit(&b->own->connections, connections, memory_order_relaxed);
    if (now_ns - b->refreshed_ns >= BALANCE_REFRESH_NS)
        refresh(b, now_ns);
    return balance_decide(b, connections, least_loaded(b, now_ns), now_ns);
}
