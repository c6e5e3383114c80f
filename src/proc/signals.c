/*
 * signals: a handler raises one flag and nothing else. Signals are delivered
 * only inside signals_wait, so that nothing the master does is interrupted and none is lost between look and sleep.
 */
#include "proc/signals.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>

const struct signals_row signals_table[SIGNALS_COUNT] = {
    [SIGNALS_QUIT] = { SIGQUIT, "QUIT", NULL, "stop at once: requests in flight are cut" },
    [SIGNALS_TERM] = { SIGTERM, "TERM", "stop", "drain and stop; a second one stops at once" },
    [SIGNALS_INT] = { SIGINT, "INT", NULL, "as TERM" },
    [SIGNALS_CHLD] = { SIGCHLD, "CHLD", NULL, "reap and replace children that ended" },
    [SIGNALS_HUP] = { SIGHUP, "HUP", "reload", "read the configuration again and change generations" },
    [SIGNALS_USR2] = { SIGUSR2, "USR2", "upgrade", "execute the installed program in place and change generations" },
    [SIGNALS_USR1] = { SIGUSR1, "USR1", "sync", "sync now, as the mailbox asks or else incrementally" },
    [SIGNALS_TTIN] = { SIGTTIN, "TTIN", "workers +1", "one worker more" },
    [SIGNALS_TTOU] = { SIGTTOU, "TTOU", "workers -1", "one worker fewer" },
};

static volatile sig_atomic_t flags[SIGNALS_COUNT];

static void on_signal(int signo)
{
    for (int i = 0; i < SIGNALS_COUNT; i++) {
        if (signals_table[i].signo == signo)
            flags[i] = 1;
    }
}

void signals_init(void)
{
    struct sigaction action = { .sa_handler = on_signal };
    struct sigaction ignore = { .sa_handler = SIG_IGN };
    sigset_t blocked;

    sigfillset(&action.sa_mask);
    sigemptyset(&blocked);
    for (int i = 0; i < SIGNALS_COUNT; i++) {
        sigaddset(&blocked, signals_table[i].signo);
        sigaction(signals_table[i].signo, &action, NULL);
    }
    sigaction(SIGPIPE, &ignore, NULL);
    sigprocmask(SIG_SETMASK, &blocked, NULL);
}

void signals_wait(int ms)
{
    struct timespec limit = { .tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000L };
    sigset_t none;

    sigemptyset(&none);
    (void)ppoll(NULL, 0, &limit, &none);
}

bool signals_take(enum signals_flag flag)
{
    bool raised = flags[flag] != 0;

    flags[flag] = 0;
    return raised;
}

/* Default handlers, and SIGPIPE ignored with what operators mean for the master: pkill and `systemctl kill` send it
 * to all of its processes. Not so those `wanted`: to ignore one for a moment would lose it when it has come already.
 */
static void reset_handlers(const sigset_t *wanted)
{
    static const int ignored[] = { SIGPIPE, SIGHUP, SIGUSR1, SIGUSR2, SIGTTIN, SIGTTOU };
    struct sigaction standard = { .sa_handler = SIG_DFL };
    struct sigaction ignore = { .sa_handler = SIG_IGN };

    for (int signo = 1; signo < NSIG; signo++)
        sigaction(signo, &standard, NULL); /* fails for KILL and STOP, as it should */
    for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++) {
        if (!sigismember(wanted, ignored[i]))
            sigaction(ignored[i], &ignore, NULL);
    }
}

int signals_child_reset(void)
{
    static const int read_by_fd[] = { SIGTERM, SIGINT, SIGQUIT, SIGUSR1, SIGHUP };
    sigset_t set;

    sigemptyset(&set);
    for (size_t i = 0; i < sizeof(read_by_fd) / sizeof(read_by_fd[0]); i++)
        sigaddset(&set, read_by_fd[i]);
    reset_handlers(&set);
    for (int i = 0; i < SIGNALS_COUNT; i++)
        flags[i] = 0;
    sigprocmask(SIG_SETMASK, &set, NULL);
    return signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

void signals_task_reset(void)
{
    sigset_t none;

    sigemptyset(&none);
    reset_handlers(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

const char *signals_name(int signo, char dst[16])
{
    const char *abbreviation = sigabbrev_np(signo);

    if (abbreviation != NULL)
        snprintf(dst, 16, "SIG%s", abbreviation);
    else
        snprintf(dst, 16, "signal %d", signo);
    return dst;
}

int signals_of_verb(const char *verb)
{
    for (int i = 0; i < SIGNALS_COUNT; i++) {
        if (signals_table[i].verb != NULL && strcmp(signals_table[i].verb, verb) == 0)
            return signals_table[i].signo;
    }
    return 0;
}
