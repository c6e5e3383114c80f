/*
 * h_products: the product analyses (CONTRACT 14.1), asked from PostgreSQL, written by the table of data/products.
 */
#include "api/answer.h"
#include "api/cached.h"
#include "api/errors.h"
#include "api/handler.h"
#include "api/product_analysis.h"
#include "api/request.h"

#define DEFAULT_LIMIT 100

struct analysis {
    struct product_analysis asked;
    struct pgpool_query *statement;
};

/* ---- the request ---- */

/* False: refused. */
static bool read_segment(struct api_request *q, struct analysis *a, struct params *p)
{
    struct str text = params_query_text(p, "segment");

    switch (product_analysis_segment(&a->asked, text, q->data->population, &q->http->arena)) {
    case PRODUCT_SEGMENT_UNKNOWN:
        error_not_found(q, "archetype", text);
        return false;
    case PRODUCT_SEGMENT_MALFORMED:
        params_fault(p, PARAMS_INVALID_VALUE, "query", STR_LIT("segment"), PRODUCT_SEGMENT_ADVICE);
        break;
    case PRODUCT_SEGMENT_GOOD:
        break;
    }
    return true;
}

/* False: refused. */
static bool read_request(struct api_request *q, struct analysis *a)
{
    const struct products_analysis *analysis = a->asked.query.analysis;
    struct params p;
    int sort;

    handler_params_init(q, &p);
    a->asked.months = (unsigned)params_query_int(&p, "months", 1, HANDLER_MAX_MONTHS, HANDLER_DEFAULT_MONTHS);
    a->asked.query.limit = (unsigned)params_query_int(&p, "limit", 1, PRODUCTS_MAX_LIMIT, DEFAULT_LIMIT);
    struct str word = params_query_text(&p, "sort_by");
    if (!read_segment(q, a, &p) || !handler_params_good(q, &p))
        return false;
    sort = handler_word(q, word, "sort_by", "sort_by", analysis->sorts);
    if (sort < 0)
        return false;
    a->asked.query.sort = analysis->sorts[sort];
    products_set_period(&a->asked.query, q->data->population->header->as_of_day, a->asked.months);
    return true;
}

/* ---- the answer ---- */

static void answer_rows(struct api_request *q, const struct analysis *a, const PGresult *r)
{
    struct json_writer w;

    if (!product_analysis_is_sound(&a->asked, r)) {
        error_internal(q, "products_malformed");
        return;
    }
    request_json_begin(q, &w);
    json_object_begin(&w);
    product_analysis_write(&w, &a->asked, r);
    answer_stamp(&w, q->data);
    json_object_end(&w);
    request_json_end(q, 200);
}

/* ---- in between ---- */

static void on_result(enum pg_status status, const PGresult *result, void *arg)
{
    struct api_request *q = arg;

    q->cancel = NULL;
    if (status == PG_OK)
        answer_rows(q, q->pending, result);
    else
        handler_query_failed(q, status, result, "Product analysis");
}

static void cancel(struct api_request *q)
{
    const struct analysis *a = q->pending;

    pgpool_cancel(q->api->env.pool, a->statement);
}

static void ask(struct api_request *q)
{
    struct analysis *a = q->pending;
    const char *values[SQL_PR_PARAMS];

    if (!products_params(&a->asked.query, &q->http->arena, values)) {
        error_no_memory(q);
        return;
    }
    a->statement = pgpool_send(q->api->env.pool, sql_get(a->asked.query.analysis->statement), values,
                               q->http->deadline_ns, on_result, q);
    if (a->statement == NULL)
        handler_query_failed(q, PG_TIMEOUT, NULL, "Product analysis");
    else
        q->cancel = cancel;
}

void h_products(struct api_request *q)
{
    struct analysis *a = arena_zalloc(&q->http->arena, sizeof(*a));

    if (a == NULL) {
        error_no_memory(q);
        return;
    }
    a->asked.query.analysis = products_find(q->params[0]);
    if (a->asked.query.analysis == NULL) {
        error_not_listed(q, "analysis", q->params[0], products_names);
        return;
    }
    if (q->data == NULL) {
        error_unavailable(q, "No customers loaded", ERROR_RETRY_NO_DATA_S);
        return;
    }
    if (!read_request(q, a) || request_unchanged(q))
        return;
    q->pending = a;
    cached_answer(q, METRIC_CACHE_QUERY, ask);
}
