/*
 * sync_db: see the header. libpq is used asynchronously, so that nothing here waits longer than one poll.
 */
#include "proc/sync_db.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/str.h"
#include "net/pg_target.h"

#define POLL_MS   200
#define LOOKUP_MS 10

/* SQLSTATE to the reason an operator acts on. */
static enum sb_reason reason_of(const char *sqlstate)
{
    if (strcmp(sqlstate, "53100") == 0)
        return SB_REASON_DISK;
    if (strcmp(sqlstate, "53200") == 0)
        return SB_REASON_MEMORY;
    if (strcmp(sqlstate, "57014") == 0 || strcmp(sqlstate, "55P03") == 0)
        return SB_REASON_TIMEOUT;
    return SB_REASON_DATABASE;
}

/* The first line of a server's message, without its "ERROR:  ". */
static struct str first_line(const char *message)
{
    struct str rest = str_from(message != NULL ? message : ""), line = STR_NONE;

    str_split(&rest, '\n', &line);
    if (str_starts(line, "ERROR:"))
        line = (struct str){ line.p + 6, line.len - 6 };
    return str_trim(line);
}

static enum sync_db_status fail(struct sync_db *db, const char *what, const PGresult *result)
{
    const char *state = result != NULL ? PQresultErrorField(result, PG_DIAG_SQLSTATE) : NULL;
    const char *primary = result != NULL ? PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY) : NULL;
    struct str line = first_line(primary != NULL ? primary : PQerrorMessage(db->connection));

    str_copy(db->sqlstate, sizeof(db->sqlstate), str_from(state != NULL ? state : ""));
    db->reason = reason_of(db->sqlstate);
    snprintf(db->error, sizeof(db->error), "PostgreSQL: %s: %.*s%s%s%s", what, (int)line.len, line.p,
             state != NULL ? " (" : "", state != NULL ? state : "", state != NULL ? ")" : "");
    return SYNC_DB_ERROR;
}

/*
 * Drops the connection: its state is not worth saving. The server notices within a second and ends the statement
 * (client_connection_check_interval); PQcancel would wait for a server that may hang.
 */
static enum sync_db_status stopped(struct sync_db *db, const char *what)
{
    snprintf(db->error, sizeof(db->error), "stopped while %s", what);
    db->reason = SB_REASON_ABORTED;
    db->sqlstate[0] = '\0';
    sync_db_close(db);
    return SYNC_DB_STOPPED;
}

/* Waits until the socket is readable (or writable too); false: the beat said stop. */
static bool wait_socket(struct sync_db *db, bool for_write)
{
    struct pollfd p = { .fd = PQsocket(db->connection), .events = (short)(POLLIN | (for_write ? POLLOUT : 0)) };

    if (!db->beat(db->arg))
        return false;
    poll(&p, 1, POLL_MS);
    return true;
}

static enum sync_db_status flush(struct sync_db *db, const char *what)
{
    int pending;

    while ((pending = PQflush(db->connection)) > 0) {
        if (!wait_socket(db, true))
            return stopped(db, what);
        if (!PQconsumeInput(db->connection))
            return fail(db, what, NULL);
    }
    return pending < 0 ? fail(db, what, NULL) : SYNC_DB_OK;
}

/* The next result, NULL at the end of the statement. */
static enum sync_db_status next_result(struct sync_db *db, const char *what, PGresult **result)
{
    while (PQisBusy(db->connection)) {
        if (!wait_socket(db, false))
            return stopped(db, what);
        if (!PQconsumeInput(db->connection))
            return fail(db, what, NULL);
    }
    *result = PQgetResult(db->connection);
    return SYNC_DB_OK;
}

static bool good(const PGresult *r)
{
    ExecStatusType s = PQresultStatus(r);

    return s == PGRES_COMMAND_OK || s == PGRES_TUPLES_OK || s == PGRES_COPY_IN || s == PGRES_COPY_OUT ||
           s == PGRES_EMPTY_QUERY;
}

/* Takes all results; the last one that succeeded is kept in *kept unless NULL. Stops at a COPY. */
static enum sync_db_status finish(struct sync_db *db, const char *what, PGresult **kept)
{
    enum sync_db_status outcome = SYNC_DB_OK, s;
    PGresult *result = NULL;

    while ((s = next_result(db, what, &result)) == SYNC_DB_OK && result != NULL) {
        ExecStatusType status = PQresultStatus(result);
        if (!good(result) && outcome == SYNC_DB_OK)
            outcome = fail(db, what, result);
        if (kept != NULL && good(result)) {
            PQclear(*kept);
            *kept = result;
        } else {
            PQclear(result);
        }
        if (status == PGRES_COPY_IN || status == PGRES_COPY_OUT)
            break;
    }
    return s != SYNC_DB_OK ? s : outcome;
}

static enum sync_db_status closed(struct sync_db *db, const char *what)
{
    db->reason = SB_REASON_DATABASE;
    db->sqlstate[0] = '\0';
    snprintf(db->error, sizeof(db->error), "PostgreSQL: %s: not connected", what);
    return SYNC_DB_ERROR;
}

static void drop_notice(void *arg, const char *message)
{
    (void)arg;
    (void)message;
}

static enum sync_db_status refused(struct sync_db *db, const char *why)
{
    db->reason = SB_REASON_DATABASE;
    db->sqlstate[0] = '\0';
    snprintf(db->error, sizeof(db->error), "PostgreSQL: connecting: %s", why);
    sync_db_close(db);
    return SYNC_DB_ERROR;
}

/* Finds the addresses; the C library's threads do it, we beat. */
static enum sync_db_status look_up(struct sync_db *db, struct pg_target *target, uint64_t end)
{
    enum pg_lookup state;

    pg_target_lookup(target);
    while ((state = pg_target_state(target)) == PG_LOOKUP_RUNNING && clock_mono_ns() < end) {
        if (!db->beat(db->arg))
            return stopped(db, "looking up the database host");
        poll(NULL, 0, LOOKUP_MS);
    }
    if (state == PG_LOOKUP_RUNNING)
        return refused(db, "the host name was not resolved in time");
    return state == PG_LOOKUP_FAILED ? refused(db, pg_target_error(target)) : SYNC_DB_OK;
}

/* Runs the handshake of a connection just begun. */
static enum sync_db_status shake_hands(struct sync_db *db, uint64_t end)
{
    PostgresPollingStatusType step = PGRES_POLLING_WRITING;

    if (db->connection == NULL)
        return refused(db, "out of memory");
    if (PQstatus(db->connection) == CONNECTION_BAD)
        step = PGRES_POLLING_FAILED;
    while (step != PGRES_POLLING_OK && step != PGRES_POLLING_FAILED) {
        struct pollfd p = { .fd = PQsocket(db->connection),
                            .events = (short)(step == PGRES_POLLING_READING ? POLLIN : POLLOUT) };
        if (!db->beat(db->arg))
            return stopped(db, "connecting");
        if (clock_mono_ns() >= end)
            return refused(db, "no answer in time (DB_CONNECT_TIMEOUT)");
        if (poll(&p, 1, POLL_MS) > 0)
            step = PQconnectPoll(db->connection);
    }
    if (step == PGRES_POLLING_OK && PQsetnonblocking(db->connection, 1) == 0)
        return SYNC_DB_OK;
    fail(db, "connecting", NULL);
    db->reason = SB_REASON_DATABASE;
    sync_db_close(db);
    return SYNC_DB_ERROR;
}

enum sync_db_status sync_db_open(struct sync_db *db, const char *url, int timeout_s, bool (*beat)(void *arg),
                                 void *arg)
{
    uint64_t end = clock_mono_ns() + (uint64_t)timeout_s * (uint64_t)CLOCK_NS_PER_S;
    struct pg_target *target = pg_target_new(url);

    *db = (struct sync_db){ .beat = beat, .arg = arg };
    if (target == NULL)
        return refused(db, "out of memory");
    enum sync_db_status s = look_up(db, target, end);
    if (s == SYNC_DB_OK) {
        db->connection = pg_target_connect(target);
        s = shake_hands(db, end);
    }
    pg_target_free(target);
    if (s != SYNC_DB_OK)
        return s;
    PQsetNoticeProcessor(db->connection, drop_notice, NULL);
    s = sync_db_exec(db, "setting up the session",
                     "SET application_name = 'patrond sync'; SET search_path = public; SET client_encoding = 'UTF8';"
                     "SET datestyle = ISO; SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0;"
                     "SET work_mem = '64MB'");
    /* An engine that lacks the setting ends a stopped statement later, that is all. */
    if (s == SYNC_DB_OK &&
        sync_db_exec(db, "setting up the session", "SET client_connection_check_interval = '1s'") == SYNC_DB_STOPPED)
        s = SYNC_DB_STOPPED;
    if (s == SYNC_DB_ERROR)
        sync_db_close(db);
    return s;
}

void sync_db_close(struct sync_db *db)
{
    PQfinish(db->connection);
    db->connection = NULL;
}

enum sync_db_status sync_db_send(struct sync_db *db, const char *what, const char *sql)
{
    if (db->connection == NULL)
        return closed(db, what);
    return PQsendQuery(db->connection, sql) ? flush(db, what) : fail(db, what, NULL);
}

/* `result` may be NULL: not wanted. */
enum sync_db_status sync_db_receive(struct sync_db *db, const char *what, PGresult **result)
{
    PGresult *kept = NULL;
    enum sync_db_status s = finish(db, what, &kept);

    if (result != NULL)
        *result = s == SYNC_DB_OK ? kept : NULL;
    if (result == NULL || s != SYNC_DB_OK)
        PQclear(kept);
    return s;
}

enum sync_db_status sync_db_exec(struct sync_db *db, const char *what, const char *sql)
{
    enum sync_db_status s = sync_db_send(db, what, sql);

    return s == SYNC_DB_OK ? sync_db_receive(db, what, NULL) : s;
}

enum sync_db_status sync_db_pulse(struct sync_db *db, const char *what)
{
    return db->beat(db->arg) ? SYNC_DB_OK : stopped(db, what);
}

void sync_db_rollback(struct sync_db *db)
{
    struct sync_db before = *db;

    if (db->connection == NULL || PQtransactionStatus(db->connection) == PQTRANS_IDLE)
        return;
    sync_db_receive(db, "rolling back", NULL); /* what was sent and not received */
    sync_db_exec(db, "rolling back", "ROLLBACK");
    before.connection = db->connection;
    *db = before;
}

enum sync_db_status sync_db_query(struct sync_db *db, const char *what, const char *sql, const char *const *values,
                                  int count, PGresult **result)
{
    if (result != NULL)
        *result = NULL;
    if (db->connection == NULL)
        return closed(db, what);
    if (!PQsendQueryParams(db->connection, sql, count, NULL, values, NULL, NULL, 0))
        return fail(db, what, NULL);
    enum sync_db_status s = flush(db, what);
    return s == SYNC_DB_OK ? sync_db_receive(db, what, result) : s;
}

enum sync_db_status sync_db_query_i64(struct sync_db *db, const char *what, const char *sql,
                                      const char *const *values, int count, int64_t missing, int64_t *out)
{
    PGresult *r;
    enum sync_db_status s = sync_db_query(db, what, sql, values, count, &r);

    *out = missing;
    if (s != SYNC_DB_OK)
        return s;
    if (PQntuples(r) > 0 && PQnfields(r) > 0 && !PQgetisnull(r, 0, 0) &&
        !str_to_i64(str_from(PQgetvalue(r, 0, 0)), out)) {
        PQclear(r);
        db->reason = SB_REASON_DATABASE;
        snprintf(db->error, sizeof(db->error), "PostgreSQL: %s: the answer is no whole number", what);
        return SYNC_DB_ERROR;
    }
    PQclear(r);
    return SYNC_DB_OK;
}

enum sync_db_status sync_db_copy_begin(struct sync_db *db, const char *what, const char *sql)
{
    return sync_db_exec(db, what, sql);
}

enum sync_db_status sync_db_copy_put(struct sync_db *db, const char *what, const char *data, size_t n)
{
    while (n > 0) {
        size_t piece = n < 65536 ? n : 65536;
        int sent = PQputCopyData(db->connection, data, (int)piece);
        if (sent < 0)
            return fail(db, what, NULL);
        if (sent == 0) { /* the kernel's buffer is full */
            if (!wait_socket(db, true))
                return stopped(db, what);
            if (!PQconsumeInput(db->connection))
                return fail(db, what, NULL);
            if (PQflush(db->connection) < 0)
                return fail(db, what, NULL);
            continue;
        }
        data += piece;
        n -= piece;
    }
    /* libpq keeps what the kernel does not take: wait for it here, so that memory stays bounded. */
    return flush(db, what);
}

enum sync_db_status sync_db_copy_end(struct sync_db *db, const char *what, int64_t *rows)
{
    PGresult *kept = NULL;
    int sent;

    while ((sent = PQputCopyEnd(db->connection, NULL)) == 0)
        if (!wait_socket(db, true))
            return stopped(db, what);
    if (sent < 0)
        return fail(db, what, NULL);
    enum sync_db_status s = flush(db, what);
    if (s == SYNC_DB_OK)
        s = finish(db, what, &kept);
    if (s == SYNC_DB_OK && rows != NULL && !str_to_i64(str_from(PQcmdTuples(kept)), rows))
        *rows = 0;
    PQclear(kept);
    return s;
}

enum sync_db_status sync_db_copy_out(struct sync_db *db, const char *what, const char *sql, sync_db_row_fn fn,
                                     void *arg)
{
    enum sync_db_status s = sync_db_send(db, what, sql);

    return s == SYNC_DB_OK ? sync_db_copy_rows(db, what, fn, arg) : s;
}

enum sync_db_status sync_db_copy_rows(struct sync_db *db, const char *what, sync_db_row_fn fn, void *arg)
{
    enum sync_db_status s = sync_db_receive(db, what, NULL);
    unsigned since_beat = 0;

    while (s == SYNC_DB_OK) {
        char *row;
        int n = PQgetCopyData(db->connection, &row, 1);
        if (n == -1)
            return finish(db, what, NULL);
        if (n < -1)
            return fail(db, what, NULL);
        if (n == 0) {
            if (!wait_socket(db, false))
                return stopped(db, what);
            if (!PQconsumeInput(db->connection))
                return fail(db, what, NULL);
            continue;
        }
        bool go_on = fn(row, (size_t)n, arg);
        PQfreemem(row);
        if (!go_on || (++since_beat % 4096 == 0 && !db->beat(db->arg)))
            return stopped(db, what);
    }
    return s;
}

void sync_db_copy_escape(struct buf *out, struct str text)
{
    static const char letters['\r' + 1] = {
        ['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\v'] = 'v', ['\f'] = 'f', ['\r'] = 'r'
    };

    if (!buf_reserve(out, text.len * 2))
        return;
    char *at = out->data + out->len;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.p[i];
        char letter = c == '\\' ? c : (unsigned char)c < sizeof(letters) ? letters[(unsigned char)c] : '\0';
        if (letter != '\0') {
            *at++ = '\\';
            c = letter;
        }
        *at++ = c;
    }
    out->len = (size_t)(at - out->data);
}
