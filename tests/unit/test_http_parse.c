/*
 * Request heads: each row is a request and the verdict it must get, both whole and fed byte by byte.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "net/http_parse.h"

#define MAX_HEAD  16384
#define LINE_ROOM 64 /* of a line added to a larger buffer */

/* A literal with its length, so that a NUL may be inside. */
#define BYTES(s)                                                                                                     \
    {                                                                                                                \
        s, sizeof(s) - 1                                                                                             \
    }
#define H "Host: a\r\n"

struct row {
    struct str bytes;
    int status;
};

static int parse_whole(struct http_head *h, struct str bytes, size_t max)
{
    return http_parse_head(h, bytes.p, bytes.len, max);
}

/* Fed a byte more at a time, from memory that ends where the bytes end. */
static int parse_bytewise(struct http_head *h, struct str bytes, size_t max)
{
    int status = HTTP_PARSE_MORE;

    for (size_t n = 1; n <= bytes.len && status == HTTP_PARSE_MORE; n++) {
        char *copy = malloc(n);

        memcpy(copy, bytes.p, n);
        status = http_parse_head(h, copy, n, max);
        free(copy);
    }
    return status;
}

/* In two pieces, cut anywhere. */
static void check_splits(struct str bytes, size_t max, int expected)
{
    struct http_head *h = malloc(sizeof *h);

    for (size_t cut = 1; cut < bytes.len; cut++) {
        int status = http_parse_head(h, bytes.p, cut, max);

        if (status == HTTP_PARSE_MORE)
            status = http_parse_head(h, bytes.p, bytes.len, max);
        assert_int_equal(status, expected);
    }
    free(h);
}

static void check_rows(const struct row *rows, size_t count)
{
    struct http_head *h = malloc(sizeof *h);

    for (size_t i = 0; i < count; i++) {
        int whole = parse_whole(h, rows[i].bytes, MAX_HEAD);

        if (whole != rows[i].status)
            print_error("row %zu: %d instead of %d: %s\n", i, whole, rows[i].status, rows[i].bytes.p);
        assert_int_equal(whole, rows[i].status);
        assert_int_equal(parse_bytewise(h, rows[i].bytes, MAX_HEAD), rows[i].status);
        check_splits(rows[i].bytes, MAX_HEAD, rows[i].status);
    }
    free(h);
}

#define CHECK_ROWS(rows) check_rows(rows, sizeof(rows) / sizeof *(rows))

static void request_lines(void **state)
{
    static const struct row rows[] = {
        { BYTES("GET / HTTP/1.1\r\n" H "\r\n"), 0 },
        { BYTES("GET / HTTP/1.0\r\n\r\n"), 0 },
        { BYTES("\r\n\r\nGET / HTTP/1.1\r\n" H "\r\n"), 0 },
        { BYTES("GET / HTTP/1.1\r\n" H), HTTP_PARSE_MORE },
        { BYTES("\r\n"), HTTP_PARSE_MORE },
        { BYTES("GET /\r\n\r\n"), 400 },
        { BYTES("GET\r\n\r\n"), 400 },
        { BYTES("GET  / HTTP/1.1\r\n" H "\r\n"), 400 },
        { BYTES("GET /  HTTP/1.1\r\n" H "\r\n"), 400 },
        { BYTES("GET / HTTP/1.1 \r\n" H "\r\n"), 400 },
        { BYTES(" GET / HTTP/1.1\r\n" H "\r\n"), 400 },
        { BYTES("GET\t/\tHTTP/1.1\r\n" H "\r\n"), 400 },
        { BYTES("GET /a b HTTP/1.1\r\n" H "\r\n"), 400 },
        { BYTES("GET /\x80 HTTP/1.1\r\n" H "\r\n"), 400 },
        { BYTES("GET /\x7f HTTP/1.1\r\n" H "\r\n"), 400 },
        { BYTES("GET /a\0b HTTP/1.1\r\n" H "\r\n"), 400 },
        { BYTES("GET /a#b HTTP/1.1\r\n" H "\r\n"), 400 },
        { BYTES("GET / HTTP/1.1\n" H "\r\n"), 400 },
        { BYTES("GET /\r HTTP/1.1\r\n" H "\r\n"), 400 },
        { BYTES("\nGET / HTTP/1.1\r\n" H "\r\n"), 400 },
        { BYTES("G\0T / HTTP/1.1\r\n" H "\r\n"), 400 },
        { BYTES("G(T / HTTP/1.1\r\n" H "\r\n"), 400 },
        { BYTES("\x16\x03\x01\x02"), 400 },
        { BYTES("BREW / HTTP/1.1\r\n" H "\r\n"), 501 },
        { BYTES("get / HTTP/1.1\r\n" H "\r\n"), 501 },
        { BYTES("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), 505 },
        { BYTES("GET / HTTP/1.2\r\n" H "\r\n"), 505 },
        { BYTES("GET / HTTP/0.9\r\n" H "\r\n"), 505 },
        { BYTES("GET / HTTP/3.0\r\n" H "\r\n"), 505 },
        { BYTES("GET / http/1.1\r\n" H "\r\n"), 400 },
        { BYTES("GET / HTTP/1.11\r\n" H "\r\n"), 400 },
        { BYTES("GET / HTTP/11.1\r\n" H "\r\n"), 400 },
        { BYTES("GET / HTTP/1\r\n" H "\r\n"), 400 },
        { BYTES("GET / HTTP/+1.1\r\n" H "\r\n"), 400 },
        { BYTES("GET / HTTP/1.1\0\r\n" H "\r\n"), 400 },
    };

    (void)state;
    CHECK_ROWS(rows);
}

static void targets(void **state)
{
    static const struct row rows[] = {
        { BYTES("OPTIONS * HTTP/1.1\r\n" H "\r\n"), 0 },
        { BYTES("GET * HTTP/1.1\r\n" H "\r\n"), 400 },
        { BYTES("OPTIONS ** HTTP/1.1\r\n" H "\r\n"), 400 },
        { BYTES("CONNECT a:443 HTTP/1.1\r\n" H "\r\n"), 0 },
        { BYTES("CONNECT /a HTTP/1.1\r\n" H "\r\n"), 400 },
        { BYTES("GET a:443 HTTP/1.1\r\n" H "\r\n"), 400 },
        { BYTES("GET http://a/b HTTP/1.1\r\n" H "\r\n"), 0 },
        { BYTES("GET HTTPS://a/b HTTP/1.1\r\n" H "\r\n"), 0 },
        { BYTES("GET http://a/b HTTP/1.1\r\n\r\n"), 400 },
        { BYTES("GET http:///b HTTP/1.1\r\n" H "\r\n"), 400 },
        { BYTES("GET http:/b HTTP/1.1\r\n" H "\r\n"), 400 },
        { BYTES("GET http://u@a/b HTTP/1.1\r\n" H "\r\n"), 400 },
        { BYTES("GET http://:80/b HTTP/1.1\r\n" H "\r\n"), 400 },
        { BYTES("GET ftp://a/b HTTP/1.1\r\n" H "\r\n"), 400 },
        { BYTES("GET httpx://a/b HTTP/1.1\r\n" H "\r\n"), 400 },
        { BYTES("GET b HTTP/1.1\r\n" H "\r\n"), 400 },
    };

    (void)state;
    CHECK_ROWS(rows);
}

static void fields(void **state)
{
    static const struct row rows[] = {
        { BYTES("GET / HTTP/1.1\r\n" H "X-A:b\r\nX-B:  b c \t\r\nX-C:\r\n\r\n"), 0 },
        { BYTES("GET / HTTP/1.1\r\n" H "X-A:\tb\tc\r\n\r\n"), 0 },
        { BYTES("GET / HTTP/1.1\r\n" H "X-A: \xc3\xa4\r\n\r\n"), 0 },
        { BYTES("GET / HTTP/1.1\r\n" H "X-A : b\r\n\r\n"), 400 },
        { BYTES("GET / HTTP/1.1\r\n" H "X-A\t: b\r\n\r\n"), 400 },
        { BYTES("GET / HTTP/1.1\r\n" H "X A: b\r\n\r\n"), 400 },
        { BYTES("GET / HTTP/1.1\r\n" H ": b\r\n\r\n"), 400 },
        { BYTES("GET / HTTP/1.1\r\n" H "X-A\r\n\r\n"), 400 },
        { BYTES("GET / HTTP/1.1\r\n" H "X-A: b\r\n c\r\n\r\n"), 400 },
        { BYTES("GET / HTTP/1.1\r\n" H "X-A: b\r\n\tc\r\n\r\n"), 400 },
        { BYTES("GET / HTTP/1.1\r\n X-A: b\r\n" H "\r\n"), 400 },
        { BYTES("GET / HTTP/1.1\r\n" H "X-A: b\n\r\n"), 400 },
        { BYTES("GET / HTTP/1.1\r\n" H "X-A: b\r\n\n"), 400 },
        { BYTES("GET / HTTP/1.1\r\n" H "X-A: b\n\n"), 400 },
        { BYTES("GET / HTTP/1.1\r\n" H "X-A: b\rX-B: c\r\n\r\n"), 400 },
        { BYTES("GET / HTTP/1.1\r\n" H "X-A: b\r\r\n\r\n"), 400 },
        { BYTES("GET / HTTP/1.1\r\n" H "X-A: b\0c\r\n\r\n"), 400 },
        { BYTES("GET / HTTP/1.1\r\n" H "X-A: a long value with a \x01 in it\r\n\r\n"), 400 },
        { BYTES("GET / HTTP/1.1\r\n" H "X-A: b\x7f\r\n\r\n"), 400 },
        { BYTES("GET / HTTP/1.1\r\n" H "X-\xc3\xa4: b\r\n\r\n"), 400 },
        { BYTES("GET / HTTP/1.1\r\n" H "X-A(: b\r\n\r\n"), 400 },
        { BYTES("GET / HTTP/1.1\r\n" H "X-A\0: b\r\n\r\n"), 400 },
    };

    (void)state;
    CHECK_ROWS(rows);
}

static void hosts(void **state)
{
    static const struct row rows[] = {
        { BYTES("GET / HTTP/1.1\r\nhOsT: a.example:8000\r\n\r\n"), 0 },
        { BYTES("GET / HTTP/1.1\r\nHost: [::1]:8000\r\n\r\n"), 0 },
        { BYTES("GET / HTTP/1.1\r\n\r\n"), 400 },
        { BYTES("GET / HTTP/1.1\r\nX-Host: a\r\n\r\n"), 400 },
        { BYTES("GET / HTTP/1.1\r\n" H H "\r\n"), 400 },
        { BYTES("GET / HTTP/1.0\r\n" H H "\r\n"), 400 },
        { BYTES("GET / HTTP/1.1\r\nHost:\r\n\r\n"), 400 },
        { BYTES("GET / HTTP/1.1\r\nHost: a b\r\n\r\n"), 400 },
        { BYTES("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"), 400 },
        { BYTES("GET / HTTP/1.1\r\nHost: u@a\r\n\r\n"), 400 },
        { BYTES("GET / HTTP/1.1\r\nHost: a, b\r\n\r\n"), 400 },
        { BYTES("GET / HTTP/1.1\r\nHost: a\tb\r\n\r\n"), 400 },
        { BYTES("GET / HTTP/1.1\r\nHost: \xc3\xa4\r\n\r\n"), 400 },
    };

    (void)state;
    CHECK_ROWS(rows);
}

#define POST(fields) BYTES("POST / HTTP/1.1\r\n" H fields "\r\n")

static void framing(void **state)
{
    static const struct row rows[] = {
        { POST("Content-Length: 5\r\n"), 0 },
        { POST("Content-Length: 5\r\nContent-Length: 5\r\n"), 0 },
        { POST("Content-Length: 999999999999999999\r\n"), 0 },
        { POST("Content-Length: 5\r\nContent-Length: 6\r\n"), 400 },
        { POST("Content-Length: 6\r\nX-A: b\r\ncontent-length: 5\r\n"), 400 },
        { POST("Content-Length: 5, 5\r\n"), 400 },
        { POST("Content-Length: +5\r\n"), 400 },
        { POST("Content-Length: -1\r\n"), 400 },
        { POST("Content-Length: 5 5\r\n"), 400 },
        { POST("Content-Length: 0x5\r\n"), 400 },
        { POST("Content-Length: 5.0\r\n"), 400 },
        { POST("Content-Length:\r\n"), 400 },
        { POST("Content-Length: 1000000000000000000\r\n"), 400 },
        { POST("Content-Length: 18446744073709551621\r\n"), 400 },
        { POST("Transfer-Encoding: chunked\r\n"), 0 },
        { POST("Transfer-Encoding:\tChUnKeD \r\n"), 0 },
        { POST("Transfer-Encoding: xchunked\r\n"), 501 },
        { POST("Transfer-Encoding: gzip, chunked\r\n"), 501 },
        { POST("Transfer-Encoding: chunked, identity\r\n"), 501 },
        { POST("Transfer-Encoding: identity\r\n"), 501 },
        { POST("Transfer-Encoding: \"chunked\"\r\n"), 501 },
        { POST("Transfer-Encoding: chunked;q=1\r\n"), 501 },
        { POST("Transfer-Encoding:\r\n"), 501 },
        { POST("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"), 400 },
        { POST("Transfer-Encoding: chunked\r\nTransfer-Encoding: gzip\r\n"), 400 },
        { POST("Transfer-Encoding: \x0b"
               "chunked\r\n"),
          400 },
        { POST("Transfer-Encoding : chunked\r\n"), 400 },
        { POST("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n"), 400 },
        { POST("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"), 400 },
        { POST("Content-Length: 5\r\nTransfer-Encoding: xchunked\r\n"), 400 },
        { BYTES("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"), 400 },
        { POST("Content-Length: 5\r\nExpect: 100-Continue\r\n"), 0 },
        { POST("Content-Length: 5\r\nExpect: 200-ok\r\n"), 417 },
        { POST("Content-Length: 5\r\nExpect: 100-continue, x\r\n"), 417 },
        { POST("Authorization: a\r\nAuthorization: b\r\n"), 400 },
        { POST("X-API-Key: a\r\nx-api-key: a\r\n"), 400 },
        { POST("Content-Type: a\r\nContent-Type: b\r\n"), 400 },
        { POST("Accept: a\r\nAccept: b\r\n"), 0 },
    };

    (void)state;
    CHECK_ROWS(rows);
}

static void sizes(void **state)
{
    struct http_head *h = malloc(sizeof *h);
    char *bytes = malloc(40000);
    struct str request = { bytes, 0 };
    size_t n;

    (void)state;
    /* A head of exactly the limit passes, one more byte does not. */
    n = (size_t)snprintf(bytes, LINE_ROOM, "GET / HTTP/1.1\r\n" H "X-A: ");
    memset(bytes + n, 'x', MAX_HEAD);
    memcpy(bytes + MAX_HEAD - 4, "\r\n\r\n", 4);
    request.len = MAX_HEAD;
    assert_int_equal(parse_whole(h, request, MAX_HEAD), 0);
    assert_int_equal(h->head_bytes, MAX_HEAD);
    assert_int_equal(parse_whole(h, request, MAX_HEAD - 1), 431);
    assert_int_equal(parse_bytewise(h, request, MAX_HEAD - 1), 431);
    request.len = MAX_HEAD - 1;
    assert_int_equal(parse_whole(h, request, MAX_HEAD), HTTP_PARSE_MORE);

    /* A target of 8 KiB passes, longer ones do not, however much longer. */
    for (size_t length = HTTP_MAX_TARGET_BYTES; length <= 30000; length = length * 2 - 8191) {
        memcpy(bytes, "GET /", 5);
        memset(bytes + 5, 'a', length - 1);
        request.len = 4 + length + (size_t)snprintf(bytes + 4 + length, LINE_ROOM, " HTTP/1.1\r\n" H "\r\n");
        assert_int_equal(parse_whole(h, request, MAX_HEAD), length == HTTP_MAX_TARGET_BYTES ? 0 : 414);
    }
    free(bytes);
    free(h);
}

static void field_count(void **state)
{
    struct http_head *h = malloc(sizeof *h);
    char *bytes = malloc(65536);
    struct str request = { bytes, 0 };

    (void)state;
    for (int count = 99; count <= 2000; count = count < 102 ? count + 1 : 2000) {
        request.len = (size_t)snprintf(bytes, LINE_ROOM, "GET / HTTP/1.1\r\n" H);
        for (int i = 1; i < count; i++)
            request.len += (size_t)snprintf(bytes + request.len, LINE_ROOM, "a%d: b\r\n", i);
        request.len += (size_t)snprintf(bytes + request.len, LINE_ROOM, "\r\n");
        assert_int_equal(parse_whole(h, request, MAX_HEAD), count <= HTTP_MAX_HEADERS ? 0 : 431);
        assert_int_equal(parse_bytewise(h, request, MAX_HEAD), count <= HTTP_MAX_HEADERS ? 0 : 431);
        if (count <= HTTP_MAX_HEADERS)
            assert_int_equal(h->header_count, count);
        if (count == 2000)
            break;
    }
    free(bytes);
    free(h);
}

static void assert_str(struct str s, const char *expected)
{
    if (!str_eq_lit(s, expected))
        print_error("'%.*s' instead of '%s'\n", (int)s.len, s.p, expected);
    assert_true(str_eq_lit(s, expected));
}

static void slices(void **state)
{
    static const char request[] = "\r\nPOST /a/%20b?c=d?e HTTP/1.1\r\nhost:x\r\nCONTENT-length: 12\r\n"
                                  "X-Correlation-ID: \t id 1\t\r\nx-correlation-id: 2\r\nX-Z:\r\n\r\nbody";
    struct http_head *h = malloc(sizeof *h);

    (void)state;
    assert_int_equal(parse_whole(h, (struct str)BYTES(request), MAX_HEAD), 0);
    assert_int_equal(h->head_bytes, sizeof request - 1 - 4);
    assert_int_equal(h->method, HTTP_POST);
    assert_int_equal(h->minor, 1);
    assert_str(h->method_name, "POST");
    assert_str(h->target, "/a/%20b?c=d?e");
    assert_str(h->path, "/a/%20b");
    assert_str(h->query, "c=d?e");
    assert_int_equal(h->header_count, 5);
    assert_true(h->has_length && !h->chunked && h->keep_alive && !h->expect_continue);
    assert_int_equal(h->content_length, 12);
    assert_str(http_head_get(h, HTTP_H_HOST), "x");
    assert_str(http_head_get(h, HTTP_H_X_CORRELATION_ID), "id 1");
    assert_null(http_head_get(h, HTTP_H_ACCEPT).p);
    assert_str(h->headers[4].name, "X-Z");
    assert_int_equal(h->headers[4].value.len, 0);
    free(h);
}

static void forms(void **state)
{
    static const struct {
        struct str bytes;
        const char *path, *query;
    } rows[] = {
        { BYTES("GET http://a.b:80/c/d?e=f HTTP/1.1\r\n" H "\r\n"), "/c/d", "e=f" },
        { BYTES("GET https://a HTTP/1.1\r\n" H "\r\n"), "/", "" },
        { BYTES("GET http://a?q HTTP/1.1\r\n" H "\r\n"), "/", "q" },
        { BYTES("OPTIONS * HTTP/1.1\r\n" H "\r\n"), "*", "" },
        { BYTES("CONNECT a:443 HTTP/1.1\r\n" H "\r\n"), "a:443", "" },
        { BYTES("GET //a?? HTTP/1.1\r\n" H "\r\n"), "//a", "?" },
    };
    struct http_head *h = malloc(sizeof *h);

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(parse_whole(h, rows[i].bytes, MAX_HEAD), 0);
        assert_str(h->path, rows[i].path);
        assert_str(h->query, rows[i].query);
        assert_true(h->path.p >= rows[i].bytes.p && h->path.p < rows[i].bytes.p + rows[i].bytes.len);
    }
    free(h);
}

static void keep_alive(void **state)
{
    static const struct {
        struct str bytes;
        bool keep;
    } rows[] = {
        { BYTES("GET / HTTP/1.1\r\n" H "\r\n"), true },
        { BYTES("GET / HTTP/1.1\r\n" H "Connection: close\r\n\r\n"), false },
        { BYTES("GET / HTTP/1.1\r\n" H "Connection: x, CLOSE ,y\r\n\r\n"), false },
        { BYTES("GET / HTTP/1.1\r\n" H "Connection: keep-alive\r\nConnection: close\r\n\r\n"), false },
        { BYTES("GET / HTTP/1.1\r\n" H "Connection: closed\r\n\r\n"), true },
        { BYTES("GET / HTTP/1.0\r\n\r\n"), false },
        { BYTES("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n"), true },
        { BYTES("GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n"), false },
    };
    struct http_head *h = malloc(sizeof *h);

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(parse_whole(h, rows[i].bytes, MAX_HEAD), 0);
        assert_int_equal(h->keep_alive, rows[i].keep);
    }
    assert_int_equal(parse_whole(h, (struct str)BYTES("POST / HTTP/1.0\r\nExpect: 100-continue\r\n\r\n"), MAX_HEAD),
                     0);
    assert_false(h->expect_continue);
    assert_int_equal(
        parse_whole(h, (struct str)BYTES("POST / HTTP/1.1\r\n" H "Expect: 100-continue\r\n\r\n"), MAX_HEAD), 0);
    assert_true(h->expect_continue);
    free(h);
}

/* Every known name is found in any case, and nothing that merely resembles it. */
static void known_names(void **state)
{
    static const char *const names[HTTP_H_KNOWN] = {
        "Host",
        "Content-Length",
        "Transfer-Encoding",
        "Connection",
        "Expect",
        "Content-Type",
        "Content-Encoding",
        "Accept",
        "Accept-Encoding",
        "If-None-Match",
        "Origin",
        "User-Agent",
        "Authorization",
        "X-API-Key",
        "X-Admin-Key",
        "X-Correlation-ID",
        "X-Request-ID",
        "X-Forwarded-For",
        "X-Forwarded-Proto",
        "Access-Control-Request-Method",
        "Access-Control-Request-Headers",
        "MCP-Protocol-Version",
        "Mcp-Session-Id",
        "Mcp-Method",
        "Mcp-Name",
        "Last-Event-ID",
    };
    static const char *const values[HTTP_H_KNOWN] = { "a", "1", "chunked", "x", "100-continue" };
    struct http_head *h = malloc(sizeof *h);
    char bytes[256];

    (void)state;
    for (int id = 0; id < HTTP_H_KNOWN; id++) {
        const char *value = values[id] != NULL ? values[id] : "v";
        struct str request = { bytes, 0 };
        size_t at;

        request.len = (size_t)snprintf(bytes, sizeof bytes, "GET / HTTP/1.1\r\n%s%s: %s\r\n\r\n",
                                       id == HTTP_H_HOST ? "" : H, names[id], value);
        assert_int_equal(parse_whole(h, request, MAX_HEAD), 0);
        for (int other = 0; other < HTTP_H_KNOWN; other++)
            assert_int_equal(h->known[other] >= 0, other == id || other == HTTP_H_HOST);
        assert_str(http_head_get(h, (enum http_header_id)id), value);
        at = (size_t)(strstr(bytes, names[id]) - bytes) + strlen(names[id]) - 1;
        bytes[at] = 'q';
        parse_whole(h, request, MAX_HEAD);
        assert_true(h->known[id] < 0);
    }
    free(h);
}

/* A refused head still names its request where it can. */
static void refused_heads(void **state)
{
    struct http_head *h = malloc(sizeof *h);

    (void)state;
    assert_int_equal(parse_whole(h, (struct str)POST("X-Correlation-ID: c\r\nX-A : b\r\n"), MAX_HEAD), 400);
    assert_str(h->path, "/");
    assert_str(http_head_get(h, HTTP_H_X_CORRELATION_ID), "c");
    assert_int_equal(
        parse_whole(h, (struct str)BYTES("BREW /pot HTTP/1.1\r\n" H "X-Correlation-ID: c\r\n\r\n"), MAX_HEAD), 501);
    assert_str(h->method_name, "BREW");
    assert_str(http_head_get(h, HTTP_H_X_CORRELATION_ID), "c");
    assert_int_equal(parse_whole(h, (struct str)BYTES("GET b HTTP/1.1\r\n" H "\r\n"), MAX_HEAD), 400);
    assert_null(h->target.p);
    free(h);
}

static void method_names(void **state)
{
    (void)state;
    assert_string_equal(http_method_name(HTTP_GET), "GET");
    assert_string_equal(http_method_name(HTTP_CONNECT), "CONNECT");
    assert_string_equal(http_method_name(HTTP_METHOD_UNKNOWN), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(request_lines), cmocka_unit_test(targets),     cmocka_unit_test(fields),
        cmocka_unit_test(hosts),         cmocka_unit_test(framing),     cmocka_unit_test(sizes),
        cmocka_unit_test(field_count),   cmocka_unit_test(slices),      cmocka_unit_test(forms),
        cmocka_unit_test(keep_alive),    cmocka_unit_test(known_names), cmocka_unit_test(refused_heads),
        cmocka_unit_test(method_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
