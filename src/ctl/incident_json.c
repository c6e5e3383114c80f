/*
 * incident_json: the facts of an incident's review for programs (incident --json).
 */
#include "ctl/incident.h"

#include "base/clock.h"
#include "core/json.h"

static void write_span_of(struct json_writer *w, const struct incident *i)
{
    bool goes_on = incident_goes_on(i);
    int64_t end_us = goes_on ? i->until_us : i->last_good_us;

    json_kv_seconds(w, "since", i->since_us);
    json_kv_seconds(w, "until", i->until_us);
    json_kv_seconds(w, "first_sign", i->first_bad_us);
    json_kv_seconds(w, "recovered", i->first_bad_us == 0 || goes_on ? 0 : i->last_good_us);
    json_kv_bool(w, "goes_on", i->first_bad_us != 0 && goes_on);
    if (i->first_bad_us == 0)
        json_kv_null(w, "duration_seconds");
    else
        json_kv_int(w, "duration_seconds", (end_us - i->first_bad_us) / CLOCK_US_PER_S);
}

static void write_levels(struct json_writer *w, const struct slo_sum *levels)
{
    uint64_t requests = levels->counts.requests, errors = levels->counts.errors;
    double ratio = requests > 0 ? (double)errors / (double)requests : 0.0;

    json_object_begin(w);
    json_kv_fixed(w, "availability", slo_availability(levels), 4);
    json_kv_fixed(w, "down_minutes", incident_lost_minutes(levels), 1);
    json_kv_int(w, "requests", (int64_t)requests);
    json_kv_int(w, "errors", (int64_t)errors);
    json_kv_fixed(w, "error_rate", ratio, 4);
    json_kv_fixed(w, "latency_p95_seconds", slo_percentile(levels->counts.latency, 0.95), 4);
    json_kv_fixed(w, "latency_p99_seconds", slo_percentile(levels->counts.latency, 0.99), 4);
    json_kv_fixed(w, "nl_latency_p95_seconds", slo_percentile(levels->counts.nl, 0.95), 4);
    if (levels->ages > 0)
        json_kv_int(w, "data_age_seconds", levels->age_max_s);
    else
        json_kv_null(w, "data_age_seconds");
    json_object_end(w);
}

static void write_events(struct json_writer *w, const struct incident *i)
{
    json_key(w, "events");
    json_object_begin(w);
    for (unsigned k = 0; k < EVENT_COUNT; k++) {
        if (i->counts[k] > 0)
            json_kv_int(w, event_get((enum event_id)k)->name, (int64_t)i->counts[k]);
    }
    json_object_end(w);
}

static void write_components(struct json_writer *w, const struct incident *i)
{
    json_key(w, "components");
    json_array_begin(w);
    for (unsigned k = 0; k < SB_COMPONENT_COUNT; k++) {
        const struct incident_component *c = &i->components[k];

        if (!c->touched)
            continue;
        json_object_begin(w);
        json_kv_cstr(w, "name", sb_component_name(k));
        json_kv_int(w, "bad_seconds", incident_bad_us(i, c) / CLOCK_US_PER_S);
        json_kv_bool(w, "goes_on", c->bad);
        json_object_end(w);
    }
    json_array_end(w);
}

static void write_timeline(struct json_writer *w, const struct incident *i)
{
    json_key(w, "timeline");
    json_array_begin(w);
    for (size_t k = 0; k < i->line_count; k++) {
        const struct incident_line *l = &i->lines[k];

        json_object_begin(w);
        json_kv_seconds(w, "at", l->first.at_us);
        json_kv_seconds(w, "last_at", l->last_us);
        json_kv_int(w, "count", l->count);
        json_kv_cstr(w, "event", event_get(l->first.id)->name);
        json_kv_cstr(w, "message", l->first.message);
        json_object_end(w);
    }
    json_array_end(w);
    json_kv_int(w, "timeline_left_out", (int64_t)i->lines_left_out);
}

void incident_write_json(const struct incident *i, const struct slo_sum *levels, const char *unit, const char *host,
                         struct buf *out)
{
    struct json_writer w;

    json_writer_init(&w, out);
    json_object_begin(&w);
    json_kv_cstr(&w, "unit", unit);
    json_kv_cstr(&w, "host", host);
    write_span_of(&w, i);
    json_key(&w, "levels");
    if (levels != NULL)
        write_levels(&w, levels);
    else
        json_null(&w);
    write_events(&w, i);
    write_components(&w, i);
    write_timeline(&w, i);
    json_object_end(&w);
    buf_add_char(out, '\n');
}
