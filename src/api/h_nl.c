/*
 * h_nl: POST /api/mcp/query/natural-language.
 */
#include "api/errors.h"
#include "api/nl.h"
#include "api/params.h"
#include "api/request.h"
#include "base/utf8.h"

#define MAX_CHARS 1000

/* The question, from the query string, else from the body. False: refused. */
static bool read_question(struct api_request *q, struct str *question)
{
    static const char *const known[] = { "query", NULL };
    struct params p;

    params_init(&p, &q->http->arena, q->http->head->query);
    if (q->body != NULL)
        params_body_known(&p, q->body, "body", known);
    *question = params_query_text(&p, "query");
    if (question->len > 0) {
        if (utf8_length(*question) > MAX_CHARS)
            params_fault(&p, PARAMS_OUT_OF_RANGE, "query", STR_LIT("query"), "must have at most %d characters",
                         MAX_CHARS);
    } else if (q->body == NULL) {
        params_fault(&p, PARAMS_MISSING, "query", STR_LIT("query"), "is required");
    } else if (!params_body_text(&p, q->body, "body", "query", MAX_CHARS, question) && p.count == 0) {
        params_fault(&p, PARAMS_MISSING, "body", STR_LIT("query"), "is required");
    } else if (question->len == 0 && p.count == 0) {
        params_fault(&p, PARAMS_OUT_OF_RANGE, "body", STR_LIT("query"), "must have at least 1 character");
    }
    if (p.count == 0)
        return true;
    error_validation(q, &p);
    return false;
}

void h_natural_language(struct api_request *q)
{
    struct str question;

    if (read_question(q, &question))
        nl_ask(q, question);
}
