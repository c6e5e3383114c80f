/*
 * search_request: from the query and body of POST /api/mcp/search to a select_query (CONTRACT 10).
 */
#ifndef API_SEARCH_REQUEST_H
#define API_SEARCH_REQUEST_H

#include <stdbool.h>
#include <stdint.h>

#include "api/params.h"
#include "base/hash.h"
#include "data/select.h"

struct search_request {
    struct select_query query;
    bool bare;               /* the bare-map form, which answers an array */
    uint64_t binding;        /* of filters and sort, for cursors */
    char sort_by[24];        /* as used: "ltv_desc" */
    struct str unknown_sort; /* a sort_by outside the list; STR_NONE: none */
};

/* The words of sort_by, NULL-terminated. */
extern const char *const search_sort_words[];

#define SEARCH_MAX_MONEY 9e13

/*
 * `body` NULL: none. Faults are recorded in p; sort_by outside its list is told by
 * unknown_sort, as it has an answer of its own. The population tells which archetypes there are.
 */
void search_request_read(struct search_request *s, struct params *p, const struct json *body,
                         const struct population *population, const uint8_t key[HASH_SHA256_BYTES]);
/*
 * The same from arguments of a tool, of which those known here are read (CONTRACT 10's names). `where` is the prefix
 * of the fields in faults, `limit` the one that is not given.
 */
void search_request_arguments(struct search_request *s, struct params *p, const struct json *arguments,
                              const char *where, const struct population *population, size_t limit);
/* The least whole cents that are not below an amount of at most SEARCH_MAX_MONEY. */
int64_t search_least_cents(double money);

#endif
