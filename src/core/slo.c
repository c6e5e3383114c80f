/*
 * slo: see the header.
 */
#include "core/slo.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

#include "core/seqlock.h"

static const double bounds_s[SLO_BOUNDS] = { .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10 };

const struct slo_objective slo_objectives[SLO_OBJECTIVES] = {
    [SLO_AVAILABILITY] = { "availability", ">=", "fraction", 0.995 },
    [SLO_LATENCY_P95] = { "latency_p95_seconds", "<", "seconds", 0.5 },
    [SLO_LATENCY_P99] = { "latency_p99_seconds", "<", "seconds", 2 },
    [SLO_NL_LATENCY_P95] = { "nl_latency_p95_seconds", "<", "seconds", 3 },
    [SLO_ERROR_RATE] = { "error_rate", "<", "fraction", 0.01 },
    [SLO_DATA_FRESHNESS] = { "data_freshness_seconds", "<", "seconds", 86400 },
};

static const unsigned window_buckets[SLO_WINDOWS] = {
    [SLO_1H] = 12, [SLO_24H] = SLO_DAY_BUCKETS, [SLO_30D] = SLO_BUCKETS
};

const char *slo_window_name(enum slo_window w)
{
    static const char *const names[SLO_WINDOWS] = { "1h", "24h", "30d" };

    return names[w];
}

static uint32_t number_at(int64_t now_s)
{
    return now_s > 0 && now_s / SLO_BUCKET_S < UINT32_MAX ? (uint32_t)(now_s / SLO_BUCKET_S) : 0;
}

/* What the ring holds under that number, or an empty bucket of it. */
static struct slo_bucket bucket_of(const struct slo_ring *r, uint32_t number)
{
    const struct slo_bucket *b = &r->buckets[number % SLO_BUCKETS];

    return b->number == number ? *b : (struct slo_bucket){ .number = number };
}

static void put(struct slo_ring *r, const struct slo_bucket *b)
{
    unsigned place = b->number % SLO_BUCKETS;

    seqlock_write_begin(&r->seq);
    seqlock_copy_in(&r->buckets[place], b, sizeof(*b));
    seqlock_write_end(&r->seq);
    r->unsaved[place / 64] |= 1ULL << place % 64;
}

static uint32_t plus(uint32_t a, uint64_t b)
{
    return b < UINT32_MAX - a ? a + (uint32_t)b : UINT32_MAX;
}

static uint64_t since(uint64_t total, uint64_t seen)
{
    return total > seen ? total - seen : 0;
}

static void add_slot(struct slo_ring *r, int64_t slot, bool good, int64_t age_s)
{
    struct slo_bucket b = bucket_of(r, number_at(slot * SLO_SLOT_S));
    uint16_t done = (uint16_t)(slot % SLO_SLOTS_PER_BUCKET + 1);

    if (b.number == 0 || done <= b.slots_done)
        return; /* the clock went back: that one is written */
    b.slots_done = done;
    b.asked = b.answered = 0;
    b.slots++;
    b.good = (uint16_t)(b.good + good);
    if (age_s >= 0) {
        b.ages++;
        if (age_s > b.age_max_s)
            b.age_max_s = plus(0, (uint64_t)age_s);
    }
    put(r, &b);
}

static void add_missed(struct slo_ring *r, int64_t first, int64_t end)
{
    int64_t most = (int64_t)SLO_BUCKETS * SLO_SLOTS_PER_BUCKET;

    if (end - first > most)
        first = end - most;
    for (int64_t slot = first; slot < end; slot++)
        add_slot(r, slot, false, -1);
}

/* The slot under way is over. */
static void finish_slot(struct slo_ring *r)
{
    bool good = r->asked > 0 && 2 * r->answered >= r->asked;

    r->began |= good;
    if (r->began)
        add_slot(r, r->slot, good, r->age_s);
}

static void begin_slot(struct slo_ring *r, int64_t slot)
{
    r->slot = slot;
    r->counting = 1;
    r->asked = r->answered = 0;
    r->age_s = -1;
}

/* The slot under way is that of `now_s`; those before it are written. */
static void turn_to(struct slo_ring *r, int64_t now_s)
{
    int64_t slot = now_s / SLO_SLOT_S;

    if (slot == r->slot)
        return;
    if (r->slot != 0) {
        finish_slot(r);
        if (r->began)
            add_missed(r, r->slot + 1, slot);
    }
    begin_slot(r, slot);
}

void slo_clock_set(struct slo_ring *r, int64_t now_s)
{
    int64_t slot = now_s / SLO_SLOT_S;

    if (r->slot == 0 || slot == r->slot)
        return;
    finish_slot(r);
    begin_slot(r, slot);
}

void slo_ask(struct slo_ring *r, bool good, int64_t now_s)
{
    struct slo_bucket b;
    uint16_t done = (uint16_t)(now_s / SLO_SLOT_S % SLO_SLOTS_PER_BUCKET);

    turn_to(r, now_s);
    r->asked++;
    r->answered += good;
    b = bucket_of(r, number_at(now_s));
    if (b.number == 0 || done < b.slots_done)
        return;
    b.slots_done = done;
    b.asked = (uint16_t)r->asked; /* kept, so that a death in mid-slot does not make it a bad one */
    b.answered = (uint16_t)r->answered;
    put(r, &b);
}

static bool count_latencies(uint32_t counts[SLO_BOUNDS + 1], const uint64_t *total, uint64_t *seen)
{
    bool changed = false;

    for (unsigned i = 0; i <= SLO_BOUNDS; i++) {
        counts[i] = plus(counts[i], since(total[i], seen[i]));
        changed |= total[i] != seen[i];
    }
    return changed;
}

void slo_count(struct slo_ring *r, const struct slo_counts *total, int64_t age_s, int64_t now_s)
{
    struct slo_bucket b;
    bool changed = total->requests != r->seen.requests || total->errors != r->seen.errors;

    turn_to(r, now_s);
    if (age_s > r->age_s)
        r->age_s = age_s;
    b = bucket_of(r, number_at(now_s));
    b.requests = plus(b.requests, since(total->requests, r->seen.requests));
    b.errors = plus(b.errors, since(total->errors, r->seen.errors));
    changed |= count_latencies(b.latency, total->latency, r->seen.latency);
    changed |= count_latencies(b.nl, total->nl, r->seen.nl);
    r->seen = *total;
    if (changed && b.number != 0)
        put(r, &b);
}

static void merge(struct slo_bucket *b, const struct slo_bucket *more)
{
    b->slots = (uint16_t)(b->slots + more->slots);
    b->good = (uint16_t)(b->good + more->good);
    b->ages = (uint16_t)(b->ages + more->ages);
    if (more->slots_done > b->slots_done)
        b->slots_done = more->slots_done;
    if (more->age_max_s > b->age_max_s)
        b->age_max_s = more->age_max_s;
    b->requests = plus(b->requests, more->requests);
    b->errors = plus(b->errors, more->errors);
    for (unsigned i = 0; i <= SLO_BOUNDS; i++) {
        b->latency[i] = plus(b->latency[i], more->latency[i]);
        b->nl[i] = plus(b->nl[i], more->nl[i]);
    }
}

/* The slot from which on nothing is known of that bucket. */
static int64_t end_of(const struct slo_bucket *b)
{
    return (int64_t)b->number * SLO_SLOTS_PER_BUCKET + b->slots_done;
}

static bool is_of_window(uint32_t number, uint32_t now)
{
    return number <= now && now - number < SLO_BUCKETS;
}

/* Is the bucket's place taken by another that matters more now? */
static bool is_taken(const struct slo_ring *r, const struct slo_bucket *b, uint32_t now)
{
    uint32_t there = r->buckets[b->number % SLO_BUCKETS].number;

    return there != 0 && there != b->number && is_of_window(there, now);
}

void slo_restore(struct slo_ring *r, const struct slo_bucket *b, int64_t now_s)
{
    unsigned place = b->number % SLO_BUCKETS;
    uint32_t now = number_at(now_s);
    struct slo_bucket mine;
    bool saved;

    if (b->number == 0 || is_taken(r, b, now) || b->slots > SLO_SLOTS_PER_BUCKET || b->good > b->slots ||
        b->ages > b->slots || b->slots_done > SLO_SLOTS_PER_BUCKET)
        return;
    mine = bucket_of(r, b->number);
    saved = r->buckets[place].number != b->number; /* it will be as it is in the file */
    merge(&mine, b);
    put(r, &mine);
    if (saved)
        r->unsaved[place / 64] &= ~(1ULL << place % 64);
    if (!is_of_window(b->number, now))
        return;
    r->began |= b->slots > 0;
    if (r->counting || end_of(b) < r->slot)
        return;
    r->slot = end_of(b); /* goes on where the one before stopped: slots in between will be bad */
    r->asked = b->asked;
    r->answered = b->answered;
}

bool slo_bucket_read(const struct slo_ring *r, uint32_t number, struct slo_bucket *b)
{
    return seqlock_read(&r->seq, b, &r->buckets[number % SLO_BUCKETS], sizeof(*b)) && b->number == number &&
           number != 0 && b->good <= b->slots;
}

static void add_bucket(struct slo_sum *sum, const struct slo_bucket *b)
{
    sum->slots += b->slots;
    sum->good += b->good;
    sum->ages += b->ages;
    if (b->ages > 0 && b->age_max_s > sum->age_max_s)
        sum->age_max_s = b->age_max_s;
    sum->counts.requests += b->requests;
    sum->counts.errors += b->errors;
    for (unsigned i = 0; i <= SLO_BOUNDS; i++) {
        sum->counts.latency[i] += b->latency[i];
        sum->counts.nl[i] += b->nl[i];
    }
}

void slo_sum(const struct slo_ring *r, unsigned ago, unsigned buckets, int64_t now_s, struct slo_sum *sum)
{
    uint32_t last = number_at(now_s);
    struct slo_bucket b;

    memset(sum, 0, sizeof(*sum));
    for (unsigned i = ago; i < ago + buckets && i < SLO_BUCKETS && i < last; i++) {
        if (slo_bucket_read(r, last - i, &b))
            add_bucket(sum, &b);
    }
    if (atomic_load(&r->loaded) == SLO_LOADING)
        memset(sum, 0, sizeof(*sum));
}

static uint64_t observations(const uint64_t counts[SLO_BOUNDS + 1])
{
    uint64_t n = 0;

    for (unsigned i = 0; i <= SLO_BOUNDS; i++)
        n += counts[i];
    return n;
}

double slo_percentile(const uint64_t counts[SLO_BOUNDS + 1], double fraction)
{
    uint64_t n = observations(counts);
    double rank = fraction * (double)n, below = 0, low = 0;

    if (n == 0)
        return NAN;
    for (unsigned i = 0; i < SLO_BOUNDS; i++) {
        double here = (double)counts[i];

        if (here > 0 && below + here >= rank)
            return low + (bounds_s[i] - low) * (rank - below) / here;
        below += here;
        low = bounds_s[i];
    }
    return bounds_s[SLO_BOUNDS - 1];
}

double slo_availability(const struct slo_sum *s)
{
    return s->slots > 0 ? (double)s->good / (double)s->slots : NAN;
}

static struct slo_level level_of(const struct slo_sum *s, enum slo_objective_id id)
{
    const struct slo_objective *o = &slo_objectives[id];
    struct slo_level l = { .value = NAN };

    switch (id) {
    case SLO_AVAILABILITY:
        l = (struct slo_level){ .value = slo_availability(s), .events = s->slots };
        break;
    case SLO_LATENCY_P95:
    case SLO_LATENCY_P99:
        l.events = observations(s->counts.latency);
        l.value = slo_percentile(s->counts.latency, id == SLO_LATENCY_P95 ? 0.95 : 0.99);
        break;
    case SLO_NL_LATENCY_P95:
        l.events = observations(s->counts.nl);
        l.value = slo_percentile(s->counts.nl, 0.95);
        break;
    case SLO_ERROR_RATE:
        l.events = s->counts.requests;
        l.value = l.events > 0 ? (double)s->counts.errors / (double)l.events : NAN;
        break;
    default:
        l.events = s->ages;
        l.value = l.events > 0 ? (double)s->age_max_s : NAN;
    }
    l.met = l.events == 0 || (o->comparison[0] == '<' ? l.value < o->target : l.value >= o->target);
    return l;
}

double slo_allowed_minutes(void)
{
    return (1 - slo_objectives[SLO_AVAILABILITY].target) * SLO_BUCKETS * SLO_BUCKET_S / 60;
}

void slo_report(const struct slo_ring *r, int64_t now_s, struct slo_report *report)
{
    struct slo_sum sum;

    report->all_met = true;
    for (unsigned w = 0; w < SLO_WINDOWS; w++) {
        slo_sum(r, 0, window_buckets[w], now_s, &sum);
        for (unsigned i = 0; i < SLO_OBJECTIVES; i++)
            report->levels[i][w] = level_of(&sum, (enum slo_objective_id)i);
    }
    for (unsigned i = 0; i < SLO_OBJECTIVES; i++)
        report->all_met = report->all_met && report->levels[i][SLO_30D].met;
    report->allowed_minutes = slo_allowed_minutes();
    report->used_minutes = (double)(sum.slots - sum.good) * SLO_SLOT_S / 60;
}

double slo_burn_rate(const struct slo_report *report, enum slo_window w)
{
    return (1 - report->levels[SLO_AVAILABILITY][w].value) / (1 - slo_objectives[SLO_AVAILABILITY].target);
}

double slo_budget_left(const struct slo_report *report, enum slo_window w)
{
    if (w == SLO_30D)
        return 1 - report->used_minutes / report->allowed_minutes;
    return 1 - slo_burn_rate(report, w);
}
