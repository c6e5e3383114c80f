/*
 * params: query parameters and body members, typed and bounded.
 *
 * Every reader records what is wrong and goes on, so one answer names all
 * faults (CONTRACT 5, validation_errors). A missing or null value gives the
 * initial one. Of a repeated query parameter the last one counts. The query must have been checked to decode.
 */
#ifndef API_PARAMS_H
#define API_PARAMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/str.h"
#include "core/json.h"

#define PARAMS_MAX_ERRORS 32

enum params_fault {
    PARAMS_MISSING,
    PARAMS_WRONG_TYPE,
    PARAMS_OUT_OF_RANGE,
    PARAMS_UNKNOWN_FIELD,
    PARAMS_INVALID_VALUE
};
const char *params_fault_name(enum params_fault fault);

struct params_error {
    enum params_fault fault;
    const char *field;   /* "query.months", "body.filters.ltv_min" */
    const char *message; /* "must be between 1 and 60" */
};

struct params {
    struct arena *arena; /* texts of the errors */
    struct str query;
    size_t count; /* of errors, the ones beyond PARAMS_MAX_ERRORS left out */
    struct params_error errors[PARAMS_MAX_ERRORS];
};

void params_init(struct params *p, struct arena *a, struct str query);
void params_fault(struct params *p, enum params_fault fault, const char *where, struct str name, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));

/* Query parameters. An empty value counts as not given. */
struct str params_query_text(struct params *p, const char *name); /* decoded, in the arena; STR_NONE: not given */
int64_t params_query_int(struct params *p, const char *name, int64_t least, int64_t most, int64_t initial);
double params_query_number(struct params *p, const char *name, double least, double most, double initial);
bool params_query_bool(struct params *p, const char *name, bool initial);
int32_t params_query_day(struct params *p, const char *name); /* CLOCK_NO_DAY: not given */

/*
 * Body members. `where` is the prefix of the field ("body", "body.filters").
 * Each answers whether a good value was there.
 */
void params_body_known(struct params *p, const struct json *object, const char *where, const char *const *names);
bool params_body_int(struct params *p, const struct json *object, const char *where, const char *name, int64_t least,
                     int64_t most, int64_t *out);
bool params_body_number(struct params *p, const struct json *object, const char *where, const char *name,
                        double least, double most, double *out);
bool params_body_bool(struct params *p, const struct json *object, const char *where, const char *name, bool *out);
bool params_body_text(struct params *p, const struct json *object, const char *where, const char *name,
                      size_t max_chars, struct str *out);
/* Walks one string or an array of strings: false at a value of another type (recorded). Begin with *item NULL. */
bool params_body_words(struct params *p, const struct json *value, const char *where, struct str name,
                       const struct json **item);

#endif
