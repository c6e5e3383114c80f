/*
 * headers: see the header.
 */
#include "api/headers.h"

#include <stddef.h>

#define CORRELATION_MAX_BYTES 128

static const char security_lines[] = "X-Content-Type-Options: nosniff\r\n"
                                     "X-Frame-Options: DENY\r\n"
                                     "Referrer-Policy: no-referrer\r\n"
                                     "Content-Security-Policy: default-src 'none'; frame-ancestors 'none'\r\n"
                                     "Vary: Accept-Encoding, Origin, X-API-Key, Authorization\r\n";

static const char *const type_lines[HEADERS_TYPES] = {
    [HEADERS_NO_BODY] = "",
    [HEADERS_JSON] = "Content-Type: application/json; charset=utf-8\r\n",
    [HEADERS_METRICS] = "Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n",
};

bool headers_init(struct headers *h, struct arena *a, int64_t max_age_s)
{
    for (unsigned i = 0; i < HEADERS_TYPES; i++) {
        h->no_store[i] = str_from(arena_printf(a, "%s%sCache-Control: no-store\r\n", type_lines[i], security_lines));
        h->revalidate[i] = str_from(arena_printf(a, "%s%sCache-Control: private, max-age=%lld, must-revalidate\r\n",
                                                 type_lines[i], security_lines, (long long)max_age_s));
        if (h->no_store[i].p == NULL || h->revalidate[i].p == NULL)
            return false;
    }
    return true;
}

static bool is_correlation_id(struct str s)
{
    if (s.len == 0 || s.len > CORRELATION_MAX_BYTES)
        return false;
    for (size_t i = 0; i < s.len; i++) {
        char c = s.p[i];

        if (!((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '.' || c == '_' ||
              c == ':' || c == '-'))
            return false;
    }
    return true;
}

struct str headers_correlation_id(const struct http_head *head)
{
    struct str id = http_head_get(head, HTTP_H_X_CORRELATION_ID);

    if (is_correlation_id(id))
        return id;
    id = http_head_get(head, HTTP_H_X_REQUEST_ID);
    return is_correlation_id(id) ? id : STR_NONE;
}
