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

/* Cut, not rounded: 99.999 % is not all. */
static void write_percent(struct buf *out, double fraction)
{
    if (fraction > 0 && fraction < 0.0001)
        buf_add_cstr(out, "&lt; 0.01 %");
    else if (fraction <= 0 || fraction >= 1)
        buf_printf(out, "%d %%", fraction >= 1 ? 100 : 0);
    else
        buf_printf(out, "%.2f %%", floor(1e4 * fraction + 1e-6) / 100);
}

static void write_value(struct buf *out, enum slo_objective_id id, double value)
{
    if (isnan(value))
        buf_add_cstr(out, "–");
    else if (id == SLO_DATA_FRESHNESS)
        status_write_span(out, (int64_t)value);
    else if (slo_objectives[id].unit[0] == 'f')
        write_percent(out, value);
    else if (value < 1)
        buf_printf(out, "%.0f ms", 1000 * value);
    else
        buf_printf(out, "%.1f s", value);
}

static void write_target(struct buf *out, enum slo_objective_id id)
{
    const struct slo_objective *o = &slo_objectives[id];

    buf_add_cstr(out, o->comparison[0] == '<' ? "&lt; " : "≥ ");
    if (id == SLO_DATA_FRESHNESS)
        status_write_span(out, (int64_t)o->target);
    else if (o->unit[0] == 'f')
        buf_printf(out, "%.4g %%", 100 * o->target);
    else
        buf_printf(out, "%.4g s", o->target);
}

static void write_objective(struct buf *out, const struct slo_report *r, enum slo_objective_id id)
{
    buf_printf(out, "<tr><td>%s <span class=\"dim target\">", labels[id]);
    write_target(out, id);
    buf_add_cstr(out, "</span>");
    for (unsigned w = 0; w < SLO_WINDOWS; w++) {
        const struct slo_level *l = &r->levels[id][w];

        buf_printf(out, "<td class=\"n %s\">%s", l->events == 0 ? "none" : l->met ? "ok" : "bad", l->met ? "" : "✕ ");
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

/* One day of the strip. Good days are a little lower than bad ones, for those who do not see the colours. */
static void write_day(struct buf *out, unsigned place, int32_t day, const struct slo_sum *sum)
{
    double value = slo_availability(sum);
    const char *class = day_class(value);
    unsigned top = isnan(value) ? 16 : class[0] == 'o' ? 5 : 0;
    char text[CLOCK_DAY_SIZE];

    buf_printf(out, "<rect class=\"%s\" x=\"%u\" y=\"%u\" width=\"8.5\" height=\"%u\"><title>%s: ", class, 10 * place,
               top, 20 - top, clock_format_day(text, day));
    if (isnan(value))
        buf_add_cstr(out, "nothing measured");
    else
        write_value(out, SLO_AVAILABILITY, value);
    if (sum->slots > sum->good) {
        buf_add_cstr(out, ", down for ");
        status_write_span(out, (int64_t)(sum->slots - sum->good) * SLO_SLOT_S);
    }
    buf_add_cstr(out, "</title></rect>");
}

/* By days of UTC, the last of which is not over. */
static void write_strip(struct buf *out, const struct status_view *v)
{
    int64_t now_s = v->health.now_us / CLOCK_US_PER_S;
    unsigned of_today = (unsigned)(now_s % 86400 / SLO_BUCKET_S) + 1;
    int32_t today = (int32_t)(now_s / 86400);
    char first[CLOCK_DAY_SIZE];

    buf_add_cstr(out, "<svg class=\"strip\" viewBox=\"0 0 300 20\" preserveAspectRatio=\"none\" role=\"img\" "
                      "aria-label=\"Availability of the last 30 days\">");
    for (unsigned ago = DAYS; ago-- > 0;) {
        struct slo_sum sum;

        if (ago == 0)
            slo_sum(&v->sb->slo, 0, of_today, now_s, &sum);
        else
            slo_sum(&v->sb->slo, of_today + (ago - 1) * SLO_DAY_BUCKETS, SLO_DAY_BUCKETS, now_s, &sum);
        write_day(out, DAYS - 1 - ago, today - (int32_t)ago, &sum);
    }
    buf_printf(out,
               "</svg><p class=\"dim ends\"><span>%s</span><span>availability by day</span><span>today</span></p>",
               clock_format_day(first, today - DAYS + 1));
}

/* Which promises were not kept. */
static void write_verdict(struct buf *out, const struct slo_report *r)
{
    const char *between = "Not kept over 30 days: ";

    if (r->all_met) {
        buf_add_cstr(out, "<p class=\"ok\">All kept over 30 days.</p>");
        return;
    }
    buf_add_cstr(out, "<p class=\"bad\">");
    for (unsigned i = 0; i < SLO_OBJECTIVES; i++) {
        if (r->levels[i][SLO_30D].met)
            continue;
        buf_printf(out, "%s%s", between, labels[i]);
        between = "; ";
    }
    buf_add_cstr(out, ".</p>");
}

void status_write_levels(struct buf *out, const struct status_view *v)
{
    double burn = slo_burn_rate(&v->slo, SLO_1H);

    buf_add_cstr(out, "<section><h2>Service levels</h2>");
    write_verdict(out, &v->slo);
    buf_add_cstr(out, "<table><tr><th>Promise<th class=\"n\">1 h<th class=\"n\">24 h<th class=\"n\">30 d</tr>");
    for (unsigned i = 0; i < SLO_OBJECTIVES; i++)
        write_objective(out, &v->slo, (enum slo_objective_id)i);
    buf_printf(out, "</table><p>Error budget: %.*f of %.0f minutes of downtime used in 30 days",
               v->slo.used_minutes < 100 ? 1 : 0, v->slo.used_minutes, v->slo.allowed_minutes);
    if (burn < 0.05) /* NaN is not */
        buf_add_cstr(out, ", none of it in the last hour");
    else if (!isnan(burn))
        buf_printf(out, "; in the last hour it went %.1f times as fast as allowed", burn);
    buf_add_cstr(out, ".</p>");
    write_strip(out, v);
    buf_add_cstr(out, "</section>");
}

/* One chart: the values as bars up to the largest, which is named. NaN: no bar. */
static void write_bars(struct buf *out, const double values[BARS], const char *title, const char *unit, int64_t now_s)
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
        int64_t begins_s = (now_s / SLO_BUCKET_S + 1 - (BARS - i) * BAR_BUCKETS) * SLO_BUCKET_S;

        if (height > 0)
            buf_printf(out,
                       "<rect class=\"bar\" x=\"%u\" y=\"%.1f\" width=\"8\" height=\"%.1f\"><title>from %02d:%02d: "
                       "%.1f %s</title></rect>",
                       10 * i, BAR_HEIGHT - height, height, (int)(begins_s / 3600 % 24), (int)(begins_s / 60 % 60),
                       values[i], unit);
    }
    buf_add_cstr(out, "</svg><p class=\"dim ends\"><span>24 hours ago</span><span>now</span></p></div>");
}

void status_write_day(struct buf *out, const struct status_view *v)
{
    int64_t now_s = v->health.now_us / CLOCK_US_PER_S;
    double latency_ms[BARS], traffic[BARS];

    for (unsigned i = 0; i < BARS; i++) {
        struct slo_sum sum;

        slo_sum(&v->sb->slo, i * BAR_BUCKETS, BAR_BUCKETS, now_s, &sum);
        latency_ms[BARS - 1 - i] = 1000 * slo_percentile(sum.counts.latency, 0.95);
        traffic[BARS - 1 - i] = (double)sum.counts.requests / BAR_MINUTES;
    }
    buf_add_cstr(out, "<section><h2>Last 24 hours</h2><div class=\"pair\">");
    write_bars(out, latency_ms, "Latency, P95", "ms", now_s);
    write_bars(out, traffic, "Traffic", "requests/min", now_s);
    buf_add_cstr(out, "</div></section>");
}
