/*
 * IP networks of the settings.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <netinet/in.h>
#include <string.h>

#include "core/cidr.h"

static bool has(const char *list, const char *address)
{
    struct cidr_list l;
    struct ip_address ip;
    struct str bad;

    assert_true(cidr_list_parse(&l, list, &bad));
    assert_true(ip_parse(str_from(address), &ip));
    return cidr_list_has(&l, &ip);
}

static void test_matching(void **state)
{
    (void)state;
    assert_true(has("10.0.0.0/8", "10.255.1.2"));
    assert_false(has("10.0.0.0/8", "11.0.0.1"));
    assert_true(has("192.168.4.0/22", "192.168.7.255"));
    assert_false(has("192.168.4.0/22", "192.168.8.0"));
    assert_true(has(" 127.0.0.1 , ::1", "::1"));
    assert_true(has("127.0.0.1,::1", "127.0.0.1"));
    assert_false(has("", "127.0.0.1"));
    assert_true(has("2001:db8::/33", "2001:db8:7fff::1"));
    assert_false(has("2001:db8::/33", "2001:db8:8000::1"));
    assert_true(has("10.0.0.1/8", "10.9.9.9"));
    assert_true(has("0.0.0.0/0", "8.8.8.8"));
    assert_false(has("0.0.0.0/0", "2001:db8::1"));
}

static void test_mapped_is_v4(void **state)
{
    struct ip_address ip;
    char text[CIDR_TEXT_SIZE];

    (void)state;
    assert_true(has("10.0.0.0/8", "::ffff:10.1.1.1"));
    assert_true(ip_parse(str_from("::ffff:10.1.1.1"), &ip));
    assert_string_equal(ip_format(text, &ip), "10.1.1.1");
}

static void test_refused(void **state)
{
    static const char *const bad[] = { "10.0.0.0/33", "::1/129",   "10.0.0",       "a.b.c.d", "10.0.0.0/",
                                       "10.0.0.0/x",  "fe80::1%1", "10.0.0.0/8/8", "/8",      "10.0.0.0/-1" };
    struct cidr_list l;
    struct str piece;
    struct cidr c;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(cidr_parse(str_from(bad[i]), &c));
    assert_false(cidr_list_parse(&l, "10.0.0.0/8, nonsense, ::1", &piece));
    assert_true(str_eq_lit(piece, "nonsense"));
}

static void test_sockaddr(void **state)
{
    struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000001) };
    struct sockaddr local = { .sa_family = AF_UNIX };
    struct ip_address ip;
    char text[CIDR_TEXT_SIZE];

    (void)state;
    assert_true(ip_from_sockaddr((const struct sockaddr *)&in, &ip));
    assert_string_equal(ip_format(text, &ip), "127.0.0.1");
    assert_false(ip_from_sockaddr(&local, &ip));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_matching),
        cmocka_unit_test(test_mapped_is_v4),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_sockaddr),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
