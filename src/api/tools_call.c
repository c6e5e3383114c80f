/*
 * tools_call: a call of a tool from its start to its end.
 */
#include <stdarg.h>
#include <stdio.h>

#include "api/cached.h"
#include "api/customer.h"
#include "api/errors.h"
#include "api/handler.h"
#include "api/request.h"
#include "api/tools.h"
#include "base/clock.h"
#include "core/metrics.h"

/* Memory a result may leave behind in the worker's buffer. */
#define KEPT_BYTES (256 * 1024)

static unsigned number_of(const struct tool *t)
{
    return (unsigned)(t - tools);
}

static void finish(struct tool_call *c, enum tool_outcome outcome)
{
    c->outcome = outcome;
    metrics_add(METRIC_MCP_TOOL_CALLS, number_of(c->tool), (unsigned)outcome, 0, 1);
    metrics_observe(METRIC_MCP_TOOL_DURATION, number_of(c->tool), 0, clock_mono_ns() - c->start_ns);
    c->done(c);
}

/* Who waits for the same must work it out. */
static void fail(struct tool_call *c, enum tool_outcome outcome)
{
    cached_end(c->q);
    finish(c, outcome);
}

void tool_start(struct tool_call *c)
{
    struct buf *out = &c->q->api->result;

    c->start_ns = clock_mono_ns();
    c->result = STR_NONE;
    params_init(&c->faults, &c->q->http->arena, STR_NONE);
    tools_check(&c->faults, c->tool->arguments, c->arguments, c->where);
    if (c->faults.count > 0) {
        tool_fail_fault(c);
        return;
    }
    if (c->q->data == NULL || c->q->data->population->count == 0) {
        tool_fail_unavailable(c, "No customers loaded", ERROR_RETRY_NO_DATA_S);
        return;
    }
    buf_reset(out);
    json_writer_init(&c->w, out);
    c->tool->run(c);
}

void tool_end(struct tool_call *c)
{
    if (c->w.out->failed) {
        tool_fail_memory(c);
        return;
    }
    c->result = buf_str(c->w.out);
    cached_keep(c->q, c->result);
    finish(c, TOOL_OK);
    if (c->w.out->cap > KEPT_BYTES)
        buf_free(c->w.out);
}

void tool_fail_fault(struct tool_call *c)
{
    const struct params_error *e = &c->faults.errors[0];

    c->message = e->field != NULL && e->message != NULL
                     ? arena_printf(&c->q->http->arena, "%s %s", e->field, e->message)
                     : NULL;
    if (c->message == NULL)
        c->message = "Request validation failed";
    fail(c, TOOL_INVALID);
}

void tool_fail_missing(struct tool_call *c, const char *resource, struct str identifier)
{
    c->resource = resource;
    c->identifier = identifier;
    c->message = error_not_found_message(&c->q->http->arena, resource, identifier);
    if (c->message == NULL)
        tool_fail_memory(c);
    else
        fail(c, TOOL_NOT_FOUND);
}

void tool_fail_incomplete(struct tool_call *c, const char *field, const char *advice)
{
    params_fault(&c->faults, PARAMS_MISSING, c->where, str_from(field), "is required");
    c->message = advice;
    fail(c, TOOL_INVALID);
}

void tool_fail_unavailable(struct tool_call *c, const char *message, unsigned retry_after_s)
{
    c->message = message;
    c->retry_after_s = retry_after_s;
    fail(c, TOOL_UNAVAILABLE);
}

void tool_fail_memory(struct tool_call *c)
{
    c->message = "The answer needs too much memory";
    fail(c, TOOL_NO_MEMORY);
}

void tool_fail_bug(struct tool_call *c, const char *word)
{
    c->message = word;
    fail(c, TOOL_FAILED);
}

void tool_answer_error(struct tool_call *c)
{
    switch (c->outcome) {
    case TOOL_INVALID:
        error_validation(c->q, &c->faults);
        break;
    case TOOL_NOT_FOUND:
        error_not_found(c->q, c->resource, c->identifier);
        break;
    case TOOL_UNAVAILABLE:
        error_unavailable(c->q, c->message, c->retry_after_s);
        break;
    case TOOL_NO_MEMORY:
        error_no_memory(c->q);
        break;
    default:
        error_internal(c->q, c->message);
    }
}

/* ---- answers ---- */

void tool_answer_begin(struct tool_call *c, enum metric_nl type)
{
    json_object_begin(&c->w);
    json_kv_cstr(&c->w, "query_type", metrics_dim_value(METRICS_DIM_NL_TYPE, (unsigned)type));
    json_key(&c->w, "answer");
    json_object_begin(&c->w);
}

void tool_answer_end(struct tool_call *c, const char *fmt, ...)
{
    char sentence[512];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(sentence, sizeof(sentence), fmt, ap);
    va_end(ap);
    json_kv_cstr(&c->w, "summary", sentence);
    json_kv_cstr(&c->w, "message", sentence);
    json_kv_day(&c->w, "as_of", c->q->data->population->header->as_of_day);
    json_object_end(&c->w);
    json_object_end(&c->w);
    tool_end(c);
}

/* ---- later ---- */

static void on_value(struct str value, void *arg)
{
    struct tool_call *c = arg;

    c->q->cancel = NULL;
    if (value.p == NULL && cached_waited_out(c->q)) {
        tool_fail_unavailable(c, CACHED_BUSY, CACHED_BUSY_RETRY_S);
        return;
    }
    if (value.p == NULL) { /* this call leads: the ticket ends with it */
        c->work_out(c);
        return;
    }
    c->q->ticket = NULL;
    c->result = value;
    finish(c, TOOL_OK);
}

void tool_cached(struct tool_call *c, const char *question, enum metric_cache_type type,
                 void (*work_out)(struct tool_call *c))
{
    const struct population_header *h = c->q->data->population->header;
    struct cache_question asked = {
        .type = type, .data_version = h->data_version, .published_us = h->published_us, .text = str_from(question)
    };

    c->work_out = work_out;
    c->q->asked_ns = clock_mono_ns();
    c->q->ticket = cache_ask(c->q->api->env.cache, &asked, on_value, c);
    if (c->q->ticket == NULL)
        work_out(c);
    else
        c->q->cancel = cached_end;
}

const char *tool_question(struct tool_call *c)
{
    struct buf *text = &c->q->api->scratch;
    struct json_writer w;

    buf_reset(text);
    json_writer_init(&w, text);
    json_array_begin(&w);
    json_cstr(&w, c->tool->name);
    for (const struct tool_field *f = c->tool->arguments; f->name != NULL; f++) {
        const struct json *m = json_get(c->arguments, f->name);

        if (m == NULL || m->type == JSON_NULL)
            continue;
        json_cstr(&w, f->name);
        json_value(&w, m);
    }
    json_array_end(&w);
    return text->failed ? NULL : arena_strdup(&c->q->http->arena, buf_str(text));
}

static void on_result(enum pg_status status, const PGresult *result, void *arg)
{
    struct tool_call *c = arg;

    c->q->cancel = NULL;
    if (status == PG_OK) {
        buf_reset(c->w.out);
        json_writer_init(&c->w, c->w.out);
        c->on_rows(c, result);
        return;
    }
    unsigned retry_s;
    const char *message = handler_query_problem(status, result, c->what, &c->q->http->arena, &retry_s);
    if (message == NULL)
        tool_fail_bug(c, "statement_failed");
    else
        tool_fail_unavailable(c, message, retry_s);
}

static void cancel_statement(struct api_request *q)
{
    const struct tool_call *c = q->pending;

    pgpool_cancel(q->api->env.pool, c->statement);
}

void tool_query(struct tool_call *c, enum sql_id statement, const char *const *values, const char *what,
                void (*on_rows)(struct tool_call *c, const PGresult *r))
{
    uint64_t deadline_ns = c->deadline_ns > 0 ? c->deadline_ns : c->q->http->deadline_ns;

    c->what = what;
    c->on_rows = on_rows;
    c->statement = pgpool_send(c->q->api->env.pool, sql_get(statement), values, deadline_ns, on_result, c);
    if (c->statement == NULL) {
        on_result(PG_TIMEOUT, NULL, c);
        return;
    }
    c->q->pending = c;
    c->q->cancel = cancel_statement;
}

/* ---- arguments ---- */

static const struct tool_field *field_of(const struct tool_call *c, const char *name)
{
    const struct tool_field *f = c->tool->arguments;

    while (f->name != NULL && !str_eq_lit(str_from(name), f->name))
        f++;
    return f;
}

int64_t tool_int(const struct tool_call *c, const char *name)
{
    const struct json *m = json_get(c->arguments, name);
    int64_t v;

    return m != NULL && json_i64(m, &v) ? v : (int64_t)field_of(c, name)->initial;
}

double tool_number(const struct tool_call *c, const char *name)
{
    const struct json *m = json_get(c->arguments, name);
    double v;

    return m != NULL && json_double(m, &v) ? v : field_of(c, name)->initial;
}

struct str tool_text(const struct tool_call *c, const char *name)
{
    const struct json *m = json_get(c->arguments, name);

    return m != NULL && m->type == JSON_STRING ? m->text : STR_NONE;
}

int tool_word(const struct tool_call *c, const char *name)
{
    const char *const *words = field_of(c, name)->words;
    struct str text = tool_text(c, name);

    for (int i = 0; text.p != NULL && words != NULL && words[i] != NULL; i++) {
        if (str_eq_lit(text, words[i]))
            return i;
    }
    return -1;
}

const struct population_row *tool_customer(struct tool_call *c)
{
    struct str id = tool_text(c, "customer_id");
    const struct population_row *row = customer_find(c->q->data->population, id);

    if (row == NULL)
        tool_fail_missing(c, "customer", id);
    return row;
}

bool tool_has_model(struct tool_call *c)
{
    if (handler_is_scored(c->q->data->population))
        return true;
    tool_fail_unavailable(c, "Customers are not scored yet", ERROR_RETRY_NO_DATA_S);
    return false;
}

bool tool_has_score(struct tool_call *c, const struct population_row *row)
{
    if (handler_is_row_scored(c->q->data->population, row))
        return true;
    tool_fail_unavailable(c, "Customers are not scored yet", ERROR_RETRY_NO_DATA_S);
    return false;
}
