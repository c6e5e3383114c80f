/*
 * api_fixture: the application without a server: settings, scoreboard and population in a
 * directory of their own, and an engine that feeds it one request at a time.
 */
#ifndef TESTS_API_FIXTURE_H
#define TESTS_API_FIXTURE_H

#include <stdbool.h>
#include <stddef.h>

#include "api/api.h"
#include "core/json.h"

#define FIXTURE_KEY      "k3y-of-th3-op3rator-9f2c"
#define FIXTURE_ROWS     200
#define FIXTURE_FIRST_ID 1000 /* ids 1000, 1001, … */

struct fixture {
    char dir[32];
    struct conf *conf;
    struct scoreboard *sb;
    struct sb_slot *slot;
    struct api *api;
};

/* `settings`: further lines of the configuration. `version` 0: no population. Aborts on failure. */
void fixture_start(struct fixture *f, const char *settings, uint64_t version);
void fixture_stop(struct fixture *f);
/* Writes a population of that version; `scored`: with churn, segments and the like. */
void fixture_publish(struct fixture *f, uint64_t version, bool scored);
/* The same, unscored, whose last sync ended at that time. */
void fixture_publish_synced(struct fixture *f, uint64_t version, int64_t synced_us);

/* What came back, valid until the next request. */
struct answer {
    int status;
    char headers[8192];
    struct str body;
    bool answered, done;
};

/* An exchange in steps, for answers that come later. */
struct exchange;
struct exchange *exchange_begin(struct fixture *f, const char *request);
/* A request of which no head could be read. */
struct exchange *exchange_refused(struct fixture *f, int status);
const struct answer *exchange_answer(const struct exchange *x);
uint64_t exchange_deadline(const struct exchange *x); /* as the application left it; 1 at first */
void exchange_error(struct exchange *x, int status);  /* the engine refuses */
void exchange_end(struct exchange *x);                /* also of one never answered: the client left */

/* A whole exchange: "GET / HTTP/1.1\nX-API-Key: …\n\nbody" (line ends are made CRLF, Host and Content-Length added).
 */
const struct answer *ask(struct fixture *f, const char *request);
/* With the key: GET of a target, POST of a body. */
const struct answer *get(struct fixture *f, const char *target);
const struct answer *post(struct fixture *f, const char *target, const char *body);

/* Value of a header of the answer, "" if absent. */
const char *answer_header(const struct answer *a, const char *name);
/* The body parsed; kept until the next call. */
const struct json *answer_json(const struct answer *a);
/* Member by path: "error.details.validation_errors.0.field"; NULL if absent. */
const struct json *json_at(const struct json *j, const char *path);
/* Text of that member as written ("null", "true", numbers), "(absent)" if absent. */
const char *json_text(const struct json *j, const char *path);

#endif
