/*
 * routes: the one route table of the server. CONTRACT 6 says what it must hold; scripts/check-routes compares.
 */
#ifndef API_ROUTES_H
#define API_ROUTES_H

#include <stddef.h>

#include "api/auth.h"
#include "net/router.h"

struct api_request;

enum route_flag {
    ROUTE_DATA = 1,          /* a read of the published data: carries X-Data-Version, needs a population */
    ROUTE_ETAG = 2,          /* its 200 carries an ETag and may become a 304 */
    ROUTE_DATABASE = 4,      /* needs PostgreSQL or the cache */
    ROUTE_BODY = 8,          /* takes a JSON body; the others ignore one */
    ROUTE_METRICS_AUTH = 16, /* METRICS_PUBLIC=false asks for scope admin */
    ROUTE_QUERY_KEY = 32,    /* accepts the deprecated admin_key parameter */
    ROUTE_MCP = 64           /* reads its own body, asks its policy itself; data are held, but may be missing */
};
#define ROUTE_E (ROUTE_DATA | ROUTE_ETAG)
#define ROUTE_P (ROUTE_DATA | ROUTE_ETAG | ROUTE_DATABASE)

struct route {
    struct router_entry entry; /* first: the router reads the table through it */
    void (*handle)(struct api_request *q);
    enum auth_level auth;
    unsigned flags;
    const char *policy; /* rate policy beside "default"; NULL: none of its own, "none": not even that */
};

extern const struct route routes[];
extern const size_t routes_count;

/* Index of the row's "endpoint" label: rows of one path share one. `none` is the label "unmatched". */
unsigned routes_label(const struct route *r);
unsigned routes_label_none(void);
/* Template of a label. */
const char *routes_label_name(unsigned label);

/* Handlers, by file. */
void h_root(struct api_request *q); /* h_service */
void h_health(struct api_request *q);
void h_ready(struct api_request *q);
void h_live(struct api_request *q);
void h_openapi(struct api_request *q);
void h_metrics(struct api_request *q); /* h_metrics */
void h_profile(struct api_request *q); /* h_customer */
void h_random(struct api_request *q);
void h_churn_risk(struct api_request *q);
void h_next_purchase(struct api_request *q);
void h_ltv_forecast(struct api_request *q);
void h_archetype(struct api_request *q); /* h_archetypes */
void h_archetypes_top(struct api_request *q);
void h_archetypes_growth(struct api_request *q);
void h_churn_aggregate(struct api_request *q); /* h_analytics */
void h_growth(struct api_request *q);
void h_revenue(struct api_request *q);
void h_cohorts(struct api_request *q);
void h_campaign(struct api_request *q); /* h_campaigns */
void h_campaign_goal(struct api_request *q);
void h_axes(struct api_request *q); /* h_segments */
void h_segment_stats(struct api_request *q);
void h_segment_customer(struct api_request *q);
void h_configuration(struct api_request *q);
void h_orders(struct api_request *q);   /* h_orders */
void h_products(struct api_request *q); /* h_products */
void h_search(struct api_request *q);   /* h_search */
void h_tools(struct api_request *q);    /* h_tools */
void h_query(struct api_request *q);
void h_natural_language(struct api_request *q); /* h_nl */
void h_mcp(struct api_request *q);              /* h_mcp */
void h_sync_sales(struct api_request *q);       /* h_sync */
void h_sync_status(struct api_request *q);      /* h_sync_status */
void h_keys_list(struct api_request *q);        /* h_keys */
void h_key_get(struct api_request *q);
void h_key_create(struct api_request *q);
void h_key_rotate(struct api_request *q);
void h_key_revoke(struct api_request *q);
void h_db_pool(struct api_request *q); /* h_admin */
void h_cache_stats(struct api_request *q);
void h_workers(struct api_request *q);
void h_slo(struct api_request *q);
void h_status(struct api_request *q);

#endif
