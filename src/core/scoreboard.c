/*
 * scoreboard: slots and their counters, the guarded texts and the sync status.
 *
 * Whoever reads gets values that were really written together, checked
 * against their ranges; whoever writes is never held up.
 */
#include "core/scoreboard.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "base/utf8.h"
#include "core/seqlock.h"

#define DB_TOLD_AGAIN_NS (60 * CLOCK_NS_PER_S)

_Static_assert(sizeof(struct sb_sync) % 4 == 0, "copied by words");
_Static_assert(offsetof(struct sb_text, text) % 4 == 0 && sizeof(struct sb_text) == SB_TEXT, "copied by words");

/* Everything but the counters, `doing` and the state. */
static void slot_clear(struct sb_slot *slot)
{
    atomic_store(&slot->pid, 0);
    atomic_store(&slot->role, 0);
    atomic_store(&slot->index, 0);
    atomic_store(&slot->generation, 0);
    atomic_store(&slot->start_ns, 0);
    atomic_store(&slot->ready_ns, 0);
    atomic_store(&slot->start_us, 0);
    atomic_store(&slot->beat_ns, 0);
    atomic_store(&slot->progress_ns, 0);
    atomic_store(&slot->deadline_ns, 0);
    atomic_store(&slot->oldest_request_ns, 0);
    atomic_store(&slot->rss_bytes, 0);
    atomic_store(&slot->private_bytes, 0);
    atomic_store(&slot->data_version, 0);
    atomic_store(&slot->synced_us, 0);
    atomic_store(&slot->connections, 0);
    atomic_store(&slot->active_connections, 0);
    atomic_store(&slot->in_flight, 0);
    atomic_store(&slot->pg_open, 0);
    atomic_store(&slot->ai_calls, 0);
    atomic_store(&slot->pg_busy, 0);
    atomic_store(&slot->pg_waiting, 0);
    atomic_store(&slot->handling, 0);
    atomic_store(&slot->draining_wanted, SB_RECYCLE_NONE);
    for (unsigned i = 0; i < SB_ENDPOINTS; i++)
        atomic_store(&slot->in_progress[i], 0);
}

struct sb_slot *scoreboard_assign(struct scoreboard *sb, enum sb_role role, uint32_t index, uint32_t generation)
{
    for (unsigned i = 0; i < SB_SLOTS; i++) {
        struct sb_slot *slot = &sb->slots[i];

        if (atomic_load(&slot->state) != SB_FREE)
            continue;
        slot_clear(slot);
        atomic_store(&slot->role, role);
        atomic_store(&slot->index, index);
        atomic_store(&slot->generation, generation);
        atomic_store(&slot->start_ns, clock_mono_ns());
        atomic_store(&slot->start_us, clock_wall_us());
        atomic_store(&slot->state, SB_ASSIGNED);
        return slot;
    }
    return NULL;
}

static void retire_counters(struct scoreboard *sb, struct sb_slot *slot)
{
    for (unsigned i = 0; i < SB_COUNTERS; i++) {
        uint64_t v = atomic_load_explicit(&slot->counters[i], memory_order_relaxed);
        uint64_t sum;

        if (v == 0)
            continue;
        sum = atomic_load_explicit(&sb->retired[i], memory_order_relaxed) + v;
        atomic_store_explicit(&sb->retired[i], sum, memory_order_relaxed);
        atomic_store_explicit(&slot->counters[i], 0, memory_order_relaxed);
    }
}

void scoreboard_release(struct scoreboard *sb, struct sb_slot *slot)
{
    slot_clear(slot);
    sb_text_set(&slot->doing, "%s", "");
    seqlock_write_begin(&sb->retire_seq);
    retire_counters(sb, slot);
    atomic_store_explicit(&slot->state, SB_FREE, memory_order_relaxed);
    seqlock_write_end(&sb->retire_seq);
}

void scoreboard_release_other(struct sb_slot *slot)
{
    atomic_store(&slot->pid, 0);
    atomic_store(&slot->state, SB_FREE);
}

static void sum_once(const struct scoreboard *sb, unsigned first, unsigned n, uint64_t *sums)
{
    for (unsigned i = 0; i < n; i++)
        sums[i] = atomic_load_explicit(&sb->retired[first + i], memory_order_relaxed);
    for (unsigned s = 0; s < SB_SLOTS; s++) {
        const struct sb_slot *slot = &sb->slots[s];

        if (atomic_load_explicit(&slot->state, memory_order_relaxed) == SB_FREE)
            continue;
        for (unsigned i = 0; i < n; i++)
            sums[i] += atomic_load_explicit(&slot->counters[first + i], memory_order_relaxed);
    }
}

void scoreboard_sum_range(const struct scoreboard *sb, unsigned first, unsigned n, uint64_t *sums)
{
    if (first > SB_COUNTERS || n > SB_COUNTERS - first) {
        memset(sums, 0, n * sizeof(*sums));
        return;
    }
    for (int i = 0; i < SEQLOCK_TRIES; i++) {
        uint32_t begun = seqlock_read_begin(&sb->retire_seq);

        sum_once(sb, first, n, sums);
        if (seqlock_read_valid(&sb->retire_seq, begun))
            return;
    }
}

uint64_t scoreboard_sum(const struct scoreboard *sb, unsigned counter)
{
    uint64_t sum = 0;

    scoreboard_sum_range(sb, counter, 1, &sum);
    return sum;
}

void sb_text_set(struct sb_text *t, const char *fmt, ...)
{
    static const char cut[] = "...";
    _Alignas(4) char text[sizeof(t->text)] = "";
    va_list ap;

    va_start(ap, fmt);
    if (vsnprintf(text, sizeof(text), fmt, ap) >= (int)sizeof(text))
        memcpy(text + sizeof(text) - sizeof(cut), cut, sizeof(cut));
    va_end(ap);
    seqlock_write_begin(&t->seq);
    seqlock_copy_in(t->text, text, sizeof(text));
    seqlock_write_end(&t->seq);
}

/* Ends the text inside its array and replaces what a terminal or a JSON reader would choke on. */
static void make_printable(char *text, size_t size)
{
    bool utf8;

    text[size - 1] = '\0';
    utf8 = utf8_valid(str_from(text));
    for (char *p = text; *p != '\0'; p++) {
        unsigned char c = (unsigned char)*p;

        if (c < 0x20 || c == 0x7f || (c >= 0x80 && !utf8))
            *p = '?';
    }
}

bool sb_text_get(const struct sb_text *t, char dst[SB_TEXT])
{
    _Alignas(4) char text[sizeof(t->text)];

    if (!seqlock_read(&t->seq, text, t->text, sizeof(text))) {
        dst[0] = '\0';
        return false;
    }
    make_printable(text, sizeof(text));
    return str_copy(dst, SB_TEXT, str_from(text));
}

void scoreboard_sync_write(struct scoreboard *sb, const struct sb_sync *s)
{
    seqlock_write_begin(&sb->sync_seq);
    seqlock_copy_in(&sb->sync, s, sizeof(*s));
    seqlock_write_end(&sb->sync_seq);
}

static void run_check(struct sb_run *r)
{
    if (r->mode >= SB_MODE_COUNT)
        r->mode = SB_MODE_INCREMENTAL;
    if (r->status >= SB_RUN_STATUS_COUNT)
        r->status = SB_RUN_FAILED;
    if (r->trigger >= SB_TRIGGER_COUNT)
        r->trigger = SB_BY_SCHEDULE;
    if (r->reason >= SB_REASON_COUNT)
        r->reason = SB_REASON_NONE;
    make_printable(r->error, sizeof(r->error));
}

bool scoreboard_sync_read(const struct scoreboard *sb, struct sb_sync *s)
{
    if (!seqlock_read(&sb->sync_seq, s, &sb->sync, sizeof(*s))) {
        memset(s, 0, sizeof(*s));
        return false;
    }
    s->running = s->running != 0;
    if (s->phase >= SB_PHASE_COUNT)
        s->phase = SB_PHASE_CONNECTING;
    if (s->run_count > SB_RUNS)
        s->run_count = SB_RUNS;
    run_check(&s->run);
    run_check(&s->last_error);
    for (unsigned i = 0; i < SB_RUNS; i++)
        run_check(&s->runs[i]);
    return true;
}

bool scoreboard_check_set(struct sb_check *c, enum sb_health health, enum sb_error error, int64_t latency_us,
                          int64_t now_us)
{
    bool changed = atomic_load(&c->health) != (uint32_t)health;

    if (changed)
        atomic_store(&c->since_us, now_us);
    atomic_store(&c->error, error);
    atomic_store(&c->latency_us, latency_us);
    atomic_store(&c->checked_us, now_us);
    atomic_store(&c->health, health);
    return changed;
}

bool scoreboard_tell_db_trouble(struct scoreboard *sb)
{
    uint64_t now = clock_mono_ns(), told = atomic_load(&sb->db_told_ns);

    if (told != 0 && now - told < DB_TOLD_AGAIN_NS)
        return false;
    return atomic_compare_exchange_strong(&sb->db_told_ns, &told, now);
}

bool scoreboard_tell_db_recovered(struct scoreboard *sb)
{
    return atomic_exchange(&sb->db_told_ns, 0) != 0;
}
