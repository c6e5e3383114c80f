/*
 * h_slo: GET /admin/slo (CONTRACT 8.4): what was promised and what was held.
 */
#include "config.h"

#include "api/request.h"
#include "base/clock.h"

static void write_level(struct json_writer *w, enum slo_window window, const struct slo_level *l)
{
    json_key(w, slo_window_name(window));
    json_object_begin(w);
    json_kv_fixed(w, "value", l->value, 4);
    json_kv_int(w, "events", (int64_t)l->events);
    json_kv_bool(w, "met", l->met);
    json_object_end(w);
}

static void write_budget(struct json_writer *w, const struct slo_report *r)
{
    json_key(w, "budget");
    json_object_begin(w);
    json_kv_cstr(w, "window", slo_window_name(SLO_30D));
    json_kv_fixed(w, "allowed_minutes", r->allowed_minutes, 1);
    json_kv_fixed(w, "used_minutes", r->used_minutes, 1);
    json_kv_fixed(w, "remaining_minutes", r->allowed_minutes - r->used_minutes, 1);
    json_key(w, "burn_rate");
    json_object_begin(w);
    for (unsigned i = 0; i < SLO_30D; i++) /* over 30 days it is what is used */
        json_kv_fixed(w, slo_window_name((enum slo_window)i), slo_burn_rate(r, (enum slo_window)i), 2);
    json_object_end(w);
    json_object_end(w);
}

static void write_objective(struct json_writer *w, const struct slo_report *r, enum slo_objective_id id)
{
    const struct slo_objective *o = &slo_objectives[id];

    json_object_begin(w);
    json_kv_cstr(w, "name", o->name);
    json_kv_fixed(w, "target", o->target, 4);
    json_kv_cstr(w, "comparison", o->comparison);
    json_kv_cstr(w, "unit", o->unit);
    json_key(w, "windows");
    json_object_begin(w);
    for (unsigned i = 0; i < SLO_WINDOWS; i++)
        write_level(w, (enum slo_window)i, &r->levels[id][i]);
    json_object_end(w);
    if (id == SLO_AVAILABILITY)
        write_budget(w, r);
    json_object_end(w);
}

void h_slo(struct api_request *q)
{
    int64_t now_us = clock_wall_us();
    struct slo_report r;
    struct json_writer w;

    slo_report(&q->api->env.sb->slo, now_us / CLOCK_US_PER_S, &r);
    request_json_begin(q, &w);
    json_object_begin(&w);
    json_kv_us(&w, "timestamp", now_us);
    json_kv_bool(&w, "all_met", r.all_met);
    json_key(&w, "objectives");
    json_array_begin(&w);
    for (unsigned i = 0; i < SLO_OBJECTIVES; i++)
        write_objective(&w, &r, (enum slo_objective_id)i);
    json_array_end(&w);
    json_object_end(&w);
    request_json_end(q, 200);
}
