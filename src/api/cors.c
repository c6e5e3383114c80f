/*
 * cors: see the header. Origins are compared byte for byte, as browsers send them.
 */
#include "api/cors.h"

static const char exposed_lines[] =
    "Access-Control-Allow-Credentials: true\r\n"
    "Access-Control-Expose-Headers: X-Correlation-ID, ETag, X-Data-Version, X-Data-As-Of, Retry-After, RateLimit, "
    "RateLimit-Policy, X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset\r\n";

static const char preflight_lines[] =
    "Access-Control-Allow-Credentials: true\r\n"
    "Access-Control-Allow-Methods: GET, POST, DELETE, OPTIONS\r\n"
    "Access-Control-Allow-Headers: Content-Type, Authorization, X-API-Key, X-Admin-Key, X-Correlation-ID, "
    "If-None-Match, Accept, Cache-Control, X-Requested-With";

bool cors_init(struct cors *c, struct arena *a, const char *allowed_origins)
{
    struct str rest = str_from(allowed_origins), piece;

    *c = (struct cors){ .count = 0 };
    while (str_split(&rest, ',', &piece)) {
        piece = str_trim(piece);
        if (piece.len == 0)
            continue;
        if (str_eq_lit(piece, "*")) {
            c->any = true;
            continue;
        }
        if (c->count == CORS_MAX_ORIGINS)
            return false;
        c->origins[c->count] = str_from(arena_strdup(a, piece));
        if (c->origins[c->count].p == NULL)
            return false;
        c->count++;
    }
    return true;
}

bool cors_allows(const struct cors *c, struct str origin)
{
    if (origin.len == 0)
        return false;
    for (size_t i = 0; i < c->count; i++) {
        if (str_eq(c->origins[i], origin))
            return true;
    }
    return c->any;
}

static void write_origin(struct buf *out, struct str origin)
{
    buf_add_str(out, STR_LIT("Access-Control-Allow-Origin: "));
    buf_add_str(out, origin);
    buf_add_str(out, STR_LIT("\r\n"));
}

void cors_write(struct buf *out, struct str origin)
{
    write_origin(out, origin);
    buf_add_str(out, STR_LIT(exposed_lines));
}

void cors_write_preflight(struct buf *out, struct str origin, struct str more_headers)
{
    write_origin(out, origin);
    buf_add_str(out, STR_LIT(preflight_lines));
    buf_add_str(out, more_headers);
    buf_add_str(out, STR_LIT("\r\nAccess-Control-Max-Age: 600\r\n"));
}
