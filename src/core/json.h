/*
 * json: reading a bounded JSON text into a tree (yajl), and writing JSON into a buf.
 *
 * Reading: the whole text at once; depth <= JSON_MAX_DEPTH; objects of at most JSON_MAX_MEMBERS; strict UTF-8 also
 * after unescaping; no NUL inside strings; of repeated keys the last one
 * counts; numbers keep their text. Nodes live in the caller's arena.
 */
#ifndef CORE_JSON_H
#define CORE_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/str.h"

#define JSON_MAX_DEPTH   32
#define JSON_MAX_MEMBERS 256 /* of one object: members are looked up one by one */

enum json_type {
    JSON_NULL,
    JSON_BOOL,
    JSON_NUMBER,
    JSON_STRING,
    JSON_ARRAY,
    JSON_OBJECT
};

struct json {
    enum json_type type;
    bool boolean;
    struct str text;    /* string value; number as written */
    struct str key;     /* when a member of an object */
    struct json *first; /* first child of an array or object */
    struct json *next;  /* next sibling */
    size_t count;       /* children */
};

/* NULL on an error, with the reason in *error (a static sentence). */
struct json *json_parse(struct arena *a, struct str text, const char **error);
const struct json *json_get(const struct json *object, const char *key); /* NULL if absent or no object */
bool json_i64(const struct json *n, int64_t *out);                       /* an integer (also 5.0), in range */
bool json_double(const struct json *n, double *out);                     /* finite */

/*
 * Writing. Commas are placed by the writer; the caller nests properly. A key
 * must be plain ASCII without quotes (the program's own words). Failure shows in buf.failed.
 */
struct json_writer {
    struct buf *out;
    bool comma; /* the next value needs one */
};

void json_writer_init(struct json_writer *w, struct buf *out);
void json_object_begin(struct json_writer *w);
void json_object_end(struct json_writer *w);
void json_array_begin(struct json_writer *w);
void json_array_end(struct json_writer *w);
void json_key(struct json_writer *w, const char *key);
void json_null(struct json_writer *w);
void json_bool(struct json_writer *w, bool v);
void json_int(struct json_writer *w, int64_t v);
void json_cents(struct json_writer *w, int64_t cents); /* money */
void json_fixed(struct json_writer *w, double v,
                int decimals);                      /* fractions 4, percents and computed money 2; not finite: null */
void json_str(struct json_writer *w, struct str s); /* escaped; invalid UTF-8 bytes become U+FFFD */
void json_cstr(struct json_writer *w, const char *s);         /* NULL: null */
void json_raw(struct json_writer *w, struct str fragment);    /* a finished JSON value */
void json_value(struct json_writer *w, const struct json *n); /* one that was read, numbers as written */
/* A key and its value in one call. */
void json_kv_null(struct json_writer *w, const char *key);
void json_kv_bool(struct json_writer *w, const char *key, bool v);
void json_kv_int(struct json_writer *w, const char *key, int64_t v);
void json_kv_cents(struct json_writer *w, const char *key, int64_t cents);
void json_kv_fixed(struct json_writer *w, const char *key, double v, int decimals);
void json_kv_str(struct json_writer *w, const char *key, struct str s);
void json_kv_cstr(struct json_writer *w, const char *key, const char *s);
void json_kv_day(struct json_writer *w, const char *key, int32_t day);    /* CLOCK_NO_DAY: null */
void json_kv_seconds(struct json_writer *w, const char *key, int64_t us); /* time, whole seconds; 0: null */
void json_kv_us(struct json_writer *w, const char *key, int64_t us);      /* time with microseconds */
/* Appends the text escaped, without quotes. */
void json_escape(struct buf *out, struct str s);

#endif
