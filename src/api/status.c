/*
 * status: see the header. Components, incidents, workers and syncs; the service levels are in status_slo.c.
 */
#include "config.h"

#include "api/status.h"

#include "base/clock.h"

#define SYNCS_SHOWN 5

void status_write_span(struct buf *out, int64_t seconds)
{
    static const struct {
        int64_t seconds;
        const char *word;
    } units[] = { { 2 * 86400, "days" }, { 2 * 3600, "h" }, { 2 * 60, "min" } };

    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (seconds >= units[i].seconds) {
            buf_printf(out, "%lld %s", (long long)(seconds / (units[i].seconds / 2)), units[i].word);
            return;
        }
    }
    buf_printf(out, "%lld s", (long long)(seconds > 0 ? seconds : 0));
}

static void write_ago(struct buf *out, int64_t then_us, int64_t now_us)
{
    if (then_us <= 0) {
        buf_add_cstr(out, "–");
        return;
    }
    status_write_span(out, (now_us - then_us) / CLOCK_US_PER_S);
    buf_add_cstr(out, " ago");
}

static const char *class_of(enum sb_health state)
{
    switch (state) {
    case SB_HEALTH_UP:
        return "ok";
    case SB_HEALTH_DEGRADED:
        return "warn";
    case SB_HEALTH_DOWN:
        return "bad";
    default:
        return "none";
    }
}

static const char *state_word(enum sb_health state)
{
    return state == SB_HEALTH_NOT_CONFIGURED ? "not configured" : sb_health_name(state);
}

/* The check behind a component of /health; NULL: it is judged from other things. */
static const struct health_check *check_of(const struct status_view *v, enum health_component c)
{
    switch (c) {
    case HEALTH_API:
        return &v->health.checks[SB_SELF];
    case HEALTH_DATABASE:
        return &v->health.checks[SB_DATABASE];
    case HEALTH_CACHE:
        return &v->health.checks[SB_CACHE];
    case HEALTH_SOURCE:
        return &v->health.checks[SB_SOURCE];
    case HEALTH_AI:
        return &v->health.checks[SB_AI];
    default:
        return NULL;
    }
}

static void write_header(struct buf *out, const struct status_view *v)
{
    const struct health *h = &v->health;
    const char *class = !h->serving ? "bad" : h->reason == HEALTH_FINE ? "ok" : "warn";
    char time[CLOCK_TIME_SIZE], day[CLOCK_DAY_SIZE];

    buf_printf(out, "<header class=\"%s\"><h1>Customer Intelligence API</h1><p class=\"state %s\">%s</p>", class,
               class,
               !h->serving                ? "Unavailable"
               : h->reason == HEALTH_FINE ? "All systems operational"
                                          : "Serving, degraded");
    if (v->data == NULL) {
        buf_add_cstr(out, "<p>No data are in service.</p>");
    } else {
        int64_t age_s = dataset_age_s(v->data, h->now_us);

        buf_printf(out, "<p>Data version %llu, as of %s",
                   (unsigned long long)v->data->population->header->data_version,
                   clock_format_day(day, v->data->population->header->as_of_day));
        if (age_s >= 0) {
            buf_add_cstr(out, ", last synced ");
            write_ago(out, v->data->synced_us, h->now_us);
        }
        buf_add_cstr(out, h->stale ? " <strong class=\"warn\">(stale)</strong>.</p>" : ".</p>");
    }
    buf_printf(out, "<p class=\"dim\">%s</p></header>", clock_format_seconds(time, h->now_us));
}

static void write_incident(struct buf *out, const struct status_view *v, enum health_component c)
{
    const struct health_check *check = check_of(v, c);
    enum sb_health state = v->health.components[c];

    buf_printf(out, "<p><strong class=\"%s\">%s is %s</strong>", class_of(state), health_component_name(c),
               state_word(state));
    if (check != NULL && check->since_us > 0) {
        buf_add_cstr(out, " since ");
        status_write_span(out, (v->health.now_us - check->since_us) / CLOCK_US_PER_S);
    }
    if (check != NULL && sb_error_name(check->error) != NULL)
        buf_printf(out, " (%s)", sb_error_name(check->error));
    else if (c == HEALTH_SYNC && v->health.stale)
        buf_add_cstr(out, " (the data are stale)");
    else if (c == HEALTH_SYNC)
        buf_add_cstr(out, " (the last run failed)");
    buf_add_cstr(out, "</p>");
}

static void write_incidents(struct buf *out, const struct status_view *v)
{
    bool any = false;

    buf_add_cstr(out, "<section><h2>Current incidents</h2>");
    if (!v->health.serving) {
        const char *reason = health_reason_name(v->health.reason);

        buf_printf(out, "<p><strong class=\"bad\">Not serving</strong> (%s)</p>",
                   reason != NULL ? reason : "unknown");
        any = true;
    }
    for (unsigned c = 0; c < HEALTH_COMPONENTS; c++) {
        enum sb_health state = v->health.components[c];

        if (state != SB_HEALTH_DOWN && state != SB_HEALTH_DEGRADED)
            continue;
        write_incident(out, v, (enum health_component)c);
        any = true;
    }
    buf_add_cstr(out, any ? "</section>" : "<p class=\"dim\">None.</p></section>");
}

static void write_components(struct buf *out, const struct status_view *v)
{
    buf_add_cstr(out, "<section><h2>Components</h2><table><tr><th>Component<th>State<th class=\"n\">Latency"
                      "<th class=\"n\">Since</tr>");
    for (unsigned c = 0; c < HEALTH_COMPONENTS; c++) {
        const struct health_check *check = check_of(v, (enum health_component)c);
        enum sb_health state = v->health.components[c];

        buf_printf(out, "<tr><td>%s<td class=\"%s\">%s<td class=\"n\">",
                   health_component_name((enum health_component)c), class_of(state), state_word(state));
        if (check != NULL && check->latency_us >= 0)
            buf_printf(out, "%.1f ms", (double)check->latency_us / 1000);
        else
            buf_add_cstr(out, "–");
        buf_add_cstr(out, "<td class=\"n\">");
        write_ago(out, check != NULL ? check->since_us : 0, v->health.now_us);
        buf_add_cstr(out, "</tr>");
    }
    buf_add_cstr(out, "</table></section>");
}

static void write_workers(struct buf *out, const struct status_view *v)
{
    buf_printf(
        out,
        "<section><h2>Workers</h2><p class=\"dim\">%lld ready</p><table><tr><th>Worker<th>State"
        "<th class=\"n\">Up<th class=\"n\">Requests<th class=\"n wide\">Memory<th class=\"n wide\">Restarts</tr>",
        (long long)v->tally.workers_ready);
    for (unsigned i = 0; i < v->tally.count; i++) {
        const struct tally_process *p = &v->tally.processes[i];

        if (p->role != SB_ROLE_WORKER)
            continue;
        buf_printf(out, "<tr><td>%u<td>%s<td class=\"n\">", p->index, p->state);
        status_write_span(out, (v->health.now_us - p->started_us) / CLOCK_US_PER_S);
        buf_printf(out, "<td class=\"n\">%lld<td class=\"n wide\">%.0f MB<td class=\"n wide\">%lld</tr>",
                   (long long)p->requests, (double)p->rss_bytes / 1048576, (long long)p->restarts);
    }
    buf_add_cstr(out, "</table></section>");
}

static void write_sync(struct buf *out, const struct sb_run *r, int64_t now_us)
{
    const char *reason = sb_reason_name(r->reason);
    bool bad = r->status != SB_RUN_SUCCESS && r->status != SB_RUN_RUNNING;

    buf_add_cstr(out, "<tr><td>");
    write_ago(out, r->finished_us > 0 ? r->finished_us : r->started_us, now_us);
    buf_printf(out, "<td class=\"wide\">%s<td class=\"%s\">%s", sb_mode_name(r->mode), bad ? "bad" : "ok",
               sb_run_status_name(r->status));
    if (reason != NULL)
        buf_printf(out, " (%s)", reason);
    buf_printf(out, "<td class=\"n\">%lld<td class=\"n\">", (long long)r->rows_read);
    if (r->finished_us > r->started_us)
        buf_printf(out, "%.1f s", (double)(r->finished_us - r->started_us) / 1e6);
    buf_add_cstr(out, "</tr>");
}

static void write_syncs(struct buf *out, const struct status_view *v)
{
    buf_add_cstr(out, "<section><h2>Last syncs</h2>");
    if (v->sync.run_count == 0) {
        buf_add_cstr(out, "<p class=\"dim\">None yet.</p></section>");
        return;
    }
    buf_add_cstr(out, "<table><tr><th>Ended<th class=\"wide\">Mode<th>Result<th class=\"n\">Rows"
                      "<th class=\"n\">Took</tr>");
    for (uint32_t i = 0; i < v->sync.run_count && i < SYNCS_SHOWN; i++)
        write_sync(out, &v->sync.runs[i], v->health.now_us);
    buf_add_cstr(out, "</table></section>");
}

void status_write(struct buf *out, const struct status_view *v)
{
    buf_add_cstr(out, "<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\">"
                      "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">"
                      "<meta http-equiv=\"refresh\" content=\"30\"><meta name=\"robots\" content=\"noindex\">"
                      "<title>Status – Customer Intelligence API</title><style>");
    buf_add_str(out, status_style);
    buf_add_cstr(out, "</style></head><body><main>");
    write_header(out, v);
    write_incidents(out, v);
    status_write_levels(out, v);
    status_write_day(out, v);
    write_components(out, v);
    write_workers(out, v);
    write_syncs(out, v);
    buf_add_cstr(out, "<footer>patrond " PACKAGE_VERSION ". This page renews itself every 30 seconds.</footer>"
                      "</main></body></html>\n");
}
