/*
 * doctor_server: the running server as its scoreboard shows it: master, workers, last changes, data and sync.
 */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "core/events.h"
#include "core/metrics.h"
#include "ctl/doctor.h"

#define MASTER_SILENT_NS (5 * CLOCK_NS_PER_S)

static void examine_master(struct doctor *d)
{
    const struct scoreboard *sb = d->ctl->sb;
    uint64_t beat = atomic_load(&sb->master_beat_ns), now = clock_mono_ns();
    char version[SB_TEXT], up[32];

    (void)sb_text_get(&sb->version, version);
    if (now > beat + MASTER_SILENT_NS)
        doctor_say(d, DOCTOR_FAILED, "server",
                   "The watchdog of systemd restarts it; otherwise systemctl restart patrond.",
                   "the master (pid %ld) has not looked after its children for %llu s", (long)d->ctl->master,
                   (unsigned long long)((now - beat) / CLOCK_NS_PER_S));
    else if (atomic_load(&sb->stopping) != 0)
        doctor_say(d, DOCTOR_FAILED, "server", "systemctl start patrond, once it has ended.", "it stops");
    else
        doctor_ok(d, "server", "patrond %s, pid %ld, generation %u, up %s", version, (long)d->ctl->master,
                  atomic_load(&sb->generation),
                  ctl_duration((clock_wall_us() - atomic_load(&sb->started_us)) / CLOCK_US_PER_S, up));
    if (strcmp(version, PACKAGE_VERSION) != 0)
        doctor_say(d, DOCTOR_WARNING, "version", "patronctl upgrade takes the installed version into service.",
                   "patrond %s runs, patronctl is of %s", version, PACKAGE_VERSION);
}

static void examine_worker(struct doctor *d, const struct sb_slot *s, uint64_t now)
{
    uint64_t beat = atomic_load(&s->beat_ns);
    uint64_t suspect_ns = (uint64_t)d->ctl->conf->worker_hang_suspect * CLOCK_NS_PER_S;
    char name[24], doing[SB_TEXT];

    if (beat == 0 || now < beat + suspect_ns)
        return;
    (void)sb_text_get(&s->doing, doing);
    doctor_say(d, DOCTOR_FAILED, "hang", event_get(EVENT_WORKER_HUNG)->fix,
               "%s (pid %d) has given no sign of life for %llu ms; it was %s", ctl_process_name(s, name),
               atomic_load(&s->pid), (unsigned long long)((now - beat) / 1000000), doing);
}

static void examine_workers(struct doctor *d)
{
    const struct scoreboard *sb = d->ctl->sb;
    uint32_t wanted = atomic_load(&sb->workers), serving = atomic_load(&sb->generation), ready = 0;
    uint64_t now = clock_mono_ns();

    for (unsigned i = 0; i < SB_SLOTS; i++) {
        const struct sb_slot *s = &sb->slots[i];

        if (atomic_load(&s->state) == SB_READY && atomic_load(&s->role) == SB_ROLE_WORKER) {
            ready += atomic_load(&s->generation) == serving;
            examine_worker(d, s, now);
        }
    }
    if (ready >= wanted)
        doctor_ok(d, "workers", "%u of %u serve", ready, wanted);
    else
        doctor_say(d, ready > 0 ? DOCTOR_WARNING : DOCTOR_FAILED, "workers",
                   "They are started again by themselves; journalctl -u patrond -p err says why they ended.",
                   "%u of %u serve", ready, wanted);
}

/* What happened since the start and should not. */
static void examine_counts(struct doctor *d)
{
    const struct scoreboard *sb = d->ctl->sb;
    static const struct {
        enum metric_id metric;
        unsigned dim, value;
        const char *name, *what;
        enum event_id event;
    } counts[] = {
        { METRIC_WORKER_RESTARTS, 0, METRIC_RESTART_CRASH, "crashes", "workers crashed", EVENT_WORKER_CRASHED },
        { METRIC_WORKER_RESTARTS, 0, METRIC_RESTART_HUNG, "hangs", "workers hung", EVENT_WORKER_HUNG },
        { METRIC_WORKER_RESTARTS, 0, METRIC_RESTART_OOM, "memory", "workers were killed by the OOM killer",
          EVENT_WORKER_OOM_KILLED },
        { METRIC_LOAD_SHED, 0, METRIC_SHED_OVERLOAD, "overload", "requests were shed", EVENT_LOAD_SHED },
        { METRIC_LOAD_SHED, 0, METRIC_SHED_FDS, "descriptors", "pauses for want of descriptors",
          EVENT_LISTENER_PAUSED },
        { METRIC_DB_POOL_TIMEOUTS, 0, 0, "pool", "requests waited in vain for a database connection",
          EVENT_DB_POOL_EXHAUSTED },
    };

    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        uint64_t n = metrics_total_where(sb, counts[i].metric, counts[i].dim, counts[i].value);

        if (n > 0)
            doctor_say(d, DOCTOR_WARNING, counts[i].name, event_get(counts[i].event)->fix, "since the start: %llu %s",
                       (unsigned long long)n, counts[i].what);
    }
}

static void examine_change(struct doctor *d, const char *name, int64_t at_us, bool ok, const struct sb_text *error,
                           const char *fix)
{
    char text[SB_TEXT], at[CLOCK_TIME_SIZE];

    if (at_us == 0 || ok)
        return;
    (void)sb_text_get(error, text);
    doctor_say(d, DOCTOR_FAILED, name, fix, "the last one, at %s, failed: %s", clock_format_seconds(at, at_us), text);
}

/* Why there is no scoreboard to look at. */
static void say_unseen(struct doctor *d)
{
    if (d->ctl->master < 0)
        doctor_say(d, DOCTOR_FAILED, "server", "Call the doctor as root or as the server's user.",
                   "only root and the server's user may look");
    else if (d->ctl->master > 0)
        doctor_say(d, DOCTOR_FAILED, "server", "Again in a moment; patronctl upgrade if it is of another version.",
                   "patrond starts, or is of another version than this patronctl");
    else
        doctor_say(d, DOCTOR_FAILED, "server",
                   "systemctl start patrond; if it does not stay, journalctl -u patrond -n 50 says why.",
                   "patrond does not run");
}

void doctor_server(struct doctor *d)
{
    const struct scoreboard *sb = d->ctl->sb;

    if (!d->running) {
        say_unseen(d);
        return;
    }
    examine_master(d);
    examine_workers(d);
    examine_counts(d);
    examine_change(d, "reload", atomic_load(&sb->reload_us), atomic_load(&sb->reload_ok) != 0, &sb->reload_error,
                   event_get(EVENT_RELOAD_FAILED)->fix);
    examine_change(d, "upgrade", atomic_load(&sb->upgrade_us), atomic_load(&sb->upgrade_ok) != 0, &sb->upgrade_error,
                   event_get(EVENT_UPGRADE_FAILED)->fix);
}

/* Data and sync. */

static const char *remedy_of(uint32_t reason)
{
    switch (reason) {
    case SB_REASON_SOURCE_CONNECT:
    case SB_REASON_SOURCE_AUTH:
        return "patronctl check source; correct the AZURE_SQL_ settings or the firewall there, then patronctl sync "
               "--wait.";
    case SB_REASON_SOURCE_QUERY:
        return "patronctl check source: does the view have the columns? Then patronctl sync --wait.";
    case SB_REASON_DATABASE:
        return "patronctl check postgres, then patronctl sync --wait.";
    case SB_REASON_TIMEOUT:
        return "Is the source slow? Otherwise raise SYNC_TIMEOUT or SYNC_STALL_TIMEOUT, then patronctl sync --wait.";
    case SB_REASON_MEMORY:
        return "The next run takes smaller batches. More memory for the unit, or a smaller SYNC_BATCH_ROWS.";
    case SB_REASON_DISK:
        return "Free space on the disk of STATE_DIR or of PostgreSQL (df -h), then patronctl sync --wait.";
    case SB_REASON_VALIDATION:
        return "The rows are in the table sync_quarantine with what is wrong; correct them in the source.";
    default:
        return "patronctl sync --wait.";
    }
}

static void examine_run(struct doctor *d, const struct sb_sync *s)
{
    const struct sb_run *last = s->run_count > 0 ? &s->runs[0] : NULL;
    char at[CLOCK_TIME_SIZE], next[CLOCK_TIME_SIZE];

    if (s->running)
        doctor_ok(d, "sync", "run %lld is %s, %lld rows read", (long long)s->run.run_id, sb_phase_name(s->phase),
                  (long long)s->run.rows_read);
    else if (last != NULL && last->status != SB_RUN_SUCCESS && last->status != SB_RUN_ABORTED)
        doctor_say(d, DOCTOR_FAILED, "sync", remedy_of(last->reason), "run %lld failed at %s (%s): %s",
                   (long long)last->run_id, clock_format_seconds(at, last->finished_us),
                   sb_run_status_name(last->status), last->error);
    else
        doctor_ok(d, "sync", "idle, the next run %s",
                  s->next_run_us != 0 ? clock_format_seconds(next, s->next_run_us) : "is not scheduled");
}

void doctor_data(struct doctor *d)
{
    int64_t limit_us = d->ctl->conf->stale_after_hours * 3600 * CLOCK_US_PER_S;
    uint64_t version = atomic_load(&d->ctl->sb->data_version);
    struct sb_sync s;
    char age[32];

    if (!scoreboard_sync_read(d->ctl->sb, &s))
        return;
    examine_run(d, &s);
    if (s.last_success_us == 0 && version == 0) {
        doctor_say(d, DOCTOR_FAILED, "data", event_get(EVENT_NO_CUSTOMER_DATA)->fix, "there is no data set yet");
        return;
    }
    (void)ctl_duration((clock_wall_us() - s.last_success_us) / CLOCK_US_PER_S, age);
    if (s.last_success_us != 0 && clock_wall_us() - s.last_success_us > limit_us)
        doctor_say(d, DOCTOR_FAILED, "data", event_get(EVENT_DATA_STALE)->fix,
                   "version %llu, the last good sync was %s ago", (unsigned long long)version, age);
    else
        doctor_ok(d, "data", "version %llu, %lld customers, synced %s ago", (unsigned long long)version,
                  (long long)s.customer_count, s.last_success_us != 0 ? age : "elsewhere, unknown how long");
}
