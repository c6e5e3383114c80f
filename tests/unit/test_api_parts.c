/*
 * The parts of a request that need no server: credentials, tags, cursors, origins, correlation ids, addresses.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "api/auth.h"
#include "api/client.h"
#include "api/cors.h"
#include "api/cursor.h"
#include "api/etag.h"
#include "api/headers.h"
#include "api/shed.h"

#define ADMIN_KEY "the-right-key-0123456789"
#define API_KEY   "pk_live_abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNO12"

static struct http_head parsed;

/* Parses "GET / HTTP/1.1" with these header lines. */
static const struct http_head *head_of(const char *lines)
{
    static char text[4096];
    int n = snprintf(text, sizeof(text), "GET / HTTP/1.1\r\nHost: x\r\n%s\r\n", lines);

    assert_int_equal(http_parse_head(&parsed, text, (size_t)n, sizeof(text)), 0);
    return &parsed;
}

static bool identify(const char *lines, bool admin_path, enum metric_auth_reason *reason)
{
    struct auth_credential c = auth_credential_find(head_of(lines), admin_path);
    struct keyring *ring = keyring_new(0, NULL, 0);
    struct auth_known known = { ADMIN_KEY, ring, 0 };
    const struct keyring_key *key;
    struct auth_identity id;
    bool good = auth_identify(&known, &c, &id, &key, reason);

    assert_true(good == (id.scopes != 0));
    assert_null(key);
    keyring_free(ring);
    return good;
}

static void test_admin_key_is_found_where_it_may_be(void **state)
{
    enum metric_auth_reason r;

    (void)state;
    assert_true(identify("X-API-Key: " ADMIN_KEY "\r\n", false, &r));
    assert_true(identify("Authorization: Bearer " ADMIN_KEY "\r\n", false, &r));
    assert_true(identify("authorization: bearer " ADMIN_KEY "\r\n", false, &r));
    assert_true(identify("X-Admin-Key: " ADMIN_KEY "\r\n", true, &r));
    assert_true(identify("X-API-Key: " ADMIN_KEY "\r\n", true, &r));
    assert_false(identify("X-Admin-Key: " ADMIN_KEY "\r\n", false, &r));
    assert_int_equal(r, METRIC_AUTH_MISSING);
}

static void test_first_credential_decides(void **state)
{
    enum metric_auth_reason r;

    (void)state;
    assert_false(identify("X-API-Key: wrong\r\nAuthorization: Bearer " ADMIN_KEY "\r\n", false, &r));
    assert_false(identify("X-Admin-Key: wrong\r\nX-API-Key: " ADMIN_KEY "\r\n", true, &r));
    assert_true(identify("X-Admin-Key: wrong\r\nX-API-Key: " ADMIN_KEY "\r\n", false, &r));
}

static void test_reasons(void **state)
{
    enum metric_auth_reason r;

    (void)state;
    assert_false(identify("", false, &r));
    assert_int_equal(r, METRIC_AUTH_MISSING);
    assert_false(identify("X-API-Key: " API_KEY "\r\n", false, &r));
    assert_int_equal(r, METRIC_AUTH_UNKNOWN);
    assert_false(identify("X-API-Key: pk_live_short\r\n", false, &r));
    assert_int_equal(r, METRIC_AUTH_MALFORMED);
    assert_false(identify("Authorization: Basic abc\r\n", false, &r));
    assert_int_equal(r, METRIC_AUTH_MALFORMED);
    assert_false(identify("Authorization: Bearer\r\n", false, &r));
    assert_int_equal(r, METRIC_AUTH_MALFORMED);
    assert_false(identify("X-API-Key: " ADMIN_KEY "x\r\n", false, &r));
    assert_int_equal(r, METRIC_AUTH_UNKNOWN);
}

static void test_empty_admin_key_opens_nothing(void **state)
{
    struct auth_credential c = { .source = AUTH_FROM_QUERY, .value = STR_LIT("") };
    struct keyring *ring = keyring_new(0, NULL, 0);
    struct auth_known known = { "", ring, 0 };
    const struct keyring_key *key;
    struct auth_identity id;
    enum metric_auth_reason r;

    (void)state;
    assert_false(auth_identify(&known, &c, &id, &key, &r));
    assert_int_equal(id.scopes, 0);
    keyring_free(ring);
}

static enum metric_auth_reason reason_of(const struct keyring *ring, const char *text, int64_t now_us)
{
    struct auth_known known = { ADMIN_KEY, ring, now_us };
    struct auth_credential c = { .source = AUTH_FROM_HEADER, .value = str_from(text) };
    enum metric_auth_reason r = METRIC_AUTH_REASONS;
    const struct keyring_key *key;
    struct auth_identity id;

    if (auth_identify(&known, &c, &id, &key, &r)) {
        assert_int_equal(id.key_id, 7);
        assert_int_equal(id.scopes, KEY_SCOPE_READ);
        assert_int_equal(id.rate_per_hour, 60);
        assert_string_equal(id.key_prefix, "pk_live_ab");
        assert_false(id.is_admin_key);
        assert_non_null(key);
    } else {
        assert_int_equal(id.scopes, 0);
        assert_int_equal(id.key_id, 0);
    }
    return r;
}

static void test_api_keys(void **state)
{
    struct keyring_key k = {
        .id = 7, .expires_us = 1000, .rate_per_hour = 60, .scopes = KEY_SCOPE_READ, .prefix = "pk_live_ab"
    };
    struct keyring *ring;

    (void)state;
    hash_sha256(k.hash, API_KEY, strlen(API_KEY));
    ring = keyring_new(1, &k, 1);
    assert_int_equal(reason_of(ring, API_KEY, 999), METRIC_AUTH_REASONS);
    assert_int_equal(reason_of(ring, API_KEY, 1000), METRIC_AUTH_EXPIRED);
    assert_int_equal(reason_of(ring, "pk_live_bbcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNO12", 999),
                     METRIC_AUTH_UNKNOWN);
    keyring_free(ring);
    k.revoked = 1;
    ring = keyring_new(1, &k, 1);
    assert_int_equal(reason_of(ring, API_KEY, 999), METRIC_AUTH_REVOKED);
    keyring_free(ring);
}

static void test_scopes(void **state)
{
    struct auth_identity none = { .scopes = 0 }, read = { .scopes = KEY_SCOPE_READ },
                         write = { .scopes = KEY_SCOPE_WRITE }, admin = { .scopes = KEY_SCOPE_ADMIN };

    (void)state;
    assert_true(auth_allows(&none, AUTH_PUBLIC));
    assert_false(auth_allows(&none, AUTH_READ));
    assert_true(auth_allows(&read, AUTH_READ));
    assert_false(auth_allows(&read, AUTH_ADMIN));
    assert_false(auth_allows(&write, AUTH_READ));
    assert_true(auth_allows(&admin, AUTH_READ));
    assert_true(auth_allows(&admin, AUTH_ADMIN));
}

static void test_little_of_a_key_is_shown(void **state)
{
    char prefix[AUTH_KEY_PREFIX_SIZE];

    (void)state;
    assert_string_equal(auth_key_prefix(prefix, STR_LIT(API_KEY)), "pk_live_ab");
    assert_string_equal(auth_key_prefix(prefix, STR_LIT("sk_live_secret")), "sk_live_se");
    assert_string_equal(auth_key_prefix(prefix, STR_LIT("my secret key")), "my s");
    assert_string_equal(auth_key_prefix(prefix, STR_LIT("ab")), "ab");
}

static struct str tag_of(char text[ETAG_SIZE], uint64_t seed, uint64_t version, const char *path, const char *query)
{
    struct arena a;
    size_t n;

    arena_init(&a, 65536);
    n = etag_format(text, seed, version, str_from(path), str_from(query), &a);
    arena_free(&a);
    return (struct str){ text, n };
}

static void test_etag_depends_on_what_the_answer_does(void **state)
{
    char one[ETAG_SIZE], two[ETAG_SIZE];
    struct str tag = tag_of(one, 7, 1842, "/a/1", "x=1&y=2");

    (void)state;
    assert_int_equal(tag.len, strlen("W/\"1842-0123456789abcdef\""));
    assert_memory_equal(tag.p, "W/\"1842-", 8);
    assert_true(str_eq(tag, tag_of(two, 7, 1842, "/a/1", "y=2&x=1")));
    assert_false(str_eq(tag, tag_of(two, 7, 1843, "/a/1", "x=1&y=2")));
    assert_false(str_eq(tag, tag_of(two, 8, 1842, "/a/1", "x=1&y=2")));
    assert_false(str_eq(tag, tag_of(two, 7, 1842, "/a/2", "x=1&y=2")));
    assert_false(str_eq(tag, tag_of(two, 7, 1842, "/a/1", "x=1&y=3")));
    assert_false(str_eq(tag_of(one, 7, 1, "/a", "x=1&x=2"), tag_of(two, 7, 1, "/a", "x=2&x=1")));
    assert_int_not_equal(etag_seed(1, "1.0.0"), etag_seed(2, "1.0.0"));
    assert_int_not_equal(etag_seed(1, "1.0.0"), etag_seed(1, "1.0.1"));
}

static void test_if_none_match(void **state)
{
    struct str tag = STR_LIT("W/\"1-00\"");

    (void)state;
    assert_true(etag_matches(STR_LIT("W/\"1-00\""), tag));
    assert_true(etag_matches(STR_LIT("\"1-00\""), tag));
    assert_true(etag_matches(STR_LIT("\"x\" , W/\"1-00\""), tag));
    assert_true(etag_matches(STR_LIT(" * "), tag));
    assert_false(etag_matches(STR_LIT("W/\"1-01\""), tag));
    assert_false(etag_matches(STR_LIT("1-00"), tag));
}

static void test_cursor_comes_back(void **state)
{
    struct select_cursor in = { .present = true, .key = -123456.75, .id = 7827249201407 }, out = { .present = false };
    uint8_t key[HASH_SHA256_BYTES], other[HASH_SHA256_BYTES];
    char text[CURSOR_SIZE];
    struct str s;

    (void)state;
    cursor_key(key, ADMIN_KEY);
    cursor_key(other, "another-key-0123456789");
    s = (struct str){ text, cursor_encode(text, key, 42, &in) };
    assert_true(cursor_decode(&out, key, 42, s));
    assert_true(out.present && out.key == in.key && out.id == in.id);
    assert_false(cursor_decode(&out, key, 43, s));
    assert_false(cursor_decode(&out, other, 42, s));
    s.len--;
    assert_false(cursor_decode(&out, key, 42, s));
    assert_false(cursor_decode(&out, key, 42, STR_LIT("")));
}

static void test_every_changed_character_breaks_a_cursor(void **state)
{
    struct select_cursor in = { .present = true, .key = 1, .id = 2 }, out;
    uint8_t key[HASH_SHA256_BYTES];
    char text[CURSOR_SIZE];
    size_t n;

    (void)state;
    cursor_key(key, ADMIN_KEY);
    n = cursor_encode(text, key, 42, &in);
    for (size_t i = 0; i < n; i++) {
        char kept = text[i];

        text[i] = kept == 'A' ? 'B' : 'A';
        assert_false(cursor_decode(&out, key, 42, (struct str){ text, n }));
        text[i] = kept;
    }
}

static void test_origins(void **state)
{
    struct arena a;
    struct cors c;

    (void)state;
    arena_init(&a, 4096);
    assert_true(cors_init(&c, &a, " https://a.example , http://localhost:3000,"));
    assert_true(cors_allows(&c, STR_LIT("https://a.example")));
    assert_true(cors_allows(&c, STR_LIT("http://localhost:3000")));
    assert_false(cors_allows(&c, STR_LIT("http://localhost:300")));
    assert_false(cors_allows(&c, STR_LIT("https://A.example")));
    assert_false(cors_allows(&c, STR_LIT("null")));
    assert_false(cors_allows(&c, STR_LIT("")));
    assert_true(cors_init(&c, &a, "*"));
    assert_true(cors_allows(&c, STR_LIT("https://any.example")));
    assert_false(cors_allows(&c, STR_LIT("")));
    arena_free(&a);
}

static void test_correlation_ids(void **state)
{
    char lines[300];

    (void)state;
    assert_true(str_eq_lit(headers_correlation_id(head_of("X-Correlation-ID: a.B_9:-\r\n")), "a.B_9:-"));
    assert_true(str_eq_lit(headers_correlation_id(head_of("X-Request-ID: r1\r\n")), "r1"));
    assert_true(str_eq_lit(headers_correlation_id(head_of("X-Request-ID: r1\r\nX-Correlation-ID: c1\r\n")), "c1"));
    assert_true(str_eq_lit(headers_correlation_id(head_of("X-Correlation-ID: a b\r\nX-Request-ID: r1\r\n")), "r1"));
    assert_int_equal(headers_correlation_id(head_of("X-Correlation-ID: \"<script>\r\n")).len, 0);
    snprintf(lines, sizeof(lines), "X-Correlation-ID: %0128d\r\n", 0);
    assert_int_equal(headers_correlation_id(head_of(lines)).len, 128);
    snprintf(lines, sizeof(lines), "X-Correlation-ID: %0129d\r\n", 0);
    assert_int_equal(headers_correlation_id(head_of(lines)).len, 0);
}

static const char *client_of(const char *peer, const char *lines)
{
    static char text[CIDR_TEXT_SIZE];
    struct sockaddr_in in = { .sin_family = AF_INET };
    struct http_request r = { .head = head_of(lines) };
    struct cidr_list trusted;
    struct ip_address ip;
    struct str bad;

    assert_true(ip_parse(str_from(peer), &ip));
    memcpy(&in.sin_addr, ip.bytes + 12, 4);
    memcpy(&r.peer, &in, sizeof(in));
    assert_true(cidr_list_parse(&trusted, "10.0.0.0/8", &bad));
    assert_true(client_address(&trusted, &r, &ip));
    return ip_format(text, &ip);
}

static void test_client_behind_proxies(void **state)
{
    (void)state;
    assert_string_equal(client_of("10.0.0.1", ""), "10.0.0.1");
    assert_string_equal(client_of("192.0.2.9", "X-Forwarded-For: 203.0.113.5\r\n"), "192.0.2.9");
    assert_string_equal(client_of("10.0.0.1", "X-Forwarded-For: 203.0.113.5\r\n"), "203.0.113.5");
    assert_string_equal(client_of("10.0.0.1", "X-Forwarded-For: 1.1.1.1, 203.0.113.5, 10.2.2.2\r\n"), "203.0.113.5");
    assert_string_equal(client_of("10.0.0.1", "X-Forwarded-For: 1.1.1.1\r\nX-Forwarded-For: 203.0.113.5\r\n"),
                        "203.0.113.5");
    assert_string_equal(client_of("10.0.0.1", "X-Forwarded-For: 203.0.113.5:4711\r\n"), "203.0.113.5");
    assert_string_equal(client_of("10.0.0.1", "X-Forwarded-For: [2001:db8::1]:80\r\n"), "2001:db8::1");
    assert_string_equal(client_of("10.0.0.1", "X-Forwarded-For: 10.9.9.9, 10.2.2.2\r\n"), "10.9.9.9");
    assert_string_equal(client_of("10.0.0.1", "X-Forwarded-For: 1.1.1.1, rubbish, 10.2.2.2\r\n"), "10.2.2.2");
    assert_string_equal(client_of("10.0.0.1", "X-Forwarded-For: ,,\r\n"), "10.0.0.1");
}

static void test_long_turns_shed_what_comes_late(void **state)
{
    const uint64_t ms = 1000000;
    struct shed s = { 0 };

    (void)state;
    assert_false(shed_wanted(&s, 300 * ms)); /* one costly request is no overload */
    shed_turn_ended(&s, 300 * ms);
    assert_false(shed_wanted(&s, 199 * ms)); /* early in the turn: served */
    assert_true(shed_wanted(&s, 200 * ms));
    shed_turn_ended(&s, 210 * ms);
    assert_true(shed_wanted(&s, 200 * ms));
    shed_turn_ended(&s, 10 * ms);
    assert_false(shed_wanted(&s, 900 * ms));
    assert_true(shed_wanted(&s, 1000 * ms)); /* a flood out of nothing */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_admin_key_is_found_where_it_may_be),
        cmocka_unit_test(test_first_credential_decides),
        cmocka_unit_test(test_reasons),
        cmocka_unit_test(test_empty_admin_key_opens_nothing),
        cmocka_unit_test(test_api_keys),
        cmocka_unit_test(test_scopes),
        cmocka_unit_test(test_little_of_a_key_is_shown),
        cmocka_unit_test(test_etag_depends_on_what_the_answer_does),
        cmocka_unit_test(test_if_none_match),
        cmocka_unit_test(test_long_turns_shed_what_comes_late),
        cmocka_unit_test(test_cursor_comes_back),
        cmocka_unit_test(test_every_changed_character_breaks_a_cursor),
        cmocka_unit_test(test_origins),
        cmocka_unit_test(test_correlation_ids),
        cmocka_unit_test(test_client_behind_proxies),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
