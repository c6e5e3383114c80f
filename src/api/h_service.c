/*
 * h_service: what needs no key: the root, health, readiness, liveness, the document of the API (CONTRACT 7).
 *
 * A 503 body never holds the word a keyword monitor looks for, so there a component that is fine says "up".
 */
#include "config.h"

#include "api/errors.h"
#include "api/health.h"
#include "api/openapi.h"
#include "api/request.h"
#include "base/clock.h"

void h_root(struct api_request *q)
{
    static const char *const use_cases[] = { "Analytics and BI", "Customer service",
                                             "Marketing and campaign targeting" };
    struct json_writer w;

    request_json_begin(q, &w);
    json_object_begin(&w);
    json_kv_cstr(&w, "service", "Customer Intelligence API");
    json_kv_cstr(&w, "server", "patrond");
    json_kv_cstr(&w, "version", PACKAGE_VERSION);
    json_kv_cstr(&w, "status", "operational");
    json_key(&w, "use_cases");
    json_array_begin(&w);
    for (size_t i = 0; i < sizeof(use_cases) / sizeof(use_cases[0]); i++)
        json_cstr(&w, use_cases[i]);
    json_array_end(&w);
    json_key(&w, "endpoints");
    json_object_begin(&w);
    json_kv_cstr(&w, "health", "/health");
    json_kv_cstr(&w, "mcp_tools", "/api/mcp/tools");
    json_kv_cstr(&w, "mcp_query", "/api/mcp/query");
    json_kv_cstr(&w, "mcp", "/mcp");
    json_kv_cstr(&w, "metrics", "/metrics");
    json_kv_cstr(&w, "docs", "/openapi.json");
    json_kv_cstr(&w, "status_page", "/status");
    json_object_end(&w);
    json_object_end(&w);
    request_json_end(q, 200);
}

/* The older vocabulary of `components`. */
static const char *component_word(enum sb_health state, bool serving)
{
    if (state == SB_HEALTH_UP)
        return serving ? "healthy" : "up";
    return sb_health_name(state);
}

static void write_components(struct json_writer *w, const struct health *h)
{
    json_key(w, "components");
    json_object_begin(w);
    for (unsigned i = 0; i < HEALTH_COMPONENTS; i++)
        json_kv_cstr(w, health_component_name((enum health_component)i),
                     component_word(h->components[i], h->serving));
    json_object_end(w);
}

static void write_check(struct json_writer *w, const char *name, const struct health_check *c)
{
    json_key(w, name);
    json_object_begin(w);
    json_kv_cstr(w, "state", sb_health_name(c->state));
    if (c->latency_us >= 0)
        json_kv_fixed(w, "latency_ms", (double)c->latency_us / 1000, 1);
    else
        json_kv_null(w, "latency_ms");
    json_kv_seconds(w, "checked_at", c->checked_us);
    json_kv_seconds(w, "since", c->since_us);
    json_kv_cstr(w, "error", sb_error_name(c->error));
    json_object_end(w);
}

static void write_checks(struct json_writer *w, const struct health *h)
{
    static const struct {
        const char *name;
        enum sb_component which;
    } checks[] = { { "api", SB_SELF },
                   { "database", SB_DATABASE },
                   { "cache", SB_CACHE },
                   { "source", SB_SOURCE },
                   { "ai", SB_AI } };

    json_key(w, "checks");
    json_object_begin(w);
    for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++)
        write_check(w, checks[i].name, &h->checks[checks[i].which]);
    json_object_end(w);
}

static const char *data_source(const struct health *h, const struct dataset *d)
{
    if (d == NULL)
        return "none";
    return h->components[HEALTH_DATABASE] == SB_HEALTH_UP ? "postgresql" : "snapshot";
}

static void write_data_status(struct json_writer *w, const struct health *h, const struct dataset *d)
{
    static const struct population_header none;
    const struct population_header *data = d != NULL ? d->population->header : &none;
    int64_t age_s = dataset_age_s(d, h->now_us);

    json_key(w, "data_status");
    json_object_begin(w);
    json_kv_int(w, "customers_loaded", (int64_t)data->rows);
    json_kv_int(w, "archetypes_available", (int64_t)data->archetypes);
    json_kv_int(w, "archetypes_loaded", (int64_t)data->archetypes);
    json_kv_cstr(w, "data_source", data_source(h, d));
    json_kv_seconds(w, "last_sync_at", d != NULL ? d->synced_us : 0);
    json_kv_day(w, "as_of", d != NULL ? data->as_of_day : CLOCK_NO_DAY);
    json_kv_int(w, "data_version", (int64_t)data->data_version);
    if (age_s >= 0)
        json_kv_int(w, "age_seconds", age_s);
    else
        json_kv_null(w, "age_seconds");
    json_kv_bool(w, "stale", h->stale);
    json_kv_int(w, "orders_loaded", (int64_t)data->orders_loaded);
    json_kv_int(w, "rows_loaded", (int64_t)data->rows_loaded);
    json_object_end(w);
}

static const char *status_word(const struct health *h)
{
    if (!h->serving)
        return "unavailable";
    return h->reason == HEALTH_FINE ? "healthy" : "degraded";
}

void h_health(struct api_request *q)
{
    const struct dataset *d = q->api->data.current;
    struct json_writer w;
    struct health h;

    health_read(&h, d, q->api->env.conf, q->api->env.sb);
    request_json_begin(q, &w);
    json_object_begin(&w);
    json_kv_cstr(&w, "status", status_word(&h));
    json_kv_us(&w, "timestamp", h.now_us);
    json_kv_cstr(&w, "version", PACKAGE_VERSION);
    json_kv_cstr(&w, "reason", health_reason_name(h.reason == HEALTH_STARTING ? HEALTH_NO_DATA : h.reason));
    write_components(&w, &h);
    write_checks(&w, &h);
    write_data_status(&w, &h, d);
    json_object_end(&w);
    if (!h.serving)
        q->error_code = "SERVICE_UNAVAILABLE";
    request_json_end(q, h.serving ? 200 : 503);
}

void h_ready(struct api_request *q)
{
    const struct dataset *d = q->api->data.current;
    struct error_answer e = { .status = 503, .code = "SERVICE_UNAVAILABLE" };
    bool database_up;
    struct json_writer w;
    struct health h;

    health_read(&h, d, q->api->env.conf, q->api->env.sb);
    database_up = h.components[HEALTH_DATABASE] == SB_HEALTH_UP;
    request_json_begin(q, &w);
    json_object_begin(&w);
    json_kv_cstr(&w, "status", h.serving ? "ready" : "not_ready");
    json_kv_cstr(&w, "database", database_up ? component_word(SB_HEALTH_UP, h.serving) : "down");
    json_kv_bool(&w, "data_loaded", d != NULL);
    json_kv_int(&w, "customers", d != NULL ? (int64_t)d->population->count : 0);
    if (h.serving) {
        json_kv_us(&w, "timestamp", h.now_us);
    } else {
        char message[64];

        snprintf(message, sizeof(message), "Not ready: %s", health_reason_name(h.reason));
        json_kv_cstr(&w, "reason", health_reason_name(h.reason));
        e.message = message;
        error_write(&w, &e, q->correlation_id, h.now_us);
        q->error_code = e.code;
    }
    json_object_end(&w);
    request_json_end(q, h.serving ? 200 : 503);
}

void h_live(struct api_request *q)
{
    request_reply(q, 200, HEADERS_JSON, STR_LIT("{\"status\":\"alive\"}"));
}

void h_openapi(struct api_request *q)
{
    q->constant_tag = openapi.tag;
    q->packed = openapi.packed;
    request_reply(q, 200, HEADERS_JSON, openapi.text);
}
