/*
 * incident: see the header.
 */
#include "ctl/incident.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

#define MINUTE_US (60 * CLOCK_US_PER_S)

bool incident_init(struct incident *i, int64_t since_us, int64_t until_us)
{
    *i = (struct incident){ .since_us = since_us, .until_us = until_us };
    i->lines = calloc(INCIDENT_LINES, sizeof(*i->lines));
    return i->lines != NULL;
}

void incident_free(struct incident *i)
{
    free(i->lines);
    i->lines = NULL;
}

/* Events that say that something is well again. */
static bool is_recovery(const struct incident_event *e)
{
    return e->id == EVENT_DB_RECOVERED || e->id == EVENT_CACHE_UP || e->id == EVENT_APPLICATION_READY ||
           e->id == EVENT_SYNC_COMPLETED || (e->id == EVENT_COMPONENT_STATE_CHANGED && strcmp(e->to, "up") == 0);
}

static void follow_component(struct incident *i, const struct incident_event *e)
{
    bool bad = strcmp(e->to, "down") == 0 || strcmp(e->to, "degraded") == 0;

    for (unsigned k = 0; k < SB_COMPONENT_COUNT; k++) {
        struct incident_component *c = &i->components[k];

        if (strcmp(sb_component_name(k), e->component) != 0)
            continue;
        if (!c->touched && !bad && (strcmp(e->from, "down") == 0 || strcmp(e->from, "degraded") == 0)) {
            c->bad = true; /* since before the window */
            c->bad_since_us = i->since_us;
        }
        if (c->bad && !bad)
            c->bad_us += e->at_us - c->bad_since_us;
        else if (!c->bad && bad)
            c->bad_since_us = e->at_us;
        c->bad = bad;
        c->touched = true;
    }
}

static void add_line(struct incident *i, const struct incident_event *e)
{
    struct incident_line *last = i->line_count > 0 ? &i->lines[i->line_count - 1] : NULL;

    if (last != NULL && last->first.id == e->id && strcmp(last->first.message, e->message) == 0) {
        last->last_us = e->at_us;
        last->count++;
    } else if (i->line_count == INCIDENT_LINES) {
        i->lines_left_out++;
    } else {
        i->lines[i->line_count++] = (struct incident_line){ .first = *e, .last_us = e->at_us, .count = 1 };
    }
}

void incident_add(struct incident *i, const struct incident_event *e)
{
    i->events++;
    i->counts[e->id] += 1 + e->suppressed;
    if (!event_get(e->id)->transition)
        return;
    if (e->id == EVENT_COMPONENT_STATE_CHANGED)
        follow_component(i, e);
    if (is_recovery(e)) {
        i->last_good_us = e->at_us;
    } else if (e->priority <= 4) {
        if (i->first_bad_us == 0)
            i->first_bad_us = e->at_us;
        i->last_bad_us = e->at_us;
    }
    add_line(i, e);
}

/* "1 h 12 min", "48 s" */
static void put_span(struct buf *out, int64_t us)
{
    int64_t s = us > 0 ? us / CLOCK_US_PER_S : 0;

    if (s >= 86400)
        buf_printf(out, "%lld d %lld h", (long long)(s / 86400), (long long)(s / 3600 % 24));
    else if (s >= 3600)
        buf_printf(out, "%lld h %lld min", (long long)(s / 3600), (long long)(s / 60 % 60));
    else if (s >= 60)
        buf_printf(out, "%lld min %lld s", (long long)(s / 60), (long long)(s % 60));
    else
        buf_printf(out, "%lld s", (long long)s);
}

static const char *utc(int64_t us, char dst[CLOCK_TIME_SIZE])
{
    return clock_format_seconds(dst, us);
}

/* Text into a cell of a table. */
static void put_cell(struct buf *out, const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '|')
            buf_add_char(out, '\\');
        buf_add_char(out, *text == '\n' ? ' ' : *text);
    }
}

double incident_lost_minutes(const struct slo_sum *levels)
{
    return (double)(levels->slots - levels->good) * SLO_SLOT_S / 60;
}

bool incident_goes_on(const struct incident *i)
{
    for (unsigned k = 0; k < SB_COMPONENT_COUNT; k++) {
        if (i->components[k].bad)
            return true;
    }
    return i->last_bad_us > i->last_good_us;
}

static void write_head(const struct incident *i, const char *unit, const char *host, struct buf *out)
{
    char since[CLOCK_TIME_SIZE], until[CLOCK_TIME_SIZE], at[CLOCK_TIME_SIZE];

    buf_printf(out, "# Incident review: %s on %s\n\n", unit, host);
    buf_printf(out, "- Window: %s to %s (UTC)\n", utc(i->since_us, since), utc(i->until_us, until));
    if (i->first_bad_us == 0) {
        buf_add_cstr(out, i->events > 0 ? "- Nothing in the journal of this window was a warning or worse.\n"
                                        : "- The journal has no event of this unit in the window.\n");
        return;
    }
    buf_printf(out, "- First sign: %s\n", utc(i->first_bad_us, at));
    if (incident_goes_on(i)) {
        buf_printf(out, "- Last sign: %s; not over at the end of the window\n", utc(i->last_bad_us, at));
        buf_add_cstr(out, "- Duration: at least ");
        put_span(out, i->until_us - i->first_bad_us);
    } else {
        buf_printf(out, "- Recovered: %s\n", utc(i->last_good_us, at));
        buf_add_cstr(out, "- Duration: ");
        put_span(out, i->last_good_us - i->first_bad_us);
    }
    buf_add_cstr(out, "\n- Severity: (P0 outage, P1 more than 5 % errors or 2 s, P2 minor, P3)\n- Written by:\n");
}

/* The service levels of the window, beside what is promised. */
static void write_levels(const struct slo_sum *levels, struct buf *out)
{
    uint64_t requests = levels->counts.requests;
    double p95 = slo_percentile(levels->counts.latency, 0.95), p99 = slo_percentile(levels->counts.latency, 0.99);
    double questions = slo_percentile(levels->counts.nl, 0.95), lost_min = incident_lost_minutes(levels);

    if (levels->slots > 0)
        buf_printf(
            out,
            "- availability %.2f %%: /health could not answer 200 for %.1f of %.1f min (%.1f %% of the downtime "
            "that 30 days allow)\n",
            100 * slo_availability(levels), lost_min, (double)levels->slots * SLO_SLOT_S / 60,
            100 * lost_min / slo_allowed_minutes());
    if (requests > 0)
        buf_printf(out, "- %llu requests answered, %llu of them with 5xx (%.2f %%; promised: less than %.0f %%)\n",
                   (unsigned long long)requests, (unsigned long long)levels->counts.errors,
                   100 * (double)levels->counts.errors / (double)requests,
                   100 * slo_objectives[SLO_ERROR_RATE].target);
    if (!isnan(p95))
        buf_printf(out, "- latency: P95 %.0f ms, P99 %.0f ms (promised: less than %.0f and %.0f ms)\n", p95 * 1000,
                   p99 * 1000, 1000 * slo_objectives[SLO_LATENCY_P95].target,
                   1000 * slo_objectives[SLO_LATENCY_P99].target);
    if (!isnan(questions))
        buf_printf(out, "- questions in words: P95 %.1f s (promised: less than %.0f s)\n", questions,
                   slo_objectives[SLO_NL_LATENCY_P95].target);
    if (levels->ages > 0) {
        buf_add_cstr(out, "- the data were at most ");
        put_span(out, levels->age_max_s * CLOCK_US_PER_S);
        buf_add_cstr(out, " old (promised: less than 24 h)\n");
    }
    if (levels->slots == 0 && requests == 0)
        buf_add_cstr(out, "- the server measured nothing in this window\n");
}

static void write_impact(const struct incident *i, const struct slo_sum *levels, struct buf *out)
{
    static const struct {
        enum event_id id;
        const char *what;
    } rows[] = {
        { EVENT_REQUEST_FAILED, "requests that failed on our side" },
        { EVENT_LOAD_SHED, "times that load was shed" },
        { EVENT_DB_POOL_EXHAUSTED, "times that the database pool was exhausted" },
        { EVENT_RATE_LIMIT_EXCEEDED, "requests over a rate limit" },
        { EVENT_WORKER_CRASHED, "processes that crashed" },
        { EVENT_WORKER_HUNG, "reports of hung processes" },
        { EVENT_WORKER_OOM_KILLED, "processes that the OOM killer killed" },
        { EVENT_SYNC_FAILED, "sync runs that failed" },
        { EVENT_CLAUDE_FAILED, "questions that Claude did not answer" },
    };

    buf_add_cstr(out, "\n## Impact\n\n");
    if (levels != NULL)
        write_levels(levels, out);
    else
        buf_add_cstr(out, "- the service levels could not be read\n");
    for (size_t k = 0; k < sizeof(rows) / sizeof(rows[0]); k++) {
        if (i->counts[rows[k].id] == 0)
            continue;
        buf_printf(out, "- %s: %llu in the journal\n", rows[k].what, (unsigned long long)i->counts[rows[k].id]);
    }
    buf_add_cstr(out, "- Customers, revenue:\n");
}

int64_t incident_bad_us(const struct incident *i, const struct incident_component *c)
{
    return c->bad_us + (c->bad ? i->until_us - c->bad_since_us : 0);
}

static void write_components(const struct incident *i, struct buf *out)
{
    bool none = true;

    buf_add_cstr(out, "\n## Affected services\n\n");
    for (unsigned k = 0; k < SB_COMPONENT_COUNT; k++) {
        const struct incident_component *c = &i->components[k];

        if (!c->touched)
            continue;
        none = false;
        buf_printf(out, "- %s: down or degraded for ", sb_component_name(k));
        put_span(out, incident_bad_us(i, c));
        buf_add_cstr(out, c->bad ? ", still so at the end of the window\n" : "\n");
    }
    if (none)
        buf_add_cstr(out, i->events > 0 ? "- no component changed its state\n" : "- unknown\n");
}

static void write_timeline(const struct incident *i, struct buf *out)
{
    char at[CLOCK_TIME_SIZE];

    buf_add_cstr(out, "\n## Timeline (UTC)\n\n| time | event | what |\n|---|---|---|\n");
    for (size_t k = 0; k < i->line_count; k++) {
        const struct incident_line *l = &i->lines[k];

        buf_printf(out, "| %s | %s | ", utc(l->first.at_us, at), event_get(l->first.id)->name);
        put_cell(out, l->first.message);
        if (l->count > 1)
            buf_printf(out, " (%u times until %s)", l->count, utc(l->last_us, at));
        buf_add_cstr(out, " |\n");
    }
    if (i->lines_left_out > 0)
        buf_printf(out, "\n%zu more lines are left out: choose a shorter window.\n", i->lines_left_out);
}

void incident_write(const struct incident *i, const struct slo_sum *levels, const char *unit, const char *host,
                    struct buf *out)
{
    write_head(i, unit, host, out);
    write_impact(i, levels, out);
    write_components(i, out);
    write_timeline(i, out);
    buf_add_cstr(out, "\n## Root cause\n\n\n## What went well, what did not\n\n\n## Action items\n\n"
                      "| action | who | until |\n|---|---|---|\n| | | |\n");
}

bool incident_parse_time(const char *text, int64_t now_us, int64_t *us)
{
    struct str s = str_from(text);
    static const struct {
        char unit;
        int64_t us;
    } units[] = { { 'm', MINUTE_US }, { 'h', 60 * MINUTE_US }, { 'd', 1440 * MINUTE_US } };
    int32_t day;
    uint64_t n;

    if (clock_parse_time(s, us))
        return true;
    if (clock_parse_day(s, &day)) {
        *us = (int64_t)day * 1440 * MINUTE_US;
        return true;
    }
    for (size_t k = 0; k < sizeof(units) / sizeof(units[0]); k++) {
        if (s.len < 2 || s.p[s.len - 1] != units[k].unit || !str_to_u64((struct str){ s.p, s.len - 1 }, &n) ||
            n > 36500)
            continue;
        *us = now_us - (int64_t)n * units[k].us;
        return true;
    }
    return false;
}
