/*
 * product_analysis: one of the nine product analyses (CONTRACT 14.1) as its route and its tool ask for it.
 */
#ifndef API_PRODUCT_ANALYSIS_H
#define API_PRODUCT_ANALYSIS_H

#include <stdbool.h>

#include "api/dataset.h"
#include "core/json.h"
#include "data/products.h"
#include "net/pg.h"

struct product_analysis {
    struct products_query query;
    unsigned months;
    struct str segment; /* as asked, else "all" */
};

enum product_segment {
    PRODUCT_SEGMENT_GOOD,
    PRODUCT_SEGMENT_UNKNOWN, /* an archetype there is not */
    PRODUCT_SEGMENT_MALFORMED
};
#define PRODUCT_SEGMENT_ADVICE "must be axis:word with words of /segments/axes, or the id of an archetype"

/* Takes `axis:word`, an archetype's id, "all" or nothing. What it keeps is in the arena. */
enum product_segment product_analysis_segment(struct product_analysis *a, struct str text, const struct population *p,
                                              struct arena *arena);
/* What the statement gave: the columns the analysis says, and its totals where it has some? */
bool product_analysis_is_sound(const struct product_analysis *a, const PGresult *r);
/* Items in it. */
int product_analysis_count(const struct product_analysis *a, const PGresult *r);
/* Writes the members of the answer, but for the stamp, into an open object; the result must be sound. */
void product_analysis_write(struct json_writer *w, const struct product_analysis *a, const PGresult *r);

#endif
