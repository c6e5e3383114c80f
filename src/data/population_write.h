/*
 * population_write: compiling a population file. Used by the sync process only.
 *
 * The number of rows is known before the first one. Rows come in ascending
 * order of customer_id, without doubles. RFM scores, b2b flags, columns, orders
 * and aggregates are computed here from the rows, so they can't disagree with them;
 * what a row says of them is overwritten. The file is written in place through
 * a mapping of its final size, whose disk space is reserved first, and appears
 * under its final name only when it is whole and on disk. Besides the
 * mapping, finishing takes 32 bytes a row.
 */
#ifndef DATA_POPULATION_WRITE_H
#define DATA_POPULATION_WRITE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "data/population.h"

struct population_meta {
    uint64_t data_version;
    int64_t published_us, synced_us, trained_us;
    int32_t as_of_day;
    uint64_t orders_loaded, rows_loaded, guest_rows;
    const char *currency, *model_version, *model_status;
    struct population_settings settings;
    int64_t b2b_min_ltv_cents, b2b_min_orders; /* flags are set above these */
};

struct population_writer;

/* Each returns NULL / false with the reason in words. A row is refused when its id does not rise, its days are not
 * first <= last <= as-of, it has no order, or its scores are no probabilities or not finite. */
struct population_writer *population_writer_new(const char *dir, uint64_t rows, const struct population_meta *meta,
                                                char *why, size_t why_size);
bool population_writer_add(struct population_writer *w, const struct population_row *row, char *why, size_t why_size);
/*
 * Each is optional and set once; false: no memory, or the data are not as described.
 * The ids of the archetypes, ascending; a row's `archetype` is an index of them.
 */
bool population_writer_set_archetypes(struct population_writer *w, const uint64_t *ids, size_t count);
/* For an archetype: its members that are active at the end of months 1…POPULATION_MONTHS_AHEAD. Answers are given for
 * archetypes that have a series; those with the greatest net sales should (POPULATION_MAX_SERIES at most). After
 * population_writer_set_archetypes. */
#define POPULATION_MAX_SERIES 1024
struct population_series {
    uint32_t archetype;
    float active[POPULATION_MONTHS_AHEAD];
};
bool population_writer_set_series(struct population_writer *w, const struct population_series *series, size_t count);
/* Without gaps, oldest first, up to the as-of month. */
bool population_writer_set_months(struct population_writer *w, const struct population_month *months, size_t count);
bool population_writer_set_outlook(struct population_writer *w,
                                   const struct forecast_month months[POPULATION_MONTHS_AHEAD]);
bool population_writer_set_cohorts(struct population_writer *w, const struct cohort_table *cohorts);
bool population_writer_set_past(struct population_writer *w, const struct population_past *past);
bool population_writer_set_model(struct population_writer *w, const struct model_params *m);
/* Finishes, fsyncs, renames and frees the writer (also on failure, where nothing is left on disk). */
bool population_writer_finish(struct population_writer *w, char *why, size_t why_size);
void population_writer_abort(struct population_writer *w);
/* Removes all populations but `current` and the newest before it, and temporary leftovers (so not while a writer is
 * at work). Versions above the current one go too: they are of a database that is no more, and a boot would prefer
 * them. */
void population_prune(const char *dir, uint64_t current);

#endif
