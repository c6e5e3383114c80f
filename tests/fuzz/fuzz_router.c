/*
 * Routing against the plainest possible matcher: every template, segment by segment.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "net/router.h"

static const struct router_entry routes[] = {
    { HTTP_GET, "/" },      { HTTP_GET, "/a" },        { HTTP_POST, "/a" },        { HTTP_GET, "/a/{x}" },
    { HTTP_GET, "/a/b" },   { HTTP_GET, "/a/{x}/c" },  { HTTP_GET, "/a/b/{y}" },   { HTTP_DELETE, "/a/{x}/{y}" },
    { HTTP_GET, "/{x}/b" }, { HTTP_GET, "/{x}/{y}" },  { HTTP_GET, "/a/b/c/d/e" }, { HTTP_PUT, "/a/{x}/c/{y}/e" },
    { HTTP_GET, "/bb/cc" }, { HTTP_GET, "/bb/{x}/c" },
};
#define ROUTES (sizeof routes / sizeof *routes)

static void require(bool condition)
{
    if (!condition)
        abort();
}

/* How well a template fits: 0 not at all, else more the earlier and the more often it is literal. */
static unsigned fit(const char *template, struct str path)
{
    struct str want = { template + 1, strlen(template) - 1 }, have = { path.p + 1, path.len - 1 }, a, b;
    unsigned score = 1;

    if (path.len == 0 || path.p[0] != '/')
        return 0;
    for (;;) {
        bool more = str_split(&want, '/', &a);

        if (more != str_split(&have, '/', &b))
            return 0;
        if (!more)
            break;
        if (a.len > 0 && a.p[0] == '{') {
            if (b.len == 0)
                return 0;
            score *= 2;
        } else {
            if (!str_eq(a, b))
                return 0;
            score = score * 2 + 1;
        }
    }
    return score;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    static struct router *router;
    struct str path;
    struct router_match m;
    unsigned best = 0;
    int best_index = -1;
    char *data;

    if (router == NULL)
        router = router_new(routes, ROUTES, sizeof *routes);
    if (n == 0)
        return 0;
    data = malloc(n);
    memcpy(data, bytes, n);
    path = (struct str){ data + 1, n - 1 };
    for (size_t i = 0; i < ROUTES; i++)
        if (fit(routes[i].path, path) > best) {
            best = fit(routes[i].path, path);
            best_index = (int)i;
        }
    router_find(router, (enum http_method)(bytes[0] % (HTTP_METHOD_UNKNOWN + 1)), path, &m);
    require(m.path_index == best_index);
    require(m.index == -1 || strcmp(routes[m.index].path, routes[best_index].path) == 0);
    require(m.param_count <= ROUTER_MAX_PARAMS);
    for (unsigned i = 0; i < m.param_count; i++)
        require(m.params[i].len > 0 && m.params[i].p > path.p &&
                m.params[i].p + m.params[i].len <= path.p + path.len);
    free(data);
    return 0;
}
