/*
 * status_slo: the service levels on the status page: the table, 30 days as a strip, the last day as bars.
 */
#include <math.h>

#include "api/status.h"
#include "base/clock.h"

#define DAYS        30
#define BARS        48 /* half hours */
#define BAR_BUCKETS (SLO_DAY_BUCKETS / BARS)
#define BAR_MINUTES (BAR_BUCKETS * SLO_BUCKET_S / 60)
#define BAR_HEIGHT  40

static const char *const labels[SLO_OBJECTIVES] = {
    [SLO_AVAILABILITY] = "Availability",          [SLO_LATENCY_P95] = "Latency, P95",
    [SLO_LATENCY_P99] = "Latency, P99",           [SLO_NL_LATENCY_P95] = "Questions, P95",
    [SLO_ERROR_RATE] = "Answers that are errors", [SLO_DATA_FRESHNESS] = "Age of the data",
};

static void write_value(struct buf *out, enum slo_objective_id id, double value)
{
    if (isnan(value))
        buf_add_cstr(out, "–");
    else if (id == SLO_DATA_FRESHNESS)
        status_write_span(out, (int64_t)value);
    else if (slo_objectives[id].unit[0] == 'f')
        buf_printf(out, "%.2f %%", 100 * value);
    else if (value < 1)
        buf_printf(out, "%.0f ms", 1000 * value);
    else
        buf_printf(out, "%.1f s", value);
}

static void write_objective(struct buf *out, const struct slo_report *r, enum slo_objective_id id)
{
    const struct slo_objective *o = &slo_objectives[id];

    buf_printf(out, "<tr><td>%s<td class=\"wide\">%s ", labels[id], o->comparison[0] == '<' ? "&lt;" : "≥");
    write_value(out, id, o->target);
    for (unsigned w = 0; w < SLO_WINDOWS; w++) {
        const struct slo_level *l = &r->levels[id][w];

        buf_printf(out, "<td class=\"n %s\">", l->events == 0 ? "none" : l->met ? "ok" : "bad");
        write_value(out, id, l->value);
    }
    buf_add_cstr(out, "</tr>");
}

static const char *day_class(double availability)
{
    if (isnan(availability))
        return "none";
    if (availability >= slo_objectives[SLO_AVAILABILITY].target)
        return "ok";
    return availability >= 0.95 ? "warn" : "bad";
}

static void write_strip(struct buf *out, const struct status_view *v)
{
    buf_add_cstr(out, "<svg class=\"strip\" viewBox=\"0 0 300 20\" preserveAspectRatio=\"none\" role=\"img\" "
                      "aria-label=\"Availability of the last 30 days\">");
    for (unsigned day = DAYS; day-- > 0;) {
        struct slo_sum sum;
        double value;

        slo_sum(&v->sb->slo, day * SLO_DAY_BUCKETS, SLO_DAY_BUCKETS, v->health.now_us / CLOCK_US_PER_S, &sum);
        value = slo_availability(&sum);
        buf_printf(out, "<rect class=\"%s\" x=\"%u\" y=\"0\" width=\"8.5\" height=\"20\"><title>%u to %u days ago: ",
                   day_class(value), 10 * (DAYS - 1 - day), day, day + 1);
        write_value(out, SLO_AVAILABILITY, value);
        buf_add_cstr(out, "</title></rect>");
    }
    buf_add_cstr(out, "</svg><p class=\"dim ends\"><span>30 days ago</span><span>availability a day</span>"
                      "<span>now</span></p>");
}

void status_write_levels(struct buf *out, const struct status_view *v)
{
    double burn = slo_burn_rate(&v->slo, SLO_1H);

    buf_printf(out,
               "<section><h2>Service levels</h2><p class=\"%s\">%s</p><table><tr><th>Promise"
               "<th class=\"wide\">Target<th class=\"n\">1 h<th class=\"n\">24 h<th class=\"n\">30 d</tr>",
               v->slo.all_met ? "ok" : "bad",
               v->slo.all_met ? "All kept over 30 days." : "Not all kept over 30 days.");
    for (unsigned i = 0; i < SLO_OBJECTIVES; i++)
        write_objective(out, &v->slo, (enum slo_objective_id)i);
    buf_printf(out, "</table><p>Error budget: %.1f of %.0f minutes of downtime used in 30 days", v->slo.used_minutes,
               v->slo.allowed_minutes);
    if (!isnan(burn))
        buf_printf(out, "; burn rate of the last hour %.1f", burn);
    buf_add_cstr(out, ".</p>");
    write_strip(out, v);
    buf_add_cstr(out, "</section>");
}

/* One chart: the values as bars up to the largest, which is named. NaN: no bar. */
static void write_bars(struct buf *out, const double values[BARS], const char *title, const char *unit)
{
    double most = 0;

    for (unsigned i = 0; i < BARS; i++)
        most = fmax(most, values[i]); /* which ignores NaN */
    buf_printf(
        out,
        "<div><p class=\"ends\"><span>%s</span><span class=\"dim\">at most %.*f %s</span></p>"
        "<svg viewBox=\"0 0 %d %d\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"%s, last 24 hours\">",
        title, most < 10 ? 1 : 0, most, unit, 10 * BARS, BAR_HEIGHT, title);
    for (unsigned i = 0; i < BARS; i++) {
        double height = most > 0 && values[i] > 0 ? fmax(0.5, BAR_HEIGHT * values[i] / most) : 0;

        if (height > 0)
            buf_printf(out, "<rect class=\"bar\" x=\"%u\" y=\"%.1f\" width=\"8\" height=\"%.1f\"/>", 10 * i,
                       BAR_HEIGHT - height, height);
    }
    buf_add_cstr(out, "</svg><p class=\"dim ends\"><span>24 hours ago</span><span>now</span></p></div>");
}

void status_write_day(struct buf *out, const struct status_view *v)
{
    double latency_ms[BARS], traffic[BARS];

    for (unsigned i = 0; i < BARS; i++) {
        struct slo_sum sum;

        slo_sum(&v->sb->slo, i * BAR_BUCKETS, BAR_BUCKETS, v->health.now_us / CLOCK_US_PER_S, &sum);
        latency_ms[BARS - 1 - i] = 1000 * slo_percentile(sum.counts.latency, 0.95);
        traffic[BARS - 1 - i] = (double)sum.counts.requests / BAR_MINUTES;
    }
    buf_add_cstr(out, "<section><h2>Last 24 hours</h2><div class=\"pair\">");
    write_bars(out, latency_ms, "Latency, P95", "ms");
    write_bars(out, traffic, "Traffic", "requests/min");
    buf_add_cstr(out, "</div></section>");
}
