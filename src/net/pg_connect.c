/*
 * pg_connect: the way to a connection that is ready, and the ends it can come to.
 *
 * Looking up, connecting and setting up the session share one deadline. A
 * connection ends in one place, pg_conn_close; libpq's farewell is written
 * without waiting, as the socket is nonblocking.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "net/pg_internal.h"

#define LOOKUP_POLL_MS  10
#define SETUP_MAX_BYTES 256

static void unwatch(struct pg_conn *c)
{
    if (!c->watching)
        return;
    event_del(&c->input);
    if (c->output_pending)
        event_del(&c->output);
    c->watching = c->output_pending = false;
}

void pg_conn_close(struct pg_conn *c)
{
    if (c == NULL || c->state == PG_CONN_CLOSED)
        return;
    c->state = PG_CONN_CLOSED;
    unwatch(c);
    loop_timer_free(c->timer);
    PQfinish(c->pg);
    c->pg = NULL;
    loop_free_later(c->loop, c);
}

/* Copies libpq's message up to its first line end, and the SQLSTATE that a verbose one holds ("FATAL:  53300: "). */
void pg_read_error(struct pg_error *e, const char *message)
{
    const char *code = strstr(message, ":  ");
    size_t n = strcspn(message, "\n");

    for (; code != NULL; code = strstr(code + 1, ":  ")) {
        size_t digits = strspn(code + 3, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ");

        if (digits == 5 && code[8] == ':') {
            snprintf(e->sqlstate, sizeof e->sqlstate, "%.5s", code + 3);
            break;
        }
    }
    if (n == 0)
        message = "the connection broke";
    snprintf(e->text, sizeof e->text, "%.*s", (int)(n > 0 ? n : strlen(message)), message);
}

void pg_set_error(struct pg_conn *c, bool timeout, const char *text)
{
    c->error = (struct pg_error){ .timeout = timeout };
    snprintf(c->error.text, sizeof c->error.text, "%s", text);
}

/* The end of a connection from inside the loop. */
void pg_lose(struct pg_conn *c)
{
    struct pg_error why = c->error;
    const struct pg_owner *owner = c->owner;
    void *arg = c->arg;

    pg_conn_close(c);
    owner->on_lost(&why, arg);
}

void pg_lose_by_libpq(struct pg_conn *c)
{
    c->error = (struct pg_error){ .timeout = false };
    pg_read_error(&c->error, PQerrorMessage(c->pg));
    pg_lose(c);
}

/* The end of a connection from inside a call of the owner: told a turn later. */
void pg_fail_later(struct pg_conn *c)
{
    if (c->state == PG_CONN_FAILED || c->state == PG_CONN_CLOSED)
        return;
    c->error = (struct pg_error){ .timeout = false };
    pg_read_error(&c->error, PQerrorMessage(c->pg));
    c->state = PG_CONN_FAILED;
    unwatch(c);
    loop_timer_set(c->timer, 0);
}

static void ignore_notice(void *arg, const char *message)
{
    (void)arg;
    (void)message;
}

/* The session's settings, in two batches: an older server may lack the last one. */
static bool send_setup(struct pg_conn *c)
{
    char sql[SETUP_MAX_BYTES];

    snprintf(sql, sizeof sql,
             "SELECT set_config('statement_timeout', '%llu', false), set_config('datestyle', 'ISO, YMD', false), "
             "set_config('timezone', 'UTC', false)",
             (unsigned long long)c->limits.statement_ms);
    if (!PQsendQueryParams(c->pg, sql, 0, NULL, NULL, NULL, NULL, 0) || !pg_push(c, PG_ENTRY_SETUP, NULL, NULL))
        return false;
    pg_add_sync(c);
    /* A backend whose client has gone stops its statement instead of finishing it for nobody. */
    if (!PQsendQueryParams(c->pg, "SELECT set_config('client_connection_check_interval', '1000', false)", 0, NULL,
                           NULL, NULL, NULL, 0) ||
        !pg_push(c, PG_ENTRY_SETUP_OPTIONAL, NULL, NULL))
        return false;
    pg_add_sync(c);
    return c->state != PG_CONN_FAILED;
}

static void set_up(struct pg_conn *c)
{
    c->state = PG_CONN_SETTING_UP;
    PQsetErrorVerbosity(c->pg, PQERRORS_DEFAULT);
    event_assign(&c->input, loop_base(c->loop), PQsocket(c->pg), EV_READ | EV_PERSIST, pg_on_input, c);
    event_assign(&c->output, loop_base(c->loop), PQsocket(c->pg), EV_WRITE, pg_on_output, c);
    event_add(&c->input, NULL);
    c->watching = true;
    if (PQsetnonblocking(c->pg, 1) != 0 || !PQenterPipelineMode(c->pg) || !send_setup(c))
        pg_fail_later(c);
}

static void on_connect_event(evutil_socket_t fd, short what, void *arg);

/* The descriptor may be another one after each step, so it is registered anew. */
static void watch_step(struct pg_conn *c, short what)
{
    event_assign(&c->input, loop_base(c->loop), PQsocket(c->pg), what, on_connect_event, c);
    event_add(&c->input, NULL);
    c->watching = true;
}

static void on_connect_event(evutil_socket_t fd, short what, void *arg)
{
    struct pg_conn *c = arg;

    (void)fd;
    (void)what;
    unwatch(c);
    switch (PQconnectPoll(c->pg)) {
    case PGRES_POLLING_READING:
        watch_step(c, EV_READ);
        break;
    case PGRES_POLLING_WRITING:
        watch_step(c, EV_WRITE);
        break;
    case PGRES_POLLING_OK:
        set_up(c);
        break;
    default:
        pg_lose_by_libpq(c);
    }
}

static void connect_now(struct pg_conn *c)
{
    c->state = PG_CONN_CONNECTING;
    c->pg = pg_target_connect(c->target);
    if (c->pg == NULL) {
        pg_set_error(c, false, "no memory to connect");
        pg_lose(c);
        return;
    }
    if (PQstatus(c->pg) == CONNECTION_BAD) {
        pg_lose_by_libpq(c);
        return;
    }
    PQsetErrorVerbosity(c->pg, PQERRORS_VERBOSE); /* the only way to a connection error's SQLSTATE */
    PQsetNoticeProcessor(c->pg, ignore_notice, NULL);
    watch_step(c, EV_WRITE);
}

static void look_up(struct pg_conn *c)
{
    switch (pg_target_state(c->target)) {
    case PG_LOOKUP_DONE:
        connect_now(c);
        break;
    case PG_LOOKUP_FAILED:
        pg_set_error(c, false, pg_target_error(c->target));
        pg_lose(c);
        break;
    case PG_LOOKUP_RUNNING:
        break;
    }
}

static void on_timer(void *arg)
{
    struct pg_conn *c = arg;
    uint64_t now_ns = loop_now_ns(c->loop);

    if (c->state == PG_CONN_LOOKING_UP)
        look_up(c);
    if (c->state == PG_CONN_FAILED) {
        pg_lose(c);
    } else if (c->state < PG_CONN_READY && now_ns >= c->deadline_ns) {
        pg_set_error(c, true,
                     c->state == PG_CONN_LOOKING_UP ? "no answer from the name server in time" : "no answer in time");
        pg_lose(c);
    } else if (c->state < PG_CONN_READY) {
        uint64_t left_ms = (c->deadline_ns - now_ns) / 1000000 + 1;

        loop_timer_set(c->timer,
                       c->state == PG_CONN_LOOKING_UP && left_ms > LOOKUP_POLL_MS ? LOOKUP_POLL_MS : left_ms);
    }
}

struct pg_conn *pg_conn_open(struct loop *l, struct pg_target *target, const struct pg_limits *limits,
                             const struct pg_owner *owner, void *arg)
{
    struct pg_conn *c = calloc(1, sizeof *c);

    if (c == NULL)
        return NULL;
    *c = (struct pg_conn){ .loop = l, .target = target, .limits = *limits, .owner = owner, .arg = arg };
    c->timer = loop_timer_new(l, on_timer, c);
    if (c->timer == NULL) {
        free(c);
        return NULL;
    }
    c->deadline_ns = loop_now_ns(l) + limits->connect_ms * 1000000;
    pg_target_lookup(target);
    loop_timer_set(c->timer, 0);
    return c;
}
