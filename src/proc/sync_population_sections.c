/*
 * sync_population_sections: see the header. One table of the sections, their names and sizes.
 */
#include "proc/sync_population_sections.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"

#define PAST_DAYS "30"

static const struct {
    const char *name;
    size_t element; /* bytes */
    size_t count;   /* of elements there must be; 0: any */
} kinds[SYNC_SECTION_COUNT] = {
    [SYNC_SECTION_SETTINGS] = { "settings", sizeof(struct population_settings), 1 },
    [SYNC_SECTION_MODEL] = { "model", sizeof(struct model_params), 1 },
    [SYNC_SECTION_OUTLOOK] = { "outlook", sizeof(struct forecast_month), FORECAST_MONTHS },
    [SYNC_SECTION_MONTHS] = { "months", sizeof(struct population_month), 0 },
    [SYNC_SECTION_COHORTS] = { "cohorts", sizeof(struct cohort_table), 1 },
    [SYNC_SECTION_ARCHETYPES] = { "archetypes", sizeof(uint64_t), 0 },
    [SYNC_SECTION_SERIES] = { "series", sizeof(struct population_series), 0 },
};

const char *sync_section_name(enum sync_section section)
{
    return kinds[section].name;
}

/* PQunescapeBytea's memory is aligned as malloc's. False: no such section, no memory, or of another size. */
static bool take_section(const PGresult *r, unsigned kind, struct sync_sections *out)
{
    size_t n = 0;

    for (int i = 0; i < PQntuples(r); i++)
        if (strcmp(PQgetvalue(r, i, 0), kinds[kind].name) == 0)
            out->section[kind].bytes = PQunescapeBytea((const unsigned char *)PQgetvalue(r, i, 1), &n);
    out->section[kind].count = n / kinds[kind].element;
    return out->section[kind].bytes != NULL && n % kinds[kind].element == 0 &&
           (kinds[kind].count == 0 || kinds[kind].count == out->section[kind].count);
}

static enum sync_db_status read_past(struct sync_db *db, int32_t as_of_day, struct sync_sections *out)
{
    char day[CLOCK_DAY_SIZE];
    const char *values[] = { clock_format_day(day, as_of_day) };
    PGresult *r;
    enum sync_db_status st =
        sync_db_query(db, "reading segment_history",
                      "SELECT day - date '1970-01-01', axis, segment, members FROM segment_history WHERE day ="
                      " (SELECT max(day) FROM segment_history WHERE day <= $1::date - " PAST_DAYS ")",
                      values, 1, &r);

    if (st != SYNC_DB_OK)
        return st;
    for (int i = 0; i < PQntuples(r); i++) {
        int axis = axes_vocab_find(str_from(PQgetvalue(r, i, 1))), word;
        int64_t number = 0, members = 0;
        if (axis < 0 || (word = axes_vocab_find_word((unsigned)axis, str_from(PQgetvalue(r, i, 2)))) < 0)
            continue; /* a word of another program */
        str_to_i64(str_from(PQgetvalue(r, i, 0)), &number);
        str_to_i64(str_from(PQgetvalue(r, i, 3)), &members);
        out->has_past = true;
        out->past.day = (int32_t)number;
        out->past.members[axis][word] = (uint64_t)members;
    }
    PQclear(r);
    return SYNC_DB_OK;
}

enum sync_db_status sync_sections_read(struct sync_db *db, int32_t as_of_day, struct sync_sections *out)
{
    char format[16];
    const char *values[] = { format };
    PGresult *r;

    memset(out, 0, sizeof(*out));
    snprintf(format, sizeof(format), "%d", POPULATION_FORMAT);
    enum sync_db_status st =
        sync_db_query(db, "reading population_sections",
                      "SELECT name, data FROM population_sections WHERE format = $1::int", values, 1, &r);
    if (st != SYNC_DB_OK)
        return st;
    out->scored = true;
    for (unsigned kind = 0; kind < SYNC_SECTION_COUNT; kind++)
        out->scored = take_section(r, kind, out) && out->scored;
    PQclear(r);
    return out->scored ? read_past(db, as_of_day, out) : SYNC_DB_OK;
}

void sync_sections_close(struct sync_sections *s)
{
    for (unsigned kind = 0; kind < SYNC_SECTION_COUNT; kind++)
        PQfreemem(s->section[kind].bytes);
    memset(s, 0, sizeof(*s));
}

const struct population_settings *sync_sections_settings(const struct sync_sections *s)
{
    return s->section[SYNC_SECTION_SETTINGS].bytes;
}

const struct model_params *sync_sections_model(const struct sync_sections *s)
{
    return s->section[SYNC_SECTION_MODEL].bytes;
}

uint32_t sync_sections_archetype(const struct sync_sections *s, uint64_t id)
{
    const uint64_t *ids = s->section[SYNC_SECTION_ARCHETYPES].bytes;
    size_t from = 0, to = s->section[SYNC_SECTION_ARCHETYPES].count;

    while (from < to) {
        size_t middle = from + (to - from) / 2;
        if (ids[middle] < id)
            from = middle + 1;
        else
            to = middle;
    }
    return from < s->section[SYNC_SECTION_ARCHETYPES].count && ids[from] == id ? (uint32_t)from
                                                                               : POPULATION_NO_ARCHETYPE;
}

bool sync_sections_write(const struct sync_sections *s, struct population_writer *w)
{
#define BYTES(kind) (s->section[SYNC_SECTION_##kind].bytes)
#define COUNT(kind) (s->section[SYNC_SECTION_##kind].count)
    return population_writer_set_archetypes(w, BYTES(ARCHETYPES), COUNT(ARCHETYPES)) &&
           population_writer_set_series(w, BYTES(SERIES), COUNT(SERIES)) &&
           population_writer_set_months(w, BYTES(MONTHS), COUNT(MONTHS)) &&
           population_writer_set_outlook(w, BYTES(OUTLOOK)) && population_writer_set_cohorts(w, BYTES(COHORTS)) &&
           population_writer_set_model(w, BYTES(MODEL)) && (!s->has_past || population_writer_set_past(w, &s->past));
#undef BYTES
#undef COUNT
}
