/*
 * h_products: the product analyses (CONTRACT 14.1), asked from PostgreSQL, written by the table of data/products.
 */
#include "api/answer.h"
#include "api/cached.h"
#include "api/errors.h"
#include "api/handler.h"
#include "api/present_archetype.h"
#include "api/request.h"
#include "data/products.h"
#include "model/axes_vocab.h"

#define DEFAULT_LIMIT 100

struct analysis {
    struct products_query query;
    unsigned months;
    struct str segment; /* as asked, else "all" */
    struct pgpool_query *statement;
};

/* ---- the request ---- */

/* False: refused. */
static bool read_segment(struct api_request *q, struct analysis *a, struct params *p)
{
    struct str text = params_query_text(p, "segment"), rest = text, axis_name;
    int axis, word;

    a->segment = text.len > 0 ? text : STR_LIT("all");
    if (text.len == 0 || str_eq_lit(text, "all"))
        return true;
    if (str_starts(text, "arch_")) {
        if (present_archetype_find(q->data->population, text) == NULL) {
            error_not_found(q, "archetype", text);
            return false;
        }
        a->query.archetype_id = arena_strdup(&q->http->arena, text);
        return true;
    }
    axis = str_split(&rest, ':', &axis_name) ? axes_vocab_find(axis_name) : -1;
    word = axis >= 0 ? axes_vocab_find_word((unsigned)axis, rest) : -1;
    if (word < 0) {
        params_fault(p, PARAMS_INVALID_VALUE, "query", STR_LIT("segment"),
                     "must be axis:word with words of /segments/axes, or the id of an archetype");
        return true;
    }
    a->query.axis = axes_vocab[axis].name;
    a->query.word = axes_vocab_word((unsigned)axis, (unsigned)word);
    return true;
}

/* False: refused. */
static bool read_request(struct api_request *q, struct analysis *a)
{
    const struct products_analysis *analysis = a->query.analysis;
    struct params p;
    int sort;

    handler_params_init(q, &p);
    a->months = (unsigned)params_query_int(&p, "months", 1, HANDLER_MAX_MONTHS, HANDLER_DEFAULT_MONTHS);
    a->query.limit = (unsigned)params_query_int(&p, "limit", 1, PRODUCTS_MAX_LIMIT, DEFAULT_LIMIT);
    struct str word = params_query_text(&p, "sort_by");
    if (!read_segment(q, a, &p) || !handler_params_good(q, &p))
        return false;
    sort = handler_word(q, word, "sort_by", "sort_by", analysis->sorts);
    if (sort < 0)
        return false;
    a->query.sort = analysis->sorts[sort];
    products_set_period(&a->query, q->data->population->header->as_of_day, a->months);
    return true;
}

/* ---- the answer ---- */

static void write_value(struct json_writer *w, const struct products_column *c, const PGresult *r, int row,
                        int column)
{
    struct str text = { PQgetvalue(r, row, column), (size_t)PQgetlength(r, row, column) };
    bool none = PQgetisnull(r, row, column) != 0;
    int64_t whole = 0;
    double number = 0;

    json_key(w, c->key);
    switch (c->kind) {
    case PRODUCTS_TEXT:
        json_str(w, text);
        return;
    case PRODUCTS_NOTES:
        json_array_begin(w);
        if (!none)
            json_str(w, text);
        json_array_end(w);
        return;
    case PRODUCTS_COUNT:
        (void)str_to_i64(text, &whole);
        json_int(w, whole);
        return;
    case PRODUCTS_AMOUNT:
    case PRODUCTS_FRACTION:
        (void)str_to_double(text, &number);
        json_fixed(w, number, c->kind == PRODUCTS_AMOUNT ? 2 : 4);
        return;
    }
}

/* Writes the columns of one row from `column` on; answers the column behind them. */
static int write_columns(struct json_writer *w, const struct products_column *columns, size_t most, const PGresult *r,
                         int row, int column)
{
    for (size_t i = 0; i < most && columns[i].key != NULL; i++)
        write_value(w, &columns[i], r, row, column++);
    return column;
}

static int count_columns(const struct products_column *columns, size_t most)
{
    int n = 0;

    while ((size_t)n < most && columns[n].key != NULL)
        n++;
    return n;
}

static void write_frame(struct json_writer *w, const struct api_request *q, const struct analysis *a, int count)
{
    const struct products_query *o = &a->query;

    json_kv_cstr(w, "analysis_type", o->analysis->name);
    json_kv_int(w, "timeframe_months", a->months);
    json_key(w, "period");
    json_object_begin(w);
    json_kv_day(w, "from", o->from_day);
    json_kv_day(w, "to", o->to_day);
    json_object_end(w);
    json_kv_str(w, "segment", a->segment);
    json_kv_cstr(w, "sort_by", o->sort);
    json_kv_int(w, "count", count);
    answer_stamp(w, q->data);
}

static void answer_rows(struct api_request *q, const struct analysis *a, const PGresult *r)
{
    const struct products_analysis *analysis = a->query.analysis;
    int totals = count_columns(analysis->totals, PRODUCTS_MAX_TOTALS), rows = PQntuples(r);
    int items = count_columns(analysis->items, PRODUCTS_MAX_COLUMNS);
    struct json_writer w;

    if (PQnfields(r) != totals + items || (totals > 0 && rows == 0)) {
        error_internal(q, "products_malformed");
        return;
    }
    if (rows > 0 && PQgetisnull(r, 0, totals)) /* only totals */
        rows = 0;
    request_json_begin(q, &w);
    json_object_begin(&w);
    write_frame(&w, q, a, rows);
    if (totals > 0)
        (void)write_columns(&w, analysis->totals, PRODUCTS_MAX_TOTALS, r, 0, 0);
    json_key(&w, analysis->list);
    json_array_begin(&w);
    for (int i = 0; i < rows; i++) {
        json_object_begin(&w);
        (void)write_columns(&w, analysis->items, PRODUCTS_MAX_COLUMNS, r, i, totals);
        json_object_end(&w);
    }
    json_array_end(&w);
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

    if (!products_params(&a->query, &q->http->arena, values)) {
        error_no_memory(q);
        return;
    }
    a->statement = pgpool_send(q->api->env.pool, sql_get(a->query.analysis->statement), values, q->http->deadline_ns,
                               on_result, q);
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
    a->query.analysis = products_find(q->params[0]);
    if (a->query.analysis == NULL) {
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
