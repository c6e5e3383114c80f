/*
 * pg_internal: a connection as its two halves see it: pg_connect.c opens,
 * sets up and ends it, pg.c sends and reads.
 */
#ifndef NET_PG_INTERNAL_H
#define NET_PG_INTERNAL_H

#include <event2/event_struct.h>

#include "net/pg.h"

#define PG_RING 256 /* statements, their preparations and syncs in flight; a power of two */

enum pg_conn_state {
    PG_CONN_LOOKING_UP,
    PG_CONN_CONNECTING,
    PG_CONN_SETTING_UP,
    PG_CONN_READY,
    PG_CONN_FAILED, /* to be reported by the timer */
    PG_CONN_CLOSED
};

enum pg_entry_kind {
    PG_ENTRY_SETUP,
    PG_ENTRY_SETUP_OPTIONAL, /* a setting older servers lack */
    PG_ENTRY_PREPARE,
    PG_ENTRY_QUERY,
    PG_ENTRY_SYNC
};

struct pg_entry {
    enum pg_entry_kind kind;
    bool answered; /* its result was given; the NULL behind it is awaited */
    const struct pg_statement *statement;
    void *tag;
};

struct pg_known {
    const struct pg_statement *statement;
    enum pg_prepared state;
};

struct pg_conn {
    struct loop *loop;
    struct pg_target *target;
    struct pg_limits limits;
    const struct pg_owner *owner;
    void *arg;
    enum pg_conn_state state;
    PGconn *pg;
    struct event input, output; /* input also watches the socket while connecting */
    bool watching, output_pending;
    struct loop_timer *timer;
    uint64_t deadline_ns, progress_ns;
    struct pg_entry ring[PG_RING];
    unsigned head, count, batches;
    bool batch_open;
    struct pg_known known[PG_MAX_STATEMENTS];
    unsigned known_count;
    struct pg_error error;
};

/* pg_connect.c */
void pg_set_error(struct pg_conn *c, bool timeout, const char *text);
void pg_read_error(struct pg_error *e, const char *message);
void pg_lose(struct pg_conn *c);          /* from inside the loop: closes and tells the owner */
void pg_lose_by_libpq(struct pg_conn *c); /* the same, with libpq's words */
void pg_fail_later(struct pg_conn *c);    /* from inside a call of the owner: told a turn later */

/* pg.c */
bool pg_push(struct pg_conn *c, enum pg_entry_kind kind, const struct pg_statement *s, void *tag);
void pg_add_sync(struct pg_conn *c);
void pg_on_input(evutil_socket_t fd, short what, void *arg);
void pg_on_output(evutil_socket_t fd, short what, void *arg);

#endif
