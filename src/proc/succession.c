/*
 * succession: see succession.h.
 *
 * The way back must work from a signal handler, in a process whose memory may be damaged: everything it needs is made
 * beforehand and static, and it calls only what a handler may call.
 */
#include "config.h"

#include "proc/succession.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/clock.h"
#include "core/sys.h"

#define HANDOVER_NAME  "PATROND_HANDOVER"
#define RETURN_NAME    "PATROND_RETURN"
#define STATE_MAX      (1 << 20)
#define RETURN_BYTES   640
#define STACK_BYTES    65536 /* of the handler */
#define NUMBER_BYTES   16
#define EXECUTE_VECTOR 4

static const int crash_signals[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGSYS, SIGALRM };
#define CRASH_SIGNALS (sizeof(crash_signals) / sizeof(crash_signals[0]))

/* The way back, ready to go. */
static struct {
    volatile sig_atomic_t open;
    int image_fd;
    char *argv[EXECUTE_VECTOR];
    char **environment;
    char text[RETURN_BYTES]; /* "PATROND_RETURN=<scoreboard> <version> <why>" */
    size_t why_at;
} way_back;

static void set_argv(char *argv[EXECUTE_VECTOR], const char *executable, const char *path)
{
    argv[0] = (char *)(uintptr_t)executable;
    argv[1] = path != NULL && *path != '\0' ? (char *)(uintptr_t) "-c" : NULL;
    argv[2] = argv[1] != NULL ? (char *)(uintptr_t)path : NULL;
    argv[3] = NULL;
}

static void set_cloexec(int fd, bool on)
{
    if (fd >= 0)
        (void)fcntl(fd, F_SETFD, on ? FD_CLOEXEC : 0);
}

/* Those that both images need. */
static void share_descriptors(const struct handover *h, int state_fd, bool share)
{
    const int fds[] = { h->image_fd,    h->next_fd,     h->lock_fd, h->scoreboard_fd,
                        h->lifeline[0], h->lifeline[1], state_fd };

    for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
        set_cloexec(fds[i], !share);
    for (unsigned i = 0; i < h->listen.count; i++)
        set_cloexec(h->listen.fds[i], !share);
}

static void close_one(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

/* The way there. */

static int write_state(const struct handover *h, const struct conf *conf)
{
    int fd = memfd_create("patrond-handover", MFD_CLOEXEC), saved;
    struct buf text;
    bool good;

    if (fd < 0)
        return -1;
    buf_init(&text, STATE_MAX);
    handover_write(h, &text);
    conf_pack(conf, &text);
    good = !text.failed && write(fd, text.data, text.len) == (ssize_t)text.len;
    saved = text.failed ? ENOMEM : errno;
    if (text.data != NULL)
        explicit_bzero(text.data, text.len);
    buf_free(&text);
    if (good)
        return fd;
    close(fd);
    errno = saved;
    return -1;
}

void succession_execute(const struct handover *h, const struct conf *conf, const char *executable)
{
    int state_fd = write_state(h, conf), saved;
    char number[NUMBER_BYTES], *argv[EXECUTE_VECTOR];

    if (state_fd < 0)
        return;
    (void)snprintf(number, sizeof(number), "%d", state_fd);
    set_argv(argv, executable, conf->path);
    share_descriptors(h, state_fd, true);
    if (setenv(HANDOVER_NAME, number, 1) == 0)
        (void)fexecve(h->next_fd, argv, environ);
    saved = errno;
    (void)unsetenv(HANDOVER_NAME);
    share_descriptors(h, state_fd, false);
    close(state_fd);
    errno = saved;
}

/* The way back. */

static void go_back(void)
{
    way_back.open = 0;
    (void)alarm(0);
    (void)fexecve(way_back.image_fd, way_back.argv, way_back.environment);
}

static void on_crash(int signo)
{
    static const char crashed[] = "it crashed with signal ", late[] = "it hung while it started";
    char *at = way_back.text + way_back.why_at;

    if (way_back.open) {
        if (signo == SIGALRM) {
            memcpy(at, late, sizeof(late));
        } else {
            memcpy(at, crashed, sizeof(crashed));
            at += sizeof(crashed) - 1;
            at[0] = (char)('0' + signo / 10);
            at[1] = (char)('0' + signo % 10);
            at[2] = '\0';
        }
        go_back();
    }
    (void)signal(signo, SIG_DFL);
    (void)raise(signo);
}

/* Whatever called exit. */
static void on_exit_in_probation(void)
{
    static const char ended[] = "it ended";

    if (!way_back.open)
        return;
    memcpy(way_back.text + way_back.why_at, ended, sizeof(ended));
    go_back();
}

static void set_handlers(void (*handler)(int))
{
    static char stack[STACK_BYTES];
    stack_t alternate = { .ss_sp = stack, .ss_size = sizeof(stack) };
    struct sigaction action = { .sa_handler = handler, .sa_flags = SA_ONSTACK | SA_NODEFER };
    sigset_t set;

    (void)sigaltstack(&alternate, NULL);
    sigemptyset(&set);
    for (size_t i = 0; i < CRASH_SIGNALS; i++) {
        sigaction(crash_signals[i], &action, NULL);
        sigaddset(&set, crash_signals[i]);
    }
    (void)sigprocmask(SIG_UNBLOCK, &set, NULL);
}

static void say_return(int scoreboard_fd)
{
    int n = snprintf(way_back.text, sizeof(way_back.text), RETURN_NAME "=%d %s ", scoreboard_fd, PACKAGE_VERSION);

    way_back.why_at = (size_t)n;
}

/* The environment with one more entry; it is never freed. */
static bool make_environment(void)
{
    size_t count = 0;

    while (environ[count] != NULL)
        count++;
    way_back.environment = calloc(count + 2, sizeof(*way_back.environment));
    if (way_back.environment == NULL)
        return false;
    memcpy(way_back.environment, environ, count * sizeof(*environ));
    way_back.environment[count] = way_back.text;
    return true;
}

static void set_alarm(uint64_t at_ns)
{
    uint64_t now = clock_mono_ns(), left_us = at_ns > now ? (at_ns - now) / 1000 + 1 : 1;
    struct itimerval timer = { .it_value = { .tv_sec = (time_t)(left_us / 1000000),
                                             .tv_usec = (suseconds_t)(left_us % 1000000) } };

    (void)setitimer(ITIMER_REAL, &timer, NULL);
}

static void begin_probation(struct succession *s, const char *executable, const char *path)
{
    if (s->from.image_fd < 0 || !make_environment() || atexit(on_exit_in_probation) != 0)
        return;
    way_back.image_fd = s->from.image_fd;
    set_argv(way_back.argv, executable, path);
    say_return(-1);
    set_handlers(on_crash);
    way_back.open = 1;
    set_alarm(s->from.deadline_ns);
}

void succession_share(const struct succession *s)
{
    if (way_back.open)
        share_descriptors(&s->from, s->state_fd, true);
}

void succession_tell_scoreboard(struct succession *s, int fd)
{
    set_cloexec(fd, false);
    s->other_scoreboard_fd = fd;
    say_return(fd);
}

void succession_return(struct succession *s, const char *why)
{
    if (!way_back.open || s->kind != SUCCESSION_HEIR)
        return;
    (void)snprintf(way_back.text + way_back.why_at, sizeof(way_back.text) - way_back.why_at, "%s", why);
    go_back();
}

void succession_end(struct succession *s)
{
    way_back.open = 0;
    if (s->kind == SUCCESSION_HEIR) {
        (void)alarm(0);
        set_handlers(SIG_DFL);
        free(way_back.environment);
        way_back.environment = NULL;
        close_one(&s->from.image_fd);
    } else if (s->kind == SUCCESSION_RETURNED) {
        close_one(&s->from.next_fd);
    }
    close_one(&s->state_fd);
    close_one(&s->from.scoreboard_fd);
    close_one(&s->other_scoreboard_fd);
    share_descriptors(&s->from, -1, false);
    s->kind = SUCCESSION_NONE;
}

void succession_forget(const struct succession *s)
{
    const int fds[] = { s->from.image_fd, s->from.next_fd, s->state_fd, s->from.scoreboard_fd,
                        s->other_scoreboard_fd };

    for (size_t i = 0; s->kind != SUCCESSION_NONE && i < sizeof(fds) / sizeof(fds[0]); i++) {
        if (fds[i] >= 0)
            close(fds[i]);
    }
}

/* Arrival. */

static int take_number(const char *text, const char **rest)
{
    char *end;
    long n;

    errno = 0;
    n = strtol(text, &end, 10);
    *rest = *end == ' ' ? end + 1 : end;
    return errno == 0 && end != text && n >= 0 && n < 1 << 30 ? (int)n : -1;
}

/* "<scoreboard> <version> <why>" */
static void read_return(struct succession *s, const char *text)
{
    const char *rest, *blank;

    s->other_scoreboard_fd = take_number(text, &rest);
    blank = strchr(rest, ' ');
    if (blank == NULL)
        blank = rest + strlen(rest);
    (void)str_copy(s->version, sizeof(s->version), (struct str){ rest, (size_t)(blank - rest) });
    (void)str_copy(s->why, sizeof(s->why), str_from(*blank != '\0' ? blank + 1 : blank));
}

static void arrive(struct succession *s, struct str state, const char *executable, const char *path)
{
    const char *returned = getenv(RETURN_NAME);
    bool good = handover_read(state, &s->from);

    if (returned != NULL) {
        s->kind = SUCCESSION_RETURNED;
        read_return(s, returned);
        s->conf = conf_unpack(state, path);
        return;
    }
    s->kind = SUCCESSION_HEIR;
    begin_probation(s, executable, path);
    if (!good)
        succession_return(s, "it does not understand what the running version hands over");
}

void succession_begin(struct succession *s, const char *executable, const char *path)
{
    const char *number = getenv(HANDOVER_NAME), *rest;
    char file[64], *text;
    size_t n;

    *s = (struct succession){ .kind = SUCCESSION_NONE, .state_fd = -1, .other_scoreboard_fd = -1 };
    if (number == NULL)
        return;
    s->state_fd = take_number(number, &rest);
    (void)snprintf(file, sizeof(file), "/proc/self/fd/%d", s->state_fd);
    text = sys_read_file(file, STATE_MAX, &n);
    if (text != NULL) {
        arrive(s, (struct str){ text, n }, executable, path);
        explicit_bzero(text, n);
        free(text);
    }
    (void)unsetenv(HANDOVER_NAME);
    (void)unsetenv(RETURN_NAME);
}

int succession_open_self(void)
{
    return open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
}
