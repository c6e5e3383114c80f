/*
 * incident_command: patronctl incident: the window, the journal, the document.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-journal.h>
#include <unistd.h>

#include "base/clock.h"
#include "core/slo_file.h"
#include "ctl/ctl.h"
#include "ctl/incident.h"

#define MAX_DOCUMENT (4 << 20)

/* The value of FIELD in the present entry, cut to size; "" without one. */
static void field(sd_journal *j, const char *name, char *dst, size_t size)
{
    const void *data;
    size_t n, skip = strlen(name) + 1;

    dst[0] = '\0';
    if (sd_journal_get_data(j, name, &data, &n) >= 0 && n >= skip)
        (void)str_copy(dst, size, (struct str){ (const char *)data + skip, n - skip });
}

static bool find_event(const char *name, enum event_id *id)
{
    for (unsigned i = 0; i < EVENT_COUNT; i++) {
        if (strcmp(event_get((enum event_id)i)->name, name) == 0) {
            *id = (enum event_id)i;
            return true;
        }
    }
    return false;
}

/* False: the entry is no event of ours. */
static bool read_entry(sd_journal *j, struct incident_event *e)
{
    char name[64], number[24], line[INCIDENT_MESSAGE];
    uint64_t at = 0, n;
    const char *text;

    *e = (struct incident_event){ .priority = 6 };
    field(j, "EVENT", name, sizeof(name));
    if (!find_event(name, &e->id) || sd_journal_get_realtime_usec(j, &at) < 0)
        return false;
    e->at_us = (int64_t)at;
    field(j, "PRIORITY", number, sizeof(number));
    if (str_to_u64(str_from(number), &n) && n < 8)
        e->priority = (int)n;
    field(j, "SUPPRESSED", number, sizeof(number));
    if (str_to_u64(str_from(number), &n))
        e->suppressed = n;
    field(j, "MESSAGE", line, sizeof(line));
    text = strstr(line, ": ");
    (void)str_copy(e->message, sizeof(e->message), str_from(text != NULL ? text + 2 : line));
    field(j, "COMPONENT", e->component, sizeof(e->component));
    field(j, "FROM", e->from, sizeof(e->from));
    field(j, "TO", e->to, sizeof(e->to));
    return true;
}

/* 0, or an errno, negative. */
static int read_journal(struct incident *i, const char *unit)
{
    char match[300];
    struct incident_event e;
    sd_journal *j;
    int status = sd_journal_open(&j, SD_JOURNAL_LOCAL_ONLY);

    if (status < 0)
        return status;
    (void)snprintf(match, sizeof(match), "_SYSTEMD_UNIT=%s", unit);
    status = sd_journal_add_match(j, match, 0);
    if (status >= 0)
        status = sd_journal_seek_realtime_usec(j, (uint64_t)i->since_us);
    while (status >= 0 && (status = sd_journal_next(j)) > 0) {
        if (!read_entry(j, &e))
            continue;
        if (e.at_us > i->until_us)
            break;
        incident_add(i, &e);
    }
    sd_journal_close(j);
    return status < 0 ? status : 0;
}

struct window {
    int64_t since_us, until_us;
    bool json;
};

static int read_arguments(int argc, char **argv, int64_t now_us, struct window *window)
{
    bool since = false;

    *window = (struct window){ .until_us = now_us };
    for (int i = 1; i < argc; i++) {
        bool is_since = strcmp(argv[i], "--since") == 0;

        if (strcmp(argv[i], "--json") == 0) {
            window->json = true;
            continue;
        }
        if (!is_since && strcmp(argv[i], "--until") != 0)
            return ctl_usage("incident", "%s is not expected here", argv[i]);
        if (i + 1 == argc)
            return ctl_usage("incident", "%s needs a TIME", argv[i]);
        if (!incident_parse_time(argv[i + 1], now_us, is_since ? &window->since_us : &window->until_us))
            return ctl_usage("incident", "%s cannot be %s", argv[i], argv[i + 1]);
        since = since || is_since;
        i++;
    }
    if (!since)
        return ctl_usage("incident", "--since is missing");
    if (window->since_us >= window->until_us)
        return ctl_usage("incident", "the window ends before it begins");
    return CTL_OK;
}

/* From the running server, else from what it left in STATE_DIR; false with errno where neither can be read. */
static bool read_levels(struct ctl *ctl, const struct incident *i, struct slo_sum *sum)
{
    int64_t end_s = i->until_us / CLOCK_US_PER_S, begin_s = i->since_us / CLOCK_US_PER_S;
    unsigned buckets = (unsigned)(end_s / SLO_BUCKET_S - begin_s / SLO_BUCKET_S) + 1;
    struct slo_ring *kept = calloc(1, sizeof(*kept));
    bool known;

    *sum = (struct slo_sum){ .slots = 0 };
    ctl->sb = scoreboard_open(ctl->conf->run_dir, false);
    known = ctl->sb != NULL ||
            (kept != NULL && slo_file_load(kept, ctl->conf->state_dir, clock_wall_us() / CLOCK_US_PER_S));
    if (known)
        slo_sum(ctl->sb != NULL ? &ctl->sb->slo : kept, 0, buckets, end_s, sum);
    free(kept);
    return known;
}

static int print_document(struct ctl *ctl, const struct incident *i, bool json)
{
    struct slo_sum levels;
    char host[256] = "?";
    struct buf out;
    bool good, known;

    (void)gethostname(host, sizeof(host) - 1);
    buf_init(&out, MAX_DOCUMENT);
    known = read_levels(ctl, i, &levels);
    if (!known)
        (void)ctl_fail(CTL_FAILED, "the service levels cannot be read: %s/%s: %s", ctl->conf->state_dir,
                       SLO_FILE_NAME, strerror(errno));
    (json ? incident_write_json : incident_write)(i, known ? &levels : NULL, ctl->unit, host, &out);
    good = !out.failed && fwrite(out.data, 1, out.len, stdout) == out.len && fflush(stdout) == 0;
    buf_free(&out);
    return good ? CTL_OK : ctl_fail(CTL_FAILED, "cannot write the document");
}

int ctl_incident(struct ctl *ctl, int argc, char **argv)
{
    struct incident incident;
    struct window window;
    int status = read_arguments(argc, argv, clock_wall_us(), &window);

    if (status != CTL_OK)
        return status;
    if (!incident_init(&incident, window.since_us, window.until_us))
        return ctl_fail(CTL_FAILED, "out of memory");
    status = read_journal(&incident, ctl->unit);
    if (status >= 0 && incident.events == 0)
        (void)ctl_fail(CTL_OK, "the journal has no event of %s in this window, or none that may be read from here",
                       ctl->unit);
    if (status < 0)
        status = ctl_fail(CTL_FAILED, "cannot read the journal: %s", strerror(-status));
    else
        status = print_document(ctl, &incident, window.json);
    incident_free(&incident);
    return status;
}
