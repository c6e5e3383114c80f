/*
 * nl: a question in words, from its interpretation to its answer (CONTRACT 17).
 */
#ifndef API_NL_H
#define API_NL_H

#include "base/str.h"
#include "core/json.h"
#include "core/metrics.h"

struct api_request;
struct tool;

/* Who said what a question means. */
enum nl_interpreter {
    NL_RULES,
    NL_CLAUDE
};

/* What a question means: a tool and its arguments, or one of the answers that need none. */
struct nl_meaning {
    const struct tool *tool; /* NULL: `type` */
    struct json *arguments;  /* an object in the request's arena */
    enum metric_nl type;     /* METRIC_NL_UNSUPPORTED or METRIC_NL_GENERAL_RESPONSE */
    enum nl_interpreter interpreter;
};

/* Answers the request: Claude or the rules interpret the question, a tool answers it. */
void nl_ask(struct api_request *q, struct str question);
/* Answers the request from the meaning, at once or later. */
void nl_answer(struct api_request *q, struct str question, const struct nl_meaning *m);
/* The meaning by the rules. False: no memory. */
bool nl_by_rules(struct api_request *q, struct str question, struct nl_meaning *m);

#endif
