/*
 * routes: see the header.
 */
#include "api/routes.h"

#include <string.h>

#include "api/api.h"
#include "core/metrics.h"

const struct route routes[] = {
    { { HTTP_GET, "/" }, h_root, AUTH_PUBLIC, 0, "anonymous" },
    { { HTTP_GET, "/openapi.json" }, h_openapi, AUTH_PUBLIC, 0, "anonymous" },
    { { HTTP_GET, "/health" }, h_health, AUTH_PUBLIC, 0, "none" },
    { { HTTP_GET, "/health/ready" }, h_ready, AUTH_PUBLIC, 0, "none" },
    { { HTTP_GET, "/health/live" }, h_live, AUTH_PUBLIC, 0, "none" },
    { { HTTP_GET, "/metrics" }, h_metrics, AUTH_PUBLIC, ROUTE_METRICS_AUTH, "none" },
    { { HTTP_GET, "/status" }, h_status, AUTH_PUBLIC, 0, "anonymous" },
    { { HTTP_GET, "/admin/db/pool" }, h_db_pool, AUTH_ADMIN, 0, NULL },
    { { HTTP_GET, "/admin/cache/stats" }, h_cache_stats, AUTH_ADMIN, 0, NULL },
    { { HTTP_GET, "/admin/workers" }, h_workers, AUTH_ADMIN, 0, NULL },
    { { HTTP_GET, "/admin/slo" }, h_slo, AUTH_ADMIN, 0, NULL },
    { { HTTP_GET, "/admin/sync-status" }, h_sync_status, AUTH_ADMIN, 0, NULL },
    { { HTTP_POST, "/admin/sync-status" }, h_sync_status, AUTH_ADMIN, 0, NULL },
    { { HTTP_POST, "/admin/sync-sales" }, h_sync_sales, AUTH_ADMIN, ROUTE_QUERY_KEY, "sync" },
    { { HTTP_GET, "/admin/keys" }, h_keys_list, AUTH_ADMIN, 0, NULL },
    { { HTTP_POST, "/admin/keys" }, h_key_create, AUTH_ADMIN, ROUTE_BODY, NULL },
    { { HTTP_GET, "/admin/keys/{id}" }, h_key_get, AUTH_ADMIN, 0, NULL },
    { { HTTP_DELETE, "/admin/keys/{id}" }, h_key_revoke, AUTH_ADMIN, 0, NULL },
    { { HTTP_POST, "/admin/keys/{id}/rotate" }, h_key_rotate, AUTH_ADMIN, ROUTE_BODY, NULL },
    { { HTTP_GET, "/api/mcp/customer/random" }, h_random, AUTH_READ, ROUTE_DATA, NULL },
    { { HTTP_GET, "/api/mcp/customer/{id}" }, h_profile, AUTH_READ, ROUTE_E, NULL },
    { { HTTP_GET, "/api/mcp/products/{analysis}" }, h_products, AUTH_READ, ROUTE_P, NULL },
    { { HTTP_GET, "/api/mcp/customer/{id}/orders" }, h_orders, AUTH_READ, ROUTE_P, NULL },
    { { HTTP_GET, "/api/mcp/customer/{id}/churn-risk" }, h_churn_risk, AUTH_READ, ROUTE_E, NULL },
    { { HTTP_GET, "/api/mcp/customer/{id}/next-purchase" }, h_next_purchase, AUTH_READ, ROUTE_E, NULL },
    { { HTTP_GET, "/api/mcp/customer/{id}/ltv-forecast" }, h_ltv_forecast, AUTH_READ, ROUTE_E, NULL },
    { { HTTP_GET, "/api/customers/{id}" }, h_profile, AUTH_READ, ROUTE_E, NULL },
    { { HTTP_POST, "/api/mcp/search" }, h_search, AUTH_READ, ROUTE_DATA | ROUTE_BODY, NULL },
    { { HTTP_GET, "/api/mcp/archetypes/top" }, h_archetypes_top, AUTH_READ, ROUTE_E, NULL },
    { { HTTP_GET, "/api/mcp/archetypes/growth-projection" }, h_archetypes_growth, AUTH_READ, ROUTE_E, NULL },
    { { HTTP_GET, "/api/mcp/archetype/{id}" }, h_archetype, AUTH_READ, ROUTE_E, NULL },
    { { HTTP_GET, "/api/mcp/archetypes/{id}" }, h_archetype, AUTH_READ, ROUTE_E, NULL },
    { { HTTP_GET, "/api/mcp/churn/aggregate" }, h_churn_aggregate, AUTH_READ, ROUTE_E, NULL },
    { { HTTP_GET, "/api/mcp/growth/projection" }, h_growth, AUTH_READ, ROUTE_E, NULL },
    { { HTTP_GET, "/api/mcp/revenue/forecast" }, h_revenue, AUTH_READ, ROUTE_E, NULL },
    { { HTTP_POST, "/api/mcp/campaigns/recommend" }, h_campaign, AUTH_READ, ROUTE_DATA, NULL },
    { { HTTP_GET, "/api/mcp/campaign/{goal}" }, h_campaign_goal, AUTH_READ, ROUTE_E, NULL },
    { { HTTP_GET, "/api/mcp/cohorts" }, h_cohorts, AUTH_READ, ROUTE_E, NULL },
    { { HTTP_GET, "/api/mcp/tools" }, h_tools, AUTH_PUBLIC, ROUTE_E, "anonymous" },
    { { HTTP_POST, "/api/mcp/query/natural-language" },
      h_natural_language,
      AUTH_READ,
      ROUTE_DATA | ROUTE_BODY,
      "nl" },
    { { HTTP_POST, "/api/mcp/query" }, h_query, AUTH_READ, ROUTE_DATA | ROUTE_BODY, "query" },
    { { HTTP_POST, "/mcp" }, h_mcp, AUTH_READ, ROUTE_MCP, "query" },
    { { HTTP_GET, "/segments/axes" }, h_axes, AUTH_READ, ROUTE_E, NULL },
    { { HTTP_GET, "/segments/stats" }, h_segment_stats, AUTH_READ, ROUTE_E, NULL },
    { { HTTP_GET, "/segments/customer/{id}" }, h_segment_customer, AUTH_READ, ROUTE_E, NULL },
    { { HTTP_GET, "/api/system/configuration" }, h_configuration, AUTH_READ, ROUTE_E, NULL },
};
#define ROUTES (sizeof(routes) / sizeof(routes[0]))
_Static_assert(ROUTES + 1 <= METRICS_MAX_ROUTES, "every route needs its label");

const size_t routes_count = ROUTES;

/* Labels: the distinct paths in the order of the table, then "unmatched". Filled at first use, in the master. */
static const char *names[ROUTES + 1];
static unsigned labels[ROUTES];
static unsigned name_count;

static unsigned label_of_path(const char *path)
{
    for (unsigned i = 0; i < name_count; i++) {
        if (strcmp(names[i], path) == 0)
            return i;
    }
    names[name_count] = path;
    return name_count++;
}

static void fill_labels(void)
{
    if (name_count > 0)
        return;
    for (size_t i = 0; i < ROUTES; i++)
        labels[i] = label_of_path(routes[i].entry.path);
    names[name_count++] = "unmatched";
}

const char *const *api_route_names(unsigned *count)
{
    fill_labels();
    *count = name_count;
    return names;
}

unsigned routes_label(const struct route *r)
{
    return labels[r - routes];
}

unsigned routes_label_none(void)
{
    return name_count - 1;
}

const char *routes_label_name(unsigned label)
{
    return label < name_count ? names[label] : "unmatched";
}
