/*
 * handler: see the header.
 */
#include "api/handler.h"

#include <string.h>

#include "api/errors.h"
#include "api/request.h"

#define RETRY_DOWN_S 5
#define RETRY_BUSY_S 1
_Static_assert(HANDLER_MAX_MONTHS == POPULATION_MONTHS_AHEAD, "forecasts reach as far as may be asked for");

void handler_params_init(struct api_request *q, struct params *p)
{
    params_init(p, &q->http->arena, q->http->head->query);
}

bool handler_params_good(struct api_request *q, const struct params *p)
{
    if (p->count == 0)
        return true;
    error_validation(q, p);
    return false;
}

bool handler_months(struct api_request *q, int *months)
{
    struct params p;

    handler_params_init(q, &p);
    *months = (int)params_query_int(&p, "months", 1, HANDLER_MAX_MONTHS, HANDLER_DEFAULT_MONTHS);
    return handler_params_good(q, &p);
}

static bool refuse_unscored(struct api_request *q)
{
    bool any = q->data->population->count > 0;

    error_unavailable(q, any ? "Customers are not scored yet" : "No customers loaded", ERROR_RETRY_NO_DATA_S);
    return false;
}

bool handler_is_scored(const struct population *p)
{
    return p->count > 0 && p->model != NULL && p->outlook != NULL && p->cohorts != NULL;
}

bool handler_is_row_scored(const struct population *p, const struct population_row *row)
{
    return p->model != NULL && (row->flags & POPULATION_SCORED);
}

bool handler_has_model(struct api_request *q)
{
    return handler_is_scored(q->data->population) || refuse_unscored(q);
}

bool handler_has_score(struct api_request *q, const struct population_row *row)
{
    return handler_is_row_scored(q->data->population, row) || refuse_unscored(q);
}

int handler_word(struct api_request *q, struct str word, const char *name, const char *field,
                 const char *const *allowed)
{
    if (word.len == 0)
        return 0;
    for (int i = 0; allowed[i] != NULL; i++)
        if (str_eq_lit(word, allowed[i]))
            return i;
    const char *message = arena_printf(&q->http->arena, "Invalid %s: %.*s", name, (int)word.len, word.p);
    if (message == NULL)
        error_no_memory(q);
    else
        error_word(q, message, field, allowed);
    return -1;
}

/* Does the SQLSTATE tell of the server's state rather than of the statement? Transaction rolled back, out of
 * resources, object in use, operator intervention, system error; read-only; tables that the first start has yet to
 * make. */
static bool is_passing(const PGresult *result)
{
    static const char *const prefixes[] = { "40", "53", "55", "57", "58", "25006", "42P01" };
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);

    for (size_t i = 0; state != NULL && i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
        if (strncmp(state, prefixes[i], strlen(prefixes[i])) == 0)
            return true;
    }
    return false;
}

const char *handler_query_problem(enum pg_status status, const PGresult *result, const char *what, struct arena *a,
                                  unsigned *retry_after_s)
{
    bool busy = status == PG_TIMEOUT || (status == PG_ERROR && result == NULL);

    *retry_after_s = busy ? RETRY_BUSY_S : RETRY_DOWN_S;
    if (status == PG_ERROR && result != NULL && !is_passing(result))
        return NULL;
    return arena_printf(a, "%s is %s", what, busy ? "busy, please try again" : "not available at the moment");
}

void handler_query_failed(struct api_request *q, enum pg_status status, const PGresult *result, const char *what)
{
    unsigned retry_after_s;
    const char *message = handler_query_problem(status, result, what, &q->http->arena, &retry_after_s);

    if (message == NULL)
        error_internal(q, "statement_failed");
    else
        error_unavailable(q, message, retry_after_s);
}
