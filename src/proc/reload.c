/*
 * reload: read and check the configuration, start a whole generation beside
 * the serving one, and let the old one go when the new one is ready; or take the new one back.
 *
 * Nothing of the serving generation changes before the new one is ready, so a
 * failure at any step leaves the service as it was. The outcome is told four times: event, scoreboard (patronctl),
 * systemd status, and the generation number.
 */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "core/events.h"
#include "core/notify.h"
#include "proc/master.h"

#define MAX_TEXT 8192

uint32_t master_fresh(const struct master *m)
{
    return m->fresh != NULL ? m->latest : 0;
}

/* The generation that starts is that of a new executable. */
static bool on_probation(const struct master *m)
{
    return m->succession->kind == SUCCESSION_HEIR;
}

static void record(struct master *m, bool ok, const char *why)
{
    struct scoreboard *sb = m->env.sb;

    sb_text_set(&sb->reload_error, "%s", why);
    atomic_store(&sb->reload_ok, ok);
    atomic_store(&sb->reload_us, clock_wall_us());
    atomic_fetch_add(&sb->reload_count, 1); /* last: patronctl waits for it */
}

/* The lines of `problems` as one text; of the file they name its name will do. */
static void join_lines(char *dst, size_t size, struct str problems, const char *path)
{
    const char *slash = strrchr(path, '/');
    size_t directory = slash != NULL ? (size_t)(slash - path) + 1 : 0, used = 0;
    struct str rest = str_trim(problems), line;

    dst[0] = '\0';
    while (used < size && str_split(&rest, '\n', &line)) {
        size_t skip = line.len > directory && memcmp(line.p, path, directory) == 0 ? directory : 0;

        used += (size_t)snprintf(dst + used, size - used, "%s%.*s", used > 0 ? "; " : "", (int)(line.len - skip),
                                 line.p + skip);
    }
}

static void fail(struct master *m, const char *why)
{
    struct event_field f[] = { event_i64("generation", m->serving), event_cstr("error", why) };

    event_log(EVENT_RELOAD_FAILED, f, 2, "generation %u goes on serving: %s", m->serving, why);
    record(m, false, why);
    notify_ready("reload failed, the old configuration stays");
    m->status[0] = '\0'; /* to be told anew with the next change */
}

static struct conf *load(struct master *m)
{
    struct buf problems, warnings;
    char why[1024];
    struct conf *fresh;

    buf_init(&problems, MAX_TEXT);
    buf_init(&warnings, MAX_TEXT);
    fresh = conf_load(m->conf->path[0] != '\0' ? m->conf->path : NULL, &problems, &warnings);
    if (fresh == NULL) {
        join_lines(why, sizeof(why), buf_str(&problems), m->conf->path);
        fail(m, why);
    }
    buf_free(&problems);
    buf_free(&warnings);
    return fresh;
}

/* Refused, not ignored: a reload that takes only half of what was written would surprise. */
static bool locked_settings_kept(struct master *m, const struct conf *fresh)
{
    struct buf changed, locked;
    char why[512];
    bool kept;

    buf_init(&changed, MAX_TEXT);
    buf_init(&locked, MAX_TEXT);
    conf_diff(m->conf, fresh, &changed, &locked);
    kept = locked.len == 0;
    if (!kept) {
        snprintf(why, sizeof(why), "only a restart can change: %.*s", (int)locked.len, locked.data);
        fail(m, why);
    }
    buf_free(&changed);
    buf_free(&locked);
    return kept;
}

void reload_start_generation(struct master *m, uint64_t started_ns)
{
    m->fresh_why[0] = '\0';
    m->latest++;
    m->fresh_generation = (struct policy_generation){ .wanted = m->workers + 2, .started_ns = started_ns };
    children_add_generation(m, m->latest);
}

void reload_begin(struct master *m)
{
    struct conf *fresh;

    if (m->phase != MASTER_SERVING)
        return;
    if (m->fresh != NULL || m->rehearsal.pid != 0) {
        m->reload_again = true;
        return;
    }
    notify_reloading();
    fresh = load(m);
    if (fresh == NULL)
        return;
    if (!locked_settings_kept(m, fresh)) {
        conf_free(fresh);
        return;
    }
    m->fresh = fresh;
    reload_start_generation(m, m->now_ns);
}

/* Generations before the one that drains have had their time. */
static void hurry_older(struct master *m)
{
    for (unsigned i = 0; i < SB_SLOTS; i++) {
        struct child *c = &m->children[i];

        if (c->used && c->role != SB_ROLE_SYNC && c->generation != m->serving && c->generation != m->latest)
            policy_child_stop(&c->policy, POLICY_SIGNAL_QUIT, m->now_ns);
    }
}

static void announce(struct master *m, const struct conf *old)
{
    struct buf changed, locked;
    const char *names;

    buf_init(&changed, MAX_TEXT);
    buf_init(&locked, MAX_TEXT);
    conf_diff(old, m->conf, &changed, &locked);
    names = changed.len > 0 ? buf_cstr(&changed) : "nothing";
    if (names != NULL) {
        struct event_field f[] = { event_i64("generation", m->serving), event_cstr("changed", names) };

        event_log(EVENT_RELOADED, f, 2, "generation %u serves; changed: %s", m->serving, names);
    }
    buf_free(&changed);
    buf_free(&locked);
}

static void commit(struct master *m)
{
    struct conf *old = m->conf;
    uint32_t before = m->serving;
    enum log_level level;

    hurry_older(m);
    m->conf = m->fresh;
    m->fresh = NULL;
    m->serving = m->latest;
    atomic_store(&m->env.sb->generation, m->serving);
    children_stop(m, before, POLICY_SIGNAL_TERM, POLICY_SIGNAL_LEAVE);
    master_set_limits(m);
    if (log_level_parse(m->conf->log_level, &level))
        log_init("master", level, m->conf->json_logs);
    if (on_probation(m)) {
        upgrade_complete(m);
        return;
    }
    announce(m, old);
    conf_free(old);
    record(m, true, "");
    notify_ready("serving");
    m->status[0] = '\0';
}

void reload_abort(struct master *m, const char *why)
{
    if (m->fresh == NULL)
        return;
    if (on_probation(m)) {
        upgrade_fail(m, why);
        return;
    }
    children_stop(m, m->latest, POLICY_SIGNAL_TERM, POLICY_SIGNAL_TERM);
    conf_free(m->fresh);
    m->fresh = NULL;
    fail(m, why);
}

void reload_step(struct master *m)
{
    if (m->fresh == NULL) {
        if (m->reload_again && m->rehearsal.pid == 0) {
            m->reload_again = false;
            reload_begin(m);
        }
        return;
    }
    m->fresh_generation.ready = children_ready(m, m->latest, SB_ROLE_COUNT);
    switch (policy_reload_judge(&m->fresh_generation, &m->limits, m->now_ns)) {
    case POLICY_GO:
        commit(m);
        break;
    case POLICY_FAIL:
        reload_abort(m, m->fresh_why[0] != '\0' ? m->fresh_why : "the new generation was not ready in time");
        break;
    case POLICY_WAIT:
        break;
    }
}
