/*
 * scoreboard: the shared memory through which all processes see one another.
 *
 * One file, RUN_DIR/scoreboard, mapped shared by every process and by
 * patronctl. No pointers, no locks: a process killed at any instruction
 * leaves nothing held. Each slot has one writer, the process that owns it (the
 * master writes identity when it assigns and clears gauges when it reaps).
 * Counters only grow; when a slot is freed the master adds its counters to
 * `retired`, so sums never go back. Texts and structs of several words are
 * guarded by sequence counters: the reader retries, the writer never waits.
 * A reader checks every length and enum it takes from here: a crashed
 * writer may have left anything.
 *
 * Versions meet: an upgrade takes over the children of the image before it, and patronctl may be newer than the
 * server. What is marked "common" lies at the same place in every layout and is never moved or given another meaning.
 */
#ifndef CORE_SCOREBOARD_H
#define CORE_SCOREBOARD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/limit.h"
#include "core/slo.h"

#define SB_MAGIC 0x31444e4f52544150ULL /* "PATROND1" */
#ifndef SB_LAYOUT
#define SB_LAYOUT 14 /* raised with every change of the structs below */
#endif
#define SB_SLOTS     160
#define SB_COUNTERS  12288
#define SB_MAX_INDEX 64
#define SB_ENDPOINTS 64
#define SB_TEXT      128
#define SB_RUNS      20

_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2, "64-bit atomics must be lock-free to live in shared memory");

enum sb_role {
    SB_ROLE_WORKER,
    SB_ROLE_SYNC,
    SB_ROLE_PROBE,
    SB_ROLE_COUNT
};
enum sb_state {
    SB_FREE,
    SB_ASSIGNED,
    SB_STARTING,
    SB_READY,
    SB_DRAINING,
    SB_EXITED
};

/* Why a worker asks for its replacement. */
enum sb_recycle {
    SB_RECYCLE_NONE,
    SB_RECYCLE_MEMORY,
    SB_RECYCLE_REQUESTS
};

/* A text of several words under a sequence counter. */
struct sb_text {
    _Atomic uint32_t seq;
    char text[SB_TEXT - 4];
};

struct sb_slot {
    /* common: identity, written by the master at assignment, state also by the owner */
    _Alignas(64) _Atomic uint32_t state; /* enum sb_state */
    _Atomic uint32_t role, index, generation;
    _Atomic int32_t pid;
    _Atomic uint64_t start_ns, ready_ns; /* CLOCK_MONOTONIC */
    _Atomic int64_t start_us;            /* wall clock */
    /* common: life, written by the owner */
    _Alignas(64) _Atomic uint64_t beat_ns;
    _Atomic uint64_t progress_ns; /* sync: last progress of the run under way; 0: no run */
    _Atomic uint64_t deadline_ns; /* sync: the run must have ended by then; 0: no run */
    _Atomic uint64_t oldest_request_ns;
    _Alignas(64) struct sb_text doing;
    /* from here on the layout's own. Gauges: written by the owner, cleared by the master when it reaps */
    _Alignas(64) _Atomic uint64_t rss_bytes, private_bytes;
    _Atomic uint64_t data_version; /* worker: of the data it serves; 0: none */
    _Atomic int64_t synced_us;     /* worker: end of the last sync that they reflect, wall clock; 0: unknown */
    _Atomic uint32_t connections, active_connections, in_flight;
    _Atomic uint32_t pg_open, pg_busy, pg_waiting;
    _Atomic uint32_t ai_calls;        /* worker: questions at Claude now */
    _Atomic uint32_t handling;        /* worker: 1 + METRICS_DIM_ROUTE of the handler that runs now; 0: none */
    _Atomic uint32_t draining_wanted; /* worker asks for its replacement: enum sb_recycle */
    _Atomic uint32_t in_progress[SB_ENDPOINTS];          /* worker: requests by METRICS_DIM_ROUTE */
    _Alignas(64) _Atomic uint64_t counters[SB_COUNTERS]; /* laid out by core/metrics */
};

/* What the probe knows of each dependency. */
enum sb_component {
    SB_DATABASE,
    SB_CACHE,
    SB_SOURCE,
    SB_AI,
    SB_SELF,
    SB_COMPONENT_COUNT
};
enum sb_health {
    SB_HEALTH_UNKNOWN,
    SB_HEALTH_UP,
    SB_HEALTH_DEGRADED,
    SB_HEALTH_DOWN,
    SB_HEALTH_NOT_CONFIGURED
};
enum sb_error {
    SB_ERROR_NONE,
    SB_ERROR_CONNECT_TIMEOUT,
    SB_ERROR_REFUSED,
    SB_ERROR_AUTH_FAILED,
    SB_ERROR_QUERY_TIMEOUT,
    SB_ERROR_TLS,
    SB_ERROR_NEVER_SUCCEEDED,
    SB_ERROR_OVERDUE,
    SB_ERROR_COUNT
};

struct sb_check {
    _Atomic uint32_t health;              /* enum sb_health */
    _Atomic uint32_t error;               /* enum sb_error */
    _Atomic int64_t latency_us;           /* -1: none */
    _Atomic int64_t checked_us, since_us; /* wall clock; 0: never */
};

/* A sync run as every reader of the scoreboard sees it. */
enum sb_mode {
    SB_MODE_INCREMENTAL,
    SB_MODE_FULL,
    SB_MODE_DRY_RUN,
    SB_MODE_COUNT
};
enum sb_run_status {
    SB_RUN_RUNNING,
    SB_RUN_SUCCESS,
    SB_RUN_FAILED,
    SB_RUN_TIMEOUT,
    SB_RUN_ABORTED,
    SB_RUN_STATUS_COUNT
};
enum sb_trigger {
    SB_BY_SCHEDULE,
    SB_BY_STARTUP,
    SB_BY_API,
    SB_BY_CLI,
    SB_BY_SIGNAL,
    SB_TRIGGER_COUNT
};
enum sb_phase {
    SB_PHASE_CONNECTING,
    SB_PHASE_READING,
    SB_PHASE_LOADING,
    SB_PHASE_MERGING,
    SB_PHASE_SCORING,
    SB_PHASE_PUBLISHING,
    SB_PHASE_COUNT
};
enum sb_reason {
    SB_REASON_NONE,
    SB_REASON_SOURCE_CONNECT,
    SB_REASON_SOURCE_AUTH,
    SB_REASON_SOURCE_QUERY,
    SB_REASON_DATABASE,
    SB_REASON_TIMEOUT,
    SB_REASON_MEMORY,
    SB_REASON_DISK,
    SB_REASON_ABORTED,
    SB_REASON_DIED,
    SB_REASON_VALIDATION,
    SB_REASON_COUNT
};

struct sb_run {
    int64_t run_id;
    uint32_t mode, status, trigger, reason;
    int64_t started_us, finished_us; /* 0: not yet */
    int64_t rows_read, rows_inserted, rows_updated, rows_deleted, rows_skipped;
    int64_t customers_scored, data_version; /* 0: none */
    char error[256];
};

struct sb_sync {
    int64_t row_count, order_count, guest_rows, customer_count;
    int64_t earliest_order_us, latest_order_us, latest_order_id; /* of combined_sales; 0: empty */
    int64_t next_run_us, last_success_us;
    uint32_t running, phase;              /* running: `run` is under way */
    int64_t rows_written, rows_estimated; /* -1: unknown */
    int64_t heartbeat_us, deadline_us;
    struct sb_run run;        /* the present run, or the last one */
    struct sb_run last_error; /* run_id 0: none */
    uint32_t run_count;
    struct sb_run runs[SB_RUNS]; /* newest first */
};

/* One request at a time to the sync process. */
enum sb_mail_state {
    SB_MAIL_FREE,
    SB_MAIL_CLAIMED,
    SB_MAIL_POSTED,
    SB_MAIL_TAKEN,
    SB_MAIL_ANSWERED
};
enum sb_mail_answer {
    SB_ANSWER_NONE,
    SB_ANSWER_STARTED,
    SB_ANSWER_ALREADY_RUNNING,
    SB_ANSWER_NOT_CONFIGURED,
    SB_ANSWER_DATABASE_DOWN,
    SB_ANSWER_REFUSED,
    SB_ANSWER_COUNT
};

struct sb_mail_request {
    uint32_t mode, trigger;
    int32_t start_day, end_day; /* CLOCK_NO_DAY: not given */
    int64_t row_limit;          /* 0: none */
};

struct sb_mailbox {
    _Atomic uint64_t word; /* state, ticket and second of the last change in one: every step is a single CAS */
    struct sb_mail_request requests[2]; /* by the ticket's parity, so a late claimant spoils nobody else's */
    _Atomic int32_t taker_pid;
    _Atomic uint32_t answer; /* enum sb_mail_answer */
    _Atomic int64_t run_id;  /* started, or the one already running */
};

struct scoreboard {
    /* common */
    uint64_t magic;
    uint32_t layout, slot_count;
    uint64_t size_bytes, counters_hash; /* counters_hash: metrics_layout_hash() of the creator */
    uint64_t slots_offset, slot_bytes;  /* where the slots lie: scoreboard_slot() */
    _Atomic int32_t master_pid;
    _Atomic uint32_t generation; /* the serving one */
    _Atomic uint32_t stopping;   /* the server drains for good */
    _Atomic int64_t started_us;
    _Atomic uint64_t master_beat_ns;
    _Atomic int64_t reload_us; /* last reload; 0: none */
    _Atomic uint32_t reload_ok, reload_count;
    _Atomic int64_t upgrade_us; /* last upgrade; 0: none */
    _Atomic uint32_t upgrade_ok, upgrade_count;
    struct sb_text version; /* of the master */
    struct sb_text reload_error, upgrade_error;
    struct sb_text listen; /* the address in use */
    /* from here on the layout's own */
    uint8_t secret[16];                /* keys tables fed by strangers */
    _Atomic uint32_t workers;          /* places of the serving generation */
    _Atomic uint64_t data_version;     /* published last on this machine; 0: none since boot */
    _Atomic int64_t data_published_us; /* when: a number comes again after a restore. Stored before the version */
    _Atomic uint64_t restarts[SB_ROLE_COUNT][SB_MAX_INDEX];
    /* API keys: the digest all workers shall have (0: none announced), the table's version it was read at, when,
     * when to ask for the version again, and until when one worker alone reads the table (CLOCK_MONOTONIC). */
    _Atomic uint64_t keys_digest, keys_version, keys_read_ns, keys_ask_ns, keys_lease_ns;
    _Alignas(64) struct sb_check checks[SB_COMPONENT_COUNT];
    /* Claude: failures in a row, how often the circuit opened since it last was good, when it did last and until when
     * it is open (0: closed), and what settings that is about. */
    _Atomic uint32_t ai_failures, ai_openings;
    _Atomic uint64_t ai_opened_ns, ai_open_until_ns, ai_settings;
    _Atomic uint64_t db_told_ns;  /* when somebody told of trouble with PostgreSQL; 0: it is over */
    _Atomic uint64_t db_full_ns;  /* when PostgreSQL last had no slot for a worker; 0: never */
    _Atomic uint64_t cpu_told_us; /* the most that a scrape was told of process_cpu_seconds_total */
    _Atomic uint64_t redis_memory_bytes, redis_keys, redis_evictions; /* from the probe */
    _Alignas(64) _Atomic uint32_t sync_seq;
    struct sb_sync sync;           /* writer: the sync process */
    _Atomic int64_t timed_out_run; /* the last run that the master had to end, from outside */
    _Alignas(64) struct sb_mailbox mailbox;
    struct limit_table limits;
    _Atomic uint64_t deaths_seen;             /* by the probe, for proc/alert */
    _Alignas(64) struct slo_ring slo;         /* writer: the probe of the serving generation */
    _Alignas(64) _Atomic uint32_t retire_seq; /* odd while the master moves a slot's counters to `retired` */
    _Alignas(64) _Atomic uint64_t retired[SB_COUNTERS];
    _Alignas(64) struct sb_slot slots[SB_SLOTS];
};

_Static_assert(sizeof(struct sb_slot) % 64 == 0, "slots must not share cache lines");

/* Creates DIR/scoreboard under a temporary name, zeroed but for the header, and renames it; NULL with errno.
 * Its blocks are reserved, so a full disk shows here and not as a SIGBUS later. */
struct scoreboard *scoreboard_create(const char *dir, const char *version);
/* The two halves of scoreboard_create: what was made is seen by others only once it is published. `fd` is open on it,
 * close-on-exec, and the caller's. */
struct scoreboard *scoreboard_make(const char *dir, const char *version, int *fd);
bool scoreboard_publish(const char *dir);
void scoreboard_discard(const char *dir); /* what was made and not published */
/* One without a file, for this process and its children. */
struct scoreboard *scoreboard_make_private(const char *version);
/* Maps an existing one; read-only unless `writable`. NULL with errno (EPROTO: another layout). */
struct scoreboard *scoreboard_open(const char *dir, bool writable);
/* The same of any layout: only the common part may be used, and slots by scoreboard_slot. `bytes` for munmap. */
struct scoreboard *scoreboard_open_any(const char *dir, size_t *bytes);
/* The same, writable, of an open file. */
struct scoreboard *scoreboard_map_any(int fd, size_t *bytes);
int scoreboard_descriptor(const char *dir); /* of the published file, close-on-exec; -1 with errno */
/* Has it this program's layout, that of the counters included? */
bool scoreboard_is_own_layout(const struct scoreboard *sb);
struct sb_slot *scoreboard_slot(struct scoreboard *sb, unsigned i); /* i < sb->slot_count; of any layout */
void scoreboard_close(struct scoreboard *sb);

/* Master: a free slot made ASSIGNED with fresh identity and zeroed counters; NULL when full. */
struct sb_slot *scoreboard_assign(struct scoreboard *sb, enum sb_role role, uint32_t index, uint32_t generation);
/* Master: adds the counters to `retired`, clears all, makes it FREE. */
void scoreboard_release(struct scoreboard *sb, struct sb_slot *slot);
/* Master: makes a slot of another layout FREE; what it counted is lost. */
void scoreboard_release_other(struct sb_slot *slot);
/* Sums of `n` counters from `first` on over the retired and all slots; never lower than an earlier answer. */
void scoreboard_sum_range(const struct scoreboard *sb, unsigned first, unsigned n, uint64_t *sums);
uint64_t scoreboard_sum(const struct scoreboard *sb, unsigned counter);

/* What does not fit ends in "...". */
void sb_text_set(struct sb_text *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* A printable, terminated copy; false when the writer never held still (dst is then ""). */
bool sb_text_get(const struct sb_text *t, char dst[SB_TEXT]);

void scoreboard_sync_write(struct scoreboard *sb, const struct sb_sync *s);
bool scoreboard_sync_read(const struct scoreboard *sb, struct sb_sync *s); /* enums checked, texts terminated */

/* Records a check's outcome; `since` moves only when health changes. True when it changed. */
bool scoreboard_check_set(struct sb_check *c, enum sb_health health, enum sb_error error, int64_t latency_us,
                          int64_t now_us);

/*
 * Every process that uses PostgreSQL notices by itself that it is away, or back; the
 * operator is told once. True: this process shall tell. (Trouble told a minute ago may be told again: who told
 * of it may be gone.)
 */
bool scoreboard_tell_db_trouble(struct scoreboard *sb);
bool scoreboard_tell_db_recovered(struct scoreboard *sb);

/*
 * Mailbox. Post answers a ticket > 0, or 0 when another request is in it; the
 * poster then wakes the sync process by SIGUSR1 to the master, and polls for the answer.
 * A box whose state has not changed for SB_MAIL_ABANDONED_S is abandoned: the next post takes it over.
 */
#define SB_MAIL_ABANDONED_S 10
uint32_t scoreboard_mail_post(struct scoreboard *sb, const struct sb_mail_request *r);
/* True once the request of that ticket was answered; frees the box. SB_ANSWER_NONE: the box was taken over by another
 * request, nobody will answer this one. */
bool scoreboard_mail_poll(struct scoreboard *sb, uint32_t ticket, enum sb_mail_answer *answer, int64_t *run_id);
/* Sync: a checked copy of the posted request, which this process must then answer. */
bool scoreboard_mail_take(struct scoreboard *sb, struct sb_mail_request *r);
/* Does nothing unless this process holds the request. */
void scoreboard_mail_answer(struct scoreboard *sb, enum sb_mail_answer answer, int64_t run_id);
enum sb_mail_state scoreboard_mail_state(const struct scoreboard *sb);

/* The contract's words for the enums above ("incremental", "timeout", "source_connect", …); "" past the end. */
const char *sb_role_name(uint32_t v);
const char *sb_state_name(uint32_t v);     /* "starting", "ready", "draining", … */
const char *sb_component_name(uint32_t v); /* "database", "cache", "source", "ai"; SB_SELF is "api" */
const char *sb_health_name(uint32_t v);    /* "unknown", "up", "degraded", "down", "not_configured" */
const char *sb_error_name(uint32_t v);     /* NULL for none */
const char *sb_mode_name(uint32_t v);
const char *sb_run_status_name(uint32_t v);
const char *sb_trigger_name(uint32_t v);
const char *sb_phase_name(uint32_t v);
const char *sb_reason_name(uint32_t v); /* NULL for none */

#endif
