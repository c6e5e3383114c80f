/*
 * apikeys: see the header.
 */
#include "data/apikeys.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/rng.h"

_Static_assert(APIKEY_CHARS == sizeof(APIKEY_PREFIX) - 1 + (APIKEY_RANDOM_BYTES * 4 + 2) / 3,
               "as base64url makes it");

static const struct {
    const char *word;
    unsigned scope;
} scopes[] = { { "read", KEY_SCOPE_READ }, { "write", KEY_SCOPE_WRITE }, { "admin", KEY_SCOPE_ADMIN } };
#define SCOPES (sizeof(scopes) / sizeof(scopes[0]))

bool apikey_make(struct apikey_secret *s)
{
    uint8_t random[APIKEY_RANDOM_BYTES];
    const size_t prefix = sizeof(APIKEY_PREFIX) - 1;

    if (!rng_secret(random, sizeof(random)))
        return false;
    memcpy(s->text, APIKEY_PREFIX, prefix);
    (void)str_base64url(s->text + prefix, random, sizeof(random));
    hash_sha256_hex(s->hash, s->text, APIKEY_CHARS);
    (void)str_copy(s->prefix, sizeof(s->prefix), (struct str){ s->text, KEYRING_PREFIX_SIZE - 1 });
    return true;
}

static bool is_base64url(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

bool apikey_is_well_formed(struct str s)
{
    if (!str_starts(s, APIKEY_PREFIX) || s.len != APIKEY_CHARS)
        return false;
    for (size_t i = sizeof(APIKEY_PREFIX) - 1; i < s.len; i++) {
        if (!is_base64url(s.p[i]))
            return false;
    }
    return true;
}

unsigned apikey_scope(struct str word)
{
    for (size_t i = 0; i < SCOPES; i++) {
        if (str_eq_lit(word, scopes[i].word))
            return scopes[i].scope;
    }
    return 0;
}

char *apikey_scopes_text(char dst[APIKEY_SCOPES_SIZE], unsigned set)
{
    size_t n = 0;

    dst[0] = '\0';
    for (size_t i = 0; i < SCOPES; i++) {
        if (set & scopes[i].scope)
            n += (size_t)snprintf(dst + n, APIKEY_SCOPES_SIZE - n, "%s%s", n > 0 ? "," : "", scopes[i].word);
    }
    return dst;
}

/* ---- reading ---- */

static struct str field(const PGresult *r, int row, int column)
{
    return (struct str){ PQgetvalue(r, row, column), (size_t)PQgetlength(r, row, column) };
}

static const char *text_or_null(const PGresult *r, int row, int column)
{
    return PQgetisnull(r, row, column) ? NULL : PQgetvalue(r, row, column);
}

/* Null reads as 0. */
static bool read_number(const PGresult *r, int row, int column, int64_t *v)
{
    *v = 0;
    return PQgetisnull(r, row, column) || str_to_i64(field(r, row, column), v);
}

/* Null reads as 0, infinity as the end of the calendar. */
static bool read_time(const PGresult *r, int row, int column, int64_t *us)
{
    struct str text = field(r, row, column);

    *us = 0;
    if (str_eq_lit(text, "infinity"))
        text = STR_LIT("9999-12-31");
    return PQgetisnull(r, row, column) || clock_parse_time(text, us);
}

static bool read_id(const PGresult *r, int row, int column, int32_t *id)
{
    int64_t v;

    if (!read_number(r, row, column, &v) || v < 1 || v > INT32_MAX)
        return false;
    *id = (int32_t)v;
    return true;
}

bool apikey_read(const PGresult *r, int row, struct apikey *k)
{
    if (PQnfields(r) != SQL_K_COLUMNS || row >= PQntuples(r) || !read_id(r, row, SQL_K_ID, &k->id))
        return false;
    k->name = PQgetvalue(r, row, SQL_K_NAME);
    k->prefix = PQgetvalue(r, row, SQL_K_PREFIX);
    k->scopes = PQgetvalue(r, row, SQL_K_SCOPES);
    k->status = PQgetvalue(r, row, SQL_K_STATUS);
    k->created_by = text_or_null(r, row, SQL_K_CREATED_BY);
    k->reason = text_or_null(r, row, SQL_K_REASON);
    k->notes = text_or_null(r, row, SQL_K_NOTES);
    return read_number(r, row, SQL_K_RATE, &k->rate_per_hour) && read_time(r, row, SQL_K_CREATED, &k->created_us) &&
           read_time(r, row, SQL_K_EXPIRES, &k->expires_us) && read_time(r, row, SQL_K_LAST_USED, &k->last_used_us) &&
           read_number(r, row, SQL_K_USES, &k->uses) && read_time(r, row, SQL_K_REVOKED, &k->revoked_us) &&
           read_number(r, row, SQL_K_ROTATED_TO, &k->rotated_to);
}

static uint8_t read_scopes(struct str list)
{
    struct str word;
    unsigned all = 0;

    while (str_split(&list, ',', &word))
        all |= apikey_scope(word); /* a word this program does not know opens nothing */
    return (uint8_t)all;
}

static bool read_hash(struct str hex, uint8_t hash[HASH_SHA256_BYTES])
{
    static const char digits[] = "0123456789abcdef";

    if (hex.len != HASH_SHA256_HEX - 1)
        return false;
    for (size_t i = 0; i < hex.len; i++) {
        const char *digit = hex.p[i] != '\0' ? strchr(digits, hex.p[i]) : NULL;

        if (digit == NULL)
            return false;
        hash[i / 2] = (uint8_t)(hash[i / 2] << 4 | (digit - digits));
    }
    return true;
}

/* False for a row that can't be a key of ours, made by hand say: it opens nothing. */
static bool read_key(const PGresult *r, int row, struct keyring_key *k)
{
    int64_t rate;

    *k = (struct keyring_key){ 0 };
    if (!read_id(r, row, SQL_KA_ID, &k->id) || !read_hash(field(r, row, SQL_KA_HASH), k->hash) ||
        !read_number(r, row, SQL_KA_RATE, &rate) || rate < 0 || rate > INT32_MAX ||
        !read_time(r, row, SQL_KA_EXPIRES, &k->expires_us))
        return false;
    k->rate_per_hour = (int32_t)rate;
    k->revoked = PQgetvalue(r, row, SQL_KA_REVOKED)[0] != 'f';
    (void)str_copy(k->prefix, sizeof(k->prefix), field(r, row, SQL_KA_PREFIX));
    k->scopes = read_scopes(field(r, row, SQL_KA_SCOPES));
    return true;
}

struct keyring *apikey_read_keyring(const PGresult *r)
{
    int rows = PQntuples(r);
    struct keyring_key *keys;
    struct keyring *ring;
    int64_t version;
    size_t n = 0;

    if (PQnfields(r) != SQL_KA_COLUMNS || rows < 1 || rows > KEYRING_MAX_KEYS ||
        !read_number(r, 0, SQL_KA_VERSION, &version))
        return NULL;
    keys = calloc((size_t)rows, sizeof(*keys));
    if (keys == NULL)
        return NULL;
    for (int i = 0; i < rows; i++)
        n += read_key(r, i, &keys[n]);
    ring = keyring_new((uint64_t)version, keys, n);
    free(keys);
    return ring;
}

/* ---- showing ---- */

static void write_scopes(struct json_writer *w, const char *list)
{
    struct str rest = str_from(list), word;

    json_key(w, "scopes");
    json_array_begin(w);
    while (str_split(&rest, ',', &word)) {
        if (word.len > 0)
            json_str(w, word);
    }
    json_array_end(w);
}

static void write_positive(struct json_writer *w, const char *key, int64_t v)
{
    if (v > 0)
        json_kv_int(w, key, v);
    else
        json_kv_null(w, key);
}

void apikey_write(struct json_writer *w, const struct apikey *k)
{
    json_object_begin(w);
    json_kv_int(w, "id", k->id);
    json_kv_cstr(w, "name", k->name);
    json_kv_cstr(w, "key_prefix", k->prefix);
    write_scopes(w, k->scopes);
    write_positive(w, "rate_limit_per_hour", k->rate_per_hour);
    json_kv_cstr(w, "status", k->status);
    json_kv_bool(w, "is_active", strcmp(k->status, "active") == 0);
    json_kv_seconds(w, "created_at", k->created_us);
    json_kv_cstr(w, "created_by", k->created_by);
    json_kv_seconds(w, "expires_at", k->expires_us);
    json_kv_seconds(w, "last_used_at", k->last_used_us);
    json_kv_int(w, "usage_count", k->uses);
    json_kv_seconds(w, "revoked_at", k->revoked_us);
    json_kv_cstr(w, "revocation_reason", k->reason);
    write_positive(w, "rotated_to", k->rotated_to);
    json_kv_cstr(w, "notes", k->notes);
    json_object_end(w);
}

/* ---- asking ---- */

void apikey_create_params(const struct apikey_order *o, const struct apikey_secret *s, struct arena *a,
                          const char *values[SQL_KC_PARAMS])
{
    char list[APIKEY_SCOPES_SIZE];

    values[SQL_KC_HASH] = s->hash;
    values[SQL_KC_PREFIX] = s->prefix;
    values[SQL_KC_NAME] = arena_strdup(a, o->name);
    values[SQL_KC_SCOPES] = arena_strdup(a, str_from(apikey_scopes_text(list, o->scopes)));
    values[SQL_KC_RATE] = o->rate_per_hour > 0 ? arena_printf(a, "%lld", (long long)o->rate_per_hour) : NULL;
    values[SQL_KC_BY] = o->by;
    values[SQL_KC_DAYS] = arena_printf(a, "%lld", (long long)o->days);
    values[SQL_KC_NOTES] = o->notes.p != NULL ? arena_strdup(a, o->notes) : NULL;
}
