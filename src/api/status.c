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

/* Its colour, and a sign before the word, for those who do not see the colours. */
static const struct {
    const char *class, *sign;
} looks[] = {
    [SB_HEALTH_UNKNOWN] = { "none", "○" },        [SB_HEALTH_UP] = { "ok", "●" },
    [SB_HEALTH_DEGRADED] = { "warn", "▲" },       [SB_HEALTH_DOWN] = { "bad", "✕" },
    [SB_HEALTH_NOT_CONFIGURED] = { "none", "○" },
};

static const char *state_word(enum sb_health state)
{
    return state == SB_HEALTH_NOT_CONFIGURED ? "not configured" : sb_health_name(state);
}

/* Components in the words of people, and what they notice when one ails. */
static const struct {
    const char *label, *effect;
} components[HEALTH_COMPONENTS] = {
    [HEALTH_API] = { "API", "Some requests are not answered." },
    [HEALTH_MCP_SERVER] = { "MCP server", "Tools have no data to answer from." },
    [HEALTH_DATABASE] = { "PostgreSQL",
                          "Order history and product analyses are answered from the cache, or not at all; "
                          "everything else goes on." },
    [HEALTH_CACHE] = { "Redis", "The same answers, some of them slower." },
    [HEALTH_SOURCE] = { "Sales source", "No new sales arrive; what is there is served." },
    [HEALTH_AI] = { "Claude", "Questions are answered by rules." },
    [HEALTH_SYNC] = { "Sync", "No newer data arrive until a sync succeeds." },
};

static const char *error_words(enum sb_error e)
{
    static const char *const words[SB_ERROR_COUNT] = {
        [SB_ERROR_NONE] = NULL,
        [SB_ERROR_CONNECT_TIMEOUT] = "no connection in time",
        [SB_ERROR_REFUSED] = "it cannot be reached",
        [SB_ERROR_AUTH_FAILED] = "access denied",
        [SB_ERROR_QUERY_TIMEOUT] = "no answer in time",
        [SB_ERROR_TLS] = "TLS failed",
        [SB_ERROR_NEVER_SUCCEEDED] = "not checked yet",
        [SB_ERROR_OVERDUE] = "the check is overdue",
    };

    return words[e];
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

static const char *headline(const struct health *h)
{
    if (!h->serving)
        return "Unavailable";
    return h->reason == HEALTH_FINE ? "All systems operational" : "Serving, degraded";
}

static void write_header(struct buf *out, const struct status_view *v)
{
    const struct health *h = &v->health;
    const char *class = !h->serving ? "bad" : h->reason == HEALTH_FINE ? "ok" : "warn";
    char time[CLOCK_TIME_SIZE], day[CLOCK_DAY_SIZE];

    buf_printf(out, "<header class=\"%s\"><h1>Customer Intelligence API</h1><p class=\"state %s\">%s</p>", class,
               class, headline(h));
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
    const char *error = check != NULL ? error_words(check->error) : NULL;

    if (c == HEALTH_SYNC)
        error = v->data == NULL   ? "no run has succeeded yet"
                : v->health.stale ? "the data are stale"
                                  : "the last run failed";
    buf_printf(out, "<li><strong class=\"%s\">%s %s is %s</strong>", looks[state].class, looks[state].sign,
               components[c].label, state_word(state));
    if (check != NULL && check->since_us > 0) {
        buf_add_cstr(out, " for ");
        status_write_span(out, (v->health.now_us - check->since_us) / CLOCK_US_PER_S);
    }
    if (error != NULL)
        buf_printf(out, ": %s", error);
    buf_printf(out, ".<br><span class=\"dim\">%s</span></li>", components[c].effect);
}

static const char *why_not_serving(enum health_reason reason)
{
    switch (reason) {
    case HEALTH_NO_DATA:
        return "no sync has succeeded yet";
    case HEALTH_STARTING:
        return "the server is starting";
    case HEALTH_DRAINING:
        return "the server is stopping";
    default:
        return "unknown";
    }
}

static void write_incidents(struct buf *out, const struct status_view *v)
{
    bool any = false;

    buf_add_cstr(out, "<section><h2>Current incidents</h2><ul>");
    if (!v->health.serving) {
        buf_printf(out,
                   "<li><strong class=\"bad\">✕ Not serving</strong>: %s.<br><span class=\"dim\">Requests for data "
                   "are answered with 503.</span></li>",
                   why_not_serving(v->health.reason));
        any = true;
    }
    for (unsigned c = 0; c < HEALTH_COMPONENTS; c++) {
        enum sb_health state = v->health.components[c];

        if (state != SB_HEALTH_DOWN && state != SB_HEALTH_DEGRADED)
            continue;
        write_incident(out, v, (enum health_component)c);
        any = true;
    }
    buf_add_cstr(out, any ? "</ul></section>" : "<li class=\"dim\">None.</li></ul></section>");
}

static void write_components(struct buf *out, const struct status_view *v)
{
    buf_add_cstr(out, "<section><h2>Components</h2><table><tr><th>Component<th>State<th class=\"n\">Latency"
                      "<th class=\"n\">Since</tr>");
    for (unsigned c = 0; c < HEALTH_COMPONENTS; c++) {
        const struct health_check *check = check_of(v, (enum health_component)c);
        enum sb_health state = v->health.components[c];

        buf_printf(out, "<tr><td>%s<td class=\"%s\">%s %s<td class=\"n\">", components[c].label, looks[state].class,
                   looks[state].sign, state_word(state));
        if (check != NULL && check->latency_us >= 0 && state == SB_HEALTH_UP)
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

static const char *class_of_run(uint32_t status)
{
    if (status == SB_RUN_SUCCESS)
        return "ok";
    return status == SB_RUN_RUNNING || status == SB_RUN_ABORTED ? "none" : "bad";
}

static void write_sync(struct buf *out, const struct sb_run *r, int64_t now_us)
{
    const char *reason = sb_reason_name(r->reason);
    int64_t took_us = r->finished_us > r->started_us ? r->finished_us - r->started_us : 0;

    buf_add_cstr(out, "<tr><td>");
    write_ago(out, r->finished_us > 0 ? r->finished_us : r->started_us, now_us);
    buf_printf(out, "<td class=\"wide\">%s<td class=\"%s\">%s", sb_mode_name(r->mode), class_of_run(r->status),
               sb_run_status_name(r->status));
    if (reason != NULL && r->status != SB_RUN_ABORTED)
        buf_printf(out, " (%s)", reason);
    buf_printf(out, "<td class=\"n\">%lld<td class=\"n\">", (long long)r->rows_read);
    if (took_us >= CLOCK_US_PER_S)
        buf_printf(out, "%.1f s", (double)took_us / 1e6);
    else if (took_us > 0)
        buf_printf(out, "%.0f ms", (double)took_us / 1e3);
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
                      "<title>");
    buf_add_cstr(out, headline(&v->health));
    buf_add_cstr(out, " – Customer Intelligence API</title><style>");
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
