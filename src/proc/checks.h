/*
 * checks: the one table of health checks, for the probe and for `patronctl check`.
 *
 * A check may block and may crash a library: it runs in a short-lived helper
 * process, which answers one struct check_result through a pipe and is killed at its limit. So nothing a dependency
 * does can hold or harm the process that asks.
 */
#ifndef PROC_CHECKS_H
#define PROC_CHECKS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/conf.h"
#include "core/scoreboard.h"

#define CHECKS_TEXT 256

struct check_env {
    const struct conf *conf;
    const char *listen;   /* the address in use, for the check of ourselves; "" unknown */
    uint64_t deadline_ns; /* set by check_start */
};

struct check_result {
    uint32_t health; /* enum sb_health */
    uint32_t error;  /* enum sb_error */
    int64_t latency_us;
    uint64_t memory_bytes, keys, evictions; /* of Redis */
    char sqlstate[6];                       /* of PostgreSQL, "" none */
    char target[128];                       /* host, address or file asked */
    char text[CHECKS_TEXT];                 /* what is wrong and what to do, or what was found; no secrets */
};

struct check {
    const char *name; /* for patronctl; the component's name serves as well */
    enum sb_component component;
    unsigned limit_ms;
    bool (*configured)(const struct conf *conf);
    /* Runs in the helper, within env->deadline_ns if it can. */
    void (*run)(const struct check_env *env, struct check_result *r);
};

#define CHECKS_COUNT  5
#define CHECKS_PROBED 4 /* the first of them: of the others the probe hears from those who use them */
extern const struct check checks_table[CHECKS_COUNT];
const struct check *checks_find(const char *name); /* NULL: no such check */

/* A check under way. */
struct check_job {
    const struct check *check; /* NULL: idle */
    pid_t pid;
    int fd; /* poll it for reading */
    uint64_t start_ns, deadline_ns;
};

/* False with errno when no helper could be started. */
bool check_start(struct check_job *job, const struct check *check, const struct check_env *env);
/* True once the check has ended (by itself or at its limit); the job is idle then and *r is filled and checked. */
bool check_poll(struct check_job *job, struct check_result *r);
void check_cancel(struct check_job *job);

/* checks_pg.c, checks_redis.c, checks_http.c, checks_claude.c */
void check_postgres_run(const struct check_env *env, struct check_result *r);
void check_redis_run(const struct check_env *env, struct check_result *r);
void check_self_run(const struct check_env *env, struct check_result *r);
void check_claude_run(const struct check_env *env, struct check_result *r);

/* For the checks: fills the result; `fmt` says what was found. */
void check_up(struct check_result *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void check_down(struct check_result *r, enum sb_error error, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* Waits until fd is ready for `events` (poll's); false at the deadline. */
bool check_wait(int fd, short events, uint64_t deadline_ns);

#endif
