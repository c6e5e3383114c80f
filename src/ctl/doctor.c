/*
 * doctor: the runbook walked. Every check, and for each that fails the cause and the remedy in words.
 */
#include "ctl/doctor.h"

#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/events.h"
#include "core/json.h"
#include "proc/checks.h"
#include "proc/lock.h"

#define INDENT 22 /* of what was found, behind state and name */

static void add(struct doctor *d, enum doctor_state state, const char *name, const char *fix, const char *fmt,
                va_list ap) __attribute__((format(printf, 5, 0)));

static void add(struct doctor *d, enum doctor_state state, const char *name, const char *fix, const char *fmt,
                va_list ap)
{
    struct doctor_finding *f = &d->findings[d->count];

    if (d->count == DOCTOR_FINDINGS)
        return;
    d->count++;
    f->state = state;
    f->name = name;
    (void)vsnprintf(f->found, sizeof(f->found), fmt, ap);
    (void)str_copy(f->fix, sizeof(f->fix), str_from(fix));
}

void doctor_ok(struct doctor *d, const char *name, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    add(d, DOCTOR_OK, name, "", fmt, ap);
    va_end(ap);
}

void doctor_say(struct doctor *d, enum doctor_state state, const char *name, const char *fix, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    add(d, state, name, fix, fmt, ap);
    va_end(ap);
}

void doctor_settings(struct doctor *d)
{
    struct str rest = buf_str(&d->ctl->problems), line;
    bool good = true;

    while (str_split(&rest, '\n', &line)) {
        if (line.len == 0)
            continue;
        good = false;
        doctor_say(d, DOCTOR_FAILED, "settings", "Correct it, see patrond.conf(5); patrond -t tests the settings.",
                   "%.*s", (int)line.len, line.p);
    }
    if (good)
        doctor_ok(d, "settings", "%s", d->ctl->conf->path[0] != '\0' ? d->ctl->conf->path : "from the environment");
}

/* Dependencies, asked now. */

/* What an operator does about a component that is down: the words of its event. */
static const char *remedy_of(enum sb_component component)
{
    switch (component) {
    case SB_DATABASE:
        return event_get(EVENT_DB_CONNECTION_FAILED)->fix;
    case SB_CACHE:
        return event_get(EVENT_CACHE_DOWN)->fix;
    case SB_SOURCE:
        return event_get(EVENT_SYNC_FAILED)->fix;
    case SB_AI:
        return event_get(EVENT_CLAUDE_FAILED)->fix;
    default:
        return "patronctl status shows the workers; systemctl restart patrond if they do not come back.";
    }
}

static void say_result(struct doctor *d, const struct check *check, const struct check_result *r)
{
    const char *colon = r->target[0] != '\0' ? ": " : "";

    if (r->health == SB_HEALTH_UP)
        doctor_ok(d, check->name, "%s%s%s (%.1f ms)", r->target, colon, r->text, (double)r->latency_us / 1000);
    else
        doctor_say(d, r->health == SB_HEALTH_DEGRADED ? DOCTOR_WARNING : DOCTOR_FAILED, check->name,
                   remedy_of(check->component), "%s%s%s", r->target, colon, r->text);
    if (check->component == SB_DATABASE)
        d->database_answers = r->health == SB_HEALTH_UP;
}

static void say_not_configured(struct doctor *d, const struct check *check)
{
    if (check->component == SB_SOURCE)
        doctor_say(d, DOCTOR_WARNING, check->name, "Set SYNC_SOURCE, or AZURE_SQL_SERVER and its likes, and reload.",
                   "not configured: no data come in by this server");
    else
        doctor_ok(d, check->name,
                  check->component == SB_AI ? "not configured: questions are answered by rules" : "not configured");
}

static void ask(struct doctor *d, const struct check *check, const char *listen)
{
    struct check_env env = { .conf = d->ctl->conf, .listen = listen };
    struct check_job job = { .check = NULL };
    struct check_result r;

    if (!check->configured(d->ctl->conf)) {
        say_not_configured(d, check);
        return;
    }
    if (!check_start(&job, check, &env)) {
        doctor_say(d, DOCTOR_FAILED, check->name, "Too many processes, or no memory: look at the machine.",
                   "the check cannot be started");
        return;
    }
    while (!check_poll(&job, &r)) {
        struct pollfd p = { .fd = job.fd, .events = POLLIN };

        (void)poll(&p, 1, CTL_POLL_MS);
    }
    say_result(d, check, &r);
}

void doctor_dependencies(struct doctor *d)
{
    char listen[SB_TEXT];

    (void)str_copy(listen, sizeof(listen), str_from(d->ctl->conf->listen));
    if (d->running)
        (void)sb_text_get(&d->ctl->sb->listen, listen);
    for (unsigned i = 0; i < CHECKS_COUNT; i++) {
        if (checks_table[i].component == SB_SELF && !d->running)
            continue; /* it does not run: said already */
        ask(d, &checks_table[i], listen);
    }
}

/* The report. */

static unsigned count_state(const struct doctor *d, enum doctor_state state)
{
    unsigned count = 0;

    for (unsigned i = 0; i < d->count; i++)
        count += d->findings[i].state == state;
    return count;
}

static void print_report(const struct doctor *d)
{
    static const char *const words[] = { "ok", "warning", "FAILED" };
    int columns = ctl_columns();

    for (unsigned i = 0; i < d->count; i++) {
        const struct doctor_finding *f = &d->findings[i];

        printf("%-8s %-12s ", words[f->state], f->name);
        ctl_print_wrapped(stdout, f->found, INDENT, columns);
        if (f->fix[0] == '\0')
            continue;
        printf("%*s", INDENT, "");
        ctl_print_wrapped(stdout, f->fix, INDENT, columns);
    }
    printf("\n%u failed, %u to look at, %u well\n", count_state(d, DOCTOR_FAILED), count_state(d, DOCTOR_WARNING),
           count_state(d, DOCTOR_OK));
}

static const struct doctor *reported; /* ctl_print_json knows only the server */

static void write_report(const struct ctl *ctl, struct buf *out)
{
    static const char *const words[] = { "ok", "warning", "failed" };
    struct json_writer w;

    (void)ctl;
    json_writer_init(&w, out);
    json_object_begin(&w);
    json_kv_bool(&w, "well", count_state(reported, DOCTOR_FAILED) == 0);
    json_key(&w, "findings");
    json_array_begin(&w);
    for (unsigned i = 0; i < reported->count; i++) {
        const struct doctor_finding *f = &reported->findings[i];

        json_object_begin(&w);
        json_kv_cstr(&w, "name", f->name);
        json_kv_cstr(&w, "state", words[f->state]);
        json_kv_cstr(&w, "found", f->found);
        json_kv_cstr(&w, "fix", f->fix[0] != '\0' ? f->fix : NULL);
        json_object_end(&w);
    }
    json_array_end(&w);
    json_object_end(&w);
}

/* Is there a server whose scoreboard can be read? Says nothing: that is a finding. */
static bool attach_quietly(struct doctor *d)
{
    d->ctl->master = lock_holder(d->ctl->conf->run_dir);
    if (d->ctl->master <= 0)
        return false;
    d->ctl->sb = scoreboard_open(d->ctl->conf->run_dir, false);
    return d->ctl->sb != NULL && atomic_load(&d->ctl->sb->master_pid) == d->ctl->master;
}

static void examine(struct doctor *d)
{
    doctor_settings(d);
    d->running = attach_quietly(d);
    doctor_server(d);
    doctor_machine(d);
    if (d->ctl->problems.len == 0) { /* with half the settings the rest would find what is not so */
        doctor_dependencies(d);
        doctor_database(d);
    }
    if (d->running)
        doctor_data(d);
}

int ctl_doctor(struct ctl *ctl, int argc, char **argv)
{
    struct doctor *d = calloc(1, sizeof(*d));
    bool json = false;
    int status;

    if (d == NULL)
        return ctl_fail(CTL_FAILED, "out of memory");
    d->ctl = ctl;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--fix") == 0) {
            d->fix = true;
        } else if (strcmp(argv[i], "--json") == 0) {
            json = true;
        } else {
            free(d);
            return ctl_usage("doctor", "%s is not expected here", argv[i]);
        }
    }
    examine(d);
    status = count_state(d, DOCTOR_FAILED) == 0 ? CTL_OK : CTL_FAILED;
    reported = d;
    if (!json)
        print_report(d);
    else if (ctl_print_json(ctl, write_report) != CTL_OK)
        status = CTL_FAILED;
    free(d);
    return status;
}
