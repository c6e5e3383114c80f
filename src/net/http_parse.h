/*
 * http_parse: strict HTTP/1.x request heads and chunked bodies. Pure over bytes: no memory, no sockets, no time.
 *
 * Strict means: what two readers could understand differently is refused
 * (RFC 9112, request smuggling): bare LF, bare CR, obs-fold, blanks before a
 * colon, NUL or other control bytes, two Content-Length that differ,
 * Content-Length with Transfer-Encoding, a coding other than chunked, a
 * missing or double Host, an odd version.
 */
#ifndef NET_HTTP_PARSE_H
#define NET_HTTP_PARSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

#define HTTP_MAX_HEADERS      100
#define HTTP_MAX_TARGET_BYTES 8192

enum http_method {
    HTTP_GET,
    HTTP_HEAD,
    HTTP_POST,
    HTTP_PUT,
    HTTP_DELETE,
    HTTP_OPTIONS,
    HTTP_PATCH,
    HTTP_TRACE,
    HTTP_CONNECT,
    HTTP_METHOD_UNKNOWN
};
const char *http_method_name(enum http_method m);

/* Headers the server looks at; each is found without a search. */
enum http_header_id {
    HTTP_H_HOST,
    HTTP_H_CONTENT_LENGTH,
    HTTP_H_TRANSFER_ENCODING,
    HTTP_H_CONNECTION,
    HTTP_H_EXPECT,
    HTTP_H_CONTENT_TYPE,
    HTTP_H_CONTENT_ENCODING,
    HTTP_H_ACCEPT,
    HTTP_H_ACCEPT_ENCODING,
    HTTP_H_IF_NONE_MATCH,
    HTTP_H_ORIGIN,
    HTTP_H_USER_AGENT,
    HTTP_H_AUTHORIZATION,
    HTTP_H_X_API_KEY,
    HTTP_H_X_ADMIN_KEY,
    HTTP_H_X_CORRELATION_ID,
    HTTP_H_X_REQUEST_ID,
    HTTP_H_X_FORWARDED_FOR,
    HTTP_H_X_FORWARDED_PROTO,
    HTTP_H_ACCESS_CONTROL_REQUEST_METHOD,
    HTTP_H_ACCESS_CONTROL_REQUEST_HEADERS,
    HTTP_H_MCP_PROTOCOL_VERSION,
    HTTP_H_MCP_SESSION_ID,
    HTTP_H_MCP_METHOD,
    HTTP_H_MCP_NAME,
    HTTP_H_LAST_EVENT_ID,
    HTTP_H_KNOWN,
    HTTP_H_OTHER = HTTP_H_KNOWN
};

struct http_header {
    struct str name, value; /* value without blanks around it */
};

/* A parsed head; all slices point into the bytes given. */
struct http_head {
    enum http_method method;
    int minor;                                   /* 0 or 1 */
    struct str method_name, target, path, query; /* path still percent-encoded; query without '?' */
    struct http_header headers[HTTP_MAX_HEADERS];
    unsigned header_count;
    int16_t known[HTTP_H_KNOWN]; /* index into headers of the first one, or -1 */
    bool chunked, has_length, keep_alive, expect_continue;
    uint64_t content_length;
    size_t head_bytes; /* up to and with the empty line */
};

/*
 * Looks for a whole head at the start of data[0..n). Answers 0: head filled;
 * HTTP_PARSE_MORE: not complete yet; else the HTTP status to refuse with (400, 414,
 * 417, 431, 501, 505), after which the connection must be closed. `max_bytes` bounds the head.
 * The verdict depends on the bytes alone, not on how many calls they came in; whatever it is, slices that are set
 * lie in data, and target is set if the request line could be read.
 * Leading empty lines (CRLF) before a request are skipped and counted in head_bytes.
 */
#define HTTP_PARSE_MORE (-1)
int http_parse_head(struct http_head *h, const char *data, size_t n, size_t max_bytes);
/* Value of a known header, STR_NONE if absent. */
struct str http_head_get(const struct http_head *h, enum http_header_id id);

/*
 * Chunked body, decoded in place. Feed data[0..*n) as it comes; decoded bytes are
 * moved to the front of data and their number is put in *decoded; *used is how
 * many input bytes were taken. Trailers are dropped (bounded by HTTP_MAX_TRAILER_BYTES).
 */
#define HTTP_MAX_TRAILER_BYTES 8192
struct http_chunked {
    uint8_t state;
    uint8_t digits;
    uint16_t extension_bytes;
    uint32_t trailer_bytes;
    uint64_t left;
};
void http_chunked_init(struct http_chunked *c);
/* 0: the body is complete; HTTP_PARSE_MORE; or 400. */
int http_chunked_feed(struct http_chunked *c, char *data, size_t n, size_t *used, size_t *decoded);

/* Percent-decodes into dst (size bytes, NUL added); false on a bad escape, a NUL, invalid UTF-8 or too long. `plus`:
 * '+' is a blank. */
bool http_percent_decode(char *dst, size_t size, struct str s, bool plus, size_t *len);
/* The last parameter of that name in a query string, still encoded. False if absent. `a` alone counts as `a=`. */
bool http_query_get(struct str query, const char *name, struct str *raw);

#endif
