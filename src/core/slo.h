/*
 * slo: the service levels (RUNBOOK, head), measured over 30 days in buckets of five minutes.
 *
 * Pure arithmetic on a ring that lies in the scoreboard; `now` is always an argument. Availability is counted in
 * slots of 30 s: a slot is good when at least half of the looks at the server in it found that /health
 * answers 200; one in which nobody could look is bad. History begins with the first good slot, so a server that has
 * never served owes nothing; from then on time in which no server ran is bad as well. A clock that is set makes no
 * history: time that it skips was not lived. Latencies come as counts by bucket of http_request_duration_seconds; a
 * percentile lies on the line between the bounds of its bucket, and beyond the last bound it is that bound.
 *
 * One writer, the probe of the serving generation; readers copy a bucket at a time under a sequence counter.
 */
#ifndef CORE_SLO_H
#define CORE_SLO_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define SLO_BUCKET_S         300
#define SLO_SLOT_S           30
#define SLO_SLOTS_PER_BUCKET (SLO_BUCKET_S / SLO_SLOT_S)
#define SLO_BUCKETS          8640 /* 30 days */
#define SLO_DAY_BUCKETS      288
#define SLO_UNSAVED          (SLO_BUCKETS / 64)
#define SLO_BOUNDS           11 /* of http_request_duration_seconds */

/* Five minutes; also a record of the history file (slo_file.h). */
struct slo_bucket {
    uint32_t number;           /* time / SLO_BUCKET_S; 0: empty */
    uint16_t slots, good;      /* at most SLO_SLOTS_PER_BUCKET */
    uint16_t ages, slots_done; /* slots in which the data's age was known; slots that are over */
    uint32_t age_max_s;
    uint32_t requests, errors; /* answers, and those of class 5xx */
    uint32_t latency[SLO_BOUNDS + 1], nl[SLO_BOUNDS + 1];
    uint16_t asked, answered; /* looks in the slot under way, the one after slots_done, and good ones */
    uint32_t check;           /* of the file */
};
_Static_assert(SLO_BUCKETS % 64 == 0, "a bit for each bucket");
_Static_assert(sizeof(struct slo_bucket) == 128, "a record never crosses a disk sector");

/* What the server has counted since it started. */
struct slo_counts {
    uint64_t requests, errors;
    uint64_t latency[SLO_BOUNDS + 1], nl[SLO_BOUNDS + 1]; /* nl: natural language, not in `latency` */
};

/* Of the history file. */
enum slo_loaded {
    SLO_NOT_LOADED,
    SLO_LOADING, /* half a history is none */
    SLO_LOADED
};

struct slo_ring {
    _Atomic uint32_t seq;    /* odd while a bucket is written */
    _Atomic uint32_t loaded; /* enum slo_loaded */
    /* the writer's own */
    uint32_t began;           /* there is a good slot */
    uint32_t counting;        /* `slot` was reached by the clock, not by the file */
    uint32_t asked, answered; /* in the slot under way */
    int64_t slot;             /* it: time / SLO_SLOT_S; 0: none yet */
    int64_t age_s;            /* largest age of the data in it; -1: unknown */
    struct slo_counts seen;
    uint64_t unsaved[SLO_UNSAVED];          /* a bit for each bucket changed since it was saved */
    struct slo_bucket buckets[SLO_BUCKETS]; /* at number % SLO_BUCKETS */
};

/* Writer: a look at the server; good: /health answers 200. */
void slo_ask(struct slo_ring *r, bool good, int64_t now_s);
/* Writer, at least once a slot: adds what was counted since the last call; age_s: of the data, -1: unknown. */
void slo_count(struct slo_ring *r, const struct slo_counts *total, int64_t age_s, int64_t now_s);
/* Writer: the clock was set, and now shows now_s. */
void slo_clock_set(struct slo_ring *r, int64_t now_s);
/* Writer: takes a bucket of the history file: where this ring has counted in the same one, both count. One of another
 * time is kept for when the clock is right. */
void slo_restore(struct slo_ring *r, const struct slo_bucket *b, int64_t now_s);
/* A copy of the bucket of that number; false: nothing was measured then. */
bool slo_bucket_read(const struct slo_ring *r, uint32_t number, struct slo_bucket *b);

struct slo_sum {
    struct slo_counts counts;
    uint64_t slots, good, ages;
    uint32_t age_max_s;
};

/* Of `buckets` buckets, the last of which is the one `ago` buckets before the present one. */
void slo_sum(const struct slo_ring *r, unsigned ago, unsigned buckets, int64_t now_s, struct slo_sum *sum);
/* NaN: no observations. */
double slo_percentile(const uint64_t counts[SLO_BOUNDS + 1], double fraction);
double slo_availability(const struct slo_sum *s); /* NaN: no slots */

enum slo_window {
    SLO_1H,
    SLO_24H,
    SLO_30D,
    SLO_WINDOWS
};
enum slo_objective_id {
    SLO_AVAILABILITY,
    SLO_LATENCY_P95,
    SLO_LATENCY_P99,
    SLO_NL_LATENCY_P95,
    SLO_ERROR_RATE,
    SLO_DATA_FRESHNESS,
    SLO_OBJECTIVES
};

struct slo_objective {
    const char *name, *comparison, *unit; /* of CONTRACT 8.4 */
    double target;
};
extern const struct slo_objective slo_objectives[SLO_OBJECTIVES];

struct slo_level {
    double value; /* NaN: no events */
    uint64_t events;
    bool met; /* true without events */
};

struct slo_report {
    struct slo_level levels[SLO_OBJECTIVES][SLO_WINDOWS];
    double allowed_minutes, used_minutes; /* of downtime in 30 days */
    bool all_met;                         /* over 30 days */
};

double slo_allowed_minutes(void); /* of downtime in 30 days */
void slo_report(const struct slo_ring *r, int64_t now_s, struct slo_report *report);
const char *slo_window_name(enum slo_window w); /* "1h", "24h", "30d" */
/* Of a window's availability: how many times faster than allowed the budget goes (1: just gone at the end; NaN:
 * unknown), and the part of the window's own budget that is left (below 0: overspent). */
double slo_burn_rate(const struct slo_report *report, enum slo_window w);
double slo_budget_left(const struct slo_report *report, enum slo_window w);

#endif
