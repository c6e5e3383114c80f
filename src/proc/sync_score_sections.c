/*
 * sync_score_sections: what the population file holds beside its rows, as bytes in table population_sections, so that
 * every machine compiles the same file from one snapshot.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "data/population_write.h"
#include "proc/sync_population_sections.h"
#include "proc/sync_score_parts.h"

#define SECTION_BYTES (256U << 20) /* 2 hexadecimal digits a byte of the greatest: the ids of the archetypes */

static enum sync_db_status put(struct scoring *s, enum sync_section section, const void *bytes, size_t n)
{
    char format[16];
    struct buf hex;

    snprintf(format, sizeof(format), "%d", POPULATION_FORMAT);
    buf_init(&hex, SECTION_BYTES);
    sync_score_hex(&hex, bytes, n);
    const char *values[] = { sync_section_name(section), format, buf_cstr(&hex) };
    enum sync_db_status st = values[2] == NULL
                                 ? sync_score_no_memory(s, "writing population_sections")
                                 : sync_db_query(s->db, "writing population_sections",
                                                 "INSERT INTO population_sections (name, format, data)"
                                                 " VALUES ($1, $2::int, $3::bytea) ON CONFLICT (name) DO UPDATE"
                                                 " SET format = excluded.format, data = excluded.data",
                                                 values, 3, NULL);
    buf_free(&hex);
    return st;
}

static enum sync_db_status put_settings(struct scoring *s)
{
    const struct conf *c = s->conf;
    struct population_settings settings;

    memset(&settings, 0, sizeof(settings));
    settings.churn_horizon_days = (int32_t)c->churn_horizon_days;
    settings.active_window_days = (int32_t)c->active_window_days;
    settings.clv_months = (int32_t)c->clv_months;
    settings.archetype_level = c->archetype_level == CONF_ARCHETYPE_L2 ? ARCHETYPE_L2 : ARCHETYPE_L1;
    settings.clv_discount_annual = c->clv_discount_annual;
    settings.clv_margin = c->clv_margin;
    return put(s, SYNC_SECTION_SETTINGS, &settings, sizeof(settings));
}

static enum sync_db_status put_outlook(struct scoring *s, const struct forecast_sums *sums)
{
    struct forecast_month months[FORECAST_MONTHS];

    forecast_outlook(&s->params, sums, months);
    return put(s, SYNC_SECTION_OUTLOOK, months, sizeof(months));
}

static enum sync_db_status put_months(struct scoring *s)
{
    size_t n = s->past.months;
    struct population_month *months = calloc(n + 1, sizeof(*months));

    if (months == NULL)
        return sync_score_no_memory(s, "writing population_sections");
    for (size_t i = 0; i < n; i++)
        months[i] = s->past.month[n - 1 - i];
    enum sync_db_status st = put(s, SYNC_SECTION_MONTHS, months, n * sizeof(*months));
    free(months);
    return st;
}

static enum sync_db_status put_ids(struct scoring *s, const struct score_groups *g)
{
    uint64_t *ids = calloc(g->count + 1, sizeof(*ids));

    if (ids == NULL)
        return sync_score_no_memory(s, "writing population_sections");
    for (size_t i = 0; i < g->count; i++)
        ids[i] = g->group[i].id;
    enum sync_db_status st = put(s, SYNC_SECTION_ARCHETYPES, ids, g->count * sizeof(*ids));
    free(ids);
    return st;
}

/* Index of a group by its net sales. */
struct rank {
    int64_t net_cents;
    uint32_t group;
};

static int by_net(const void *a, const void *b)
{
    const struct rank *l = a, *r = b;

    if (l->net_cents != r->net_cents)
        return l->net_cents > r->net_cents ? -1 : 1;
    return l->group < r->group ? -1 : l->group > r->group;
}

static void fill_series(const struct score_group *g, uint32_t index, struct population_series *out)
{
    double months[FORECAST_MONTHS];

    forecast_spread(g->staying, g->active, months);
    out->archetype = index;
    for (unsigned i = 0; i < FORECAST_MONTHS; i++)
        out->active[i] = (float)months[i];
}

/* Of the groups with the greatest net sales. */
static enum sync_db_status put_series(struct scoring *s, const struct score_groups *g)
{
    size_t n = g->count < POPULATION_MAX_SERIES ? g->count : POPULATION_MAX_SERIES;
    struct rank *ranks = calloc(g->count + 1, sizeof(*ranks));
    struct population_series *series = calloc(n + 1, sizeof(*series));
    enum sync_db_status st = SYNC_DB_OK;

    if (ranks == NULL || series == NULL)
        st = sync_score_no_memory(s, "writing population_sections");
    for (size_t i = 0; i < g->count && st == SYNC_DB_OK; i++)
        ranks[i] = (struct rank){ g->group[i].net_cents, (uint32_t)i };
    if (st == SYNC_DB_OK && g->count > 0)
        qsort(ranks, g->count, sizeof(*ranks), by_net);
    for (size_t i = 0; i < n && st == SYNC_DB_OK; i++)
        fill_series(&g->group[ranks[i].group], ranks[i].group, &series[i]);
    if (st == SYNC_DB_OK)
        st = put(s, SYNC_SECTION_SERIES, series, n * sizeof(*series));
    free(ranks);
    free(series);
    return st;
}

enum sync_db_status sync_score_write_sections(struct scoring *s, const struct score_groups *groups,
                                              const struct forecast_sums *sums)
{
    enum sync_db_status st = put_settings(s);

    if (st == SYNC_DB_OK)
        st = put(s, SYNC_SECTION_MODEL, &s->params, sizeof(s->params));
    if (st == SYNC_DB_OK)
        st = put_outlook(s, sums);
    if (st == SYNC_DB_OK)
        st = put_months(s);
    if (st == SYNC_DB_OK)
        st = put(s, SYNC_SECTION_COHORTS, &s->past.cohorts, sizeof(s->past.cohorts));
    if (st == SYNC_DB_OK)
        st = put_ids(s, groups);
    return st == SYNC_DB_OK ? put_series(s, groups) : st;
}
