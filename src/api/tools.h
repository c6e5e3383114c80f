/*
 * tools: the one table of tools (CONTRACT 16): what POST /api/mcp/query, natural language, Claude and MCP can call.
 *
 * A row says name, description, fields of the arguments and of the result; JSON Schemas and the check of arguments
 * follow from the fields. A tool only reads. A call is a function of (population, arguments), but for the few that
 * ask PostgreSQL, which end later.
 */
#ifndef API_TOOLS_H
#define API_TOOLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api/auth.h"
#include "api/params.h"
#include "core/json.h"
#include "core/metrics.h"
#include "data/sql.h"
#include "net/pg.h"

struct api_request;
struct pgpool_query;
struct population_row;
struct tool_call;

enum tool_type {
    TOOL_TEXT,   /* at most TOOLS_MAX_TEXT characters, one of `words` where there are any */
    TOOL_INT,    /* least … most */
    TOOL_NUMBER, /* least … most */
    TOOL_BOOL,
    TOOL_TEXTS,    /* as argument also a single string; least … most of them, where most is above 0 */
    TOOL_OBJECT,   /* `members`; without them any object */
    TOOL_SEGMENTS, /* a map of axes to one word or several */
    TOOL_LIST      /* of objects; results only */
};

#define TOOLS_MAX_TEXT 1000

struct tool_field {
    const char *name; /* NULL ends a list */
    enum tool_type type;
    const char *description;  /* of an argument */
    bool required;            /* argument */
    bool nullable, optional;  /* in a result */
    const char *const *words; /* NULL-terminated; NULL: any text */
    double least, most;
    double initial; /* of a number that is not given, if has_initial */
    bool has_initial;
    const struct tool_field *members;
    const char *header; /* of an argument that MCP clients repeat in Mcp-Param-<header>, for proxies; NULL: none */
};

struct tool {
    const char *name, *title, *description;
    enum auth_level scope;
    const struct tool_field *arguments; /* a list without fields: none */
    const struct tool_field *result;    /* of the object, or of each item of `list` */
    bool answers; /* the result is an answer of CONTRACT 17.3: it can answer a question in words */
    bool list;    /* the result is an array of objects */
    void (*run)(struct tool_call *c); /* ends with tool_end or a tool_fail_…, at once or later */
};

extern const struct tool tools[];
extern const size_t tools_count;
/* Once, before the first use of the table. */
void tools_init(void);
/* NULL: no such tool. */
const struct tool *tools_find(struct str name);
/* Names in the order of the table, NULL-terminated. */
extern const char *const *const tools_names;

/* JSON Schemas, of draft 2020-12; each writes one value. A tool with `list` has a schema of an item's object. */
void tools_write_arguments_schema(struct json_writer *w, const struct tool *t);
/* The same with x-mcp-header at the arguments that have one. */
void tools_write_mcp_arguments_schema(struct json_writer *w, const struct tool *t);
void tools_write_result_schema(struct json_writer *w, const struct tool *t);
/* The map name → {type, description, required} of CONTRACT 16. */
void tools_write_parameters(struct json_writer *w, const struct tool *t);

/* Faults of an object of arguments against its fields: unknown ones, missing ones, types, bounds, words. `where` is
 * the prefix of the fields named. */
void tools_check(struct params *p, const struct tool_field *fields, const struct json *object, const char *where);

/*
 * The other way: brings an object of arguments within what the tool takes. Numbers go to the nearest bound; words
 * that are not listed, fields that are unknown and values of a wrong type are left out; bounds that cross change
 * places.
 */
void tools_adjust(struct arena *a, const struct tool *t, struct json *arguments);

/*
 * The same for a provider that holds arguments to a schema but knows no bounds: a schema as it must be there, and
 * arguments of that form brought back to the usual one. False: no memory.
 */
void tools_write_strict_schema(struct json_writer *w, const struct tool *t);
bool tools_from_strict(struct arena *a, const struct tool *t, struct json *arguments);

/* ---- calls ---- */

enum tool_outcome {
    TOOL_OK,
    TOOL_INVALID,     /* arguments: `faults` */
    TOOL_NOT_FOUND,   /* an object they name: `resource`, `identifier` */
    TOOL_UNAVAILABLE, /* data or PostgreSQL: `message`, `retry_after_s` */
    TOOL_NO_MEMORY,
    TOOL_FAILED, /* a bug: `message` is a word for the log */
    TOOL_OUTCOMES
};

/*
 * One call, in the arena of its request. The caller fills the first members and starts it; `done` is called exactly
 * once, before tool_start returns or later, unless the request ends before. While a call waits it owns the request's
 * `cancel` and `pending`.
 */
struct tool_call {
    struct api_request *q; /* with its data set, NULL: no data */
    const struct tool *tool;
    const struct json *arguments; /* an object; NULL: none */
    const char *where;            /* prefix of the fields in faults: "body.parameters" */
    bool lenient;                 /* what does not go together is left aside where it can be, instead of a fault */
    void (*done)(struct tool_call *c);
    void *owner; /* the caller's own */

    enum tool_outcome outcome;
    struct str result;   /* TOOL_OK: JSON, valid during `done` */
    const char *message; /* else: a sentence for a person */
    const char *resource;
    struct str identifier;
    unsigned retry_after_s;
    struct params faults;

    struct json_writer w;           /* of the result, for `run` */
    void *state;                    /* of `run` */
    uint64_t start_ns, deadline_ns; /* deadline 0: that of the request */
    struct pgpool_query *statement;
    const char *what;
    void (*work_out)(struct tool_call *c);
    void (*on_rows)(struct tool_call *c, const PGresult *r);
};

void tool_start(struct tool_call *c);
/* Answers an HTTP request with what went wrong: outcome is not TOOL_OK. */
void tool_answer_error(struct tool_call *c);

/* For the tools' own code. */
void tool_end(struct tool_call *c);        /* the result is written */
void tool_fail_fault(struct tool_call *c); /* with what is in `faults` */
void tool_fail_missing(struct tool_call *c, const char *resource, struct str identifier);
/* A detail only the asker knows: a fault of the field, and `advice` as the message. */
void tool_fail_incomplete(struct tool_call *c, const char *field, const char *advice);
void tool_fail_unavailable(struct tool_call *c, const char *message, unsigned retry_after_s);
void tool_fail_memory(struct tool_call *c);
void tool_fail_bug(struct tool_call *c, const char *word);
/*
 * An answer of CONTRACT 17.3: {"query_type": …, "answer": {…}}. Between the two stand its members; the end adds the
 * sentence as `summary` and `message`, and ends the call.
 */
void tool_answer_begin(struct tool_call *c, enum metric_nl type);
void tool_answer_end(struct tool_call *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/*
 * Answers `question`, what is asked in a text that tells it apart, from the cache, or calls `work_out`, whose result
 * is kept.
 */
void tool_cached(struct tool_call *c, const char *question, enum metric_cache_type type,
                 void (*work_out)(struct tool_call *c));
/* Tool and arguments as such a text, in the arena; NULL: no memory. */
const char *tool_question(struct tool_call *c);
/* Sends a statement; `on_rows` ends the call. `what` names the service in a failure: "Order history". */
void tool_query(struct tool_call *c, enum sql_id statement, const char *const *values, const char *what,
                void (*on_rows)(struct tool_call *c, const PGresult *r));
/* Arguments, checked before: as given, else the initial value; STR_NONE: not given. */
int64_t tool_int(const struct tool_call *c, const char *name);
double tool_number(const struct tool_call *c, const char *name);
struct str tool_text(const struct tool_call *c, const char *name);
/* Its place in the field's words; -1: not given. */
int tool_word(const struct tool_call *c, const char *name);
/* Where false or NULL, the call has failed: the customer `customer_id` names; a model; his score. */
const struct population_row *tool_customer(struct tool_call *c);
bool tool_has_model(struct tool_call *c);
bool tool_has_score(struct tool_call *c, const struct population_row *row);

/* The tools about one thing (tools_plain.c). */
void tool_profile(struct tool_call *c);
void tool_search(struct tool_call *c);
void tool_archetype(struct tool_call *c);
void tool_segment_trend(struct tool_call *c);
void tool_churn_risk(struct tool_call *c);
void tool_campaign_segments(struct tool_call *c);
/* Those that answer with an answer of CONTRACT 17.3. */
void tool_query_customers(struct tool_call *c); /* tools_customers.c */
void tool_query_segments(struct tool_call *c);  /* tools_segments.c */
void tool_forecast(struct tool_call *c);        /* tools_forecast.c */
void tool_campaign(struct tool_call *c);        /* tools_campaign.c */
void tool_recommendations(struct tool_call *c);
void tool_products(struct tool_call *c); /* tools_products.c */
/* The part of query_customers about one (tools_customer.c). */
void tools_customer_individual(struct tool_call *c);

/* Words of their arguments, in the order of their meanings; those that are not const are filled by the init. */
extern const char *const tools_info_words[], *const tools_segments_words[], *const tools_segments_sorts[],
                                                                                *const tools_trend_words[],
                                                                                    *const tools_risk_words[],
                                                                                        *const tools_priority_words[];
extern const char *tools_analysis_words[], *tools_metric_words[], *tools_advice_words[];
void tools_customers_init(void);
void tools_forecast_init(void);
void tools_campaign_init(void);

#endif
