/*
 * http_parse: one pass over a request head, from left to right.
 *
 * Whatever is wrong at one place is told from the bytes up to that place, so
 * the verdict does not depend on how the bytes were cut into packets; what
 * only the whole head can tell (judge) is told last.
 */
#include "net/http_parse.h"

#include <string.h>

#define CONTENT_LENGTH_MAX_DIGITS 18

enum char_class {
    CHAR_TOKEN = 1,  /* of method and field names */
    CHAR_TARGET = 2, /* printable ASCII but blank and '#' */
    CHAR_TEXT = 4,   /* of field values: everything but control bytes, with TAB */
    CHAR_HOST = 8    /* of an authority, loosely */
};

static const uint8_t char_classes[256] = {
    /* clang-format off */
    0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    4, 15, 6, 5, 15, 15, 15, 15, 14, 14, 15, 15, 6, 15, 15, 6,
    15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 14, 14, 6, 14, 6, 6,
    6, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15,
    15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 14, 6, 14, 15, 15,
    15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15,
    15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 14, 15, 14, 15, 0,
    4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4,
    4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4,
    4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4,
    4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4,
    4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4,
    4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4,
    4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4,
    4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4,
    /* clang-format on */
};

static bool is_class(char c, enum char_class class)
{
    return (char_classes[(uint8_t)c] & class) != 0;
}

static bool all_class(struct str s, enum char_class class)
{
    for (size_t i = 0; i < s.len; i++)
        if (!is_class(s.p[i], class))
            return false;
    return true;
}

static const char *const method_names[HTTP_METHOD_UNKNOWN + 1] = {
    [HTTP_GET] = "GET",         [HTTP_HEAD] = "HEAD",       [HTTP_POST] = "POST",   [HTTP_PUT] = "PUT",
    [HTTP_DELETE] = "DELETE",   [HTTP_OPTIONS] = "OPTIONS", [HTTP_PATCH] = "PATCH", [HTTP_TRACE] = "TRACE",
    [HTTP_CONNECT] = "CONNECT", [HTTP_METHOD_UNKNOWN] = "",
};

static const char *const field_names[HTTP_H_KNOWN] = {
    [HTTP_H_HOST] = "host",
    [HTTP_H_CONTENT_LENGTH] = "content-length",
    [HTTP_H_TRANSFER_ENCODING] = "transfer-encoding",
    [HTTP_H_CONNECTION] = "connection",
    [HTTP_H_EXPECT] = "expect",
    [HTTP_H_CONTENT_TYPE] = "content-type",
    [HTTP_H_CONTENT_ENCODING] = "content-encoding",
    [HTTP_H_ACCEPT] = "accept",
    [HTTP_H_ACCEPT_ENCODING] = "accept-encoding",
    [HTTP_H_IF_NONE_MATCH] = "if-none-match",
    [HTTP_H_ORIGIN] = "origin",
    [HTTP_H_USER_AGENT] = "user-agent",
    [HTTP_H_AUTHORIZATION] = "authorization",
    [HTTP_H_X_API_KEY] = "x-api-key",
    [HTTP_H_X_ADMIN_KEY] = "x-admin-key",
    [HTTP_H_X_CORRELATION_ID] = "x-correlation-id",
    [HTTP_H_X_REQUEST_ID] = "x-request-id",
    [HTTP_H_X_FORWARDED_FOR] = "x-forwarded-for",
    [HTTP_H_X_FORWARDED_PROTO] = "x-forwarded-proto",
    [HTTP_H_ACCESS_CONTROL_REQUEST_METHOD] = "access-control-request-method",
    [HTTP_H_ACCESS_CONTROL_REQUEST_HEADERS] = "access-control-request-headers",
    [HTTP_H_MCP_PROTOCOL_VERSION] = "mcp-protocol-version",
    [HTTP_H_MCP_SESSION_ID] = "mcp-session-id",
    [HTTP_H_MCP_METHOD] = "mcp-method",
    [HTTP_H_MCP_NAME] = "mcp-name",
    [HTTP_H_LAST_EVENT_ID] = "last-event-id",
};

/* Fields that must not appear twice: the one who reads the first and the one who reads the last would disagree. */
#define FIELD_BIT(id) (1u << (id))
static const uint32_t single_fields =
    FIELD_BIT(HTTP_H_HOST) | FIELD_BIT(HTTP_H_TRANSFER_ENCODING) | FIELD_BIT(HTTP_H_CONTENT_TYPE) |
    FIELD_BIT(HTTP_H_CONTENT_ENCODING) | FIELD_BIT(HTTP_H_ORIGIN) | FIELD_BIT(HTTP_H_AUTHORIZATION) |
    FIELD_BIT(HTTP_H_X_API_KEY) | FIELD_BIT(HTTP_H_X_ADMIN_KEY) | FIELD_BIT(HTTP_H_MCP_PROTOCOL_VERSION) |
    FIELD_BIT(HTTP_H_MCP_SESSION_ID) | FIELD_BIT(HTTP_H_MCP_METHOD) | FIELD_BIT(HTTP_H_MCP_NAME);

/* A head in work: what is noted on the way and judged at the end. */
struct parse {
    struct http_head *head;
    bool close, keep_alive; /* words of Connection */
    bool odd_coding, odd_expectation;
};

const char *http_method_name(enum http_method m)
{
    return method_names[m <= HTTP_METHOD_UNKNOWN ? m : HTTP_METHOD_UNKNOWN];
}

struct str http_head_get(const struct http_head *h, enum http_header_id id)
{
    return h->known[id] < 0 ? STR_NONE : h->headers[h->known[id]].value;
}

/* `lower` has only letters and '-', where folding by 0x20 is exact for token characters. */
static bool same_name(struct str name, const char *lower)
{
    for (size_t i = 0; i < name.len; i++)
        if ((name.p[i] | 0x20) != lower[i])
            return false;
    return true;
}

/* Length and one character leave a single candidate of the known names. */
static enum http_header_id candidate(struct str name)
{
    char first = (char)(name.p[0] | 0x20);

    switch (name.len) {
    case 4:
        return HTTP_H_HOST;
    case 6:
        return first == 'a' ? HTTP_H_ACCEPT : first == 'e' ? HTTP_H_EXPECT : HTTP_H_ORIGIN;
    case 8:
        return HTTP_H_MCP_NAME;
    case 9:
        return HTTP_H_X_API_KEY;
    case 10:
        return first == 'c' ? HTTP_H_CONNECTION : first == 'u' ? HTTP_H_USER_AGENT : HTTP_H_MCP_METHOD;
    case 11:
        return HTTP_H_X_ADMIN_KEY;
    case 12:
        return first == 'c' ? HTTP_H_CONTENT_TYPE : HTTP_H_X_REQUEST_ID;
    case 13:
        return first == 'i' ? HTTP_H_IF_NONE_MATCH : first == 'a' ? HTTP_H_AUTHORIZATION : HTTP_H_LAST_EVENT_ID;
    case 14:
        return first == 'c' ? HTTP_H_CONTENT_LENGTH : HTTP_H_MCP_SESSION_ID;
    case 15:
        return first == 'a' ? HTTP_H_ACCEPT_ENCODING : HTTP_H_X_FORWARDED_FOR;
    case 16:
        return first == 'c' ? HTTP_H_CONTENT_ENCODING : HTTP_H_X_CORRELATION_ID;
    case 17:
        return first == 't' ? HTTP_H_TRANSFER_ENCODING : HTTP_H_X_FORWARDED_PROTO;
    case 20:
        return HTTP_H_MCP_PROTOCOL_VERSION;
    case 29:
        return HTTP_H_ACCESS_CONTROL_REQUEST_METHOD;
    case 30:
        return HTTP_H_ACCESS_CONTROL_REQUEST_HEADERS;
    default:
        return HTTP_H_OTHER;
    }
}

static enum http_header_id header_id(struct str name)
{
    enum http_header_id id = candidate(name);

    return id != HTTP_H_OTHER && same_name(name, field_names[id]) ? id : HTTP_H_OTHER;
}

static enum http_method method_of(struct str name)
{
    for (int m = 0; m < HTTP_METHOD_UNKNOWN; m++)
        if (str_eq_lit(name, method_names[m]))
            return (enum http_method)m;
    return HTTP_METHOD_UNKNOWN;
}

/* HTTP/1.0 and 1.1 only; anything else that is a version at all is 505. */
static int parse_version(struct http_head *h, struct str version)
{
    const char *v = version.p;

    if (version.len != 8 || memcmp(v, "HTTP/", 5) != 0 || v[6] != '.')
        return 400;
    if (v[5] < '0' || v[5] > '9' || v[7] < '0' || v[7] > '9')
        return 400;
    if (v[5] != '1' || v[7] > '1')
        return 505;
    h->minor = v[7] - '0';
    return 0;
}

/* host[:port] of an absolute or authority form; no user information. */
static bool authority_valid(struct str authority)
{
    return authority.len > 0 && authority.p[0] != ':' && all_class(authority, CHAR_HOST);
}

static void set_path(struct http_head *h, struct str rest)
{
    const char *mark = memchr(rest.p, '?', rest.len);

    h->path = rest;
    if (mark == NULL)
        return;
    h->path.len = (size_t)(mark - rest.p);
    h->query = (struct str){ mark + 1, rest.len - h->path.len - 1 };
}

/* http://authority[/path][?query]; an empty path is "/", for which the slash before the authority serves. */
static bool parse_absolute(struct http_head *h)
{
    struct str rest = h->target;
    size_t scheme, n = 0;

    scheme = rest.len >= 7 && same_name((struct str){ rest.p, 4 }, "http") ? 4 : 0;
    if (scheme != 0 && (rest.p[4] | 0x20) == 's')
        scheme++;
    if (scheme == 0 || rest.len < scheme + 3 || memcmp(rest.p + scheme, "://", 3) != 0)
        return false;
    rest.p += scheme + 3;
    rest.len -= scheme + 3;
    while (n < rest.len && rest.p[n] != '/' && rest.p[n] != '?')
        n++;
    if (!authority_valid((struct str){ rest.p, n }))
        return false;
    set_path(h, (struct str){ rest.p + n, rest.len - n });
    if (h->path.len == 0)
        h->path = (struct str){ rest.p - 1, 1 };
    return true;
}

/* The four forms of RFC 9112 section 3.2. */
static bool parse_target(struct http_head *h)
{
    if (h->method == HTTP_CONNECT) {
        h->path = h->target;
        return authority_valid(h->target);
    }
    if (h->target.p[0] == '/') {
        set_path(h, h->target);
        return true;
    }
    if (h->target.len == 1 && h->target.p[0] == '*') {
        h->path = h->target;
        return h->method == HTTP_OPTIONS;
    }
    return parse_absolute(h);
}

/* The line without its CRLF. An unknown method is judged at the end, so that the answer can name its request. */
static int parse_request_line(struct http_head *h, struct str line)
{
    const char *end = line.p + line.len, *blank, *last;
    struct str target;
    int status;

    blank = memchr(line.p, ' ', line.len);
    last = memrchr(line.p, ' ', line.len);
    if (blank == NULL || last == blank)
        return 400;
    status = parse_version(h, (struct str){ last + 1, (size_t)(end - last - 1) });
    if (status != 0)
        return status;
    h->method_name = (struct str){ line.p, (size_t)(blank - line.p) };
    if (!all_class(h->method_name, CHAR_TOKEN))
        return 400;
    h->method = method_of(h->method_name);
    target = (struct str){ blank + 1, (size_t)(last - blank - 1) };
    if (target.len > HTTP_MAX_TARGET_BYTES)
        return 414;
    if (target.len == 0 || !all_class(target, CHAR_TARGET))
        return 400;
    h->target = target;
    if (parse_target(h))
        return 0;
    h->target = h->path = h->query = STR_NONE;
    return 400;
}

static void note_connection(struct parse *ps, struct str value)
{
    struct str word;

    while (str_split(&value, ',', &word)) {
        word = str_trim(word);
        ps->close |= str_ieq(word, "close");
        ps->keep_alive |= str_ieq(word, "keep-alive");
    }
}

static int note_length(struct http_head *h, struct str value)
{
    uint64_t length = 0;

    if (value.len == 0 || value.len > CONTENT_LENGTH_MAX_DIGITS)
        return 400;
    for (size_t i = 0; i < value.len; i++) {
        if (value.p[i] < '0' || value.p[i] > '9')
            return 400;
        length = length * 10 + (uint64_t)(value.p[i] - '0');
    }
    if (h->has_length && length != h->content_length)
        return 400;
    h->has_length = true;
    h->content_length = length;
    return 0;
}

static int note_field(struct parse *ps, enum http_header_id id, struct str value)
{
    struct http_head *h = ps->head;

    if (h->known[id] < 0)
        h->known[id] = (int16_t)h->header_count;
    else if (single_fields & FIELD_BIT(id))
        return 400;
    switch (id) {
    case HTTP_H_HOST:
        return authority_valid(value) ? 0 : 400;
    case HTTP_H_CONTENT_LENGTH:
        return note_length(h, value);
    case HTTP_H_TRANSFER_ENCODING:
        h->chunked = str_ieq(value, "chunked");
        ps->odd_coding = !h->chunked;
        return 0;
    case HTTP_H_CONNECTION:
        note_connection(ps, value);
        return 0;
    case HTTP_H_EXPECT:
        h->expect_continue = str_ieq(value, "100-continue");
        ps->odd_expectation |= !h->expect_continue;
        return 0;
    default:
        return 0;
    }
}

/* The first control byte (TAB is none) at or behind p; eight bytes a step. */
static const char *skip_text(const char *p, const char *end)
{
    const uint64_t ones = 0x0101010101010101ULL;

    while (end - p >= 8) {
        uint64_t word, below_blank, delete, odd;

        memcpy(&word, p, 8);
        below_blank = (word - ones * 0x20) & ~word;
        odd = word ^ (ones * 0x7f);
        delete = (odd - ones) & ~odd;
        if (((below_blank | delete) & (ones * 0x80)) == 0) {
            p += 8;
            continue;
        }
        for (const char *stop = p + 8; p < stop; p++)
            if (!is_class(*p, CHAR_TEXT))
                return p;
    }
    while (p < end && is_class(*p, CHAR_TEXT))
        p++;
    return p;
}

/* One field line from *at; moves *at behind it. */
static int parse_field(struct parse *ps, const char **at, const char *end)
{
    struct http_head *h = ps->head;
    const char *p = *at, *from;
    struct http_header *field = &h->headers[h->header_count];
    enum http_header_id id;
    int status = 0;

    if (h->header_count == HTTP_MAX_HEADERS)
        return 431;
    while (p < end && is_class(*p, CHAR_TOKEN))
        p++;
    if (p == end)
        return HTTP_PARSE_MORE;
    if (*p != ':' || p == *at)
        return 400;
    field->name = (struct str){ *at, (size_t)(p - *at) };
    for (p++; p < end && (*p == ' ' || *p == '\t'); p++)
        ;
    from = p;
    p = skip_text(p, end);
    if (p == end || (*p == '\r' && p + 1 == end))
        return HTTP_PARSE_MORE;
    if (p[0] != '\r' || p[1] != '\n')
        return 400;
    *at = p + 2;
    while (p > from && (p[-1] == ' ' || p[-1] == '\t'))
        p--;
    field->value = (struct str){ from, (size_t)(p - from) };
    id = header_id(field->name);
    if (id != HTTP_H_OTHER)
        status = note_field(ps, id, field->value);
    h->header_count++;
    return status;
}

/* What only the whole head can tell; what endangers the framing first. */
static int judge(const struct parse *ps)
{
    struct http_head *h = ps->head;

    if (h->minor == 1 && h->known[HTTP_H_HOST] < 0)
        return 400;
    if (h->known[HTTP_H_TRANSFER_ENCODING] >= 0 && (h->has_length || h->minor == 0))
        return 400;
    if (ps->odd_coding || h->method == HTTP_METHOD_UNKNOWN)
        return 501;
    if (ps->odd_expectation)
        return 417;
    h->expect_continue = h->expect_continue && h->minor == 1;
    h->keep_alive = !ps->close && (h->minor == 1 || ps->keep_alive);
    return 0;
}

/* Everything but the field table, which header_count bounds. */
static void clear_head(struct http_head *h)
{
    h->method = HTTP_METHOD_UNKNOWN;
    h->minor = 1;
    h->method_name = h->target = h->path = h->query = STR_NONE;
    h->header_count = 0;
    memset(h->known, 0xff, sizeof h->known);
    h->chunked = h->has_length = h->keep_alive = h->expect_continue = false;
    h->content_length = 0;
    h->head_bytes = 0;
}

static int parse_head(struct http_head *h, const char *data, size_t n)
{
    struct parse ps = { .head = h };
    const char *p = data, *end = data + n, *eol;
    int status;

    while (end - p >= 2 && p[0] == '\r' && p[1] == '\n')
        p += 2;
    if (p == end || (*p == '\r' && p + 1 == end))
        return HTTP_PARSE_MORE;
    if (!is_class(*p, CHAR_TOKEN))
        return 400;
    eol = memchr(p, '\n', (size_t)(end - p));
    if (eol == NULL)
        return HTTP_PARSE_MORE;
    if (eol[-1] != '\r')
        return 400;
    status = parse_request_line(h, (struct str){ p, (size_t)(eol - 1 - p) });
    for (p = eol + 1; status == 0; status = parse_field(&ps, &p, end)) {
        if (p == end || (*p == '\r' && p + 1 == end))
            return HTTP_PARSE_MORE;
        if (p[0] == '\r' && p[1] == '\n') {
            h->head_bytes = (size_t)(p + 2 - data);
            return judge(&ps);
        }
    }
    return status;
}

int http_parse_head(struct http_head *h, const char *data, size_t n, size_t max_bytes)
{
    int status;

    clear_head(h);
    status = parse_head(h, data, n < max_bytes ? n : max_bytes);
    if (status != HTTP_PARSE_MORE || n < max_bytes)
        return status;
    return h->target.p == NULL ? 414 : 431;
}
