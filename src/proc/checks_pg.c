/*
 * checks_pg: a fresh connection to PostgreSQL and SELECT 1, as a client would come.
 */
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include <libpq-fe.h>

#include "net/pg_target.h"
#include "proc/checks.h"

/* Verbose messages begin "FATAL:  28P01: text"; takes the code out of it. */
static const char *split_sqlstate(const char *message, char sqlstate[6])
{
    const char *code = strstr(message, "FATAL:  ");

    sqlstate[0] = '\0';
    if (code == NULL)
        return message;
    code += strlen("FATAL:  ");
    if (strspn(code, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") != 5 || code[5] != ':')
        return message;
    memcpy(sqlstate, code, 5);
    sqlstate[5] = '\0';
    return code + 7; /* past ": " */
}

static void connect_failed(const struct check_env *env, PGconn *conn, struct check_result *r)
{
    const char *text = split_sqlstate(PQerrorMessage(conn), r->sqlstate);

    if (strcmp(r->sqlstate, "53300") == 0)
        check_down(r, SB_ERROR_REFUSED,
                   "too many connections: max_connections of the server is used up; DB_POOL_SIZE + DB_MAX_OVERFLOW "
                   "here is %lld",
                   (long long)(env->conf->db_pool_size + env->conf->db_max_overflow));
    else if (strncmp(r->sqlstate, "28", 2) == 0 || strstr(text, "no password supplied") != NULL)
        check_down(r, SB_ERROR_AUTH_FAILED, "%s", text);
    else if (strstr(text, "SSL") != NULL || strstr(text, "certificate") != NULL)
        check_down(r, SB_ERROR_TLS, "%s", text);
    else
        check_down(r, SB_ERROR_REFUSED, "%s", text);
}

static bool connected(const struct check_env *env, PGconn *conn, struct check_result *r)
{
    PostgresPollingStatusType want = PGRES_POLLING_WRITING;

    while (want != PGRES_POLLING_OK) {
        if (want == PGRES_POLLING_FAILED || PQsocket(conn) < 0) {
            connect_failed(env, conn, r);
            return false;
        }
        if (!check_wait(PQsocket(conn), want == PGRES_POLLING_READING ? POLLIN : POLLOUT, env->deadline_ns)) {
            check_down(r, SB_ERROR_CONNECT_TIMEOUT, "no connection in time: the server does not answer");
            return false;
        }
        want = PQconnectPoll(conn);
    }
    return true;
}

static void select_one(const struct check_env *env, PGconn *conn, struct check_result *r)
{
    PGresult *result;

    if (!PQsendQuery(conn, "SELECT 1")) {
        check_down(r, SB_ERROR_REFUSED, "%s", PQerrorMessage(conn));
        return;
    }
    while (PQisBusy(conn)) {
        if (!check_wait(PQsocket(conn), POLLIN, env->deadline_ns)) {
            check_down(r, SB_ERROR_QUERY_TIMEOUT, "connected, but SELECT 1 is not answered");
            return;
        }
        if (!PQconsumeInput(conn)) {
            check_down(r, SB_ERROR_REFUSED, "%s", PQerrorMessage(conn));
            return;
        }
    }
    result = PQgetResult(conn);
    if (PQresultStatus(result) == PGRES_TUPLES_OK)
        check_up(r, "PostgreSQL %d answers", PQserverVersion(conn) / 10000);
    else
        check_down(r, SB_ERROR_REFUSED, "%s", PQresultErrorMessage(result));
    PQclear(result);
}

/* libpq's own words would quote what it can't read, and that may be the password. */
static bool url_is_good(const struct check_env *env, struct check_result *r)
{
    struct pg_target *t = pg_target_new(env->conf->database_url);
    bool good = t != NULL && !pg_target_broken(t);

    if (!good)
        check_down(r, SB_ERROR_REFUSED, "%s", t != NULL ? pg_target_error(t) : "out of memory");
    pg_target_free(t);
    return good;
}

void check_postgres_run(const struct check_env *env, struct check_result *r)
{
    if (!url_is_good(env, r))
        return;

    const char *const keys[] = { "dbname", "application_name", NULL };
    const char *const values[] = { env->conf->database_url, "patrond/probe", NULL };
    PGconn *conn = PQconnectStartParams(keys, values, 1);
    const char *host;

    if (conn == NULL) {
        check_down(r, SB_ERROR_REFUSED, "out of memory");
        return;
    }
    PQsetErrorVerbosity(conn, PQERRORS_VERBOSE);
    if (PQstatus(conn) == CONNECTION_BAD)
        connect_failed(env, conn, r);
    else if (connected(env, conn, r))
        select_one(env, conn, r);
    host = PQhost(conn);
    (void)snprintf(r->target, sizeof(r->target), "%s", host != NULL ? host : "");
    PQfinish(conn);
}
