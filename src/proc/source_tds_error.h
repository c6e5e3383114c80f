/*
 * source_tds_error: what each error of SQL Server and of the client library means: is it worth another try, how long
 * to wait, which reason the run ends with, and the words that name cause and remedy. One table. Pure.
 */
#ifndef PROC_SOURCE_TDS_ERROR_H
#define PROC_SOURCE_TDS_ERROR_H

#include <stdbool.h>
#include <stdint.h>

#include "core/metrics.h"
#include "proc/source.h"

enum tds_class {
    TDS_FIX,      /* somebody must change something: reported at once */
    TDS_RETRY,    /* passes by itself */
    TDS_THROTTLED /* passes by itself, sooner when less is asked for at once */
};

/* Numbers of our own, for what no message tells. */
enum {
    TDS_ERROR_INCOMPLETE = -1, /* fewer rows than the server counts, or none counted */
    TDS_ERROR_DOWNGRADE = -2,  /* the session is in clear text */
    TDS_ERROR_DISORDER = -3,   /* rows that do not belong to the page asked for */
    TDS_ERROR_TOO_LARGE = -4,  /* a page that does not fit into memory */
    TDS_ERROR_CLIENT = -5,     /* the client library refuses to work */
    TDS_ERROR_SCHEMA = -6      /* the view is not what it should be */
};

/* The most telling error of an attempt; number 0: none. Texts of the server are kept as they came. */
struct tds_problem {
    int32_t number;
    int severity, state; /* of the server's messages; 0 for the library's */
    bool library;        /* found by the client library, not told by the server */
    bool connecting;     /* it happened before the connection was open */
    char text[512];
};

/* Takes the error if it tells more than the one that is there: the server's own words come first, then what the
 * library saw, then its "connection failed"; of two alike the first one. */
void tds_problem_take(struct tds_problem *p, const struct tds_problem *found);

struct tds_rule {
    int32_t number;
    enum tds_class class;
    enum sb_reason reason; /* SB_REASON_NONE: source_connect while connecting, else source_query */
    unsigned tries;        /* attempts in a row that may fail like this; 0: no limit */
    unsigned least_wait_s; /* before the next attempt */
    unsigned quiet_s;      /* so long it is nothing to report: a database that wakes up */
    const char *words;     /* with {server} {database} {user} {view} {ca_file} {address} {text} */
};

/* Never NULL: a number the table does not know is judged by its severity. */
const struct tds_rule *tds_rule_of(const struct tds_problem *p);

/* What the words are about; none may be NULL. */
struct tds_subject {
    const char *server, *database, *user, *view, *ca_file;
};

/* Reason, health and words of a problem: "Login failed for user 'sync': … (SQL Server error 18456, state 1)". */
void tds_error_describe(struct source_error *err, const struct tds_problem *p, const struct tds_subject *subject);

/* How integration_errors_total counts it. */
enum metric_integration_error tds_error_metric(const struct tds_problem *p);

/* Pause before attempt `failed` + 1: full jitter between 0 and 1 s, 2 s, 4 s … (`unit` in [0,1) chooses), not below
 * the rule's least wait, and never above most_ms. */
unsigned tds_wait_ms(const struct tds_rule *rule, unsigned failed, double unit, unsigned most_ms);

#endif
