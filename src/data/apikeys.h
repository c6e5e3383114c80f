/*
 * apikeys: the rows of the table api_keys: making keys, asking for rows, reading and showing them.
 *
 * A key is shown once, by who made it; the table holds its SHA-256 and its first 10 characters.
 */
#ifndef DATA_APIKEYS_H
#define DATA_APIKEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <libpq-fe.h>

#include "base/arena.h"
#include "base/hash.h"
#include "base/str.h"
#include "core/json.h"
#include "data/keyring.h"
#include "data/sql.h"

#define APIKEY_PREFIX       "pk_live_"
#define APIKEY_RANDOM_BYTES 32
#define APIKEY_CHARS        51 /* prefix and 43 of base64url */
#define APIKEY_SCOPES_SIZE  24 /* "read,write,admin" */
#define APIKEY_MAX_NAME     100
#define APIKEY_MAX_DAYS     3650
#define APIKEY_INITIAL_DAYS 365
#define APIKEY_MAX_RATE     1000000
#define APIKEY_MAX_NOTES    500
#define APIKEY_MAX_REASON   200
#define APIKEY_MAX_GRACE_S  2592000

/* A fresh key and what the table holds of it. */
struct apikey_secret {
    char text[APIKEY_CHARS + 1];
    char hash[HASH_SHA256_HEX];
    char prefix[KEYRING_PREFIX_SIZE];
};
bool apikey_make(struct apikey_secret *s); /* false: the kernel gives no randomness */
/* Has it the shape of a key? */
bool apikey_is_well_formed(struct str s);

/* One of "read", "write", "admin"; 0 for any other word. */
unsigned apikey_scope(struct str word);
/* "read,admin"; returns dst. */
char *apikey_scopes_text(char dst[APIKEY_SCOPES_SIZE], unsigned scopes);

/* A row as SQL_KEY_GET and its kin answer it. Texts are the result's and live as long. */
struct apikey {
    int32_t id;
    const char *name, *prefix, *scopes, *status, *created_by, *reason, *notes; /* the last three may be NULL */
    int64_t rate_per_hour;                                                     /* 0: none of its own */
    int64_t created_us, expires_us, last_used_us, revoked_us;                  /* 0: never */
    int64_t uses, rotated_to;                                                  /* rotated_to 0: not */
};
/* False: not such a row, also that without an id (see sql_key_column). */
bool apikey_read(const PGresult *r, int row, struct apikey *k);
/* The key object of CONTRACT 8.5. */
void apikey_write(struct json_writer *w, const struct apikey *k);

/* Everything of SQL_KEYS_ALL. NULL: no memory, or not the columns and values that statement gives. */
struct keyring *apikey_read_keyring(const PGresult *r);

/* What a new key shall be. */
struct apikey_order {
    struct str name, notes; /* notes.p NULL: none */
    unsigned scopes;
    int64_t days, rate_per_hour; /* rate 0: none of its own */
    const char *by;              /* "admin_key", "cli", "key:7" */
};
/* Parameters of SQL_KEY_CREATE; `s` must outlive them, the others are in the arena, which must not be exhausted
 * afterwards. */
void apikey_create_params(const struct apikey_order *o, const struct apikey_secret *s, struct arena *a,
                          const char *values[SQL_KC_PARAMS]);

#endif
