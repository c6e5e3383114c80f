/*
 * server: finding the running server, and speaking to it by signals.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "ctl/ctl.h"
#include "proc/lock.h"
#include "proc/signals.h"

/* Says what is wrong with the settings, as RUN_DIR may be what could not be read. */
static void say_problems(const struct ctl *ctl)
{
    struct str rest = buf_str(&ctl->problems), line;

    while (str_split(&rest, '\n', &line)) {
        if (line.len > 0)
            fprintf(stderr, "patronctl: settings: %.*s\n", (int)line.len, line.p);
    }
}

int ctl_find(struct ctl *ctl)
{
    const char *run_dir = ctl->conf->run_dir;

    ctl->master = lock_holder(run_dir);
    if (ctl->master < 0)
        return ctl_fail(CTL_FAILED, "%s/patrond.lock: %s; only root and the server's user may look", run_dir,
                        strerror(errno));
    if (ctl->master == 0) {
        say_problems(ctl);
        return ctl_fail(CTL_NOT_RUNNING, "patrond does not run (RUN_DIR %s)", run_dir);
    }
    return CTL_OK;
}

int ctl_attach(struct ctl *ctl, bool writable)
{
    const char *run_dir = ctl->conf->run_dir;
    int status = ctl_find(ctl);

    if (status != CTL_OK)
        return status;
    ctl->sb = scoreboard_open(run_dir, writable);
    if (ctl->sb == NULL && errno == EPROTO)
        return ctl_fail(CTL_FAILED, "the running patrond is of another version than this patronctl");
    if (ctl->sb == NULL && errno != ENOENT)
        return ctl_fail(CTL_FAILED, "%s/scoreboard: %s", run_dir, strerror(errno));
    if (ctl->sb == NULL || atomic_load(&ctl->sb->master_pid) != ctl->master)
        return ctl_fail(CTL_NOT_RUNNING, "patrond (pid %ld) is only just starting", (long)ctl->master);
    return CTL_OK;
}

bool ctl_running(const struct ctl *ctl)
{
    return lock_holder(ctl->conf->run_dir) == ctl->master;
}

int ctl_signal(const struct ctl *ctl, const char *verb)
{
    if (kill(ctl->master, signals_of_verb(verb)) == 0)
        return CTL_OK;
    return ctl_fail(CTL_FAILED, "cannot signal patrond (pid %ld): %s", (long)ctl->master, strerror(errno));
}

void ctl_pause(void)
{
    struct timespec t = { .tv_nsec = CTL_POLL_MS * 1000000L };

    (void)nanosleep(&t, NULL);
}
