/*
 * upgrade: another executable in the same process, with the same sockets and children, and the way back.
 *
 * First the new one rehearses as an ordinary child (patrond -r): with the settings as they are now it must bring up a
 * worker and the helpers beside the running server. Only then it is executed here, in the master's place. As the heir
 * it adopts the children, starts its own generation beside theirs and lets them go when it is ready. Whatever goes
 * wrong before, a crash included, executes the old image again, which takes everything back. So the service never
 * depends on an executable that has not shown that it can serve.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "core/events.h"
#include "core/metrics.h"
#include "core/notify.h"
#include "core/sys.h"
#include "proc/master.h"
#include "proc/signals.h"

#define UNKNOWN "unknown"

static bool on_probation(const struct master *m)
{
    return m->succession->kind == SUCCESSION_HEIR;
}

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static void record(struct master *m, bool ok, const char *why)
{
    struct scoreboard *sb = m->env.sb;

    sb_text_set(&sb->upgrade_error, "%s", why);
    atomic_store(&sb->upgrade_ok, ok);
    atomic_store(&sb->upgrade_us, clock_wall_us());
    atomic_fetch_add(&sb->upgrade_count, 1); /* last: patronctl waits for it */
    notify_ready(ok ? "serving" : "upgrade failed, the running version stays");
    m->status[0] = '\0'; /* to be told anew */
}

static void fail(struct master *m, const char *version, const char *why)
{
    struct event_field f[] = { event_cstr("version", PACKAGE_VERSION), event_cstr("from", PACKAGE_VERSION),
                               event_cstr("to", version), event_i64("generation", m->serving),
                               event_cstr("error", why) };

    event_log(EVENT_UPGRADE_FAILED, f, 5, "patrond %s goes on serving, not %s: %s", PACKAGE_VERSION, version, why);
    record(m, false, why);
}

/* The rehearsal. */

void upgrade_begin(struct master *m)
{
    char *argv[] = { (char *)(uintptr_t)m->executable, (char *)(uintptr_t) "-r", (char *)(uintptr_t) "-c",
                     (char *)(uintptr_t)m->conf->path, NULL };
    int *next = &m->env.private_fds[SPAWN_NEXT];
    char why[512];

    if (m->phase != MASTER_SERVING)
        return;
    if (m->fresh != NULL || m->rehearsal.pid != 0) {
        m->upgrade_again = true;
        return;
    }
    if (m->conf->path[0] == '\0')
        argv[2] = NULL;
    notify_reloading();
    m->rehearsal = (struct rehearsal){ .started_ns = m->now_ns };
    *next = open(m->executable, O_RDONLY | O_CLOEXEC);
    if (*next >= 0)
        m->rehearsal.pid = spawn_program(*next, argv, &m->env.private_fds[SPAWN_REHEARSAL]);
    if (*next >= 0 && m->rehearsal.pid > 0)
        return;
    snprintf(why, sizeof(why), "%s: %s", m->executable, strerror(errno));
    m->rehearsal.pid = 0;
    close_fd(next);
    fail(m, UNKNOWN, why);
}

/* Reads on to the end, keeps the beginning. */
static void listen_to_rehearsal(struct master *m)
{
    struct rehearsal *r = &m->rehearsal;
    char piece[1024];
    ssize_t n;

    while ((n = read(m->env.private_fds[SPAWN_REHEARSAL], piece, sizeof(piece))) > 0) {
        size_t room = sizeof(r->said) - 1 - r->said_len, kept = (size_t)n < room ? (size_t)n : room;

        memcpy(r->said + r->said_len, piece, kept);
        r->said_len += kept;
    }
    r->said[r->said_len] = '\0';
}

/* "patrond VERSION rehearses" is its first line. */
static bool rehearsed_version(const struct rehearsal *r, char dst[32])
{
    struct str rest = { r->said, r->said_len }, word;

    return str_split(&rest, ' ', &word) && str_eq_lit(word, "patrond") && str_split(&rest, ' ', &word) &&
           rest.p != NULL && str_starts(rest, "rehearses\n") && word.len > 0 && str_copy(dst, 32, word);
}

/* What it said against itself, on one line. */
static void rehearsal_complaint(const struct rehearsal *r, int wait_status, char *dst, size_t size)
{
    struct str rest = { r->said, r->said_len }, line;
    char name[16];
    size_t at = 0;

    if (r->overdue)
        at = (size_t)snprintf(dst, size, "it was not ready in time");
    else if (WIFSIGNALED(wait_status))
        at = (size_t)snprintf(dst, size, "it ended with %s", signals_name(WTERMSIG(wait_status), name));
    else
        at = (size_t)snprintf(dst, size, "it ended with exit status %d", WEXITSTATUS(wait_status));
    while (str_split(&rest, '\n', &line) && at < size) {
        if (line.len > 0 && !(str_starts(line, "patrond ") && line.len < 64))
            at += (size_t)snprintf(dst + at, size - at, "; %.*s", (int)line.len, line.p);
    }
}

/* This process becomes the new image; comes back only when it can't, and says why. */
static void execute_next(struct master *m, char *why, size_t size)
{
    struct handover h = {
        .version = PACKAGE_VERSION,
        .image_fd = m->env.private_fds[SPAWN_IMAGE],
        .next_fd = m->env.private_fds[SPAWN_NEXT],
        .lock_fd = m->env.private_fds[SPAWN_LOCK],
        .lifeline = { m->env.lifeline[0], m->env.lifeline[1] },
        .listen = m->listen,
        .workers = m->workers,
        .deadline_ns = m->rehearsal.started_ns + m->limits.ready_ns,
        .reload_wanted = m->reload_again,
    };

    h.scoreboard_fd = scoreboard_descriptor(m->conf->run_dir);
    if (h.scoreboard_fd < 0) {
        snprintf(why, size, "%s/scoreboard: %s", m->conf->run_dir, strerror(errno));
        return;
    }
    fflush(NULL);
    succession_execute(&h, m->conf, m->executable);
    snprintf(why, size, "cannot execute %s: %s", m->executable, strerror(errno));
    close(h.scoreboard_fd);
}

bool upgrade_reaped(struct master *m, pid_t pid, int wait_status)
{
    struct rehearsal *r = &m->rehearsal;
    char version[32] = UNKNOWN, why[512];
    bool good;

    if (r->pid == 0 || pid != r->pid)
        return false;
    (void)kill(-pid, SIGKILL); /* whatever it left */
    r->pid = 0;
    listen_to_rehearsal(m);
    close_fd(&m->env.private_fds[SPAWN_REHEARSAL]);
    good = rehearsed_version(r, version) && !r->overdue && WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == 0;
    if (good && m->phase == MASTER_SERVING) {
        execute_next(m, why, sizeof(why));
    } else {
        rehearsal_complaint(r, wait_status, why, sizeof(why));
    }
    close_fd(&m->env.private_fds[SPAWN_NEXT]);
    if (m->phase == MASTER_SERVING)
        fail(m, version, why);
    return true;
}

void upgrade_abort(struct master *m)
{
    m->upgrade_again = false;
    if (m->rehearsal.pid != 0)
        (void)kill(-m->rehearsal.pid, SIGKILL);
    if (!on_probation(m))
        return;
    m->fresh = NULL; /* the same as m->conf */
    succession_end(m->succession);
}

void upgrade_step(struct master *m)
{
    struct rehearsal *r = &m->rehearsal;

    if (r->pid == 0) {
        if (m->upgrade_again && m->fresh == NULL) {
            m->upgrade_again = false;
            upgrade_begin(m);
        }
        return;
    }
    listen_to_rehearsal(m);
    if (!r->overdue && m->now_ns - r->started_ns >= policy_rehearsal_ns(&m->limits)) {
        r->overdue = true;
        (void)kill(-r->pid, SIGKILL);
    }
}

/* The heir, and the one it comes back to. */

static bool take_lock(struct master *m)
{
    const struct handover *h = &m->succession->from;
    struct stat ours, theirs;
    char path[PATH_MAX];

    m->env.private_fds[SPAWN_LOCK] = h->lock_fd;
    snprintf(path, sizeof(path), "%s/patrond.lock", m->conf->run_dir);
    if (fstat(h->lock_fd, &theirs) == 0 && stat(path, &ours) == 0 && ours.st_dev == theirs.st_dev &&
        ours.st_ino == theirs.st_ino)
        return true;
    return master_boot_failed("only a restart can change RUN_DIR");
}

static bool take_sockets(struct master *m)
{
    char why[256];
    bool good;

    m->env.listen = &m->listen;
    m->env.lifeline[0] = m->succession->from.lifeline[0];
    m->env.lifeline[1] = m->succession->from.lifeline[1];
    good = listen_adopt(&m->listen, &m->succession->from.listen, why, sizeof(why));
    succession_share(m->succession);
    return good || master_boot_failed("%s", why);
}

/* A scoreboard of this layout, beside the one that was handed over. */
static bool make_own_scoreboard(struct master *m, const struct scoreboard *old)
{
    char text[SB_TEXT];
    int fd;

    m->env.sb = scoreboard_make(m->conf->run_dir, PACKAGE_VERSION, &fd);
    if (m->env.sb == NULL)
        return master_boot_failed("%s/scoreboard: %s", m->conf->run_dir, strerror(errno));
    atomic_store(&m->env.sb->master_pid, getpid());
    atomic_store(&m->env.sb->generation, m->serving);
    atomic_store(&m->env.sb->started_us, atomic_load(&old->started_us));
    atomic_store(&m->env.sb->reload_us, atomic_load(&old->reload_us));
    atomic_store(&m->env.sb->reload_ok, atomic_load(&old->reload_ok));
    atomic_store(&m->env.sb->reload_count, atomic_load(&old->reload_count));
    atomic_store(&m->env.sb->upgrade_count, atomic_load(&old->upgrade_count));
    (void)sb_text_get(&old->listen, text);
    sb_text_set(&m->env.sb->listen, "%s", text);
    succession_tell_scoreboard(m->succession, fd);
    return true;
}

static bool take_scoreboard(struct master *m)
{
    size_t bytes;
    struct scoreboard *sb = scoreboard_map_any(m->succession->from.scoreboard_fd, &bytes);

    if (sb == NULL)
        return master_boot_failed("the scoreboard handed over: %s", strerror(errno));
    m->serving = m->latest = atomic_load(&sb->generation);
    if (scoreboard_is_own_layout(sb)) {
        m->env.sb = sb;
        return true;
    }
    m->other_sb = sb;
    m->other_bytes = bytes;
    return m->succession->kind == SUCCESSION_HEIR
               ? make_own_scoreboard(m, sb)
               : master_boot_failed("the scoreboard handed over is of another version");
}

/* The heir's children, of whom this image knows nothing. */
static void take_heirs_children(struct master *m)
{
    if (m->succession->other_scoreboard_fd < 0)
        return;
    m->other_sb = scoreboard_map_any(m->succession->other_scoreboard_fd, &m->other_bytes);
    scoreboard_discard(m->conf->run_dir);
    if (m->other_sb != NULL)
        adopt_children(m, m->other_sb, true);
}

/* Workers that died while no master looked. */
static void fill_places(struct master *m)
{
    for (unsigned index = 0; index < m->workers; index++) {
        bool filled = false;

        for (unsigned i = 0; i < SB_SLOTS; i++)
            filled |= m->children[i].used && m->children[i].role == SB_ROLE_WORKER && m->children[i].index == index &&
                      m->children[i].generation == m->serving;
        if (!filled)
            children_add(m, SB_ROLE_WORKER, index, m->serving);
    }
}

static void go_on_after_return(struct master *m)
{
    m->workers = m->succession->from.workers;
    m->env.private_fds[SPAWN_IMAGE] = m->succession->from.image_fd;
    take_heirs_children(m);
    fill_places(m);
    succession_end(m->succession);
    fail(m, m->succession->version, m->succession->why);
}

bool upgrade_boot(struct master *m)
{
    const struct handover *h = &m->succession->from;

    signals_init();
    if (!take_lock(m) || !take_sockets(m) || !take_scoreboard(m))
        return false;
    m->phase = MASTER_SERVING;
    m->oom_kills = m->oom_kills_before = sys_oom_kill_count();
    m->reload_again = h->reload_wanted;
    policy_bucket_init(&m->storm, m->workers + POLICY_STORM_SPARE, POLICY_STORM_REFILL_NS, m->now_ns);
    adopt_children(m, m->other_sb != NULL ? m->other_sb : m->env.sb, m->other_sb != NULL);
    if (m->succession->kind == SUCCESSION_RETURNED) {
        go_on_after_return(m);
    } else {
        m->fresh = m->conf;
        reload_start_generation(m, policy_heir_started_ns(&m->limits, h->deadline_ns));
    }
    children_reap(m);
    return true;
}

void upgrade_complete(struct master *m)
{
    struct event_field f[] = { event_cstr("version", PACKAGE_VERSION),
                               event_cstr("from", m->succession->from.version), event_cstr("to", PACKAGE_VERSION),
                               event_i64("workers", m->workers), event_i64("generation", m->serving) };

    if (m->other_sb != NULL) {
        atomic_store(&m->other_sb->generation, m->serving);
        if (!scoreboard_publish(m->conf->run_dir))
            log_debug("cannot publish the scoreboard: %s", strerror(errno));
    }
    sb_text_set(&m->env.sb->version, "%s", PACKAGE_VERSION);
    atomic_store(&m->env.sb->workers, m->workers);
    m->env.private_fds[SPAWN_IMAGE] = m->succession->from.next_fd;
    succession_end(m->succession);
    event_log(EVENT_UPGRADE_COMPLETED, f, 5, "patrond %s serves, it was %s", PACKAGE_VERSION,
              m->succession->from.version);
    record(m, true, "");
}

void upgrade_fail(struct master *m, const char *why)
{
    char text[512];

    snprintf(text, sizeof(text), "%s", why); /* the caller's may be what is lost below */
    succession_return(m->succession, text);
    children_stop(m, m->latest, POLICY_SIGNAL_TERM, POLICY_SIGNAL_TERM);
    m->fresh = NULL; /* the same as m->conf */
    succession_end(m->succession);
    fail(m, PACKAGE_VERSION, text);
}
