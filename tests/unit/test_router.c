/*
 * Routing, and addresses to listen on.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "net/listen.h"
#include "net/router.h"

struct route {
    struct router_entry entry;
    int number;
};

static const struct route table[] = {
    { { HTTP_GET, "/" }, 0 },
    { { HTTP_GET, "/customer/{id}" }, 1 },
    { { HTTP_GET, "/customer/random" }, 2 },
    { { HTTP_GET, "/customer/{id}/orders" }, 3 },
    { { HTTP_POST, "/keys" }, 4 },
    { { HTTP_GET, "/keys" }, 5 },
    { { HTTP_DELETE, "/keys/{id}" }, 6 },
    { { HTTP_POST, "/keys/{id}/rotate" }, 7 },
    { { HTTP_GET, "/x/{a}/y/{b}" }, 8 },
    { { HTTP_GET, "/x/a/z" }, 9 },
};

#define BIT(m) (1u << (m))

static void matches(void **state)
{
    static const struct {
        enum http_method method;
        const char *path;
        int index, path_index;
        unsigned methods;
        const char *first, *second;
    } rows[] = {
        { HTTP_GET, "/", 0, 0, BIT(HTTP_GET) | BIT(HTTP_HEAD) | BIT(HTTP_OPTIONS), NULL, NULL },
        { HTTP_HEAD, "/", 0, 0, BIT(HTTP_GET) | BIT(HTTP_HEAD) | BIT(HTTP_OPTIONS), NULL, NULL },
        { HTTP_POST, "/", -1, 0, BIT(HTTP_GET) | BIT(HTTP_HEAD) | BIT(HTTP_OPTIONS), NULL, NULL },
        { HTTP_METHOD_UNKNOWN, "/", -1, 0, BIT(HTTP_GET) | BIT(HTTP_HEAD) | BIT(HTTP_OPTIONS), NULL, NULL },
        { HTTP_GET, "/customer/17", 1, 1, BIT(HTTP_GET) | BIT(HTTP_HEAD) | BIT(HTTP_OPTIONS), "17", NULL },
        { HTTP_GET, "/customer/random", 2, 2, BIT(HTTP_GET) | BIT(HTTP_HEAD) | BIT(HTTP_OPTIONS), NULL, NULL },
        { HTTP_GET, "/customer/randomly", 1, 1, BIT(HTTP_GET) | BIT(HTTP_HEAD) | BIT(HTTP_OPTIONS), "randomly",
          NULL },
        { HTTP_GET, "/customer/random/orders", 3, 3, BIT(HTTP_GET) | BIT(HTTP_HEAD) | BIT(HTTP_OPTIONS), "random",
          NULL },
        { HTTP_GET, "/customer/%2F/orders", 3, 3, BIT(HTTP_GET) | BIT(HTTP_HEAD) | BIT(HTTP_OPTIONS), "%2F", NULL },
        { HTTP_POST, "/keys", 4, 4, BIT(HTTP_POST) | BIT(HTTP_GET) | BIT(HTTP_HEAD) | BIT(HTTP_OPTIONS), NULL, NULL },
        { HTTP_GET, "/keys", 5, 4, BIT(HTTP_POST) | BIT(HTTP_GET) | BIT(HTTP_HEAD) | BIT(HTTP_OPTIONS), NULL, NULL },
        { HTTP_HEAD, "/keys/1", -1, 6, BIT(HTTP_DELETE) | BIT(HTTP_OPTIONS), "1", NULL },
        { HTTP_DELETE, "/keys/1", 6, 6, BIT(HTTP_DELETE) | BIT(HTTP_OPTIONS), "1", NULL },
        { HTTP_POST, "/keys/1/rotate", 7, 7, BIT(HTTP_POST) | BIT(HTTP_OPTIONS), "1", NULL },
        { HTTP_GET, "/x/1/y/2", 8, 8, BIT(HTTP_GET) | BIT(HTTP_HEAD) | BIT(HTTP_OPTIONS), "1", "2" },
        { HTTP_GET, "/x/a/y/2", 8, 8, BIT(HTTP_GET) | BIT(HTTP_HEAD) | BIT(HTTP_OPTIONS), "a", "2" },
        { HTTP_GET, "/x/a/z", 9, 9, BIT(HTTP_GET) | BIT(HTTP_HEAD) | BIT(HTTP_OPTIONS), NULL, NULL },
        { HTTP_GET, "/x/b/z", -1, -1, 0, NULL, NULL },
        { HTTP_GET, "", -1, -1, 0, NULL, NULL },
        { HTTP_OPTIONS, "*", -1, -1, 0, NULL, NULL },
        { HTTP_GET, "//", -1, -1, 0, NULL, NULL },
        { HTTP_GET, "/customer", -1, -1, 0, NULL, NULL },
        { HTTP_GET, "/customer/", -1, -1, 0, NULL, NULL },
        { HTTP_GET, "/customer//orders", -1, -1, 0, NULL, NULL },
        { HTTP_GET, "/customer/1/", -1, -1, 0, NULL, NULL },
        { HTTP_GET, "/customer/1/orders/", -1, -1, 0, NULL, NULL },
        { HTTP_GET, "/Customer/1", -1, -1, 0, NULL, NULL },
        { HTTP_GET, "/keys/", -1, -1, 0, NULL, NULL },
        { HTTP_GET, "customer/1", -1, -1, 0, NULL, NULL },
        { HTTP_GET, "/customer/{id}/x/y/z/a/b/c", -1, -1, 0, NULL, NULL },
    };
    struct router *r = router_new(table, sizeof table / sizeof *table, sizeof *table);

    (void)state;
    assert_non_null(r);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct router_match m;
        unsigned params = rows[i].second != NULL ? 2 : rows[i].first != NULL;

        router_find(r, rows[i].method, str_from(rows[i].path), &m);
        if (m.index != rows[i].index)
            print_error("%s: %d\n", rows[i].path, m.index);
        assert_int_equal(m.index, rows[i].index);
        assert_int_equal(m.path_index, rows[i].path_index);
        assert_int_equal(m.methods, rows[i].methods);
        assert_int_equal(m.param_count, params);
        if (params > 0)
            assert_true(str_eq_lit(m.params[0], rows[i].first));
        if (params > 1)
            assert_true(str_eq_lit(m.params[1], rows[i].second));
    }
    router_free(r);
}

static void bad_templates(void **state)
{
    static const struct router_entry no_slash[] = { { HTTP_GET, "a" } }, empty[] = { { HTTP_GET, "" } },
                                     twice[] = { { HTTP_GET, "/a/{x}" }, { HTTP_GET, "/a/{y}" } },
                                     three[] = { { HTTP_GET, "/{a}/{b}/{c}" } },
                                     unknown[] = { { HTTP_METHOD_UNKNOWN, "/a" } };

    (void)state;
    assert_null(router_new(no_slash, 1, sizeof *no_slash));
    assert_null(router_new(empty, 1, sizeof *empty));
    assert_null(router_new(twice, 2, sizeof *twice));
    assert_null(router_new(three, 1, sizeof *three));
    assert_null(router_new(unknown, 1, sizeof *unknown));
}

static void addresses(void **state)
{
    static const struct {
        const char *text, *formatted; /* NULL: refused */
    } rows[] = {
        { "127.0.0.1:80", "127.0.0.1:80" },
        { "0.0.0.0:8000", "0.0.0.0:8000" },
        { ":8000", "0.0.0.0:8000" },
        { "[::1]:80", "[::1]:80" },
        { "[::]:0", "[::]:0" },
        { "127.0.0.1:65535", "127.0.0.1:65535" },
        { "127.0.0.1:65536", NULL },
        { "127.0.0.1:", NULL },
        { "127.0.0.1", NULL },
        { "127.0.0.1:+80", NULL },
        { "127.0.0.1:80 ", NULL },
        { "127.1:80", NULL },
        { "localhost:80", NULL },
        { "::1:80", NULL },
        { "[::1]", NULL },
        { "[]:80", NULL },
        { "[127.0.0.1]:80", NULL },
        { "", NULL },
        { ":", NULL },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct sockaddr_storage addr;
        socklen_t len;
        char text[LISTEN_ADDRESS_SIZE];
        bool good = listen_parse(rows[i].text, &addr, &len);

        assert_int_equal(good, rows[i].formatted != NULL);
        if (!good)
            continue;
        listen_format(text, (struct sockaddr *)&addr);
        assert_string_equal(text, rows[i].formatted);
    }
}

static void opening(void **state)
{
    struct listen_set set, second;
    char address[LISTEN_ADDRESS_SIZE], again[LISTEN_ADDRESS_SIZE], why[256];
    int plain;

    (void)state;
    assert_true(listen_open(&set, "127.0.0.1:0", 0, why, sizeof why));
    assert_true(listen_address(&set, address));
    assert_string_not_equal(address, "127.0.0.1:0");
    assert_int_equal(listen_fd(&set, 0), listen_fd(&set, 7));

    assert_false(listen_open(&second, address, 0, why, sizeof why));
    assert_non_null(strstr(why, "Address already in use"));
    assert_int_equal(second.count, 0);
    assert_false(listen_open(&second, "nonsense", 0, why, sizeof why));
    assert_non_null(strstr(why, "'nonsense' is no address"));

    /* Taken over from descriptor 3, as systemd hands it on; what is there meanwhile steps aside. */
    plain = dup(3);
    dup2(listen_fd(&set, 0), 3);
    assert_true(listen_open(&second, "ignored", 1, why, sizeof why));
    assert_int_equal(listen_fd(&second, 0), 3);
    assert_true(listen_address(&second, again));
    assert_string_equal(again, address);
    dup2(1, 3);
    assert_false(listen_open(&second, "ignored", 1, why, sizeof why));
    assert_non_null(strstr(why, "descriptor 3"));
    if (plain >= 0) {
        dup2(plain, 3);
        close(plain);
    } else {
        close(3);
    }
    listen_close(&set);
    assert_int_equal(listen_fd(&set, 0), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(matches),
        cmocka_unit_test(bad_templates),
        cmocka_unit_test(addresses),
        cmocka_unit_test(opening),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
