/*
 * claude_circuit: see the header. Writers race without harm: each word is valid by itself, and the worst is one
 * question more or less.
 */
#include "api/claude_circuit.h"

#define NS_PER_MS 1000000ULL

void circuit_begin(struct scoreboard *sb, uint64_t settings)
{
    if (atomic_exchange(&sb->ai_settings, settings) == settings)
        return;
    atomic_store(&sb->ai_failures, 0);
    atomic_store(&sb->ai_openings, 0);
    atomic_store(&sb->ai_opened_ns, 0);
    atomic_store(&sb->ai_open_until_ns, 0);
}

bool circuit_allows(struct scoreboard *sb, uint64_t now_ns)
{
    uint64_t until_ns = atomic_load(&sb->ai_open_until_ns);

    if (until_ns == 0)
        return true;
    return now_ns >= until_ns &&
           atomic_compare_exchange_strong(&sb->ai_open_until_ns, &until_ns, now_ns + CIRCUIT_TRIAL_MS * NS_PER_MS);
}

void circuit_good(struct scoreboard *sb)
{
    atomic_store(&sb->ai_failures, 0);
    atomic_store(&sb->ai_openings, 0);
    atomic_store(&sb->ai_opened_ns, 0);
    atomic_store(&sb->ai_open_until_ns, 0);
}

static uint64_t pause_ns(uint32_t openings, bool lasting, int64_t asked_ms)
{
    int64_t ms = CIRCUIT_LONGEST_MS;

    if (!lasting && openings < 16 && (int64_t)CIRCUIT_FIRST_MS << openings < CIRCUIT_LONGEST_MS)
        ms = (int64_t)CIRCUIT_FIRST_MS << openings;
    if (asked_ms > ms)
        ms = asked_ms < CIRCUIT_ASKED_MS ? asked_ms : CIRCUIT_ASKED_MS;
    return (uint64_t)ms * NS_PER_MS;
}

bool circuit_bad(struct scoreboard *sb, uint64_t begun_ns, uint64_t now_ns, bool lasting, int64_t asked_ms)
{
    uint32_t failures = atomic_fetch_add(&sb->ai_failures, 1) + 1, openings;

    if (failures < CIRCUIT_FAILURES && !lasting && asked_ms < CIRCUIT_FIRST_MS)
        return false;
    if (begun_ns < atomic_load(&sb->ai_opened_ns)) { /* was under way when it opened: may ask for more patience */
        uint64_t until_ns = now_ns + pause_ns(0, lasting, asked_ms);
        if (until_ns > atomic_load(&sb->ai_open_until_ns))
            atomic_store(&sb->ai_open_until_ns, until_ns);
        return false;
    }
    openings = atomic_fetch_add(&sb->ai_openings, 1);
    atomic_store(&sb->ai_opened_ns, now_ns);
    atomic_store(&sb->ai_open_until_ns, now_ns + pause_ns(openings, lasting, asked_ms));
    return openings == 0;
}

bool circuit_take_place(struct scoreboard *sb, struct sb_slot *slot, int64_t most)
{
    int64_t sum = 0;

    atomic_fetch_add(&slot->ai_calls, 1); /* first, so that two who look at the same time both count */
    for (unsigned i = 0; i < SB_SLOTS; i++)
        sum += atomic_load(&sb->slots[i].ai_calls);
    if (sum <= most)
        return true;
    circuit_give_place(slot);
    return false;
}

void circuit_give_place(struct sb_slot *slot)
{
    atomic_fetch_sub(&slot->ai_calls, 1);
}
