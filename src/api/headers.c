/*
 * headers: see the header.
 */
#include "api/headers.h"

#include <stddef.h>

#include "api/status.h"
#include "base/hash.h"

#define CORRELATION_MAX_BYTES 128

static const char security_lines[] = "X-Content-Type-Options: nosniff\r\n"
                                     "X-Frame-Options: DENY\r\n"
                                     "Referrer-Policy: no-referrer\r\n"
                                     "Vary: Accept-Encoding, Origin, X-API-Key, Authorization\r\n";

static const char *const type_lines[HEADERS_TYPES] = {
    [HEADERS_NO_BODY] = "",
    [HEADERS_JSON] = "Content-Type: application/json; charset=utf-8\r\n",
    [HEADERS_METRICS] = "Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n",
    [HEADERS_HTML] = "Content-Type: text/html; charset=utf-8\r\n",
};

/* "style-src …" for the page's own style element: 'sha256-' and the digest in base64. */
static const char *style_source(struct arena *a)
{
    uint8_t digest[HASH_SHA256_BYTES];
    char text[(HASH_SHA256_BYTES * 4 + 2) / 3 + 1];
    size_t n;

    hash_sha256(digest, status_style.p, status_style.len);
    n = str_base64url(text, digest, sizeof(digest));
    for (size_t i = 0; i < n; i++)
        text[i] = text[i] == '-' ? '+' : text[i] == '_' ? '/' : text[i];
    return arena_printf(a, "; style-src 'sha256-%.*s='", (int)n, text);
}

bool headers_init(struct headers *h, struct arena *a, int64_t max_age_s)
{
    const char *cache[HEADERS_CACHES] = {
        [HEADERS_NO_STORE] = "no-store",
        [HEADERS_REVALIDATE] = arena_printf(a, "private, max-age=%lld, must-revalidate", (long long)max_age_s),
        [HEADERS_PUBLIC] = "public, max-age=300",
    };
    const char *style = style_source(a);

    if (style == NULL || cache[HEADERS_REVALIDATE] == NULL)
        return false;
    for (unsigned c = 0; c < HEADERS_CACHES; c++) {
        for (unsigned t = 0; t < HEADERS_TYPES; t++) {
            const char *text =
                arena_printf(a,
                             "%s%sContent-Security-Policy: default-src 'none'%s; frame-ancestors 'none'\r\n"
                             "Cache-Control: %s\r\n",
                             type_lines[t], security_lines, t == HEADERS_HTML ? style : "", cache[c]);

            if (text == NULL)
                return false;
            h->lines[c][t] = str_from(text);
        }
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
