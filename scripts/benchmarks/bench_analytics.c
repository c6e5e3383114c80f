/*
 * What the analytics cost over a large population: milliseconds of CPU of each endpoint, from the parsed head to the
 * finished answer, with an engine that does nothing. No test. Usage: bench_analytics [customers]
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "analytics_fixture.h"

#define RUNS     15
#define PROFILES 200000

static int status;
static size_t answered_bytes;

void http_reply(struct http_request *r, const struct http_reply *reply)
{
    (void)r;
    status = reply->status;
    answered_bytes = reply->body.len;
}

static double cpu_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void run_once(struct fixture *f, const char *method, const char *target, const char *body)
{
    const struct http_app *app = api_http_app(f->api);
    struct http_request r = { .peer.ss_family = AF_INET };
    struct http_head head;
    char text[1024];
    int n = snprintf(text, sizeof(text), "%s %s HTTP/1.1\r\nHost: a\r\nX-API-Key: " FIXTURE_KEY "\r\n\r\n", method,
                     target);

    if (n < 0 || http_parse_head(&head, text, (size_t)n, 16384) != 0)
        abort();
    r.head = &head;
    r.body = str_from(body);
    arena_init(&r.arena, (size_t)f->conf->max_request_memory_bytes);
    app->on_head(&r, app->arg);
    app->on_body(&r, app->arg);
    app->on_done(&r, HTTP_END_SENT, status, answered_bytes, app->arg);
    arena_free(&r.arena);
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static void measure(struct fixture *f, const char *method, const char *target, const char *body)
{
    double ms[RUNS];

    for (unsigned i = 0; i < RUNS; i++) {
        double start = cpu_ms();
        run_once(f, method, target, body);
        ms[i] = cpu_ms() - start;
    }
    qsort(ms, RUNS, sizeof(ms[0]), compare);
    printf("%8.3f ms median, %8.3f most  %d %8zu bytes  %s %s %s\n", ms[RUNS / 2], ms[RUNS - 1], status,
           answered_bytes, method, target, body);
}

/* Profiles of all customers in turn. */
static void measure_profiles(struct fixture *f, const struct population *p)
{
    char target[64];
    double start = cpu_ms();

    for (unsigned i = 0; i < PROFILES; i++) {
        snprintf(target, sizeof(target), "/api/mcp/customer/%lld",
                 (long long)p->rows[(i * 7919ULL) % p->count].customer_id);
        run_once(f, "GET", target, "");
    }
    printf("%8.0f ns a profile, %zu bytes\n", (cpu_ms() - start) * 1e6 / PROFILES, answered_bytes);
}

int main(int argc, char **argv)
{
    static const char *const gets[] = {
        "/api/mcp/archetypes/top?limit=1000",
        "/api/mcp/archetypes/growth-projection?months=60&top_n=100",
        "/api/mcp/churn/aggregate",
        "/api/mcp/growth/projection?months=60",
        "/api/mcp/revenue/forecast?months=60",
        "/api/mcp/campaign/retention",
        "/api/mcp/cohorts?months=60",
        "/segments/stats",
        "/segments/axes",
        "/api/system/configuration",
    };
    static const char *const campaigns[] = { "retention",  "growth",   "winback",    "loyalty",
                                             "cross_sell", "seasonal", "acquisition" };
    static const char *const searches[] = {
        "{\"filters\":{\"ltv_min\":50,\"churn_risk_max\":0.6,\"last_purchase_days_max\":400},\"limit\":100}",
        "{\"filters\":{\"segment\":{\"lifecycle\":\"active\"},\"aov_min\":20},\"sort_by\":\"impact\",\"limit\":1000}",
        "{\"filters\":{\"rfm_group\":\"CHAMPIONS\",\"is_b2b\":true},\"sort_by\":\"aov_asc\",\"limit\":100}",
    };
    static const char *const questions[] = {
        "{\"query\":\"who are my best customers\"}",
        "{\"query\":\"which customers are at risk\"}",
        "{\"query\":\"active customers over 100\"}",
        "{\"query\":\"rfm\"}",
        "{\"query\":\"who bought once\"}",
        "{\"query\":\"momentum\"}",
        "{\"query\":\"declining engagement\"}",
        "{\"query\":\"purchase cadence\"}",
        "{\"query\":\"top 50 segments\"}",
        "{\"query\":\"who buys at christmas\"}",
        "{\"query\":\"upsell\"}",
        "{\"query\":\"forecast churned customers\"}",
        "{\"query\":\"nothing at all\"}",
    };
    long rows = argc > 1 ? strtol(argv[1], NULL, 10) : 1000000;
    struct fixture f;
    char target[128];

    if (rows <= 0)
        return 2;
    struct population *p =
        analytics_start(&f, "ACCESS_LOG = off", &(struct analytics_shape){ .rows = (size_t)rows, .data_version = 5 });
    printf("%ld customers, %.1f bytes each\n", rows, (double)p->map_bytes / (double)rows);
    for (size_t i = 0; i < sizeof(gets) / sizeof(gets[0]); i++)
        measure(&f, "GET", gets[i], "");
    for (size_t i = 0; i < sizeof(campaigns) / sizeof(campaigns[0]); i++) {
        snprintf(target, sizeof(target), "/api/mcp/campaigns/recommend?target_size=1000&campaign_type=%s",
                 campaigns[i]);
        measure(&f, "POST", target, "");
    }
    for (size_t i = 0; i < sizeof(searches) / sizeof(searches[0]); i++)
        measure(&f, "POST", "/api/mcp/search", searches[i]);
    for (size_t i = 0; i < sizeof(questions) / sizeof(questions[0]); i++)
        measure(&f, "POST", "/api/mcp/query/natural-language", questions[i]);
    static const char *const of_one[] = { "", "/churn-risk", "/next-purchase", "/ltv-forecast?months=60" };
    for (size_t i = 0; i < sizeof(of_one) / sizeof(of_one[0]); i++) {
        snprintf(target, sizeof(target), "/api/mcp/customer/%lld%s", (long long)p->rows[p->count / 2].customer_id,
                 of_one[i]);
        measure(&f, "GET", target, "");
    }
    measure_profiles(&f, p);
    population_release(p);
    fixture_stop(&f);
    return 0;
}
