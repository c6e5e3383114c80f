/*
 * redis_target: see the header.
 */
#include "net/redis_target.h"

#include <string.h>

#include "base/str.h"

bool redis_target_parse(const char *url, struct redis_target *t)
{
    const char *rest = strstr(url, "://"), *at;
    struct str place, credentials, piece;

    *t = (struct redis_target){ .port = 6379, .is_unix = str_starts(str_from(url), "unix://") };
    if (rest == NULL)
        return false;
    rest += 3;
    at = strrchr(rest, '@');
    if (at != NULL) {
        credentials = (struct str){ rest, (size_t)(at - rest) };
        if (!str_split(&credentials, ':', &piece) || !str_copy(t->user, sizeof(t->user), piece) ||
            !str_copy(t->password, sizeof(t->password), credentials))
            return false;
        rest = at + 1;
    }
    place = str_from(rest);
    if (t->is_unix)
        return str_copy(t->host, sizeof(t->host), place);
    if (!str_split(&place, '/', &piece))
        return false;
    if (place.len > 0 && !str_to_u64(place, &t->db))
        return false;
    place = piece;
    if (!str_split(&place, ':', &piece) || !str_copy(t->host, sizeof(t->host), piece))
        return false;
    return place.len == 0 || (str_to_u64(place, &t->port) && t->port <= 65535);
}
