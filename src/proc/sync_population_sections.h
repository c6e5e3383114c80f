/*
 * sync_population_sections: what the scoring left for the population file beside its rows.
 */
#ifndef PROC_SYNC_POPULATION_SECTIONS_H
#define PROC_SYNC_POPULATION_SECTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "data/population_write.h"
#include "proc/sync_db.h"

enum sync_section {
    SYNC_SECTION_SETTINGS,   /* one struct population_settings */
    SYNC_SECTION_MODEL,      /* one struct model_params */
    SYNC_SECTION_OUTLOOK,    /* struct forecast_month[FORECAST_MONTHS] */
    SYNC_SECTION_MONTHS,     /* struct population_month[] */
    SYNC_SECTION_COHORTS,    /* one struct cohort_table */
    SYNC_SECTION_ARCHETYPES, /* uint64_t ids[], ascending */
    SYNC_SECTION_SERIES,     /* struct population_series[] */
    SYNC_SECTION_COUNT
};

const char *sync_section_name(enum sync_section section);

struct sync_sections {
    bool scored; /* false: not yet, or by a program of another format */
    struct {
        void *bytes;
        size_t count; /* elements */
    } section[SYNC_SECTION_COUNT];
    bool has_past;
    struct population_past past;
};

/* Reads table population_sections, and segment_history about 30 days before as_of_day. Also after an error the caller
 * closes. */
enum sync_db_status sync_sections_read(struct sync_db *db, int32_t as_of_day, struct sync_sections *out);
void sync_sections_close(struct sync_sections *s);

/* Valid when scored. */
const struct population_settings *sync_sections_settings(const struct sync_sections *s);
const struct model_params *sync_sections_model(const struct sync_sections *s);
/* Index of an archetype by its id; POPULATION_NO_ARCHETYPE when there is none. */
uint32_t sync_sections_archetype(const struct sync_sections *s, uint64_t id);
/* Gives all of it to the writer; false: no memory, or not as the file wants it. */
bool sync_sections_write(const struct sync_sections *s, struct population_writer *w);

#endif
