/*
 * master: the boot order, the loop, and the end. See master.h.
 *
 * Signals raise flags; one function looks at them in a fixed order (stop
 * before reap, reap before reload), so no two ever race. A turn comes with every signal and at least five times a
 * second.
 */
#include "config.h"

#include "proc/master.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api/api.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/rng.h"
#include "core/events.h"
#include "core/metrics.h"
#include "core/notify.h"
#include "core/sys.h"
#include "proc/lock.h"
#include "proc/signals.h"

#define TURN_MS          200
#define OOM_LOOK_NS      10000000000ULL
#define BIND_PATIENCE_MS 3000 /* children of a master killed before us still hold the address for about a second */
#define BIND_PAUSE_MS    100
#define REHEARSAL_LISTEN "127.0.0.1:0"

void master_set_limits(struct master *m)
{
    const struct conf *c = m->conf;

    m->limits = (struct policy_limits){
        .drain_ns = (uint64_t)c->drain_timeout * CLOCK_NS_PER_S,
        .suspect_ns = (uint64_t)c->worker_hang_suspect * CLOCK_NS_PER_S,
        .abort_ns = (uint64_t)c->worker_hang_abort * CLOCK_NS_PER_S,
        .kill_ns = (uint64_t)c->worker_hang_kill * CLOCK_NS_PER_S,
        .ready_ns = (uint64_t)c->generation_timeout * CLOCK_NS_PER_S,
        .stall_ns = (uint64_t)c->sync_stall_timeout * CLOCK_NS_PER_S,
    };
}

/* Boot steps. Each says what is wrong and answers false. */

bool master_boot_failed(const char *fmt, ...)
{
    char text[512];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    event_log_at(LOG_LEVEL_CRITICAL, EVENT_APPLICATION_STOPPING, NULL, 0, "cannot start: %s", text);
    return false;
}

static bool boot_directories(struct master *m)
{
    if (!sys_make_dir(m->conf->run_dir, 0750))
        return master_boot_failed("RUN_DIR %s: %s", m->conf->run_dir, strerror(errno));
    if (!sys_make_dir(m->conf->state_dir, 0750))
        return master_boot_failed("STATE_DIR %s: %s", m->conf->state_dir, strerror(errno));
    return true;
}

static bool boot_lock(struct master *m)
{
    char why[512];

    m->env.private_fds[SPAWN_LOCK] = lock_take(m->conf->run_dir, why, sizeof(why));
    return m->env.private_fds[SPAWN_LOCK] >= 0 || master_boot_failed("%s", why);
}

static bool boot_image(struct master *m)
{
    m->env.private_fds[SPAWN_IMAGE] = succession_open_self();
    return m->env.private_fds[SPAWN_IMAGE] >= 0 || master_boot_failed("/proc/self/exe: %s", strerror(errno));
}

static bool boot_listen(struct master *m)
{
    const char *address = m->rehearsing ? REHEARSAL_LISTEN : m->conf->listen;
    int inherited = m->rehearsing ? 0 : notify_listen_fds();
    char why[256];

    for (int waited = 0; !listen_open(&m->listen, address, inherited, why, sizeof(why)); waited += BIND_PAUSE_MS) {
        if (errno != EADDRINUSE || waited >= BIND_PATIENCE_MS)
            return master_boot_failed("%s", why);
        signals_wait(BIND_PAUSE_MS);
    }
    m->env.listen = &m->listen;
    return true;
}

/* In a rehearsal no generation serves: all wait for their hour, which does not come. */
static bool boot_scoreboard(struct master *m)
{
    char address[LISTEN_ADDRESS_SIZE] = "";

    m->env.sb = m->rehearsing ? scoreboard_make_private(PACKAGE_VERSION)
                              : scoreboard_create(m->conf->run_dir, PACKAGE_VERSION);
    if (m->env.sb == NULL)
        return master_boot_failed("%s/scoreboard: %s", m->conf->run_dir, strerror(errno));
    (void)listen_address(&m->listen, address);
    sb_text_set(&m->env.sb->listen, "%s", address);
    atomic_store(&m->env.sb->master_pid, getpid());
    atomic_store(&m->env.sb->generation, m->rehearsing ? 0 : m->serving);
    atomic_store(&m->env.sb->workers, m->workers);
    atomic_store(&m->env.sb->master_beat_ns, m->now_ns);
    return true;
}

static bool boot_lifeline(struct master *m)
{
    if (pipe2(m->env.lifeline, O_CLOEXEC) != 0)
        return master_boot_failed("pipe: %s", strerror(errno));
    return true;
}

static bool boot_children(struct master *m)
{
    struct event_field f[] = { event_cstr("version", PACKAGE_VERSION), event_i64("workers", m->workers),
                               event_i64("generation", m->serving), event_cstr("listen", m->conf->listen) };

    event_log(EVENT_APPLICATION_STARTING, f, 4, "patrond %s starts %u workers", PACKAGE_VERSION, m->workers);
    if (m->conf->anthropic_api_key[0] == '\0')
        event_log(EVENT_AI_NOT_CONFIGURED, NULL, 0, "ANTHROPIC_API_KEY not found: questions are answered by rules");
    m->oom_kills = m->oom_kills_before = sys_oom_kill_count();
    m->boot = (struct policy_generation){ .wanted = m->workers, .started_ns = m->now_ns };
    policy_bucket_init(&m->storm, m->workers + POLICY_STORM_SPARE, POLICY_STORM_REFILL_NS, m->now_ns);
    children_add_generation(m, m->serving);
    return true;
}

static bool boot(struct master *m)
{
    const char *const *routes;
    unsigned route_count;

    sys_title_set(m->rehearsing ? "patrond: master (rehearsal)" : "patrond: master");
    (void)sys_raise_fd_limit();
    rng_seed();
    routes = api_route_names(&route_count);
    metrics_init(routes, route_count);
    if (m->succession->kind != SUCCESSION_NONE)
        return upgrade_boot(m);
    signals_init();
    if (!m->rehearsing && !(boot_directories(m) && boot_lock(m) && boot_image(m)))
        return false;
    return boot_listen(m) && boot_scoreboard(m) && boot_lifeline(m) && boot_children(m);
}

/* Stopping. */

static void stop(struct master *m, enum policy_signal how)
{
    struct event_field f[] = { event_i64("generation", m->serving),
                               event_bool("at_once", how == POLICY_SIGNAL_QUIT) };

    if (m->phase != MASTER_STOPPING) {
        upgrade_abort(m);
        reload_abort(m, "the server stops");
        atomic_store(&m->env.sb->stopping, 1);
        notify_stopping("draining", m->limits.drain_ns + 2 * POLICY_KILL_AFTER_NS);
    }
    event_log(EVENT_APPLICATION_STOPPING, f, 2, "%s", how == POLICY_SIGNAL_QUIT ? "stopping at once" : "draining");
    m->phase = MASTER_STOPPING;
    children_stop(m, 0, how, how);
}

static void stop_orderly(struct master *m)
{
    stop(m, m->phase == MASTER_STOPPING ? POLICY_SIGNAL_QUIT : POLICY_SIGNAL_TERM);
}

/* The one place that decides what a signal means. */
static void heed_signals(struct master *m)
{
    bool term = signals_take(SIGNALS_TERM), interrupt = signals_take(SIGNALS_INT);

    if (signals_take(SIGNALS_QUIT))
        stop(m, POLICY_SIGNAL_QUIT);
    else if (term || interrupt)
        stop_orderly(m);
    if (signals_take(SIGNALS_CHLD))
        children_reap(m);
    if (signals_take(SIGNALS_HUP))
        reload_begin(m);
    if (signals_take(SIGNALS_USR2))
        upgrade_begin(m);
    if (signals_take(SIGNALS_USR1))
        children_wake_sync(m);
    m->resize += signals_take(SIGNALS_TTIN) - signals_take(SIGNALS_TTOU);
}

/* Serving. */

static void announce_ready(struct master *m)
{
    char address[SB_TEXT];
    struct event_field f[] = { event_cstr("version", PACKAGE_VERSION), event_i64("workers", m->boot.ready),
                               event_i64("generation", m->serving) };

    (void)sb_text_get(&m->env.sb->listen, address);
    event_log(EVENT_APPLICATION_READY, f, 3, "%u of %u workers serve on %s", m->boot.ready, m->workers, address);
    notify_ready("serving");
}

static void boot_give_up(struct master *m)
{
    if (m->exit_status != PROC_EXIT_CONFIG)
        m->exit_status = PROC_EXIT_FAILURE;
    (void)master_boot_failed("no worker became ready");
    stop(m, POLICY_SIGNAL_QUIT);
}

/* The first generation: ready, or unable to live. */
static void boot_step(struct master *m)
{
    m->boot.ready = children_ready(m, m->serving, SB_ROLE_WORKER);
    m->boot.died = children_stillborn(m, m->serving);
    switch (policy_boot_judge(&m->boot, &m->limits, m->now_ns)) {
    case POLICY_GO:
        m->phase = MASTER_SERVING;
        m->exit_status = PROC_EXIT_DRAINED;
        announce_ready(m);
        break;
    case POLICY_FAIL:
        boot_give_up(m);
        break;
    case POLICY_WAIT:
        break;
    }
}

/* All of a generation must be ready, as in a reload; then the rehearsal is over. */
static void rehearsal_step(struct master *m)
{
    struct policy_generation g = { .wanted = m->workers + 2, .started_ns = m->boot.started_ns };

    g.ready = children_ready(m, m->serving, SB_ROLE_COUNT);
    g.died = m->boot.died;
    switch (policy_reload_judge(&g, &m->limits, m->now_ns)) {
    case POLICY_GO:
        printf("patrond %s is ready to serve with these settings\n", PACKAGE_VERSION);
        m->exit_status = PROC_EXIT_DRAINED;
        stop(m, POLICY_SIGNAL_QUIT);
        break;
    case POLICY_FAIL:
        boot_give_up(m);
        break;
    case POLICY_WAIT:
        break;
    }
}

static void tell_systemd(struct master *m)
{
    uint64_t interval = notify_watchdog_interval_ns();
    unsigned ready = children_ready(m, 0, SB_ROLE_WORKER);
    char status[sizeof(m->status)];

    if (m->phase == MASTER_SERVING && ready > 0 && interval > 0 && m->now_ns - m->watchdog_ns >= interval) {
        notify_watchdog();
        m->watchdog_ns = m->now_ns;
    }
    snprintf(status, sizeof(status), "%s generation %u: %u of %u workers ready%s",
             m->phase == MASTER_STOPPING ? "draining" : "serving", m->serving,
             children_ready(m, m->serving, SB_ROLE_WORKER), m->workers,
             m->rehearsal.pid != 0 || m->succession->kind == SUCCESSION_HEIR ? ", upgrading"
             : m->fresh != NULL                                              ? ", reloading"
                                                                             : "");
    if (m->phase == MASTER_BOOTING || strcmp(status, m->status) == 0)
        return;
    notify_status("%s", status);
    memcpy(m->status, status, sizeof(status));
}

static void look_at_clock(struct master *m, uint64_t slept_ns)
{
    uint64_t now = clock_mono_ns();

    if (now - m->now_ns > slept_ns + POLICY_GAP_NS)
        m->awake_ns = now; /* we were stopped, or the machine was: nobody's silence counts */
    m->now_ns = now;
    atomic_store(&m->env.sb->master_beat_ns, now);
    if (now - m->oom_ns >= OOM_LOOK_NS) {
        children_settle_oom(m);
        adopt_settle(m);
        m->oom_ns = now;
    }
}

static void turn(struct master *m)
{
    int ms = children_next_ms(m, TURN_MS);

    signals_wait(ms);
    look_at_clock(m, (uint64_t)ms * 1000000);
    heed_signals(m);
    children_step(m);
    if (m->phase == MASTER_BOOTING && m->rehearsing)
        rehearsal_step(m);
    else if (m->phase == MASTER_BOOTING)
        boot_step(m);
    reload_step(m);
    upgrade_step(m);
    resize_step(m);
    tell_systemd(m);
}

static void clean_up(struct master *m)
{
    char path[PATH_MAX];

    if (m->env.sb != NULL && !m->rehearsing) {
        snprintf(path, sizeof(path), "%s/scoreboard", m->conf->run_dir);
        (void)unlink(path);
        scoreboard_discard(m->conf->run_dir);
    }
    scoreboard_close(m->env.sb);
    listen_close(&m->listen);
    conf_free(m->conf);
}

static void init(struct master *m, const struct master_start *start)
{
    m->conf = start->conf;
    m->executable = start->executable;
    m->rehearsing = start->rehearsal;
    m->succession = start->succession;
    m->env.succession = start->succession;
    for (int i = 0; i < SPAWN_PRIVATE_COUNT; i++)
        m->env.private_fds[i] = -1;
    m->workers = m->rehearsing ? 1 : conf_worker_count(m->conf);
    m->serving = m->latest = 1;
    m->exit_status = PROC_EXIT_FAILURE;
    m->now_ns = m->awake_ns = m->oom_ns = clock_mono_ns();
    master_set_limits(m);
}

int master_run(const struct master_start *start)
{
    static struct master m; /* for the process's life: the children inherit what they point to */

    init(&m, start);
    if (!boot(&m)) {
        succession_return(m.succession, "it could not take over");
        clean_up(&m);
        return PROC_EXIT_FAILURE;
    }
    m.exit_status = PROC_EXIT_DRAINED;
    children_step(&m);
    while (m.phase != MASTER_STOPPING || children_alive(&m) > 0)
        turn(&m);
    event_log(EVENT_APPLICATION_STOPPING, NULL, 0, "stopped");
    clean_up(&m);
    return m.exit_status;
}
