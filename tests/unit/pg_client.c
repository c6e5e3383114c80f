/*
 * pg_client: one worker's loop and pool under the orders of a test, a line each on stdin.
 *
 *   run STATEMENT COUNT WINDOW [VALUE]   COUNT statements, WINDOW of them at a time, with their number or VALUE
 *   one STATEMENT VALUE [MS]             one statement, with a deadline of MS
 *   cancel                               the last `one`
 *   stat                                 gauges, and the longest pause between two turns since the last stat
 *   quit
 *
 * Every order but cancel and quit is answered by a line of JSON with its number as id: `stat` at once, the
 * others when they have ended. Settings come from the environment, as for the server.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/rng.h"
#include "core/conf.h"
#include "core/metrics.h"
#include "net/loop.h"
#include "net/pgpool.h"

#define TICK_MS 5

static const struct pg_statement statements[] = {
    { .name = "echo", .sql = "SELECT $1::bigint, 'n' || $1::bigint", .params = 1 },
    { .name = "nap", .sql = "SELECT $1::float8, 'n', pg_sleep($1::float8)", .params = 1 },
    { .name = "sleep", .sql = "SELECT $1::float8, 'n', pg_sleep($1::float8)", .params = 1, .alone = true },
    { .name = "divide", .sql = "SELECT $1::bigint, 'n' || $1::bigint, 1 / ($1::bigint % 10)", .params = 1 },
    { .name = "missing", .sql = "SELECT * FROM no_such_table WHERE id = $1::bigint", .params = 1 },
    { .name = "later", .sql = "SELECT id, 'n' || id FROM made_later WHERE id = $1::bigint", .params = 1 },
    { .name = "wide", .sql = "SELECT $1::bigint, repeat('x', $1::int)", .params = 1 },
    { .name = "write", .sql = "INSERT INTO written VALUES ($1::bigint)", .params = 1, .alone = true },
    { .name = "account", .sql = "SELECT abalance FROM pgbench_accounts WHERE aid = $1::int", .params = 1 },
    { .name = "orders",
      .sql = "SELECT id, order_id, amount FROM order_lines WHERE customer_id = $1::bigint ORDER BY id DESC LIMIT 50",
      .params = 1 },
};
#define STATEMENTS (sizeof statements / sizeof statements[0])

struct run;

struct shot {
    struct run *run;
    uint64_t number, sent_ns;
    char value[32];
};

/* A `run`, or a `one` with a count of 1. */
struct run {
    const struct pg_statement *statement;
    char text[64]; /* value for all, or "" */
    uint64_t id, count, window, sent, done, deadline_ms;
    uint64_t ok, wrong, error, unavailable, timeout, cancelled, refused, rows;
    uint64_t start_ns, longest_ns;
    char sqlstate[6];
};

static struct loop *loop;
static struct pgpool *pool;
static struct sb_slot *slot;
static struct pgpool_query *last_query;
static struct shot *last_shot;
static struct run *last_run;
static uint64_t orders, last_turn_ns, longest_pause_ns;
static char input[65536];
static size_t input_len;

static void finish_run(struct run *r)
{
    printf("{\"id\": %" PRIu64 ", \"statement\": \"%s\", \"ok\": %" PRIu64 ", \"wrong\": %" PRIu64
           ", \"error\": %" PRIu64 ", \"unavailable\": %" PRIu64 ", \"timeout\": %" PRIu64 ", \"cancelled\": %" PRIu64
           ", \"refused\": %" PRIu64 ", \"rows\": %" PRIu64
           ", \"elapsed_ms\": %.3f, \"longest_ms\": %.3f, \"sqlstate\": \"%s\"}\n",
           r->id, r->statement->name, r->ok, r->wrong, r->error, r->unavailable, r->timeout, r->cancelled, r->refused,
           r->rows, (double)(clock_mono_ns() - r->start_ns) / 1e6, (double)r->longest_ns / 1e6, r->sqlstate);
    fflush(stdout);
    if (last_run == r) {
        last_run = NULL;
        last_query = NULL;
    }
    free(r);
}

static bool echoes(const struct shot *s, const PGresult *result)
{
    char expected[40];

    if (s->run->text[0] != '\0' || PQnfields(result) < 2 || PQntuples(result) != 1)
        return true;
    snprintf(expected, sizeof expected, "n%s", s->value);
    return strcmp(PQgetvalue(result, 0, 0), s->value) == 0 &&
           (PQgetvalue(result, 0, 1)[0] != 'n' || strcmp(PQgetvalue(result, 0, 1), expected) == 0);
}

static void refill(void *arg);

static void count_result(struct shot *s, enum pg_status status, const PGresult *result)
{
    struct run *r = s->run;
    const char *sqlstate = result != NULL ? PQresultErrorField(result, PG_DIAG_SQLSTATE) : NULL;

    r->ok += status == PG_OK && echoes(s, result);
    r->wrong += status == PG_OK && !echoes(s, result);
    r->rows += status == PG_OK ? (uint64_t)PQntuples(result) : 0;
    r->error += status == PG_ERROR;
    r->unavailable += status == PG_UNAVAILABLE;
    r->timeout += status == PG_TIMEOUT;
    r->cancelled += status == PG_CANCELLED;
    if (sqlstate != NULL)
        snprintf(r->sqlstate, sizeof r->sqlstate, "%s", sqlstate);
}

static void on_result(enum pg_status status, const PGresult *result, void *arg)
{
    struct shot *s = arg;
    struct run *r = s->run;
    uint64_t took_ns = clock_mono_ns() - s->sent_ns;

    count_result(s, status, result);
    if (took_ns > r->longest_ns)
        r->longest_ns = took_ns;
    r->done++;
    free(s);
    refill(r);
}

static bool shoot(struct run *r)
{
    struct shot *s = calloc(1, sizeof *s);
    const char *values[1];
    uint64_t now_ns = clock_mono_ns();

    if (s == NULL)
        return false;
    s->run = r;
    s->number = r->sent;
    s->sent_ns = now_ns;
    snprintf(s->value, sizeof s->value, "%" PRIu64, s->number);
    values[0] = r->text[0] != '\0' ? r->text : s->value;
    last_query = pgpool_send(pool, r->statement, values, r->deadline_ms > 0 ? now_ns + r->deadline_ms * 1000000 : 0,
                             on_result, s);
    last_shot = s;
    if (last_query == NULL)
        free(s);
    return last_query != NULL;
}

static void refill(void *arg)
{
    struct run *r = arg;

    while (r->sent < r->count && r->sent - r->done < r->window) {
        if (!shoot(r)) {
            r->refused++;
            r->done++;
        }
        r->sent++;
    }
    if (r->done == r->count)
        finish_run(r);
}

static void start(const char *name, const char *text, uint64_t count, uint64_t window, uint64_t deadline_ms)
{
    struct run *r = calloc(1, sizeof *r);

    if (r == NULL)
        exit(1);
    for (size_t i = 0; i < STATEMENTS; i++) {
        if (strcmp(statements[i].name, name) == 0)
            r->statement = &statements[i];
    }
    if (r->statement == NULL)
        exit(2);
    snprintf(r->text, sizeof r->text, "%s", text);
    r->id = orders;
    r->count = count;
    r->window = window;
    r->deadline_ms = deadline_ms;
    r->start_ns = clock_mono_ns();
    last_run = r;
    refill(r);
}

static void cancel(void)
{
    struct run *r = last_run;

    if (r == NULL || last_query == NULL)
        return;
    pgpool_cancel(pool, last_query);
    free(last_shot);
    r->cancelled++;
    finish_run(r);
}

static void show_stat(void)
{
    printf("{\"id\": %" PRIu64 ", \"up\": %s, \"open\": %u, \"busy\": %u, \"waiting\": %u, \"pause_ms\": %.3f}\n",
           orders, pgpool_up(pool) ? "true" : "false", atomic_load(&slot->pg_open), atomic_load(&slot->pg_busy),
           atomic_load(&slot->pg_waiting), (double)longest_pause_ns / 1e6);
    fflush(stdout);
    longest_pause_ns = 0;
}

static void obey(char *line)
{
    char name[32], text[64];
    uint64_t a = 0, b = 0;

    orders++;
    text[0] = '\0';
    if (sscanf(line, "run %31s %" SCNu64 " %" SCNu64 " %63s", name, &a, &b, text) >= 3)
        start(name, text, a, b, 0);
    else if (sscanf(line, "one %31s %63s %" SCNu64, name, text, &a) >= 2)
        start(name, text, 1, 1, a);
    else if (strcmp(line, "cancel") == 0)
        cancel();
    else if (strcmp(line, "stat") == 0)
        show_stat();
    else
        loop_stop(loop);
}

static void on_stdin(evutil_socket_t fd, short what, void *arg)
{
    ssize_t n = read(fd, input + input_len, sizeof input - 1 - input_len);
    char *line = input, *end;

    (void)what;
    (void)arg;
    if (n <= 0) {
        if (n == 0 || errno != EAGAIN)
            loop_stop(loop);
        return;
    }
    input_len += (size_t)n;
    input[input_len] = '\0';
    while ((end = strchr(line, '\n')) != NULL) {
        *end = '\0';
        obey(line);
        line = end + 1;
    }
    input_len -= (size_t)(line - input);
    memmove(input, line, input_len);
}

static void on_tick(void *arg)
{
    uint64_t now_ns = clock_mono_ns();

    (void)arg;
    if (last_turn_ns != 0 && now_ns - last_turn_ns > longest_pause_ns)
        longest_pause_ns = now_ns - last_turn_ns;
    last_turn_ns = now_ns;
}

static struct conf *read_conf(void)
{
    struct buf problems = { .max_bytes = 65536 }, warnings = { .max_bytes = 65536 };
    struct conf *conf = conf_load(NULL, &problems, &warnings);

    if (conf == NULL)
        fprintf(stderr, "%s", buf_cstr(&problems));
    buf_free(&problems);
    buf_free(&warnings);
    return conf;
}

int main(void)
{
    static const char *const routes[] = { "unmatched" };
    struct conf *conf = read_conf();
    struct scoreboard *sb;
    struct event *ear;

    if (conf == NULL)
        return 1;
    log_init("worker/0", LOG_LEVEL_INFO, true);
    rng_seed();
    metrics_init(routes, 1);
    sb = scoreboard_open(conf->run_dir, true);
    if (sb == NULL)
        sb = scoreboard_create(conf->run_dir, "test");
    slot = sb != NULL ? scoreboard_assign(sb, SB_ROLE_WORKER, 0, 1) : NULL;
    loop = loop_new();
    if (slot == NULL || loop == NULL)
        return 1;
    atomic_store(&slot->state, SB_READY);
    metrics_bind(slot);
    pool = pgpool_new(loop, conf, sb, slot);
    if (pool == NULL || fcntl(0, F_SETFL, O_NONBLOCK) != 0)
        return 1;
    ear = event_new(loop_base(loop), 0, EV_READ | EV_PERSIST, on_stdin, NULL);
    event_add(ear, NULL);
    loop_run(loop, TICK_MS, on_tick, NULL);
    event_free(ear);
    pgpool_free(pool);
    loop_free(loop);
    scoreboard_release(sb, slot);
    scoreboard_close(sb);
    conf_free(conf);
    return 0;
}
