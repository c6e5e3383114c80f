/*
 * print_tables: the tables of routes and metrics as lines, for scripts/check-routes and scripts/check-metrics.
 *
 *     print_tables routes    method|path|auth|policy|E, P or nothing
 *     print_tables metrics   name|type|labels by comma|buckets by comma
 */
#include <stdio.h>
#include <string.h>

#include "api/routes.h"
#include "core/metrics.h"

static const char *cached(const struct route *r)
{
    if (!(r->flags & ROUTE_ETAG))
        return "";
    return r->flags & ROUTE_DATABASE ? "P" : "E";
}

static void print_routes(void)
{
    static const char *const levels[] = { [AUTH_PUBLIC] = "public", [AUTH_READ] = "read", [AUTH_ADMIN] = "admin" };

    for (size_t i = 0; i < routes_count; i++) {
        const struct route *r = &routes[i];

        printf("%s|%s|%s|%s|%s\n", http_method_name(r->entry.method), r->entry.path, levels[r->auth],
               r->policy != NULL ? r->policy : "", cached(r));
    }
}

static void print_metrics(void)
{
    static const char *const types[] = { "counter", "gauge", "histogram" };

    for (unsigned i = 0; i < METRIC_COUNT; i++) {
        const struct metric *m = metrics_get((enum metric_id)i);

        printf("%s|%s|", m->name, types[m->type]);
        for (unsigned d = 0; d < 3 && m->labels[d] != NULL; d++)
            printf("%s%s", d > 0 ? "," : "", m->labels[d]);
        printf("|");
        for (unsigned b = 0; b < m->bucket_count; b++)
            printf("%s%.15g", b > 0 ? "," : "", m->buckets[b]);
        printf("\n");
    }
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "routes") == 0)
        print_routes();
    else if (argc == 2 && strcmp(argv[1], "metrics") == 0)
        print_metrics();
    else
        return 2;
    return 0;
}
