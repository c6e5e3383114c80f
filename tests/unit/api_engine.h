/*
 * api_engine: a stand-in for the HTTP engine that feeds the application one request at a time and keeps its answer.
 */
#ifndef TESTS_API_ENGINE_H
#define TESTS_API_ENGINE_H

#include <stdbool.h>
#include <stddef.h>

#include "api_fixture.h"
#include "core/json.h"

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
