/*
 * nl: see the header. Whoever chose tool and arguments, numbers and sentences come from the tool.
 */
#include "api/nl.h"

#include "api/errors.h"
#include "api/nl_rules.h"
#include "api/request.h"
#include "api/tools.h"
#include "base/clock.h"

#define MAX_ARGUMENTS (64 * 1024)
#define AFTER_MS      400 /* for PostgreSQL, once the question is understood, at the least */

struct asked {
    struct str question;
    struct nl_meaning meaning;
    struct tool_call call;
};

static const char *const interpreters[] = { [NL_RULES] = "rules", [NL_CLAUDE] = "claude" };

bool nl_by_rules(struct api_request *q, struct str question, struct nl_meaning *m)
{
    const char *tool, *why;
    struct buf arguments;

    *m = (struct nl_meaning){ .type = METRIC_NL_UNSUPPORTED, .interpreter = NL_RULES };
    buf_init(&arguments, MAX_ARGUMENTS);
    tool = nl_rules_read(question, &arguments);
    if (tool != NULL) {
        m->tool = tools_find(str_from(tool));
        m->arguments = json_parse(&q->http->arena, buf_str(&arguments), &why);
    }
    buf_free(&arguments);
    if (m->arguments == NULL)
        m->tool = NULL;
    return tool == NULL || m->tool != NULL;
}

/* ---- the answer ---- */

static void begin(struct api_request *q, struct json_writer *w, const struct asked *a, const char *query_type)
{
    request_json_begin(q, w);
    json_object_begin(w);
    json_kv_str(w, "query", a->question);
    json_kv_cstr(w, "query_type", query_type);
    json_key(w, "answer");
}

static void end(struct api_request *q, struct json_writer *w, const struct asked *a)
{
    const struct nl_meaning *m = &a->meaning;

    json_kv_cstr(w, "interpreter", interpreters[m->interpreter]);
    json_kv_cstr(w, "tool_used", m->tool != NULL ? m->tool->name : NULL);
    json_key(w, "interpretation");
    if (m->tool != NULL)
        json_value(w, m->arguments);
    else
        json_null(w);
    json_kv_int(w, "data_version", (int64_t)q->data->population->header->data_version);
}

static void finish(struct api_request *q, struct json_writer *w)
{
    json_object_end(w);
    request_json_end(q, 200);
}

static void count(const struct asked *a, struct str query_type)
{
    for (unsigned i = 0; i < METRIC_NL_TYPES; i++) {
        if (str_eq_lit(query_type, metrics_dim_value(METRICS_DIM_NL_TYPE, i)))
            metrics_add(METRIC_NL_QUERIES, a->meaning.interpreter, i, 0, 1);
    }
}

static const char *type_name(enum metric_nl type)
{
    return metrics_dim_value(METRICS_DIM_NL_TYPE, (unsigned)type);
}

static void write_unsupported(struct json_writer *w)
{
    static const char *const queries[] = { "Which customers are at risk of churning?",
                                           "Who are my best customers?",
                                           "Revenue forecast for the next 12 months",
                                           "Which customer types grow?",
                                           "Who should get a win-back campaign?",
                                           "Which categories earn the most?",
                                           "Show customer 7827249201407",
                                           "Which customers bought only once?" };

    json_kv_cstr(w, "summary", "Question not understood");
    json_kv_cstr(w, "message", "Try one of these questions.");
    json_key(w, "supported_queries");
    json_array_begin(w);
    for (size_t i = 0; i < sizeof(queries) / sizeof(queries[0]); i++)
        json_cstr(w, queries[i]);
    json_array_end(w);
}

/* Without a tool. */
static void answer_plainly(struct api_request *q, const struct asked *a)
{
    const char *type = type_name(a->meaning.type);
    struct json_writer w;

    begin(q, &w, a, type);
    json_object_begin(&w);
    if (a->meaning.type == METRIC_NL_UNSUPPORTED)
        write_unsupported(&w);
    else
        json_kv_cstr(&w, "message",
                     "I can answer questions about customers, segments, forecasts, campaigns and products.");
    json_object_end(&w);
    end(q, &w, a);
    count(a, str_from(type));
    finish(q, &w);
}

/* A customer there is not, or a detail that is missing. */
static void answer_problem(struct tool_call *c)
{
    const struct asked *a = c->owner;
    bool missing = c->outcome == TOOL_NOT_FOUND && str_eq_lit(str_from(c->resource), "customer");
    const char *type = type_name(missing ? METRIC_NL_CUSTOMER_LOOKUP_ERROR : METRIC_NL_ERROR);
    struct json_writer w;

    begin(c->q, &w, a, type);
    json_object_begin(&w);
    if (missing) {
        json_kv_str(&w, "customer_id", c->identifier);
        json_kv_cstr(&w, "error", c->message);
        json_kv_cstr(&w, "summary", c->message);
    } else {
        json_kv_cstr(&w, "tool", c->tool->name);
    }
    json_kv_cstr(&w, "message", c->message);
    json_object_end(&w);
    end(c->q, &w, a);
    count(a, str_from(type));
    finish(c->q, &w);
}

/* What clients of the earlier service look for beside the answer. */
static void write_direct_form(struct json_writer *w, const struct api_request *q, const struct json *answer)
{
    const struct json *projections = json_get(answer, "projections"), *categories = json_get(answer, "categories");

    if (projections != NULL) {
        json_key(w, "archetypes");
        json_value(w, projections);
        json_kv_int(w, "total_archetypes", (int64_t)q->data->population->archetype_count);
        json_key(w, "sort_by");
        json_value(w, json_get(answer, "sort_by"));
        json_key(w, "timeframe_months");
        json_value(w, json_get(answer, "timeframe_months"));
    }
    if (categories != NULL) {
        json_key(w, "analysis_type");
        json_value(w, json_get(answer, "analysis_type"));
        json_key(w, "categories");
        json_value(w, categories);
    }
}

static void answer_result(struct tool_call *c)
{
    const struct asked *a = c->owner;
    const char *why = NULL;
    const struct json *result = json_parse(&c->q->http->arena, c->result, &why);
    const struct json *type = json_get(result, "query_type"), *answer = json_get(result, "answer");
    char name[64];
    struct json_writer w;

    if (type == NULL || answer == NULL) {
        if (c->q->http->arena.exhausted)
            error_no_memory(c->q);
        else
            error_internal(c->q, "tool_without_answer");
        return;
    }
    str_copy(name, sizeof(name), type->text);
    begin(c->q, &w, a, name);
    json_value(&w, answer);
    end(c->q, &w, a);
    write_direct_form(&w, c->q, answer);
    count(a, type->text);
    finish(c->q, &w);
}

static void on_tool(struct tool_call *c)
{
    if (c->outcome == TOOL_OK)
        answer_result(c);
    else if (c->outcome == TOOL_NOT_FOUND || c->outcome == TOOL_INVALID)
        answer_problem(c);
    else
        tool_answer_error(c);
}

/* Answers come within three seconds while NL_TIMEOUT_MS is what it is by default. */
static uint64_t deadline_of(const struct api_request *q)
{
    return q->http->start_ns + ((uint64_t)q->api->env.conf->nl_timeout_ms + AFTER_MS) * 1000000ULL;
}

void nl_answer(struct api_request *q, struct str question, const struct nl_meaning *m)
{
    struct asked *a = arena_zalloc(&q->http->arena, sizeof(*a));

    if (a == NULL) {
        error_no_memory(q);
        return;
    }
    a->question = question;
    a->meaning = *m;
    if (m->tool == NULL) {
        answer_plainly(q, a);
        return;
    }
    tools_adjust(&q->http->arena, m->tool, m->arguments);
    a->call = (struct tool_call){ .q = q,
                                  .tool = m->tool,
                                  .arguments = m->arguments,
                                  .where = "arguments",
                                  .lenient = true,
                                  .deadline_ns = deadline_of(q),
                                  .done = on_tool,
                                  .owner = a };
    tool_start(&a->call);
}
