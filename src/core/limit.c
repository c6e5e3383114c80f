/*
 * limit: see the header.
 *
 * Races cost little and block nobody. Two processes that bring in the same client at
 * once may make two entries: the first in the set is used from then on.
 * A process held up between finding an entry and charging it may charge the client that took the entry
 * over: one request. A process killed at any instruction leaves a good table.
 */
#include "core/limit.h"

#include <string.h>

#include "base/clock.h"
#include "base/hash.h"

#define TOLERANCE_MAX_NS (1ULL << 62) /* keeps now + debt within 64 bits */
#define CLAIM_TRIES      16

/* limit_sample keeps its count in the low bits of the time, about a millisecond. */
#define SAMPLE_COUNT_MASK ((1ULL << 20) - 1)

struct limit_rate limit_rate(int64_t count, int64_t period_s, int64_t burst)
{
    struct limit_rate rate = { .interval_ns = (uint64_t)period_s * CLOCK_NS_PER_S / (uint64_t)count };

    if (rate.interval_ns == 0)
        rate.interval_ns = 1;
    if ((uint64_t)burst > TOLERANCE_MAX_NS / rate.interval_ns)
        rate.tolerance_ns = TOLERANCE_MAX_NS;
    else
        rate.tolerance_ns = (uint64_t)burst * rate.interval_ns;
    return rate;
}

uint64_t limit_charge(uint64_t time_ns, const struct limit_rate *rate, uint64_t now_ns, struct limit_result *r)
{
    uint64_t debt = time_ns > now_ns ? time_ns - now_ns : 0;

    r->admitted = debt <= rate->tolerance_ns - rate->interval_ns;
    if (r->admitted)
        debt += rate->interval_ns;
    r->left = debt < rate->tolerance_ns ? (rate->tolerance_ns - debt) / rate->interval_ns : 0;
    r->next_ns = debt + (r->left + 1) * rate->interval_ns - rate->tolerance_ns;
    r->full_ns = debt;
    return r->admitted ? now_ns + debt : time_ns;
}

uint64_t limit_key(const uint8_t secret[16], unsigned policy, const struct limit_rate *rate, const void *who,
                   size_t n)
{
    uint8_t text[64];
    uint64_t fixed[3] = { policy, rate->interval_ns, rate->tolerance_ns }, key;

    memcpy(text, fixed, sizeof(fixed));
    if (n > sizeof(text) - sizeof(fixed))
        n = sizeof(text) - sizeof(fixed);
    memcpy(text + sizeof(fixed), who, n);
    key = hash_sip(secret, text, sizeof(fixed) + n);
    return key != 0 ? key : 1;
}

/* The client's entry, made if there is none. NULL: others kept taking the places. */
static struct limit_entry *claim(struct limit_table *t, uint64_t key, uint64_t now_ns)
{
    struct limit_entry *set = t->entries[key % LIMIT_SETS];

    for (int i = 0; i < CLAIM_TRIES; i++) {
        struct limit_entry *victim = NULL;
        uint64_t victim_key = 0, victim_time = 0;

        for (int way = 0; way < LIMIT_WAYS; way++) {
            uint64_t there = atomic_load_explicit(&set[way].key, memory_order_relaxed);
            uint64_t time = atomic_load_explicit(&set[way].time_ns, memory_order_relaxed);

            if (there == key)
                return &set[way];
            if (victim == NULL || time < victim_time) {
                victim = &set[way];
                victim_key = there;
                victim_time = time;
            }
        }
        if (!atomic_compare_exchange_strong(&victim->key, &victim_key, key))
            continue;
        /* The debt of the one before is not this one's; unless this one was charged elsewhere by now. */
        (void)atomic_compare_exchange_strong(&victim->time_ns, &victim_time, now_ns);
        return victim;
    }
    return NULL;
}

bool limit_take(struct limit_table *t, uint64_t key, const struct limit_rate *rate, uint64_t now_ns,
                struct limit_result *r)
{
    struct limit_entry *e = claim(t, key, now_ns);
    uint64_t time, fresh;

    if (e == NULL) {
        (void)limit_charge(now_ns, rate, now_ns, r);
        return true;
    }
    time = atomic_load_explicit(&e->time_ns, memory_order_relaxed);
    do {
        fresh = limit_charge(time, rate, now_ns, r);
    } while (r->admitted && !atomic_compare_exchange_weak(&e->time_ns, &time, fresh));
    return r->admitted;
}

bool limit_sample(struct limit_table *t, uint64_t key, uint64_t quiet_ns, uint64_t now_ns, uint64_t *suppressed)
{
    struct limit_entry *e = claim(t, key, now_ns & ~SAMPLE_COUNT_MASK);
    uint64_t time, fresh;
    bool due;

    *suppressed = 0;
    if (e == NULL)
        return true;
    time = atomic_load_explicit(&e->time_ns, memory_order_relaxed);
    do {
        due = (time & ~SAMPLE_COUNT_MASK) <= now_ns;
        if (due)
            fresh = (now_ns + quiet_ns) & ~SAMPLE_COUNT_MASK;
        else
            fresh = (time & SAMPLE_COUNT_MASK) == SAMPLE_COUNT_MASK ? time : time + 1;
    } while (!atomic_compare_exchange_weak(&e->time_ns, &time, fresh));
    if (due)
        *suppressed = time & SAMPLE_COUNT_MASK;
    return due;
}
