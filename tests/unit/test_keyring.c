/*
 * API keys: making them, the rows of their table, the keyring and its file.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/sys.h"
#include "data/apikeys.h"

static char dir[] = "/tmp/patrond-keys-XXXXXX";
static char path[64];

static int setup(void **state)
{
    (void)state;
    strcpy(dir + sizeof(dir) - 7, "XXXXXX");
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/api-keys", dir);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    (void)unlink(path);
    assert_int_equal(rmdir(dir), 0); /* and nothing else is left in it */
    return 0;
}

static struct keyring_key key_of(int id)
{
    struct keyring_key k = { .id = id, .expires_us = id * 1000, .scopes = KEY_SCOPE_READ, .prefix = "pk_live_xy" };

    hash_sha256(k.hash, &id, sizeof(id));
    return k;
}

static struct keyring *ring_of(uint64_t version, int count)
{
    struct keyring_key *keys = calloc((size_t)count + 1, sizeof(*keys));
    struct keyring *r;

    assert_non_null(keys);
    for (int i = 0; i < count; i++)
        keys[i] = key_of(i + 1);
    r = keyring_new(version, keys, (size_t)count);
    assert_non_null(r);
    free(keys);
    return r;
}

static void test_finding(void **state)
{
    struct keyring *r = ring_of(1, 5000);
    struct keyring_key none = key_of(5001);

    (void)state;
    for (int i = 1; i <= 5000; i++) {
        struct keyring_key k = key_of(i);
        const struct keyring_key *found = keyring_find(r, k.hash);

        assert_non_null(found);
        assert_int_equal(found->id, i);
    }
    assert_null(keyring_find(r, none.hash));
    keyring_free(r);
    r = ring_of(1, 0);
    assert_null(keyring_find(r, none.hash));
    keyring_free(r);
}

static void test_digest_tells_every_change(void **state)
{
    struct keyring_key k = key_of(1);
    struct keyring *a = keyring_new(3, &k, 1), *b = keyring_new(3, &k, 1), *c = keyring_new(4, &k, 1), *d;

    (void)state;
    k.revoked = 1;
    d = keyring_new(3, &k, 1);
    assert_int_equal(a->digest, b->digest);
    assert_int_not_equal(a->digest, c->digest);
    assert_int_not_equal(a->digest, d->digest);
    keyring_free(a);
    keyring_free(b);
    keyring_free(c);
    keyring_free(d);
}

static void test_no_more_than_fit(void **state)
{
    struct keyring *r = ring_of(1, KEYRING_MAX_KEYS + 5);

    (void)state;
    assert_int_equal(r->count, KEYRING_MAX_KEYS);
    keyring_free(r);
}

static void test_file(void **state)
{
    struct keyring *r = ring_of(77, 20), *again;
    struct stat st;
    const char *why;

    (void)state;
    assert_true(keyring_save(r, dir));
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    again = keyring_load(dir, &why);
    assert_non_null(again);
    assert_int_equal(again->version, 77);
    assert_int_equal(again->digest, r->digest);
    assert_int_equal(again->count, 20);
    assert_memory_equal(again->keys, r->keys, 20 * sizeof(r->keys[0]));
    keyring_free(again);
    keyring_free(r);
    r = ring_of(78, 0); /* the last key was removed */
    assert_true(keyring_save(r, dir));
    again = keyring_load(dir, &why);
    assert_non_null(again);
    assert_int_equal(again->count, 0);
    keyring_free(again);
    keyring_free(r);
}

static void test_no_file(void **state)
{
    const char *why;

    (void)state;
    errno = 0;
    assert_null(keyring_load(dir, &why));
    assert_int_equal(errno, ENOENT);
}

/* Whatever byte is lost or changed: no keys rather than wrong ones. */
static void test_damaged_file(void **state)
{
    struct keyring *r = ring_of(77, 3);
    const char *why;
    char *good;
    size_t n;

    (void)state;
    assert_true(keyring_save(r, dir));
    keyring_free(r);
    good = sys_read_file(path, 4096, &n);
    assert_non_null(good);
    for (size_t cut = 0; cut < n; cut++) {
        assert_int_equal(sys_write_file(dir, "api-keys", good, cut, 0600), 0);
        assert_null(keyring_load(dir, &why));
        assert_int_not_equal(errno, ENOENT);
    }
    for (size_t i = 0; i < n; i++) {
        good[i] = (char)(good[i] ^ 0x20);
        assert_int_equal(sys_write_file(dir, "api-keys", good, n, 0600), 0);
        assert_null(keyring_load(dir, &why));
        good[i] = (char)(good[i] ^ 0x20);
    }
    good[n] = 'x'; /* in place of the NUL */
    assert_int_equal(sys_write_file(dir, "api-keys", good, n + 1, 0600), 0);
    assert_null(keyring_load(dir, &why));
    free(good);
}

/* ---- keys and rows ---- */

static void test_made_keys(void **state)
{
    struct apikey_secret a, b;
    char hash[HASH_SHA256_HEX];

    (void)state;
    assert_true(apikey_make(&a) && apikey_make(&b));
    assert_int_equal(strlen(a.text), 51);
    assert_true(apikey_is_well_formed(str_from(a.text)));
    assert_string_not_equal(a.text, b.text);
    hash_sha256_hex(hash, a.text, strlen(a.text));
    assert_string_equal(a.hash, hash);
    assert_int_equal(strlen(a.prefix), 10);
    assert_memory_equal(a.prefix, a.text, 10);
    assert_false(apikey_is_well_formed(str_from("pk_live_")));
    a.text[50] = '=';
    assert_false(apikey_is_well_formed(str_from(a.text)));
    a.text[0] = 's';
    assert_false(apikey_is_well_formed(str_from(a.text)));
}

static void test_scopes(void **state)
{
    char text[APIKEY_SCOPES_SIZE];

    (void)state;
    assert_string_equal(apikey_scopes_text(text, KEY_SCOPE_ALL), "read,write,admin");
    assert_string_equal(apikey_scopes_text(text, KEY_SCOPE_ADMIN | KEY_SCOPE_READ), "read,admin");
    assert_string_equal(apikey_scopes_text(text, 0), "");
    assert_int_equal(apikey_scope(STR_LIT("write")), KEY_SCOPE_WRITE);
    assert_int_equal(apikey_scope(STR_LIT("Write")), 0);
    assert_int_equal(apikey_scope(STR_LIT("")), 0);
}

static PGresult *result_new(int columns)
{
    PGresAttDesc descriptions[SQL_K_COLUMNS] = { { 0 } };
    PGresult *r = PQmakeEmptyPGresult(NULL, PGRES_TUPLES_OK);

    for (int i = 0; i < columns; i++)
        descriptions[i].name = (char *)(uintptr_t) "column";
    assert_int_equal(PQsetResultAttrs(r, columns, descriptions), 1);
    return r;
}

/* A row of texts, NULL for null. */
static void add_row(PGresult *r, const char *const *values)
{
    int row = PQntuples(r);

    for (int i = 0; i < PQnfields(r); i++) {
        char *copy = values[i] != NULL ? strdup(values[i]) : NULL;

        assert_int_equal(PQsetvalue(r, row, i, copy, copy != NULL ? (int)strlen(copy) : -1), 1);
        free(copy);
    }
}

static const char *const whole[SQL_K_COLUMNS] = {
    "7",       "Reports \"x\"",         "pk_live_Qe", "read,admin", "60",
    "revoked", "2025-10-01 12:00:00.5", "admin_key",  "infinity",   "2025-11-03 08:15:00",
    "4711",    "2025-11-04 00:00:00",   "no longer",  "8",          "note",
};
static const char *const bare[SQL_K_COLUMNS] = {
    "9",  "x", "pk_live_ab", "read", NULL, "active", "2025-10-01 12:00:00", NULL, "2026-10-01 12:00:00",
    NULL, "0", NULL,         NULL,   NULL, NULL,
};

static void expect_json(const PGresult *r, const char *json)
{
    struct buf out = { .max_bytes = 4096 };
    struct json_writer w;
    struct apikey k;

    assert_true(apikey_read(r, 0, &k));
    json_writer_init(&w, &out);
    apikey_write(&w, &k);
    assert_string_equal(buf_cstr(&out), json);
    buf_free(&out);
}

static void test_rows_as_objects(void **state)
{
    PGresult *r = result_new(SQL_K_COLUMNS);

    (void)state;
    add_row(r, whole);
    expect_json(
        r, "{\"id\":7,\"name\":\"Reports \\\"x\\\"\",\"key_prefix\":\"pk_live_Qe\",\"scopes\":[\"read\",\"admin\"],"
           "\"rate_limit_per_hour\":60,\"status\":\"revoked\",\"is_active\":false,\"created_at\":"
           "\"2025-10-01T12:00:00Z\",\"created_by\":\"admin_key\",\"expires_at\":\"9999-12-31T00:00:00Z\","
           "\"last_used_at\":\"2025-11-03T08:15:00Z\",\"usage_count\":4711,\"revoked_at\":"
           "\"2025-11-04T00:00:00Z\",\"revocation_reason\":\"no longer\",\"rotated_to\":8,\"notes\":\"note\"}");
    PQclear(r);
    r = result_new(SQL_K_COLUMNS);
    add_row(r, bare);
    expect_json(
        r, "{\"id\":9,\"name\":\"x\",\"key_prefix\":\"pk_live_ab\",\"scopes\":[\"read\"],\"rate_limit_per_hour\":"
           "null,\"status\":\"active\",\"is_active\":true,\"created_at\":\"2025-10-01T12:00:00Z\",\"created_by\":"
           "null,\"expires_at\":\"2026-10-01T12:00:00Z\",\"last_used_at\":null,\"usage_count\":0,\"revoked_at\":"
           "null,\"revocation_reason\":null,\"rotated_to\":null,\"notes\":null}");
    PQclear(r);
}

static void test_what_is_no_row(void **state)
{
    const char *values[SQL_K_COLUMNS];
    PGresult *r = result_new(SQL_K_COLUMNS);
    struct apikey k;

    (void)state;
    assert_false(apikey_read(r, 0, &k));
    memcpy(values, bare, sizeof(values));
    values[SQL_K_ID] = NULL; /* was there, but could not be revoked */
    add_row(r, values);
    assert_false(apikey_read(r, 0, &k));
    values[SQL_K_ID] = "9";
    values[SQL_K_CREATED] = "yesterday";
    add_row(r, values);
    assert_false(apikey_read(r, 1, &k));
    PQclear(r);
}

#define HASH_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define HASH_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb0"

static void test_rows_as_keyring(void **state)
{
    static const char *const rows[][SQL_KA_COLUMNS] = {
        { "12", "3", HASH_A, "pk_live_aa", "read,owner", NULL, "1970-01-01 00:00:01", "f" },
        { "12", "4", HASH_B, "pk_live_bb", "write,admin", "60", "2026-01-01 00:00:00", "t" },
        { "12", "5", "of an older kind", "pk_live_cc", "admin", NULL, "2026-01-01 00:00:00", "f" },
    };
    PGresult *r = result_new(SQL_KA_COLUMNS);
    struct keyring *ring;

    (void)state;
    for (size_t i = 0; i < 3; i++)
        add_row(r, rows[i]);
    ring = apikey_read_keyring(r);
    assert_non_null(ring);
    assert_int_equal(ring->version, 12);
    assert_int_equal(ring->count, 2);
    assert_int_equal(ring->keys[0].id, 3);
    assert_int_equal(ring->keys[0].hash[31], 0xaa);
    assert_int_equal(ring->keys[0].scopes, KEY_SCOPE_READ); /* an unknown scope opens nothing */
    assert_int_equal(ring->keys[0].expires_us, 1000000);
    assert_int_equal(ring->keys[0].revoked, 0);
    assert_int_equal(ring->keys[1].hash[31], 0xb0);
    assert_int_equal(ring->keys[1].scopes, KEY_SCOPE_WRITE | KEY_SCOPE_ADMIN);
    assert_int_equal(ring->keys[1].rate_per_hour, 60);
    assert_int_equal(ring->keys[1].revoked, 1);
    keyring_free(ring);
    PQclear(r);
}

static void test_table_without_keys(void **state)
{
    static const char *const none[SQL_KA_COLUMNS] = { "5", NULL, NULL, NULL, NULL, NULL, NULL, NULL };
    PGresult *r = result_new(SQL_KA_COLUMNS);
    struct keyring *ring;

    (void)state;
    assert_null(apikey_read_keyring(r));
    add_row(r, none);
    ring = apikey_read_keyring(r);
    assert_non_null(ring);
    assert_int_equal(ring->version, 5);
    assert_int_equal(ring->count, 0);
    keyring_free(ring);
    PQclear(r);
}

static void test_statement_reads_what_a_keyring_holds(void **state)
{
    char limit[32];

    (void)state;
    snprintf(limit, sizeof(limit), "LIMIT %d)", KEYRING_MAX_KEYS);
    assert_non_null(strstr(sql_get(SQL_KEYS_ALL)->sql, limit));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_finding),
        cmocka_unit_test(test_digest_tells_every_change),
        cmocka_unit_test(test_no_more_than_fit),
        cmocka_unit_test_setup_teardown(test_file, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_file, setup, teardown),
        cmocka_unit_test_setup_teardown(test_damaged_file, setup, teardown),
        cmocka_unit_test(test_made_keys),
        cmocka_unit_test(test_scopes),
        cmocka_unit_test(test_rows_as_objects),
        cmocka_unit_test(test_what_is_no_row),
        cmocka_unit_test(test_rows_as_keyring),
        cmocka_unit_test(test_table_without_keys),
        cmocka_unit_test(test_statement_reads_what_a_keyring_holds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
