/*
 * handler: what handlers of reads have in common. Where one says false, the request has been answered.
 */
#ifndef API_HANDLER_H
#define API_HANDLER_H

#include <stdbool.h>

#include "api/params.h"
#include "net/pg.h"

struct api_request;
struct population;
struct population_row;

#define HANDLER_DEFAULT_MONTHS 12
#define HANDLER_MAX_MONTHS     60

void handler_params_init(struct api_request *q, struct params *p);
/* 422 with what was recorded. */
bool handler_params_good(struct api_request *q, const struct params *p);
/* The query parameter `months`, the only one. */
bool handler_months(struct api_request *q, int *months);
/* Do the published data have all that a scoring gives; has it given this customer a score? */
bool handler_is_scored(const struct population *p);
bool handler_is_row_scored(const struct population *p, const struct population_row *row);
/* 503 while the published data have no customers, or no scores: before the first scoring. */
bool handler_has_model(struct api_request *q);
/* The same of one customer. */
bool handler_has_score(struct api_request *q, const struct population_row *row);
/* Is `word` in the list (NULL-terminated)? Its place; else -1, and 400 `Invalid <name>: <word>` was answered. A word
 * that was not given is the first. */
int handler_word(struct api_request *q, struct str word, const char *name, const char *field,
                 const char *const *allowed);

/* Why a statement gave no rows, in words for the asker: `what` is busy or down, and when to try again. NULL: the
 * server refused the statement (or no memory for the words): a bug. */
const char *handler_query_problem(enum pg_status status, const PGresult *result, const char *what, struct arena *a,
                                  unsigned *retry_after_s);
/* Answers for a statement that gave no rows: 503, or 500 where the server refused it. `what` begins the message. */
void handler_query_failed(struct api_request *q, enum pg_status status, const PGresult *result, const char *what);

#endif
