/*
 * pg: libpq driven by the loop.
 *
 * Everything sent leaves an entry in `ring`, in the order in which the server
 * answers: libpq hands out results in that order, a NULL behind each
 * statement's, and one result for each sync. Sending never calls the owner
 * back: a failure there is reported from the timer, a turn later.
 */
#include <stdio.h>
#include <string.h>

#include <event2/event.h>

#include "net/pg_internal.h"

/* ---- sending ---- */

static struct pg_entry *front(struct pg_conn *c)
{
    return &c->ring[c->head % PG_RING];
}

bool pg_push(struct pg_conn *c, enum pg_entry_kind kind, const struct pg_statement *s, void *tag)
{
    if (c->count == PG_RING)
        return false;
    if (c->count == 0)
        c->progress_ns = loop_now_ns(c->loop);
    c->ring[(c->head + c->count) % PG_RING] = (struct pg_entry){ .kind = kind, .statement = s, .tag = tag };
    c->count++;
    return true;
}

static void pop(struct pg_conn *c)
{
    c->head++;
    c->count--;
}

/* False: the connection is broken. */
static bool flush(struct pg_conn *c)
{
    int rc = PQflush(c->pg);
    bool pending = rc == 1;

    if (pending && !c->output_pending)
        event_add(&c->output, NULL);
    else if (!pending && c->output_pending)
        event_del(&c->output);
    c->output_pending = pending;
    return rc >= 0;
}

void pg_add_sync(struct pg_conn *c)
{
    if (!PQpipelineSync(c->pg) || !pg_push(c, PG_ENTRY_SYNC, NULL, NULL) || !flush(c)) {
        pg_fail_later(c);
        return;
    }
    c->batches++;
    c->batch_open = false;
}

void pg_conn_sync(struct pg_conn *c)
{
    if (c->state == PG_CONN_READY && c->batch_open)
        pg_add_sync(c);
}

void pg_conn_ping(struct pg_conn *c)
{
    if (c->state == PG_CONN_READY)
        pg_add_sync(c);
}

static struct pg_known *find_known(const struct pg_conn *c, const struct pg_statement *s)
{
    for (unsigned i = 0; i < c->known_count; i++) {
        if (c->known[i].statement == s)
            return (struct pg_known *)&c->known[i];
    }
    return NULL;
}

enum pg_prepared pg_conn_prepared(const struct pg_conn *c, const struct pg_statement *s)
{
    const struct pg_known *k = find_known(c, s);

    return k == NULL ? PG_PREPARED_NOT : k->state;
}

void pg_conn_prepare(struct pg_conn *c, const struct pg_statement *s, void *tag)
{
    struct pg_known *k = find_known(c, s);

    if (c->state != PG_CONN_READY)
        return;
    if (k == NULL && c->known_count < PG_MAX_STATEMENTS) {
        k = &c->known[c->known_count++];
        k->statement = s;
    }
    if (c->batch_open)
        pg_add_sync(c);
    if (k == NULL || !PQsendPrepare(c->pg, s->name, s->sql, 0, NULL) || !pg_push(c, PG_ENTRY_PREPARE, s, tag)) {
        pg_fail_later(c);
        return;
    }
    k->state = PG_PREPARED_UNDER_WAY;
    pg_add_sync(c);
}

void pg_conn_send(struct pg_conn *c, const struct pg_statement *s, const char *const *values, void *tag)
{
    if (c->state != PG_CONN_READY)
        return;
    if (!PQsendQueryPrepared(c->pg, s->name, s->params, values, NULL, NULL, 0) ||
        !pg_push(c, PG_ENTRY_QUERY, s, tag)) {
        pg_fail_later(c);
        return;
    }
    c->batch_open = true;
}

unsigned pg_conn_batches(const struct pg_conn *c)
{
    return c->batches;
}

uint64_t pg_conn_progress_ns(const struct pg_conn *c)
{
    return c->progress_ns;
}

/* ---- reading ---- */

static bool is_error(const PGresult *r)
{
    ExecStatusType status = PQresultStatus(r);

    return status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK && status != PGRES_EMPTY_QUERY;
}

/* An error that ends the session, or one of libpq itself, which has no severity. */
static bool is_fatal(const PGresult *r)
{
    const char *severity = PQresultErrorField(r, PG_DIAG_SEVERITY_NONLOCALIZED);

    if (PQresultStatus(r) != PGRES_FATAL_ERROR)
        return PQresultStatus(r) != PGRES_PIPELINE_ABORTED;
    return severity == NULL || strcmp(severity, "ERROR") != 0;
}

static void lose_by_result(struct pg_conn *c, const PGresult *r)
{
    const char *state = PQresultErrorField(r, PG_DIAG_SQLSTATE);
    const char *text = PQresultErrorMessage(r);

    c->error = (struct pg_error){ .timeout = false };
    pg_read_error(&c->error, text[0] != '\0' ? text : "the server answered out of order");
    if (state != NULL)
        snprintf(c->error.sqlstate, sizeof c->error.sqlstate, "%.5s", state);
    pg_lose(c);
}

static void give_setup(struct pg_conn *c, const struct pg_entry *e, const PGresult *r)
{
    if (e->kind == PG_ENTRY_SETUP && is_error(r))
        lose_by_result(c, r);
}

static void give_prepared(struct pg_conn *c, const struct pg_entry *e, const PGresult *r)
{
    struct pg_known *k = find_known(c, e->statement);

    k->state = is_error(r) ? PG_PREPARED_NOT : PG_PREPARED;
    c->owner->on_prepared(e->tag, is_error(r) ? r : NULL, c->arg);
}

static void give_query(struct pg_conn *c, const struct pg_entry *e, const PGresult *r)
{
    enum pg_outcome outcome = PG_DONE;

    if (is_error(r))
        outcome = PQresultStatus(r) == PGRES_PIPELINE_ABORTED ? PG_SKIPPED : PG_FAILED;
    c->owner->on_result(e->tag, outcome, r, c->arg);
}

static void give_sync(struct pg_conn *c)
{
    pop(c);
    c->batches--;
    if (c->state == PG_CONN_READY) {
        c->owner->on_synced(c->arg);
        return;
    }
    if (c->count > 0)
        return;
    c->state = PG_CONN_READY;
    loop_timer_clear(c->timer);
    c->owner->on_ready(c->arg);
}

/* One result of the statement in front. The connection may be gone afterwards. */
static void give(struct pg_conn *c, const PGresult *r)
{
    struct pg_entry e = *front(c);

    c->progress_ns = loop_now_ns(c->loop);
    if (e.kind == PG_ENTRY_SYNC ? PQresultStatus(r) != PGRES_PIPELINE_SYNC
                                : e.answered || (is_error(r) && is_fatal(r))) {
        lose_by_result(c, r);
        return;
    }
    front(c)->answered = true;
    if (e.kind == PG_ENTRY_SYNC)
        give_sync(c);
    else if (e.kind == PG_ENTRY_PREPARE)
        give_prepared(c, &e, r);
    else if (e.kind == PG_ENTRY_QUERY)
        give_query(c, &e, r);
    else
        give_setup(c, &e, r);
}

static void drain(struct pg_conn *c)
{
    while (c->state != PG_CONN_CLOSED && c->state != PG_CONN_FAILED && c->count > 0 && !PQisBusy(c->pg)) {
        PGresult *r = PQgetResult(c->pg);

        if (r != NULL) {
            give(c, r);
            PQclear(r);
        } else if (front(c)->answered) {
            pop(c);
        } else {
            pg_set_error(c, false, "the server ended a statement without a result");
            pg_lose(c);
        }
    }
}

void pg_on_input(evutil_socket_t fd, short what, void *arg)
{
    struct pg_conn *c = arg;
    bool alive = PQconsumeInput(c->pg) != 0;

    (void)fd;
    (void)what;
    drain(c); /* what arrived before the end counts */
    if (c->state == PG_CONN_CLOSED || c->state == PG_CONN_FAILED)
        return;
    if (!alive || PQstatus(c->pg) == CONNECTION_BAD)
        pg_lose_by_libpq(c);
}

void pg_on_output(evutil_socket_t fd, short what, void *arg)
{
    struct pg_conn *c = arg;

    (void)fd;
    (void)what;
    c->output_pending = false;
    if (!flush(c))
        pg_lose_by_libpq(c);
}
