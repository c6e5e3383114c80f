/*
 * etag: see the header.
 */
#include "api/etag.h"

#include <stdlib.h>
#include <string.h>

#include "base/fmt.h"
#include "base/hash.h"

uint64_t etag_seed(uint64_t settings_hash, const char *version)
{
    return hash_fast(settings_hash, version, strlen(version));
}

static struct str parameter_name(struct str parameter)
{
    const char *equals = memchr(parameter.p, '=', parameter.len);

    if (equals != NULL)
        parameter.len = (size_t)(equals - parameter.p);
    return parameter;
}

/* By name; parameters of one name keep their order, as it decides which of them counts. */
static int compare_parameters(const void *left, const void *right)
{
    const struct str *a = left, *b = right;
    struct str x = parameter_name(*a), y = parameter_name(*b);
    int order = memcmp(x.p, y.p, x.len < y.len ? x.len : y.len);

    if (order != 0)
        return order;
    if (x.len != y.len)
        return x.len < y.len ? -1 : 1;
    return a->p < b->p ? -1 : a->p > b->p;
}

static bool hash_query(uint64_t *hash, struct str query, struct arena *a)
{
    struct str rest = query, piece, *pieces;
    size_t count = 1, n = 0;

    for (size_t i = 0; i < query.len; i++)
        count += query.p[i] == '&';
    pieces = arena_calloc(a, count, sizeof(*pieces));
    if (pieces == NULL)
        return false;
    while (n < count && str_split(&rest, '&', &piece)) {
        if (piece.len > 0)
            pieces[n++] = piece;
    }
    qsort(pieces, n, sizeof(*pieces), compare_parameters);
    for (size_t i = 0; i < n; i++) {
        *hash = hash_fast(*hash, pieces[i].p, pieces[i].len);
        *hash = hash_fast(*hash, "&", 1);
    }
    return true;
}

static void put_hex(char dst[16], uint64_t v)
{
    for (int i = 15; i >= 0; i--) {
        dst[i] = "0123456789abcdef"[v & 15];
        v >>= 4;
    }
}

size_t etag_format(char dst[ETAG_SIZE], uint64_t seed, uint64_t data_version, struct str path, struct str query,
                   struct arena *a)
{
    uint64_t hash = hash_fast(seed, path.p, path.len);
    size_t n = 3;

    if (query.len > 0 && !hash_query(&hash, query, a))
        return 0;
    memcpy(dst, "W/\"", 3);
    n += fmt_u64(dst + n, data_version);
    dst[n++] = '-';
    put_hex(dst + n, hash);
    n += 16;
    dst[n++] = '"';
    return n;
}

static struct str opaque_tag(struct str tag)
{
    if (str_starts(tag, "W/"))
        return (struct str){ tag.p + 2, tag.len - 2 };
    return tag;
}

bool etag_matches(struct str if_none_match, struct str tag)
{
    struct str rest = if_none_match, piece, own = opaque_tag(tag);

    if (str_eq_lit(str_trim(if_none_match), "*"))
        return true;
    while (str_split(&rest, ',', &piece)) { /* our tags hold no comma */
        if (str_eq(opaque_tag(str_trim(piece)), own))
            return true;
    }
    return false;
}
